//! Ids are derived from the row's permanent facts and nothing else, and no bytes whatever bring the reader down.

mod support;

use std::collections::HashSet;

use blotter_exchange::servicenow;
use blotter_record::Jti;
use proptest::prelude::*;
use support::{actor_of, build, file, rows, statements, zone};

fn ids(text: impl AsRef<[u8]>) -> Vec<Jti> {
    rows(text).into_iter().flatten().flatten().map(|statement| statement.jti).collect()
}

/// The judge is Python, written from the documentation alone. Its recipe, with a row as a dict of the cells that have a
/// value:
///
/// ```python
/// P = b"blotter import servicenow 1"
/// def fact(c, t):  # None for all other columns
///     if c in FLAGS: return t.lower()
///     if c in COUNTS: return str(int(t))
///     if c in TIMES: return t
///     if c in RANKS: return t[0]
///     if c in CODES: return re.sub("[^a-z0-9]+", "-", t.lower()).strip("-")[:64] or "other"
/// parts = [row["number"]]
/// for c in sorted(row):
///     if fact(c, row[c]) is not None: parts += [c, fact(c, row[c])]
/// parts = [part.encode() for part in parts]
/// d = sha256(P + b"".join(struct.pack(">Q", len(part)) + part for part in parts)).digest()
/// u = bytearray(sha256(P + d + event.encode()).digest()[:16])
/// u[6] = u[6] & 0x0f | 0x80; u[8] = u[8] & 0x3f | 0x80; print(uuid.UUID(bytes=bytes(u)))
/// ```
#[test]
fn the_ids_are_those_of_the_documentation() {
    let check = |more: &str, row: &str, expect: &[(&str, &str)]| {
        let said = statements(file(more, &[row]));
        let ids: Vec<_> = said.iter().map(|statement| (statement.event.clone(), statement.jti.to_string())).collect();
        assert_eq!(ids, expect.iter().map(|(e, id)| (e.to_string(), id.to_string())).collect::<Vec<_>>(), "{row}");
    };
    check(
        "",
        "INC1,New,O,?,C,01-03-2016 09:00",
        &[
            ("incident.opened", "2850ddc8-e94a-8787-b570-935483b96838"),
            ("x.servicenow.updated", "e2324bfb-bb44-8bd2-81d6-0f3fad10ca97"),
            ("x.servicenow.state", "641c2889-6dfd-890b-a2d0-885699d64f9b"),
        ],
    );
    check(
        ",caller_id,active,sys_mod_count,category,priority,assignment_group,closed_at,Work notes",
        "INC1,Awaiting User Info,Opener,29-02-2016 01:16,Clerk,29-02-2016 01:23,Caller 1,TRUE,07,Category 55,\
         3 - Moderate,Group 56,05-03-2016 12:00,it rang",
        &[
            ("incident.opened", "63e1243a-bb94-8429-ba6c-cb5b18d4da7d"),
            ("x.servicenow.updated", "adc3f9a4-efd5-8162-86a4-9966196e0617"),
            ("x.servicenow.priority", "ce032993-df83-8640-8d5c-26addc893ea6"),
            ("x.servicenow.state", "666d91f5-6c96-8ecc-b4e8-d61f4e32674a"),
            ("phase.entered", "7652f7e8-5c56-8622-a512-bf62ab22c295"),
            ("x.servicenow.outcome", "130d03e8-e026-8130-8abb-ef333ab6def6"),
        ],
    );
}

/// A row with a value in every column: its name, the cell, another cell.
const FACTS: [(&str, &str, &str); 22] = [
    ("number", "INC1", "INC2"),
    ("incident_state", "Awaiting User Info", "Awaiting Vendor"),
    ("active", "TRUE", "FALSE"),
    ("reassignment_count", "1", "0"),
    ("reopen_count", "2", "1"),
    ("sys_mod_count", "3", "4"),
    ("made_sla", "FALSE", "TRUE"),
    ("opened_at", "01-03-2016 08:00", "01-03-2016 07:59"),
    ("sys_created_at", "01-03-2016 08:01", "?"),
    ("sys_updated_at", "01-03-2016 09:00", "01-03-2016 09:01"),
    ("contact_type", "Phone", "Email"),
    ("category", "Category 55", "Category 56"),
    ("subcategory", "Subcategory 170", "?"),
    ("impact", "1 - High", "2 - Medium"),
    ("urgency", "2 - Medium", "1 - High"),
    ("priority", "2 - High", "1 - Critical"),
    ("knowledge", "TRUE", "FALSE"),
    ("u_priority_confirmation", "FALSE", "?"),
    ("notify", "Do Not Notify", "Send Email"),
    ("closed_code", "code 5", "code 6"),
    ("resolved_at", "01-03-2016 09:00", "01-03-2016 08:59"),
    ("closed_at", "05-03-2016 12:00", "05-03-2016 12:01"),
];

/// The same of columns whose cells can be erased, or lead to a person.
const ERASABLE: [(&str, &str, &str); 15] = [
    ("opened_by", "Opened by  8", "Opened by  9"),
    ("sys_created_by", "Created by 6", "?"),
    ("sys_updated_by", "Updated by 2", "Maria Silva"),
    ("assigned_to", "Resolver 8", "Resolver 9"),
    ("resolved_by", "Resolved by 149", "Resolved by 8"),
    ("caller_id", "Caller 1", "Caller 2"),
    ("location", "Location 143", "Location 1"),
    ("u_symptom", "Symptom 72", "?"),
    ("cmdb_ci", "cmdb_ci 6", "Maria's laptop"),
    ("assignment_group", "Group 56", "Group 57"),
    ("problem_id", "Problem ID  2", "?"),
    ("rfc", "CHG0000047", "CHG0000048"),
    ("vendor", "code 8s", "code 9s"),
    ("caused_by", "CHG0000097", "?"),
    ("Work notes", "it rang", "Maria rang"),
];

/// The ids of the row of all columns, with `cell` in the column `of`.
fn ids_with(of: &str, cell: &str) -> Vec<Jti> {
    let all = || FACTS.iter().chain(&ERASABLE);
    let names: Vec<&str> = all().map(|(name, ..)| *name).collect();
    let cells: Vec<&str> = all().map(|(name, usual, _)| if *name == of { cell } else { usual }).collect();
    let ids = ids(format!("{}\n{}\n", names.join(","), cells.join(",")));
    assert_eq!(ids.len(), 7, "{of} {cell}");
    ids
}

#[test]
fn what_can_be_erased_and_who_a_person_is_changes_no_id() {
    let expect = ids_with("", "");
    for (column, _, other) in ERASABLE {
        assert_eq!(ids_with(column, other), expect, "{column}");
    }
}

#[test]
fn rows_that_differ_in_a_fact_have_other_ids() {
    let mut all: HashSet<Jti> = ids_with("", "").into_iter().collect();
    for (column, _, other) in FACTS {
        for id in ids_with(column, other) {
            assert!(all.insert(id), "{column}");
        }
    }
}

/// Of a choice, state or rank the fact is a code or number; the exact text is data, like any other.
#[test]
fn of_a_cell_that_is_fact_and_data_only_the_fact_is_in_the_id() {
    let expect = ids_with("", "");
    assert_eq!(ids_with("category", "category (55)"), expect);
    assert_eq!(ids_with("incident_state", "awaiting user-info"), expect);
    assert_eq!(ids_with("priority", "2 - Hoch"), expect);
    let long = "x".repeat(64);
    assert_eq!(ids_with("closed_code", &format!("{long} Maria")), ids_with("closed_code", &format!("{long} Ana")));
    assert_eq!(ids_with("subcategory", "日本"), ids_with("subcategory", "中国"));
}

#[test]
fn the_same_text_in_another_column_makes_other_ids() {
    let flags = |cells: &str| ids(file(",active,made_sla", &[&format!("INC1,New,O,?,C,01-03-2016 09:00,{cells}")]));
    let all: HashSet<Jti> = ["TRUE,?", "?,TRUE", "TRUE,TRUE", "?,?"].into_iter().flat_map(flags).collect();
    assert_eq!(all.len(), 4 * 3);
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
