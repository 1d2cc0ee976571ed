//! A compact JWS of one of our own small types, read strictly (RFC 7515 §3.1): the header is exactly `alg`, `kid` and
//! `typ`, header and payload are objects without repeated members, and nothing is believed before [`Jws::verify`].

use blotter_record::{Hash, Json, base64url};

use crate::ed25519::{BadSignature, PublicKey};

/// A JWS whose signature is yet to be verified.
#[derive(Debug, Clone)]
pub(crate) struct Jws<'a> {
    input: &'a str,
    signature: [u8; 64],
    kid: Hash,
    payload: Vec<(String, Json)>,
}

impl<'a> Jws<'a> {
    /// Reads a JWS of type `typ`.
    pub(crate) fn parse(text: &'a str, typ: &str) -> Result<Self, &'static str> {
        let (input, signature) = text.rsplit_once('.').ok_or("not a compact JWS")?;
        let (header, payload) = input.split_once('.').ok_or("not a compact JWS")?;
        let mut header = object(header).ok_or("the header is not a strict JSON object")?;
        let algorithm = take_text(&mut header, "alg");
        if !matches!(algorithm.as_deref(), Some("EdDSA" | "Ed25519")) {
            return Err("alg must be EdDSA or Ed25519");
        }
        if take_text(&mut header, "typ").as_deref() != Some(typ) {
            return Err("typ says that it is something else");
        }
        let kid = take_text(&mut header, "kid").and_then(|kid| kid.parse().ok()).ok_or("kid is no thumbprint")?;
        if !header.is_empty() {
            return Err("the header says more than alg, kid and typ");
        }
        let payload = object(payload).ok_or("the payload is not a strict JSON object")?;
        let signature = base64url::decode(signature).ok().and_then(|bytes| bytes.try_into().ok());
        let signature = signature.ok_or("the signature is not 64 bytes of base64url")?;
        Ok(Self { input, signature, kid, payload })
    }

    /// The thumbprint of the key that it names.
    pub(crate) fn kid(&self) -> Hash {
        self.kid
    }

    /// The payload's members, in their order.
    pub(crate) fn payload(&self) -> &[(String, Json)] {
        &self.payload
    }

    /// The verdict on the signature.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        key.verify(self.input.as_bytes(), &self.signature)
    }
}

fn object(part: &str) -> Option<Vec<(String, Json)>> {
    match Json::parse(&base64url::decode(part).ok()?).ok()? {
        Json::Object(members) => Some(members),
        _ => None,
    }
}

/// Takes the text member of that name out.
pub(crate) fn take_text(members: &mut Vec<(String, Json)>, name: &str) -> Option<String> {
    let index = members.iter().position(|(other, _)| other == name)?;
    match members.swap_remove(index).1 {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

/// Takes the integer member of that name out.
pub(crate) fn take_int(members: &mut Vec<(String, Json)>, name: &str) -> Option<i64> {
    let index = members.iter().position(|(other, _)| other == name)?;
    match members.swap_remove(index).1 {
        Json::Int(n) => Some(n),
        _ => None,
    }
}
