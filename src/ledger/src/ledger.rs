//! A ledger open for writing: found it, open it, append to it. One process at a time; any number of threads.

mod lists;

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use blotter_keys::ed25519::SecretKey;
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::Frontier;
use blotter_record::{Event, Hash, Id, Instant, Json, Policy, Presentation, RULES_1};

use crate::head_file::{Head, HeadFile, path_of};
use crate::own::{Own, Refusals, own_key, random_jti};
use crate::plan::{BATCH_ENTRIES_MAX, Plan, State};
use crate::prepare::{Prepared, prepare};
use crate::read::{self, Receipt};
use crate::sqlite::Sqlite;
use crate::store::{Read, Readers, Store};
use crate::writer::{Appended, Job, LedgerKeys, Published, Shared, Writer, sign_checkpoint};
use crate::{Clock, Error, Random};

pub use lists::{LISTS_BYTES_MAX, LISTS_STATEMENTS_MAX};

/// Jobs that may wait in the queue.
pub const QUEUE_JOBS_MAX: usize = 1_024;
/// Statements that may wait, in all jobs.
pub const QUEUE_STATEMENTS_MAX: usize = 16_384;
/// Bytes that may wait, in all jobs, blobs included; a job that is larger waits alone.
pub const QUEUE_BYTES_MAX: usize = 128 * 1_048_576;
/// What a caller is told to wait when the queue is full, in milliseconds.
const RETRY_AFTER_MS: u64 = 50;

/// The database's file in a ledger's directory.
pub const DATABASE: &str = "ledger.db";
const LOCK: &str = "writer.lock";

/// How to open a ledger.
pub struct Opening {
    /// The ledger's own keys.
    pub keys: LedgerKeys,
    /// Where head files are.
    pub state_dir: PathBuf,
    /// The process's rules.
    pub policy: Box<dyn Policy>,
    /// Microseconds since 1970.
    pub clock: Clock,
    /// Fills a buffer with random bytes.
    pub random: Random,
    /// What `ledger.opened` says of the program, if the ledger has to say that it was opened after a crash or a restore.
    pub software: Software,
}

/// The program, as `ledger.opened` names it.
#[derive(Debug, Clone)]
pub struct Software {
    /// Its version.
    pub version: String,
    /// SHA-256 of its binary, in hex.
    pub binary_sha256: String,
}

/// A ledger open for writing. Dropping it finishes what is in the queue and closes it.
pub struct Ledger {
    dir: PathBuf,
    genesis: Hash,
    queue: Option<SyncSender<Job>>,
    shared: Arc<Shared>,
    readers: Readers,
    idle: Mutex<Vec<Box<dyn Read>>>,
    writer: Option<JoinHandle<()>>,
    lock: File,
    /// Whether the lock file says that the ledger is open.
    marked: bool,
}

impl Ledger {
    /// Founds a ledger in `dir`, which must exist and hold none: entry 0, and the first checkpoint. `recorded_us` is
    /// now. When this returns, it survives power loss.
    ///
    /// # Errors
    /// If the statement does not found a ledger, or nothing can be written there.
    pub fn found(dir: &Path, founding: &str, key: &SecretKey, recorded_us: i64) -> Result<(), Error> {
        let presentation = Presentation::parse(founding)?;
        presentation.check_complete()?;
        let mut store = Sqlite::create(&dir.join(DATABASE))?;
        found_in(&mut store, presentation, key, recorded_us)?;
        crate::head_file::sync_dir(dir).map_err(|e| system("syncing the directory", e))
    }

    /// Founds a ledger in another store than SQLite, which must be empty.
    ///
    /// # Errors
    /// As [`Ledger::found`].
    pub fn found_on(store: &mut dyn Store, founding: &str, key: &SecretKey, recorded_us: i64) -> Result<(), Error> {
        let presentation = Presentation::parse(founding)?;
        presentation.check_complete()?;
        found_in(store, presentation, key, recorded_us)
    }

    /// Opens the ledger in `dir` for writing.
    ///
    /// # Errors
    /// If there is none, another process writes it, it is behind what it signed before, or checkpoint, tree and keyring
    /// don't belong together.
    pub fn open(dir: &Path, opening: Opening) -> Result<Self, Error> {
        let database = dir.join(DATABASE);
        if !database.exists() {
            return Err(Error::NotALedger { dir: dir.to_owned(), why: format!("there is no {DATABASE}") });
        }
        let (lock, last_closed) = take_lock(dir)?;
        let store = Sqlite::open(&database)?;
        Self::open_store(dir, Box::new(store), opening, lock, last_closed)
    }

    /// Opens a ledger that is in another store than SQLite for writing. `dir` still has its lock.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_on(dir: &Path, store: Box<dyn Store>, opening: Opening) -> Result<Self, Error> {
        let (lock, last_closed) = take_lock(dir)?;
        Self::open_store(dir, store, opening, lock, last_closed)
    }

    fn open_store(
        dir: &Path,
        mut store: Box<dyn Store>,
        opening: Opening,
        lock: File,
        last_closed: LastClosed,
    ) -> Result<Self, Error> {
        let opened = read::open_keyring(&*store)?;
        check_rules(&opened.keyring)?;
        let genesis = genesis_of(&opened.keyring);
        let (mut head_file, signed) = HeadFile::open(&opening.state_dir, &genesis)?;
        let behind = signed.is_some_and(|signed| signed.size > opened.frontier.size());
        if behind || last_closed == LastClosed::Restored {
            erase_again(&mut *store, &head_file)?;
        }
        // A crash may have come between an erasure's commit and this.
        head_file.remember_erased(opened.keyring.erased().copied())?;
        let head = Head { size: opened.frontier.size(), root: opened.frontier.root() };
        compare_heads(&*store, &opened.frontier, signed, &opening.state_dir, &genesis)?;
        if signed != Some(head) {
            // A crash between commit and head file left it behind; or it is a new machine.
            head_file.write(&head)?;
        }
        let last = read::entries(&*store, head.size - 1, 1)?.pop();
        let last_leaf =
            last.as_ref().map(|last| last.stored.leaf).ok_or(Error::Corrupt { seq: 0, what: "no entry".into() })?;
        let recorded_us = last.and_then(|last| Some(last.said?.0.recorded.unix_us())).unwrap_or(0);
        let shared = Arc::new(Shared::new(opened.keyring.clone(), head.size));
        let readers = store.readers();
        let Opening { keys, policy, clock, mut random, software, .. } = opening;
        let own = match last_closed {
            LastClosed::Cleanly => None,
            was => opened_statement(&opened.keyring, &keys, &head, was, &software, clock(), &mut random)?,
        };
        let state = State::new(opened.keyring, policy, opened.frontier, last_leaf, recorded_us);
        let writer =
            Writer { store, state, keys, clock, random, shared: Arc::clone(&shared), refusals: Refusals::default() };
        let (queue, jobs) = sync_channel(QUEUE_JOBS_MAX);
        let writer = std::thread::Builder::new()
            .name("blotter-writer".into())
            .spawn(move || writer.run(head_file, &jobs))
            .map_err(|e| system("starting the writer", e))?;
        let mut ledger = Self {
            dir: dir.to_owned(),
            genesis,
            queue: Some(queue),
            shared,
            readers,
            idle: Mutex::new(Vec::new()),
            writer: Some(writer),
            lock,
            marked: false,
        };
        // How it was left is recorded before that is forgotten.
        if let Some(own) = own {
            ledger.submit(vec![own], false)?.into_iter().next().expect("an answer for each statement")?;
        }
        write_lock(&mut ledger.lock, "open\n")?;
        ledger.marked = true;
        Ok(ledger)
    }

    /// The ledger's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Leaf hash of entry 0.
    pub fn genesis(&self) -> &Hash {
        &self.genesis
    }

    /// How many entries are committed.
    pub fn size(&self) -> u64 {
        self.published().size
    }

    /// Statements that wait for the writer.
    pub fn waiting(&self) -> usize {
        self.published().waiting.statements
    }

    /// Who could say what at the newest commit.
    pub fn keyring(&self) -> Arc<Keyring> {
        self.shared.keyring()
    }

    /// Why the writer is shut, if it is.
    pub fn poisoned(&self) -> Option<String> {
        self.published().poisoned
    }

    fn published(&self) -> Published {
        self.shared.published().clone()
    }

    /// Waits until the log has more than `size` entries, or the time is up; says how many it has.
    pub fn wait_beyond(&self, size: u64, timeout: Duration) -> u64 {
        let published = self.shared.published();
        let (published, _) = self
            .shared
            .news
            .wait_timeout_while(published, timeout, |published| published.size <= size && published.poisoned.is_none())
            .expect("no thread panics while it holds this");
        published.size
    }

    /// Reads and verifies a presentation (`<JWS>~<disclosure>~…~`), and the blobs that its values name. Any thread can do
    /// this, in parallel.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::Refused`]; nothing has changed.
    pub fn prepare(&self, text: &str, blobs: Vec<(String, Vec<u8>)>) -> Result<Prepared, Error> {
        prepare(text, blobs, &self.shared.keys)
    }

    /// Appends one statement. When this returns, it is recorded, durably.
    ///
    /// # Errors
    /// See [`Error`]; only after [`Error::Poisoned`] is it unknown whether it was recorded.
    pub fn append(&self, statement: Prepared) -> Result<Appended, Error> {
        self.submit(vec![statement], false)?.into_iter().next().expect("an answer for each statement")
    }

    /// The receipt of an entry, by the newest checkpoint.
    ///
    /// # Errors
    /// If there is no such entry, or the store can't be read.
    pub fn receipt(&self, seq: u64) -> Result<Receipt, Error> {
        self.read(|store| read::receipt(store, seq))
    }

    /// Runs `with` on a reader of the store.
    ///
    /// # Errors
    /// Those of `with`, or if no reader can be opened.
    pub fn read<T>(&self, with: impl FnOnce(&dyn Read) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.idle.lock().expect("no thread panics while it holds this").pop();
        let reader = match idle {
            Some(reader) => reader,
            None => (self.readers)()?,
        };
        let result = with(&*reader);
        self.idle.lock().expect("no thread panics while it holds this").push(reader);
        result
    }

    fn submit(&self, statements: Vec<Prepared>, atomic: bool) -> Result<Vec<Result<Appended, Error>>, Error> {
        let (reply, answered) = sync_channel(1);
        self.submit_with(statements, atomic, sender(reply))?;
        answered.recv().map_err(|_| self.shut())
    }

    /// Hands statements to the writer, and returns at once; `reply` is called with an answer for each when they are
    /// recorded, or refused. It is called by the thread that answers everybody, so it must be short and must not block.
    /// With `atomic`, all of them enter or none; then there may be at most [`BATCH_ENTRIES_MAX`].
    ///
    /// # Errors
    /// [`Error::Busy`] or [`Error::Poisoned`], and [`Error::Refused`] for a single one under a key that nobody enrolled;
    /// `reply` is not called then.
    pub fn submit_with(
        &self,
        statements: Vec<Prepared>,
        atomic: bool,
        reply: impl FnOnce(Vec<Result<Appended, Error>>) + Send + 'static,
    ) -> Result<(), Error> {
        if atomic && statements.len() > BATCH_ENTRIES_MAX {
            let cause = format!("{} statements; at most {BATCH_ENTRIES_MAX} enter as a whole", statements.len());
            return Err(Error::System { what: "the list".into(), cause });
        }
        let statements = match <[Prepared; 1]>::try_from(statements) {
            Ok([one]) => vec![self.with_known_key(one, &mut HashSet::new())?],
            Err(list) => list,
        };
        let job = Job::new(statements, atomic, Box::new(reply));
        let (count, bytes) = (job.statements.len(), job.bytes);
        self.reserve(count, bytes)?;
        self.queue().try_send(job).map_err(|e| {
            self.release(count, bytes);
            match e {
                TrySendError::Full(_) => Error::Busy { waiting: QUEUE_JOBS_MAX, retry_after_ms: RETRY_AFTER_MS },
                TrySendError::Disconnected(_) => self.shut(),
            }
        })
    }

    fn queue(&self) -> &SyncSender<Job> {
        self.queue.as_ref().expect("it is taken only when the ledger is dropped")
    }

    fn reserve(&self, count: usize, bytes: usize) -> Result<(), Error> {
        let mut published = self.shared.published();
        if let Some(why) = &published.poisoned {
            return Err(Error::Poisoned { why: why.clone() });
        }
        if !published.waiting.have_room(count, bytes, QUEUE_STATEMENTS_MAX, QUEUE_BYTES_MAX) {
            let waiting = published.waiting.statements;
            return Err(Error::Busy { waiting, retry_after_ms: RETRY_AFTER_MS });
        }
        published.waiting.take(count, bytes);
        Ok(())
    }

    fn release(&self, count: usize, bytes: usize) {
        self.shared.published().waiting.give_back(count, bytes);
    }

    fn shut(&self) -> Error {
        Error::Poisoned { why: self.poisoned().unwrap_or_else(|| "the writer is gone".to_owned()) }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // The writer's connection is the last to close, and takes the write-ahead log into the database; so the readers
        // go before the writer can know that it is over.
        self.idle.get_mut().expect("no thread panics while it holds this").clear();
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if self.marked && self.poisoned().is_none() {
            let _ = write_lock(&mut self.lock, "clean\n");
        }
    }
}

/// Answers into a channel. Somebody who stopped waiting can append again and gets the same answer.
fn sender(reply: SyncSender<Vec<Result<Appended, Error>>>) -> impl FnOnce(Vec<Result<Appended, Error>>) + Send {
    move |answers| {
        let _ = reply.send(answers);
    }
}

/// Entry 0 and its checkpoint, into an empty store.
pub(crate) fn found_in(
    store: &mut dyn Store,
    presentation: Presentation,
    key: &SecretKey,
    recorded_us: i64,
) -> Result<(), Error> {
    let fail =
        |what: &str| Error::Malformed(blotter_record::StatementError { at: "the founding".into(), what: what.into() });
    let statement = &presentation.statement;
    // The keyring needs the genesis hash, which needs the entry; the statement's own checks come first either way.
    let provisional = Keyring::found(statement, &Hash([0; 32])).map_err(|e| fail(e.0))?;
    if !provisional.knows_rules() || statement.facts.word("rules_sha256") != Some(&RULES_1.sha256_hex()) {
        return Err(fail("it names rules that this program does not know"));
    }
    let founder = provisional.key(&statement.kid).ok_or_else(|| fail("no key"))?;
    founder
        .public
        .verify(statement.signing_input(), statement.signature())
        .map_err(|_| fail("the signature does not verify under the founder's key"))?;
    let prev = blotter_record::genesis_prev(provisional.origin());
    let founding = statement.clone();
    let mut state =
        State::new(provisional, Box::new(blotter_record::Permissive), Frontier::default(), prev, recorded_us);
    let mut plan = Plan::new(&state);
    let recorded = Instant::from_unix_us(recorded_us).map_err(|e| system("the clock", e))?;
    let prepared = Prepared { presentation, verified: true, blobs: Vec::new() };
    plan.found(&mut state, store, prepared, recorded)?;
    let keyring = Keyring::found(&founding, &state.last_leaf).map_err(|e| fail(e.0))?;
    let head = Head { size: 1, root: state.frontier.root() };
    plan.batch.checkpoint = sign_checkpoint(&keyring, std::slice::from_ref(key), &head)?;
    plan.batch.streams = plan.streams.into_values().collect();
    Ok(store.append(&plan.batch)?)
}

/// Leaf hash of entry 0, from the audience of the ledger's statements.
pub fn genesis_of(keyring: &Keyring) -> Hash {
    let (_, leaf) = keyring.audience().rsplit_once('#').expect("an audience is <origin>#<leaf>");
    leaf.parse().expect("an audience ends with a hash")
}

fn compare_heads(
    store: &dyn Read,
    frontier: &Frontier,
    signed: Option<Head>,
    state_dir: &Path,
    genesis: &Hash,
) -> Result<(), Error> {
    let Some(signed) = signed else { return Ok(()) };
    if signed.size > frontier.size() {
        let head_file = path_of(state_dir, genesis);
        return Err(Error::Behind { size: frontier.size(), signed: signed.size, head_file });
    }
    let root = blotter_keys::merkle::root_at(&crate::store::Tree(store), signed.size)
        .map_err(|e| crate::store::tree_error(signed.size, e))?;
    if root == signed.root {
        return Ok(());
    }
    let what = format!(
        "the log is not the one that was signed: at size {} it has another root than the head file",
        signed.size
    );
    Err(Error::Corrupt { seq: signed.size, what })
}

/// A restored backup may hold values that were erased after it was made.
fn erase_again(store: &mut dyn Store, head_file: &HeadFile) -> Result<(), Error> {
    if head_file.erased().is_empty() {
        return Ok(());
    }
    let count = store.erase_again(head_file.erased())?;
    if count > 0 {
        tracing::warn!(count, "a restored backup held values that had been erased; they were erased again");
    }
    Ok(())
}

/// A program that does not know the rules in force would admit what they forbid.
fn check_rules(keyring: &Keyring) -> Result<(), Error> {
    if keyring.knows_rules() {
        return Ok(());
    }
    let cause =
        format!("version {} is in force, which this program does not know; use a newer one", keyring.rules_version());
    Err(system("the rules", cause))
}

/// How the ledger was left the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastClosed {
    Cleanly,
    Crashed,
    Restored,
}

/// Says in `dir` that what is there now came from a backup; the next opening records it.
///
/// # Errors
/// If it can't be written.
pub fn mark_restored(dir: &Path) -> Result<(), Error> {
    fs::write(dir.join(LOCK), "restored\n").map_err(|e| system("marking the ledger as restored", e))
}

fn take_lock(dir: &Path) -> Result<(File, LastClosed), Error> {
    let path = dir.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| system(&format!("{}", path.display()), e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Locked(dir.to_owned())),
        Err(TryLockError::Error(e)) => return Err(system(&format!("{}", path.display()), e)),
    }
    let mut text = String::new();
    (&mut file).take(64).read_to_string(&mut text).map_err(|e| system("reading the lock file", e))?;
    let last_closed = match text.trim() {
        "open" => LastClosed::Crashed,
        "restored" => LastClosed::Restored,
        _ => LastClosed::Cleanly,
    };
    Ok((file, last_closed))
}

fn write_lock(file: &mut File, text: &str) -> Result<(), Error> {
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(|e| system("writing the lock file", e))
}

fn opened_statement(
    keyring: &Keyring,
    keys: &LedgerKeys,
    head: &Head,
    was: LastClosed,
    software: &Software,
    now_us: i64,
    random: &mut Random,
) -> Result<Option<Prepared>, Error> {
    let Some(key) = own_key(keyring, keys, now_us) else { return Ok(None) };
    let was = match was {
        LastClosed::Cleanly => "clean",
        LastClosed::Crashed => "crashed",
        LastClosed::Restored => "restored",
    };
    let facts: Vec<(String, Json)> = vec![
        ("software".into(), software.version.as_str().into()),
        ("binary_sha256".into(), software.binary_sha256.as_str().into()),
        ("size".into(), i64::try_from(head.size).unwrap_or(i64::MAX).into()),
        ("root".into(), head.root.to_string().into()),
        ("was".into(), was.into()),
    ];
    let own = Own { jti: random_jti(now_us, random), sub: Id::ledger(), event: Event::LedgerOpened, facts };
    own.statement(keyring, key, now_us).map(Some)
}

fn system(what: &str, cause: impl std::fmt::Display) -> Error {
    Error::System { what: what.to_owned(), cause: cause.to_string() }
}
