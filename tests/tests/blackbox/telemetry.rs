//! What `serve --otlp` sends: spans that a collector can read, and nothing of what was asked or said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};

/// Takes whatever is posted, and hands over the heads and bodies.
fn collector() -> (String, Receiver<(String, Vec<u8>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            // One connection may bring several.
            while let Some((head, body)) = taken(&mut stream) {
                if tell.send((head, body)).is_err() {
                    return;
                }
            }
        }
    });
    (url, told)
}

fn taken(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|count| *count > 0)?;
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).ok()?;
    let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
    stream.get_mut().write_all(answer.as_bytes()).ok()?;
    Some((head, body))
}

/// The answer to a request.
fn ask(served: &Served, line: &str, token: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(served.url.strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn spans_of_requests_and_commits_go_out_and_nothing_secret_with_them() {
    let place = Place::founded();
    let service = enrol_service(&place);
    let token = token(&place, &["append", "read"]);
    let (url, told) = collector();
    let served = Served::start_with(&place, &["--otlp", &url]);
    let said = r#"{"event":"x.acme.checked","sub":"incident/INC-4711","facts":{},"data":{"note":"grandmother"}}"#;
    let recorded = ask(&served, "POST /v1/statements", &token, said);
    assert!(recorded.starts_with("HTTP/1.1 201"), "{recorded}");
    let seq = json(recorded.split_once("\r\n\r\n").unwrap().1)["seq"].to_string();
    assert!(ask(&served, &format!("GET /v1/entries/{seq}"), &token, "").starts_with("HTTP/1.1 200"));
    assert!(ask(&served, &format!("POST /v1/alerts/splunk/{token}"), &token, "{}").starts_with("HTTP/1.1 4"));
    served.end();
    let (heads, bodies): (Vec<_>, Vec<_>) = told.try_iter().unzip();
    assert!(heads.iter().all(|head| head.starts_with("POST /v1/traces ")), "{heads:?}");
    assert!(heads[0].to_ascii_lowercase().contains("content-type: application/x-protobuf"), "{}", heads[0]);
    let sent = String::from_utf8_lossy(&bodies.concat()).into_owned() + &heads.concat();
    let names = [
        "service.name",
        "blotter",
        "POST /v1/statements",
        "GET /v1/entries/{seq}",
        "POST /v1/alerts/splunk/{token}",
        "http.response.status_code",
        "commit",
    ];
    for name in names {
        assert!(sent.contains(name), "{name} is missing in {sent:?}");
    }
    let secret = token.rsplit_once('_').unwrap().1;
    for kept in [secret, "grandmother", "INC-4711", "acme", service.as_str()] {
        assert!(!sent.contains(kept), "{kept} is in {sent:?}");
    }
}

#[test]
fn a_collector_that_is_not_there_harms_nobody() {
    let place = Place::founded();
    enrol_service(&place);
    let token = token(&place, &["append"]);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served = Served::start_with(&place, &["--otlp", &format!("http://{gone}")]);
    let said = r#"{"event":"x.acme.checked","sub":"incident/I-1","facts":{}}"#;
    assert!(ask(&served, "POST /v1/statements", &token, said).starts_with("HTTP/1.1 201"));
    served.end();
    place.done(&["verify"]);
}
