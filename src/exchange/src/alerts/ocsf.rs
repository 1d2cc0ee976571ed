//! OCSF Detection Finding (class 2004), versions 1.1 and later.

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::field::Field;

/// The class that we read.
const CLASS_UID: i64 = 2004;

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    check_class(root)?;
    let info = root.get("finding_info");
    let time = root.get("time");
    let (title, message) = (info.get("title").owned()?, root.get("message").owned()?);
    let description = info.get("desc").owned()?.or_else(|| message.clone().filter(|_| title.is_some()));
    let (mut hosts, mut users) = (hosts(root), users(root));
    let mut observables = observables(root)?;
    hosts.iter().skip(1).for_each(|host| observables.add("host", Some(host)));
    users.iter().skip(1).for_each(|user| observables.add("user", Some(user)));
    Ok(Found {
        source_ref: info.get("uid").needed_text()?.to_owned(),
        observed_at: time.unix_ms()?.ok_or_else(|| time.missing())?,
        severity: severity(root)?,
        techniques: techniques(root)?,
        title: title.or(message),
        description,
        rule: info.path("analytic/uid").owned()?.or(info.path("analytic/name").owned()?),
        host: (!hosts.is_empty()).then(|| hosts.remove(0)),
        user: (!users.is_empty()).then(|| users.remove(0)),
        observables,
    })
}

fn check_class(root: &Field<'_>) -> Result<(), ForeignError> {
    let class = root.get("class_uid");
    match class.int()? {
        Some(CLASS_UID) => Ok(()),
        Some(other) => Err(class.error(format!("{CLASS_UID} (Detection Finding) is wanted, not {other}"))),
        None => Err(class.missing()),
    }
}

fn severity(root: &Field<'_>) -> Result<Severity, ForeignError> {
    let id = root.get("severity_id");
    match id.int()? {
        None => Ok(Severity::none("ocsf")),
        Some(value @ 0..=5) => Ok(Severity::new(value, "ocsf", value)),
        // Fatal: worse than Critical, for which we have no word.
        Some(6) => Ok(Severity::new(5, "ocsf", 6)),
        Some(99) => Ok(Severity::new(0, "ocsf", 99)),
        Some(other) => Err(id.error(format!("0 to 6 or 99 is wanted, not {other}"))),
    }
}

/// Of each attack the sub-technique, or else the technique.
fn techniques(root: &Field<'_>) -> Result<Vec<String>, ForeignError> {
    let mut found = Vec::new();
    for attack in root.path("finding_info/attacks").items().chain(root.get("attacks").items()) {
        let technique = attack.path("technique/uid").owned()?;
        found.extend(attack.path("sub_technique/uid").owned()?.or(technique));
    }
    Ok(found)
}

/// In the order of how near they are to what was detected: the device, those of the evidences, those of the resources.
fn hosts(root: &Field<'_>) -> Vec<String> {
    let mut hosts = Vec::new();
    let mut add =
        |device: Field<'_>| hosts.extend(device.get("hostname").loose().or_else(|| device.get("name").loose()));
    add(root.get("device"));
    root.get("evidences").items().for_each(|evidence| add(evidence.get("device")));
    hosts.extend(root.get("resources").items().filter_map(|resource| resource.get("hostname").loose()));
    distinct(hosts)
}

fn users(root: &Field<'_>) -> Vec<String> {
    let mut users = Vec::new();
    let mut add = |user: Field<'_>| users.extend(user.get("name").loose().or_else(|| user.get("uid").loose()));
    add(root.path("actor/user"));
    for evidence in root.get("evidences").items() {
        add(evidence.get("user"));
        add(evidence.path("actor/user"));
    }
    distinct(users)
}

fn distinct(mut texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn observables(root: &Field<'_>) -> Result<Observables, ForeignError> {
    let mut observables = Observables::default();
    for observable in root.get("observables").items() {
        let kind = match observable.get("type_id").int()? {
            Some(1) => "host",
            Some(2) => "ip",
            Some(3) => "mac",
            Some(4 | 21) => "user",
            Some(5 | 22) => "email",
            Some(6 | 23) => "url",
            Some(7 | 24) => "file",
            Some(8) => "hash",
            Some(9 | 25) => "process",
            Some(13) => "command",
            _ => "other",
        };
        observables.add(kind, observable.get("value").loose());
    }
    Ok(observables)
}
