//! TheHive's alert: as its API takes it (`InputAlert`), as it gives it (`OutputAlert`), and inside its webhook's message.

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::field::Field;

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let alert = alert_of(root)?;
    let date = alert.get("date");
    let made = alert.get("_createdAt");
    let mut observables = Observables::default();
    let (mut host, mut user) = (None, None);
    for observable in alert.get("observables").items().chain(alert.get("artifacts").items()) {
        let kind = kind_of(observable.get("dataType").text()?.unwrap_or(""));
        for value in observable.get("data").items().filter_map(|data| data.loose()) {
            match kind {
                "host" if host.is_none() => host = Some(value),
                "user" if user.is_none() => user = Some(value),
                _ => observables.add(kind, Some(value)),
            }
        }
    }
    let mut techniques = Vec::new();
    for procedure in alert.get("procedures").items() {
        techniques.extend(procedure.get("patternId").owned()?);
    }
    Ok(Found {
        source_ref: source_ref(&alert)?,
        observed_at: date.unix_ms()?.or(made.unix_ms()?).ok_or_else(|| date.missing())?,
        severity: severity(&alert)?,
        techniques,
        title: alert.get("title").owned()?,
        description: alert.get("description").owned()?,
        rule: None,
        host,
        user,
        observables,
    })
}

/// The alert itself, or the one that a webhook's message is about.
fn alert_of<'a>(root: &Field<'a>) -> Result<Field<'a>, ForeignError> {
    let kind = root.get("objectType");
    match kind.text()? {
        None => Ok(root.clone()),
        Some(word) if word.eq_ignore_ascii_case("alert") => Ok(root.get("object")),
        Some(_) => Err(kind.error("a message about an Alert is wanted".into())),
    }
}

/// TheHive knows an alert by three words together; none of them alone is its id.
fn source_ref(alert: &Field<'_>) -> Result<String, ForeignError> {
    let words = ["type", "source", "sourceRef"].map(|name| alert.get(name).needed_text().map(escaped));
    let [kind, source, source_ref] = words;
    Ok(format!("{}/{}/{}", kind?, source?, source_ref?))
}

/// A word with its slashes spelt as in a JSON pointer, so that joined words stay apart.
fn escaped(word: &str) -> String {
    word.replace('~', "~0").replace('/', "~1")
}

fn severity(alert: &Field<'_>) -> Result<Severity, ForeignError> {
    let severity = alert.get("severity");
    match severity.int()? {
        None => Ok(Severity::none("thehive")),
        Some(value @ 1..=4) => Ok(Severity::new(value + 1, "thehive", value)),
        Some(other) => Err(severity.error(format!("1 to 4 is wanted, not {other}"))),
    }
}

fn kind_of(data_type: &str) -> &'static str {
    match data_type {
        "hostname" | "host" => "host",
        "user" | "username" | "user-account" => "user",
        "ip" => "ip",
        "domain" | "fqdn" => "domain",
        "url" => "url",
        "mail" => "email",
        "file" | "filename" => "file",
        "hash" => "hash",
        "user-agent" => "user-agent",
        _ => "other",
    }
}
