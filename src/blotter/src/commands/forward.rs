//! `blotter forward`: hands alerts to a server, from where they arise, and never loses one. What it reads is on disk
//! before it is sent, and stays there until the server has taken it; whoever calls it is never held up for long.
//!
//! A kill before the alert is in the spool leaves nothing of it, and the caller knows by the exit code; a kill behind that
//! leaves the alert in the spool, and the next run sends it. One that was sent and not yet removed is sent twice, which the
//! server takes for a repeat.

mod server;
mod spool;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use blotter_exchange::DOCUMENT_BYTES_MAX;
use clap::Args;
use serde_json::json;

use crate::Exit;
use crate::context::{Context, now_us, random_bytes};
use crate::out::Tone;
use crate::remote;
use server::{Answer, Server, Token};
use spool::{Outage, Spool, Turn, Waiting};

/// The longest that a run holds up its caller, unless it was told to wait.
const BLOCKED_MAX: Duration = Duration::from_secs(10);
/// The longest that one request takes.
const REQUEST_MAX: Duration = Duration::from_secs(10);
/// How long to leave a server alone after one failure; doubled with each further one.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause after failures, and the longest that a server may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Failures after which the pause grows no more: 1 s · 2^8 is about four minutes.
const PAUSE_DOUBLINGS_MAX: u32 = 8;
/// How often to look whether another sender is done.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How many refused alerts a report names; the others it only counts.
const REFUSALS_SHOWN_MAX: usize = 100;
/// Lines that may wait between reading and sending; each is in the spool already.
const LINES_AHEAD_MAX: usize = 64;

/// Send alerts of other systems to a server, through a spool
///
/// Reads one alert, or with --lines one a line, keeps it in the spool, and posts it to {server}/v1/alerts/{format}. What can't be
/// sent now (no connection, 429, 5xx) stays in the spool, and the next run sends it first. What the server refuses goes to refused/ in the
/// spool with the reason beside it, and the exit code is 4. Without --wait a run takes no longer than ten seconds.
///
/// It needs --server, and a token: in --token-file, or in the variable BLOTTER_TOKEN.
#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// What the alerts are: ocsf, thehive, wazuh, elastic, splunk, graph, cloudevents, or a mapping of the server
    #[arg(long, value_name = "FORMAT", required_unless_present = "drain")]
    format: Option<String>,

    /// Where alerts are kept until the server has them. One directory for one server
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,

    /// Each line is an alert; follow the input to its end
    #[arg(long, conflicts_with = "drain")]
    lines: bool,

    /// Read nothing, and send what is in the spool
    #[arg(long, conflicts_with_all = ["file", "format"])]
    drain: bool,

    /// Go on trying until everything is sent
    #[arg(long)]
    wait: bool,

    /// The alert, or `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(crate) fn run(context: &Context, args: &Forward) -> Result<Exit> {
    let started = Instant::now();
    let dir = args.spool.clone().map_or_else(|| Ok(context.state_dir()?.join("forward")), anyhow::Ok)?;
    let format = args.format.as_deref().map(checked_format).transpose()?;
    let spool = Spool::open(&dir)?;
    // First the alert, then everything that can go wrong without harming it.
    let own = match format {
        Some(format) if !args.lines => Some(spool.put(format, &read_one(args)?)?),
        _ => None,
    };
    let sent = Sender::new(context, &spool).and_then(|mut sender| {
        match (format, &own) {
            _ if args.wait && !args.lines => sender.send_all()?,
            (Some(format), None) => sender.follow(args, format)?,
            (_, Some(own)) => sender.send_until(started + BLOCKED_MAX, own)?,
            (None, None) => sender.send_now(None)?,
        }
        sender.report()
    });
    sent.with_context(|| format!("not sent; what was read is kept in the spool {}", dir.display()))
}

fn checked_format(format: &str) -> Result<&str> {
    let shown = format.escape_debug();
    ensure!(spool::is_format(format), "--format {shown}: a word of a-z 0-9 - is wanted, such as wazuh");
    Ok(format)
}

fn input(args: &Forward) -> Result<Box<dyn Read + Send>> {
    if args.file.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = std::fs::File::open(&args.file).with_context(|| args.file.display().to_string())?;
    Ok(Box::new(file))
}

fn read_one(args: &Forward) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input(args)?.take(DOCUMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).context("reading the alert")?;
    ensure!(!bytes.trim_ascii().is_empty(), "no alert: the input is empty");
    ensure!(bytes.len() <= DOCUMENT_BYTES_MAX, "the alert has more than {DOCUMENT_BYTES_MAX} bytes; nothing was taken");
    Ok(bytes)
}

/// Sends what a spool holds.
struct Sender<'a> {
    context: &'a Context,
    spool: &'a Spool,
    server: Server,
    token: Token,
    sent: u64,
    refused: u64,
    /// The files of the first alerts that were refused, and why.
    refusals: Vec<(PathBuf, String)>,
    /// Why nothing gets through.
    stuck: Option<Stuck>,
}

/// Why nothing gets through.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stuck {
    what: String,
    /// Waiting doesn't help: a person must mend token, address or server.
    wrong: bool,
}

impl<'a> Sender<'a> {
    fn new(context: &'a Context, spool: &'a Spool) -> Result<Self> {
        let globals = &context.globals;
        let server = globals.server.as_ref().context("which server? Say --server URL")?;
        let server = Server::new(server, &remote::options(context)?)?;
        let token = Token::read(globals.token_file.as_deref())?;
        Ok(Self { context, spool, server, token, sent: 0, refused: 0, refusals: Vec::new(), stuck: None })
    }

    /// Sends what waits, and stops at `deadline`; not at all while the server is to be left alone. If somebody else is
    /// sending, waits for that, or until they have sent `own`.
    fn send_until(&mut self, deadline: Instant, own: &Waiting) -> Result<()> {
        while Instant::now() < deadline && self.pause().is_zero() {
            if let Some(turn) = self.spool.turn()? {
                self.drain(&turn, Some(deadline))?;
                return Ok(());
            }
            if !self.spool.has(own) {
                return self.was_sent_by_another(own);
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn was_sent_by_another(&mut self, own: &Waiting) -> Result<()> {
        match self.spool.refusal(own) {
            Some((path, problem)) => self.note_refused(path, problem),
            None => self.sent += 1,
        }
        Ok(())
    }

    /// Sends what waits, also after failures; but not before the time that the server asked for.
    fn send_now(&mut self, deadline: Option<Instant>) -> Result<()> {
        if self.asked_pause().is_zero() {
            self.take_turn(deadline)?;
        }
        Ok(())
    }

    /// Sends until nothing waits any more, or waiting doesn't help.
    fn send_all(&mut self) -> Result<()> {
        thread::sleep(self.asked_pause());
        while !self.take_turn(None)? && !self.stuck.as_ref().is_some_and(|stuck| stuck.wrong) {
            thread::sleep(self.pause());
        }
        Ok(())
    }

    /// Keeps each line in the spool as it comes, and sends beside it; at the input's end, sends what is left.
    fn follow(&mut self, args: &Forward, format: &str) -> Result<()> {
        let reader = BufReader::new(input(args)?);
        let (dir, format) = (self.spool.dir().to_owned(), format.to_owned());
        let (kept, news) = sync_channel(LINES_AHEAD_MAX);
        let keeper = thread::spawn(move || keep_lines(reader, &Spool::open(&dir)?, &format, &kept));
        loop {
            let idle = self.spool.waiting()?.is_empty();
            match news.recv_timeout(if idle { PAUSE_MAX } else { self.pause() }) {
                Err(RecvTimeoutError::Disconnected) => break,
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            }
            if self.pause().is_zero() {
                self.take_turn(None)?;
            }
        }
        let read = keeper.join().map_err(|_| anyhow::anyhow!("the thread that reads the lines ended"))?;
        if args.wait {
            self.send_all()?;
        } else {
            self.send_now(Some(Instant::now() + BLOCKED_MAX))?;
        }
        read
    }

    /// How long the server is to be left alone still.
    fn pause(&self) -> Duration {
        self.outage().map_or(Duration::ZERO, |outage| until(outage.until_us))
    }

    /// How long, of this, the server asked for.
    fn asked_pause(&self) -> Duration {
        self.outage().filter(|outage| outage.asked).map_or(Duration::ZERO, |outage| until(outage.until_us))
    }

    fn outage(&self) -> Option<Outage> {
        self.spool.outage(PAUSE_MAX.as_micros() as i64)
    }

    /// Waits for a turn, and sends what waits. Says whether nothing waits any more.
    fn take_turn(&mut self, deadline: Option<Instant>) -> Result<bool> {
        loop {
            if let Some(turn) = self.spool.turn()? {
                return self.drain(&turn, deadline);
            }
            if deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(false);
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Sends what waits, the oldest first, until one doesn't get through. Says whether nothing waits any more.
    fn drain(&mut self, _turn: &Turn, deadline: Option<Instant>) -> Result<bool> {
        loop {
            let all = self.spool.waiting()?;
            if all.is_empty() {
                return Ok(true);
            }
            for waiting in all {
                let left = deadline.map_or(REQUEST_MAX, |at| at.saturating_duration_since(Instant::now()));
                if left.is_zero() || !self.send(&waiting, left.min(REQUEST_MAX))? {
                    return Ok(false);
                }
            }
        }
    }

    /// Sends one; says whether to go on with the next.
    fn send(&mut self, waiting: &Waiting, timeout: Duration) -> Result<bool> {
        let bytes = self.spool.read(waiting)?;
        match self.server.send(&self.token, waiting.format(), &bytes, timeout) {
            Answer::Taken => {
                self.spool.remove(waiting)?;
                self.sent += 1;
            }
            Answer::Refused(problem) => {
                let path = self.spool.refuse(waiting, &problem)?;
                self.note_refused(path, problem);
            }
            Answer::Later { what, after_seconds } => {
                return self.get_stuck(Stuck { what, wrong: false }, after_seconds);
            }
            Answer::Wrong(what) => return self.get_stuck(Stuck { what, wrong: true }, None),
        }
        self.stuck = None;
        self.spool.note_outage(None)?;
        Ok(true)
    }

    fn note_refused(&mut self, path: PathBuf, problem: String) {
        let told = format!("refused, and kept as {}: {}", path.display(), one_line(&problem));
        self.say(Tone::Bad, &told);
        self.refused += 1;
        if self.refusals.len() < REFUSALS_SHOWN_MAX {
            self.refusals.push((path, problem));
        }
    }

    fn get_stuck(&mut self, stuck: Stuck, after_seconds: Option<u64>) -> Result<bool> {
        if self.stuck.as_ref() != Some(&stuck) {
            let told = format!("not sent yet, and kept in {}: {}", self.spool.dir().display(), one_line(&stuck.what));
            self.say(if stuck.wrong { Tone::Bad } else { Tone::Warn }, &told);
        }
        self.stuck = Some(stuck);
        self.leave_alone(after_seconds)?;
        Ok(false)
    }

    fn say(&self, tone: Tone, told: &str) {
        self.context.out.note(&format!("{} {told}", self.context.out.toned(tone, "blotter:")));
    }

    /// Notes for every sender how long to leave the server alone: as it says, or ever longer, and never all at once.
    fn leave_alone(&self, after_seconds: Option<u64>) -> Result<()> {
        let before = self.outage().map_or(0, |outage| outage.failures);
        let pause = PAUSE_MIN * 2_u32.pow(before.min(PAUSE_DOUBLINGS_MAX));
        let pause = after_seconds.map_or(pause, Duration::from_secs).clamp(PAUSE_MIN, PAUSE_MAX);
        // Between the whole and one and a half of it, so that senders that failed together don't come back together.
        let part = f64::from(u16::from_be_bytes(random_bytes())) / f64::from(u16::MAX);
        let pause = pause.mul_f64(1.0 + part / 2.0).min(PAUSE_MAX);
        let until_us = now_us().saturating_add(pause.as_micros() as i64);
        let asked = after_seconds.is_some();
        self.spool.note_outage(Some(Outage { failures: before.saturating_add(1), until_us, asked }))
    }

    fn report(&self) -> Result<Exit> {
        let waiting = self.spool.waiting()?.len();
        let refusals: Vec<_> =
            self.refusals.iter().map(|(path, problem)| json!({ "file": path, "problem": problem })).collect();
        let stuck = self.stuck.as_ref().map(|stuck| &stuck.what);
        let json = json!({
            "sent": self.sent, "waiting": waiting, "refused": self.refused, "refusals": refusals, "stuck": stuck,
        });
        self.context.out.result(&json, || format!("{} sent, {waiting} waiting, {} refused.", self.sent, self.refused));
        if waiting > 0 && stuck.is_none() {
            let why = "the server is to be left alone for a while, or time was up";
            self.say(Tone::Warn, &format!("not sent yet, and kept in {}: {why}", self.spool.dir().display()));
        }
        let wrong = self.stuck.as_ref().is_some_and(|stuck| stuck.wrong);
        Ok(if wrong || self.refused > 0 { Exit::Refused } else { Exit::Done })
    }
}

fn until(unix_us: i64) -> Duration {
    Duration::from_micros(unix_us.saturating_sub(now_us()).max(0).unsigned_abs())
}

/// Foreign text in one short line.
fn one_line(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(300).flat_map(char::escape_debug).collect()
}

/// Reads lines to the input's end; each is in the spool before the next is read.
fn keep_lines(mut reader: impl BufRead, spool: &Spool, format: &str, kept: &SyncSender<()>) -> Result<()> {
    let mut number = 0_u64;
    loop {
        let mut line = Vec::new();
        number += 1;
        let read = reader.by_ref().take(DOCUMENT_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        if read.with_context(|| format!("reading line {number}"))? == 0 {
            return Ok(());
        }
        if line.len() > DOCUMENT_BYTES_MAX {
            bail!("line {number} has more than {DOCUMENT_BYTES_MAX} bytes; nothing from there on was taken");
        }
        if !line.trim_ascii().is_empty() {
            spool.put(format, line.trim_ascii())?;
            // Whoever sends may be gone already; the line is safe all the same.
            let _ = kept.send(());
        }
    }
}
