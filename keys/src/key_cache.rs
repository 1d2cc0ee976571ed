//! Public keys by thumbprint, for verifying many signatures on many threads. A key that signs often gets a precomputed
//! table, which is faster and gives the same verdict ([`PreparedKey`]); how many tables there are is bounded.
//! A thumbprint names one key for ever, so a signature that verified under it stays verified.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use blotter_record::{Hash, Statement};

use crate::ed25519::{BadSignature, PreparedKey, PublicKey};

/// After how many signatures a key gets a table; making one costs about as much as this many pay back.
pub const TABLE_AFTER_SIGNATURES: u32 = 24;
/// How many tables there may be; each has 80 KiB.
pub const TABLES_MAX: usize = 256;

/// Keys that are known by their thumbprints.
#[derive(Debug, Default)]
pub struct KeyCache {
    keys: RwLock<HashMap<Hash, Arc<Cached>>>,
    tables: AtomicUsize,
}

#[derive(Debug)]
struct Cached {
    public: PublicKey,
    signatures: AtomicU32,
    table: OnceLock<PreparedKey>,
}

impl KeyCache {
    /// Makes keys known; those that are known already stay as they are.
    pub fn extend(&self, keys: impl IntoIterator<Item = (Hash, PublicKey)>) {
        let mut known = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        for (kid, public) in keys {
            known
                .entry(kid)
                .or_insert_with(|| Arc::new(Cached { public, signatures: AtomicU32::new(0), table: OnceLock::new() }));
        }
    }

    /// The verdict on a statement's signature under the key that it names; `None` if that key is not known.
    pub fn verify(&self, statement: &Statement) -> Option<Result<(), BadSignature>> {
        let key = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&statement.kid).map(Arc::clone)?;
        let (message, signature) = (statement.signing_input(), statement.signature());
        Some(match self.table_of(&key) {
            Some(table) => table.verify(message, signature),
            None => key.public.verify(message, signature),
        })
    }

    fn table_of<'k>(&self, key: &'k Cached) -> Option<&'k PreparedKey> {
        if let Some(table) = key.table.get() {
            return Some(table);
        }
        // Exactly one thread sees this count, so a table is made once.
        if key.signatures.fetch_add(1, Ordering::Relaxed) != TABLE_AFTER_SIGNATURES
            || self.tables.fetch_add(1, Ordering::Relaxed) >= TABLES_MAX
        {
            return None;
        }
        Some(key.table.get_or_init(|| PreparedKey::new(&key.public)))
    }
}
