//! A store that fails when it is told to, with both faces of a fault: what was to be kept is lost, or it was kept and
//! the answer is an error all the same. It can also be held, so that a queue fills up behind it; and its readers can fail,
//! or have something happen in the middle of what they read.

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
    fail_hashes: u64,
    after_size: Option<Box<dyn FnOnce() + Send>>,
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

    /// Lets the next `count` readings of the tree's hashes fail, by readers.
    pub fn fail_hashes(&self, count: u64) {
        self.state.lock().unwrap().fail_hashes = count;
    }

    /// Does this once, after a reader has looked how long the log is.
    pub fn after_size(&self, what: impl FnOnce() + Send + 'static) {
        self.state.lock().unwrap().after_size = Some(Box::new(what));
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
pub struct Faulty<S: ?Sized = dyn Store> {
    /// The store that keeps things.
    pub inner: Box<S>,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// Whether it is a reader, not the writer's.
    pub reads: bool,
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
        let (readers, faults) = (self.inner.readers(), Arc::clone(&self.faults));
        Box::new(move || {
            let (inner, faults) = (readers()?, Arc::clone(&faults));
            Ok(Box::new(Faulty { inner, faults, reads: true }))
        })
    }
}

impl<S: Read + ?Sized> Read for Faulty<S> {
    fn size(&self) -> Result<u64, StoreError> {
        let size = self.inner.size();
        let after = if self.reads { self.faults.state.lock().unwrap().after_size.take() } else { None };
        if let Some(after) = after {
            after();
        }
        size
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
        if self.reads {
            let left = &mut self.faults.state.lock().unwrap().fail_hashes;
            if *left > 0 {
                *left -= 1;
                return Err(StoreError::Failed { what: "reading", cause: "a fault of the test".to_owned() });
            }
        }
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
