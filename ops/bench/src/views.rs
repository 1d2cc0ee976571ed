//! Projections, measured: folding a log, rebuilding all views from zero, an incident as of any moment, a page of a list,
//! and how far views are behind while entries come in.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blotter_api::finder::Log;
use blotter_bench::fixture::Fixture;
use blotter_bench::stories::{STORY_STATEMENTS, long_story, stories};
use blotter_bench::{load, per_second};
use blotter_ledger::Ledger;
use blotter_projections::{
    IncidentQuery, Moment, Sort, Until, View, Views, case_as_of, fold_and_digest, list_incidents, read_only,
};
use blotter_record::Id;

use crate::peak_kib;

/// Stories that are appended at once.
const CHUNK_STORIES: usize = 2_000;
/// How often an incident is asked for.
const ASKED: usize = 400;
/// Entries a second that come in while views follow.
const FOLLOWED_PER_SECOND: usize = 10_000;
const FOLLOWED_SECONDS: usize = 10;

/// All of it, over a ledger of about `entries`.
pub(crate) fn measure(entries: usize, root: &Path) -> Result<()> {
    let fixture = Fixture::found(&root.join("views"))?;
    fixture.enrol_analyst()?;
    let ledger = fixture.open()?;
    let seen = fixture.seen(&ledger)?;
    for (name, count) in [("L-1000", 1_000), ("L-10000", 10_000)] {
        append(&ledger, &long_story(&fixture, seen, name, count)?)?;
    }
    let mut first = 0;
    while (ledger.size() as usize) < entries {
        append(&ledger, &stories(&fixture, seen, first, CHUNK_STORIES)?)?;
        first += CHUNK_STORIES;
    }
    drop(ledger);
    for what in ["views-fold", "views-without-words", "views", "views-asked", "views-followed"] {
        let child = Command::new(std::env::current_exe()?)
            .args(["--memory-of", what, "--dir"])
            .arg(root.join("views"))
            .output()?;
        ensure!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        print!("{}", String::from_utf8_lossy(&child.stdout));
    }
    Ok(())
}

fn append(ledger: &Ledger, texts: &[String]) -> Result<()> {
    let answers = ledger.append_many(texts);
    let refused = answers.iter().find_map(|answer| answer.as_ref().err());
    ensure!(refused.is_none(), "an append was refused: {refused:?}");
    Ok(())
}

/// One thing in a process of its own, so that its memory is its own. What is asked and followed needs the views.
pub(crate) fn memory_of(what: &str, root: &Path) -> Result<()> {
    let fixture = Fixture::at(root)?;
    match what {
        "views-asked" => return ask(&fixture),
        "views-followed" => return follow(&fixture),
        _ => {}
    }
    let store = blotter_ledger::Sqlite::open(&fixture.dir.join("ledger.db"))?;
    let (log, path) = (Log(&store), fixture.dir.join(format!("{what}.db")));
    let size = blotter_ledger::Read::size(&store)?;
    let mut quiet = |_, _| {};
    let start = Instant::now();
    match what {
        "views-fold" => drop(fold_and_digest(&log, size, &mut quiet)?),
        "views" => drop(Views::open(&path, View::ALL, &log, &mut quiet)?),
        _ => drop(Views::open(&path, &[View::Log, View::Facts], &log, &mut quiet)?),
    }
    let time = start.elapsed();
    let (name, wanted) = match what {
        "views-fold" => ("fold and digest without tables", 200_000),
        "views" => ("rebuild all views from zero, with full text", 45_000),
        _ => ("rebuild the views of facts from zero", 100_000),
    };
    let rate = per_second(usize::try_from(size)?, time);
    println!("| {name}, {size} entries | {rate:.0} /s | {wanted} /s | {:.2} |", rate / f64::from(wanted));
    println!("| memory of that, at its peak | {} MB | 300 MB | |", peak_kib()? / 1024);
    Ok(())
}

/// How many stories are told.
fn told(fixture: &Fixture) -> Result<usize> {
    let db = read_only(&fixture.dir.join("views.db"))?;
    let count: i64 =
        db.query_row("SELECT count(*) FROM incident WHERE id LIKE 'incident/B-%'", [], |row| row.get(0))?;
    Ok(usize::try_from(count)?)
}

fn ask(fixture: &Fixture) -> Result<()> {
    let count = told(fixture)?;
    let store = blotter_ledger::Sqlite::open(&fixture.dir.join("ledger.db"))?;
    let log = Log(&store);
    let size = blotter_ledger::Read::size(&store)?;
    let moments = |name: &str, asked: usize| -> Result<f64> {
        let mut times = Vec::new();
        for n in 0..asked {
            let name = name.replace('*', &(n * 7_919 % count.max(1)).to_string());
            let id: Id = format!("incident/{name}").parse()?;
            let moment = Moment::recorded(size - (n as u64 * 104_729) % (size / 2));
            let start = Instant::now();
            case_as_of(&log, &id, moment)?;
            times.push(u32::try_from(start.elapsed().as_micros())?);
        }
        Ok(load::quantile(times, 0.99) / 1_000.0)
    };
    for (what, name, asked, wanted_ms) in
        [("10", "B-*", ASKED, 10.0), ("1,000", "L-1000", ASKED, 10.0), ("10,000", "L-10000", ASKED / 4, 60.0)]
    {
        let p99 = moments(name, asked)?;
        println!("| an incident with {what} entries as of any moment, p99 | {p99:.2} ms | {wanted_ms} ms | |");
    }
    let db = read_only(&fixture.dir.join("views.db"))?;
    let queries = [
        ("by severity", IncidentQuery { limit: 50, ..IncidentQuery::default() }),
        (
            "open, by newest",
            IncidentQuery { status: vec!["open".into()], sort: Sort::Opened, limit: 50, ..IncidentQuery::default() },
        ),
        (
            "one category, as of the middle",
            IncidentQuery {
                category: Some("phishing".into()),
                as_of: Some(size / 2),
                limit: 50,
                ..IncidentQuery::default()
            },
        ),
    ];
    for (what, query) in queries {
        let mut times = Vec::new();
        let (mut after, mut rows) = (None, 0);
        for _ in 0..100 {
            let start = Instant::now();
            let page = list_incidents(&db, &IncidentQuery { after, ..query.clone() })?;
            times.push(u32::try_from(start.elapsed().as_micros())?);
            rows += page.rows.len();
            after = page.next;
        }
        ensure!(rows > 0, "the list {what} is empty");
        let p99 = load::quantile(times, 0.99) / 1_000.0;
        println!("| a page of {count} incidents, {what}, p99 | {p99:.2} ms | 30 ms | |");
    }
    Ok(())
}

/// Entries come in at a steady rate; of each, how long until the views have it.
fn follow(fixture: &Fixture) -> Result<()> {
    let first = told(fixture)?;
    let ledger = fixture.open()?;
    let seen = fixture.seen(&ledger)?;
    let count = FOLLOWED_PER_SECOND * FOLLOWED_SECONDS;
    let texts = stories(fixture, seen, first, count / STORY_STATEMENTS)?;
    let (over, views) = (AtomicBool::new(false), fixture.dir.join("views.db"));
    let (followed, sizes) = (AtomicU64::new(ledger.size()), std::sync::Mutex::new(Vec::new()));
    let behind = std::thread::scope(|scope| -> Result<Duration> {
        let follower = scope.spawn(|| -> Result<()> {
            let mut rows: Option<Views> = None;
            while !over.load(Ordering::Relaxed) {
                ledger.wait_beyond(followed.load(Ordering::Relaxed), Duration::from_millis(100));
                let size = ledger.read(|store| {
                    let mut caught = || -> Result<u64> {
                        let log = Until::new(Log(store), store.size()?);
                        match &mut rows {
                            Some(rows) => rows.catch_up(&log, &mut |_, _| {})?,
                            None => rows = Some(Views::open(&views, View::ALL, &log, &mut |_, _| {})?),
                        }
                        Ok(rows.as_ref().map_or(0, Views::size))
                    };
                    Ok(caught())
                })??;
                followed.store(size, Ordering::Release);
                let now = Instant::now();
                // Every commit that the views now have was visible this long ago.
                let mut sizes = sizes.lock().expect("no thread panics while it holds this");
                let done: Vec<_> = sizes.extract_if(.., |(at, _, _)| *at <= size && size > 0).collect();
                let worst = done.iter().map(|(_, committed, _): &(u64, Instant, Duration)| now - *committed).max();
                sizes.push((u64::MAX, now, worst.unwrap_or_default()));
            }
            Ok(())
        });
        let start = Instant::now();
        for (n, chunk) in texts.chunks(FOLLOWED_PER_SECOND / 50).enumerate() {
            let due = Duration::from_millis(20) * u32::try_from(n)?;
            std::thread::sleep(due.saturating_sub(start.elapsed()));
            append(&ledger, chunk)?;
            let entry = (ledger.size(), Instant::now(), Duration::ZERO);
            sizes.lock().expect("no thread panics while it holds this").push(entry);
        }
        let rate = per_second(count, start.elapsed());
        std::thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        follower.join().map_err(|_| anyhow::anyhow!("the follower ended"))??;
        let sizes = sizes.lock().expect("no thread panics while it holds this");
        let worst = sizes.iter().map(|(_, _, behind)| *behind).max().context("nothing was followed")?;
        println!("| views behind the log at {rate:.0} appends/s, at most | {} ms | 100 ms | |", worst.as_millis());
        Ok(worst)
    })?;
    ensure!(behind > Duration::ZERO, "nothing was measured");
    Ok(())
}
