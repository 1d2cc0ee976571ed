//! Incidents in numbers: ten statements each, from an alert to its resolution, signed by one analyst; and a few incidents
//! with very many entries. What they say is made up.

use anyhow::{Context, Result};
use blotter_record::{Json, Seen};
use rayon::prelude::*;

use crate::fixture::{Fixture, Speech, analyst, service};

/// Statements of one story.
pub const STORY_STATEMENTS: usize = 10;

const CATEGORIES: [&str; 4] = ["malware", "phishing", "data-exposure", "misuse"];

/// Statements of the stories `first..first + count`, interleaved as they would come: the first statements of all, then the
/// second ones. `seen` is what the analyst had before them: a checkpoint before all of these.
///
/// # Errors
/// If one can't be built.
pub fn stories(fixture: &Fixture, seen: Seen, first: usize, count: usize) -> Result<Vec<String>> {
    let all: Vec<Vec<String>> =
        (first..first + count).into_par_iter().map(|n| story(fixture, seen, n)).collect::<Result<_>>()?;
    Ok((0..STORY_STATEMENTS).flat_map(|step| all.iter().map(move |story| story[step].clone())).collect())
}

/// `count` comments in the incident of that name, which is opened first.
///
/// # Errors
/// If one can't be built.
pub fn long_story(fixture: &Fixture, seen: Seen, name: &str, count: usize) -> Result<Vec<String>> {
    let incident = format!("incident/{name}");
    let opened = vec![("lead", "person/analyst".into()), ("category", "malware".into()), ("tlp", "amber".into())];
    let first =
        say(fixture, Some(seen), &incident, "incident.opened", opened, "title", "An incident with much to say")?;
    let comment = |n: usize| {
        let facts = vec![
            ("scale", "s".into()),
            ("scale_version", "1".into()),
            ("level", ((n % 5) as i64).into()),
            ("impact", 1.into()),
            ("scope", 1.into()),
            ("urgency", 1.into()),
            ("intel", Json::List(Vec::new())),
        ];
        match n % 10 {
            0 => say(fixture, Some(seen), &incident, "severity.assessed", facts, "reason", "Looked at again"),
            _ => say(fixture, Some(seen), &incident, "comment.added", vec![], "text", "Somebody found out something"),
        }
    };
    let mut texts = vec![first];
    texts.extend((0..count).into_par_iter().map(comment).collect::<Result<Vec<_>>>()?);
    Ok(texts)
}

fn story(fixture: &Fixture, seen: Seen, n: usize) -> Result<Vec<String>> {
    let (incident, alert) = (format!("incident/B-{n}"), format!("alert/B-{n}"));
    let at = crate::fixture::now_us();
    let at = blotter_record::Instant::from_unix_us(at)?;
    let list = |items: &[&str]| Json::List(items.iter().map(|item| (*item).into()).collect());
    let level = (n % 4) as i64 + 1;
    let decide = |event: &str, facts: Vec<(&str, Json)>, field: &str, text: &str| {
        say(fixture, Some(seen), &incident, event, facts, field, text)
    };
    Ok(vec![
        fixture.speak(&Speech {
            speaker: service(n),
            seen: None,
            streams: &[&alert],
            event: "alert.received",
            facts: vec![
                ("source", "source/edr-7".into()),
                ("severity", level.into()),
                ("severity_source", "sev:medium".into()),
                ("techniques", list(&["T1059.001"])),
                ("observed_at", at.as_str().into()),
                ("received_at", at.as_str().into()),
            ],
            data: vec![
                ("title", format!("Encoded command line on a workstation, case {n}").into()),
                ("host", format!("ws-{:05}.example.org", n % 20_000).into()),
            ],
        })?,
        fixture.speak(&Speech {
            speaker: analyst(),
            seen: Some(seen),
            streams: &[&incident, &alert],
            event: "incident.opened",
            facts: vec![
                ("lead", "person/analyst".into()),
                ("category", CATEGORIES[n % CATEGORIES.len()].into()),
                ("tlp", "amber".into()),
            ],
            data: vec![("title", format!("Command line on ws-{:05}", n % 20_000).into())],
        })?,
        decide("incident.acknowledged", vec![], "note", "Looking")?,
        decide(
            "intel.attached",
            vec![("kind", "none-found".into()), ("tlp", "amber".into())],
            "summary",
            "Nothing known",
        )?,
        decide(
            "severity.assessed",
            vec![
                ("scale", "s".into()),
                ("scale_version", "1".into()),
                ("level", level.into()),
                ("impact", level.into()),
                ("scope", 1.into()),
                ("urgency", 1.into()),
                ("intel", list(&[])),
            ],
            "reason",
            "One workstation, no credentials of note",
        )?,
        decide(
            "incident.confirmed",
            vec![("verdict", "true-positive".into()), ("criteria_version", "1".into()), ("criteria", list(&[]))],
            "reason",
            "The payload was found on disk",
        )?,
        decide("comment.added", vec![], "text", "The user says that a mail asked for it")?,
        decide("containment.started", vec![("assets", list(&["asset/ws"]))], "detail", "Network off")?,
        decide("containment.achieved", vec![("assets", list(&["asset/ws"]))], "detail", "Isolated")?,
        decide("incident.resolved", vec![("code", "reimaged".into())], "note", "Reimaged and returned")?,
    ])
}

fn say(
    fixture: &Fixture,
    seen: Option<Seen>,
    incident: &str,
    event: &str,
    facts: Vec<(&str, Json)>,
    field: &str,
    text: &str,
) -> Result<String> {
    let data = vec![(field, text.into())];
    let speech = Speech { speaker: analyst(), seen, streams: &[incident], event, facts, data };
    fixture.speak(&speech).context("a story's statement")
}
