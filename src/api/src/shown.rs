//! What may be shown to whom: the incidents that are restricted (TLP:RED), as the log says. It is brought up to the head
//! before anything is shown, so nobody reads an entry that was restricted just before.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use blotter_ledger::{Error, Read, read};
use blotter_projections::{Filter, LogIndex, Pattern};
use blotter_record::{ActorId, Event, Id, Statement};

use crate::finder::Log;

/// Entries that are read at once.
const PAGE: usize = 2_048;

/// The restricted incidents at a position of the log.
#[derive(Clone)]
pub(crate) struct Shown {
    position: u64,
    /// By the folded id of the incident's stream: who may read it.
    restricted: HashMap<String, BTreeSet<ActorId>>,
}

impl Shown {
    /// Reads the log up to its head; with the help of the index in `views`, if that can be used.
    pub(crate) fn open(store: &dyn Read, views: &Path) -> Result<Self, Error> {
        let mut shown = Self { position: 0, restricted: HashMap::new() };
        let size = store.size()?;
        let index = LogIndex::open(views, &Log(store), &mut |_, _| {}).map_err(|error| error.to_string());
        match index.and_then(|index| deciding(&index, size).map_err(|error| error.to_string())) {
            Ok(seqs) => {
                for seq in seqs {
                    let entries = read::entries(store, seq, 1)?;
                    entries.iter().filter_map(|entry| entry.said.as_ref()).for_each(|(_, said)| shown.fold(said));
                }
                shown.position = size;
            }
            Err(why) => tracing::warn!(why, "the index can't be used; reading the whole log"),
        }
        shown.catch_up(store)?;
        Ok(shown)
    }

    /// Reads what is new.
    pub(crate) fn catch_up(&mut self, store: &dyn Read) -> Result<(), Error> {
        let size = store.size()?;
        while self.position < size {
            let entries = read::entries(store, self.position, PAGE)?;
            let Some(last) = entries.last() else { break };
            self.position = last.stored.seq + 1;
            entries.iter().filter_map(|entry| entry.said.as_ref()).for_each(|(_, statement)| self.fold(statement));
        }
        Ok(())
    }

    fn fold(&mut self, statement: &Statement) {
        let readers: BTreeSet<ActorId> = match statement.event.known() {
            Some(Event::IncidentOpened) => {
                statement.facts.actor("lead").into_iter().chain([&statement.iss]).cloned().collect()
            }
            Some(Event::IncidentRestricted) => statement.facts.actors("readers").into_iter().cloned().collect(),
            _ => return,
        };
        let stream = statement.sub.folded();
        match statement.facts.word("tlp") {
            Some("red") => self.restricted.insert(stream, readers),
            _ => self.restricted.remove(&stream),
        };
    }

    /// The incidents that `actor` may not read, by their folded ids.
    pub(crate) fn hidden_from(&self, actor: Option<&ActorId>) -> Vec<String> {
        let may = |readers: &BTreeSet<ActorId>| actor.is_some_and(|actor| readers.contains(actor));
        self.restricted.iter().filter(|(_, readers)| !may(readers)).map(|(stream, _)| stream.clone()).collect()
    }

    /// Entries up to which this is known.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether `actor` may read what stands in these streams.
    pub(crate) fn may_read<'a>(&self, actor: &ActorId, mut streams: impl Iterator<Item = &'a Id>) -> bool {
        self.restricted.is_empty()
            || streams.all(|stream| self.restricted.get(&stream.folded()).is_none_or(|readers| readers.contains(actor)))
    }
}

/// Entries that open or restrict an incident, in their order.
fn deciding(index: &LogIndex, size: u64) -> rusqlite::Result<Vec<u64>> {
    let mut seqs = Vec::new();
    for event in [Event::IncidentOpened, Event::IncidentRestricted] {
        let filter = Filter { event: Some(Pattern::Exact(event.name().to_owned())), ..Filter::default() };
        seqs.extend(index.seqs(&filter, (0, size), false, usize::MAX >> 1)?);
    }
    seqs.sort_unstable();
    Ok(seqs)
}
