//! `blotter log`: what has been recorded, filtered, page by page, or as it comes.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use blotter_api::finder::Finder;
use blotter_client::{EntriesQuery, RemoteStore};
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Error, Read, read, read::ReadEntry};
use blotter_projections::{Filter, Pattern, Row, Span, VIEWS};
use blotter_record::Instant;
use clap::Args;

use crate::context::{Context, now_us};
use crate::filters::Saved;
use crate::people::{People, actor_meant};
use crate::row::{Columns, Rows, to_json};
use crate::session::Reader;
use crate::views::told;
use crate::when::{self, Edge, Zone};

/// How many entries are shown if nobody says.
const SHOWN: usize = 50;
/// Entries found and printed at once.
const PAGE: usize = 1_000;
/// How often the log is looked at for new entries, in milliseconds.
const FOLLOW_MS: u64 = 250;
/// How often a server is asked for its newest checkpoint, in milliseconds.
const FOLLOW_THERE_MS: u64 = 1_000;

/// Show what was recorded
///
/// The last 50 entries, oldest first; filters can be combined. Times are when the ledger recorded, unless they are asked
/// for with --occurred-…; they are instants (2026-11-23T11:54:00Z), local times (2026-11-23T11:54), dates (the whole
/// day), or how long ago (90m, 2h, 3d, 1w). --since is the first instant shown, --until the first one not shown.
///
/// Marks: imported and notarised (somebody else attests it), late (signed more than a day before it was recorded),
/// recovered key, key compromised, unknown event, expunged.
///
/// Example: blotter log --stream incident/INC-7 --since 2h --follow
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Only entries in this stream, or in all of a kind: incident/INC-7, incident/
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,

    /// Only this event, or all that begin so: incident.opened, incident.
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,

    /// Only what this actor says: an id, the beginning of one, or the name of a key here
    #[arg(long, value_name = "WHO")]
    actor: Option<String>,

    /// Only what was recorded from then on
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only what was recorded before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    /// Only what happened from then on, as its actor says
    #[arg(long, value_name = "TIME")]
    occurred_since: Option<String>,

    /// Only what happened before, as its actor says
    #[arg(long, value_name = "TIME")]
    occurred_until: Option<String>,

    /// From this entry on: the first 50, not the last
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,

    /// Only entries before this one: the page before the one that begins with it
    #[arg(long, value_name = "SEQ")]
    before: Option<u64>,

    /// How many
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "all")]
    limit: Option<usize>,

    /// All of them
    #[arg(long)]
    all: bool,

    /// Newest first
    #[arg(long, short = 'r')]
    reverse: bool,

    /// Then wait, and show new entries as they come; Ctrl-C ends it
    #[arg(long, short = 'f', conflicts_with_all = ["reverse", "before"])]
    follow: bool,

    #[command(flatten)]
    zone: Zone,

    #[command(flatten)]
    saved: Saved,
}

pub(crate) fn run(context: &Context, args: &Log) -> Result<()> {
    let reader = Reader::open(context)?;
    let filter = args.filter(context, &reader.keyring)?;
    let size = reader.store.size().map_err(Error::from)?;
    let place = match &reader.remote {
        Some(store) => Place::There { store, withheld: Cell::new(0) },
        None => Place::Here(open_finder(context, &*reader.store, &filter)?),
    };
    let mut list = List::new(context, args, &reader, size);
    let shown = args.print(&mut list, &place, &filter, &reader, size)?;
    place.tell_withheld(context);
    if args.follow {
        return follow(list, &filter, &reader, size);
    }
    if shown == 0 && !context.out.json {
        context.out.note(if filter.is_empty() { "no entries there" } else { "no entry is like that" });
    }
    Ok(())
}

/// Where to look; the index is caught up first, which takes a word if it takes long.
fn open_finder(context: &Context, store: &dyn Read, filter: &Filter) -> Result<Finder> {
    let mut unusable = |why: &str| {
        context.out.note(&format!("scanning the log, because the index can't be used: {why}"));
    };
    Ok(Finder::open(&context.dir().join(VIEWS), store, filter, &mut told(context), &mut unusable)?)
}

/// Where entries are found.
enum Place<'a> {
    Here(Finder),
    There {
        store: &'a RemoteStore,
        /// Entries that were found, and are not for this reader.
        withheld: Cell<usize>,
    },
}

impl Place<'_> {
    /// As [`Finder::seqs`] has it; a server leaves out what is not for this reader.
    fn seqs(
        &self,
        store: &dyn Read,
        filter: &Filter,
        (from, end): (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>> {
        let (store, withheld) = match self {
            Self::Here(finder) => return Ok(finder.seqs(store, filter, (from, end), newest_first, limit)?),
            Self::There { store, withheld } => (store, withheld),
        };
        let query = EntriesQuery { from, before: Some(end), limit, newest: newest_first, ..query(filter)? };
        let (seqs, not_shown) = store.find(&query).map_err(Error::from)?;
        withheld.set(withheld.get() + not_shown);
        Ok(seqs)
    }

    fn tell_withheld(&self, context: &Context) {
        if let Self::There { withheld, .. } = self
            && withheld.get() > 0
        {
            context.out.note(&format!("{} more are not for you, and not shown", withheld.get()));
        }
    }
}

/// A filter, as the API takes it.
fn query(filter: &Filter) -> Result<EntriesQuery> {
    let text = |pattern: &Option<Pattern>| {
        pattern.as_ref().map(|pattern| match pattern {
            Pattern::Exact(text) | Pattern::Prefix(text) => text.clone(),
        })
    };
    let instant = |us: Option<i64>| us.map(Instant::from_unix_us).transpose();
    let time = |us| anyhow::Ok(instant(us)?.map(|instant| instant.as_str().to_owned()));
    Ok(EntriesQuery {
        stream: text(&filter.stream),
        event: text(&filter.event),
        actor: filter.actor.as_ref().map(|actor| actor.to_string()),
        since: time(filter.recorded.since_us)?,
        until: time(filter.recorded.until_us)?,
        occurred_since: time(filter.occurred.since_us)?,
        occurred_until: time(filter.occurred.until_us)?,
        ..EntriesQuery::default()
    })
}

impl Log {
    fn filter(&self, context: &Context, keyring: &Keyring) -> Result<Filter> {
        let now_us = now_us();
        let time = |text: &Option<String>, option: &str, edge| match text {
            None => Ok(None),
            Some(text) => when::read(text, edge, self.zone.timezone, now_us)
                .map(Some)
                .map_err(|e| anyhow::anyhow!("--{option} {text:?}: {e}")),
        };
        Ok(Filter {
            stream: self.stream.as_deref().map(stream_pattern).transpose()?,
            event: self.event.as_deref().map(|event| Pattern::new(event, '.')),
            actor: self.actor.as_deref().map(|who| actor_meant(context, keyring, who)).transpose()?,
            recorded: Span {
                since_us: time(&self.since, "since", Edge::Since)?,
                until_us: time(&self.until, "until", Edge::Until)?,
            },
            occurred: Span {
                since_us: time(&self.occurred_since, "occurred-since", Edge::Since)?,
                until_us: time(&self.occurred_until, "occurred-until", Edge::Until)?,
            },
        })
    }

    /// Prints what is there; says how many entries that were.
    fn print(
        &self,
        list: &mut List<'_>,
        place: &Place<'_>,
        filter: &Filter,
        reader: &Reader,
        size: u64,
    ) -> Result<usize> {
        let (mut from, mut end) = (self.from.unwrap_or(0), self.before.unwrap_or(size).min(size));
        let limit = if self.all { usize::MAX } else { self.limit.unwrap_or(SHOWN) };
        if !self.all && !self.reverse && (self.from.is_none() || self.before.is_some()) {
            // The newest of them, oldest first: they are found backwards, and all before the first is printed.
            let mut seqs = place.seqs(&*reader.store, filter, (from, end), true, limit)?;
            seqs.reverse();
            for page in seqs.chunks(PAGE) {
                list.print(page, filter, &reader.keyring)?;
            }
            if let Some(first) = seqs.first().filter(|first| seqs.len() == limit && **first > from) {
                list.older(*first);
            }
            return Ok(seqs.len());
        }
        let mut shown = 0;
        while from < end && shown < limit {
            let seqs = place.seqs(&*reader.store, filter, (from, end), self.reverse, PAGE.min(limit - shown))?;
            let Some(last) = seqs.last() else { break };
            if self.reverse {
                end = *last
            } else {
                from = last + 1
            }
            list.print(&seqs, filter, &reader.keyring)?;
            shown += seqs.len();
        }
        if from < end && shown == limit {
            if self.reverse { list.older(end) } else { list.newer(from) }
        }
        Ok(shown)
    }
}

fn stream_pattern(text: &str) -> Result<Pattern> {
    let kind = text.split('/').next().unwrap_or_default();
    if !blotter_record::STREAM_KINDS.contains(&kind) {
        bail!("--stream {text:?}: streams are of these kinds: {}", blotter_record::STREAM_KINDS.join(", "));
    }
    if !text.ends_with('/') {
        text.parse::<blotter_record::Id>().and_then(blotter_record::Id::into_stream)?;
    }
    Ok(Pattern::new(text, '/'))
}

/// Entries on their way to the reader.
struct List<'a> {
    context: &'a Context,
    rows: Rows<'a>,
    columns: Columns,
    begun: bool,
}

impl<'a> List<'a> {
    fn new(context: &'a Context, args: &Log, reader: &'a Reader, size: u64) -> Self {
        let rows =
            Rows { out: context.out, store: &*reader.store, zone: args.zone.timezone, people: People::default() };
        Self { context, rows, columns: Columns::new(size), begun: false }
    }

    /// Prints these entries; the index proposes, the filter decides.
    fn print(&mut self, seqs: &[u64], filter: &Filter, keyring: &Keyring) -> Result<()> {
        let entries = read::entries_at(self.rows.store, seqs, |entry| entry)?;
        let admitted: Vec<_> = entries.iter().filter(|entry| admits(filter, entry)).collect();
        self.write(&admitted, keyring)
    }

    fn write(&mut self, entries: &[&ReadEntry], keyring: &Keyring) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let out = self.context.out;
        if out.json {
            let lines = entries.iter().map(|entry| Ok(to_json(entry, keyring)?.to_string()));
            out.line(&lines.collect::<Result<Vec<_>>>()?.join("\n"));
            return Ok(());
        }
        let cells: Vec<_> = entries.iter().map(|entry| self.rows.cells(entry, keyring)).collect();
        self.columns.fit(&cells);
        if !self.begun {
            self.begun = true;
            out.line(&self.rows.heading(&self.columns));
        }
        let lines: Vec<_> = cells.iter().map(|cells| self.rows.line(cells, &mut self.columns)).collect();
        out.line(&lines.join("\n"));
        Ok(())
    }

    fn older(&self, first: u64) {
        if !self.context.out.json {
            self.context.out.note(&format!("older ones: the same with --before {first}"));
        }
    }

    fn newer(&self, next: u64) {
        if !self.context.out.json {
            self.context.out.note(&format!("more: the same with --from {next}"));
        }
    }
}

fn admits(filter: &Filter, entry: &ReadEntry) -> bool {
    match &entry.said {
        Some((placed, statement)) => filter.is_empty() || filter.admits(&Row::of(placed, statement)),
        None => filter.is_empty(),
    }
}

/// Shows new entries as they come, until somebody stops it.
fn follow(mut list: List<'_>, filter: &Filter, reader: &Reader, mut next: u64) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let mut keyring = reader.keyring.clone();
    let mut last = leaf(&*reader.store, next - 1)?;
    while !stop.load(Ordering::Relaxed) {
        if let Some(store) = &reader.remote {
            let there = follow_there(store, &mut list, filter, &mut keyring, &mut next)?;
            std::thread::sleep(if there { Duration::ZERO } else { Duration::from_millis(FOLLOW_THERE_MS) });
            continue;
        }
        let new = read::entries(&*reader.store, next, PAGE)?;
        let Some(newest) = new.last().map(|entry| entry.stored.clone()) else {
            if leaf(&*reader.store, next - 1)? != last {
                return Err(Error::Corrupt { seq: next - 1, what: "was rewritten while we followed".into() }.into());
            }
            std::thread::sleep(Duration::from_millis(FOLLOW_MS));
            continue;
        };
        for (placed, statement) in new.iter().filter_map(|entry| entry.said.as_ref()) {
            keyring.apply(placed, statement);
        }
        let admitted: Vec<_> = new.iter().filter(|entry| admits(filter, entry)).collect();
        list.write(&admitted, &keyring)?;
        (next, last) = (newest.seq + 1, newest.leaf);
    }
    Ok(())
}

/// Shows what is new on a server, up to a checkpoint that is verified to continue the one before; says whether there was any.
fn follow_there(
    store: &RemoteStore,
    list: &mut List<'_>,
    filter: &Filter,
    keyring: &mut Keyring,
    next: &mut u64,
) -> Result<bool> {
    let size = store.advance().map_err(Error::from)?;
    if size == *next {
        return Ok(false);
    }
    *keyring = read::open_keyring(store)?.keyring;
    while *next < size {
        let end = size.min(*next + PAGE as u64);
        let range = EntriesQuery { from: *next, before: Some(end), limit: PAGE, ..query(filter)? };
        let (seqs, _) = store.find(&range).map_err(Error::from)?;
        list.print(&seqs, filter, keyring)?;
        *next = end;
    }
    Ok(true)
}

fn leaf(store: &dyn Read, seq: u64) -> Result<blotter_record::Hash> {
    let leaf = store.hashes(0, seq, 1).map_err(Error::from)?.pop();
    leaf.ok_or_else(|| Error::Corrupt { seq, what: "not there any more".into() }.into())
}
