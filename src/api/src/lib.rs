//! The HTTP API: services append events, auditors read proofs. Handlers are thin; what they decide, the ledger decided.
//!
//! Invariants: nothing is answered with 200 or 201 that is not durable; no answer shows what its caller may not read; no
//! log line, problem or metric holds a secret. What is documented in `/openapi.json` is generated from the handlers.

#![allow(clippy::result_large_err, reason = "a problem is on its way out, once a request")]

pub mod alert_queue;
mod alerts;
mod app;
mod append;
pub mod as_of;
mod caller;
pub mod custody;
mod docs;
mod entries;
pub mod finder;
mod follow;
mod health;
mod incidents;
mod intake;
pub mod learning;
mod login;
pub mod measures;
mod metrics;
mod neighbours;
mod nonces;
mod notarise;
mod past;
mod problem;
mod proofs;
mod rates;
mod receipts;
mod router;
mod serve;
mod sessions;
mod shown;
mod subtrees;
mod tickets;
mod tls;
mod tokens;
mod views;
pub mod webhooks;

pub use app::{App, Clock, Config, Notary, Random};
pub use append::{LINES_MAX, ReceiptView};
pub use docs::openapi;
pub use entries::PAGE_MAX;
pub use intake::Mappings;
pub use login::{LOGIN_CLOCK_SECONDS_MAX, LoginOffer, SessionView};
pub use problem::{CODES, Problem};
pub use router::router;
pub use serve::{Limits, serve};
pub use tls::{Tls, TlsError};
pub use tokens::{TOKEN_PREFIX, token_sha256, token_text};
