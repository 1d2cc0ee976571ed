//! A founded ledger with services that may report alerts, and statements of theirs, signed beforehand. What they say is
//! made up; how large it is follows real alerts: entries of about 1.1 KB, with two disclosable values.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use blotter_keys::ed25519::{PublicKey, SecretKey};
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::key_file;
use blotter_keys::note::VerifierKey;
use blotter_keys::possession::Possession;
use blotter_ledger::{Ledger, LedgerKeys, Opening, Software, read};
use blotter_process::Process;
use blotter_record::{
    ActorId, Draft, Hash, Id, Instant, Json, Jti, Precision, Presentation, RULES_1, Seen, Via, base64url,
};
use rayon::prelude::*;

/// How many services there are.
pub const SERVICES: usize = 8;
const ORIGIN: &str = "example.org/bench";
const ALERTS_PER_STREAM: u64 = 10;

/// A ledger in a directory, and the keys of everybody in it. All keys come from fixed seeds: nothing here is secret.
#[derive(Debug)]
pub struct Fixture {
    /// The ledger's directory.
    pub dir: PathBuf,
    /// Where its head file is.
    pub state_dir: PathBuf,
    audience: String,
    next: AtomicU64,
}

fn seed(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn own_key() -> SecretKey {
    seed(3)
}

fn checkpoint_key() -> SecretKey {
    seed(1)
}

fn founder() -> (ActorId, SecretKey) {
    ("person/founder".parse().expect("an actor"), seed(2))
}

/// The services, made once: making a key costs as much as signing.
static ALL_SERVICES: LazyLock<Vec<(ActorId, SecretKey)>> = LazyLock::new(|| {
    let service = |n| (format!("service/s{n}").parse().expect("an actor"), seed(10 + n as u8));
    (0..SERVICES).map(service).collect()
});

/// The analyst, who holds the roles that stories need.
pub fn analyst() -> &'static (ActorId, SecretKey) {
    static ANALYST: LazyLock<(ActorId, SecretKey)> =
        LazyLock::new(|| ("person/analyst".parse().expect("an actor"), seed(9)));
    &ANALYST
}

/// One of the services.
pub fn service(n: usize) -> &'static (ActorId, SecretKey) {
    &ALL_SERVICES[n % SERVICES]
}

/// What somebody says.
pub struct Speech<'a> {
    /// Who, and their key.
    pub speaker: &'a (ActorId, SecretKey),
    /// What they had before them.
    pub seen: Option<Seen>,
    /// The stream, and further ones that it concerns.
    pub streams: &'a [&'a str],
    /// The event.
    pub event: &'a str,
    /// Its facts.
    pub facts: Vec<(&'a str, Json)>,
    /// Its values.
    pub data: Vec<(&'a str, Json)>,
}

/// Microseconds since 1970.
pub fn now_us() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros()).unwrap_or(i64::MAX)
}

/// Random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes
}

/// The public half of a service's key.
pub fn public_of(actor: &ActorId) -> Option<PublicKey> {
    ALL_SERVICES.iter().find(|(other, _)| other == actor).map(|(_, key)| *key.public())
}

impl Fixture {
    /// A ledger that was founded here before.
    ///
    /// # Errors
    /// If there is none.
    pub fn at(root: &Path) -> Result<Self> {
        let (dir, state_dir) = (root.join("ledger"), root.join("state"));
        let mut fixture = Self { dir, state_dir, audience: String::new(), next: AtomicU64::new(1 << 40) };
        let ledger = fixture.open()?;
        fixture.audience = audience(&ledger)?;
        Ok(fixture)
    }

    /// Founds the ledger and enrols the services.
    ///
    /// # Errors
    /// If there is something already, or the disk fails.
    pub fn found(root: &Path) -> Result<Self> {
        let (dir, state_dir) = (root.join("ledger"), root.join("state"));
        std::fs::create_dir_all(&dir)?;
        let (actor, key) = founder();
        let vkey = VerifierKey::new(ORIGIN.parse()?, *checkpoint_key().public());
        let facts = vec![
            ("origin", ORIGIN.into()),
            ("ledger_vkey", vkey.to_string().into()),
            ("founder", actor.to_string().into()),
            ("jwk", jwk(&key)?),
            ("rules_version", RULES_1.version().into()),
            ("rules_sha256", RULES_1.sha256_hex().into()),
        ];
        let founding = say(&actor, &key, ORIGIN, None, Id::ledger(), Vec::new(), "ledger.founded", facts, Vec::new())?;
        Ledger::found(&dir, &founding.to_text(), &checkpoint_key(), now_us())?;
        let mut fixture = Self { dir, state_dir, audience: String::new(), next: AtomicU64::new(0) };
        let ledger = fixture.open()?;
        fixture.audience = audience(&ledger)?;
        let own = ("ledger/own".parse::<ActorId>()?, own_key());
        for (actor, key) in std::iter::once(&own).chain(ALL_SERVICES.iter()) {
            fixture.enrol(&ledger, actor, key)?;
        }
        drop(ledger);
        Ok(fixture)
    }

    /// Opens the ledger for writing.
    ///
    /// # Errors
    /// If somebody else has it open.
    pub fn open(&self) -> Result<Ledger> {
        let opening = Opening {
            keys: LedgerKeys { checkpoint: vec![checkpoint_key()], actor: Some(own_key()) },
            state_dir: self.state_dir.clone(),
            policy: Box::new(Process::default()),
            clock: Box::new(now_us),
            random: Box::new(|bytes| getrandom::fill(bytes).expect("the system has random bytes")),
            software: Software { version: "0".into(), binary_sha256: "0".repeat(64) },
        };
        Ok(Ledger::open(&self.dir, opening)?)
    }

    /// Enrols the analyst, with the roles that stories need.
    ///
    /// # Errors
    /// If the ledger is open elsewhere, or the analyst is there already.
    pub fn enrol_analyst(&self) -> Result<()> {
        let ledger = self.open()?;
        let (actor, key) = analyst();
        self.enrol(&ledger, actor, key)?;
        let (founder, founder_key) = founder();
        let facts = vec![("role", "soc_analyst".into())];
        self.decide(&ledger, &founder, &founder_key, actor.stream(), "role.granted", facts)
    }

    /// What somebody has before them now who looks at a new stream.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn seen(&self, ledger: &Ledger) -> Result<Seen> {
        let frontier = ledger.read(|store| Ok(read::open_keyring(store)?.frontier))?;
        Ok(Seen { last: None, size: frontier.size(), root: frontier.root() })
    }

    /// A statement, signed.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn speak(&self, speech: &Speech<'_>) -> Result<String> {
        let (actor, key) = speech.speaker;
        let (sub, about) = speech.streams.split_first().context("a stream is wanted")?;
        let about = about.iter().map(|id| Ok(id.parse()?)).collect::<Result<Vec<Id>>>()?;
        let (facts, data) = (speech.facts.clone(), speech.data.clone());
        let said = say(actor, key, &self.audience, speech.seen, sub.parse()?, about, speech.event, facts, data)?;
        Ok(said.to_text())
    }

    fn enrol(&self, ledger: &Ledger, actor: &ActorId, key: &SecretKey) -> Result<()> {
        let (enroller, enroller_key) = founder();
        let possession = Possession {
            actor: actor.clone(),
            aud: self.audience.clone(),
            enroller: enroller.clone(),
            iat: now_us() / 1_000_000,
        };
        let input = possession.signing_input(key.public());
        let proof = format!("{input}.{}", base64url::encode(&key.sign(input.as_bytes())));
        let facts = vec![("kind", actor.kind().into()), ("jwk", jwk(key)?), ("proof", proof.into())];
        self.decide(ledger, &enroller, &enroller_key, actor.stream(), "actor.enrolled", facts)?;
        if actor.kind() == "service" {
            self.decide(
                ledger,
                &enroller,
                &enroller_key,
                actor.stream(),
                "role.granted",
                vec![("role", "service".into())],
            )?;
        }
        Ok(())
    }

    fn decide(
        &self,
        ledger: &Ledger,
        actor: &ActorId,
        key: &SecretKey,
        stream: Id,
        event: &str,
        facts: Vec<(&str, Json)>,
    ) -> Result<()> {
        let seen = ledger.read(|store| {
            let head = read::open_keyring(store)?.frontier;
            let last = store.stream(&stream)?.map(|state| (state.count - 1, state.leaf));
            Ok(Seen { last, size: head.size(), root: head.root() })
        })?;
        let said = say(actor, key, &self.audience, Some(seen), stream, Vec::new(), event, facts, Vec::new())?;
        ledger.append(ledger.prepare(&said.to_text(), Vec::new())?)?;
        Ok(())
    }

    /// Writes the ledger's own keys to where the program looks for them.
    ///
    /// # Errors
    /// If the disk fails, or they are there.
    pub fn write_keys(&self) -> Result<()> {
        let dir = self.dir.join("keys");
        std::fs::create_dir_all(&dir)?;
        for (name, key) in [("checkpoint", checkpoint_key()), ("ledger", own_key())] {
            key_file::create(&dir.join(format!("{name}.key")), &key, None, random())?;
        }
        Ok(())
    }

    /// `count` alerts, each signed by one of the services; built on all cores.
    ///
    /// # Errors
    /// If one can't be built.
    pub fn alerts(&self, count: usize) -> Result<Vec<String>> {
        let first = self.next.fetch_add(count as u64, Ordering::Relaxed);
        (first..first + count as u64).into_par_iter().map(|n| Ok(self.alert(n)?.to_text())).collect()
    }

    /// The next alert, signed.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn next_alert(&self) -> Result<String> {
        Ok(self.alert(self.next.fetch_add(1, Ordering::Relaxed))?.to_text())
    }

    /// Alert `n`, with its signature.
    ///
    /// # Errors
    /// If it can't be built.
    pub fn alert(&self, n: u64) -> Result<Presentation> {
        let (actor, key) = &ALL_SERVICES[(n % SERVICES as u64) as usize];
        let at = Instant::from_unix_us(now_us())?;
        let facts = vec![
            ("source", "source/edr-7".into()),
            ("severity", 3.into()),
            ("severity_source", "sev:medium".into()),
            ("techniques", Json::List(vec!["T1059.001".into(), "T1486".into()])),
            ("observed_at", at.as_str().into()),
            ("received_at", at.as_str().into()),
        ];
        let data = vec![
            ("title", format!("Encoded command line on a workstation, case {n}").into()),
            ("host", format!("ws-{:05}.example.org", n % 20_000).into()),
        ];
        let stream = format!("alert/A-{}", n / ALERTS_PER_STREAM).parse()?;
        say(actor, key, &self.audience, None, stream, Vec::new(), "alert.received", facts, data)
    }
}

fn audience(ledger: &Ledger) -> Result<String> {
    Ok(ledger.read(|store| Ok(read::open_keyring(store)?.keyring.audience().to_owned()))?)
}

fn jwk(key: &SecretKey) -> Result<Json> {
    Ok(Json::parse(print(key.public()).as_bytes())?)
}

#[allow(clippy::too_many_arguments, reason = "they are the statement")]
fn say(
    actor: &ActorId,
    key: &SecretKey,
    aud: &str,
    seen: Option<Seen>,
    sub: Id,
    about: Vec<Id>,
    event: &str,
    facts: Vec<(&str, Json)>,
    data: Vec<(&str, Json)>,
) -> Result<Presentation> {
    let named = |pairs: Vec<(&str, Json)>| pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let now_us = now_us();
    let draft = Draft {
        iss: actor.clone(),
        attributed: None,
        aud: aud.to_owned(),
        jti: Jti::v7((now_us / 1000).unsigned_abs(), random()),
        iat: now_us / 1_000_000,
        sub,
        about,
        event: event.to_owned(),
        occurred: Some(Instant::from_unix_us(now_us)?),
        precision: Precision::Second,
        seen,
        cause: Vec::new(),
        corrects: Vec::new(),
        via: Via::Api,
        facts: named(facts),
        data: named(data),
    };
    let kid: Hash = thumbprint(key.public());
    let unsigned = draft.build(&kid, random).with_context(|| event.to_owned())?;
    let signature = key.sign(unsigned.signing_input().as_bytes());
    Ok(unsigned.signed(&signature))
}
