//! The views behind the pages on incidents: brought up to the head by a thread that follows the log, and read by whoever
//! asks. A reader gets what its question found committed, or is told how far the views were.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use blotter_ledger::{Error, Read};
use blotter_projections::{Until, View, ViewError, Views as Rows, facts_size, is_stale, read_only, replace};
use rusqlite::Connection;

use crate::app::App;
use crate::finder::Log;
use crate::problem::Problem;

/// How long a reader waits for views that are behind.
const WAIT_MS_MAX: u64 = 2_000;
/// Entries that the follower takes before it looks whether the server ends.
const STEP_ENTRIES: u64 = 32_768;
/// How long the follower rests after a failure.
const REST_MS: u64 = 1_000;

/// How far the views are.
pub(crate) struct Views {
    path: PathBuf,
    followed: AtomicBool,
    /// The views are of an older version, and serve until they are built anew.
    stale: AtomicBool,
    position: Mutex<u64>,
    moved: Condvar,
}

impl Views {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            followed: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            position: Mutex::new(0),
            moved: Condvar::new(),
        }
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The views with all entries that are committed now, and how many these are. Where nobody follows, they are caught up
    /// here.
    pub(crate) fn read(&self, store: &dyn Read) -> Result<(Connection, u64), Problem> {
        let unusable = |why: String| {
            tracing::error!(why, "the views can't be read");
            Problem::new("unavailable", "the views can't be read; the server's log says why")
        };
        if self.stale.load(Ordering::Relaxed) {
            let db = read_only(&self.path).map_err(|error| unusable(error.to_string()))?;
            let size = facts_size(&db).map_err(|error| unusable(error.to_string()))?;
            return Ok((db, size));
        }
        let size = store.size()?;
        if !self.followed.load(Ordering::Relaxed) {
            Rows::open(&self.path, View::ALL, &Log(store), &mut |_, _| {})
                .map_err(|error| unusable(error.to_string()))?;
        } else if self.wait(size) < size {
            return Err(Problem::new("busy", "the views are behind the log").retry_after(WAIT_MS_MAX));
        }
        let db = read_only(&self.path).map_err(|error| unusable(error.to_string()))?;
        Ok((db, size))
    }

    /// Waits until the views have `size` entries, or long enough.
    fn wait(&self, size: u64) -> u64 {
        let position = self.position.lock().expect("no thread panics while it holds this");
        let (position, _) = self
            .moved
            .wait_timeout_while(position, Duration::from_millis(WAIT_MS_MAX), |position| *position < size)
            .expect("no thread panics while it holds this");
        *position
    }

    /// Follows the log until `stop` says so.
    pub(crate) fn follow(&self, app: &App, stop: &AtomicBool) {
        if is_stale(&self.path) {
            self.renew(app, stop);
        }
        self.followed.store(true, Ordering::Relaxed);
        // Where the views already are: a step never ends before that.
        let there =
            read_only(&self.path).and_then(|db| db.query_row("SELECT max(size) FROM view", [], |row| row.get(0)));
        let (mut rows, mut done) = (None, there.map_or(0, |size: i64| size.unsigned_abs()));
        while !stop.load(Ordering::Relaxed) {
            // A long way is gone in steps, so that a server that ends need not wait for all of it.
            let step = done + STEP_ENTRIES;
            match app.ledger.read(|store| Ok(catch_up(&self.path, store, step, &mut rows))) {
                Ok(Ok(size)) => {
                    done = size;
                    *self.position.lock().expect("no thread panics while it holds this") = size;
                    self.moved.notify_all();
                }
                Ok(Err(error)) => rest("views", &error.to_string(), &mut rows),
                Err(error) => rest("log", &error.to_string(), &mut rows),
            }
            app.ledger.wait_beyond(done, Duration::from_millis(500));
        }
        self.followed.store(false, Ordering::Relaxed);
    }
}

impl Views {
    /// Builds the views of an older version anew beside them; meanwhile the old ones are read.
    fn renew(&self, app: &App, stop: &AtomicBool) {
        tracing::info!("the views are of an older version; building them anew");
        self.stale.store(true, Ordering::Relaxed);
        let scratch = self.path.with_extension("db.new");
        let (mut rows, mut done) = (None, 0);
        while !stop.load(Ordering::Relaxed) {
            match app.ledger.read(|store| Ok(catch_up(&scratch, store, done + STEP_ENTRIES, &mut rows))) {
                Ok(Ok(size)) if size == app.ledger.size() || size == done => break,
                Ok(Ok(size)) => done = size,
                Ok(Err(error)) => rest("views", &error.to_string(), &mut rows),
                Err(error) => rest("log", &error.to_string(), &mut rows),
            }
        }
        drop(rows);
        if !stop.load(Ordering::Relaxed)
            && let Err(error) = replace(&self.path, &scratch)
        {
            // Then they are built where they stand.
            tracing::warn!(%error, "the new views can't be put in place");
        }
        self.stale.store(false, Ordering::Relaxed);
    }
}

fn rest(what: &str, why: &str, rows: &mut Option<Rows>) {
    tracing::warn!(what, why, "the views don't follow the log now; trying again");
    *rows = None;
    std::thread::sleep(Duration::from_millis(REST_MS));
}

/// Brings all views to the head as it is now, or to `end`; what `rows` remembers makes that quick.
fn catch_up(path: &Path, store: &dyn Read, end: u64, rows: &mut Option<Rows>) -> Result<u64, ViewError<Error>> {
    let rows = match rows {
        Some(rows) => rows,
        None => rows.insert(Rows::begin(path, View::ALL)?),
    };
    // Not to what comes meanwhile: whoever waits is to be told soon.
    let head = store.size().map_err(|error| ViewError::Source(error.into()))?;
    rows.catch_up(&Until::new(Log(store), end.min(head)), &mut |_, _| {})?;
    if rows.size() >= head {
        rows.index()?;
    }
    Ok(rows.size())
}
