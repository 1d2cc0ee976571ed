//! The log index over logs that only look real: statements are built, not signed, because a fold verifies nothing.
//! The judge of what a filter finds is the filter's own judgement on each row, over a plain list of them.

use std::path::Path;

use blotter_projections::{Filter, LogEntry, LogIndex, Pattern, Row, Span, fold};
use blotter_record::{Draft, Entry, Hash, Instant, Json, Jti, Precision, Statement, StreamLink, Via};
use proptest::prelude::*;

use crate::log::Log;

const DAY_US: i64 = 86_400_000_000;

/// What the entry number `seq` says, of a few streams, events and actors.
#[derive(Debug, Clone)]
struct Says {
    stream: u8,
    about: Option<u8>,
    event: u8,
    actor: u8,
    recorded_us: i64,
    occurred_us: Option<i64>,
}

fn says() -> impl Strategy<Value = Says> {
    let occurred = proptest::option::of(0..10 * DAY_US);
    (0..4_u8, proptest::option::of(4..6_u8), 0..4_u8, 0..3_u8, 0..10 * DAY_US, occurred).prop_map(
        |(stream, about, event, actor, recorded_us, occurred_us)| Says {
            stream,
            about,
            event,
            actor,
            recorded_us,
            occurred_us,
        },
    )
}

const STREAMS: [&str; 6] = ["incident/INC-1", "incident/INC-2", "alert/A", "ledger", "incident/inc-3", "evidence/E1"];
const EVENTS: [&str; 4] = ["x.note.made", "x.note.read", "x.other", "x.note"];
const ACTORS: [&str; 3] = ["person/a", "person/b", "service/c"];

fn statement(seq: u64, says: &Says, event: &str, facts: Vec<(String, Json)>) -> Statement {
    let draft = Draft {
        iss: ACTORS[usize::from(says.actor)].parse().unwrap(),
        attributed: None,
        aud: format!("example.org/soc#{}", Hash::of(b"genesis")),
        jti: Jti::v7(seq, [7; 10]),
        iat: 1,
        sub: STREAMS[usize::from(says.stream)].parse().unwrap(),
        about: says.about.iter().map(|about| STREAMS[usize::from(*about)].parse().unwrap()).collect(),
        event: event.to_owned(),
        occurred: says.occurred_us.map(|at| Instant::from_unix_us(at).unwrap()),
        precision: if says.occurred_us.is_some() { Precision::Second } else { Precision::Unknown },
        seen: None,
        cause: Vec::new(),
        corrects: Vec::new(),
        via: Via::Cli,
        facts,
        data: Vec::new(),
    };
    draft.build(&Hash::of(b"key"), || [0; 16]).unwrap().signed(&[0; 64]).statement
}

fn entry(seq: u64, says: &Says, statement: Statement, salt: &str) -> LogEntry {
    let link = |stream: &blotter_record::Id| StreamLink { stream: stream.clone(), n: 0, prev: None };
    let placed = Entry {
        seq,
        prev: Hash::of(salt.as_bytes()),
        streams: statement.streams().map(link).collect(),
        recorded: Instant::from_unix_us(says.recorded_us).unwrap(),
        statement: statement.jws().to_owned(),
    };
    LogEntry { seq, leaf: Hash::of_leaf(&placed.to_bytes().unwrap()), said: Some((placed, statement)) }
}

impl Log {
    fn of(all: &[Says], salt: &str) -> Self {
        let entry = |(seq, says): (usize, &Says)| {
            let event = EVENTS[usize::from(says.event)];
            // Users' own events stay out of the ledger's stream.
            let says = Says { stream: if says.stream == 3 { 2 } else { says.stream }, ..says.clone() };
            entry(seq as u64, &says, statement(seq as u64, &says, event, Vec::new()), salt)
        };
        Self { entries: all.iter().enumerate().map(entry).collect(), ..Self::default() }
    }

    fn rows(&self) -> Vec<Row> {
        self.entries.iter().filter_map(|e| e.said.as_ref().map(|(entry, said)| Row::of(entry, said))).collect()
    }
}

fn open(path: &Path, log: &Log) -> LogIndex {
    LogIndex::open(path, log, &mut |_, _| ()).unwrap()
}

fn some_says(count: usize) -> Vec<Says> {
    (0..count as i64)
        .map(|n| Says {
            stream: (n % 3) as u8,
            about: (n % 2 == 0).then_some(5),
            event: (n % 4) as u8,
            actor: (n % 3) as u8,
            recorded_us: n * DAY_US,
            occurred_us: Some(n * DAY_US / 2),
        })
        .collect()
}

fn all(index: &LogIndex) -> Vec<u64> {
    index.seqs(&Filter::default(), (0, u64::MAX), false, usize::MAX).unwrap()
}

#[test]
fn rebuild_gives_the_same_digest() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::of(&some_says(23), "a");
    let grown = dir.path().join("grown.db");
    for size in [1, 7, 8, 23] {
        open(&grown, &Log::of(&some_says(size), "a"));
    }
    let fresh = open(&dir.path().join("fresh.db"), &log);
    assert_eq!(open(&grown, &log).digest().unwrap(), fresh.digest().unwrap());
    // Golden: a change of it is a change of what the view says, and wants another version.
    assert_eq!(fresh.digest().unwrap().to_string(), GOLDEN);
}

const GOLDEN: &str = "8B979UweT_SFSmoq246vt5tdF8Vin0NYhiHqhawIFtc";

#[test]
fn what_was_folded_is_not_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.db");
    open(&path, &Log::of(&some_says(20), "a"));
    let log = Log::of(&some_says(22), "a");
    assert_eq!(all(&open(&path, &log)).len(), 22);
    assert_eq!(*log.read.borrow(), 2);
}

/// Opens a view of one log on another, and expects it to be of the other.
fn check_starts_anew(first: &Log, second: &Log) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.db");
    open(&path, first);
    let other = open(&path, second);
    let fresh = open(&dir.path().join("fresh.db"), second);
    assert_eq!(other.digest().unwrap(), fresh.digest().unwrap());
    assert_eq!(all(&other).len(), second.entries.len());
}

#[test]
fn a_view_of_another_ledger_starts_anew() {
    check_starts_anew(&Log::of(&some_says(9), "a"), &Log::of(&some_says(12), "b"));
}

#[test]
fn a_view_of_a_log_that_was_cut_starts_anew() {
    check_starts_anew(&Log::of(&some_says(12), "a"), &Log::of(&some_says(9), "a"));
}

#[test]
fn a_view_of_a_log_that_was_rewritten_behind_it_starts_anew() {
    let mut second = Log::of(&some_says(12), "a");
    let tail = Log::of(&some_says(12), "b");
    second.entries[7..].clone_from_slice(&tail.entries[7..]);
    check_starts_anew(&Log::of(&some_says(9), "a"), &second);
}

#[test]
fn a_damaged_file_is_built_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("views.db");
    let log = Log::of(&some_says(9), "a");
    for junk in [
        &b"no database at all, but long enough to be looked at as one........................................"[..],
        b"",
    ] {
        std::fs::write(&path, junk).unwrap();
        assert_eq!(all(&open(&path, &log)).len(), 9);
    }
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_and_not_a_wrong_answer() {
    let dir = tempfile::tempdir().unwrap();
    let opened = LogIndex::open(&dir.path().join("nowhere/views.db"), &Log::of(&some_says(2), "a"), &mut |_, _| ());
    assert!(matches!(opened, Err(blotter_projections::ViewError::Unusable { .. })));
}

#[test]
fn an_expunged_entry_leaves_the_view_and_one_that_was_gone_before_never_enters() {
    let dir = tempfile::tempdir().unwrap();
    let says = some_says(6);
    let mut seen = Log::of(&says, "a");
    let taken = seen.entries[2].leaf;
    let ledger = Says { stream: 3, about: None, ..says[0].clone() };
    let facts = vec![
        ("seq".to_owned(), Json::Int(2)),
        ("leaf".to_owned(), taken.to_string().into()),
        (
            "approvals".to_owned(),
            Json::List(vec![Jti::v7(1, [1; 10]).to_string().into(), Jti::v7(2, [1; 10]).to_string().into()]),
        ),
    ];
    let names: Vec<_> = blotter_record::Event::EntryExpunged.rule().facts.iter().map(|fact| fact.name).collect();
    let facts = facts.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
    let order = statement(6, &ledger, "entry.expunged", facts);
    seen.entries.push(entry(6, &ledger, order, "a"));
    let mut never_seen = Log { entries: seen.entries.clone(), ..Log::default() };
    never_seen.entries[2].said = None;
    let (one, other) = (open(&dir.path().join("1.db"), &seen), open(&dir.path().join("2.db"), &never_seen));
    assert_eq!(one.digest().unwrap(), other.digest().unwrap());
    assert_eq!(all(&one), [0, 1, 3, 4, 5, 6]);
    assert_eq!(fold(&never_seen.entries[2]), []);
}

fn filters() -> impl Strategy<Value = Filter> {
    let streams =
        prop::sample::select(vec!["incident/INC-1", "incident/inc-1", "incident/", "evidence/E1", "lesson/", "alert/"]);
    let events = prop::sample::select(vec!["x.note.made", "x.note.", "x.", "x.note", "y."]);
    let span = || (proptest::option::of(0..10 * DAY_US), proptest::option::of(0..10 * DAY_US));
    (
        proptest::option::of(streams),
        proptest::option::of(events),
        proptest::option::of(prop::sample::select(ACTORS.to_vec())),
        proptest::option::of(span()),
        proptest::option::of(span()),
    )
        .prop_map(|(stream, event, actor, recorded, occurred)| {
            let span = |span: Option<(Option<i64>, Option<i64>)>| {
                let (since_us, until_us) = span.unwrap_or_default();
                Span { since_us, until_us }
            };
            Filter {
                stream: stream.map(|text| Pattern::new(text, '/')),
                event: event.map(|text| Pattern::new(text, '.')),
                actor: actor.map(|text| text.parse().unwrap()),
                recorded: span(recorded),
                occurred: span(occurred),
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_the_filter_admits(
        says in prop::collection::vec(says(), 1..40),
        filters in prop::collection::vec((filters(), 0..40_u64, 0..50_u64, any::<bool>(), 1..50_usize), 8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::of(&says, "a");
        let index = open(&dir.path().join("views.db"), &log);
        for (filter, from, end, newest_first, limit) in filters {
            let mut expect: Vec<u64> = log.rows().iter()
                .filter(|row| (from..end).contains(&row.seq) && filter.admits(row))
                .map(|row| row.seq)
                .collect();
            if newest_first {
                expect.reverse();
            }
            expect.truncate(limit);
            prop_assert_eq!(index.seqs(&filter, (from, end), newest_first, limit).unwrap(), expect, "{:?}", filter);
        }
    }
}
