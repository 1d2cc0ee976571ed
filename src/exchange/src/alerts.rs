//! Alerts of other systems as `alert.received`: what they say is mapped, the original is kept beside it. ALERTS.md
//! beside this package has every field of every format; [`read`] takes the formats that we know, [`Mapping`] what a
//! user describes.
//!
//! It promises: the same alert gives the same answer for ever; what has no field here is in `raw`; what is cut says so.
//! It never invents an id or a time: an alert that lacks one is refused by name, and the others of its document go on.

mod cloudevents;
mod elastic;
mod found;
mod graph;
mod mapping;
mod ocsf;
mod severity;
mod splunk;
mod thehive;
mod wazuh;

use std::fmt;
use std::str::FromStr;

use blotter_record::{Instant, Json};

use crate::foreign::ForeignError;
use crate::foreign::document::{self, Original};
use crate::foreign::field::Field;
use found::Found;
pub use mapping::Mapping;

/// Bytes of one of the `observables`, as JSON has them between the quotes.
pub const OBSERVABLE_BYTES_MAX: usize = 1_024;
/// Bytes of all `observables` together, as JSON has them with quotes and commas.
pub const OBSERVABLES_BYTES_MAX: usize = 32_768;
/// Our severity is 0 (unknown), 1 (informational), 2 (low), 3 (medium), 4 (high) or this (critical).
pub const SEVERITY_MAX: i64 = 5;

/// A format that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// OCSF, class Detection Finding (2004).
    Ocsf,
    /// TheHive's alert, as its API takes and gives it, or as its webhook tells of it.
    Thehive,
    /// Wazuh's alert, a line of `alerts.json`.
    Wazuh,
    /// An alert of Elastic Security, or another document of the Elastic Common Schema.
    Elastic,
    /// What Splunk's webhook action posts.
    Splunk,
    /// Microsoft Graph's security alert, the second version (`alerts_v2`).
    Graph,
    /// CloudEvents 1.0, structured mode, one or a batch.
    Cloudevents,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ocsf, Self::Thehive, Self::Wazuh, Self::Elastic, Self::Splunk, Self::Graph, Self::Cloudevents];

    /// The word for it in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ocsf => "ocsf",
            Self::Thehive => "thehive",
            Self::Wazuh => "wazuh",
            Self::Elastic => "elastic",
            Self::Splunk => "splunk",
            Self::Graph => "graph",
            Self::Cloudevents => "cloudevents",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is no format of alerts; there are ocsf, thehive, wazuh, elastic, splunk, graph and cloudevents",
    crate::error::shown(.0)
)]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == word).ok_or_else(|| UnknownFormat(word.to_owned()))
    }
}

/// An alert, as `alert.received` has it; the server adds `source`, `received_at`, ids and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The source's own id of the alert. The same one from the same source is a repeat. Also among `data`.
    pub source_ref: String,
    /// When the source saw it, by its own clock.
    pub observed_at: Instant,
    /// Ours, 0 to [`SEVERITY_MAX`].
    pub severity: i64,
    /// The source's, as a code: its scale, a colon, and its value, such as `wazuh:12`; `wazuh:none` if it gave none.
    pub severity_source: String,
    /// ATT&CK ids of techniques, such as `T1059.001`; none twice.
    pub techniques: Vec<String>,
    /// Those of `title`, `description`, `source_ref`, `rule`, `fingerprint`, `host`, `user`, `observables`, `raw` and
    /// `raw_sha256` that are there. The last two always are.
    pub data: Vec<(String, Json)>,
}

/// The alerts of a document, in its order: one JSON value, a list of them, or several one after another (NDJSON), and
/// the envelopes that ALERTS.md names. `content_type` is what the sender said, if it did; only CloudEvents asks for it.
///
/// # Errors
/// The outer one if this is no such document at all, or too large; then nothing of it was taken. The inner one for an
/// alert that lacks what it must have, or says it in another type.
pub fn read(
    format: Format,
    content_type: Option<&str>,
    bytes: &[u8],
) -> Result<Vec<Result<Alert, ForeignError>>, ForeignError> {
    let originals = match format {
        Format::Graph => document::split(bytes, graph::list)?,
        Format::Elastic => document::split(bytes, elastic::hits)?,
        Format::Cloudevents => cloudevents::split(content_type, bytes)?,
        Format::Ocsf | Format::Thehive | Format::Wazuh | Format::Splunk => document::split(bytes, document::no_list)?,
    };
    let find = match format {
        Format::Ocsf => ocsf::find,
        Format::Thehive => thehive::find,
        Format::Wazuh => wazuh::find,
        Format::Elastic => elastic::find,
        Format::Splunk => splunk::find,
        Format::Graph => graph::find,
        Format::Cloudevents => cloudevents::find,
    };
    Ok(originals.iter().map(|original| read_one(format.as_str(), original, find)).collect())
}

fn read_one(
    source: &str,
    original: &Original<'_>,
    find: impl FnOnce(&Field<'_>) -> Result<Found, ForeignError>,
) -> Result<Alert, ForeignError> {
    let value = original.parse()?;
    let root = Field::root(&value, &original.pointer);
    found::finish(source, find(&root)?, &root, original.text)
}
