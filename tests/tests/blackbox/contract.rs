//! The server keeps the contract that it publishes: schemathesis reads /openapi.json and sends what it allows and what it
//! does not; every answer must have a status, a media type and a body that the contract names, and none may be the
//! server's fault.

use std::path::Path;
use std::process::Command;

use crate::places::Place;
use crate::served::{Served, enrol_service, token};
use crate::{cannot_run, run, said};

/// Following has no end.
const ENDLESS: &str = "/v1/follow";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

fn holds(with_token: bool) {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = tests.join(".venv/bin/schemathesis");
    if !program.is_file() {
        return cannot_run("the contract, because schemathesis is not in tests/.venv; tests/run installs it");
    }
    let place = Place::founded();
    enrol_service(&place);
    let token = token(&place, &["append", "read", "audit"]);
    let served = Served::start(&place);
    let mut command = Command::new(program);
    command.args(["run", &format!("{}/openapi.json", served.url), "--checks", CHECKS, "--exclude-path", ENDLESS]);
    // The same requests each time, as many as a minute has room for.
    command.args(["--generation-deterministic", "--max-examples", "60", "--max-time", "60", "--no-color"]);
    command.args(["--suppress-health-check", "all", "--request-timeout", "20"]);
    if with_token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.current_dir(place.beside("")).env("PYTHONPATH", tests.join("judges")).env("SCHEMATHESIS_HOOKS", "contract");
    let output = run(&mut command);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let selected = text.split_once("Selected: ").and_then(|(_, rest)| rest.lines().next()?.split_once('/'));
    let (selected, all) = selected.expect("it says how many operations it selected");
    let count = |text: &str| text.trim().parse::<u32>().unwrap();
    assert_eq!(count(selected) + 1, count(all), "all but the endless one: {text}");
    drop(served);
    place.done(&["verify"]);
}

#[test]
fn the_server_keeps_its_contract_with_strangers() {
    holds(false);
}

#[test]
fn the_server_keeps_its_contract_with_a_token() {
    holds(true);
}
