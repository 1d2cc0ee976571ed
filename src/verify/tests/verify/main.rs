//! What the verifier says of honest ledgers, and of every forgery that we could think of. The ledgers are built here from
//! FORMAT.md, without a line of the writer's.

#![allow(clippy::unwrap_used, missing_docs)]

mod expunging;
mod files;
mod flips;
mod forge;
mod forgeries;
mod honest;
mod hostile;
mod limits;
mod process;
mod script;
mod witnesses;
mod writers;
