//! `blotter playbook check`: everything that is wrong with a playbook.

use std::path::Path;

use anyhow::Result;
use blotter_exchange::cacao::{self, Checked, Severity};
use serde_json::{Value, json};

use super::read_file;
use crate::Exit;
use crate::context::Context;
use crate::out::{Tone, plain};

pub(super) fn run(context: &Context, file: &Path) -> Result<Exit> {
    let checked = cacao::check(&read_file(file)?);
    context.out.result(&to_json(&checked), || {
        let table = if checked.findings.is_empty() { String::new() } else { format!("{}\n", table(context, &checked)) };
        format!("{table}{}", verdict(context, &checked))
    });
    Ok(if checked.playbook.is_some() { Exit::Done } else { Exit::CouldNotRun })
}

/// What was found, for machines.
pub(super) fn to_json(checked: &Checked) -> Value {
    let findings = checked.findings.iter().map(
        |finding| json!({ "pointer": finding.pointer, "severity": finding.severity.word(), "what": finding.what }),
    );
    let playbook = checked.playbook.as_ref().map(|playbook| {
        json!({
            "id": playbook.stream(), "cacao_id": playbook.id, "name": playbook.name, "version": playbook.version,
            "spec_version": playbook.spec_version, "playbook_types": playbook.playbook_types,
            "steps": playbook.steps.len(),
        })
    });
    json!({
        "sha256": checked.sha256, "errors": checked.count(Severity::Error), "warnings": checked.count(Severity::Warning),
        "playbook": playbook, "findings": findings.collect::<Vec<_>>(),
    })
}

/// The findings as a table.
pub(super) fn table(context: &Context, checked: &Checked) -> String {
    let rows = checked.findings.iter().map(|finding| {
        let tone = if finding.severity == Severity::Error { Tone::Bad } else { Tone::Warn };
        let at = if finding.pointer.is_empty() { "(the document)" } else { &finding.pointer };
        vec![context.out.toned(tone, finding.severity.word()), plain(at), plain(&finding.what)]
    });
    context.out.table(&["", "at", "what"], rows)
}

/// How many there are, and of which playbook.
pub(super) fn verdict(context: &Context, checked: &Checked) -> String {
    let count = |severity, word: &str| match checked.count(severity) {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    };
    let counts = format!("{}, {}", count(Severity::Error, "error"), count(Severity::Warning, "warning"));
    let tone = if checked.playbook.is_some() { Tone::Good } else { Tone::Bad };
    let of = match &checked.playbook {
        Some(playbook) => format!("{}, {}, version {}; ", plain(&playbook.name), playbook.stream(), playbook.version),
        None => String::new(),
    };
    format!("{}: {of}SHA-256 {}", context.out.toned(tone, &counts), checked.sha256)
}
