//! As of when: what people type to look back, on both axes.

use anyhow::{Context as _, Result, anyhow, bail};
use blotter_api::as_of::{self, Past};
use blotter_api::finder::Log;
use blotter_ledger::{Error, read};
use blotter_projections::{Facts, LogIndex, Moment, VIEWS, facts_as_of};
use blotter_record::Jti;
use clap::Args;

use crate::context::{Context, now_us};
use crate::progress;
use crate::session::Reader;
use crate::views::told;
use crate::when::{self, Edge, Zone};

/// As of when to look.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AsOf {
    /// As it was recorded up to and with this entry, or by this time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,

    /// Of that, only what had occurred by this time, as corrected since; a coarse time counts from its end
    #[arg(long, value_name = "TIME")]
    occurred_by: Option<String>,

    /// As it was before the eyes of whoever signed this decision: the checkpoint in its `seen`
    #[arg(long, value_name = "SEQ|JTI", conflicts_with = "as_of")]
    as_seen_by: Option<String>,
}

impl AsOf {
    /// Whether it is about now.
    pub(crate) fn is_now(&self) -> bool {
        self.as_of.is_none() && self.occurred_by.is_none() && self.as_seen_by.is_none()
    }

    /// The moment that is meant.
    pub(crate) fn moment(&self, context: &Context, reader: &Reader, zone: &Zone) -> Result<Moment> {
        let size = match (&self.as_of, &self.as_seen_by) {
            (Some(text), _) => past(context, reader, "--as-of", text, zone)?.size,
            (None, Some(decision)) => seen_by(reader, decision)?,
            (None, None) => reader.store.size().map_err(Error::from)?,
        };
        let until = |text: &String| when::read(text, Edge::Until, zone.timezone, now_us());
        let occurred_us = self.occurred_by.as_ref().map(until).transpose();
        Ok(Moment { size, occurred_us: occurred_us.map_err(|e| anyhow::anyhow!("--occurred-by: {e}"))? })
    }
}

/// As of when to look at what was recorded by then.
#[derive(Debug, Clone, Args)]
pub(crate) struct AsRecorded {
    /// As it was recorded up to and with this entry, or by this time
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<String>,

    #[command(flatten)]
    pub(crate) zone: Zone,
}

impl AsRecorded {
    /// The view of facts as of then, and what time it was: `live`, the view as it is now, or one that is built of the log's
    /// first entries, which takes a while on a long log, and a word.
    pub(crate) fn facts(&self, context: &Context, reader: &Reader, live: Facts) -> Result<(Facts, i64)> {
        let Some(text) = &self.as_of else { return Ok((live, now_us())) };
        let past = past(context, reader, "--as-of", text, &self.zone)?;
        if !context.out.json {
            let at = when::show(past.at_us, self.zone.timezone);
            context.out.note(&format!("as of {at}, by the first {} entries", past.size));
        }
        if past.size == live.size() {
            return Ok((live, past.at_us));
        }
        let bar = progress::bar(context);
        let words = context.dir().join(VIEWS);
        let log = Log(&*reader.store);
        let facts = facts_as_of(log, past.size, &words, &mut |done, size| progress::show(&bar, "facts", done, size))?;
        bar.finish_and_clear();
        Ok((facts, past.at_us))
    }
}

/// The moment that an entry's number or a time means, which `option` was given.
pub(crate) fn past(context: &Context, reader: &Reader, option: &str, text: &str, zone: &Zone) -> Result<Past> {
    let (size, now_us) = (reader.store.size().map_err(Error::from)?, now_us());
    let time = |text: &str| when::read(text, Edge::Until, zone.timezone, now_us);
    let as_of = as_of::AsOf::read(text, size, time).map_err(|why| anyhow!("{option}: {why}"))?;
    as_of.moment(&*reader.store, now_us, |at_us| {
        if reader.remote.is_some() {
            return there(reader, at_us, size);
        }
        let index = LogIndex::open(&context.dir().join(VIEWS), &Log(&*reader.store), &mut told(context))?;
        Ok(index.size_at(at_us)?)
    })
}

/// From a server: searched in halves, as times only rise but where the ledger's clock was set back.
fn there(reader: &Reader, at_us: i64, size: u64) -> Result<u64> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = read::entries(&*reader.store, middle, 1)?.pop().context("an entry is not there")?;
        if entry.said.is_none_or(|(placed, _)| placed.recorded.unix_us() <= at_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The size of the log that a decision's signer had before them.
fn seen_by(reader: &Reader, decision: &str) -> Result<u64> {
    let seq = match (decision.parse::<u64>(), decision.parse::<Jti>()) {
        (Ok(seq), _) => seq,
        (_, Ok(jti)) => reader
            .store
            .seq_of(&jti)
            .map_err(Error::from)?
            .with_context(|| format!("no statement {jti} is in this log"))?,
        _ => bail!("--as-seen-by {decision}: an entry's number or a statement's id is wanted"),
    };
    let entry = read::entries(&*reader.store, seq, 1)?.pop().with_context(|| format!("there is no entry {seq}"))?;
    let (_, statement) = entry.said.with_context(|| format!("entry {seq} was expunged"))?;
    match statement.seen {
        Some(seen) => Ok(seen.size),
        None => bail!("entry {seq} ({}) does not say what its signer had seen", statement.event),
    }
}
