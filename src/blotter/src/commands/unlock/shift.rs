//! The process that holds the keys. They reach it through a pipe, never by arguments, environment or a file; it can't be
//! traced or dumped, and forgets them at the end of the shift, also of one through which the machine slept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use blotter_keys::agent::{self, AgentSocket};
use blotter_keys::ed25519::SecretKey;
use blotter_record::Instant;
use rustix::time::{ClockId, clock_gettime};
use zeroize::Zeroizing;

use crate::context::now_us;
use crate::keystore;

/// What the child says when it listens.
const LISTENING: &str = "listening";
/// Beside the socket: until when, for `--status`.
pub(super) const UNTIL_NAME: &str = "agent.until";

/// When the shift ends: on the clock that counts sleep too, and as people read it.
pub(super) struct End {
    boot_seconds: u64,
    pub(super) wall: String,
}

impl End {
    pub(super) fn after(period: Duration) -> Result<Self> {
        let wall_us = now_us() + i64::try_from(period.as_micros())?;
        let wall = Instant::from_unix_us(wall_us / 1_000_000 * 1_000_000)?;
        let wall = format!("{}Z", wall.as_str().split('.').next().unwrap_or_default().trim_end_matches('Z'));
        Ok(Self { boot_seconds: boot_time().as_secs() + period.as_secs(), wall })
    }

    fn left(&self) -> Option<Duration> {
        Duration::from_secs(self.boot_seconds).checked_sub(boot_time()).filter(|left| !left.is_zero())
    }
}

/// Since the machine was started, sleep included.
fn boot_time() -> Duration {
    #[cfg(target_os = "linux")]
    let now = clock_gettime(ClockId::Boottime);
    #[cfg(not(target_os = "linux"))]
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Starts this program anew as the agent, and gives it the keys through a pipe. Returns when it listens.
pub(super) fn start(keys: &[SecretKey], end: &End) -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this very program")?;
    // A pipe of the caller's that the agent kept open would make `$(blotter unlock)` wait for the end of the shift.
    let mut child = Command::new(program)
        .args(["unlock", "--serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the agent")?;
    let mut input = child.stdin.take().context("the agent's input is a pipe")?;
    let output = child.stdout.take().context("the agent's output is a pipe")?;
    let sent = (|| {
        writeln!(input, "{} {} {}", end.boot_seconds, end.wall, keys.len())?;
        keys.iter().try_for_each(|key| input.write_all(&key.seed()[..]))
    })();
    drop(input);
    let mut answer = String::new();
    BufReader::new(output).take(4096).read_line(&mut answer)?;
    match answer.trim_end().split_once(' ') {
        Some((LISTENING, socket)) => Ok(PathBuf::from(socket)),
        Some((_, why)) => bail!("the agent did not start: {why}"),
        None => {
            sent.context("handing over the keys")?;
            bail!("the agent ended before it listened")
        }
    }
}

/// The child's side of [`start`].
pub(super) fn be_the_agent() -> Result<()> {
    protect();
    let mut out = std::io::stdout();
    let done = receive().and_then(|(keys, end)| {
        // A session of its own: the terminal's end, or Ctrl-C there, is not this agent's.
        let _ = rustix::process::setsid();
        serve(keys, &end, |socket| {
            let _ = writeln!(std::io::stdout(), "{LISTENING} {}", socket.display());
        })
    });
    if let Err(error) = &done {
        // If it had been listening nobody reads this any more, and nobody need.
        let _ = writeln!(out, "failed {error:#}");
    }
    done
}

/// Time and keys, read without a buffer that would keep them.
fn receive() -> Result<(Vec<SecretKey>, End)> {
    let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let (mut line, mut byte) = (String::new(), [0]);
    while byte != *b"\n" && line.len() < 256 {
        input.read_exact(&mut byte).context("the time")?;
        line.push(char::from(byte[0]));
    }
    let mut words = line.split_whitespace();
    let mut word = || words.next().context("`--serve` is for `blotter unlock` itself to use");
    let end = End { boot_seconds: word()?.parse()?, wall: word()?.to_owned() };
    let count: usize = word()?.parse()?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let mut seed = Zeroizing::new([0; 32]);
        input.read_exact(&mut seed[..]).context("the keys")?;
        keys.push(SecretKey::from_seed(*seed));
    }
    Ok((keys, end))
}

/// Nobody traces this process or finds keys in a core dump, where the system can see to that.
fn protect() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Listens until the end of the shift, or until it is told to stop.
pub(super) fn serve(keys: Vec<SecretKey>, end: &End, listening: impl FnOnce(&Path)) -> Result<()> {
    protect();
    let dir = keystore::agent_dir()?;
    if let Some(parent) = dir.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    }
    let (told, tell) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::low_level::pipe::register(signal, tell.try_clone()?)?;
    }
    let socket = AgentSocket::bind(&dir)?;
    let until = dir.join(UNTIL_NAME);
    std::fs::write(&until, format!("{}\n", end.wall)).with_context(|| format!("{}", until.display()))?;
    listening(socket.path());
    let ended = agent::run(socket, keys, || end.left(), &told);
    let _ = std::fs::remove_file(&until);
    ended.map(|_| ()).context("the agent")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_has_passed_leaves_nothing() {
        assert!(End { boot_seconds: 0, wall: String::new() }.left().is_none());
        assert!(End::after(Duration::from_secs(60)).unwrap().left().is_some());
        assert!(End::after(Duration::from_secs(60)).unwrap().wall.ends_with('Z'));
    }
}
