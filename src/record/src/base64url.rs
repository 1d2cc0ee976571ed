//! base64url without padding, zero trailing bits (RFC 4648 §5; FORMAT.md §1.4): the only base64 of the record.
//! (Signed notes and tile hashes use the standard alphabet, as C2SP says; that lives with them, in keys.)

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Not base64url: a foreign character, padding, a wrong length, or trailing bits that are not zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding: {0}")]
pub struct Base64Error(#[from] base64::DecodeError);

/// The bytes as base64url without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes behind `text`; every byte string has exactly one spelling that decodes.
///
/// # Errors
/// On any character, length or trailing bit that `encode` would not have written.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    Ok(URL_SAFE_NO_PAD.decode(text)?)
}

/// The `N` bytes behind `text`, at most 64; `None` if they are another number, or `text` is not what `encode` would write.
pub fn decode_fixed<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A decoder wants room for whole groups of three.
    let mut room = [0; 66];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
    room[..written].try_into().ok()
}
