//! A store that fails when it is told to, with both faces of a fault: what was to be kept is lost, or it was kept and
//! the answer is an error all the same. It can also be held, so that a queue fills up behind it.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex};

use blotter_keys::judge::StreamState;
use blotter_ledger::{Batch, Read, Readers, Store, StoreError, Stored};
use blotter_record::{Hash, Id, Jti};

/// How an append fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Nothing was kept.
    Lost,
    /// Everything was kept, but the writer is not told so.
    KeptButFailed,
}

/// The switchboard of a [`Faulty`] store.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    fail: Option<(u64, Face)>,
    appends: u64,
    held: bool,
}

impl Faults {
    /// A switchboard with everything off.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Lets the append after `skip` further ones fail.
    pub fn fail_after(&self, skip: u64, face: Face) {
        self.state.lock().unwrap().fail = Some((skip, face));
    }

    /// How many appends were tried.
    pub fn appends(&self) -> u64 {
        self.state.lock().unwrap().appends
    }

    /// Holds every append until [`Faults::release`].
    pub fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    /// Ends a [`Faults::hold`].
    pub fn release(&self) {
        self.state.lock().unwrap().held = false;
        self.changed.notify_all();
    }

    fn enter(&self) -> Option<Face> {
        let state = self.state.lock().unwrap();
        let mut state = self.changed.wait_while(state, |state| state.held).unwrap();
        state.appends += 1;
        match &mut state.fail {
            Some((0, face)) => {
                let face = *face;
                state.fail = None;
                Some(face)
            }
            Some((skip, _)) => {
                *skip -= 1;
                None
            }
            None => None,
        }
    }
}

/// A store around another.
pub struct Faulty {
    /// The store that keeps things.
    pub inner: Box<dyn Store>,
    /// What goes wrong.
    pub faults: Arc<Faults>,
}

impl Store for Faulty {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let failed = || StoreError::Failed { what: "committing", cause: "a fault of the test".to_owned() };
        match self.faults.enter() {
            None => self.inner.append(batch),
            Some(Face::Lost) => Err(failed()),
            Some(Face::KeptButFailed) => self.inner.append(batch).and(Err(failed())),
        }
    }

    fn erase_again(&mut self, digests: &HashSet<Hash>) -> Result<usize, StoreError> {
        self.inner.erase_again(digests)
    }

    fn readers(&self) -> Readers {
        self.inner.readers()
    }
}

impl Read for Faulty {
    fn size(&self) -> Result<u64, StoreError> {
        self.inner.size()
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.inner.checkpoint()
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.inner.entries(from, limit)
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, StoreError> {
        self.inner.seq_of(jti)
    }

    fn stream(&self, id: &Id) -> Result<Option<StreamState>, StoreError> {
        self.inner.stream(id)
    }

    fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.inner.stream_seqs(id, from_n, limit)
    }

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        self.inner.hashes(level, start, count)
    }

    fn disclosures(&self, seq: u64) -> Result<Vec<String>, StoreError> {
        self.inner.disclosures(seq)
    }

    fn blob(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.blob(id)
    }

    fn trusted(&self) -> Result<Vec<u64>, StoreError> {
        self.inner.trusted()
    }
}
