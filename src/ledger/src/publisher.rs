//! The end of the write path: what was committed becomes known. A thread of its own, so that the writer commits the next
//! batch meanwhile.
//!
//! head file → answers. Batches come in their order; those that wait together share one sync of the head file. Nobody is
//! answered before the head that covers the answer is on disk.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use blotter_record::Hash;

use crate::Error;
use crate::head_file::{Head, HeadFile};
use crate::plan::Admitted;
use crate::writer::{Appended, Commit, Recorded, Shared};

/// Batches that were committed and may wait to be published; beyond, the writer waits.
pub(crate) const BATCHES_MAX: usize = 4;

/// Who is told what became of their statements.
pub(crate) type Reply = Box<dyn FnOnce(Vec<Result<Appended, Error>>) + Send>;

/// An answer that is known, and not yet given.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) results: Vec<Result<Admitted, Error>>,
    /// What the statements held in memory, about.
    pub(crate) bytes: usize,
}

impl Answer {
    fn give(self, size: u64, commit: &Arc<Commit>, entries: &mut [Vec<u8>]) {
        let mut appended = |Admitted { seq, repeated }| {
            // Each entry of the commit is handed out once; what was there before it is not in it.
            let entry =
                seq.checked_sub(commit.first).filter(|_| !repeated).and_then(|index| entries.get_mut(index as usize));
            let recorded = entry.map(|entry| Recorded { entry: std::mem::take(entry), commit: Arc::clone(commit) });
            Appended { seq, repeated, size, recorded }
        };
        (self.reply)(self.results.into_iter().map(|result| result.map(&mut appended)).collect());
    }

    /// Says that the writer is shut to everybody who was not refused before.
    pub(crate) fn give_up(self, why: &Error) {
        let refused_or_shut = |result: Result<_, Error>| Err(result.err().unwrap_or_else(|| why.clone()));
        (self.reply)(self.results.into_iter().map(refused_or_shut).collect());
    }
}

/// A batch that is in the store.
pub(crate) struct Committed {
    pub(crate) head: Head,
    /// Digests that it erased.
    pub(crate) erased: Vec<Hash>,
    pub(crate) commit: Arc<Commit>,
    /// Bytes of its entries.
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) answers: Vec<Answer>,
}

pub(crate) struct Publisher {
    pub(crate) head_file: HeadFile,
    pub(crate) shared: Arc<Shared>,
}

impl Publisher {
    /// Works until the writer is gone. A head file that can't be written shuts the writer.
    pub(crate) fn run(mut self, queue: &Receiver<Committed>) {
        let mut written = 0;
        while let Ok(first) = queue.recv() {
            let batches: Vec<Committed> = std::iter::once(first).chain(queue.try_iter()).collect();
            if let Err(error) = self.write_head(&batches, &mut written) {
                self.shared.poison(&error);
                batches.into_iter().chain(queue.iter()).for_each(|batch| give_up(batch, &error));
                return;
            }
            self.shared.settle(&batches);
            for Committed { head, answers, commit, mut entries, .. } in batches {
                answers.into_iter().for_each(|answer| answer.give(head.size, &commit, &mut entries));
            }
        }
    }

    fn write_head(&mut self, batches: &[Committed], written: &mut u64) -> Result<(), Error> {
        let poisoned = |e| Error::Poisoned { why: format!("the head file: {e}") };
        let erased = batches.iter().flat_map(|batch| batch.erased.iter().copied());
        self.head_file.remember_erased(erased).map_err(poisoned)?;
        let Some(Committed { head, .. }) = batches.last() else { return Ok(()) };
        if head.size == *written {
            return Ok(());
        }
        self.head_file.write(head).map_err(poisoned)?;
        *written = head.size;
        Ok(())
    }
}

fn give_up(batch: Committed, error: &Error) {
    batch.answers.into_iter().for_each(|answer| answer.give_up(error));
}
