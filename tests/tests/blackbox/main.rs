//! The program from outside: real processes, killed and starved; and other people's programs as judges of what it wrote.
//! It needs the binary: `cargo build -p blotter` first, or BLOTTER_BIN. What can't run here says so, and fails in CI.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod alerts;
mod cli;
mod contract;
mod demo;
mod examples;
mod filters;
mod following;
mod forward;
mod gates;
mod hostile;
mod intake;
mod judges;
mod kill;
mod numbers;
mod places;
mod playbooks;
mod resources;
mod served;
mod server;
mod strace;
mod telemetry;
mod views;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use blotter_ledger::{Read, Sqlite};
use blotter_record::Hash;
use blotter_tests::World;

/// The binary under test.
pub(crate) fn blotter() -> PathBuf {
    let beside = || std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("blotter");
    let path = std::env::var_os("BLOTTER_BIN").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "{} is not there: `cargo build -p blotter` first, or set BLOTTER_BIN", path.display());
    path
}

/// The load driver of this package.
pub(crate) fn load() -> &'static str {
    env!("CARGO_BIN_EXE_load")
}

/// Says that something can't be tested here; in CI that is a failure.
pub(crate) fn cannot_run(what: &str) {
    eprintln!("NOT TESTED HERE: {what}");
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "not tested in CI: {what}");
}

/// Runs a command to its end, without a terminal.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Both outputs of a command, for messages.
pub(crate) fn said(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What a driver was told before it ended.
#[derive(Default)]
pub(crate) struct Acknowledged {
    /// Ids and numbers.
    pub(crate) seqs: BTreeMap<String, u64>,
    /// Checkpoints of the receipts: size and root.
    pub(crate) heads: BTreeMap<u64, Hash>,
}

impl Acknowledged {
    /// Takes note of a line; a line that a kill cut off counts for nothing.
    pub(crate) fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        let ["ack", jti, seq, size, root] = words[..] else { return false };
        let (Ok(seq), Ok(size), Ok(root)) = (seq.parse(), size.parse(), root.parse::<Hash>()) else { return false };
        let before = self.seqs.insert(jti.to_owned(), seq);
        assert!(before.is_none_or(|before| before == seq), "{jti} was acknowledged as entry {before:?} and as {seq}");
        let before = self.heads.insert(size, root);
        assert!(before.is_none_or(|before| before == root), "two checkpoints of size {size}");
        true
    }

    /// Every acknowledged entry is there, under its number.
    pub(crate) fn check_there(&self, database: &Path) {
        let store = Sqlite::open_read_only(database).unwrap();
        for (jti, seq) in &self.seqs {
            assert_eq!(store.seq_of(&jti.parse().unwrap()).unwrap(), Some(*seq), "the acknowledged entry of {jti}");
        }
    }

    /// And every checkpoint that was handed out is of this log.
    pub(crate) fn check_heads(&self, world: &World) {
        let roots = blotter_tests::walk(&*world.store());
        for (size, root) in &self.heads {
            assert_eq!(roots.get(*size as usize), Some(root), "the checkpoint of size {size} that was handed out");
        }
    }
}

/// The whole verdict of the binary on a world; its head file is the witness.
pub(crate) fn verify(world: &World) {
    let mut command = Command::new(blotter());
    command.args(["verify", "--json", "--state-dir"]).arg(world.state_dir()).arg(world.dir());
    let output = run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout);
    let verified = output.status.code() == Some(0) && text.contains(r#""result":"verified""#);
    assert!(verified, "{}", said(&output));
}

/// Copies a directory with what is in it.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_dir(&file.path(), &to);
        } else {
            std::fs::copy(file.path(), to).unwrap();
        }
    }
}
