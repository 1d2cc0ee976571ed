//! Many statements at once: as a whole, or each for itself. Those that stand for themselves wait for places in the queue,
//! and all lists together take half of it at most: so nobody who sends one statement is told to come back because others
//! send thousands.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use blotter_keys::ed25519::PublicKey;
use blotter_keys::judge::Refusal;
use blotter_keys::jwk::thumbprint;
use blotter_record::Hash;
use rayon::prelude::*;

use super::{Ledger, QUEUE_BYTES_MAX, QUEUE_STATEMENTS_MAX};
use crate::Error;
use crate::plan::BATCH_ENTRIES_MAX;
use crate::prepare::Prepared;
use crate::writer::{Appended, Job, Published};

/// Statements that lists may have waiting, all of them together.
pub const LISTS_STATEMENTS_MAX: usize = QUEUE_STATEMENTS_MAX / 2;
/// Bytes that lists may have waiting, all of them together; a chunk that is larger waits alone.
pub const LISTS_BYTES_MAX: usize = QUEUE_BYTES_MAX / 2;
/// Chunks that one list may have ahead of the answers, so that no core waits while the disk syncs.
const CHUNKS_AHEAD_MAX: usize = 8;

type Answers = Vec<Result<Appended, Error>>;

/// A chunk on its way: its statements' answers, where they were refused before the queue; and those to come.
struct Pending {
    /// `None` for each statement that was sent.
    answers: Vec<Option<Result<Appended, Error>>>,
    sent: Receiver<Answers>,
}

impl Ledger {
    /// Appends a list as a whole or not at all; at most [`BATCH_ENTRIES_MAX`].
    ///
    /// # Errors
    /// As [`Ledger::append`]; and [`Error::ListRefused`] for those that were not themselves at fault.
    pub fn append_list(&self, statements: Vec<Prepared>) -> Result<Answers, Error> {
        let mut known = HashSet::new();
        let checked: Vec<_> = statements.into_iter().map(|one| self.with_known_key(one, &mut known)).collect();
        let refused = checked.iter().enumerate().find_map(|(index, one)| match one {
            Err(Error::Refused(why)) => Some((index, why.clone())),
            _ => None,
        });
        let Some((index, why)) = refused else {
            return self.submit(checked.into_iter().collect::<Result<_, _>>()?, true);
        };
        let answer = |at| match at == index {
            true => Err(Error::Refused(why.clone())),
            false => Err(Error::ListRefused { index, why: why.clone() }),
        };
        Ok((0..checked.len()).map(answer).collect())
    }

    /// Reads, verifies and appends many statements, each for itself: an answer for each, in their order. Verification
    /// runs on all cores while the writer commits.
    ///
    /// # Errors
    /// [`Error::Poisoned`] for all that were not answered; everything else is each statement's own.
    pub fn append_many(&self, texts: &[String]) -> Answers {
        let prepared = |chunk: &[String]| chunk.par_iter().map(|text| self.prepare(text, Vec::new())).collect();
        self.append_chunks(texts.chunks(BATCH_ENTRIES_MAX).map(prepared))
    }

    /// Appends many statements that were prepared, each for itself: an answer for each, in their order.
    pub fn append_prepared(&self, statements: Vec<Prepared>) -> Answers {
        let mut statements = statements.into_iter().map(Ok);
        self.append_chunks(std::iter::from_fn(|| {
            let chunk: Vec<_> = statements.by_ref().take(BATCH_ENTRIES_MAX).collect();
            (!chunk.is_empty()).then_some(chunk)
        }))
    }

    fn append_chunks(&self, chunks: impl Iterator<Item = Vec<Result<Prepared, Error>>>) -> Answers {
        let (mut answers, mut pending, mut known) = (Vec::new(), VecDeque::new(), HashSet::new());
        for chunk in chunks {
            let mut statements = Vec::with_capacity(chunk.len());
            let checked = chunk.into_iter().map(|one| one.and_then(|one| self.with_known_key(one, &mut known)));
            let refused = checked.map(|one| one.map(|one| statements.push(one)).err().map(Err)).collect();
            pending.push_back(Pending { answers: refused, sent: self.send_waiting(statements) });
            if pending.len() > CHUNKS_AHEAD_MAX {
                self.collect(pending.pop_front().expect("it is not empty"), &mut answers);
            }
        }
        pending.into_iter().for_each(|one| self.collect(one, &mut answers));
        answers
    }

    fn collect(&self, pending: Pending, answers: &mut Answers) {
        let mut sent = pending.sent.recv().unwrap_or_default().into_iter();
        let all = pending.answers.into_iter();
        answers.extend(all.map(|one| one.or_else(|| sent.next()).unwrap_or_else(|| Err(self.shut()))));
    }

    /// Refuses a statement under a key that is not known, nor made known by what stands before it in its list (`known`):
    /// anybody can make up such keys, and they are not to take places in the queue.
    pub(super) fn with_known_key(&self, mut one: Prepared, known: &mut HashSet<Hash>) -> Result<Prepared, Error> {
        let kid = one.statement().kid;
        if !one.verified && !known.contains(&kid) {
            // It may have been enrolled since it was looked at.
            match self.shared.keys.verify(one.statement()) {
                Some(Ok(())) => one.verified = true,
                Some(Err(_)) => return Err(Refusal::Signature { kid }.into()),
                None => return Err(Refusal::Key(format!("{kid}: no such key in this ledger")).into()),
            }
        }
        let brings = one.statement().facts.jwk("jwk").and_then(|x| PublicKey::from_bytes(&x).ok());
        known.extend(brings.map(|key| thumbprint(&key)));
        Ok(one)
    }

    /// Waits for a place in the queue, and not for the answer.
    fn send_waiting(&self, statements: Vec<Prepared>) -> Receiver<Answers> {
        let (reply, answered) = sync_channel(1);
        let (count, bytes) = (statements.len(), statements.iter().map(Prepared::bytes).sum());
        if count == 0 {
            return answered;
        }
        let full = |published: &mut Published| {
            published.poisoned.is_none()
                && !(published.waiting.have_room(count, bytes, QUEUE_STATEMENTS_MAX, QUEUE_BYTES_MAX)
                    && published.lists.have_room(count, bytes, LISTS_STATEMENTS_MAX, LISTS_BYTES_MAX))
        };
        {
            let published = self.shared.published();
            let mut published =
                self.shared.news.wait_while(published, full).expect("no thread panics while it holds this");
            published.waiting.take(count, bytes);
            published.lists.take(count, bytes);
        }
        let shared = Arc::clone(&self.shared);
        let reply = move |answers| {
            shared.published().lists.give_back(count, bytes);
            shared.news.notify_all();
            // Somebody who stopped waiting can append again and gets the same answer.
            let _ = reply.send(answers);
        };
        // A writer that is gone drops the sender, which the receiver notices.
        let _ = self.queue().send(Job { statements, bytes, atomic: false, reply: Box::new(reply) });
        answered
    }
}
