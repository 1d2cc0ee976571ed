//! Checkpoints (C2SP tlog-checkpoint): the ledger's signed word that this is the whole log; and the cosignatures (C2SP
//! tlog-cosignature, Ed25519) by which witnesses say that they saw it, and when.
//! Promises: a `Checkpoint` is one's own or was opened with the log's key; a parsed one stays `UnverifiedCheckpoint`.
//! Extension lines are kept, since signatures cover them, and mean nothing.

use std::fmt;

use blotter_record::Hash;

use crate::base64std;
use crate::ed25519::SecretKey;
use crate::merkle::SIZE_MAX;
use crate::note::{KeyName, NoteError, SignatureLine, SignedNote, VerifierKey, Vkey};

/// The latest time a cosignature may carry, in POSIX seconds (C2SP tlog-cosignature).
pub const COSIGNATURE_TIME_S_MAX: u64 = i64::MAX as u64;

/// The signature type of Ed25519 cosignatures.
const COSIGNATURE: u8 = 0x04;

/// Why a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A line of the text: 1 the origin, 2 the size, 3 the root, from 4 on extensions.
    #[error("line {number} of the checkpoint is malformed")]
    Line {
        /// Which one, from 1.
        number: usize,
    },
    /// Above [`SIZE_MAX`].
    #[error("a tree of {size} leaves is above {SIZE_MAX}")]
    Size {
        /// The size claimed.
        size: u64,
    },
    /// Another log's checkpoint.
    #[error("this is a checkpoint of {found:?}, not of {wanted:?}")]
    Origin {
        /// The origin wanted.
        wanted: String,
        /// The origin found.
        found: String,
    },
    /// Above [`COSIGNATURE_TIME_S_MAX`].
    #[error("a cosignature can't be of second {time_s}")]
    Time {
        /// The time claimed.
        time_s: u64,
    },
    /// Two of the known witnesses have one key, so that one signature would count as two.
    #[error("two of the known witnesses, {name} and another, have one key")]
    SharedWitnessKey {
        /// The name of the later one.
        name: KeyName,
    },
}

/// What a log says of itself: its whole content at one moment. Displayed as the text of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// The checkpoint of one's own tree, to be signed.
    ///
    /// # Errors
    /// If `size` is above [`SIZE_MAX`].
    pub fn new(origin: &KeyName, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if size > SIZE_MAX {
            return Err(CheckpointError::Size { size });
        }
        Ok(Self { origin: origin.to_string(), size, root, extensions: Vec::new() })
    }

    /// The identity of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the Merkle tree of these entries (RFC 6962 §2.1).
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Signs as the log: the key's name is the origin.
    ///
    /// # Errors
    /// If the origin is no key name, as that of another's log may be.
    pub fn sign(&self, key: &SecretKey) -> Result<SignedNote, NoteError> {
        SignedNote::sign(&self.to_string(), &self.origin.parse()?, key)
    }

    /// Cosigns as a witness, at POSIX second `time_s`. The witness must know that this tree is consistent with every
    /// one of this log that it cosigned before.
    ///
    /// # Errors
    /// If `time_s` is above [`COSIGNATURE_TIME_S_MAX`].
    pub fn cosign(&self, name: &KeyName, key: &SecretKey, time_s: u64) -> Result<SignatureLine, CheckpointError> {
        if time_s > COSIGNATURE_TIME_S_MAX {
            return Err(CheckpointError::Time { time_s });
        }
        let signature = key.sign(&cosigned_message(time_s, &self.to_string()));
        let timestamped = [&time_s.to_be_bytes()[..], &signature].concat();
        Ok(SignatureLine::new(&WitnessKey::new(name.clone(), *key.public()), timestamped))
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, base64std::encode(&self.root.0))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A checkpoint that somebody handed over. It says what it claims; to act on it, [`open`](Self::open) it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCheckpoint {
    note: SignedNote,
    claim: Checkpoint,
}

impl UnverifiedCheckpoint {
    /// Parses a checkpoint with its signatures.
    ///
    /// # Errors
    /// If it is not a note, or its text not origin, size and root, each spelled in the one way it can be.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(bytes)?;
        let claim = parse_text(note.text())?;
        Ok(Self { note, claim })
    }

    /// The note, with all its signatures.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// The origin that it claims: enough to look up the keys to open it with.
    pub fn claimed_origin(&self) -> &str {
        self.claim.origin()
    }

    /// The size that it claims.
    pub fn claimed_size(&self) -> u64 {
        self.claim.size()
    }

    /// The checkpoint, if it is of the log `origin` and at least one of that log's `keys` signed it. Give no witness's
    /// key: a witness alone can't speak for a log.
    ///
    /// # Errors
    /// If the origin is another, none of the keys signed, or a signature of one of them does not verify.
    pub fn open(&self, origin: &str, keys: &[VerifierKey]) -> Result<Checkpoint, CheckpointError> {
        self.note.verify(keys)?;
        if self.claim.origin != origin {
            let (wanted, found) = (origin.to_owned(), self.claim.origin.clone());
            return Err(CheckpointError::Origin { wanted, found });
        }
        Ok(self.claim.clone())
    }

    /// Which of `witnesses` cosigned, each once, in the order of the note's lines. Of several cosignatures of one
    /// witness, all of which must verify, the earliest time counts: by then it had seen this tree. How many witnesses
    /// are enough, and whether a time is plausible, is for the caller to say.
    ///
    /// # Errors
    /// If a cosignature of a known witness does not verify, or two of `witnesses` have one key, or one name and id.
    pub fn cosignatures<'k>(&self, witnesses: &'k [WitnessKey]) -> Result<Vec<Cosignature<'k>>, CheckpointError> {
        for (at, witness) in witnesses.iter().enumerate() {
            // The signed message has no name in it: under a shared key, anyone could relabel one witness's signature.
            if witnesses[..at].iter().any(|other| other.key() == witness.key() && other.name() != witness.name()) {
                return Err(CheckpointError::SharedWitnessKey { name: witness.name().clone() });
            }
        }
        let mut cosignatures: Vec<Cosignature<'k>> = Vec::new();
        for (line, witness) in self.note.lines_of(witnesses)? {
            let time_s = verify_cosignature(line, witness, self.note.text()).ok_or_else(|| witness.bad_signature())?;
            match cosignatures.iter_mut().find(|known| known.witness == witness) {
                Some(known) => known.time_s = known.time_s.min(time_s),
                None => cosignatures.push(Cosignature { witness, time_s }),
            }
        }
        Ok(cosignatures)
    }
}

/// A witness's key, for cosignatures and nothing else (vkey signature type 0x04).
pub type WitnessKey = Vkey<COSIGNATURE>;

/// A verified cosignature: this witness says that at this time it knew of no larger consistent tree of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature<'k> {
    /// Who says so.
    pub witness: &'k WitnessKey,
    /// When, by the witness's clock, in POSIX seconds.
    pub time_s: u64,
}

/// A number in the one way C2SP writes it: ASCII digits, no leading zero, at most [`SIZE_MAX`].
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|number| *number <= SIZE_MAX)?;
    (number.to_string() == text).then_some(number)
}

fn parse_text(text: &str) -> Result<Checkpoint, CheckpointError> {
    let bad_line = |number| CheckpointError::Line { number };
    let mut lines = text.strip_suffix('\n').ok_or(NoteError::TextUnended)?.split('\n');
    let origin = lines.next().filter(|line| !line.is_empty()).ok_or(bad_line(1))?.to_owned();
    let size = lines.next().and_then(parse_decimal).ok_or(bad_line(2))?;
    let root = lines.next().and_then(|line| base64std::decode_hash(line).ok()).ok_or(bad_line(3))?;
    let extensions: Vec<_> = lines.map(str::to_owned).collect();
    match extensions.iter().position(String::is_empty) {
        Some(at) => Err(bad_line(4 + at)),
        None => Ok(Checkpoint { origin, size, root, extensions }),
    }
}

/// The time of the cosignature, if it is the witness's over this text: 8 bytes of time, then the signature.
fn verify_cosignature(line: &SignatureLine, witness: &WitnessKey, text: &str) -> Option<u64> {
    let (time, signature) = line.signature().split_first_chunk()?;
    let time_s = u64::from_be_bytes(*time);
    if time_s > COSIGNATURE_TIME_S_MAX {
        return None;
    }
    witness.key().verify(&cosigned_message(time_s, text), signature.try_into().ok()?).ok()?;
    Some(time_s)
}

fn cosigned_message(time_s: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{text}").into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

    fn name(text: &str) -> KeyName {
        text.parse().unwrap()
    }

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_seed([seed; 32])
    }

    fn log_key() -> VerifierKey {
        VerifierKey::new(name("example.org/soc"), *key(1).public())
    }

    fn witness(text: &str, seed: u8) -> WitnessKey {
        WitnessKey::new(name(text), *key(seed).public())
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint::new(&name("example.org/soc"), 42, Hash::of(b"root")).unwrap()
    }

    fn parse(note: &SignedNote) -> UnverifiedCheckpoint {
        UnverifiedCheckpoint::parse(note.to_string().as_bytes()).unwrap()
    }

    /// A checkpoint with this text, signed with the log's key whatever it says.
    fn open(text: &str) -> Result<Checkpoint, CheckpointError> {
        let note = SignedNote::sign(text, &name("example.org/soc"), &key(1)).unwrap();
        UnverifiedCheckpoint::parse(note.to_string().as_bytes())?.open("example.org/soc", &[log_key()])
    }

    #[test]
    fn a_signed_checkpoint_opens_for_its_log_alone() {
        let note = checkpoint().sign(&key(1)).unwrap();
        assert_eq!(note.text(), format!("example.org/soc\n42\n{}\n", base64std::encode(&Hash::of(b"root").0)));
        let unverified = parse(&note);
        assert_eq!(unverified.open("example.org/soc", &[log_key()]), Ok(checkpoint()));
        assert_eq!((unverified.claimed_origin(), unverified.claimed_size()), ("example.org/soc", 42));
        let other = unverified.open("example.org/noc", &[log_key()]);
        assert!(matches!(other, Err(CheckpointError::Origin { .. })), "{other:?}");
        let stranger = VerifierKey::new(name("example.org/soc"), *key(2).public());
        let unsigned = Err(CheckpointError::Note(NoteError::NoKnownSignature));
        assert_eq!(unverified.open("example.org/soc", &[stranger]), unsigned);
        assert_eq!(unverified.open("example.org/soc", &[]), unsigned);
    }

    #[test]
    fn a_checkpoint_is_refused_at_its_first_bad_line() {
        assert!(open(&format!("example.org/soc\n0\n{ROOT}\n")).is_ok());
        assert!(open(&format!("example.org/soc\n{SIZE_MAX}\n{ROOT}\n")).is_ok());
        let check = |text: String, number| assert_eq!(open(&text), Err(CheckpointError::Line { number }), "{text:?}");
        check(format!("\n1\n{ROOT}\n"), 1);
        check("\n".to_owned(), 1);
        check("example.org/soc\n".to_owned(), 2);
        for size in
            ["", "01", "00", "+1", "-1", " 1", "1 ", "1.0", "0x1", "١", "9223372036854775808", "18446744073709551616"]
        {
            check(format!("example.org/soc\n{size}\n{ROOT}\n"), 2);
        }
        check("example.org/soc\n1\n".to_owned(), 3);
        let unpadded = &ROOT[..ROOT.len() - 1];
        let url_safe = &ROOT.replace('/', "_");
        let trailing_bits = &ROOT.replace("I=", "J=");
        for root in ["", "AAAA", unpadded, url_safe, trailing_bits, &format!("{ROOT} "), &format!("AAAA{ROOT}")] {
            check(format!("example.org/soc\n1\n{root}\n"), 3);
        }
        check(format!("example.org/soc\n1\n{ROOT}\n\n"), 4);
        check(format!("example.org/soc\n1\n{ROOT}\none\n\nthree\n"), 5);
        assert!(Checkpoint::new(&name("a"), SIZE_MAX, Hash::of(b"")).is_ok());
        let size = SIZE_MAX + 1;
        assert_eq!(Checkpoint::new(&name("a"), size, Hash::of(b"")), Err(CheckpointError::Size { size }));
    }

    #[test]
    fn extension_lines_are_covered_by_signatures_and_mean_nothing() {
        let text = format!("example.org/soc\n1\n{ROOT}\nsize 2\n— x\n");
        let opened = open(&text).unwrap();
        assert_eq!(opened.size(), 1);
        assert_eq!(opened.to_string(), text);
    }

    #[test]
    fn the_origin_of_another_log_may_have_spaces_but_is_never_signed_for() {
        let text = format!("go.sum database tree\n1\n{ROOT}\n");
        let note = SignedNote::sign(&text, &name("sum.golang.org"), &key(1)).unwrap();
        let vkey = VerifierKey::new(name("sum.golang.org"), *key(1).public());
        let opened = parse(&note).open("go.sum database tree", &[vkey]).unwrap();
        assert_eq!(opened.sign(&key(1)), Err(NoteError::KeyName));
    }

    #[test]
    fn witnesses_are_named_with_their_times() {
        let mut note = checkpoint().sign(&key(1)).unwrap();
        note.add(checkpoint().cosign(&name("w1"), &key(11), 1_679_315_147).unwrap()).unwrap();
        note.add(checkpoint().cosign(&name("w2"), &key(12), 0).unwrap()).unwrap();
        let (w1, w2) = (witness("w1", 11), witness("w2", 12));
        let times = |known: &[WitnessKey]| -> Vec<_> {
            let unverified = parse(&note);
            let cosignatures = unverified.cosignatures(known).unwrap();
            cosignatures.iter().map(|c| (c.witness.name().to_string(), c.time_s)).collect()
        };
        assert_eq!(times(&[w2.clone(), w1.clone()]), [("w1".to_owned(), 1_679_315_147), ("w2".to_owned(), 0)]);
        assert_eq!(times(std::slice::from_ref(&w2)), [("w2".to_owned(), 0)]);
        assert_eq!(times(&[witness("w1", 12), witness("w3", 13)]), []);
        assert_eq!(times(&[]), []);
        // A cosignature is none of the log's signatures, nor the other way round.
        let as_log_key = VerifierKey::new(name("w1"), *key(11).public());
        let unsigned = Err(CheckpointError::Note(NoteError::NoKnownSignature));
        assert_eq!(parse(&note).open("example.org/soc", &[as_log_key]), unsigned);
        assert_eq!(times(&[witness("example.org/soc", 1)]), []);
    }

    #[test]
    fn a_cosignature_of_another_time_or_text_rejects_the_checkpoint() {
        let line = checkpoint().cosign(&name("w"), &key(11), 7).unwrap();
        let with_signature = |signature: Vec<u8>| {
            let mut note = checkpoint().sign(&key(1)).unwrap();
            note.add(SignatureLine::new(&witness("w", 11), signature)).unwrap();
            parse(&note).cosignatures(&[witness("w", 11)]).map(|cosignatures| cosignatures.len())
        };
        let good = line.signature().to_vec();
        assert_eq!(with_signature(good.clone()), Ok(1));
        let bad = || Err(CheckpointError::Note(witness("w", 11).bad_signature()));
        for at in [0, 7, 8, 71] {
            let mut other = good.clone();
            other[at] ^= 1;
            assert_eq!(with_signature(other), bad(), "byte {at}");
        }
        assert_eq!(with_signature(good[..71].to_vec()), bad());
        assert_eq!(with_signature(good[..7].to_vec()), bad());
        assert_eq!(with_signature([good.as_slice(), &[0]].concat()), bad());
        let other = Checkpoint::new(&name("example.org/soc"), 43, Hash::of(b"root")).unwrap();
        assert_eq!(with_signature(other.cosign(&name("w"), &key(11), 7).unwrap().signature().to_vec()), bad());
        // A plain signature of the witness's key over the time-less text.
        assert_eq!(with_signature([&[0; 8][..], &key(11).sign(checkpoint().to_string().as_bytes())].concat()), bad());
    }

    #[test]
    fn a_time_beyond_the_limit_is_refused_even_if_signed() {
        let time = |time_s| checkpoint().cosign(&name("w"), &key(11), time_s);
        assert!(time(COSIGNATURE_TIME_S_MAX).is_ok());
        let time_s = COSIGNATURE_TIME_S_MAX + 1;
        assert_eq!(time(time_s), Err(CheckpointError::Time { time_s }));
        let signature = key(11).sign(&cosigned_message(time_s, &checkpoint().to_string()));
        let line = SignatureLine::new(&witness("w", 11), [&time_s.to_be_bytes()[..], &signature].concat());
        assert_eq!(verify_cosignature(&line, &witness("w", 11), &checkpoint().to_string()), None);
    }

    #[test]
    fn a_witness_counts_once_with_its_earliest_time() {
        let cosign = |time_s| checkpoint().cosign(&name("w"), &key(11), time_s).unwrap();
        let note = format!("{}{}\n{}\n{}\n", checkpoint().sign(&key(1)).unwrap(), cosign(9), cosign(3), cosign(5));
        let (unverified, witness) = (UnverifiedCheckpoint::parse(note.as_bytes()).unwrap(), witness("w", 11));
        let expect = vec![Cosignature { witness: &witness, time_s: 3 }];
        assert_eq!(unverified.cosignatures(std::slice::from_ref(&witness)), Ok(expect));
    }

    #[test]
    fn two_witnesses_with_one_key_are_refused() {
        let unverified = parse(&checkpoint().sign(&key(1)).unwrap());
        let shared = CheckpointError::SharedWitnessKey { name: name("w2") };
        assert_eq!(unverified.cosignatures(&[witness("w1", 11), witness("w2", 11)]), Err(shared));
        let same = [witness("w1", 11), witness("w1", 11)];
        let twice = unverified.cosignatures(&same);
        assert!(matches!(twice, Err(CheckpointError::Note(NoteError::AmbiguousKey { .. }))), "{twice:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn checkpoints_survive_the_round_trip(
            size in 0..=SIZE_MAX, root in any::<[u8; 32]>(), origin in "[a-z./]{1,20}",
        ) {
            let made = Checkpoint::new(&name(&origin), size, Hash(root)).unwrap();
            let vkey = VerifierKey::new(name(&origin), *key(1).public());
            prop_assert_eq!(parse(&made.sign(&key(1)).unwrap()).open(&origin, &[vkey]), Ok(made));
        }

        #[test]
        fn what_parses_prints_the_same(text in "[a ]{0,2}\n[0-9+]{0,2}\n[A-Za-z0-9+/]{42}[A-P]=\n([a-z]?\n)?") {
            if let Ok(parsed) = parse_text(&text) {
                prop_assert_eq!(parsed.to_string(), text);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = UnverifiedCheckpoint::parse(&bytes);
            let _ = parse_text(&String::from_utf8_lossy(&bytes));
        }
    }
}
