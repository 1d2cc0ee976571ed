//! A founded ledger with people and roles in a few lines. Everything in it is determined: keys by their owners' names,
//! ids and salts by a counter, the time by a clock that only the test moves. So a world can be entered again from another
//! process, by its directory alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use blotter_keys::ed25519::SecretKey;
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle;
use blotter_keys::note::VerifierKey;
use blotter_keys::possession::Possession;
use blotter_ledger::{
    Appended, DATABASE, Error, Ledger, LedgerKeys, Opening, Prepared, Read, Software, Sqlite, Store, Tree, genesis_of,
    head_file, read,
};
use blotter_record::{
    ActorId, Attribution, Decision, Draft, Event, Hash, Id, Instant, Json, Jti, Permissive, Policy, Precision, RULES_1,
    Seen, Unsigned, Via, base64url,
};
use tempfile::TempDir;

use crate::{Faults, Faulty, Memory};

/// The origin of every world.
pub const ORIGIN: &str = "example.org/soc";
/// 2026-11-23T12:00:00Z: where a world's clock stands at first.
pub const NOON_US: i64 = 1_795_435_200_000_000;
/// Who is enrolled in a new world, and in which role.
const CAST: [(&str, &str, &str); 11] = [
    ("admin", "person", "admin"),
    ("ciso", "person", "ciso"),
    ("manager", "person", "secops_manager"),
    ("analyst", "person", "soc_analyst"),
    ("analyst2", "person", "soc_analyst"),
    ("grc", "person", "grc_lead"),
    ("legal", "person", "legal"),
    ("legal2", "person", "legal"),
    ("dpo", "person", "dpo"),
    ("siem", "service", "service"),
    ("notary", "notary", ""),
];

/// Where a world's entries are kept.
#[derive(Clone)]
enum Home {
    Sqlite,
    Memory(Memory),
}

/// A ledger, its keys, its people and its clock.
pub struct World {
    base: PathBuf,
    home: Home,
    clock_us: Arc<AtomicI64>,
    counter: AtomicU64,
    /// Names of the ledger's checkpoint keys that the writer is given.
    pub checkpoint_keys: Vec<String>,
    /// Name of the key of the ledger's own actor, if the writer is given one.
    pub ledger_key: Option<String>,
    /// The rules that the ledger is opened with.
    pub policy: fn() -> Box<dyn Policy>,
    _temporary: Option<TempDir>,
}

/// Somebody with a key.
pub struct Person {
    /// Who.
    pub actor: ActorId,
    /// Their key.
    pub key: SecretKey,
}

/// The value of a piece of JSON.
pub fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap()
}

impl World {
    /// A ledger in a temporary directory, on SQLite.
    pub fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().to_owned();
        Self::found(base, Home::Sqlite, Some(temporary))
    }

    /// A ledger in memory; only its head file is on disk.
    pub fn in_memory() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().to_owned();
        Self::found(base, Home::Memory(Memory::default()), Some(temporary))
    }

    /// A ledger on SQLite below `base`, which stays.
    pub fn found_at(base: &Path) -> Self {
        Self::found(base.to_owned(), Home::Sqlite, None)
    }

    /// Enters a world that was founded with [`World::found_at`]; `turn` sets its ids and salts apart from earlier ones.
    pub fn enter(base: &Path, turn: u64) -> Self {
        let world = Self::around(base.to_owned(), Home::Sqlite, None);
        world.counter.store(turn << 32, Ordering::Relaxed);
        world
    }

    fn around(base: PathBuf, home: Home, temporary: Option<TempDir>) -> Self {
        Self {
            base,
            home,
            clock_us: Arc::new(AtomicI64::new(NOON_US)),
            counter: AtomicU64::new(0),
            checkpoint_keys: vec!["checkpoint".to_owned()],
            ledger_key: Some("ledger".to_owned()),
            policy: || Box::new(Permissive),
            _temporary: temporary,
        }
    }

    fn found(base: PathBuf, home: Home, temporary: Option<TempDir>) -> Self {
        let world = Self::around(base, home, temporary);
        std::fs::create_dir_all(world.dir()).unwrap();
        world.found_empty();
        let ledger = world.open();
        let enrol = |(name, kind): (&str, &str)| world.enrolment(&ledger, "founder", name, kind);
        let first = enrol(("ledger", "ledger")).prepared(&ledger);
        ledger.append(first).unwrap();
        let all: Vec<Prepared> = CAST.iter().map(|(name, kind, _)| enrol((name, kind)).prepared(&ledger)).collect();
        ledger.append_list(all).unwrap().iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
        let roles = CAST.iter().filter(|(.., role)| !role.is_empty());
        let grant = |(name, _, role): &(&str, &str, &str)| {
            world.say("founder", "role.granted", &format!("actor/{name}")).fact("role", *role).prepared(&ledger)
        };
        let all: Vec<Prepared> = roles.map(grant).collect();
        ledger.append_list(all).unwrap().iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
        drop(ledger);
        world
    }

    fn found_empty(&self) {
        let vkey = VerifierKey::new(ORIGIN.parse().unwrap(), *self.key("checkpoint").public());
        let founder = self.person("founder");
        let text = |text: &str| Json::from(text);
        let facts = [
            ("origin", text(ORIGIN)),
            ("ledger_vkey", text(&vkey.to_string())),
            ("founder", text(founder.actor.as_str())),
            ("jwk", jwk(&founder.key)),
            ("rules_version", text(RULES_1.version())),
            ("rules_sha256", text(&RULES_1.sha256_hex())),
        ];
        let founding = facts
            .into_iter()
            .fold(self.say("founder", "ledger.founded", "ledger").aud(ORIGIN).seen(None), |saying, (name, value)| {
                saying.fact(name, value)
            });
        let founding = founding.signed(ORIGIN, None);
        let key = self.key("checkpoint");
        match &self.home {
            Home::Sqlite => Ledger::found(&self.dir(), &founding, &key, self.now_us()).unwrap(),
            Home::Memory(memory) => Ledger::found_on(&mut memory.clone(), &founding, &key, self.now_us()).unwrap(),
        }
    }

    /// The ledger's directory.
    pub fn dir(&self) -> PathBuf {
        self.base.join("ledger")
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.dir().join(DATABASE)
    }

    /// Where its head file is.
    pub fn state_dir(&self) -> PathBuf {
        self.base.join("state")
    }

    /// The head file.
    pub fn head_file(&self) -> PathBuf {
        head_file::path_of(&self.state_dir(), &genesis_of(&self.keyring()))
    }

    /// What the clock says.
    pub fn now_us(&self) -> i64 {
        self.clock_us.load(Ordering::Relaxed)
    }

    /// Moves the clock, forward or back.
    pub fn tick(&self, by_us: i64) {
        self.clock_us.fetch_add(by_us, Ordering::Relaxed);
    }

    /// The key of that name: the same in every process.
    pub fn key(&self, name: &str) -> SecretKey {
        SecretKey::from_seed(Hash::of(format!("the key {name} of blotter's tests").as_bytes()).0)
    }

    /// An actor of the cast, or one with a name like `person/x`.
    pub fn person(&self, name: &str) -> Person {
        let kind = match name {
            "ledger" | "notary" => name,
            _ => CAST.iter().find(|(other, ..)| *other == name).map_or("person", |(_, kind, _)| kind),
        };
        Person { actor: format!("{kind}/{name}").parse().unwrap(), key: self.key(name) }
    }

    /// A store as the writer would open it.
    pub fn store(&self) -> Box<dyn Store> {
        match &self.home {
            Home::Sqlite => Box::new(Sqlite::open(&self.database()).unwrap()),
            Home::Memory(memory) => Box::new(memory.clone()),
        }
    }

    /// The keyring at the head.
    pub fn keyring(&self) -> Keyring {
        read::open_keyring(&*self.store()).unwrap().keyring
    }

    /// Checks the whole log and every checkpoint; its size.
    pub fn check(&self) -> u64 {
        let notes = match &self.home {
            Home::Sqlite => crate::checkpoints(&self.database()),
            Home::Memory(memory) => memory.checkpoints(),
        };
        let keys: Vec<VerifierKey> = self.keyring().ledger_keys().iter().map(|key| key.vkey.clone()).collect();
        crate::walk_with_checkpoints(&*self.store(), &notes, &keys).len() as u64 - 1
    }

    /// How the ledger is opened.
    pub fn opening(&self) -> Opening {
        let clock = Arc::clone(&self.clock_us);
        let mut dice = crate::Dice::from_seed(self.next());
        Opening {
            keys: LedgerKeys {
                checkpoint: self.checkpoint_keys.iter().map(|name| self.key(name)).collect(),
                actor: self.ledger_key.as_ref().map(|name| self.key(name)),
            },
            state_dir: self.state_dir(),
            policy: (self.policy)(),
            clock: Box::new(move || clock.load(Ordering::Relaxed)),
            random: Box::new(move |bytes| bytes.iter_mut().for_each(|byte| *byte = dice.roll() as u8)),
            software: Software { version: "1.0".to_owned(), binary_sha256: "0".repeat(64) },
        }
    }

    /// Opens the ledger for writing.
    pub fn open(&self) -> Ledger {
        self.try_open().unwrap()
    }

    /// Opens the ledger for writing, or says why not.
    pub fn try_open(&self) -> Result<Ledger, Error> {
        match &self.home {
            Home::Sqlite => Ledger::open(&self.dir(), self.opening()),
            Home::Memory(_) => Ledger::open_on(&self.dir(), self.store(), self.opening()),
        }
    }

    /// Opens the ledger on a store that fails when `faults` say so.
    pub fn open_faulty(&self, faults: &Arc<Faults>) -> Ledger {
        let store = Faulty { inner: self.store(), faults: Arc::clone(faults), reads: false };
        Ledger::open_on(&self.dir(), Box::new(store), self.opening()).unwrap()
    }

    /// A number that this world gave nobody yet.
    pub fn next(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    fn fresh(&self, what: &str) -> [u8; 32] {
        Hash::of(format!("{what} {}", self.next()).as_bytes()).0
    }

    /// A new statement's id.
    pub fn jti(&self) -> Jti {
        let bytes = self.fresh("jti");
        Jti::v7((self.now_us() / 1000).unsigned_abs(), bytes[..10].try_into().unwrap())
    }

    /// Begins a statement.
    pub fn say(&self, who: &str, event: &str, sub: &str) -> Saying<'_> {
        let Person { actor, key } = self.person(who);
        Saying {
            world: self,
            key,
            seen: SeenBy::Now,
            draft: Draft {
                iss: actor,
                attributed: None,
                aud: String::new(),
                jti: self.jti(),
                iat: self.now_us() / 1_000_000,
                sub: sub.parse().unwrap(),
                about: Vec::new(),
                event: event.to_owned(),
                occurred: Some(Instant::from_unix_us(self.now_us()).unwrap()),
                precision: Precision::Second,
                seen: None,
                cause: Vec::new(),
                corrects: Vec::new(),
                via: Via::Cli,
                facts: Vec::new(),
                data: Vec::new(),
            },
        }
    }

    /// A remark on a stream: the plainest statement of a person.
    pub fn comment(&self, who: &str, sub: &str, text: &str) -> Saying<'_> {
        self.say(who, "comment.added", sub).data("text", text)
    }

    /// A blocking decision on an incident.
    pub fn opened(&self, who: &str, incident: &str) -> Saying<'_> {
        let lead = self.person(who).actor;
        self.say(who, "incident.opened", incident)
            .fact("lead", lead.as_str())
            .fact("category", "malware")
            .fact("tlp", "amber")
            .data("title", "Ransom note on a file server")
    }

    /// Another blocking decision on an incident.
    pub fn confirmed(&self, who: &str, incident: &str) -> Saying<'_> {
        self.say(who, "incident.confirmed", incident)
            .fact("verdict", "true-positive")
            .fact("criteria_version", "1")
            .fact("criteria", json("[]"))
    }

    /// An enrolment of `name` by `by`, with a proof of possession.
    pub fn enrolment(&self, ledger: &Ledger, by: &str, name: &str, kind: &str) -> Saying<'_> {
        let actor: ActorId = format!("{kind}/{name}").parse().unwrap();
        let key = self.key(name);
        let proof = self.proof(ledger, &actor, &self.person(by).actor, &key);
        let saying = self.say(by, "actor.enrolled", &format!("actor/{name}"));
        saying.fact("kind", kind).fact("jwk", jwk(&key)).fact("proof", proof)
    }

    /// A proof of possession by `key`.
    pub fn proof(&self, ledger: &Ledger, actor: &ActorId, enroller: &ActorId, key: &SecretKey) -> String {
        let said = Possession {
            actor: actor.clone(),
            aud: audience(ledger),
            enroller: enroller.clone(),
            iat: self.now_us() / 1_000_000,
        };
        let input = said.signing_input(key.public());
        format!("{input}.{}", base64url::encode(&key.sign(input.as_bytes())))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// The public half of a key as a fact.
pub(crate) fn jwk(key: &SecretKey) -> Json {
    json(&print(key.public()))
}

fn audience(ledger: &Ledger) -> String {
    ledger.read(|store| Ok(read::open_keyring(store)?.keyring.audience().to_owned())).unwrap()
}

enum SeenBy {
    Now,
    Exactly(Option<Seen>),
}

/// A statement in the making.
pub struct Saying<'w> {
    world: &'w World,
    key: SecretKey,
    seen: SeenBy,
    draft: Draft,
}

impl Saying<'_> {
    /// Adds a fact.
    pub fn fact(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.draft.facts.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a fact that is the public half of a key.
    pub fn jwk(self, key: &str) -> Self {
        let value = jwk(&self.world.key(key));
        self.fact("jwk", value)
    }

    /// Adds a value.
    pub fn data(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.draft.data.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a stream that it concerns.
    pub fn about(mut self, stream: &str) -> Self {
        self.draft.about.push(stream.parse().unwrap());
        self
    }

    /// Sets its id.
    pub fn jti(mut self, jti: Jti) -> Self {
        self.draft.jti = jti;
        self
    }

    /// Sets when it was signed.
    pub fn iat(mut self, seconds: i64) -> Self {
        self.draft.iat = seconds;
        self
    }

    /// Sets the ledger that it is for.
    pub fn aud(mut self, aud: &str) -> Self {
        self.draft.aud = aud.to_owned();
        self
    }

    /// Sets what the signer had seen, instead of what is there now.
    pub fn seen(mut self, seen: Option<Seen>) -> Self {
        self.seen = SeenBy::Exactly(seen);
        self
    }

    /// Signs with the key of that name, instead of the actor's own.
    pub fn with_key(mut self, name: &str) -> Self {
        self.key = self.world.key(name);
        self
    }

    /// Attributes it to somebody.
    pub fn attributed(mut self, actor: &str, auth: &str) -> Self {
        self.draft.attributed = Some(Attribution { actor: actor.parse().unwrap(), auth: auth.parse().unwrap() });
        self
    }

    /// Its id.
    pub fn id(&self) -> Jti {
        self.draft.jti
    }

    /// Signed, with what the signer sees now in this ledger.
    pub fn text(self, ledger: &Ledger) -> String {
        self.try_text(ledger).unwrap()
    }

    fn try_text(self, ledger: &Ledger) -> Result<String, Error> {
        let sub = self.draft.sub.clone();
        let (keyring, now) = ledger.read(|store| Ok((read::open_keyring(store)?.keyring, seen_now(store, &sub)?)))?;
        Ok(self.signed(keyring.audience(), Some(now)))
    }

    /// Signed, with a given view of the ledger.
    pub fn signed(mut self, audience: &str, now: Option<Seen>) -> String {
        if self.draft.aud.is_empty() {
            self.draft.aud = audience.to_owned();
        }
        self.draft.seen = match self.seen {
            SeenBy::Exactly(seen) => seen,
            SeenBy::Now => now.filter(|_| wants_seen(&self.draft)),
        };
        let world = self.world;
        let salt = || world.fresh("salt")[..16].try_into().unwrap();
        let unsigned: Unsigned = self.draft.build(&thumbprint(self.key.public()), salt).unwrap();
        let signature = self.key.sign(unsigned.signing_input().as_bytes());
        unsigned.signed(&signature).to_text()
    }

    /// Signed and ready for the queue.
    pub fn prepared(self, ledger: &Ledger) -> Prepared {
        let text = self.text(ledger);
        ledger.prepare(&text, Vec::new()).unwrap()
    }

    /// Signed and appended.
    ///
    /// # Errors
    /// The ledger's, also of looking at it first.
    pub fn append(self, ledger: &Ledger) -> Result<Appended, Error> {
        let text = self.try_text(ledger)?;
        ledger.append(ledger.prepare(&text, Vec::new())?)
    }
}

fn wants_seen(draft: &Draft) -> bool {
    let decides = Event::from_name(&draft.event).is_some_and(|event| event.rule().decision != Decision::No);
    let trust = matches!(draft.sub.kind(), "actor" | "policy");
    draft.attributed.is_none() && (draft.iss.kind() == "person" || decides || trust)
}

impl World {
    /// What somebody sees in a stream who looks at the ledger now.
    pub fn seen(&self, ledger: &Ledger, stream: &str) -> Seen {
        ledger.read(|store| seen_now(store, &stream.parse().unwrap())).unwrap()
    }
}

fn seen_now(store: &dyn Read, stream: &Id) -> Result<Seen, Error> {
    // The stream first: others may be appending, and what was seen must lie within the checkpoint.
    let last = store.stream(stream)?.map(|state| (state.count - 1, state.leaf));
    let size = store.size()?;
    let root = merkle::root_at(&Tree(store), size).map_err(|e| Error::Corrupt { seq: size, what: e.to_string() })?;
    Ok(Seen { last, size, root })
}
