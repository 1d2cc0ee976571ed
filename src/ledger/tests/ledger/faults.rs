//! A commit that fails, with both faces: nothing was kept, or everything was and nobody knows. Either way the writer is
//! shut, opening again finds out, and appending the same again settles it. The judge is the walk over the whole log.

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_ledger::{Appended, Error, Ledger};
use blotter_tests::{Face, Faults, World};

const COMMITS: u64 = 6;

fn for_every_fault(check: impl Fn(World, u64, Face)) {
    for face in [Face::Lost, Face::KeptButFailed] {
        for skip in 0..COMMITS {
            check(World::new(), skip, face);
            check(World::in_memory(), skip, face);
        }
    }
}

fn is_poisoned<T: std::fmt::Debug>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Poisoned { .. }))
}

/// Size and root of a receipt's checkpoint, as its holder keeps it.
fn checkpoint(ledger: &Ledger, seq: u64) -> (u64, String) {
    let proof = ledger.receipt(seq).unwrap().proof;
    let note = proof.split_once("\n\n").unwrap().1;
    let note = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    let root = note.note().text().lines().nth(2).unwrap().to_owned();
    (note.claimed_size(), root)
}

#[test]
fn after_a_failed_commit_nothing_is_lost_doubled_or_signed_twice() {
    for_every_fault(|world, skip, face| {
        let what = format!("{face:?} after {skip}");
        let faults = Faults::new();
        let ledger = world.open_faulty(&faults);
        faults.fail_after(skip, face);
        let texts: Vec<String> = (0..COMMITS)
            .map(|n| world.comment("analyst", "incident/I-1", &format!("note {n}")).text(&ledger))
            .collect();
        let append = |ledger: &Ledger, text: &str| ledger.append(ledger.prepare(text, Vec::new())?);
        let answers: Vec<Result<Appended, Error>> = texts.iter().map(|text| append(&ledger, text)).collect();
        let mut kept = Vec::new();
        for (n, answer) in answers.iter().enumerate() {
            match answer {
                Ok(appended) => kept.push((n, appended.seq)),
                Err(_) => assert!(is_poisoned(answer), "{what}: {answer:?}"),
            }
            assert_eq!(answer.is_ok(), (n as u64) < skip, "{what}: from the fault on nothing is taken");
        }
        assert!(ledger.poisoned().is_some(), "{what}");
        let mut checkpoints: Vec<_> = kept.iter().map(|(_, seq)| checkpoint(&ledger, *seq)).collect();
        drop(ledger);

        let ledger = world.open();
        let other = world.comment("analyst2", "incident/I-2", "something else first").append(&ledger).unwrap();
        checkpoints.push(checkpoint(&ledger, other.seq));
        for (n, text) in texts.iter().enumerate() {
            let again = append(&ledger, text).unwrap();
            let known = kept.iter().find(|(kept, _)| *kept == n);
            assert!(known.is_none_or(|(_, seq)| *seq == again.seq && again.repeated), "{what}: {again:?}");
            let persisted = known.is_some() || (n as u64 == skip && face == Face::KeptButFailed);
            assert_eq!(again.repeated, persisted, "{what}, statement {n}");
            checkpoints.push(checkpoint(&ledger, again.seq));
        }
        drop(ledger);
        world.check();
        checkpoints.sort();
        checkpoints.dedup();
        let sizes: std::collections::HashSet<u64> = checkpoints.iter().map(|(size, _)| *size).collect();
        assert_eq!(sizes.len(), checkpoints.len(), "{what}: two checkpoints of one size: {checkpoints:?}");
    });
}

#[test]
fn everything_that_waits_behind_a_failed_commit_is_told_so() {
    for face in [Face::Lost, Face::KeptButFailed] {
        let world = World::in_memory();
        let faults = Faults::new();
        let ledger = world.open_faulty(&faults);
        faults.fail_after(0, face);
        faults.hold();
        let waiting: Vec<_> =
            (0..8).map(|n| world.comment("analyst", &format!("incident/I-{n}"), "waiting").prepared(&ledger)).collect();
        std::thread::scope(|threads| {
            let threads: Vec<_> = waiting.into_iter().map(|one| threads.spawn(|| ledger.append(one))).collect();
            faults.release();
            for thread in threads {
                assert!(is_poisoned(&thread.join().unwrap()));
            }
        });
        assert!(is_poisoned(&world.comment("analyst", "incident/I-9", "later").append(&ledger)));
        drop(ledger);
        world.check();
    }
}

#[test]
fn a_failed_list_is_there_as_a_whole_or_not_at_all() {
    for_every_fault(|world, skip, face| {
        let faults = Faults::new();
        let ledger = world.open_faulty(&faults);
        faults.fail_after(0, face);
        let say = |n: u64| world.comment("analyst", &format!("incident/I-{n}"), "one of several").prepared(&ledger);
        let list: Vec<_> = (0..=skip).map(say).collect();
        let answers = ledger.append_list(list.clone()).unwrap();
        assert!(answers.iter().all(is_poisoned), "{answers:?}");
        drop(ledger);
        let ledger = world.open();
        let again = ledger.append_list(list).unwrap();
        assert!(again.into_iter().all(|answer| answer.unwrap().repeated == (face == Face::KeptButFailed)));
        drop(ledger);
        world.check();
    });
}

#[test]
fn an_erasure_that_was_kept_but_not_told_is_finished_when_the_ledger_is_opened() {
    let mut homes = vec![World::new(), World::in_memory()];
    for world in &mut homes {
        let faults = Faults::new();
        let ledger = world.open_faulty(&faults);
        let erasure = crate::erasure::Erasure::until_approved(world, &ledger, "a secret to be erased");
        let text = erasure.execution(world).text(&ledger);
        faults.fail_after(0, Face::KeptButFailed);
        assert!(is_poisoned(&ledger.append(ledger.prepare(&text, Vec::new()).unwrap())));
        drop(ledger);
        let ledger = world.open();
        assert!(ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap().repeated);
        let remembered = std::fs::read_to_string(world.head_file().with_extension("erased")).unwrap_or_default();
        assert!(remembered.contains(&erasure.digest.to_string()), "the digest is remembered outside the ledger");
        drop(ledger);
        world.check();
    }
}
