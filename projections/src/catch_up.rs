//! Bringing views up to the end of a log. Those that are as far as each other go together: what they need of the log is
//! read and parsed once, and while one batch is written the next is folded. A view knows how far it got and in which log;
//! if that log is another now, or was cut or rewritten, it starts anew.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::mpsc::sync_channel;

use blotter_record::Hash;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::views::{Failed, LogEntry, Source, Values, signed};

/// Entries folded and saved at once.
pub(crate) const BATCH_ENTRIES: usize = 4_096;

/// The tables of a view.
pub(crate) struct Layout {
    /// The view's name; its tables' names begin otherwise than those of other views.
    pub(crate) name: &'static str,
    /// Changes whenever the rows would: then the view is built anew.
    pub(crate) version: i64,
    /// The statements that make its tables.
    pub(crate) create: fn() -> String,
    /// The statements that make their indexes, unless they are there.
    pub(crate) index: fn() -> String,
    /// The statements that take them away.
    pub(crate) drop: fn() -> String,
}

/// What a batch does to the tables of a view.
pub(crate) type Saving = Box<dyn FnOnce(&Transaction<'_>) -> rusqlite::Result<()> + Send>;

/// The fold behind a view.
pub(crate) trait Projection<S: Source> {
    /// Takes entries that follow each other; reads nothing but the log.
    ///
    /// # Errors
    /// If the log can't be read.
    fn fold(&mut self, source: &S, batch: &Batch<'_>) -> Result<Saving, S::Error>;

    /// Whether everything before this entry is to be folded again.
    fn starts_anew_at(&self, _: &LogEntry) -> bool {
        false
    }
}

/// Entries that follow each other, and are committed.
pub(crate) struct Batch<'a> {
    /// The first of them.
    pub(crate) at: u64,
    /// All of them.
    pub(crate) entries: &'a [LogEntry],
    values: OnceCell<HashMap<u64, Values>>,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(at: u64, entries: &'a [LogEntry]) -> Self {
        Self { at, entries, values: OnceCell::new() }
    }

    /// The entry behind the last of them.
    pub(crate) fn end(&self) -> u64 {
        self.entries.last().map_or(self.at, |last| last.seq + 1)
    }

    /// The values of all of them that the vault still has; read once.
    pub(crate) fn values<S: Source>(&self, source: &S) -> Result<&HashMap<u64, Values>, S::Error> {
        if let Some(values) = self.values.get() {
            return Ok(values);
        }
        let values = source.values_between(self.at, self.end())?;
        Ok(self.values.get_or_init(|| values.into_iter().collect()))
    }
}

/// A view on its way: its tables, and its fold.
pub(crate) type Going<'a, S> = (&'static Layout, &'a mut (dyn Projection<S> + 'static));

/// What comes next in the log.
enum Next {
    /// A batch, folded.
    Folded(Folded),
    /// An entry before which everything is to be folded again.
    Anew(Box<LogEntry>),
    /// Nothing.
    End,
}

/// A batch that was folded.
struct Folded {
    from: u64,
    end: u64,
    leaf: Hash,
    savings: Vec<Saving>,
}

/// How far views came.
pub(crate) struct Reached {
    /// Entries that all of them have.
    pub(crate) at: u64,
    /// Whether tables were made, which have no indexes yet.
    pub(crate) made: bool,
}

/// Brings views up to the end of the log. `progress(done, size)` is told after each batch.
pub(crate) fn catch_up<S: Source>(
    db: &mut Connection,
    views: &mut [Going<'_, S>],
    source: &S,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Reached, Failed<S::Error>> {
    let genesis = source.leaf(0).map_err(Failed::Source)?;
    let mut made = false;
    loop {
        let size = source.size().map_err(Failed::Source)?;
        let positions = positions(db, views, source, (&genesis, size), &mut made)?;
        let Some(at) = positions.iter().min().copied().filter(|at| *at < size) else {
            return Ok(Reached { at: size, made });
        };
        // Those that are behind go as far as the next one is.
        let until = positions.iter().copied().filter(|position| *position > at).min().unwrap_or(size);
        let behind = views.iter_mut().zip(&positions).filter(|(_, position)| **position == at);
        let mut behind: Vec<Going<'_, S>> = behind.map(|((layout, view), _)| (*layout, &mut **view)).collect();
        go(db, &mut behind, source, (at, until), &mut |done| progress(done, size))?;
    }
}

/// From `at` to `until`, or until it turns out that somebody else moved the views on.
fn go<S: Source>(
    db: &mut Connection,
    views: &mut [Going<'_, S>],
    source: &S,
    (at, until): (u64, u64),
    progress: &mut dyn FnMut(u64),
) -> Result<(), Failed<S::Error>> {
    let layouts: Vec<&Layout> = views.iter().map(|(layout, _)| *layout).collect();
    let ended = match next(views, source, at, until).map_err(Failed::Source)? {
        // One batch is not worth a thread.
        Next::Folded(only) if only.end >= until => {
            let end = only.end;
            save(db, &layouts, only)?;
            progress(end);
            return Ok(());
        }
        Next::Folded(first) => fold_and_save(db, views, source, first, until, progress)?,
        ended => ended,
    };
    match ended {
        Next::Anew(entry) => fold_again(db, views, source, &entry),
        Next::Folded(_) | Next::End => Ok(()),
    }
}

/// Folds here, and saves beside it what is folded; says what it came to that is no batch.
fn fold_and_save<S: Source>(
    db: &mut Connection,
    views: &mut [Going<'_, S>],
    source: &S,
    first: Folded,
    until: u64,
    progress: &mut dyn FnMut(u64),
) -> Result<Next, Failed<S::Error>> {
    let layouts: Vec<&Layout> = views.iter().map(|(layout, _)| *layout).collect();
    std::thread::scope(|scope| {
        let (folded, to_save) = sync_channel::<Folded>(1);
        let saver = scope.spawn(move || -> rusqlite::Result<()> {
            for folded in to_save {
                if !save(db, &layouts, folded)? {
                    break;
                }
            }
            Ok(())
        });
        let mut coming = Ok(Next::Folded(first));
        while let Ok(Next::Folded(batch)) = coming {
            let end = batch.end;
            // Where it can't be sent, the saver has ended, and says why.
            coming = match folded.send(batch) {
                Ok(()) => next(views, source, end, until),
                Err(_) => Ok(Next::End),
            };
            progress(end);
        }
        drop(folded);
        saver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        coming.map_err(Failed::Source)
    })
}

fn next<S: Source>(views: &mut [Going<'_, S>], source: &S, at: u64, until: u64) -> Result<Next, S::Error> {
    let limit = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX).min(BATCH_ENTRIES);
    let mut entries = if limit == 0 { Vec::new() } else { source.entries(at, limit)? };
    let starts_anew = |entry: &LogEntry| views.iter().any(|(_, view)| view.starts_anew_at(entry));
    match entries.iter().position(starts_anew) {
        Some(0) => return Ok(Next::Anew(Box::new(entries.swap_remove(0)))),
        Some(n) => entries.truncate(n),
        None => {}
    }
    let Some(last) = entries.last() else { return Ok(Next::End) };
    let (end, leaf) = (last.seq + 1, last.leaf);
    let batch = Batch::new(at, &entries);
    let savings = views.iter_mut().map(|(_, view)| view.fold(source, &batch)).collect::<Result<_, _>>()?;
    drop_elsewhere(entries);
    Ok(Next::Folded(Folded { from: at, end, leaf, savings }))
}

/// Frees what is large on another core.
pub(crate) fn drop_elsewhere(large: impl Send + 'static) {
    rayon::spawn(move || drop(large));
}

/// Writes a batch and where that leads; nothing, and `false`, if the views are not where it begins.
fn save(db: &mut Connection, layouts: &[&Layout], folded: Folded) -> rusqlite::Result<bool> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !are_at(&tx, layouts, folded.from)? {
        return Ok(false);
    }
    folded.savings.into_iter().try_for_each(|saving| saving(&tx))?;
    move_to(&tx, layouts, folded.end, &folded.leaf)?;
    tx.commit()?;
    Ok(true)
}

/// Takes one entry, for which a view must be folded again from the first one on; all of it at once, so that whoever reads
/// sees the view before it, or behind it.
fn fold_again<S: Source>(
    db: &mut Connection,
    views: &mut [Going<'_, S>],
    source: &S,
    entry: &LogEntry,
) -> Result<(), Failed<S::Error>> {
    let layouts: Vec<&Layout> = views.iter().map(|(layout, _)| *layout).collect();
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !are_at(&tx, &layouts, entry.seq)? {
        return Ok(());
    }
    for (layout, view) in views {
        let mut from = entry.seq;
        if view.starts_anew_at(entry) {
            tx.execute_batch(&((layout.drop)() + &(layout.create)() + &(layout.index)()))?;
            from = 0;
        }
        while from <= entry.seq {
            let limit = usize::try_from(entry.seq + 1 - from).unwrap_or(usize::MAX).min(BATCH_ENTRIES);
            let entries = source.entries(from, limit).map_err(Failed::Source)?;
            let batch = Batch::new(from, &entries);
            if batch.end() == from {
                return Ok(());
            }
            view.fold(source, &batch).map_err(Failed::Source)?(&tx)?;
            from = batch.end();
        }
    }
    move_to(&tx, &layouts, entry.seq + 1, &entry.leaf)?;
    tx.commit()?;
    Ok(())
}

/// How many entries each view has of this very log; one of another log, or of another version, is emptied first.
fn positions<S: Source>(
    db: &mut Connection,
    views: &[Going<'_, S>],
    source: &S,
    (genesis, size): (&Hash, u64),
    made: &mut bool,
) -> Result<Vec<u64>, Failed<S::Error>> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut positions = Vec::new();
    for (layout, _) in views {
        let known: Option<(i64, [u8; 32], i64, [u8; 32])> = tx
            .prepare_cached("SELECT version, genesis, size, leaf FROM view WHERE name = ?1")?
            .query_row([layout.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        if let Some((version, of, at, leaf)) = known
            && version == layout.version
            && of == genesis.0
            && let Ok(at) = u64::try_from(at)
            && at <= size
            && (at == 0 || source.leaf(at - 1).map_err(Failed::Source)?.0 == leaf)
        {
            positions.push(at);
            continue;
        }
        tx.execute_batch(&((layout.drop)() + &(layout.create)()))?;
        *made = true;
        tx.execute(
            "INSERT OR REPLACE INTO view (name, version, genesis, size, leaf) VALUES (?1, ?2, ?3, 0, zeroblob(32))",
            params![layout.name, layout.version, genesis.0.as_slice()],
        )?;
        positions.push(0);
    }
    tx.commit()?;
    Ok(positions)
}

/// Makes the indexes that are not there: at once over all rows, which is far quicker than row by row.
pub(crate) fn index(db: &mut Connection, layouts: impl Iterator<Item = &'static Layout>) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for layout in layouts {
        tx.execute_batch(&(layout.index)())?;
    }
    tx.commit()
}

fn are_at(tx: &Transaction<'_>, layouts: &[&Layout], at: u64) -> rusqlite::Result<bool> {
    let mut known = tx.prepare_cached("SELECT size = ?2 AND version = ?3 FROM view WHERE name = ?1")?;
    for layout in layouts {
        let is: Option<bool> =
            known.query_row(params![layout.name, signed(at), layout.version], |row| row.get(0)).optional()?;
        if is != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn move_to(tx: &Transaction<'_>, layouts: &[&Layout], end: u64, leaf: &Hash) -> rusqlite::Result<()> {
    let mut to = tx.prepare_cached("UPDATE view SET size = ?2, leaf = ?3 WHERE name = ?1")?;
    for layout in layouts {
        to.execute(params![layout.name, signed(end), leaf.0.as_slice()])?;
    }
    Ok(())
}
