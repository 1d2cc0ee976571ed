//! Proof of possession: a key that is to be enrolled signs that it wants to be, for one actor, in one ledger, by one
//! enroller (`typ` = `blotter-pop+jwt`; FORMAT.md §5.2). So nobody can enrol another's key as their own.

use blotter_record::{ActorId, Hash, Json, base64url};

use crate::ed25519::PublicKey;
use crate::jwk::thumbprint;

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
        let (input, signature) = jws.rsplit_once('.').ok_or(fail("not a compact JWS"))?;
        let (header, payload) = input.split_once('.').ok_or(fail("not a compact JWS"))?;
        let mut header = object(header).ok_or(fail("the header is not a strict JSON object"))?;
        let alg = take(&mut header, "alg");
        if !matches!(alg.as_deref(), Some("EdDSA" | "Ed25519"))
            || take(&mut header, "typ").as_deref() != Some(POSSESSION_TYP)
        {
            return Err(fail("alg EdDSA or Ed25519 and typ blotter-pop+jwt are wanted"));
        }
        let kid: Option<Hash> = take(&mut header, "kid").and_then(|kid| kid.parse().ok());
        if kid != Some(thumbprint(key)) || !header.is_empty() {
            return Err(fail("kid is not the thumbprint of the key, or the header says more than alg, kid and typ"));
        }
        let mut payload = object(payload).ok_or(fail("the payload is not a strict JSON object"))?;
        let said = (|| {
            let actor = take(&mut payload, "iss")?.parse().ok()?;
            let aud = take(&mut payload, "aud")?;
            let enroller = take(&mut payload, "enroller")?.parse().ok()?;
            let iat = payload.iter().position(|(name, _)| name == "iat")?;
            let (_, Json::Int(iat)) = payload.swap_remove(iat) else { return None };
            payload.is_empty().then_some(Self { actor, aud, enroller, iat })
        })();
        let said = said.ok_or(fail("exactly iss, aud, enroller and iat are wanted in the payload"))?;
        let signature = base64url::decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        let signature = signature.ok_or(fail("the signature is not 64 bytes of base64url"))?;
        key.verify(input.as_bytes(), &signature).map_err(|_| fail("not signed by the key that it is for"))?;
        Ok(said)
    }
}

fn object(part: &str) -> Option<Vec<(String, Json)>> {
    match Json::parse(&base64url::decode(part).ok()?).ok()? {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

fn take(members: &mut Vec<(String, Json)>, name: &str) -> Option<String> {
    let index = members.iter().position(|(other, _)| other == name)?;
    match members.swap_remove(index).1 {
        Json::Text(text) => Some(text),
        _ => None,
    }
}
