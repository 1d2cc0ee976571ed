//! The views of a ledger directory, caught up and ready to be asked.

use anyhow::{Context as _, Result, bail};
use blotter_api::finder::Log;
use blotter_projections::{Facts, LogIndex, VIEWS, View, Views};

use crate::context::Context;
use crate::session::Reader;

/// A catch-up over fewer entries is not worth a word.
const TOLD_ENTRIES_MIN: u64 = 50_000;

/// The view of facts, caught up with the log.
pub(crate) fn facts(context: &Context, reader: &Reader) -> Result<Facts> {
    opened(context, reader, &[View::Facts]).map(Facts::from)
}

/// These views, caught up.
pub(crate) fn opened(context: &Context, reader: &Reader, which: &'static [View]) -> Result<Views> {
    if reader.remote.is_some() {
        bail!("this needs the ledger's directory (--dir); a server answers it at /v1");
    }
    let path = context.dir().join(VIEWS);
    Views::open(&path, which, &Log(&*reader.store), &mut told(context))
        .with_context(|| format!("{}: a view can be deleted at any time, and comes back", path.display()))
}

/// The views of facts and of alerts' words, caught up: one database, in which both can be asked.
pub(crate) fn alerts(context: &Context, reader: &Reader) -> Result<Facts> {
    opened(context, reader, &[View::Facts, View::Alerts]).map(Facts::from)
}

/// The index of the log, caught up with it.
pub(crate) fn log_index(context: &Context, reader: &Reader) -> Result<LogIndex> {
    let path = context.dir().join(VIEWS);
    LogIndex::open(&path, &Log(&*reader.store), &mut told(context))
        .with_context(|| format!("{}: a view can be deleted at any time, and comes back", path.display()))
}

/// Tells a person how far a long catch-up is.
pub(crate) fn told(context: &Context) -> impl FnMut(u64, u64) {
    let (out, mut told) = (context.out, 0);
    move |done, size| {
        if size > TOLD_ENTRIES_MIN && done.saturating_sub(told) > TOLD_ENTRIES_MIN && !out.json {
            told = done;
            out.note(&format!("building {VIEWS}: {done} of {size} entries"));
        }
    }
}
