//! The view of facts: the same rows for the same log, however the view came to be. The judge is a fold from zero.

use blotter_projections::metrics::{subjects, subjects_of};
use blotter_projections::{Facts, IncidentQuery, LogEntry, Sort, View, Views, cases, fold_and_digest, list_incidents};
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
        self.say_with(actor, event, streams, facts, vec![])
    }

    /// Adds an entry with values; says its `jti`.
    pub(crate) fn say_with(
        &mut self,
        actor: &str,
        event: &str,
        streams: &[&str],
        facts: Vec<(&str, Json)>,
        data: Vec<(&str, Json)>,
    ) -> String {
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
            data: data.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        let statement = draft.build(&Hash::of(b"key"), || [seq as u8; 16]).unwrap().signed(&[0; 64]).statement;
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
        self.log.values.insert(seq, data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
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
        14 => {
            let event = if what < 128 { "x.custom.thing" } else { "incident.quarantined" };
            book.say(ANN, event, &[incident], vec![])
        }
        _ => book.say(
            ANN,
            "incident.opened",
            &[incident],
            vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())],
        ),
    }
}

const INCIDENTS: [&str; 3] = ["incident/I1", "incident/I2", "incident/I3"];
const ALERTS: [&str; 2] = ["alert/A", "alert/B"];

/// An alert that a source sends.
pub(crate) fn receive(book: &mut Book, alert: &str, severity: i64, at: &str) -> String {
    let facts = vec![
        ("source", "source/edr".into()),
        ("severity", severity.into()),
        ("severity_source", "edr:x".into()),
        ("techniques", list(["T1059", "T1486"])),
        ("observed_at", at.into()),
        ("received_at", at.into()),
        ("assets", list(["asset/a1"])),
    ];
    book.say("service/edr", "alert.received", &[alert], facts)
}

/// One of the things that happen to an alert, or to the thresholds of triage.
fn happen_to(book: &mut Book, what: u8, alert: &str, earlier: &str) -> String {
    let at = "2025-11-01T00:00:00Z";
    let level = i64::from(what / 16);
    let triaged = |word: &str| vec![("disposition", word.into()), ("criteria_version", "1".into())];
    match what % 10 {
        0 => receive(book, alert, level % 6, at),
        1 => {
            let facts =
                vec![("source", "source/edr".into()), ("count", level.into()), ("from", at.into()), ("to", at.into())];
            book.say("service/edr", "alert.aggregated", &[alert], facts)
        }
        2 => book.say(
            ANN,
            "alert.triaged",
            &[alert],
            triaged(["investigate", "dismiss", "duplicate", "merge"][level as usize % 4]),
        ),
        3 => book.say(ANN, "alert.dismissed", &[alert], vec![("verdict", "benign".into())]),
        4 | 5 => book.say(ANN, "retraction.recorded", &[alert], vec![("of", earlier.into())]),
        6 => {
            let facts = vec![("alert", alert.into())];
            book.say(ANN, if level % 2 == 0 { "alert.linked" } else { "alert.unlinked" }, &[INCIDENTS[0], alert], facts)
        }
        7 => {
            book.say(ANN, "report.received", &[alert], vec![("channel", "email".into()), ("discovered_at", at.into())])
        }
        8 => {
            let facts = vec![("source", "source/edr".into()), ("severity", level.into()), ("per_hour", 9.into())];
            book.say(ANN, "triage-threshold.set", &["policy/p"], facts)
        }
        _ => book.say(ANN, "retraction.recorded", &["policy/p"], vec![("of", earlier.into())]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn however_a_view_came_to_be_its_digest_is_that_of_a_fold_from_zero(
        happenings in proptest::collection::vec((0..5_usize, any::<u8>(), any::<prop::sample::Index>(), any::<bool>()), 1..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("views.db");
        let mut book = Book::default();
        let mut said = vec![happen(&mut book, 15, INCIDENTS[0], "")];
        let mut open: Option<Views> = None;
        for (stream, what, earlier, looks) in happenings {
            let earlier = earlier.get(&said).clone();
            said.push(match INCIDENTS.get(stream) {
                Some(incident) => happen(&mut book, what, incident, &earlier),
                None => happen_to(&mut book, what, ALERTS[stream - INCIDENTS.len()], &earlier),
            });
            // A view that stays open and one that is opened anew, in any order, at any time.
            if looks {
                match open.take() {
                    Some(mut facts) => facts.catch_up(&book.log, &mut |_, _| ()).unwrap(),
                    None => open = Some(Views::open(&path, View::ALL, &book.log, &mut |_, _| ()).unwrap()),
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

#[test]
fn pages_of_a_list_have_every_incident_once_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    for n in 0..23_u8 {
        let incident = format!("incident/N{n}");
        // Some are never opened, some have no severity, some are resolved; three have no entry at all.
        if n % 3 != 0 {
            happen(&mut book, 15, &incident, "");
        }
        if n % 2 == 0 {
            happen(&mut book, 1 + 16 * (n % 4), &incident, "");
        }
        if n % 5 == 0 {
            happen(&mut book, 10, &incident, "");
        }
    }
    let facts = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
    let end = book.log.entries.len() as u64;
    let check = |sort: Sort, as_of: Option<u64>, limit: usize| {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let query = IncidentQuery { sort, as_of, limit, after, ..IncidentQuery::default() };
            let page = list_incidents(facts.db(), &query).unwrap();
            assert!(page.rows.len() <= limit);
            found.extend(page.rows.iter().map(|row| row[0].clone()));
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let mut all = found.clone();
        all.sort();
        all.dedup();
        assert_eq!((all.len(), found.len()), (20, 20), "{sort:?} as of {as_of:?}, {limit} a page");
    };
    for (_, sort) in Sort::ALL {
        check(sort, None, 1);
        check(sort, None, 7);
        if sort != Sort::Updated {
            check(sort, Some(end), 4);
        }
    }
}

#[test]
fn a_stream_whose_state_was_forgotten_meanwhile_is_read_again() {
    let mut book = Book::default();
    book.log.at_once = Some(usize::MAX);
    receive(&mut book, ALERTS[0], 4, "2025-11-01T00:00:00Z");
    let triaged = vec![("disposition", "investigate".into()), ("criteria_version", "3".into())];
    book.say(ANN, "alert.triaged", &[ALERTS[0]], triaged);
    // More streams than two generations of remembered states hold, which batches touch in turn.
    for n in 0..40_000 {
        receive(&mut book, &format!("alert/01890000-0000-7000-8000-{n:012}"), 2, "2025-11-01T00:00:00Z");
    }
    book.say(ANN, "alert.dismissed", &[ALERTS[0]], vec![("verdict", "benign".into())]);
    let dir = tempfile::tempdir().unwrap();
    let facts = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
    assert!(book.log.streams_read.borrow().iter().any(|stream| stream.as_str() == ALERTS[0]), "it was not forgotten");
    let end = book.log.entries.len() as u64;
    assert_eq!(facts.digest().unwrap(), fold_and_digest(&book.log, end, &mut |_, _| ()).unwrap());
    assert_eq!(count(&facts, "SELECT count(*) FROM alert WHERE state = 'dismissed' AND criteria_version = '3'"), 1);
}

#[test]
fn a_retraction_takes_back_what_was_decided_about_an_alert() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    let path = dir.path().join("views.db");
    receive(&mut book, ALERTS[0], 4, "2025-11-01T00:00:00Z");
    let triaged = vec![("disposition", "investigate".into()), ("criteria_version", "3".into())];
    book.say(ANN, "alert.triaged", &[ALERTS[0]], triaged);
    let dismissed = book.say(ANN, "alert.dismissed", &[ALERTS[0]], vec![("verdict", "benign".into())]);
    let state = "SELECT state || ' ' || coalesce(verdict, '-') || ' ' || criteria_version FROM alert";
    let mut views = Views::open(&path, &[View::Facts], &book.log, &mut |_, _| ()).unwrap();
    let state = |views: &Views| views.db().query_row(state, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(state(&views), "dismissed benign 3");
    book.say(ANN, "retraction.recorded", &[ALERTS[0]], vec![("of", dismissed.as_str().into())]);
    views.catch_up(&book.log, &mut |_, _| ()).unwrap();
    assert_eq!(state(&views), "investigate - 3");
}

#[test]
fn what_a_source_counted_is_added_to_what_it_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    receive(&mut book, ALERTS[0], 4, "2025-11-01T00:00:00Z");
    let (from, to) = ("2025-11-01T00:00:00Z", "2025-11-01T01:00:00Z");
    let facts = vec![("source", "source/edr".into()), ("count", 41.into()), ("from", from.into()), ("to", to.into())];
    book.say("service/edr", "alert.aggregated", &[ALERTS[0]], facts);
    let facts = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
    assert_eq!(count(&facts, "SELECT count FROM alert"), 42);
    assert_eq!(count(&facts, "SELECT last_observed_us - observed_us FROM alert"), 3_600_000_000);
    assert_eq!(count(&facts, "SELECT count(*) FROM alert_link"), 3);
}

#[test]
fn an_open_incident_of_a_severity_on_the_path_is_owed_an_escalation_until_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    let path = vec![
        ("version", "1".into()),
        ("severities", Json::List(vec![3.into(), 4.into()])),
        ("roles", list(["secops_manager", "ciso"])),
        ("delay_max", "PT30M".into()),
    ];
    book.say("person/ciso", "escalation-path.approved", &["policy/escalation"], path);
    happen(&mut book, 15, INCIDENTS[0], "");
    let severe = happen(&mut book, 1 + 16 * 4, INCIDENTS[0], "");
    happen(&mut book, 15, INCIDENTS[1], "");
    happen(&mut book, 1 + 16 * 2, INCIDENTS[1], "");
    let escalations = |book: &Book| {
        let facts = Facts::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
        let owed = blotter_projections::owed::owed(facts.db(), &book.log).unwrap();
        owed.into_iter().filter(|one| one.kind == "escalation").collect::<Vec<_>>()
    };
    let [one] = &escalations(&book)[..] else { panic!("one escalation is owed") };
    assert_eq!((one.incident.as_str(), one.owner.as_deref()), (INCIDENTS[0], Some("secops_manager ciso")));
    let at_us = 1_760_000_000_000_000 + 2 * 60_000_000;
    assert_eq!((one.seq, one.due_us), (2, Some(at_us + 1_800_000_000)));
    let to = vec![
        ("from", "soc_analyst".into()),
        ("to", "ciso".into()),
        ("path_version", "1".into()),
        ("kind", "escalation".into()),
    ];
    book.say(ANN, "escalated", &[INCIDENTS[0]], to);
    assert!(escalations(&book).is_empty());
    // A severity that is assessed anew wants its own; one that is taken back wants none.
    happen(&mut book, 1 + 16 * 3, INCIDENTS[0], "");
    assert_eq!(escalations(&book).len(), 1);
    let newest = book.log.entries.last().unwrap().said.as_ref().unwrap().1.jti.to_string();
    book.say(ANN, "retraction.recorded", &[INCIDENTS[0]], vec![("of", newest.as_str().into())]);
    book.say(ANN, "retraction.recorded", &[INCIDENTS[0]], vec![("of", severe.as_str().into())]);
    assert!(escalations(&book).is_empty());
}

#[test]
fn indexes_are_made_at_the_end_and_again_when_tables_were_made_anew() {
    let indexes = |views: &Views| -> i64 {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL";
        views.db().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let book = |text: &str| {
        let mut book = Book::default();
        receive(&mut book, ALERTS[0], 4, text);
        book.log
    };
    let (dir, log) = (tempfile::tempdir().unwrap(), book("2025-11-01T00:00:00Z"));
    let whole = Views::open(&dir.path().join("whole.db"), View::ALL, &log, &mut |_, _| ()).unwrap();
    let all = indexes(&whole);
    assert!(all > 20, "{all}");

    let mut views = Views::begin::<String>(&dir.path().join("views.db"), View::ALL).unwrap();
    views.catch_up(&log, &mut |_, _| ()).unwrap();
    assert_eq!(indexes(&views), 0);
    views.index::<String>().unwrap();
    assert_eq!(indexes(&views), all);
    // Another log: its tables are new.
    let other = book("2025-11-02T00:00:00Z");
    views.catch_up(&other, &mut |_, _| ()).unwrap();
    assert_eq!(indexes(&views), 0);
    views.index::<String>().unwrap();
    assert_eq!(indexes(&views), all);
}
