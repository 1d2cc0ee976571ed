//! Which entries somebody asks for. One filter has two forms that must agree: a judgement on a row, and SQL over the
//! index of rows; a test holds them against each other.

use blotter_record::ActorId;
use rusqlite::types::Value;

use crate::log_index::Row;

/// What an entry must be like. A condition that is not set admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// A stream that it is in, by `sub` or `about`; ASCII case does not count, as in ids.
    pub stream: Option<Pattern>,
    /// Its event.
    pub event: Option<Pattern>,
    /// Its actor; of a notarised statement, whom it is attributed to.
    pub actor: Option<ActorId>,
    /// When it was recorded.
    pub recorded: Span,
    /// When it happened, as its actor says. One that says nothing is admitted only if this is not set.
    pub occurred: Span,
}

/// A whole name, or the beginning of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// This name.
    Exact(String),
    /// All names that begin so, such as `incident/` or `incident.`; ASCII, and ends in `/` or `.`.
    Prefix(String),
}

impl Pattern {
    /// A prefix if `text` ends in `separator`, else a whole name.
    pub fn new(text: &str, separator: char) -> Self {
        if text.ends_with(separator) { Self::Prefix(text.to_owned()) } else { Self::Exact(text.to_owned()) }
    }

    fn admits(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => text == name,
            Self::Prefix(text) => name.starts_with(text.as_str()),
        }
    }

    fn admits_in_any_case(&self, name: &str) -> bool {
        match self {
            Self::Exact(text) => text.eq_ignore_ascii_case(name),
            Self::Prefix(text) => name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text)),
        }
    }

    /// A condition on `column`, and its values.
    fn sql(&self, column: &str, values: &mut Vec<Value>) -> String {
        match self {
            Self::Exact(text) => {
                values.push(text.clone().into());
                format!("{column} = ?{}", values.len())
            }
            Self::Prefix(text) => {
                values.push(text.clone().into());
                values.push(behind(text).into());
                format!("{column} >= ?{} AND {column} < ?{}", values.len() - 1, values.len())
            }
        }
    }
}

/// The first text behind all that begin with `prefix`, which ends in `/` or `.`.
fn behind(prefix: &str) -> String {
    let mut text = prefix.to_owned();
    match text.pop() {
        Some('.') => text.push('/'),
        _ => text.push('0'),
    }
    text
}

/// From `since_us` on and before `until_us`, in microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first instant in it.
    pub since_us: Option<i64>,
    /// The first instant behind it.
    pub until_us: Option<i64>,
}

impl Span {
    fn is_set(&self) -> bool {
        *self != Self::default()
    }

    /// Whether `at_us` lies in it.
    pub fn admits(&self, at_us: i64) -> bool {
        self.since_us.is_none_or(|since| at_us >= since) && self.until_us.is_none_or(|until| at_us < until)
    }

    fn sql(&self, column: &str, values: &mut Vec<Value>, conditions: &mut Vec<String>) {
        for (bound, comparison) in [(self.since_us, ">="), (self.until_us, "<")] {
            if let Some(bound) = bound {
                values.push(bound.into());
                conditions.push(format!("{column} {comparison} ?{}", values.len()));
            }
        }
    }
}

impl Filter {
    /// Whether it admits every entry, also one that was expunged.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it admits the entry with this row.
    pub fn admits(&self, row: &Row) -> bool {
        self.stream.as_ref().is_none_or(|stream| row.streams.iter().any(|id| stream.admits_in_any_case(id.as_str())))
            && self.event.as_ref().is_none_or(|event| event.admits(&row.event))
            && self.actor.as_ref().is_none_or(|actor| *actor == row.actor)
            && self.recorded.admits(row.recorded_us)
            && (!self.occurred.is_set() || row.occurred_us.is_some_and(|at_us| self.occurred.admits(at_us)))
    }

    /// The query for the seqs of admitted entries from `?1` on and before `?2`, at most `?3`, and its further values.
    pub(crate) fn sql(&self, newest_first: bool, mut values: Vec<Value>) -> (String, Vec<Value>) {
        let mut conditions = vec!["e.seq >= ?1 AND e.seq < ?2".to_owned()];
        let mut tables = "log_entry e";
        match &self.stream {
            None => {}
            // One stream is a range of its index, in the order wanted; many are gathered first.
            Some(stream @ Pattern::Exact(_)) => {
                tables = "log_stream s CROSS JOIN log_entry e";
                conditions[0] = "s.seq >= ?1 AND s.seq < ?2 AND e.seq = s.seq".to_owned();
                conditions.push(stream.sql("s.stream", &mut values));
            }
            Some(stream @ Pattern::Prefix(_)) => {
                let inner = stream.sql("stream", &mut values);
                conditions.push(format!("e.seq IN (SELECT seq FROM log_stream WHERE {inner})"));
            }
        }
        if let Some(event) = &self.event {
            conditions.push(event.sql("e.event", &mut values));
        }
        if let Some(actor) = &self.actor {
            values.push(actor.as_str().to_owned().into());
            conditions.push(format!("e.actor = ?{}", values.len()));
        }
        self.recorded.sql("e.recorded_us", &mut values, &mut conditions);
        self.occurred.sql("e.occurred_us", &mut values, &mut conditions);
        let seq = if tables.starts_with("log_stream") { "s.seq" } else { "e.seq" };
        let order = if newest_first { "DESC" } else { "ASC" };
        let conditions = conditions.join(" AND ");
        (format!("SELECT {seq} FROM {tables} WHERE {conditions} ORDER BY {seq} {order} LIMIT ?3"), values)
    }
}
