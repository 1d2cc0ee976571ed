//! The view of facts as of a moment, for whoever asks how things stood. It is built of the log's first entries when it is
//! asked for, and the last one is kept, so that the next page of the same moment need not wait. Words are those that the
//! live views have now; a reader sees what they may see now.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use blotter_ledger::Read;
use blotter_projections::{Facts, Filter, LogIndex, Pattern, facts_as_of};
use blotter_record::Event;

use crate::app::App;
use crate::as_of::asked;
use crate::finder::Log;
use crate::measures::{unusable, view_error, views};
use crate::problem::Problem;

/// How long a reader waits while others are having a past built, or ask one.
const WAIT_MS_MAX: u64 = 2_000;

/// The past that was built last.
#[derive(Default)]
pub(crate) struct PastViews {
    place: Mutex<Place>,
    free: Condvar,
}

#[derive(Default)]
struct Place {
    /// Somebody has it, or is building another.
    is_taken: bool,
    kept: Option<Kept>,
}

struct Kept {
    facts: Facts,
    /// Entries that the log had when it was built.
    built_at: u64,
}

/// Whoever holds it is the only one who builds and asks.
struct Turn<'a>(&'a PastViews);

impl PastViews {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().expect("no thread panics while it holds this")
    }

    fn turn(&self) -> Result<(Turn<'_>, Option<Kept>), Problem> {
        let wait = Duration::from_millis(WAIT_MS_MAX);
        let (mut place, waited) = self
            .free
            .wait_timeout_while(self.place(), wait, |place| place.is_taken)
            .expect("no thread panics while it holds this");
        if waited.timed_out() && place.is_taken {
            return Err(Problem::new("busy", "others are looking back; try again").retry_after(WAIT_MS_MAX));
        }
        place.is_taken = true;
        Ok((Turn(self), place.kept.take()))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.place().is_taken = false;
        self.0.free.notify_one();
    }
}

/// Asks the view of facts as of `as_of`, or as it is now; `ask` is told the index of the whole log, and what time it was.
pub(crate) fn with_facts<T>(
    app: &App,
    store: &dyn Read,
    as_of: Option<&str>,
    ask: impl FnOnce(&Facts, &LogIndex, i64) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let (facts, index) = views(app, store)?;
    let Some(text) = as_of else { return ask(&facts, &index, (app.clock)()) };
    let past = asked(app, store, "as_of", text)?;
    if past.size == facts.size() {
        return ask(&facts, &index, past.at_us);
    }
    let (turn, kept) = app.past.turn()?;
    let head = facts.size();
    drop(facts);
    let kept = match kept {
        Some(kept) if kept.facts.size() == past.size && !has_expunged(&index, kept.built_at)? => kept,
        other => {
            drop(other);
            let facts = facts_as_of(Log(store), past.size, app.views.path(), &mut |_, _| {});
            Kept { facts: facts.map_err(view_error)?, built_at: head }
        }
    };
    let answer = ask(&kept.facts, &index, past.at_us);
    turn.0.place().kept = Some(kept);
    answer
}

/// Whether an entry was expunged since the log had `from` entries: what it said counts no more, at any moment.
fn has_expunged(index: &LogIndex, from: u64) -> Result<bool, Problem> {
    let event = Pattern::Exact(Event::EntryExpunged.name().to_owned());
    let filter = Filter { event: Some(event), ..Filter::default() };
    let found = index.seqs(&filter, (from, u64::MAX >> 1), false, 1);
    Ok(!found.map_err(|cause| unusable(&cause))?.is_empty())
}
