//! Correlation: groups of alerts that share what they name, close in time, may be one incident. A proposal says which
//! alerts and why; a person decides. What many groups share connects nothing, and is named as such.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::queue::{Group, GroupId, HOUR_US};

/// How far apart two sightings of one thing may be to count as shared, if nobody says: 6 hours.
pub const WINDOW_US: i64 = 6 * HOUR_US;
/// What more groups than this name is common.
pub const COMMON_GROUPS_MAX: usize = 200;
/// What more than one group in so many names is common …
pub const COMMON_SHARE: usize = 20;
/// … if it is more groups than this.
pub const COMMON_GROUPS_MIN: usize = 20;
/// Techniques of a group that are looked at in pairs.
const TECHNIQUES_MAX: usize = 16;

/// What kind of thing alerts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A host.
    Host,
    /// A user.
    User,
    /// A registered asset.
    Asset,
    /// An observable: an address, a hash, a name of a file.
    Observable,
    /// An ATT&CK technique. One alone connects nothing; two of them do.
    Technique,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::User => "user",
            Self::Asset => "asset",
            Self::Observable => "observable",
            Self::Technique => "technique",
        }
    }

    /// What a shared one counts.
    fn weight(self) -> u32 {
        if self == Self::Technique { 1 } else { 2 }
    }
}

/// A thing that an alert names; the same in any case of its letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// What kind of thing.
    pub kind: Kind,
    /// Its value, in lower case; techniques as they are.
    pub value: String,
}

impl Item {
    /// A thing of that kind. A host or user that is told of as an observable is that host or user.
    pub fn new(kind: Kind, value: &str) -> Self {
        let lower = value.to_lowercase();
        match (kind, lower.split_once(':')) {
            (Kind::Technique, _) => Self { kind, value: value.to_owned() },
            (Kind::Observable, Some(("host", host))) => Self { kind: Kind::Host, value: host.trim().to_owned() },
            (Kind::Observable, Some(("user", user))) => Self { kind: Kind::User, value: user.trim().to_owned() },
            _ => Self { kind, value: lower },
        }
    }
}

/// A thing that several groups name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The thing.
    pub item: Item,
    /// How many alerts name it.
    pub alerts: usize,
    /// In how many groups.
    pub groups: usize,
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {} alerts", self.item.kind.name(), self.item.value, self.alerts)
    }
}

/// How well a proposal is founded: a shared thing counts 2, a technique 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// 2: one thing is shared, or two techniques.
    Low,
    /// 3 or 4, or more of one kind of thing only.
    Medium,
    /// 5 or more, of at least two kinds.
    High,
}

impl Confidence {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    fn of(why: &[Shared]) -> Self {
        let sum: u32 = why.iter().map(|shared| shared.item.kind.weight()).sum();
        let kinds: BTreeSet<Kind> = why.iter().map(|shared| shared.item.kind).collect();
        match sum {
            0..=2 => Self::Low,
            5.. if kinds.len() > 1 => Self::High,
            _ => Self::Medium,
        }
    }
}

/// Alerts that may be one incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its name: `P-` and the number of the oldest of its groups.
    pub id: String,
    /// Its groups that have alerts in no incident yet, oldest first.
    pub groups: Vec<GroupId>,
    /// Those alerts.
    pub alerts: Vec<String>,
    /// Incidents that alerts of it are in already, each with how many: it joins them.
    pub joins: BTreeMap<String, usize>,
    /// What is shared, the best reason first.
    pub why: Vec<Shared>,
    /// How well it is founded.
    pub confidence: Confidence,
    /// The worst severity of `alerts`.
    pub severity: i64,
    /// When the first of it was seen.
    pub first_us: i64,
    /// When the newest was.
    pub last_us: i64,
}

impl Proposal {
    /// The reasons in words.
    pub fn because(&self) -> String {
        self.why.iter().map(Shared::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// What alerts have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Correlated {
    /// Proposals: the severest first, then the best founded, then the newest.
    pub proposals: Vec<Proposal>,
    /// What too many groups share to be a reason, most first.
    pub common: Vec<Shared>,
}

/// Proposals from the open alerts of these groups that are not suppressed. `items` are what alerts name beside host and
/// user, by their entries; sightings of a thing count as shared if they are at most `window_us` apart.
pub fn correlate(groups: &[Group], items: &HashMap<u64, Vec<Item>>, window_us: i64) -> Correlated {
    let nodes: Vec<Node> = groups.iter().filter_map(|group| Node::of(group, items)).collect();
    let mut sightings: HashMap<&Item, Vec<Sighting>> = HashMap::new();
    for (node, of) in nodes.iter().enumerate() {
        for (item, seen) in &of.items {
            sightings.entry(item).or_default().push(Sighting { node, ..*seen });
        }
    }
    let is_common =
        |count: usize| count > COMMON_GROUPS_MAX || (count > COMMON_GROUPS_MIN && count * COMMON_SHARE > nodes.len());
    let (common, telling): (Vec<_>, Vec<_>) =
        sightings.into_iter().partition(|(_, sightings)| is_common(sightings.len()));
    let mut runs: Vec<(&Item, Vec<Sighting>)> = telling
        .into_iter()
        .flat_map(|(item, seen)| near(seen, window_us).into_iter().map(move |run| (item, run)))
        .collect();
    runs.sort_by(|a, b| (a.0, a.1[0].first_us, a.1[0].node).cmp(&(b.0, b.1[0].first_us, b.1[0].node)));
    let mut sets = Sets::new(nodes.len());
    for (item, run) in &runs {
        if item.kind != Kind::Technique {
            run.windows(2).for_each(|pair| sets.join(pair[0].node, pair[1].node));
        }
    }
    join_by_two_techniques(&runs, &mut sets);
    let mut found: BTreeMap<usize, Vec<Shared>> = BTreeMap::new();
    for (item, run) in &runs {
        let mut by_set: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for seen in run {
            let counts = by_set.entry(sets.of(seen.node)).or_default();
            *counts = (counts.0 + seen.alerts, counts.1 + 1);
        }
        for (set, (alerts, groups)) in by_set.into_iter().filter(|(_, (_, groups))| *groups > 1) {
            found.entry(set).or_default().push(Shared { item: (*item).clone(), alerts, groups });
        }
    }
    let mut members: HashMap<usize, Vec<&Node<'_>>> = HashMap::new();
    for (n, node) in nodes.iter().enumerate() {
        members.entry(sets.of(n)).or_default().push(node);
    }
    let mut proposals: Vec<Proposal> =
        found.into_iter().filter_map(|(set, why)| propose(members.get(&set)?, why)).collect();
    proposals.sort_by_key(|p| (Reverse(p.severity), Reverse(p.confidence), Reverse(p.last_us), p.id.clone()));
    let mut common: Vec<Shared> = common
        .into_iter()
        .map(|(item, seen)| {
            let alerts = seen.iter().map(|seen| seen.alerts).sum();
            Shared { item: item.clone(), alerts, groups: seen.len() }
        })
        .collect();
    common.sort_by(|a, b| (Reverse(a.groups), &a.item).cmp(&(Reverse(b.groups), &b.item)));
    Correlated { proposals, common }
}

/// A group, as far as it can be correlated.
struct Node<'a> {
    group: &'a Group,
    /// Positions of its alerts that take part.
    open: Vec<usize>,
    items: BTreeMap<Item, Sighting>,
}

/// Where and when a thing was seen.
#[derive(Clone, Copy)]
struct Sighting {
    node: usize,
    first_us: i64,
    last_us: i64,
    alerts: usize,
}

impl<'a> Node<'a> {
    fn of(group: &'a Group, named: &HashMap<u64, Vec<Item>>) -> Option<Self> {
        let takes_part = |n: &usize| group.alerts[*n].is_open() && !group.suppressed[*n];
        let open: Vec<usize> = (0..group.alerts.len()).filter(takes_part).collect();
        if open.is_empty() {
            return None;
        }
        let mut items: BTreeMap<Item, Sighting> = BTreeMap::new();
        for alert in open.iter().map(|n| &group.alerts[*n]) {
            let host = alert.host.iter().map(|host| Item::new(Kind::Host, host));
            let user = alert.user.iter().map(|user| Item::new(Kind::User, user));
            let of_it: BTreeSet<Item> =
                host.chain(user).chain(named.get(&alert.seq).into_iter().flatten().cloned()).collect();
            for item in of_it {
                let new = Sighting { node: 0, first_us: alert.at_us, last_us: alert.last_us, alerts: 0 };
                let seen = items.entry(item).or_insert(new);
                seen.first_us = seen.first_us.min(alert.at_us);
                seen.last_us = seen.last_us.max(alert.last_us);
                seen.alerts += 1;
            }
        }
        Some(Self { group, open, items })
    }
}

/// Sightings that follow each other within the window, by two or more groups.
fn near(mut seen: Vec<Sighting>, window_us: i64) -> Vec<Vec<Sighting>> {
    seen.sort_by_key(|seen| (seen.first_us, seen.node));
    let mut runs: Vec<Vec<Sighting>> = Vec::new();
    let mut last_us = i64::MIN;
    for sighting in seen {
        match runs.last_mut().filter(|_| sighting.first_us.saturating_sub(last_us) <= window_us) {
            Some(run) => run.push(sighting),
            None => runs.push(vec![sighting]),
        }
        last_us = last_us.max(sighting.last_us);
    }
    runs.retain(|run| run.len() > 1);
    runs
}

/// A technique alone is shared by too much that has nothing to do with each other; two of them together are a reason.
fn join_by_two_techniques(runs: &[(&Item, Vec<Sighting>)], sets: &mut Sets) {
    let mut of_node: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (n, (_, run)) in runs.iter().enumerate().filter(|(_, (item, _))| item.kind == Kind::Technique) {
        run.iter().for_each(|seen| of_node.entry(seen.node).or_default().push(n));
    }
    let mut first_with: HashMap<(usize, usize), usize> = HashMap::new();
    for (node, mut named) in of_node {
        named.truncate(TECHNIQUES_MAX);
        for (n, one) in named.iter().enumerate() {
            for other in named[n + 1..].iter().filter(|other| runs[**other].0 != runs[*one].0) {
                let first = *first_with.entry((*one, *other)).or_insert(node);
                sets.join(first, node);
            }
        }
    }
}

fn propose(nodes: &[&Node<'_>], mut why: Vec<Shared>) -> Option<Proposal> {
    why.sort_by(|a, b| {
        (Reverse(a.item.kind.weight()), Reverse(a.alerts), &a.item).cmp(&(
            Reverse(b.item.kind.weight()),
            Reverse(b.alerts),
            &b.item,
        ))
    });
    let (mut groups, mut alerts, mut joins) = (BTreeSet::new(), Vec::new(), BTreeMap::new());
    let (mut severity, mut first_us, mut last_us) = (0, i64::MAX, i64::MIN);
    for node in nodes {
        for alert in node.open.iter().map(|n| &node.group.alerts[*n]) {
            (first_us, last_us) = (first_us.min(alert.at_us), last_us.max(alert.last_us));
            alert.incidents.iter().for_each(|incident| *joins.entry(incident.clone()).or_insert(0) += 1);
            if alert.incidents.is_empty() {
                groups.insert(node.group.id);
                alerts.push(alert.id.clone());
                severity = severity.max(alert.severity);
            }
        }
    }
    // If all are in incidents already, people have decided.
    let id = format!("P-{}", groups.first()?.0);
    let confidence = Confidence::of(&why);
    Some(Proposal {
        id,
        groups: groups.into_iter().collect(),
        alerts,
        joins,
        why,
        confidence,
        severity,
        first_us,
        last_us,
    })
}

/// Sets of nodes that are connected.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn of(&mut self, mut node: usize) -> usize {
        while self.0[node] != node {
            self.0[node] = self.0[self.0[node]];
            node = self.0[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        // The oldest stands for the set.
        self.0[a.max(b)] = a.min(b);
    }
}
