//! Base64 with the standard alphabet and padding (RFC 4648 §4), the one that C2SP's formats use.
//! Promises: what decodes encodes the same again; a line break, missing padding or a stray trailing bit never decodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blotter_record::Hash;

/// Not the standard Base64 that `encode` would have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not standard Base64 with padding")]
pub struct Base64Error;

/// The bytes as padded standard Base64.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes behind `text`.
///
/// # Errors
/// If `encode` would not have written it.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// The 32 bytes behind `text`.
///
/// # Errors
/// If `encode` would not have written it, or it is of another length.
pub fn decode_hash(text: &str) -> Result<Hash, Base64Error> {
    Ok(Hash(decode(text)?.try_into().map_err(|_| Base64Error)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The judge is RFC 4648 §10, and §3 for what is refused.
    #[test]
    fn only_the_one_spelling_decodes() {
        let check = |text: &str, expect: Option<&[u8]>| assert_eq!(decode(text).ok().as_deref(), expect, "{text:?}");
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            check(text, Some(bytes.as_bytes()));
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        for text in ["Zg", "Zg=", "Zh==", "Zm9", "Zm9v\n", "Zm9v====", "Z m9v", "Zm-_", "=", "Zg==Zg=="] {
            check(text, None);
        }
    }
}
