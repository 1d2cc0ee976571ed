//! What every statement must be: for this ledger, under a key in force, of its time, new, and resting on what its signer
//! had seen of this log (FORMAT.md §5.3, §5.4).

use blotter_record::{Decision, EventName, Seen, limits};

use super::{Case, History, Refusal, Verdict, rule};

impl<H: History> Case<'_, H> {
    /// FORMAT.md §5.3: the ledger, the id, the key and the clock.
    pub(super) fn check_ledger_and_key(&self) -> Verdict<H> {
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

    pub(super) fn check_streams(&self) -> Verdict<H> {
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
    pub(super) fn check_seen(&self) -> Verdict<H> {
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
}
