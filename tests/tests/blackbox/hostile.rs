//! The server against clients that break off, stall and flood, and against `kill -9` under load: nothing that was
//! acknowledged is lost, nothing that was not is claimed, and everybody else is served meanwhile.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use blotter_ledger::{Read as _, Sqlite};

use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

const KILLS: usize = 10;
const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn address(served: &Served) -> String {
    served.url.strip_prefix("http://").unwrap().to_owned()
}

pub(crate) fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A request that appends something with a token.
pub(crate) fn append(token: &str, body: &str) -> String {
    format!(
        "POST /v1/statements HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn note(n: usize) -> String {
    format!(r#"{{"event":"x.acme.noted","sub":"incident/I-{}","facts":{{"n":{n}}}}}"#, n % 7)
}

/// An answer's status and body; nothing if the connection ended before.
pub(crate) fn answer(stream: &mut BufReader<TcpStream>) -> Option<(u16, String)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((status, String::from_utf8(body).ok()?))
}

fn ask(address: &str, request: &str) -> Option<(u16, String)> {
    let mut stream = connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    answer(&mut BufReader::new(stream))
}

fn get(address: &str, path: &str) -> Option<(u16, String)> {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
}

fn with_service() -> (Place, String) {
    let place = Place::founded();
    enrol_service(&place);
    let token = token(&place, &["append"]);
    (place, token)
}

fn size(address: &str) -> u64 {
    let (status, note) = get(address, "/checkpoint").unwrap();
    assert_eq!(status, 200);
    note.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_request_that_is_cut_off_at_any_byte_records_nothing() {
    let (place, token) = with_service();
    let served = Served::start(&place);
    let address = address(&served);
    let (request, before) = (append(&token, &note(1)), size(&address));
    for cut in 0..request.len() {
        let mut stream = connect(&address).unwrap();
        stream.write_all(&request.as_bytes()[..cut]).unwrap();
        drop(stream);
    }
    assert_eq!(size(&address), before, "of {} requests that were cut off", request.len());
    assert_eq!(ask(&address, &request).unwrap().0, 201);
    assert_eq!(size(&address), before + 1);
    drop(served);
    place.done(&["verify"]);
}

#[test]
fn bytes_that_are_no_http_are_answered_or_cut_and_the_server_lives_on() {
    let (place, _) = with_service();
    let served = Served::start(&place);
    let address = address(&served);
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(5_000));
    let smuggled = "POST /v1/statements HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/entries HTTP/1.1\r\n\r\n";
    let twice = "POST /v1/statements HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!";
    let huge = "POST /v1/statements HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n";
    let nulls = "\0\0\0\0\r\n\r\n";
    for request in [
        long.as_str(),
        &headers,
        smuggled,
        twice,
        huge,
        nulls,
        "\u{16}\u{3}\u{1}\u{2}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = connect(&address).unwrap();
        // The server may cut it before all was sent.
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
        if let Some((status, _)) = answer(&mut BufReader::new(stream)) {
            assert!((400..500).contains(&status), "{status} for {:?}", &request[..40.min(request.len())]);
        }
    }
    assert_eq!(get(&address, "/healthz").unwrap().0, 200);
}

#[test]
fn clients_that_stall_keep_nobody_out_for_long_and_floods_are_turned_away() {
    let (place, token) = with_service();
    let served = Served::start_with(&place, &["--connections", "64", "--request-seconds", "2", "--rate", "1"]);
    let address = address(&served);
    let request = append(&token, &note(1));
    let stalled: Vec<TcpStream> = (0..63)
        .map(|n| {
            let mut stream = connect(&address).unwrap();
            stream.write_all(&request.as_bytes()[..request.len() - 1 - n % 20]).unwrap();
            stream
        })
        .collect();
    assert_eq!(get(&address, "/healthz").unwrap().0, 200, "one place is left");
    for stream in stalled {
        let (status, _) = answer(&mut BufReader::new(stream)).expect("it is told that it took too long");
        assert!(matches!(status, 408 | 429), "{status}");
    }
    let statuses: Vec<u16> =
        (0..20).filter_map(|n| ask(&address, &append(&token, &note(n)))).map(|(status, _)| status).collect();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!(refused > 0 && statuses.iter().all(|status| matches!(status, 201 | 429)), "{statuses:?}");
    drop(served);
    place.done(&["verify"]);
}

#[test]
fn what_the_server_acknowledged_before_kill_9_is_there_and_the_log_verifies() {
    let (place, token) = with_service();
    let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
    for round in 0..KILLS {
        let served = Served::start(&place);
        let (address, stop) = (address(&served), Arc::new(AtomicBool::new(false)));
        let (tell, told) = channel();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (address, token, stop, tell) = (address.clone(), token.clone(), Arc::clone(&stop), tell.clone());
                std::thread::spawn(move || {
                    let Ok(mut stream) = connect(&address).map(BufReader::new) else { return };
                    for n in 0.. {
                        let body = note(round * 1_000_000 + client * 10_000 + n);
                        if stop.load(Ordering::Relaxed)
                            || stream.get_mut().write_all(append(&token, &body).as_bytes()).is_err()
                        {
                            return;
                        }
                        let Some((201, body)) = answer(&mut stream) else { return };
                        let _ = tell.send(json(&body));
                    }
                })
            })
            .collect();
        drop(tell);
        for _ in 0..20 + 17 * round {
            let receipt = told.recv_timeout(PATIENCE).expect("it goes on until it is killed");
            acknowledged.insert(receipt["seq"].as_u64().unwrap(), receipt["entry"].as_str().unwrap().to_owned());
        }
        // Dropping it is kill -9.
        drop(served);
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
        for receipt in told.try_iter() {
            acknowledged.insert(receipt["seq"].as_u64().unwrap(), receipt["entry"].as_str().unwrap().to_owned());
        }
        let store = Sqlite::open_read_only(&place.dir().join("ledger.db")).unwrap();
        for (seq, entry) in &acknowledged {
            let there = store.entries(*seq, 1).unwrap().pop().map(|stored| stored.bytes);
            assert_eq!(there.as_deref(), Some(entry.as_bytes()), "entry {seq} was acknowledged");
        }
    }
    place.done(&["verify"]);
    println!("{KILLS} kills: {} entries were acknowledged over HTTP, and are there", acknowledged.len());
}
