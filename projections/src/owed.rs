//! What each person owes: open tasks, handovers to be accepted, clocks that run, evidence to be brought back, actions that
//! lessons led to, and escalations that the approved path wants.

use blotter_record::{Id, Json};
use rusqlite::Connection;

use crate::escalation::OWED_SQL;
use crate::metrics::{id, seq};
use crate::views::{Failed, Source, ViewError, answer};

/// Something that somebody owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// task, handover, clock, evidence, action or escalation.
    pub kind: String,
    /// Its id or code.
    pub what: String,
    /// Who owes it: of a clock, the incident's lead; of evidence, to whom it was given; of an escalation, the roles that it goes to.
    pub owner: Option<String>,
    /// When it is due, in microseconds since 1970.
    pub due_us: Option<i64>,
    /// The incident that it belongs to.
    pub incident: Id,
    /// The entry that opened it.
    pub seq: u64,
}

impl Owed {
    /// Whether it was due before `now_us`.
    pub fn is_overdue(&self, now_us: i64) -> bool {
        self.due_us.is_some_and(|due_us| due_us < now_us)
    }
}

/// What is owed, what is due first before what is due later, and what has no date last.
///
/// # Errors
/// If view or log can't be read.
pub fn owed<S: Source>(db: &Connection, source: &S) -> Result<Vec<Owed>, ViewError<S::Error>> {
    answer(db, read(db, source))
}

fn read<S: Source>(db: &Connection, source: &S) -> Result<Vec<Owed>, Failed<S::Error>> {
    let mut query = db.prepare_cached(&format!(
        "SELECT incident, kind, what, owner, due_us, seq FROM owed
         UNION ALL
         SELECT incident, 'action', action, owner, due_us, opened_seq FROM action WHERE completed_seq IS NULL
         UNION ALL {OWED_SQL}"
    ))?;
    let rows = query.query_map([], |row| {
        let (kind, what, owner) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Owed { incident: id(row, 0)?, kind, what, owner, due_us: row.get(4)?, seq: seq(row, 5)? })
    })?;
    let mut owed: Vec<Owed> = rows.collect::<Result<_, _>>()?;
    for one in owed.iter_mut().filter(|one| one.kind == "evidence") {
        // Who has it and until when is said by its release alone.
        let entry = source.entries(one.seq, 1).map_err(Failed::Source)?.pop();
        let Some((_, statement)) = entry.and_then(|entry| entry.said) else { continue };
        one.what = statement.sub.to_string();
        one.owner = statement.facts.actor("to").map(ToString::to_string);
        one.due_us = statement.facts.instant("due").map(blotter_record::Instant::unix_us);
    }
    owed.sort_by(|a, b| {
        let order = |one: &Owed| (one.due_us.is_none(), one.due_us, one.seq);
        order(a).cmp(&order(b)).then_with(|| a.what.cmp(&b.what))
    });
    Ok(owed)
}

/// The words for an entry: the first of its disclosed values that has one of these names, if the vault still has it.
///
/// # Errors
/// If the log can't be read.
pub fn words<S: Source>(source: &S, seq: u64, names: &[&str]) -> Result<Option<String>, S::Error> {
    let values = source.values(seq)?;
    let named =
        |name: &&str| values.iter().find(|(other, _)| other == name).and_then(|(_, value)| Json::as_text(value));
    Ok(names.iter().find_map(named).map(str::to_owned))
}
