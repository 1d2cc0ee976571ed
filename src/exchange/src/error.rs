//! What can go wrong: with the whole file (fix it, nothing was taken), or with one row (left out, the rest goes on).
//! Every message says where, and shows hostile text escaped and cut.

use std::io;

/// Why no row of the file was or could be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not even a header.
    #[error("the file is empty; a row of column names is wanted first")]
    Empty,
    /// The header can't be used.
    #[error("line {line}: the row of column names: {what}")]
    Header {
        /// The physical line it begins on, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The reader failed.
    #[error("line {line}: can't read on: {source}")]
    Unreadable {
        /// The physical line that was being read, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
}

/// Why a row gave no statements.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The row is broken. Nothing of it was taken, and its case goes on as if it weren't there.
    #[error("line {line}{}: {what}", in_column(.column.as_deref()))]
    Refused {
        /// The physical line that the row begins on, from 1.
        line: u64,
        /// The column's name, if one cell is to blame.
        column: Option<String>,
        /// What is wrong, and what was wanted.
        what: String,
    },
    /// The same row stands further up. Nothing is lost by leaving it out.
    #[error("line {line}: the same row as line {first_line}")]
    Duplicate {
        /// The physical line that the row begins on, from 1.
        line: u64,
        /// The line of the row that was taken.
        first_line: u64,
    },
    /// The reader failed; no more rows come, so the import is not complete.
    #[error("line {line}: can't read on: {source}")]
    Unreadable {
        /// The physical line that was being read, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
}

impl RowError {
    /// The physical line, from 1.
    pub fn line(&self) -> u64 {
        match self {
            Self::Refused { line, .. } | Self::Duplicate { line, .. } | Self::Unreadable { line, .. } => *line,
        }
    }
}

fn in_column(column: Option<&str>) -> String {
    column.map_or_else(String::new, |column| format!(", column {}", shown(column)))
}

/// Hostile text in an error: escaped, and cut at 60 characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
