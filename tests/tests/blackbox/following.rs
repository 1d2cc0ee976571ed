//! A server that is killed while its views follow a log that grows. The judge is `blotter replay`, which folds the log from
//! zero, and the database of the views itself.

use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use blotter_ledger::{Read, Sqlite};
use blotter_tests::Dice;
use rusqlite::{Connection, OpenFlags};

use crate::hostile::{address, answer, append, connect};
use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

const KILLS: usize = 6;
const WRITERS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(20);

/// What the n-th statement of a writer says: into few incidents, so that each is folded again and again.
fn statement(writer: usize, n: u64) -> String {
    let incident = (n as usize + writer) % 5;
    match n % 3 {
        0 => format!(
            r#"{{"event":"x.acme.noted","sub":"incident/I-{incident}","facts":{{}},"data":{{"note":"word {n}"}}}}"#
        ),
        1 => format!(
            r#"{{"event":"intel.attached","sub":"incident/I-{incident}","facts":{{"kind":"none-found","tlp":"green"}}}}"#
        ),
        _ => format!(
            r#"{{"event":"alert.linked","sub":"incident/I-{incident}","facts":{{"alert":"alert/A-{writer}-{n}"}}}}"#
        ),
    }
}

/// Sends statements, one after another, until the server is gone.
fn write(address: &str, token: &str, writer: usize, acknowledged: &AtomicU64) {
    let Ok(mut stream) = connect(address) else { return };
    let Ok(reading) = stream.try_clone() else { return };
    let mut reading = BufReader::new(reading);
    for n in 0.. {
        if stream.write_all(append(token, &statement(writer, n)).as_bytes()).is_err() {
            return;
        }
        match answer(&mut reading) {
            Some((201, _)) => _ = acknowledged.fetch_add(1, Ordering::SeqCst),
            Some((status, body)) => panic!("{status}: {body}"),
            None => return,
        }
    }
}

fn size(place: &Place) -> u64 {
    Sqlite::open_read_only(&place.database()).unwrap().size().unwrap()
}

/// How far each view is; nothing while they can't be read.
fn positions(place: &Place) -> Vec<(String, u64)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let read = || {
        let db = Connection::open_with_flags(place.dir().join("views.db"), flags)?;
        let mut query = db.prepare("SELECT name, size FROM view ORDER BY name")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        rows.collect::<Result<Vec<_>, _>>()
    };
    read().unwrap_or_default()
}

/// The running server brings all views to the head, with nobody asking for them.
fn reaches_the_head(place: &Place, round: usize) {
    let (head, deadline) = (size(place), Instant::now() + PATIENCE);
    let mut at = positions(place);
    while at.len() < 4 || at.iter().any(|(_, size)| *size < head) {
        assert!(Instant::now() < deadline, "round {round}: of {head} entries the views have {at:?}");
        std::thread::yield_now();
        at = positions(place);
    }
}

fn replays_the_same(place: &Place, round: usize) {
    let replayed = json(&place.done(&["replay", "--json"]));
    assert_eq!(replayed["result"], "same", "round {round}: {replayed}");
    assert_eq!(replayed["size"].as_u64(), Some(size(place)), "round {round}: {replayed}");
}

#[test]
fn killed_while_it_follows_a_growing_log_a_server_goes_on_to_the_head_with_the_same_views() {
    let (place, mut dice) = (Place::founded(), Dice::from_environment());
    enrol_service(&place);
    let token = token(&place, &["append"]);
    let founded = size(&place);
    let acknowledged = AtomicU64::new(0);
    let mut behind = 0;
    for round in 0..KILLS {
        let served = Served::start(&place);
        // First what it missed, with nobody sending more.
        reaches_the_head(&place, round);
        let address = address(&served);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (address, token, acknowledged) = (&address, &token, &acknowledged);
                scope.spawn(move || write(address, token, writer, acknowledged));
            }
            let enough = acknowledged.load(Ordering::SeqCst) + 30 + dice.below(150) as u64;
            let deadline = Instant::now() + PATIENCE;
            while acknowledged.load(Ordering::SeqCst) < enough {
                assert!(Instant::now() < deadline, "round {round}: nothing is taken any more: {}", served.log());
                std::thread::yield_now();
            }
            let moment = Instant::now() + Duration::from_micros(dice.below(40_000) as u64);
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            drop(served);
        });
        let (head, at) = (size(&place), positions(&place));
        assert!(head >= founded + acknowledged.load(Ordering::SeqCst), "round {round}: what was taken is there");
        behind += usize::from(at.iter().any(|(_, size)| *size < head));
        // Every other time the next server finds the views as they were left.
        if round % 2 == 0 {
            replays_the_same(&place, round);
        }
    }
    assert!(behind > 0, "no server was killed while its views were behind");
    let served = Served::start(&place);
    reaches_the_head(&place, KILLS);
    drop(served);
    replays_the_same(&place, KILLS);
    println!("{KILLS} kills, {behind} with views behind, {} entries taken", acknowledged.load(Ordering::SeqCst));
}
