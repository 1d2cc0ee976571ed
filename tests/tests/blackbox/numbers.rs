//! Numbers over incidents, from outside. The judge of the numbers is the published ServiceNow log itself: its columns, read by
//! the `csv` crate and counted here on their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::places::{Place, json};

/// Minutes since 1970 of `dd-mm-yyyy hh:mm` in São Paulo: three hours behind UTC, and in its summer two.
fn minutes(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (d, m, y) = (number(0..2)?, number(3..5)?, number(6..10)?);
    let local = days(y, m, d) * 1_440 + number(11..13)? * 60 + number(14..16)?;
    let summers = [(days(2015, 10, 18), days(2016, 2, 21)), (days(2016, 10, 16), days(2017, 2, 19))];
    let summer = summers.iter().any(|(from, until)| (from * 1_440..until * 1_440).contains(&local));
    Some(local + if summer { 120 } else { 180 })
}

/// Days since 1970, counted year by year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let leap = |year: i64| i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let before: i64 = (1970..year).map(|year| 365 + leap(year)).sum();
    let months = [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    before + months[..month as usize - 1].iter().sum::<i64>() + day - 1
}

#[derive(Default)]
struct Judged {
    opened: i64,
    state: String,
    /// When its state last became Resolved, or Closed without that.
    resolved: Option<i64>,
    /// The column `resolved_at`.
    resolved_at: Option<i64>,
}

fn judge(csv: &std::path::Path) -> BTreeMap<String, Judged> {
    let mut cases: BTreeMap<String, Judged> = BTreeMap::new();
    for row in csv::Reader::from_path(csv).unwrap().deserialize::<BTreeMap<String, String>>() {
        let row = row.unwrap();
        let case = cases.entry(row["number"].clone()).or_default();
        case.opened = minutes(&row["opened_at"]).unwrap();
        case.resolved_at = minutes(&row["resolved_at"]);
        let done = |state: &str| state == "Resolved" || state == "Closed";
        let state = &row["incident_state"];
        if *state != case.state {
            if done(&case.state) && !done(state) {
                case.resolved = None;
            }
            if state == "Resolved" || state == "Closed" && case.resolved.is_none() {
                case.resolved = minutes(&row["sys_updated_at"]);
            }
            case.state.clone_from(state);
        }
    }
    cases
}

#[test]
fn the_time_to_resolve_is_what_the_imported_file_says() {
    let folder = std::env::var_os("BLOTTER_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")), PathBuf::from);
    let csv = folder.join("servicenow_incident_log/incident_event_log_5998.csv");
    if !csv.is_file() {
        eprintln!("NOT TESTED on real data: {} is not there. Set BLOTTER_SHARED_DATA.", csv.display());
        return;
    }
    let place = Place::founded();
    let file = csv.to_str().unwrap();
    place.done(&["import", "servicenow", file, "--timezone", "America/Sao_Paulo", "--as", "founder", "--yes"]);
    let found = json(&place.done(&["metrics", "mttr-resolve", "--entries", "--json"]));
    let group = &found["groups"][0];

    let cases = judge(&csv);
    let mut expect: Vec<i64> = cases.values().map(|case| case.resolved.unwrap() - case.opened).collect();
    expect.sort_unstable();
    let n = expect.len();
    let us = |minutes: i64| minutes * 60_000_000;
    let number = |name: &str| group[name].as_i64().unwrap();
    assert_eq!((n, number("n")), (890, 890));
    assert_eq!(number("median_us") * 2, us(expect[(n - 1) / 2] + expect[n / 2]));
    // 801 of 890 are nine in ten.
    assert_eq!(number("p90_us"), us(expect[800]));
    let mean = us(expect.iter().sum()) as f64 / n as f64;
    assert!((number("mean_us") as f64 - mean).abs() <= 1.0, "{} {mean}", number("mean_us"));
    assert_eq!((number("min_us"), number("max_us")), (us(expect[0]), us(expect[n - 1])));

    // Case by case; and beside the column that ServiceNow itself keeps, which some cases lack.
    let (mut same, mut without) = (0, 0);
    for one in group["measured"].as_array().unwrap() {
        let case = &cases[one["incident"].as_str().unwrap().trim_start_matches("incident/")];
        assert_eq!(one["interval_us"].as_i64(), case.resolved.map(|resolved| us(resolved - case.opened)), "{one}");
        same += usize::from(case.resolved == case.resolved_at);
        without += usize::from(case.resolved_at.is_none());
    }
    assert_eq!((same, without), (844, 29));

    let mtta = json(&place.done(&["metrics", "mtta", "--json"]));
    let excluded = &mtta["groups"][0]["excluded"][0];
    assert_eq!(excluded["reason"], "imported without acknowledged", "the file has no such column");
    assert_eq!((mtta["groups"][0]["n"].as_u64(), excluded["count"].as_u64()), (Some(0), Some(890)));
    let by_month = json(&place.done(&["metrics", "mttr-resolve", "--by", "month", "--time-zone", "UTC", "--json"]));
    let sum: u64 = by_month["groups"].as_array().unwrap().iter().map(|group| group["n"].as_u64().unwrap()).sum();
    assert_eq!(sum, 890, "no case is in two groups, or in none");
}

fn group(answer: &str) -> Value {
    json(answer)["groups"][0].clone()
}

#[test]
fn every_number_stands_beside_its_definition_and_can_list_its_entries() {
    let place = Place::played();
    let shown = place.done(&["metrics"]);
    for name in
        ["mttd", "mtta", "mtt-classify", "mttc", "mttr-respond", "mttr-restore", "mttr-resolve", "lesson-latency"]
    {
        let defined = json(&place.done(&["metrics", name, "--definitions", "--json"]))[0].clone();
        assert!(shown.contains(defined["definition"].as_str().unwrap()), "{name}: {shown}");
    }
    assert!(shown.contains("1 no occurred"), "why nothing is measured is said: {shown}");
    let mttc = group(&place.done(&["metrics", "mttc", "--entries", "--json"]));
    // From 25 July, 04:41, until 29 July, 22:00.
    let measured = mttc["measured"].as_array().unwrap();
    let city = measured.iter().find(|one| one["incident"] == "incident/INC-2025-0725").unwrap();
    assert_eq!(city["interval_us"].as_i64(), Some((4 * 86_400 + 17 * 3_600 + 19 * 60) * 1_000_000));
    let sum: i64 = measured.iter().map(|one| one["interval_us"].as_i64().unwrap()).sum();
    assert_eq!((measured.len(), mttc["mean_us"].as_i64()), (3, Some(sum / 3)));
    let seq = city["to_seq"].as_u64().unwrap().to_string();
    assert!(place.done(&["show", &seq]).contains("containment.achieved"));
    assert_eq!(mttc["flagged"].as_u64(), Some(3), "stories of last year were recorded today");
    let reasons = |group: &Value| {
        let excluded = group["excluded"].as_array().unwrap().iter();
        excluded.map(|one| one["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let without = group(&place.done(&["metrics", "mttc", "--without-flagged", "--json"]));
    assert!(without["n"] == 0 && reasons(&without).contains(&"flagged".to_owned()), "{without}");
    let before: u64 = seq.parse::<u64>().unwrap() - 1;
    let then = group(&place.done(&["metrics", "mttc", "--as-of", &before.to_string(), "--json"]));
    assert!(then["n"] == 0 && reasons(&then).contains(&"not contained yet".to_owned()), "{then}");
    place.fails(2, &["metrics", "mtbf"]);
}

#[test]
fn where_there_is_nothing_it_is_said() {
    let place = Place::founded();
    let said = |args: &[&str]| crate::said(&place.run(args));
    assert!(said(&["metrics"]).contains("no incident yet"));
    assert!(said(&["lessons"]).contains("no lesson was recorded yet"));
    assert!(said(&["lessons", "recurrences"]).contains("no incident shares"));
    assert!(said(&["owed"]).contains("nobody owes anything"));
    assert!(said(&["cost", "--all"]).contains("no costs are recorded"));
    assert!(said(&["uptime"]).contains("no service is known"));
    assert!(said(&["metrics", "alerts-closed"]).contains("no alert was closed"));
    assert!(place.fails(2, &["cost", "incident/NONE"]).contains("no such stream"));
}

#[test]
fn an_action_that_is_overdue_is_found_wherever_somebody_looks() {
    const INCIDENT: &str = "incident/INC-2025-0725";
    let place = Place::played();
    let manager = json(&place.done(&["lessons", "--json"]))[0]["actions"][0]["owner"].as_str().unwrap().to_owned();
    let owner = format!("owner={manager}");
    let act = ["act", "action.opened", "lesson/L-1", "--about", INCIDENT, "--as", "manager", "--yes"];
    let facts = [
        "action=action/99",
        "lesson=lesson/L-1",
        "kind=training",
        &owner,
        "due=2025-11-01T00:00:00Z",
        "resource=resource/isaca-cism",
    ];
    let facts = facts.iter().flat_map(|fact| ["--fact", fact]);
    let args: Vec<&str> = act.into_iter().chain(facts).chain(["--data", "text=Become a CISM"]).collect();
    place.done(&args);
    let lessons = json(&place.done(&["lessons", "--overdue", "--owner", &manager, "--json"]));
    let first = lessons.as_array().unwrap().iter().find(|one| one["lesson"] == "lesson/L-1").unwrap();
    let actions = first["actions"].as_array().unwrap();
    let overdue = actions.iter().filter(|one| one["overdue"] == true).map(|one| one["action"].as_str().unwrap());
    assert_eq!(overdue.collect::<Vec<_>>(), ["action/99"], "{first}");
    let owed = json(&place.done(&["owed", "--overdue", "--who", &manager, "--json"]));
    let owed = owed["owed"].as_array().unwrap().iter().find(|one| one["what"] == "action/99").unwrap().clone();
    assert_eq!(owed["text"], "Become a CISM");
    assert!(owed["left_us"].as_i64().unwrap() < 0);
    let resources = json(&place.done(&["lessons", "resources", "--json"]));
    let cism = resources.as_array().unwrap().iter().find(|one| one["resource"] == "resource/isaca-cism").unwrap();
    assert_eq!(cism["assigned"][0]["owner"].as_str(), Some(manager.as_str()));
    assert!(place.done(&["lessons"]).contains("overdue since 2025-11-01"));
}

#[test]
fn what_was_paid_and_how_long_services_were_down_is_summed() {
    const INCIDENT: &str = "incident/INC-2025-0725";
    let place = Place::played();
    let pay = |amount: &str, currency: &str| {
        let currency = format!("currency={currency}");
        let act =
            ["act", "cost.recorded", INCIDENT, "--as", "itops", "--yes", "--fact", "kind=vendor", "--data", amount];
        place.done(&[&act[..], &["--data", &currency]].concat());
    };
    pay("amount_minor=1250000", "USD");
    pay("amount_minor=30000", "USD");
    pay("amount_minor=99", "EUR");
    let cost = json(&place.done(&["cost", "INC-2025-0725", "--json"]));
    let sums = cost["cost"][0]["sums"].as_array().unwrap().iter().filter(|sum| sum["kind"] == "vendor");
    let sums: Vec<_> =
        sums.map(|sum| (sum["currency"].as_str().unwrap(), sum["amount_minor"].as_str().unwrap())).collect();
    assert_eq!(sums, [("EUR", "99"), ("USD", "27280000")], "on top of the story's 260,000 dollars");
    let uptime = json(&place.done(&["uptime", "--since", "2025-08-01", "--until", "2025-08-31", "--json"]));
    let of = |service: &str| uptime["uptime"].as_array().unwrap().iter().find(|one| one["service"] == service).unwrap();
    // Until 20 August, 12:00, and until 18 August, 08:00, in Minnesota.
    let (library, payments) = (of("service/library"), of("service/payments"));
    assert_eq!(library["down_us"].as_i64(), Some((19 * 86_400 + 17 * 3_600) * 1_000_000));
    assert_eq!(payments["down_us"].as_i64(), Some((17 * 86_400 + 13 * 3_600) * 1_000_000));
    assert_eq!(payments["up_millionths"].as_i64(), Some(434_139), "13 days and 11 hours of 31, rounded down");
}

#[test]
fn services_stand_in_the_order_of_their_restoration_with_tickets_beside() {
    const INCIDENT: &str = "incident/INC-2025-0725";
    let place = Place::played();
    let act = |event: &str, more: &[&str]| {
        place.done(&[&["act", event, INCIDENT, "--as", "itops", "--yes"], more].concat());
    };
    act("ticket.linked", &["--fact", "system=endpoint/itsm", "--data", "ticket=INC0042"]);
    act("service.interrupted", &["--fact", "service=service/library", "--fact", "at=2025-09-30T08:00:00Z"]);
    act("service.interrupted", &["--fact", "service=service/mail", "--fact", "at=2025-09-30T09:00:00Z"]);
    let found = json(&place.done(&["restoration", INCIDENT, "--json"]));
    let services = |list: &str| {
        let all = found[list].as_array().unwrap().iter();
        all.map(|one| format!("{} {}", one["service"].as_str().unwrap(), one["standing"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        services("order"),
        ["service/payroll not interrupted", "service/payments up", "service/library down"],
        "down again is down"
    );
    assert_eq!(services("unordered"), ["service/mail down"]);
    let link = found["links"].as_array().unwrap().iter().find(|link| link["number"] == "INC0042").unwrap();
    assert_eq!(link["event"], "ticket.linked");
    assert!(place.fails(2, &["restoration", "incident/NONE"]).contains("no such stream"));
}
