//! The keys of signed notes as one-line strings (C2SP signed-note, "vkeys"): name, id, signature type and key.
//! Promises: what parses prints the same again; a key that verifiers disagree about never parses; a key for one type
//! of signature is another Rust type than a key for another, so neither verifies what only the other may.

use std::fmt;
use std::str::FromStr;

use blotter_record::Hash;

use super::NoteError;
use crate::base64std;
use crate::ed25519::PublicKey;

/// The signature type of a note's plain Ed25519 signatures.
const ED25519: u8 = 0x01;

/// A key's name: not empty, no Unicode space, no plus sign, no control character. A schema-less URL by convention.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let bad = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        if text.is_empty() || text.contains(bad) { Err(NoteError::KeyName) } else { Ok(Self(text.to_owned())) }
    }
}

/// The first four bytes of SHA-256(name ‖ newline ‖ signature type ‖ public key). It tells keys apart and protects
/// nothing: anyone can make a key with the id of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u32);

impl KeyId {
    fn of(name: &KeyName, signature_type: u8, key: &PublicKey) -> Self {
        let bytes = [name.0.as_bytes(), b"\n", &[signature_type], key.as_bytes()].concat();
        let [a, b, c, d, ..] = Hash::of(&bytes).0;
        Self(u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A public key with its name, for signatures of one type and no other. Printed and parsed as a vkey:
/// `<name>+<id in hex>+<base64 of type and key>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey<const SIGNATURE_TYPE: u8> {
    name: KeyName,
    id: KeyId,
    key: PublicKey,
}

/// A key that signs the text of notes.
pub type VerifierKey = Vkey<ED25519>;

impl<const SIGNATURE_TYPE: u8> Vkey<SIGNATURE_TYPE> {
    /// The key under that name.
    pub fn new(name: KeyName, key: PublicKey) -> Self {
        let id = KeyId::of(&name, SIGNATURE_TYPE, &key);
        Self { name, id, key }
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The bare key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// What the lines of its signatures begin with.
    pub(super) fn label(&self) -> (&KeyName, KeyId) {
        (&self.name, self.id)
    }

    /// What to say when a signature under this name and id is none.
    pub(crate) fn bad_signature(&self) -> NoteError {
        NoteError::BadSignature { name: self.name.clone(), id: self.id }
    }
}

impl<const SIGNATURE_TYPE: u8> fmt::Display for Vkey<SIGNATURE_TYPE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed_key = [&[SIGNATURE_TYPE], &self.key.as_bytes()[..]].concat();
        write!(f, "{}+{}+{}", self.name, self.id, base64std::encode(&typed_key))
    }
}

/// Why a vkey is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not `<name>+<8 lower-case hex digits>+<base64>`.
    #[error("not a verifier key: <name>+<id>+<base64> is wanted")]
    Form,
    /// A key of another signature type.
    #[error("a key of signature type {wanted:#04x} is wanted, this one is of {found:#04x}")]
    SignatureType {
        /// The type wanted.
        wanted: u8,
        /// The type found.
        found: u8,
    },
    /// Not 32 bytes, or not a canonical key of the prime-order subgroup.
    #[error("not an Ed25519 public key that every verifier agrees on")]
    Key,
    /// The id is not that of name and key: a slip in copying.
    #[error("the id of this key is {wanted}, not {found}")]
    Id {
        /// The id of name and key.
        wanted: KeyId,
        /// The id in the vkey.
        found: String,
    },
}

impl<const SIGNATURE_TYPE: u8> FromStr for Vkey<SIGNATURE_TYPE> {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        let (name, rest) = text.split_once('+').ok_or(VkeyError::Form)?;
        let (id, typed_key) = rest.split_once('+').ok_or(VkeyError::Form)?;
        let name = name.parse().map_err(|_| VkeyError::Form)?;
        let typed_key = base64std::decode(typed_key).map_err(|_| VkeyError::Form)?;
        let (&found, key) = typed_key.split_first().ok_or(VkeyError::Form)?;
        if found != SIGNATURE_TYPE {
            return Err(VkeyError::SignatureType { wanted: SIGNATURE_TYPE, found });
        }
        let key = key.try_into().map_err(|_| VkeyError::Key)?;
        let vkey = Self::new(name, PublicKey::from_bytes(key).map_err(|_| VkeyError::Key)?);
        if vkey.id.to_string() != id {
            return Err(VkeyError::Id { wanted: vkey.id, found: id.to_owned() });
        }
        Ok(vkey)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ed25519::SecretKey;

    #[test]
    fn a_vkey_is_refused_unless_it_is_spelled_as_it_prints() {
        let good = VerifierKey::new("example.org/soc".parse().unwrap(), *SecretKey::from_seed([1; 32]).public());
        let text = good.to_string();
        assert_eq!(text.parse(), Ok(good.clone()));
        let id = good.id().to_string();
        let check = |text: String, expect: fn(&VkeyError) -> bool| {
            let error = text.parse::<VerifierKey>().unwrap_err();
            assert!(expect(&error), "{text}: {error:?}");
        };
        let form = |error: &VkeyError| *error == VkeyError::Form;
        for bad in ["", "+", "++", "a++", "a+00000000+", "example.org/soc"] {
            check(bad.to_owned(), form);
        }
        check(format!("{text}="), form);
        check(format!("{text}\n"), form);
        check(format!(" {text}"), form);
        check(text.replace('/', "\u{2003}"), form);
        let wrong_id = |error: &VkeyError| matches!(error, VkeyError::Id { .. });
        check(text.replace(&id, "00000000"), wrong_id);
        check(text.replace(&id, &id.to_uppercase()), wrong_id);
        check(text.replace("soc", "sos"), wrong_id);
        let other_type: Vkey<0x04> = Vkey::new(good.name().clone(), *good.key());
        check(other_type.to_string(), |error| *error == VkeyError::SignatureType { wanted: 1, found: 4 });

        let with_key = |key: &[u8]| format!("a+00000000+{}", base64std::encode(&[&[ED25519], key].concat()));
        let bad_key = |error: &VkeyError| *error == VkeyError::Key;
        check(with_key(&[]), bad_key);
        check(with_key(&[0; 31]), bad_key);
        check(with_key(&[0; 33]), bad_key);
        for torsion in curve25519_dalek::constants::EIGHT_TORSION {
            check(with_key(torsion.compress().as_bytes()), bad_key);
        }
        let mixed =
            curve25519_dalek::constants::ED25519_BASEPOINT_POINT + curve25519_dalek::constants::EIGHT_TORSION[1];
        check(with_key(mixed.compress().as_bytes()), bad_key);
    }

    #[test]
    fn a_key_name_has_no_character_that_a_line_could_break_at() {
        let check = |text: &str, expect: bool| assert_eq!(text.parse::<KeyName>().is_ok(), expect, "{text:?}");
        for good in ["a", "example.org/soc", "oid/1.3.6.1", "—", "é", "a-b_c"] {
            check(good, true);
        }
        for bad in
            ["", " ", "a b", "a\n", "a+b", "+", "a\u{85}b", "a\u{a0}b", "a\u{2003}b", "a\u{3000}b", "a\0b", "a\u{1f}"]
        {
            check(bad, false);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn vkeys_survive_the_round_trip(name in "[^\\s+\\x00-\\x1f]{1,9}", seed in any::<[u8; 32]>()) {
            let vkey = VerifierKey::new(name.parse().unwrap(), *SecretKey::from_seed(seed).public());
            prop_assert_eq!(vkey.to_string().parse(), Ok(vkey));
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            let text = String::from_utf8_lossy(&bytes);
            let _ = text.parse::<KeyName>();
            prop_assert!(text.parse::<VerifierKey>().is_err());
        }
    }
}
