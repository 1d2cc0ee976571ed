//! The queue of alerts over HTTP: what is in it, page by page, and to whom it tells what.

use blotter_ledger::Ledger;
use blotter_record::{Json, Presentation};
use blotter_tests::{Saying, World, json};
use serde_json::Value;

use crate::server::{NEXT_YEAR, Server, issue};

fn alert(world: &World, ledger: &Ledger, name: &str, severity: i64, host: &str) {
    received(world, name, severity, host).append(ledger).unwrap();
}

fn received<'w>(world: &'w World, name: &str, severity: i64, host: &str) -> Saying<'w> {
    let at = "2026-11-23T11:00:00Z";
    world
        .say("siem", "alert.received", &format!("alert/{name}"))
        .fact("source", "source/edr-1")
        .fact("severity", severity)
        .fact("severity_source", "edr:x")
        .fact("techniques", Json::List(Vec::new()))
        .fact("observed_at", at)
        .fact("received_at", at)
        .data("title", format!("About {host}"))
        .data("fingerprint", format!("fp-{name}"))
        .data("host", host)
}

/// Four alerts on one host, of which one is linked to an incident that only `grc` and the tokens' service may read, and
/// one below the threshold.
fn server() -> (Server, String) {
    let mut token = String::new();
    let server = Server::new(|world, ledger| {
        let threshold = world.say("manager", "triage-threshold.set", "policy/triage").fact("source", "source/edr-1");
        threshold.fact("severity", 2).fact("per_hour", 100).append(ledger).unwrap();
        for (name, severity) in [("A-1", 3), ("A-2", 4), ("A-3", 1), ("RED-1", 5)] {
            alert(world, ledger, name, severity, "fs-1");
        }
        world.opened("analyst", "incident/RED").append(ledger).unwrap();
        let link = world.say("analyst", "alert.linked", "incident/RED").about("alert/RED-1");
        link.fact("alert", "alert/RED-1").append(ledger).unwrap();
        let readers = ["grc", "siem"].map(|name| Json::from(world.person(name).actor.as_str()));
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", Json::List(readers.into())).append(ledger).unwrap();
        token = issue(world, ledger, "reading", "siem", &["read"], NEXT_YEAR);
    });
    (server, token)
}

fn titles(page: &Value) -> Vec<(i64, &str)> {
    let groups = page["groups"].as_array().unwrap();
    groups.iter().map(|group| (group["severity"].as_i64().unwrap(), group["state"].as_str().unwrap())).collect()
}

#[test]
fn the_queue_has_what_waits_first_and_counts_what_is_suppressed() {
    let (server, token) = server();
    let page = server.get("/v1/alerts", Some(&token)).json();
    assert_eq!(titles(&page), [(4, "new"), (3, "new")], "{page}");
    assert!(page["suppressed"][0]["seq"].is_u64() && page["suppressed"][0]["set_by"].is_string(), "{page}");
    assert_eq!(page["suppressed"][0]["alerts"], 1, "{page}");
    assert_eq!(page["groups"][0]["hosts"]["few"][0], "fs-1");
    assert_eq!(page["groups"][0]["joins"][0], "incident/RED", "{page}");
    let page = server.get("/v1/alerts?suppressed=true&state=new,linked", Some(&token)).json();
    assert_eq!(titles(&page), [(4, "new"), (3, "new"), (1, "new"), (5, "linked")], "{page}");
}

#[test]
fn a_cursor_continues_where_the_page_ended() {
    let (server, token) = server();
    let first = server.get("/v1/alerts?limit=1", Some(&token)).json();
    assert_eq!((titles(&first), first["total"].as_u64()), (vec![(4, "new")], Some(2)));
    let second = server.get(&format!("/v1/alerts?limit=1&cursor={}", first["next"].as_str().unwrap()), Some(&token));
    assert_eq!(titles(&second.json()), [(3, "new")]);
    assert!(second.json().get("next").is_none());
}

#[test]
fn the_queue_is_that_of_the_moment_asked_for_in_words_that_are_there_now() {
    let (server, token) = server();
    let all = server.get("/v1/alerts?state=new,linked&suppressed=true", Some(&token)).json();
    let groups = all["groups"].as_array().unwrap();
    let mut seqs: Vec<u64> =
        groups.iter().map(|group| group["group"].as_str().unwrap()[2..].parse().unwrap()).collect();
    seqs.sort_unstable();
    let get = |path: &str, as_of: u64| server.get(&format!("/v1/{path}as_of={as_of}"), Some(&token)).json();
    // A-1 and A-2, before the others came; by pages, of which the second asks what was built for the first.
    let first = get("alerts?limit=1&", seqs[1]);
    assert_eq!(
        (titles(&first), first["total"].as_u64(), first["size"].as_u64()),
        (vec![(4, "new")], Some(2), Some(seqs[1] + 1))
    );
    let second = get(&format!("alerts?limit=1&cursor={}&", first["next"].as_str().unwrap()), seqs[1]);
    assert_eq!(titles(&second), [(3, "new")]);
    assert_eq!(get("alerts/proposals?", seqs[1])["proposals"][0]["why"][0]["alerts"], 2);
    // RED-1 before it was linked, and the two decisions behind it.
    assert_eq!(titles(&get("alerts?", seqs[3])), [(5, "new"), (4, "new"), (3, "new")]);
    let analyst = server.login("analyst");
    let told = server.get(&format!("/v1/alerts?as_of={}", seqs[3]), Some(&analyst)).json();
    assert!(!told.to_string().contains("RED"), "{told}");
}

/// Has the erasure of one value requested and approved; the order that executes it.
fn erasure(world: &World, ledger: &Ledger, text: &str, field: &str) -> String {
    let said = Presentation::parse(text).unwrap();
    let value = said.disclosures.iter().find(|value| value.name() == field).unwrap();
    let items = format!(r#"[{{"jti":"{}","field":"{field}","digest":"{}"}}]"#, said.statement.jti, value.digest());
    let stream = "incident/I-1";
    let request = world.say("dpo", "erasure.requested", stream).fact("items", json(&items)).fact("basis", "gdpr-17");
    let id = request.id().to_string();
    request.append(ledger).unwrap();
    let approvals = ["legal", "ciso"].map(|by| {
        let approval = world.say(by, "erasure.approved", stream).fact("request", id.as_str());
        let approval = approval.fact("items", json(&items));
        let jti = Json::from(approval.id().to_string());
        approval.append(ledger).unwrap();
        jti
    });
    let order = world.say("dpo", "erasure.executed", stream).fact("request", id.as_str());
    order.fact("approvals", Json::List(approvals.into())).fact("items", json(&items)).text(ledger)
}

#[test]
fn words_that_were_erased_since_stay_erased_when_somebody_looks_back() {
    let (mut seq, mut order) = (0, String::new());
    let server = Server::new(|world, ledger| {
        seq = ledger.size();
        let text = received(world, "A-1", 3, "fs-1").text(ledger);
        ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap();
        alert(world, ledger, "A-2", 3, "fs-2");
        order = erasure(world, ledger, &text, "host");
    });
    let session = server.login("analyst");
    let told = || server.get(&format!("/v1/alerts?as_of={seq}"), Some(&session)).json().to_string();
    assert!(told().contains("\"fs-1\"") && !told().contains("fs-2"), "{}", told());
    assert_eq!(server.post("/v1/statements", None, "application/sd-jwt", &order).status, 201);
    // What was built for the question before is asked again.
    assert!(!told().contains("\"fs-1\"") && told().contains("About fs-1"), "{}", told());
}

#[test]
fn who_may_not_read_the_incident_is_not_told_of_its_alerts() {
    let (server, token) = server();
    let text = |path: &str, bearer: &str| {
        let answer = server.get(path, Some(bearer));
        assert_eq!(answer.status, 200, "{path}");
        String::from_utf8(answer.body).unwrap()
    };
    for path in ["/v1/alerts?state=new,linked&suppressed=true", "/v1/alerts/proposals"] {
        assert!(text(path, &token).contains("incident/RED"), "{path}");
        assert!(text(path, &server.login("grc")).contains("incident/RED"), "{path}");
        let told = text(path, &server.login("analyst"));
        assert!(told.contains("fs-1") && !told.contains("RED"), "{path}: {told}");
    }
    assert!(text("/v1/alerts/proposals", &token).contains("host fs-1 in 3 alerts"));
    assert!(text("/v1/alerts/proposals", &server.login("analyst")).contains("host fs-1 in 2 alerts"));
}

#[test]
fn an_admin_reads_no_alerts_and_neither_does_nobody() {
    let (server, _) = server();
    let admin = server.login("admin");
    for path in ["/v1/alerts", "/v1/alerts/proposals"] {
        assert_eq!(server.get(path, Some(&admin)).code(), "not-allowed", "{path}");
        assert_eq!(server.get(path, None).code(), "not-signed-in", "{path}");
    }
}

#[test]
fn a_wrong_parameter_is_named() {
    let (server, token) = server();
    for (query, at) in [
        ("alerts?state=old", "state"),
        ("alerts?since=yesterday", "since"),
        ("alerts?cursor=7", "cursor"),
        ("alerts?window_h=9000", "window_h"),
        ("alerts/proposals?window_h=9000", "window_h"),
    ] {
        let answer = server.get(&format!("/v1/{query}"), Some(&token));
        assert_eq!((answer.code().as_str(), &answer.json()["at"]), ("bad-parameter", &Value::from(at)), "{query}");
    }
}
