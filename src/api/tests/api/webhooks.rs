//! Webhooks against a receiver on the loopback interface, which verifies what it is sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use blotter_api::Notary;
use blotter_api::webhooks::{Endpoint, Outbox, State, Webhooks, public_key_text};
use blotter_keys::base64std;
use blotter_keys::ed25519::{PublicKey, SecretKey};
use blotter_record::Json;
use serde_json::Value;

use crate::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);

/// Answers with these statuses in turn, then 200; hands over headers and bodies.
fn receiver(statuses: Vec<u16>) -> (String, Receiver<(Vec<String>, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut statuses = statuses.into_iter();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut headers = Vec::new();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if line.trim().is_empty() {
                    break;
                }
                headers.push(line.trim().to_owned());
            }
            let length = header(&headers, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = statuses.next().unwrap_or(200);
            write!(stream.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if tell.send((headers, String::from_utf8(body).unwrap())).is_err() {
                return;
            }
        }
    });
    (url, told)
}

fn header(headers: &[String], name: &str) -> Option<String> {
    headers.iter().find_map(|line| {
        let (other, value) = line.split_once(':')?;
        other.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

struct Sending {
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Sending {
    fn start(server: &Server, url: &str, allow_private: bool) -> Self {
        let endpoint = Endpoint {
            id: "endpoint/test".parse().unwrap(),
            url: url.to_owned(),
            events: vec!["incident.".to_owned(), "webhook.".to_owned()],
            actor: "service/siem".parse().unwrap(),
            allow_private,
        };
        let own = server.world.person("ledger");
        let webhooks = Webhooks {
            endpoints: vec![endpoint],
            key: key(),
            own: Some(Notary { actor: own.actor, key: own.key }),
            outbox: server.world.dir().join("outbox.db"),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let threads = webhooks.start(server.app(), &stop).unwrap();
        Self { stop, threads }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed([9; 32])
}

fn verified(headers: &[String], body: &str) -> Value {
    let public = public_key_text(key().public());
    let bytes = base64std::decode(public.strip_prefix("whpk_").unwrap()).unwrap();
    let public = PublicKey::from_bytes(&bytes.try_into().unwrap()).unwrap();
    let get = |name| header(headers, name).unwrap();
    let signature = base64std::decode(get("webhook-signature").strip_prefix("v1a,").unwrap()).unwrap();
    let said = format!("{}.{}.{body}", get("webhook-id"), get("webhook-timestamp"));
    public.verify(said.as_bytes(), &signature.try_into().unwrap()).unwrap();
    serde_json::from_str(body).unwrap()
}

fn wait_for<T>(mut there: impl FnMut() -> Option<T>) -> T {
    let start = std::time::Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "it did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn chosen_events_come_signed_and_the_delivery_is_recorded() {
    let (mut opened, mut red) = (String::new(), Vec::new());
    let server = Server::new(|world, ledger| {
        opened = world.opened("analyst", "incident/A").text(ledger);
        red.push(world.opened("analyst", "incident/R").text(ledger));
    });
    let (url, told) = receiver(Vec::new());
    let sending = Sending::start(&server, &url, true);
    let post = |text: &str| server.post("/v1/statements", None, "application/sd-jwt", text);
    assert_eq!(post(&opened).status, 201);
    let (headers, body) = told.recv_timeout(PATIENCE).unwrap();
    let body = verified(&headers, &body);
    assert_eq!((body["type"].as_str(), body["data"]["stream"].as_str()), (Some("incident.opened"), Some("incident/A")));
    assert!(body["data"].get("data").is_none(), "no disclosable value goes out");
    let session = server.login("grc");
    let recorded = wait_for(|| {
        let page = server.get("/v1/entries?event=webhook.delivered", Some(&session)).json();
        page["entries"].get(0).cloned()
    });
    assert_eq!(recorded["claims"]["facts"]["outcome"], "delivered");
    assert_eq!(recorded["claims"]["facts"]["of"], body["data"]["jti"]);
    drop(sending);
    assert!(told.try_recv().is_err(), "the record of a delivery is not delivered");
}

#[test]
fn a_receiver_is_told_of_linked_tickets_and_of_its_own_ones_the_number() {
    let mut confirmed = String::new();
    let server = Server::new(|world, ledger| {
        for id in ["incident/A", "incident/RED"] {
            world.opened("analyst", id).append(ledger).unwrap();
            for (system, number) in [("endpoint/test", "INC0012345"), ("endpoint/other", "JIRA-7")] {
                let linked = world.say("analyst", "ticket.linked", id).fact("system", system);
                linked.data("ticket", number).data("url", "https://itsm.example").append(ledger).unwrap();
            }
        }
        let readers = Json::List(vec![world.person("grc").actor.as_str().into()]);
        let restricted = world.say("manager", "incident.restricted", "incident/RED").fact("tlp", "red");
        restricted.fact("readers", readers).append(ledger).unwrap();
        confirmed = world.say("analyst", "incident.acknowledged", "incident/A").text(ledger);
    });
    let (url, told) = receiver(Vec::new());
    let sending = Sending::start(&server, &url, true);
    assert_eq!(server.post("/v1/statements", None, "application/sd-jwt", &confirmed).status, 201);
    let (headers, body) = told.recv_timeout(PATIENCE).unwrap();
    let links = verified(&headers, &body)["data"]["links"].clone();
    let told_of = |at: usize| {
        let text = |name: &str| links[at][name].as_str().map(str::to_owned);
        (text("incident"), text("event"), text("system"), text("number"))
    };
    let expected = |system: &str, number: Option<&str>| {
        let text = |text: &str| Some(text.to_owned());
        (text("incident/A"), text("ticket.linked"), text(system), number.map(str::to_owned))
    };
    assert_eq!(links.as_array().unwrap().len(), 2, "{links}");
    assert_eq!(told_of(0), expected("endpoint/test", Some("INC0012345")));
    assert_eq!(told_of(1), expected("endpoint/other", None));
    assert!(!body.contains("JIRA-7"), "nobody is told another's numbers");
    drop(sending);
}

#[test]
fn what_fails_is_tried_again_and_what_is_gone_is_dead_until_it_is_replayed() {
    let mut texts = Vec::new();
    let server = Server::new(|world, ledger| {
        texts = vec![world.opened("analyst", "incident/A").text(ledger)];
    });
    let (url, told) = receiver(vec![500, 410]);
    let sending = Sending::start(&server, &url, true);
    assert_eq!(server.post("/v1/statements", None, "application/sd-jwt", &texts[0]).status, 201);
    told.recv_timeout(PATIENCE).unwrap();
    let outbox = Outbox::open(&server.world.dir().join("outbox.db")).unwrap();
    let waiting = wait_for(|| outbox.list(State::Waiting, 9).unwrap().into_iter().find(|delivery| delivery.tries == 1));
    assert!(waiting.next_us > server.world.now_us(), "it waits: {waiting:?}");
    assert!(waiting.why.unwrap().contains("500"));
    // The world's clock stands still, so it would wait for ever; a new outbox sees it as due.
    drop(sending);
    rusqlite::Connection::open(server.world.dir().join("outbox.db"))
        .unwrap()
        .execute("UPDATE delivery SET next_us = 0", [])
        .unwrap();
    let sending = Sending::start(&server, &url, true);
    told.recv_timeout(PATIENCE).unwrap();
    let dead = wait_for(|| outbox.list(State::Dead, 9).unwrap().pop());
    assert_eq!((dead.tries, dead.id), (2, waiting.id));
    assert_eq!(outbox.replay(Some(dead.id), server.world.now_us()).unwrap(), 1);
    let (headers, body) = told.recv_timeout(PATIENCE).unwrap();
    verified(&headers, &body);
    wait_for(|| (outbox.count(State::Delivered).unwrap() == 1).then_some(()));
    drop(sending);
}

#[test]
fn what_waited_while_its_incident_was_restricted_is_not_sent() {
    let (mut opened, mut other, mut restricted) = (String::new(), String::new(), String::new());
    let server = Server::new(|world, ledger| {
        opened = world.opened("manager", "incident/A").text(ledger);
        other = world.opened("analyst", "incident/B").text(ledger);
        // By the same person, so what they had seen is not stale when it is sent.
        let said = world.say("manager", "incident.restricted", "incident/A").fact("tlp", "red");
        let readers = blotter_record::Json::List(vec!["person/grc".into()]);
        restricted = said.fact("readers", readers).text(ledger);
    });
    let post = |text: &str| {
        let answer = server.post("/v1/statements", None, "application/sd-jwt", text);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    };
    let (url, told) = receiver(vec![500]);
    let sending = Sending::start(&server, &url, true);
    post(&opened);
    let (_, body) = told.recv_timeout(PATIENCE).unwrap();
    assert!(body.contains("incident/A"), "the first try came before: {body}");
    let path = server.world.dir().join("outbox.db");
    let outbox = Outbox::open(&path).unwrap();
    wait_for(|| outbox.list(State::Waiting, 9).unwrap().into_iter().find(|delivery| delivery.tries == 1));
    drop(sending);
    post(&restricted);
    // The world's clock stands still: now it is due again.
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE delivery SET next_us = 0", []).unwrap();
    let sending = Sending::start(&server, &url, true);
    post(&other);
    let (_, body) = told.recv_timeout(PATIENCE).unwrap();
    assert!(body.contains("incident/B"), "nothing but what may be seen: {body}");
    let dead = wait_for(|| outbox.list(State::Dead, 9).unwrap().pop());
    assert_eq!((dead.tries, dead.why.as_deref()), (2, Some("the entry was expunged, or restricted since")));
    drop(sending);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_private_address_is_not_called_unless_that_is_allowed() {
    let mut text = String::new();
    let server = Server::new(|world, ledger| text = world.opened("analyst", "incident/A").text(ledger));
    let (url, told) = receiver(Vec::new());
    let sending = Sending::start(&server, &url, false);
    assert_eq!(server.post("/v1/statements", None, "application/sd-jwt", &text).status, 201);
    let outbox = Outbox::open(&server.world.dir().join("outbox.db")).unwrap();
    let waiting = wait_for(|| outbox.list(State::Waiting, 9).unwrap().into_iter().find(|delivery| delivery.tries == 1));
    assert!(waiting.why.unwrap().contains("private network"));
    drop(sending);
    assert!(told.try_recv().is_err());
}
