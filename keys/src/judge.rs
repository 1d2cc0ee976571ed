//! The judge: whether a statement may enter the log at its place (FORMAT.md §5). Pure: it sees the keyring and, through
//! [`History`], what came before; the ledger asks it before it writes, and a verifier asks it again for every entry, so that
//! nothing that an operator slipped past the one gets past the other.

use std::cell::RefCell;
use std::fmt;

use blotter_record::{
    ActorId, Decision, ErasureItem, Event, EventName, Hash, Id, Instant, Jti, Objection, Past, PastEntry, Policy,
    RULES_1, Role, Seen, Standing, Statement, Unreadable, Who, is_trust_stream, limits,
};

use crate::ed25519::PublicKey;
use crate::keyring::{Approval, Hold, Keyring};
use crate::note::VerifierKey;
use crate::possession::Possession;

/// What came before, as far as the judge must look back.
pub trait History {
    /// Why a look back failed: storage, mostly.
    type Error;

    /// The stream of that id, compared without case.
    ///
    /// # Errors
    /// If it could not be looked up.
    fn stream(&self, id: &Id) -> Result<Option<StreamState>, Self::Error>;

    /// Seq and leaf hash of entry `n` of a stream that is there.
    ///
    /// # Errors
    /// If it could not be looked up.
    fn entry_of(&self, stream: &Id, n: u64) -> Result<Option<(u64, Hash)>, Self::Error>;

    /// Root of the tree over the first `size` entries; `None` if the log has fewer.
    ///
    /// # Errors
    /// If it could not be looked up.
    fn root_at(&self, size: u64) -> Result<Option<Hash>, Self::Error>;

    /// The entry that holds the statement of that id.
    ///
    /// # Errors
    /// If it could not be looked up.
    fn statement(&self, jti: &Jti) -> Result<Option<Said>, Self::Error>;

    /// Entries of a stream from its entry `from` on, at most `limit`; none if there are no more.
    ///
    /// # Errors
    /// If they could not be looked up.
    fn entries_of(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<Said>, Self::Error>;
}

/// A statement of the log, found by its id.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its entry.
    pub seq: u64,
    /// The entry's leaf hash.
    pub leaf: Hash,
    /// The statement; `None` if the entry was expunged.
    pub statement: Option<Statement>,
}

/// The head of a stream and what the judge must know of its past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// Its id, as first written.
    pub id: Id,
    /// Its entries.
    pub count: u64,
    /// Leaf hash of the last.
    pub leaf: Hash,
    /// Whether an import began it.
    pub imported: bool,
    /// The blocking decisions in it.
    pub blocking: Blocking,
}

/// The blocking decisions of a stream, as far as is needed to tell, for any actor, the last one by another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocking {
    /// The last one: its number in the stream and its actor.
    pub last: Option<(u64, ActorId)>,
    /// The last one by somebody else than the actor of `last`.
    pub last_by_other: Option<u64>,
}

impl Blocking {
    /// Takes note of a blocking decision.
    pub fn note(&mut self, n: u64, actor: &ActorId) {
        if let Some((last_n, last_actor)) = &self.last
            && last_actor != actor
        {
            self.last_by_other = Some(*last_n);
        }
        self.last = Some((n, actor.clone()));
    }

    /// The number of the last blocking decision by another than `actor`.
    pub fn last_not_by(&self, actor: &ActorId) -> Option<u64> {
        match &self.last {
            Some((n, by)) if by != actor => Some(*n),
            _ => self.last_by_other,
        }
    }
}

/// Whether a statement's event is a blocking decision, for [`Blocking::note`].
pub fn is_blocking(statement: &Statement) -> bool {
    statement.event.known().is_some_and(|event| event.rule().decision == Decision::Blocks)
}

/// The id of the `phase.refused` that records the refusal of a statement (FORMAT.md §6.7).
pub fn refusal_jti(refused: &str) -> Jti {
    let digest = Hash::of(format!("blotter/refused/1\n{refused}").as_bytes());
    Jti::v8(digest.0[..16].try_into().expect("16 of 32 bytes"))
}

/// Why a statement may not enter the log. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for another ledger.
    #[error("aud: it is for another ledger; this one is {wanted}")]
    Audience {
        /// This ledger.
        wanted: String,
    },
    /// Another statement has its id.
    #[error("jti: {jti} is already taken, by entry {seq}, which says something else")]
    JtiTaken {
        /// The id.
        jti: Jti,
        /// The entry.
        seq: u64,
    },
    /// The key can't sign it: unknown, another's, revoked or expired.
    #[error("kid: {0}")]
    Key(String),
    /// The signature does not verify.
    #[error("the signature does not verify under the key {kid}")]
    Signature {
        /// Thumbprint of the key.
        kid: Hash,
    },
    /// `iat` is in the future.
    #[error("iat: {ahead_seconds} s ahead of the ledger's clock; at most 300 s; check the clocks")]
    Future {
        /// How far.
        ahead_seconds: i64,
    },
    /// `seen` is missing where it must not be.
    #[error("seen: missing; {why}")]
    SeenMissing {
        /// Why it is needed.
        why: &'static str,
    },
    /// `seen` does not describe this log.
    #[error("seen: {0}")]
    SeenWrong(String),
    /// Another actor decided something in the meantime.
    #[error("seen: since then {by} decided something in {stream} (its entry {n}); look at it and decide again")]
    Stale {
        /// The stream.
        stream: Id,
        /// Number of that decision in the stream.
        n: u64,
        /// Who decided; empty if it was several.
        by: String,
    },
    /// The actor may not say this.
    #[error("not allowed: {event} is for {}; {actor} is none of them", .wanted.join(", "))]
    Role {
        /// The event.
        event: String,
        /// Who tried.
        actor: ActorId,
        /// Who may.
        wanted: Vec<String>,
    },
    /// A rule of that event forbids it.
    #[error("{at}: {what}")]
    Rule {
        /// Where.
        at: &'static str,
        /// What.
        what: String,
    },
    /// A stream differs only in case from one that is there.
    #[error("{id}: differs only in case from {there}, which is there already")]
    Case {
        /// The id.
        id: Id,
        /// The one that is there.
        there: Id,
    },
    /// This program does not know the event, or the rules in force.
    #[error("{0}: not in the rules that this program knows")]
    Unknown(String),
    /// The process forbids it.
    #[error("gates are unmet: {0}")]
    Policy(blotter_record::Unmet),
}

impl Refusal {
    /// A stable code for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "wrong-ledger",
            Self::JtiTaken { .. } => "jti-taken",
            Self::Key(_) => "key-not-usable",
            Self::Signature { .. } => "bad-signature",
            Self::Future { .. } => "iat-in-future",
            Self::SeenMissing { .. } => "seen-missing",
            Self::SeenWrong(_) => "seen-wrong",
            Self::Stale { .. } => "seen-stale",
            Self::Role { .. } => "role-missing",
            Self::Rule { .. } => "rule",
            Self::Case { .. } => "case-differs",
            Self::Unknown(_) => "unknown-event",
            Self::Policy(_) => "gate-unmet",
        }
    }
}

/// A refusal, or a failure to look back.
#[derive(Debug)]
pub enum Judgement<E> {
    /// The statement may not enter.
    Refused(Refusal),
    /// The history could not be read.
    Failed(E),
}

impl<E> From<Refusal> for Judgement<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: fmt::Display> fmt::Display for Judgement<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Where a statement is about to land.
#[derive(Debug, Clone)]
pub struct Place {
    /// The number of its entry: entries 0 to seq − 1 are the log.
    pub seq: u64,
    /// The entry's `recorded`.
    pub recorded: Instant,
    /// The `recorded` of the entry before; `None` if that was expunged.
    pub previous: Option<Instant>,
}

/// Judges a statement whose shape is right and whose signature verifies. Entry 0 is not judged here but by
/// [`Keyring::found`].
///
/// # Errors
/// The first rule that it breaks, or a failure of `history`.
pub fn judge<H: History>(
    statement: &Statement,
    place: &Place,
    keyring: &Keyring,
    history: &H,
    policy: &mut dyn Policy,
) -> Result<(), Judgement<H::Error>> {
    let case = Case { statement, place, keyring, history };
    case.check_ledger_and_key()?;
    case.check_streams()?;
    case.check_seen()?;
    match &statement.attributed {
        Some(attribution) if attribution.auth.kind() == "import" => case.check_imported(&attribution.actor)?,
        Some(attribution) => {
            case.check_token(&attribution.actor, &attribution.auth)?;
            case.check_who()?;
        }
        None => {
            case.check_notary()?;
            case.check_who()?;
        }
    }
    case.check_event()?;
    case.check_policy(policy)
}

/// The history as a policy sees it; why it could not be read is kept aside.
struct Seeing<'a, H: History> {
    history: &'a H,
    failed: RefCell<Option<H::Error>>,
}

impl<H: History> Seeing<'_, H> {
    fn note<T>(&self, found: Result<T, H::Error>) -> Result<T, Unreadable> {
        found.map_err(|error| {
            self.failed.replace(Some(error));
            Unreadable
        })
    }
}

impl<H: History> Past for Seeing<'_, H> {
    fn entries(&self, stream: &Id, from: u64, limit: usize) -> Result<Vec<PastEntry>, Unreadable> {
        let found = self.note(self.history.entries_of(stream, from, limit))?;
        Ok(found.into_iter().map(|said| PastEntry { seq: said.seq, statement: said.statement }).collect())
    }

    fn statement(&self, jti: &Jti) -> Result<Option<PastEntry>, Unreadable> {
        let found = self.note(self.history.statement(jti))?;
        Ok(found.map(|said| PastEntry { seq: said.seq, statement: said.statement }))
    }
}

fn rule<E>(at: &'static str, what: impl Into<String>) -> Judgement<E> {
    Judgement::Refused(Refusal::Rule { at, what: what.into() })
}

struct Case<'a, H> {
    statement: &'a Statement,
    place: &'a Place,
    keyring: &'a Keyring,
    history: &'a H,
}

type Verdict<H> = Result<(), Judgement<<H as History>::Error>>;

impl<H: History> Case<'_, H> {
    fn look<T>(&self, found: Result<T, H::Error>) -> Result<T, Judgement<H::Error>> {
        found.map_err(Judgement::Failed)
    }

    /// FORMAT.md §5.3: the ledger, the id, the key and the clock.
    fn check_ledger_and_key(&self) -> Verdict<H> {
        let (statement, keyring) = (self.statement, self.keyring);
        if statement.aud != keyring.audience {
            return Err(Refusal::Audience { wanted: keyring.audience.clone() }.into());
        }
        let key = match keyring.key(&statement.kid) {
            None => return Err(Refusal::Key(format!("{}: no such key in this ledger", statement.kid)).into()),
            Some(key) => key,
        };
        let why_not = if key.actor != statement.iss {
            Some(format!("belongs to {}, not to {}", key.actor, statement.iss))
        } else if let Some(seq) = key.revoked_seq {
            Some(format!("revoked by entry {seq}"))
        } else if key.expires.as_ref().is_some_and(|expires| self.place.recorded >= *expires) {
            Some("expired".to_owned())
        } else {
            None
        };
        if let Some(why) = why_not {
            return Err(Refusal::Key(format!("{}: {why}", statement.kid)).into());
        }
        let ahead_seconds = statement.iat - self.place.recorded.unix_us().div_euclid(1_000_000);
        if ahead_seconds > limits::IAT_AHEAD_SECONDS_MAX {
            return Err(Refusal::Future { ahead_seconds }.into());
        }
        if let EventName::Unknown(name) = &statement.event {
            return Err(Refusal::Unknown(name.clone()).into());
        }
        match self.look(self.history.statement(&statement.jti))? {
            Some(said) => Err(Refusal::JtiTaken { jti: statement.jti, seq: said.seq }.into()),
            None => Ok(()),
        }
    }

    fn check_streams(&self) -> Verdict<H> {
        for id in self.statement.streams() {
            if let Some(state) = self.look(self.history.stream(id))?
                && state.id != *id
            {
                return Err(Refusal::Case { id: id.clone(), there: state.id }.into());
            }
        }
        match self.statement.digests.iter().find_map(|digest| self.keyring.erased_by(digest)) {
            Some(order) => Err(rule("data", format!("a value that was erased by order {order} can't come back"))),
            None => Ok(()),
        }
    }

    /// FORMAT.md §5.4: what the signer had before them.
    fn check_seen(&self) -> Verdict<H> {
        let statement = self.statement;
        let decision = statement.event.known().map_or(Decision::No, |event| event.rule().decision);
        let Some(seen) = &statement.seen else {
            let why = if statement.attributed.is_some() {
                return Ok(());
            } else if statement.iss.kind() == "person" {
                "a person signs what they had seen"
            } else if decision != Decision::No {
                "a decision rests on what was seen"
            } else if matches!(statement.sub.kind(), "actor" | "policy") {
                "a statement on keys, roles or policy rests on what was seen"
            } else {
                return Ok(());
            };
            return Err(Refusal::SeenMissing { why }.into());
        };
        if statement.attributed.is_some() {
            return Err(Refusal::SeenWrong("a notarised statement has none".to_owned()).into());
        }
        self.check_seen_is_of_this_log(seen)?;
        if decision != Decision::Blocks {
            return Ok(());
        }
        let state = self.look(self.history.stream(&statement.sub))?;
        let blocking = state.as_ref().and_then(|state| state.blocking.last_not_by(&statement.iss));
        match (blocking, seen.last) {
            (Some(n), Some((seen_n, _))) if n <= seen_n => Ok(()),
            (Some(n), _) => {
                let by = state.and_then(|state| state.blocking.last.filter(|(last, _)| *last == n));
                let by = by.map_or_else(|| "somebody else".to_owned(), |(_, actor)| actor.to_string());
                Err(Refusal::Stale { stream: statement.sub.clone(), n, by }.into())
            }
            (None, _) => Ok(()),
        }
    }

    fn check_seen_is_of_this_log(&self, seen: &Seen) -> Verdict<H> {
        let wrong = |what: String| Err(Refusal::SeenWrong(what).into());
        if seen.size > self.place.seq {
            return wrong(format!("size {} is beyond this log's {}", seen.size, self.place.seq));
        }
        if self.look(self.history.root_at(seen.size))? != Some(seen.root) {
            return wrong(format!("root is not this log's at size {}: one of the two was rewritten", seen.size));
        }
        let Some((n, leaf)) = seen.last else { return Ok(()) };
        match self.look(self.history.entry_of(&self.statement.sub, n))? {
            Some((seq, there)) if there == leaf && seq < seen.size => Ok(()),
            Some((_, there)) if there == leaf => {
                wrong(format!("entry {n} of {} is not within the checkpoint of size {}", self.statement.sub, seen.size))
            }
            _ => wrong(format!("leaf is not that of entry {n} of {}", self.statement.sub)),
        }
    }

    /// FORMAT.md §5.6: imported history enters only streams that an import began, and is about nobody that can sign.
    fn check_imported(&self, actor: &ActorId) -> Verdict<H> {
        let statement = self.statement;
        let import = &statement.attributed.as_ref().expect("checked by the caller: it is attributed").auth;
        if !self.keyring.import_open(import) {
            return Err(rule("auth", format!("{import} is not an open import")));
        }
        if actor.kind() != "imported" || self.keyring.actor(actor).is_none() {
            return Err(rule("for", format!("{actor} is not an enrolled imported actor")));
        }
        let event_ok = match &statement.event {
            EventName::Known(event) => {
                matches!(event.rule().subject, Some("incident" | "alert" | "evidence" | "lesson"))
                    && !Keyring::folds(*event)
            }
            EventName::Custom(_) => true,
            EventName::Unknown(_) => false,
        };
        if !event_ok || statement.streams().any(is_trust_stream) {
            return Err(rule("event", format!("{} can't be imported", statement.event)));
        }
        for id in statement.streams() {
            if self.look(self.history.stream(id))?.is_some_and(|state| !state.imported) {
                return Err(rule(
                    "sub",
                    format!("{id} was not begun by an import, so nothing can be imported into it"),
                ));
            }
        }
        Ok(())
    }

    fn check_token(&self, actor: &ActorId, auth: &Id) -> Verdict<H> {
        let token = self.keyring.tokens.get(auth);
        let usable =
            token.is_some_and(|token| !token.revoked && token.actor == *actor && self.place.recorded < token.expires);
        if !usable {
            return Err(rule("auth", format!("{auth} is not a valid token of {actor}")));
        }
        let decides = self.statement.event.known().is_some_and(|event| event.rule().decision != Decision::No);
        if decides || self.statement.streams().any(is_trust_stream) {
            return Err(rule(
                "event",
                format!("a notarised statement can't be {}: it decides something", self.statement.event),
            ));
        }
        Ok(())
    }

    fn check_notary(&self) -> Verdict<H> {
        let own =
            matches!(self.statement.event.known(), Some(Event::ImportCompleted | Event::KeyAdded | Event::KeyRevoked));
        if self.statement.iss.kind() == "notary" && !own {
            return Err(rule("for", "a notary says this only for somebody else, with for and auth"));
        }
        Ok(())
    }

    /// FORMAT.md §5.3: who may say what.
    fn check_who(&self) -> Verdict<H> {
        let actor = self.statement.actor();
        if self.keyring.actor(actor).is_none() {
            return Err(rule("for", format!("{actor} is not enrolled")));
        }
        let event = match &self.statement.event {
            EventName::Known(event) => *event,
            EventName::Custom(_) | EventName::Unknown(_) => return Ok(()),
        };
        for who in &event.rule().who {
            if self.is_one_of(*who, actor)? {
                return Ok(());
            }
        }
        let wanted = event.rule().who.iter().map(|who| who.word().to_owned()).collect();
        Err(Refusal::Role { event: event.name().to_owned(), actor: actor.clone(), wanted }.into())
    }

    fn is_one_of(&self, who: Who, actor: &ActorId) -> Result<bool, Judgement<H::Error>> {
        let keyring = self.keyring;
        Ok(match who {
            Who::Any => true,
            Who::Person => actor.kind() == "person",
            Who::Own => actor.stream() == self.statement.sub,
            Who::Founder => keyring.bootstrap_open && *actor == keyring.founder,
            Who::Ledger => actor.kind() == "ledger",
            Who::Notary => self.statement.iss.kind() == "notary",
            Who::Role(role) => keyring.holds(actor, role, &self.place.recorded),
            Who::Author => {
                let Some(of) = self.statement.facts.jti("of") else { return Ok(false) };
                let said = self.look(self.history.statement(&of))?;
                said.and_then(|said| said.statement).is_some_and(|said| said.actor() == actor)
            }
        })
    }

    /// FORMAT.md §5.2 and §6: the rules of single events.
    fn check_event(&self) -> Verdict<H> {
        let Some(event) = self.statement.event.known() else { return Ok(()) };
        if self.place.seq == 1
            && !(event == Event::ActorEnrolled && self.statement.facts.word("kind") == Some("ledger"))
        {
            return Err(rule("event", "entry 1 must enrol the ledger's own actor"));
        }
        match event {
            Event::LedgerFounded => Err(rule("event", "a ledger is founded once, by entry 0")),
            Event::RulesAdopted => self.check_rules_adopted(),
            Event::LedgerKeyRotated => self.check_rotation(),
            Event::ActorEnrolled => self.check_enrolment(),
            Event::KeyAdded => self.check_new_key(&self.owner()?),
            Event::KeyRecovered => self.check_recovery(),
            Event::KeyRevoked => self.check_revocation(),
            Event::RoleGranted => self.check_grant(),
            Event::RoleRevoked => self.check_role().map(|_| ()),
            Event::TokenIssued => self.check_token_issued(),
            Event::TokenRevoked => self.check_token_revoked(),
            Event::ImportStarted => match self.keyring.imports.get(&self.statement.sub) {
                Some(_) => Err(rule("sub", "that import was started before")),
                None => Ok(()),
            },
            Event::ImportCompleted if !self.keyring.import_open(&self.statement.sub) => {
                Err(rule("sub", "that import is not open"))
            }
            Event::RecoveryApproved => self.check_recovery_approval(),
            Event::ErasureRequested => self.check_erasure_request(),
            Event::ErasureApproved => self.check_erasure_approval(),
            Event::ErasureExecuted => self.check_erasure(),
            Event::EntryExpunged => self.check_expunging(),
            Event::LegalHoldPlaced | Event::LegalHoldReleased => self.check_hold(event),
            Event::ClockStepped => self.check_clock_step(),
            Event::LedgerOpened | Event::TimeAttested | Event::CheckpointWitnessed => self.check_root("size"),
            Event::LedgerVerified => self.check_root("to"),
            Event::RecordExported => self.check_export(),
            Event::PhaseRefused => self.check_refused(),
            _ => Ok(()),
        }
    }

    /// The rules of the process, if there is one.
    fn check_policy(&self, policy: &mut dyn Policy) -> Verdict<H> {
        let (keyring, actor, recorded) = (self.keyring, self.statement.actor(), &self.place.recorded);
        let has_role = |role| keyring.holds(actor, role, recorded);
        let held_by = |streams: &[&Id]| {
            let covers = |hold: &&Hold| hold.scope == "all" || streams.contains(&&hold.stream);
            // By name, so that it is the same for everybody who asks.
            keyring.holds.values().filter(covers).map(|hold| hold.stream.clone()).min()
        };
        let standing = Standing { recorded, has_role: &has_role, held_by: &held_by };
        let seeing = Seeing { history: self.history, failed: RefCell::new(None) };
        let judged = policy.admit(self.statement, &standing, &seeing);
        if let Some(error) = seeing.failed.into_inner() {
            return Err(Judgement::Failed(error));
        }
        match judged {
            Ok(()) => Ok(()),
            Err(Objection::Unmet(unmet)) => Err(Refusal::Policy(unmet).into()),
            Err(Objection::Role(wanted)) => {
                let wanted = wanted.into_iter().map(|role| role.name().to_owned()).collect();
                let event = self.statement.event.as_str().to_owned();
                Err(Refusal::Role { event, actor: actor.clone(), wanted }.into())
            }
            Err(Objection::Unreadable) => unreachable!("only a failure that was kept aside makes the past unreadable"),
        }
    }

    fn owner(&self) -> Result<ActorId, Judgement<H::Error>> {
        let owner = self.keyring.owner_of(&self.statement.sub);
        owner.ok_or_else(|| rule("sub", format!("{} is the stream of no enrolled actor", self.statement.sub)))
    }

    fn check_rules_adopted(&self) -> Verdict<H> {
        let version = self.statement.facts.word("rules_version").unwrap_or_default();
        if version != RULES_1.version() || self.statement.facts.word("rules_sha256") != Some(&RULES_1.sha256_hex()) {
            return Err(Refusal::Unknown(format!("rules {version}")).into());
        }
        Ok(())
    }

    fn unused_key(&self, at: &'static str, bytes: &[u8; 32]) -> Result<PublicKey, Judgement<H::Error>> {
        if self.keyring.used.contains(bytes) {
            return Err(rule(at, "this key was enrolled before; a key has one actor and one purpose, ever"));
        }
        PublicKey::from_bytes(bytes).map_err(|e| rule(at, e.to_string()))
    }

    fn check_rotation(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let current = self.keyring.ledger_keys.last().expect("a founded ledger has a key");
        let (old, new) = (facts.word("old_vkey").unwrap_or_default(), facts.word("new_vkey").unwrap_or_default());
        if old != current.vkey.to_string() {
            return Err(rule("facts.old_vkey", "not the key in force"));
        }
        let vkey: VerifierKey = new.parse().map_err(|_| rule("facts.new_vkey", "not a verifier key for Ed25519"))?;
        if vkey.name().as_str() != self.keyring.origin.as_str() {
            return Err(rule("facts.new_vkey", "not named like the origin"));
        }
        self.unused_key("facts.new_vkey", vkey.key().as_bytes())?;
        if facts.int("from_size").and_then(|n| u64::try_from(n).ok()) != Some(self.place.seq + 1) {
            return Err(rule("facts.from_size", format!("must be {} here; build it again", self.place.seq + 1)));
        }
        self.approval("approval", Event::RotationApproved, |approval| approval.new_vkey.as_deref() == Some(new))
    }

    fn approval(&self, at: &'static str, event: Event, fits: impl Fn(&Approval) -> bool) -> Verdict<H> {
        let jti = self.statement.facts.jti(at);
        let approval = jti.and_then(|jti| self.keyring.approvals.get(&jti)).filter(|approval| approval.event == event);
        let what = match approval {
            None => format!("must name a {} in this ledger", event.name()),
            Some(approval) if approval.used => "was used before".to_owned(),
            Some(approval) if approval.by == self.statement.iss => "must be by another person".to_owned(),
            Some(approval) if !fits(approval) => "is for something else".to_owned(),
            Some(_) => return Ok(()),
        };
        Err(rule(at, what))
    }

    fn check_enrolment(&self) -> Verdict<H> {
        let statement = self.statement;
        let kind = statement.facts.word("kind").unwrap_or_default();
        let actor: ActorId = format!("{kind}/{}", statement.sub.name())
            .parse()
            .map_err(|_| rule("sub", "actor/<name of the new actor> is wanted"))?;
        let taken = self.keyring.names.contains_key(&actor.name().to_ascii_lowercase());
        if taken || self.look(self.history.stream(&statement.sub))?.is_some() {
            return Err(rule("sub", format!("the name {} is taken; no two actors share one", actor.name())));
        }
        if kind == "ledger" && self.place.seq != 1 {
            return Err(rule("facts.kind", "the ledger's own actor is enrolled by entry 1, and only there"));
        }
        if kind == "imported" {
            let keyless = statement.facts.get("jwk").is_none() && statement.facts.get("proof").is_none();
            return if keyless { Ok(()) } else { Err(rule("facts.jwk", "an imported actor has no key")) };
        }
        self.check_new_key(&actor)
    }

    fn check_new_key(&self, actor: &ActorId) -> Verdict<H> {
        let facts = &self.statement.facts;
        let bytes = facts.jwk("jwk").ok_or_else(|| rule("facts.jwk", "missing; only imported actors have no key"))?;
        let public = self.unused_key("facts.jwk", &bytes)?;
        let proof = facts.word("proof").ok_or_else(|| rule("facts.proof", "missing"))?;
        let said = Possession::verify(proof, &public).map_err(|e| rule("facts.proof", e.to_string()))?;
        let fits = said.actor == *actor && said.aud == self.keyring.audience && said.enroller == self.statement.iss;
        if fits { Ok(()) } else { Err(rule("facts.proof", "is for another actor, ledger or enroller")) }
    }

    fn check_recovery(&self) -> Verdict<H> {
        let owner = self.owner()?;
        if owner.kind() == "imported" {
            return Err(rule("sub", "an imported actor has no key"));
        }
        self.check_new_key(&owner)?;
        let jwk = self.statement.facts.jwk("jwk");
        self.approval("approval", Event::RecoveryApproved, |approval| {
            approval.by != owner
                && approval.recovered.as_ref().is_some_and(|(actor, key)| *actor == owner && Some(*key) == jwk)
        })
    }

    fn check_recovery_approval(&self) -> Verdict<H> {
        if self.owner()? == self.statement.iss {
            return Err(rule("sub", "nobody approves their own recovery"));
        }
        Ok(())
    }

    fn check_revocation(&self) -> Verdict<H> {
        let owner = self.owner()?;
        let key = self.statement.facts.hash("kid").and_then(|kid| self.keyring.key(&kid));
        match key {
            Some(key) if key.actor == owner && key.revoked_seq.is_none() => Ok(()),
            Some(key) if key.actor == owner => Err(rule("facts.kid", "revoked before")),
            _ => Err(rule("facts.kid", format!("not a key of {owner}"))),
        }
    }

    fn check_role(&self) -> Result<(ActorId, Role), Judgement<H::Error>> {
        let owner = self.owner()?;
        let word = self.statement.facts.word("role").unwrap_or_default();
        let role = Role::from_name(word).ok_or_else(|| {
            let known: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
            rule("facts.role", format!("no such role; the roles are {}", known.join(", ")))
        })?;
        Ok((owner, role))
    }

    /// FORMAT.md §5.2: never to oneself, never by who enrolled the actor, never by an admin; the founder is bound by the
    /// last two only once the bootstrap is closed.
    fn check_grant(&self) -> Verdict<H> {
        let (owner, role) = self.check_role()?;
        let granter = &self.statement.iss;
        let actor = self.keyring.actor(&owner).expect("the owner of a stream is enrolled");
        let founding = self.keyring.bootstrap_open && *granter == self.keyring.founder;
        if owner == *granter {
            return Err(rule("sub", "nobody grants a role to themselves"));
        }
        if !founding && actor.enrolled_by == *granter {
            return Err(rule("sub", "who enrolled an actor can't grant it a role"));
        }
        if !founding && self.keyring.holds(granter, Role::Admin, &self.place.recorded) {
            return Err(rule("iss", "an admin can't grant roles"));
        }
        let for_kind = if role == Role::Service { "service" } else { "person" };
        if owner.kind() != for_kind {
            return Err(rule("facts.role", format!("{} is a role of a {for_kind}, not of {owner}", role.name())));
        }
        let held = |role: &Role| self.keyring.holds(&owner, *role, &self.place.recorded);
        let admin_with_others = if role == Role::Admin {
            actor.roles.keys().any(|other| *other != Role::Admin && held(other))
        } else {
            actor.roles.contains_key(&Role::Admin) && held(&Role::Admin)
        };
        if admin_with_others {
            return Err(rule("facts.role", "admin goes with no other role: an admin can't decide an incident"));
        }
        Ok(())
    }

    fn check_token_issued(&self) -> Verdict<H> {
        let owner = self.owner()?;
        if !matches!(owner.kind(), "person" | "service") {
            return Err(rule("sub", "a token is for a person or a service"));
        }
        match self.statement.facts.id("token").is_some_and(|token| self.keyring.tokens.contains_key(token)) {
            true => Err(rule("facts.token", "that token was issued before")),
            false => Ok(()),
        }
    }

    fn check_token_revoked(&self) -> Verdict<H> {
        let owner = self.owner()?;
        let token = self.statement.facts.id("token").and_then(|token| self.keyring.tokens.get(token));
        match token {
            Some(token) if token.actor == owner && !token.revoked => Ok(()),
            _ => Err(rule("facts.token", format!("not a valid token of {owner}"))),
        }
    }

    fn check_erasure_request(&self) -> Verdict<H> {
        let items = self.statement.facts.items("items");
        if items.is_empty() {
            return Err(rule("facts.items", "empty"));
        }
        for item in items {
            let Some(said) = self.look(self.history.statement(&item.jti))? else {
                return Err(rule("facts.items", format!("no statement {}", item.jti)));
            };
            let there = match &said.statement {
                _ if item.field == "*" => said.leaf == item.digest,
                Some(said) => said.fields.contains(&item.field) && said.digests.contains(&item.digest),
                None => false,
            };
            if !there {
                return Err(rule("facts.items", format!("statement {} has no such value {}", item.jti, item.field)));
            }
        }
        Ok(())
    }

    fn check_erasure_approval(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let Some(request) = facts.jti("request").and_then(|jti| self.keyring.erasure_requests.get(&jti)) else {
            return Err(rule("facts.request", "must name an erasure.requested in this ledger"));
        };
        if request.by == self.statement.iss {
            return Err(rule("iss", "who requested an erasure can't approve it"));
        }
        if !same_items(&request.items, &facts.items("items")) {
            return Err(rule("facts.items", "not the items of the request"));
        }
        Ok(())
    }

    fn check_erasure(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let jti = facts.jti("request").expect("a required fact");
        let Some(request) = self.keyring.erasure_requests.get(&jti) else {
            return Err(rule("facts.request", "must name an erasure.requested in this ledger"));
        };
        if request.executed {
            return Err(rule("facts.request", "executed before"));
        }
        let items = facts.items("items");
        if !same_items(&request.items, &items) {
            return Err(rule("facts.items", "not the items of the request"));
        }
        if items.iter().any(|item| item.field == "*") {
            return Err(rule("facts.items", "a whole entry is expunged, with entry.expunged, not erased"));
        }
        let mut by: Vec<&ActorId> = Vec::new();
        for approval in facts.jtis("approvals") {
            match self.keyring.approvals.get(&approval) {
                Some(approval) if approval.event == Event::ErasureApproved && approval.request == Some(jti) => {
                    by.push(&approval.by);
                }
                _ => return Err(rule("facts.approvals", format!("{approval} does not approve this request"))),
            }
        }
        by.sort_unstable();
        by.dedup();
        if by.len() < 2 {
            return Err(rule("facts.approvals", "two people other than the requester must have approved"));
        }
        self.check_no_hold(&items)
    }

    fn check_no_hold(&self, items: &[&ErasureItem]) -> Verdict<H> {
        for item in items {
            let said = self.look(self.history.statement(&item.jti))?;
            let Some(said) = said.and_then(|said| said.statement) else { continue };
            let covering = self.keyring.holds.iter().find(|(_, hold)| {
                let concerned = said.streams().any(|stream| *stream == hold.stream);
                match hold.scope.as_str() {
                    "all" => true,
                    "evidence" => concerned && said.sub.kind() == "evidence",
                    _ => concerned,
                }
            });
            if let Some((hold, _)) = covering {
                return Err(rule("hold", format!("statement {} is under the legal hold {hold}", item.jti)));
            }
        }
        Ok(())
    }

    /// FORMAT.md §6.1: `from` is the entry before's `recorded`, `to` this one's.
    fn check_clock_step(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let from_fits = self.place.previous.is_none() || facts.instant("from") == self.place.previous.as_ref();
        if from_fits && facts.instant("to") == Some(&self.place.recorded) {
            return Ok(());
        }
        Err(rule("facts.from", "from and to must be what the entry before and this one were recorded at"))
    }

    /// FORMAT.md §6.6: a root that a fact names is this log's.
    fn check_root(&self, size: &'static str) -> Verdict<H> {
        let facts = &self.statement.facts;
        let named = facts.int(size).and_then(|size| u64::try_from(size).ok()).filter(|size| *size <= self.place.seq);
        let root = named.map(|size| self.look(self.history.root_at(size))).transpose()?.flatten();
        if root.is_some() && root == facts.hash("root") {
            return Ok(());
        }
        Err(rule("facts.root", format!("is not this log's at {size}")))
    }

    /// FORMAT.md §6.6: an export names the heads of its streams as they were at its size.
    fn check_export(&self) -> Verdict<H> {
        self.check_root("size")?;
        let size = self.statement.facts.int("size").and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
        for head in self.statement.facts.heads("heads") {
            let count = head.count.unsigned_abs();
            let last = self.look(self.history.entry_of(&head.stream, count - 1))?;
            let next = self.look(self.history.entry_of(&head.stream, count))?;
            let is_last = last.is_some_and(|(seq, leaf)| seq < size && leaf == head.leaf);
            if !is_last || next.is_some_and(|(seq, _)| seq < size) {
                return Err(rule("facts.heads", format!("{} had another head at size {size}", head.stream)));
            }
        }
        Ok(())
    }

    /// FORMAT.md §6.7: what was refused was really said, by whoever it names, to this ledger, in this incident; nobody is
    /// said to have tried what they did not sign.
    fn check_refused(&self) -> Verdict<H> {
        let wrong = |what: String| rule("facts.refused", what);
        let jws = self.statement.facts.word("refused").expect("a required fact");
        let refused = Statement::parse(jws).map_err(|error| wrong(error.to_string()))?;
        let Self { place, keyring, history, .. } = *self;
        match (Case { statement: &refused, place, keyring, history }).check_ledger_and_key() {
            Ok(()) => {}
            Err(Judgement::Refused(refusal)) => return Err(wrong(refusal.to_string())),
            Err(failed) => return Err(failed),
        }
        let key = keyring.key(&refused.kid).expect("just checked: it is there");
        if key.public.verify(refused.signing_input(), refused.signature()).is_err() {
            return Err(wrong(Refusal::Signature { kid: refused.kid }.to_string()));
        }
        if !is_blocking(&refused) || !refused.streams().any(|stream| *stream == self.statement.sub) {
            return Err(wrong(format!("not a decision in {}", self.statement.sub)));
        }
        if self.statement.jti != refusal_jti(jws) {
            return Err(rule("jti", "not the one that is derived from the refused statement"));
        }
        Ok(())
    }

    /// FORMAT.md §6.3: a hold is placed once, and released where it was placed.
    fn check_hold(&self, event: Event) -> Verdict<H> {
        let hold = self.statement.facts.id("hold").and_then(|hold| self.keyring.holds.get(hold));
        match hold {
            None if event == Event::LegalHoldPlaced => Ok(()),
            None => Err(rule("facts.hold", "no such hold is in force")),
            Some(_) if event == Event::LegalHoldPlaced => Err(rule("facts.hold", "a hold of that id is in force")),
            Some(hold) if hold.stream != self.statement.sub => {
                Err(rule("sub", format!("that hold was placed in {}", hold.stream)))
            }
            Some(_) => Ok(()),
        }
    }

    /// FORMAT.md §6.5: two persons, and never in a stream that trust rests on.
    fn check_expunging(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let leaf = facts.hash("leaf").expect("a required fact");
        let approvals = facts.jtis("approvals");
        let approved = |jti: &Jti| {
            let approval = self.keyring.approvals.get(jti)?;
            let item = approval.items.iter().find(|item| item.field == "*" && item.digest == leaf)?;
            (approval.by != self.statement.iss && !approval.used).then_some(item)
        };
        let Some(item) = approvals.iter().find_map(approved) else {
            return Err(rule(
                "facts.approvals",
                "an unused erasure.approved of this entry by another person is wanted",
            ));
        };
        let found = self.look(self.history.statement(&item.jti))?;
        let Some((found, said)) =
            found.and_then(|found| Some((found.seq, found.statement?)).filter(|_| found.leaf == leaf))
        else {
            return Err(rule("facts.approvals", "approves no entry that is still there"));
        };
        if facts.int("seq").and_then(|n| u64::try_from(n).ok()) != Some(found) {
            return Err(rule("facts.seq", "not the entry that was approved"));
        }
        if said.streams().any(is_trust_stream) || said.event.known().is_some_and(Keyring::folds) {
            return Err(rule(
                "facts.seq",
                "an entry that says whom to trust, what is held or what was erased can't be expunged",
            ));
        }
        self.check_no_hold(&[item])
    }
}

fn same_items(request: &[ErasureItem], items: &[&ErasureItem]) -> bool {
    request.len() == items.len() && request.iter().zip(items).all(|(a, b)| a == *b)
}
