//! The spool: a directory with a file for each alert that isn't delivered yet. A file is there whole or not at all, from
//! the moment that [`Spool::put`] returns until the server has taken it; what the server refuses goes to `refused/`.
//!
//! Names sort in the order in which the alerts came. Names with a dot in front are ours: what is being written, the lock,
//! and when to try again.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::context::{new_name, now_us};
use crate::files::{self, Mode};

/// Marks an outage that the server asked for.
const ASKED: &str = "asked";

/// A directory of alerts that wait.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
}

/// An alert that waits: the name of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting(String);

impl Waiting {
    /// Of the name of a file; none if it isn't one of ours.
    fn of_name(name: String) -> Option<Self> {
        let [time, format, "json"] = name.split('.').collect::<Vec<_>>()[..] else { return None };
        (!time.is_empty() && is_format(format)).then_some(Self(name))
    }

    /// The name of the alert's format.
    pub(super) fn format(&self) -> &str {
        self.0.split('.').nth(1).expect("a name has three parts")
    }
}

/// Whether a word can name a format, in a URL and in a file's name.
pub(super) fn is_format(word: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=32).contains(&word.len()) && word.bytes().all(fits)
}

/// The right to send from a spool; one process has it at a time, and the order is kept.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

/// Since when, and until when, nothing gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    /// Attempts that failed, one after another.
    pub(super) failures: u32,
    /// When to try again, in microseconds since 1970.
    pub(super) until_us: i64,
    /// Whether the server asked for it.
    pub(super) asked: bool,
}

impl Spool {
    /// Opens a spool, and makes it if it isn't there. Nobody else can look into it.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let spool = Self { dir: dir.to_owned() };
        let made = DirBuilder::new().recursive(true).mode(0o700).create(spool.refused_dir());
        made.with_context(|| format!("the spool {}", dir.display()))?;
        Ok(spool)
    }

    /// Its directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where refused alerts are.
    pub(super) fn refused_dir(&self) -> PathBuf {
        self.dir.join("refused")
    }

    /// Keeps an alert. When this returns, it survives power loss.
    pub(super) fn put(&self, format: &str, bytes: &[u8]) -> Result<Waiting> {
        let waiting = Waiting(format!("{:020}-{}.{format}.json", now_us(), new_name()));
        let path = self.path_of(&waiting);
        let kept = || {
            let temporary = files::temporary(&path)?;
            files::write_new(&temporary, bytes, Mode::Private)?;
            fs::rename(&temporary, &path)?;
            files::sync_parent(&path)
        };
        kept().with_context(|| format!("can't keep the alert in the spool {}", self.dir.display()))?;
        Ok(waiting)
    }

    /// What waits, the oldest first.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>> {
        let mut found = Vec::new();
        for file in fs::read_dir(&self.dir).with_context(|| self.dir.display().to_string())? {
            found.extend(file?.file_name().into_string().ok().and_then(Waiting::of_name));
        }
        found.sort();
        Ok(found)
    }

    /// Whether it waits still.
    pub(super) fn has(&self, waiting: &Waiting) -> bool {
        self.path_of(waiting).exists()
    }

    /// The alert's bytes.
    pub(super) fn read(&self, waiting: &Waiting) -> Result<Vec<u8>> {
        let path = self.path_of(waiting);
        fs::read(&path).with_context(|| path.display().to_string())
    }

    /// The server has it. Should the file come back after a power loss, it is sent again, and the server knows it.
    pub(super) fn remove(&self, waiting: &Waiting) -> Result<()> {
        let path = self.path_of(waiting);
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
        files::sync_parent(&path)
    }

    /// The server won't ever take it: moves it out of the way, with the reason beside it.
    pub(super) fn refuse(&self, waiting: &Waiting, problem: &str) -> Result<PathBuf> {
        let path = self.refused_dir().join(&waiting.0);
        files::write(&path.with_extension("problem.txt"), problem.as_bytes(), Mode::Public)?;
        fs::rename(self.path_of(waiting), &path).with_context(|| path.display().to_string())?;
        files::sync_parent(&path)?;
        files::sync_parent(&self.path_of(waiting))?;
        Ok(path)
    }

    /// Where a refused alert is, and the reason, if it was refused.
    pub(super) fn refusal(&self, waiting: &Waiting) -> Option<(PathBuf, String)> {
        let path = self.refused_dir().join(&waiting.0);
        let problem = fs::read_to_string(path.with_extension("problem.txt")).ok()?;
        path.exists().then_some((path, problem))
    }

    /// The right to send, unless somebody else has it.
    pub(super) fn turn(&self) -> Result<Option<Turn>> {
        let path = self.dir.join(".lock");
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.with_context(|| path.display().to_string())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Turn(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e).with_context(|| path.display().to_string()),
        }
    }

    /// The outage that was noted, if there is one. A note that can't be read, or is of a clock that went wrong, is none.
    pub(super) fn outage(&self, ahead_us_max: i64) -> Option<Outage> {
        let text = fs::read_to_string(self.outage_path()).ok()?;
        let [failures, until_us, who] = text.split_whitespace().collect::<Vec<_>>()[..] else { return None };
        let outage = Outage { failures: failures.parse().ok()?, until_us: until_us.parse().ok()?, asked: who == ASKED };
        (outage.until_us <= now_us().saturating_add(ahead_us_max)).then_some(outage)
    }

    /// Notes an outage, or that there is none any more. It only saves attempts, so nothing rests on it.
    pub(super) fn note_outage(&self, outage: Option<Outage>) -> Result<()> {
        let path = self.outage_path();
        match outage {
            Some(Outage { failures, until_us, asked }) => {
                let who = if asked { ASKED } else { "failed" };
                files::write(&path, format!("{failures} {until_us} {who}\n").as_bytes(), Mode::Public)
            }
            None => match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => Err(e).with_context(|| path.display().to_string()),
                _ => Ok(()),
            },
        }
    }

    fn outage_path(&self) -> PathBuf {
        self.dir.join(".outage")
    }

    fn path_of(&self, waiting: &Waiting) -> PathBuf {
        self.dir.join(&waiting.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn spool(dir: &tempfile::TempDir) -> Spool {
        Spool::open(&dir.path().join("a/spool")).unwrap()
    }

    #[test]
    fn what_is_put_waits_in_its_order_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir);
        for n in 0..20 {
            spool.put("wazuh", format!("{n:02}").as_bytes()).unwrap();
        }
        for foreign in [".half.wazuh.json", "0.json", "0.Wazuh.json", "0.wazuh.problem.txt", "a.b.c.json"] {
            fs::write(spool.dir().join(foreign), "x").unwrap();
        }
        let waiting = spool.waiting().unwrap();
        let read: Vec<_> = waiting.iter().map(|waiting| spool.read(waiting).unwrap()).collect();
        assert!(read.len() == 20 && read.is_sorted());
        assert_eq!(waiting[0].format(), "wazuh");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&spool.path_of(&waiting[0])), 0o600);
        assert_eq!((mode(spool.dir()), mode(&spool.refused_dir())), (0o700, 0o700));
    }

    #[test]
    fn what_is_refused_is_kept_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir);
        let waiting = spool.put("ocsf", b"{}").unwrap();
        let path = spool.refuse(&waiting, "422\nno time").unwrap();
        assert!(spool.waiting().unwrap().is_empty() && !spool.has(&waiting));
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        assert_eq!(fs::read_to_string(path.with_extension("problem.txt")).unwrap(), "422\nno time");
    }

    #[test]
    fn one_at_a_time_may_send() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir);
        let turn = spool.turn().unwrap().unwrap();
        assert!(spool.turn().unwrap().is_none());
        drop(turn);
        assert!(spool.turn().unwrap().is_some());
    }

    #[test]
    fn an_outage_is_noted_until_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let spool = spool(&dir);
        assert_eq!(spool.outage(1_000_000), None);
        let outage = Outage { failures: 3, until_us: now_us() + 500_000, asked: true };
        spool.note_outage(Some(outage)).unwrap();
        assert_eq!(spool.outage(1_000_000), Some(outage));
        assert_eq!(spool.outage(0), None, "no outage ends so late: the clock was wrong");
        spool.note_outage(None).unwrap();
        spool.note_outage(None).unwrap();
        assert_eq!(spool.outage(1_000_000), None);
        fs::write(spool.dir().join(".outage"), "x y failed").unwrap();
        assert_eq!(spool.outage(1_000_000), None);
    }
}
