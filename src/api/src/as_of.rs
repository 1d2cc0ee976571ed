//! As of when: an entry or a time, as somebody typed it, and what that means for a log. One reading for the API and for
//! the shell, which differ only in how times are spelled and where they are looked up.

use blotter_ledger::{Error, Read, read};
use blotter_projections::LogIndex;
use blotter_record::Instant;

use crate::app::App;
use crate::measures::unusable;
use crate::problem::Problem;

/// What somebody wants to look back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// This entry, itself included.
    Entry(u64),
    /// This time, in microseconds since 1970.
    Time(i64),
}

/// A moment of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Entries that it had.
    pub size: u64,
    /// What time it was, in microseconds since 1970: the time that was asked for, or that at which the entry was recorded.
    pub at_us: i64,
}

impl AsOf {
    /// Reads the number of an entry of a log of `size`; what is no number is a time, which `time` reads.
    ///
    /// # Errors
    /// Says that there is no such entry, or what `time` says.
    pub fn read(text: &str, size: u64, time: impl FnOnce(&str) -> Result<i64, String>) -> Result<Self, String> {
        match text.parse::<u64>() {
            Ok(seq) if seq < size => Ok(Self::Entry(seq)),
            Ok(seq) => Err(format!("there is no entry {seq}; the log has {size}")),
            Err(_) => time(text).map(Self::Time),
        }
    }

    /// The moment that it means; `size_at` says how many entries were recorded by a time. What has not come yet is now.
    ///
    /// # Errors
    /// If log or index can't be read.
    pub fn moment<E: From<Error>>(
        self,
        store: &dyn Read,
        now_us: i64,
        size_at: impl FnOnce(i64) -> Result<u64, E>,
    ) -> Result<Past, E> {
        match self {
            Self::Entry(seq) => Ok(Past { size: seq + 1, at_us: recorded_us(store, seq)?.unwrap_or(now_us) }),
            Self::Time(at_us) => Ok(Past { size: size_at(at_us)?, at_us: at_us.min(now_us) }),
        }
    }
}

/// When an entry was recorded; of one that was expunged, when the last one before it was that is there.
fn recorded_us(store: &dyn Read, seq: u64) -> Result<Option<i64>, Error> {
    for seq in (0..=seq).rev() {
        let said = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said);
        if let Some((placed, _)) = said {
            return Ok(Some(placed.recorded.unix_us()));
        }
    }
    Ok(None)
}

/// The moment that the parameter `at` of a request names.
pub(crate) fn asked(app: &App, store: &dyn Read, at: &'static str, text: &str) -> Result<Past, Problem> {
    let time = |text: &str| {
        let instant = text.parse::<Instant>();
        instant.map(|at| at.unix_us()).map_err(|_| "the number of an entry or an instant is wanted".to_owned())
    };
    let as_of = AsOf::read(text, store.size()?, time);
    let as_of = as_of.map_err(|what| Problem::new("bad-parameter", format!("{at}: {what}")).at(at))?;
    as_of.moment(store, (app.clock)(), |at_us| {
        // The index is brought to the head with the other views.
        drop(app.views.read(store)?);
        let size = LogIndex::read(app.views.path()).and_then(|index| index.size_at(at_us));
        size.map_err(|cause| unusable(&cause).into())
    })
}
