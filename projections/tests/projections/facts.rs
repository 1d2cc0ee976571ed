//! The view of facts: the same rows for the same log, however the view came to be. The judge is a fold from zero.

use blotter_projections::metrics::{subjects, subjects_of};
use blotter_projections::{Facts, LogEntry, cases, fold_and_digest};
use blotter_record::{Draft, Entry, Hash, Id, Instant, Json, Jti, Precision, StreamLink, Via};
use proptest::prelude::*;

use crate::log::Log;

/// Builds a log entry by entry, with the links that streams have.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) log: Log,
    counts: std::collections::HashMap<Id, u64>,
}

impl Book {
    /// Adds an entry; says its `jti`.
    pub(crate) fn say(&mut self, actor: &str, event: &str, streams: &[&str], facts: Vec<(&str, Json)>) -> String {
        let seq = self.log.entries.len() as u64;
        let at = Instant::from_unix_us(1_760_000_000_000_000 + seq as i64 * 60_000_000).unwrap();
        let jti = Jti::v7(seq, [7; 10]);
        let draft = Draft {
            iss: actor.parse().unwrap(),
            attributed: None,
            aud: format!("example.org/soc#{}", Hash::of(b"genesis")),
            jti,
            iat: 1,
            sub: streams[0].parse().unwrap(),
            about: streams[1..].iter().map(|id| id.parse().unwrap()).collect(),
            event: event.to_owned(),
            occurred: Some(at.clone()),
            precision: Precision::Second,
            seen: None,
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Cli,
            facts: facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            data: Vec::new(),
        };
        let statement = draft.build(&Hash::of(b"key"), || [0; 16]).unwrap().signed(&[0; 64]).statement;
        let mut link = |stream: &Id| {
            let n = self.counts.entry(stream.clone()).or_default();
            *n += 1;
            StreamLink { stream: stream.clone(), n: *n - 1, prev: (*n > 1).then(|| Hash::of(b"before")) }
        };
        let placed = Entry {
            seq,
            prev: Hash::of(b"prev"),
            streams: statement.streams().map(&mut link).collect(),
            recorded: at,
            statement: statement.jws().to_owned(),
        };
        let leaf = Hash::of_leaf(&placed.to_bytes().unwrap());
        self.log.entries.push(LogEntry { seq, leaf, said: Some((placed, statement)) });
        jti.to_string()
    }
}

pub(crate) const ANN: &str = "person/ann";

pub(crate) fn list<const N: usize>(items: [&str; N]) -> Json {
    Json::List(items.into_iter().map(Json::from).collect())
}

/// One of the things that happen in an incident; `earlier` names a statement to be taken back.
fn happen(book: &mut Book, what: u8, incident: &str, earlier: &str) -> String {
    let lesson = format!("lesson/L-{}", &incident[9..]);
    let asset = "asset/a1";
    match what % 16 {
        0 => book.say(ANN, "incident.acknowledged", &[incident], vec![]),
        1 => book.say(
            ANN,
            "severity.assessed",
            &[incident],
            vec![
                ("scale", "s".into()),
                ("scale_version", "1".into()),
                ("level", i64::from(what / 16).into()),
                ("impact", 1.into()),
                ("scope", 1.into()),
                ("urgency", 1.into()),
                ("intel", list([])),
            ],
        ),
        2 => book.say(
            ANN,
            "incident.confirmed",
            &[incident],
            vec![("verdict", "true-positive".into()), ("criteria_version", "1".into()), ("criteria", list([]))],
        ),
        3 => book.say(ANN, "retraction.recorded", &[incident], vec![("of", earlier.into())]),
        4 => book.say(ANN, "containment.achieved", &[incident], vec![("assets", list([asset]))]),
        5 => book.say(ANN, "containment.lost", &[incident], vec![("assets", list([asset]))]),
        6 => book.say(
            ANN,
            "lesson.recorded",
            &[&lesson, incident],
            vec![("lesson", lesson.as_str().into()), ("none_found", false.into())],
        ),
        7 => book.say(
            ANN,
            "playbook.published",
            &["playbook/p1", &lesson],
            vec![
                ("playbook", "playbook/p1".into()),
                ("version", "2".into()),
                ("document_sha256", "0a".repeat(32).as_str().into()),
                ("lessons", list([lesson.as_str()])),
            ],
        ),
        8 => book.say(
            ANN,
            "task.opened",
            &[incident],
            vec![("task", format!("task/t{}", what / 16).as_str().into()), ("owner", ANN.into())],
        ),
        9 => book.say(
            ANN,
            "task.completed",
            &[incident],
            vec![("task", format!("task/t{}", what / 16).as_str().into()), ("outcome", "done".into())],
        ),
        10 => book.say(ANN, "incident.resolved", &[incident], vec![("code", "fixed".into())]),
        11 => book.say(ANN, "incident.reopened", &[incident], vec![]),
        12 => book.say(ANN, "comment.added", &[incident, "alert/A"], vec![]),
        13 => book.say(
            ANN,
            "phase.entered",
            &[incident],
            vec![
                ("from", "initiate".into()),
                ("to", "assess".into()),
                ("trigger", earlier.into()),
                ("inputs", list([])),
                ("outputs", list([])),
                ("override", false.into()),
                ("unmet", list([])),
            ],
        ),
        14 => book.say(ANN, "x.custom.thing", &[incident], vec![]),
        _ => book.say(
            ANN,
            "incident.opened",
            &[incident],
            vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())],
        ),
    }
}

const INCIDENTS: [&str; 3] = ["incident/I1", "incident/I2", "incident/I3"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_a_view_came_to_be_its_digest_is_that_of_a_fold_from_zero(
        happenings in proptest::collection::vec((0..3_usize, any::<u8>(), any::<prop::sample::Index>(), any::<bool>()), 1..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("views.db");
        let mut book = Book::default();
        let mut said = vec![happen(&mut book, 15, INCIDENTS[0], "")];
        let mut open: Option<Facts> = None;
        for (incident, what, earlier, looks) in happenings {
            let earlier = earlier.get(&said).clone();
            said.push(happen(&mut book, what, INCIDENTS[incident], &earlier));
            // A view that stays open and one that is opened anew, in any order, at any time.
            if looks {
                match open.take() {
                    Some(mut facts) => facts.catch_up(&book.log, &mut |_, _| ()).unwrap(),
                    None => open = Some(Facts::open(&path, &book.log, &mut |_, _| ()).unwrap()),
                }
            }
        }
        drop(open);
        let facts = Facts::open(&path, &book.log, &mut |_, _| ()).unwrap();
        let end = book.log.entries.len() as u64;
        prop_assert_eq!(facts.size(), end);
        prop_assert_eq!(facts.digest().unwrap(), fold_and_digest(&book.log, end, &mut |_, _| ()).unwrap());
    }

    #[test]
    fn what_metrics_see_is_the_same_in_rows_and_in_a_fold_up_to_any_entry(
        happenings in proptest::collection::vec((0..3_usize, any::<u8>(), any::<prop::sample::Index>()), 1..40),
        end in any::<prop::sample::Index>(),
    ) {
        let mut book = Book::default();
        let mut said = vec![happen(&mut book, 15, INCIDENTS[0], "")];
        for (incident, what, earlier) in happenings {
            let earlier = earlier.get(&said).clone();
            said.push(happen(&mut book, what, INCIDENTS[incident], &earlier));
        }
        let end = end.index(book.log.entries.len()) + 1;
        let as_of = subjects_of(&cases(&book.log, end as u64, &mut |_, _| ()).unwrap());
        // The log as it was then.
        book.log.entries.truncate(end);
        let dir = tempfile::tempdir().unwrap();
        let then = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
        prop_assert_eq!(as_of, subjects(then.db()).unwrap());
    }
}

fn count(facts: &Facts, sql: &str) -> i64 {
    facts.db().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn an_expunged_entry_counts_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.db");
    let mut book = Book::default();
    happen(&mut book, 15, INCIDENTS[0], "");
    happen(&mut book, 1, INCIDENTS[0], "");
    let severe = "SELECT count(*) FROM incident WHERE severity IS NOT NULL";
    assert_eq!(count(&Facts::open(&path, &book.log, &mut |_, _| ()).unwrap(), severe), 1);
    let leaf = book.log.entries[1].leaf.to_string();
    book.log.entries[1].said = None;
    let facts = vec![("seq", 1.into()), ("leaf", leaf.as_str().into()), ("approvals", list([]))];
    book.say("person/dpo", "entry.expunged", &[INCIDENTS[0]], facts);
    let view = Facts::open(&path, &book.log, &mut |_, _| ()).unwrap();
    assert_eq!(count(&view, severe), 0);
    assert_eq!(view.digest().unwrap(), fold_and_digest(&book.log, 3, &mut |_, _| ()).unwrap());
}

#[test]
fn versions_say_what_an_incident_was_as_of_any_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    happen(&mut book, 15, INCIDENTS[0], "");
    happen(&mut book, 1 + 16 * 3, INCIDENTS[0], "");
    happen(&mut book, 14, INCIDENTS[0], "");
    happen(&mut book, 1 + 16 * 4, INCIDENTS[0], "");
    let facts = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
    let as_of = |seq: i64| {
        let sql =
            "SELECT severity FROM incident_version WHERE from_seq <= ?1 AND (until_seq IS NULL OR until_seq > ?1)";
        facts.db().query_row(sql, [seq], |row| row.get::<_, Option<i64>>(0)).unwrap()
    };
    assert_eq!([as_of(0), as_of(1), as_of(2), as_of(3)], [None, Some(3), Some(3), Some(4)]);
}
