//! Elastic: an alert of Elastic Security (`kibana.alert.*`), or another document of the Elastic Common Schema; nested or
//! with dotted names, bare or as a search's hit (`_source` or `fields`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::field::Field;

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let document = document_of(root);
    let text = |names: &[&str]| first(&document, names);
    let time = ["kibana.alert.start", "@timestamp"].map(|name| document.dotted(name));
    let time = time.iter().find(|field| !field.is_missing()).unwrap_or(&time[1]);
    Ok(Found {
        source_ref: source_ref(root, &document)?,
        observed_at: time.time()?.ok_or_else(|| time.missing())?,
        severity: severity(&document)?,
        techniques: techniques(&document),
        title: text(&["kibana.alert.rule.name", "rule.name", "message"])?,
        description: text(&["kibana.alert.reason", "message", "rule.description"])?,
        rule: text(&["kibana.alert.rule.rule_id", "kibana.alert.rule.uuid", "rule.id", "rule.name"])?,
        host: text(&["host.name", "host.hostname"])?,
        user: text(&["user.name"])?,
        observables: observables(&document),
    })
}

/// The document itself, or what a hit of a search holds.
fn document_of<'a>(root: &Field<'a>) -> Field<'a> {
    let held = ["_source", "fields"].map(|name| root.get(name));
    held.into_iter().find(|field| field.value().is_object()).unwrap_or_else(|| root.clone())
}

fn first(document: &Field<'_>, names: &[&str]) -> Result<Option<String>, ForeignError> {
    for name in names {
        if let Some(text) = document.dotted(name).owned()? {
            return Ok(Some(text));
        }
    }
    Ok(None)
}

fn source_ref(root: &Field<'_>, document: &Field<'_>) -> Result<String, ForeignError> {
    let uuid = document.dotted("kibana.alert.uuid");
    let id = uuid.owned()?.or(root.get("_id").owned()?).or(document.dotted("event.id").owned()?);
    id.ok_or_else(|| uuid.missing())
}

/// The rule's word; or else its score, in the bands that Elastic gives its own rules; or else the event's number, whose
/// scale only whoever made the event knows.
fn severity(document: &Field<'_>) -> Result<Severity, ForeignError> {
    if let Some(word) = document.dotted("kibana.alert.severity").text()? {
        return Ok(Severity::of_word("elastic", word));
    }
    let score = document.dotted("kibana.alert.risk_score");
    if !score.is_missing() {
        let value = score.value().as_f64().filter(|value| (0.0..=100.0).contains(value));
        let value = value.ok_or_else(|| score.error("a number from 0 to 100 is wanted".into()))?;
        let ours = match value {
            ..22.0 => 2,
            22.0..48.0 => 3,
            48.0..74.0 => 4,
            _ => 5,
        };
        // As JSON spells it: short, whatever the number.
        return Ok(Severity::new(ours, "elastic", format_args!("score-{}", score.value())));
    }
    Ok(match document.dotted("event.severity").int()? {
        Some(value) => Severity::of_no_scale("elastic", "event", value),
        None => Severity::none("elastic"),
    })
}

/// Of the rule's threats, and of the document's own, the sub-techniques or else the techniques.
fn techniques(document: &Field<'_>) -> Vec<String> {
    let threats = ["kibana.alert.rule.threat", "threat"].map(|name| document.dotted_items(name));
    let nested = threats.into_iter().flatten().flat_map(|threat| threat.dotted_items("technique"));
    let nested = nested.flat_map(|technique| {
        let parts: Vec<_> = technique.get("subtechnique").items().flat_map(|part| part.get("id").items()).collect();
        if parts.is_empty() { technique.get("id").items().collect() } else { parts }
    });
    let flat = ["threat.technique.subtechnique.id", "threat.technique.id"].map(|name| document.dotted_items(name));
    nested.chain(flat.into_iter().flatten()).filter_map(|field| field.loose()).collect()
}

fn observables(document: &Field<'_>) -> Observables {
    const PLACES: [(&str, &str); 14] = [
        ("ip", "source.ip"),
        ("ip", "destination.ip"),
        ("domain", "dns.question.name"),
        ("domain", "destination.domain"),
        ("url", "url.full"),
        ("file", "file.path"),
        ("hash", "file.hash.sha256"),
        ("hash", "file.hash.sha1"),
        ("hash", "file.hash.md5"),
        ("process", "process.executable"),
        ("hash", "process.hash.sha256"),
        ("hash", "process.hash.sha1"),
        ("hash", "process.hash.md5"),
        ("command", "process.command_line"),
    ];
    let mut observables = Observables::default();
    for (kind, place) in PLACES {
        document.dotted_items(place).for_each(|field| observables.add(kind, field.loose()));
    }
    observables
}

/// What Elasticsearch answers to a search: an object with a list `hits` in `hits`.
pub(super) fn hits(text: &str) -> Option<(&'static str, Vec<&RawValue>)> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        hits: Hits<'a>,
    }
    #[derive(Deserialize)]
    struct Hits<'a> {
        #[serde(borrow)]
        hits: Vec<&'a RawValue>,
    }
    serde_json::from_str::<Answer<'_>>(text).ok().map(|answer| ("/hits/hits", answer.hits.hits))
}
