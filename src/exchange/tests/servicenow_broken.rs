//! Input that can't be taken: which error, naming what and where, and that the rest goes on.

mod support;

use std::io::{self, Read};

use blotter_exchange::servicenow::{self, CELL_SPELLED_BYTES_MAX, UNKNOWN_COLUMNS_MAX};
use blotter_exchange::{FileError, RowError, Summary};
use blotter_record::limits::PRESENTATION_BYTES_MAX;
use support::{HEADER, actor_of, build, file, rows, statements, told, zone};

fn check_file(text: &[u8], expect: &str) {
    let error = servicenow::statements(text, zone("UTC"), actor_of).err().expect("an error");
    assert!(error.to_string().contains(expect), "{error}, not {expect}");
    let error = servicenow::persons(text, zone("UTC")).expect_err("the same error");
    assert!(error.to_string().contains(expect), "{error}, not {expect}");
}

/// A good row, `row`, and another good row: the one between is refused with this message.
fn check_row(more: &str, row: &[u8], expect: &str) {
    let commas = ",".repeat(more.matches(',').count());
    let good = |minute| format!("INC1,New,O,?,C,01-03-2016 09:0{minute}{commas}\n").into_bytes();
    let text = [format!("{HEADER}{more}\n").into_bytes(), good(0), row.to_vec(), b"\n".to_vec(), good(2)].concat();
    let rows = rows(text);
    assert_eq!(rows.len(), 3, "{expect}");
    assert_eq!(rows[1].as_ref().err().map(ToString::to_string).as_deref(), Some(expect));
    let last = rows[2].as_ref().expect("the rest goes on");
    assert_eq!(last.iter().map(told).collect::<Vec<_>>(), ["x.servicenow.updated"], "the case is as before");
}

#[test]
fn a_file_without_a_usable_header_is_refused_whole() {
    check_file(b"", "the file is empty");
    check_file(b"\xef\xbb\xbf\r\n\r\n", "the file is empty");
    check_file(
        b"number,opened_at,sys_updated_by\n",
        "line 1: the row of column names: no column incident_state, sys_updated_at",
    );
    check_file(
        format!("\n{HEADER},number\n").as_bytes(),
        "line 2: the row of column names: the columns \"number\" and \"number\"",
    );
    check_file(HEADER.replace(',', ";").as_bytes(), "cells are separated by commas");
    check_file(b"num\xe9ro,x\n", "not UTF-8");
    check_file(b"\xff\xfen\0u\0m\0", "not UTF-8");
    check_file(b"n\0u\0m\0,", "a NUL character");
    check_file(b"number,\"incident", "the file ends inside a quoted cell");
}

#[test]
fn a_mark_at_the_start_and_any_line_end_are_no_matter() {
    let text = file("", &["INC1,New,O,?,C,01-03-2016 09:00"]);
    let expect = statements(&text);
    assert_eq!(statements(format!("\u{feff}{text}")), expect);
    assert_eq!(statements(text.replace('\n', "\r\n")), expect);
    assert_eq!(statements(text.trim_end()), expect);
}

#[test]
fn a_broken_row_is_named_and_the_rest_goes_on() {
    let row = |text: &str, expect: &str| check_row("", text.as_bytes(), expect);
    row("INC1,New,O,?,C", "line 3: 5 cells; the header has 6");
    row("INC1,New,O,?,C,01-03-2016 09:01,x", "line 3: 7 cells; the header has 6");
    row("?,New,O,?,C,01-03-2016 09:01", "line 3, column number: missing; without it the row can't be placed");
    row(
        "INC1,New,O,?, ,01-03-2016 09:01",
        "line 3, column sys_updated_by: missing; without it the row can't be placed",
    );
    row("INC1,New,O,?,C,?", "line 3, column sys_updated_at: missing; without it the row can't be placed");
    let grammar = "can't name a stream (1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first)";
    row("INC 1,New,O,?,C,01-03-2016 09:01", &format!("line 3, column number: \"INC 1\" {grammar}"));
    let long = "x".repeat(65);
    row(
        &format!("{long},New,O,?,C,01-03-2016 09:01"),
        &format!("line 3, column number: \"{}\" {grammar}", &long[..60]),
    );
    row("inc1,New,O,?,C,01-03-2016 09:01", "line 3, column number: inc1 differs only in case from INC1 further up");
    row(
        "INC1,New,O,31-02-2016 09:00,C,01-03-2016 09:01",
        "line 3, column opened_at: \"31-02-2016 09:00\" is not a time dd-mm-yyyy hh:mm (1970 to 9999)",
    );
    row(
        "INC1,New,O,?,C,16-10-2016 00:30",
        "line 3, column sys_updated_at: 16-10-2016 00:30 never was in America/Sao_Paulo: the clocks skipped it",
    );
    row("INC1,New,O\0,?,C,01-03-2016 09:01", "line 3, column opened_by: a NUL character");
    row(
        "INC1,New,\"O\"x,?,C,01-03-2016 09:01",
        "line 3, column opened_by: text behind a closing quote (a quote inside a quoted cell is written twice)",
    );
    check_row(
        "",
        b"INC1,New,Jos\xe9,?,C,01-03-2016 09:01",
        "line 3, column opened_by: not UTF-8 (byte 0xe9); if the file is Latin-1 or Windows-1252, convert it to UTF-8 first",
    );
}

#[test]
fn cells_that_are_not_what_their_column_wants_are_named() {
    let cell = |column: &str, cell: &str, expect: &str| {
        let row = format!("INC1,New,O,?,C,01-03-2016 09:01,{cell}");
        check_row(&format!(",{column}"), row.as_bytes(), &format!("line 3, column {column}: {expect}"));
    };
    cell("active", "yes", "\"yes\" is neither TRUE nor FALSE");
    cell("sys_mod_count", "-1", "\"-1\" is not a whole number of at most 15 digits");
    cell("sys_mod_count", "1.0", "\"1.0\" is not a whole number of at most 15 digits");
    cell("sys_mod_count", "1000000000000000", "\"1000000000000000\" is not a whole number of at most 15 digits");
    cell("impact", "Medium", "\"Medium\" has no rank from 1 to 9 in front, as in \"2 - Medium\"");
    cell("impact", "0 - None", "\"0 - None\" has no rank from 1 to 9 in front, as in \"2 - Medium\"");
    cell("vendor", &"x".repeat(32_769), "the cell has more than 32768 bytes");
    let control = "\u{1}".repeat(8_167);
    cell(
        "vendor",
        &control,
        &format!("the cell takes {} bytes as JSON; at most {CELL_SPELLED_BYTES_MAX}", 8_167 * 6 + 2),
    );
    statements(file(",vendor", &[&format!("INC1,New,O,?,C,01-03-2016 09:01,{}", &control[1..])]))
        .into_iter()
        .for_each(|statement| drop(build(statement)));
}

#[test]
fn the_largest_row_that_is_taken_fits_a_statement() {
    let more: String = (0..UNKNOWN_COLUMNS_MAX).map(|n| format!(",{:c<60}", format!("n{n}_"))).collect();
    let cells: String =
        (0..UNKNOWN_COLUMNS_MAX).map(|n| format!(",{}", "\u{1}".repeat(if n < 10 { 8_100 } else { 2_000 }))).collect();
    let rows = rows(file(&more, &[&format!("INC1,New,O,?,C,01-03-2016 09:01{cells}")]));
    let refused = rows[0].as_ref().expect_err("too large").to_string();
    assert!(refused.contains("the row takes") && refused.contains("at most 524288"), "{refused}");

    let cells = cells.replace(&"\u{1}".repeat(2_000), "");
    let row = format!("INC1,New,O,?,C,01-03-2016 09:01{cells}");
    let cleared = format!("INC1,?,?,?,C,01-03-2016 09:02{}", ",".repeat(UNKNOWN_COLUMNS_MAX));
    for statement in statements(file(&more, &[&row, &cleared])) {
        let presentation = build(statement).signed(&[0; 64]).to_text();
        assert!(presentation.len() <= PRESENTATION_BYTES_MAX, "{}", presentation.len());
    }
}

#[test]
fn a_quote_that_never_closes_says_what_it_swallowed() {
    let text = file(
        "",
        &["INC1,New,O,?,C,01-03-2016 09:00", "INC1,New,\"O,?,C,01-03-2016 09:01", "INC1,New,O,?,C,01-03-2016 09:02"],
    );
    let errors: Vec<String> = rows(text).into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    assert_eq!(
        errors,
        ["line 3, column opened_by: the file ends inside a quoted cell; lines 3 to 5 were read as one row"]
    );
}

#[test]
fn the_same_row_twice_is_known_again() {
    let row = "INC1,New,O,?,C,01-03-2016 09:00";
    let rows = rows(file("", &[row, "INC2,New,O,?,C,01-03-2016 09:00", "INC1, New,\"O\",,C,01-03-2016 09:00"]));
    assert!(matches!(rows[2], Err(RowError::Duplicate { line: 4, first_line: 2 })), "{:?}", rows[2]);
    let mut summary = Summary::default();
    rows.iter().for_each(|row| summary.count(row));
    assert_eq!((summary.rows, summary.rejected, summary.duplicates, summary.statements()), (3, 0, 1, 6));
}

#[test]
fn a_row_that_would_take_the_ids_of_another_is_refused() {
    let what = "says something else than line 2 about the same change; \
                ServiceNow's sys_mod_count should tell them apart";
    check_row("", b"INC1,New,O,?,D,01-03-2016 09:00", &format!("line 3: {what}"));
    check_row(",caller_id", b"INC1,New,O,?,C,01-03-2016 09:00,Caller 1", &format!("line 3: {what}"));

    let with = |[first, second]: [&str; 2]| {
        let row = |(count, caller)| format!("INC1,New,O,?,C,01-03-2016 09:00,{count},{caller}");
        let lines = [row((first, "Caller 1")), row((second, "Caller 2")), row((second, "Caller 2"))];
        let rows = rows(file(",sys_mod_count,caller_id", &lines.iter().map(String::as_str).collect::<Vec<_>>()));
        rows.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(with(["0", "1"]), ["line 4: the same row as line 3"]);
    assert_eq!(with(["0", "0"]), [format!("line 3: {what}"), format!("line 4: {what}")]);
    let mut summary = Summary::default();
    rows(file("", &["INC1,New,O,?,C,01-03-2016 09:00", "INC1,New,O,?,D,01-03-2016 09:00"]))
        .iter()
        .for_each(|row| summary.count(row));
    assert_eq!((summary.rows, summary.rejected, summary.duplicates, summary.statements()), (2, 1, 0, 3));
}

#[test]
fn line_numbers_are_those_of_the_file() {
    let text = file(",note", &["INC1,New,O,?,C,01-03-2016 09:00,\"a\n\nb\"", "", "INC1,New,O,?,C,bad,"]);
    let lines: Vec<u64> = rows(text).into_iter().map(|row| row.map_or_else(|e| e.line(), |s| s[0].line)).collect();
    assert_eq!(lines, [2, 6]);
}

#[test]
fn a_broken_first_row_leaves_the_opening_to_the_next() {
    let rows = rows(file("", &["INC1,New,O,?,C,bad", "INC1,Active,O,?,C,01-03-2016 09:01"]));
    assert_eq!(rows[1].as_ref().expect("a good row")[0].event, "incident.opened");
}

#[test]
fn a_reader_that_fails_ends_the_import() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let text = file("", &["INC1,New,O,?,C,01-03-2016 09:00"]);
    let reader = || text.as_bytes().chain(Fails);
    let rows: Vec<_> = servicenow::statements(reader(), zone("UTC"), actor_of).expect("a header").collect();
    assert_eq!(rows.len(), 2);
    assert!(matches!(rows[1], Err(RowError::Unreadable { line: 3, .. })), "{:?}", rows[1]);
    assert!(matches!(servicenow::persons(reader(), zone("UTC")), Err(FileError::Unreadable { line: 3, .. })));
}
