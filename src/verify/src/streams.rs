//! The streams as the walk finds them: which entries each has, and what the judge must know of it. Positions are kept as
//! numbers only, so that a million entries fit into little memory.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use blotter_keys::judge::{Blocking, StreamState};
use blotter_record::{ActorId, Hash, Id, StreamLink};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::tree::Tree;

/// Stands for an entry of a stream whose number in the log is not known, because its bytes are gone.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// How many unknown entries of one stream may lie between two known ones, at most.
const UNKNOWN_RUN_MAX: u64 = 4096;

/// All streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Places in `all`, by ids without case.
    places: HashTable<u32>,
    hasher: RandomState,
    all: Vec<Stream>,
}

/// One stream. Most have few entries, and there may be as many as entries: every byte counts.
#[derive(Debug)]
pub(crate) struct Stream {
    name: Box<str>,
    pub(crate) seqs: Seqs,
    pub(crate) imported: bool,
    /// Whether its first entry was expunged: then nobody can tell any more whether an import began it.
    pub(crate) begun_by_hole: bool,
    /// One of its links was wrong, so what follows from them is not worth telling.
    pub(crate) faulty: bool,
    /// None as long as there is no blocking decision in it.
    blocking: Option<Box<Blocking>>,
}

/// The entries' numbers in the log, in the order of the stream; [`UNKNOWN`] where it is not known.
#[derive(Debug)]
pub(crate) enum Seqs {
    /// At most one.
    One(Option<u64>),
    /// More.
    Many(Vec<u64>),
}

impl Seqs {
    pub(crate) fn as_slice(&self) -> &[u64] {
        match self {
            Self::One(seq) => seq.as_slice(),
            Self::Many(seqs) => seqs,
        }
    }

    fn push(&mut self, seq: u64) {
        match self {
            Self::One(one @ None) => *one = Some(seq),
            Self::One(Some(one)) => *self = Self::Many(vec![*one, seq]),
            Self::Many(seqs) => seqs.push(seq),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::One(one) if len == 0 => *one = None,
            Self::One(_) => {}
            Self::Many(seqs) => seqs.truncate(len),
        }
    }
}

/// Entries whose bytes can't be read any more, but whose leaf hash is known.
#[derive(Debug, Default)]
pub(crate) struct Holes {
    seqs: Vec<u64>,
    by_leaf: HashMap<Hash, u64>,
}

impl Holes {
    /// Takes note of one; they come in the order of the log.
    pub(crate) fn add(&mut self, seq: u64, leaf: Hash) {
        if self.seqs.last() != Some(&seq) {
            self.seqs.push(seq);
        }
        self.by_leaf.insert(leaf, seq);
    }

    /// Whether this entry is one.
    pub(crate) fn contains(&self, seq: u64) -> bool {
        self.seqs.binary_search(&seq).is_ok()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.seqs.is_empty()
    }

    /// Those behind `after` (from the start if `None`) up to `last`.
    fn between(&self, after: Option<u64>, last: u64) -> &[u64] {
        let from = after.map_or(0, |after| self.seqs.partition_point(|seq| *seq <= after));
        let to = self.seqs.partition_point(|seq| *seq <= last);
        self.seqs.get(from..to).unwrap_or_default()
    }
}

impl Streams {
    /// The stream of that id, compared without case.
    pub(crate) fn get(&self, id: &str) -> Option<&Stream> {
        let place = self.places.find(hash_of(&self.hasher, id), |place| self.all[*place as usize].is_called(id));
        place.map(|place| &self.all[*place as usize])
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.all.iter()
    }

    /// Checks an entry's link against the stream so far. Where holes explain what is missing, they are filled in; where
    /// nothing does, the stream goes on as the link says, so that one fault is told once.
    ///
    /// Returns the holes that were filled in.
    ///
    /// # Errors
    /// What is wrong with the link.
    pub(crate) fn check(
        &mut self,
        place: usize,
        link: &StreamLink,
        tree: &Tree,
        holes: &Holes,
    ) -> Result<Vec<u64>, String> {
        let stream = &mut self.all[place];
        let checked = stream.check(link, tree, holes);
        stream.faulty |= checked.is_err();
        checked
    }

    /// Adds an entry to a stream.
    pub(crate) fn add(&mut self, place: usize, seq: u64, imported: bool, blocks: Option<&ActorId>) {
        let stream = &mut self.all[place];
        let n = stream.seqs.as_slice().len();
        if n == 0 {
            stream.imported = imported;
        }
        if let Some(actor) = blocks {
            stream.blocking.get_or_insert_default().note(n as u64, actor);
        }
        stream.seqs.push(seq);
    }

    /// Where the stream of that id is kept, compared without case; a new and empty one, if it was not there.
    pub(crate) fn place_of(&mut self, id: &Id) -> usize {
        let Self { places, hasher, all } = self;
        let name = id.as_str();
        let hash = hash_of(hasher, name);
        let found = places.entry(
            hash,
            |place| all[*place as usize].is_called(name),
            |place| hash_of(hasher, &all[*place as usize].name),
        );
        match found {
            Entry::Occupied(place) => *place.get() as usize,
            Entry::Vacant(vacant) => {
                let place =
                    u32::try_from(all.len()).expect("a stream has an entry, and four thousand million don't fit");
                vacant.insert(place);
                all.push(Stream {
                    name: name.into(),
                    seqs: Seqs::One(None),
                    imported: false,
                    begun_by_hole: false,
                    faulty: false,
                    blocking: None,
                });
                place as usize
            }
        }
    }
}

impl Stream {
    /// Its id, as first written.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its blocking decisions.
    pub(crate) fn blocking(&self) -> Blocking {
        self.blocking.as_deref().cloned().unwrap_or_default()
    }

    /// The state that the judge asks for; `None` while it has no entry.
    pub(crate) fn state(&self, tree: &Tree) -> Option<StreamState> {
        let seqs = self.seqs.as_slice();
        Some(StreamState {
            id: self.name.parse().ok()?,
            count: seqs.len() as u64,
            leaf: tree.leaf(*seqs.last()?).unwrap_or(Hash([0; 32])),
            imported: self.imported || self.begun_by_hole,
            blocking: self.blocking(),
        })
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn check(&mut self, link: &StreamLink, tree: &Tree, holes: &Holes) -> Result<Vec<u64>, String> {
        if *self.name != *link.stream.as_str() {
            return Err(format!("{}: differs only in case from {}", link.stream, self.name));
        }
        let expected = self.seqs.as_slice().len() as u64;
        let last = self.seqs.as_slice().last().copied();
        if link.n == expected {
            let prev = last.filter(|seq| *seq != UNKNOWN).map(|seq| tree.leaf(seq));
            return match prev {
                Some(prev) if prev != link.prev => {
                    Err(format!("{}: its link is not the leaf hash of that stream's entry before", link.stream))
                }
                _ => Ok(Vec::new()),
            };
        }
        if let Some(seqs) = link.prev.and_then(|prev| explained(link.n, expected, last, prev, holes)) {
            self.begun_by_hole |= expected == 0;
            seqs.iter().for_each(|seq| self.seqs.push(*seq));
            return Ok(seqs);
        }
        if link.n < expected {
            self.seqs.truncate(usize::try_from(link.n).unwrap_or(usize::MAX));
        } else if link.n - expected <= UNKNOWN_RUN_MAX {
            (expected..link.n).for_each(|_| self.seqs.push(UNKNOWN));
        }
        Err(format!("{}: it says it is entry {} there, and is entry {expected}", link.stream, link.n))
    }
}

/// The hash of an id without case.
fn hash_of(hasher: &RandomState, id: &str) -> u64 {
    let mut state = hasher.build_hasher();
    for part in id.as_bytes().chunks(32) {
        let mut folded = [0; 32];
        folded[..part.len()].copy_from_slice(part);
        folded.make_ascii_lowercase();
        state.write(&folded[..part.len()]);
    }
    state.finish()
}

/// The entries from `expected` to before `n`, if holes in the log can be them: the last one is the hole that has the leaf
/// hash `prev`, and there are enough before it.
fn explained(n: u64, expected: u64, last: Option<u64>, prev: Hash, holes: &Holes) -> Option<Vec<u64>> {
    let hole = *holes.by_leaf.get(&prev)?;
    let between = holes.between(last.filter(|seq| *seq != UNKNOWN), hole);
    let wanted = usize::try_from(n.checked_sub(expected)?).ok()?;
    if wanted == 0 || wanted > between.len() {
        return None;
    }
    if wanted == between.len() {
        return Some(between.to_vec());
    }
    let mut seqs = vec![UNKNOWN; wanted];
    seqs[wanted - 1] = hole;
    Some(seqs)
}
