//! A SHA-256 value and its one spelling: base64url without padding, 43 characters (FORMAT.md §1.4).
//! Promises: what parses prints the same again; a leaf hash can only be made from a leaf's exact bytes.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::base64url;

/// 32 bytes of SHA-256: a leaf hash, a tree root, a digest of a disclosure, a key's thumbprint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The Merkle leaf hash of an entry: SHA-256(0x00 ‖ bytes) (RFC 6962 §2.1).
    pub fn of_leaf(bytes: &[u8]) -> Self {
        Self(Sha256::new_with_prefix([0x00]).chain_update(bytes).finalize().into())
    }

    /// The Merkle hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
    pub fn of_node(left: &Self, right: &Self) -> Self {
        Self(Sha256::new_with_prefix([0x01]).chain_update(left.0).chain_update(right.0).finalize().into())
    }
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not 43 characters of base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 43 characters of base64url without padding are wanted")]
pub struct HashError;

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        base64url::decode_fixed(text).map(Self).ok_or(HashError)
    }
}

impl Hash {
    /// Lower-case hex, as `sha256sum` prints it; for documents outside the record.
    pub fn to_hex(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
