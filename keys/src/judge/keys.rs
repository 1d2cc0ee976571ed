//! Actors, their keys, roles and tokens, and the ledger's own key (FORMAT.md §5.2).

use blotter_record::{ActorId, Event, Role};

use super::{Case, History, Judgement, Verdict, rule};
use crate::ed25519::PublicKey;
use crate::keyring::Approval;
use crate::note::VerifierKey;
use crate::possession::Possession;

impl<H: History> Case<'_, H> {
    pub(super) fn owner(&self) -> Result<ActorId, Judgement<H::Error>> {
        let owner = self.keyring.owner_of(&self.statement.sub);
        owner.ok_or_else(|| rule("sub", format!("{} is the stream of no enrolled actor", self.statement.sub)))
    }

    fn unused_key(&self, at: &'static str, bytes: &[u8; 32]) -> Result<PublicKey, Judgement<H::Error>> {
        if self.keyring.used.contains(bytes) {
            return Err(rule(at, "this key was enrolled before; a key has one actor and one purpose, ever"));
        }
        PublicKey::from_bytes(bytes).map_err(|e| rule(at, e.to_string()))
    }

    pub(super) fn check_rotation(&self) -> Verdict<H> {
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

    pub(super) fn check_enrolment(&self) -> Verdict<H> {
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

    pub(super) fn check_new_key(&self, actor: &ActorId) -> Verdict<H> {
        let facts = &self.statement.facts;
        let bytes = facts.jwk("jwk").ok_or_else(|| rule("facts.jwk", "missing; only imported actors have no key"))?;
        let public = self.unused_key("facts.jwk", &bytes)?;
        let proof = facts.word("proof").ok_or_else(|| rule("facts.proof", "missing"))?;
        let said = Possession::verify(proof, &public).map_err(|e| rule("facts.proof", e.to_string()))?;
        let fits = said.actor == *actor && said.aud == self.keyring.audience && said.enroller == self.statement.iss;
        if fits { Ok(()) } else { Err(rule("facts.proof", "is for another actor, ledger or enroller")) }
    }

    pub(super) fn check_recovery(&self) -> Verdict<H> {
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

    pub(super) fn check_recovery_approval(&self) -> Verdict<H> {
        if self.owner()? == self.statement.iss {
            return Err(rule("sub", "nobody approves their own recovery"));
        }
        Ok(())
    }

    pub(super) fn check_revocation(&self) -> Verdict<H> {
        let owner = self.owner()?;
        let key = self.statement.facts.hash("kid").and_then(|kid| self.keyring.key(&kid));
        match key {
            Some(key) if key.actor == owner && key.revoked_seq.is_none() => Ok(()),
            Some(key) if key.actor == owner => Err(rule("facts.kid", "revoked before")),
            _ => Err(rule("facts.kid", format!("not a key of {owner}"))),
        }
    }

    pub(super) fn check_role(&self) -> Result<(ActorId, Role), Judgement<H::Error>> {
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
    pub(super) fn check_grant(&self) -> Verdict<H> {
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

    pub(super) fn check_token_issued(&self) -> Verdict<H> {
        let owner = self.owner()?;
        if !matches!(owner.kind(), "person" | "service") {
            return Err(rule("sub", "a token is for a person or a service"));
        }
        match self.statement.facts.id("token").is_some_and(|token| self.keyring.tokens.contains_key(token)) {
            true => Err(rule("facts.token", "that token was issued before")),
            false => Ok(()),
        }
    }

    pub(super) fn check_token_revoked(&self) -> Verdict<H> {
        let owner = self.owner()?;
        let token = self.statement.facts.id("token").and_then(|token| self.keyring.tokens.get(token));
        match token {
            Some(token) if token.actor == owner && !token.revoked => Ok(()),
            _ => Err(rule("facts.token", format!("not a valid token of {owner}"))),
        }
    }
}
