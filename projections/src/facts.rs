//! The view of facts: what the streams of a ledger add up to, as rows. A stream's state is folded from its entries, and
//! its rows are a function of that state; so a view that followed the log live, one that was rebuilt, and a fold without
//! any tables come to the same rows and the same digest.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use blotter_process::Said;
use blotter_record::{Event, Hash, Id, Statement};
use rayon::prelude::*;
use rusqlite::Connection;

use crate::alerts::threshold::{THRESHOLD, Thresholds};
use crate::alerts::{self, Alert};
use crate::catch_up::{BATCH_ENTRIES, Batch, Layout, Projection, Saving, drop_elsewhere};
use crate::escalation::PATH;
use crate::incidents::{self, Case};
use crate::moment::{Moment, Told, case_as_of, read_stream};
use crate::table::{Change, Digester, Row, Table, differences, save};
use crate::views::{LogEntry, Source, View, ViewError, Views, facts_size, over, read_only};

/// Streams whose rows are made at once for a digest.
const DIGEST_STREAMS: usize = 4_096;
/// Streams of a generation of remembered states.
const GENERATION_STATES: usize = 12_000;

/// The tables of facts, in the order of their digest.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    incidents::TABLES.iter().chain(alerts::TABLES).copied().chain([&THRESHOLD, &PATH])
}

/// What a stream adds up to.
#[derive(Debug, Clone)]
enum State {
    Incident(Box<Case>),
    Alert(Box<Alert>),
    Policy(Box<Thresholds>),
}

impl State {
    /// The state of a stream without entries; `None` if no view follows streams of its kind.
    fn new(stream: &Id) -> Option<Self> {
        match stream.kind() {
            "incident" => Some(Self::Incident(Box::default())),
            "alert" => Some(Self::Alert(Box::default())),
            "policy" => Some(Self::Policy(Box::default())),
            _ => None,
        }
    }

    fn fold(&mut self, stream: &Id, said: Said<'_>) {
        match self {
            Self::Incident(case) => case.fold(stream, said),
            Self::Alert(alert) => alert.fold(stream, said),
            Self::Policy(thresholds) => thresholds.fold(stream, said),
        }
    }

    /// Takes note of what `statement` takes back, before the fold comes to what that is.
    fn note_retraction(&mut self, statement: &Statement) {
        match self {
            Self::Incident(case) => case.incident.note_retraction(statement),
            Self::Alert(alert) => alert.note_retraction(statement),
            Self::Policy(thresholds) => thresholds.note_retraction(statement),
        }
    }

    /// Whether the fold so far no longer holds.
    fn is_undone_by(&self, statement: &Statement) -> bool {
        match self {
            Self::Incident(case) => case.incident.is_undone_by(statement),
            Self::Alert(alert) => alert.is_undone_by(statement),
            Self::Policy(thresholds) => thresholds.is_undone_by(statement),
        }
    }

    fn rows(&self, stream: &Id) -> Vec<Row> {
        match self {
            Self::Incident(case) => case.rows(stream),
            Self::Alert(alert) => alert.rows(stream),
            Self::Policy(thresholds) => thresholds.rows(stream),
        }
    }
}

/// The states of streams that are remembered; of two generations, so that what was not asked for in the newer one is
/// forgotten with the older.
#[derive(Debug, Default)]
struct States {
    young: HashMap<Id, State>,
    old: HashMap<Id, State>,
    /// How many a generation has; 0: all are remembered.
    generation: usize,
}

impl States {
    fn take(&mut self, stream: &Id) -> Option<State> {
        self.young.remove(stream).or_else(|| self.old.remove(stream))
    }

    fn keep(&mut self, stream: Id, state: State) {
        if self.generation > 0 && self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, state);
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// The fold over all streams: their states, as far as they are remembered.
#[derive(Debug)]
pub(crate) struct Fold {
    states: States,
    /// The entry that it takes next.
    at: u64,
    /// Whether somebody wants the rows that change.
    wants_rows: bool,
}

impl Default for Fold {
    fn default() -> Self {
        let states = States { generation: GENERATION_STATES, ..States::default() };
        Self { states, at: 0, wants_rows: true }
    }
}

/// One thing that a stream's state takes.
enum Take<'a> {
    /// An entry of the stream.
    Entry(Said<'a>),
    /// A playbook version that names this lesson of the stream's incident: it stands in the lesson's stream.
    Lesson(&'a Id, Said<'a>),
}

/// A stream that a batch touches.
struct Touched<'a> {
    stream: &'a Id,
    /// Before the batch.
    state: Option<State>,
    takes: Vec<Take<'a>>,
}

/// The same, after the batch.
struct Taken<'a> {
    stream: &'a Id,
    state: Option<State>,
    /// Its rows before the batch.
    before: Vec<Row>,
    changes: Vec<Change>,
    /// Whether the batch took back what is folded already.
    undone: bool,
}

impl Fold {
    /// All streams' states, and no rows.
    fn of_all() -> Self {
        Self { states: States::default(), at: 0, wants_rows: false }
    }

    /// Takes entries that follow each other; says what changes.
    fn take<S: Source>(&mut self, source: &S, at: u64, entries: &[LogEntry]) -> Result<Vec<Change>, S::Error> {
        if self.at != at {
            // Somebody else moved the view on, or it starts anew.
            self.states.clear();
        }
        let end = entries.last().map_or(at, |last| last.seq + 1);
        let lessons = lessons_led(source, entries)?;
        let touched = self.touched(source, at, entries, &lessons)?;
        let wants_rows = self.wants_rows;
        let taken: Vec<Taken<'_>> = touched.into_par_iter().map(|stream| stream.take(wants_rows)).collect();
        let mut changes = Vec::new();
        for mut one in taken {
            if one.undone {
                one.state = load(source, one.stream, end)?;
                one.changes =
                    if wants_rows { differences(one.before, rows(one.state.as_ref(), one.stream)) } else { vec![] };
            }
            changes.append(&mut one.changes);
            if let Some(state) = one.state {
                self.states.keep(one.stream.clone(), state);
            }
        }
        self.at = end;
        Ok(changes)
    }

    /// The streams that a batch touches, with what each of them takes.
    fn touched<'a, S: Source>(
        &mut self,
        source: &S,
        at: u64,
        entries: &'a [LogEntry],
        lessons: &'a [Led],
    ) -> Result<Vec<Touched<'a>>, S::Error> {
        let mut places: HashMap<&Id, usize> = HashMap::new();
        let mut touched: Vec<Touched<'a>> = Vec::new();
        let mut touch = |stream: &'a Id, is_new: bool, take: Take<'a>| -> Result<(), S::Error> {
            let place = match places.entry(stream) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => {
                    let state = match self.states.take(stream) {
                        None if is_new => State::new(stream),
                        None => load(source, stream, at)?,
                        known => known,
                    };
                    touched.push(Touched { stream, state, takes: Vec::new() });
                    *new.insert(touched.len() - 1)
                }
            };
            touched[place].takes.push(take);
            Ok(())
        };
        let mut lessons = lessons.iter().peekable();
        for entry in entries {
            let Some((placed, statement)) = &entry.said else { continue };
            let said = Said { seq: entry.seq, recorded_us: placed.recorded.unix_us(), statement };
            for link in placed.streams.iter().filter(|link| is_followed(&link.stream)) {
                touch(&link.stream, link.n == 0, Take::Entry(said))?;
            }
            while let Some(led) = lessons.next_if(|led| led.seq == entry.seq) {
                for incident in &led.incidents {
                    touch(incident, false, Take::Lesson(&led.lesson, said))?;
                }
            }
        }
        Ok(touched)
    }
}

impl<'a> Touched<'a> {
    fn take(self, wants_rows: bool) -> Taken<'a> {
        let Self { stream, mut state, takes } = self;
        let before = if wants_rows { rows(state.as_ref(), stream) } else { Vec::new() };
        let mut undone = false;
        for take in takes {
            match (&mut state, take) {
                (Some(state), Take::Entry(said)) => {
                    undone |= state.is_undone_by(said.statement);
                    state.fold(stream, said);
                }
                (Some(State::Incident(case)), Take::Lesson(lesson, said)) => {
                    case.incident.fold_lesson(lesson, said.seq, said.statement);
                }
                (_, Take::Lesson(..)) | (None, _) => {}
            }
        }
        if undone || !wants_rows {
            return Taken { stream, state, before, changes: Vec::new(), undone };
        }
        let changes = differences(before, rows(state.as_ref(), stream));
        Taken { stream, state, before: Vec::new(), changes, undone }
    }
}

fn rows(state: Option<&State>, stream: &Id) -> Vec<Row> {
    state.map_or_else(Vec::new, |state| state.rows(stream))
}

/// Whether views follow streams of this kind.
fn is_followed(stream: &Id) -> bool {
    matches!(stream.kind(), "incident" | "alert" | "policy")
}

/// A playbook version that a lesson led to. It stands in the lesson's stream, and not in those of its incidents.
struct Led {
    seq: u64,
    lesson: Id,
    incidents: BTreeSet<Id>,
}

fn lessons_led<S: Source>(source: &S, entries: &[LogEntry]) -> Result<Vec<Led>, S::Error> {
    let mut led = Vec::new();
    for entry in entries {
        let Some((_, statement)) = &entry.said else { continue };
        if statement.event.known() == Some(Event::PlaybookPublished) {
            for lesson in statement.about.iter().filter(|id| id.kind() == "lesson") {
                let incidents = incidents_of(source, lesson, entry.seq)?;
                led.push(Led { seq: entry.seq, lesson: lesson.clone(), incidents });
            }
        }
    }
    Ok(led)
}

/// The state of a stream after its entries before `end`.
fn load<S: Source>(source: &S, stream: &Id, end: u64) -> Result<Option<State>, S::Error> {
    match State::new(stream) {
        None => Ok(None),
        Some(State::Incident(_)) => {
            let case = case_as_of(source, stream, Moment::recorded(end))?;
            Ok(Some(State::Incident(Box::new(case))))
        }
        Some(mut state) => {
            let told = read_stream(source, stream, end)?;
            told.iter().for_each(|entry| state.note_retraction(&entry.statement));
            for Told { seq, recorded_us, statement } in &told {
                state.fold(stream, Said { seq: *seq, recorded_us: *recorded_us, statement });
            }
            Ok(Some(state))
        }
    }
}

/// The incidents whose lesson it is, as recorded before `end`.
fn incidents_of<S: Source>(source: &S, lesson: &Id, end: u64) -> Result<BTreeSet<Id>, S::Error> {
    let entries = read_stream(source, lesson, end)?;
    let recorded = entries.into_iter().map(|entry| entry.statement);
    let recorded = recorded.filter(|said| said.event.known() == Some(Event::LessonRecorded));
    Ok(recorded.flat_map(|said| said.about).filter(|id| id.kind() == "incident").collect())
}

/// The view's tables.
pub(crate) static LAYOUT: Layout = Layout {
    name: "facts",
    version: 8,
    create: || tables().map(Table::create).collect(),
    index: || tables().map(Table::index).collect(),
    drop: || tables().map(Table::drop).collect(),
};

impl<S: Source> Projection<S> for Fold {
    fn fold(&mut self, source: &S, batch: &Batch<'_>) -> Result<Saving, S::Error> {
        let changes = self.take(source, batch.at, batch.entries)?;
        Ok(Box::new(move |tx| save(tx, changes)))
    }

    /// What an expunged entry said counts no more, and nothing says in which streams it stood: all is folded anew. It is
    /// rare: two people must have ordered it.
    fn starts_anew_at(&self, entry: &LogEntry) -> bool {
        entry.said.as_ref().is_some_and(|(_, said)| said.event.known() == Some(Event::EntryExpunged))
    }
}

/// The view of facts in `views.db`.
pub struct Facts {
    db: Connection,
    at: u64,
}

impl From<Views> for Facts {
    fn from(views: Views) -> Self {
        Self { at: views.size(), db: views.into_db() }
    }
}

impl Facts {
    /// Opens the view in `path`, makes it if need be, and catches up with the log. `progress(done, size)` is told after
    /// each batch. A damaged file is thrown away and built anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn open<S: Source>(
        path: &Path,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ViewError<S::Error>> {
        Ok(Views::open(path, &[View::Facts], source, progress)?.into())
    }

    /// The view as somebody else brought it up to date.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(path: &Path) -> rusqlite::Result<Self> {
        let db = read_only(path)?;
        let at = facts_size(&db)?;
        Ok(Self { db, at })
    }

    /// How many entries it has folded.
    pub fn size(&self) -> u64 {
        self.at
    }

    /// The database, to be read.
    pub fn db(&self) -> &Connection {
        &self.db
    }

    /// The digest of each table's rows, in the order of their keys.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn table_digests(&self) -> rusqlite::Result<Vec<(&'static str, Hash)>> {
        let digest = |table: &'static Table| Ok((table.name, table.digest(&self.db, Digester::new(table))?));
        tables().map(digest).collect()
    }

    /// SHA-256 over the digests of all tables.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn digest(&self) -> rusqlite::Result<Hash> {
        Ok(over(&LAYOUT, self.table_digests()?.into_iter().map(|(_, digest)| digest)))
    }
}

/// Folds the entries of a log before `end` without any tables; the digest is that of [`Facts::digest`]. All states are in
/// memory.
///
/// # Errors
/// If the log can't be read.
pub fn fold_and_digest<S: Source>(source: &S, end: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Hash, S::Error> {
    let fold = fold_before(source, end, progress)?;
    // Streams in their order, and of each its rows in theirs: so every table's rows come in the order of their keys.
    let mut digesters: Vec<(&'static Table, Digester)> = tables().map(|table| (table, Digester::new(table))).collect();
    let mut streams: Vec<(&Id, &State)> = fold.states.young.iter().collect();
    streams.par_sort_unstable_by_key(|(stream, _)| *stream);
    for some in streams.chunks(DIGEST_STREAMS) {
        let sorted = |(stream, state): &(&Id, &State)| {
            let mut rows = state.rows(stream);
            rows.sort_unstable_by(Row::order);
            rows
        };
        let rows: Vec<Vec<Row>> = some.par_iter().map(sorted).collect();
        digesters.par_iter_mut().for_each(|(table, digester)| {
            rows.iter().flatten().filter(|row| std::ptr::eq(row.table, *table)).for_each(|row| digester.row(row));
        });
    }
    drop_elsewhere(fold);
    Ok(over(&LAYOUT, digesters.into_iter().map(|(_, digester)| digester.finish())))
}

/// All incidents, as the entries of a log before `end` made them. All of them are in memory.
///
/// # Errors
/// If the log can't be read.
pub fn cases<S: Source>(
    source: &S,
    end: u64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BTreeMap<Id, Case>, S::Error> {
    let states = fold_before(source, end, progress)?.states.young;
    let of_incident = |(stream, state)| match state {
        State::Incident(case) => Some((stream, *case)),
        State::Alert(_) | State::Policy(_) => None,
    };
    Ok(states.into_iter().filter_map(of_incident).collect())
}

fn fold_before<S: Source>(source: &S, end: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Fold, S::Error> {
    let mut fold = Fold::of_all();
    let mut at = 0;
    while at < end {
        let limit = usize::try_from(end - at).unwrap_or(usize::MAX).min(BATCH_ENTRIES);
        let entries = source.entries(at, limit)?;
        let Some(last) = entries.last() else { break };
        let next = last.seq + 1;
        fold.take(source, at, &entries)?;
        drop_elsewhere(entries);
        at = next;
        progress(at, end);
    }
    Ok(fold)
}
