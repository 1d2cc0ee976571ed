//! The process from outside: every statement here is built, signed, read back and judged as a ledger would do it.
//! What is expected stands in the tests as tables of their own, after DESIGN.md §5, and never comes from the package.

#![allow(clippy::unwrap_used, missing_docs)]

mod closing;
mod disposal;
mod doc;
mod gates;
mod history;
mod log;
mod merging;
mod model;
mod overrides;
mod own;
mod personas;
mod script;
mod sign_off;
mod transitions;
mod ways_back;
