//! What an audit's pass rate is made of. Over entries of `attestation.made`, `replay.run` and `ledger.verified`; pure.

use std::collections::{BTreeMap, BTreeSet};

use blotter_record::{Event, Jti};

use crate::filter::Span;
use crate::views::LogEntry;

/// How often something was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditInput {
    /// The event.
    pub event: String,
    /// The check that was attested; of other events `None`.
    pub check: Option<String>,
    /// The answer or result.
    pub result: String,
    /// The entries that say so.
    pub entries: Vec<u64>,
}

/// Attestations, replays and verifications in `span`, by result; statements in `retracted` count for nothing.
pub fn audit_inputs(entries: &[LogEntry], retracted: &BTreeSet<Jti>, span: Span) -> Vec<AuditInput> {
    let mut inputs: BTreeMap<(String, Option<String>, String), Vec<u64>> = BTreeMap::new();
    for entry in entries {
        let Some((placed, statement)) = &entry.said else { continue };
        let (check, result) = match statement.event.known() {
            Some(Event::AttestationMade) => (statement.facts.word("check"), statement.facts.word("answer")),
            Some(Event::ReplayRun | Event::LedgerVerified) => (None, statement.facts.word("result")),
            _ => continue,
        };
        let at_us = statement.occurred.as_ref().unwrap_or(&placed.recorded).unix_us();
        if let Some(result) = result.filter(|_| span.admits(at_us) && !retracted.contains(&statement.jti)) {
            let key = (statement.event.as_str().to_owned(), check.map(str::to_owned), result.to_owned());
            inputs.entry(key).or_default().push(entry.seq);
        }
    }
    let input = |((event, check, result), entries)| AuditInput { event, check, result, entries };
    inputs.into_iter().map(input).collect()
}
