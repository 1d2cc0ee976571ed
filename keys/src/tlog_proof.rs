//! Proof files (C2SP tlog-proof): an entry's place in the log, its Merkle path and a signed checkpoint in one text that
//! can be verified offline, with nothing but the log's key.
//! Promises: what parses prints the same again; the checkpoint is kept verbatim. Only `verify` believes any of it, and
//! nothing here ever believes the extra data, which nobody signed.

use std::fmt;

use blotter_record::Hash;

use crate::base64std;
use crate::checkpoint::{Checkpoint, CheckpointError, UnverifiedCheckpoint, parse_decimal};
use crate::merkle::{self, ProofError};
use crate::note::{NOTE_BYTES_MAX, SignedNote, VerifierKey};

/// The longest proof that is read, in bytes: the longest checkpoint and as much again.
pub const TLOG_PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

/// The longest Merkle path: that of a tree of [`merkle::SIZE_MAX`] leaves.
pub const PATH_HASHES_MAX: usize = 63;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a proof file proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Above [`TLOG_PROOF_BYTES_MAX`].
    #[error("a proof of {bytes} bytes is above {TLOG_PROOF_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Above [`PATH_HASHES_MAX`].
    #[error("a proof of {hashes} hashes is above {PATH_HASHES_MAX}")]
    TooManyHashes {
        /// How many it has.
        hashes: usize,
    },
    /// Not UTF-8.
    #[error("the proof is not UTF-8 from byte {at}")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// A line before the checkpoint is not what belongs there, or is the last.
    #[error("line {number} of the proof is malformed")]
    Line {
        /// Which one, from 1.
        number: usize,
    },
    /// The checkpoint in it.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The path does not lead from the entry to the checkpoint's root.
    #[error(transparent)]
    Path(#[from] ProofError),
}

/// A proof of the right form. Whether it is true, [`verify`](Self::verify) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    extra: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: String,
}

impl TlogProof {
    /// The proof for the entry at `index`: `path` as [`merkle::inclusion_proof`] gives it for the checkpoint's size.
    ///
    /// # Errors
    /// If an index or a path like this has no proof file.
    pub fn new(index: u64, path: Vec<Hash>, checkpoint: &SignedNote) -> Result<Self, TlogProofError> {
        if index >= merkle::SIZE_MAX {
            return Err(ProofError::OutOfTree { index, size: merkle::SIZE_MAX }.into());
        }
        if path.len() > PATH_HASHES_MAX {
            return Err(TlogProofError::TooManyHashes { hashes: path.len() });
        }
        Ok(Self { extra: Vec::new(), index, path, checkpoint: checkpoint.to_string() })
    }

    /// Parses a proof file. The checkpoint in it is only read when the proof is verified.
    ///
    /// # Errors
    /// If it is not of the form, or above a limit.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > TLOG_PROOF_BYTES_MAX {
            return Err(TlogProofError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| TlogProofError::NotUtf8 { at: error.valid_up_to() })?;
        let mut lines = Lines { rest: text, number: 0 };
        if lines.next()? != HEADER {
            return Err(lines.bad());
        }
        let mut line = lines.next()?;
        let mut extra = Vec::new();
        if let Some(base64) = line.strip_prefix("extra ") {
            // Without extra data there is no such line, so an empty one is a second spelling.
            extra = base64std::decode(base64).ok().filter(|extra| !extra.is_empty()).ok_or_else(|| lines.bad())?;
            line = lines.next()?;
        }
        let index = line.strip_prefix("index ").and_then(parse_decimal).ok_or_else(|| lines.bad())?;
        let mut path = Vec::new();
        loop {
            match lines.next()? {
                "" => break,
                _ if path.len() == PATH_HASHES_MAX => {
                    return Err(TlogProofError::TooManyHashes { hashes: PATH_HASHES_MAX + 1 });
                }
                line => path.push(base64std::decode_hash(line).map_err(|_| lines.bad())?),
            }
        }
        Ok(Self { extra, index, path, checkpoint: lines.rest.to_owned() })
    }

    /// The checkpoint of the log `origin`, signed with one of its `keys`, whose tree has `leaf` at
    /// [`index`](Self::index).
    ///
    /// # Errors
    /// If the checkpoint does not open (see [`UnverifiedCheckpoint::open`]), or the path does not lead to its root.
    pub fn verify(&self, leaf: &Hash, origin: &str, keys: &[VerifierKey]) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = self.checkpoint()?.open(origin, keys)?;
        merkle::verify_inclusion(leaf, self.index, checkpoint.size(), checkpoint.root(), &self.path)?;
        Ok(checkpoint)
    }

    /// The checkpoint as it stands, to ask it for its cosignatures.
    ///
    /// # Errors
    /// If it is malformed.
    pub fn checkpoint(&self) -> Result<UnverifiedCheckpoint, CheckpointError> {
        UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())
    }

    /// Where the entry is said to be, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The Merkle path, the leaf's sibling first.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// Data that somebody added and nobody signed; empty for none.
    pub fn extra(&self) -> &[u8] {
        &self.extra
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", base64std::encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", base64std::encode(&hash.0)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Takes a text apart line by line, and knows where it is.
struct Lines<'t> {
    rest: &'t str,
    number: usize,
}

impl<'t> Lines<'t> {
    /// The next line, which must end in a newline: the checkpoint is still to come.
    fn next(&mut self) -> Result<&'t str, TlogProofError> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.bad())?;
        self.rest = rest;
        Ok(line)
    }

    fn bad(&self) -> TlogProofError {
        TlogProofError::Line { number: self.number }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::ed25519::SecretKey;
    use crate::merkle::Frontier;
    use crate::note::{KeyName, NoteError};

    const ORIGIN: &str = "example.org/soc";
    const HASH: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn leaf(index: u64) -> Hash {
        Hash::of_leaf(&[index as u8])
    }

    fn key() -> SecretKey {
        SecretKey::from_seed([1; 32])
    }

    fn vkeys() -> [VerifierKey; 1] {
        [VerifierKey::new(ORIGIN.parse().unwrap(), *key().public())]
    }

    fn checkpoint(size: u64) -> SignedNote {
        let mut frontier = Frontier::default();
        (0..size).for_each(|index| frontier.push(leaf(index)));
        let origin: KeyName = ORIGIN.parse().unwrap();
        Checkpoint::new(&origin, size, frontier.root()).unwrap().sign(&key()).unwrap()
    }

    /// Leaf 2 of 3, whose path is the root of the first two.
    fn proof() -> TlogProof {
        TlogProof::new(2, vec![Hash::of_node(&leaf(0), &leaf(1))], &checkpoint(3)).unwrap()
    }

    fn parse(text: &str) -> Result<TlogProof, TlogProofError> {
        TlogProof::parse(text.as_bytes())
    }

    #[test]
    fn a_proof_file_stands_on_its_own() {
        let parsed = parse(&proof().to_string()).unwrap();
        assert_eq!(parsed, proof());
        let opened = parsed.verify(&leaf(2), ORIGIN, &vkeys()).unwrap();
        assert_eq!((opened.origin(), opened.size()), (ORIGIN, 3));
        assert_eq!(parsed.checkpoint().unwrap().note(), &checkpoint(3));
    }

    #[test]
    fn a_proof_of_something_else_is_refused() {
        let other_root = TlogProofError::Path(ProofError::OtherRoot);
        assert_eq!(proof().verify(&leaf(1), ORIGIN, &vkeys()), Err(other_root.clone()));
        let unsigned = TlogProofError::Checkpoint(NoteError::NoKnownSignature.into());
        assert_eq!(proof().verify(&leaf(2), ORIGIN, &[]), Err(unsigned));
        let other_log = proof().verify(&leaf(2), "example.org/noc", &vkeys());
        assert!(matches!(other_log, Err(TlogProofError::Checkpoint(CheckpointError::Origin { .. }))), "{other_log:?}");
        let check = |proof: TlogProof, expect: ProofError| {
            assert_eq!(proof.verify(&leaf(2), ORIGIN, &vkeys()), Err(TlogProofError::Path(expect)));
        };
        check(TlogProof { index: 3, ..proof() }, ProofError::OutOfTree { index: 3, size: 3 });
        check(TlogProof { index: 1, ..proof() }, ProofError::TooShort);
        check(TlogProof { path: vec![], ..proof() }, ProofError::TooShort);
        check(TlogProof { path: vec![leaf(0), leaf(1)], ..proof() }, ProofError::TooLong);
        check(TlogProof { path: vec![leaf(0)], ..proof() }, ProofError::OtherRoot);
        check(TlogProof { checkpoint: checkpoint(4).to_string(), ..proof() }, ProofError::TooShort);
    }

    #[test]
    fn a_proof_file_is_refused_at_its_first_bad_line() {
        let good = format!("{HEADER}\nextra AA==\nindex 5\n{HASH}\n\nanything\n");
        assert_eq!(parse(&good).unwrap().to_string(), good);
        assert_eq!(parse(&good).unwrap().extra(), [0]);
        let check = |text: String, number| assert_eq!(parse(&text), Err(TlogProofError::Line { number }), "{text:?}");
        check(String::new(), 1);
        check(HEADER.to_owned(), 1);
        check(good.replace("@v1", "@v2"), 1);
        check(format!("\n{good}"), 1);
        for extra in ["extra ", "extra", "extra  AA==", "extra AA", "extra AB==", "Extra AA==", ""] {
            check(good.replace("extra AA==", extra), 2);
        }
        check(good.replace("extra AA==\n", "extra AA==\nextra AA==\n"), 3);
        for index in
            ["index", "index ", "index -1", "index +1", "index 05", "index  5", "index 5 ", "index 9223372036854775808"]
        {
            check(good.replace("index 5", index), 3);
        }
        for hash in ["x", "AAAA", &HASH[1..], &HASH.replace('/', "_"), &format!("{HASH}\r")] {
            check(good.replace(HASH, hash), 4);
        }
        check(format!("{HEADER}\nindex 5\n{HASH}\n"), 4);
        check(format!("{HEADER}\nindex 5\n{HASH}"), 3);
        assert_eq!(TlogProof::parse(b"\xff"), Err(TlogProofError::NotUtf8 { at: 0 }));
        let malformed = parse(&good).unwrap().verify(&leaf(2), ORIGIN, &vkeys());
        assert_eq!(malformed, Err(TlogProofError::Checkpoint(NoteError::NoSignatures.into())));
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let with_hashes = |count: usize| parse(&format!("{HEADER}\nindex 0\n{}\n", format!("{HASH}\n").repeat(count)));
        assert!(with_hashes(PATH_HASHES_MAX).is_ok());
        let too_many = Err(TlogProofError::TooManyHashes { hashes: PATH_HASHES_MAX + 1 });
        assert_eq!(with_hashes(PATH_HASHES_MAX + 1), too_many);
        assert!(TlogProof::new(merkle::SIZE_MAX - 1, vec![leaf(0); PATH_HASHES_MAX], &checkpoint(3)).is_ok());
        assert_eq!(TlogProof::new(0, vec![leaf(0); PATH_HASHES_MAX + 1], &checkpoint(3)), too_many);
        assert!(TlogProof::new(merkle::SIZE_MAX, vec![], &checkpoint(3)).is_err());
        let start = format!("{HEADER}\nindex 0\n\n");
        let of_length = |bytes: usize| parse(&(start.clone() + &"x".repeat(bytes - start.len())));
        assert!(of_length(TLOG_PROOF_BYTES_MAX).is_ok());
        let bytes = TLOG_PROOF_BYTES_MAX + 1;
        assert_eq!(of_length(bytes), Err(TlogProofError::TooLong { bytes }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn proofs_survive_the_round_trip(
            extra in vec(any::<u8>(), 0..9), index in 0..merkle::SIZE_MAX, path in vec(any::<[u8; 32]>(), 0..9),
        ) {
            let path = path.into_iter().map(Hash).collect();
            let proof = TlogProof { extra, ..TlogProof::new(index, path, &checkpoint(3)).unwrap() };
            prop_assert_eq!(parse(&proof.to_string()), Ok(proof));
        }

        #[test]
        fn what_parses_prints_the_same(
            lines in "(extra [A-Za-z0-9+/=]{0,4}\n)?index [0-9]{1,2}\n([A-Za-z0-9+/]{42}[A-P]=\n)?\n[a-z\n]{0,5}",
        ) {
            let text = format!("{HEADER}\n{lines}");
            if let Ok(proof) = parse(&text) {
                prop_assert_eq!(proof.to_string(), text);
            }
        }

        #[test]
        fn a_changed_byte_never_proves_it(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let mut bytes = proof().to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let verdict = TlogProof::parse(&bytes).and_then(|proof| proof.verify(&leaf(2), ORIGIN, &vkeys()));
            prop_assert!(verdict.is_err());
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = TlogProof::parse(&bytes);
            let _ = TlogProof::parse(&[format!("{HEADER}\nindex 0\n").as_bytes(), &bytes].concat());
        }
    }
}
