//! A log in memory that admits statements as a ledger does: built by a draft, signed, read back, and judged by the judge of
//! keys with a real keyring and the process as its policy. It has no tree: every signer has seen nothing of it.

use std::collections::HashMap;
use std::convert::Infallible;

use blotter_keys::ed25519::SecretKey;
use blotter_keys::judge::{History, Judgement, Place, Refusal, Said, StreamState, judge};
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::keyring::Keyring;
use blotter_keys::note::VerifierKey;
use blotter_process::{Incident, Process};
use blotter_record::{
    About, Attribution, Decision, Draft, Entry, Event, FactType, Gate, Hash, Id, Instant, Json, Jti, Past, PastEntry,
    Policy, Precision, RULES_1, Role, Seen, Statement, StreamLink, Unreadable, Via, genesis_prev,
};

const ORIGIN: &str = "example.org/soc";
/// 2026-11-23T12:00:00Z.
const NOON_US: i64 = 1_795_435_200_000_000;
/// The incident that most tests are about.
pub(crate) const INC: &str = "incident/INC-1";
/// A statement's id that nobody has.
pub(crate) const NOBODYS: &str = "0193a5f0-0000-7000-8000-00000000dead";

/// Everybody, and their one role; a second person where two are needed.
pub(crate) const CAST: [(&str, Option<Role>); 19] = [
    ("person/fay", None),
    ("person/ana", Some(Role::SocAnalyst)),
    ("person/abe", Some(Role::SocAnalyst)),
    ("person/mia", Some(Role::SecopsManager)),
    ("person/max", Some(Role::SecopsManager)),
    ("person/cid", Some(Role::Ciso)),
    ("person/gus", Some(Role::GrcLead)),
    ("person/ira", Some(Role::ItOpsLead)),
    ("person/leo", Some(Role::Legal)),
    ("person/dan", Some(Role::Dpo)),
    ("person/kit", Some(Role::Custodian)),
    ("person/sue", Some(Role::ServiceOwner)),
    ("person/aud", Some(Role::Auditor)),
    ("person/ada", Some(Role::Admin)),
    ("person/nob", None),
    ("service/siem", Some(Role::Service)),
    ("notary/not", None),
    ("ledger/own", None),
    ("imported/old", None),
];

/// Why a statement was not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// These gates are unmet.
    Gates(Vec<Gate>),
    /// One of these is wanted.
    Role(Vec<String>),
    /// Anything else; by its code.
    Other(&'static str, String),
}

impl Refused {
    /// The codes of the gates; a test that expected them fails on anything else.
    pub(crate) fn codes(&self) -> Vec<&str> {
        match self {
            Self::Gates(gates) => gates.iter().map(|gate| gate.code.as_str()).collect(),
            other => panic!("not refused by gates: {other:?}"),
        }
    }
}

/// What was recorded so far.
#[derive(Default, Clone)]
pub(crate) struct Record {
    pub(crate) entries: Vec<PastEntry>,
    streams: HashMap<Id, Vec<usize>>,
    jtis: HashMap<Jti, usize>,
}

impl Record {
    fn enter(&mut self, statement: Statement) {
        let seq = self.entries.len();
        for stream in statement.streams() {
            self.streams.entry(stream.clone()).or_default().push(seq);
        }
        self.jtis.insert(statement.jti, seq);
        self.entries.push(PastEntry { seq: seq as u64, statement: Some(statement) });
    }

    /// Entries from `size` on were never there.
    pub(crate) fn cut(&mut self, size: usize) {
        self.entries.truncate(size);
        self.streams.values_mut().for_each(|seqs| seqs.retain(|seq| *seq < size));
        self.jtis.retain(|_, seq| *seq < size);
    }
}

impl Past for Record {
    fn entries(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<PastEntry>, Unreadable> {
        let seqs = self.streams.get(stream).map_or(&[][..], Vec::as_slice);
        Ok(seqs.iter().skip(from as usize).take(limit).map(|seq| self.entries[*seq].clone()).collect())
    }

    fn statement(&self, jti: &Jti) -> Result<Option<PastEntry>, Unreadable> {
        Ok(self.jtis.get(jti).map(|seq| self.entries[*seq].clone()))
    }
}

fn said(entry: PastEntry) -> Said {
    Said { seq: entry.seq, leaf: Hash([0; 32]), statement: entry.statement }
}

impl History for Record {
    type Error = Infallible;

    fn stream(&self, _: &Id) -> Result<Option<StreamState>, Infallible> {
        Ok(None)
    }

    fn entry_of(&self, _: &Id, _: u64) -> Result<Option<(u64, Hash)>, Infallible> {
        Ok(None)
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, Infallible> {
        Ok((size == 1).then_some(Hash([0; 32])))
    }

    fn statement(&self, jti: &Jti) -> Result<Option<Said>, Infallible> {
        Ok(Past::statement(self, jti).unwrap().map(said))
    }

    fn entries_of(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<Said>, Infallible> {
        Ok(self.entries(stream, from, limit).unwrap().into_iter().map(said).collect())
    }
}

/// A statement in the making: whatever facts its event needs, it has.
#[derive(Clone)]
pub(crate) struct Say {
    by: &'static str,
    event: String,
    sub: Id,
    about: Vec<Id>,
    facts: Vec<(String, Json)>,
    data: Vec<(String, Json)>,
    import: Option<&'static str>,
}

/// Somebody says it, of a stream; facts that it needs are filled in.
pub(crate) fn say(by: &'static str, event: &str, sub: &str) -> Say {
    let rule = Event::from_name(event).map(Event::rule);
    let sub: Id = sub.parse().unwrap();
    let mut facts = Vec::new();
    let needed = rule.into_iter().flat_map(|rule| &rule.facts).filter(|fact| !fact.optional);
    for fact in needed {
        let value = match &fact.fact_type {
            FactType::Id(_) if fact.name == sub.kind() => sub.as_str().into(),
            FactType::Actor if fact.name == sub.kind() => format!("person/{}", sub.name()).into(),
            other => any_of(other),
        };
        facts.push((fact.name.to_owned(), value));
    }
    let about = match rule.map(|rule| rule.about) {
        Some(About::OneOrMore(_)) => vec![INC.parse().unwrap()],
        _ => Vec::new(),
    };
    Say { by, event: event.to_owned(), sub, about, facts, data: Vec::new(), import: None }
}

/// Some value of a type.
fn any_of(fact_type: &FactType) -> Json {
    match fact_type {
        FactType::Id(kind) => format!("{kind}/1").into(),
        FactType::Jti => NOBODYS.into(),
        FactType::Actor => "person/ana".into(),
        FactType::Instant => "2026-11-23T11:00:00Z".into(),
        FactType::Duration => "PT4H".into(),
        FactType::Sha256 => Hash::of(b"a document").to_hex().into(),
        FactType::Hash => Hash::of(b"").to_string().into(),
        FactType::Int => Json::Int(0),
        FactType::Bool => Json::Bool(false),
        FactType::Enum(words) => words[0].into(),
        FactType::Code => "c1".into(),
        FactType::Version => "1".into(),
        FactType::Jwk => jwk("person/new"),
        FactType::Jws => "e30.e30.e30".into(),
        FactType::Vkey => vkey().into(),
        FactType::Cosignature => "AAAA".into(),
        FactType::Item | FactType::Head | FactType::List(_) => Json::List(Vec::new()),
    }
}

fn secret(actor: &str) -> SecretKey {
    SecretKey::from_seed(Hash::of(actor.as_bytes()).0)
}

fn jwk(actor: &str) -> Json {
    Json::parse(print(secret(actor).public()).as_bytes()).unwrap()
}

fn vkey() -> String {
    VerifierKey::new(ORIGIN.parse().unwrap(), *secret("checkpoint").public()).to_string()
}

pub(crate) fn list<T: ToString>(items: &[T]) -> Json {
    Json::List(items.iter().map(|item| item.to_string().into()).collect())
}

impl Say {
    /// Sets a fact.
    pub(crate) fn fact(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.facts.retain(|(other, _)| other != name);
        self.facts.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn data(mut self, name: &str) -> Self {
        self.data.push((name.to_owned(), "because".into()));
        self
    }

    /// Instead of the incident of most tests.
    pub(crate) fn about(mut self, streams: &[&str]) -> Self {
        self.about = streams.iter().map(|stream| stream.parse().unwrap()).collect();
        self
    }

    /// Said by the notary, as a piece of history.
    pub(crate) fn imported(mut self) -> Self {
        (self.by, self.import) = ("notary/not", Some("imported/old"));
        self
    }

    /// In another stream.
    pub(crate) fn sub(mut self, sub: &str) -> Self {
        self.sub = sub.parse().unwrap();
        self
    }

    pub(crate) fn by(mut self, by: &'static str) -> Self {
        self.by = by;
        self
    }
}

/// A log, who may say what in it, and the process that watches over it.
pub(crate) struct Log {
    pub(crate) record: Record,
    pub(crate) process: Process,
    keyring: Keyring,
    pub(crate) clock_us: i64,
    count: u64,
}

impl Log {
    /// Founded and staffed, with nothing in it.
    pub(crate) fn new() -> Self {
        let founding = say("person/fay", "ledger.founded", "ledger")
            .fact("origin", ORIGIN)
            .fact("ledger_vkey", vkey())
            .fact("founder", "person/fay")
            .fact("jwk", jwk("person/fay"))
            .fact("rules_version", RULES_1.version())
            .fact("rules_sha256", RULES_1.sha256_hex());
        let founding = statement(&founding, ORIGIN, 0, NOON_US);
        let keyring = Keyring::found(&founding, &Hash([0; 32])).unwrap();
        let mut log =
            Self { record: Record::default(), process: Process::default(), keyring, clock_us: NOON_US, count: 1 };
        for (actor, role) in CAST.into_iter().skip(1) {
            let (kind, name) = actor.split_once('/').unwrap();
            let stream = format!("actor/{name}");
            let enrolment = say("person/fay", "actor.enrolled", &stream).fact("kind", kind);
            log.fold(&if kind == "imported" { enrolment } else { enrolment.fact("jwk", jwk(actor)) });
            if let Some(role) = role {
                log.fold(&say("person/fay", "role.granted", &stream).fact("role", role.name()));
            }
        }
        log.fold(&say("person/gus", "import.started", "import/1"));
        log
    }

    /// Into the keyring alone.
    fn fold(&mut self, said: &Say) {
        let statement = self.statement(said);
        self.apply(&statement);
    }

    fn apply(&mut self, statement: &Statement) {
        let streams = statement.streams().map(|stream| StreamLink { stream: stream.clone(), n: 0, prev: None });
        let entry = Entry {
            seq: self.record.entries.len() as u64,
            prev: genesis_prev(&ORIGIN.parse().unwrap()),
            streams: streams.collect(),
            recorded: self.now(),
            statement: statement.jws().to_owned(),
        };
        self.keyring.apply(&entry, statement);
    }

    fn now(&self) -> Instant {
        Instant::from_unix_us(self.clock_us).unwrap()
    }

    pub(crate) fn statement(&mut self, said: &Say) -> Statement {
        self.count += 1;
        statement(said, self.keyring.audience(), self.count, self.clock_us)
    }

    /// Tries to say it; what is admitted is recorded.
    pub(crate) fn tries(&mut self, said: &Say) -> Result<Jti, Refused> {
        self.clock_us += 1_000_000;
        let statement = self.statement(said);
        let place = Place { seq: self.record.entries.len() as u64 + 2, recorded: self.now(), previous: None };
        match judge(&statement, &place, &self.keyring, &self.record, &mut self.process) {
            Ok(()) => Ok(self.enter(statement)),
            Err(Judgement::Failed(never)) => match never {},
            Err(Judgement::Refused(Refusal::Policy(unmet))) => Err(Refused::Gates(unmet.gates)),
            Err(Judgement::Refused(Refusal::Role { wanted, .. })) => Err(Refused::Role(wanted)),
            Err(Judgement::Refused(other)) => Err(Refused::Other(other.code(), other.to_string())),
        }
    }

    /// Says it, which must be admitted.
    pub(crate) fn say(&mut self, said: Say) -> Jti {
        self.tries(&said).unwrap_or_else(|refused| panic!("{} by {}: {refused:?}", said.event, said.by))
    }

    /// The codes of the gates that stand in its way.
    pub(crate) fn refuses(&mut self, said: Say) -> Vec<String> {
        match self.tries(&said) {
            Err(refused) => refused.codes().into_iter().map(str::to_owned).collect(),
            Ok(_) => panic!("{} was admitted", said.event),
        }
    }

    /// Whoever wants to is asked; nothing is recorded. As in a list of which a later statement is refused: it was entered
    /// and looked at, and then it is gone.
    pub(crate) fn would(&mut self, said: &Say) -> Result<(), Refused> {
        let size = self.record.entries.len();
        let answer = self.tries(said).map(|_| ());
        if answer.is_ok() {
            let gone = self.record.entries[size].statement.clone().unwrap();
            for stream in gone.streams() {
                self.process.incident(stream, &self.record).unwrap();
            }
            self.process.own_gates(&self.record).unwrap();
            self.record.cut(size);
            gone.streams().for_each(|stream| self.process.forget(stream));
        }
        answer
    }

    fn enter(&mut self, statement: Statement) -> Jti {
        self.apply(&statement);
        let jti = statement.jti;
        self.record.enter(statement);
        jti
    }

    /// The state of an incident, as the process remembers it.
    pub(crate) fn incident(&mut self, id: &str) -> Incident {
        self.process.incident(&id.parse().unwrap(), &self.record).unwrap().clone()
    }

    /// The bytes of an entry are taken away.
    pub(crate) fn expunge(&mut self, jti: Jti) {
        let seq = self.record.jtis[&jti];
        self.record.entries[seq].statement = None;
    }
}

fn statement(said: &Say, audience: &str, count: u64, clock_us: i64) -> Statement {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&count.to_be_bytes());
    let decides = Event::from_name(&said.event).is_some_and(|event| event.rule().decision != Decision::No);
    let seen = said.import.is_none()
        && audience.contains('#')
        && (said.by.starts_with("person/") || decides || matches!(said.sub.kind(), "actor" | "policy"));
    let auth: Id = "import/1".parse().unwrap();
    let draft = Draft {
        iss: said.by.parse().unwrap(),
        attributed: said.import.map(|actor| Attribution { actor: actor.parse().unwrap(), auth }),
        aud: audience.to_owned(),
        jti: Jti::v7(NOON_US.unsigned_abs() / 1000, random),
        iat: clock_us / 1_000_000,
        sub: said.sub.clone(),
        about: said.about.clone(),
        event: said.event.clone(),
        occurred: Some(Instant::from_unix_us(clock_us).unwrap()),
        precision: Precision::Second,
        seen: seen.then_some(Seen { last: None, size: 1, root: Hash([0; 32]) }),
        cause: Vec::new(),
        corrects: Vec::new(),
        via: Via::Cli,
        facts: said.facts.clone(),
        data: said.data.clone(),
    };
    let key = secret(said.by);
    let unsigned = draft.build(&thumbprint(key.public()), || [7; 16]);
    let unsigned = unsigned.unwrap_or_else(|error| panic!("{}: {error}", said.event));
    let signature = key.sign(unsigned.signing_input().as_bytes());
    unsigned.signed(&signature).statement
}

impl Log {
    /// Recorded by whoever asks nobody.
    pub(crate) fn forces(&mut self, said: &Say) -> Jti {
        let statement = self.statement(said);
        self.enter(statement)
    }

    /// Whether there is a statement of that event.
    pub(crate) fn has(&self, event: &str) -> bool {
        let mut said = self.record.entries.iter().filter_map(|entry| entry.statement.as_ref());
        said.any(|said| said.event.as_str() == event)
    }
}

impl Say {
    /// Sets a fact where the event has one of that name.
    pub(crate) fn fact_if(self, name: &str, value: &str) -> Self {
        let has = self.facts.iter().any(|(other, _)| other == name);
        if has { self.fact(name, value) } else { self }
    }
}

impl Log {
    /// Gives somebody a further role.
    pub(crate) fn grant(&mut self, actor: &str, role: Role) {
        let stream = format!("actor/{}", actor.split_once('/').unwrap().1);
        self.fold(&say("person/fay", "role.granted", &stream).fact("role", role.name()));
    }
}
