//! Which alerts somebody means: by their streams, by groups, by proposals.

use std::collections::BTreeSet;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use blotter_projections::Facts;
use blotter_projections::alerts::correlate::{Proposal, correlate};
use blotter_projections::alerts::load::{self, Read};
use blotter_projections::alerts::queue::{Group, GroupId, QueuedAlert};
use blotter_record::Id;

use super::{Correlation, Window};

/// Alerts, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// `G-17`.
    Group(GroupId),
    /// `P-17`.
    Proposal(String),
    /// `alert/A-17`, or the part behind the slash.
    Alert(Id),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(group) = text.parse() {
            return Ok(Self::Group(group));
        }
        if let Some(digits) = text.strip_prefix("P-").or(text.strip_prefix("p-"))
            && digits.parse::<u64>().is_ok()
        {
            return Ok(Self::Proposal(format!("P-{digits}")));
        }
        let id = if text.contains('/') { text.to_owned() } else { format!("alert/{text}") };
        match id.parse::<Id>() {
            Ok(id) if id.kind() == "alert" => Ok(Self::Alert(id)),
            _ => Err("an alert, a group or a proposal is wanted, such as alert/A-17, G-17 or P-17".to_owned()),
        }
    }
}

/// An alert that somebody means, and why it is meant, if a proposal says so: a code, and words.
pub(super) struct Meant {
    pub(super) alert: QueuedAlert,
    pub(super) because: Option<(String, String)>,
}

/// The alerts that these targets mean, none twice, in the order of the log. Of a group, those that are open and in no
/// incident; an alert that is named is meant as it is.
pub(super) fn meant(facts: &Facts, targets: &[Target], window: &Window, within: &Correlation) -> Result<Vec<Meant>> {
    let mut found: Vec<Meant> = Vec::new();
    for target in targets {
        match target {
            Target::Group(id) => {
                let group = group_of(facts, *id, window)?;
                let open = group.alerts.into_iter().filter(|alert| alert.is_open() && alert.incidents.is_empty());
                found.extend(open.map(|alert| Meant { alert, because: None }));
            }
            Target::Alert(id) => found.push(Meant { alert: alert_of(facts, id)?, because: None }),
            Target::Proposal(id) => found.extend(proposed(facts, id, window, within)?),
        }
    }
    found.sort_by_key(|meant| meant.alert.seq);
    let mut before = BTreeSet::new();
    found.retain(|meant| before.insert(meant.alert.seq));
    Ok(found)
}

/// The group that the alert of this entry counts with.
pub(super) fn group_of(facts: &Facts, id: GroupId, window: &Window) -> Result<Group> {
    let (groups, _) = load::queue(facts.db(), Read::With(id.0), window.window, &|_| true)?;
    let group = groups.into_iter().find(|group| group.alerts.iter().any(|alert| alert.seq == id.0));
    group.with_context(|| format!("{id}: entry {} received no alert", id.0))
}

/// The alert of this stream.
pub(super) fn alert_of(facts: &Facts, id: &Id) -> Result<QueuedAlert> {
    let alerts = load::alerts(facts.db(), Read::WithAlert(id.as_str()), &|_| true)?;
    let alert = alerts.into_iter().find(|alert| alert.id.eq_ignore_ascii_case(id.as_str()));
    alert.with_context(|| format!("nobody received {id}; `blotter alert list` has what is there"))
}

/// All open groups, and what correlation makes of them.
pub(super) fn proposals(facts: &Facts, window: &Window, within: &Correlation) -> Result<(Vec<Group>, Vec<Proposal>)> {
    let (groups, _) = load::queue(facts.db(), Read::Open, window.window, &|_| true)?;
    let found = correlate(&groups, &load::items(facts.db())?, within.correlation_window);
    Ok((groups, found.proposals))
}

fn proposed(facts: &Facts, id: &str, window: &Window, within: &Correlation) -> Result<Vec<Meant>> {
    let (groups, proposals) = proposals(facts, window, within)?;
    let Some(proposal) = proposals.into_iter().find(|proposal| proposal.id == id) else {
        bail!("there is no proposal {id} now; `blotter alert proposals` has what there is");
    };
    let alerts: BTreeSet<&String> = proposal.alerts.iter().collect();
    let code = proposal.why.first().map_or("same", |shared| shared.item.kind.name());
    let because = (format!("same-{code}"), format!("{id}: {}", proposal.because()));
    let of_it = groups.into_iter().flat_map(|group| group.alerts).filter(|alert| alerts.contains(&alert.id));
    Ok(of_it.map(|alert| Meant { alert, because: Some(because.clone()) }).collect())
}
