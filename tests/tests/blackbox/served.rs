//! A ledger that `blotter serve` serves, and a service in it that signs for itself.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::places::{Place, json};

/// A server that runs as long as this lives.
pub(crate) struct Served {
    child: Child,
    /// Where it is reached.
    pub(crate) url: String,
    log: PathBuf,
}

impl Served {
    /// Starts it on a free port.
    pub(crate) fn start(place: &Place) -> Self {
        Self::start_with(place, &[])
    }

    /// The same, with further arguments.
    pub(crate) fn start_with(place: &Place, more: &[&str]) -> Self {
        let log = place.beside("serve.log");
        let mut command = place.command();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the server did not start: {}", std::fs::read_to_string(&log).unwrap());
        Self { child, url: json(&line)["url"].as_str().unwrap().to_owned(), log }
    }

    /// Ends it as an operator does.
    pub(crate) fn end(mut self) {
        let ended = std::process::Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Enrols a service with a key of its own, `keys/svc.key`; its id.
pub(crate) fn enrol_service(place: &Place) -> String {
    place.done(&["key", "new", "svc", "--no-passphrase"]);
    let who = ["--kind", "service", "--name", "Build checker", "--role", "service", "--as", "founder", "-y", "--json"];
    let enrolled = place.done(&[&["actor", "enrol", "--key", "svc"], &who[..]].concat());
    json(&enrolled)["actor"].as_str().unwrap().to_owned()
}

/// A token of the service's, with these scopes.
pub(crate) fn token(place: &Place, scopes: &[&str]) -> String {
    let mut args = vec!["token", "issue", "--as", "founder", "--for", "svc", "--expires", "2999-01-01", "-y", "--json"];
    scopes.iter().for_each(|scope| args.extend(["--scope", scope]));
    json(&place.done(&args))["token"].as_str().unwrap().to_owned()
}
