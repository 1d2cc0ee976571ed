//! Trust in blotter: signing keys, the Merkle tree, signed checkpoints and proofs, and the keyring that says who could
//! sign what at every entry.

pub mod agent;
pub mod anchor;
pub mod base64std;
pub mod checkpoint;
pub mod consistency_proof;
pub mod ed25519;
pub mod judge;
pub mod jwk;
mod jws;
pub mod key_cache;
pub mod key_file;
pub mod keyring;
pub mod login;
pub mod merkle;
pub mod note;
pub mod possession;
pub mod signer;
pub mod ssh_agent;
pub mod tile;
pub mod tlog_proof;
