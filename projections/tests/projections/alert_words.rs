//! The view of alerts' words: what was erased or expunged leaves it, and does not come back when it is built anew.

use blotter_projections::alerts::words::AlertWords;
use blotter_record::{Hash, Json};

use crate::facts::{Book, list, receive};

const AT: &str = "2025-11-01T00:00:00Z";

/// Two alerts, as their source sent them.
fn book() -> (Book, String) {
    let mut book = Book::default();
    let first = receive(&mut book, "alert/A", 4, AT);
    receive(&mut book, "alert/B", 4, AT);
    for seq in 0..2 {
        let values = [
            ("title", "Files renamed".into()),
            ("rule", "R-7".into()),
            ("host", "FS-1".into()),
            ("user", "eva\nmeier".into()),
            ("observables", list(["ip:10.0.0.1", "ip:10.0.0.1", "cut:7"])),
        ];
        book.log.values.insert(seq, values.map(|(name, value): (&str, Json)| (name.to_owned(), value)).into());
    }
    (book, first)
}

fn erase(book: &mut Book, jti: &str, field: &str) {
    let digest = Hash::of(field.as_bytes()).to_string();
    let item = [("jti", jti), ("field", field), ("digest", &digest)];
    let item = Json::Object(item.map(|(name, value)| (name.to_owned(), value.into())).into());
    let facts = vec![("request", jti.into()), ("approvals", list([jti])), ("items", Json::List(vec![item]))];
    book.say("person/dpo", "erasure.executed", &["alert/A"], facts);
}

fn open(book: &Book, dir: &std::path::Path, file: &str) -> AlertWords {
    AlertWords::open(&dir.join(file), &book.log, &mut |_, _| ()).unwrap()
}

fn ask(words: &AlertWords, sql: &str) -> Vec<String> {
    let mut query = words.db().prepare(sql).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn the_words_of_an_alert_are_those_of_its_values() {
    let dir = tempfile::tempdir().unwrap();
    let (book, _) = book();
    let words = open(&book, dir.path(), "views.db");
    let said =
        "SELECT alert || ' ' || source || ' ' || rule || ' ' || host || ' ' || user FROM said_alert ORDER BY seq";
    assert_eq!(
        ask(&words, said),
        ["alert/A source/edr R-7 FS-1 eva meier", "alert/B source/edr R-7 FS-1 eva meier"],
        "a line feed would not fit into a line"
    );
    assert_eq!(ask(&words, "SELECT observable FROM said_observable WHERE seq = 0"), ["ip:10.0.0.1"]);
    assert_eq!(ask(&words, "SELECT DISTINCT grouped_by FROM said_alert").len(), 1, "one rule, one host");
}

#[test]
fn erased_words_leave_the_view_and_do_not_come_back() {
    for field in ["host", "rule", "user", "title", "observables", "*", "raw"] {
        let dir = tempfile::tempdir().unwrap();
        let (mut book, first) = book();
        let before = open(&book, dir.path(), "followed").digest().unwrap();
        erase(&mut book, &first, field);
        let values = book.log.values.get_mut(&0).unwrap();
        values.retain(|(name, _)| name != field && field != "*");
        let followed = open(&book, dir.path(), "followed");
        if !matches!(field, "*" | "observables" | "raw") {
            assert_eq!(ask(&followed, &format!("SELECT seq || '' FROM said_alert WHERE {field} IS NULL")), ["0"]);
        }
        assert_eq!(followed.digest().unwrap() == before, field == "raw", "{field}");
        let anew = open(&book, dir.path(), "anew");
        if field == "*" {
            assert_eq!(ask(&followed, "SELECT alert FROM said_alert"), ["alert/B"]);
        }
        assert_eq!(followed.digest().unwrap(), anew.digest().unwrap(), "{field}");
    }
}

#[test]
fn a_host_that_was_erased_counts_with_no_group() {
    let dir = tempfile::tempdir().unwrap();
    let (mut book, first) = book();
    open(&book, dir.path(), "views.db");
    erase(&mut book, &first, "host");
    let words = open(&book, dir.path(), "views.db");
    assert_eq!(ask(&words, "SELECT DISTINCT grouped_by FROM said_alert").len(), 2);
    assert!(ask(&words, "SELECT grouped_by FROM said_alert WHERE seq = 0")[0].ends_with("alert/A"));
}

#[test]
fn an_expunged_entry_has_no_words() {
    let dir = tempfile::tempdir().unwrap();
    let (mut book, _) = book();
    open(&book, dir.path(), "followed");
    let leaf = book.log.entries[0].leaf.to_string();
    book.log.entries[0].said = None;
    book.log.values.remove(&0);
    let facts = vec![("seq", 0.into()), ("leaf", leaf.as_str().into()), ("approvals", list([]))];
    book.say("person/dpo", "entry.expunged", &["alert/A"], facts);
    let followed = open(&book, dir.path(), "followed");
    assert_eq!(ask(&followed, "SELECT alert FROM said_alert"), ["alert/B"]);
    assert_eq!(ask(&followed, "SELECT seq || '' FROM said_observable"), ["1"]);
    assert_eq!(followed.digest().unwrap(), open(&book, dir.path(), "anew").digest().unwrap());
}
