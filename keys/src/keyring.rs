//! The keyring: who could sign what, in which role, at every entry (FORMAT.md §5). It is a fold over the entries of a closed
//! list of events, and knows nothing that they don't say. [`crate::judge`] decides whether a statement may enter the log;
//! only what it let in may be applied here.

use std::collections::{BTreeMap, HashMap, HashSet};

use blotter_record::{ActorId, Entry, ErasureItem, Event, Hash, Id, Instant, Jti, Origin, RULES_1, Role, Statement};

use crate::ed25519::PublicKey;
use crate::jwk::thumbprint;
use crate::note::VerifierKey;

/// Everything that decides who may say what, as of the entry that was applied last.
#[derive(Debug, Clone)]
pub struct Keyring {
    pub(crate) origin: Origin,
    pub(crate) audience: String,
    pub(crate) founder: ActorId,
    pub(crate) bootstrap_open: bool,
    pub(crate) rules_version: String,
    pub(crate) ledger_keys: Vec<LedgerKey>,
    pub(crate) actors: BTreeMap<ActorId, Actor>,
    /// Actors by their lower-cased names: no two share one, whatever their kind.
    pub(crate) names: HashMap<String, ActorId>,
    pub(crate) keys: HashMap<Hash, Key>,
    /// Every public key that was ever given a purpose in this ledger.
    pub(crate) used: HashSet<[u8; 32]>,
    pub(crate) tokens: HashMap<Id, Token>,
    pub(crate) imports: HashMap<Id, bool>,
    pub(crate) approvals: HashMap<Jti, Approval>,
    pub(crate) erasure_requests: HashMap<Jti, ErasureRequest>,
    pub(crate) erased: HashMap<Hash, Jti>,
    pub(crate) expunged: HashMap<u64, Jti>,
    pub(crate) holds: HashMap<Id, Hold>,
}

/// A key that signs checkpoints.
#[derive(Debug, Clone)]
pub struct LedgerKey {
    /// The key with its name, as signed notes have it.
    pub vkey: VerifierKey,
    /// The first checkpoint that it signs has this size.
    pub from_size: u64,
}

/// An actor and what it holds.
#[derive(Debug, Clone)]
pub struct Actor {
    /// Who enrolled it; the founder enrolled themselves.
    pub enrolled_by: ActorId,
    /// The entry that did.
    pub enrolled_seq: u64,
    /// Its roles, each with the instant until which it holds.
    pub roles: BTreeMap<Role, Option<Instant>>,
    /// Thumbprints of its keys, in the order in which they came.
    pub kids: Vec<Hash>,
}

/// A key of an actor.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its owner.
    pub actor: ActorId,
    /// The public half.
    pub public: PublicKey,
    /// The entry that added it.
    pub added_seq: u64,
    /// The entry that revoked it.
    pub revoked_seq: Option<u64>,
    /// From when on it can't be used any more.
    pub expires: Option<Instant>,
    /// Whether it came by recovery; then everything that it signs is shown so.
    pub recovered: bool,
    /// Since when it may have been in other hands, as somebody claims: flags what it signed, invalidates nothing.
    pub compromised_since: Option<Instant>,
}

/// A token that lets an actor without a key speak through the notary, or read. Its secret is known to its holder; the
/// hash of it is a value of the entry that issued it.
#[derive(Debug, Clone)]
pub struct Token {
    /// For whom it speaks.
    pub actor: ActorId,
    /// What it is good for, in words of the server that takes it.
    pub scopes: Vec<String>,
    /// From when on it is no good any more.
    pub expires: Instant,
    /// The entry that issued it.
    pub issued_seq: u64,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A statement by which one person lets another do something.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    pub(crate) event: Event,
    pub(crate) by: ActorId,
    pub(crate) new_vkey: Option<String>,
    pub(crate) recovered: Option<(ActorId, [u8; 32])>,
    pub(crate) request: Option<Jti>,
    pub(crate) items: Vec<ErasureItem>,
    pub(crate) used: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ErasureRequest {
    pub(crate) by: ActorId,
    pub(crate) items: Vec<ErasureItem>,
    pub(crate) executed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) stream: Id,
    pub(crate) scope: String,
}

/// Entry 0 does not found a ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the founding statement: {0}")]
pub struct FoundingError(pub &'static str);

impl Keyring {
    /// The keyring after entry 0, whose leaf hash is `genesis` (FORMAT.md §5.1). The signature is the caller's to verify,
    /// with [`Keyring::key`].
    ///
    /// # Errors
    /// If the statement does not found a ledger in every detail.
    pub fn found(statement: &Statement, genesis: &Hash) -> Result<Self, FoundingError> {
        let fail = FoundingError;
        if statement.event.known() != Some(Event::LedgerFounded) || statement.sub != Id::ledger() {
            return Err(fail("entry 0 must be ledger.founded"));
        }
        let facts = &statement.facts;
        let origin: Origin = facts
            .word("origin")
            .and_then(|origin| origin.parse().ok())
            .ok_or(fail("the fact origin is not an origin"))?;
        if statement.aud != origin.as_str() {
            return Err(fail("aud is not the bare origin"));
        }
        if facts.actor("founder") != Some(&statement.iss) || statement.iss.kind() != "person" {
            return Err(fail("it is not signed by the founder, a person"));
        }
        if statement.seen.is_some() || statement.attributed.is_some() {
            return Err(fail("it has seen, for or auth"));
        }
        let public = facts
            .jwk("jwk")
            .and_then(|x| PublicKey::from_bytes(&x).ok())
            .ok_or(fail("the founder's key is not a good Ed25519 key"))?;
        let kid = thumbprint(&public);
        if statement.kid != kid {
            return Err(fail("kid is not the thumbprint of the founder's key"));
        }
        let vkey: VerifierKey = facts
            .word("ledger_vkey")
            .and_then(|vkey| vkey.parse().ok())
            .ok_or(fail("ledger_vkey is not a verifier key for Ed25519"))?;
        if vkey.name().as_str() != origin.as_str() || vkey.key() == &public {
            return Err(fail("the ledger's key is not named like the origin, or is the founder's own"));
        }
        let rules_version = facts.word("rules_version").unwrap_or_default().to_owned();
        let founder = statement.iss.clone();
        let mut keyring = Self {
            audience: format!("{origin}#{genesis}"),
            origin,
            bootstrap_open: true,
            rules_version,
            used: HashSet::from([*vkey.key().as_bytes()]),
            ledger_keys: vec![LedgerKey { vkey, from_size: 1 }],
            actors: BTreeMap::new(),
            names: HashMap::new(),
            keys: HashMap::new(),
            tokens: HashMap::new(),
            imports: HashMap::new(),
            approvals: HashMap::new(),
            erasure_requests: HashMap::new(),
            erased: HashMap::new(),
            expunged: HashMap::new(),
            holds: HashMap::new(),
            founder: founder.clone(),
        };
        keyring.add_actor(founder.clone(), founder.clone(), 0);
        keyring.add_key(&founder, public, 0, None, false);
        Ok(keyring)
    }

    /// The ledger's origin.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The `aud` of every statement but the first: `<origin>#<genesis leaf>`.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Who founded the ledger.
    pub fn founder(&self) -> &ActorId {
        &self.founder
    }

    /// Whether the founder still acts as admin.
    pub fn bootstrap_open(&self) -> bool {
        self.bootstrap_open
    }

    /// The version of the rules in force.
    pub fn rules_version(&self) -> &str {
        &self.rules_version
    }

    /// Whether this program knows the rules in force.
    pub fn knows_rules(&self) -> bool {
        self.rules_version == RULES_1.version()
    }

    /// Every actor, by id.
    pub fn actors(&self) -> impl Iterator<Item = (&ActorId, &Actor)> {
        self.actors.iter()
    }

    /// The actor of that id.
    pub fn actor(&self, id: &ActorId) -> Option<&Actor> {
        self.actors.get(id)
    }

    /// The actor whose name (the part behind the slash) this is.
    pub fn actor_named(&self, name: &str) -> Option<&ActorId> {
        self.names.get(&name.to_ascii_lowercase()).filter(|id| id.name() == name)
    }

    /// The key of that thumbprint, revoked or not.
    pub fn key(&self, kid: &Hash) -> Option<&Key> {
        self.keys.get(kid)
    }

    /// All keys, by thumbprint.
    pub fn keys(&self) -> impl Iterator<Item = (&Hash, &Key)> {
        self.keys.iter()
    }

    /// The keys that must all have signed a checkpoint of `size`: one, or two at the very size of a rotation.
    pub fn checkpoint_keys(&self, size: u64) -> Vec<&VerifierKey> {
        let newest = self.ledger_keys.iter().rposition(|key| key.from_size <= size).unwrap_or(0);
        let first = if newest > 0 && self.ledger_keys[newest].from_size == size { newest - 1 } else { newest };
        self.ledger_keys[first..=newest].iter().map(|key| &key.vkey).collect()
    }

    /// The ledger's keys for checkpoints, oldest first.
    pub fn ledger_keys(&self) -> &[LedgerKey] {
        &self.ledger_keys
    }

    /// The executed erasure that took the disclosure of this digest, if one did.
    pub fn erased_by(&self, digest: &Hash) -> Option<&Jti> {
        self.erased.get(digest)
    }

    /// Digests of all erased disclosures.
    pub fn erased(&self) -> impl Iterator<Item = &Hash> {
        self.erased.keys()
    }

    /// The statement by whose order the bytes of entry `seq` were replaced by their leaf hash.
    pub fn expunged_by(&self, seq: u64) -> Option<&Jti> {
        self.expunged.get(&seq)
    }

    /// The entries whose bytes were replaced by their leaf hash.
    pub fn expunged(&self) -> impl Iterator<Item = u64> {
        self.expunged.keys().copied()
    }

    /// Whether an actor holds a role at an instant, the founder's powers during bootstrap included.
    pub fn holds(&self, actor: &ActorId, role: Role, at: &Instant) -> bool {
        if role == Role::Admin && self.bootstrap_open && *actor == self.founder {
            return true;
        }
        let until = self.actors.get(actor).and_then(|actor| actor.roles.get(&role));
        until.is_some_and(|until| until.as_ref().is_none_or(|until| at < until))
    }

    /// A token that was issued, whether or not it is still good.
    pub fn token(&self, id: &Id) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// All tokens that were issued, with their ids.
    pub fn tokens(&self) -> impl Iterator<Item = (&Id, &Token)> {
        self.tokens.iter()
    }

    /// The imports that were started and not completed.
    pub fn open_imports(&self) -> impl Iterator<Item = &Id> {
        self.imports.iter().filter(|(_, open)| **open).map(|(import, _)| import)
    }

    /// Whether an import is open.
    pub fn import_open(&self, import: &Id) -> bool {
        self.imports.get(import) == Some(&true)
    }

    /// Whether entries of this event change the keyring: the closed list that trust rests on. [`Keyring::apply`] skips
    /// every other, so an event that is missing here has no effect at all.
    pub fn folds(event: Event) -> bool {
        matches!(
            event,
            Event::BootstrapClosed
                | Event::RulesAdopted
                | Event::LedgerKeyRotated
                | Event::ActorEnrolled
                | Event::KeyAdded
                | Event::KeyRecovered
                | Event::KeyRevoked
                | Event::RoleGranted
                | Event::RoleRevoked
                | Event::TokenIssued
                | Event::TokenRevoked
                | Event::ImportStarted
                | Event::ImportCompleted
                | Event::RotationApproved
                | Event::RecoveryApproved
                | Event::ErasureRequested
                | Event::ErasureApproved
                | Event::ErasureExecuted
                | Event::EntryExpunged
                | Event::LegalHoldPlaced
                | Event::LegalHoldReleased
        )
    }

    /// Takes note of an entry that entered the log. Entries of other events change nothing.
    pub fn apply(&mut self, entry: &Entry, statement: &Statement) {
        let Some(event) = statement.event.known().filter(|event| Self::folds(*event)) else { return };
        let facts = &statement.facts;
        match event {
            Event::BootstrapClosed => self.bootstrap_open = false,
            Event::RulesAdopted => {
                self.rules_version = facts.word("rules_version").unwrap_or_default().to_owned();
            }
            Event::LedgerKeyRotated => self.rotate(entry, statement),
            Event::ActorEnrolled => self.enrol(entry, statement),
            Event::KeyAdded => {
                if let Some(owner) = self.owner_of(&statement.sub) {
                    self.add_key_of(&owner, entry, statement, false);
                }
            }
            Event::KeyRecovered => self.recover(entry, statement),
            Event::KeyRevoked => {
                if let Some(key) = facts.hash("kid").and_then(|kid| self.keys.get_mut(&kid)) {
                    key.revoked_seq = Some(entry.seq);
                    key.compromised_since = facts.instant("compromised_since").cloned();
                }
            }
            Event::RoleGranted | Event::RoleRevoked => {
                let owner = self.owner_of(&statement.sub);
                let role = facts.word("role").and_then(Role::from_name);
                if let (Some(actor), Some(role)) = (owner.and_then(|id| self.actors.get_mut(&id)), role) {
                    if event == Event::RoleGranted {
                        actor.roles.insert(role, facts.instant("until").cloned());
                    } else {
                        actor.roles.remove(&role);
                    }
                }
            }
            Event::TokenIssued => {
                let owner = self.owner_of(&statement.sub);
                if let (Some(actor), Some(token), Some(expires)) = (owner, facts.id("token"), facts.instant("expires"))
                {
                    let scopes = facts.words("scopes").into_iter().map(str::to_owned).collect();
                    let (expires, issued_seq) = (expires.clone(), entry.seq);
                    self.tokens.insert(token.clone(), Token { actor, scopes, expires, issued_seq, revoked: false });
                }
            }
            Event::TokenRevoked => {
                if let Some(token) = facts.id("token").and_then(|token| self.tokens.get_mut(token)) {
                    token.revoked = true;
                }
            }
            Event::ImportStarted => {
                self.imports.insert(statement.sub.clone(), true);
            }
            Event::ImportCompleted => {
                self.imports.insert(statement.sub.clone(), false);
            }
            Event::RotationApproved | Event::RecoveryApproved | Event::ErasureApproved => {
                self.note_approval(event, statement)
            }
            Event::ErasureRequested => {
                let items = facts.items("items").into_iter().cloned().collect();
                let request = ErasureRequest { by: statement.iss.clone(), items, executed: false };
                self.erasure_requests.insert(statement.jti, request);
            }
            Event::ErasureExecuted => {
                if let Some(request) = facts.jti("request").and_then(|jti| self.erasure_requests.get_mut(&jti)) {
                    request.executed = true;
                }
                for item in facts.items("items") {
                    self.erased.insert(item.digest, statement.jti);
                }
            }
            Event::EntryExpunged => {
                if let Some(seq) = facts.int("seq").and_then(|seq| u64::try_from(seq).ok()) {
                    self.expunged.insert(seq, statement.jti);
                }
                self.use_approvals(&facts.jtis("approvals"));
            }
            Event::LegalHoldPlaced => {
                if let (Some(hold), Some(scope)) = (facts.id("hold"), facts.word("scope")) {
                    let held = Hold { stream: statement.sub.clone(), scope: scope.to_owned() };
                    self.holds.insert(hold.clone(), held);
                }
            }
            Event::LegalHoldReleased => {
                if let Some(hold) = facts.id("hold") {
                    self.holds.remove(hold);
                }
            }
            _ => {}
        }
    }

    /// The actor whose stream this is.
    pub fn owner_of(&self, stream: &Id) -> Option<ActorId> {
        (stream.kind() == "actor").then(|| self.actor_named(stream.name()).cloned()).flatten()
    }

    fn add_actor(&mut self, id: ActorId, enrolled_by: ActorId, seq: u64) {
        self.names.insert(id.name().to_ascii_lowercase(), id.clone());
        let actor = Actor { enrolled_by, enrolled_seq: seq, roles: BTreeMap::new(), kids: Vec::new() };
        self.actors.insert(id, actor);
    }

    fn add_key(&mut self, actor: &ActorId, public: PublicKey, seq: u64, expires: Option<Instant>, recovered: bool) {
        let kid = thumbprint(&public);
        self.used.insert(*public.as_bytes());
        if let Some(actor) = self.actors.get_mut(actor) {
            actor.kids.push(kid);
        }
        let key = Key {
            actor: actor.clone(),
            public,
            added_seq: seq,
            revoked_seq: None,
            expires,
            recovered,
            compromised_since: None,
        };
        self.keys.insert(kid, key);
    }

    fn add_key_of(&mut self, owner: &ActorId, entry: &Entry, statement: &Statement, recovered: bool) {
        if let Some(public) = statement.facts.jwk("jwk").and_then(|x| PublicKey::from_bytes(&x).ok()) {
            self.add_key(owner, public, entry.seq, statement.facts.instant("expires").cloned(), recovered);
        }
    }

    fn enrol(&mut self, entry: &Entry, statement: &Statement) {
        let kind = statement.facts.word("kind").unwrap_or_default();
        if let Ok(id) = format!("{kind}/{}", statement.sub.name()).parse::<ActorId>() {
            self.add_actor(id.clone(), statement.iss.clone(), entry.seq);
            self.add_key_of(&id, entry, statement, false);
        }
    }

    fn recover(&mut self, entry: &Entry, statement: &Statement) {
        let Some(owner) = self.owner_of(&statement.sub) else { return };
        let lost = self.actors.get(&owner).map(|actor| actor.kids.clone()).unwrap_or_default();
        for kid in lost {
            if let Some(key) = self.keys.get_mut(&kid) {
                key.revoked_seq.get_or_insert(entry.seq);
            }
        }
        self.add_key_of(&owner, entry, statement, true);
        self.use_approvals(&statement.facts.jti("approval").into_iter().collect::<Vec<_>>());
    }

    fn rotate(&mut self, entry: &Entry, statement: &Statement) {
        let new = statement.facts.word("new_vkey").and_then(|vkey| vkey.parse::<VerifierKey>().ok());
        if let Some(vkey) = new {
            self.used.insert(*vkey.key().as_bytes());
            self.ledger_keys.push(LedgerKey { vkey, from_size: entry.seq + 1 });
        }
        self.use_approvals(&statement.facts.jti("approval").into_iter().collect::<Vec<_>>());
    }

    fn note_approval(&mut self, event: Event, statement: &Statement) {
        let facts = &statement.facts;
        let approval = Approval {
            event,
            by: statement.iss.clone(),
            new_vkey: facts.word("new_vkey").map(str::to_owned),
            recovered: facts.actor("actor").cloned().zip(facts.jwk("jwk")),
            request: facts.jti("request"),
            items: facts.items("items").into_iter().cloned().collect(),
            used: false,
        };
        self.approvals.insert(statement.jti, approval);
    }

    fn use_approvals(&mut self, jtis: &[Jti]) {
        for jti in jtis {
            if let Some(approval) = self.approvals.get_mut(jti) {
                approval.used = true;
            }
        }
    }
}
