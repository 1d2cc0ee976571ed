//! CloudEvents 1.0 in structured mode (`application/cloudevents+json`) or as a batch
//! (`application/cloudevents-batch+json`). The envelope is mapped; what its `data` is, only its maker knows, so of it no
//! more is read than a word `severity`.

use super::SEVERITY_MAX;
use super::found::{Found, Observables};
use super::severity::Severity;
use crate::foreign::ForeignError;
use crate::foreign::document::{self, Original};
use crate::foreign::field::Field;

/// The events of a document, which must be what its content type says, if that is one of CloudEvents.
pub(super) fn split<'a>(content_type: Option<&str>, bytes: &'a [u8]) -> Result<Vec<Original<'a>>, ForeignError> {
    let media_type = content_type.map(|text| text.split(';').next().unwrap_or("").trim().to_ascii_lowercase());
    let values = document::values(bytes)?;
    let is_list = matches!(values.as_slice(), [one] if one.get().starts_with('['));
    let refuse = |what: &str| Err(ForeignError { at: String::new(), what: what.into() });
    match media_type.as_deref() {
        Some("application/cloudevents+json") if is_list || values.len() > 1 => {
            refuse("one event is wanted as application/cloudevents+json; several are a batch")
        }
        Some("application/cloudevents-batch+json") if !is_list => {
            refuse("a list of events is wanted as application/cloudevents-batch+json")
        }
        _ => document::split(bytes, document::no_list),
    }
}

pub(super) fn find(root: &Field<'_>) -> Result<Found, ForeignError> {
    let version = root.get("specversion");
    if !version.needed_text()?.starts_with("1.") {
        return Err(version.error("1.0 is wanted".into()));
    }
    let time = root.get("time");
    let kind = root.get("type").needed_text()?.to_owned();
    Ok(Found {
        source_ref: source_ref(root)?,
        observed_at: time.time()?.ok_or_else(|| time.missing())?,
        severity: severity(root),
        techniques: Vec::new(),
        title: root.get("subject").owned()?.or_else(|| Some(kind.clone())),
        description: None,
        rule: Some(kind),
        host: None,
        user: None,
        observables: Observables::default(),
    })
}

/// Source and id together are unique. A source is a URI reference, which has no blank, so the first blank parts them.
fn source_ref(root: &Field<'_>) -> Result<String, ForeignError> {
    let source = root.get("source");
    let text = source.needed_text()?;
    if text.contains(' ') {
        return Err(source.error("a URI reference is wanted, which has no blanks".into()));
    }
    Ok(format!("{text} {}", root.get("id").needed_text()?))
}

/// The extension attribute `severity`, a word or a number of our scale; or else `data.severity`: a word, since of a number
/// nobody says which end is the bad one.
fn severity(root: &Field<'_>) -> Severity {
    const SCALE: &str = "cloudevents";
    let (attribute, inside) = (root.get("severity"), root.path("data/severity"));
    let number = |field: &Field<'_>| field.value().as_i64();
    match (attribute.value().as_str(), number(&attribute)) {
        (Some(word), _) => return Severity::of_word(SCALE, word),
        (_, Some(value @ 0..=SEVERITY_MAX)) => return Severity::new(value, SCALE, value),
        _ if !attribute.is_missing() => return Severity::other(SCALE),
        _ => {}
    }
    match (inside.value().as_str(), number(&inside)) {
        (Some(word), _) => Severity::of_word(SCALE, word),
        (_, Some(value)) => Severity::of_no_scale(SCALE, "data", value),
        _ if !inside.is_missing() => Severity::other(SCALE),
        _ => Severity::none(SCALE),
    }
}
