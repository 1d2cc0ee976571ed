//! What an import came to: rows, statements by event, and what was left out and why.

use std::collections::BTreeMap;

use crate::{Imported, RowError};

/// How many refused rows a summary names; the others it only counts.
pub const REJECTED_SHOWN_MAX: usize = 1_000;

/// Counters over the rows of a file. It holds if `rows` = accepted + `rejected` + `duplicates`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows read, the header not counted.
    pub rows: u64,
    /// Statements, by event.
    pub events: BTreeMap<String, u64>,
    /// Rows refused.
    pub rejected: u64,
    /// Rows that stood in the file before.
    pub duplicates: u64,
    /// Line and reason of the first [`REJECTED_SHOWN_MAX`] refused rows.
    pub reasons: Vec<(u64, String)>,
    /// Why reading stopped before the end of the file, if it did.
    pub stopped: Option<String>,
}

impl Summary {
    /// Counts what one row came to.
    pub fn count(&mut self, row: &Result<Vec<Imported>, RowError>) {
        if let Err(RowError::Unreadable { .. }) = row {
            self.stopped = row.as_ref().err().map(ToString::to_string);
            return;
        }
        self.rows += 1;
        match row {
            Ok(statements) => {
                for statement in statements {
                    *self.events.entry(statement.event.clone()).or_default() += 1;
                }
            }
            Err(RowError::Duplicate { .. }) => self.duplicates += 1,
            Err(error) => {
                self.rejected += 1;
                if self.reasons.len() < REJECTED_SHOWN_MAX {
                    self.reasons.push((error.line(), error.to_string()));
                }
            }
        }
    }

    /// Statements of all events.
    pub fn statements(&self) -> u64 {
        self.events.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_names_only_the_first_thousand_reasons_but_counts_all() {
        let mut summary = Summary::default();
        for line in 2..=REJECTED_SHOWN_MAX as u64 + 2 {
            summary.count(&Err(RowError::Refused { line, column: Some("opened_at".into()), what: "bad".into() }));
        }
        summary.count(&Err(RowError::Duplicate { line: 5_000, first_line: 2 }));
        summary.count(&Err(RowError::Unreadable { line: 5_001, source: std::io::ErrorKind::UnexpectedEof.into() }));

        assert_eq!((summary.rows, summary.rejected, summary.duplicates), (1_002, 1_001, 1));
        assert_eq!(summary.reasons.len(), REJECTED_SHOWN_MAX);
        assert_eq!(summary.reasons[0], (2, "line 2, column opened_at: bad".to_owned()));
        assert!(summary.stopped.is_some_and(|why| why.starts_with("line 5001: can't read on")));
    }
}
