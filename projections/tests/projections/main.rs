//! Projections over logs that only look real: statements are built, not signed, because a fold verifies nothing.
#![allow(clippy::unwrap_used)]

mod alert_queue;
mod alert_words;
mod custody;
mod facts;
mod learned;
mod log;
mod log_index;
mod measured;
mod money;
mod unknown;
mod words;
