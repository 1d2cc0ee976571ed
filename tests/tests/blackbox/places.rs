//! A ledger founded by the binary, for tests of the binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::{blotter, run, said};

/// A directory with a ledger of the binary's own, and a state directory beside it.
pub(crate) struct Place {
    base: TempDir,
}

impl Place {
    /// `blotter init`, without a terminal.
    pub(crate) fn founded() -> Self {
        let place = Self { base: tempfile::tempdir().unwrap() };
        let output = place.run(&["init", "--origin", "example.org/soc", "--no-passphrase"]);
        assert!(output.status.success(), "{}", said(&output));
        place
    }

    /// `blotter demo`: incidents through their phases, imported history, and what is open.
    pub(crate) fn played() -> Self {
        let place = Self { base: tempfile::tempdir().unwrap() };
        let output = place.run(&["demo"]);
        assert!(output.status.success(), "{}", said(&output));
        place
    }

    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self { base: tempfile::tempdir().unwrap() }
    }

    /// A path beside the ledger.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// The ledger's directory.
    pub(crate) fn dir(&self) -> PathBuf {
        self.beside("ledger")
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir().join("ledger.db")
    }

    /// How many entries it has, by its anchor.
    pub(crate) fn size(&self) -> u64 {
        json(&std::fs::read_to_string(self.dir().join("anchor.json")).unwrap())["size"].as_u64().unwrap()
    }

    /// The first entry of that event.
    pub(crate) fn first(&self, event: &str) -> u64 {
        let log = self.done(&["log", "--json", "--all", "--event", event]);
        json(log.lines().next().unwrap_or_else(|| panic!("no {event}")))["seq"].as_u64().unwrap()
    }

    /// The binary with this ledger, and nothing of the user's.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(blotter());
        command.env_clear().env("HOME", self.base.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("BLOTTER_DIR", self.dir()).env("BLOTTER_STATE_DIR", self.beside("state"));
        command
    }

    /// Runs it.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        run(self.command().args(args))
    }

    /// Runs it, and it must succeed; its standard output.
    pub(crate) fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it, and it must end with this exit code; everything it said.
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(!said(&output).contains("panicked"), "{args:?}: {}", said(&output));
        said(&output)
    }

    /// A remark of the founder's.
    pub(crate) fn comment(&self, text: &str) -> String {
        let text = format!("text={text}");
        self.done(&["act", "comment.added", "incident/I-1", "--data", &text, "--as", "founder", "--yes", "--json"])
    }
}

/// The numbers in a JSON line of the binary.
pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Takes a copy of the ledger's files, which nobody has open.
pub(crate) fn backup(place: &Place, name: &str) -> PathBuf {
    let to = place.beside(name);
    crate::copy_dir(&place.dir(), &to);
    to
}

/// Puts a copy where the ledger was.
pub(crate) fn put_back(place: &Place, copy: &Path) {
    std::fs::remove_dir_all(place.dir()).unwrap();
    crate::copy_dir(copy, &place.dir());
}
