//! `blotter unlock`: asks for passphrases once, and holds the keys for a shift in an agent of this user.

mod shift;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use blotter_keys::agent::SOCKET_NAME;
use blotter_keys::jwk::thumbprint;
use blotter_keys::ssh_agent;
use clap::Args;
use serde_json::json;

use self::shift::{End, UNTIL_NAME, be_the_agent, serve, start};
use crate::context::Context;
use crate::keystore;
use crate::out::plain;

/// The longest shift.
const PERIOD_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long to wait for an agent of our own to answer or to end.
const AGENT_WAIT: Duration = Duration::from_secs(5);

/// Hold keys for a shift, so that passphrases are asked for once
///
/// Afterwards every command finds the keys there. The agent signs only what blotter builds (statements, logins, proofs of
/// possession), only for you, and only until its time is over. It goes to the background.
#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// The keys: their names or files; without any, the key of --as, or the only one there is
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// For how long: 90m, 8h; at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "8h", value_parser = period)]
    period: Duration,

    /// Stay in the foreground; Ctrl-C ends it
    #[arg(long)]
    foreground: bool,

    /// End the agent now; it forgets the keys
    #[arg(long, conflicts_with_all = ["names", "foreground", "status"])]
    stop: bool,

    /// Say whether an agent runs, until when, and which keys it holds
    #[arg(long, conflicts_with_all = ["names", "foreground"])]
    status: bool,

    /// Be the agent: time and keys come through standard input
    #[arg(long, hide = true)]
    serve: bool,
}

fn period(text: &str) -> Result<Duration, String> {
    let wanted = || "a time such as 30m or 8h is wanted, at most 24h".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds_each = match &text[digits.len()..] {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err(wanted()),
    };
    let count: u64 = digits.parse().map_err(|_| wanted())?;
    let period = Duration::from_secs(count.checked_mul(seconds_each).ok_or_else(wanted)?);
    if period.is_zero() || period > PERIOD_MAX { Err(wanted()) } else { Ok(period) }
}

pub(crate) fn run(context: &Context, args: &Unlock) -> Result<()> {
    if args.serve {
        return be_the_agent();
    }
    let dir = keystore::agent_dir()?;
    if args.stop {
        return stop(context, &dir);
    }
    if args.status {
        status(context, &dir);
        return Ok(());
    }
    if held(&dir).is_some() {
        bail!("an agent is running already, at {}; see `blotter unlock --status`, end it with --stop", dir.display());
    }
    let paths = files(context, &args.names)?;
    let keys = paths.iter().map(|path| keystore::read_key(context, path)).collect::<Result<Vec<_>>>()?;
    let end = End::after(args.period)?;
    match args.foreground {
        true => serve(keys, &end, |socket| tell(context, socket, &end, &paths)),
        false => {
            let socket = start(&keys, &end)?;
            tell(context, &socket, &end, &paths);
            Ok(())
        }
    }
}

/// The files of the keys to be held.
fn files(context: &Context, names: &[String]) -> Result<Vec<PathBuf>> {
    let file = |name: &String| {
        let path = keystore::file_of(context, name);
        path.with_context(|| format!("there is no key file {name:?}; `blotter key list` shows those that are here"))
    };
    if !names.is_empty() {
        return names.iter().map(file).collect();
    }
    if let Some(who) = &context.globals.who {
        return Ok(vec![file(who)?]);
    }
    match &keystore::named_keys(context)[..] {
        [(_, path)] => Ok(vec![path.clone()]),
        [] => bail!("there is no key to unlock: make one with `blotter key new NAME`"),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            bail!("which of these keys? `blotter unlock NAME…` with: {}", names.join(", "))
        }
    }
}

fn tell(context: &Context, socket: &Path, end: &End, paths: &[PathBuf]) {
    let names: Vec<_> = paths.iter().map(|path| path.file_stem().unwrap_or_default().to_string_lossy()).collect();
    context.out.result(&json!({ "socket": socket, "until": end.wall, "keys": names }), || {
        format!(
            "{} until {}.\nThe agent listens at {}; `blotter unlock --stop` ends it.",
            format_args!("Unlocked {}", names.join(", ")),
            end.wall,
            socket.display()
        )
    });
}

/// What our agent holds, if one answers.
fn held(dir: &Path) -> Option<Vec<ssh_agent::Identity>> {
    ssh_agent::identities(&dir.join(SOCKET_NAME), AGENT_WAIT).ok()
}

fn status(context: &Context, dir: &Path) {
    let Some(held) = held(dir) else {
        context.out.result(&json!({ "running": false, "socket": null, "until": null, "keys": [] }), || {
            "No agent is running. `blotter unlock NAME` starts one.".to_owned()
        });
        return;
    };
    let socket = dir.join(SOCKET_NAME);
    let until = std::fs::read_to_string(dir.join(UNTIL_NAME)).map(|until| plain(until.trim())).unwrap_or_default();
    let named = keystore::named_keys(context);
    let name_of = |identity: &ssh_agent::Identity| {
        let named = named.iter().find(|(_, path)| keystore::public_of(path) == Some(identity.public));
        named.map(|(name, _)| name.clone())
    };
    let keys: Vec<_> = held
        .iter()
        .map(|key| json!({ "name": name_of(key), "thumbprint": thumbprint(&key.public).to_string() }))
        .collect();
    context.out.result(&json!({ "running": true, "socket": socket, "until": until, "keys": keys }), || {
        let rows = held.iter().map(|key| vec![name_of(key).unwrap_or_default(), thumbprint(&key.public).to_string()]);
        format!(
            "An agent runs until {until}, at {}.\n\n{}",
            socket.display(),
            context.out.table(&["name", "thumbprint"], rows)
        )
    });
}

fn stop(context: &Context, dir: &Path) -> Result<()> {
    let socket = dir.join(SOCKET_NAME);
    let Ok(stream) = UnixStream::connect(&socket) else {
        context.out.result(&json!({ "stopped": false }), || "No agent is running.".to_owned());
        return Ok(());
    };
    let pid = listener_of(&stream)?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("telling the agent to end")?;
    // The agent cuts its connections when it has ended.
    stream.set_read_timeout(Some(AGENT_WAIT))?;
    match (&stream).read(&mut [0]) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            bail!("the agent (process {}) does not end; kill it", pid.as_raw_nonzero())
        }
        _ => {
            context.out.result(&json!({ "stopped": true }), || "The agent has ended and forgot its keys.".to_owned());
            Ok(())
        }
    }
}

/// Who listens there: the kernel says, no file can be stale.
#[cfg(target_os = "linux")]
fn listener_of(stream: &UnixStream) -> Result<rustix::process::Pid> {
    Ok(rustix::net::sockopt::socket_peercred(stream).context("asking who the agent is")?.pid)
}

#[cfg(not(target_os = "linux"))]
fn listener_of(_: &UnixStream) -> Result<rustix::process::Pid> {
    bail!("on this system, end the agent by sending SIGTERM to the process `blotter unlock --serve`")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_longer_than_nothing_and_at_most_a_day() {
        let seconds = |text: &str| period(text).ok().map(|period| period.as_secs());
        for (text, expect) in [
            ("8h", Some(8 * 3600)),
            ("90m", Some(5400)),
            ("1s", Some(1)),
            ("24h", Some(86_400)),
            ("86401s", None),
            ("0h", None),
            ("8", None),
            ("h", None),
            ("8d", None),
            ("-1h", None),
            ("99999999999999999999h", None),
            ("9999999999999999999h", None),
            ("8ħ", None),
        ] {
            assert_eq!(seconds(text), expect, "{text}");
        }
    }
}
