//! Trust in blotter: signing keys, the Merkle tree, signed checkpoints and proofs, and the keyring that says who could
//! sign what at every entry.

pub mod merkle;
pub mod tile;
