//! A blocking client of blotter's HTTP API, and a ledger's `Read` port over it: what reads a ledger from a disk reads it
//! from a server, and verifies it with the same code. Promises: a token or session is in no error, log or `Debug`; it is
//! sent to no other server, and over plain HTTP only to this machine unless the caller says so. Nothing here is trusted:
//! whoever uses [`RemoteStore`] proves what it shows (`blotter_ledger::read::open_keyring`).

mod client;
mod error;
mod outgoing;
mod server;
mod shown;
mod store;
mod tiles;
mod wire;

pub use client::{BODY_BYTES_MAX, Client};
pub use error::{Error, Problem};
pub use outgoing::{Options, agent, agent_for_strangers};
pub use server::{BadServer, Server};
pub use store::RemoteStore;
pub use wire::{EntriesQuery, EntryView, LineResult, LoginOffer, Page, Receipt, Session, StreamView};
