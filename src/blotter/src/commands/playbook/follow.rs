//! `blotter playbook start` and `step`: a playbook is followed in an incident. What departs from it is recorded, with the
//! reason; nothing that happened is refused for it.

use anyhow::{Context as _, Result, bail};
use blotter_exchange::cacao::{Deviation, Mark, Outcome, Playbook, Run};
use blotter_record::{Id, Json, is_code};
use serde_json::json;

use super::published::{document, said_in, version};
use super::runs::{self, Followed};
use super::{Start, Step, What, Which};
use crate::commands::act::since;
use crate::context::Context;
use crate::out::{Tone, plain};
use crate::session::{Reader, Words};
use crate::voice::{Voice, tell};

pub(super) fn start(context: &Context, args: &Start) -> Result<()> {
    let voice = Voice::open(context)?;
    let reader = &voice.reader;
    check_there(reader, &args.incident)?;
    let published = version(reader, &args.playbook, args.version.as_deref())?;
    let playbook = document(reader, &published)?;
    let words = Words::now("playbook.started", args.incident.clone())
        .fact("playbook", args.playbook.as_str())
        .fact("version", published.version.as_str())
        .fact("document_sha256", published.sha256.as_str());
    let since = since(context, &*reader.store, &args.incident, &voice.speaker)?;
    let said = voice.say(context, &[words], Some(&since))?;
    let run = said.first().map(|said| said.presentation.statement.jti.to_string()).unwrap_or_default();
    let next = playbook.as_ref().map(|playbook| listed(&Run::new(playbook)));
    let more = json!({
        "run": run, "playbook": args.playbook.as_str(), "version": published.version, "document_sha256": published.sha256,
        "next": playbook.as_ref().ok().map(|playbook| ids(&Run::new(playbook))),
    });
    let note = match next {
        Ok(next) => format!("The run is {run}. Next: {next}"),
        Err(why) => format!("The run is {run}. What comes next can't be told: {why}."),
    };
    tell(context, &said, more, Some(note));
    Ok(())
}

pub(super) fn step(context: &Context, args: &Step) -> Result<()> {
    check_texts(args)?;
    let voice = Voice::open(context)?;
    let reader = &voice.reader;
    check_there(reader, &args.incident)?;
    let followed = wanted(runs::followed(&said_in(reader, &args.incident)?), args)?;
    let playbook = runs::playbook(reader, &followed)?;
    let step = meant(playbook.as_ref().ok(), &args.step)?;
    let mark = mark(args.what);
    let mut run = playbook.as_ref().ok().map(|playbook| runs::fold(playbook, &followed));
    let deviation = run.as_ref().and_then(|run| run.deviation(&step, mark));
    let departs = deviation.as_ref().map(|deviation| described(playbook.as_ref().ok(), &step, deviation));
    if let (Some(departs), None, Mark::Completed(_)) = (&departs, &args.deviation, mark) {
        bail!("{departs}; if it happened, say why with --deviation REASON");
    }
    let mut beware = vec![since(context, &*reader.store, &args.incident, &voice.speaker)?];
    if let Err(why) = &playbook {
        beware.push(format!("Whether this departs from the playbook can't be told: {why}."));
    }
    beware.extend(departs.as_ref().map(|departs| context.out.toned(Tone::Warn, &format!("{departs}."))));
    let said = voice.say(context, &[words(args, &followed, &step, mark)], Some(&beware.join("\n\n")))?;
    if let Some(run) = &mut run {
        run.note(&step, mark);
    }
    let mut note: Vec<String> = beware.drain(1..).collect();
    if departs.is_some() && mark == Mark::Started {
        note.push("When it is completed, --deviation must say why.".to_owned());
    }
    note.extend(run.as_ref().map(|run| format!("Next: {}", listed(run))));
    let more = json!({
        "run": followed.jti.to_string(), "step": step, "deviation": departs, "next": run.as_ref().map(ids),
        "can_end": run.as_ref().map(Run::can_end),
    });
    tell(context, &said, more, Some(note.join("\n")).filter(|note| !note.is_empty()));
    Ok(())
}

/// Whether what was typed fits what became of the step.
fn check_texts(args: &Step) -> Result<()> {
    let Step { what, result, reason, deviation, .. } = args;
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    for (option, text) in [("result", result), ("reason", reason), ("deviation", deviation)] {
        if is_empty(text) {
            bail!("--{option}: say something");
        }
    }
    match what {
        What::Start if result.is_some() || reason.is_some() || deviation.is_some() => {
            bail!("that a step begins carries no text; say it when the step is done, failed or skipped")
        }
        What::Failed if reason.is_none() => bail!("a failed step needs --reason: why did it fail?"),
        What::Skipped if reason.is_none() => bail!("a skipped step needs --reason: why was it left out?"),
        What::Done if reason.is_some() => bail!("--reason says why a step failed or was skipped; say --result here"),
        _ => Ok(()),
    }
}

fn check_there(reader: &Reader, incident: &Id) -> Result<()> {
    let head = reader.store.stream_head(incident).map_err(blotter_ledger::Error::from)?;
    head.map(|_| ()).with_context(|| format!("nothing has been said in {incident}"))
}

fn wanted(mut runs: Vec<Followed>, args: &Step) -> Result<Followed> {
    let found = match args.run {
        Which::Last => runs.pop(),
        Which::Run(jti) => runs.into_iter().find(|run| run.jti == jti),
    };
    found.with_context(|| format!("there is no such run in {0}; `blotter playbook run {0}` shows them", args.incident))
}

/// The id of the step that somebody means: by its id, the beginning of that, or its name. One that the playbook does not
/// have must be a code.
fn meant(playbook: Option<&Playbook>, typed: &str) -> Result<String> {
    let steps = playbook.map_or(&[][..], |playbook| &playbook.steps);
    if let Some(step) = steps.iter().find(|step| step.id == typed) {
        return Ok(step.id.clone());
    }
    let is_meant = |step: &&blotter_exchange::cacao::Step| {
        step.id.starts_with(typed) || step.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(typed))
    };
    let found: Vec<_> = steps.iter().filter(is_meant).collect();
    match found[..] {
        [step] => Ok(step.id.clone()),
        [] if is_code(typed) => Ok(typed.to_owned()),
        [] => bail!(
            "{typed:?}: the playbook has no such step; one that it does not have is named by a code ([A-Za-z0-9._:/+-], at most 64)"
        ),
        _ => bail!("{typed:?} may be any of {} steps; say more of the id", found.len()),
    }
}

fn mark(what: What) -> Mark {
    match what {
        What::Start => Mark::Started,
        What::Done => Mark::Completed(Outcome::Done),
        What::Failed => Mark::Completed(Outcome::Failed),
        What::Skipped => Mark::Completed(Outcome::Skipped),
    }
}

/// The statement. Why a step failed is what came of it; why it was skipped is why it departs from the playbook.
fn words(args: &Step, followed: &Followed, step: &str, mark: Mark) -> Words {
    let event = if mark == Mark::Started { "step.started" } else { "step.completed" };
    let mut words = Words::now(event, args.incident.clone())
        .fact("playbook", followed.playbook.as_str())
        .fact("run", followed.jti.to_string())
        .fact("step", step);
    if let Mark::Completed(outcome) = mark {
        words = words.fact("outcome", outcome.word());
    }
    let (failed, skipped) = match args.what {
        What::Skipped => (None, args.reason.as_deref()),
        _ => (args.reason.as_deref(), None),
    };
    for (name, first, second) in
        [("result", args.result.as_deref(), failed), ("deviation_reason", skipped, args.deviation.as_deref())]
    {
        let text: Vec<_> = first.into_iter().chain(second).collect();
        if !text.is_empty() {
            words.data.push((name.to_owned(), Json::from(text.join("\n"))));
        }
    }
    words
}

/// A deviation in a sentence without its full stop.
pub(super) fn described(playbook: Option<&Playbook>, step: &str, deviation: &Deviation) -> String {
    let title = |id: &str| {
        let name = playbook.and_then(|playbook| playbook.step(id)).map_or(id, blotter_exchange::cacao::Step::title);
        format!("\"{}\"", plain(name))
    };
    match deviation {
        Deviation::NotInPlaybook => format!("{} is not in the playbook", title(step)),
        Deviation::OutOfOrder { foreseen } if foreseen.is_empty() => {
            format!("{} is not foreseen now: the workflow is at its end", title(step))
        }
        Deviation::OutOfOrder { foreseen } => {
            let foreseen: Vec<_> = foreseen.iter().map(|id| title(id)).collect();
            format!("{} is not foreseen now: {} would come next", title(step), foreseen.join(" or "))
        }
        Deviation::AlreadyStarted => format!("{} was begun before, and is not over", title(step)),
        Deviation::StartedOutOfOrder => format!("{} was begun when it was not foreseen", title(step)),
    }
}

/// What can come next, by names.
pub(super) fn listed(run: &Run<'_>) -> String {
    let mut next: Vec<_> = run.next().iter().map(|step| plain(step.title())).collect();
    if run.can_end() {
        next.push("the end".to_owned());
    }
    if next.is_empty() { "nothing that the workflow foresees".to_owned() } else { next.join(", or ") }
}

pub(super) fn ids(run: &Run<'_>) -> Vec<String> {
    run.next().iter().map(|step| step.id.clone()).collect()
}
