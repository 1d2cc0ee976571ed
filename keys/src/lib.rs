//! Trust in blotter: signing keys, the Merkle tree, signed checkpoints and proofs, and the keyring that says who could
//! sign what at every entry.

pub mod agent;
pub mod ed25519;
pub mod jwk;
pub mod key_file;
pub mod signer;
pub mod ssh_agent;
