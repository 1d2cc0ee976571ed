//! Times between milestones: numbers held against their textbook definitions, and every incident that is in none of them
//! has its reason.

use std::collections::BTreeMap;

use blotter_projections::incidents::{Milestone, Reached};
use blotter_projections::metrics::{
    Asked, By, DEFINITIONS, Flag, Group, Kind, Period, Reason, Subject, add_alerted, definition, measure, subjects_of,
};
use blotter_projections::{Span, cases};
use blotter_record::Precision;
use proptest::prelude::*;

use crate::facts::{ANN, Book};

const DAY_US: i64 = 86_400_000_000;

fn at(at_us: i64) -> Reached {
    Reached { at_us, seq: 7, precision: Precision::Second, late_us: Some(0) }
}

fn subject(name: &str, reached: &[(Milestone, Reached)]) -> Subject {
    Subject {
        id: format!("incident/{name}").parse().unwrap(),
        status: "closed".to_owned(),
        severity: None,
        category: None,
        lead: None,
        verdict: None,
        imported: false,
        reached: reached.iter().copied().collect::<BTreeMap<_, _>>(),
        alerts: Vec::new(),
        outages: Vec::new(),
        costs: Vec::new(),
    }
}

const ALL: Asked =
    Asked { by: None, span: Span { since_us: None, until_us: None }, zone: chrono_tz::UTC, without_flagged: false };

fn groups(name: &str, subjects: &[Subject], asked: Asked) -> Vec<Group> {
    measure(definition(name).unwrap(), subjects, &asked).unwrap().groups
}

/// The only group.
fn group(name: &str, subjects: &[Subject], asked: Asked) -> Group {
    groups(name, subjects, asked).pop().unwrap()
}

fn resolved(name: &str, opened_us: i64, resolved_us: i64) -> Subject {
    subject(name, &[(Milestone::Opened, at(opened_us)), (Milestone::Resolved, at(resolved_us))])
}

proptest! {
    /// The judge is the definition of each number, counted over all values.
    #[test]
    fn numbers_are_what_their_definitions_say(intervals in proptest::collection::vec(-1_000_i64..1_000_000_000_000_000, 1..60)) {
        let subjects: Vec<_> = intervals.iter().enumerate().map(|(n, us)| resolved(&n.to_string(), 5, 5 + us)).collect();
        let stats = group("mttr-resolve", &subjects, ALL).stats.unwrap();
        let n = intervals.len();
        let not_above = |x: i64| intervals.iter().filter(|us| **us <= x).count();
        let p90 = intervals.iter().copied().filter(|x| not_above(*x) * 10 >= n * 9).min().unwrap();
        let mut sorted = intervals.clone();
        sorted.sort_unstable();
        let median = if n % 2 == 1 { sorted[n / 2] as f64 } else { (sorted[n / 2 - 1] as f64 + sorted[n / 2] as f64) / 2.0 };
        let mean = intervals.iter().map(|us| *us as f64).sum::<f64>() / n as f64;
        prop_assert_eq!((stats.n, stats.p90_us, stats.min_us, stats.max_us), (n, p90, sorted[0], sorted[n - 1]));
        prop_assert!((stats.median_us as f64 - median).abs() <= 1.0, "{} {median}", stats.median_us);
        prop_assert!((stats.mean_us as f64 - mean).abs() <= 8.0, "{} {mean}", stats.mean_us);
    }
}

#[test]
fn every_incident_that_is_in_no_number_has_its_reason() {
    use Milestone::{Contained, Detected, Opened};
    let check = |what: &str, change: &dyn Fn(&mut Subject), expect: Option<Reason>| {
        let mut one = subject("I", &[(Opened, at(1)), (Detected, at(2)), (Contained, at(9))]);
        change(&mut one);
        let found = group("mttc", &[one], ALL);
        assert_eq!(found.excluded.first().map(|excluded| excluded.reason.clone()), expect, "{what}");
        assert_eq!(found.stats.map(|stats| stats.n), expect.is_none().then_some(1), "{what}");
    };
    let without = |milestone| move |one: &mut Subject| _ = one.reached.remove(&milestone);
    check("nothing", &|_| (), None);
    check("merged", &|one| one.status = "merged".into(), Some(Reason::Merged));
    check("dismissed", &|one| one.verdict = Some("false-positive".into()), Some(Reason::Dismissed));
    check("confirmed", &|one| one.verdict = Some("true-positive".into()), None);
    check("never contained", &without(Contained), Some(Reason::Missing(Contained)));
    check("never detected", &without(Detected), Some(Reason::Missing(Detected)));
    let open = |one: &mut Subject| {
        one.status = "open".into();
        one.reached.remove(&Contained);
    };
    check("not contained yet", &open, Some(Reason::NotYet(Contained)));
    let imported = |one: &mut Subject| {
        one.imported = true;
        one.reached.remove(&Contained);
    };
    check("imported", &imported, Some(Reason::ImportedWithout(Contained)));
    let imported_open = |one: &mut Subject| {
        one.imported = true;
        open(one);
    };
    check("imported, and open", &imported_open, Some(Reason::NotYet(Contained)));
    let unknown = |one: &mut Subject| {
        one.reached.insert(Detected, Reached { precision: Precision::Unknown, late_us: None, ..at(2) });
    };
    check("at nobody knows when", &unknown, Some(Reason::TimeUnknown(Detected)));
}

#[test]
fn a_dismissed_incident_was_acknowledged_all_the_same() {
    let mut one = subject("I", &[(Milestone::Opened, at(1)), (Milestone::Acknowledged, at(4))]);
    one.verdict = Some("benign".to_owned());
    assert_eq!(group("mtta", &[one], ALL).stats.unwrap().mean_us, 3);
}

#[test]
fn what_is_odd_is_flagged_and_counted_as_it_was_said() {
    use Milestone::{Opened, Resolved};
    let late = |late_us| Reached { late_us: Some(late_us), ..at(100) };
    let check = |from: Reached, to: Reached, imported: bool, expect: &[Flag]| {
        let one = Subject { imported, ..subject("I", &[(Opened, from), (Resolved, to)]) };
        let found = group("mttr-resolve", std::slice::from_ref(&one), ALL);
        assert_eq!(found.measured[0].flags, expect);
        assert_eq!(found.stats.unwrap().mean_us, to.at_us - from.at_us, "never clamped");
        let without = group("mttr-resolve", &[one], Asked { without_flagged: true, ..ALL });
        assert_eq!(without.stats.is_none(), !expect.is_empty());
        assert_eq!(without.excluded.iter().filter(|e| e.reason == Reason::Flagged).count(), expect.len().min(1));
    };
    check(at(5), at(9), false, &[]);
    check(at(9), at(5), false, &[Flag::Negative]);
    check(late(DAY_US), at(900), false, &[]);
    check(late(DAY_US + 1), at(900), false, &[Flag::BackDated(Opened)]);
    check(late(900 * DAY_US), at(900), true, &[]);
    let to_the = |precision| Reached { precision, ..at(900) };
    check(at(5), to_the(Precision::Minute), false, &[]);
    check(at(5), to_the(Precision::Hour), false, &[Flag::Coarse(Resolved, Precision::Hour)]);
}

#[test]
fn periods_are_those_of_a_time_zone() {
    let new_years_eve_us = 1_767_227_400_000_000; // 2026-01-01T00:30:00Z
    let one = [resolved("I", new_years_eve_us, new_years_eve_us + 60)];
    let check = |period, zone: &str, expect: &str| {
        let asked = Asked { by: Some(By::Period(period)), zone: zone.parse().unwrap(), ..ALL };
        assert_eq!(group("mttr-resolve", &one, asked).name, expect);
    };
    check(Period::Month, "UTC", "2026-01");
    check(Period::Month, "America/New_York", "2025-12");
    check(Period::Quarter, "America/New_York", "2025-Q4");
    check(Period::Quarter, "Asia/Tokyo", "2026-Q1");
    check(Period::Week, "America/New_York", "2026-W01");
}

#[test]
fn a_span_takes_in_what_began_in_it() {
    let all = [resolved("A", 10, 50), resolved("B", 20, 50), subject("C", &[])];
    let count = |since_us, until_us| {
        let found = groups("mttr-resolve", &all, Asked { span: Span { since_us, until_us }, ..ALL });
        found.iter().map(|group| group.measured.len() + group.excluded.len()).sum::<usize>()
    };
    assert_eq!(count(None, None), 3);
    assert_eq!((count(Some(10), Some(20)), count(Some(11), None), count(None, Some(10))), (1, 1, 0));
}

#[test]
fn groups_are_what_incidents_are() {
    let severe = |name: &str, severity| Subject { severity, ..resolved(name, 0, 60) };
    let found = groups(
        "mttr-resolve",
        &[severe("A", Some(4)), severe("B", None), severe("C", Some(4))],
        Asked { by: Some(By::Severity), ..ALL },
    );
    let counts: Vec<_> = found.iter().map(|group| (group.name.as_str(), group.measured.len())).collect();
    assert_eq!(counts, [("(none)", 1), ("4", 2)]);
}

#[test]
fn a_first_alert_is_looked_up_in_its_own_stream() {
    let mut book = Book::default();
    let alert = |at: &str| {
        vec![
            ("source", "source/s".into()),
            ("severity", 3.into()),
            ("severity_source", "s".into()),
            ("techniques", crate::facts::list([])),
            ("observed_at", "2025-01-01T00:00:00Z".into()),
            ("received_at", at.into()),
        ]
    };
    book.say("service/s", "alert.received", &["alert/A"], alert("2025-10-09T08:00:00Z"));
    book.say("service/s", "alert.received", &["alert/B"], alert("2025-10-09T07:00:00Z"));
    let opened = vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())];
    book.say(ANN, "incident.opened", &["incident/I", "alert/A", "alert/B"], opened);
    book.say(ANN, "incident.acknowledged", &["incident/I"], vec![]);
    let mut subjects = subjects_of(&cases(&book.log, 4, &mut |_, _| ()).unwrap());
    add_alerted(&book.log, &mut subjects).unwrap();
    let found = group("mtta-alert", &subjects, ALL);
    assert_eq!(found.measured[0].from.1.seq, 1, "the earlier one");
    // The book's fourth entry is of 2025-10-09T08:56:20Z.
    assert_eq!(found.stats.unwrap().mean_us, (3600 + 56 * 60 + 20) * 1_000_000);
}

#[test]
fn metrics_md_has_every_definition_as_the_code_has_it() {
    let text = include_str!("../../METRICS.md");
    for definition in DEFINITIONS {
        let span = match definition.kind {
            Kind::Interval { from, to, .. } => {
                let to: Vec<_> = to.iter().map(|milestone| milestone.name()).collect();
                format!("{} → {}", from.name(), to.join(", else "))
            }
            Kind::Other { unit } => unit.to_owned(),
        };
        let row = format!(
            "| `{}` | {} | {span} | {} | {} |",
            definition.name, definition.title, definition.about, definition.source
        );
        assert!(text.contains(&row), "METRICS.md lacks\n{row}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 6).count();
    assert_eq!(rows, DEFINITIONS.len(), "and it has no other");
    for milestone in Milestone::ALL {
        assert!(text.contains(&format!("- `{}`: {}", milestone.name(), milestone.about())), "{}", milestone.name());
    }
}
