//! An entry in one line: for lists, timelines, and whoever reads them with a program.

use anyhow::Result;
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Read, read::ReadEntry};
use blotter_record::limits::IAT_BEHIND_SECONDS_SHOWN;
use blotter_record::{Entry, Json, Statement};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::commands::act::fact_text;
use crate::out::{Out, Tone, cut, plain};
use crate::people::People;
use crate::when;

/// A fact that is longer is cut in lists.
const FACT_LEN_MAX: usize = 40;

/// What rows are made with.
pub(crate) struct Rows<'a> {
    pub(crate) out: Out,
    pub(crate) store: &'a dyn Read,
    pub(crate) zone: Tz,
    pub(crate) people: People,
}

/// The columns of a list, as wide as the widest value so far.
pub(crate) struct Columns([usize; 5]);

pub(crate) const HEADING: [&str; 6] = ["seq", "recorded", "event", "stream", "actor", "facts"];

impl Rows<'_> {
    /// The cells of an entry: as [`HEADING`], and its marks.
    pub(crate) fn cells(&self, entry: &ReadEntry, keyring: &Keyring) -> [String; 7] {
        let seq = entry.stored.seq.to_string();
        let Some((placed, statement)) = &entry.said else {
            let by = keyring.expunged_by(entry.stored.seq).map_or("nobody".to_owned(), |jti| jti.to_string());
            let [a, b, c, d] = ["-"; 4].map(str::to_owned);
            return [seq, a, b, c, d, format!("by order {by}"), "expunged".to_owned()];
        };
        [
            seq,
            when::show(placed.recorded.unix_us(), self.zone),
            statement.event.to_string(),
            statement.sub.to_string(),
            self.people.short(self.store, keyring, statement.actor()),
            summary(statement),
            marks(placed, statement, keyring).join(", "),
        ]
    }

    /// A line of a list; `columns` only ever grow.
    pub(crate) fn line(&self, cells: &[String; 7], columns: &mut Columns) -> String {
        let mut line = String::new();
        for (index, cell) in cells[..5].iter().enumerate() {
            let len = cell.chars().count();
            columns.0[index] = columns.0[index].max(len);
            let pad = columns.0[index] - len;
            // Numbers end, words begin, where their column does.
            let padded = if index == 0 { format!("{:pad$}{cell}", "") } else { format!("{cell}{:pad$}", "") };
            line.push_str(&padded);
            line.push_str("  ");
        }
        let [.., facts, marks] = cells;
        let room = terminal_width().map(|width| width.saturating_sub(line.chars().count() + marks.len() + 3).max(20));
        line.push_str(&room.map_or(facts.clone(), |room| cut(facts, room)));
        if !marks.is_empty() {
            line.push_str(&self.out.toned(Tone::Warn, &format!("  [{marks}]")));
        }
        line.trim_end().to_owned()
    }

    /// The heading over lines.
    pub(crate) fn heading(&self, columns: &Columns) -> String {
        let mut line = String::new();
        for (index, name) in HEADING.iter().enumerate() {
            let width = columns.0.get(index).copied().unwrap_or(0);
            line.push_str(&if index == 0 { format!("{name:>width$}  ") } else { format!("{name:width$}  ") });
        }
        self.out.toned(Tone::Dim, line.trim_end())
    }
}

impl Columns {
    /// Columns for a log of `size` entries, before anything is in them.
    pub(crate) fn new(size: u64) -> Self {
        Self([size.to_string().len().max(3), 20, 18, 18, 12])
    }

    /// Makes room for rows that will follow.
    pub(crate) fn fit<'c>(&mut self, rows: impl IntoIterator<Item = &'c [String; 7]>) {
        for cells in rows {
            for (width, cell) in self.0.iter_mut().zip(cells) {
                *width = (*width).max(cell.chars().count());
            }
        }
    }
}

/// The terminal's width, if there is one.
fn terminal_width() -> Option<usize> {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal().then(|| comfy_table::Table::new().width().map(usize::from)).flatten()
}

/// The facts, and the names of disclosed values, in one line.
pub(crate) fn summary(statement: &Statement) -> String {
    let facts =
        statement.facts.iter().map(|(name, fact)| format!("{name}={}", cut(&plain(&fact_text(fact)), FACT_LEN_MAX)));
    let fields = statement.fields.iter().map(|field| format!("+{field}"));
    facts.chain(fields).collect::<Vec<_>>().join(" ")
}

/// What a reader must not overlook.
pub(crate) fn marks(entry: &Entry, statement: &Statement, keyring: &Keyring) -> Vec<&'static str> {
    let key = keyring.key(&statement.kid);
    let compromised = key.and_then(|key| key.compromised_since.as_ref());
    let all = [
        ("imported", statement.is_imported()),
        ("notarised", statement.attributed.is_some() && !statement.is_imported()),
        ("late", is_late(entry, statement)),
        ("recovered key", key.is_some_and(|key| key.recovered)),
        ("key compromised", compromised.is_some_and(|since| statement.iat >= since.unix_us().div_euclid(1_000_000))),
        ("unknown event", matches!(statement.event, blotter_record::EventName::Unknown(_))),
    ];
    all.into_iter().filter(|(_, applies)| *applies).map(|(mark, _)| mark).collect()
}

/// Signed more than a day before it was recorded.
fn is_late(entry: &Entry, statement: &Statement) -> bool {
    entry.recorded.unix_us().div_euclid(1_000_000) - statement.iat > IAT_BEHIND_SECONDS_SHOWN
}

/// An entry for programs.
pub(crate) fn to_json(entry: &ReadEntry, keyring: &Keyring) -> Result<Value> {
    let (seq, leaf) = (entry.stored.seq, entry.stored.leaf.to_string());
    let Some((placed, statement)) = &entry.said else {
        let by = keyring.expunged_by(seq).map(|jti| jti.to_string());
        return Ok(json!({ "seq": seq, "leaf": leaf, "marks": ["expunged"], "expunged_by": by }));
    };
    let claims = claims_json(statement)?;
    let mut row = json!({
        "seq": seq, "leaf": leaf, "recorded": placed.recorded.as_str(), "jti": statement.jti.to_string(),
        "event": statement.event.as_str(), "stream": statement.sub.as_str(), "n": placed.streams[0].n,
        "about": statement.about.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        "actor": statement.actor().as_str(), "signer": statement.iss.as_str(), "kid": statement.kid.to_string(),
        "iat": statement.iat, "occurred": statement.occurred.as_ref().map(|at| at.as_str()),
        "precision": statement.precision.as_str(), "via": statement.via.as_str(),
        "facts": claims["facts"], "fields": statement.fields, "marks": marks(placed, statement, keyring),
    });
    for name in ["seen", "cause", "corrects"] {
        if let Some(value) = claims.get(name) {
            row[name] = value.clone();
        }
    }
    Ok(row)
}

/// The claims of a statement, as signed.
pub(crate) fn claims_json(statement: &Statement) -> Result<Value> {
    json_of(&statement.claims())
}

/// The same document in the type that everybody prints.
pub(crate) fn json_of(json: &Json) -> Result<Value> {
    Ok(serde_json::from_str(&json.to_text())?)
}
