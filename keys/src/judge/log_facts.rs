//! What a statement says of the log itself: its rules, its clock, its roots and heads, and what it refused.

use blotter_record::{RULES_1, Statement};

use super::{Case, History, Judgement, Refusal, Verdict, is_blocking, refusal_jti, rule};

impl<H: History> Case<'_, H> {
    pub(super) fn check_rules_adopted(&self) -> Verdict<H> {
        let version = self.statement.facts.word("rules_version").unwrap_or_default();
        if version != RULES_1.version() || self.statement.facts.word("rules_sha256") != Some(&RULES_1.sha256_hex()) {
            return Err(Refusal::Unknown(format!("rules {version}")).into());
        }
        Ok(())
    }

    /// FORMAT.md §6.1: `from` is the entry before's `recorded`, `to` this one's.
    pub(super) fn check_clock_step(&self) -> Verdict<H> {
        let facts = &self.statement.facts;
        let from_fits = self.place.previous.is_none() || facts.instant("from") == self.place.previous.as_ref();
        if from_fits && facts.instant("to") == Some(&self.place.recorded) {
            return Ok(());
        }
        Err(rule("facts.from", "from and to must be what the entry before and this one were recorded at"))
    }

    /// FORMAT.md §6.6: a root that a fact names is this log's.
    pub(super) fn check_root(&self, size: &'static str) -> Verdict<H> {
        let facts = &self.statement.facts;
        let named = facts.int(size).and_then(|size| u64::try_from(size).ok()).filter(|size| *size <= self.place.seq);
        let root = named.map(|size| self.look(self.history.root_at(size))).transpose()?.flatten();
        if root.is_some() && root == facts.hash("root") {
            return Ok(());
        }
        Err(rule("facts.root", format!("is not this log's at {size}")))
    }

    /// FORMAT.md §6.6: an export names the heads of its streams as they were at its size.
    pub(super) fn check_export(&self) -> Verdict<H> {
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
    pub(super) fn check_refused(&self) -> Verdict<H> {
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
}
