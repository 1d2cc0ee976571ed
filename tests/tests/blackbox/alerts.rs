//! An analyst's morning after a noisy night: the queue, what it leaves out, what it proposes, and one decision about many
//! alerts.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

const SAMPLE: &str = include_str!("../../../src/exchange/tests/alerts/wazuh.json");
/// One rule on one host, again and again: more than enter as one list.
const STORM: usize = 300;
/// Below the threshold.
const NOISE: usize = 40;

/// An alert of Wazuh's.
fn alert(id: usize, rule: &str, level: u8, host: &str) -> String {
    let mut alert: Value = serde_json::from_str(SAMPLE).unwrap();
    alert["id"] = format!("1795431240.{id}").into();
    alert["rule"]["id"] = rule.into();
    alert["rule"]["level"] = level.into();
    alert["rule"]["mitre"]["id"] = Value::Array(Vec::new());
    alert["agent"]["name"] = host.into();
    alert["data"] = serde_json::json!({ "srcip": format!("198.51.100.{}", id % 200) });
    alert.to_string()
}

/// Sends alerts through a server, as Wazuh would.
fn send(place: &Place, alerts: &[String]) {
    let file = place.beside("alerts.ndjson");
    std::fs::write(&file, alerts.join("\n")).unwrap();
    let served = Served::start(place);
    let mut command = place.command();
    command.args(["forward", "--server", &served.url, "--format", "wazuh", "--token-file"]).arg(place.beside("token"));
    let output = crate::run(command.arg("--spool").arg(place.beside("spool")).arg(&file));
    assert!(output.status.success(), "{}\n{}", crate::said(&output), served.log());
}

/// A ledger with an analyst and a manager, a threshold, a storm, noise, and two alerts that matter.
fn night() -> Place {
    let place = Place::founded();
    enrol_service(&place);
    for (name, role) in [("ana", "soc_analyst"), ("mona", "secops_manager")] {
        place.done(&["key", "new", name, "--no-passphrase"]);
        place.done(&["actor", "enrol", "--key", name, "--name", name, "--role", role, "--as", "founder", "-y"]);
    }
    std::fs::write(place.beside("token"), token(&place, &["alerts:source/wazuh-1"])).unwrap();
    std::fs::set_permissions(place.beside("token"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let threshold = ["act", "triage-threshold.set", "policy/triage", "--fact", "source=source/wazuh-1"];
    let values = ["--fact", "severity=3", "--fact", "per_hour=1000", "--data", "reason=scans", "--as", "mona", "-y"];
    place.done(&[&threshold[..], &values].concat());
    let storm = (0..STORM).map(|n| alert(n, "5763", 7, "fs-1"));
    let noise = (0..NOISE).map(|n| alert(1_000 + n, "1002", 3, &format!("desk-{n}")));
    let matter = [alert(2_000, "87104", 15, "fs-2"), alert(2_001, "87105", 12, "FS-2")];
    send(&place, &storm.chain(noise).chain(matter).collect::<Vec<_>>());
    // The server was killed, and the next to open the ledger for writing records that.
    place.comment("Good morning.");
    place
}

fn list(place: &Place, more: &[&str]) -> Value {
    json(&place.done(&[&["alert", "list", "--json"], more].concat()))
}

fn groups(page: &Value) -> Vec<(i64, i64, &str)> {
    let of = |group: &Value| (group["severity"].as_i64().unwrap(), group["count"].as_i64().unwrap());
    let groups = page["groups"].as_array().unwrap();
    groups.iter().map(|group| (of(group).0, of(group).1, group["hosts"]["few"][0].as_str().unwrap())).collect()
}

fn size(place: &Place) -> u64 {
    list(place, &[])["size"].as_u64().unwrap()
}

#[test]
fn a_noisy_night_is_worked_off_with_a_few_signatures() {
    let place = night();
    let page = list(&place, &[]);
    assert_eq!(groups(&page), [(5, 1, "fs-2"), (4, 1, "FS-2"), (3, STORM as i64, "fs-1")], "{page}");
    assert_eq!((&page["suppressed"][0]["alerts"], &page["suppressed"][0]["groups"]), (&NOISE.into(), &NOISE.into()));
    let told = place.done(&["alert", "list"]);
    assert!(told.contains("40 suppressed by the threshold of source/wazuh-1") && told.contains("in entry"), "{told}");
    assert_eq!(groups(&list(&place, &["--suppressed", "--limit", "500"])).len(), 3 + NOISE, "nothing is lost");
    let first = list(&place, &["--limit", "1"]);
    let rest = list(&place, &["--cursor", first["next"].as_str().unwrap()]);
    assert_eq!((groups(&first).len(), groups(&rest).len()), (1, 2));

    let storm = page["groups"][2]["group"].as_str().unwrap();
    let shown = json(&place.done(&["alert", "show", storm, "--json"]));
    assert!(shown["values"]["raw"].as_str().unwrap().contains("5763"), "{shown}");
    assert!(place.done(&["alert", "show", storm]).contains("300 of 300 alerts untriaged"));

    // One command, one question, two signatures for each of 300 alerts.
    let dismiss =
        ["alert", "triage", storm, "--dismiss", "false-positive", "--reason", "A scan of ours.", "--as", "ana"];
    let said = place.fails(2, &[&dismiss[..], &["-y"]].concat());
    assert!(said.contains("--criteria"), "{said}");
    let before = size(&place);
    let said = place.fails(2, &[&dismiss[..], &["--criteria", "7"]].concat());
    assert!(said.contains("--yes"), "nobody is there to be asked: {said}");
    assert_eq!(size(&place), before, "nothing was signed");
    let said = json(&place.done(&[&dismiss[..], &["--criteria", "7", "-y", "--json"]].concat()));
    assert_eq!((&said["alerts"], said["recorded"].as_array().unwrap().len()), (&STORM.into(), 2 * STORM));
    assert_eq!(size(&place), before + 2 * STORM as u64);
    assert_eq!(groups(&list(&place, &[])).len(), 2);
    assert_eq!(groups(&list(&place, &["--state", "dismissed"])), [(3, STORM as i64, "fs-1")]);

    let proposals = json(&place.done(&["alert", "proposals", "--json"]));
    let proposal = &proposals["proposals"][0];
    assert_eq!((&proposal["because"], &proposal["alert_count"]), (&"host fs-2 in 2 alerts".into(), &2.into()));
    let open =
        ["alert", "open", proposal["proposal"].as_str().unwrap(), "--category", "malware", "--title", "Two on fs-2"];
    let opened = json(&place.done(&[&open[..], &["--as", "ana", "-y", "--json"]].concat()));
    let incident = opened["incident"].as_str().unwrap();
    assert!(incident.starts_with("incident/INC-") && incident.ends_with("-0001"), "{opened}");
    let links = place.done(&["log", "--event", "alert.linked", "--json"]);
    assert_eq!(links.lines().count(), 2);
    assert!(links.contains("same-host"), "{links}");
    assert_eq!(groups(&list(&place, &[])).len(), 0);
    assert_eq!(list(&place, &["--state", "linked"])["groups"][0]["incidents"][0], incident);
    place.done(&["verify"]);
}

#[test]
fn a_later_alert_points_to_the_incident_that_it_joins_and_is_linked_by_its_group() {
    let place = night();
    let page = list(&place, &[]);
    let severest = page["groups"][0]["group"].as_str().unwrap();
    let open = ["alert", "open", severest, "--category", "malware", "--title", "Ransom note", "--incident", "INC-7"];
    place.done(&[&open[..], &["--as", "ana", "-y"]].concat());
    let page = list(&place, &[]);
    assert_eq!(page["groups"][0]["joins"][0], "incident/INC-7", "{page}");
    let group = page["groups"][0]["group"].as_str().unwrap();
    let said = place.fails(2, &["alert", "link", group, "INC-8", "--as", "ana", "-y"]);
    assert!(said.contains("there is no incident/INC-8"), "{said}");
    place.done(&["alert", "link", group, "INC-7", "--reason", "The same host.", "--as", "ana", "-y"]);
    assert_eq!(list(&place, &["--state", "linked"])["groups"].as_array().unwrap().len(), 2);
    let said = place.fails(2, &["alert", "link", severest, "INC-7", "--as", "ana", "-y"]);
    assert!(said.contains("no alert is left"), "{said}");
}

#[test]
fn who_may_not_triage_records_nothing_of_many() {
    let place = night();
    let page = list(&place, &[]);
    let storm = page["groups"][2]["group"].as_str().unwrap();
    let args = ["alert", "triage", storm, "--investigate", "--criteria", "7", "--as", "mona", "-y", "--json"];
    let said = place.fails(4, &args);
    assert!(said.contains("role-missing"), "{said}");
    assert_eq!(list(&place, &[])["size"], page["size"]);
    let said = place.fails(2, &["alert", "triage", "G-0", "--investigate", "--criteria", "7", "--as", "ana", "-y"]);
    assert!(said.contains("entry 0 received no alert"), "{said}");
}
