//! `blotter lessons`: what was learned, what it led to, what came back all the same, and where people learn.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use blotter_api::learning::{ActionView, LessonView, LessonsView, lessons_view};
use blotter_projections::lessons::catalogue;
use blotter_record::{ActorId, Instant};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::as_of::AsRecorded;
use crate::context::Context;
use crate::out::{Out, Tone, plain};
use crate::people::{People, actor_meant};
use crate::session::Reader;
use crate::views::{facts, log_index};
use crate::when;

/// Show lessons across incidents
///
/// From the incident to its review, the lesson, its actions and whether they had an effect, and the playbook version that
/// names it.
///
/// Example: blotter lessons --overdue; blotter lessons recurrences --as-of 2025-08-01
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Lessons {
    #[command(subcommand)]
    what: Option<What>,

    /// Only lessons with an action that is overdue
    #[arg(long)]
    overdue: bool,

    /// Only lessons with an action of this person's: an id, the beginning of one, or the name of a key here
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,

    #[command(flatten)]
    then: AsRecorded,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Incidents that share root cause, class or technique with one before them, and what became of its lessons
    Recurrences(AsRecorded),
    /// Where people learn, and who was given what to learn
    Resources(AsRecorded),
}

pub(crate) fn run(context: &Context, args: &Lessons) -> Result<()> {
    let reader = Reader::open(context)?;
    let then = match &args.what {
        None => &args.then,
        Some(What::Recurrences(then) | What::Resources(then)) => then,
    };
    let (live, index) = (facts(context, &reader)?, log_index(context, &reader)?);
    let (facts, at_us) = then.facts(context, &reader, live)?;
    let mut view = lessons_view((&facts, &index), &*reader.store, at_us, &|_| true)?;
    let people = People::default();
    let name = |actor: &str| match actor.parse::<ActorId>() {
        Ok(actor) => people.short(&*reader.store, &reader.keyring, &actor),
        Err(_) => plain(actor),
    };
    match &args.what {
        None => {
            let owner = args.owner.as_ref().map(|who| actor_meant(context, &reader.keyring, who)).transpose()?;
            let narrow = owner.is_some() || args.overdue;
            view.only(owner.as_ref().map(ActorId::as_str), args.overdue);
            timeline(context, &view, narrow, (&name, args.then.zone.timezone))
        }
        Some(What::Recurrences(_)) => recurrences(context, &view),
        Some(What::Resources(_)) => resources(context, &view, &name),
    }
}

fn timeline(context: &Context, view: &LessonsView, narrow: bool, shown: Shown<'_>) -> Result<()> {
    let out = context.out;
    if out.json {
        out.line(&serde_json::to_string(&view.lessons)?);
        return Ok(());
    }
    if view.lessons.is_empty() {
        out.note(if narrow {
            "no lesson has such an action"
        } else {
            "no lesson was recorded yet; after an incident is closed, `blotter act lesson.recorded` records one"
        });
    }
    for lesson in &view.lessons {
        out.line(&story(out, lesson, shown));
    }
    Ok(())
}

/// How actors are named, and the zone that days are of.
type Shown<'a> = (&'a dyn Fn(&str) -> String, Tz);

/// The day of an instant.
fn day(at: &str, zone: Tz) -> String {
    let shown = at.parse::<Instant>().map_or_else(|_| at.to_owned(), |at| when::show(at.unix_us(), zone));
    shown.get(..10).unwrap_or(&shown).to_owned()
}

/// A lesson, line by line.
fn story(out: Out, lesson: &LessonView, shown: Shown<'_>) -> String {
    let at = lesson.at.as_deref().map_or_else(|| "?".to_owned(), |at| day(at, shown.1));
    let head = out.toned(Tone::Strong, &format!("{at}  {}", lesson.lesson));
    let mut lines = vec![format!("{head}  from {} (entry {})", lesson.incident, lesson.seq)];
    let mut line = |name: &str, text: String| lines.push(format!("    {name:9} {text}"));
    line("review", lesson.review_seq.map_or_else(|| "none was held".to_owned(), |seq| format!("entry {seq}")));
    if let Some(cause) = &lesson.cause {
        line("cause", cause.clone());
    }
    let text =
        lesson.text.as_deref().map_or_else(|| "(its words are not here: erased, or never said)".to_owned(), plain);
    line("says", if lesson.none_found { format!("nothing to learn: {text}") } else { text });
    for action in &lesson.actions {
        line("action", described(out, action, shown));
    }
    if let Some(playbook) = &lesson.playbook {
        line("playbook", format!("{} version {} (entry {})", playbook.playbook, playbook.version, playbook.seq));
    }
    if let Some(seq) = lesson.risk_seq {
        line("risk", format!("accepted (entry {seq})"));
    }
    if !lesson.led_somewhere {
        line("led", out.toned(Tone::Warn, "nowhere yet"));
    }
    lines.join("\n")
}

fn described(out: Out, action: &ActionView, (name, zone): Shown<'_>) -> String {
    let due = day(&action.due, zone);
    let state = match (action.completed_seq, action.overdue) {
        (Some(seq), _) => {
            let effect = match action.effective {
                None => "not verified yet",
                Some(true) => "found effective",
                Some(false) => "found to have no effect",
            };
            format!("done (entry {seq}), {effect}")
        }
        (None, true) => out.toned(Tone::Bad, &format!("overdue since {due}")),
        (None, false) => format!("due {due}"),
    };
    let resource = action.resource.as_ref().map_or_else(String::new, |resource| format!(", {resource}"));
    format!("{} ({}{resource}), {}: {state}", action.action, action.kind, name(&action.owner))
}

fn recurrences(context: &Context, view: &LessonsView) -> Result<()> {
    let out = context.out;
    if out.json {
        out.line(&serde_json::to_string(&view.recurrences)?);
        return Ok(());
    }
    if view.recurrences.is_empty() {
        out.note(
            "no incident shares its root cause, class or technique with one before it, and none was linked to a lesson",
        );
        return Ok(());
    }
    let rows = view.recurrences.iter().map(|one| {
        let shared = if one.shared.is_empty() { "–".to_owned() } else { one.shared.join("\n") };
        let linked = if one.linked { "linked" } else { "not linked" };
        vec![one.incident.clone(), one.earlier.clone(), shared, one.outcome.to_owned(), linked.to_owned()]
    });
    out.line(&out.table(&["incident", "like", "shares", "lessons of the earlier one", "recurrence.linked"], rows));
    Ok(())
}

/// The catalogue, and what else actions name.
fn resources(context: &Context, view: &LessonsView, name: &dyn Fn(&str) -> String) -> Result<()> {
    let mut assigned: BTreeMap<&str, Vec<&ActionView>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for action in view.lessons.iter().flat_map(|lesson| &lesson.actions) {
        // A lesson of two incidents has its actions in both.
        if let Some(resource) = action.resource.as_deref().filter(|_| seen.insert(action.opened_seq)) {
            assigned.entry(resource).or_default().push(action);
        }
    }
    let own = assigned.keys().filter(|id| catalogue().iter().all(|resource| resource.id != **id));
    let ids: Vec<&str> = catalogue().iter().map(|resource| resource.id.as_str()).chain(own.copied()).collect();
    let known = |id: &str| catalogue().iter().find(|resource| resource.id == id);
    let json = ids.iter().map(|id| {
        let resource = known(id);
        json!({ "resource": id, "title": resource.map(|r| &r.title), "publisher": resource.map(|r| &r.publisher),
            "url": resource.map(|r| &r.url), "audience": resource.map(|r| &r.audience), "gives": resource.map(|r| &r.gives),
            "free": resource.map(|r| r.free), "assigned": assigned.get(id).into_iter().flatten().map(|action|
                json!({ "owner": action.owner, "action": action.action, "due": action.due, "completed_seq": action.completed_seq,
                    "effective": action.effective })).collect::<Vec<_>>() })
    });
    context.out.result(&json.collect(), || {
        let rows = ids.iter().map(|id| {
            let people = assigned.get(id).into_iter().flatten().map(|action| {
                let state = match (action.completed_seq, action.overdue) {
                    (Some(_), _) => "done",
                    (None, true) => "overdue",
                    (None, false) => "open",
                };
                format!("{}: {state}", name(&action.owner))
            });
            let people = people.collect::<Vec<_>>().join("\n");
            match known(id) {
                Some(r) => {
                    vec![(*id).to_owned(), r.title.clone(), r.audience.clone(), r.gives.clone(), r.url.clone(), people]
                }
                None => vec![
                    (*id).to_owned(),
                    "(not in the catalogue)".to_owned(),
                    String::new(),
                    String::new(),
                    String::new(),
                    people,
                ],
            }
        });
        context.out.table(&["resource", "title", "for", "gives", "where", "assigned"], rows)
    });
    Ok(())
}
