//! Projections: what the entries of a ledger add up to. Each is a fold that cannot fail and asks no clock, with rows in
//! `views.db` that can be deleted and come back the same, bit for bit.
//!
//! Invariant: nothing here is the truth. What a view says is looked up in the log before it is shown.

pub mod alerts;
mod catch_up;
pub mod custody;
mod escalation;
mod facts;
mod filter;
mod incident_list;
pub mod incidents;
pub mod lessons;
mod log_index;
pub mod metrics;
mod moment;
pub mod owed;
mod past;
mod replay;
pub mod restoration;
mod table;
mod views;
mod words;

pub use facts::{Facts, cases, fold_and_digest, tables};
pub use filter::{Filter, Pattern, Span};
pub use incident_list::{Cursor, IncidentPage, IncidentQuery, Sort, incidents as list_incidents};
pub use log_index::{Change, LogIndex, Row, fold};
pub use moment::{
    Field, Moment, Told, case_as_of, corrections, differences, fields, gate_state, interval_end_us, told_of, ways_out,
};
pub use past::{Until, facts_as_of};
pub use replay::{Replayed, replace, replay, state_digest};
pub use table::{Cell, Column, Kind, Table};
pub use views::{LogEntry, Source, VIEWS, Values, View, ViewError, Views, facts_size, is_stale, read_only};
pub use words::{WORD_CHARS_MAX, Words};
