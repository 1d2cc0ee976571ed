//! A store in memory: the port's contract in the plainest words, and the model that SQLite is compared with.
//! Clones are handles of one store; what was appended stays while one of them lives.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use blotter_keys::judge::StreamState;
use blotter_ledger::{Batch, Read, Readers, Store, StoreError, Stored};
use blotter_record::{Hash, Id, Jti};

/// A handle of a store in memory.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    entries: Vec<Stored>,
    jtis: BTreeMap<Jti, u64>,
    streams: BTreeMap<String, (StreamState, Vec<u64>)>,
    nodes: BTreeMap<(u8, u64), Hash>,
    checkpoints: BTreeMap<u64, String>,
    disclosures: BTreeMap<u64, Vec<String>>,
    blobs: BTreeMap<String, Vec<u8>>,
    trusted: Vec<u64>,
}

impl Memory {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap()
    }

    fn look<T>(&self, at: impl FnOnce(&Kept) -> T) -> T {
        at(&self.kept())
    }

    /// All checkpoints, by size.
    pub fn checkpoints(&self) -> Vec<(u64, String)> {
        self.kept().checkpoints.iter().map(|(size, note)| (*size, note.clone())).collect()
    }
}

impl Read for Memory {
    fn size(&self) -> Result<u64, StoreError> {
        Ok(self.look(|kept| kept.entries.len() as u64))
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        Ok(self.look(|kept| kept.checkpoints.last_key_value().map(|(_, note)| note.clone())))
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.look(|kept| kept.entries.iter().skip(from).take(limit).cloned().collect()))
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, StoreError> {
        Ok(self.look(|kept| kept.jtis.get(jti).copied()))
    }

    fn stream(&self, id: &Id) -> Result<Option<StreamState>, StoreError> {
        Ok(self.look(|kept| kept.streams.get(&id.folded()).map(|(state, _)| state.clone())))
    }

    fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        let from = usize::try_from(from_n).unwrap_or(usize::MAX);
        let seqs = |kept: &Kept| kept.streams.get(&id.folded()).map(|(_, seqs)| seqs.clone()).unwrap_or_default();
        Ok(self.look(seqs).into_iter().skip(from).take(limit).collect())
    }

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let hash = |kept: &Kept, index: u64| match level {
            0 => kept.entries.get(index as usize).map(|entry| entry.leaf),
            _ => kept.nodes.get(&(level, index)).copied(),
        };
        let range = start..start.saturating_add(u64::from(count));
        let found: Option<Vec<Hash>> = self.look(|kept| range.map(|index| hash(kept, index)).collect());
        let found = found.filter(|found| found.len() == count as usize);
        found.ok_or_else(|| StoreError::Corrupt { seq: start, what: format!("a hash of level {level} is not there") })
    }

    fn disclosures(&self, seq: u64) -> Result<Vec<String>, StoreError> {
        Ok(self.look(|kept| kept.disclosures.get(&seq).cloned()).unwrap_or_default())
    }

    fn blob(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.look(|kept| kept.blobs.get(id).cloned()))
    }

    fn trusted(&self) -> Result<Vec<u64>, StoreError> {
        Ok(self.look(|kept| kept.trusted.clone()))
    }
}

impl Store for Memory {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut kept = self.kept();
        let size = kept.entries.len() as u64;
        if size != batch.expected_size {
            return Err(StoreError::Conflict { size });
        }
        for entry in &batch.entries {
            kept.entries.push(Stored { seq: entry.seq, leaf: entry.leaf, bytes: entry.bytes.clone() });
            kept.jtis.insert(entry.jti, entry.seq);
            let texts = entry.disclosures.iter().map(|disclosure| disclosure.text().to_owned()).collect();
            kept.disclosures.insert(entry.seq, texts);
            if entry.trust {
                kept.trusted.push(entry.seq);
            }
        }
        for state in &batch.streams {
            let of_stream = |entry: &&blotter_ledger::NewEntry| entry.links.iter().any(|(id, _)| *id == state.id);
            let seqs: Vec<u64> = batch.entries.iter().filter(of_stream).map(|entry| entry.seq).collect();
            let there = kept.streams.entry(state.id.folded()).or_insert_with(|| (state.clone(), Vec::new()));
            there.0 = StreamState { id: there.0.id.clone(), imported: there.0.imported, ..state.clone() };
            there.1.extend(seqs);
        }
        kept.nodes.extend(batch.nodes.iter().map(|(level, index, hash)| ((*level, *index), *hash)));
        let size = size + batch.entries.len() as u64;
        kept.checkpoints.insert(size, batch.checkpoint.clone());
        kept.blobs.extend(batch.blobs.iter().cloned());
        kept.forget(|text| batch.erase.contains(&Hash::of(text.as_bytes())));
        batch.drop_blobs.iter().for_each(|id| {
            kept.blobs.remove(id);
        });
        for (seq, leaf) in &batch.expunge {
            kept.entries[*seq as usize].bytes = leaf.0.to_vec();
            kept.disclosures.remove(seq);
        }
        Ok(())
    }

    fn erase_again(&mut self, digests: &HashSet<Hash>) -> Result<usize, StoreError> {
        Ok(self.kept().forget(|text| digests.contains(&Hash::of(text.as_bytes()))))
    }

    fn readers(&self) -> Readers {
        let handle = self.clone();
        Box::new(move || Ok(Box::new(handle.clone())))
    }
}

impl Kept {
    fn forget(&mut self, which: impl Fn(&str) -> bool) -> usize {
        let mut count = 0;
        for texts in self.disclosures.values_mut() {
            let before = texts.len();
            texts.retain(|text| !which(text));
            count += before - texts.len();
        }
        count
    }
}
