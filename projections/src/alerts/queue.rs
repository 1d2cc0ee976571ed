//! The queue of alerts: groups of alerts that are counted together, what matters on top. Pure functions over rows; what
//! is suppressed stays in its group and is counted, by the entry that suppresses it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::str::FromStr;

/// How long after a group's newest alert another one still counts as one of it, if nobody says: 24 hours.
pub const WINDOW_US: i64 = 24 * HOUR_US;
/// The states that a group can be in.
pub const STATES: &[&str] = &["new", "investigate", "linked", "dismissed", "duplicate", "merged"];
/// An hour.
pub const HOUR_US: i64 = 3_600_000_000;

/// An alert or report, as it stands in the views.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueuedAlert {
    /// Its stream.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its severity; 0 if it has none.
    pub severity: i64,
    /// When it was seen, and never later than it was received: a source's clock may be wrong.
    pub at_us: i64,
    /// When it was seen last.
    pub last_us: i64,
    /// Times that it came.
    pub count: i64,
    /// new, investigate, dismissed, duplicate or merged.
    pub state: String,
    /// The entry that received it.
    pub seq: u64,
    /// The same for alerts that are counted together.
    pub key: String,
    /// What it says about itself.
    pub title: Option<String>,
    /// The rule that fired.
    pub rule: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// Incidents that it is linked to now.
    pub incidents: Vec<String>,
}

impl QueuedAlert {
    /// Nobody decided anything about it yet.
    pub fn is_untriaged(&self) -> bool {
        self.state == "new" && self.incidents.is_empty()
    }

    /// It is not done with: nobody decided, or it is being investigated.
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "new" | "investigate")
    }
}

/// A source's threshold, as a policy's entry sets it. An untriaged alert of that source is suppressed if its severity is
/// below `severity`, or if `per_hour` alerts of its group came before it in that hour. The first of a group in an hour is
/// never suppressed by the rate, however low that is; an alert that somebody triaged or linked, never at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// The source, in lower case.
    pub source: String,
    /// Alerts below it are suppressed.
    pub severity: i64,
    /// Alerts of a group beyond so many in an hour are.
    pub per_hour: i64,
    /// Who signed it.
    pub set_by: String,
    /// The entry that says so.
    pub seq: u64,
}

/// Alerts that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name: the entry that received its first alert.
    pub id: GroupId,
    /// Its alerts, oldest first.
    pub alerts: Vec<QueuedAlert>,
    /// Which of `alerts` are suppressed, in that order.
    pub suppressed: Vec<bool>,
}

/// A group is named by an entry of one of its alerts: `G-123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub u64);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "G-{}", self.0)
    }
}

impl FromStr for GroupId {
    type Err = NoGroup;

    fn from_str(text: &str) -> Result<Self, NoGroup> {
        let digits = text.strip_prefix("G-").or(text.strip_prefix("g-")).ok_or(NoGroup)?;
        digits.parse().map(Self).map_err(|_| NoGroup)
    }
}

/// A text that names no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a group is wanted, such as G-123")]
pub struct NoGroup;

impl Group {
    /// Times that its alerts came.
    pub fn count(&self) -> i64 {
        self.alerts.iter().fold(0, |sum, alert| sum.saturating_add(alert.count))
    }

    /// When its first alert was seen.
    pub fn first_us(&self) -> i64 {
        self.alerts.first().map_or(0, |alert| alert.at_us)
    }

    /// When its newest was.
    pub fn last_us(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.last_us).max().unwrap_or(0)
    }

    /// The worst severity of its alerts.
    pub fn severity(&self) -> i64 {
        self.alerts.iter().map(|alert| alert.severity).max().unwrap_or(0)
    }

    /// The worst severity among those that nobody decided about and nothing suppresses; else [`Group::severity`].
    pub fn severity_waiting(&self) -> i64 {
        let waiting = self.alerts.iter().zip(&self.suppressed);
        let waiting = waiting.filter(|(alert, suppressed)| alert.is_untriaged() && !**suppressed);
        waiting.map(|(alert, _)| alert.severity).max().unwrap_or_else(|| self.severity())
    }

    /// Its source.
    pub fn source(&self) -> &str {
        self.alerts.first().map_or("", |alert| &alert.source)
    }

    /// The newest title that one of its alerts has, else the newest rule.
    pub fn title(&self) -> Option<&str> {
        let newest = |of: fn(&QueuedAlert) -> Option<&str>| self.alerts.iter().rev().find_map(of);
        newest(|alert| alert.title.as_deref()).or_else(|| newest(|alert| alert.rule.as_deref()))
    }

    /// Alerts that nobody decided about.
    pub fn untriaged(&self) -> usize {
        self.alerts.iter().filter(|alert| alert.is_untriaged()).count()
    }

    /// Of those, how many are suppressed.
    pub fn suppressed(&self) -> usize {
        self.suppressed.iter().filter(|suppressed| **suppressed).count()
    }

    /// Whether all that waits for a decision is suppressed.
    pub fn is_suppressed(&self) -> bool {
        let untriaged = self.untriaged();
        untriaged > 0 && self.suppressed() == untriaged && !self.alerts.iter().any(|alert| alert.state == "investigate")
    }

    /// `new` if a decision is wanted; else `investigate`, `linked`, or what the newest decision was.
    pub fn state(&self) -> &str {
        let any = |is: fn(&QueuedAlert) -> bool| self.alerts.iter().any(is);
        match () {
            () if any(QueuedAlert::is_untriaged) => "new",
            () if any(|alert| alert.state == "investigate" && alert.incidents.is_empty()) => "investigate",
            () if any(|alert| !alert.incidents.is_empty()) => "linked",
            () => self.alerts.last().map_or("", |alert| &alert.state),
        }
    }

    /// Hosts, each with the number of its alerts, most first.
    pub fn hosts(&self) -> Vec<(&str, usize)> {
        self.tally(|alert| alert.host.as_deref())
    }

    /// Users, each with the number of its alerts, most first.
    pub fn users(&self) -> Vec<(&str, usize)> {
        self.tally(|alert| alert.user.as_deref())
    }

    /// Incidents that its alerts are linked to.
    pub fn incidents(&self) -> BTreeSet<&str> {
        self.alerts.iter().flat_map(|alert| &alert.incidents).map(String::as_str).collect()
    }

    fn tally(&self, of: fn(&QueuedAlert) -> Option<&str>) -> Vec<(&str, usize)> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        self.alerts.iter().filter_map(of).for_each(|word| *counts.entry(word).or_default() += 1);
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| Reverse(*count));
        counts
    }

    /// Its place in the queue: what waits for a decision, then what is investigated, then the rest; the severer first,
    /// then the newer.
    pub fn place(&self) -> Place {
        let rank = match self.state() {
            _ if self.is_suppressed() => 2,
            "new" => 0,
            "investigate" => 1,
            _ => 3,
        };
        Place { rank, severity: Reverse(self.severity_waiting()), last_us: Reverse(self.last_us()), id: self.id }
    }
}

/// A place in the queue, and the cursor that continues behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    rank: u8,
    severity: Reverse<i64>,
    last_us: Reverse<i64>,
    id: GroupId,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}_{}", self.rank, self.severity.0, self.last_us.0, self.id.0)
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let parts: Vec<&str> = text.split('_').collect();
        let [rank, severity, last_us, id] = parts[..] else { return Err(NoPlace) };
        Ok(Self {
            rank: rank.parse().map_err(|_| NoPlace)?,
            severity: Reverse(severity.parse().map_err(|_| NoPlace)?),
            last_us: Reverse(last_us.parse().map_err(|_| NoPlace)?),
            id: GroupId(id.parse().map_err(|_| NoPlace)?),
        })
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no cursor of this list; take the one that the page before gave")]
pub struct NoPlace;

/// Puts alerts into groups: those with one key, each within `window_us` of the newest before it.
pub fn group(mut alerts: Vec<QueuedAlert>, window_us: i64) -> Vec<Group> {
    alerts.sort_by(|a, b| (&a.key, a.at_us, a.seq).cmp(&(&b.key, b.at_us, b.seq)));
    let mut groups: Vec<Group> = Vec::new();
    let mut newest_us = i64::MIN;
    for alert in alerts {
        let joins = groups.last().is_some_and(|group| {
            group.alerts[0].key == alert.key && alert.at_us.saturating_sub(newest_us) <= window_us
        });
        newest_us = if joins { newest_us.max(alert.last_us) } else { alert.last_us };
        match groups.last_mut().filter(|_| joins) {
            Some(group) => {
                group.id = group.id.min(GroupId(alert.seq));
                group.alerts.push(alert);
            }
            None => groups.push(Group { id: GroupId(alert.seq), alerts: vec![alert], suppressed: Vec::new() }),
        }
    }
    for group in &mut groups {
        group.suppressed = vec![false; group.alerts.len()];
    }
    groups
}

/// Says which alerts are suppressed; `thresholds` by source, in lower case.
pub fn suppress(groups: &mut [Group], thresholds: &HashMap<String, Threshold>) {
    for group in groups {
        let Some(threshold) = thresholds.get(&group.source().to_ascii_lowercase()) else { continue };
        let mut in_hour: HashMap<i64, i64> = HashMap::new();
        for (alert, suppressed) in group.alerts.iter().zip(&mut group.suppressed) {
            let came_before = in_hour.entry(alert.at_us.div_euclid(HOUR_US)).or_default();
            let too_many = *came_before >= threshold.per_hour.max(1);
            *came_before += 1;
            *suppressed = alert.is_untriaged() && (alert.severity < threshold.severity || too_many);
        }
    }
}

/// Which groups are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Only groups in these states; empty: new and investigate.
    pub states: Vec<String>,
    /// Only of this source.
    pub source: Option<String>,
    /// Only of this severity or worse.
    pub severity_min: Option<i64>,
    /// Only with this host in it, in any case.
    pub host: Option<String>,
    /// Only with this user in it, in any case.
    pub user: Option<String>,
    /// Only if seen at this time or later.
    pub since_us: Option<i64>,
    /// Suppressed groups, too.
    pub suppressed: bool,
}

impl Wanted {
    /// The states that are shown.
    pub fn states(&self) -> Vec<&str> {
        if self.states.is_empty() {
            return vec!["new", "investigate"];
        }
        self.states.iter().map(String::as_str).collect()
    }

    /// Whether groups are wanted that have nothing open in them.
    pub fn includes_done(&self) -> bool {
        self.states().iter().any(|state| !matches!(*state, "new" | "investigate"))
    }

    fn admits(&self, group: &Group) -> bool {
        let has = |wanted: &Option<String>, of: fn(&QueuedAlert) -> Option<&str>| {
            let is = |wanted: &String| {
                group.alerts.iter().filter_map(of).any(|word| word.to_lowercase() == wanted.to_lowercase())
            };
            wanted.as_ref().is_none_or(is)
        };
        self.states().contains(&group.state())
            && self.source.as_ref().is_none_or(|source| group.source().eq_ignore_ascii_case(source))
            && self.severity_min.is_none_or(|min| group.severity_waiting() >= min)
            && self.since_us.is_none_or(|since| group.last_us() >= since)
            && has(&self.host, |alert| alert.host.as_deref())
            && has(&self.user, |alert| alert.user.as_deref())
    }
}

/// Part of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Groups, in their order.
    pub groups: Vec<Group>,
    /// How many groups there are on all pages.
    pub total: usize,
    /// Where the next page begins, if there is one.
    pub next: Option<Place>,
    /// Of all groups that the filters admit: what is suppressed, by which threshold.
    pub suppressed: Vec<Suppressed>,
}

/// What a threshold keeps out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// The threshold.
    pub threshold: Threshold,
    /// How many alerts.
    pub alerts: usize,
    /// How many groups have nothing else that waits; they are on no page unless they are asked for.
    pub groups: usize,
}

/// The groups that are wanted, behind `cursor`, at most `limit`.
pub fn page(
    groups: Vec<Group>,
    thresholds: &HashMap<String, Threshold>,
    wanted: &Wanted,
    cursor: Option<Place>,
    limit: usize,
) -> Page {
    let admitted: Vec<Group> = groups.into_iter().filter(|group| wanted.admits(group)).collect();
    let suppressed = suppressed_by(&admitted, thresholds);
    let mut placed: Vec<(Place, Group)> = admitted
        .into_iter()
        .filter(|group| wanted.suppressed || !group.is_suppressed())
        .map(|group| (group.place(), group))
        .collect();
    let total = placed.len();
    placed.retain(|(place, _)| cursor.is_none_or(|cursor| *place > cursor));
    placed.sort_by_key(|(place, _)| *place);
    let more = placed.len() > limit;
    placed.truncate(limit);
    let next = placed.last().map(|(place, _)| *place).filter(|_| more);
    Page { groups: placed.into_iter().map(|(_, group)| group).collect(), total, next, suppressed }
}

fn suppressed_by(groups: &[Group], thresholds: &HashMap<String, Threshold>) -> Vec<Suppressed> {
    let mut by_source: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for group in groups.iter().filter(|group| group.suppressed() > 0) {
        let counts = by_source.entry(group.source().to_ascii_lowercase()).or_default();
        *counts = (counts.0 + group.suppressed(), counts.1 + usize::from(group.is_suppressed()));
    }
    let said = |(source, (alerts, groups)): (String, (usize, usize))| {
        Some(Suppressed { threshold: thresholds.get(&source)?.clone(), alerts, groups })
    };
    by_source.into_iter().filter_map(said).collect()
}
