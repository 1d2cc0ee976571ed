//! Alerts of every format, from the samples that the mappings are tested with.

use axum::http::StatusCode;
use serde_json::Value;

use crate::server::{Answer, NEXT_YEAR, Server, issue};

const SAMPLES: [(&str, &str, &str); 8] = [
    ("ocsf", "application/json", include_str!("../../../exchange/tests/alerts/ocsf.json")),
    ("thehive", "application/json", include_str!("../../../exchange/tests/alerts/thehive.json")),
    ("wazuh", "application/json", include_str!("../../../exchange/tests/alerts/wazuh.json")),
    ("elastic", "application/json", include_str!("../../../exchange/tests/alerts/elastic.json")),
    ("splunk", "application/json", include_str!("../../../exchange/tests/alerts/splunk.json")),
    ("graph", "application/json", include_str!("../../../exchange/tests/alerts/graph.json")),
    (
        "cloudevents",
        "application/cloudevents-batch+json",
        include_str!("../../../exchange/tests/alerts/cloudevents.json"),
    ),
    ("eve", "application/x-ndjson", include_str!("../../../exchange/tests/alerts/suricata.ndjson")),
];

fn server() -> (Server, String, String) {
    let (mut sends, mut reads) = (String::new(), String::new());
    let server = Server::new(|world, ledger| {
        sends = issue(world, ledger, "sends", "siem", &["alerts:source/edr-1"], NEXT_YEAR);
        reads = issue(world, ledger, "reads", "siem", &["read", "alerts:source/a", "alerts:source/b"], NEXT_YEAR);
    });
    (server, sends, reads)
}

fn views(answer: &Answer) -> Vec<Value> {
    answer.json()["alerts"].as_array().cloned().unwrap_or_default()
}

#[test]
fn alerts_of_every_format_are_recorded_once() {
    let (server, token, reader) = server();
    for (format, media_type, sample) in SAMPLES {
        let path = format!("/v1/alerts/{format}");
        let first = server.post(&path, Some(&token), media_type, sample);
        assert!(matches!(first.status.as_u16(), 201 | 207), "{format}: {}", String::from_utf8_lossy(&first.body));
        let recorded: Vec<Value> = views(&first).into_iter().filter(|view| view["status"] == 201).collect();
        assert!(!recorded.is_empty(), "{format}");
        for view in &recorded {
            let entry = server.get(&format!("/v1/entries/{}", view["seq"]), Some(&reader)).json();
            assert_eq!(entry["claims"]["event"], "alert.received", "{format}");
            assert_eq!(entry["claims"]["facts"]["source"], "source/edr-1");
            assert_eq!(entry["claims"]["sub"], view["alert"]);
            assert!(entry["data"]["raw"].as_str().is_some_and(|raw| !raw.is_empty()), "{format}: the original is kept");
        }
        let again = server.post(&path, Some(&token), media_type, sample);
        let seqs = |views: &[Value]| views.iter().map(|view| view["seq"].clone()).collect::<Vec<_>>();
        assert_eq!(seqs(&views(&again)), seqs(&views(&first)), "{format}: the same entries");
        assert!(views(&again).iter().all(|view| view["status"] != 201 && view.get("changed").is_none()), "{format}");
    }
}

#[test]
fn an_alert_that_changed_is_said_to_have_changed() {
    let (server, token, _) = server();
    let (format, media_type, sample) = SAMPLES[2];
    let path = format!("/v1/alerts/{format}");
    assert_eq!(server.post(&path, Some(&token), media_type, sample).status, StatusCode::CREATED);
    let mut changed: Value = serde_json::from_str(sample).unwrap();
    changed["full_log"] = "something else".into();
    let answer = server.post(&path, Some(&token), media_type, &changed.to_string());
    assert_eq!((answer.status, &views(&answer)[0]["changed"]), (StatusCode::OK, &Value::Bool(true)));
}

#[test]
fn splunk_has_its_token_in_the_path_and_nobody_else_gets_in() {
    let (server, token, reader) = server();
    let (_, media_type, sample) = SAMPLES[4];
    let post = |path: &str, bearer: Option<&str>| server.post(path, bearer, media_type, sample).status.as_u16();
    assert_eq!(post(&format!("/v1/alerts/splunk/{token}"), None), 201);
    assert_eq!(post("/v1/alerts/splunk/blt_sends_00", None), 401);
    assert_eq!(post("/v1/alerts/splunk", None), 401);
    assert_eq!(post("/v1/alerts/splunk", Some(&reader)), 400, "for several sources: which?");
    assert_eq!(post("/v1/alerts/splunk?source=source/b", Some(&reader)), 201, "another source, another alert");
    assert_eq!(post("/v1/alerts/splunk?source=source/c", Some(&reader)), 403);
    assert_eq!(post("/v1/alerts/nagios", Some(&token)), 404);
}

#[test]
fn what_is_no_alert_is_refused_and_names_where() {
    let (server, token, _) = server();
    for (body, at) in [("", "body"), ("[]", "body"), ("{", "body"), ("{}", ""), ("[1]", ""), ("\"x\"", "")] {
        let answer = server.post("/v1/alerts/wazuh", Some(&token), "application/json", body);
        let problem = answer.json();
        assert_eq!((answer.status.as_u16(), problem["code"].as_str()), (422, Some("malformed")), "{body}: {problem}");
        assert!(at.is_empty() || problem["at"] == at, "{body}: {problem}");
    }
}
