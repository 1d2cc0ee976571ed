//! Who may read what: every role and kind of token, every reading endpoint, incidents with and without restriction. The
//! model is written down here a second time, as a table; the server must agree with it everywhere.

use axum::http::StatusCode;
use blotter_ledger::Ledger;
use blotter_record::Json;
use blotter_tests::World;

use crate::server::{NEXT_YEAR, Server, issue};

/// People of the cast, and whether they read all, what concerns trust, or nothing; and whether they audit.
const PEOPLE: [(&str, &str, Reads, bool); 13] = [
    ("ciso", "ciso", Reads::All, false),
    ("manager", "secops_manager", Reads::All, false),
    ("analyst", "soc_analyst", Reads::All, false),
    ("grc", "grc_lead", Reads::All, true),
    ("legal", "legal", Reads::All, false),
    ("dpo", "dpo", Reads::All, false),
    ("itops", "it_ops_lead", Reads::All, false),
    ("custodian", "custodian", Reads::All, false),
    ("owner", "service_owner", Reads::All, false),
    ("auditor", "auditor", Reads::All, true),
    ("admin", "admin", Reads::Trust, false),
    ("founder", "", Reads::Trust, false),
    ("visitor", "", Reads::Nothing, false),
];
/// Tokens: name, scope, what they read, whether they audit.
const TOKENS: [(&str, &str, Reads, bool); 4] = [
    ("reading", "read", Reads::All, false),
    ("auditing", "audit", Reads::All, true),
    ("appending", "append", Reads::Nothing, false),
    ("alerting", "alerts:source/edr-1", Reads::Nothing, false),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    All,
    Trust,
    Nothing,
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    Trust,
    Amber,
    /// Restricted to `grc` and the service of the tokens.
    Red,
    /// Evidence that concerns the restricted incident.
    AboutRed,
    /// Restricted once, and then no more.
    Lifted,
}

struct Case {
    server: Server,
    entries: Vec<(u64, Topic, String, String)>,
    callers: Vec<(String, String, Reads, bool, bool)>,
}

fn restrict(world: &World, ledger: &Ledger, incident: &str, tlp: &str, readers: &[&str]) -> u64 {
    let readers = readers.iter().map(|name| Json::from(world.person(name).actor.as_str())).collect();
    let said =
        world.say("manager", "incident.restricted", incident).fact("tlp", tlp).fact("readers", Json::List(readers));
    said.append(ledger).unwrap().seq
}

fn case() -> Case {
    let (mut entries, mut callers) = (Vec::new(), Vec::new());
    let server = Server::new(|world, ledger| {
        for (name, role, ..) in PEOPLE {
            if matches!(name, "itops" | "custodian" | "owner" | "auditor" | "visitor") {
                world.enrolment(ledger, "founder", name, "person").append(ledger).unwrap();
                if !role.is_empty() {
                    world
                        .say("founder", "role.granted", &format!("actor/{name}"))
                        .fact("role", role)
                        .append(ledger)
                        .unwrap();
                }
            }
        }
        let mut note = |seq: u64, topic, stream: &str| {
            let jti = ledger.read(|store| Ok(blotter_ledger::read::entries(store, seq, 1)?.pop())).unwrap();
            let jti = jti.and_then(|entry| entry.said).unwrap().1.jti.to_string();
            entries.push((seq, topic, jti, stream.to_owned()));
        };
        note(3, Topic::Trust, "actor/ciso");
        note(world.opened("analyst", "incident/AMBER").append(ledger).unwrap().seq, Topic::Amber, "incident/AMBER");
        note(world.opened("analyst", "incident/RED").append(ledger).unwrap().seq, Topic::Red, "incident/RED");
        note(restrict(world, ledger, "incident/RED", "red", &["grc", "siem"]), Topic::Red, "incident/RED");
        note(
            world.comment("analyst", "incident/RED", "secret").append(ledger).unwrap().seq,
            Topic::Red,
            "incident/RED",
        );
        let about =
            world.comment("analyst", "evidence/E-1", "secret, too").about("incident/RED").append(ledger).unwrap().seq;
        note(about, Topic::AboutRed, "evidence/E-1");
        note(world.opened("analyst", "incident/LIFTED").append(ledger).unwrap().seq, Topic::Lifted, "incident/LIFTED");
        restrict(world, ledger, "incident/LIFTED", "red", &["grc"]);
        note(restrict(world, ledger, "incident/LIFTED", "green", &["grc"]), Topic::Lifted, "incident/LIFTED");
        note(0, Topic::Trust, "ledger");
        for (name, scope, reads, audits) in TOKENS {
            let text = issue(world, ledger, name, "siem", &[scope], NEXT_YEAR);
            callers.push((name.to_owned(), text, reads, audits, true));
        }
    });
    for (name, _, reads, audits) in PEOPLE {
        callers.push((name.to_owned(), server.login(name), reads, audits, name == "grc"));
    }
    Case { server, entries, callers }
}

fn sees(reads: Reads, named: bool, topic: Topic) -> bool {
    match (reads, topic) {
        (Reads::Nothing, _) => false,
        (Reads::Trust, topic) => topic == Topic::Trust,
        (Reads::All, Topic::Red | Topic::AboutRed) => named,
        (Reads::All, _) => true,
    }
}

#[test]
fn each_caller_reads_what_the_table_says_and_nothing_else() {
    let Case { server, entries, callers } = case();
    let mut count = 0;
    for (name, bearer, reads, audits, named) in &callers {
        for (seq, topic, jti, stream) in &entries {
            let may = sees(*reads, *named, *topic);
            let paths =
                [format!("/v1/entries/{seq}"), format!("/v1/entries/{seq}/receipt"), format!("/v1/statements/{jti}")];
            for path in paths {
                let answer = server.get(&path, Some(bearer));
                let wanted = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
                assert_eq!(answer.status, wanted, "{name} {topic:?} {path}: {}", String::from_utf8_lossy(&answer.body));
                assert_eq!(may, String::from_utf8_lossy(&answer.body).contains("statement\\\":"), "{name} {path}");
                count += 1;
            }
            if *topic != Topic::AboutRed {
                let wanted = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
                let answer = server.get(&format!("/v1/streams/{stream}"), Some(bearer));
                assert_eq!(answer.status, wanted, "{name} {stream}");
                let answer = server.get(&format!("/v1/streams/{stream}/entries?limit=1000"), Some(bearer));
                assert_eq!(answer.status, wanted, "{name} {stream}/entries");
                let seqs: Vec<u64> = serde_json::from_slice(&answer.body).unwrap_or_default();
                assert_eq!(seqs.contains(seq), may, "{name} {stream}/entries: {seqs:?}");
                count += 2;
            }
        }
        let page = server.get("/v1/entries?limit=1000", Some(bearer));
        let all = if *reads == Reads::Nothing { StatusCode::FORBIDDEN } else { StatusCode::OK };
        assert_eq!(page.status, all, "{name}");
        if page.status == StatusCode::OK {
            for (seq, topic, ..) in &entries {
                let view = &page.json()["entries"][*seq as usize];
                assert_eq!(view["seq"], *seq);
                assert_eq!(view.get("entry").is_some(), sees(*reads, *named, *topic), "{name} {topic:?} in a page");
                assert_eq!(view.get("withheld").is_none(), sees(*reads, *named, *topic), "{name} {topic:?} in a page");
                count += 1;
            }
        }
        let trusted = server.get("/v1/entries?trusted=true&limit=1000", Some(bearer));
        assert_eq!(trusted.status, all, "{name}: the keyring's entries");
        if trusted.status == StatusCode::OK {
            let page = trusted.json();
            let shown = page["entries"].as_array().unwrap();
            assert!(shown.iter().all(|view| view.get("entry").is_some()), "{name}: whoever reads at all reads these");
            for (seq, topic, ..) in &entries {
                let there = shown.iter().any(|view| view["seq"] == *seq);
                assert_eq!(there, *topic == Topic::Trust, "{name} {topic:?} among the keyring's entries");
                count += 1;
            }
        }
        for (filter, status) in [("stream=incident/RED", 400), ("event=incident.opened", 400)] {
            let both = server.get(&format!("/v1/entries?trusted=true&{filter}"), Some(bearer));
            assert_eq!(both.status, if all == StatusCode::OK { status } else { 403 }, "{name} {filter}");
        }
        let bundle = server.get("/tile/entries/000.p/3", Some(bearer));
        assert_eq!(bundle.status == StatusCode::OK, *audits, "{name}: a bundle without anything restricted");
        let red = server.get(&format!("/tile/entries/000.p/{}", entries[2].0 + 1), Some(bearer));
        assert_eq!(red.status == StatusCode::OK, *audits && *named, "{name}: a bundle with a restricted incident");
        for path in ["/v1/keys", "/v1/keyring"] {
            assert_eq!(server.get(path, Some(bearer)).status, all, "{name} {path}");
        }
        count += 4;
    }
    assert_eq!(count, 17 * (9 * 3 + 8 * 2 + 4) + 14 * 9 * 2, "no case was left out");
}

#[test]
fn without_session_or_token_only_what_tells_nothing_can_be_read() {
    let Case { server, entries, .. } = case();
    for path in [
        "/checkpoint",
        "/tile/0/000.p/4",
        "/v1/proofs/inclusion/3",
        "/v1/proofs/consistency?old=2",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/problems",
    ] {
        assert_eq!(server.get(path, None).status, StatusCode::OK, "{path}");
    }
    let seq = entries[1].0;
    let closed = [
        "/v1/entries".to_owned(),
        format!("/v1/entries/{seq}"),
        format!("/v1/entries/{seq}/receipt"),
        format!("/v1/statements/{}", entries[1].2),
        "/v1/streams/incident/AMBER".to_owned(),
        "/v1/streams/ledger".to_owned(),
        "/v1/streams/incident/AMBER/entries".to_owned(),
        "/v1/streams/ledger/entries".to_owned(),
        "/v1/entries?trusted=true".to_owned(),
        "/v1/follow".to_owned(),
        "/v1/keys".to_owned(),
        "/v1/keyring".to_owned(),
        "/tile/entries/000.p/3".to_owned(),
        "/v1/whoami".to_owned(),
    ];
    for path in &closed {
        for bearer in [None, Some("blt_reading_00"), Some("bls_00"), Some("x")] {
            let answer = server.get(path, bearer);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::UNAUTHORIZED, "not-signed-in"),
                "{path} {bearer:?}"
            );
        }
    }
}

#[test]
fn a_filter_does_not_tell_of_what_is_restricted() {
    let Case { server, callers, .. } = case();
    for (name, bearer, reads, _, named) in callers.iter().filter(|(_, _, reads, ..)| *reads != Reads::Nothing) {
        let page = server.get("/v1/entries?stream=incident/RED", Some(bearer)).json();
        let there = page["entries"].as_array().unwrap().len();
        assert_eq!(there > 0, *named && *reads == Reads::All, "{name}: {page}");
    }
}

#[test]
fn a_token_is_over_when_it_expires_or_is_revoked_and_another_secret_is_none() {
    let mut tokens = Vec::new();
    let server = Server::new(|world, ledger| {
        tokens.push(issue(world, ledger, "good", "siem", &["read"], NEXT_YEAR));
        tokens.push(issue(world, ledger, "old", "siem", &["read"], "2026-11-23T11:59:59Z"));
        tokens.push(issue(world, ledger, "gone", "siem", &["read"], NEXT_YEAR));
        world.say("admin", "token.revoked", "actor/siem").fact("token", "token/gone").append(ledger).unwrap();
    });
    let status = |token: &str| server.get("/v1/whoami", Some(token)).status;
    assert_eq!(tokens.iter().map(|token| status(token)).collect::<Vec<_>>(), [200, 401, 401]);
    let mut other = tokens[0].clone();
    other.replace_range(other.len() - 1.., if other.ends_with('0') { "1" } else { "0" });
    assert_eq!(status(&other), 401);
}

#[test]
fn a_login_holds_only_for_this_ledger_this_server_this_nonce_and_this_person() {
    let server = Server::new(|world, ledger| {
        world
            .say("admin", "key.revoked", "actor/dpo")
            .fact("kid", kid(world, "dpo"))
            .fact("cause", "lost")
            .append(ledger)
            .unwrap();
    });
    let offer = || server.get("/v1/login", None).json();
    let aud = offer()["aud"].as_str().unwrap().to_owned();
    let fresh = || offer()["nonce"].as_str().unwrap().to_owned();
    let status = |jws: &str| server.post("/v1/login", None, "application/jwt", jws).status;
    let url = crate::server::URL;
    assert_eq!(status(&server.login_jws("ana", &fresh(), &aud, url)), 401, "nobody of that name");
    assert_eq!(status(&server.login_jws("analyst", &fresh(), "example.org/soc#other", url)), 401);
    assert_eq!(status(&server.login_jws("analyst", &fresh(), &aud, "https://evil.example")), 401);
    assert_eq!(status(&server.login_jws("analyst", "made-up", &aud, url)), 401);
    assert_eq!(status(&server.login_jws("siem", &fresh(), &aud, url)), 401, "a service has a token");
    assert_eq!(status(&server.login_jws("dpo", &fresh(), &aud, url)), 401, "a revoked key");
    let nonce = fresh();
    let good = server.login_jws("analyst", &nonce, &aud, url);
    let mut broken = good.clone();
    broken.replace_range(
        broken.len() - 10..broken.len() - 9,
        if &broken[broken.len() - 10..broken.len() - 9] == "A" { "B" } else { "A" },
    );
    assert_eq!(status(&broken), 401);
    assert_eq!(status(&good), 201, "a refused login does not take the nonce");
    assert_eq!(status(&good), 401, "a nonce is good once");
    let session = server.login("analyst");
    assert_eq!(server.get("/v1/whoami", Some(&session)).json()["roles"][0], "soc_analyst");
    let over =
        server.send(crate::server::request("DELETE", "/v1/session", Some(&session), None, axum::body::Body::empty()));
    assert_eq!(over.status, 204);
    assert_eq!(server.get("/v1/whoami", Some(&session)).status, 401);
}

#[test]
fn whoever_fails_to_sign_in_is_slowed_down_and_nobody_else() {
    let server = Server::new(|_, _| {});
    let status = |jws: &str| server.post("/v1/login", None, "application/jwt", jws).status.as_u16();
    let offer = server.get("/v1/login", None).json();
    let (nonce, aud) = (offer["nonce"].as_str().unwrap(), offer["aud"].as_str().unwrap());
    let until_slowed = |jws: &str| {
        let mut answers = (0..100).map(|_| server.post("/v1/login", None, "application/jwt", jws));
        let slowed = answers.find(|answer| answer.status != 401)?;
        assert!(slowed.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
        Some(slowed.status.as_u16())
    };
    assert_eq!(until_slowed("nothing that anybody signed"), Some(429));
    assert_eq!(until_slowed(&server.login_jws("ana", nonce, aud, crate::server::URL)), Some(429), "the same bucket");
    // A key's owner counts for themselves, whatever others sent from the same address.
    let elsewhere = server.login_jws("analyst", nonce, aud, "https://evil.example");
    assert_eq!(status(&elsewhere), 401);
    assert_eq!(until_slowed(&elsewhere), Some(429));
    server.login("grc");
}

fn kid(world: &World, name: &str) -> String {
    blotter_keys::jwk::thumbprint(world.key(name).public()).to_string()
}
