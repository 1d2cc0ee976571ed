//! The process that the fault tests kill: it founds a ledger, or opens it and appends, and says each receipt it was given
//! on standard output before it asks for the next.
//!
//!   load found BASE
//!   load many BASE TURN THREADS     appends until it is killed or refused
//!   load few BASE TURN COUNT        appends COUNT statements and closes
//!   load hold BASE                  opens, says so, and waits for the end of its input
//!
//! A line a receipt: `ack <jti> <seq> <size> <root>`, size and root being those of the receipt's checkpoint.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use blotter_ledger::{Error, Ledger};
use blotter_tests::{World, few, receipt_head};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["found", base] => {
            World::found_at(Path::new(base));
            Ok(())
        }
        ["many", base, turn, threads] => many(base, turn.parse().unwrap(), threads.parse().unwrap()),
        ["few", base, turn, count] => {
            let world = World::enter(Path::new(base), turn.parse().unwrap());
            few(&world, count.parse().unwrap(), |jti, seq, (size, root)| say(&format!("ack {jti} {seq} {size} {root}")))
        }
        ["hold", base] => World::enter(Path::new(base), u64::from(std::process::id())).try_open().map(|ledger| {
            say("open");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            drop(ledger);
        }),
        _ => panic!("load found|many|few|hold BASE …"),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error {error}"));
            ExitCode::from(2)
        }
    }
}

/// A line that is out before anything else happens; a reader that is gone doesn't matter.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn many(base: &str, turn: u64, threads: usize) -> Result<(), Error> {
    let world = World::enter(Path::new(base), turn);
    let ledger = world.try_open()?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let run = |thread: usize| run(&world, &ledger, thread, &over);
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        handles.into_iter().try_for_each(|handle| handle.join().unwrap())
    })
}

fn run(world: &World, ledger: &Ledger, thread: usize, over: &AtomicBool) -> Result<(), Error> {
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let stream = format!("incident/T{thread}-{}", n % 5);
        let who = ["siem", "analyst", "manager"][n % 3];
        let saying = if n % 4 == 3 {
            world.confirmed("analyst", &stream)
        } else {
            world.comment(who, &stream, &"words, words, words ".repeat(1 + n % 40))
        };
        let jti = saying.id();
        let answer = saying.append(ledger).and_then(|appended| Ok((appended.seq, receipt_head(ledger, appended.seq)?)));
        match answer {
            Ok((seq, (size, root))) => say(&format!("ack {jti} {seq} {size} {root}")),
            Err(error) => {
                over.store(true, Ordering::Relaxed);
                return Err(error);
            }
        }
    }
    Ok(())
}
