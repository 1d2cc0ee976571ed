//! The threads of a verification: one reads batches, some examine them in any order, and the caller's takes them in the
//! order of the log. At most a few batches are under way at a time, so memory is bounded whatever the log holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::error::{CouldNotRun, ReadError};
use crate::examine::{Examined, examine};
use crate::known_keys::KnownKeys;
use crate::reader::{Cursor, next_batch};
use crate::store::Store;

/// Walks the whole log: `take` gets every batch, in order.
pub(crate) fn run(
    store: &Store,
    threads: usize,
    structure_only: bool,
    cancel: &AtomicBool,
    mut take: impl FnMut(Examined) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let keys = KnownKeys::default();
    let under_way_max = 2 * threads + 2;
    let (permits, permitted) = sync_channel(under_way_max);
    // As long as what may be under way, so that the reader never waits for a thread that has left.
    let (to_examine, read) = sync_channel(under_way_max);
    let (to_take, examined) = channel();
    let read = Mutex::new(read);
    let (keys, read) = (&keys, &read);
    thread::scope(|scope| {
        let failed = to_take.clone();
        scope.spawn(move || {
            let mut cursor = Cursor::start(!structure_only);
            for index in 0_u64.. {
                let Ok(()) = permitted.recv() else { return };
                let sent = match next_batch(store, &mut cursor) {
                    Ok(Some(batch)) => to_examine.send((index, batch)).is_ok(),
                    Ok(None) => false,
                    Err(error) => {
                        let _ = failed.send((index, Err(error)));
                        false
                    }
                };
                if !sent {
                    return;
                }
            }
        });
        for _ in 0..threads {
            let to_take = to_take.clone();
            scope.spawn(move || {
                loop {
                    let received = read.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((index, batch)) = received else { return };
                    if to_take.send((index, Ok(examine(batch, keys, structure_only)))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to_take);
        // Moved in, so that every way out of this closure ends the threads.
        let (permits, examined) = (permits, examined);
        for _ in 0..under_way_max {
            let _ = permits.try_send(());
        }
        let (mut next, mut waiting) = (0, BTreeMap::new());
        for (index, batch) in examined {
            waiting.insert(index, batch);
            while let Some(batch) = waiting.remove(&next) {
                check_cancelled(cancel)?;
                take(batch?)?;
                next += 1;
                let _ = permits.try_send(());
            }
        }
        check_cancelled(cancel)
    })
}

fn check_cancelled(cancel: &AtomicBool) -> Result<(), ReadError> {
    if cancel.load(Ordering::Relaxed) { Err(ReadError::CouldNotRun(CouldNotRun::Cancelled)) } else { Ok(()) }
}
