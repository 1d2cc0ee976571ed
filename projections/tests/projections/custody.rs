//! Chains of custody: whole ones have no gap, and each way in which one can break is named.

use blotter_projections::Moment;
use blotter_projections::custody::{Chain, custody, evidence_of};
use blotter_record::{Id, Json, Precision};

use crate::facts::Book;

const ANA: &str = "person/aaaaaaaaaaaaaaaa";
const BEN: &str = "person/bbbbbbbbbbbbbbbb";
const EVE: &str = "person/eeeeeeeeeeeeeeee";
const HASH: &str = "00ff";

fn text(text: &str) -> Json {
    text.into()
}

#[derive(Default)]
struct Room {
    book: Book,
}

impl Room {
    fn acquired() -> Self {
        let mut room = Self::default();
        room.acquire();
        room
    }

    fn acquire(&mut self) {
        let data = vec![("sha256_copy", text(HASH)), ("sha256_source", text(HASH)), ("location", text("safe"))];
        self.book.say_with(
            ANA,
            "evidence.acquired",
            &["evidence/E-1", "incident/I"],
            vec![
                ("evidence", text("evidence/E-1")),
                ("method", text("live-image")),
                ("tool", text("dd")),
                ("tool_version", text("1")),
                ("acquired_at", text("2025-10-09T08:53:20Z")),
                ("original_hashed", Json::Bool(true)),
            ],
            data,
        );
    }

    fn say(&mut self, by: &str, event: &str, facts: Vec<(&str, Json)>) -> String {
        self.book.say(by, event, &["evidence/E-1", "incident/I"], facts)
    }

    fn release(&mut self, by: &str, to: &str, copy: &str) -> String {
        self.say(by, "evidence.released", vec![("to", text(to)), ("purpose", text("exam")), ("copy", text(copy))])
    }

    fn receive(&mut self, by: &str, release: &str) {
        self.say(by, "evidence.received", vec![("release", text(release))]);
    }

    fn verify(&mut self, matches: bool, hash: &str) {
        let facts = vec![("match", Json::Bool(matches))];
        let streams = ["evidence/E-1", "incident/I"];
        self.book.say_with(BEN, "evidence.verified", &streams, facts, vec![("sha256", text(hash))]);
    }

    fn chain(&self) -> Chain {
        self.chain_at(self.book.log.entries.len() as u64)
    }

    fn chain_at(&self, size: u64) -> Chain {
        custody(&self.book.log, &"evidence/E-1".parse().unwrap(), Moment::recorded(size)).unwrap()
    }

    /// The gaps, each with the entry at which it shows.
    fn gaps(&self) -> Vec<(u64, &'static str)> {
        let chain = self.chain();
        chain.links.iter().flat_map(|at| at.gaps.iter().map(|gap| (at.link.seq, gap.code()))).collect()
    }
}

#[test]
fn a_whole_chain_has_no_gap_and_says_who_has_the_original() {
    let mut room = Room::acquired();
    assert_eq!(room.chain().holder.as_deref(), Some(ANA));
    let release = room.release(ANA, BEN, "original");
    let chain = room.chain();
    assert_eq!((chain.holder, chain.out.len()), (None, 1));
    room.receive(BEN, &release);
    room.verify(true, HASH);
    // What this version does not know is shown, and breaks nothing.
    room.say(BEN, "evidence.weighed", vec![("state", text("intact"))]);
    room.say(BEN, "x.lab.photographed", vec![]);
    let chain = room.chain();
    let last = chain.links.iter().rev().take(2).map(|at| at.link.event.as_str()).collect::<Vec<_>>();
    assert_eq!(last, ["x.lab.photographed", "evidence.weighed"]);
    // A working copy goes around beside it.
    let copy = room.release(BEN, EVE, "working");
    assert_eq!(room.chain().holder.as_deref(), Some(BEN));
    room.receive(EVE, &copy);
    // What was given is taken back by whoever gave it.
    let back = room.release(BEN, ANA, "original");
    room.receive(BEN, &back);
    let chain = room.chain();
    assert_eq!((chain.holder.as_deref(), chain.out.len(), chain.disposed), (Some(BEN), 0, None));
    assert_eq!(room.gaps(), []);
    assert_eq!(room.chain_at(2).holder, None);
    assert!(room.chain_at(0).links.is_empty());
    let found = evidence_of(&room.book.log, &"incident/I".parse::<Id>().unwrap(), Moment::recorded(99)).unwrap();
    assert_eq!(found.iter().map(Id::as_str).collect::<Vec<_>>(), ["evidence/E-1"]);
}

#[test]
fn every_way_in_which_a_chain_breaks_is_named_where_it_does() {
    let mut room = Room::default();
    room.say(ANA, "evidence.accessed", vec![("purpose", text("look")), ("copy", text("original"))]);
    room.acquire();
    room.acquire();
    room.receive(BEN, "018f7e1c-0000-7000-8000-000000000000");
    let first = room.release(ANA, BEN, "original");
    let second = room.release(ANA, BEN, "original");
    room.receive(BEN, &first);
    room.receive(EVE, &second);
    room.receive(BEN, &second);
    room.verify(false, HASH);
    room.verify(true, "beef");
    room.release(BEN, ANA, "original");
    room.say(BEN, "evidence.disposed", vec![("method", text("shred")), ("approval", text(&first))]);
    room.verify(true, HASH);
    assert_eq!(
        room.gaps(),
        [
            (0, "never-acquired"),
            (2, "acquired-again"),
            (3, "nothing-released"),
            (5, "never-received"),
            (6, "nothing-released"),
            (7, "other-receiver"),
            (8, "nothing-released"),
            (9, "mismatch"),
            (10, "other-hash"),
            (12, "disposed-while-out"),
            (13, "disposed-before"),
        ]
    );
    assert_eq!(room.chain().disposed, Some(12));
}

#[test]
fn what_was_taken_back_counts_for_nothing_and_what_is_erased_is_not_compared() {
    let mut room = Room::acquired();
    let wrong = room.release(ANA, EVE, "original");
    room.book.say(ANA, "retraction.recorded", &["evidence/E-1", "incident/I"], vec![("of", text(&wrong))]);
    let chain = room.chain();
    assert_eq!((chain.holder.as_deref(), chain.out.len()), (Some(ANA), 0));
    assert!(chain.links.iter().any(|at| at.retracted && at.link.event == "evidence.released"));

    room.verify(true, "beef");
    assert_eq!(room.gaps().last().map(|gap| gap.1), Some("other-hash"));
    room.book.log.values.clear();
    assert_eq!(room.gaps(), []);
}

#[test]
fn what_is_said_to_have_happened_earlier_is_named_unless_its_time_is_only_coarse() {
    let day_before = |room: &mut Room, precision: Precision| {
        room.say(ANA, "evidence.accessed", vec![("purpose", text("look")), ("copy", text("original"))]);
        let seq = room.book.log.entries.len() - 1;
        let (_, statement) = room.book.log.entries[seq].said.as_mut().unwrap();
        // The midnight before all of this.
        statement.occurred = Some("2025-10-09T00:00:00Z".parse().unwrap());
        statement.precision = precision;
    };
    let mut room = Room::acquired();
    day_before(&mut room, Precision::Day);
    assert_eq!(room.gaps(), []);
    day_before(&mut room, Precision::Hour);
    assert_eq!(room.gaps(), [(2, "out-of-order")]);
}
