//! The writer: one thread, one batch after the other (DESIGN: the write path).
//!
//! drain the queue → admit and plan (plan.rs) → sign the checkpoint → commit → publish (publisher.rs: head file, answers).
//!
//! A crash before the commit leaves nothing; between commit and head file, a head file that is behind, which the next
//! opening moves on; after it, everything. After a failed commit the writer answers nobody with a receipt any more, and
//! stays shut: what was kept is found out by opening again.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use blotter_keys::checkpoint::Checkpoint;
use blotter_keys::ed25519::SecretKey;
use blotter_keys::judge::{Refusal, is_blocking, refusal_jti};
use blotter_keys::key_cache::KeyCache;
use blotter_keys::keyring::Keyring;
use blotter_keys::note::{KeyName, VerifierKey};
use blotter_record::limits::LIST_LEN_MAX;
use blotter_record::{ActorId, Event, Hash, Id, Instant, Json, Unmet};

use crate::head_file::{Head, HeadFile};
use crate::own::{Own, Refusals, own_key, random_jti};
use crate::plan::{Admitted, Plan, State};
use crate::prepare::Prepared;
use crate::publisher::{Answer, BATCHES_MAX, Committed, Publisher, Reply};
use crate::store::{Batch, Store};
use crate::{Clock, Error, Random};

/// A clock that falls back by less than this is waited out by standing still; by more, it is written down.
const CLOCK_STEP_US_MIN: i64 = 1_000_000;

/// What became of a statement that was committed.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The number of its entry.
    pub seq: u64,
    /// Whether the same statement had been recorded before.
    pub repeated: bool,
    /// Size of the log at the commit.
    pub size: u64,
    /// What was committed, if it was just now: so that a receipt needs no look into the store.
    pub recorded: Option<Recorded>,
}

/// An entry that was just committed.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its exact bytes.
    pub entry: Vec<u8>,
    /// The commit that it is in.
    pub commit: Arc<Commit>,
}

/// A commit, as far as receipts need it.
#[derive(Debug)]
pub struct Commit {
    /// Entries before it.
    pub first: u64,
    /// Leaf hashes of its entries.
    pub leaves: Vec<Hash>,
    /// The checkpoint over all entries up to its last, a signed note.
    pub note: String,
}

/// Statements on their way to the writer, and who is told what became of them.
pub(crate) struct Job {
    pub(crate) statements: Vec<Prepared>,
    /// What they hold in memory, about.
    pub(crate) bytes: usize,
    /// All of them or none.
    pub(crate) atomic: bool,
    pub(crate) reply: Reply,
}

impl Job {
    pub(crate) fn new(statements: Vec<Prepared>, atomic: bool, reply: Reply) -> Self {
        let bytes = statements.iter().map(Prepared::bytes).sum();
        Self { statements, bytes, atomic, reply }
    }

    /// Says that the writer is shut.
    pub(crate) fn give_up(self, why: &Error) {
        (self.reply)(vec![Err(why.clone()); self.statements.len()]);
    }
}

/// What readers and the writer share.
pub(crate) struct Shared {
    pub(crate) keys: KeyCache,
    keyring: Mutex<Arc<Keyring>>,
    pub(crate) published: Mutex<Published>,
    pub(crate) news: Condvar,
}

impl Shared {
    pub(crate) fn new(keyring: Keyring, size: u64) -> Self {
        let shared = Self {
            keys: KeyCache::default(),
            keyring: Mutex::new(Arc::new(keyring)),
            published: Mutex::new(Published { size, ..Published::default() }),
            news: Condvar::new(),
        };
        shared.publish_keys();
        shared
    }

    /// Who could say what at the newest commit.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.lock().expect("no thread panics while it holds this"))
    }

    fn publish_keyring(&self, keyring: &Keyring) {
        *self.keyring.lock().expect("no thread panics while it holds this") = Arc::new(keyring.clone());
        self.publish_keys();
    }

    fn publish_keys(&self) {
        self.keys.extend(self.keyring().keys().map(|(kid, key)| (*kid, key.public)));
    }

    pub(crate) fn published(&self) -> MutexGuard<'_, Published> {
        self.published.lock().expect("no thread panics while it holds this")
    }

    /// Shuts the writer: whoever is told so finds it so.
    pub(crate) fn poison(&self, error: &Error) {
        let why = match shut(error) {
            Error::Poisoned { why } => why,
            other => other.to_string(),
        };
        tracing::error!(why, "the writer is shut");
        self.published().poisoned.get_or_insert(why);
        self.news.notify_all();
    }

    /// Takes over what is about to be answered.
    pub(crate) fn settle(&self, batches: &[Committed]) {
        let mut published = self.published();
        for Committed { head, answers, .. } in batches {
            let count: usize = answers.iter().map(|answer| answer.results.len()).sum();
            let bytes: usize = answers.iter().map(|answer| answer.bytes).sum();
            published.size = head.size;
            published.waiting.give_back(count, bytes);
        }
        drop(published);
        self.news.notify_all();
    }
}

/// The state of the log that everybody may know.
#[derive(Default, Clone)]
pub(crate) struct Published {
    pub(crate) size: u64,
    pub(crate) waiting: Waiting,
    /// Those of them that came in lists.
    pub(crate) lists: Waiting,
    pub(crate) poisoned: Option<String>,
}

/// What waits for the writer.
#[derive(Default, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) statements: usize,
    pub(crate) bytes: usize,
}

impl Waiting {
    /// Whether so much more is within the limits; what has more bytes than may wait at all waits alone.
    pub(crate) fn have_room(&self, statements: usize, bytes: usize, statements_max: usize, bytes_max: usize) -> bool {
        self.statements + statements <= statements_max && (self.statements == 0 || self.bytes + bytes <= bytes_max)
    }

    pub(crate) fn take(&mut self, statements: usize, bytes: usize) {
        (self.statements, self.bytes) = (self.statements + statements, self.bytes + bytes);
    }

    pub(crate) fn give_back(&mut self, statements: usize, bytes: usize) {
        self.statements = self.statements.saturating_sub(statements);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// The keys that the ledger itself signs with.
pub struct LedgerKeys {
    /// Signs checkpoints. While a rotation is under way, the new key stands behind the old one.
    pub checkpoint: Vec<SecretKey>,
    /// Signs the ledger's own statements; without it, none are made.
    pub actor: Option<SecretKey>,
}

pub(crate) struct Writer {
    pub(crate) store: Box<dyn Store>,
    pub(crate) state: State,
    pub(crate) keys: LedgerKeys,
    pub(crate) clock: Clock,
    pub(crate) random: Random,
    pub(crate) shared: Arc<Shared>,
    pub(crate) refusals: Refusals,
}

impl Writer {
    /// Works until every sender is gone.
    pub(crate) fn run(mut self, head_file: HeadFile, queue: &Receiver<Job>) {
        let publisher = Publisher { head_file, shared: Arc::clone(&self.shared) };
        let (committed, published) = sync_channel(BATCHES_MAX);
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("blotter-publish".into());
            let started = thread.spawn_scoped(scope, move || publisher.run(&published));
            let worked = match started {
                Ok(_) => self.work(queue, committed),
                Err(e) => Err(Error::System { what: "starting the publisher".into(), cause: e.to_string() }),
            };
            if let Err(error) = worked {
                self.shared.poison(&error);
                queue.iter().for_each(|job| job.give_up(&shut(&error)));
            }
        });
    }

    fn work(&mut self, queue: &Receiver<Job>, committed: SyncSender<Committed>) -> Result<(), Error> {
        let mut waiting: VecDeque<Job> = VecDeque::new();
        loop {
            if waiting.is_empty() {
                let Ok(job) = queue.recv() else { return Ok(()) };
                waiting.push_back(job);
            }
            while waiting.len() < crate::plan::BATCH_ENTRIES_MAX
                && let Ok(job) = queue.try_recv()
            {
                waiting.push_back(job);
            }
            match self.batch(&mut waiting) {
                // A publisher that can't go on has said why; it answers what it gets until this end is dropped.
                Ok(batch) => committed.send(batch).map_err(|_| self.why_shut())?,
                Err(error) => {
                    self.shared.poison(&error);
                    waiting.into_iter().for_each(|job| job.give_up(&shut(&error)));
                    return Err(error);
                }
            }
        }
    }

    /// One batch: as many of the waiting jobs as fit. An error means that nobody knows what was kept; everybody in the
    /// batch was told.
    fn batch(&mut self, waiting: &mut VecDeque<Job>) -> Result<Committed, Error> {
        let mut answers = Vec::new();
        let committed = self.fill_and_commit(waiting, &mut answers);
        match committed {
            Ok(Done { head, erased, commit, entries }) => Ok(Committed { head, erased, commit, entries, answers }),
            Err(error) => {
                self.shared.poison(&error);
                answers.into_iter().for_each(|answer| answer.give_up(&shut(&error)));
                Err(error)
            }
        }
    }

    fn fill_and_commit(&mut self, waiting: &mut VecDeque<Job>, answers: &mut Vec<Answer>) -> Result<Done, Error> {
        let mut plan = Plan::new(&self.state);
        self.write_clock_step(&mut plan)?;
        while let Some(job) = waiting.pop_front_if(|job| plan.fits(job.statements.len())) {
            let Job { statements, bytes, atomic, reply } = job;
            let count = statements.len();
            let admitted = self.admit(&mut plan, statements, atomic);
            let (results, failed) = match admitted {
                Ok(results) => (results, None),
                Err(error) => (vec![Err(shut(&error)); count], Some(error)),
            };
            answers.push(Answer { reply, results, bytes });
            if let Some(error) = failed {
                return Err(error);
            }
        }
        self.commit(plan)
    }

    fn admit(
        &mut self,
        plan: &mut Plan,
        statements: Vec<Prepared>,
        atomic: bool,
    ) -> Result<Vec<Result<Admitted, Error>>, Error> {
        let mark = (atomic && statements.len() > 1).then(|| plan.mark(&self.state, &statements));
        let count = statements.len();
        let mut answer = Vec::with_capacity(count);
        for (index, prepared) in statements.into_iter().enumerate() {
            let recorded = self.recorded()?;
            let statement = &prepared.presentation.statement;
            let decision = is_blocking(statement).then(|| (statement.iss.clone(), statement.jws().to_owned()));
            let admitted = self
                .check_rotation(&prepared, index + 1 == count)
                .and_then(|()| plan.admit(&mut self.state, &*self.store, prepared, recorded));
            match admitted {
                Ok(admitted) => answer.push(Ok(admitted)),
                Err(Error::Refused(why)) if mark.is_some() => {
                    plan.go_back(&mut self.state, mark.expect("checked by the guard"));
                    self.record_refusal(plan, decision, &why)?;
                    let list_refused = |at| match at == index {
                        true => Err(Error::Refused(why.clone())),
                        false => Err(Error::ListRefused { index, why: why.clone() }),
                    };
                    return Ok((0..count).map(list_refused).collect());
                }
                Err(error @ (Error::Refused(_) | Error::Malformed(_))) => {
                    if let Error::Refused(why) = &error {
                        self.record_refusal(plan, decision, why)?;
                    }
                    answer.push(Err(error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(answer)
    }

    /// A decision whose gates were unmet was tried: the ledger says so, in the incident's stream, with the very statement.
    /// The same one is recorded once, however often it is sent; and of one actor, only so many in a minute.
    fn record_refusal(
        &mut self,
        plan: &mut Plan,
        decision: Option<(ActorId, String)>,
        why: &Refusal,
    ) -> Result<(), Error> {
        let (Some((actor, jws)), Refusal::Policy(Unmet { gates, incident: Some(incident) })) = (decision, why) else {
            return Ok(());
        };
        let recorded = self.recorded()?;
        let Some(key) = own_key(&self.state.keyring, &self.keys, recorded.unix_us()) else { return Ok(()) };
        let jti = refusal_jti(&jws);
        let known = plan.seq_of(&*self.store, &jti)?.is_some();
        if known || !self.refusals.admit(actor, recorded.unix_us()) {
            return Ok(());
        }
        let codes = gates.iter().take(LIST_LEN_MAX).map(|gate| gate.code.as_str().into()).collect();
        let own = Own {
            jti,
            sub: incident.clone(),
            event: Event::PhaseRefused,
            facts: vec![("refused".to_owned(), jws.into()), ("unmet".to_owned(), Json::List(codes))],
        };
        let prepared = match own.statement(&self.state.keyring, key, recorded.unix_us()) {
            Ok(prepared) => prepared,
            // Too large to be held in another one.
            Err(Error::Malformed(why)) => {
                tracing::warn!(%why, "a refusal can't be recorded");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match plan.admit(&mut self.state, &*self.store, prepared, recorded) {
            Ok(_) => Ok(()),
            Err(Error::Refused(why)) => {
                tracing::warn!(%why, "a refusal can't be recorded");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// What only the writer knows of a rotation: nothing may stand behind it in its batch, because the checkpoint of that
    /// very size must exist; and the new key's secret half must be here, or nothing could be signed any more.
    fn check_rotation(&self, prepared: &Prepared, is_last: bool) -> Result<(), Error> {
        let statement = &prepared.presentation.statement;
        if statement.event.known() != Some(Event::LedgerKeyRotated) {
            return Ok(());
        }
        let new = statement.facts.word("new_vkey").and_then(|vkey| vkey.parse::<VerifierKey>().ok());
        let held = |vkey: &VerifierKey| self.keys.checkpoint.iter().any(|key| key.public() == vkey.key());
        let (at, what) = match new {
            Some(vkey) if !held(&vkey) => ("facts.new_vkey", "the ledger does not hold the secret half of this key"),
            Some(_) if !is_last => ("event", "nothing can stand behind a rotation in its list; send it last, or alone"),
            _ => return Ok(()),
        };
        Err(Refusal::Rule { at, what: what.to_owned() }.into())
    }

    /// Now, but never before the last entry.
    fn recorded(&self) -> Result<Instant, Error> {
        let now = (self.clock)().max(self.state.recorded_us);
        Instant::from_unix_us(now).map_err(|e| Error::System { what: "the clock".into(), cause: format!("{e}") })
    }

    /// If the clock fell behind the last entry, the ledger says so; only then may `recorded` fall (FORMAT.md §6.1).
    fn write_clock_step(&mut self, plan: &mut Plan) -> Result<(), Error> {
        let now_us = (self.clock)();
        if self.state.recorded_us - now_us < CLOCK_STEP_US_MIN {
            return Ok(());
        }
        let Some(key) = own_key(&self.state.keyring, &self.keys, now_us) else { return Ok(()) };
        let instant = |us| {
            Instant::from_unix_us(us).map_err(|e| Error::System { what: "the clock".into(), cause: e.to_string() })
        };
        let facts = vec![
            ("from".to_owned(), instant(self.state.recorded_us)?.as_str().into()),
            ("to".to_owned(), instant(now_us)?.as_str().into()),
        ];
        let jti = random_jti(now_us, &mut self.random);
        let own = Own { jti, sub: Id::ledger(), event: Event::ClockStepped, facts };
        let prepared = own.statement(&self.state.keyring, key, now_us)?;
        plan.admit(&mut self.state, &*self.store, prepared, instant(now_us)?).map(|_| ())
    }

    fn commit(&mut self, mut plan: Plan) -> Result<Done, Error> {
        let head = Head { size: self.state.frontier.size(), root: self.state.frontier.root() };
        if plan.is_empty() {
            let commit = Commit { first: head.size, leaves: Vec::new(), note: String::new() };
            return Ok(Done { head, erased: Vec::new(), commit: Arc::new(commit), entries: Vec::new() });
        }
        if self.shared.published().poisoned.is_some() {
            return Err(self.why_shut());
        }
        let entries = plan.batch.entries.len();
        let _span = tracing::info_span!("commit", entries, size = head.size).entered();
        plan.batch.checkpoint = sign_checkpoint(&self.state.keyring, &self.keys.checkpoint, &head)?;
        plan.batch.streams = plan.streams.values().cloned().collect();
        self.store.append(&plan.batch).map_err(|e| Error::Poisoned { why: format!("the store: {e}") })?;
        let trusted = plan.batch.entries.iter().any(|entry| entry.trust);
        self.state.settle(plan.streams);
        if trusted {
            self.shared.publish_keyring(&self.state.keyring);
        }
        let Batch { expected_size: first, entries, checkpoint: note, .. } = plan.batch;
        let (leaves, entries) = entries.into_iter().map(|entry| (entry.leaf, entry.bytes)).unzip();
        let commit = Arc::new(Commit { first, leaves, note });
        Ok(Done { head, erased: plan.erased, commit, entries })
    }

    fn why_shut(&self) -> Error {
        let why = self.shared.published().poisoned.clone();
        Error::Poisoned { why: why.unwrap_or_else(|| "the publisher is gone".to_owned()) }
    }
}

/// What a commit made.
struct Done {
    head: Head,
    /// Digests that it erased.
    erased: Vec<Hash>,
    commit: Arc<Commit>,
    /// Bytes of its entries.
    entries: Vec<Vec<u8>>,
}

fn shut(error: &Error) -> Error {
    match error {
        Error::Poisoned { .. } | Error::Corrupt { .. } => error.clone(),
        other => Error::Poisoned { why: other.to_string() },
    }
}

/// Signs the head with every key that must sign it.
pub(crate) fn sign_checkpoint(keyring: &Keyring, keys: &[SecretKey], head: &Head) -> Result<String, Error> {
    let system = |cause: String| Error::System { what: "signing the checkpoint".into(), cause };
    let name: KeyName = keyring.origin().as_str().parse().map_err(|e| system(format!("{e}")))?;
    let checkpoint = Checkpoint::new(&name, head.size, head.root).map_err(|e| system(e.to_string()))?;
    let mut note: Option<blotter_keys::note::SignedNote> = None;
    for vkey in keyring.checkpoint_keys(head.size) {
        let key = keys.iter().find(|key| key.public() == vkey.key());
        let key = key.ok_or_else(|| system(format!("the secret half of {vkey} is not there")))?;
        match &mut note {
            None => note = Some(checkpoint.sign(key).map_err(|e| system(e.to_string()))?),
            Some(note) => note.add_signature(&name, key).map_err(|e| system(e.to_string()))?,
        }
    }
    note.map(|note| note.to_string()).ok_or_else(|| system("there is no key".into()))
}
