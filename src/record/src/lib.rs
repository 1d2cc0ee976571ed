//! The record of blotter: what an actor says (a statement), what the ledger writes (an entry), and the words they use
//! (the vocabulary). FORMAT.md beside this package is the law; this code follows it.
//!
//! It does no I/O and asks no clock: time and random bytes come in as arguments. What it parses prints the same again.

pub mod base64url;
mod hash;

pub use hash::{Hash, HashError};
