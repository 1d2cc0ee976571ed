//! What a playbook defines once and its steps refer to: agents, targets, authentication information, extensions and data
//! markings. References among them are followed here.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::finding::{Findings, quoted};
use super::identifier::Identifier;
use super::object::Object;
use super::variables::Declared;
use super::vocabulary::{AUTHENTICATION, EXTENSION, PARTY, authentication_members, has, party_rule};

/// The ids that are defined, by what they are for.
#[derive(Debug, Default)]
pub(super) struct Definitions<'a> {
    pub(super) agents: HashSet<&'a str>,
    pub(super) targets: HashSet<&'a str>,
    pub(super) authentications: HashSet<&'a str>,
    pub(super) extensions: HashSet<&'a str>,
    pub(super) markings: HashSet<&'a str>,
    /// What agents and targets are called.
    pub(super) names: BTreeMap<String, String>,
}

impl<'a> Definitions<'a> {
    /// Reads all of them; `declared` are the variables that count in them.
    pub(super) fn read(playbook: &Object<'a>, declared: &Declared<'_>, findings: &mut Findings) -> Self {
        let mut defined = Self::default();
        for (id, object) in entries(playbook, "extension_definitions", Some("extension-definition"), findings) {
            defined.extensions.insert(id);
            if let Some(object) = object {
                extension(&object, findings);
            }
        }
        for (id, object) in entries(playbook, "authentication_info_definitions", None, findings) {
            defined.authentications.insert(id);
            if let Some(object) = object {
                authentication(&object, &defined.extensions, findings);
            }
        }
        for member in ["agent_definitions", "target_definitions"] {
            for (id, object) in entries(playbook, member, None, findings) {
                let ids = if member == "agent_definitions" { &mut defined.agents } else { &mut defined.targets };
                ids.insert(id);
                let Some(object) = object else { continue };
                let name = party(&object, &defined, declared, findings);
                defined.names.insert(id.to_owned(), name.unwrap_or(id).to_owned());
            }
        }
        for (id, object) in entries(playbook, "data_marking_definitions", None, findings) {
            defined.markings.insert(id);
            if let Some(object) = object {
                marking(id, &object, &defined.extensions, findings);
            }
        }
        defined
    }
}

/// Says when ids of one kind are the same but for their case.
pub(super) fn check_distinct<'a>(ids: impl Iterator<Item = (&'a str, String)>, findings: &mut Findings) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (id, at) in ids {
        if let Some(other) = seen.insert(id.to_ascii_lowercase(), id) {
            let what = format!("it is the same identifier as {}, which is taken; give this one another", quoted(other));
            findings.error(at, what);
        }
    }
}

/// The members of a dictionary of definitions, whose keys are ids of the type that the definition says.
fn entries<'a>(
    playbook: &Object<'a>,
    member: &str,
    wanted: Option<&str>,
    findings: &mut Findings,
) -> Vec<(&'a str, Option<Object<'a>>)> {
    let dictionary = playbook.dictionary(member, findings);
    check_distinct(dictionary.iter().map(|(id, _, at)| (*id, at.clone())), findings);
    let mut entries = Vec::new();
    for (id, value, at) in dictionary {
        let kind = match Identifier::parse(id, wanted) {
            Ok(identifier) => Some(identifier.kind),
            Err(what) => {
                findings.error(&at, what);
                None
            }
        };
        let object = Object::of(value, at, findings);
        if let Some(object) = &object
            && let Some(said) = object.needed_text("type", findings)
            && let Some(kind) = kind.filter(|kind| *kind != said)
        {
            let what = format!("it says {}, and its identifier says {kind}; make them the same", quoted(said));
            findings.error(object.pointer("type"), what);
        }
        entries.push((id, object));
    }
    entries
}

fn extension(object: &Object<'_>, findings: &mut Findings) {
    object.only(&[EXTENSION], findings);
    for name in ["name", "created_by", "schema", "version"] {
        object.needed_text(name, findings);
    }
}

fn authentication(object: &Object<'_>, extensions: &HashSet<&str>, findings: &mut Findings) {
    object.extensions("authentication_info_extensions", extensions, findings);
    let Some(kind) = object.members.get("type").and_then(Value::as_str) else { return };
    match authentication_members(kind) {
        Some(members) => object.only(&[AUTHENTICATION, members], findings),
        None => unknown_kind(object, kind, findings),
    }
    if kind == "oauth2" {
        object.needed_text("oauth_header", findings);
        object.needed_text("token", findings);
    }
    let managed = object.boolean("kms", findings).unwrap_or(false);
    if managed && !object.has("kms_key_identifier") {
        object.missing("kms_key_identifier", findings);
    }
    for secret in ["password", "token"] {
        let text = object.text(secret, findings).filter(|text| !text.is_empty() && !text.contains("__:value"));
        if text.is_some() && !managed {
            let what = "a secret stands here for everybody who reads the playbook; take it from a variable that comes \
                        from outside, or from a key management (kms)";
            findings.warn(object.pointer(secret), what);
        }
    }
}

fn party<'a>(
    object: &Object<'a>,
    defined: &Definitions<'_>,
    declared: &Declared<'_>,
    findings: &mut Findings,
) -> Option<&'a str> {
    let name = object.needed_text("name", findings);
    object.extensions("agent_target_extensions", &defined.extensions, findings);
    let kind = object.members.get("type").and_then(Value::as_str)?;
    match party_rule(kind) {
        Some((needed, members)) => {
            object.only(&[PARTY, members], findings);
            if let Some(needed) = needed.filter(|needed| !object.has(needed)) {
                object.missing(needed, findings);
            }
            if has(members, "address") {
                object.object("address", findings);
            }
        }
        None => unknown_kind(object, kind, findings),
    }
    for member in ["address", "port"] {
        if let Some(value) = object.members.get(member) {
            declared.check_value(value, &object.pointer(member), findings);
        }
    }
    if let Some(id) = object.text("authentication_info", findings) {
        check_reference(
            id,
            &object.pointer("authentication_info"),
            "authentication_info_definitions",
            &defined.authentications,
            declared,
            findings,
        );
    }
    name
}

/// Looks whether what is referred to at `at` is among what `member` defines; a variable may stand for it.
pub(super) fn check_reference(
    id: &str,
    at: &str,
    member: &str,
    defined: &HashSet<&str>,
    declared: &Declared<'_>,
    findings: &mut Findings,
) {
    if id.contains("__:value") {
        declared.check_text(id, at, findings);
    } else if !defined.contains(id) {
        findings.error(at, format!("{} is not defined; define it in {member}, or name one that is there", quoted(id)));
    }
}

fn marking(id: &str, object: &Object<'_>, extensions: &HashSet<&str>, findings: &mut Findings) {
    object.extensions("marking_extensions", extensions, findings);
    if let Some(own) = object.needed_text("id", findings)
        && own != id
    {
        findings.error(object.pointer("id"), "it is not the identifier that it is defined under; make them the same");
    }
    object.needed_text("created_by", findings);
    if object.needed_text("created", findings).is_some() {
        object.timestamp("created", findings);
    }
    let needed = match object.members.get("type").and_then(Value::as_str) {
        Some("marking-tlp") => "tlpv2_level",
        Some("marking-statement") => "statement",
        Some("marking-iep") => "tlp",
        Some(kind) => return unknown_kind(object, kind, findings),
        None => return,
    };
    object.needed_text(needed, findings);
}

fn unknown_kind(object: &Object<'_>, kind: &str, findings: &mut Findings) {
    let what = format!(
        "{} is none of the specification's types, so its members were not checked; see that its users know it",
        quoted(kind)
    );
    findings.warn(object.pointer("type"), what);
}
