//! Lessons across incidents: what was learned, what it led to, and where it led nowhere, so that something came back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use blotter_record::{Event, Id};
use rusqlite::Connection;
use serde::Deserialize;

use crate::filter::{Filter, Pattern};
use crate::log_index::LogIndex;
use crate::metrics::{id, seq, seq_or_none};
use crate::views::{Failed, LogEntry, Source, ViewError, answer};

/// A lesson, and what it led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The incident that taught it.
    pub incident: Id,
    /// The newest review of that incident.
    pub review: Option<u64>,
    /// Its stream.
    pub lesson: Id,
    /// The entry that recorded it.
    pub seq: u64,
    /// When that happened, as its actor says, in microseconds since 1970; `None` if the entry is gone.
    pub at_us: Option<i64>,
    /// The cause that it names.
    pub cause: Option<String>,
    /// The review found nothing to learn.
    pub none_found: bool,
    /// It led to a playbook version, a completed action or an accepted risk, or there was none.
    pub led: bool,
    /// What is to be done because of it.
    pub actions: Vec<ActionOf>,
    /// The newest version of a playbook that names it.
    pub playbook: Option<PlaybookVersion>,
    /// The entry that accepted the risk instead.
    pub risk: Option<u64>,
}

/// An action that a lesson led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionOf {
    /// Its id.
    pub action: String,
    /// playbook, control, training, process or tooling.
    pub kind: String,
    /// Who owes it.
    pub owner: String,
    /// When it is due, in microseconds since 1970.
    pub due_us: i64,
    /// What is to be learned, for training.
    pub resource: Option<Id>,
    /// The entry that opened it.
    pub opened: u64,
    /// The entry that completed it.
    pub completed: Option<u64>,
    /// Whether it was found effective; `None`: not verified yet.
    pub effective: Option<bool>,
}

impl ActionOf {
    /// Whether it is open although it was due before `now_us`.
    pub fn is_overdue(&self, now_us: i64) -> bool {
        self.completed.is_none() && self.due_us < now_us
    }
}

/// A version of a playbook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookVersion {
    /// The playbook.
    pub playbook: Id,
    /// The version.
    pub version: String,
    /// The entry that published it.
    pub seq: u64,
}

/// All lessons, oldest first, as the entries before `end` have them: `db` has the facts of these, `index` may have more.
///
/// # Errors
/// If view or log can't be read.
pub fn lessons<S: Source>(
    db: &Connection,
    index: &LogIndex,
    source: &S,
    end: u64,
) -> Result<Vec<Learned>, ViewError<S::Error>> {
    answer(db, read(db, index, source, end))
}

fn read<S: Source>(db: &Connection, index: &LogIndex, source: &S, end: u64) -> Result<Vec<Learned>, Failed<S::Error>> {
    let mut actions = actions(db)?;
    let mut query = db.prepare_cached(
        "SELECT incident, lesson, cause, none_found, led, playbook_seq, risk_seq, seq FROM lesson ORDER BY seq, incident",
    )?;
    let rows = query.query_map([], |row| {
        let lesson = Learned {
            incident: id(row, 0)?,
            review: None,
            lesson: id(row, 1)?,
            seq: seq(row, 7)?,
            at_us: None,
            cause: row.get(2)?,
            none_found: row.get(3)?,
            led: row.get(4)?,
            actions: Vec::new(),
            playbook: None,
            risk: seq_or_none(row, 6)?,
        };
        Ok((lesson, seq_or_none(row, 5)?))
    })?;
    let mut lessons = Vec::new();
    for row in rows {
        let (mut lesson, playbook) = row?;
        lesson.review = newest_review(index, &lesson.incident, end)?;
        lesson.actions = actions.remove(&(lesson.incident.to_string(), lesson.lesson.to_string())).unwrap_or_default();
        let said = |seq| source.entries(seq, 1).map(|mut entries| entries.pop()?.said).map_err(Failed::Source);
        if let Some((placed, statement)) = said(lesson.seq)? {
            lesson.at_us = Some(statement.occurred.as_ref().unwrap_or(&placed.recorded).unix_us());
        }
        if let Some(seq) = playbook
            && let Some((_, statement)) = said(seq)?
            && let (Some(playbook), Some(version)) = (statement.facts.id("playbook"), statement.facts.word("version"))
        {
            let (playbook, version) = (playbook.clone(), version.to_owned());
            lesson.playbook = Some(PlaybookVersion { playbook, version, seq });
        }
        lessons.push(lesson);
    }
    Ok(lessons)
}

fn newest_review(index: &LogIndex, incident: &Id, end: u64) -> rusqlite::Result<Option<u64>> {
    let filter = Filter {
        stream: Some(Pattern::Exact(incident.to_string())),
        event: Some(Pattern::Exact(Event::ReviewHeld.name().to_owned())),
        ..Filter::default()
    };
    Ok(index.seqs(&filter, (0, end), true, 1)?.pop())
}

type ActionsOf = BTreeMap<(String, String), Vec<ActionOf>>;

/// Actions by incident and lesson.
fn actions(db: &Connection) -> rusqlite::Result<ActionsOf> {
    let mut query = db.prepare_cached(
        "SELECT incident, lesson, action, kind, owner, due_us, resource, opened_seq, completed_seq, effective
         FROM action ORDER BY opened_seq, action",
    )?;
    let mut rows = query.query([])?;
    let mut actions = ActionsOf::new();
    while let Some(row) = rows.next()? {
        let resource: Option<String> = row.get(6)?;
        actions.entry((row.get(0)?, row.get(1)?)).or_default().push(ActionOf {
            action: row.get(2)?,
            kind: row.get(3)?,
            owner: row.get(4)?,
            due_us: row.get(5)?,
            resource: resource.and_then(|resource| resource.parse().ok()),
            opened: seq(row, 7)?,
            completed: seq_or_none(row, 8)?,
            effective: row.get(9)?,
        });
    }
    Ok(actions)
}

/// An incident that looks like one before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    /// The later incident.
    pub incident: Id,
    /// The earlier one: of several that share something, the newest.
    pub earlier: Id,
    /// What they share: kind (`root-cause`, `class`, `technique`) and code.
    pub shared: BTreeSet<(&'static str, String)>,
    /// What became of the lessons of the earlier one.
    pub outcome: Outcome,
    /// Somebody said so with `recurrence.linked`.
    pub linked: bool,
}

/// What became of an incident's lessons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// None was recorded.
    NoLesson,
    /// At least one led nowhere.
    LedNowhere,
    /// All led somewhere, and it came back all the same.
    LedSomewhere,
}

impl Outcome {
    /// The outcome in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NoLesson => "no lesson was recorded",
            Self::LedNowhere => "a lesson led nowhere",
            Self::LedSomewhere => "every lesson led somewhere",
        }
    }
}

/// Incidents that share a root cause, a class or a technique with one before them, and those that somebody linked to a
/// lesson of one, by the entries of `recurrence.linked` in `links`. Of several earlier ones that share the same thing, the
/// newest is named. What was merged away or dismissed as none is left out. In the order of the later incidents' first
/// entries.
///
/// # Errors
/// If the database can't be read.
pub fn recurrences(db: &Connection, links: &[LogEntry]) -> rusqlite::Result<Vec<Recurrence>> {
    let (order, mut shared) = incidents(db)?;
    let mut query =
        db.prepare_cached("SELECT incident, kind, other FROM incident_link WHERE kind IN ('class', 'technique')")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (incident, kind, other): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if let Some((first, _)) = order.get(&incident) {
            let kind = if kind == "class" { "class" } else { "technique" };
            shared.entry((kind, other)).or_default().push((*first, incident));
        }
    }
    let mut pairs: BTreeMap<(String, String), BTreeSet<(&'static str, String)>> = BTreeMap::new();
    for (what, mut incidents) in shared {
        incidents.sort();
        for pair in incidents.windows(2) {
            pairs.entry((pair[1].1.clone(), pair[0].1.clone())).or_default().insert(what.clone());
        }
    }
    let linked = linked(db, links)?;
    linked.iter().for_each(|pair| _ = pairs.entry(pair.clone()).or_default());
    let outcomes = outcomes(db)?;
    let mut found = Vec::new();
    for ((later, earlier), shared) in pairs {
        let linked = linked.contains(&(later.clone(), earlier.clone()));
        let outcome = outcomes.get(&earlier).copied().unwrap_or(Outcome::NoLesson);
        if let (Some((first, incident)), Some((_, earlier))) = (order.get(&later), order.get(&earlier)) {
            let (incident, earlier) = (incident.clone(), earlier.clone());
            found.push((*first, Recurrence { incident, earlier, shared, outcome, linked }));
        }
    }
    found.sort_by_key(|(first, _)| *first);
    Ok(found.into_iter().map(|(_, recurrence)| recurrence).collect())
}

/// By incident its first entry: what came before what.
type Order = BTreeMap<String, (u64, Id)>;
/// By what is shared the incidents that share it, each behind its first entry.
type Shared = BTreeMap<(&'static str, String), Vec<(u64, String)>>;

/// The incidents that count, and the root causes that they share.
fn incidents(db: &Connection) -> rusqlite::Result<(Order, Shared)> {
    let (mut order, mut shared) = (Order::new(), Shared::new());
    let mut query = db.prepare_cached(
        "SELECT id, first_seq, root_cause FROM incident
         WHERE status <> 'merged' AND coalesce(verdict, '') NOT IN ('false-positive', 'benign', 'undetermined')",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let (incident, first, cause): (Id, u64, Option<String>) = (id(row, 0)?, seq(row, 1)?, row.get(2)?);
        if let Some(cause) = cause {
            shared.entry(("root-cause", cause)).or_default().push((first, incident.to_string()));
        }
        order.insert(incident.to_string(), (first, incident));
    }
    Ok((order, shared))
}

/// Later and earlier incidents that somebody linked: an incident, and those whose lesson it is said to repeat.
fn linked(db: &Connection, links: &[LogEntry]) -> rusqlite::Result<BTreeSet<(String, String)>> {
    let mut query = db.prepare_cached("SELECT incident FROM lesson WHERE lesson = ?1")?;
    let mut linked = BTreeSet::new();
    for (_, statement) in links.iter().filter_map(|entry| entry.said.as_ref()) {
        let (Some(later), Some(lesson)) = (statement.facts.id("incident"), statement.facts.id("lesson")) else {
            continue;
        };
        let taught = query.query_map([lesson.as_str()], |row| row.get::<_, String>(0))?;
        for earlier in taught {
            let earlier = earlier?;
            if earlier != later.as_str() {
                linked.insert((later.to_string(), earlier));
            }
        }
    }
    Ok(linked)
}

fn outcomes(db: &Connection) -> rusqlite::Result<BTreeMap<String, Outcome>> {
    let mut query = db.prepare_cached("SELECT incident, min(led) FROM lesson GROUP BY incident")?;
    let rows = query.query_map([], |row| {
        let outcome = if row.get(1)? { Outcome::LedSomewhere } else { Outcome::LedNowhere };
        Ok((row.get(0)?, outcome))
    })?;
    rows.collect()
}

/// Something to learn from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `resource/…`, as `action.opened` names it.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Where it is.
    pub url: String,
    /// For whom it is.
    pub audience: String,
    /// What it gives.
    pub gives: String,
    /// Whether it costs nothing.
    pub free: bool,
}

/// The catalogue of learning resources; an action may name others, too.
pub fn catalogue() -> &'static [Resource] {
    #[derive(Deserialize)]
    struct File {
        resource: Vec<Resource>,
    }
    static CATALOGUE: LazyLock<Vec<Resource>> = LazyLock::new(|| {
        let file: File = toml::from_str(include_str!("../resources.toml")).expect("our own file; a test reads it");
        file.resource
    });
    &CATALOGUE
}
