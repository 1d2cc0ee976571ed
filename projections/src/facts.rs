//! The view of facts: what the streams of a ledger add up to, as rows. A stream's state is folded from its entries, and
//! its rows are a function of that state; so a view that followed the log live, one that was rebuilt, and a fold without
//! any tables come to the same rows and the same digest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use blotter_process::Said;
use blotter_record::{Event, Hash, Id, Statement};
use rusqlite::{Connection, Transaction};

use crate::alerts::threshold::{THRESHOLD, Thresholds};
use crate::alerts::{self, Alert};
use crate::escalation::PATH;
use crate::incidents::{self, Case};
use crate::moment::{Moment, Told, case_as_of, read_stream};
use crate::table::{Digester, Row, Table, save};
use crate::views::{
    BATCH_ENTRIES, Failed, LogEntry, Source, View, ViewError, catch_up, facts_size, over, read_only, unusable,
    with_views,
};

/// Streams whose states are kept in memory between batches, at most.
const STATES_MAX: usize = 40_000;

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

/// The fold over all streams: their states, as far as they are remembered.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    states: HashMap<Id, State>,
    /// The entry that it takes next.
    at: u64,
}

/// Streams that a batch touches, with their rows as they were before it; no rows where nobody wants them.
struct Touched {
    rows: HashMap<Id, Vec<Row>>,
    wants_rows: bool,
}

impl Touched {
    fn new(wants_rows: bool) -> Self {
        Self { rows: HashMap::new(), wants_rows }
    }
}

impl Fold {
    /// Takes entries that follow each other, the first being `at`; notes which streams changed.
    fn take<S: Source>(
        &mut self,
        source: &S,
        at: u64,
        entries: &[LogEntry],
        touched: &mut Touched,
    ) -> Result<(), S::Error> {
        if self.at != at {
            // Somebody else moved the view on, or it starts anew.
            self.states.clear();
        }
        let mut undone = BTreeSet::new();
        for entry in entries {
            let Some((placed, statement)) = &entry.said else { continue };
            let said = Said { seq: entry.seq, recorded_us: placed.recorded.unix_us(), statement };
            for link in &placed.streams {
                if State::new(&link.stream).is_none() {
                    continue;
                }
                self.touch(source, at, &link.stream, link.n == 0, touched)?;
                let Some(state) = self.states.get_mut(&link.stream) else { continue };
                if state.is_undone_by(statement) {
                    undone.insert(link.stream.clone());
                }
                state.fold(&link.stream, said);
            }
            self.take_lesson(source, at, said, touched)?;
        }
        let end = entries.last().map_or(at, |last| last.seq + 1);
        for stream in undone {
            if let Some(state) = load(source, &stream, end)? {
                self.states.insert(stream, state);
            }
        }
        self.at = end;
        Ok(())
    }

    /// Sees to it that a stream's state is here, and its rows as they were before the batch are remembered.
    fn touch<S: Source>(
        &mut self,
        source: &S,
        at: u64,
        stream: &Id,
        is_new: bool,
        touched: &mut Touched,
    ) -> Result<(), S::Error> {
        let known =
            if touched.wants_rows { touched.rows.contains_key(stream) } else { self.states.contains_key(stream) };
        if known {
            return Ok(());
        }
        if !self.states.contains_key(stream) {
            let state = if is_new { State::new(stream) } else { load(source, stream, at)? };
            self.states.extend(state.map(|state| (stream.clone(), state)));
        }
        if touched.wants_rows {
            let rows = self.states.get(stream).map_or_else(Vec::new, |state| state.rows(stream));
            touched.rows.insert(stream.clone(), rows);
        }
        Ok(())
    }

    /// A playbook version that names lessons: it stands in their streams, and not in those of their incidents.
    fn take_lesson<S: Source>(
        &mut self,
        source: &S,
        at: u64,
        said: Said<'_>,
        touched: &mut Touched,
    ) -> Result<(), S::Error> {
        if said.statement.event.known() != Some(Event::PlaybookPublished) {
            return Ok(());
        }
        for lesson in said.statement.about.iter().filter(|id| id.kind() == "lesson") {
            for incident in incidents_of(source, lesson, said.seq)? {
                self.touch(source, at, &incident, false, touched)?;
                if let Some(State::Incident(case)) = self.states.get_mut(&incident) {
                    case.incident.fold_lesson(lesson, said.seq, said.statement);
                }
            }
        }
        Ok(())
    }

    /// Takes a batch and writes what it changed.
    fn take_and_save<S: Source>(
        &mut self,
        tx: &Transaction<'_>,
        source: &S,
        at: u64,
        entries: &[LogEntry],
    ) -> Result<(), Failed<S::Error>> {
        let mut touched = Touched::new(true);
        self.take(source, at, entries, &mut touched).map_err(Failed::Source)?;
        for (stream, before) in touched.rows {
            let after = self.states.get(&stream).map_or_else(Vec::new, |state| state.rows(&stream));
            save(tx, before, after)?;
        }
        self.forget_some();
        Ok(())
    }

    fn forget_some(&mut self) {
        if self.states.len() > STATES_MAX {
            self.states.clear();
        }
    }
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

impl View for Fold {
    const NAME: &'static str = "facts";
    const VERSION: i64 = 6;

    fn create() -> String {
        tables().map(Table::create).collect()
    }

    fn drop() -> String {
        tables().map(Table::drop).collect()
    }

    fn take<S: Source>(
        &mut self,
        tx: &Transaction<'_>,
        source: &S,
        at: u64,
        entries: &[LogEntry],
    ) -> Result<(), Failed<S::Error>> {
        let expunges = |entry: &LogEntry| {
            let said = entry.said.as_ref();
            said.is_some_and(|(_, said)| said.event.known() == Some(Event::EntryExpunged))
        };
        if !entries.iter().any(expunges) {
            return self.take_and_save(tx, source, at, entries);
        }
        // What an expunged entry said counts no more, and nothing says in which streams it stood: all is folded anew. It
        // is rare: two people must have ordered it.
        tx.execute_batch(&(Self::drop() + &Self::create()))?;
        let end = entries.last().map_or(at, |last| last.seq + 1);
        let mut from = 0;
        while from < end {
            let limit = usize::try_from(end - from).unwrap_or(usize::MAX).min(BATCH_ENTRIES);
            let again = source.entries(from, limit).map_err(Failed::Source)?;
            let Some(last) = again.last() else { return Ok(()) };
            self.take_and_save(tx, source, from, &again)?;
            from = last.seq + 1;
        }
        Ok(())
    }
}

/// The view of facts in `views.db`.
pub struct Facts {
    db: Connection,
    path: PathBuf,
    fold: Fold,
    at: u64,
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
        with_views(path, |mut db| {
            let mut fold = Fold::default();
            let at = catch_up(&mut db, &mut fold, source, progress)?;
            Ok(Self { db, path: path.to_owned(), fold, at })
        })
    }

    /// The view as somebody else brought it up to date.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(path: &Path) -> rusqlite::Result<Self> {
        let db = read_only(path)?;
        let at = facts_size(&db)?;
        Ok(Self { db, path: path.to_owned(), fold: Fold::default(), at })
    }

    /// Catches up with the log.
    ///
    /// # Errors
    /// As [`Facts::open`].
    pub fn catch_up<S: Source>(
        &mut self,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), ViewError<S::Error>> {
        self.at = catch_up(&mut self.db, &mut self.fold, source, progress).map_err(|e| unusable(&self.path, e))?;
        Ok(())
    }

    /// How many entries it has folded.
    pub fn size(&self) -> u64 {
        self.at
    }

    /// Forgets the states that it remembers so that catching up is quick: for a view that will not.
    pub(crate) fn forget(&mut self) {
        self.fold = Fold::default();
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
        Ok(over::<Fold>(self.table_digests()?.into_iter().map(|(_, digest)| digest)))
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
    let mut streams: Vec<&Id> = fold.states.keys().collect();
    streams.sort_unstable();
    for stream in streams {
        let mut rows = fold.states[stream].rows(stream);
        rows.sort_unstable_by(Row::order);
        for row in &rows {
            let of_table = digesters.iter_mut().find(|(table, _)| std::ptr::eq(*table, row.table));
            of_table.expect("a row is of one of the tables").1.row(row);
        }
    }
    Ok(over::<Fold>(digesters.into_iter().map(|(_, digester)| digester.finish())))
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
    let states = fold_before(source, end, progress)?.states;
    let of_incident = |(stream, state)| match state {
        State::Incident(case) => Some((stream, *case)),
        State::Alert(_) | State::Policy(_) => None,
    };
    Ok(states.into_iter().filter_map(of_incident).collect())
}

fn fold_before<S: Source>(source: &S, end: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Fold, S::Error> {
    let mut fold = Fold::default();
    let mut at = 0;
    while at < end {
        let limit = usize::try_from(end - at).unwrap_or(usize::MAX).min(BATCH_ENTRIES);
        let entries = source.entries(at, limit)?;
        let Some(last) = entries.last() else { break };
        let next = last.seq + 1;
        fold.take(source, at, &entries, &mut Touched::new(false))?;
        at = next;
        progress(at, end);
    }
    Ok(fold)
}
