//! Events that this version does not know, of a newer ledger or of somebody's own (`x.`): they are counted, listed and
//! found, whatever stands beside them means the same, and nothing stops.

use std::collections::BTreeMap;

use blotter_projections::metrics::subjects;
use blotter_projections::{
    Facts, Filter, LogIndex, Moment, Pattern, Words, case_as_of, fields, fold_and_digest, told_of,
};
use blotter_record::{EventName, Id, Json};
use rusqlite::types::Value;

use crate::facts::{ANN, Book, list, receive};

const INCIDENT: &str = "incident/I1";
/// One that a later version may have, one of a user's own.
const STRANGE: [&str; 2] = ["incident.quarantined", "x.lab.weighed"];

/// Event, streams, facts.
type Says = (&'static str, Vec<&'static str>, Vec<(&'static str, Json)>);

/// A small incident; after each entry, if it is wanted, one of each strange event in each of the entry's streams.
fn book(strange: bool) -> Book {
    let mut book = Book::default();
    let after = |book: &mut Book, streams: &[&str]| {
        for event in STRANGE.iter().filter(|_| strange) {
            let data = vec![("note", Json::from("zebra"))];
            // Facts of an event that is not known are not understood, whatever they are called.
            book.say_with(ANN, event, streams, vec![("of", "y".into()), ("level", 9.into())], data);
        }
    };
    let says: Vec<Says> = vec![
        (
            "incident.opened",
            vec![INCIDENT],
            vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())],
        ),
        ("incident.acknowledged", vec![INCIDENT], vec![]),
        (
            "incident.confirmed",
            vec![INCIDENT],
            vec![("verdict", "true-positive".into()), ("criteria_version", "1".into()), ("criteria", list([]))],
        ),
        ("task.opened", vec![INCIDENT], vec![("task", "task/t1".into()), ("owner", ANN.into())]),
        (
            "evidence.accessed",
            vec!["evidence/E-1", INCIDENT],
            vec![("purpose", "look".into()), ("copy", "original".into())],
        ),
        (
            "lesson.recorded",
            vec!["lesson/L-1", INCIDENT],
            vec![("lesson", "lesson/L-1".into()), ("none_found", false.into())],
        ),
        ("incident.resolved", vec![INCIDENT], vec![("code", "fixed".into())]),
    ];
    receive(&mut book, "alert/A", 3, "2025-11-01T00:00:00Z");
    after(&mut book, &["alert/A"]);
    for (event, streams, facts) in says {
        book.say(ANN, event, &streams, facts);
        after(&mut book, &streams);
    }
    after(&mut book, &["asset/a1"]);
    book
}

/// Rows of a table, as far as they don't say where in the log something is, when, or how much there is.
fn rows(facts: &Facts, table: &blotter_projections::Table) -> Vec<BTreeMap<String, Value>> {
    let mut query = facts.db().prepare(&format!("SELECT * FROM {}", table.name)).unwrap();
    let names: Vec<String> = query.column_names().map(str::to_owned).collect();
    let position = |name: &str| name.contains("seq") || name.ends_with("_us") || name == "entries" || name == "jti";
    let rows = query.query_map([], |row| {
        let cells = names.iter().enumerate().filter(|(_, name)| !position(name));
        cells.map(|(at, name)| Ok((name.clone(), row.get::<_, Value>(at)?))).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn what_is_known_means_the_same_beside_events_that_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let open = |name: &str, book: &Book| Facts::open(&dir.path().join(name), &book.log, &mut |_, _| ()).unwrap();
    let (plain, strange) = (book(false), book(true));
    let unknown = strange.log.entries.iter().filter_map(|entry| Some(&entry.said.as_ref()?.1.event));
    assert!(unknown.clone().any(|event| matches!(event, EventName::Unknown(_))));
    assert!(unknown.clone().any(|event| matches!(event, EventName::Custom(_))));
    assert_eq!(strange.log.entries.len(), plain.log.entries.len() * 3 + 2);

    let (then, now) = (open("plain.db", &plain), open("strange.db", &strange));
    let mut compared = 0;
    for table in blotter_projections::tables() {
        let (then, mut now) = (rows(&then, table), rows(&now, table));
        if table.name == "custody" {
            let strange = |row: &BTreeMap<String, Value>| {
                STRANGE.iter().any(|event| row["event"] == Value::Text((*event).to_owned()))
            };
            assert_eq!(now.iter().filter(|row| strange(row)).count(), 2, "shown in the chain");
            now.retain(|row| !strange(row));
        }
        assert_eq!(then, now, "{}", table.name);
        compared += then.len();
    }
    assert!(compared > 15, "{compared}");
    assert_eq!(now.digest().unwrap(), fold_and_digest(&strange.log, now.size(), &mut |_, _| ()).unwrap());
    assert_eq!(subjects(then.db()).unwrap().len(), subjects(now.db()).unwrap().len());
}

#[test]
fn they_are_counted_listed_and_found_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.db");
    let book = book(true);
    let size = book.log.entries.len() as u64;
    let index = LogIndex::open(&path, &book.log, &mut |_, _| ()).unwrap();
    let seqs = |filter: &Filter| index.seqs(filter, (0, u64::MAX), false, usize::MAX).unwrap();
    assert_eq!(seqs(&Filter::default()), (0..size).collect::<Vec<_>>());
    for event in STRANGE {
        let named = |entry: &&blotter_projections::LogEntry| {
            entry.said.as_ref().is_some_and(|(_, statement)| statement.event.as_str() == event)
        };
        let expected: Vec<u64> = book.log.entries.iter().filter(named).map(|entry| entry.seq).collect();
        let filter = Filter { event: Some(Pattern::Exact(event.to_owned())), ..Filter::default() };
        assert_eq!(seqs(&filter), expected, "{event}");
    }
    let words = Words::open(&path, &book.log, &mut |_, _| ()).unwrap();
    assert_eq!(words.search("zebra", u64::MAX, 100).unwrap().len(), 18);

    let id: Id = INCIDENT.parse().unwrap();
    let moment = Moment::recorded(size);
    assert_eq!(told_of(&book.log, &id, moment).unwrap().len(), 21, "in the timeline");
    let case = case_as_of(&book.log, &id, moment).unwrap();
    assert_eq!(case.incident.entries, 21);
    let others = fields(&case).into_iter().find(|field| field.name == "other-events").unwrap();
    assert_eq!(others.value, "incident.quarantined (7), x.lab.weighed (7)");
    assert!(others.seqs.iter().all(|seq| *seq >= size - 4), "the newest of each: {:?}", others.seqs);
    let count = index.seqs(
        &Filter { stream: Some(Pattern::Exact(INCIDENT.to_owned())), ..Filter::default() },
        (0, u64::MAX),
        false,
        99,
    );
    assert_eq!(count.unwrap().len(), 21);
}
