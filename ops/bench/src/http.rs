//! The server over HTTP, with the real program on the other side. What each is held against is measured in the same run,
//! in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use blotter_bench::disk::sync_times;
use blotter_bench::fixture::{Fixture, random};
use blotter_bench::load::{Answer, Outcome, Plan, drive, get, post, quantile};
use blotter_bench::per_second;
use blotter_bench::served::{Served, quantile_between, warm_up};

use crate::{Args, BATCH, CALLERS, ROUNDS, row, sync_bound, verify_bound};

/// Statements of one list.
const LIST: usize = 500;
const LIST_CONNECTIONS: usize = 4;
const PROOF_CONNECTIONS: usize = 4;
const PROOFS: usize = 20_000;
const PROOF_ROUTE: &str = "GET /v1/proofs/inclusion/{seq}";

/// Everything that is measured over HTTP.
pub(crate) fn measure(args: &Args, program: &Path, root: &Path) -> Result<()> {
    let root = root.join("http");
    std::fs::create_dir_all(&root)?;
    let fixture = Fixture::found(&root)?;
    fixture.write_keys()?;
    let served = Served::start(program, &fixture, &root)?;
    warm_up(&served, singles(&fixture, 1_000)?)?;
    one_each(args, &served, &fixture, &root)?;
    lists(args, &served, &fixture)?;
    one_at_a_time(&served, &fixture, &root)?;
    served.stop()?;
    if !args.quick {
        proofs(args, program, &fixture, &root)?;
    }
    Ok(())
}

/// Requests with a signed statement each.
fn singles(fixture: &Fixture, count: usize) -> Result<Vec<Vec<u8>>> {
    let texts = fixture.alerts(count)?;
    Ok(texts.iter().map(|text| post("/v1/statements", "application/sd-jwt", text)).collect())
}

fn is_created(answer: &Answer<'_>) -> bool {
    answer.status == 201
}

fn is_list_created(answer: &Answer<'_>) -> bool {
    let text = String::from_utf8_lossy(answer.body);
    answer.status == 200 && text.lines().count() == LIST && text.lines().all(|line| line.contains("\"status\":201,"))
}

fn send(served: &Served, connections: usize, requests: Vec<Vec<u8>>, good: fn(&Answer<'_>) -> bool) -> Result<Outcome> {
    let mut requests = requests.into_iter();
    drive(served.address, Plan { connections, rate: None }, move || requests.next(), good)?.all_good()
}

fn one_each(args: &Args, served: &Served, fixture: &Fixture, root: &Path) -> Result<()> {
    let (mut all, mut syncs, cpu) = (Outcome::default(), (0, Duration::ZERO), served.cpu_time()?);
    for _ in 0..ROUNDS {
        let requests = singles(fixture, args.count / ROUNDS)?;
        let (count, time) = sync_bound(root)?;
        syncs = (syncs.0 + count, syncs.1 + time);
        all.add(send(served, CALLERS, requests, is_created)?);
    }
    let what = format!("HTTP, one statement a request, {CALLERS} connections");
    row(&what, all.rate(), "/s", per_second(syncs.0, syncs.1), "fdatasync");
    times(&what, &all);
    cpu_a_piece(&what, served.cpu_time()? - cpu, all.times_us.len());
    Ok(())
}

fn lists(args: &Args, served: &Served, fixture: &Fixture) -> Result<()> {
    let (mut all, mut verified, cpu) = (Outcome::default(), (0, Duration::ZERO), served.cpu_time()?);
    for _ in 0..ROUNDS {
        let texts = fixture.alerts((args.count / ROUNDS).next_multiple_of(LIST))?;
        let list = |texts: &[String]| post("/v1/statements", "application/x-ndjson", &texts.join("\n"));
        let requests = texts.chunks(LIST).map(list).collect();
        let (count, time) = verify_bound(&texts)?;
        verified = (verified.0 + count, verified.1 + time);
        all.add(send(served, LIST_CONNECTIONS, requests, is_list_created)?);
    }
    let what = format!("HTTP, {LIST} statements a request (NDJSON), {LIST_CONNECTIONS} connections");
    let bound = per_second(verified.0, verified.1);
    row(&what, all.rate() * LIST as f64, "/s", bound, "verify_strict on all cores");
    times(&what, &all);
    cpu_a_piece(&what, served.cpu_time()? - cpu, all.times_us.len() * LIST);
    Ok(())
}

/// How long a single client waits, who has nobody beside it to share a commit with.
fn one_at_a_time(served: &Served, fixture: &Fixture, root: &Path) -> Result<()> {
    const REQUESTS: usize = 200;
    let (mut all, mut syncs) = (Outcome::default(), Vec::new());
    for _ in 0..ROUNDS {
        let requests = singles(fixture, REQUESTS)?;
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        syncs.extend(sync_times(root, REQUESTS)?.into_iter().map(micros));
        all.add(send(served, 1, requests, is_created)?);
    }
    let what = "HTTP, one connection, one statement at a time: p50";
    row(what, all.quantile_us(0.5), "µs", quantile(syncs, 0.5), "p50 of fdatasync");
    times(what, &all);
    Ok(())
}

fn times(what: &str, outcome: &Outcome) {
    let ms = |part| outcome.quantile_us(part) / 1000.0;
    println!("| {what}: p50, p99, longest | {:.2}, {:.2}, {:.2} ms | | |", ms(0.5), ms(0.99), ms(1.0));
}

fn cpu_a_piece(what: &str, time: Duration, count: usize) {
    println!("| {what}: the server's CPU time for one | {:.0} µs | | |", time.as_secs_f64() * 1e6 / count as f64);
}

/// Inclusion proofs of random entries of a large ledger; the time is the server's own, from its histogram.
fn proofs(args: &Args, program: &Path, fixture: &Fixture, root: &Path) -> Result<()> {
    let size = enlarge(fixture, args.large)?;
    let served = Served::start(program, fixture, root)?;
    let ask = |_| get(&format!("/v1/proofs/inclusion/{}", u64::from_le_bytes(random()) % size));
    warm_up(&served, (0..500).map(ask).collect())?;
    // At first most tiles are read from the store; by the second turn the server has kept them.
    for turn in ["after its start", "again"] {
        let cpu = served.cpu_time()?;
        let before = served.buckets("blotter_request_seconds", PROOF_ROUTE)?;
        let outcome = send(&served, PROOF_CONNECTIONS, (0..PROOFS).map(ask).collect(), |answer| answer.status == 200)?;
        let after = served.buckets("blotter_request_seconds", PROOF_ROUTE)?;
        let ms = |part| quantile_between(&before, &after, part) * 1000.0;
        let what = format!("HTTP, inclusion proofs at {size} entries, {turn}");
        println!("| {what}, in the server: p50, p99 | {:.3}, {:.3} ms | | |", ms(0.5), ms(0.99));
        println!("| {what}, {PROOF_CONNECTIONS} connections | {:.0} /s | | |", outcome.rate());
        times(&what, &outcome);
        cpu_a_piece(&what, served.cpu_time()? - cpu, PROOFS);
    }
    served.stop()
}

/// Appends until the ledger has about so many entries.
fn enlarge(fixture: &Fixture, size: usize) -> Result<u64> {
    let ledger = fixture.open()?;
    while ledger.size() < size as u64 {
        let answers = ledger.append_many(&fixture.alerts(BATCH * 40)?);
        answers.into_iter().collect::<Result<Vec<_>, _>>().context("an append was refused")?;
    }
    Ok(ledger.size())
}
