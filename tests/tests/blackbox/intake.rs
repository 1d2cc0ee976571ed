//! From what other systems send to entries: the sender and the server as they are, with nothing in between.

use std::io::{BufReader, Write};
use std::os::unix::fs::PermissionsExt;

use crate::hostile::{answer, connect};
use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

const ALERT: &str = include_str!("../../../src/exchange/tests/alerts/wazuh.json");

#[test]
fn what_forward_sends_the_server_records_once() {
    let place = Place::founded();
    enrol_service(&place);
    let secret = place.beside("token");
    std::fs::write(&secret, token(&place, &["alerts:source/wazuh-1"])).unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let alert = place.beside("alert.json");
    std::fs::write(&alert, ALERT).unwrap();
    let spool = place.beside("spool");
    let forward = |url: &str, file: &std::path::Path| {
        let mut command = place.command();
        command.args(["forward", "--server", url, "--format", "wazuh", "--json", "--token-file"]).arg(&secret);
        crate::run(command.arg("--spool").arg(&spool).arg(file))
    };
    {
        let served = Served::start(&place);
        for _ in 0..2 {
            let output = forward(&served.url, &alert);
            assert!(output.status.success(), "{}\n{}", crate::said(&output), served.log());
        }
        let broken = place.beside("broken.json");
        std::fs::write(&broken, r#"{"rule": 7}"#).unwrap();
        let output = forward(&served.url, &broken);
        assert_eq!(output.status.code(), Some(4), "{}", crate::said(&output));
    }
    let log = place.done(&["log", "--event", "alert.received", "--json"]);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert_eq!(json(log.trim())["facts"]["source"], "source/wazuh-1");
    place.done(&["verify"]);
}

#[test]
fn what_an_itsm_tool_says_of_a_linked_ticket_stands_beside_it() {
    const MAPPING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/exchange/mappings/jira.toml");
    let place = Place::founded();
    enrol_service(&place);
    let token = token(&place, &["tickets:endpoint/jira"]);
    place.done(&["act", "x.example.seen", "incident/A", "--as", "founder", "--yes"]);
    for (system, number) in [("jira", "SEC-7"), ("jira", "SEC-8"), ("other", "SEC-7")] {
        let (system, number) = (format!("system=endpoint/{system}"), format!("ticket={number}"));
        place.done(&[
            "act",
            "ticket.linked",
            "incident/A",
            "--fact",
            &system,
            "--data",
            &number,
            "--as",
            "founder",
            "--yes",
        ]);
    }
    let served = Served::start_with(&place, &["--ticket-mapping", &format!("jira={MAPPING}")]);
    let post = |at: u64, status: &str| {
        let event = serde_json::json!({
            "timestamp": at, "issue": { "key": "SEC-7", "fields": { "status": { "name": status } } },
        });
        let (body, address) = (event.to_string(), served.url.trim_start_matches("http://"));
        let mut stream = BufReader::new(connect(address).unwrap());
        let head = format!("POST /v1/tickets/jira HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}");
        write!(stream.get_mut(), "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
        answer(&mut stream).unwrap()
    };
    let (status, told) = post(1_795_431_240_178, "In Progress");
    assert_eq!(status, 201, "{told}\n{}", served.log());
    assert_eq!(post(1_795_431_249_000, "Resolved").0, 201);
    assert_eq!(post(1_795_431_249_000, "Resolved").0, 200);
    served.end();
    let states = |more: &[&str]| {
        let found = json(&place.done(&[&["restoration", "incident/A", "--json"], more].concat()));
        let links = found["links"].as_array().unwrap().iter();
        links.map(|link| link["state"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(states(&[]), [Some("resolved".to_owned()), None, None]);
    let first = json(&told)["changes"][0]["seq"].to_string();
    assert_eq!(states(&["--as-of", &first]), [Some("in-progress".to_owned()), None, None]);
    place.done(&["verify"]);
}
