//! `recorded`: never before the last entry's, but where the ledger itself says that its clock stepped back.

use blotter_ledger::{Ledger, read};
use blotter_record::{Entry, Event, Statement};
use blotter_tests::World;

use crate::refusal;

fn last(ledger: &Ledger, back: u64) -> (Entry, Statement) {
    let seq = ledger.size() - 1 - back;
    ledger.read(|store| read::entries(store, seq, 1)).unwrap().remove(0).said.unwrap()
}

fn say(world: &World, ledger: &Ledger) -> i64 {
    world.comment("siem", "incident/I-1", "tick").append(ledger).unwrap();
    last(ledger, 0).0.recorded.unix_us()
}

#[test]
fn a_clock_that_falls_back_a_little_stands_still() {
    let world = World::new();
    let ledger = world.open();
    let before = say(&world, &ledger);
    world.tick(-999_999);
    assert_eq!(say(&world, &ledger), before);
    world.tick(1_000_009);
    assert_eq!(say(&world, &ledger), before + 10);
    drop(ledger);
    world.check();
}

#[test]
fn a_clock_that_steps_back_is_written_down_and_only_there_recorded_falls() {
    let world = World::new();
    let ledger = world.open();
    let before = say(&world, &ledger);
    world.tick(-1_000_000);
    let size = ledger.size();
    assert_eq!(say(&world, &ledger), before - 1_000_000);
    assert_eq!(ledger.size(), size + 2);
    let (entry, statement) = last(&ledger, 1);
    assert_eq!(statement.event.known(), Some(Event::ClockStepped));
    assert_eq!(statement.facts.instant("from").unwrap().unix_us(), before);
    assert_eq!(statement.facts.instant("to").unwrap(), &entry.recorded);
    drop(ledger);
    world.check();
}

#[test]
fn a_clock_that_stepped_back_while_the_ledger_was_shut_is_written_down_too() {
    let world = World::new();
    let ledger = world.open();
    let before = say(&world, &ledger);
    drop(ledger);
    world.tick(-3_600_000_000);
    let ledger = world.open();
    assert_eq!(say(&world, &ledger), before - 3_600_000_000);
    assert_eq!(last(&ledger, 1).1.event.known(), Some(Event::ClockStepped));
    drop(ledger);
    world.check();
}

#[test]
fn without_its_own_key_the_ledger_lets_time_stand_still() {
    let mut world = World::new();
    world.ledger_key = None;
    let ledger = world.open();
    let before = say(&world, &ledger);
    world.tick(-3_600_000_000);
    assert_eq!(say(&world, &ledger), before);
}

#[test]
fn a_clock_step_does_not_squeeze_a_full_list_out() {
    let world = World::new();
    let ledger = world.open();
    say(&world, &ledger);
    world.tick(-5_000_000);
    let one = |n: usize| world.comment("siem", "incident/I-1", &format!("{n}")).prepared(&ledger);
    let list: Vec<_> = (0..blotter_ledger::BATCH_ENTRIES_MAX).map(one).collect();
    assert!(ledger.append_list(list).unwrap().iter().all(Result::is_ok));
    drop(ledger);
    world.check();
}

#[test]
fn a_statement_signed_too_far_ahead_is_refused() {
    let world = World::new();
    let ledger = world.open();
    let now = world.now_us() / 1_000_000;
    world.comment("siem", "incident/I-1", "a fast clock").iat(now + 300).append(&ledger).unwrap();
    assert_eq!(
        refusal(world.comment("siem", "incident/I-1", "too fast").iat(now + 301).append(&ledger)),
        "iat-in-future"
    );
    world.comment("siem", "incident/I-1", "long ago is only shown").iat(0).append(&ledger).unwrap();
}

#[test]
fn a_clock_beyond_the_calendar_is_refused_without_a_panic() {
    let world = World::new();
    let ledger = world.open();
    let text = world.comment("siem", "incident/I-1", "too late for this calendar").text(&ledger);
    world.tick(i64::MAX - world.now_us());
    assert!(ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).is_err());
    drop(ledger);
    world.tick(blotter_tests::NOON_US - i64::MAX);
    let ledger = world.open();
    ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap();
    drop(ledger);
    world.check();
}
