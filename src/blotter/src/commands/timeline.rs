//! `blotter timeline`: what happened in an incident, in the order in which it happened, or was recorded.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use blotter_api::finder::Log;
use blotter_ledger::{Error, read};
use blotter_projections::{Told, case_as_of, corrections, interval_end_us, told_of};
use blotter_record::{Id, Jti, Precision, Statement};
use clap::Args;
use serde_json::json;

use super::incident::incident_id;
use crate::as_of::AsOf;
use crate::context::Context;
use crate::out::{Tone, cut, plain};
use crate::people::People;
use crate::row::{marks, summary, to_json};
use crate::session::Reader;
use crate::when::{self, Zone};

/// What is told of an entry is cut behind so many characters.
const TEXT_LEN_MAX: usize = 200;

/// Tell what happened in an incident
///
/// In the order in which it happened, as its actors say and as corrected since; --by recorded: in the order of the log. Of
/// entries that were recorded more than a day after they happened, both times are shown. A time that is known only by the
/// hour, day, month or year stands at the end of that and has a ~.
///
/// Marks: corrected, retracted, out of phase, overridden, refused, and those of `blotter log`.
///
/// Example: blotter timeline INC-7 --as-of 2026-11-23T14:00 --timezone America/Chicago
#[derive(Debug, Args)]
pub(crate) struct Timeline {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    /// occurred or recorded
    #[arg(long, value_name = "ORDER", default_value = "occurred", value_parser = ["occurred", "recorded"])]
    by: String,

    #[command(flatten)]
    as_of: AsOf,

    #[command(flatten)]
    zone: Zone,
}

/// An entry, and when it happened.
struct Line {
    told: Told,
    at_us: i64,
    /// Known only so exactly.
    coarse: bool,
    corrected: bool,
}

pub(crate) fn run(context: &Context, args: &Timeline) -> Result<()> {
    let reader = Reader::open(context)?;
    let moment = args.as_of.moment(context, &reader, &args.zone)?;
    let log = Log(&*reader.store);
    let told = told_of(&log, &args.incident, moment)?;
    if told.is_empty() {
        bail!("of {} nothing was recorded by then; `blotter incident list` names what there is", args.incident);
    }
    let case = case_as_of(&log, &args.incident, moment)?;
    let corrected = corrections(&told);
    let line = |told: Told| {
        let said = &told.statement;
        let own = said.occurred.clone().map(|at| (at, said.precision));
        let found = corrected.get(&said.jti).cloned();
        let is_corrected = found.is_some();
        let (at_us, coarse) = match found.or(own) {
            Some((at, precision)) => {
                let coarse = !matches!(precision, Precision::Second | Precision::Minute);
                (if coarse { interval_end_us(&at, precision) } else { at.unix_us() }, coarse)
            }
            None => (told.recorded_us, false),
        };
        Line { told, at_us, coarse, corrected: is_corrected }
    };
    let mut lines: Vec<Line> = told.into_iter().map(line).collect();
    if args.by == "occurred" {
        lines.sort_by_key(|line| (line.at_us, line.told.seq));
    }
    let overridden = case.incident.phases.iter().filter(|entered| !entered.overridden.is_empty());
    let special = Special {
        out_of_phase: case.incident.out_of_phase.iter().copied().collect(),
        overridden: overridden.map(|entered| entered.seq).collect(),
        retracted: case.incident.retracted.clone(),
    };
    print(context, args, &reader, &lines, &special, moment.size)
}

/// Entries with marks of their own.
struct Special {
    out_of_phase: BTreeSet<u64>,
    overridden: BTreeSet<u64>,
    retracted: BTreeSet<Jti>,
}

impl Special {
    fn marks(&self, line: &Line) -> Vec<&'static str> {
        let (seq, jti) = (line.told.seq, &line.told.statement.jti);
        let all = [
            ("corrected", line.corrected),
            ("retracted", self.retracted.contains(jti)),
            ("out of phase", self.out_of_phase.contains(&seq)),
            ("overridden", self.overridden.contains(&seq)),
            ("refused", line.told.statement.event.known() == Some(blotter_record::Event::PhaseRefused)),
        ];
        all.into_iter().filter(|(_, applies)| *applies).map(|(mark, _)| mark).collect()
    }
}

fn print(
    context: &Context,
    args: &Timeline,
    reader: &Reader,
    lines: &[Line],
    special: &Special,
    size: u64,
) -> Result<()> {
    let people = People::default();
    let (mut json_lines, mut texts) = (Vec::new(), Vec::new());
    let mut day = String::new();
    for line in lines {
        let Some(entry) = read::entries(&*reader.store, line.told.seq, 1)?.pop() else { continue };
        let mut all: Vec<&str> = special.marks(line);
        if let Some((placed, statement)) = &entry.said {
            all.extend(marks(placed, statement, &reader.keyring));
        }
        if context.out.json {
            let mut json = to_json(&entry, &reader.keyring)?;
            json["happened_us"] = line.at_us.into();
            json["coarse"] = line.coarse.into();
            json["timeline_marks"] = json!(special.marks(line));
            json_lines.push(json);
            continue;
        }
        let at = when::show(line.at_us, args.zone.timezone);
        let (date, clock) = at.split_at_checked(10).unwrap_or((&at, ""));
        if date != day {
            day = date.to_owned();
            texts.push(context.out.toned(Tone::Strong, date));
        }
        let statement = &line.told.statement;
        let who = people.short(&*reader.store, &reader.keyring, statement.actor());
        let coarse = if line.coarse { "~" } else { " " };
        let mut text = format!(
            "  {coarse}{}  {:>5}  {}  {}",
            clock.trim_start_matches(['T', ' ']),
            line.told.seq,
            context.out.toned(Tone::Strong, statement.event.as_str()),
            context.out.toned(Tone::Dim, &who),
        );
        if !all.is_empty() {
            text += &context.out.toned(Tone::Warn, &format!("  [{}]", all.join(", ")));
        }
        if all.contains(&"late") {
            text += &format!("\n               recorded {}", when::show(line.told.recorded_us, args.zone.timezone));
        }
        text += &format!("\n               {}", cut(&told_in_words(reader, statement, line.told.seq)?, TEXT_LEN_MAX));
        texts.push(text);
    }
    let json =
        json!({ "incident": args.incident.as_str(), "as_of_size": size, "order": args.by, "entries": json_lines });
    context.out.result(&json, || texts.join("\n"));
    Ok(())
}

/// What an entry says to people: its values as far as the vault has them, else its facts.
fn told_in_words(reader: &Reader, statement: &Statement, seq: u64) -> Result<String> {
    let texts = reader.store.disclosures(seq).map_err(Error::from)?;
    let values: Vec<_> = texts.iter().filter_map(|text| blotter_record::Disclosure::parse(text).ok()).collect();
    let said = ["title", "text", "reason", "summary", "detail", "note", "narrative", "basis", "content", "result"];
    let words = said.iter().find_map(|name| {
        let value = values.iter().find(|value| value.name() == *name)?;
        value.value().as_text().map(plain)
    });
    let facts = summary(statement);
    Ok(match words {
        Some(words) => words,
        None if facts.is_empty() => "-".to_owned(),
        None => facts,
    })
}
