//! Saved filters: options of a command that lists, under a name.

use std::os::unix::fs::PermissionsExt;

use crate::places::{Place, json};
use crate::said;

fn refused(place: &Place, arguments: &[&str]) -> String {
    let output = place.run(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    said(&output)
}

#[test]
fn a_saved_filter_is_what_was_typed_and_what_is_typed_beside_it_wins() {
    let place = Place::founded();
    assert!(place.done(&["filter", "list"]).starts_with("no saved filters"));
    let typed = ["log", "--event", "actor.", "--all", "--reverse", "--json"];
    let plain = place.done(&typed);
    assert!(plain.lines().count() > 1, "{plain}");
    let kept = place.done(&[&typed[..], &["--save", "people"]].concat());
    assert_eq!(kept, plain);
    assert_eq!(place.done(&["log", "--filter", "people", "--json"]), plain);
    // --json is about how to print, and is no part of it.
    assert_eq!(place.done(&["filter", "show", "people"]).trim_end(), "blotter log --event=actor. --all --reverse");
    assert!(place.done(&["log", "--filter", "people"]).starts_with("seq "));
    // Wins over the same option, and over one that can't stand beside it (--all).
    let ledger =
        json(place.done(&["log", "--filter", "people", "--event", "ledger.", "--json"]).lines().next().unwrap());
    assert_eq!(ledger["event"], "ledger.founded");
    let one = place.done(&["log", "--filter", "people", "-n", "1", "--json"]);
    assert_eq!(Some(one.trim_end()), plain.lines().next());
    // What both say together can be saved again, in its place.
    place.done(&["log", "--filter", "people", "-n", "1", "--save", "people"]);
    assert_eq!(place.done(&["log", "--filter", "people", "--json"]), one);
    let list = json(&place.done(&["filter", "list", "--json"]));
    assert_eq!(list["filters"][0]["name"], "people");
    assert_eq!(list["filters"].as_array().unwrap().len(), 1);
}

#[test]
fn words_and_options_that_repeat_are_kept_too() {
    let place = Place::played();
    let typed = ["search", "file server", "rans*", "--limit", "3", "--json"];
    let plain = place.done(&[&typed[..], &["--save", "words"]].concat());
    assert!(!json(&plain)["found"].as_array().unwrap().is_empty());
    assert_eq!(place.done(&["search", "--filter", "words", "--json"]), plain);
    let other = place.done(&["search", "--filter", "words", "--json", "--", "nothing-has-this"]);
    assert_eq!(json(&other)["found"].as_array().unwrap().len(), 0);
    let typed = ["incident", "list", "--status", "open", "--status", "merged", "--json"];
    let plain = place.done(&[&typed[..], &["--save", "two"]].concat());
    assert_eq!(place.done(&["incident", "list", "--filter", "two", "--json"]), plain);
    let merged = json(&place.done(&["incident", "list", "--filter", "two", "--status", "merged", "--json"]));
    let statuses: Vec<_> = merged["incidents"].as_array().unwrap().iter().map(|row| row["status"].clone()).collect();
    assert!(!statuses.is_empty() && statuses.iter().all(|status| status == "merged"), "{statuses:?}");
    let typed = ["alert", "list", "--state", "linked", "--json"];
    let plain = place.done(&[&typed[..], &["--save", "linked"]].concat());
    assert!(!json(&plain)["groups"].as_array().unwrap().is_empty(), "{plain}");
    assert_eq!(place.done(&["alert", "list", "--filter", "linked", "--json"]), plain);
}

#[test]
fn a_filter_that_is_not_there_broken_or_another_commands_is_named() {
    let place = Place::founded();
    assert!(refused(&place, &["log", "--filter", "mine"]).contains("there are none"));
    place.done(&["log", "--event", "actor.", "--save", "mine"]);
    assert!(refused(&place, &["log", "--filter", "yours"]).contains("those there are: mine"));
    assert!(refused(&place, &["filter", "delete", "yours"]).contains("those there are: mine"));
    assert!(refused(&place, &["search", "--filter", "mine"]).contains("a filter of `blotter log`"));
    assert!(refused(&place, &["search", "word", "--save", "mine"]).contains("a filter of `blotter log`"));
    assert!(refused(&place, &["log", "--before", "2", "--save", "page"]).contains("--before"));
    assert!(refused(&place, &["log", "--save", "../page"]).contains("a name of"));

    let file = place.beside("state/filters/mine.json");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(&file, r#"{"command":["log"],"arguments":["--no-such"]}"#).unwrap();
    assert!(refused(&place, &["log", "--filter", "mine"]).contains("--no-such"));
    std::fs::write(&file, "{").unwrap();
    assert!(refused(&place, &["log", "--filter", "mine"]).contains("mine.json"));
    assert!(place.done(&["filter", "delete", "mine"]).contains("deleted mine"));
    assert!(!file.exists());
}
