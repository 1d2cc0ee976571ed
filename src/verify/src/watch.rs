//! Ends what SQLite is doing when the caller wants to stop: a single statement over a large database can take long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rusqlite::InterruptHandle;

/// How long a wish to stop may go unnoticed, in milliseconds.
const LOOK_EVERY_MS: u64 = 50;

/// Does `work`; once `cancel` is set, everything that `connections` run is interrupted, until the work is done.
pub(crate) fn interruptible<T>(connections: &[InterruptHandle], cancel: &AtomicBool, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                if cancel.load(Ordering::Relaxed) {
                    connections.iter().for_each(InterruptHandle::interrupt);
                }
                thread::park_timeout(Duration::from_millis(LOOK_EVERY_MS));
            }
        });
        // Also when the work panics: else the scope would wait for ever.
        let _end = OnDrop(|| {
            done.store(true, Ordering::Release);
            watcher.thread().unpark();
        });
        work()
    })
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
