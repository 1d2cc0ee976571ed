//! The queue of alerts and what correlation proposes: by hand-made rows, and by a storm of them in a real `views.db`.

use std::collections::HashMap;

use blotter_projections::Facts;
use blotter_projections::alerts::correlate::{Confidence, Correlated, Item, Kind, correlate};
use blotter_projections::alerts::load::{self, Read};
use blotter_projections::alerts::queue::{
    GroupId, HOUR_US, Page, QueuedAlert, Threshold, WINDOW_US, Wanted, group, page, suppress,
};
use blotter_projections::alerts::words::AlertWords;

use crate::facts::{Book, list, receive};

const MINUTE_US: i64 = 60_000_000;

/// An alert of `key` at `minute`; its entry has the same number.
fn alert(key: &str, minute: i64, severity: i64) -> QueuedAlert {
    QueuedAlert {
        id: format!("alert/{minute}"),
        source: "source/edr".to_owned(),
        severity,
        at_us: minute * MINUTE_US,
        last_us: minute * MINUTE_US,
        count: 1,
        state: "new".to_owned(),
        seq: minute as u64,
        key: key.to_owned(),
        ..QueuedAlert::default()
    }
}

fn threshold(severity: i64, per_hour: i64) -> HashMap<String, Threshold> {
    let source = "source/edr".to_owned();
    let threshold = Threshold { source: source.clone(), severity, per_hour, set_by: "person/mona".to_owned(), seq: 9 };
    HashMap::from([(source, threshold)])
}

fn queue(alerts: Vec<QueuedAlert>, thresholds: &HashMap<String, Threshold>, wanted: &Wanted) -> Page {
    let mut groups = group(alerts, WINDOW_US);
    suppress(&mut groups, thresholds);
    page(groups, thresholds, wanted, None, 1_000)
}

fn ids(page: &Page) -> Vec<u64> {
    page.groups.iter().map(|group| group.id.0).collect()
}

#[test]
fn an_alert_counts_up_within_a_day_of_the_newest_and_begins_anew_after_it() {
    let day = 24 * 60;
    let minutes = [0, day, 2 * day, 3 * day + 1];
    let alerts = minutes.map(|minute| alert("k", minute, 3)).into_iter().chain([alert("other", 5, 3)]).collect();
    let groups = group(alerts, WINDOW_US);
    let sizes: Vec<_> = groups.iter().map(|group| (group.id.0, group.count())).collect();
    assert_eq!(sizes, [(0, 3), (3 * day as u64 + 1, 1), (5, 1)]);
}

#[test]
fn what_a_source_counted_keeps_a_group_together() {
    let day = 24 * 60;
    let mut counted = alert("k", 0, 3);
    (counted.count, counted.last_us) = (500, day * MINUTE_US);
    let groups = group(vec![counted, alert("k", 2 * day, 3)], WINDOW_US);
    assert_eq!(groups.iter().map(|group| group.count()).collect::<Vec<_>>(), [501]);
}

#[test]
fn untriaged_comes_first_then_the_severer_then_the_newer() {
    let mut investigated = alert("d", 40, 5);
    investigated.state = "investigate".to_owned();
    let alerts = vec![alert("a", 10, 2), alert("b", 20, 4), alert("c", 30, 4), investigated];
    assert_eq!(ids(&queue(alerts, &HashMap::new(), &Wanted::default())), [30, 20, 10, 40]);
}

#[test]
fn what_was_decided_or_linked_waits_for_nobody_and_is_there_if_asked_for() {
    let (mut dismissed, mut linked) = (alert("a", 1, 5), alert("b", 2, 5));
    dismissed.state = "dismissed".to_owned();
    linked.incidents = vec!["incident/I-1".to_owned()];
    let alerts = vec![dismissed, linked, alert("c", 3, 1)];
    assert_eq!(ids(&queue(alerts.clone(), &HashMap::new(), &Wanted::default())), [3]);
    let all = ["new", "investigate", "linked", "dismissed"].map(str::to_owned).into();
    assert_eq!(ids(&queue(alerts, &HashMap::new(), &Wanted { states: all, ..Wanted::default() })), [3, 2, 1]);
}

#[test]
fn a_new_alert_of_a_dismissed_group_wants_a_decision_again() {
    let mut dismissed = alert("k", 1, 5);
    dismissed.state = "dismissed".to_owned();
    let page = queue(vec![dismissed, alert("k", 2, 2)], &HashMap::new(), &Wanted::default());
    let [group] = &page.groups[..] else { panic!("{page:?}") };
    assert_eq!((group.state(), group.untriaged(), group.count(), group.severity_waiting()), ("new", 1, 2, 2));
}

#[test]
fn below_the_threshold_is_suppressed_and_counted_and_at_it_is_not() {
    let alerts = vec![alert("a", 1, 2), alert("b", 2, 3)];
    let thresholds = threshold(3, 10);
    let page = queue(alerts.clone(), &thresholds, &Wanted::default());
    assert_eq!(ids(&page), [2]);
    let [suppressed] = &page.suppressed[..] else { panic!("{page:?}") };
    assert_eq!((suppressed.alerts, suppressed.groups, suppressed.threshold.seq), (1, 1, 9));
    let page = queue(alerts, &thresholds, &Wanted { suppressed: true, ..Wanted::default() });
    assert_eq!(ids(&page), [2, 1], "and they come last");
}

#[test]
fn the_rate_suppresses_the_rest_of_an_hour_and_never_its_first() {
    for (per_hour, suppressed) in [(3, 7), (0, 9), (10, 0), (-5, 9)] {
        let alerts = (0..10).map(|minute| alert("k", minute, 5)).collect();
        let page = queue(alerts, &threshold(0, per_hour), &Wanted::default());
        assert_eq!(page.groups.iter().map(|group| group.suppressed()).collect::<Vec<_>>(), [suppressed], "{per_hour}");
        assert_eq!(page.groups[0].count(), 10, "nothing is lost");
    }
    let next_hour = vec![alert("k", 0, 5), alert("k", 1, 5), alert("k", 60, 5)];
    assert_eq!(queue(next_hour, &threshold(0, 1), &Wanted::default()).groups[0].suppressed, [false, true, false]);
}

#[test]
fn nothing_that_somebody_triaged_or_linked_is_suppressed() {
    let (mut investigated, mut linked) = (alert("k", 1, 0), alert("k", 2, 0));
    investigated.state = "investigate".to_owned();
    linked.incidents = vec!["incident/I-1".to_owned()];
    let page = queue(vec![investigated, linked, alert("k", 3, 0)], &threshold(5, 1), &Wanted::default());
    assert_eq!(page.groups[0].suppressed, [false, false, true]);
}

#[test]
fn pages_follow_each_other_without_gap_or_repeat() {
    let alerts = || (0..25).map(|n| alert(&format!("k{n}"), n, n % 5)).collect();
    let whole = ids(&queue(alerts(), &HashMap::new(), &Wanted::default()));
    let (mut paged, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(group(alerts(), WINDOW_US), &HashMap::new(), &Wanted::default(), cursor, 7);
        assert_eq!(page.total, 25);
        paged.extend(ids(&page));
        let Some(next) = page.next else { break };
        cursor = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(paged, whole);
}

#[test]
fn filters_leave_only_what_is_like_that() {
    let mut on_host = alert("a", 1, 2);
    on_host.host = Some("FS-1".to_owned());
    let check = |wanted: Wanted, expect: &[u64]| {
        assert_eq!(ids(&queue(vec![on_host.clone(), alert("b", 2, 4)], &HashMap::new(), &wanted)), expect);
    };
    check(Wanted { host: Some("fs-1".to_owned()), ..Wanted::default() }, &[1]);
    check(Wanted { severity_min: Some(3), ..Wanted::default() }, &[2]);
    check(Wanted { source: Some("source/other".to_owned()), ..Wanted::default() }, &[]);
    check(Wanted { since_us: Some(2 * MINUTE_US), ..Wanted::default() }, &[2]);
}

/// Alerts, each a group of its own, as (minute, host, user, techniques).
fn correlated(alerts: &[(i64, &str, &str, &[&str])]) -> Correlated {
    let mut items = HashMap::new();
    let one = |(minute, host, user, techniques): &(i64, &str, &str, &[&str])| {
        let word = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let named = techniques.iter().map(|code| Item::new(Kind::Technique, code)).collect::<Vec<_>>();
        items.insert(*minute as u64, named);
        QueuedAlert { host: word(host), user: word(user), ..alert(&minute.to_string(), *minute, 3) }
    };
    let alerts = alerts.iter().map(one).collect();
    correlate(&group(alerts, WINDOW_US), &items, 6 * HOUR_US)
}

#[test]
fn alerts_that_share_host_and_user_are_proposed_with_the_reasons() {
    let found =
        correlated(&[(1, "FS-1", "eva", &[]), (2, "fs-1", "", &[]), (3, "db-1", "EVA", &[]), (4, "x", "y", &[])]);
    let [proposal] = &found.proposals[..] else { panic!("{found:?}") };
    assert_eq!(proposal.alerts, ["alert/1", "alert/2", "alert/3"]);
    assert_eq!(proposal.because(), "host fs-1 in 2 alerts, user eva in 2 alerts");
    assert_eq!((proposal.id.as_str(), proposal.confidence), ("P-1", Confidence::Medium));
}

#[test]
fn sightings_further_apart_than_the_window_are_not_shared() {
    assert_eq!(correlated(&[(0, "fs-1", "", &[]), (361, "fs-1", "", &[])]).proposals, []);
    assert_eq!(correlated(&[(0, "fs-1", "", &[]), (360, "fs-1", "", &[])]).proposals.len(), 1);
}

#[test]
fn one_technique_connects_nothing_and_two_do() {
    assert_eq!(correlated(&[(1, "", "", &["T1059"]), (2, "", "", &["T1059"])]).proposals, []);
    let found = correlated(&[(1, "", "", &["T1059", "T1486"]), (2, "", "", &["T1059", "T1486"])]);
    assert_eq!(found.proposals[0].because(), "technique T1059 in 2 alerts, technique T1486 in 2 alerts");
    assert_eq!(found.proposals[0].confidence, Confidence::Low);
    let found = correlated(&[(1, "h", "u", &["T1059"]), (2, "h", "u", &["T1059"])]);
    assert_eq!(found.proposals[0].confidence, Confidence::High);
}

#[test]
fn what_everybody_shares_is_no_reason_and_is_said_to_be_none() {
    let alerts: Vec<(i64, &str, &str, &[&str])> = (0..21).map(|minute| (minute, "proxy-1", "", &[][..])).collect();
    let found = correlated(&alerts);
    assert_eq!(found.proposals, []);
    assert_eq!(
        found.common.iter().map(|c| (c.to_string(), c.groups)).collect::<Vec<_>>(),
        [("host proxy-1 in 21 alerts".to_owned(), 21)]
    );
    assert_eq!(correlated(&alerts[..20]).proposals.len(), 1, "a few may well share it");
}

#[test]
fn a_linked_alert_points_to_its_incident_and_linked_ones_alone_propose_nothing() {
    let on_host = |minute, incident: Option<&str>| QueuedAlert {
        host: Some("fs-1".to_owned()),
        incidents: incident.into_iter().map(str::to_owned).collect(),
        ..alert(&format!("k{minute}"), minute, 3)
    };
    let find = |alerts| correlate(&group(alerts, WINDOW_US), &HashMap::new(), 6 * HOUR_US).proposals;
    let found = find(vec![on_host(1, Some("incident/I-7")), on_host(2, None)]);
    assert_eq!(found[0].joins.iter().map(|(id, n)| (id.as_str(), *n)).collect::<Vec<_>>(), [("incident/I-7", 1)]);
    assert_eq!((found[0].alerts.len(), found[0].groups.as_slice()), (1, &[GroupId(2)][..]));
    assert_eq!(find(vec![on_host(1, Some("incident/I-7")), on_host(2, Some("incident/I-7"))]), []);
}

#[test]
fn an_observable_that_names_a_host_is_that_host() {
    assert_eq!(Item::new(Kind::Observable, "Host:FS-1"), Item::new(Kind::Host, "fs-1"));
    assert_eq!(Item::new(Kind::Observable, "ip:10.0.0.1").kind, Kind::Observable);
}

/// Facts and words of one book.
fn views(book: &Book, dir: &std::path::Path) -> (Facts, AlertWords) {
    let path = dir.join("views.db");
    let words = AlertWords::open(&path, &book.log, &mut |_, _| ()).unwrap();
    (Facts::open(&path, &book.log, &mut |_, _| ()).unwrap(), words)
}

#[test]
fn linking_merging_and_splitting_keep_every_alert() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    let open = |book: &mut Book, incident: &str, alert: &str| {
        let facts = vec![("lead", "person/ann".into()), ("category", "malware".into()), ("tlp", "amber".into())];
        book.say("person/ann", "incident.opened", &[incident, alert], facts)
    };
    for name in ["alert/A", "alert/B", "alert/C"] {
        receive(&mut book, name, 4, "2025-11-01T00:00:00Z");
    }
    open(&mut book, "incident/I-1", "alert/A");
    open(&mut book, "incident/I-2", "alert/B");
    let linked = [("alert", "alert/C".into())];
    book.say("person/ann", "alert.linked", &["incident/I-2", "alert/C"], linked.clone().into());
    let into = vec![("into", "incident/I-1".into())];
    book.say("person/ann", "incident.merged", &["incident/I-2", "incident/I-1"], into);
    let split = vec![("from", "incident/I-2".into()), ("alerts", list(["alert/C"]))];
    book.say("person/ann", "incident.split", &["incident/I-3", "incident/I-2"], split);
    let (facts, _) = views(&book, dir.path());
    let now = |read, may_see: load::MaySee<'_>| {
        let mut alerts = load::alerts(facts.db(), read, may_see).unwrap();
        alerts.sort_by_key(|alert| alert.seq);
        alerts.into_iter().map(|alert| (alert.id, alert.incidents.join(" "))).collect::<Vec<_>>()
    };
    let pair = |alert: &str, incident: &str| (format!("alert/{alert}"), format!("incident/{incident}"));
    let all = [pair("A", "I-1"), pair("B", "I-1"), pair("C", "I-3")];
    assert_eq!(now(Read::Open, &|_| true), all);
    assert_eq!(now(Read::All, &|_| true), all);
    assert_eq!(now(Read::WithAlert("ALERT/b"), &|_| true), [pair("B", "I-1")]);
    // Who may not read the incident that was merged away is not told of its alerts by the other.
    let reader = |incidents: &[String]| !incidents.iter().any(|incident| incident == "incident/I-2");
    assert_eq!(now(Read::Open, &reader), [pair("A", "I-1"), pair("C", "I-3")]);
}

#[test]
fn a_threshold_is_the_newest_of_any_policy() {
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    for (policy, severity) in [("policy/b", 3), ("policy/a", 2)] {
        let facts = vec![("source", "source/EDR".into()), ("severity", severity.into()), ("per_hour", 9.into())];
        book.say("person/mona", "triage-threshold.set", &[policy], facts);
    }
    let (facts, _) = views(&book, dir.path());
    let thresholds = load::thresholds(facts.db()).unwrap();
    let set = &thresholds["source/edr"];
    assert_eq!((set.severity, set.seq, set.set_by.as_str()), (2, 1, "person/mona"));
}

#[test]
fn of_a_storm_what_matters_is_on_top() {
    const STORM: u64 = 20_000;
    const MATTER: u64 = 50;
    let dir = tempfile::tempdir().unwrap();
    let mut book = Book::default();
    let facts = vec![("source", "source/noisy".into()), ("severity", 3.into()), ("per_hour", 20.into())];
    book.say("person/mona", "triage-threshold.set", &["policy/p"], facts);
    let (facts, _words) = views(&book, dir.path());
    let db = facts.db();
    db.execute_batch("BEGIN").unwrap();
    let mut put_alert = db
        .prepare(
            "INSERT INTO alert (id, kind, source, severity, observed_us, last_observed_us, received_us, count, state,
             imported, received_seq, first_seq, last_seq) VALUES (?1, 'alert', ?2, ?3, ?4, ?4, ?4, 1, 'new', 0, ?5, ?5, ?5)",
        )
        .unwrap();
    let mut put_words = db
        .prepare(
            "INSERT INTO said_alert (seq, alert, source, grouped_by, host, title) VALUES (?1, ?2, ?3, ?4, ?5, 't')",
        )
        .unwrap();
    let mut put_observable = db.prepare("INSERT INTO said_observable (seq, observable) VALUES (?1, ?2)").unwrap();
    for seq in 1..=STORM {
        // One in 400 matters. The rest is a scan: half of it below the threshold, half of it too often.
        let matters = seq % (STORM / MATTER) == 0;
        let (source, severity, key, host) = match seq {
            _ if matters => ("source/edr", 4, format!("m{seq}"), format!("fs-{}", seq / 1000)),
            n if n % 2 == 0 => ("source/noisy", 1, format!("low{}", n % 3_000), "proxy-1".to_owned()),
            n => ("source/noisy", 3, format!("often{}", n % 7), "proxy-1".to_owned()),
        };
        let (id, at_us) = (format!("alert/{seq}"), seq as i64 * 1_000_000);
        put_alert.execute((&id, source, severity, at_us, seq as i64)).unwrap();
        put_words.execute((seq as i64, &id, source, key, host)).unwrap();
        put_observable.execute((seq as i64, format!("ip:10.0.{}.{}", seq % 200, seq % 90))).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();

    let alerts = load::alerts(db, Read::Open, &|_| true).unwrap();
    let thresholds = load::thresholds(db).unwrap();
    let mut groups = group(alerts, WINDOW_US);
    suppress(&mut groups, &thresholds);
    let found = correlate(&groups, &load::items(db).unwrap(), 6 * HOUR_US);
    let all: i64 = groups.iter().map(|group| group.count()).sum();
    assert_eq!(all, STORM as i64, "nothing is lost");
    let page = page(groups, &thresholds, &Wanted::default(), None, MATTER as usize);
    assert!(page.groups.iter().all(|group| group.source() == "source/edr"), "{:?}", ids(&page));
    assert_eq!((page.groups.len(), page.total), (MATTER as usize, MATTER as usize + 7), "seven groups came too often");
    let [suppressed] = &page.suppressed[..] else { panic!("one threshold") };
    // Twenty an hour of the seven groups in each of the six hours that the storm took remain.
    assert_eq!(suppressed.alerts as u64, STORM - MATTER - 7 * 20 * 6);
    assert!(found.proposals.iter().any(|proposal| proposal.because().contains("host fs-3")), "{:?}", found.proposals);
}
