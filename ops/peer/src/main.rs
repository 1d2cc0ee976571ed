//! blotter beside UmaDB, a durable event store over gRPC: both as processes of their own, on the same disk, 64 clients
//! with one event or statement a request, in turns. The events are the very statements that blotter is sent. What they do
//! differs: blotter verifies a signature, rules and roles, keeps a tree and answers with a receipt; UmaDB stores the event
//! under a tag and answers with its position. UmaDB is driven by its own client, with a channel for each.
//!
//! `cargo run --release --manifest-path ops/peer/Cargo.toml -- --server target/release/blotter`; building UmaDB needs protoc.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use blotter_bench::fixture::Fixture;
use blotter_bench::load::{Answer, Plan, drive, post, quantile};
use blotter_bench::per_second;
use blotter_bench::served::{Served, program};
use clap::Parser;
use umadb_client::UmaDbClient;
use umadb_core::mvcc::StorageOptions;
use umadb_dcb::{DcbEvent, DcbEventStoreAsync};
use umadb_server::{ServerOptions, start_server_with_options};

const CLIENTS: usize = 64;
const ROUNDS: usize = 6;

/// blotter and UmaDB in turns
#[derive(Debug, Parser)]
struct Args {
    /// Where to work; a directory on the disk that is to be measured
    #[arg(long, default_value = "target")]
    dir: PathBuf,
    /// The program `blotter`, from a release build
    #[arg(long, value_name = "FILE", default_value = "target/release/blotter")]
    server: PathBuf,
    /// Statements, and events, all rounds together
    #[arg(long, default_value_t = 40_000)]
    count: usize,
    /// Be UmaDB's server (used by this program itself)
    #[arg(long, hide = true, num_args = 2, value_names = ["FILE", "ADDRESS"])]
    umadb: Option<Vec<String>>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some([file, address]) = args.umadb.as_deref() {
        return be_umadb(Path::new(file), address);
    }
    let work = tempfile::tempdir_in(&args.dir).with_context(|| args.dir.display().to_string())?;
    let fixture = Fixture::found(work.path())?;
    fixture.write_keys()?;
    let blotter = Served::start(&program(Some(&args.server))?, &fixture, work.path())?;
    let umadb = Umadb::start(work.path())?;
    blotter_takes(&blotter, fixture.alerts(1_000)?)?;
    umadb.takes(fixture.alerts(1_000)?)?;
    let (mut ours, mut theirs) = (Sum::default(), Sum::default());
    for _ in 0..ROUNDS {
        theirs.add(umadb.takes(fixture.alerts(args.count / ROUNDS)?)?);
        ours.add(blotter_takes(&blotter, fixture.alerts(args.count / ROUNDS)?)?);
    }
    println!("| {CLIENTS} clients, one at a time each | a second | p50 | p99 |\n| --- | --- | --- | --- |");
    for (name, sum) in [("UmaDB 0.7.8, events over gRPC", &theirs), ("blotter, signed statements over HTTP", &ours)] {
        let ms = |part| quantile(sum.times_us.clone(), part) / 1000.0;
        println!("| {name} | {:.0} | {:.2} ms | {:.2} ms |", sum.rate(), ms(0.5), ms(0.99));
    }
    println!("| blotter against UmaDB | {:.2} | | |", ours.rate() / theirs.rate());
    blotter.stop()
}

#[derive(Default)]
struct Sum {
    took: Duration,
    times_us: Vec<u32>,
}

impl Sum {
    fn add(&mut self, (took, times_us): (Duration, Vec<u32>)) {
        self.took += took;
        self.times_us.extend(times_us);
    }

    fn rate(&self) -> f64 {
        per_second(self.times_us.len(), self.took)
    }
}

fn blotter_takes(served: &Served, texts: Vec<String>) -> Result<(Duration, Vec<u32>)> {
    let mut requests = texts.into_iter().map(|text| post("/v1/statements", "application/sd-jwt", &text));
    let plan = Plan { connections: CLIENTS, rate: None };
    let created = |answer: &Answer<'_>| answer.status == 201;
    let outcome = drive(served.address, plan, move || requests.next(), created)?.all_good()?;
    Ok((outcome.took, outcome.times_us))
}

/// UmaDB's server, and where it listens.
struct Umadb {
    child: Child,
    address: SocketAddr,
}

impl Umadb {
    fn start(root: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(std::env::current_exe()?)
            .arg("--umadb")
            .arg(root.join("uma.db"))
            .arg(address.to_string())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(root.join("umadb.log"))?)
            .spawn()?;
        let umadb = Self { child, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(start.elapsed() < Duration::from_secs(10), "UmaDB does not listen on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(umadb)
    }

    fn takes(&self, texts: Vec<String>) -> Result<(Duration, Vec<u32>)> {
        // One thread, as for blotter.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..CLIENTS {
                clients.push(UmaDbClient::new(format!("http://{}", self.address)).connect_async().await?);
            }
            let shares = texts.chunks(texts.len().div_ceil(CLIENTS)).map(<[String]>::to_vec);
            let start = Instant::now();
            let tasks: Vec<_> =
                clients.into_iter().zip(shares).map(|(client, share)| tokio::spawn(append(client, share))).collect();
            let mut times_us = Vec::new();
            for task in tasks {
                times_us.extend(task.await??);
            }
            Ok((start.elapsed(), times_us))
        })
    }
}

async fn append(client: impl DcbEventStoreAsync, texts: Vec<String>) -> Result<Vec<u32>> {
    let mut times_us = Vec::new();
    for text in texts {
        let id = uuid::Uuid::new_v4();
        let event = DcbEvent::default().event_type("alert.received").tags([format!("alert:{id}")]).data(text).uuid(id);
        let start = Instant::now();
        client.append(vec![event], None, None).await?;
        times_us.push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(times_us)
}

impl Drop for Umadb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn be_umadb(file: &Path, address: &str) -> Result<()> {
    let options = ServerOptions {
        listen_addr: address.to_owned(),
        tls: None,
        api_key: None,
        storage: StorageOptions::default().db_path(file),
    };
    let (_stop, stopped) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(start_server_with_options(options, stopped)).map_err(|error| anyhow::anyhow!("UmaDB: {error}"))
}
