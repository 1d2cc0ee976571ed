//! The binary at its edges: no terminal, wrong hands, wrong files, an old copy. It refuses clearly and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use blotter_tests::World;

use crate::places::{Place, backup, json, put_back};
use crate::{blotter, run};

#[test]
fn a_ledger_is_founded_and_used_without_a_terminal() {
    let place = Place::founded();
    let mode = |name: &str| fs::metadata(place.dir().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700, "the vault holds personal data");
    assert_eq!(mode("keys"), 0o700);
    for key in ["checkpoint", "ledger", "notary", "founder"] {
        assert_eq!(mode(&format!("keys/{key}.key")), 0o600, "{key}");
    }
    let seq = json(&place.comment("hello"))["seq"].as_u64().unwrap();
    let report = json(&place.done(&["verify", "--json"]));
    assert_eq!((report["result"].as_str(), report["entries"].as_u64()), (Some("verified"), Some(seq + 1)));
}

#[test]
fn a_directory_that_is_in_use_is_not_founded_over() {
    let place = Place::founded();
    let before = fs::read(place.database()).unwrap();
    let said = place.fails(2, &["init", "--origin", "example.org/other", "--no-passphrase"]);
    assert!(said.contains("is not empty"), "{said}");
    assert_eq!(fs::read(place.database()).unwrap(), before);
    let place = Place::empty();
    fs::create_dir(place.dir()).unwrap();
    fs::write(place.dir().join("letter.txt"), "private").unwrap();
    place.fails(2, &["init", "--origin", "example.org/soc", "--no-passphrase"]);
    let left: Vec<_> = fs::read_dir(place.beside("")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["ledger"], "nothing half made is left beside it");
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 1);
}

#[test]
fn what_an_actor_may_not_say_is_refused_with_its_own_exit_code() {
    let place = Place::founded();
    let before = fs::read(place.dir().join("anchor.json")).unwrap();
    let args = ["act", "incident.acknowledged", "incident/I-1", "--as", "founder", "--yes", "--json"];
    let said = place.fails(4, &args);
    assert!(said.contains("role-missing") && said.contains("soc_analyst"), "{said}");
    let said = place.fails(4, &["act", "incident.acknowleged", "incident/I-1", "--as", "founder", "--yes"]);
    assert!(said.contains("incident.acknowleged"), "{said}");
    let said = place.fails(2, &["act", "comment.added", "incident/I-1", "--data", "txt=x", "--as", "founder", "--yes"]);
    assert!(said.contains("data.txt"), "{said}");
    assert_eq!(fs::read(place.dir().join("anchor.json")).unwrap(), before, "nothing was recorded");
    place.done(&["verify"]);
}

#[test]
fn nobody_to_ask_and_no_yes_signs_nothing() {
    let place = Place::founded();
    let said = place.fails(2, &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder"]);
    assert!(said.contains("--yes"), "{said}");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let place = Place::founded();
    for (key, args) in [
        ("founder", &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder", "--yes"][..]),
        ("checkpoint", &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder", "--yes"]),
    ] {
        let path = place.dir().join(format!("keys/{key}.key"));
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let said = place.fails(2, args);
            assert!(said.contains(&format!("{key}.key")) && said.contains("600"), "{mode:o}: {said}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    place.comment("and now it goes");
}

#[test]
fn a_restored_old_copy_refuses_to_write_and_the_newer_one_still_goes() {
    let place = Place::founded();
    place.comment("one");
    let old = backup(&place, "old");
    place.comment("two");
    let new = backup(&place, "new");
    put_back(&place, &old);
    let said =
        place.fails(2, &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder", "--yes"]);
    assert!(said.contains("restored") || said.contains("it was cut"), "{said}");
    let said = place.fails(1, &["verify", "--json"]);
    assert!(said.contains(r#""result":"damaged""#), "a reader is told, too: {said}");
    put_back(&place, &new);
    place.comment("three");
    place.done(&["verify"]);
}

#[test]
fn the_rules_of_the_process_are_judged_when_they_are_asked_for() {
    let world = World::new();
    let ledger = world.open();
    let opened = world.opened("analyst", "incident/I-1").about("alert/A1");
    let trigger = opened.id().to_string();
    opened.append(&ledger).unwrap();
    let verify = |rules: &[&str]| {
        let mut command = Command::new(blotter());
        command.args(["verify", "--state-dir"]).arg(world.state_dir()).args(rules).arg(world.dir());
        let output = run(&mut command);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, text) = verify(&["--rules"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 judged by the gates of the process"), "{text}");
    let early = world.say("manager", "phase.entered", "incident/I-1").fact("from", "initiate").fact("to", "assess");
    let early = early.fact("trigger", trigger).fact("override", blotter_tests::json("false"));
    let empty = || blotter_tests::json("[]");
    let early = early.fact("inputs", empty()).fact("outputs", empty()).fact("unmet", empty());
    let seq = early.append(&ledger).unwrap().seq;
    let (code, text) = verify(&[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("not judged by the gates of the process"), "{text}");
    let (code, text) = verify(&["--rules"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&format!("entry {seq}: gates are unmet: acknowledged:")), "{text}");
    let (_, text) = verify(&["--rules", "--json"]);
    let report = json(&text);
    assert_eq!((report["first_bad"].as_u64(), report["decisions_judged"].as_u64()), (Some(seq), Some(2)), "{text}");
    assert!(json(&verify(&["--json"]).1)["decisions_judged"].is_null());
    assert_eq!(verify(&["--rules", "--structure"]).0, Some(2));
}

#[test]
fn another_process_that_writes_is_waited_for_by_nobody_and_said() {
    let place = Place::founded();
    let lock = fs::OpenOptions::new().read(true).write(true).open(place.dir().join("writer.lock")).unwrap();
    lock.lock().unwrap();
    let said =
        place.fails(2, &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder", "--yes"]);
    assert!(said.contains("another process has this ledger open"), "{said}");
    place.done(&["verify"]);
    drop(lock);
    place.comment("now");
}

#[test]
fn a_hostile_database_is_answered_by_every_command_without_a_panic() {
    let place = Place::founded();
    let whole = fs::read(place.database()).unwrap();
    let act = &["act", "comment.added", "incident/I-1", "--data", "text=x", "--as", "founder", "--yes"][..];
    let commands = [act, &["verify"], &["log"], &["show", "1"], &["proof", "inclusion", "1"], &["checkpoint"]];
    let half = whole.len() / 2;
    let mut scribbled = whole.clone();
    scribbled[half..half + 600].fill(0xa5);
    let mut headless = whole.clone();
    headless[18..60].fill(0xff);
    for (what, bytes) in [
        ("nothing", &b""[..]),
        ("text", b"ledger, ledger, ledger"),
        ("a header", b"SQLite format 3\0"),
        ("half", &whole[..half]),
        ("scribbles", &scribbled),
        ("no header", &headless),
    ] {
        fs::write(place.database(), bytes).unwrap();
        for args in commands {
            let output = place.run(args);
            let said = crate::said(&output);
            assert!(!said.contains("panicked"), "{what}, {args:?}: {said}");
            // A page that nothing stands on may be scribbled on without harm to a reader of other pages.
            let verdict = output.status.code();
            assert!(verdict.is_some() && (args != ["verify"] || verdict != Some(0)), "{what}, {args:?}: {said}");
        }
    }
}

#[test]
fn numbers_out_of_this_world_are_answered_without_a_panic() {
    let place = Place::founded();
    for n in ["4", "9007199254740992", "9223372036854775807", "9223372036854775808", "18446744073709551615"] {
        place.fails(2, &["show", n]);
        place.fails(2, &["proof", "inclusion", n]);
        place.fails(2, &["proof", "consistency", n]);
    }
}
