//! The view of alerts' words: of each alert, the disclosed values by which alerts are grouped and correlated. They can be
//! erased; so they are in no fact, and leave this view with the entry that says so. Only what the vault still has is read.

use std::path::Path;

use blotter_record::{Event, Hash, Id, Json, Statement};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::catch_up::{Batch, Layout, Projection, Saving};
use crate::table::{Cell, Change, Digester, Row, Table, int, save, table, text};
use crate::views::{Source, View, ViewError, Views, over, signed};

/// Characters of a word; of a longer one the first so many are kept.
pub const WORD_CHARS_MAX: usize = 2_048;
/// Observables of an alert; more are not kept.
pub const OBSERVABLES_MAX: usize = 256;
/// What an observable begins with that only says how many more there are (ALERTS.md).
const CUT: &str = "cut:";
/// Stands between the parts of a key; no word has it.
const BETWEEN: char = '\u{1f}';

/// The tables of alerts' words, in the order of their digest.
pub static TABLES: &[&Table] = &[&SAID, &OBSERVABLE];

/// One row an entry that received an alert or a report.
pub static SAID: Table = table(
    "said_alert",
    "what an alert or a report says in values that can be erased",
    1,
    &[
        int("seq", "the entry that received it"),
        text("alert", "its stream"),
        text("source", "its source"),
        text("grouped_by", "the same for alerts that are counted together"),
        text("fingerprint", "the source's mark for alerts that are the same"),
        text("rule", "the rule that fired"),
        text("host", "the host"),
        text("user", "the user"),
        text("title", "its title"),
        text("description", "of a report, what was reported"),
    ],
    &[&["grouped_by"]],
);

/// One row an observable of an alert.
pub static OBSERVABLE: Table = table(
    "said_observable",
    "an observable that an alert names",
    2,
    &[int("seq", "the entry that received the alert"), text("observable", "kind:value, as its source says")],
    &[&["observable"]],
);

/// The words, caught up with a ledger.
pub struct AlertWords {
    db: Connection,
}

impl AlertWords {
    /// Opens the view in `path`, makes it if need be, and catches up with the log. `progress(done, size)` is told after
    /// each batch. A damaged file is thrown away and built anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn open<S: Source>(
        path: &Path,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ViewError<S::Error>> {
        Ok(Self { db: Views::open(path, &[View::Alerts], source, progress)?.into_db() })
    }

    /// The database, to be read.
    pub fn db(&self) -> &Connection {
        &self.db
    }

    /// SHA-256 over all rows, in the order of tables and keys.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn digest(&self) -> rusqlite::Result<Hash> {
        let digests = TABLES.iter().map(|table| table.digest(&self.db, Digester::new(table)));
        Ok(over(&LAYOUT, digests.collect::<rusqlite::Result<Vec<_>>>()?.into_iter()))
    }
}

/// The view's tables.
pub(crate) static LAYOUT: Layout = Layout {
    name: "alert_words",
    version: 1,
    create: || TABLES.iter().map(|table| table.create()).collect(),
    index: || TABLES.iter().map(|table| table.index()).collect(),
    drop: || TABLES.iter().map(|table| table.drop()).collect(),
};

/// The fold behind the view.
pub(crate) struct AlertRows;

/// What leaves the view.
enum Leaving {
    /// A value of the entry of that number.
    Value(u64, String),
    /// All that an entry said.
    Entry(u64),
}

impl<S: Source> Projection<S> for AlertRows {
    fn fold(&mut self, source: &S, batch: &Batch<'_>) -> Result<Saving, S::Error> {
        let (mut said, mut leaving) = (Vec::new(), Vec::new());
        for entry in batch.entries {
            let Some((_, statement)) = &entry.said else { continue };
            match statement.event.known() {
                Some(Event::AlertReceived | Event::ReportReceived) => {
                    let values = batch.values(source)?.get(&entry.seq).map_or(&[][..], Vec::as_slice);
                    said.extend(Said::of(entry.seq, statement, values).rows().into_iter().map(Change::Put));
                }
                Some(Event::ErasureExecuted) => {
                    for item in statement.facts.items("items") {
                        let seq = source.seq_of(&item.jti)?;
                        leaving.extend(seq.map(|seq| Leaving::Value(seq, item.field.clone())));
                    }
                }
                Some(Event::EntryExpunged) => {
                    let seq = statement.facts.int("seq").and_then(|seq| u64::try_from(seq).ok());
                    leaving.extend(seq.map(Leaving::Entry));
                }
                _ => {}
            }
        }
        // What leaves was said before.
        Ok(Box::new(move |tx| {
            save(tx, said)?;
            leaving.iter().try_for_each(|leaving| take(tx, leaving))
        }))
    }
}

fn take(tx: &Transaction<'_>, leaving: &Leaving) -> rusqlite::Result<()> {
    match leaving {
        Leaving::Value(seq, field) => erase(tx, *seq, field),
        Leaving::Entry(seq) => remove(tx, *seq),
    }
}

/// What one entry says.
#[derive(Debug, Default)]
struct Said {
    seq: u64,
    alert: String,
    source: String,
    fingerprint: Option<String>,
    rule: Option<String>,
    host: Option<String>,
    user: Option<String>,
    title: Option<String>,
    description: Option<String>,
    observables: Vec<String>,
}

impl Said {
    fn of(seq: u64, statement: &Statement, values: &[(String, Json)]) -> Self {
        let value = |name: &str| values.iter().find(|(other, _)| other == name).map(|(_, value)| value);
        let word = |name| value(name).and_then(word);
        let is_report = statement.event.known() == Some(Event::ReportReceived);
        let source = statement.facts.id("source").map(Id::as_str).or(statement.facts.word("channel"));
        Self {
            seq,
            alert: statement.sub.as_str().to_owned(),
            source: source.unwrap_or_default().to_owned(),
            fingerprint: word("fingerprint"),
            rule: word("rule"),
            host: word("host"),
            user: word("user"),
            title: word("title"),
            description: word("description").filter(|_| is_report),
            observables: value("observables").map(observables).unwrap_or_default(),
        }
    }

    /// Alerts with the same are counted together: those of one source with one fingerprint; without it, of one rule
    /// about one host; without these, only itself.
    fn grouped_by(&self) -> String {
        let Self { source, alert, .. } = self;
        match (&self.fingerprint, &self.rule, &self.host) {
            (Some(fingerprint), _, _) => format!("{source}{BETWEEN}fingerprint{BETWEEN}{fingerprint}"),
            (None, Some(rule), Some(host)) => {
                format!("{source}{BETWEEN}rule{BETWEEN}{rule}{BETWEEN}{}", host.to_lowercase())
            }
            _ => format!("{source}{BETWEEN}alone{BETWEEN}{alert}"),
        }
    }

    fn rows(self) -> Vec<Row> {
        let grouped_by = self.grouped_by();
        let seq = Cell::from(self.seq);
        let observable = |value: &String| OBSERVABLE.row([seq.clone(), value.as_str().into()]);
        let mut rows: Vec<Row> = self.observables.iter().map(observable).collect();
        rows.push(SAID.row([
            seq,
            self.alert.into(),
            self.source.into(),
            grouped_by.into(),
            self.fingerprint.into(),
            self.rule.into(),
            self.host.into(),
            self.user.into(),
            self.title.into(),
            self.description.into(),
        ]));
        rows
    }
}

/// Takes one value of an entry away; `*` is all of them.
fn erase(tx: &Transaction<'_>, seq: u64, field: &str) -> rusqlite::Result<()> {
    if field == "*" {
        return remove(tx, seq);
    }
    if field == "observables" {
        return tx.execute("DELETE FROM said_observable WHERE seq = ?1", [signed(seq)]).map(drop);
    }
    let found = tx.query_row(
        "SELECT alert, source, fingerprint, rule, host, user, title, description FROM said_alert WHERE seq = ?1",
        [signed(seq)],
        |row| {
            Ok(Said {
                seq,
                alert: row.get(0)?,
                source: row.get(1)?,
                fingerprint: row.get(2)?,
                rule: row.get(3)?,
                host: row.get(4)?,
                user: row.get(5)?,
                title: row.get(6)?,
                description: row.get(7)?,
                observables: Vec::new(),
            })
        },
    );
    let Some(mut said) = found.optional()? else { return Ok(()) };
    match field {
        "fingerprint" => said.fingerprint = None,
        "rule" => said.rule = None,
        "host" => said.host = None,
        "user" => said.user = None,
        "title" => said.title = None,
        "description" => said.description = None,
        _ => return Ok(()),
    }
    save(tx, said.rows().into_iter().map(Change::Put).collect())
}

fn remove(tx: &Transaction<'_>, seq: u64) -> rusqlite::Result<()> {
    for sql in ["DELETE FROM said_alert WHERE seq = ?1", "DELETE FROM said_observable WHERE seq = ?1"] {
        tx.execute(sql, params![signed(seq)])?;
    }
    Ok(())
}

/// A value as a word: a text as it is, what else it may be as JSON; without what would not fit into a line.
fn word(value: &Json) -> Option<String> {
    let text = match value {
        Json::Null => return None,
        Json::Text(text) => text.clone(),
        other => other.to_text(),
    };
    let clean: String =
        text.trim().chars().take(WORD_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    Some(clean).filter(|clean| !clean.is_empty())
}

/// A list, or the text of one, or a lone value; none of them twice. Of an object it is the member `value`.
fn observables(value: &Json) -> Vec<String> {
    let parsed =
        value.as_text().filter(|text| text.starts_with('[')).and_then(|text| Json::parse(text.as_bytes()).ok());
    let items = match parsed.as_ref().unwrap_or(value) {
        Json::List(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    let one = |item: &Json| match item {
        Json::Object(members) => members.iter().find(|(name, _)| name == "value").and_then(|(_, value)| word(value)),
        other => word(other),
    };
    let mut all: Vec<String> = items.iter().filter_map(one).filter(|word| !word.starts_with(CUT)).collect();
    all.sort();
    all.dedup();
    all.truncate(OBSERVABLES_MAX);
    all
}
