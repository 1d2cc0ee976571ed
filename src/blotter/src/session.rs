//! A person's or a program's dealings with one ledger: read it, verify what it shows, build statements, sign, append.
//! `seen` is made here, from bytes that this client hashed itself and a checkpoint that it verified.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_client::{EntriesQuery, RemoteStore};
use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use blotter_keys::jwk::thumbprint;
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use blotter_keys::signer::{Signer, SigningInput};
use blotter_ledger::{
    Appended, DATABASE, Error, Ledger, LedgerKeys, Opening, Prepared, Read, Software, Sqlite, Tree, read,
};
use blotter_process::Process;
use blotter_record::{
    ActorId, Attribution, Draft, Id, Instant, Json, Jti, Precision, Presentation, Seen, Unsigned, Via,
};

use crate::context::{Context, binary_sha256, new_jti, now_us, random, random_bytes};
use crate::files;
use crate::keystore::{LEDGER_KEY, read_key};
use crate::own_keys::checkpoint_keys;
use crate::remote;

/// Entries of a stream that are read at once.
const STREAM_PAGE: usize = 256;

/// A ledger opened for reading; some other process may be writing it.
pub(crate) struct Reader {
    pub(crate) store: Box<dyn Read>,
    pub(crate) keyring: Keyring,
    /// The same store, if it is on a server.
    pub(crate) remote: Option<RemoteStore>,
}

impl Reader {
    /// Opens the ledger of `--server`, or of `--dir`; the keyring is proven to be in the tree that its newest checkpoint
    /// signs.
    pub(crate) fn open(context: &Context) -> Result<Self> {
        match remote::store(context)? {
            Some(store) => Self::open_remote(context, store),
            None => Self::open_dir(context.dir()),
        }
    }

    pub(crate) fn open_dir(dir: &Path) -> Result<Self> {
        let store = open_database(dir)?;
        let keyring = read::open_keyring(&store)?.keyring;
        Ok(Self { store: Box::new(store), keyring, remote: None })
    }

    /// Opens a ledger on a server, which must be the one that was there before, and continue what this user verified last.
    pub(crate) fn open_remote(context: &Context, store: RemoteStore) -> Result<Self> {
        let keyring = read::open_keyring(&store)?.keyring;
        remote::check_known(context, store.client().server(), &keyring)?;
        let reader = Self { store: Box::new(store.clone()), keyring, remote: Some(store) };
        reader.head(&context.state_dir()?)?;
        Ok(reader)
    }

    /// A stream's id as the ledger spells it; streams are named without case.
    ///
    /// # Errors
    /// If there is no such stream, or the store can't be read.
    pub(crate) fn stream_named(&self, id: &Id) -> Result<Id> {
        let there = self.store.stream_head(id).map_err(Error::from)?;
        Ok(there.with_context(|| format!("{id}: there is no such stream in this ledger"))?.id)
    }

    /// Seqs of a stream's entries from its entry `n` on, a page of them; empty behind its last. A server is asked once for
    /// what is then read one by one.
    ///
    /// # Errors
    /// If the store can't be read.
    pub(crate) fn stream_page(&self, stream: &Id, n: u64) -> Result<Vec<u64>> {
        let seqs = self.store.stream_seqs(stream, n, STREAM_PAGE).map_err(Error::from)?;
        if let (Some(store), Some(first), Some(last)) = (&self.remote, seqs.first(), seqs.last()) {
            let query = EntriesQuery {
                stream: Some(stream.to_string()),
                from: *first,
                before: Some(last + 1),
                limit: STREAM_PAGE,
                ..EntriesQuery::default()
            };
            store.find(&query).map_err(Error::from)?;
        }
        Ok(seqs)
    }

    /// The newest checkpoint, verified and kept, as [`verified_head`] has it; the view of a server moves on to it.
    pub(crate) fn head(&self, state_dir: &Path) -> Result<Checkpoint> {
        let kept = kept(state_dir, &self.keyring)?;
        if let Some(store) = &self.remote {
            store.advance().map_err(Error::from)?;
        }
        head_after(&*self.store, &self.keyring, state_dir, kept)
    }
}

/// The database of the ledger in a directory, for reading.
pub(crate) fn open_database(dir: &Path) -> Result<Sqlite> {
    let database = dir.join(DATABASE);
    if !database.is_file() {
        return Err(Error::NotALedger { dir: dir.to_owned(), why: format!("there is no {DATABASE}") }.into());
    }
    Ok(Sqlite::open_read_only(&database).map_err(Error::from)?)
}

/// Opens the ledger of `--dir` for writing.
pub(crate) fn open_writer(context: &Context) -> Result<Ledger> {
    let dir = context.dir();
    if !dir.join(DATABASE).is_file() {
        return Err(Error::NotALedger { dir: dir.to_owned(), why: format!("there is no {DATABASE}") }.into());
    }
    let own = |name: &str| context.keys_dir().join(format!("{name}.key"));
    let checkpoint = checkpoint_keys(context, &Reader::open_dir(dir)?.keyring)?;
    let actor = own(LEDGER_KEY).exists().then(|| read_key(context, &own(LEDGER_KEY))).transpose()?;
    let opening = Opening {
        keys: LedgerKeys { checkpoint, actor },
        state_dir: context.state_dir()?,
        policy: Box::new(Process::default()),
        clock: Box::new(now_us),
        random: Box::new(random),
        software: Software { version: env!("CARGO_PKG_VERSION").to_owned(), binary_sha256: binary_sha256() },
    };
    Ok(Ledger::open(dir, opening)?)
}

/// Writes `anchor.json` anew: which ledger this is, and its head. A copy of it, kept elsewhere, is what verification
/// starts from.
pub(crate) fn write_anchor(dir: &Path, store: &dyn Read, keyring: &Keyring) -> Result<Anchor> {
    let anchor = anchor_of(store, keyring)?;
    let temporary = dir.join(".anchor.json.new");
    std::fs::write(&temporary, anchor.to_string()).with_context(|| format!("{}", temporary.display()))?;
    std::fs::rename(&temporary, dir.join("anchor.json")).context("anchor.json")?;
    Ok(anchor)
}

/// The anchor of a ledger at its newest checkpoint.
pub(crate) fn anchor_of(store: &dyn Read, keyring: &Keyring) -> Result<Anchor> {
    let checkpoint = open_checkpoint(&read::checkpoint(store)?, keyring)?;
    let founder = keyring.actor(keyring.founder()).and_then(|actor| actor.kids.first().copied());
    Ok(Anchor {
        origin: keyring.origin().clone(),
        genesis: blotter_ledger::genesis_of(keyring),
        ledger_vkey: keyring.ledger_keys()[0].vkey.clone(),
        founder: founder.context("the founder has no key")?,
        size: checkpoint.size(),
        root: *checkpoint.root(),
    })
}

/// A checkpoint opened with the keys that must have signed one of its size.
pub(crate) fn open_checkpoint(note: &UnverifiedCheckpoint, keyring: &Keyring) -> Result<Checkpoint> {
    let keys: Vec<_> = keyring.checkpoint_keys(note.claimed_size()).into_iter().cloned().collect();
    Ok(note.open(keyring.origin().as_str(), &keys)?)
}

/// The newest checkpoint, verified, and proven to continue the last one that this user verified; which it then replaces.
///
/// # Errors
/// If the log shrank or was rewritten since this user last saw it.
pub(crate) fn verified_head(store: &dyn Read, keyring: &Keyring, state_dir: &Path) -> Result<Checkpoint> {
    let kept = kept(state_dir, keyring)?;
    head_after(store, keyring, state_dir, kept)
}

/// The checkpoint that this user verified last. It is read before the ledger's newest: another command of theirs may
/// replace it at any time.
fn kept(state_dir: &Path, keyring: &Keyring) -> Result<Option<Checkpoint>> {
    let path = kept_path(state_dir, keyring);
    let Ok(kept) = std::fs::read(&path) else { return Ok(None) };
    let kept = UnverifiedCheckpoint::parse(&kept).map_err(anyhow::Error::from);
    let kept = kept.and_then(|kept| open_checkpoint(&kept, keyring));
    kept.map(Some).with_context(|| format!("the checkpoint that you kept, {}", path.display()))
}

fn head_after(store: &dyn Read, keyring: &Keyring, state_dir: &Path, kept: Option<Checkpoint>) -> Result<Checkpoint> {
    let note = read::checkpoint(store)?;
    let head = open_checkpoint(&note, keyring)?;
    let kept_path = kept_path(state_dir, keyring);
    if let Some(kept) = kept {
        check_continues(store, &kept, &head).with_context(|| {
            format!("your own copy of an earlier checkpoint ({}) contradicts this ledger", kept_path.display())
        })?;
    }
    std::fs::create_dir_all(state_dir).with_context(|| format!("{}", state_dir.display()))?;
    // Another command of the same user's may be doing this, too.
    let temporary = files::temporary(&kept_path)?;
    std::fs::write(&temporary, note.note().to_string()).with_context(|| format!("{}", temporary.display()))?;
    std::fs::rename(&temporary, &kept_path).with_context(|| format!("{}", kept_path.display()))?;
    Ok(head)
}

/// Where the last checkpoint that this user verified is kept.
fn kept_path(state_dir: &Path, keyring: &Keyring) -> PathBuf {
    state_dir.join(format!("{}.kept", blotter_ledger::genesis_of(keyring)))
}

/// Whether the log of `old` is what the log of `new` begins with.
pub(crate) fn check_continues(store: &dyn Read, old: &Checkpoint, new: &Checkpoint) -> Result<()> {
    let damaged = |what: String| Error::Corrupt { seq: old.size(), what };
    if old.size() > new.size() {
        let what = format!("the log had {} entries, and has {} now: it was cut, or restored", old.size(), new.size());
        return Err(damaged(what).into());
    }
    if old.size() == new.size() {
        if old.root() != new.root() {
            return Err(damaged("another log of the same length: it was rewritten".to_owned()).into());
        }
        return Ok(());
    }
    let proof = consistency_proof(&Tree(store), old.size(), new.size())?;
    verify_consistency(old.size(), old.root(), new.size(), new.root(), &proof)
        .map_err(|e| damaged(format!("it was rewritten: {e}")).into())
}

/// What somebody has before them when they sign in a stream: its last entry, and the verified head of the log.
pub(crate) fn seen_now(store: &dyn Read, keyring: &Keyring, stream: &Id, state_dir: &Path) -> Result<Seen> {
    let head = verified_head(store, keyring, state_dir)?;
    seen_at(store, stream, &head)
}

/// `seen` for a stream by a head that was verified just now.
pub(crate) fn seen_at(store: &dyn Read, stream: &Id, head: &Checkpoint) -> Result<Seen> {
    let last = match store.stream_head(stream).map_err(Error::from)? {
        None => None,
        Some(state) => {
            let n = state.count - 1;
            let seq = store.stream_seqs(stream, n, 1).map_err(Error::from)?.first().copied();
            let seq = seq.with_context(|| format!("entry {n} of {stream} is not there"))?;
            let shown = read::entries(store, seq, 1)?.pop().with_context(|| format!("entry {seq} is not there"))?;
            // Another writer may have added entries behind the head that was verified; those were not seen.
            if seq >= head.size() {
                bail!("the log grew in this moment; try again")
            }
            let path = inclusion_proof(&Tree(store), seq, head.size())?;
            verify_inclusion(&shown.stored.leaf, seq, head.size(), head.root(), &path).with_context(|| {
                format!("entry {seq}, the last of {stream}, is not in the log that the ledger signs")
            })?;
            Some((n, shown.stored.leaf))
        }
    };
    Ok(Seen { last, size: head.size(), root: *head.root() })
}

/// What somebody wants to say; the session adds who, where, when and what they had seen.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub(crate) event: String,
    pub(crate) sub: Id,
    pub(crate) about: Vec<Id>,
    pub(crate) facts: Vec<(String, Json)>,
    pub(crate) data: Vec<(String, Json)>,
    pub(crate) occurred: Option<Instant>,
    pub(crate) precision: Precision,
    pub(crate) cause: Vec<Jti>,
    pub(crate) corrects: Vec<Jti>,
    pub(crate) via: Via,
    pub(crate) attributed: Option<Attribution>,
    pub(crate) jti: Option<Jti>,
}

impl Words {
    /// An event that happens now.
    pub(crate) fn now(event: &str, sub: Id) -> Self {
        Self {
            event: event.to_owned(),
            sub,
            about: Vec::new(),
            facts: Vec::new(),
            data: Vec::new(),
            occurred: Instant::from_unix_us(now_us()).ok().and_then(|now| whole_seconds(&now)),
            precision: Precision::Second,
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Cli,
            attributed: None,
            jti: None,
        }
    }

    /// Adds a fact.
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.facts.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a disclosable value.
    pub(crate) fn data(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.data.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a stream that it concerns.
    pub(crate) fn about(mut self, stream: Id) -> Self {
        self.about.push(stream);
        self
    }
}

fn whole_seconds(instant: &Instant) -> Option<Instant> {
    format!("{}Z", instant.as_str().split('.').next()?).parse().ok()
}

/// Who signs: a key, and the actor that owns it.
pub(crate) struct Speaker {
    pub(crate) actor: ActorId,
    pub(crate) signer: Signer,
}

impl Speaker {
    /// The owner of `signer`'s key in the keyring.
    pub(crate) fn of(signer: Signer, keyring: &Keyring) -> Result<Self> {
        let kid = thumbprint(signer.public());
        match keyring.key(&kid) {
            Some(key) => Ok(Self { actor: key.actor.clone(), signer }),
            None => {
                bail!("the key {kid} belongs to nobody in this ledger; an admin enrols it with `blotter actor enrol`")
            }
        }
    }

    /// Fixes the bytes that this speaker would sign.
    pub(crate) fn build(&self, audience: &str, words: &Words, seen: Option<Seen>) -> Result<Unsigned> {
        let draft = Draft {
            iss: self.actor.clone(),
            attributed: words.attributed.clone(),
            aud: audience.to_owned(),
            jti: words.jti.unwrap_or_else(new_jti),
            iat: now_us() / 1_000_000,
            sub: words.sub.clone(),
            about: words.about.clone(),
            event: words.event.clone(),
            occurred: words.occurred.clone(),
            precision: words.precision,
            seen,
            cause: words.cause.clone(),
            corrects: words.corrects.clone(),
            via: words.via,
            facts: words.facts.clone(),
            data: words.data.clone(),
        };
        let kid = thumbprint(self.signer.public());
        draft.build(&kid, random_bytes).with_context(|| format!("{} can't be said so", words.event))
    }

    /// Signs what was built.
    pub(crate) fn sign(&self, unsigned: Unsigned) -> Result<Presentation> {
        let signature = self.signer.sign(&SigningInput::parse(unsigned.signing_input())?)?;
        Ok(unsigned.signed(&signature))
    }
}

/// Builds, signs and appends in one go, in a ledger that this process has open.
pub(crate) fn say(
    context: &Context,
    ledger: &Ledger,
    speaker: &Speaker,
    words: &Words,
) -> Result<(Appended, Presentation)> {
    let prepared = prepare(context, ledger, speaker, words)?;
    let presentation = prepared.0;
    Ok((ledger.append(prepared.1)?, presentation))
}

/// Builds and signs, ready to be appended.
pub(crate) fn prepare(
    context: &Context,
    ledger: &Ledger,
    speaker: &Speaker,
    words: &Words,
) -> Result<(Presentation, Prepared)> {
    let state_dir = context.state_dir()?;
    let (audience, seen) = ledger.read(|store| {
        let keyring = read::open_keyring(store)?.keyring;
        let seen = if words.attributed.is_some() {
            Ok(None)
        } else {
            seen_now(store, &keyring, &words.sub, &state_dir).map(Some)
        };
        Ok((keyring.audience().to_owned(), seen))
    })?;
    let presentation = speaker.sign(speaker.build(&audience, words, seen?)?)?;
    let prepared = ledger.prepare(&presentation.to_text(), Vec::new())?;
    Ok((presentation, prepared))
}

/// The keyring of a ledger that this process has open for writing.
pub(crate) fn keyring_of(ledger: &Ledger) -> Result<Keyring> {
    Ok(ledger.read(|store| Ok(read::open_keyring(store)?.keyring))?)
}
