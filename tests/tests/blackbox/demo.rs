//! The demo's ledger from outside: its incidents went through their phases by the rules. The judge is `gates.rs`, which
//! has the rules in its own words and knows the record only as JSON.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::gates::{Stream, lacking, strs};
use crate::places::{Place, json};

const CITY: &str = "incident/INC-2025-0725";
const SCHOOL: &str = "incident/INC-2025-1006";

fn lines(place: &Place, args: &[&str]) -> Vec<Value> {
    place.done(&[&["log", "--json", "--all"], args].concat()).lines().map(json).collect()
}

fn stream(place: &Place, id: &str) -> Vec<Value> {
    lines(place, &["--stream", id])
}

fn is(entry: &Value, event: &str) -> bool {
    entry["event"] == event
}

fn shown(place: &Place, entry: &Value) -> Value {
    json(&place.done(&["show", &entry["seq"].to_string(), "--json"]))
}

/// What a JWS says.
fn claims(jws: &str) -> Value {
    let payload = jws.split('.').nth(1).unwrap();
    json(std::str::from_utf8(&blotter_record::base64url::decode(payload).unwrap()).unwrap())
}

#[test]
fn the_demos_incident_passes_all_six_phases_with_a_refusal_an_override_a_merger_and_a_way_back() {
    let place = Place::played();
    let city = stream(&place, CITY);
    let way = |entry: &Value| format!("{} {}", entry["facts"]["from"], entry["facts"]["to"]).replace('"', "");
    let entered: Vec<&Value> = city.iter().filter(|entry| is(entry, "phase.entered")).collect();
    let ways: Vec<String> = entered.iter().map(|entry| way(entry)).collect();
    assert_eq!(
        ways,
        [
            "initiate assess",
            "assess execute",
            "execute validate",
            "validate execute",
            "execute validate",
            "validate close",
            "close improve",
            "improve close",
        ]
    );

    // Tried too early, refused, and recorded with the very statement; which is not in the log.
    let refused: Vec<&Value> = city.iter().filter(|entry| is(entry, "phase.refused")).collect();
    let told: Vec<(String, Vec<&str>)> = refused
        .iter()
        .map(|entry| {
            let event = claims(entry["facts"]["refused"].as_str().unwrap())["event"].as_str().unwrap().to_owned();
            (event, strs(&entry["facts"]["unmet"]))
        })
        .collect();
    assert_eq!(told, [("phase.entered".into(), vec!["intel", "severity"]), ("evidence.disposed".into(), vec!["hold"])]);
    let everything = lines(&place, &[]);
    for entry in &refused {
        let jti = claims(entry["facts"]["refused"].as_str().unwrap())["jti"].clone();
        assert!(everything.iter().all(|other| other["jti"] != jti), "a refused statement was recorded");
        assert!(entry["actor"].as_str().unwrap().starts_with("ledger/"), "{entry}");
    }
    let held_up = stream(&place, SCHOOL).into_iter().filter(|entry| is(entry, "phase.refused"));
    assert_eq!(held_up.map(|entry| strs(&entry["facts"]["unmet"]).concat()).collect::<Vec<_>>(), ["lessons.led"]);

    // One gate was overridden, by a manager, who says why.
    let overridden: Vec<&&Value> = entered.iter().filter(|entry| entry["facts"]["override"] == true).collect();
    let [overridden] = overridden[..] else { panic!("one override, not {}", overridden.len()) };
    assert_eq!((way(overridden).as_str(), strs(&overridden["facts"]["unmet"])), ("assess execute", vec!["intel"]));
    let overridden = shown(&place, overridden);
    assert_eq!(strs(&overridden["roles_then"]), ["secops_manager"]);
    assert!(overridden["data"]["reason"]["value"].as_str().is_some_and(|reason| !reason.is_empty()));

    // Two analysts opened the same incident; one of the two was merged into the other.
    let merged: Vec<&Value> = city.iter().filter(|entry| is(entry, "incident.merged")).collect();
    let [merged] = merged[..] else { panic!("one merger, not {}", merged.len()) };
    assert_eq!((&merged["stream"], &merged["facts"]["into"]), (&"incident/INC-2025-0726".into(), &CITY.into()));
    let duplicate = stream(&place, "incident/INC-2025-0726");
    assert_ne!(duplicate[0]["actor"], city.iter().find(|entry| is(entry, "incident.opened")).unwrap()["actor"]);

    let report =
        json(&place.done(&["verify", "--json", "--anchor", place.dir().join("anchor.json").to_str().unwrap()]));
    assert_eq!(report["result"], "verified");
}

#[test]
fn no_transition_of_the_demo_lacks_its_gates() {
    let place = Place::played();
    let everything = lines(&place, &[]);
    let known: BTreeSet<String> = incidents(&everything);
    let mut judged = 0;
    for incident in &known {
        let entries = stream(&place, incident);
        let stream = Stream { id: incident, entries: &entries, log: &everything };
        for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| is(entry, "phase.entered")) {
            if strs(&entry["marks"]).contains(&"imported") {
                continue;
            }
            judged += 1;
            let mut lacking = lacking(&stream, at);
            if entry["facts"]["override"] == true {
                let stated = strs(&entry["facts"]["unmet"]);
                lacking.retain(|gate| !stated.contains(gate));
            }
            assert!(lacking.is_empty(), "{incident}, entry {}: {lacking:?} unmet", entry["seq"]);
        }
    }
    assert!(judged >= 15, "only {judged} transitions");
}

#[test]
fn the_judge_of_the_gates_would_say_no() {
    let place = Place::played();
    let everything = lines(&place, &[]);
    let whole = stream(&place, CITY);
    let find = |event: &str| whole.iter().position(|entry| is(entry, event)).unwrap();
    // Which transition lacks which gate when all statements of an event are taken out.
    for (event, from, to, gate) in [
        ("incident.acknowledged", "initiate", "assess", "acknowledged"),
        ("severity.assessed", "assess", "execute", "severity"),
        ("incident.confirmed", "assess", "execute", "confirmed"),
        ("playbook.started", "execute", "validate", "playbook"),
        ("containment.achieved", "execute", "validate", "containment"),
        ("eradication.completed", "execute", "validate", "eradication"),
        ("validation.signed-off", "validate", "close", "sign-off"),
        ("root-cause.identified", "close", "improve", "record.root-cause"),
        ("notification.sent", "close", "improve", "clocks"),
        ("evidence.received", "close", "improve", "evidence"),
        ("task.completed", "close", "improve", "tasks"),
        ("feedback.recorded", "improve", "close", "feedback"),
        ("risk.accepted", "improve", "close", "lessons.led"),
    ] {
        assert!(find(event) < whole.len());
        let entries: Vec<Value> = whole.iter().filter(|entry| !is(entry, event)).cloned().collect();
        let stream = Stream { id: CITY, entries: &entries, log: &everything };
        let is_it =
            |entry: &Value| is(entry, "phase.entered") && entry["facts"]["from"] == from && entry["facts"]["to"] == to;
        let at = entries.iter().rposition(is_it).unwrap();
        assert!(lacking(&stream, at).contains(&gate), "without {event}: {:?}", lacking(&stream, at));
    }
}

/// The incidents of a log, imported ones and all.
fn incidents(log: &[Value]) -> BTreeSet<String> {
    let ids = log.iter().filter_map(|entry| entry["stream"].as_str());
    ids.filter(|id| id.starts_with("incident/")).map(str::to_owned).collect()
}

#[test]
fn every_view_of_the_demos_ledger_has_something_true_to_show() {
    let place = Place::played();
    let log = lines(&place, &[]);
    let events: BTreeSet<&str> = log.iter().filter_map(|entry| entry["event"].as_str()).collect();
    let wanted = [
        "escalation-path.approved escalated triage-threshold.set playbook.published playbook.started step.completed",
        "task.completed handover.accepted cost.recorded budget.authorised service.interrupted service.resumed",
        "restoration.prioritised ticket.linked evidence.acquired evidence.received disposal.approved",
        "evidence.disposed legal.hold-placed legal.hold-released lesson.recorded action.completed action.verified",
        "risk.accepted feedback.recorded breach.assessed clock.started notification.sent recurrence.linked",
        "alert.dismissed import.completed containment.lost validation.performed",
    ];
    for event in wanted.iter().flat_map(|line| line.split(' ')) {
        assert!(events.contains(event), "no {event}");
    }
    assert!(
        log.iter().any(|entry| is(entry, "action.opened") && entry["facts"]["resource"].is_string()),
        "no training"
    );
    let published = log.iter().filter(|entry| is(entry, "playbook.published"));
    for entry in published {
        let document = shown(&place, entry)["data"]["document"]["value"].as_str().unwrap().to_owned();
        let hash = blotter_record::Hash::of(document.as_bytes()).to_hex();
        assert_eq!(entry["facts"]["document_sha256"], hash.as_str());
        assert_eq!(json(&document)["spec_version"], "cacao-2.0");
    }
    let last_phase = |incident: &str| {
        let stream = stream(&place, incident);
        let last = stream.iter().rfind(|entry| is(entry, "phase.entered")).unwrap();
        last["facts"]["to"].as_str().unwrap().to_owned()
    };
    assert_eq!(last_phase("incident/INC-2025-1121"), "assess", "something is open");
    assert_eq!(last_phase(SCHOOL), "improve", "something waits for its lesson");
    let imported = log.iter().filter(|entry| strs(&entry["marks"]).contains(&"imported"));
    assert!(imported.count() > 12);
    let again = ["import", "servicenow", "history.csv", "--timezone", "America/Chicago", "--as", "admin", "--json"];
    let output = crate::run(place.command().current_dir(place.dir()).args(again));
    assert_eq!(json(&String::from_utf8_lossy(&output.stdout))["added"], 0, "{}", crate::said(&output));
    let admin = ["token", "issue", "--as", "admin", "--for", "edr", "--scope", "append", "--expires"];
    place.done(&[&admin[..], &["2999-01-01", "--yes"]].concat());
}

#[test]
fn people_are_refused_what_the_process_refuses_and_told_what_is_missing() {
    let place = Place::played();
    let report = place.first("report.published").to_string();
    let report = json(&place.done(&["show", &report, "--json"]))["jti"].as_str().unwrap().to_owned();
    let report = format!("report={report}");
    let close = ["act", "incident.closed", "incident/INC-2025-1121", "--as", "manager", "--yes", "--json"];
    let said = place.fails(4, &[&close[..], &["--fact", "resolution=done", "--fact", &report]].concat());
    assert!(said.contains("gate-unmet") && said.contains("the incident is in assess, not in close"), "{said}");
    assert!(said.lines().all(|line| line.matches("not in close").count() <= 1), "once is enough: {said}");
    let stream = stream(&place, "incident/INC-2025-1121");
    assert!(is(stream.last().unwrap(), "phase.refused"), "and it is in the record");
    place.done(&["verify"]);
}

#[test]
fn the_demo_catches_its_own_tampering() {
    let place = Place::played();
    let said = json(&place.done(&["demo", "--tamper", "--json"]));
    let seq = said["tampered_seq"].as_u64().unwrap();
    assert_eq!((said["verified"].as_bool(), said["report_after"]["first_bad"].as_u64()), (Some(true), Some(seq)));
    let report = place.fails(1, &["verify", "--json"]);
    assert!(report.contains(&format!(r#""first_bad":{seq}"#)), "{report}");
}

#[test]
fn the_tour_in_the_readme_names_the_demos_numbers() {
    let place = Place::played();
    let keys = fs::read_dir(place.dir().join("keys")).unwrap().filter(|file| {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        name.ends_with(".key") && !["checkpoint.key", "ledger.key", "notary.key", "founder.key"].contains(&&*name)
    });
    let names = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let tour = format!("{} keys, {} signed statements", keys.count(), place.size());
    assert!(names.contains(&tour), "README.md does not say: {tour}");
    let entered = lines(&place, &["--event", "phase.entered"]);
    let overridden = entered.iter().find(|entry| entry["facts"]["override"] == true).unwrap()["seq"].to_string();
    for command in [format!("blotter show {overridden} "), format!("blotter proof receipt {overridden} ")] {
        assert!(names.contains(&command), "README.md does not say: {command}");
    }
}

#[test]
fn the_chain_of_custody_of_the_demos_evidence_has_no_gap() {
    let place = Place::played();
    let told = json(&place.done(&["custody", "INC-2025-0725", "--json"]));
    let chains = told["evidence"].as_array().unwrap();
    let names: Vec<_> = chains.iter().map(|chain| chain["evidence"].as_str().unwrap()).collect();
    assert_eq!(names, ["evidence/E-1", "evidence/E-2"]);
    let links = || chains.iter().flat_map(|chain| chain["links"].as_array().unwrap());
    assert!(links().all(|link| link["gaps"].as_array().unwrap().is_empty()));
    // The last link is what the table of the views says, too.
    let query = "SELECT count(*) AS n FROM custody WHERE incident = 'incident/INC-2025-0725'";
    assert_eq!(json(&place.done(&["sql", query, "--json"]))["n"], links().count());
    assert!(chains[1]["disposed"].is_u64() && chains[0]["holder"].is_string());
    // As the manager of the evidence saw it between its release and its receipt.
    let released = links().find(|link| link["event"] == "evidence.released").unwrap()["entry"].to_string();
    let then = place.done(&["custody", "evidence/E-1", "--as-of", &released]);
    assert!(then.contains("not received"), "{then}");
    // Streams are named without case.
    assert_eq!(place.done(&["custody", "evidence/e-1"]), place.done(&["custody", "evidence/E-1"]));
    assert_eq!(json(&place.done(&["incident", "show", "inc-2025-0725", "--json"]))["status"], "improved");
    assert!(place.done(&["custody", "INC-2025-1112"]).contains("no evidence was recorded"));
}

#[test]
fn an_event_of_ones_own_is_recorded_shown_found_and_stops_nothing() {
    let place = Place::played();
    let incident = "incident/INC-2025-1121";
    let said = place.done(&[
        "act",
        "x.lab.weighed",
        incident,
        "--as",
        "analyst",
        "--data",
        "text=zebra crossing",
        "--yes",
        "--json",
    ]);
    let seq = json(&said)["seq"].as_u64().unwrap_or_else(|| panic!("{said}"));
    let last = json(place.done(&["log", "--event", "x.", "--json"]).lines().next_back().unwrap());
    assert_eq!((last["event"].as_str(), last["seq"].as_u64()), (Some("x.lab.weighed"), Some(seq)));
    assert!(place.done(&["timeline", incident]).contains("x.lab.weighed"));
    assert_eq!(json(&place.done(&["search", "zebra", "--json"]))["found"][0]["seq"], seq);
    assert!(place.done(&["show", &seq.to_string()]).contains("x.lab.weighed"));
    let shown = json(&place.done(&["incident", "show", incident, "--json"]));
    assert_eq!(shown["fields"]["other-events"]["value"], "x.lab.weighed", "{shown}");
    let before = (seq - 1).to_string();
    let diff = place.done(&["incident", "diff", incident, "--from", &before]);
    assert!(diff.contains("other-events"), "{diff}");
    for command in [&["replay"][..], &["metrics"], &["lessons"], &["owed"], &["alert", "list"], &["cost", "--all"]] {
        place.done(command);
    }
    let anchor = place.dir().join("anchor.json");
    let verified =
        place.run(&["verify", place.dir().to_str().unwrap(), "--anchor", anchor.to_str().unwrap(), "--rules"]);
    assert!(verified.status.success(), "{}", crate::said(&verified));
}
