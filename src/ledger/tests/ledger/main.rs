//! The ledger from outside: the store contract, and the one writer over a store that can fail.
//! Each module is one promise; the names of the tests are the sentences that would break.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod blobs;
mod clock;
mod contract;
mod erasure;
mod faults;
mod hostile;
mod idempotency;
mod keys;
mod limits;
mod lists;
mod opening;
mod queue;
mod refusals;
mod rotation;
mod seen;

use blotter_keys::judge::Refusal;
use blotter_ledger::{Appended, Error};

/// The stable code of a refusal; anything else fails the test.
pub(crate) fn refusal(answer: Result<Appended, Error>) -> &'static str {
    match answer {
        Err(Error::Refused(refusal)) => refusal.code(),
        other => panic!("not refused: {other:?}"),
    }
}

/// What a refused rule says.
pub(crate) fn rule(answer: Result<Appended, Error>) -> (&'static str, String) {
    match answer {
        Err(Error::Refused(Refusal::Rule { at, what })) => (at, what),
        other => panic!("not refused by a rule: {other:?}"),
    }
}
