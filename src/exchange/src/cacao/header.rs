//! What a playbook says of itself: which one it is, of when, by whom, and whether it is still good.

use super::definitions::Definitions;
use super::finding::{Findings, quoted};
use super::identifier::Identifier;
use super::object::Object;
use super::vocabulary::{PLAYBOOK, PLAYBOOK_TYPES, has};

const SPEC_VERSION: &str = "cacao-2.0";
const PERCENT_MAX: u64 = 100;

/// What of it a reader wants to know.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) spec_version: String,
    pub(super) created: String,
    pub(super) modified: String,
    pub(super) playbook_types: Vec<String>,
}

/// Reads it; what is missing is empty, and a finding.
pub(super) fn read(playbook: &Object<'_>, defined: &Definitions<'_>, findings: &mut Findings) -> Header {
    playbook.only(&[PLAYBOOK], findings);
    check_word(playbook, "type", "playbook", findings);
    check_word(playbook, "spec_version", SPEC_VERSION, findings);
    for (name, kind) in [("id", Some("playbook")), ("created_by", None)] {
        if playbook.needed_text(name, findings).is_some() {
            playbook.identifier(name, kind, findings);
        }
    }
    dates(playbook, findings);
    if playbook.boolean("revoked", findings) == Some(true) {
        let what = "the playbook is revoked; use the one that replaced it, or have its author take this back";
        findings.error(playbook.pointer("revoked"), what);
    }
    for name in ["priority", "severity", "impact"] {
        playbook.integer(name, 0, PERCENT_MAX, findings);
    }
    for name in ["derived_from", "related_to"] {
        for (id, at) in playbook.texts(name, findings) {
            if let Err(what) = Identifier::parse(id, Some("playbook")) {
                findings.error(at, what);
            }
        }
    }
    for name in ["playbook_activities", "industry_sectors", "labels"] {
        playbook.texts(name, findings);
    }
    for (marking, at) in playbook.texts("markings", findings) {
        if !defined.markings.contains(marking) {
            let what = format!("the marking {} is not defined; define it in data_marking_definitions", quoted(marking));
            findings.error(at, what);
        }
    }
    references(playbook, findings);
    playbook.extensions("playbook_extensions", &defined.extensions, findings);
    if playbook.has("signatures") {
        playbook.list("signatures", findings);
        let what = "the signatures were not checked here; check them with a tool of whoever signed";
        findings.warn(playbook.pointer("signatures"), what);
    }
    let name = playbook.needed_text("name", findings).unwrap_or_default();
    if name.contains('\0') {
        findings.error(playbook.pointer("name"), "it has the character U+0000, which no record can hold; remove it");
    }
    let owned = |name: &str| playbook.members.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Header {
        id: owned("id"),
        name: name.to_owned(),
        description: playbook.text("description", findings).map(str::to_owned),
        spec_version: owned("spec_version"),
        created: owned("created"),
        modified: owned("modified"),
        playbook_types: types(playbook, findings),
    }
}

/// The list of external references of a playbook, a step or a command; each needs a name.
pub(super) fn references(object: &Object<'_>, findings: &mut Findings) {
    for (item, at) in object.list("external_references", findings) {
        if let Some(reference) = Object::of(item, at, findings) {
            reference.only(&["name description source url external_id reference_id"], findings);
            reference.needed_text("name", findings);
        }
    }
}

fn check_word(playbook: &Object<'_>, name: &str, wanted: &str, findings: &mut Findings) {
    if let Some(word) = playbook.needed_text(name, findings)
        && word != wanted
    {
        let what = format!(
            "\"{wanted}\" is wanted here, not {}; a playbook of another version must be converted",
            quoted(word)
        );
        findings.error(playbook.pointer(name), what);
    }
}

fn dates(playbook: &Object<'_>, findings: &mut Findings) {
    for name in ["created", "modified"] {
        if !playbook.has(name) {
            playbook.missing(name, findings);
        }
    }
    let mut ordered = |first: &str, then: &str, may_be_same: bool| {
        let (Some(from), Some(to)) = (playbook.timestamp(first, findings), playbook.timestamp(then, findings)) else {
            return;
        };
        if to < from || (to == from && !may_be_same) {
            let what = format!("{then} ({to}) is not after {first} ({from}); correct the one that is wrong");
            findings.error(playbook.pointer(then), what);
        }
    };
    ordered("created", "modified", true);
    ordered("valid_from", "valid_until", false);
    for name in ["valid_from", "valid_until"] {
        playbook.timestamp(name, findings);
    }
}

fn types(playbook: &Object<'_>, findings: &mut Findings) -> Vec<String> {
    let texts = playbook.texts("playbook_types", findings);
    for (word, at) in &texts {
        if !has(PLAYBOOK_TYPES, word) {
            let what = format!(
                "{} is none of the specification's types of playbooks ({}); see that its users know it",
                quoted(word),
                PLAYBOOK_TYPES.replace(' ', ", ")
            );
            findings.warn(at, what);
        }
    }
    texts.into_iter().map(|(word, _)| word.to_owned()).collect()
}
