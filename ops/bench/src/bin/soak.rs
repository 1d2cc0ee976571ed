//! The server for long, at four fifths of the rate that it reached at first: whether its memory, its times and its refusals
//! stay what they were; and then whether the ledger verifies. `cargo run --release -p blotter-bench --bin soak`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blotter_bench::fixture::Fixture;
use blotter_bench::load::{Answer, Outcome, Plan, drive, post};
use blotter_bench::served::{Served, program};
use clap::Parser;

const CONNECTIONS: usize = 64;
/// How much of the top rate is asked for.
const PART: f64 = 0.8;
const SAMPLE: Duration = Duration::from_secs(10);
/// Signed requests that may lie ready.
const AHEAD: usize = 20_000;

/// Minutes of load, and what the server's memory does meanwhile
#[derive(Debug, Parser)]
struct Args {
    /// Where to work; a directory on the disk that is to be measured
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// The program `blotter`; by default the one beside this
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// How long
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Statements with which the top rate is measured first
    #[arg(long, default_value_t = 40_000)]
    count: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let work = tempfile::tempdir_in(&args.dir).with_context(|| args.dir.display().to_string())?;
    let program = program(args.server.as_deref())?;
    let fixture = Arc::new(Fixture::found(work.path())?);
    fixture.write_keys()?;
    let served = Served::start(&program, &fixture, work.path())?;
    let top = top_rate(&served, &fixture, args.count)?;
    println!("top rate with {CONNECTIONS} connections: {top:.0} /s; from now on {:.0} /s", top * PART);

    let over = AtomicBool::new(false);
    let (outcome, sizes) = std::thread::scope(|scope| {
        let sampling = scope.spawn(|| sample(&served, &over));
        let outcome = soak(&served, &fixture, top * PART, Duration::from_secs(args.seconds));
        over.store(true, Ordering::Relaxed);
        let sizes = sampling.join().expect("sampling does not panic");
        anyhow::Ok((outcome?, sizes?))
    })?;
    served.stop()?;
    report(&outcome, &sizes);
    verify(&program, &fixture)
}

fn request(text: &str) -> Vec<u8> {
    post("/v1/statements", "application/sd-jwt", text)
}

fn is_created(answer: &Answer<'_>) -> bool {
    answer.status == 201
}

fn top_rate(served: &Served, fixture: &Fixture, count: usize) -> Result<f64> {
    let mut requests = fixture.alerts(count)?.into_iter().map(|text| request(&text));
    let plan = Plan { connections: CONNECTIONS, rate: None };
    Ok(drive(served.address, plan, move || requests.next(), is_created)?.all_good()?.rate())
}

/// Sends at this rate for so long. What is sent is signed meanwhile, on a thread beside: for ten minutes it would not fit
/// in memory.
fn soak(served: &Served, fixture: &Arc<Fixture>, rate: f64, time: Duration) -> Result<Outcome> {
    let requests = signed_meanwhile(Arc::clone(fixture));
    let mut left = (rate * time.as_secs_f64()) as u64;
    let next = move || {
        left = left.checked_sub(1)?;
        requests.recv().ok()
    };
    drive(served.address, Plan { connections: CONNECTIONS, rate: Some(rate) }, next, is_created)
}

fn signed_meanwhile(fixture: Arc<Fixture>) -> Receiver<Vec<u8>> {
    let (to, requests) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        // Ends when nobody wants any more.
        while let Ok(text) = fixture.next_alert() {
            if to.send(request(&text)).is_err() {
                break;
            }
        }
    });
    requests
}

/// The server's resident memory in KiB, again and again.
fn sample(served: &Served, over: &AtomicBool) -> Result<Vec<u64>> {
    let (start, mut sizes) = (Instant::now(), Vec::new());
    while !over.load(Ordering::Relaxed) {
        if start.elapsed() >= SAMPLE * sizes.len() as u32 {
            let kib = served.resident_kib()?;
            println!("{:>5} s  {:>7} KiB", start.elapsed().as_secs(), kib);
            sizes.push(kib);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    sizes.push(served.resident_kib()?);
    Ok(sizes)
}

fn report(outcome: &Outcome, sizes: &[u64]) {
    let (first, last) = (sizes.first().unwrap_or(&0), sizes.last().unwrap_or(&0));
    let most = sizes.iter().max().unwrap_or(&0);
    let ms = |part| outcome.quantile_us(part) / 1000.0;
    println!("| soak | figure |\n| --- | --- |");
    println!("| how long, statements recorded | {:.0} s, {} |", outcome.took.as_secs_f64(), outcome.times_us.len());
    println!("| rate | {:.0} /s |", outcome.rate());
    println!("| p50, p99, longest | {:.2}, {:.2}, {:.2} ms |", ms(0.5), ms(0.99), ms(1.0));
    println!("| refusals | {} {} |", outcome.refused, outcome.refusal.as_deref().unwrap_or_default());
    println!("| resident memory: first, last, most | {}, {}, {} MB |", first / 1024, last / 1024, most / 1024);
}

fn verify(program: &Path, fixture: &Fixture) -> Result<()> {
    let start = Instant::now();
    let output =
        Command::new(program).arg("verify").arg(&fixture.dir).arg("--state-dir").arg(&fixture.state_dir).output()?;
    print!("{}", String::from_utf8_lossy(&output.stdout));
    ensure!(output.status.success(), "not verified: {}", String::from_utf8_lossy(&output.stderr));
    println!("verified in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
