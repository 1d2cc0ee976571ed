//! Every single system call of the write path, counted and then made to fail or to be the last one: `strace` injects an
//! error into the K-th call, or SIGKILL before it. A kill before call K+1 is also the other face of call K: done, but
//! nobody was told; for a failing commit that face is tested inside (the ledger's own tests, faults.rs).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use blotter_tests::{World, few};

use crate::{Acknowledged, cannot_run, copy_dir, load, run, said, verify};

/// Statements of the process under test.
const STATEMENTS: &str = "2";
/// The calls by which a process touches its files.
const CALLS: &str = "openat,read,pread64,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,unlink,rename,mkdir,flock,fcntl,mmap,lseek,newfstatat";

fn strace(base: &Path, more: &[String]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(base.join("trace"));
    // Only calls that touch the ledger and its head file: the loader and the allocator are not the write path.
    for path in paths(base) {
        command.arg("-P").arg(path);
    }
    command.args(more).arg(load()).args(["few", base.to_str().unwrap(), "7", STATEMENTS]);
    command
}

fn paths(base: &Path) -> Vec<std::path::PathBuf> {
    let world = World::enter(base, 0);
    let mut paths = vec![world.dir(), world.state_dir(), world.dir().join("writer.lock"), world.head_file()];
    paths.push(world.head_file().with_extension("erased"));
    for extension in ["db", "db-wal", "db-shm", "db-journal"] {
        paths.push(world.database().with_extension(extension));
    }
    paths
}

/// How often each thread makes each call, at most: `when=K` counts for each thread.
fn count(base: &Path) -> Option<BTreeMap<String, usize>> {
    let output = run(&mut strace(base, &[format!("-etrace={CALLS}")]));
    if output.status.code() != Some(0) {
        cannot_run(&format!("the system calls of the write path, because strace can't run: {}", said(&output)));
        return None;
    }
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in std::fs::read_to_string(base.join("trace")).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if CALLS.split(',').any(|known| known == call) {
            *counts.entry((call.to_owned(), thread.to_owned())).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((call, _), count) in counts {
        let there: &mut usize = most.entry(call).or_default();
        *there = count.max(*there);
    }
    Some(most)
}

struct Case {
    call: String,
    nth: usize,
    fault: &'static str,
}

fn cases(counts: &BTreeMap<String, usize>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (call, count) in counts {
        let faults: &[&str] = match call.as_str() {
            "pwrite64" | "write" | "ftruncate" | "openat" => &["error=EIO", "error=ENOSPC", "signal=SIGKILL"],
            // A kill before a call that changes nothing is a kill before the next one that does.
            "fcntl" | "newfstatat" | "lseek" | "pread64" | "read" | "mmap" => &["error=EIO"],
            _ => &["error=EIO", "signal=SIGKILL"],
        };
        for nth in 1..=*count {
            cases.extend(faults.iter().map(|fault| Case { call: call.clone(), nth, fault }));
        }
    }
    cases
}

#[test]
fn no_system_call_of_the_write_path_can_fail_or_be_the_last_so_that_something_is_lost_or_doubled() {
    if Command::new("strace").arg("-V").output().is_err() {
        return cannot_run("the system calls of the write path, because strace is not installed");
    }
    let home = tempfile::tempdir().unwrap();
    let origin = home.path().join("origin");
    World::found_at(&origin);
    let trial = home.path().join("count");
    copy_dir(&origin, &trial);
    let Some(counts) = count(&trial) else { return };
    let cases = cases(&counts);
    println!("system calls by thread at most: {counts:?}; {} cases", cases.len());
    assert!(["pwrite64", "fdatasync", "openat"].iter().all(|call| counts.contains_key(*call)), "{counts:?}");

    let next = AtomicUsize::new(0);
    let broken = Mutex::new(Vec::new());
    let (told, untold) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{}-{}-{}", case.call, case.nth, case.fault.replace('=', "-"));
                    let base = home.path().join(&name);
                    copy_dir(&origin, &base);
                    let checked = std::panic::catch_unwind(|| check(&base, case));
                    match checked {
                        Ok(acknowledged) => {
                            let counter = if acknowledged > 0 { &told } else { &untold };
                            counter.fetch_add(1, Ordering::Relaxed);
                            std::fs::remove_dir_all(&base).unwrap();
                        }
                        Err(_) => broken.lock().unwrap().push(name),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    let (told, untold) = (told.into_inner(), untold.into_inner());
    println!("{} cases: {told} with an acknowledged entry, {untold} without; {} broken", cases.len(), broken.len());
    assert!(broken.is_empty(), "{broken:?}");
}

/// Runs one case; how many entries it acknowledged.
fn check(base: &Path, case: &Case) -> usize {
    let inject = format!("-einject={}:{}:when={}", case.call, case.fault, case.nth);
    let output = run(&mut strace(base, &[format!("-etrace={}", case.call), inject.clone()]));
    let mut acknowledged = Acknowledged::default();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in text.lines() {
        acknowledged.note(line);
    }
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{inject}: {}", said(&output));

    // Whatever happened, it opens again, says the same statements once more, and everything is there once.
    let world = World::enter(base, 7);
    let count = STATEMENTS.parse().unwrap();
    few(&world, count, |jti, seq, (size, root)| assert!(acknowledged.note(&format!("ack {jti} {seq} {size} {root}"))))
        .unwrap_or_else(|e| panic!("{inject}: {e}; it said: {}", said(&output)));
    assert_eq!(acknowledged.seqs.len(), count, "{inject}");
    acknowledged.check_there(&world.database());
    world.check();
    acknowledged.check_heads(&world);
    if case.nth == 1 {
        verify(&world);
    }
    text.lines().filter(|line| line.starts_with("ack ")).count()
}
