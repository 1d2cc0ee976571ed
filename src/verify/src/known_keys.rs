//! Public keys that some statement in the log brought with it, by thumbprint, so that signatures can be verified in
//! parallel and ahead of the walk. A thumbprint names one key for ever, so a signature that verifies under it stays
//! verified; whether that key was enrolled, and may sign there, is the walk's question alone.

use std::sync::{PoisonError, RwLock};

use blotter_keys::ed25519::PublicKey;
use blotter_keys::jwk::thumbprint;
use blotter_keys::key_cache::KeyCache;
use blotter_keys::note::VerifierKey;
use blotter_record::{Event, Statement};

use crate::examine::Signature;

/// The keys that were met so far.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys {
    actors: KeyCache,
    ledger: RwLock<Vec<VerifierKey>>,
}

impl KnownKeys {
    /// Takes note of the keys that a statement brings.
    pub(crate) fn meet(&self, statement: &Statement) {
        let Some(event) = statement.event.known() else { return };
        let (jwk, vkey) = match event {
            Event::LedgerFounded => (Some("jwk"), Some("ledger_vkey")),
            Event::ActorEnrolled | Event::KeyAdded | Event::KeyRecovered => (Some("jwk"), None),
            Event::LedgerKeyRotated => (None, Some("new_vkey")),
            _ => return,
        };
        let public = jwk.and_then(|name| statement.facts.jwk(name)).and_then(|x| PublicKey::from_bytes(&x).ok());
        if let Some(public) = public {
            self.actors.extend([(thumbprint(&public), public)]);
        }
        let vkey = vkey.and_then(|name| statement.facts.word(name)).and_then(|vkey| vkey.parse().ok());
        if let Some(vkey) = vkey {
            let mut ledger = self.ledger.write().unwrap_or_else(PoisonError::into_inner);
            if !ledger.contains(&vkey) {
                ledger.push(vkey);
            }
        }
    }

    /// The verdict on a statement's signature, under the key that it names.
    pub(crate) fn check_signature(&self, statement: &Statement) -> Signature {
        match self.actors.verify(statement) {
            None => Signature::KeyUnknown,
            Some(Ok(())) => Signature::Good,
            Some(Err(_)) => Signature::Bad,
        }
    }

    /// Keys for checkpoints, in the order in which they were met.
    pub(crate) fn ledger(&self) -> Vec<VerifierKey> {
        self.ledger.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
