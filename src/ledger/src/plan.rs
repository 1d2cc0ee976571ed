//! The middle of the write path: admit each statement (keyring, `seen`, idempotency, policy) and plan its entry (seq,
//! links, tree). Nothing here is visible to anybody before the commit; a plan that is not committed is simply dropped,
//! together with the writer.

use std::collections::{HashMap, HashSet, VecDeque};

use blotter_keys::judge::{History, Judgement, Place, Refusal, Said, StreamState, is_blocking, judge};
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::{self, Frontier};
use blotter_record::{Disclosure, Entry, Event, Hash, Id, Instant, Jti, Policy, Statement, StreamLink};

use crate::Error;
use crate::prepare::{BlobRef, Prepared};
use crate::store::{Batch, NewEntry, Read, StoreError, Tree, tree_error};

/// Entries of one batch, at most.
pub const BATCH_ENTRIES_MAX: usize = 256;
/// Bytes of one batch, with disclosures and blobs; it ends behind the statement that goes beyond.
pub const BATCH_BYTES_MAX: usize = 4 * 1_048_576;
const STREAMS_CACHED_MAX: usize = 65_536;
const ROOTS_CACHED_MAX: usize = 4_096;

/// What the writer remembers between batches: the log's head, and caches of what the store says.
pub(crate) struct State {
    pub(crate) keyring: Keyring,
    pub(crate) policy: Box<dyn Policy>,
    pub(crate) frontier: Frontier,
    pub(crate) last_leaf: Hash,
    pub(crate) recorded_us: i64,
    streams: HashMap<String, StreamState>,
    roots: VecDeque<(u64, Hash)>,
}

impl State {
    pub(crate) fn new(
        keyring: Keyring,
        policy: Box<dyn Policy>,
        frontier: Frontier,
        last_leaf: Hash,
        recorded_us: i64,
    ) -> Self {
        let roots = VecDeque::from([(frontier.size(), frontier.root())]);
        Self { keyring, policy, frontier, last_leaf, recorded_us, streams: HashMap::new(), roots }
    }

    /// Takes over what was committed.
    pub(crate) fn settle(&mut self, streams: HashMap<String, StreamState>) {
        if self.streams.len() + streams.len() > STREAMS_CACHED_MAX {
            self.streams.clear();
        }
        self.streams.extend(streams);
        if self.roots.len() == ROOTS_CACHED_MAX {
            self.roots.pop_front();
        }
        self.roots.push_back((self.frontier.size(), self.frontier.root()));
    }
}

/// What became of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) seq: u64,
    /// The same statement was in the log before.
    pub(crate) repeated: bool,
}

/// A batch in the making.
pub(crate) struct Plan {
    pub(crate) batch: Batch,
    pub(crate) streams: HashMap<String, StreamState>,
    /// Digests that this batch erases.
    pub(crate) erased: Vec<Hash>,
    statements: HashMap<Jti, (usize, Statement)>,
    bytes: usize,
    /// The batch must end here: a rotation of the ledger's key takes effect at this very size.
    pub(crate) ends: bool,
}

impl Plan {
    pub(crate) fn new(state: &State) -> Self {
        let batch = Batch { expected_size: state.frontier.size(), ..Batch::default() };
        Self { batch, streams: HashMap::new(), erased: Vec::new(), statements: HashMap::new(), bytes: 0, ends: false }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.entries.is_empty()
    }

    /// Whether `more` statements still fit into the batch.
    pub(crate) fn fits(&self, more: usize) -> bool {
        self.is_empty()
            || (!self.ends && self.batch.entries.len() + more <= BATCH_ENTRIES_MAX && self.bytes < BATCH_BYTES_MAX)
    }

    /// Admits a statement and plans its entry.
    ///
    /// # Errors
    /// [`Error::Refused`] and [`Error::Malformed`] leave the plan as it was. Any other error ends the writer.
    pub(crate) fn admit(
        &mut self,
        state: &mut State,
        store: &dyn Read,
        prepared: Prepared,
        recorded: Instant,
    ) -> Result<Admitted, Error> {
        let statement = &prepared.presentation.statement;
        if let Some(admitted) = self.repeated(store, statement)? {
            return Ok(admitted);
        }
        if !prepared.verified {
            verify(&state.keyring, statement)?;
        }
        let previous = Instant::from_unix_us(state.recorded_us)
            .map_err(|e| Error::System { what: "the clock".into(), cause: e.to_string() })?;
        let place = Place { seq: state.frontier.size(), recorded, previous: Some(previous) };
        {
            let State { keyring, policy, streams, roots, .. } = state;
            let past = Past { plan: self, streams, roots, store, new: statement.jti };
            judge(statement, &place, keyring, &past, &mut **policy).map_err(|judgement| match judgement {
                Judgement::Refused(refusal) => Error::Refused(refusal),
                Judgement::Failed(error) => error.into(),
            })?;
        }
        self.check_blobs(store, &prepared.blobs)?;
        self.check_erasure_fields(store, statement)?;
        self.enter(state, store, prepared, place)
    }

    fn past<'a>(&'a self, state: &'a State, store: &'a dyn Read, new: Jti) -> Past<'a> {
        Past { plan: self, streams: &state.streams, roots: &state.roots, store, new }
    }

    /// Only the writer can tell which value a digest belongs to: in the log, digests and names are sorted apart.
    fn check_erasure_fields(&self, store: &dyn Read, statement: &Statement) -> Result<(), Error> {
        if statement.event.known() != Some(Event::ErasureRequested) {
            return Ok(());
        }
        for item in statement.facts.items("items").into_iter().filter(|item| item.field != "*") {
            let Some(seq) = self.seq_of(store, &item.jti)? else { continue };
            let values = self.disclosures(store, seq)?;
            let named = values.iter().find(|value| value.digest() == item.digest).map(Disclosure::name);
            if named != Some(item.field.as_str()) {
                let what =
                    format!("the digest {} is not that of {} in statement {}", item.digest, item.field, item.jti);
                return Err(Refusal::Rule { at: "facts.items", what }.into());
            }
        }
        Ok(())
    }

    /// A blob's id is random, so one that is taken is a mistake or an attempt; either way it is the statement's fault.
    fn check_blobs(&self, store: &dyn Read, blobs: &[(String, Vec<u8>)]) -> Result<(), Error> {
        for (id, _) in blobs {
            if self.batch.blobs.iter().any(|(other, _)| other == id) || store.blob(id)?.is_some() {
                let what = format!("the vault has a blob {id} already; give yours another random id");
                return Err(Refusal::Rule { at: "data", what }.into());
            }
        }
        Ok(())
    }

    /// Plans entry 0, which [`Keyring::found`] has judged.
    pub(crate) fn found(
        &mut self,
        state: &mut State,
        store: &dyn Read,
        prepared: Prepared,
        recorded: Instant,
    ) -> Result<(), Error> {
        self.enter(state, store, prepared, Place { seq: 0, recorded, previous: None }).map(|_| ())
    }

    /// The same statement again gets the same answer; another one under its id is refused.
    fn repeated(&self, store: &dyn Read, statement: &Statement) -> Result<Option<Admitted>, Error> {
        let (seq, same) = if let Some((index, there)) = self.statements.get(&statement.jti) {
            (self.batch.expected_size + *index as u64, there.jws() == statement.jws())
        } else if let Some(seq) = store.seq_of(&statement.jti)? {
            (seq, stored_jws(store, seq)?.is_some_and(|jws| jws == statement.jws()))
        } else {
            return Ok(None);
        };
        if same {
            Ok(Some(Admitted { seq, repeated: true }))
        } else {
            Err(Refusal::JtiTaken { jti: statement.jti, seq }.into())
        }
    }

    fn enter(
        &mut self,
        state: &mut State,
        store: &dyn Read,
        prepared: Prepared,
        place: Place,
    ) -> Result<Admitted, Error> {
        let held = prepared.bytes();
        let Prepared { presentation, blobs, .. } = prepared;
        let statement = presentation.statement;
        let mut links = Vec::with_capacity(1 + statement.about.len());
        for stream in statement.streams() {
            let before = self.past(state, store, statement.jti).stream(stream)?;
            links.push(match before {
                None => StreamLink { stream: stream.clone(), n: 0, prev: None },
                Some(before) => StreamLink { stream: stream.clone(), n: before.count, prev: Some(before.leaf) },
            });
        }
        let entry = Entry {
            seq: place.seq,
            prev: state.last_leaf,
            streams: links,
            recorded: place.recorded,
            statement: statement.jws().to_owned(),
        };
        let bytes =
            entry.to_bytes().map_err(|e| blotter_record::StatementError { at: "the entry".into(), what: e.0 })?;
        let leaf = Hash::of_leaf(&bytes);
        self.note_erasure(store, &statement)?;
        for link in &entry.streams {
            self.extend_stream(state, store, link, leaf, &statement)?;
        }
        let nodes = &mut self.batch.nodes;
        state.frontier.push_with(leaf, |level, index, hash| {
            if level > 0 {
                nodes.push((level, index, hash));
            }
        });
        state.last_leaf = leaf;
        state.recorded_us = entry.recorded.unix_us();
        let event = statement.event.known();
        if place.seq > 0 {
            state.keyring.apply(&entry, &statement);
        }
        if event == Some(Event::EntryExpunged) {
            // What it said counts no more, as after the next start.
            state.policy.forget_all();
        }
        self.ends |= event == Some(Event::LedgerKeyRotated);
        self.bytes += bytes.len() + held;
        self.batch.blobs.extend(blobs);
        self.batch.entries.push(NewEntry {
            seq: entry.seq,
            leaf,
            jti: statement.jti,
            bytes,
            links: entry.streams.into_iter().map(|link| (link.stream, link.n)).collect(),
            disclosures: presentation.disclosures,
            trust: event.is_some_and(|event| event == Event::LedgerFounded || Keyring::folds(event)),
        });
        self.statements.insert(statement.jti, (self.batch.entries.len() - 1, statement));
        Ok(Admitted { seq: entry.seq, repeated: false })
    }

    fn extend_stream(
        &mut self,
        state: &State,
        store: &dyn Read,
        link: &StreamLink,
        leaf: Hash,
        statement: &Statement,
    ) -> Result<(), Error> {
        let before = self.past(state, store, statement.jti).stream(&link.stream)?;
        let mut stream = before.unwrap_or_else(|| StreamState {
            id: link.stream.clone(),
            count: 0,
            leaf,
            imported: statement.is_imported(),
            blocking: blotter_keys::judge::Blocking::default(),
        });
        stream.count = link.n + 1;
        stream.leaf = leaf;
        if is_blocking(statement) {
            stream.blocking.note(link.n, &statement.iss);
        }
        self.streams.insert(link.stream.folded(), stream);
        Ok(())
    }

    /// What an executed erasure or an expunging takes from the vault, in the same commit.
    fn note_erasure(&mut self, store: &dyn Read, statement: &Statement) -> Result<(), Error> {
        match statement.event.known() {
            Some(Event::ErasureExecuted) => {
                for item in statement.facts.items("items") {
                    let Some(seq) = self.seq_of(store, &item.jti)? else { continue };
                    for value in self.disclosures(store, seq)?.iter().filter(|value| value.digest() == item.digest) {
                        self.batch.drop_blobs.extend(BlobRef::read(value.value()).map(|blob| blob.id));
                    }
                    self.batch.erase.push(item.digest);
                    self.erased.push(item.digest);
                }
            }
            Some(Event::EntryExpunged) => {
                let seq = statement.facts.int("seq").and_then(|seq| u64::try_from(seq).ok());
                if let (Some(seq), Some(leaf)) = (seq, statement.facts.hash("leaf")) {
                    for value in self.disclosures(store, seq)? {
                        self.batch.drop_blobs.extend(BlobRef::read(value.value()).map(|blob| blob.id));
                        self.erased.push(value.digest());
                    }
                    self.batch.expunge.push((seq, leaf));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The entry that holds the statement of that id, in the store or in this batch.
    pub(crate) fn seq_of(&self, store: &dyn Read, jti: &Jti) -> Result<Option<u64>, Error> {
        match self.statements.get(jti) {
            Some((index, _)) => Ok(Some(self.batch.expected_size + *index as u64)),
            None => Ok(store.seq_of(jti)?),
        }
    }

    fn disclosures(&self, store: &dyn Read, seq: u64) -> Result<Vec<Disclosure>, Error> {
        if let Some(index) = seq.checked_sub(self.batch.expected_size)
            && let Some(entry) = self.batch.entries.get(index as usize)
        {
            return Ok(entry.disclosures.clone());
        }
        let texts = store.disclosures(seq)?;
        texts.iter().map(|text| Ok(crate::sqlite::disclosure(seq, text)?)).collect()
    }

    /// What to go back to if a list that enters as a whole is refused.
    pub(crate) fn mark(&self, state: &State, list: &[Prepared]) -> Mark {
        let folds = |prepared: &Prepared| prepared.presentation.statement.event.known().is_some_and(Keyring::folds);
        Mark {
            entries: self.batch.entries.len(),
            nodes: self.batch.nodes.len(),
            erase: self.batch.erase.len(),
            expunge: self.batch.expunge.len(),
            blobs: self.batch.blobs.len(),
            drop_blobs: self.batch.drop_blobs.len(),
            erased: self.erased.len(),
            bytes: self.bytes,
            ends: self.ends,
            streams: self.streams.clone(),
            frontier: state.frontier.clone(),
            last_leaf: state.last_leaf,
            recorded_us: state.recorded_us,
            keyring: list.iter().any(folds).then(|| state.keyring.clone()),
        }
    }

    /// Goes back to a mark.
    pub(crate) fn go_back(&mut self, state: &mut State, mark: Mark) {
        let gone: Vec<NewEntry> = self.batch.entries.drain(mark.entries..).collect();
        let jtis: HashSet<Jti> = gone.iter().map(|entry| entry.jti).collect();
        gone.iter().flat_map(|entry| &entry.links).for_each(|(stream, _)| state.policy.forget(stream));
        self.statements.retain(|jti, _| !jtis.contains(jti));
        self.batch.nodes.truncate(mark.nodes);
        self.batch.erase.truncate(mark.erase);
        self.batch.expunge.truncate(mark.expunge);
        self.batch.blobs.truncate(mark.blobs);
        self.batch.drop_blobs.truncate(mark.drop_blobs);
        self.erased.truncate(mark.erased);
        (self.bytes, self.ends, self.streams) = (mark.bytes, mark.ends, mark.streams);
        (state.frontier, state.last_leaf, state.recorded_us) = (mark.frontier, mark.last_leaf, mark.recorded_us);
        if let Some(keyring) = mark.keyring {
            state.keyring = keyring;
        }
    }
}

/// A point in a plan that one can go back to.
pub(crate) struct Mark {
    entries: usize,
    nodes: usize,
    erase: usize,
    expunge: usize,
    blobs: usize,
    drop_blobs: usize,
    erased: usize,
    bytes: usize,
    ends: bool,
    streams: HashMap<String, StreamState>,
    frontier: Frontier,
    last_leaf: Hash,
    recorded_us: i64,
    keyring: Option<Keyring>,
}

fn verify(keyring: &Keyring, statement: &Statement) -> Result<(), Refusal> {
    let key = keyring
        .key(&statement.kid)
        .ok_or_else(|| Refusal::Key(format!("{}: no such key in this ledger", statement.kid)))?;
    key.public
        .verify(statement.signing_input(), statement.signature())
        .map_err(|_| Refusal::Signature { kid: statement.kid })
}

fn stored_jws(store: &dyn Read, seq: u64) -> Result<Option<String>, Error> {
    let Some(stored) = store.entries(seq, 1)?.into_iter().next().filter(|stored| stored.seq == seq) else {
        return Err(Error::Corrupt { seq, what: "its index names it, but it is not there".into() });
    };
    if stored.is_expunged() {
        return Ok(None);
    }
    let entry = Entry::parse(&stored.bytes).map_err(|e| Error::Corrupt { seq, what: e.to_string() })?;
    Ok(Some(entry.statement))
}

/// The history as the next statement finds it: the store, and before it what this batch adds.
struct Past<'a> {
    plan: &'a Plan,
    streams: &'a HashMap<String, StreamState>,
    roots: &'a VecDeque<(u64, Hash)>,
    store: &'a dyn Read,
    /// A statement's id that is known to be new.
    new: Jti,
}

impl History for Past<'_> {
    type Error = StoreError;

    fn stream(&self, id: &Id) -> Result<Option<StreamState>, StoreError> {
        let folded = id.folded();
        match self.plan.streams.get(&folded).or_else(|| self.streams.get(&folded)) {
            Some(state) => Ok(Some(state.clone())),
            None => self.store.stream(id),
        }
    }

    fn entry_of(&self, stream: &Id, n: u64) -> Result<Option<(u64, Hash)>, StoreError> {
        let planned = self.plan.batch.entries.iter().rev();
        let planned = planned.filter(|entry| entry.links.iter().any(|(id, at)| id == stream && *at == n));
        if let Some(entry) = planned.map(|entry| (entry.seq, entry.leaf)).next() {
            return Ok(Some(entry));
        }
        let Some(seq) = self.store.stream_seqs(stream, n, 1)?.into_iter().next() else { return Ok(None) };
        let leaf = self.store.hashes(0, seq, 1)?;
        Ok(leaf.first().map(|leaf| (seq, *leaf)))
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, StoreError> {
        if size > self.plan.batch.expected_size {
            return Ok(None);
        }
        if let Some((_, root)) = self.roots.iter().rev().find(|(at, _)| *at == size) {
            return Ok(Some(*root));
        }
        merkle::root_at(&Tree(self.store), size).map(Some).map_err(|e| tree_error(size, e))
    }

    fn statement(&self, jti: &Jti) -> Result<Option<Said>, StoreError> {
        if *jti == self.new {
            return Ok(None);
        }
        if let Some((index, statement)) = self.plan.statements.get(jti) {
            let entry = &self.plan.batch.entries[*index];
            return Ok(Some(Said { seq: entry.seq, leaf: entry.leaf, statement: Some(statement.clone()) }));
        }
        let Some(seq) = self.store.seq_of(jti)? else { return Ok(None) };
        crate::read::said(self.store, seq).map(Some)
    }

    fn entries_of(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<Said>, StoreError> {
        let seqs = self.store.stream_seqs(stream, from, limit)?;
        let mut found =
            seqs.into_iter().map(|seq| crate::read::said(self.store, seq)).collect::<Result<Vec<_>, _>>()?;
        for entry in &self.plan.batch.entries {
            if found.len() < limit && entry.links.iter().any(|(id, n)| id == stream && *n >= from) {
                let statement = self.plan.statements.get(&entry.jti).map(|(_, statement)| statement.clone());
                found.push(Said { seq: entry.seq, leaf: entry.leaf, statement });
            }
        }
        Ok(found)
    }
}
