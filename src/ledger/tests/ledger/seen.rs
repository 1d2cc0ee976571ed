//! What a person had seen: required, of this very log, and not older than another's decision.

use blotter_keys::judge::Refusal;
use blotter_ledger::{Error, Ledger};
use blotter_record::{Hash, Seen};
use blotter_tests::World;

use crate::refusal;

const STREAM: &str = "incident/I-1";

fn opened() -> (World, Ledger) {
    let world = World::new();
    let ledger = world.open();
    world.opened("analyst", STREAM).append(&ledger).unwrap();
    (world, ledger)
}

#[test]
fn a_person_must_say_what_they_had_seen_and_a_service_need_not() {
    let (world, ledger) = opened();
    assert_eq!(refusal(world.comment("analyst", STREAM, "blind").seen(None).append(&ledger)), "seen-missing");
    world.comment("siem", STREAM, "a program sees nothing").seen(None).append(&ledger).unwrap();
}

#[test]
fn what_was_seen_must_be_of_this_log() {
    let (world, ledger) = opened();
    let now = world.seen(&ledger, STREAM);
    let (n, leaf) = now.last.unwrap();
    let (wrong, size) = (Hash::of(b"another"), now.size);
    let check = |what: &str, seen: Seen| {
        let answer = world.comment("analyst", STREAM, what).seen(Some(seen)).append(&ledger);
        assert_eq!(refusal(answer), "seen-wrong", "{what}");
    };
    check("another root", Seen { root: wrong, ..now });
    check("an older size with the newer root", Seen { size: size - 1, ..now });
    check("beyond the log", Seen { size: size + 1, ..now });
    check("far beyond the log", Seen { size: 1 << 52, ..now });
    check("another leaf", Seen { last: Some((n, wrong)), ..now });
    check("an entry that is not there", Seen { last: Some((n + 1, leaf)), ..now });
    let genesis = blotter_ledger::genesis_of(
        &ledger.read(|store| Ok(blotter_ledger::read::open_keyring(store)?.keyring)).unwrap(),
    );
    check("an entry behind its own checkpoint", Seen { last: Some((n, leaf)), size: 1, root: genesis });
    world.comment("analyst", STREAM, "and this is right").seen(Some(now)).append(&ledger).unwrap();
}

#[test]
fn a_decision_on_top_of_anothers_that_was_not_seen_is_stale() {
    let (world, ledger) = opened();
    let before = world.seen(&ledger, STREAM);
    world.confirmed("analyst2", STREAM).append(&ledger).unwrap();
    let answer = world.confirmed("analyst", STREAM).seen(Some(before)).append(&ledger);
    match answer {
        Err(Error::Refused(Refusal::Stale { stream, n, by })) => {
            assert_eq!((stream.as_str(), n, by.as_str()), (STREAM, 1, "person/analyst2"));
        }
        other => panic!("{other:?}"),
    }
    world.confirmed("analyst", STREAM).append(&ledger).unwrap();
    // Somebody who saw none of it is stale, too.
    let answer = world.confirmed("manager", STREAM).seen(Some(Seen { last: None, ..before })).append(&ledger);
    assert_eq!(refusal(answer), "seen-stale");
}

#[test]
fn ones_own_decisions_do_not_count() {
    let (world, ledger) = opened();
    let before = world.seen(&ledger, STREAM);
    for _ in 0..3 {
        world.confirmed("analyst", STREAM).seen(Some(before)).append(&ledger).unwrap();
    }
    // But another's between one's own does.
    world.confirmed("analyst2", STREAM).append(&ledger).unwrap();
    world.confirmed("analyst2", STREAM).append(&ledger).unwrap();
    assert_eq!(refusal(world.confirmed("analyst", STREAM).seen(Some(before)).append(&ledger)), "seen-stale");
}

#[test]
fn what_only_carries_seen_is_never_stale() {
    let (world, ledger) = opened();
    let before = world.seen(&ledger, STREAM);
    world.confirmed("analyst2", STREAM).append(&ledger).unwrap();
    world.say("analyst", "incident.acknowledged", STREAM).seen(Some(before)).append(&ledger).unwrap();
    world.comment("analyst", STREAM, "nor a remark").seen(Some(before)).append(&ledger).unwrap();
    // And neither makes another's decision stale.
    let now = world.seen(&ledger, STREAM);
    world.say("analyst2", "incident.acknowledged", STREAM).append(&ledger).unwrap();
    world.confirmed("analyst", STREAM).seen(Some(now)).append(&ledger).unwrap();
}

#[test]
fn a_decision_in_another_stream_or_only_about_this_one_does_not_block() {
    let (world, ledger) = opened();
    let before = world.seen(&ledger, STREAM);
    world.confirmed("analyst2", "incident/I-2").append(&ledger).unwrap();
    world.confirmed("analyst", STREAM).seen(Some(before)).append(&ledger).unwrap();
}

#[test]
fn within_one_batch_the_first_decision_wins() {
    let (world, ledger) = opened();
    let now = world.seen(&ledger, STREAM);
    let list = vec![
        world.confirmed("analyst", STREAM).seen(Some(now)).prepared(&ledger),
        world.confirmed("analyst2", STREAM).seen(Some(now)).prepared(&ledger),
    ];
    let answers = ledger.append_list(list).unwrap();
    assert!(matches!(&answers[1], Err(Error::Refused(why)) if why.code() == "seen-stale"), "{answers:?}");
}

#[test]
fn streams_that_differ_only_in_case_are_one_and_refused() {
    let (world, ledger) = opened();
    assert_eq!(refusal(world.comment("analyst", "incident/i-1", "small").append(&ledger)), "case-differs");
    let seen = world.seen(&ledger, "incident/NEW");
    let two =
        ["incident/NEW", "incident/new"].map(|id| world.comment("analyst", id, "x").seen(Some(seen)).prepared(&ledger));
    let answers = ledger.append_list(two.into()).unwrap();
    assert!(matches!(&answers[1], Err(Error::Refused(why)) if why.code() == "case-differs"), "{answers:?}");
}
