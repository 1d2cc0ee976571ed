//! The log so far, as the judge looks back at it: the verifier's own state, and the bytes of earlier entries, read again
//! and checked against the leaf hash that the walk computed.

use std::cell::Cell;

use blotter_keys::judge::{History, Said, StreamState};
use blotter_record::{Entry, Hash, Id, Jti, Statement};
use rusqlite::OptionalExtension as _;

use crate::error::ReadError;
use crate::jtis::Jtis;
use crate::store::Store;
use crate::streams::{Streams, UNKNOWN};
use crate::tree::Tree;

/// What came before the entry that is judged.
pub(crate) struct Past<'a> {
    pub(crate) store: &'a Store,
    pub(crate) tree: &'a Tree,
    pub(crate) streams: &'a Streams,
    pub(crate) jtis: &'a Jtis,
    /// The root that was asked for last.
    pub(crate) root: &'a Cell<Option<(u64, Hash)>>,
    /// Whether a statement was asked for whose bytes are gone.
    pub(crate) met_gap: Cell<bool>,
}

impl Past<'_> {
    /// The statement in an entry, read again; `None` if its bytes are gone, or never were a statement.
    fn read(&self, seq: u64) -> Result<Option<Statement>, ReadError> {
        let key = i64::try_from(seq).unwrap_or(i64::MAX);
        let bytes = self.store.with(|db| {
            let mut statement = db.prepare_cached("SELECT bytes FROM entry WHERE seq = ?1")?;
            statement.query_row([key], |row| Ok(row.get_ref(0)?.as_blob().unwrap_or_default().to_vec())).optional()
        })?;
        let bytes = bytes.filter(|bytes| self.tree.leaf(seq) == Some(Hash::of_leaf(bytes)));
        let entry = bytes.and_then(|bytes| Entry::parse(&bytes).ok());
        Ok(entry.and_then(|entry| Statement::parse(&entry.statement).ok()))
    }
}

impl History for Past<'_> {
    type Error = ReadError;

    fn stream(&self, id: &Id) -> Result<Option<StreamState>, ReadError> {
        Ok(self.streams.get(id.as_str()).and_then(|stream| stream.state(self.tree)))
    }

    fn entry_of(&self, stream: &Id, n: u64) -> Result<Option<(u64, Hash)>, ReadError> {
        let seqs = self.streams.get(stream.as_str()).map(|stream| stream.seqs.as_slice());
        let seq = seqs.and_then(|seqs| seqs.get(usize::try_from(n).ok()?)).copied().filter(|seq| *seq != UNKNOWN);
        Ok(seq.and_then(|seq| Some((seq, self.tree.leaf(seq)?))))
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, ReadError> {
        if let Some((at, root)) = self.root.get()
            && at == size
        {
            return Ok(Some(root));
        }
        let root = self.tree.root_at(size);
        self.root.set(root.map(|root| (size, root)));
        Ok(root)
    }

    fn statement(&self, jti: &Jti) -> Result<Option<Said>, ReadError> {
        let Some(seq) = self.jtis.get(&jti.to_bytes()) else { return Ok(None) };
        let statement = self.read(seq)?;
        self.met_gap.set(self.met_gap.get() || statement.is_none());
        let leaf = self.tree.leaf(seq).unwrap_or(Hash([0; 32]));
        Ok(Some(Said { seq, leaf, statement }))
    }

    fn entries_of(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<Said>, ReadError> {
        let seqs = self.streams.get(stream.as_str()).map_or(&[][..], |stream| stream.seqs.as_slice());
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(seqs.len());
        let said = seqs[from..].iter().take(limit).map(|seq| {
            let statement = if *seq == UNKNOWN { None } else { self.read(*seq)? };
            self.met_gap.set(self.met_gap.get() || statement.is_none());
            Ok(Said { seq: *seq, leaf: self.tree.leaf(*seq).unwrap_or(Hash([0; 32])), statement })
        });
        said.collect()
    }
}
