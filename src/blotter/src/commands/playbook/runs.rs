//! `blotter playbook run`: the runs of playbooks in an incident, as its stream tells of them.

use std::collections::BTreeMap;

use anyhow::Result;
use blotter_exchange::cacao::{Mark, Outcome, Playbook, Run, State, Step};
use blotter_ledger::Error;
use blotter_record::{ActorId, Event, Id, Instant, Jti, Statement};
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
    let (mut json, mut texts) = (Vec::new(), Vec::new());
    for run in &runs {
        let playbook = playbook(&reader, run)?;
        let mut telling = Telling::new(context, args, &reader, playbook.as_ref().map_err(String::as_str));
        for marked in &run.marks {
            telling.mark(marked)?;
        }
        json.push(telling.json(run));
        texts.push(telling.text(run));
    }
    context.out.result(&json!({ "incident": args.incident.as_str(), "runs": json }), || {
        if texts.is_empty() {
            return format!("no playbook was followed in {}", args.incident);
        }
        texts.join("\n\n")
    });
    Ok(())
}

/// A run that is told step by step, for machines and for people.
struct Telling<'a> {
    context: &'a Context,
    args: &'a Args,
    reader: &'a Reader,
    people: People,
    /// The playbook, or why it is not known.
    playbook: Result<&'a Playbook, &'a str>,
    run: Option<Run<'a>>,
    /// By the steps' places in the playbook; those that it does not have come behind its own.
    lines: BTreeMap<usize, Line>,
    others: Vec<String>,
    marks: Vec<Value>,
}

/// A step's line.
#[derive(Default)]
struct Line {
    title: String,
    state: &'static str,
    who: String,
    at: String,
    remarks: Vec<String>,
}

impl<'a> Telling<'a> {
    fn new(context: &'a Context, args: &'a Args, reader: &'a Reader, playbook: Result<&'a Playbook, &'a str>) -> Self {
        let work = playbook.iter().flat_map(|playbook| playbook.steps.iter().enumerate());
        let line = |step: &Step| Line { title: plain(step.title()), ..Line::default() };
        let lines = work.filter(|(_, step)| step.kind.is_work()).map(|(place, step)| (place, line(step))).collect();
        let run = playbook.ok().map(Run::new);
        let people = People::default();
        Self { context, args, reader, people, playbook, run, lines, others: Vec::new(), marks: Vec::new() }
    }

    fn mark(&mut self, marked: &Marked) -> Result<()> {
        let texts = texts(self.reader, marked)?;
        let deviation = self.run.as_mut().and_then(|run| run.note(&marked.step, marked.mark));
        let departs = deviation.map(|deviation| described(self.playbook.ok(), &marked.step, &deviation));
        let statement = &marked.statement;
        let happened = statement.occurred.as_ref();
        self.marks.push(json!({
            "seq": marked.seq, "jti": statement.jti.to_string(), "step": marked.step, "what": word(marked.mark),
            "by": statement.actor().as_str(), "occurred": happened.map(Instant::as_str), "deviation": departs,
            "result": of(&texts, "result"), "deviation_reason": of(&texts, "deviation_reason"),
        }));
        let zone = self.args.zone.timezone;
        let at = happened.map_or("unknown".to_owned(), |at| when::show(at.unix_us(), zone));
        let (who, place) = (self.who(statement.actor()), self.place(&marked.step));
        let line = self.lines.entry(place).or_default();
        if line.title.is_empty() {
            let step = self.playbook.ok().and_then(|playbook| playbook.step(&marked.step));
            line.title = plain(step.map_or(&marked.step, |step| step.title()));
        }
        (line.state, line.who, line.at) = (word(marked.mark), who, at);
        line.remarks.extend(departs.iter().map(|departs| self.context.out.toned(Tone::Warn, departs)));
        line.remarks.extend(texts.iter().map(|(_, text)| cut(&plain(text), TEXT_LEN_MAX)));
        Ok(())
    }

    fn place(&mut self, step: &str) -> usize {
        let steps = self.playbook.map_or(&[][..], |playbook| &playbook.steps);
        steps.iter().position(|other| other.id == step).unwrap_or_else(|| {
            let other = self.others.iter().position(|other| other == step).unwrap_or_else(|| {
                self.others.push(step.to_owned());
                self.others.len() - 1
            });
            steps.len() + other
        })
    }

    fn who(&self, actor: &ActorId) -> String {
        self.people.short(&*self.reader.store, &self.reader.keyring, actor)
    }

    fn json(&self, followed: &Followed) -> Value {
        let playbook = self.playbook.ok();
        let state = |step: &Step| match self.run.as_ref()?.state(&step.id)? {
            State::Started { .. } => Some(word(Mark::Started)),
            State::Completed(outcome) => Some(outcome.word()),
        };
        let step =
            |step: &Step| json!({ "id": step.id, "kind": step.kind.word(), "name": step.name, "state": state(step) });
        json!({
            "run": followed.jti.to_string(), "seq": followed.seq, "playbook": followed.playbook.as_str(),
            "name": playbook.map(|playbook| &playbook.name), "version": followed.version,
            "document_sha256": followed.sha256, "by": followed.by.as_str(), "unknown": self.playbook.err(),
            "steps": playbook.map(|playbook| playbook.steps.iter().map(step).collect::<Vec<_>>()), "marks": self.marks,
            "next": self.run.as_ref().map(ids), "can_end": self.run.as_ref().map(Run::can_end),
        })
    }

    fn text(&self, followed: &Followed) -> String {
        let out = self.context.out;
        let name = self.playbook.map_or(followed.playbook.to_string(), |playbook| plain(&playbook.name));
        let heading = out.toned(Tone::Strong, &format!("{name}, version {}", followed.version));
        let by = self.who(&followed.by);
        let next = match (&self.run, self.playbook) {
            (None, Err(why)) => format!("What can come next can't be told: {why}."),
            (run, _) => format!("Next: {}", run.as_ref().map(listed).unwrap_or_default()),
        };
        let rows = self.lines.values().map(|line| {
            let cells = [&line.title, line.state, &line.who, &line.at, &line.remarks.join("; ")];
            cells.map(str::to_owned).to_vec()
        });
        let table = out.table(&["step", "state", "by", "when", "remarks"], rows);
        format!("{heading}, started by {by} (run {})\n{table}\n{next}", followed.jti)
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
