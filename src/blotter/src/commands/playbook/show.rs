//! `blotter playbook show`: the steps of a playbook in the order in which they are reached.

use std::path::Path;

use anyhow::{Result, bail};
use blotter_exchange::cacao::{self, Playbook, Step, Successor, Way};
use serde_json::{Value, json};

use super::check::{self, table, verdict};
use super::published::{document, version};
use super::{Show, playbook, read_file};
use crate::Exit;
use crate::context::Context;
use crate::out::{Tone, cut, plain};
use crate::session::Reader;

/// A text that is longer is cut.
const TEXT_LEN_MAX: usize = 300;

pub(super) fn run(context: &Context, args: &Show) -> Result<Exit> {
    let file = Path::new(&args.what);
    if !file.exists()
        && let Ok(id) = playbook(&args.what)
    {
        let reader = Reader::open(context)?;
        let published = version(&reader, &id, args.version.as_deref())?;
        match document(&reader, &published)? {
            Ok(playbook) => print(context, &playbook),
            Err(why) => bail!("{id}, version {}: {why}", published.version),
        }
        return Ok(Exit::Done);
    }
    if args.version.is_some() {
        bail!("--version is of a published playbook, and {} is a file", args.what);
    }
    let checked = cacao::check(&read_file(file)?);
    let Some(playbook) = &checked.playbook else {
        context.out.result(&check::to_json(&checked), || {
            format!("{}\n{}", table(context, &checked), verdict(context, &checked))
        });
        return Ok(Exit::CouldNotRun);
    };
    print(context, playbook);
    Ok(Exit::Done)
}

fn print(context: &Context, playbook: &Playbook) {
    context.out.result(&to_json(playbook), || {
        let mut pairs = vec![
            ("name", context.out.toned(Tone::Strong, &plain(&playbook.name))),
            ("id", playbook.stream()),
            ("version", playbook.version.clone()),
            ("sha256", playbook.sha256.clone()),
            ("for", playbook.playbook_types.join(", ")),
        ];
        pairs.extend(playbook.description.iter().map(|text| ("about", cut(&plain(text), TEXT_LEN_MAX))));
        pairs.retain(|(_, value)| !value.is_empty());
        let rows = playbook.steps.iter().enumerate().map(|(place, step)| {
            vec![
                (place + 1).to_string(),
                step.kind.word().to_owned(),
                plain(step.name.as_deref().unwrap_or_default()),
                does(playbook, step),
                goes_on(playbook, step),
                plain(&step.id),
            ]
        });
        let table = context.out.table(&["", "kind", "name", "does", "goes on", "id"], rows);
        format!("{}\n\n{table}", context.out.pairs(&pairs))
    });
}

/// What is done in a step, by whom, and what to; of a condition, what it asks.
fn does(playbook: &Playbook, step: &Step) -> String {
    let mut parts = Vec::new();
    parts.extend(step.condition.iter().map(|condition| format!("{condition}?")));
    if !step.commands.is_empty() {
        parts.push(step.commands.join(", "));
    }
    parts.extend(step.agent.iter().map(|agent| format!("by {}", playbook.party(agent))));
    if !step.targets.is_empty() {
        let targets: Vec<_> = step.targets.iter().map(|target| playbook.party(target)).collect();
        parts.push(format!("on {}", targets.join(", ")));
    }
    parts.extend(step.timeout_ms.map(|ms| format!("within {} s", ms as f64 / 1000.0)));
    cut(&plain(&parts.join(" ")), TEXT_LEN_MAX)
}

/// Where it goes on, by the numbers of the steps.
fn goes_on(playbook: &Playbook, step: &Step) -> String {
    let number =
        |to: &str| playbook.steps.iter().position(|step| step.id == to).map_or("?".to_owned(), |n| (n + 1).to_string());
    let is_plain = step.successors.len() == 1;
    let one = |Successor { way, to }: &Successor| {
        let to = number(to);
        match way {
            Way::Completion if is_plain => format!("→ {to}"),
            Way::Completion => format!("then → {to}"),
            Way::Success => format!("done → {to}"),
            Way::Failure => format!("failed → {to}"),
            Way::True => format!("yes → {to}"),
            Way::False => format!("no → {to}"),
            Way::Case(value) => format!("{} → {to}", plain(value)),
            Way::Next(_) => format!("at once → {to}"),
        }
    };
    step.successors.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn to_json(playbook: &Playbook) -> Value {
    let steps = playbook.steps.iter().map(|step| {
        let successors = step.successors.iter().map(|one| json!({ "way": one.way.to_string(), "to": one.to }));
        json!({
            "id": step.id, "kind": step.kind.word(), "name": step.name, "description": step.description,
            "condition": step.condition, "commands": step.commands, "agent": step.agent, "targets": step.targets,
            "timeout_ms": step.timeout_ms, "successors": successors.collect::<Vec<_>>(),
        })
    });
    json!({
        "id": playbook.stream(), "cacao_id": playbook.id, "name": playbook.name, "description": playbook.description,
        "spec_version": playbook.spec_version, "created": playbook.created, "modified": playbook.modified,
        "version": playbook.version, "sha256": playbook.sha256, "playbook_types": playbook.playbook_types,
        "workflow_start": playbook.workflow_start, "workflow_exception": playbook.workflow_exception,
        "parties": playbook.parties, "steps": steps.collect::<Vec<_>>(),
    })
}
