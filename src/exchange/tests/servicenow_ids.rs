//! Ids are derived from the row and nothing else, and no bytes whatever bring the reader down.

mod support;

use std::collections::HashSet;

use blotter_exchange::servicenow;
use blotter_record::Jti;
use proptest::prelude::*;
use support::{actor_of, build, file, rows, statements, zone};

fn ids(text: impl AsRef<[u8]>) -> Vec<Jti> {
    rows(text).into_iter().flatten().flatten().map(|statement| statement.jti).collect()
}

/// Written with independent means (Python's hashlib and struct) from the documentation.
#[test]
fn the_ids_are_those_of_the_documentation() {
    let text = file("", &["INC1,New,O,?,C,01-03-2016 09:00"]);
    let ids: Vec<String> = ids(text).iter().map(Jti::to_string).collect();
    assert_eq!(ids, IDS);
}

const IDS: [&str; 3] = [
    "900aa265-3088-846c-80d8-82802f703df8",
    "aa2d57fd-1e28-8af0-990f-f4f26364ddd5",
    "45cb7170-fe01-89ed-9804-990933f0744b",
];

#[test]
fn rows_that_differ_in_anything_have_other_ids() {
    let one = "INC1,New,O,?,C,01-03-2016 09:00,a,b";
    let others = [
        "INC2,New,O,?,C,01-03-2016 09:00,a,b",
        "INC1,New,O,?,C,01-03-2016 09:01,a,b",
        "INC1,New,O,?,C,01-03-2016 09:00,ab,",
        "INC1,New,O,?,C,01-03-2016 09:00,,ab",
        "INC1,New,O,?,C,01-03-2016 09:00,b,a",
        "INC1,New,O,?,C,01-03-2016 09:00,a,B",
    ];
    let mut all: HashSet<Jti> = HashSet::new();
    for row in std::iter::once(one).chain(others) {
        for id in ids(file(",x,y", &[row])) {
            assert!(all.insert(id), "{row}");
        }
    }
}

#[test]
fn a_column_that_stays_empty_or_moves_changes_no_id() {
    let expect = ids(file(",x", &["INC1,New,O,?,C,01-03-2016 09:00,a"]));
    assert_eq!(ids(file(",vendor,x", &["INC1,New,O,?,C,01-03-2016 09:00,?,a"])), expect);
    let moved = "x,sys_updated_at,sys_updated_by,opened_at,opened_by,incident_state,number\n\
                 a,01-03-2016 09:00,C,?,O,New,INC1\n";
    assert_eq!(ids(moved), expect);
}

const COLUMNS: [&str; 10] = [
    "number",
    "incident_state",
    "opened_by",
    "opened_at",
    "sys_updated_by",
    "sys_updated_at",
    "reopen_count",
    "assigned_to",
    "caller_id",
    "resolved_at",
];

/// Rows of a few cases, mostly good ones.
fn table() -> impl Strategy<Value = Vec<Vec<String>>> {
    let time = (1..29_u32, 0..60_u32).prop_map(|(day, minute)| format!("{day:02}-03-2016 09:{minute:02}"));
    let person = "[A-C?]";
    let row = (
        ("INC[1-3]", "(New|Active|Awaiting Vendor|Resolved|Closed|\\?)", person, time.clone(), person, time.clone()),
        ("[0-2?]", person, "[a,\"\n ]{0,4}", prop_oneof![Just("?".to_owned()), time]),
    );
    let row = row.prop_map(|((a, b, c, d, e, f), (g, h, i, j))| vec![a, b, c, d, e, f, g, h, i, j]);
    prop::collection::vec(row, 0..12)
}

fn written(table: &[Vec<String>], order: &[usize], terminator: csv::Terminator) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    writer.write_record(order.iter().map(|index| COLUMNS[*index])).expect("a row");
    for row in table {
        writer.write_record(order.iter().map(|index| &row[*index])).expect("a row");
    }
    writer.into_inner().expect("bytes")
}

fn in_order() -> Vec<usize> {
    (0..COLUMNS.len()).collect()
}

proptest! {
    #[test]
    fn line_ends_and_the_order_of_columns_change_no_id(table in table(), order in Just(in_order()).prop_shuffle()) {
        let expect = ids(written(&table, &in_order(), csv::Terminator::Any(b'\n')));
        prop_assert_eq!(&ids(written(&table, &in_order(), csv::Terminator::CRLF)), &expect);
        prop_assert_eq!(&ids(written(&table, &order, csv::Terminator::CRLF)), &expect);
    }

    #[test]
    fn a_longer_file_begins_with_the_same_statements(table in table(), more in table()) {
        let short = written(&table, &in_order(), csv::Terminator::Any(b'\n'));
        let long = written(&[table, more].concat(), &in_order(), csv::Terminator::Any(b'\n'));
        let short: Vec<_> = rows(short).into_iter().flatten().flatten().collect();
        let long: Vec<_> = rows(long).into_iter().flatten().flatten().collect();
        prop_assert_eq!(&long[..short.len()], &short[..]);
    }

    #[test]
    fn whatever_is_mapped_is_a_statement_with_an_id_of_its_own(table in table()) {
        let text = written(&table, &in_order(), csv::Terminator::Any(b'\n'));
        let persons = servicenow::persons(&text[..], zone("America/Sao_Paulo")).expect("persons");
        let mut ids = HashSet::new();
        for row in rows(text).into_iter().flatten() {
            prop_assert!(row.iter().any(|statement| statement.event == "x.servicenow.updated"));
            for statement in row {
                prop_assert!(ids.insert(statement.jti));
                prop_assert!(persons.contains(&statement.person));
                build(statement);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = servicenow::persons(&bytes[..], zone("UTC"));
        let rows = [support::HEADER.as_bytes(), b"\n", &bytes].concat();
        let _ = servicenow::statements(&rows[..], zone("UTC"), actor_of).map(Iterator::count);
    }

    #[test]
    fn almost_good_rows_are_read_or_refused(text in "(INC1|[ -~\n\r\"]|,|,New,A,\\?,B,01-03-2016 09:00){0,30}") {
        for statement in rows(file("", &[&text])).into_iter().flatten().flatten() {
            build(statement);
        }
    }
}

#[test]
fn persons_come_as_their_rows_do_and_once() {
    let text = file(
        ",assigned_to,resolved_by,caller_id",
        &[
            "INC1,New,Opened by  8,?,Updated by 2,01-03-2016 09:00,Resolver 8,?,Caller 1",
            "INC1,New,Opened by  8,?,Nobody,bad,Broken,?,Caller 1",
            "INC1,New,Opened by  8,?,Updated by 2,01-03-2016 09:01,Resolver 8, Resolved by 9 ,Caller 1",
        ],
    );
    let persons = servicenow::persons(text.as_bytes(), zone("UTC")).expect("persons");
    assert_eq!(persons, ["Opened by  8", "Resolver 8", "Updated by 2", "Resolved by 9"]);
    assert!(!statements(file("", &["INC1,New,O,?,C,01-03-2016 09:00"])).is_empty());
}
