//! Who may say what: by role, by token through the notary, and for others in an import (FORMAT.md §5.3, §5.6).

use blotter_record::{ActorId, Decision, Event, EventName, Id, Who, is_trust_stream};

use super::{Case, History, Judgement, Refusal, Verdict, rule};
use crate::keyring::Keyring;

impl<H: History> Case<'_, H> {
    /// FORMAT.md §5.6: imported history enters only streams that an import began, and is about nobody that can sign.
    pub(super) fn check_imported(&self, actor: &ActorId) -> Verdict<H> {
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

    pub(super) fn check_token(&self, actor: &ActorId, auth: &Id) -> Verdict<H> {
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

    pub(super) fn check_notary(&self) -> Verdict<H> {
        let own =
            matches!(self.statement.event.known(), Some(Event::ImportCompleted | Event::KeyAdded | Event::KeyRevoked));
        if self.statement.iss.kind() == "notary" && !own {
            return Err(rule("for", "a notary says this only for somebody else, with for and auth"));
        }
        Ok(())
    }

    /// FORMAT.md §5.3: who may say what.
    pub(super) fn check_who(&self) -> Verdict<H> {
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
}
