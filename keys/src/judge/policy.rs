//! The rules of the process, asked of a [`Policy`](blotter_record::Policy), which looks back through the judge.

use std::cell::RefCell;

use blotter_record::{Id, Jti, Objection, Past, PastEntry, Policy, Standing, Unreadable};

use super::{Case, History, Judgement, Refusal, Verdict};
use crate::keyring::Hold;

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

impl<H: History> Case<'_, H> {
    /// The rules of the process, if there is one.
    pub(super) fn check_policy(&self, policy: &mut dyn Policy) -> Verdict<H> {
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
}
