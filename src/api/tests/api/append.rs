//! What becomes of statements that are sent: recorded once, with a receipt that holds; or refused, saying why and where.

use axum::body::Body;
use axum::http::StatusCode;
use blotter_api::Config;
use blotter_keys::merkle::verify_inclusion;
use blotter_keys::tlog_proof::TlogProof;
use blotter_record::Hash;
use serde_json::{Value, json};

use crate::server::{NEXT_YEAR, Server, URL, issue, request};

const SD_JWT: &str = "application/sd-jwt";
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// The receipt's entry is in the log that the ledger signs.
pub fn check_receipt(server: &Server, receipt: &Value) {
    let proof = TlogProof::parse(receipt["proof"].as_str().unwrap().as_bytes()).unwrap();
    let leaf = Hash::of_leaf(receipt["entry"].as_str().unwrap().as_bytes());
    let vkey = server.world.keyring().ledger_keys()[0].vkey.clone();
    let checkpoint = proof.verify(&leaf, blotter_tests::ORIGIN, &[vkey]).unwrap();
    assert_eq!(proof.index(), receipt["seq"].as_u64().unwrap());
    verify_inclusion(&leaf, proof.index(), checkpoint.size(), checkpoint.root(), proof.path()).unwrap();
}

fn with_statements(count: usize) -> (Server, Vec<String>) {
    let mut texts = Vec::new();
    let server = Server::new(|world, ledger| {
        texts =
            (0..count).map(|n| world.comment("analyst", "incident/I-1", &format!("note {n}")).text(ledger)).collect();
    });
    (server, texts)
}

#[test]
fn a_statement_is_recorded_once_and_its_receipt_holds() {
    let (server, texts) = with_statements(1);
    let first = server.post("/v1/statements", None, SD_JWT, &texts[0]);
    assert_eq!(first.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&first.body));
    check_receipt(&server, &first.json());
    let seq = first.json()["seq"].as_u64().unwrap();
    assert_eq!(first.headers["location"].to_str().unwrap(), format!("/v1/entries/{seq}"));
    for media_type in [SD_JWT, "text/plain; charset=utf-8", "application/jose"] {
        let again = server.post("/v1/statements", None, media_type, &texts[0]);
        assert_eq!((again.status, again.json()["seq"].as_u64()), (StatusCode::OK, Some(seq)));
    }
    let wrapped = json!({ "statement": texts[0] }).to_string();
    assert_eq!(server.post("/v1/statements", None, JSON, &wrapped).status, StatusCode::OK);
}

#[test]
fn what_is_refused_says_why_and_where() {
    let mut stale = String::new();
    let mut role = String::new();
    let server = Server::new(|world, ledger| {
        stale = world.opened("analyst", "incident/S").text(ledger);
        world.opened("analyst2", "incident/S").append(ledger).unwrap();
        world.comment("manager", "incident/S", "one more").append(ledger).unwrap();
        role = world.say("dpo", "bootstrap.closed", "ledger").text(ledger);
    });
    let refused = |text: &str| {
        let answer = server.post("/v1/statements", None, SD_JWT, text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        (answer.status.as_u16(), answer.code(), answer.json())
    };
    let (status, code, problem) = refused(&stale);
    assert_eq!((status, code.as_str()), (409, "seen-stale"));
    assert_eq!(problem["now"]["between"].as_array().unwrap().len(), 2, "what lies between: {problem}");
    assert_eq!((&problem["now"]["stream"], &problem["now"]["n"]), (&json!("incident/S"), &json!(1)));
    let (status, code, problem) = refused(&role);
    assert_eq!((status, code.as_str()), (403, "role-missing"));
    assert_eq!(problem["wanted"], json!(["founder"]));
    for text in ["", "x", "~", "a.b.c~", "{}", "[]", "\"x\"", "\u{0}", "eyJhbGciOiJub25lIn0.e30.~"] {
        let (status, code, _) = refused(text);
        assert!(
            matches!((status, code.as_str()), (422, "malformed") | (401, "not-signed-in")),
            "{text:?}: {status} {code}"
        );
    }
    let media = server.post("/v1/statements", None, "application/xml", "<a/>");
    assert_eq!((media.status.as_u16(), media.code().as_str()), (415, "media-type"));
    let not_utf8 = server.send(request("POST", "/v1/statements", None, Some(SD_JWT), Body::from(vec![0xff, 0xfe])));
    assert_eq!((not_utf8.status.as_u16(), not_utf8.code().as_str()), (422, "malformed"));
}

#[test]
fn another_statement_under_the_same_id_is_refused_with_the_entry_that_has_it() {
    let (mut first, mut second) = (String::new(), String::new());
    let server = Server::new(|world, ledger| {
        let jti = world.jti();
        first = world.comment("analyst", "incident/I-1", "one").jti(jti).text(ledger);
        second = world.comment("analyst", "incident/I-1", "two").jti(jti).text(ledger);
    });
    let seq = server.post("/v1/statements", None, SD_JWT, &first).json()["seq"].clone();
    let answer = server.post("/v1/statements", None, SD_JWT, &second);
    assert_eq!((answer.status.as_u16(), answer.code().as_str(), &answer.json()["seq"]), (409, "jti-taken", &seq));
}

#[test]
fn every_line_of_a_list_gets_its_own_answer() {
    let (server, texts) = with_statements(600);
    let mut lines: Vec<String> = texts.iter().map(|text| json!(text).to_string()).collect();
    lines[7] = "broken".to_owned();
    lines[8] = texts[0].clone();
    lines[9] = json!({ "statement": texts[1] }).to_string();
    lines[10] = String::new();
    let answer = server.post("/v1/statements", None, NDJSON, &lines.join("\n"));
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (StatusCode::OK, &axum::http::HeaderValue::from_static(NDJSON))
    );
    let results = answer.lines();
    assert_eq!(results.len(), lines.len());
    for (index, result) in results.iter().enumerate() {
        let wanted = match index {
            7 | 10 => 422,
            8 | 9 => 200,
            _ => 201,
        };
        assert_eq!(
            (result["line"].as_u64(), result["status"].as_u64()),
            (Some(index as u64 + 1), Some(wanted)),
            "{result}"
        );
    }
    assert_eq!(results[8]["seq"], results[0]["seq"]);
    let again = server.post("/v1/statements?receipts=true", None, NDJSON, &texts[..5].join("\n"));
    again.lines().iter().for_each(|line| check_receipt(&server, &line["receipt"]));
}

#[test]
fn an_atomic_list_enters_as_a_whole_or_not_at_all() {
    let (server, texts) = with_statements(4);
    let before = server.get("/checkpoint", None).body;
    let answer = server.post("/v1/statements?atomic=true", None, NDJSON, &[&texts[0], "broken", &texts[1]].join("\n"));
    let statuses: Vec<u64> = answer.lines().iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [424, 422, 424]);
    assert_eq!(server.get("/checkpoint", None).body, before, "nothing was recorded");
    let answer = server.post("/v1/statements?atomic=true", None, NDJSON, &texts.join("\n"));
    assert!(answer.lines().iter().all(|line| line["status"] == 201));
    let many = vec!["x"; 257].join("\n");
    assert_eq!(server.post("/v1/statements?atomic=true", None, NDJSON, &many).status, 413);
}

#[test]
fn a_token_speaks_through_the_notary_and_decides_nothing() {
    let mut tokens = Vec::new();
    let server = Server::new(|world, ledger| {
        tokens.push(issue(world, ledger, "speaks", "siem", &["append"], NEXT_YEAR));
        tokens.push(issue(world, ledger, "reads", "siem", &["read"], NEXT_YEAR));
    });
    let say = |token: Option<&str>, body: &Value| server.post("/v1/statements", token, JSON, &body.to_string());
    let id = "01932d2c-7c3a-7000-8000-000000000001";
    let mut body = json!({ "event": "x.acme.checked", "sub": "incident/I-1", "facts": { "n": 1 }, "data": { "note": "fine" }, "jti": id });
    assert_eq!(say(None, &body).status, 401);
    assert_eq!(say(Some(&tokens[1]), &body).status, 403);
    let first = say(Some(&tokens[0]), &body);
    assert_eq!(first.status, StatusCode::CREATED, "{}", String::from_utf8_lossy(&first.body));
    check_receipt(&server, &first.json());
    let view = server.get(&format!("/v1/entries/{}", first.json()["seq"]), Some(&tokens[1])).json();
    assert_eq!(
        (&view["claims"]["iss"], &view["claims"]["for"], &view["claims"]["auth"]),
        (&json!("notary/notary"), &json!("service/siem"), &json!("token/speaks"))
    );
    assert_eq!(say(Some(&tokens[0]), &body).status, StatusCode::OK, "the same again");
    body["data"]["note"] = json!("bad");
    assert_eq!(say(Some(&tokens[0]), &body).code(), "jti-taken");
    body["jti"] = json!("01932d2c-7c3a-7000-8000-000000000002");
    body["event"] = json!("incident.opened");
    body["facts"] = json!({ "lead": "person/analyst", "category": "malware", "tlp": "amber" });
    let decision = say(Some(&tokens[0]), &body);
    assert!(decision.status == 403 || decision.status == 422, "{}", String::from_utf8_lossy(&decision.body));
    body["surprise"] = json!(1);
    assert_eq!(say(Some(&tokens[0]), &body).json()["at"], "surprise");
}

#[test]
fn what_is_too_large_or_too_often_is_refused_before_it_costs_anything() {
    let mut token = String::new();
    let config = Config { url: URL.to_owned(), body_bytes_max: 1_000, rate_max: 0.01, ..Config::default() };
    let server = Server::with(config, |world, ledger| token = issue(world, ledger, "t", "siem", &["read"], NEXT_YEAR));
    let declared = server.post("/v1/statements", None, SD_JWT, &"x".repeat(1_001));
    assert_eq!((declared.status.as_u16(), declared.code().as_str()), (413, "too-large"));
    let lines = server.post("/v1/statements", None, NDJSON, &"\n".repeat(900));
    assert_eq!(lines.lines().len(), 900, "an empty line has an answer, too");
    let stream = futures_util::stream::iter((0..2_000).map(|_| Ok::<_, std::convert::Infallible>("x")));
    let undeclared = server.send(request("POST", "/v1/statements", None, Some(SD_JWT), Body::from_stream(stream)));
    assert_eq!((undeclared.status.as_u16(), undeclared.code().as_str()), (413, "too-large"));
    assert_eq!(server.get("/v1/whoami", Some(&token)).status, 200);
    let last = server.get("/v1/whoami", Some(&token));
    assert_eq!((last.status.as_u16(), last.code().as_str()), (429, "rate"));
    assert!(last.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[test]
fn more_lines_than_a_list_may_have_are_refused_before_they_are_read() {
    let (server, _) = with_statements(0);
    let answer = server.post("/v1/statements", None, NDJSON, &"\n".repeat(5_000_000));
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "too-large"));
}

#[test]
fn methods_that_clients_make_up_are_counted_as_one() {
    let (server, _) = with_statements(0);
    for method in ["AAAA1", "AAAA2"] {
        assert_eq!(server.send(request(method, "/healthz", None, None, Body::empty())).status, 405);
    }
    let text = String::from_utf8(server.get("/metrics", None).body).unwrap();
    assert!(text.contains("other /healthz") && !text.contains("AAAA"), "{text}");
}
