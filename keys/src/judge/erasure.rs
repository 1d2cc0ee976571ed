//! Erasing values, expunging entries, and the legal holds that forbid both (FORMAT.md §6.3, §6.5).

use blotter_record::{ActorId, ErasureItem, Event, Jti, is_trust_stream};

use super::{Case, History, Verdict, rule};
use crate::keyring::Keyring;

impl<H: History> Case<'_, H> {
    pub(super) fn check_erasure_request(&self) -> Verdict<H> {
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

    pub(super) fn check_erasure_approval(&self) -> Verdict<H> {
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

    pub(super) fn check_erasure(&self) -> Verdict<H> {
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

    /// FORMAT.md §6.3: a hold is placed once, and released where it was placed.
    pub(super) fn check_hold(&self, event: Event) -> Verdict<H> {
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
    pub(super) fn check_expunging(&self) -> Verdict<H> {
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
