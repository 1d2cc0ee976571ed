//! The honest ledgers that the tests verify and forge, and how a test verifies one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use blotter_record::{Hash, Json, Jti};
use blotter_verify::{CouldNotRun, Options, Report, verify};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::forge::{Forge, Say, See, founding, jwk, kid, list, say, vkey};

pub(crate) const FOUNDER: u8 = 1;
pub(crate) const LEDGER: u8 = 2;
pub(crate) const LEDGER_2: u8 = 3;
const LEDGER_ACTOR: u8 = 4;
pub(crate) const NOTARY: u8 = 5;
/// The keys of people and services; the rest of the alphabet of seeds is free for forgers.
const PEOPLE: [(&str, u8, &str); 10] = [
    ("person/ann", 10, "soc_analyst"),
    ("person/bob", 11, "soc_analyst"),
    ("person/mia", 12, "secops_manager"),
    ("person/cid", 13, "ciso"),
    ("person/gus", 14, "grc_lead"),
    ("person/leo", 15, "legal"),
    ("person/dan", 16, "dpo"),
    ("person/ada", 17, "admin"),
    ("person/kit", 18, "custodian"),
    ("service/siem", 19, "service"),
];

/// What the entries of the script are called in the tests.
pub(crate) type Marks = BTreeMap<&'static str, u64>;

/// The smallest ledger that does something: founded, its actor enrolled, and one note written.
pub(crate) fn small() -> Forge {
    let mut ledger = founded();
    ledger.say(say("person/fay", "comment.added", "incident/INC-1").data("text", "first"));
    ledger
}

/// Founded, with the ledger's own actor.
pub(crate) fn founded() -> Forge {
    let mut ledger = Forge::new(LEDGER);
    ledger.keys.insert("person/fay", FOUNDER);
    ledger.say(founding("person/fay", FOUNDER, LEDGER));
    enrol(&mut ledger, "person/fay", "ledger/own", LEDGER_ACTOR);
    ledger
}

/// Founded, staffed, with the bootstrap closed.
pub(crate) fn staffed() -> Forge {
    let mut ledger = founded();
    for (actor, seed, role) in PEOPLE {
        enrol(&mut ledger, "person/fay", actor, seed);
        grant(&mut ledger, "person/fay", actor, role);
    }
    enrol(&mut ledger, "person/fay", "notary/not", NOTARY);
    ledger.say(say("person/fay", "bootstrap.closed", "ledger"));
    ledger.say(
        say("person/ada", "token.issued", "actor/siem")
            .fact("token", "token/t1")
            .fact("scopes", list(&["alerts"]))
            .fact("expires", "2027-11-23T00:00:00Z")
            .data("label", "siem"),
    );
    ledger
}

/// A ledger in which everything happens that format 1 has, but for an expunging.
pub(crate) fn full() -> (Forge, Marks) {
    let mut marks = Marks::new();
    let mut ledger = staffed();
    let mut mark = |name: &'static str, seq: u64| marks.insert(name, seq);
    ledger.say(say("ledger/own", "ledger.opened", "ledger").facts(opened(&ledger.clone())));
    mark("notarised", ledger.say(alert("alert/A1")));
    mark("service", ledger.say(Say { by: "service/siem", on_behalf: None, ..alert("alert/A2") }));
    let opening = say("person/ann", "incident.opened", "incident/INC-1").about("alert/A1");
    let opening = opening.fact("lead", "person/ann").fact("category", "malware").fact("tlp", "amber");
    mark("opened", ledger.say(opening.data("title", "Ransom note on a file server").data("summary", "seen at 11:00")));
    mark("comment", ledger.say(say("person/bob", "comment.added", "incident/INC-1").data("text", "Ann's host is hit")));
    ledger.commits = false;
    mark(
        "batched",
        ledger.say(say("service/siem", "x.probe.seen", "incident/INC-1").fact("count", 3).data("host", "h7")),
    );
    ledger.say(say("service/siem", "x.probe.seen", "incident/INC-1").fact("count", 4));
    ledger.commits = true;
    mark("blob", ledger.say(with_blob(&mut ledger.clone().blobs)));
    with_blob(&mut ledger.blobs);
    mark("confirmed", ledger.say(confirmed("person/mia")));
    import(&mut ledger, &mut mark);
    let items = erase(&mut ledger, &mut mark);
    ledger.erased.push(items);
    keys_change(&mut ledger, &mut mark);
    rotate(&mut ledger, &mut mark);
    step_the_clock(&mut ledger, &mut mark);
    mark("last", ledger.say(say("person/mia", "comment.added", "incident/INC-1").data("text", "quiet since noon")));
    (ledger, marks)
}

impl Say {
    pub(crate) fn facts(mut self, facts: Vec<(&'static str, Json)>) -> Self {
        self.facts.extend(facts);
        self
    }
}

pub(crate) fn enrol(ledger: &mut Forge, by: &'static str, actor: &'static str, seed: u8) -> u64 {
    let (kind, name) = actor.split_once('/').unwrap();
    ledger.keys.insert(actor, seed);
    let proof = ledger.proof(actor, seed, by);
    let enrolment = say(by, "actor.enrolled", &format!("actor/{name}")).fact("kind", kind);
    ledger.say(enrolment.fact("jwk", jwk(seed)).fact("proof", proof).data("name", format!("N. {name}")))
}

pub(crate) fn grant(ledger: &mut Forge, by: &'static str, actor: &str, role: &str) -> u64 {
    let stream = format!("actor/{}", actor.split_once('/').unwrap().1);
    ledger.say(say(by, "role.granted", &stream).fact("role", role))
}

fn opened(ledger: &Forge) -> Vec<(&'static str, Json)> {
    let size = ledger.size();
    let seen = ledger.seen_at(&"ledger".parse().unwrap(), size);
    vec![
        ("software", "0.1.0".into()),
        ("binary_sha256", Hash::of(b"binary").to_hex().into()),
        ("size", Json::Int(size as i64)),
        ("root", seen.root.to_string().into()),
        ("was", "clean".into()),
    ]
}

pub(crate) fn alert(stream: &str) -> Say {
    say("notary/not", "alert.received", stream)
        .on_behalf("service/siem", "token/t1")
        .fact("source", "source/edr")
        .fact("severity", 3)
        .fact("severity_source", "high")
        .fact("techniques", list(&["T1486"]))
        .fact("observed_at", "2026-11-23T08:00:00Z")
        .fact("received_at", "2026-11-23T08:00:01Z")
        .data("title", "Files renamed in bulk")
        .data("host", "fs-3")
}

pub(crate) fn with_blob(blobs: &mut BTreeMap<String, Vec<u8>>) -> Say {
    let (id, bytes) = ("abcdefghijklmnopqrstuvwx27", b"the report's bytes".to_vec());
    let value = format!("blob:{}:{}:{id}", Hash::of(&bytes).to_hex(), bytes.len());
    blobs.insert(id.to_owned(), bytes);
    say("person/ann", "comment.added", "incident/INC-1").data("text", value)
}

pub(crate) fn confirmed(by: &'static str) -> Say {
    say(by, "incident.confirmed", "incident/INC-1")
        .fact("verdict", "true-positive")
        .fact("criteria_version", "1")
        .fact("criteria", list(&["c1"]))
}

fn import(ledger: &mut Forge, mark: &mut impl FnMut(&'static str, u64) -> Option<u64>) {
    ledger.say(say("person/ada", "actor.enrolled", "actor/old").fact("kind", "imported").data("name", "O. Ld"));
    let start = say("person/gus", "import.started", "import/i1")
        .fact("import", "import/i1")
        .fact("mapping", "thehive")
        .fact("mapping_version", "5");
    mark("import", ledger.say(start.fact("time_zone", "UTC").data("file", "cases.json")));
    mark("imported", ledger.say(imported("incident/OLD-1")));
    ledger.say(say("notary/not", "x.note", "incident/OLD-1").on_behalf("imported/old", "import/i1"));
    let end = say("notary/not", "import.completed", "import/i1")
        .fact("import", "import/i1")
        .fact("entries", 2)
        .fact("rejected", 0);
    mark("import-completed", ledger.say(end));
}

pub(crate) fn imported(stream: &str) -> Say {
    say("notary/not", "incident.reopened", stream).on_behalf("imported/old", "import/i1").data("reason", "again")
}

pub(crate) fn item(jti: Jti, field: &str, digest: Hash) -> Json {
    let member = |name: &str, value: String| (name.to_owned(), Json::Text(value));
    let object =
        vec![member("jti", jti.to_string()), member("field", field.to_owned()), member("digest", digest.to_string())];
    Json::List(vec![Json::Object(object)])
}

/// Two people approve, and the comment's text is gone.
fn erase(ledger: &mut Forge, mark: &mut impl FnMut(&'static str, u64) -> Option<u64>) -> Hash {
    let comment = ledger
        .lines
        .iter()
        .position(|line| line.disclosures.iter().any(|d| d.value().as_text() == Some("Ann's host is hit")));
    let comment = comment.unwrap() as u64;
    let digest = ledger.lines[comment as usize].disclosures[0].digest();
    let items = item(ledger.jti_of(comment), "text", digest);
    let stream = "incident/INC-1";
    let request = say("person/dan", "erasure.requested", stream).fact("items", items.clone()).fact("basis", "gdpr-17");
    let request = ledger.say(request.data("reason", "asked for"));
    mark("erasure-requested", request);
    let request = ledger.jti_of(request).to_string();
    let approval =
        |by| say(by, "erasure.approved", stream).fact("request", request.as_str()).fact("items", items.clone());
    let first = ledger.say(approval("person/leo"));
    let second = ledger.say(approval("person/cid"));
    let approvals = [first, second].map(|seq| ledger.jti_of(seq).to_string());
    let done = say("person/dan", "erasure.executed", stream).fact("request", request.as_str());
    let done = done.fact("approvals", list(&[&approvals[0], &approvals[1]])).fact("items", items.clone());
    mark("erased", ledger.say(done));
    digest
}

/// Ann changes her key, and the old one may have been stolen; Bob lost his.
fn keys_change(ledger: &mut Forge, mark: &mut impl FnMut(&'static str, u64) -> Option<u64>) {
    let proof = ledger.proof("person/ann", 40, "person/ann");
    mark(
        "key-added",
        ledger.say(say("person/ann", "key.added", "actor/ann").fact("jwk", jwk(40)).fact("proof", proof)),
    );
    ledger.keys.insert("person/ann", 40);
    let revoked = say("person/ann", "key.revoked", "actor/ann").fact("kid", kid(10).to_string());
    let revoked = revoked.fact("cause", "compromised").fact("compromised_since", "2026-11-23T08:00:30Z");
    mark("key-revoked", ledger.say(revoked));
    let approval = say("person/mia", "recovery.approved", "actor/bob").fact("actor", "person/bob").fact("jwk", jwk(41));
    let approval = ledger.say(approval);
    let proof = ledger.proof("person/bob", 41, "person/ada");
    let recovery = say("person/ada", "key.recovered", "actor/bob").fact("jwk", jwk(41)).fact("proof", proof);
    mark("key-recovered", ledger.say(recovery.fact("approval", ledger.jti_of(approval).to_string())));
    ledger.keys.insert("person/bob", 41);
    mark("by-recovered", ledger.say(say("person/bob", "comment.added", "incident/INC-1").data("text", "back again")));
}

fn rotate(ledger: &mut Forge, mark: &mut impl FnMut(&'static str, u64) -> Option<u64>) {
    let new = vkey(LEDGER_2).to_string();
    let approval = ledger.say(say("person/cid", "rotation.approved", "ledger").fact("new_vkey", new.as_str()));
    let from_size = ledger.size() + 1;
    let rotation = say("person/ada", "ledger.key-rotated", "ledger").fact("old_vkey", vkey(LEDGER).to_string());
    let rotation = rotation.fact("new_vkey", new).fact("from_size", Json::Int(from_size as i64));
    ledger.ledger_keys.push((from_size, LEDGER_2));
    mark("rotated", ledger.say(rotation.fact("approval", ledger.jti_of(approval).to_string())));
}

fn step_the_clock(ledger: &mut Forge, mark: &mut impl FnMut(&'static str, u64) -> Option<u64>) {
    let from = instant(ledger.clock_us);
    ledger.clock_us -= 30_000_000;
    // Saying something takes a second.
    let to = instant(ledger.clock_us + 1_000_000);
    mark("clock", ledger.say(say("ledger/own", "clock.stepped", "ledger").fact("from", from).fact("to", to)));
}

fn instant(unix_us: i64) -> String {
    blotter_record::Instant::from_unix_us(unix_us).unwrap().to_string()
}

/// A big log, so that there are tree hashes: 600 entries after the founding.
pub(crate) fn long() -> Forge {
    let mut ledger = founded();
    ledger.commits = false;
    for n in 0..600 {
        ledger.say(say("person/fay", "x.tick", "incident/INC-1").seen(See::At(2)).fact("n", n));
    }
    ledger.commit();
    ledger
}

/// Verifies the ledger in `dir`.
pub(crate) fn run(dir: &Path, options: Options) -> Result<Report, CouldNotRun> {
    verify(dir, Options { threads: 2, ..options }, &|_| (), &AtomicBool::new(false))
}

/// A ledger on disk, closed.
pub(crate) fn on_disk(ledger: &Forge) -> TempDir {
    let dir = TempDir::new().unwrap();
    ledger.write(dir.path());
    dir
}

/// A ledger on disk, after somebody edited its database.
pub(crate) fn edited(ledger: &Forge, edit: impl FnOnce(&Connection)) -> TempDir {
    let dir = TempDir::new().unwrap();
    let db = ledger.write(dir.path());
    drop_triggers(&db);
    edit(&db);
    dir
}

pub(crate) fn drop_triggers(db: &Connection) {
    for trigger in [
        "entry_is_never_updated",
        "entry_is_never_deleted",
        "checkpoint_is_never_updated",
        "checkpoint_is_never_deleted",
    ] {
        db.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
}

/// Verified against an anchor of the honest ledger's full size.
pub(crate) fn anchored(ledger: &Forge) -> Options {
    Options { anchor: Some(ledger.anchor(ledger.size())), ..Options::default() }
}

pub(crate) fn show(report: &Report) -> String {
    let line = |finding: &blotter_verify::Finding| format!("  {:?} {}: {}\n", finding.seq, finding.code, finding.what);
    let findings: String = report.findings.iter().take(12).map(line).collect();
    format!("{:?}, first bad {:?}, {} findings\n{findings}", report.outcome, report.first_bad, report.findings_count)
}
