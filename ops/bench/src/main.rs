//! The benchmarks. Each prints its figure, the bound measured in the same run, and their ratio; absolute figures on a
//! shared machine say little. `cargo run --release -p blotter-bench -- --help`.

mod http;
mod views;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blotter_bench::disk::sync_times;
use blotter_bench::fixture::{Fixture, public_of};
use blotter_bench::{per_second, served};
use blotter_keys::ed25519::PublicKey;
use blotter_ledger::Ledger;
use blotter_record::Presentation;
use clap::Parser;
use rayon::prelude::*;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Statements a commit, where that is given.
const BATCH: usize = 256;
const CALLERS: usize = 64;
/// How often figure and bound are measured in turn.
const ROUNDS: usize = 6;

/// Benchmarks of blotter
#[derive(Debug, Parser)]
struct Args {
    /// Where to work; a directory on the disk that is to be measured
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// Entries of the large ledger
    #[arg(long, default_value_t = 1_000_000)]
    large: usize,
    /// Statements of the smaller measurements
    #[arg(long, default_value_t = 40_000)]
    count: usize,
    /// The program `blotter`, for what is measured over HTTP; by default the one beside this
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Leave out what needs the large ledger
    #[arg(long)]
    quick: bool,
    /// Measure only this one
    #[arg(long, value_enum)]
    only: Option<What>,
    /// Measure the memory of one thing in this process, and print it in KiB (used by the benchmark itself)
    #[arg(long, hide = true)]
    memory_of: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Durable appends, 256 a commit
    Batched,
    /// Durable appends of 64 callers, one statement each
    Callers,
    /// The auditor's walk
    Verify,
    /// The server, `blotter serve`, over HTTP
    Http,
    /// Projections: folds, rebuilding, looking back, lists, following
    Views,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(what) = &args.memory_of {
        return memory_of(what, &args.dir);
    }
    let work = tempfile::tempdir_in(&args.dir).with_context(|| format!("{}", args.dir.display()))?;
    println!("| what | figure | bound in the same run | ratio |\n| --- | --- | --- | --- |");
    if !matches!(args.only, Some(What::Http | What::Views)) {
        small(&args, work.path())?;
    }
    if args.only.is_none_or(|only| only == What::Http) {
        http::measure(&args, &served::program(args.server.as_deref())?, work.path())?;
    }
    if args.only == Some(What::Views) || (!args.quick && args.only.is_none()) {
        views::measure(args.large, work.path())?;
    }
    if !args.quick && args.only.is_none() {
        large(&args, work.path())?;
    }
    Ok(())
}

fn row(what: &str, figure: f64, unit: &str, bound: f64, bound_name: &str) {
    println!("| {what} | {figure:.0} {unit} | {bound:.0} {unit} ({bound_name}) | {:.2} |", figure / bound);
}

/// Strict verification of the same statements, one signature at a time, on all cores.
fn verify_bound(texts: &[String]) -> Result<(usize, Duration)> {
    let read = |text: &String| -> Result<_> {
        let statement = Presentation::parse(text)?.statement;
        Ok((statement.signing_input().to_vec(), *statement.signature(), key_of(&statement)?))
    };
    let work: Vec<_> = texts.par_iter().map(read).collect::<Result<_>>()?;
    let start = Instant::now();
    let good = work.par_iter().filter(|(input, signature, key)| key.verify(input, signature).is_ok()).count();
    let time = start.elapsed();
    ensure!(good == work.len(), "a signature did not verify");
    Ok((good, time))
}

fn key_of(statement: &blotter_record::Statement) -> Result<PublicKey> {
    public_of(&statement.iss).context("not one of the services")
}

/// How often this disk makes a small write durable, one after the other.
fn sync_bound(dir: &Path) -> Result<(usize, Duration)> {
    let times = sync_times(dir, 400)?;
    Ok((times.len(), times.iter().sum()))
}

/// Figure and bound in turn, so that both see the same machine; work and time of each added up.
fn in_turn(
    rounds: usize,
    mut bound: impl FnMut(usize) -> Result<(usize, Duration)>,
    mut figure: impl FnMut(usize) -> Result<(usize, Duration)>,
) -> Result<(f64, f64)> {
    let (mut bounds, mut figures) = ((0, Duration::ZERO), (0, Duration::ZERO));
    for round in 0..rounds {
        for (sum, (count, time)) in [(&mut bounds, bound(round)?), (&mut figures, figure(round)?)] {
            sum.0 += count;
            sum.1 += time;
        }
    }
    Ok((per_second(figures.0, figures.1), per_second(bounds.0, bounds.1)))
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, start.elapsed()))
}

fn small(args: &Args, root: &Path) -> Result<()> {
    let fixture = Fixture::found(&root.join("small"))?;
    let wanted = |what| args.only.is_none_or(|only| only == what);
    let texts = fixture.alerts(args.count)?;
    let chunks: Vec<&[String]> = texts.chunks(texts.len().div_ceil(ROUNDS)).collect();
    let ledger = Arc::new(fixture.open()?);
    if wanted(What::Batched) {
        let (rate, bound) =
            in_turn(chunks.len(), |round| verify_bound(chunks[round]), |round| append_all(&ledger, chunks[round]))?;
        row("durable appends, 256 a commit", rate, "/s", bound, "verify_strict on all cores");
    }
    if wanted(What::Callers) {
        let texts = fixture.alerts(args.count / 2)?;
        let chunks: Vec<&[String]> = texts.chunks(texts.len().div_ceil(ROUNDS)).collect();
        let runtime = tokio::runtime::Runtime::new()?;
        let (rate, syncs) =
            in_turn(chunks.len(), |_| sync_bound(root), |round| append_by_callers(&runtime, &ledger, chunks[round]))?;
        row("durable appends, 64 callers, one statement each", rate, "/s", syncs, "fdatasync");
    }
    if wanted(What::Verify) {
        append_all(&ledger, &fixture.alerts(args.count / 2)?)?;
        drop(ledger);
        verification(&fixture, &texts)?;
    }
    Ok(())
}

fn append_all(ledger: &Ledger, texts: &[String]) -> Result<(usize, Duration)> {
    let (answers, time) = timed(|| Ok(ledger.append_many(texts)))?;
    ensure!(answers.iter().all(Result::is_ok), "an append was refused");
    Ok((answers.len(), time))
}

/// Callers are tasks, as in a server: many wait at once, on as many threads as there are cores.
fn append_by_callers(
    runtime: &tokio::runtime::Runtime,
    ledger: &Arc<Ledger>,
    texts: &[String],
) -> Result<(usize, Duration)> {
    let shares: Vec<Vec<String>> = texts.chunks(texts.len().div_ceil(CALLERS)).map(<[String]>::to_vec).collect();
    let (_, time) = timed(|| {
        let callers: Vec<_> =
            shares.into_iter().map(|share| runtime.spawn(append_one_by_one(Arc::clone(ledger), share))).collect();
        callers.into_iter().try_for_each(|caller| runtime.block_on(caller)?)
    })?;
    Ok((texts.len(), time))
}

async fn append_one_by_one(ledger: Arc<Ledger>, texts: Vec<String>) -> Result<()> {
    for text in texts {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let statement = ledger.prepare(&text, Vec::new())?;
        ledger.submit_with(vec![statement], false, |answers| drop(reply.send(answers)))?;
        answer.await?.into_iter().next().context("no answer")??;
    }
    Ok(())
}

fn verification(fixture: &Fixture, texts: &[String]) -> Result<()> {
    let (rate, bound) = in_turn(ROUNDS, |_| verify_bound(texts), |_| verify(fixture, false))?;
    row("verify, everything", rate, "/s", bound, "verify_strict on all cores");
    let (rate, bound) = in_turn(ROUNDS, |_| verify_bound(texts), |_| verify(fixture, true))?;
    row("verify --structure", rate, "/s", bound, "verify_strict on all cores");
    Ok(())
}

/// How many entries were verified, and in what time.
fn verify(fixture: &Fixture, structure_only: bool) -> Result<(usize, Duration)> {
    let options = blotter_verify::Options {
        state_dir: Some(fixture.state_dir.clone()),
        structure_only,
        ..blotter_verify::Options::default()
    };
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let (report, time) = timed(|| Ok(blotter_verify::verify(&fixture.dir, options, &|_| {}, &cancel)?))?;
    ensure!(report.exit_code() == 0, "not verified: {:?}", report.findings);
    Ok((usize::try_from(report.entries)?, time))
}

fn large(args: &Args, root: &Path) -> Result<()> {
    let fixture = Fixture::found(&root.join("large"))?;
    let ledger = fixture.open()?;
    let chunk = BATCH * 40;
    let (mut rates, mut done) = (Vec::new(), 0);
    while done < args.large {
        let texts = fixture.alerts(chunk)?;
        let start = Instant::now();
        ensure!(ledger.append_many(&texts).iter().all(Result::is_ok), "an append was refused");
        rates.push(per_second(chunk, start.elapsed()));
        done += chunk;
    }
    drop(ledger);
    let median = |rates: &[f64]| {
        let mut sorted = rates.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let few = 8.min(rates.len() / 2).max(1);
    let (first, last) = (median(&rates[..few]), median(&rates[rates.len() - few..]));
    row(&format!("append rate at {done} entries"), last, "/s", first, "the same at the start");
    for what in ["open", "verify", "verify-structure"] {
        let child = std::process::Command::new(std::env::current_exe()?)
            .args(["--memory-of", what, "--dir"])
            .arg(root.join("large"))
            .output()?;
        ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        print!("{}", String::from_utf8_lossy(&child.stdout));
    }
    Ok(())
}

fn memory_of(what: &str, root: &Path) -> Result<()> {
    if what.starts_with("views") {
        return views::memory_of(what, root);
    }
    let fixture = Fixture::at(root)?;
    let start = Instant::now();
    if what == "open" {
        let ledger = fixture.open()?;
        println!(
            "| open a ledger of {} entries, pages cached | {:.4} s | 1 s | |",
            ledger.size(),
            start.elapsed().as_secs_f64()
        );
        let texts = fixture.alerts(BATCH * 40)?;
        ensure!(ledger.append_many(&texts).iter().all(Result::is_ok), "an append was refused");
    } else {
        let (entries, time) = verify(&fixture, what == "verify-structure")?;
        println!("| {what}, {entries} entries | {:.0} /s | | |", per_second(entries, time));
    }
    println!("| memory of {what}, at its peak | {} MB | 250 MB | |", peak_kib()? / 1024);
    Ok(())
}

fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
