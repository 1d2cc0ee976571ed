//! What a machine can run out of or take away: room on the disk, the right to write, the sole use of a ledger.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use blotter_tests::World;

use crate::{Acknowledged, cannot_run, load, run, said, verify};

/// Appends until the disk (or what stands for it) is full; then everything acknowledged is there, and with room again it
/// goes on.
fn check_full(command: &mut Command, world: &World) {
    let output = run(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut acknowledged = Acknowledged::default();
    for line in text.lines() {
        acknowledged.note(line);
    }
    assert!(!acknowledged.seqs.is_empty(), "{}", said(&output));
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error ")).collect();
    assert!(!errors.is_empty() && output.status.code() == Some(2), "it says why it ends: {}", said(&output));
    assert!(errors[0].contains("disk"), "and that it is the disk: {errors:?}");
    assert!(!said(&output).contains("panicked"), "{}", said(&output));
    acknowledged.check_there(&world.database());
    acknowledged.check_heads(world);
}

#[test]
fn a_file_that_may_not_grow_loses_nothing_and_with_room_it_goes_on() {
    let base = tempfile::tempdir().unwrap();
    World::found_at(base.path());
    // Blocks of 1024 bytes; the signal is ignored, so that the write fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 2048; exec \"$@\"";
    let world = World::enter(base.path(), 2);
    let mut command = Command::new("bash");
    command.args(["-c", script, "sh", load(), "many"]).arg(base.path()).args(["1", "4"]);
    check_full(&mut command, &world);
    let ledger = world.open();
    world.comment("siem", "incident/I-1", "there is room again").append(&ledger).unwrap();
    drop(ledger);
    world.check();
    verify(&world);
}

/// A file system of a few MiB that is unmounted again.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        let mut command = Command::new("mount");
        let output = command.args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(path).output();
        output.is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_loses_nothing_and_with_room_it_goes_on() {
    let base = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(base.path()) else {
        // A process that may mount nothing has the limit on files above, which is always tested.
        eprintln!("NOT TESTED HERE: a full file system, because none can be mounted; a full file is tested");
        return;
    };
    World::found_at(base.path());
    let world = World::enter(base.path(), 2);
    let mut command = Command::new(load());
    command.arg("many").arg(base.path()).args(["1", "4"]);
    check_full(&mut command, &world);
    let status = Command::new("mount").args(["-o", "remount,size=16m"]).arg(base.path()).status().unwrap();
    assert!(status.success());
    let ledger = world.open();
    world.comment("siem", "incident/I-1", "there is room again").append(&ledger).unwrap();
    drop(ledger);
    world.check();
    verify(&world);
}

#[test]
fn a_second_process_is_refused_and_the_first_goes_on() {
    let base = tempfile::tempdir().unwrap();
    let world = World::found_at(base.path());
    let mut holder = Command::new(load());
    let mut holder = holder.arg("hold").arg(base.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "open");
    let second = run(Command::new(load()).arg("few").arg(base.path()).args(["3", "1"]));
    assert_eq!(second.status.code(), Some(2));
    assert!(said(&second).contains("another process has this ledger open for writing"), "{}", said(&second));
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    let after = run(Command::new(load()).arg("few").arg(base.path()).args(["3", "1"]));
    assert!(after.status.success(), "{}", said(&after));
    world.check();
    verify(&world);
}

/// Runs a driver as somebody who owns nothing here: root ignores permissions.
fn as_nobody(program: &Path) -> Option<Command> {
    let who = run(Command::new("id").arg("-u"));
    if String::from_utf8_lossy(&who.stdout).trim() != "0" {
        return Some(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    let probe =
        Command::new("setpriv").args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "true"]).status();
    probe.is_ok_and(|status| status.success()).then_some(command)
}

#[test]
fn a_read_only_directory_is_refused_and_left_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().unwrap();
    let world = World::found_at(base.path());
    let size = world.check();
    // Somewhere that everybody can go.
    let program = base.path().join("load");
    std::fs::copy(load(), &program).unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(base.path(), 0o755);
    mode(&program, 0o755);
    mode(&world.dir(), 0o555);
    mode(&world.database(), 0o444);
    mode(&world.dir().join("writer.lock"), 0o444);
    let Some(mut command) = as_nobody(&program) else {
        return cannot_run("a read-only directory, because this is root and setpriv does not work");
    };
    let output = run(command.arg("few").arg(base.path()).args(["3", "1"]));
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("writer.lock: Permission denied"), "it says which file: {}", said(&output));
    mode(&world.dir(), 0o755);
    mode(&world.database(), 0o644);
    mode(&world.dir().join("writer.lock"), 0o644);
    assert_eq!(world.check(), size);
    drop(world.open());
}
