//! Signed notes (C2SP signed-note): text signed by one or more keys.
//! Promises: what parses prints the same again, byte for byte; a signature of a key that the verifier knows is never
//! skipped, and one of a key that it doesn't know never counts. The text of a note that was not verified is a claim.

mod vkey;

pub use vkey::{KeyId, KeyName, VerifierKey, Vkey, VkeyError};

use std::fmt;
use std::str::FromStr;

use crate::base64std;
use crate::ed25519::SecretKey;

/// The longest note that is read, in bytes: room for [`SIGNATURES_MAX`] post-quantum signatures.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// The most signatures that a note may have. The specification asks for 16, Go's reader stops at 100 too.
pub const SIGNATURES_MAX: usize = 100;

/// How a signature line begins: an em dash (U+2014) and a space.
const LINE_PREFIX: &str = "— ";

/// Why a note is refused. Nothing of a refused note may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Above [`NOTE_BYTES_MAX`].
    #[error("a note of {bytes} bytes is above {NOTE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Above [`SIGNATURES_MAX`].
    #[error("the note has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
    /// Not UTF-8.
    #[error("the note is not UTF-8 from byte {at}")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// An ASCII control character other than newline.
    #[error("the note has a control character at byte {at}")]
    ControlCharacter {
        /// Its offset.
        at: usize,
    },
    /// The text does not end in a newline.
    #[error("the text of the note does not end in a newline")]
    TextUnended,
    /// No empty line, or no whole line after the last one.
    #[error("the note has no signatures")]
    NoSignatures,
    /// A line after the text is not `— <key name> <base64>`.
    #[error("signature line {number} of the note is malformed")]
    SignatureLine {
        /// Which one, from 1.
        number: usize,
    },
    /// Empty, or with a Unicode space, a plus sign or a control character.
    #[error("not a key name: it must not be empty nor have spaces or plus signs")]
    KeyName,
    /// Two of the verifier's own keys can't be told apart. Whoever chose them must mend that.
    #[error("two of the known keys are {name}+{id}")]
    AmbiguousKey {
        /// Their name.
        name: KeyName,
        /// Their id.
        id: KeyId,
    },
    /// A known key's signature does not verify: the note was changed, or somebody lies.
    #[error("the signature of {name}+{id} does not verify")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// No known key signed.
    #[error("none of the known keys signed the note")]
    NoKnownSignature,
}

/// One signature line of a note: whose it says it is, and bytes of whatever form that key's type has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    name: KeyName,
    id: KeyId,
    signature: Vec<u8>,
}

impl SignatureLine {
    /// The line of a key of the given signature type; `signature` in that type's form.
    pub(crate) fn new<const SIGNATURE_TYPE: u8>(vkey: &Vkey<SIGNATURE_TYPE>, signature: Vec<u8>) -> Self {
        Self { name: vkey.name().clone(), id: vkey.id(), signature }
    }

    /// The name of the key that is said to have signed.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key that is said to have signed.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature without the id before it: at least one byte.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What it says whose it is.
    fn label(&self) -> (&KeyName, KeyId) {
        (&self.name, self.id)
    }
}

impl fmt::Display for SignatureLine {
    /// The line without its newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.0.to_be_bytes(), &self.signature[..]].concat();
        write!(f, "{LINE_PREFIX}{} {}", self.name, base64std::encode(&bytes))
    }
}

impl FromStr for SignatureLine {
    type Err = NoteError;

    /// Parses one line without its newline, as number 1.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        parse_line(line).ok_or(NoteError::SignatureLine { number: 1 })
    }
}

fn parse_line(line: &str) -> Option<SignatureLine> {
    let (name, base64) = line.strip_prefix(LINE_PREFIX)?.split_once(' ')?;
    let bytes = base64std::decode(base64).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    if signature.is_empty() {
        return None;
    }
    Some(SignatureLine { name: name.parse().ok()?, id: KeyId(u32::from_be_bytes(*id)), signature: signature.to_vec() })
}

/// A note of the right form. Whether anyone signed it, [`verify`](Self::verify) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl SignedNote {
    /// Signs a text that ends in a newline.
    ///
    /// # Errors
    /// If the text can't be that of a note, or is too long.
    pub fn sign(text: &str, name: &KeyName, key: &SecretKey) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::TextUnended);
        }
        let mut note = Self { text: text.to_owned(), signatures: Vec::new() };
        note.add_signature(name, key)?;
        Ok(note)
    }

    /// Parses a whole note. The signatures begin after its last empty line.
    ///
    /// # Errors
    /// If it is not of the form, or above a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let note = std::str::from_utf8(bytes).map_err(|error| NoteError::NotUtf8 { at: error.valid_up_to() })?;
        check_characters(note)?;
        let (text, _) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, signatures) = note.split_at(text.len() + 1);
        let lines = signatures[1..].strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        if lines.split('\n').count() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = (1..).zip(lines.split('\n'));
        let signatures = signatures.map(|(number, line)| parse_line(line).ok_or(NoteError::SignatureLine { number }));
        Ok(Self { text: text.to_owned(), signatures: signatures.collect::<Result<_, _>>()? })
    }

    /// The text with its last newline: a claim until [`verify`](Self::verify) has named who signed it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines in their order, each one a claim too.
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Which of `keys` signed the note, each once, in the order of the note's lines. Signatures of other keys are
    /// ignored. Every line of a known key is verified, also a repeated one (the specification's word; Go's reader skips
    /// repetitions).
    ///
    /// # Errors
    /// If a line of a known key does not verify, no known key signed, or two of `keys` have one name and id.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers = Vec::new();
        for (line, key) in self.lines_of(keys)? {
            let signature = line.signature.as_slice().try_into().map_err(|_| key.bad_signature())?;
            key.key().verify(self.text.as_bytes(), signature).map_err(|_| key.bad_signature())?;
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(signers) }
    }

    /// Signs the same text with a further key, without a look at the other signatures.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_signature(&mut self, name: &KeyName, key: &SecretKey) -> Result<(), NoteError> {
        let signature = key.sign(self.text.as_bytes());
        self.add(SignatureLine::new(&VerifierKey::new(name.clone(), *key.public()), signature.to_vec()))
    }

    /// Adds a signature line at the end, in place of those with the same name and id.
    ///
    /// # Errors
    /// If the note would pass a limit; then it is as before.
    pub fn add(&mut self, line: SignatureLine) -> Result<(), NoteError> {
        let mut signatures = self.signatures.clone();
        signatures.retain(|other| other.label() != line.label());
        signatures.push(line);
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let note = Self { text: self.text.clone(), signatures };
        let bytes = note.to_string().len();
        if bytes > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes });
        }
        *self = note;
        Ok(())
    }

    /// The lines whose name and id are those of a known key, with that key.
    pub(crate) fn lines_of<'k, const SIGNATURE_TYPE: u8>(
        &self,
        keys: &'k [Vkey<SIGNATURE_TYPE>],
    ) -> Result<Vec<(&SignatureLine, &'k Vkey<SIGNATURE_TYPE>)>, NoteError> {
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].iter().any(|other| other.label() == key.label()) {
                return Err(NoteError::AmbiguousKey { name: key.name().clone(), id: key.id() });
            }
        }
        let key_of = |line: &SignatureLine| keys.iter().find(|key| key.label() == line.label());
        Ok(self.signatures.iter().filter_map(|line| Some((line, key_of(line)?))).collect())
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    match text.bytes().position(|byte| byte < b' ' && byte != b'\n') {
        Some(at) => Err(NoteError::ControlCharacter { at }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> KeyName {
        text.parse().unwrap()
    }

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn vkey(text: &str, seed: u8) -> VerifierKey {
        VerifierKey::new(name(text), *key(seed).public())
    }

    fn parse(note: &str) -> Result<SignedNote, NoteError> {
        SignedNote::parse(note.as_bytes())
    }

    /// The judge is the example in the documentation of Go's golang.org/x/mod/sumdb/note.
    #[test]
    fn the_example_of_go_s_documentation_is_signed_to_the_byte() {
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n— PeterNeumann \
            x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let typed_seed = base64std::decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
        let key = SecretKey::from_seed(typed_seed[1..].try_into().unwrap());
        let parsed = parse(note).unwrap();
        let signed = SignedNote::sign(parsed.text(), &name("PeterNeumann"), &key).unwrap();
        assert_eq!(signed.to_string(), note);
        assert_eq!(parsed.verify(std::slice::from_ref(&vkey)), Ok(vec![&vkey]));
    }

    #[test]
    fn a_note_of_another_form_is_refused() {
        let line = "— a AAAAAQI=";
        assert!(parse(&format!("text\n\n{line}\n")).is_ok());
        assert!(parse(&format!("\n\n{line}\n")).is_ok());
        let check = |note: &str, expect| assert_eq!(parse(note), Err(expect), "{note:?}");
        for note in ["", "\n", "\n\n", "text", "text\n", "text\n\n", &format!("{line}\n"), &format!("\n{line}\n")] {
            check(note, NoteError::NoSignatures);
        }
        check(&format!("text\n\n{line}"), NoteError::NoSignatures);
        check(&format!("te\txt\n\n{line}\n"), NoteError::ControlCharacter { at: 2 });
        check(&format!("text\r\n\n{line}\n"), NoteError::ControlCharacter { at: 4 });
        check(&format!("text\n\n{line}\0\n"), NoteError::ControlCharacter { at: 20 });
        assert_eq!(SignedNote::parse(b"te\xffxt\n\n"), Err(NoteError::NotUtf8 { at: 2 }));
        for bad in [
            "a AAAAAQI=",
            "- a AAAAAQI=",
            "—a AAAAAQI=",
            "—  AAAAAQI=",
            "— a",
            "— a ",
            "— a  AAAAAQI=",
            "— a b AAAAAQI=",
            "— a+b AAAAAQI=",
            "— a\u{a0}b AAAAAQI=",
            "— a AAAAAQI",
            "— a AAAAAQJ=",
            "— a AAAAAQI= ",
            "— a AAAAAA==",
            "— a AAAA",
            "x",
        ] {
            check(&format!("text\n\n{line}\n{bad}\n"), NoteError::SignatureLine { number: 2 });
        }
    }

    #[test]
    fn the_text_ends_at_the_last_empty_line() {
        let text = "one\n\n— a AAAAAQI=\n\n\n";
        let note = SignedNote::sign(text, &name("b"), &key(1)).unwrap();
        let parsed = parse(&note.to_string()).unwrap();
        assert_eq!(parsed, note);
        assert_eq!(parsed.text(), text);
        assert!(parsed.verify(&[vkey("b", 1)]).is_ok());
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let check = |count: usize, expect: bool| {
            let note = format!("text\n\n{}", "— a AAAAAQI=\n".repeat(count));
            assert_eq!(parse(&note).is_ok(), expect, "{count}");
        };
        check(SIGNATURES_MAX, true);
        check(SIGNATURES_MAX + 1, false);

        let empty = SignedNote::sign("\n", &name("a"), &key(1)).unwrap().to_string().len();
        let text = |bytes: usize| format!("{}\n", "x".repeat(bytes - empty));
        let longest = SignedNote::sign(&text(NOTE_BYTES_MAX), &name("a"), &key(1)).unwrap();
        assert_eq!(longest.to_string().len(), NOTE_BYTES_MAX);
        assert_eq!(parse(&longest.to_string()), Ok(longest));
        let too_long = Err(NoteError::TooLong { bytes: NOTE_BYTES_MAX + 1 });
        assert_eq!(SignedNote::sign(&text(NOTE_BYTES_MAX + 1), &name("a"), &key(1)), too_long);
        assert_eq!(SignedNote::parse(&vec![b'x'; NOTE_BYTES_MAX + 1]), too_long);
    }

    #[test]
    fn only_texts_that_can_be_read_again_are_signed() {
        let sign = |text| SignedNote::sign(text, &name("a"), &key(1));
        assert_eq!(sign(""), Err(NoteError::TextUnended));
        assert_eq!(sign("text"), Err(NoteError::TextUnended));
        assert_eq!(sign("te\txt\n"), Err(NoteError::ControlCharacter { at: 2 }));
    }

    #[test]
    fn unknown_keys_are_ignored_and_known_ones_never() {
        let mut note = SignedNote::sign("text\n", &name("a"), &key(1)).unwrap();
        note.add_signature(&name("b"), &key(2)).unwrap();
        let (a, b) = (vkey("a", 1), vkey("b", 2));
        assert_eq!(note.verify(&[b.clone(), a.clone()]), Ok(vec![&a, &b]));
        assert_eq!(note.verify(&[vkey("b", 1), b.clone(), vkey("c", 1)]), Ok(vec![&b]));
        assert_eq!(note.verify(&[vkey("b", 1), vkey("a", 2)]), Err(NoteError::NoKnownSignature));
        assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
        let ambiguous = NoteError::AmbiguousKey { name: name("a"), id: a.id() };
        assert_eq!(note.verify(&[a.clone(), b.clone(), a.clone()]), Err(ambiguous));

        let forged = parse(&note.to_string().replace("text", "Text")).unwrap();
        let bad = |key: &VerifierKey| Err(NoteError::BadSignature { name: key.name().clone(), id: key.id() });
        assert_eq!(forged.verify(std::slice::from_ref(&b)), bad(&b));
        assert_eq!(forged.verify(&[vkey("c", 3)]), Err(NoteError::NoKnownSignature));
    }

    #[test]
    fn a_bad_signature_beside_a_good_one_of_the_same_key_rejects_the_note() {
        let good = SignedNote::sign("text\n", &name("a"), &key(1)).unwrap();
        let other = SignedNote::sign("Text\n", &name("a"), &key(1)).unwrap();
        let a = vkey("a", 1);
        let with = |line: &str| parse(&format!("{good}{line}\n")).unwrap().verify(std::slice::from_ref(&a)).is_ok();
        assert!(with(&good.signatures()[0].to_string()));
        assert!(!with(&other.signatures()[0].to_string()));
        let mut short = good.signatures()[0].clone();
        short.signature.pop();
        assert!(!with(&short.to_string()));
    }

    #[test]
    fn a_new_signature_replaces_the_old_one_of_its_key() {
        let mut note = SignedNote::sign("text\n", &name("a"), &key(1)).unwrap();
        note.add_signature(&name("b"), &key(2)).unwrap();
        note.add_signature(&name("a"), &key(1)).unwrap();
        let names: Vec<_> = note.signatures().iter().map(|line| line.name().as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        for seed in 0..SIGNATURES_MAX as u8 - 2 {
            note.add_signature(&name("c"), &key(seed)).unwrap();
        }
        assert_eq!(note.add_signature(&name("d"), &key(1)), Err(NoteError::TooManySignatures));
        assert_eq!(parse(&note.to_string()), Ok(note));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_signed_is_read_again(lines in vec("[^\\x00-\\x1f]{0,12}", 1..6), signer in "[a-z./é]{1,9}") {
            let text = lines.join("\n") + "\n";
            let note = SignedNote::sign(&text, &name(&signer), &key(3)).unwrap();
            let parsed = parse(&note.to_string()).unwrap();
            prop_assert!(parsed.verify(&[vkey(&signer, 3)]).is_ok());
            prop_assert_eq!(parsed, note);
        }

        #[test]
        fn what_parses_prints_the_same(note in "[a-z\n]{0,9}\n\n(—? [a+ ]{1,3} [A-Za-z0-9+/]{6}[A-P=]=\n?){0,3}") {
            if let Ok(parsed) = parse(&note) {
                prop_assert_eq!(parsed.to_string(), note);
            }
        }

        #[test]
        fn a_flipped_bit_never_verifies(at in 0..110_usize, bit in 0..8_u32) {
            let note = SignedNote::sign("some text\n", &name("a"), &key(1)).unwrap();
            let mut bytes = note.to_string().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            let verdict = SignedNote::parse(&bytes).and_then(|note| note.verify(&[vkey("a", 1)]).map(|_| ()));
            prop_assert!(verdict.is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = SignedNote::parse(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            let _ = text.parse::<SignatureLine>();
        }
    }
}
