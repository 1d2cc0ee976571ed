//! `POST /v1/tickets/{mapping}`: what an ITSM tool says of its tickets, in the incidents that they are linked to.

use blotter_record::Json;
use serde_json::{Value, json};

use crate::server::{Answer, NEXT_YEAR, Server, issue};

const MEDIA: &str = "application/json";

/// An incident with SEC-7 linked to it, one with SEC-7 and CHG-1, a restricted one with SEC-9; one with another tool's SEC-8.
fn server() -> (Server, String, String) {
    let (mut jira, mut both) = (String::new(), String::new());
    let server = Server::new(|world, ledger| {
        for id in ["incident/A", "incident/B", "incident/RED"] {
            world.opened("analyst", id).append(ledger).unwrap();
        }
        let linked = |id: &str, system: &str, number: &str| {
            let linked = world.say("analyst", "ticket.linked", id).fact("system", system);
            linked.data("ticket", number).data("url", "https://itsm.example/SEC-9").append(ledger).unwrap();
        };
        linked("incident/A", "endpoint/jira", "SEC-7");
        linked("incident/A", "endpoint/jira", "SEC-7");
        linked("incident/B", "endpoint/jira", "SEC-7");
        linked("incident/B", "endpoint/jira", "SEC-77 SEC-9");
        linked("incident/B", "endpoint/other", "SEC-8");
        linked("incident/RED", "endpoint/jira", "SEC-9");
        let readers = Json::List(vec![world.person("grc").actor.as_str().into()]);
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", readers).append(ledger).unwrap();
        jira = issue(world, ledger, "jira", "siem", &["tickets:endpoint/jira"], NEXT_YEAR);
        both = issue(world, ledger, "both", "siem", &["tickets:endpoint/jira", "tickets:endpoint/other"], NEXT_YEAR);
    });
    (server, jira, both)
}

fn event(key: &str, state: &str) -> Value {
    json!({
        "timestamp": 1_795_431_240_178_i64, "webhookEvent": "jira:issue_updated",
        "user": { "displayName": "Dana Ortiz" },
        "issue": { "key": key, "fields": { "status": { "name": state } } },
    })
}

fn said(server: &Server, token: &str, event: &Value) -> Answer {
    server.post("/v1/tickets/jira", Some(token), MEDIA, &event.to_string())
}

fn changes(answer: &Answer) -> Vec<Value> {
    answer.json()["changes"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_ticket_s_change_is_recorded_once_in_each_incident_that_it_is_linked_to() {
    let (server, jira, _) = server();
    let first = said(&server, &jira, &event("SEC-7", "In Progress"));
    assert_eq!(first.status, 201, "{}", first.json());
    let incidents: Vec<_> = changes(&first).iter().map(|change| change["incident"].clone()).collect();
    assert_eq!(incidents, ["incident/A", "incident/B"]);
    let session = server.login("grc");
    for change in changes(&first) {
        let entry = server.get(&format!("/v1/entries/{}", change["seq"]), Some(&session)).json();
        let claims = &entry["claims"];
        assert_eq!((&claims["event"], &claims["sub"]), (&json!("x.itsm.ticket-changed"), &change["incident"]));
        assert_eq!(claims["facts"], json!({ "system": "endpoint/jira", "state": "in-progress" }));
        assert_eq!(
            claims["occurred"]["at"].as_str().or(claims["occurred"].as_str()),
            Some("2026-11-23T10:54:00.178000Z")
        );
        let data = &entry["data"];
        assert_eq!(
            (&data["ticket"], &data["their_state"], &data["by"]),
            (&json!("SEC-7"), &json!("In Progress"), &json!("Dana Ortiz"))
        );
        assert_eq!(data["raw"], event("SEC-7", "In Progress").to_string());
        let link = server
            .get(
                &format!("/v1/entries?event=ticket.linked&stream={}", change["incident"].as_str().unwrap()),
                Some(&session),
            )
            .json();
        let causes = claims["cause"].as_array().unwrap();
        assert!(
            link["entries"].as_array().unwrap().iter().any(|link| causes.contains(&link["claims"]["jti"])),
            "{link}"
        );
    }
    let again = said(&server, &jira, &event("SEC-7", "In Progress"));
    let seqs = |answer: &Answer| changes(answer).iter().map(|change| change["seq"].clone()).collect::<Vec<_>>();
    assert_eq!((again.status.as_u16(), seqs(&again)), (200, seqs(&first)), "the same again adds nothing");
    let next = said(&server, &jira, &event("SEC-7", "Nobody Knows"));
    assert_eq!(next.status, 201);
    let entry = server.get(&format!("/v1/entries/{}", changes(&next)[0]["seq"]), Some(&session)).json();
    assert_eq!(entry["claims"]["facts"]["state"], "other");
}

#[test]
fn only_what_is_linked_to_the_token_s_own_endpoint_counts() {
    let (server, jira, both) = server();
    for unlinked in ["SEC-8", "SEC-77", "sec-7", "SEC", "\"", "SEC-70", "*"] {
        let answer = said(&server, &jira, &event(unlinked, "Done"));
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (404, "not-found"), "{unlinked}");
    }
    let body = event("SEC-8", "Done").to_string();
    let post = |path: &str, token: Option<&str>| server.post(path, token, MEDIA, &body).status.as_u16();
    assert_eq!(post("/v1/tickets/jira?endpoint=endpoint/other", Some(&both)), 201);
    assert_eq!(post("/v1/tickets/jira", Some(&both)), 400, "for several endpoints: which?");
    assert_eq!(post("/v1/tickets/jira?endpoint=endpoint/other", Some(&jira)), 403);
    assert_eq!(post("/v1/tickets/jira", None), 401);
    assert_eq!(post("/v1/tickets/none", Some(&jira)), 404);
}

#[test]
fn a_restricted_incident_hears_of_its_ticket_and_is_not_named() {
    let (server, jira, _) = server();
    let before = server.app().size();
    let answer = said(&server, &jira, &event("SEC-9", "Done"));
    assert_eq!(answer.status, 201, "{}", answer.json());
    assert_eq!(server.app().size(), before + 1);
    assert_eq!(answer.json(), json!({ "changes": [{ "status": 201, "ticket": "SEC-9" }] }));
    let session = server.login("grc");
    let entry = server.get(&format!("/v1/entries/{before}"), Some(&session)).json();
    assert_eq!(entry["claims"]["sub"], "incident/RED");
}

#[test]
fn what_can_not_be_read_is_refused_by_name_and_the_rest_goes_in() {
    let (server, jira, _) = server();
    let mut timeless = event("SEC-7", "Done");
    timeless["timestamp"] = Value::Null;
    let list = json!([timeless, event("SEC-7", "Done"), event("SEC-0", "Done"), 7]);
    let answer = said(&server, &jira, &list);
    let statuses: Vec<_> = changes(&answer).iter().map(|change| change["status"].as_u64().unwrap()).collect();
    assert_eq!((answer.status.as_u16(), statuses), (207, vec![422, 201, 201, 404, 422]));
    assert!(changes(&answer)[0]["problem"]["detail"].as_str().unwrap().contains("changed_at"), "{}", answer.json());
    for bad in ["", "{", "[]", "{\"a\":1,\"a\":2}"] {
        assert_eq!(server.post("/v1/tickets/jira", Some(&jira), MEDIA, bad).status, 422, "{bad}");
    }
}
