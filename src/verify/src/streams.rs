//! The streams as the walk finds them: which entries each has, and what the judge must know of it. Positions are kept as
//! numbers only, so that a million entries fit into little memory.

use std::collections::HashMap;

use blotter_keys::judge::{Blocking, StreamState};
use blotter_record::{Hash, Id, StreamLink};

use crate::tree::Tree;

/// Stands for an entry of a stream whose number in the log is not known, because its bytes are gone.
pub(crate) const UNKNOWN: u64 = u64::MAX;

/// How many unknown entries of one stream may lie between two known ones, at most.
const UNKNOWN_RUN_MAX: u64 = 4096;

/// All streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_folded: HashMap<Box<str>, u32>,
    all: Vec<Stream>,
    folded: String,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: Id,
    /// The entries' numbers in the log; [`UNKNOWN`] where it is not known.
    pub(crate) seqs: Vec<u64>,
    pub(crate) imported: bool,
    pub(crate) blocking: Blocking,
    /// One of its links was wrong, so what follows from them is not worth telling.
    pub(crate) faulty: bool,
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
    pub(crate) fn get(&self, id: &Id) -> Option<&Stream> {
        self.by_folded.get(id.folded().as_str()).map(|index| &self.all[*index as usize])
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
    pub(crate) fn check(&mut self, link: &StreamLink, tree: &Tree, holes: &Holes) -> Result<Vec<u64>, String> {
        let index = self.index(link);
        let stream = &mut self.all[index];
        let checked = stream.check(link, tree, holes);
        stream.faulty |= checked.is_err();
        checked
    }

    /// Adds an entry to the stream of its link.
    pub(crate) fn add(
        &mut self,
        link: &StreamLink,
        seq: u64,
        imported: bool,
        blocks: Option<&blotter_record::ActorId>,
    ) {
        let index = self.index(link);
        let stream = &mut self.all[index];
        if stream.seqs.is_empty() {
            stream.imported = imported;
        }
        if let Some(actor) = blocks {
            stream.blocking.note(stream.seqs.len() as u64, actor);
        }
        stream.seqs.push(seq);
    }

    /// The stream of a link; a new and empty one, if it is not there.
    fn index(&mut self, link: &StreamLink) -> usize {
        self.folded.clear();
        self.folded.push_str(link.stream.as_str());
        self.folded.make_ascii_lowercase();
        if let Some(index) = self.by_folded.get(self.folded.as_str()) {
            return *index as usize;
        }
        let index = self.all.len();
        self.by_folded.insert(self.folded.as_str().into(), u32::try_from(index).unwrap_or(u32::MAX));
        self.all.push(Stream {
            id: link.stream.clone(),
            seqs: Vec::new(),
            imported: false,
            blocking: Blocking::default(),
            faulty: false,
        });
        index
    }
}

impl Stream {
    fn check(&mut self, link: &StreamLink, tree: &Tree, holes: &Holes) -> Result<Vec<u64>, String> {
        if self.id != link.stream {
            return Err(format!("{}: differs only in case from {}", link.stream, self.id));
        }
        let expected = self.seqs.len() as u64;
        let last = self.seqs.last().copied();
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
            self.seqs.extend_from_slice(&seqs);
            return Ok(seqs);
        }
        if link.n < expected {
            self.seqs.truncate(usize::try_from(link.n).unwrap_or(usize::MAX));
        } else if link.n - expected <= UNKNOWN_RUN_MAX {
            self.seqs.extend((expected..link.n).map(|_| UNKNOWN));
        }
        Err(format!("{}: it says it is entry {} there, and is entry {expected}", link.stream, link.n))
    }

    /// The state that the judge asks for; `None` while it has no entry.
    pub(crate) fn state(&self, tree: &Tree) -> Option<StreamState> {
        let last = *self.seqs.last()?;
        Some(StreamState {
            id: self.id.clone(),
            count: self.seqs.len() as u64,
            leaf: tree.leaf(last).unwrap_or(Hash([0; 32])),
            imported: self.imported,
            blocking: self.blocking.clone(),
        })
    }
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
