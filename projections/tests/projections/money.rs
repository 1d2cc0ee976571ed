//! What is counted and summed: alerts closed, audit's inputs, uptime, costs.

use std::collections::BTreeSet;

use blotter_projections::metrics::{
    CostKind, Outage, Subject, alerts_closed, audit_inputs, costs, retracted, subjects_of, uptime,
};
use blotter_projections::{Span, cases};
use blotter_record::{Id, Json};

use crate::facts::{ANN, Book};

const BOB: &str = "person/bob";

#[test]
fn an_alert_counts_once_for_whoever_had_the_newest_word() {
    let mut book = Book::default();
    let mut dismissed = |who: &str, alert: &str| {
        book.say(who, "alert.dismissed", &[alert], vec![("verdict", "benign".into())]);
    };
    dismissed(ANN, "alert/A");
    dismissed(ANN, "alert/B");
    dismissed(BOB, "alert/B");
    dismissed(ANN, "alert/C");
    let mut triaged = |who: &str, alert: &str, disposition: &str| {
        let facts = vec![("disposition", disposition.into()), ("criteria_version", "1".into())];
        book.say(who, "alert.triaged", &[alert], facts)
    };
    triaged(BOB, "alert/C", "investigate");
    triaged(BOB, "alert/D", "duplicate");
    let taken_back = triaged(ANN, "alert/E", "dismiss");
    book.say(ANN, "retraction.recorded", &["alert/E"], vec![("of", taken_back.as_str().into())]);
    let closed = alerts_closed(&book.log.entries, &retracted(&book.log.entries), Span::default());
    let found: Vec<_> = closed.iter().map(|c| (c.analyst.as_str(), c.count, c.entries.clone())).collect();
    assert_eq!(found, [(BOB, 2, vec![2, 5]), (ANN, 1, vec![0])]);
    assert_eq!(closed[0].by.get("duplicate"), Some(&1));
    // The first entry is a minute before the second.
    let span = Span { since_us: Some(1_760_000_000_000_001), until_us: None };
    assert!(alerts_closed(&book.log.entries, &BTreeSet::new(), span).iter().all(|c| !c.entries.contains(&0)));
}

#[test]
fn what_an_audit_rests_on_is_counted_by_result() {
    let mut book = Book::default();
    let mut attest = |check: &str, answer: &str| {
        let facts = vec![
            ("check", check.into()),
            ("answer", answer.into()),
            ("period_from", "2025-01-01T00:00:00Z".into()),
            ("period_to", "2025-02-01T00:00:00Z".into()),
        ];
        book.say(ANN, "attestation.made", &["compliance/c"], facts);
    };
    attest("rs.ma-01", "yes");
    attest("rs.ma-01", "no");
    attest("rs.ma-01", "yes");
    let hex = "0a".repeat(32);
    let facts = vec![
        ("as_of_seq", 1.into()),
        ("state_sha256", hex.as_str().into()),
        ("rules_sha256", hex.as_str().into()),
        ("result", "same".into()),
    ];
    book.say(ANN, "replay.run", &["compliance/c"], facts);
    let inputs = audit_inputs(&book.log.entries, &BTreeSet::new(), Span::default());
    let found: Vec<_> = inputs.iter().map(|i| (i.event.as_str(), i.result.as_str(), i.entries.len())).collect();
    assert_eq!(found, [("attestation.made", "no", 1), ("attestation.made", "yes", 2), ("replay.run", "same", 1)]);
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn interrupted(outages: &[(&str, i64, Option<i64>)]) -> Vec<Subject> {
    let mut book = Book::default();
    let opened = vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())];
    book.say(ANN, "incident.opened", &["incident/I"], opened);
    let mut subjects = subjects_of(&cases(&book.log, 1, &mut |_, _| ()).unwrap());
    let outage = |(service, from_us, until_us): &(&str, i64, Option<i64>)| Outage {
        service: id(&format!("service/{service}")),
        from_us: *from_us,
        until_us: *until_us,
    };
    subjects[0].outages = outages.iter().map(outage).collect();
    subjects
}

#[test]
fn overlapping_outages_count_once_and_open_ones_until_the_periods_end() {
    let down = |outages: &[(&str, i64, Option<i64>)]| {
        uptime(&interrupted(outages), &BTreeSet::new(), 100, 200).iter().map(|up| up.down_us).collect::<Vec<_>>()
    };
    assert_eq!(down(&[("a", 110, Some(120))]), [10]);
    assert_eq!(down(&[("a", 110, Some(130)), ("a", 120, Some(140))]), [30]);
    assert_eq!(down(&[("a", 110, Some(180)), ("a", 120, Some(130)), ("a", 170, Some(190))]), [80]);
    assert_eq!(down(&[("a", 190, None)]), [10]);
    assert_eq!(down(&[("a", 0, Some(110)), ("a", 195, Some(400))]), [15]);
    assert_eq!(down(&[("a", 0, Some(50)), ("b", 300, None)]), [0, 0], "outside, and known to be services");
    assert_eq!(down(&[("a", 110, Some(120)), ("b", 110, Some(130))]), [10, 20]);
}

#[test]
fn an_outage_that_ends_before_it_begins_is_named_and_in_no_number() {
    let found = uptime(&interrupted(&[("a", 150, Some(120))]), &BTreeSet::from([id("service/z")]), 100, 200);
    assert_eq!((found[0].down_us, found[0].negative.len(), found[0].outages.len()), (0, 1, 0));
    assert_eq!(
        (found[1].service.as_str(), found[1].up_millionths()),
        ("service/z", 1_000_000),
        "registered, never down"
    );
}

#[test]
fn what_was_not_up_is_never_rounded_away() {
    let found = uptime(&interrupted(&[("a", 0, Some(1))]), &BTreeSet::new(), 0, 10_000_000);
    assert_eq!(found[0].up_millionths(), 999_999);
}

#[test]
fn costs_are_summed_by_currency_and_what_cannot_be_read_is_named() {
    let mut book = Book::default();
    let opened = vec![("lead", ANN.into()), ("category", "malware".into()), ("tlp", "amber".into())];
    book.say(ANN, "incident.opened", &["incident/I"], opened);
    let mut cost = |event: &str, facts: Vec<(&str, Json)>, values: &[(&str, Json)]| {
        let seq = book.log.entries.len() as u64;
        book.say(ANN, event, &["incident/I"], facts);
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        book.log.values.insert(seq, values);
    };
    let money = |amount: i64, currency: &str| [("amount_minor", amount.into()), ("currency", currency.into())];
    cost("cost.recorded", vec![("kind", "labour".into())], &money(100, "EUR"));
    cost("cost.recorded", vec![("kind", "labour".into())], &money(50, "eur"));
    cost("cost.recorded", vec![("kind", "labour".into())], &money(7, "USD"));
    cost("budget.authorised", vec![], &money(9_000, "EUR"));
    cost("cost.recorded", vec![("kind", "vendor".into())], &[("currency", "EUR".into())]);
    cost("cost.recorded", vec![("kind", "vendor".into())], &money(1, "euros"));
    let subjects = subjects_of(&cases(&book.log, 7, &mut |_, _| ()).unwrap());
    let found = costs(&book.log, &subjects).unwrap().pop().unwrap();
    let labour = || CostKind::Cost("labour".to_owned());
    let sums: Vec<_> = found.sums.into_iter().collect();
    let key = |kind: CostKind, currency: &str| (kind, currency.to_owned());
    assert_eq!(sums, [(key(labour(), "EUR"), 150), (key(labour(), "USD"), 7), (key(CostKind::Budget, "EUR"), 9_000)]);
    let unread: Vec<_> = found.unread.iter().map(|unread| unread.seq).collect();
    assert_eq!(unread, [5, 6]);
}
