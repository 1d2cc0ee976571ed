//! The commands of a step: what their types need, and which variables are used in them. None is ever run.

use super::finding::{Findings, quoted};
use super::header::references;
use super::object::Object;
use super::variables::{Declared, decoded};
use super::vocabulary::{COMMAND, command_rule};

/// Looks at a command of this type; `declared` are the variables that count in its step.
pub(super) fn check_command(command: &Object<'_>, kind: &str, declared: &Declared<'_>, findings: &mut Findings) {
    references(command, findings);
    match command_rule(kind) {
        Some((one_of, may)) => {
            command.only(&[COMMAND, one_of, may], findings);
            if !one_of.split(' ').any(|name| command.has(name)) {
                let wanted = one_of.replace(' ', "\" or \"");
                findings.error(&command.at, format!("a command of type {kind} needs \"{wanted}\"; add it"));
            }
        }
        None => {
            let what = format!(
                "{} is none of the specification's types of commands, so its members were not checked; see that its agent \
                 knows it",
                quoted(kind)
            );
            findings.warn(command.pointer("type"), what);
        }
    }
    for name in ["command", "content"] {
        if let Some(text) = command.text(name, findings) {
            declared.check_text(text, &command.pointer(name), findings);
        }
    }
    for name in ["command_b64", "content_b64"] {
        let Some(text) = command.text(name, findings) else { continue };
        match decoded(text) {
            Ok(Some(text)) => declared.check_text(&text, &command.pointer(name), findings),
            Ok(None) => {}
            Err(what) => findings.error(command.pointer(name), what),
        }
    }
    if let Some(headers) = command.members.get("headers") {
        declared.check_value(headers, &command.pointer("headers"), findings);
    }
}
