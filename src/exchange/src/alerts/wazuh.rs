//! Wazuh's alert: a line of `alerts.json`, which is also what its integrator hands to an integration.

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::field::Field;

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let rule = root.get("rule");
    let timestamp = root.get("timestamp");
    let techniques = rule.path("mitre/id").items().map(|id| id.owned()).collect::<Result<Vec<_>, _>>()?;
    Ok(Found {
        source_ref: source_ref(root)?,
        observed_at: timestamp.time()?.ok_or_else(|| timestamp.missing())?,
        severity: severity(&rule)?,
        techniques: techniques.into_iter().flatten().collect(),
        title: rule.get("description").owned()?,
        description: root.get("full_log").owned()?,
        rule: rule.get("id").owned()?,
        host: root.path("agent/name").owned()?,
        user: user(root),
        observables: observables(root),
    })
}

/// An alert's id is a second and a place in a file of one manager; the nodes of a cluster can have the same.
fn source_ref(root: &Field<'_>) -> Result<String, ForeignError> {
    let id = root.get("id").needed_text()?;
    Ok(match root.path("manager/name").text()? {
        Some(manager) => format!("{manager}/{id}"),
        None => id.to_owned(),
    })
}

/// The bands are those of Wazuh's own dashboard.
fn severity(rule: &Field<'_>) -> Result<Severity, ForeignError> {
    let level = rule.get("level");
    let value = level.int()?.ok_or_else(|| level.missing())?;
    let ours = match value {
        0..=6 => 2,
        7..=11 => 3,
        12..=14 => 4,
        15..=16 => 5,
        _ => return Err(level.error(format!("0 to 16 is wanted, not {value}"))),
    };
    Ok(Severity::new(ours, "wazuh", value))
}

fn user(root: &Field<'_>) -> Option<String> {
    let names = ["data/dstuser", "data/srcuser", "data/win/eventdata/targetUserName", "data/win/eventdata/user"];
    names.iter().find_map(|name| root.path(name).loose())
}

fn observables(root: &Field<'_>) -> Observables {
    const PLACES: [(&str, &str); 10] = [
        ("ip", "data/srcip"),
        ("ip", "data/dstip"),
        ("ip", "data/win/eventdata/ipAddress"),
        ("ip", "data/win/eventdata/destinationIp"),
        ("url", "data/url"),
        ("file", "syscheck/path"),
        ("hash", "syscheck/sha256_after"),
        ("hash", "syscheck/sha1_after"),
        ("hash", "syscheck/md5_after"),
        ("process", "data/win/eventdata/image"),
    ];
    let mut observables = Observables::default();
    PLACES.iter().for_each(|(kind, place)| observables.add(kind, root.path(place).loose()));
    // Sysmon's are in one text: SHA1=…,MD5=…,SHA256=…
    for hash in root.path("data/win/eventdata/hashes").loose().unwrap_or_default().split(',') {
        observables.add("hash", hash.split_once('=').map(|(_, hash)| hash));
    }
    observables
}
