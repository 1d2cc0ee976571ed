//! `blotter playbook run`: the runs of playbooks in an incident, as its stream tells of them.

use std::collections::BTreeMap;

use anyhow::Result;
use blotter_exchange::cacao::{Mark, Outcome, Playbook, Run, State};
use blotter_ledger::Error;
use blotter_record::{ActorId, Event, Id, Jti, Statement};
use serde_json::{Value, json};

use super::Run as Args;
use super::follow::{described, ids, listed};
use super::published::{document, said_in, versions};
use crate::context::Context;
use crate::examine::{Datum, values};
use crate::out::{Tone, cut, plain};
use crate::people::People;
use crate::session::Reader;
use crate::when;

/// A text that is longer is cut in the table.
const TEXT_LEN_MAX: usize = 200;

/// A run, and what was said of its steps.
#[derive(Debug)]
pub(super) struct Followed {
    /// The id of its `playbook.started`.
    pub(super) jti: Jti,
    pub(super) playbook: Id,
    version: String,
    sha256: String,
    by: ActorId,
    seq: u64,
    marks: Vec<Marked>,
}

/// What was said of a step.
#[derive(Debug)]
struct Marked {
    seq: u64,
    statement: Statement,
    step: String,
    mark: Mark,
}

/// The runs that statements tell of, in the order in which they were started.
pub(super) fn followed(said: &[(u64, Statement)]) -> Vec<Followed> {
    let mut runs: Vec<Followed> = Vec::new();
    for (seq, statement) in said {
        let facts = &statement.facts;
        match statement.event.known() {
            Some(Event::PlaybookStarted) => {
                let word = |name: &str| facts.word(name).unwrap_or_default().to_owned();
                let Some(playbook) = facts.id("playbook").cloned() else { continue };
                runs.push(Followed {
                    jti: statement.jti,
                    playbook,
                    version: word("version"),
                    sha256: word("document_sha256"),
                    by: statement.actor().clone(),
                    seq: *seq,
                    marks: Vec::new(),
                });
            }
            Some(Event::StepStarted | Event::StepCompleted) => {
                let run = facts.jti("run").and_then(|jti| runs.iter_mut().find(|run| run.jti == jti));
                let mark = match facts.word("outcome") {
                    None => Some(Mark::Started),
                    Some(word) => Outcome::from_word(word).map(Mark::Completed),
                };
                if let (Some(run), Some(step), Some(mark)) = (run, facts.word("step"), mark) {
                    let step = step.to_owned();
                    run.marks.push(Marked { seq: *seq, statement: statement.clone(), step, mark });
                }
            }
            _ => {}
        }
    }
    runs
}

/// The playbook that a run follows, by version and hash; or why it can't be shown.
///
/// # Errors
/// If the ledger can't be read, or the document is not the one that was signed.
pub(super) fn playbook(reader: &Reader, followed: &Followed) -> Result<Result<Playbook, String>> {
    let same = |version: &str, sha256: &str| version == followed.version && sha256 == followed.sha256;
    let versions = versions(reader, &followed.playbook)?;
    match versions.iter().find(|one| same(&one.version, &one.sha256)) {
        Some(published) => document(reader, published),
        None => Ok(Err(format!("no version {} with this hash was published", followed.version))),
    }
}

/// A run as its playbook sees it.
pub(super) fn fold<'a>(playbook: &'a Playbook, followed: &Followed) -> Run<'a> {
    let mut run = Run::new(playbook);
    for Marked { step, mark, .. } in &followed.marks {
        run.note(step, *mark);
    }
    run
}

pub(super) fn run(context: &Context, args: &Args) -> Result<()> {
    let reader = Reader::open(context)?;
    let runs = followed(&said_in(&reader, &args.incident)?);
    let told = runs.iter().map(|run| Told::of(context, args, &reader, run)).collect::<Result<Vec<_>>>()?;
    let json: Vec<_> = told.iter().map(|told| told.json.clone()).collect();
    context.out.result(&json!({ "incident": args.incident.as_str(), "runs": json }), || {
        if told.is_empty() {
            return format!("no playbook was followed in {}", args.incident);
        }
        told.into_iter().map(|told| told.text).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}

/// A run, for machines and for people.
struct Told {
    json: Value,
    text: String,
}

/// A step's line.
#[derive(Default)]
struct Line {
    title: String,
    state: String,
    who: String,
    at: String,
    remarks: Vec<String>,
}

impl Told {
    fn of(context: &Context, args: &Args, reader: &Reader, followed: &Followed) -> Result<Self> {
        let people = People::default();
        let who = |actor: &ActorId| people.short(&*reader.store, &reader.keyring, actor);
        let playbook = playbook(reader, followed)?;
        let known = playbook.as_ref().ok();
        let mut run = known.map(Run::new);
        let mut lines: BTreeMap<usize, Line> = BTreeMap::new();
        for (place, step) in known.iter().flat_map(|playbook| playbook.steps.iter().enumerate()) {
            if step.kind.is_work() {
                lines.insert(place, Line { title: plain(step.title()), ..Line::default() });
            }
        }
        let (mut others, mut marks) = (Vec::<String>::new(), Vec::new());
        for marked in &followed.marks {
            let texts = texts(reader, marked)?;
            let deviation = run.as_mut().and_then(|run| run.note(&marked.step, marked.mark));
            let departs = deviation.map(|deviation| described(known, &marked.step, &deviation));
            let place = known.and_then(|playbook| playbook.steps.iter().position(|step| step.id == marked.step));
            // Steps that the playbook does not have come behind its own.
            let place = place.unwrap_or_else(|| {
                let other = others.iter().position(|other| *other == marked.step).unwrap_or_else(|| {
                    others.push(marked.step.clone());
                    others.len() - 1
                });
                known.map_or(0, |playbook| playbook.steps.len()) + other
            });
            let line = lines.entry(place).or_default();
            line.title = known
                .and_then(|playbook| playbook.step(&marked.step))
                .map_or(plain(&marked.step), |step| plain(step.title()));
            line.state = word(marked.mark).to_owned();
            line.who = who(marked.statement.actor());
            let happened = marked.statement.occurred.as_ref().map(|at| at.unix_us());
            line.at = happened.map_or("unknown".to_owned(), |at| when::show(at, args.zone.timezone));
            line.remarks.extend(departs.iter().map(|departs| context.out.toned(Tone::Warn, departs)));
            line.remarks.extend(texts.iter().map(|(_, text)| cut(&plain(text), TEXT_LEN_MAX)));
            marks.push(json!({
                "seq": marked.seq, "jti": marked.statement.jti.to_string(), "step": marked.step, "what": word(marked.mark),
                "by": marked.statement.actor().as_str(), "occurred": marked.statement.occurred.as_ref().map(|at| at.as_str()),
                "deviation": departs, "result": of(&texts, "result"), "deviation_reason": of(&texts, "deviation_reason"),
            }));
        }
        let steps = known.map(|playbook| {
            let state = |id: &str| run.as_ref().and_then(|run| run.state(id)).map(|state| match state {
                State::Started { .. } => word(Mark::Started),
                State::Completed(outcome) => outcome.word(),
            });
            let step = |step: &blotter_exchange::cacao::Step| {
                json!({ "id": step.id, "kind": step.kind.word(), "name": step.name, "state": state(&step.id) })
            };
            playbook.steps.iter().map(step).collect::<Vec<_>>()
        });
        let json = json!({
            "run": followed.jti.to_string(), "seq": followed.seq, "playbook": followed.playbook.as_str(),
            "name": known.map(|playbook| &playbook.name), "version": followed.version, "document_sha256": followed.sha256,
            "by": followed.by.as_str(), "unknown": playbook.as_ref().err(), "steps": steps, "marks": marks,
            "next": run.as_ref().map(ids), "can_end": run.as_ref().map(Run::can_end),
        });
        let name = known.map_or(followed.playbook.to_string(), |playbook| plain(&playbook.name));
        let heading = context.out.toned(Tone::Strong, &format!("{name}, version {}", followed.version));
        let next = match (&run, &playbook) {
            (Some(run), _) => format!("Next: {}", listed(run)),
            (None, Err(why)) => format!("What can come next can't be told: {why}."),
            (None, Ok(_)) => String::new(),
        };
        let rows =
            lines.into_values().map(|line| vec![line.title, line.state, line.who, line.at, line.remarks.join("; ")]);
        let table = context.out.table(&["step", "state", "by", "when", "remarks"], rows);
        let text = format!("{heading}, started by {} (run {})\n{table}\n{next}", who(&followed.by), followed.jti);
        Ok(Self { json, text })
    }
}

fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Started => "started",
        Mark::Completed(outcome) => outcome.word(),
    }
}

/// The texts that were said with a mark and are still there.
fn texts(reader: &Reader, marked: &Marked) -> Result<Vec<(String, String)>> {
    if marked.statement.fields.is_empty() {
        return Ok(Vec::new());
    }
    let disclosed = reader.store.disclosures(marked.seq).map_err(Error::from)?;
    let told = values(reader, &marked.statement, &disclosed)?.into_iter().map(|datum| match datum {
        Datum::There(value) => (value.name().to_owned(), value.value().as_text().unwrap_or_default().to_owned()),
        Datum::Erased { name, by } => (name, format!("(erased by order {by})")),
        Datum::Missing { name } => (name, "(missing, without an order)".to_owned()),
    });
    Ok(told.collect())
}

fn of<'a>(texts: &'a [(String, String)], name: &str) -> Option<&'a str> {
    texts.iter().find(|(other, _)| other == name).map(|(_, text)| text.as_str())
}
