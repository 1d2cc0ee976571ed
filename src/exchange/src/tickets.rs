//! What an ITSM tool's own webhook says about a ticket or a change, by a user's mapping file (TICKETS.md has it;
//! `mappings/jira.toml` is one). The same event gives the same answer for ever; nothing is invented, and what has no field
//! here is in `raw`.

use blotter_record::{Hash, Instant, Json};
use serde::Deserialize;

use crate::foreign::cut::{check_id, fitted, originals};
use crate::foreign::document::{self, Original, no_list};
use crate::foreign::field::Field;
use crate::foreign::paths::{Name, Paths, Reference, Scaled, Time, read_file};
use crate::foreign::{DESCRIPTION_BYTES_MAX, ForeignError, MappingError, VALUE_BYTES_MAX};

/// The event that says what became of a ticket or a change, a word of the users' own (FORMAT.md §3.4).
pub const TICKET_CHANGED: &str = "x.itsm.ticket-changed";

/// Where an ITSM tool's events have what ours have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketMapping {
    name: Name,
    ticket: Reference,
    changed_at: Time,
    state: Scaled<State>,
    change_ref: Option<Reference>,
    #[serde(default)]
    by: Paths,
    #[serde(default)]
    note: Paths,
}

/// Our words for a ticket's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    New,
    InProgress,
    Waiting,
    Resolved,
    Closed,
    Cancelled,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in-progress",
            Self::Waiting => "waiting",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A ticket or a change as it stood after something happened to it; the server adds whose it is, ids and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketChange {
    /// The ticket's number, as `ticket.linked` or `change.linked` has it.
    pub ticket: String,
    /// What makes this event one: the same again is a repeat.
    pub change_ref: String,
    /// When, by the tool's own clock.
    pub changed_at: Instant,
    /// `new`, `in-progress`, `waiting`, `resolved`, `closed` or `cancelled`; `other` if the mapping does not know the
    /// tool's word, `none` if there is none.
    pub state: &'static str,
    /// Those of `ticket`, `their_state`, `by`, `note`, `raw` and `raw_sha256` that are there. The last two always are.
    pub data: Vec<(String, Json)>,
}

impl TicketMapping {
    /// Reads a mapping's file.
    ///
    /// # Errors
    /// Says what is wrong, and where: a line of TOML, a field that has no such meaning, a path that is no JSONPath.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        read_file(text)
    }

    /// The mapping's name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The events of a document, in its order: one JSON value, a list of them, or several one after another (NDJSON).
    ///
    /// # Errors
    /// The outer one if this is no such document at all, or too large; then nothing of it was taken. The inner one for an
    /// event that lacks what it must have, or says it in another type.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Result<TicketChange, ForeignError>>, ForeignError> {
        let originals = document::split(bytes, no_list)?;
        Ok(originals.iter().map(|original| self.read_one(original)).collect())
    }

    fn read_one(&self, original: &Original<'_>) -> Result<TicketChange, ForeignError> {
        let value = original.parse()?;
        let root = Field::root(&value, &original.pointer);
        let ticket = self.ticket.read(&root, "ticket")?;
        check_id(&ticket, "the ticket's number", &root)?;
        let changed_at = self.changed_at.read(&root, "changed_at")?;
        let (theirs, state) = match self.state.read(&root) {
            None => (None, "none"),
            Some((theirs, ours)) => (Some(theirs), ours.map_or("other", |state| state.as_str())),
        };
        let change_ref = match &self.change_ref {
            Some(reference) => reference.read(&root, "change_ref")?,
            None => Hash::of(original.text.as_bytes()).to_hex(),
        };
        let short = |text: Option<String>| text.map(|text| fitted(&text, VALUE_BYTES_MAX));
        let values = [
            ("ticket", Some(ticket.clone())),
            ("their_state", short(theirs)),
            ("by", short(self.by.first(&root))),
            ("note", self.note.first(&root).map(|text| fitted(&text, DESCRIPTION_BYTES_MAX))),
        ];
        let values = values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Json::from(value?))));
        let data = values.chain(originals(original.text)).collect();
        Ok(TicketChange { ticket, change_ref, changed_at, state, data })
    }
}
