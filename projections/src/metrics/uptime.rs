//! For how much of a period services were up. Pure.

use std::collections::{BTreeMap, BTreeSet};

use blotter_record::{Event, Id};

use super::subject::Subject;
use crate::views::LogEntry;

/// How long a service was up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptime {
    /// The service.
    pub service: Id,
    /// How long it was interrupted within the period, in microseconds; overlapping interruptions count once.
    pub down_us: i64,
    /// The period, in microseconds.
    pub period_us: i64,
    /// Interruptions that touch the period.
    pub outages: Vec<Outages>,
    /// Interruptions that are said to have ended before they began: they are in no number.
    pub negative: Vec<Outages>,
}

/// An interruption, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outages {
    /// The incident.
    pub incident: Id,
    /// Since when, in microseconds since 1970.
    pub from_us: i64,
    /// Until when; `None`: it has not ended.
    pub until_us: Option<i64>,
}

impl Uptime {
    /// The part of the period that it was up, in millionths, rounded down: what was not up is never rounded away.
    pub fn up_millionths(&self) -> i64 {
        let up = i128::from(self.period_us - self.down_us) * 1_000_000;
        i64::try_from(up / i128::from(self.period_us.max(1))).unwrap_or(0)
    }
}

/// Services that were registered, by entries of `service.registered`.
pub fn registered(entries: &[LogEntry]) -> BTreeSet<Id> {
    let statements = entries.iter().filter_map(|entry| entry.said.as_ref().map(|(_, statement)| statement));
    let registered = statements.filter(|statement| statement.event.known() == Some(Event::ServiceRegistered));
    registered.filter_map(|statement| statement.facts.id("service").cloned()).collect()
}

/// How long each service was up between `since_us` and `until_us`: those that are `registered`, and those that were ever
/// interrupted.
pub fn uptime(subjects: &[Subject], registered: &BTreeSet<Id>, since_us: i64, until_us: i64) -> Vec<Uptime> {
    let mut services: BTreeMap<Id, (Vec<Outages>, Vec<Outages>)> =
        registered.iter().map(|service| (service.clone(), Default::default())).collect();
    // What was merged away keeps its outages in its own stream; overlaps with the other's count once anyway.
    for subject in subjects {
        for outage in &subject.outages {
            let one = Outages { incident: subject.id.clone(), from_us: outage.from_us, until_us: outage.until_us };
            let (outages, negative) = services.entry(outage.service.clone()).or_default();
            if outage.until_us.is_some_and(|until| until < outage.from_us) {
                negative.push(one);
            } else if outage.from_us < until_us && outage.until_us.is_none_or(|until| until > since_us) {
                outages.push(one);
            }
        }
    }
    let up = |(service, (mut outages, negative)): (Id, (Vec<Outages>, Vec<Outages>))| {
        outages.sort_by(|a, b| (a.from_us, &a.incident).cmp(&(b.from_us, &b.incident)));
        let down_us = down(&outages, since_us, until_us);
        Uptime { service, down_us, period_us: (until_us - since_us).max(0), outages, negative }
    };
    services.into_iter().map(up).collect()
}

/// The time within the period that at least one of `sorted` lies over.
fn down(sorted: &[Outages], since_us: i64, until_us: i64) -> i64 {
    let (mut down_us, mut counted_until_us) = (0, since_us);
    for outage in sorted {
        let end = outage.until_us.unwrap_or(until_us).min(until_us);
        let begin = outage.from_us.max(counted_until_us);
        down_us += (end - begin).max(0);
        counted_until_us = counted_until_us.max(end);
    }
    down_us
}
