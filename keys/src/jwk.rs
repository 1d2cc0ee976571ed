//! Public keys as JWK and their thumbprints (RFC 7517, RFC 8037 §2, RFC 7638; FORMAT.md: bytes).
//! Promises one spelling: exactly `crv`, `kty`, `x`, in this order, without white space, which is also what the
//! thumbprint hashes. A private member (`d`), like any other, is refused.

use blotter_record::{Hash, base64url};
use serde::{Deserialize, Serialize};

use crate::ed25519::{KeyError, PublicKey};

/// The longest JWK that is looked at; the canonical one has 81 bytes.
pub const JWK_BYTES_MAX: usize = 1024;

/// Why a text is not a public key of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Longer than [`JWK_BYTES_MAX`], no JSON, or not exactly the members `crv`, `kty` and `x`, each once.
    #[error("a JWK has exactly the members crv, kty and x: {0}")]
    Members(String),
    /// Another kind of key than `OKP` / `Ed25519`.
    #[error("kty must be OKP and crv Ed25519")]
    OtherKind,
    /// `x` is not 43 characters of base64url without padding.
    #[error("x must be 32 bytes in base64url without padding")]
    X,
    /// The 32 bytes are not a key that may be enrolled.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The members in lexical order; serde refuses unknown, missing and repeated ones.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    crv: String,
    kty: String,
    x: String,
}

/// The key in `text`; white space and the order of the members don't matter, everything else does.
///
/// # Errors
/// On anything that is not exactly one Ed25519 public key with the three members of RFC 8037 §2.
pub fn parse(text: &str) -> Result<PublicKey, JwkError> {
    if text.len() > JWK_BYTES_MAX {
        return Err(JwkError::Members(format!("longer than {JWK_BYTES_MAX} bytes")));
    }
    // A derived struct would also be read from an array, so the object is asked for by its first character.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(JwkError::Members("not an object".to_owned()));
    }
    let members: Members = serde_json::from_str(text).map_err(|error| JwkError::Members(error.to_string()))?;
    if members.kty != "OKP" || members.crv != "Ed25519" {
        return Err(JwkError::OtherKind);
    }
    let x = base64url::decode(&members.x).map_err(|_| JwkError::X)?;
    let x: [u8; 32] = x.try_into().map_err(|_| JwkError::X)?;
    Ok(PublicKey::from_bytes(&x)?)
}

/// The canonical JWK: `{"crv":"Ed25519","kty":"OKP","x":"…"}`.
pub fn print(key: &PublicKey) -> String {
    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url::encode(key.as_bytes()))
}

/// The `kid` of a key: SHA-256 of its canonical JWK (RFC 7638 §3).
pub fn thumbprint(key: &PublicKey) -> Hash {
    Hash::of(print(key).as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    /// The judge is RFC 8037 appendix A.2 and A.3.
    #[test]
    fn the_rfc_8037_key_has_the_rfc_8037_thumbprint() {
        let key = parse(EXAMPLE).unwrap();
        assert_eq!(print(&key), EXAMPLE);
        assert_eq!(thumbprint(&key).to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_order_of_members_does_not_change_the_thumbprint() {
        let other = r#" { "kty" : "OKP", "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "crv":"Ed25519" } "#;
        assert_eq!(parse(other), parse(EXAMPLE));
    }

    #[test]
    fn what_is_not_exactly_one_public_key_is_refused() {
        let members = |error: JwkError| matches!(error, JwkError::Members(_));
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        for text in [
            String::new(),
            "null".to_owned(),
            format!(r#"["Ed25519","OKP","{x}"]"#),
            r#"{"crv":"Ed25519","kty":"OKP"}"#.to_owned(),
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}","kid":"a"}}"#),
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}","d":"{x}"}}"#),
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}","x":"{x}"}}"#),
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}","\u0078":"{x}"}}"#),
            format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}} {{}}"#),
            format!("{EXAMPLE}{}", " ".repeat(JWK_BYTES_MAX + 1 - EXAMPLE.len())),
        ] {
            assert!(members(parse(&text).unwrap_err()), "{text}");
        }
        assert!(parse(&format!("{EXAMPLE}{}", " ".repeat(JWK_BYTES_MAX - EXAMPLE.len()))).is_ok());

        let with = |crv: &str, kty: &str, x: &str| parse(&format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"}}"#));
        assert_eq!(with("X25519", "OKP", x), Err(JwkError::OtherKind));
        assert_eq!(with("Ed25519", "okp", x), Err(JwkError::OtherKind));
        // Padding, the other alphabet, trailing bits that are not zero, a byte less.
        let swapped = x.replace('_', "/");
        for x in [&format!("{x}="), &swapped, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp", &x[..42]] {
            assert_eq!(with("Ed25519", "OKP", x), Err(JwkError::X), "{x}");
        }
        let zero = base64url::encode(&[0; 32]);
        assert_eq!(with("Ed25519", "OKP", &zero), Err(JwkError::Key(KeyError::SmallOrder)));
    }
}
