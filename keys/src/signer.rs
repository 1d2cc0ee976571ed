//! What an actor's key may sign, and who holds it. Actor keys sign only a [`SigningInput`]: the first two parts of a
//! JWS of one of three types, built by the client itself. Never raw bytes, never a server's challenge (FORMAT.md: what
//! a key may sign; RFC 7515 §5.1).
//!
//! A [`Signer`] is a key in memory or a key in an agent. Both check that the header names the key that signs.

use std::path::PathBuf;
use std::time::Duration;

use blotter_record::{Hash, base64url};
use serde::{Deserialize, Serialize};

use crate::ed25519::{PublicKey, SecretKey};
use crate::jwk::thumbprint;
use crate::ssh_agent::{self, AgentError};

/// The longest text that is signed: a statement must fit into an entry of 65,535 bytes.
pub const SIGNING_INPUT_BYTES_MAX: usize = 65_535;

/// What is being signed: the JOSE header's `typ`, a closed list. Each type is read by one reader only, so nothing
/// signed for a login can be passed off as a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typ {
    /// A statement for the record.
    #[serde(rename = "blotter+sd-jwt")]
    Statement,
    /// A login to one server, over a nonce, for its URL.
    #[serde(rename = "blotter-login+jwt")]
    Login,
    /// Proof to an enroller that one holds the key.
    #[serde(rename = "blotter-pop+jwt")]
    Possession,
}

/// `EdDSA` is what we write; `Ed25519` is RFC 9864's name for the same.
#[derive(Serialize, Deserialize)]
enum Alg {
    EdDSA,
    Ed25519,
}

/// The header, exactly these members; serde refuses unknown, missing and repeated ones.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Alg,
    kid: String,
    typ: Typ,
}

/// Why a text is nothing that an actor's key may sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningInputError {
    /// Longer than [`SIGNING_INPUT_BYTES_MAX`].
    #[error("longer than {SIGNING_INPUT_BYTES_MAX} bytes")]
    TooLong,
    /// Not two parts of base64url with one dot between them.
    #[error("not two parts of base64url with a dot between them")]
    NotTwoParts,
    /// The header is not exactly `alg`, `kid` and `typ` with values that we sign under.
    #[error("the header must be exactly alg, kid and typ: {0}")]
    Header(String),
    /// The payload is not one JSON object.
    #[error("the payload must be a JSON object")]
    Payload,
}

/// `base64url(header).base64url(payload)`: what the signature of a JWS is made over (RFC 7515 §5.1 step 5), with a
/// header of ours and an object as payload. Nothing else gets under an actor's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningInput {
    text: String,
    typ: Typ,
    kid: Hash,
}

impl SigningInput {
    /// The input for `payload`, the UTF-8 bytes of a JSON object, which are signed as they are.
    ///
    /// # Errors
    /// If the payload is not one JSON object, or too long.
    pub fn new(typ: Typ, kid: &Hash, payload: &[u8]) -> Result<Self, SigningInputError> {
        let header = Header { alg: Alg::EdDSA, kid: kid.to_string(), typ };
        let header = serde_json::to_vec(&header).expect("a struct of strings is always JSON");
        Self::parse(&format!("{}.{}", base64url::encode(&header), base64url::encode(payload)))
    }

    /// The input that `text` is: what an agent asks of bytes that it is to sign.
    ///
    /// # Errors
    /// On everything that [`SigningInput`] does not promise.
    pub fn parse(text: &str) -> Result<Self, SigningInputError> {
        if text.len() > SIGNING_INPUT_BYTES_MAX {
            return Err(SigningInputError::TooLong);
        }
        let (header, payload) = text.split_once('.').ok_or(SigningInputError::NotTwoParts)?;
        let header = base64url::decode(header).map_err(|_| SigningInputError::NotTwoParts)?;
        let payload = base64url::decode(payload).map_err(|_| SigningInputError::NotTwoParts)?;

        // A derived struct would also be read from an array, so the object is asked for by its first character.
        if header.first() != Some(&b'{') {
            return Err(SigningInputError::Header("not an object".to_owned()));
        }
        let header: Header =
            serde_json::from_slice(&header).map_err(|error| SigningInputError::Header(error.to_string()))?;
        let kid = header.kid.parse().map_err(|_| SigningInputError::Header("kid is no thumbprint".to_owned()))?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&payload)
            .map_err(|_| SigningInputError::Payload)?;
        Ok(Self { text: text.to_owned(), typ: header.typ, kid })
    }

    /// The ASCII text that the signature is made over.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is being signed.
    pub fn typ(&self) -> Typ {
        self.typ
    }

    /// The thumbprint of the key that the header names.
    pub fn kid(&self) -> &Hash {
        &self.kid
    }
}

/// The compact JWS (RFC 7515 §7.1): the input, a dot, the signature.
pub fn assemble(input: &SigningInput, signature: &[u8; 64]) -> String {
    format!("{}.{}", input.as_str(), base64url::encode(signature))
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The header names another key than the one that would sign.
    #[error("the header names key {wanted}, but this key is {held}")]
    OtherKey {
        /// The header's `kid`.
        wanted: Hash,
        /// The thumbprint of the signer's key.
        held: Hash,
    },
    /// The agent would not, or could not.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Who holds an actor's key.
#[derive(Debug)]
pub enum Signer {
    /// This process, from a key file.
    Held(SecretKey),
    /// An agent behind a Unix socket: ssh-agent, a hardware token's agent, or our own `unlock`.
    Agent {
        /// The agent's socket.
        socket: PathBuf,
        /// Which of its keys.
        public: PublicKey,
        /// How long to wait for its answer; someone may have to touch a token first.
        wait_max: Duration,
    },
}

impl Signer {
    /// The public half of the key that signs.
    pub fn public(&self) -> &PublicKey {
        match self {
            Self::Held(key) => key.public(),
            Self::Agent { public, .. } => public,
        }
    }

    /// The signature over `input`; one from an agent has been verified.
    ///
    /// # Errors
    /// If the header names another key, or the agent fails.
    pub fn sign(&self, input: &SigningInput) -> Result<[u8; 64], SignError> {
        let held = thumbprint(self.public());
        if *input.kid() != held {
            return Err(SignError::OtherKey { wanted: *input.kid(), held });
        }
        match self {
            Self::Held(key) => Ok(key.sign(input.as_str().as_bytes())),
            Self::Agent { socket, public, wait_max } => Ok(ssh_agent::sign(socket, public, input, *wait_max)?),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parts(header: &str, payload: &str) -> Result<SigningInput, SigningInputError> {
        SigningInput::parse(&format!(
            "{}.{}",
            base64url::encode(header.as_bytes()),
            base64url::encode(payload.as_bytes())
        ))
    }

    fn header(alg: &str, kid: &str, typ: &str) -> String {
        format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{typ}"}}"#)
    }

    const KID: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

    #[test]
    fn what_we_build_is_what_we_accept() {
        let kid: Hash = KID.parse().unwrap();
        for (typ, name) in [
            (Typ::Statement, "blotter+sd-jwt"),
            (Typ::Login, "blotter-login+jwt"),
            (Typ::Possession, "blotter-pop+jwt"),
        ] {
            let input = SigningInput::new(typ, &kid, br#"{"iss":"person/A1"}"#).unwrap();
            assert_eq!(input, parts(&header("EdDSA", KID, name), r#"{"iss":"person/A1"}"#).unwrap());
            assert_eq!((input.typ(), input.kid()), (typ, &kid));
            assert_eq!(parts(&header("Ed25519", KID, name), "{}").unwrap().typ(), typ);
        }
    }

    #[test]
    fn a_header_that_is_not_exactly_ours_is_refused() {
        let kid_and_typ = format!(r#""kid":"{KID}","typ":"blotter+sd-jwt""#);
        for header in [
            header("none", KID, "blotter+sd-jwt"),
            header("HS256", KID, "blotter+sd-jwt"),
            header("eddsa", KID, "blotter+sd-jwt"),
            header("EdDSA", &KID[..42], "blotter+sd-jwt"),
            header("EdDSA", "person/A1", "blotter+sd-jwt"),
            header("EdDSA", KID, "JWT"),
            header("EdDSA", KID, "dc+sd-jwt"),
            header("EdDSA", KID, "Blotter+sd-jwt"),
            format!(r#"{{"alg":"EdDSA",{kid_and_typ},"crit":["exp"]}}"#),
            format!(r#"{{"alg":"EdDSA","alg":"EdDSA",{kid_and_typ}}}"#),
            format!(r#"{{"alg":"EdDSA","\u0061lg":"EdDSA",{kid_and_typ}}}"#),
            format!(r#"{{{kid_and_typ}}}"#),
            format!(r#"["EdDSA","{KID}","blotter+sd-jwt"]"#),
            format!(" {}", header("EdDSA", KID, "blotter+sd-jwt")),
            String::new(),
        ] {
            assert!(matches!(parts(&header, "{}"), Err(SigningInputError::Header(_))), "{header}");
        }
    }

    #[test]
    fn a_payload_that_is_no_object_is_refused() {
        for payload in ["", "null", "1", "\"text\"", "[]", "[{}]", "{} {}", "{", r#"{"a"}"#, "\0{}"] {
            let result = parts(&header("EdDSA", KID, "blotter+sd-jwt"), payload);
            assert_eq!(result, Err(SigningInputError::Payload), "{payload}");
        }
    }

    #[test]
    fn what_is_not_two_parts_is_refused() {
        let whole = parts(&header("EdDSA", KID, "blotter+sd-jwt"), "{}").unwrap().text;
        for text in ["", ".", "a", &whole.replace('.', ""), &format!("{whole}.AAAA"), &format!("{whole}=")] {
            let result = SigningInput::parse(text);
            assert!(matches!(result, Err(SigningInputError::NotTwoParts | SigningInputError::Header(_))), "{text}");
        }
    }

    #[test]
    fn an_input_of_the_greatest_length_is_signed_and_one_longer_is_not() {
        let kid: Hash = KID.parse().unwrap();
        let of_len = |len: usize| SigningInput::new(Typ::Login, &kid, format!("{{}}{}", " ".repeat(len)).as_bytes());
        let empty = of_len(0).unwrap().as_str().len();
        // base64url writes 3 bytes as 4 characters, so the nearest below the limit is taken.
        let longest = (SIGNING_INPUT_BYTES_MAX - empty) / 4 * 3;
        assert!(of_len(longest).unwrap().as_str().len() > SIGNING_INPUT_BYTES_MAX - 4);
        assert_eq!(of_len(longest + 4), Err(SigningInputError::TooLong));
    }

    #[test]
    fn a_key_does_not_sign_under_another_keys_name() {
        let signer = Signer::Held(SecretKey::from_seed([1; 32]));
        let own = SigningInput::new(Typ::Login, &thumbprint(signer.public()), b"{}").unwrap();
        let signature = signer.sign(&own).unwrap();
        assert_eq!(signer.public().verify(own.as_str().as_bytes(), &signature), Ok(()));
        assert_eq!(assemble(&own, &signature).split('.').count(), 3);

        let other = SigningInput::new(Typ::Login, &KID.parse().unwrap(), b"{}").unwrap();
        assert!(matches!(signer.sign(&other), Err(SignError::OtherKey { .. })));
    }
}
