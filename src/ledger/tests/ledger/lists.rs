//! A list enters as a whole or not at all, what it did to the keyring included; what it enrols may sign within it.

use blotter_ledger::{BATCH_ENTRIES_MAX, Error};
use blotter_tests::{Saying, World};

use crate::refusal;

/// `person/new` signs with a key that the same list enrols.
fn by_newcomer<'w>(world: &'w World, ledger: &blotter_ledger::Ledger) -> Saying<'w> {
    let seen = world.seen(ledger, "incident/I-1");
    world.say("new", "comment.added", "incident/I-1").data("text", "my first day").seen(Some(seen))
}

#[test]
fn a_key_that_a_list_enrols_can_sign_within_it() {
    let world = World::new();
    let ledger = world.open();
    let list = vec![
        world.enrolment(&ledger, "founder", "new", "person").prepared(&ledger),
        by_newcomer(&world, &ledger).prepared(&ledger),
    ];
    for answer in ledger.append_list(list).unwrap() {
        answer.unwrap();
    }
    drop(ledger);
    world.check();
}

#[test]
fn a_key_that_nobody_enrolled_gets_no_place_in_the_queue() {
    let world = World::in_memory();
    let faults = blotter_tests::Faults::new();
    let ledger = world.open_faulty(&faults);
    let stranger = || by_newcomer(&world, &ledger).prepared(&ledger);
    // A key can't make itself known either.
    let enrols_itself = world.enrolment(&ledger, "new", "new", "person").prepared(&ledger);
    let code = |answer: &Result<_, Error>| match answer {
        Err(Error::Refused(why)) => why.code(),
        Err(Error::ListRefused { .. }) => "list-refused",
        _ => "recorded",
    };
    let good = || world.comment("analyst", "incident/I-1", "good").prepared(&ledger);
    let (first, in_list, alone) = (good(), good(), stranger());
    let (list, whole) = (vec![enrols_itself.clone(), stranger()], vec![in_list, enrols_itself, stranger()]);
    faults.hold();
    std::thread::scope(|threads| {
        // The writer is busy with this one, so whatever is answered now was not in the queue.
        let busy = threads.spawn(|| ledger.append(first));
        let (tx, rx) = std::sync::mpsc::channel();
        let ledger = &ledger;
        threads.spawn(move || {
            let alone = ledger.append(alone);
            let of_list = ledger.append_prepared(list);
            tx.send([vec![alone], of_list, ledger.append_list(whole).unwrap()]).unwrap();
        });
        let answers = rx.recv_timeout(std::time::Duration::from_secs(30));
        faults.release();
        let codes = answers.unwrap().map(|answers| answers.iter().map(code).collect::<Vec<_>>());
        assert_eq!(codes[0], ["key-not-usable"]);
        assert_eq!(codes[1], ["key-not-usable"; 2]);
        assert_eq!(codes[2], ["list-refused", "key-not-usable", "list-refused"]);
        busy.join().unwrap().unwrap();
    });
}

#[test]
fn a_key_that_is_enrolled_before_or_in_the_same_long_list_can_sign() {
    let world = World::new();
    let ledger = world.open();
    // Looked at before its key was known, and far behind the enrolment in its list.
    let mut list = vec![world.enrolment(&ledger, "founder", "new", "person").prepared(&ledger)];
    list.extend((0..BATCH_ENTRIES_MAX).map(|_| world.comment("analyst", "incident/I-1", "between").prepared(&ledger)));
    list.push(by_newcomer(&world, &ledger).prepared(&ledger));
    let late = by_newcomer(&world, &ledger).prepared(&ledger);
    assert!(ledger.append_prepared(list).iter().all(Result::is_ok));
    assert!(ledger.append_list(vec![late]).unwrap()[0].is_ok());
    drop(ledger);
    world.check();
}

#[test]
fn a_refused_list_leaves_nothing_behind() {
    let world = World::new();
    let ledger = world.open();
    let size = ledger.size();
    let good = world.comment("analyst", "incident/I-1", "good").prepared(&ledger);
    let list = vec![
        world.enrolment(&ledger, "founder", "new", "person").prepared(&ledger),
        good.clone(),
        world
            .say("analyst", "incident.closed", "incident/I-1")
            .fact("resolution", "done")
            .fact("report", world.jti().to_string())
            .prepared(&ledger),
        by_newcomer(&world, &ledger).prepared(&ledger),
    ];
    let answers = ledger.append_list(list).unwrap();
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(Error::Refused(why)) => assert_eq!((index, why.code()), (2, "role-missing")),
            Err(Error::ListRefused { index: 2, .. }) => assert_ne!(index, 2),
            other => panic!("statement {index}: {other:?}"),
        }
    }
    assert_eq!(ledger.size(), size);
    // Neither the enrolment nor the stream nor the ids are remembered.
    assert_eq!(refusal(by_newcomer(&world, &ledger).append(&ledger)), "key-not-usable");
    assert!(!ledger.append(good).unwrap().repeated);
    world.enrolment(&ledger, "founder", "new", "person").append(&ledger).unwrap();
    drop(ledger);
    world.check();
}

#[test]
fn a_list_refused_behind_others_in_its_batch_takes_nothing_of_theirs() {
    let world = World::in_memory();
    let faults = blotter_tests::Faults::new();
    let ledger = world.open_faulty(&faults);
    let good: Vec<_> =
        (0..5).map(|n| world.comment("analyst", "incident/I-1", &format!("{n}")).prepared(&ledger)).collect();
    let bad = vec![
        world.comment("analyst2", "incident/I-1", "in a list").prepared(&ledger),
        world.confirmed("siem", "incident/I-1").prepared(&ledger),
    ];
    faults.hold();
    std::thread::scope(|threads| {
        let mut sent: Vec<_> = good.into_iter().map(|one| threads.spawn(|| ledger.append_list(vec![one]))).collect();
        let refused = threads.spawn(|| ledger.append_list(bad));
        faults.release();
        assert!(refused.join().unwrap().unwrap().iter().all(Result::is_err));
        for one in sent.drain(..) {
            one.join().unwrap().unwrap().remove(0).unwrap();
        }
    });
    drop(ledger);
    world.check();
}

#[test]
fn a_list_has_at_most_so_many_statements() {
    let world = World::new();
    let ledger = world.open();
    let one = world.comment("analyst", "incident/I-1", "again and again").prepared(&ledger);
    let too_long = ledger.append_list(vec![one.clone(); BATCH_ENTRIES_MAX + 1]).unwrap_err();
    assert!(too_long.to_string().contains("at most 256"), "{too_long}");
    let answers = ledger.append_list(vec![one; BATCH_ENTRIES_MAX]).unwrap();
    assert_eq!(answers.iter().filter(|answer| !answer.as_ref().unwrap().repeated).count(), 1);
    assert!(ledger.append_list(Vec::new()).unwrap().is_empty());
}

#[test]
fn of_many_statements_each_stands_for_itself() {
    let world = World::new();
    let ledger = world.open();
    let texts: Vec<String> = (0..600)
        .map(|n| match n % 3 {
            0 => world.comment("analyst", &format!("incident/I-{}", n % 7), "fine").text(&ledger),
            1 => {
                world.say("siem", "incident.acknowledged", "incident/I-1").data("note", "not mine to say").text(&ledger)
            }
            _ => "not a statement".to_owned(),
        })
        .collect();
    let answers = ledger.append_many(&texts);
    assert_eq!(answers.len(), texts.len());
    for (n, answer) in answers.iter().enumerate() {
        let fits = match n % 3 {
            0 => answer.is_ok(),
            1 => matches!(answer, Err(Error::Refused(why)) if why.code() == "role-missing"),
            _ => matches!(answer, Err(Error::Malformed(_))),
        };
        assert!(fits, "{n}: {answer:?}");
    }
    drop(ledger);
    world.check();
}
