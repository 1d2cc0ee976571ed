//! A walk over a whole log that uses nothing of the writer: spelling, numbers, links, streams, signatures, tree, and every
//! signed checkpoint against that tree. It judges no authority: that is the verifier's.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::ed25519::PublicKey;
use blotter_keys::jwk::thumbprint;
use blotter_keys::merkle::Frontier;
use blotter_keys::note::VerifierKey;
use blotter_ledger::Read;
use blotter_record::{Entry, Event, Hash, Presentation, Statement, genesis_prev};

/// The roots of the trees of every size from 0 to the log's. Panics at the first thing that is wrong.
pub fn walk(store: &dyn Read) -> Vec<Hash> {
    let mut frontier = Frontier::default();
    let mut roots = vec![frontier.root()];
    let mut keys: BTreeMap<Hash, PublicKey> = BTreeMap::new();
    let mut streams: BTreeMap<String, (u64, Hash)> = BTreeMap::new();
    let mut jtis = HashSet::new();
    let mut digests_erased: HashSet<Hash> = HashSet::new();
    let (mut prev, mut recorded) = (None, None);
    let mut gap = false;
    let size = store.size().unwrap();
    for stored in store.entries(0, size as usize).unwrap() {
        let seq = roots.len() as u64 - 1;
        assert_eq!(stored.seq, seq, "entries are numbered without gap");
        let leaf = if stored.bytes.len() == 32 { stored.leaf } else { Hash::of_leaf(&stored.bytes) };
        assert_eq!(leaf, stored.leaf, "entry {seq} has its leaf hash");
        if stored.bytes.len() != 32 {
            let entry = Entry::parse(&stored.bytes).unwrap_or_else(|e| panic!("entry {seq}: {e}"));
            assert_eq!(entry.to_bytes().unwrap(), stored.bytes, "entry {seq} has one spelling");
            let statement = Statement::parse(&entry.statement).unwrap_or_else(|e| panic!("entry {seq}: {e}"));
            assert_eq!(entry.seq, seq);
            if seq == 0 {
                let origin = statement.facts.word("origin").unwrap().parse().unwrap();
                assert_eq!(entry.prev, genesis_prev(&origin), "prev of entry 0");
            } else {
                assert_eq!(Some(entry.prev), prev, "prev of entry {seq}");
            }
            assert!(jtis.insert(statement.jti), "{} is recorded once", statement.jti);
            let stepped = statement.event.known() == Some(Event::ClockStepped);
            assert!(stepped || recorded.as_ref().is_none_or(|before| *before <= entry.recorded), "recorded of {seq}");
            recorded = Some(entry.recorded.clone());
            assert!(entry.streams.iter().map(|link| &link.stream).eq(statement.streams()), "streams of entry {seq}");
            for link in &entry.streams {
                let before = streams.get(link.stream.as_str()).copied();
                // Across an expunged entry, links are taken from the entries behind it.
                let next = before.map_or(0, |(n, _)| n + 1);
                let joins = link.n == next && link.prev == before.map(|(_, leaf)| leaf);
                assert!(joins || (gap && link.n > next), "entry {seq} in {}: {link:?} behind {before:?}", link.stream);
                streams.insert(link.stream.to_string(), (link.n, leaf));
            }
            if let Some(public) = statement.facts.jwk("jwk").and_then(|x| PublicKey::from_bytes(&x).ok()) {
                keys.entry(thumbprint(&public)).or_insert(public);
            }
            keys[&statement.kid]
                .verify(statement.signing_input(), statement.signature())
                .unwrap_or_else(|e| panic!("entry {seq}: {e}"));
            if statement.event.known() == Some(Event::ErasureExecuted) {
                digests_erased.extend(statement.facts.items("items").iter().map(|item| item.digest));
            }
            check_disclosures(store, seq, &statement);
        } else {
            gap = true;
            assert!(store.disclosures(seq).unwrap().is_empty(), "expunged entry {seq} discloses nothing");
        }
        prev = Some(leaf);
        frontier.push(leaf);
        roots.push(frontier.root());
    }
    for seq in 0..size {
        for text in store.disclosures(seq).unwrap() {
            assert!(!digests_erased.contains(&Hash::of(text.as_bytes())), "an erased value of entry {seq} is there");
        }
    }
    roots
}

fn check_disclosures(store: &dyn Read, seq: u64, statement: &Statement) {
    let mut text = format!("{}~", statement.jws());
    for disclosure in store.disclosures(seq).unwrap() {
        text.push_str(&disclosure);
        text.push('~');
    }
    Presentation::parse(&text).unwrap_or_else(|e| panic!("disclosures of entry {seq}: {e}"));
}

/// All checkpoints of a database, by size.
pub fn checkpoints(database: &Path) -> Vec<(u64, String)> {
    let db = rusqlite::Connection::open(database).unwrap();
    let mut rows = db.prepare("SELECT size, note FROM checkpoint ORDER BY size").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Walks, and holds every checkpoint against the tree: signed by one of the keys, over the root at its size; the newest
/// over the whole log.
pub fn walk_with_checkpoints(store: &dyn Read, notes: &[(u64, String)], keys: &[VerifierKey]) -> Vec<Hash> {
    let roots = walk(store);
    for (size, note) in notes {
        let note = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        let checkpoint = note.open(note.claimed_origin(), keys).unwrap();
        assert_eq!(checkpoint.size(), *size);
        assert_eq!(Some(checkpoint.root()), roots.get(*size as usize), "the checkpoint of size {size} is of this log");
    }
    assert_eq!(notes.last().map(|(size, _)| *size), Some(roots.len() as u64 - 1), "the newest covers the log");
    roots
}
