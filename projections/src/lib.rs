//! Projections: what the entries of a ledger add up to. Each is a fold that cannot fail and asks no clock, with rows in
//! `views.db` that can be deleted and come back the same, bit for bit.
//!
//! Invariant: nothing here is the truth. What a view says is looked up in the log before it is shown.

mod facts;
mod filter;
pub mod incidents;
pub mod lessons;
mod log_index;
pub mod metrics;
pub mod owed;
pub mod restoration;
mod table;
mod views;

pub use facts::{Facts, cases, fold_and_digest, tables};
pub use filter::{Filter, Pattern, Span};
pub use log_index::{Change, LogIndex, Row, fold};
pub use table::{Cell, Column, Kind, Table};
pub use views::{LogEntry, Source, VIEWS, ViewError};
