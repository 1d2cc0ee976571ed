//! Alerts that analysts closed. Over entries of `alert.dismissed` and `alert.triaged`; pure.

use std::collections::{BTreeMap, BTreeSet};

use blotter_record::{ActorId, Event, Id, Jti};

use crate::filter::Span;
use crate::views::LogEntry;

/// What an analyst closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsClosed {
    /// The analyst.
    pub analyst: ActorId,
    /// How many different alerts.
    pub count: usize,
    /// How many by verdict or disposition.
    pub by: BTreeMap<String, usize>,
    /// The entries that closed them.
    pub entries: Vec<u64>,
}

/// Who closed how many alerts in `span`, most first. An alert counts once: its newest word counts, and if that is
/// `investigate`, it is not closed. Statements that were taken back, those in `retracted`, count for nothing.
pub fn alerts_closed(entries: &[LogEntry], retracted: &BTreeSet<Jti>, span: Span) -> Vec<AlertsClosed> {
    let mut newest: BTreeMap<&Id, (u64, i64, &ActorId, Option<&str>)> = BTreeMap::new();
    for entry in entries {
        let Some((placed, statement)) = &entry.said else { continue };
        let word = match statement.event.known() {
            Some(Event::AlertDismissed) => statement.facts.word("verdict"),
            Some(Event::AlertTriaged) => {
                statement.facts.word("disposition").filter(|disposition| *disposition != "investigate")
            }
            _ => continue,
        };
        if retracted.contains(&statement.jti) {
            continue;
        }
        let at_us = statement.occurred.as_ref().unwrap_or(&placed.recorded).unix_us();
        newest.insert(&statement.sub, (entry.seq, at_us, statement.actor(), word));
    }
    let mut closed: BTreeMap<&ActorId, AlertsClosed> = BTreeMap::new();
    for (seq, at_us, analyst, word) in newest.into_values() {
        let Some(word) = word.filter(|_| span.admits(at_us)) else { continue };
        let of_them = closed.entry(analyst).or_insert_with(|| AlertsClosed {
            analyst: analyst.clone(),
            count: 0,
            by: BTreeMap::new(),
            entries: Vec::new(),
        });
        of_them.count += 1;
        *of_them.by.entry(word.to_owned()).or_default() += 1;
        of_them.entries.push(seq);
    }
    let mut closed: Vec<_> = closed.into_values().collect();
    closed.iter_mut().for_each(|of_them| of_them.entries.sort_unstable());
    closed.sort_by_key(|of_them| std::cmp::Reverse(of_them.count));
    closed
}
