//! The view of words: what is there can be found, what was erased can't.

use blotter_projections::Words;
use blotter_record::{Hash, Json};

use crate::facts::Book;

fn found(book: &Book, dir: &tempfile::TempDir, text: &str) -> Vec<u64> {
    let words = Words::open(&dir.path().join("views.db"), &book.log, &mut |_, _| ()).unwrap();
    words.search(text, u64::MAX, 10).unwrap()
}

fn comment(book: &mut Book, text: &str) -> String {
    let data = vec![("text", Json::from(text))];
    book.say_with("person/ann", "comment.added", &["incident/I1"], vec![], data)
}

#[test]
fn values_are_found_by_their_words() {
    let (dir, mut book) = (tempfile::tempdir().unwrap(), Book::default());
    comment(&mut book, "Über den Fileserver der Gärten");
    comment(&mut book, "the file server is back");
    let check = |text: &str, expect: &[u64]| assert_eq!(found(&book, &dir, text), expect, "{text}");
    check("server", &[1]);
    check("file*", &[1, 0]);
    check("\"file server\"", &[1]);
    check("\"server file\"", &[]);
    check("garten", &[0]);
    check("back server", &[1]);
    check("", &[]);
}

#[test]
fn what_was_erased_or_expunged_is_found_no_more_by_a_view_that_knew_it() {
    let (dir, mut book) = (tempfile::tempdir().unwrap(), Book::default());
    let jti = book.say_with(
        "person/ann",
        "incident.opened",
        &["incident/I1"],
        vec![("lead", "person/ann".into()), ("category", "malware".into()), ("tlp", "amber".into())],
        vec![("title", "Anna Muster's laptop".into()), ("summary", "laptop encrypted".into())],
    );
    comment(&mut book, "Anna Muster called");
    assert_eq!(found(&book, &dir, "muster"), [1, 0]);
    book.log.values.get_mut(&0).unwrap().retain(|(name, _)| name != "title");
    let item = Json::Object(vec![
        ("jti".to_owned(), jti.as_str().into()),
        ("field".to_owned(), "title".into()),
        ("digest".to_owned(), Hash::of(b"x").to_string().into()),
    ]);
    let facts =
        vec![("request", jti.as_str().into()), ("approvals", Json::List(vec![])), ("items", Json::List(vec![item]))];
    book.say("person/dpo", "erasure.executed", &["incident/I1"], facts);
    assert_eq!(found(&book, &dir, "muster"), [1]);
    assert_eq!(found(&book, &dir, "encrypted"), [0], "what was not erased stays");
    book.log.values.remove(&1);
    let leaf = book.log.entries[1].leaf.to_string();
    book.log.entries[1].said = None;
    let facts = vec![("seq", 1.into()), ("leaf", leaf.as_str().into()), ("approvals", Json::List(vec![]))];
    book.say("person/dpo", "entry.expunged", &["incident/I1"], facts);
    assert_eq!(found(&book, &dir, "muster"), [] as [u64; 0]);
}
