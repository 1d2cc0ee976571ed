//! The judge: whether a statement may enter the log at its place (FORMAT.md §5). Pure: it sees the keyring and, through
//! [`History`], what came before; the ledger asks it before it writes, and a verifier asks it again for every entry, so that
//! nothing that an operator slipped past the one gets past the other.

mod authority;
mod erasure;
mod keys;
mod log_facts;
mod policy;
mod refusal;
mod statement;

use blotter_record::{ActorId, Decision, Event, Hash, Id, Instant, Jti, Policy, Statement};

pub use self::refusal::{Judgement, Refusal};
use crate::keyring::Keyring;

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
}
