//! `blotter owed`: what each person owes today.

use anyhow::Result;
use blotter_api::learning::owed_view;
use blotter_record::ActorId;
use clap::Args;

use crate::as_of::AsRecorded;
use crate::context::Context;
use crate::out::{Tone, cut, plain};
use crate::people::{People, actor_meant};
use crate::session::Reader;
use crate::views::facts;
use crate::when;

/// A text that is longer is cut in the list.
const TEXT_LEN_MAX: usize = 60;

/// Show what each person owes, today or as of any moment
///
/// Open tasks, handovers to be accepted, clocks that run (the incident's lead owes them), evidence given out, actions that
/// lessons led to, and escalations that the approved path wants; what is due first stands first. With --as-of, what was
/// owed then, and overdue then.
///
/// Example: blotter owed --who ana --overdue --as-of 2025-08-01
#[derive(Debug, Args)]
pub(crate) struct Owed {
    /// Only what this person owes: an id, the beginning of one, or the name of a key here
    #[arg(long, value_name = "WHO")]
    who: Option<String>,

    /// Only what is overdue
    #[arg(long)]
    overdue: bool,

    #[command(flatten)]
    then: AsRecorded,
}

pub(crate) fn run(context: &Context, args: &Owed) -> Result<()> {
    let reader = Reader::open(context)?;
    let who = args.who.as_ref().map(|who| actor_meant(context, &reader.keyring, who)).transpose()?;
    let (facts, at_us) = args.then.facts(context, &reader, facts(context, &reader)?)?;
    let mut view = owed_view(&facts, &*reader.store, at_us, &|_| true)?;
    view.only(who.as_ref().map(ActorId::as_str), args.overdue);
    let out = context.out;
    if out.json {
        out.line(&serde_json::to_string(&view)?);
        return Ok(());
    }
    if view.owed.is_empty() {
        out.note(match (&who, args.overdue) {
            (_, true) => "nothing is overdue",
            (Some(_), false) => "they owe nothing",
            (None, false) => "nobody owes anything",
        });
        return Ok(());
    }
    let people = People::default();
    let rows = view.owed.iter().map(|one| {
        let left = match one.left_us {
            None => "no date".to_owned(),
            Some(left) if left < 0 => out.toned(Tone::Bad, &format!("{} overdue", when::span(-left))),
            Some(left) => format!("{} left", when::span(left)),
        };
        let owner = one.owner.as_ref().map_or_else(
            || "nobody".to_owned(),
            |owner| match owner.parse::<ActorId>() {
                Ok(actor) => people.short(&*reader.store, &reader.keyring, &actor),
                Err(_) => plain(owner),
            },
        );
        let text = one.text.as_ref().map_or_else(String::new, |text| cut(&plain(text), TEXT_LEN_MAX));
        vec![owner, one.kind.clone(), one.what.clone(), left, one.incident.clone(), one.seq.to_string(), text]
    });
    out.line(&out.table(&["who", "kind", "what", "due", "incident", "entry", "about"], rows));
    Ok(())
}
