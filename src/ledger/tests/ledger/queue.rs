//! Many threads, one writer: commits are shared, and a queue that is full says so.

use std::sync::mpsc::channel;

use blotter_ledger::{BATCH_ENTRIES_MAX, Error, LISTS_STATEMENTS_MAX, Ledger, QUEUE_STATEMENTS_MAX};
use blotter_tests::{Dice, Faults, World};

#[test]
fn a_full_queue_says_busy_and_forgets_nothing_that_it_took() {
    let world = World::in_memory();
    let faults = Faults::new();
    let ledger = world.open_faulty(&faults);
    let one = |n: usize| world.comment("siem", "incident/I-1", &format!("{n}")).prepared(&ledger);
    let list: Vec<_> = (0..BATCH_ENTRIES_MAX).map(one).collect();
    let (fit, over) = (QUEUE_STATEMENTS_MAX / BATCH_ENTRIES_MAX, 6);
    faults.hold();
    std::thread::scope(|threads| {
        let (tx, rx) = channel();
        for _ in 0..fit + over {
            let (tx, list, ledger) = (tx.clone(), list.clone(), &ledger);
            threads.spawn(move || tx.send(ledger.append_list(list)).unwrap());
        }
        // As long as nothing is committed, exactly those that did not fit have an answer.
        for _ in 0..over {
            let answer = rx.recv_timeout(std::time::Duration::from_secs(60));
            if answer.is_err() {
                // Or the threads would wait for ever, and this test with them.
                faults.release();
            }
            let answer = answer.expect("who does not fit is told so at once");
            assert!(
                matches!(answer, Err(Error::Busy { waiting: QUEUE_STATEMENTS_MAX, retry_after_ms: 1.. })),
                "{answer:?}"
            );
        }
        faults.release();
        for _ in 0..fit {
            assert!(rx.recv().unwrap().unwrap().iter().all(Result::is_ok));
        }
    });
    world.comment("siem", "incident/I-1", "and there is room again").append(&ledger).unwrap();
    drop(ledger);
    world.check();
}

fn wait_until_waiting(ledger: &Ledger, count: usize) -> bool {
    let start = std::time::Instant::now();
    while ledger.waiting() != count && start.elapsed() < std::time::Duration::from_secs(60) {
        std::thread::yield_now();
    }
    ledger.waiting() == count
}

#[test]
fn long_lists_leave_room_in_the_queue_for_those_who_send_one_statement() {
    let world = World::in_memory();
    let faults = Faults::new();
    let ledger = world.open_faulty(&faults);
    let one = |n: usize| world.comment("siem", "incident/I-1", &format!("{n}")).prepared(&ledger);
    let list: Vec<_> = (0..12 * BATCH_ENTRIES_MAX).map(one).collect();
    let single = world.comment("siem", "incident/I-1", "alone").prepared(&ledger);
    faults.hold();
    let (mut of_one, mut of_all, mut alone) = (false, false, None);
    std::thread::scope(|threads| {
        let append = || {
            let (list, ledger) = (list.clone(), &ledger);
            threads.spawn(move || ledger.append_prepared(list))
        };
        let mut lists = vec![append()];
        of_one = wait_until_waiting(&ledger, 9 * BATCH_ENTRIES_MAX);
        lists.extend((0..5).map(|_| append()));
        of_all = wait_until_waiting(&ledger, LISTS_STATEMENTS_MAX);
        let (tx, rx) = channel();
        alone = Some(ledger.submit_with(vec![single], false, move |answers| tx.send(answers).unwrap()));
        faults.release();
        for list in lists {
            assert!(list.join().unwrap().iter().all(Result::is_ok), "and all of them get in");
        }
        assert!(rx.recv().unwrap()[0].is_ok());
    });
    assert!(of_one, "one list has nine chunks under way");
    assert!(of_all, "all lists together have half of the queue");
    alone.unwrap().unwrap();
    drop(ledger);
    world.check();
}

#[test]
fn statements_that_wait_share_a_commit() {
    let world = World::in_memory();
    let faults = Faults::new();
    let ledger = world.open_faulty(&faults);
    let before = faults.appends();
    let one = |n: usize| world.comment("siem", &format!("incident/I-{n}"), "waits").prepared(&ledger);
    let all: Vec<_> = (0..64).map(one).collect();
    faults.hold();
    std::thread::scope(|threads| {
        let ledger = &ledger;
        let handles: Vec<_> = all.into_iter().map(|one| threads.spawn(move || ledger.append(one))).collect();
        faults.release();
        for handle in handles {
            handle.join().unwrap().unwrap();
        }
    });
    assert!(faults.appends() - before <= 64);
    drop(ledger);
    world.check();
}

/// Statements of all kinds from many threads: whatever order they land in, every answer is true and the log is whole.
#[test]
fn whatever_order_threads_land_in_every_answer_is_true() {
    let world = World::new();
    let ledger = world.open();
    let seed = Dice::from_environment().roll();
    let answers: Vec<(String, u64)> = std::thread::scope(|threads| {
        let (world, ledger) = (&world, &ledger);
        let run = |thread: u64| {
            let mut dice = Dice::from_seed(seed ^ thread);
            let mut kept = Vec::new();
            for n in 0..40 {
                let who = *dice.pick(&["analyst", "analyst2", "manager"]);
                let stream = format!("incident/I-{}", dice.below(5));
                let saying = match dice.below(3) {
                    0 => world.confirmed(who, &stream),
                    1 => world.say(who, "incident.acknowledged", &stream),
                    _ => world.comment("siem", &stream, &format!("{thread} {n}")),
                };
                let jti = saying.id().to_string();
                let text = saying.text(ledger);
                match ledger.append(ledger.prepare(&text, Vec::new()).unwrap()) {
                    Ok(appended) => kept.push((jti, appended.seq)),
                    Err(Error::Refused(why)) => assert!(matches!(why.code(), "seen-stale" | "role-missing"), "{why}"),
                    Err(other) => panic!("{other}"),
                }
            }
            kept
        };
        let handles: Vec<_> = (0..8).map(|thread| threads.spawn(move || run(thread))).collect();
        handles.into_iter().flat_map(|handle| handle.join().unwrap()).collect()
    });
    for (jti, seq) in &answers {
        assert_eq!(ledger.read(|store| Ok(store.seq_of(&jti.parse().unwrap())?)).unwrap(), Some(*seq));
    }
    drop(ledger);
    world.check();
}

#[test]
fn who_waits_for_news_hears_of_them() {
    let world = World::new();
    let ledger = world.open();
    let size = ledger.size();
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| ledger.wait_beyond(size, std::time::Duration::from_secs(60)));
        world.comment("siem", "incident/I-1", "news").append(&ledger).unwrap();
        assert_eq!(waiting.join().unwrap(), size + 1);
    });
    assert_eq!(ledger.wait_beyond(size, std::time::Duration::ZERO), size + 1);
    assert_eq!(ledger.wait_beyond(size + 1, std::time::Duration::ZERO), size + 1);
}
