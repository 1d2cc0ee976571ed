//! The record of blotter: what an actor says (a statement), what the ledger writes (an entry), and the words they use
//! (the vocabulary). FORMAT.md beside this package is the law; this code follows it.
//!
//! It does no I/O and asks no clock: time and random bytes come in as arguments. What it parses prints the same again.

pub mod base64url;
mod disclosure;
mod draft;
mod entry;
mod event;
mod fact;
mod hash;
mod id;
mod instant;
mod json;
pub mod limits;
mod policy;
mod rules;
mod statement;

pub use disclosure::Disclosure;
pub use draft::{Draft, Unsigned};
pub use entry::{Entry, EntryError, StreamLink, genesis_prev};
pub use event::{Event, EventName, EventNameError};
pub use fact::{ErasureItem, Fact, FactType, Facts, StreamHead, is_code, is_field_name};
pub use hash::{Hash, HashError, Sha256Stream};
pub use id::{ACTOR_KINDS, ActorId, Id, IdError, Jti, Origin, STREAM_KINDS};
pub use instant::{Instant, InstantError, Precision};
pub use json::{Json, JsonError, Value};
pub use policy::{Gate, Objection, Past, PastEntry, Permissive, Policy, Standing, Unmet, Unreadable};
pub use rules::{About, Decision, FactRule, RULES_1, Role, Rule, Rules, Who};
pub use statement::{Attribution, Presentation, STATEMENT_TYP, Seen, Statement, StatementError, Via, is_trust_stream};
