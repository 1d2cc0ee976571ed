//! What must hold at the wrong moment: while something is being read, after a read failed, when the index is broken, when
//! a request took too long.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use blotter_api::Config;
use blotter_ledger::Ledger;
use blotter_tests::{Faults, World};

use crate::append::check_receipt;
use crate::server::{Server, URL, request, send};

const SD_JWT: &str = "application/sd-jwt";
const NDJSON: &str = "application/x-ndjson";

fn config() -> Config {
    Config { url: URL.to_owned(), ..Config::default() }
}

/// An incident that only `analyst2` may read, from its first entry on.
fn restricted(world: &World, ledger: &Ledger, incident: &str) -> String {
    let said = world.say("analyst2", "incident.opened", incident);
    let said = said.fact("lead", "person/analyst2").fact("category", "insider").fact("tlp", "red");
    said.data("title", "Secret").text(ledger)
}

/// Has `text` recorded, by another request, as soon as somebody has looked how long the log is.
fn record_meanwhile(server: &Server, faults: &Faults, text: &str) {
    let (app, text) = (Arc::clone(server.app()), text.to_owned());
    faults.after_size(move || {
        let post = move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            send(&runtime, &app, request("POST", "/v1/statements", None, Some(SD_JWT), Body::from(text))).status
        };
        // The thread that reads belongs to a runtime already.
        assert_eq!(std::thread::spawn(post).join().unwrap(), 201);
    });
}

#[test]
fn what_comes_while_somebody_reads_is_not_shown_before_it_is_judged() {
    let faults = Faults::new();
    let (mut texts, mut jtis) = (Vec::new(), Vec::new());
    let server = Server::on(&faults, config(), |world, ledger| {
        for n in 0..6 {
            texts.push(restricted(world, ledger, &format!("incident/RED-{n}")));
            let said = blotter_record::Presentation::parse(&texts[n]).unwrap();
            jtis.push(said.statement.jti.to_string());
        }
    });
    let (session, auditor) = (server.login("analyst"), server.login("grc"));
    let first = server.app().size();
    let paths = [
        (&session, format!("/v1/entries/{first}"), 404),
        (&session, format!("/v1/entries/{}/receipt", first + 1), 404),
        (&session, format!("/v1/streams/incident/RED-{}", 2), 404),
        (&session, format!("/v1/streams/incident/RED-{}/entries", 3), 200),
        (&auditor, format!("/tile/entries/000.p/{}", first + 5), 404),
        (&session, format!("/v1/entries?from={}", first + 5), 200),
    ];
    for (n, (bearer, path, status)) in paths.iter().enumerate() {
        // Everything so far is judged; so nobody looks a second time how long the log is.
        assert_eq!(server.get("/v1/entries/3", Some(bearer)).status, 200);
        record_meanwhile(&server, &faults, &texts[n]);
        let answer = server.get(path, Some(bearer));
        assert_eq!(server.app().size(), first + n as u64 + 1, "it came while {path} was read");
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, *status, "{path}: {text}");
        assert!(!text.contains("Secret") && !text.contains("RED-5"), "{path}: {text}");
        if path.ends_with("/entries") {
            assert_eq!(text, "[]", "{path}");
        }
    }
    // By now they are judged: withheld, and said to be.
    for (bearer, path, _) in &paths[..5] {
        assert_eq!(server.get(path, Some(bearer)).status, 403, "{path}");
    }
    for jti in jtis {
        assert_eq!(server.get(&format!("/v1/statements/{jti}"), Some(&session)).status, 403);
    }
    let page = server.get(&format!("/v1/entries?from={first}"), Some(&session)).json();
    assert!(page["entries"].as_array().unwrap().iter().all(|entry| entry["withheld"] == "restricted"), "{page}");
}

#[test]
fn an_index_that_can_t_be_used_opens_nothing() {
    let breaks: [fn(&std::path::Path); 3] = [
        |_| {},
        |path| std::fs::create_dir(path).unwrap(),
        |path| std::fs::write(path, "this is no database, and long enough to be looked at as one".repeat(100)).unwrap(),
    ];
    for (n, broken) in breaks.into_iter().enumerate() {
        let mut seq = 0;
        let server = Server::new(|world, ledger| {
            let text = restricted(world, ledger, "incident/RED");
            seq = ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap().seq;
            broken(&world.dir().join("views.db"));
        });
        for (who, status) in [("analyst2", 200), ("analyst", 403)] {
            let session = server.login(who);
            assert_eq!(server.get(&format!("/v1/entries/{seq}"), Some(&session)).status, status, "{who}, case {n}");
        }
    }
}

#[test]
fn a_receipt_after_a_read_that_failed_holds() {
    let faults = Faults::new();
    let mut texts = Vec::new();
    let server = Server::on(&faults, config(), |world, ledger| {
        texts = (0..40).map(|n| world.comment("analyst", "incident/I-1", &format!("{n}")).text(ledger)).collect();
    });
    let post = |text: &str| server.post("/v1/statements", None, SD_JWT, text);
    faults.fail_hashes(1);
    assert_eq!(post(&texts[0]).status, 503, "recorded, but its receipt can't be made");
    for text in texts[1..].iter().chain([&texts[0]]) {
        let answer = post(text);
        assert!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
        check_receipt(&server, &answer.json());
    }
}

#[test]
fn a_body_takes_its_room_until_the_work_on_it_is_done() {
    let faults = Faults::new();
    let mut texts = Vec::new();
    let config = Config {
        body_bytes_max: 60 * 1024,
        bodies_bytes_max: 60 * 1024,
        request_time_max: Duration::from_millis(200),
        ..config()
    };
    let server = Server::on(&faults, config, |world, ledger| {
        texts = (0..20).map(|n| world.comment("analyst", "incident/I-1", &format!("{n}")).text(ledger)).collect();
    });
    // As large as all bodies together may be.
    let body = format!("{:<width$}", texts.join("\n"), width = 60 * 1024);
    faults.hold();
    let first = server.post("/v1/statements", None, NDJSON, &body);
    let second = server.post("/v1/statements", None, NDJSON, &texts[0]);
    faults.release();
    assert_eq!(first.status, 408, "the writer is held");
    assert_eq!((second.status.as_u16(), second.code().as_str()), (429, "busy"), "its body is still there");
    let start = std::time::Instant::now();
    while server.post("/v1/statements", None, NDJSON, &texts[0]).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(60), "there is room when it is done");
    }
}
