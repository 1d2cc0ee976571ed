//! A ledger on a server as a store to read from. It is a view at one checkpoint, which [`RemoteStore::advance`] moves on:
//! what is behind that is not there yet, so all answers belong together although the log grows meanwhile. What an answer
//! shows is held against the tree; that the ledger signs that tree, the caller verifies.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::judge::StreamState;
use blotter_keys::tile::{Tile, WIDTH_FULL};
use blotter_ledger::{Read, StoreError, Stored, StreamHead};
use blotter_record::{Entry, Hash, Id, Jti};

use crate::client::Client;
use crate::error::Error;
use crate::shown::Shown;
use crate::tiles::{Tiles, check_root};
use crate::wire::{EntriesQuery, EntryView};

/// Entries of one request, at most.
const PAGE: usize = 500;
/// Entries that are kept, at most; those of the keyring not counted.
const KEPT_MAX: usize = 4_096;
/// So far back the head of a stream is looked for that grew since the checkpoint.
const GROWN_MAX: u64 = 1_000;

/// A ledger on a server. Clones are of the same view.
#[derive(Debug, Clone)]
pub struct RemoteStore {
    client: Client,
    view: Arc<Mutex<View>>,
}

#[derive(Debug, Default)]
struct View {
    head: Option<Head>,
    tiles: Tiles,
    entries: HashMap<u64, Shown>,
    /// Entries of the keyring: they are read one by one, again and again.
    trusted: BTreeMap<u64, Shown>,
}

#[derive(Debug, Clone)]
struct Head {
    note: String,
    size: u64,
}

impl RemoteStore {
    /// The ledger of a client's server.
    pub fn new(client: Client) -> Self {
        Self { client, view: Arc::default() }
    }

    /// The client underneath.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Moves the view on to the newest checkpoint; says how many entries there are then.
    ///
    /// # Errors
    /// If the server does not answer, or its log got shorter.
    pub fn advance(&self) -> Result<u64, StoreError> {
        let note = self.client.checkpoint().map_err(|e| failed("the checkpoint", &e))?;
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes())
            .map_err(|e| StoreError::Failed { what: "the server's checkpoint", cause: e.to_string() })?;
        let size = checkpoint.claimed_size();
        let mut view = self.view();
        if let Some(before) = view.head.as_ref().map(|head| head.size).filter(|before| *before > size) {
            let what = format!("the log had {before} entries, and has {size} now: it was cut, or restored");
            return Err(StoreError::Corrupt { seq: size, what });
        }
        view.head = Some(Head { note, size });
        Ok(size)
    }

    /// Seqs that a query finds in this view, and how many entries the server withholds that it found, too. What is found
    /// is kept, so that reading it asks no more.
    ///
    /// # Errors
    /// If the server does not answer, or shows what can't be.
    pub fn find(&self, query: &EntriesQuery) -> Result<(Vec<u64>, usize), StoreError> {
        let size = self.size()?;
        let (mut from, mut before) = (query.from, query.before.map_or(size, |before| before.min(size)));
        let (mut seqs, mut withheld) = (Vec::new(), 0);
        while seqs.len() < query.limit && from < before {
            let limit = PAGE.min(query.limit - seqs.len());
            let page = EntriesQuery { from, before: Some(before), limit, ..query.clone() };
            let page = self.client.entries(&page).map_err(|e| failed("entries", &e))?;
            if page.entries.len() > limit {
                return Err(unasked("more entries than were asked for"));
            }
            let is_last = page.entries.is_empty() || !page.more;
            for view in page.entries {
                let seq = view.seq;
                if !(from..before).contains(&seq) {
                    return Err(unasked("entries that were not asked for"));
                }
                if query.newest {
                    before = seq
                } else {
                    from = seq + 1
                }
                match self.keep(view)? {
                    Shown::Withheld(_) => withheld += 1,
                    Shown::There(..) => seqs.push(seq),
                }
            }
            if is_last {
                break;
            }
        }
        Ok((seqs, withheld))
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().expect("no thread panics while it holds this")
    }

    fn head(&self) -> Result<Head, StoreError> {
        if self.view().head.is_none() {
            self.advance()?;
        }
        Ok(self.view().head.clone().expect("advanced just now"))
    }

    /// Looks at a view, and keeps what it shows.
    fn keep(&self, view: EntryView) -> Result<Shown, StoreError> {
        let seq = view.seq;
        let leaf = *self.hashes(0, seq, 1)?.first().expect("one was asked for");
        let shown = Shown::of(view, leaf)?;
        let mut view = self.view();
        if view.entries.len() >= KEPT_MAX {
            view.entries.clear();
        }
        view.entries.insert(seq, shown.clone());
        Ok(shown)
    }

    fn kept(&self, seq: u64) -> Option<Shown> {
        let view = self.view();
        view.trusted.get(&seq).or_else(|| view.entries.get(&seq)).cloned()
    }

    /// Entries as they are shown, one behind the other; fewer than `limit` at the end of the view.
    fn shown(&self, from: u64, limit: usize) -> Result<Vec<(u64, Shown)>, StoreError> {
        let end = self.size()?.min(from.saturating_add(limit as u64));
        let mut shown = Vec::new();
        let mut next = from;
        while next < end {
            if let Some(kept) = self.kept(next) {
                shown.push((next, kept));
                next += 1;
                continue;
            }
            let limit = usize::try_from(end - next).unwrap_or(PAGE).min(PAGE);
            let query = EntriesQuery { from: next, limit, before: Some(end), ..EntriesQuery::default() };
            let page = self.client.entries(&query).map_err(|e| failed("entries", &e))?;
            if page.entries.is_empty() || page.entries.len() > limit {
                return Err(StoreError::Corrupt { seq: next, what: "the server does not show it".into() });
            }
            for view in page.entries {
                if view.seq != next {
                    return Err(StoreError::Corrupt {
                        seq: next,
                        what: "the server shows another in its place".into(),
                    });
                }
                shown.push((next, self.keep(view)?));
                next += 1;
            }
        }
        Ok(shown)
    }

    /// `count` hashes of one tile.
    fn of_tile(&self, level: u8, index: u64, end: u16) -> Result<Vec<Hash>, StoreError> {
        if let Some(hashes) = self.view().tiles.get(level, index, end) {
            return Ok(hashes.to_vec());
        }
        let size = self.head()?.size;
        let hashes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let width = hashes.saturating_sub(index.saturating_mul(u64::from(WIDTH_FULL))).min(u64::from(WIDTH_FULL));
        let short =
            || StoreError::Corrupt { seq: size, what: "a hash behind the end of the tree was asked for".into() };
        let tile = Tile::new(level, index, width as u16).map_err(|_| short())?;
        if tile.width() < end {
            return Err(short());
        }
        let hashes = self.client.tile(&tile).map_err(|e| failed("the tree", &e))?;
        if tile.width() == WIDTH_FULL {
            let above = self.hashes(level + 1, index, 1)?;
            check_root(&tile, &hashes, above.first().expect("one was asked for"))?;
        }
        self.view().tiles.keep(&tile, hashes.clone())?;
        Ok(hashes)
    }
}

impl Read for RemoteStore {
    fn size(&self) -> Result<u64, StoreError> {
        Ok(self.head()?.size)
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        Ok(Some(self.head()?.note))
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let there = |(seq, shown)| match shown {
            Shown::There(stored, _) => Ok(stored),
            Shown::Withheld(code) => Err(withheld(seq, &code)),
        };
        self.shown(from, limit)?.into_iter().map(there).collect()
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, StoreError> {
        let Some(view) = self.client.statement(jti).map_err(|e| failed("a statement", &e))? else { return Ok(None) };
        let seq = view.seq;
        if seq >= self.size()? {
            return Ok(None);
        }
        if let Shown::There(stored, _) = self.keep(view)? {
            let said = Entry::parse(&stored.bytes).ok().and_then(|entry| {
                let statement = blotter_record::Statement::parse(&entry.statement).ok()?;
                Some(statement.jti)
            });
            if !stored.is_expunged() && said != Some(*jti) {
                return Err(StoreError::Corrupt {
                    seq,
                    what: format!("the server says that it is of statement {jti}"),
                });
            }
        }
        Ok(Some(seq))
    }

    /// Never: which decisions block, only the writer keeps.
    fn stream(&self, _: &Id) -> Result<Option<StreamState>, StoreError> {
        let cause = "only the ledger itself knows which of them block".to_owned();
        Err(StoreError::Failed { what: "a stream's decisions", cause })
    }

    fn stream_head(&self, id: &Id) -> Result<Option<StreamHead>, StoreError> {
        let Some(view) = self.client.stream(id).map_err(|e| failed("a stream", &e))? else { return Ok(None) };
        let size = self.size()?;
        let corrupt = |seq: u64, what: &str| StoreError::Corrupt { seq, what: format!("{what} {id}") };
        let mut last = (view.count.wrapping_sub(1), view.seq);
        if view.seq >= size {
            let first = view.count.saturating_sub(GROWN_MAX);
            let seqs = self.stream_seqs(id, first, GROWN_MAX as usize)?;
            last = match seqs.last() {
                Some(seq) => (first + seqs.len() as u64 - 1, *seq),
                None if first == 0 => return Ok(None),
                None => {
                    let cause = format!("{id} grows faster than it can be read; try again");
                    return Err(StoreError::Failed { what: "a stream", cause });
                }
            };
        }
        let (n, seq) = last;
        let written: Id = view.stream.parse().map_err(|_| corrupt(seq, "the server gives no id for"))?;
        if written.folded() != id.folded() {
            return Err(corrupt(seq, "the server answers with another stream than"));
        }
        let stored = self.entries(seq, 1)?.pop().filter(|stored| stored.seq == seq);
        let stored = stored.ok_or_else(|| corrupt(seq, "it is not there, but the last of"))?;
        if !stored.is_expunged() {
            let entry = Entry::parse(&stored.bytes).map_err(|e| StoreError::Corrupt { seq, what: e.to_string() })?;
            let is_last = |link: &blotter_record::StreamLink| link.stream.folded() == id.folded() && link.n == n;
            if !entry.streams.iter().any(is_last) {
                return Err(corrupt(seq, "it is not what the server says that it is: the last of"));
            }
        }
        Ok(Some(StreamHead { id: written, count: n + 1, leaf: stored.leaf }))
    }

    fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let size = self.size()?;
        let mut seqs: Vec<u64> = Vec::new();
        while seqs.len() < limit {
            let wanted = (limit - seqs.len()).min(1_000);
            let found = self.client.stream_seqs(id, from_n + seqs.len() as u64, wanted);
            let found = found.map_err(|e| failed("a stream", &e))?;
            let (there, is_last) = (found.iter().take_while(|seq| **seq < size).count(), found.len() < wanted);
            let ascending = seqs.last().iter().copied().chain(&found).is_sorted_by(|a, b| a < b);
            if found.len() > wanted || !ascending {
                return Err(unasked("a stream's entries out of order"));
            }
            seqs.extend(&found[..there]);
            if is_last || there < found.len() {
                break;
            }
        }
        Ok(seqs)
    }

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let full = u64::from(WIDTH_FULL);
        let end = start.saturating_add(u64::from(count));
        let mut hashes = Vec::with_capacity(count as usize);
        let mut next = start;
        while next < end {
            let (index, first) = (next / full, (next % full) as usize);
            let last = (end - index * full).min(full) as usize;
            hashes.extend(&self.of_tile(level, index, last as u16)?[first..last]);
            next = index * full + last as u64;
        }
        Ok(hashes)
    }

    fn disclosures(&self, seq: u64) -> Result<Vec<String>, StoreError> {
        match self.shown(seq, 1)?.pop() {
            Some((_, Shown::There(_, texts))) => Ok(texts),
            Some((seq, Shown::Withheld(code))) => Err(withheld(seq, &code)),
            None => Ok(Vec::new()),
        }
    }

    fn blob(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let cause = format!("{id}: values of 32 KiB or more are shown only where the ledger is");
        Err(StoreError::Failed { what: "a large value", cause })
    }

    /// Those that this caller may read: the keyring of an admin, who reads no incident, is without legal holds on one.
    fn trusted(&self) -> Result<Vec<u64>, StoreError> {
        // What is kept is asked for no more: entries never change, but for those that are expunged.
        let (size, kept) = (self.size()?, self.view().trusted.last_key_value().map(|(seq, _)| *seq));
        let mut from = kept.map_or(0, |seq| seq + 1);
        loop {
            let query =
                EntriesQuery { from, before: Some(size), limit: PAGE, trusted: true, ..EntriesQuery::default() };
            let page = self.client.entries(&query).map_err(|e| failed("the keyring's entries", &e))?;
            let is_last = page.entries.is_empty() || !page.more;
            for view in page.entries {
                let seq = view.seq;
                if seq < from || seq >= size {
                    return Err(unasked("entries that were not asked for"));
                }
                from = seq + 1;
                let shown = self.keep(view)?;
                if matches!(shown, Shown::There(..)) {
                    self.view().trusted.insert(seq, shown);
                }
            }
            if is_last {
                break;
            }
            from = from.max(page.next);
        }
        Ok(self.view().trusted.keys().copied().collect())
    }
}

fn failed(what: &'static str, error: &Error) -> StoreError {
    StoreError::Failed { what, cause: error.to_string() }
}

fn unasked(cause: &str) -> StoreError {
    StoreError::Failed { what: "the server's answer", cause: cause.to_owned() }
}

fn withheld(seq: u64, code: &str) -> StoreError {
    StoreError::Failed { what: "the server", cause: format!("entry {seq} is withheld from you [{code}]") }
}
