//! `kill -9` at random moments under load: what was acknowledged is there, nothing is signed twice, and the whole log
//! verifies.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use blotter_tests::{Dice, World};

use crate::{Acknowledged, load, verify};

const KILLS: u64 = 30;

#[test]
fn after_kill_9_at_any_moment_every_acknowledged_entry_is_there_and_the_log_verifies() {
    let mut dice = Dice::from_environment();
    let base = tempfile::tempdir().unwrap();
    let world = World::found_at(base.path());
    let mut acknowledged = Acknowledged::default();
    for round in 1..=KILLS {
        let mut child = Command::new(load())
            .args(["many", base.path().to_str().unwrap(), &round.to_string(), "8"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Some are killed while they open the ledger, the others in the middle of their work.
        let wanted = if dice.below(5) == 0 { 0 } else { 1 + dice.below(120) };
        let mut count = 0;
        while count < wanted {
            let line = lines.next().expect("it goes on until it is killed").unwrap();
            assert!(acknowledged.note(&line), "{line}");
            count += 1;
        }
        // Where in its work it is hit must not depend on when this test reads a line.
        let moment =
            Instant::now() + Duration::from_micros(dice.below(if wanted == 0 { 30_000 } else { 4_000 }) as u64);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had said before it was killed counts, read or not.
        for line in lines.map_while(Result::ok) {
            acknowledged.note(&line);
        }
        acknowledged.check_there(&world.database());
        if dice.below(2) == 0 {
            drop(World::enter(base.path(), 1_000 + round).open());
        }
    }
    let world = World::enter(base.path(), 2_000);
    drop(world.open());
    let size = world.check();
    acknowledged.check_there(&world.database());
    acknowledged.check_heads(&world);
    verify(&world);
    let (acks, heads) = (acknowledged.seqs.len(), acknowledged.heads.len());
    println!("{KILLS} kills: {acks} acknowledged entries of {size}, {heads} checkpoints handed out");
    assert!(acks > 100, "the load was no load: {acks} entries");
}
