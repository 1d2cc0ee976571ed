//! A user's own mapping: a TOML file with a JSONPath (RFC 9535) for each field, for sources that we don't know. ALERTS.md
//! describes the file; `mappings/suricata.toml` is one.

mod selected;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::found::{Found, Observables};
use super::severity::Severity;
use super::{Alert, Format, SEVERITY_MAX, read_one};
use crate::foreign::document::{self, no_list};
use crate::foreign::field::Field;
use crate::foreign::paths::{Name, Path, Paths, Reference, Scaled, Time, read_file};
use crate::foreign::{ForeignError, MappingError};

/// Characters of a value in a scale of severities.
const SCALE_VALUE_LEN_MAX: usize = 32;

/// Where an unknown source's alerts have what ours have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    name: Name,
    alerts: Option<Path>,
    source_ref: Reference,
    observed_at: Time,
    severity: Option<Scaled<i64>>,
    #[serde(default)]
    techniques: Paths,
    #[serde(default)]
    title: Paths,
    #[serde(default)]
    description: Paths,
    #[serde(default)]
    rule: Paths,
    #[serde(default)]
    host: Paths,
    #[serde(default)]
    user: Paths,
    #[serde(default)]
    observables: BTreeMap<Kind, Paths>,
}

/// A kind of observable, by the order of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Command,
    Domain,
    Email,
    File,
    Hash,
    Host,
    Ip,
    Mac,
    Other,
    Process,
    Url,
    User,
    UserAgent,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Mac => "mac",
            Self::Host => "host",
            Self::User => "user",
            Self::Domain => "domain",
            Self::Url => "url",
            Self::Email => "email",
            Self::File => "file",
            Self::Hash => "hash",
            Self::Process => "process",
            Self::Command => "command",
            Self::UserAgent => "user-agent",
            Self::Other => "other",
        }
    }
}

impl Mapping {
    /// Reads a mapping's file.
    ///
    /// # Errors
    /// Says what is wrong, and where: a line of TOML, a field that has no such meaning, a path that is no JSONPath.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let mapping: Self = read_file(text)?;
        if mapping.name().parse::<Format>().is_ok() {
            return Err(MappingError(format!("name: {} is a format of our own", mapping.name())));
        }
        mapping.severity.iter().try_for_each(check_scale)?;
        Ok(mapping)
    }

    /// The mapping's name: the word for it in a URL, and for its scale in `severity_source`.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The alerts of a document, as [`super::read`] gives those of the formats that we know.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Result<Alert, ForeignError>>, ForeignError> {
        let originals = match &self.alerts {
            None => document::split(bytes, no_list)?,
            Some(path) => selected::selected(bytes, path.query())?,
        };
        Ok(originals.iter().map(|original| read_one(self.name(), original, |root| self.find(root))).collect())
    }

    fn find(&self, root: &Field<'_>) -> Result<Found, ForeignError> {
        let mut observables = Observables::default();
        for (kind, paths) in &self.observables {
            paths.texts(root).iter().for_each(|value| observables.add(kind.as_str(), Some(value)));
        }
        Ok(Found {
            source_ref: self.source_ref.read(root, "source_ref")?,
            observed_at: self.observed_at.read(root, "observed_at")?,
            severity: self.severity(root),
            techniques: self.techniques.texts(root),
            title: self.title.first(root),
            description: self.description.first(root),
            rule: self.rule.first(root),
            host: self.host.first(root),
            user: self.user.first(root),
            observables,
        })
    }

    fn severity(&self, root: &Field<'_>) -> Severity {
        match self.severity.as_ref().and_then(|severity| severity.read(root)) {
            None => Severity::none(self.name()),
            Some((value, Some(ours))) => Severity::new(*ours, self.name(), value),
            Some((_, None)) => Severity::other(self.name()),
        }
    }
}

fn check_scale(severity: &Scaled<i64>) -> Result<(), MappingError> {
    for (value, ours) in severity.words() {
        if value.len() > SCALE_VALUE_LEN_MAX || !blotter_record::is_code(value) {
            let shown = crate::error::shown(value);
            let what = format!("at most {SCALE_VALUE_LEN_MAX} of A-Z a-z 0-9 . _ : / + - are wanted");
            return Err(MappingError(format!("severity.scale: \"{shown}\": {what}")));
        }
        if !(0..=SEVERITY_MAX).contains(ours) {
            return Err(MappingError(format!("severity.scale.{value}: 0 to {SEVERITY_MAX} is wanted, not {ours}")));
        }
    }
    Ok(())
}
