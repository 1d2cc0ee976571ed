//! The worked examples in tests/examples do what they say: each appends a statement that it signed itself, and believes the
//! receipt only after it checked it. They have nothing of ours but FORMAT.md.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::places::{Place, json};
use crate::served::{Served, enrol_service};
use crate::{cannot_run, run, said};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// How an example is started; `None` if it can't run here.
fn example(name: &str) -> Option<Command> {
    let there = |path: PathBuf, needed: &str| {
        let there = path.exists();
        if !there {
            cannot_run(&format!("{name}, because {needed} is not there; tests/run makes it"));
        }
        there.then_some(path)
    };
    let mut command = match name {
        "append.py" => {
            let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
            Command::new(there(python, "tests/.venv")?)
        }
        "append.mjs" => {
            there(examples().join("node_modules/jose"), "tests/examples/node_modules")?;
            Command::new("node")
        }
        _ => Command::new("bash"),
    };
    if command.arg("--version").output().is_err() {
        cannot_run(&format!("{name}, because {:?} is not installed", command.get_program()));
        return None;
    }
    let mut command = Command::new(command.get_program());
    command.arg(examples().join(name));
    Some(command)
}

fn appends(command: &mut Command, url: &str, place: &Place, anchor: &Path, actor: &str) -> Output {
    run(command.arg(url).arg(anchor).arg(place.dir().join("keys/svc.key")).arg(actor))
}

/// Appends twice, so that the path has several steps; and the example does not believe another ledger's checkpoint.
fn check(name: &str) {
    let Some(_) = example(name) else { return };
    let place = Place::founded();
    let (actor, anchor) = (enrol_service(&place), place.dir().join("anchor.json"));
    let other_key =
        json(&fs::read_to_string(Place::founded().dir().join("anchor.json")).unwrap())["ledger_vkey"].take();
    let mut other = json(&fs::read_to_string(&anchor).unwrap());
    other["ledger_vkey"] = other_key;
    let wrong = place.beside("wrong.json");
    fs::write(&wrong, other.to_string()).unwrap();
    {
        let served = Served::start(&place);
        for seq in [5, 6] {
            let output = appends(&mut example(name).unwrap(), &served.url, &place, &anchor, &actor);
            let wanted = format!("entry {seq} is in the log of {} entries that example.org/soc signed\n", seq + 1);
            assert!(output.status.success(), "{}\n{}", said(&output), served.log());
            assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{}", said(&output));
        }
        let output = appends(&mut example(name).unwrap(), &served.url, &place, &wrong, &actor);
        assert!(!output.status.success(), "believes a checkpoint that another key signed: {}", said(&output));
    }
    let shown = json(&place.done(&["show", "5", "--json"])).to_string();
    assert!(shown.contains("x.acme.checked") && shown.contains("Backup of db-7"), "{shown}");
    place.done(&["verify"]);
}

#[test]
fn the_example_in_python_appends_and_checks_its_receipt() {
    check("append.py");
}

#[test]
fn the_example_for_node_appends_and_checks_its_receipt() {
    check("append.mjs");
}

#[test]
fn the_example_in_shell_appends_and_checks_its_receipt() {
    let tools = ["curl", "openssl", "jq", "basenc"];
    let missing: Vec<_> = tools.iter().filter(|tool| Command::new(tool).arg("--version").output().is_err()).collect();
    match missing[..] {
        [] => check("append.sh"),
        _ => cannot_run(&format!("append.sh, because {missing:?} are not installed; tests/run installs them")),
    }
}
