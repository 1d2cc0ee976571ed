//! Metrics, lessons and what is owed: the numbers of what a caller may read, and no word of what they may not.

use axum::http::StatusCode;
use blotter_ledger::Ledger;
use blotter_projections::metrics::DEFINITIONS;
use blotter_record::Json;
use blotter_tests::World;
use serde_json::Value;

use crate::server::{NEXT_YEAR, Server, issue};

const MINUTE_US: i64 = 60_000_000;

/// What stands in the restricted incident, and nowhere else.
const SECRETS: [&str; 4] = ["incident/RED", "lesson/HIDDEN", "the hidden words", "task/HIDDEN"];

fn list(items: &[&str]) -> Json {
    Json::List(items.iter().map(|item| Json::from(*item)).collect())
}

/// An incident that is acknowledged so many minutes after it was opened, costs something, has a task and a lesson.
fn play(world: &World, ledger: &Ledger, incident: &str, name: &str, minutes: i64, words: &str) {
    world.opened("analyst", incident).append(ledger).unwrap();
    world.tick(minutes * MINUTE_US);
    world.say("analyst", "incident.acknowledged", incident).append(ledger).unwrap();
    let cost = world.say("analyst", "cost.recorded", incident).fact("kind", "labour");
    cost.data("amount_minor", Json::Int(minutes)).data("currency", "EUR").append(ledger).unwrap();
    let task = world.say("analyst", "task.opened", incident).fact("task", format!("task/{name}"));
    task.fact("owner", "person/analyst").data("title", words).append(ledger).unwrap();
    let lesson = format!("lesson/{name}");
    let learned = world.say("manager", "lesson.recorded", &lesson).about(incident).fact("lesson", lesson.as_str());
    learned.fact("cause", "phishing").fact("none_found", false).data("text", words).append(ledger).unwrap();
    let cause = world.say("analyst", "root-cause.identified", incident).fact("cause", "phishing");
    cause.fact("confidence", Json::Int(9)).fact("techniques", list(&[])).append(ledger).unwrap();
    let down = world.say("siem", "service.interrupted", incident).fact("service", format!("service/{name}"));
    down.fact("at", "2026-11-23T12:00:00Z").append(ledger).unwrap();
}

struct Case {
    server: Server,
    acknowledged_seq: u64,
    appending: String,
}

fn case() -> Case {
    let (mut acknowledged_seq, mut appending) = (0, String::new());
    let server = Server::new(|world, ledger| {
        appending = issue(world, ledger, "appending", "siem", &["append"], NEXT_YEAR);
        acknowledged_seq = ledger.size() + 1;
        play(world, ledger, "incident/AMBER", "OPEN", 10, "the open words");
        play(world, ledger, "incident/RED", "HIDDEN", 50, "the hidden words");
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", list(&["person/grc"])).append(ledger).unwrap();
    });
    Case { server, acknowledged_seq, appending }
}

fn paths() -> Vec<String> {
    let metrics = DEFINITIONS.iter().map(|definition| format!("/v1/metrics/{}?entries=true", definition.name));
    metrics.chain(["/v1/lessons".to_owned(), "/v1/owed".to_owned()]).collect()
}

#[test]
fn numbers_hold_what_their_reader_may_read_and_say_what_was_left_out() {
    let Case { server, .. } = case();
    let (grc, analyst) = (server.login("grc"), server.login("analyst"));
    let mtta = |bearer: &str| server.get("/v1/metrics/mtta", Some(bearer)).json();
    let (all, some) = (mtta(&grc), mtta(&analyst));
    let numbers = |answer: &Value| (answer["groups"][0]["n"].clone(), answer["groups"][0]["mean_us"].clone());
    assert_eq!(numbers(&all), (2.into(), (30 * MINUTE_US).into()), "{all}");
    assert_eq!(numbers(&some), (1.into(), (10 * MINUTE_US).into()), "{some}");
    assert_eq!((all["left_out"].as_u64(), some["left_out"].as_u64()), (Some(0), Some(1)));
    assert!(some["definition"].as_str().unwrap().contains("acknowledged"), "the definition stands beside the number");
}

#[test]
fn no_word_of_a_restricted_incident_is_in_any_answer_to_others() {
    let Case { server, .. } = case();
    let (grc, analyst) = (server.login("grc"), server.login("analyst"));
    let mut told = std::collections::BTreeSet::new();
    for path in paths() {
        let (all, some) = (server.get(&path, Some(&grc)), server.get(&path, Some(&analyst)));
        assert_eq!((all.status, some.status), (StatusCode::OK, StatusCode::OK), "{path}");
        let (all, some) = (String::from_utf8(all.body).unwrap(), String::from_utf8(some.body).unwrap());
        for secret in SECRETS.into_iter().chain(["service/HIDDEN", "\"50\""]) {
            assert!(!some.contains(secret), "{path} tells {secret}: {some}");
            told.extend(all.contains(secret).then_some(secret));
        }
    }
    assert!(SECRETS.iter().all(|secret| told.contains(secret)), "who may read it is told: {told:?}");
    let cost = server.get("/v1/metrics/cost", Some(&analyst)).json();
    assert_eq!(cost["cost"][0]["sums"][0]["amount_minor"], "10");
    let lessons = server.get("/v1/lessons", Some(&analyst)).json();
    assert_eq!(lessons["lessons"][0]["text"], "the open words");
    assert_eq!(lessons["left_out"], 2, "a lesson, and a recurrence: {lessons}");
    let owed = server.get("/v1/owed?owner=person/analyst", Some(&analyst)).json();
    assert_eq!((owed["owed"].as_array().unwrap().len(), owed["left_out"].as_u64()), (1, Some(1)), "{owed}");
}

#[test]
fn numbers_are_for_those_who_read_incidents() {
    let Case { server, appending, .. } = case();
    let admin = server.login("admin");
    for path in paths().into_iter().chain(["/v1/metrics".to_owned()]) {
        let code = |bearer| server.get(&path, bearer).code();
        assert_eq!(
            (code(None), code(Some(&admin)), code(Some(&appending))),
            ("not-signed-in".to_owned(), "not-allowed".to_owned(), "not-allowed".to_owned()),
            "{path}"
        );
    }
}

#[test]
fn numbers_are_those_of_the_moment_asked_for() {
    let Case { server, acknowledged_seq, .. } = case();
    let grc = server.login("grc");
    let n = |as_of: &str| {
        let answer = server.get(&format!("/v1/metrics/mtta?as_of={as_of}"), Some(&grc)).json();
        let reason = answer["groups"][0]["excluded"][0]["reason"].as_str().unwrap_or_default().to_owned();
        (answer["groups"][0]["n"].as_u64(), reason)
    };
    assert_eq!(n(&acknowledged_seq.to_string()), (Some(1), String::new()));
    assert_eq!(n(&(acknowledged_seq - 1).to_string()), (Some(0), "not acknowledged yet".to_owned()));
    // The clock stands at noon, until it is moved by ten minutes.
    assert_eq!(n("2026-11-23T12:09:59Z"), (Some(0), "not acknowledged yet".to_owned()));
    // At that moment the other one is opened.
    assert_eq!(n("2026-11-23T12:10:00Z"), (Some(1), "not acknowledged yet".to_owned()));
}

#[test]
fn what_is_owed_and_what_was_learned_is_that_of_the_moment_asked_for() {
    let Case { server, acknowledged_seq, .. } = case();
    let (grc, analyst) = (server.login("grc"), server.login("analyst"));
    let get =
        |path: &str, as_of: u64, bearer: &str| server.get(&format!("/v1/{path}?as_of={as_of}"), Some(bearer)).json();
    // AMBER: opened, acknowledged, cost, task, lesson, cause, service; then RED the same.
    let (task, lesson) = (acknowledged_seq + 2, acknowledged_seq + 3);
    let count = |path: &str, list: &str, as_of: u64, bearer: &str| {
        let answer = get(path, as_of, bearer);
        assert_eq!(answer["as_of_size"], as_of + 1, "{answer}");
        (answer[list].as_array().unwrap().len(), answer["left_out"].as_u64().unwrap())
    };
    assert_eq!(count("owed", "owed", task - 1, &grc), (0, 0));
    assert_eq!(count("owed", "owed", task, &grc), (1, 0));
    assert_eq!(count("lessons", "lessons", lesson - 1, &grc), (0, 0));
    assert_eq!(count("lessons", "lessons", lesson, &grc), (1, 0));
    assert_eq!(get("lessons", lesson, &grc)["lessons"][0]["text"], "the open words");
    // Before it was restricted, RED's were there; they are not for those who may not read them now.
    let learned = lesson + 7;
    assert_eq!(count("lessons", "lessons", learned, &grc), (2, 0));
    assert_eq!(count("lessons", "lessons", learned, &analyst), (1, 1));
    assert_eq!(count("owed", "owed", learned, &analyst), (1, 1));
    let told = [get("lessons", learned, &analyst), get("owed", learned, &analyst)].map(|answer| answer.to_string());
    assert!(SECRETS.iter().all(|secret| !told.concat().contains(secret)), "{told:?}");
    let now = server.get("/v1/owed", Some(&grc)).json();
    assert_eq!(now["owed"], get("owed", server.app().size() - 1, &grc)["owed"], "the newest entry is now");
}

#[test]
fn what_was_not_due_yet_at_a_moment_is_not_overdue_as_of_it() {
    let mut seqs = (0, 0);
    let server = Server::new(|world, ledger| {
        world.opened("analyst", "incident/I").append(ledger).unwrap();
        let task = world.say("analyst", "task.opened", "incident/I").fact("task", "task/T");
        let task = task.fact("owner", "person/analyst").fact("due", "2026-11-23T12:30:00Z").data("title", "Look");
        seqs.0 = ledger.size();
        task.append(ledger).unwrap();
        world.tick(60 * MINUTE_US);
        seqs.1 = ledger.size();
        world.comment("analyst", "incident/I", "later").append(ledger).unwrap();
        world.comment("analyst", "incident/I", "last").append(ledger).unwrap();
    });
    let grc = server.login("grc");
    let overdue = |as_of: &str| {
        let answer = server.get(&format!("/v1/owed?overdue=true&as_of={as_of}"), Some(&grc)).json();
        answer["owed"].as_array().unwrap().len()
    };
    assert_eq!((overdue(&seqs.0.to_string()), overdue(&seqs.1.to_string())), (0, 1));
    // Nothing was recorded between these two: what differs is what time it was.
    assert_eq!((overdue("2026-11-23T12:29:00Z"), overdue("2026-11-23T12:31:00Z")), (0, 1));
}

#[test]
fn what_cannot_be_asked_is_said_and_where() {
    let Case { server, .. } = case();
    let grc = server.login("grc");
    let check = |path: &str, status: u16, at: &str| {
        let answer = server.get(path, Some(&grc));
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.json()["at"].as_str().unwrap_or_default(), at, "{path}");
    };
    check("/v1/metrics/mtbf", 404, "");
    check("/v1/metrics/mtta?by=team", 400, "by");
    check("/v1/metrics/mtta?time_zone=Mars", 400, "time_zone");
    check("/v1/metrics/mtta?as_of=yesterday", 400, "as_of");
    check("/v1/metrics/mtta?since=yesterday", 400, "since");
    check("/v1/owed?owner=nobody", 400, "owner");
    for path in ["owed", "lessons", "metrics/mtta", "incidents", "alerts", "alerts/proposals"] {
        check(&format!("/v1/{path}?as_of=9999"), 400, "as_of");
        check(&format!("/v1/{path}?as_of=yesterday"), 400, "as_of");
    }
    check("/v1/incidents/AMBER/diff?from=9999", 400, "from");
    check("/v1/incidents/AMBER/diff?from=1&to=yesterday", 400, "to");
}
