//! A new key for checkpoints: the batch ends there, and the checkpoint of that very size is signed by both keys.

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::note::VerifierKey;
use blotter_ledger::{Error, Ledger};
use blotter_tests::{ORIGIN, Saying, World, checkpoints, json};

use crate::rule;

/// Requests, approves and executes the erasure of one item.
pub(crate) fn erase(world: &World, ledger: &Ledger, item: &str) {
    let items = || json(&format!("[{item}]"));
    let stream = "incident/I-1";
    let request = world.say("dpo", "erasure.requested", stream).fact("items", items()).fact("basis", "gdpr-17");
    let id = request.id();
    request.append(ledger).unwrap();
    let mut approvals = Vec::new();
    for by in ["legal", "ciso"] {
        let approval = world.say(by, "erasure.approved", stream).fact("request", id.to_string()).fact("items", items());
        approvals.push(format!("\"{}\"", approval.id()));
        approval.append(ledger).unwrap();
    }
    let execution = world.say("dpo", "erasure.executed", stream).fact("request", id.to_string());
    let approvals = json(&format!("[{}]", approvals.join(",")));
    execution.fact("approvals", approvals).fact("items", items()).append(ledger).unwrap();
}

fn vkey(world: &World, name: &str) -> VerifierKey {
    VerifierKey::new(ORIGIN.parse().unwrap(), *world.key(name).public())
}

fn approve(world: &World, ledger: &Ledger) -> String {
    let new = vkey(world, "checkpoint-next").to_string();
    let approval = world.say("ciso", "rotation.approved", "ledger").fact("new_vkey", new);
    let jti = approval.id().to_string();
    approval.append(ledger).unwrap();
    jti
}

fn rotate<'w>(world: &'w World, approval: &str, from_size: u64) -> Saying<'w> {
    world
        .say("admin", "ledger.key-rotated", "ledger")
        .fact("old_vkey", vkey(world, "checkpoint").to_string())
        .fact("new_vkey", vkey(world, "checkpoint-next").to_string())
        .fact("from_size", from_size as i64)
        .fact("approval", approval)
}

fn signed_by(note: &str, key: &VerifierKey) -> bool {
    UnverifiedCheckpoint::parse(note.as_bytes()).unwrap().open(ORIGIN, std::slice::from_ref(key)).is_ok()
}

/// Both keys signed at `from_size`, the old one before and the new one behind it.
fn check_checkpoints(world: &World, from_size: u64) {
    let (old, new) = (vkey(world, "checkpoint"), vkey(world, "checkpoint-next"));
    let notes = checkpoints(&world.database());
    assert!(notes.iter().any(|(size, _)| *size == from_size), "there is a checkpoint of the very size {from_size}");
    for (size, note) in notes {
        let expect = (size <= from_size, size >= from_size);
        assert_eq!((signed_by(&note, &old), signed_by(&note, &new)), expect, "checkpoint of size {size}");
    }
}

fn with_next_key() -> (World, Ledger) {
    let mut world = World::new();
    world.checkpoint_keys.push("checkpoint-next".to_owned());
    let ledger = world.open();
    (world, ledger)
}

#[test]
fn the_checkpoint_of_a_rotation_is_signed_by_both_keys() {
    let (mut world, ledger) = with_next_key();
    let approval = approve(&world, &ledger);
    let from_size = ledger.size() + 1;
    rotate(&world, &approval, from_size).append(&ledger).unwrap();
    world.comment("analyst", "incident/I-1", "under the new key").append(&ledger).unwrap();
    drop(ledger);
    world.check();
    check_checkpoints(&world, from_size);
    world.checkpoint_keys = vec!["checkpoint-next".to_owned()];
    let ledger = world.open();
    world.comment("analyst", "incident/I-1", "the old key is not needed any more").append(&ledger).unwrap();
    drop(ledger);
    world.check();
}

#[test]
fn a_batch_ends_with_the_rotation_even_if_more_is_waiting() {
    let (world, ledger) = with_next_key();
    let approval = approve(&world, &ledger);
    let from_size = ledger.size() + 1;
    let texts = vec![
        rotate(&world, &approval, from_size).text(&ledger),
        world.comment("analyst", "incident/I-1", "sent along").text(&ledger),
    ];
    let answers = ledger.append_many(&texts);
    let rotated = answers[0].is_ok();
    drop(ledger);
    world.check();
    assert!(rotated || matches!(&answers[0], Err(Error::Refused(_))), "{answers:?}");
    if rotated {
        check_checkpoints(&world, from_size);
    }
}

#[test]
fn a_list_does_not_go_on_behind_a_rotation() {
    let (world, ledger) = with_next_key();
    let approval = approve(&world, &ledger);
    let from_size = ledger.size() + 1;
    let list = vec![
        rotate(&world, &approval, from_size).prepared(&ledger),
        world.comment("analyst", "incident/I-1", "behind it").prepared(&ledger),
    ];
    assert!(ledger.append_list(list).unwrap().iter().all(Result::is_err));
    let list = vec![
        world.comment("analyst", "incident/I-1", "before it").prepared(&ledger),
        rotate(&world, &approval, from_size + 1).prepared(&ledger),
    ];
    assert!(ledger.append_list(list).unwrap().iter().all(Result::is_ok), "but it may end with one");
    drop(ledger);
    world.check();
    check_checkpoints(&world, from_size + 1);
}

#[test]
fn a_rotation_to_a_key_that_the_ledger_does_not_hold_is_refused_and_the_writer_lives() {
    let world = World::new();
    let ledger = world.open();
    let approval = approve(&world, &ledger);
    let answer = rotate(&world, &approval, ledger.size() + 1).append(&ledger);
    assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    world.comment("analyst", "incident/I-1", "still here").append(&ledger).unwrap();
}

#[test]
fn a_rotation_needs_its_approval_the_key_in_force_and_the_right_size() {
    let (world, ledger) = with_next_key();
    let nothing = world.jti().to_string();
    assert_eq!(rule(rotate(&world, &nothing, ledger.size() + 1).append(&ledger)).0, "approval");
    let approval = approve(&world, &ledger);
    assert_eq!(rule(rotate(&world, &approval, ledger.size()).append(&ledger)).0, "facts.from_size");
    rotate(&world, &approval, ledger.size() + 1).append(&ledger).unwrap();
    assert_eq!(rule(rotate(&world, &approval, ledger.size() + 1).append(&ledger)).0, "facts.old_vkey");
}

#[test]
fn without_its_checkpoint_key_a_ledger_signs_nothing() {
    let mut world = World::new();
    world.checkpoint_keys = vec!["somebody else's".to_owned()];
    let size = world.check();
    if let Ok(ledger) = world.try_open() {
        assert!(world.comment("analyst", "incident/I-1", "unsigned").append(&ledger).is_err());
    }
    assert_eq!(world.check(), size);
}
