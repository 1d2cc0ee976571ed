//! The real server, `blotter serve`, as a child process on a free port; and what can be read of it from outside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::Fixture;
use crate::load::{Connection, Plan, drive, get};

/// Of `/proc`, on every Linux (USER_HZ).
const TICKS_PER_SECOND: u64 = 100;

/// A server that runs as long as this lives.
#[derive(Debug)]
pub struct Served {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The server's program: as given, or beside this one.
///
/// # Errors
/// If it is not there.
pub fn program(given: Option<&Path>) -> Result<PathBuf> {
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("blotter"));
    let path = given.map_or_else(beside, |path| Ok(path.to_owned()))?;
    ensure!(path.is_file(), "{} is not there: `cargo build --release` first, or say --server", path.display());
    Ok(path)
}

impl Served {
    /// Starts the server on this ledger; its log goes to `<root>/server.log`.
    ///
    /// # Errors
    /// If it does not start; its log says why.
    pub fn start(program: &Path, fixture: &Fixture, root: &Path) -> Result<Self> {
        let log = root.join("server.log");
        // Nothing here is about one token's rate.
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--rate", "1000000", "--dir"])
            .arg(&fixture.dir)
            .env("BLOTTER_STATE_DIR", &fixture.state_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output is a pipe")?).read_line(&mut line)?;
        let address = line.split('"').skip_while(|part| *part != "listening").nth(2).and_then(|text| text.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("the server did not start: {line}{}", std::fs::read_to_string(log)?);
        };
        Ok(Self { child, address })
    }

    /// The sum of a histogram's buckets by their upper ends, of one route, from `/metrics`.
    ///
    /// # Errors
    /// If the server does not answer.
    pub fn buckets(&self, name: &str, route: &str) -> Result<Vec<(f64, u64)>> {
        let text = self.metrics()?;
        let (name, route) = (format!("{name}_bucket{{"), format!("route=\"{route}\""));
        let mut buckets: Vec<(f64, u64)> = Vec::new();
        for line in text.lines().filter(|line| line.starts_with(&name) && line.contains(&route)) {
            let end = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
            let end = match end.context("a bucket without end")? {
                "+Inf" => f64::INFINITY,
                end => end.parse()?,
            };
            let count = line.rsplit(' ').next().unwrap_or_default().parse()?;
            buckets.push((end, count));
        }
        Ok(buckets)
    }

    fn metrics(&self) -> Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(self.address).await?;
            let answer = connection.ask(&get("/metrics")).await?;
            ensure!(answer.status == 200, "/metrics: {}", answer.status);
            Ok(String::from_utf8_lossy(answer.body).into_owned())
        })
    }

    /// Resident memory, in KiB.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// What its threads have used of the processors so far. Unlike times, it says something on a machine with other work.
    ///
    /// # Errors
    /// If the server is gone.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name, which may have spaces in it: the 12th and 13th are user and system time.
        let (_, behind) = stat.rsplit_once(") ").context("no name in stat")?;
        let ticks = behind.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }

    /// Ends it as an operator does (SIGTERM), and waits.
    ///
    /// # Errors
    /// If it does not end well.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The value below which this part of what a histogram counted lies, between two readings; inside a bucket, values are
/// taken to be spread evenly.
pub fn quantile_between(before: &[(f64, u64)], after: &[(f64, u64)], part: f64) -> f64 {
    let earlier = |end: f64| before.iter().find(|(other, _)| *other == end).map_or(0, |(_, count)| *count);
    let counted: Vec<(f64, u64)> = after.iter().map(|(end, count)| (*end, count - earlier(*end))).collect();
    let wanted = counted.last().map_or(0.0, |(_, all)| *all as f64) * part;
    let (mut start, mut below) = (0.0, 0.0);
    for (end, count) in counted {
        let count = count as f64;
        if count >= wanted && count > below {
            return start + (end - start) * (wanted - below) / (count - below);
        }
        (start, below) = (end, count);
    }
    f64::NAN
}

/// Sends requests before anything is measured, so that all that is made once is made.
///
/// # Errors
/// As [`drive`], and if one is refused.
pub fn warm_up(served: &Served, requests: Vec<Vec<u8>>) -> Result<()> {
    let mut requests = requests.into_iter();
    let plan = Plan { connections: 8, rate: None };
    drive(served.address, plan, move || requests.next(), |answer| answer.status / 100 == 2)?.all_good()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_bucket_that_it_falls_in() {
        let before = [(0.001, 5), (0.002, 10), (f64::INFINITY, 10)];
        let after = [(0.001, 55), (0.002, 110), (f64::INFINITY, 110)];
        assert_eq!(quantile_between(&before, &after, 0.5), 0.001);
        assert_eq!(quantile_between(&before, &after, 0.75), 0.0015);
        assert!(quantile_between(&[], &[], 0.5).is_nan());
    }
}
