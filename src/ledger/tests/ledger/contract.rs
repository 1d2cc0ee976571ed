//! The contract of the store port, as one function over any store. The judge is the port's own text; in the last test it
//! is a second store that shares nothing with the first but the port.

use std::collections::HashSet;
use std::path::PathBuf;

use blotter_keys::judge::{Blocking, StreamState};
use blotter_ledger::{Batch, NewEntry, Read, Sqlite, Store, StoreError};
use blotter_record::{Disclosure, Hash, Id, Jti};
use blotter_tests::{Dice, Memory};

/// Makes one empty store, and opens it again.
trait Home {
    fn create(&self) -> Box<dyn Store>;
    fn reopen(&self) -> Box<dyn Store>;
}

struct OnSqlite(PathBuf);

impl Home for OnSqlite {
    fn create(&self) -> Box<dyn Store> {
        Box::new(Sqlite::create(&self.0).unwrap())
    }

    fn reopen(&self) -> Box<dyn Store> {
        Box::new(Sqlite::open(&self.0).unwrap())
    }
}

struct InMemory(Memory);

impl Home for InMemory {
    fn create(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }

    fn reopen(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }
}

/// Runs a clause of the contract against every store.
fn for_every_store(clause: impl Fn(&dyn Home)) {
    let dir = tempfile::tempdir().unwrap();
    clause(&OnSqlite(dir.path().join("ledger.db")));
    clause(&InMemory(Memory::default()));
}

fn jti(n: u64) -> Jti {
    Jti::v8(Hash::of(&n.to_be_bytes()).0[..16].try_into().unwrap())
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

fn value(n: u64, name: &str) -> Disclosure {
    Disclosure::new(&Hash::of(&n.to_be_bytes()).0[..16], name, format!("value {n}").into()).unwrap()
}

fn entry(seq: u64, links: &[(&str, u64)]) -> NewEntry {
    let bytes = format!("entry {seq}").into_bytes();
    NewEntry {
        seq,
        leaf: Hash::of_leaf(&bytes),
        jti: jti(seq),
        bytes,
        links: links.iter().map(|(stream, n)| (id(stream), *n)).collect(),
        disclosures: vec![value(seq * 10, "title"), value(seq * 10 + 1, "detail")],
        trust: seq.is_multiple_of(3),
    }
}

fn state(stream: &str, count: u64) -> StreamState {
    let blocking = Blocking { last: Some((count, "person/a".parse().unwrap())), last_by_other: Some(1) };
    StreamState { id: id(stream), count, leaf: Hash::of(&count.to_be_bytes()), imported: false, blocking }
}

fn batch(expected_size: u64, entries: Vec<NewEntry>, streams: Vec<StreamState>) -> Batch {
    let size = expected_size + entries.len() as u64;
    Batch { expected_size, entries, streams, checkpoint: format!("checkpoint of {size}"), ..Batch::default() }
}

fn two_entries() -> Batch {
    let entries = vec![entry(0, &[("ledger", 0)]), entry(1, &[("incident/A", 0), ("ledger", 1)])];
    let mut batch = batch(0, entries, vec![state("ledger", 2), state("incident/A", 1)]);
    batch.nodes = vec![(1, 0, Hash::of(b"node"))];
    batch.blobs = vec![("blob".to_owned(), b"bytes".to_vec())];
    batch
}

fn digest(n: u64, name: &str) -> Hash {
    value(n, name).digest()
}

fn check_two_entries(store: &dyn Read) {
    assert_eq!(store.size().unwrap(), 2);
    assert_eq!(store.checkpoint().unwrap().as_deref(), Some("checkpoint of 2"));
    let entries = store.entries(0, 10).unwrap();
    let bytes: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.bytes.as_slice())).collect();
    assert_eq!(bytes, [(0, &b"entry 0"[..]), (1, b"entry 1")]);
    assert_eq!((store.seq_of(&jti(1)).unwrap(), store.seq_of(&jti(2)).unwrap()), (Some(1), None));
    assert_eq!(store.stream(&id("incident/A")).unwrap(), Some(state("incident/A", 1)));
    assert_eq!(store.stream_seqs(&id("ledger"), 0, 10).unwrap(), [0, 1]);
    assert_eq!(store.hashes(0, 0, 2).unwrap(), [entries[0].leaf, entries[1].leaf]);
    assert_eq!(store.hashes(1, 0, 1).unwrap(), [Hash::of(b"node")]);
    assert_eq!(store.disclosures(1).unwrap(), [value(10, "title").text(), value(11, "detail").text()]);
    assert_eq!(store.blob("blob").unwrap().as_deref(), Some(&b"bytes"[..]));
    assert_eq!(store.trusted().unwrap(), [0]);
}

#[test]
fn an_empty_store_says_so() {
    for_every_store(|home| {
        let store = home.create();
        assert_eq!(store.size().unwrap(), 0);
        assert_eq!(store.checkpoint().unwrap(), None);
        assert!(store.entries(0, 10).unwrap().is_empty());
        assert_eq!(store.seq_of(&jti(0)).unwrap(), None);
        assert_eq!(store.stream(&id("ledger")).unwrap(), None);
        assert!(store.stream_seqs(&id("ledger"), 0, 10).unwrap().is_empty());
        assert!(store.disclosures(0).unwrap().is_empty());
        assert_eq!(store.blob("blob").unwrap(), None);
        assert!(store.trusted().unwrap().is_empty());
    });
}

#[test]
fn what_was_appended_is_there_for_the_writer_for_readers_and_after_reopening() {
    for_every_store(|home| {
        let mut store = home.create();
        let readers = store.readers();
        let early = readers();
        store.append(&two_entries()).unwrap();
        check_two_entries(&*store);
        check_two_entries(&*readers().unwrap());
        if let Ok(early) = early {
            check_two_entries(&*early);
        }
        drop(store);
        check_two_entries(&*home.reopen());
    });
}

#[test]
fn another_size_than_expected_is_a_conflict_and_changes_nothing() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        for expected in [0, 1, 3, u64::MAX >> 1] {
            let mut late = batch(expected, vec![entry(7, &[])], vec![state("ledger", 9)]);
            late.erase = vec![digest(10, "title")];
            late.drop_blobs = vec!["blob".to_owned()];
            assert!(matches!(store.append(&late), Err(StoreError::Conflict { size: 2 })), "{expected}");
            check_two_entries(&*store);
        }
    });
}

#[test]
fn ranges_are_cut_at_the_end_and_missing_hashes_are_damage() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        let seqs = |from, limit| store.entries(from, limit).unwrap().iter().map(|entry| entry.seq).collect::<Vec<_>>();
        assert_eq!((seqs(0, 1), seqs(1, 9), seqs(2, 9)), (vec![0], vec![1], vec![]));
        assert!(seqs(u64::MAX, 9).is_empty());
        assert_eq!(store.stream_seqs(&id("ledger"), 1, 9).unwrap(), [1]);
        assert_eq!(store.stream_seqs(&id("ledger"), 0, 1).unwrap(), [0]);
        assert!(store.stream_seqs(&id("ledger"), u64::MAX, 1).unwrap().is_empty());
        assert!(store.disclosures(u64::MAX).unwrap().is_empty());
        for (level, start, count) in [(0, 1, 2), (0, 2, 1), (1, 1, 1), (2, 0, 1), (0, u64::MAX, 1), (7, 1 << 60, 3)] {
            let answer = store.hashes(level, start, count);
            assert!(matches!(answer, Err(StoreError::Corrupt { .. })), "{level} {start} {count}: {answer:?}");
        }
    });
}

#[test]
fn a_stream_is_found_whatever_the_case_and_keeps_its_first_spelling() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        assert_eq!(store.stream(&id("incident/a")).unwrap().unwrap().id, id("incident/A"));
        store.append(&batch(2, vec![entry(2, &[("incident/A", 1)])], vec![state("incident/A", 2)])).unwrap();
        let there = store.stream(&id("incident/a")).unwrap().unwrap();
        assert_eq!((there.id, there.count), (id("incident/A"), 2));
        assert_eq!(store.stream_seqs(&id("incident/A"), 0, 9).unwrap(), [1, 2]);
    });
}

#[test]
fn an_erasure_takes_the_named_values_and_no_others() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        let mut erasing = batch(2, vec![entry(2, &[])], Vec::new());
        erasing.erase = vec![digest(10, "title")];
        erasing.drop_blobs = vec!["blob".to_owned()];
        store.append(&erasing).unwrap();
        assert_eq!(store.disclosures(1).unwrap(), [value(11, "detail").text()]);
        assert_eq!(store.disclosures(0).unwrap().len(), 2);
        assert_eq!(store.blob("blob").unwrap(), None);
    });
}

#[test]
fn a_copy_of_an_erased_value_in_another_statement_goes_too() {
    for_every_store(|home| {
        let mut store = home.create();
        let mut copied = two_entries();
        copied.entries[0].disclosures = vec![value(10, "title"), value(1, "detail")];
        store.append(&copied).unwrap();
        let mut erasing = batch(2, vec![entry(2, &[])], Vec::new());
        erasing.erase = vec![digest(10, "title")];
        store.append(&erasing).unwrap();
        assert_eq!(store.disclosures(1).unwrap(), [value(11, "detail").text()]);
        assert_eq!(store.disclosures(0).unwrap(), [value(1, "detail").text()]);
    });
}

#[test]
fn an_expunged_entry_is_its_leaf_hash_and_discloses_nothing() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        let leaf = entry(1, &[]).leaf;
        let mut expunging = batch(2, vec![entry(2, &[])], Vec::new());
        expunging.expunge = vec![(1, leaf)];
        store.append(&expunging).unwrap();
        let stored = store.entries(1, 1).unwrap().remove(0);
        assert!(stored.is_expunged());
        assert_eq!((stored.bytes.as_slice(), stored.leaf), (&leaf.0[..], leaf));
        assert!(store.disclosures(1).unwrap().is_empty());
        assert_eq!(store.disclosures(0).unwrap().len(), 2);
    });
}

#[test]
fn erasing_again_takes_every_value_with_such_a_digest() {
    for_every_store(|home| {
        let mut store = home.create();
        store.append(&two_entries()).unwrap();
        let digests = HashSet::from([digest(0, "title"), digest(11, "detail"), Hash::of(b"no value's")]);
        assert_eq!(store.erase_again(&digests).unwrap(), 2);
        assert_eq!(store.erase_again(&digests).unwrap(), 0);
        assert_eq!(store.disclosures(0).unwrap(), [value(1, "detail").text()]);
        assert_eq!(store.disclosures(1).unwrap(), [value(10, "title").text()]);
    });
}

/// Everything that can be asked of a store.
fn everything(store: &dyn Read, streams: &[&str]) -> String {
    let mut text = format!("{:?} {:?} {:?}\n", store.size(), store.checkpoint(), store.trusted());
    let size = store.size().unwrap();
    for stored in store.entries(0, usize::try_from(size).unwrap()).unwrap() {
        text.push_str(&format!(
            "{stored:?} {:?} {:?}\n",
            store.disclosures(stored.seq),
            store.seq_of(&jti(stored.seq))
        ));
    }
    for stream in streams {
        text.push_str(&format!("{:?} {:?}\n", store.stream(&id(stream)), store.stream_seqs(&id(stream), 0, 1_000)));
    }
    for n in 0..20 {
        text.push_str(&format!("{:?} {:?}\n", store.blob(&format!("b{n}")).unwrap(), store.hashes(1, n, 1).ok()));
    }
    text
}

/// The judge is the store in memory, which is written in the port's words and shares no code with SQLite.
#[test]
fn after_any_batches_every_store_answers_alike() {
    const STREAMS: [&str; 4] = ["ledger", "incident/A", "incident/B", "alert/x.1"];
    let mut dice = Dice::from_environment();
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let home = OnSqlite(dir.path().join("ledger.db"));
        let (mut one, mut model) = (home.create(), Memory::default());
        let mut counts = [0_u64; STREAMS.len()];
        for round in 0..10 {
            let size = model.size().unwrap();
            let mut entries = Vec::new();
            let mut touched = HashSet::new();
            for seq in size..size + 1 + dice.below(5) as u64 {
                let mut links = Vec::new();
                for (index, stream) in STREAMS.iter().enumerate().filter(|_| dice.below(2) == 0) {
                    links.push((*stream, counts[index]));
                    counts[index] += 1;
                    touched.insert(index);
                }
                entries.push(entry(seq, &links));
            }
            let streams = touched.into_iter().map(|index| state(STREAMS[index], counts[index])).collect();
            let mut next = batch(size, entries, streams);
            next.nodes = vec![(1, round, Hash::of(&round.to_be_bytes()))];
            next.blobs = vec![(format!("b{round}"), vec![round as u8; dice.below(5_000)])];
            if size > 0 && dice.below(3) == 0 {
                let seq = dice.below(size as usize) as u64;
                next.erase = vec![digest(seq * 10, "title")];
                next.drop_blobs = vec![format!("b{}", dice.below(round as usize + 1))];
            }
            if size > 0 && dice.below(4) == 0 {
                let seq = dice.below(size as usize) as u64;
                next.expunge = vec![(seq, entry(seq, &[]).leaf)];
            }
            one.append(&next).unwrap();
            model.append(&next).unwrap();
            if dice.below(4) == 0 {
                drop(one);
                one = home.reopen();
            }
            assert_eq!(everything(&*one, &STREAMS), everything(&model, &STREAMS));
        }
    }
}
