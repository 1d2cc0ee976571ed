//! What a mapping found in an alert, and the alert that follows from it: values cut to fit, a fingerprint, the original.

use std::collections::BTreeSet;

use blotter_record::{Instant, Json, Sha256Stream, limits};

use super::severity::Severity;
use super::{Alert, OBSERVABLE_BYTES_MAX, OBSERVABLES_BYTES_MAX};
use crate::foreign::cut::{check_id, fitted, json_len, originals};
use crate::foreign::field::Field;
use crate::foreign::{DESCRIPTION_BYTES_MAX, ForeignError, VALUE_BYTES_MAX};

/// What a fingerprint begins from.
const FINGERPRINT_PREFIX: &str = "blotter alert fingerprint 1";

/// What a format's mapping makes out.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) source_ref: String,
    pub(super) observed_at: Instant,
    pub(super) severity: Severity,
    /// Whatever stands where techniques stand; what is no ATT&CK id is left out.
    pub(super) techniques: Vec<String>,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) host: Option<String>,
    pub(super) user: Option<String>,
    pub(super) observables: Observables,
}

/// `kind:value`, in the order found, none twice.
#[derive(Debug, Default)]
pub(super) struct Observables {
    list: Vec<String>,
    seen: BTreeSet<String>,
}

impl Observables {
    /// Adds a value if there is one. `kind` is one of the words that ALERTS.md lists.
    pub(super) fn add(&mut self, kind: &str, value: Option<impl AsRef<str>>) {
        let Some(value) = value else { return };
        let value = value.as_ref().trim();
        let observable = fitted(&format!("{kind}:{value}"), OBSERVABLE_BYTES_MAX);
        if !value.is_empty() && self.seen.insert(observable.clone()) {
            self.list.push(observable);
        }
    }
}

/// The alert. `source` names the format, `root` is where it stands, `raw` its exact text.
pub(super) fn finish(source: &str, found: Found, root: &Field<'_>, raw: &str) -> Result<Alert, ForeignError> {
    check_id(&found.source_ref, "the source's id of the alert", root)?;
    let fingerprint = fingerprint(source, &found);
    let short = |text: Option<String>| text.map(|text| Json::from(fitted(&text, VALUE_BYTES_MAX)));
    let values = [
        ("title", short(found.title)),
        ("description", found.description.map(|text| fitted(&text, DESCRIPTION_BYTES_MAX).into())),
        ("source_ref", Some(found.source_ref.as_str().into())),
        ("rule", short(found.rule)),
        ("fingerprint", fingerprint.map(Json::from)),
        ("host", short(found.host)),
        ("user", short(found.user)),
        ("observables", listed(found.observables)),
    ];
    let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Ok(Alert {
        source_ref: found.source_ref,
        observed_at: found.observed_at,
        severity: found.severity.ours,
        severity_source: found.severity.source,
        techniques: techniques(found.techniques),
        data: values.chain(originals(raw)).collect(),
    })
}

/// The same for alerts of one rule about one host and user, so that they can be counted together.
fn fingerprint(source: &str, found: &Found) -> Option<String> {
    let what = found.rule.as_ref().or(found.title.as_ref())?;
    let mut hash = Sha256Stream::default();
    for part in
        [FINGERPRINT_PREFIX, source, what, found.host.as_deref().unwrap_or(""), found.user.as_deref().unwrap_or("")]
    {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    Some(hash.finish().to_hex())
}

fn techniques(texts: Vec<String>) -> Vec<String> {
    let mut techniques: Vec<String> = Vec::new();
    for text in texts {
        if is_technique(&text) && !techniques.contains(&text) && techniques.len() < limits::LIST_LEN_MAX {
            techniques.push(text);
        }
    }
    techniques
}

/// `T1059` or `T1059.001`.
fn is_technique(text: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let Some(rest) = text.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
        None => digits(rest, 4),
    }
}

/// The observables that there is room for; if they aren't all, the last word says how many more there are.
fn listed(observables: Observables) -> Option<Json> {
    let mut all = observables.list;
    if all.is_empty() {
        return None;
    }
    let count = all.len();
    let mut bytes = 0;
    let in_bytes = all.iter().take_while(|text| {
        bytes += json_len(text) + r#"","#.len();
        bytes <= OBSERVABLES_BYTES_MAX
    });
    let mut kept = in_bytes.count();
    if kept < count || count > limits::LIST_LEN_MAX {
        kept = kept.min(limits::LIST_LEN_MAX - 1);
        all.truncate(kept);
        all.push(format!("cut:{}", count - kept));
    }
    Some(Json::List(all.into_iter().map(Json::Text).collect()))
}
