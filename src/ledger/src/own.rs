//! What the ledger's own actor says: that it was opened, that the clock stepped, that a decision was refused.

use std::collections::{HashMap, VecDeque};

use blotter_keys::ed25519::SecretKey;
use blotter_keys::keyring::Keyring;
use blotter_record::{ActorId, Draft, Event, Hash, Id, Instant, Json, Jti, Precision, Via};

use crate::prepare::Prepared;
use crate::writer::LedgerKeys;
use crate::{Error, Random};

/// The key of the ledger's own actor, if it may sign now. A ledger whose own key was revoked says nothing of its own, but
/// goes on.
pub(crate) fn own_key<'k>(keyring: &Keyring, keys: &'k LedgerKeys, now_us: i64) -> Option<&'k SecretKey> {
    let key = keys.actor.as_ref()?;
    let enrolled = keyring.key(&blotter_keys::jwk::thumbprint(key.public()))?;
    let expired = enrolled.expires.as_ref().is_some_and(|expires| expires.unix_us() <= now_us);
    let usable = enrolled.revoked_seq.is_none() && !expired;
    if !usable {
        tracing::warn!("the key of the ledger's own actor is revoked or expired; the ledger says nothing of its own");
    }
    usable.then_some(key)
}

/// An id for a statement of the ledger's own.
pub(crate) fn random_jti(now_us: i64, random: &mut Random) -> Jti {
    let mut bytes = [0; 10];
    random(&mut bytes);
    Jti::v7((now_us / 1000).unsigned_abs(), bytes)
}

/// What the ledger's own actor has to say.
pub(crate) struct Own {
    pub(crate) jti: Jti,
    pub(crate) sub: Id,
    pub(crate) event: Event,
    pub(crate) facts: Vec<(String, Json)>,
}

impl Own {
    /// Signs it.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it is too large.
    pub(crate) fn statement(self, keyring: &Keyring, key: &SecretKey, now_us: i64) -> Result<Prepared, Error> {
        let event = self.event.name();
        let system = |cause: String| Error::System { what: format!("the ledger's own {event}"), cause };
        let kid: Hash = blotter_keys::jwk::thumbprint(key.public());
        let actor = keyring.key(&kid).ok_or_else(|| system("its key is not enrolled".into()))?.actor.clone();
        let draft = Draft {
            iss: actor,
            attributed: None,
            aud: keyring.audience().to_owned(),
            jti: self.jti,
            iat: now_us.div_euclid(1_000_000),
            sub: self.sub,
            about: Vec::new(),
            event: event.to_owned(),
            occurred: Some(Instant::from_unix_us(now_us).map_err(|e| system(e.to_string()))?),
            precision: Precision::Second,
            seen: None,
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Automation,
            facts: self.facts,
            data: Vec::new(),
        };
        let unsigned = draft.build(&kid, || [0; 16]).map_err(Error::Malformed)?;
        let signature = key.sign(unsigned.signing_input().as_bytes());
        Ok(Prepared { presentation: unsigned.signed(&signature), verified: false, blobs: Vec::new() })
    }
}

/// Refusals of one actor that are recorded within a minute, at most.
pub const REFUSALS_A_MINUTE_MAX: usize = 10;
const ACTORS_NOTED_MAX: usize = 4_096;

/// When refusals of whom were recorded, so that nobody fills the log by trying.
#[derive(Default)]
pub(crate) struct Refusals(HashMap<ActorId, VecDeque<i64>>);

impl Refusals {
    /// Whether one more of this actor is to be recorded now.
    pub(crate) fn admit(&mut self, actor: ActorId, now_us: i64) -> bool {
        if self.0.len() >= ACTORS_NOTED_MAX {
            self.0.clear();
        }
        let times = self.0.entry(actor).or_default();
        while times.pop_front_if(|at_us| (now_us - *at_us).abs() >= 60_000_000).is_some() {}
        let admitted = times.len() < REFUSALS_A_MINUTE_MAX;
        if admitted {
            times.push_back(now_us);
        }
        admitted
    }
}
