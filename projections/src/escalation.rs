//! Escalation paths: which severities must be escalated to whom, and within what time. An open incident of such a severity
//! that nobody escalated since is owed an escalation by that time.

use std::collections::BTreeSet;

use blotter_process::Said;
use blotter_record::{Event, Id, Jti, Statement};

use crate::table::{Row, Table, int, table, text};

const SECOND_US: i64 = 1_000_000;

/// The path that a policy's stream approves: its newest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path {
    newest: Option<Approved>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Approved {
    version: String,
    severities: Vec<i64>,
    roles: Vec<String>,
    delay_us: i64,
    by: String,
    seq: u64,
}

impl Path {
    /// Takes one more entry of the policy's stream `id`.
    pub(crate) fn fold(&mut self, id: &Id, said: Said<'_>, retracted: &BTreeSet<Jti>) {
        let Said { seq, statement, .. } = said;
        let approves = statement.event.known() == Some(Event::EscalationPathApproved) && statement.sub == *id;
        if approves && !retracted.contains(&statement.jti) {
            self.newest = approved(statement, seq).or(self.newest.take());
        }
    }

    /// Its row in [`PATH`].
    pub(crate) fn rows(&self, id: &Id) -> Vec<Row> {
        let words = |words: &[String]| format!(" {} ", words.join(" "));
        let row = |path: &Approved| {
            let severities: Vec<String> = path.severities.iter().map(ToString::to_string).collect();
            PATH.row([
                id.as_str().into(),
                path.version.as_str().into(),
                words(&severities).into(),
                words(&path.roles).into(),
                path.delay_us.into(),
                path.by.as_str().into(),
                path.seq.into(),
            ])
        };
        self.newest.iter().map(row).collect()
    }
}

fn approved(statement: &Statement, seq: u64) -> Option<Approved> {
    let facts = &statement.facts;
    Some(Approved {
        version: facts.word("version")?.to_owned(),
        severities: facts.ints("severities"),
        roles: facts.words("roles").into_iter().map(str::to_owned).collect(),
        delay_us: duration_us(facts.word("delay_max")?)?,
        by: statement.actor().to_string(),
        seq,
    })
}

/// An ISO 8601 duration as facts have it (FORMAT.md §3): whole weeks, or days, hours, minutes and seconds.
pub(crate) fn duration_us(text: &str) -> Option<i64> {
    let mut sum_seconds = 0_i64;
    let mut digits = String::new();
    for letter in text.strip_prefix('P')?.chars() {
        let seconds = match letter {
            'T' => continue,
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            'W' => 604_800,
            'D' => 86_400,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        let count: i64 = std::mem::take(&mut digits).parse().ok()?;
        sum_seconds = sum_seconds.checked_add(count.checked_mul(seconds)?)?;
    }
    sum_seconds.checked_mul(SECOND_US)
}

/// One row a policy that approves a path.
pub(crate) static PATH: Table = table(
    "escalation_path",
    "an approved escalation path; of several policies' the one with the newest entry counts",
    1,
    &[
        text("policy", "the policy's stream"),
        text("version", "its version"),
        text("severities", "levels that must be escalated, with a space before and behind each"),
        text("roles", "to whom, likewise"),
        int("delay_us", "within what time from when the severity was assessed, in microseconds"),
        text("approved_by", "who signed it"),
        int("seq", "the entry that says so"),
    ],
    &[],
);

/// Escalations that are owed: incident, roles, due, and the entry that assessed the severity.
pub(crate) const OWED_SQL: &str = "
    SELECT i.id, 'escalation', 'severity ' || i.severity, trim(p.roles), i.severity_us + p.delay_us, i.severity_seq
    FROM incident i JOIN (SELECT * FROM escalation_path ORDER BY seq DESC LIMIT 1) p
    WHERE i.status = 'open' AND i.escalated = 0 AND instr(p.severities, ' ' || i.severity || ' ') > 0";

#[cfg(test)]
mod tests {
    use super::duration_us;

    #[test]
    fn durations_are_whole_numbers_of_their_units() {
        let check =
            |text: &str, seconds: Option<i64>| assert_eq!(duration_us(text), seconds.map(|s| s * 1_000_000), "{text}");
        check("PT30M", Some(1_800));
        check("P1DT2H3M4S", Some(86_400 + 7_200 + 180 + 4));
        check("P2W", Some(1_209_600));
        check("30M", None);
        check("PT999999999999999999999H", None);
    }
}
