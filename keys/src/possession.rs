//! Proof of possession: a key that is to be enrolled signs that it wants to be, for one actor, in one ledger, by one
//! enroller (`typ` = `blotter-pop+jwt`; FORMAT.md §5.2). So nobody can enrol another's key as their own.

use blotter_record::{ActorId, Json, base64url};

use crate::ed25519::PublicKey;
use crate::jwk::thumbprint;
use crate::jws::{Jws, take_int, take_text};

/// The `typ` of a proof of possession.
pub const POSSESSION_TYP: &str = "blotter-pop+jwt";

/// What a proof of possession says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Possession {
    /// The actor that the key is for.
    pub actor: ActorId,
    /// The ledger: `<origin>#<genesis leaf>`.
    pub aud: String,
    /// Who enrols the key.
    pub enroller: ActorId,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
}

/// Why a proof of possession is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the proof of possession: {0}")]
pub struct PossessionError(&'static str);

impl Possession {
    /// The bytes to sign with `key`'s secret half: `<header>.<payload>`.
    pub fn signing_input(&self, key: &PublicKey) -> String {
        let member = |name: &str, value: Json| (name.to_owned(), value);
        let header = Json::Object(vec![
            member("alg", "EdDSA".into()),
            member("kid", thumbprint(key).to_string().into()),
            member("typ", POSSESSION_TYP.into()),
        ]);
        let payload = Json::Object(vec![
            member("iss", self.actor.to_string().into()),
            member("aud", self.aud.as_str().into()),
            member("enroller", self.enroller.to_string().into()),
            member("iat", self.iat.into()),
        ]);
        let encode = |part: &Json| base64url::encode(part.to_text().as_bytes());
        format!("{}.{}", encode(&header), encode(&payload))
    }

    /// Reads a compact JWS and verifies it with the very key that it is about.
    ///
    /// # Errors
    /// If it is malformed, says anything that a proof does not say, or is not signed by `key`.
    pub fn verify(jws: &str, key: &PublicKey) -> Result<Self, PossessionError> {
        let fail = PossessionError;
        let jws = Jws::parse(jws, POSSESSION_TYP).map_err(fail)?;
        if jws.kid() != thumbprint(key) {
            return Err(fail("kid is not the thumbprint of the key"));
        }
        let mut payload = jws.payload().to_vec();
        let said = (|| {
            let actor = take_text(&mut payload, "iss")?.parse().ok()?;
            let aud = take_text(&mut payload, "aud")?;
            let enroller = take_text(&mut payload, "enroller")?.parse().ok()?;
            let iat = take_int(&mut payload, "iat")?;
            payload.is_empty().then_some(Self { actor, aud, enroller, iat })
        })();
        let said = said.ok_or(fail("exactly iss, aud, enroller and iat are wanted in the payload"))?;
        jws.verify(key).map_err(|_| fail("not signed by the key that it is for"))?;
        Ok(said)
    }
}
