//! Values that go: request, two approvals, execution; holds; and that the bytes are really gone, from the database and its
//! write-ahead log. The judge of that is a search through the files.

use blotter_ledger::{Ledger, read};
use blotter_record::{Hash, Json, Jti, Presentation};
use blotter_tests::{Dice, Saying, World, json};

use crate::{refusal, rule};

const STREAM: &str = "incident/I-1";

/// An erasure that can be executed.
pub(crate) struct Erasure {
    pub(crate) seq: u64,
    pub(crate) digest: Hash,
    pub(crate) text: String,
    pub(crate) item: String,
    request: Jti,
    approvals: Vec<Jti>,
}

pub(crate) fn item(jti: Jti, field: &str, digest: &Hash) -> String {
    format!(r#"{{"jti":"{jti}","field":"{field}","digest":"{digest}"}}"#)
}

fn said<'w>(saying: Saying<'w>, ledger: &Ledger) -> Jti {
    let jti = saying.id();
    saying.append(ledger).unwrap();
    jti
}

fn list(jtis: &[Jti]) -> Json {
    Json::List(jtis.iter().map(|jti| jti.to_string().into()).collect())
}

impl Erasure {
    /// A remark with that text, and everything until two people approved its erasure.
    pub(crate) fn until_approved(world: &World, ledger: &Ledger, text: &str) -> Self {
        let saying = world.comment("analyst", STREAM, text);
        let jti = saying.id();
        let presentation = saying.text(ledger);
        let disclosure = Presentation::parse(&presentation).unwrap().disclosures.remove(0);
        let seq = ledger.append(ledger.prepare(&presentation, Vec::new()).unwrap()).unwrap().seq;
        let item = item(jti, "text", &disclosure.digest());
        let request = said(requested(world, &item), ledger);
        let approvals = ["legal", "legal2"].map(|by| said(approved(world, by, request, &item), ledger)).to_vec();
        Self { seq, digest: disclosure.digest(), text: disclosure.text().to_owned(), item, request, approvals }
    }

    /// The order that executes it.
    pub(crate) fn execution<'w>(&self, world: &'w World) -> Saying<'w> {
        executed(world, self.request, &self.approvals, &self.item)
    }
}

fn requested<'w>(world: &'w World, item: &str) -> Saying<'w> {
    let saying = world.say("dpo", "erasure.requested", STREAM).fact("items", json(&format!("[{item}]")));
    saying.fact("basis", "gdpr-17")
}

fn approved<'w>(world: &'w World, by: &str, request: Jti, item: &str) -> Saying<'w> {
    let saying = world.say(by, "erasure.approved", STREAM).fact("request", request.to_string());
    saying.fact("items", json(&format!("[{item}]")))
}

fn executed<'w>(world: &'w World, request: Jti, approvals: &[Jti], item: &str) -> Saying<'w> {
    let saying = world.say("dpo", "erasure.executed", STREAM).fact("request", request.to_string());
    saying.fact("approvals", list(approvals)).fact("items", json(&format!("[{item}]")))
}

/// Whether any file of the ledger holds these bytes.
fn is_anywhere(world: &World, needle: &[u8]) -> bool {
    let files = std::fs::read_dir(world.dir()).unwrap().map(|file| file.unwrap().path());
    files.map(|path| std::fs::read(path).unwrap()).any(|bytes| bytes.windows(needle.len()).any(|at| at == needle))
}

#[test]
fn an_executed_erasure_takes_the_bytes_out_of_every_file() {
    let world = World::new();
    let ledger = world.open();
    let erasure = Erasure::until_approved(&world, &ledger, "Jane Roe, 1 Main Street, was on the host");
    // In the middle of the base64, so that a search can't miss it for what stands around it.
    let needle = &erasure.text.as_bytes()[24..64];
    assert!(is_anywhere(&world, needle), "the judge finds what is there");
    erasure.execution(&world).append(&ledger).unwrap();
    assert!(!is_anywhere(&world, needle), "when the answer comes, it is gone");
    let open = ledger.read(|store| Ok(store.disclosures(erasure.seq)?)).unwrap();
    assert!(open.is_empty());
    drop(ledger);
    assert!(!is_anywhere(&world, needle));
    world.check();
}

#[test]
fn a_reader_in_the_middle_of_something_does_not_keep_erased_bytes_alive() {
    let world = World::new();
    let ledger = world.open();
    let erasure = Erasure::until_approved(&world, &ledger, "kept alive by an old snapshot of the database");
    let needle = &erasure.text.as_bytes()[24..64];
    let snapshot = rusqlite::Connection::open(world.database()).unwrap();
    snapshot.execute_batch("BEGIN; SELECT count(*) FROM entry").unwrap();
    let answer = erasure.execution(&world).append(&ledger);
    assert!(answer.is_err() || !is_anywhere(&world, needle), "a receipt means that the bytes are gone: {answer:?}");
    drop(snapshot);
    drop(ledger);
    let ledger = world.open();
    assert!(!is_anywhere(&world, needle), "and once the reader is gone, opening finishes it");
    drop(ledger);
    world.check();
}

/// Random sizes and orders, so that pages split, merge and are used again.
#[test]
fn of_many_values_exactly_the_erased_ones_are_gone() {
    let world = World::new();
    let ledger = world.open();
    let mut dice = Dice::from_environment();
    let mut values = Vec::new();
    for round in 0..4 {
        for n in 0..40 {
            let text: String = (0..20 + dice.below(6_000)).map(|_| (b'a' + dice.below(26) as u8) as char).collect();
            let saying = world.comment("siem", &format!("incident/X-{round}-{n}"), &text);
            let jti = saying.id();
            let presentation = saying.text(&ledger);
            let disclosure = Presentation::parse(&presentation).unwrap().disclosures.remove(0);
            ledger.append(ledger.prepare(&presentation, Vec::new()).unwrap()).unwrap();
            values.push((jti, disclosure, false));
        }
        for _ in 0..6 {
            let at = dice.below(values.len());
            let (jti, disclosure, gone) = &mut values[at];
            if std::mem::replace(gone, true) {
                continue;
            }
            let item = item(*jti, "text", &disclosure.digest());
            let request = said(requested(&world, &item), &ledger);
            let approvals = ["legal", "ciso"].map(|by| said(approved(&world, by, request, &item), &ledger));
            executed(&world, request, &approvals, &item).append(&ledger).unwrap();
        }
        let files = [world.database(), world.database().with_extension("db-wal")];
        let bytes: Vec<u8> = files.iter().flat_map(|path| std::fs::read(path).unwrap_or_default()).collect();
        // Long values are spread over pages: their beginnings, where nothing else looks alike, are looked for.
        let text = String::from_utf8_lossy(&bytes);
        for (_, disclosure, gone) in &values {
            assert!(!*gone || !text.contains(&disclosure.text()[16..60]), "an erased value is still in the file");
        }
    }
    drop(ledger);
    world.check();
}

#[test]
fn an_erased_value_never_comes_back() {
    let world = World::new();
    let ledger = world.open();
    let saying = world.comment("analyst", STREAM, "forget me");
    let jti = saying.id();
    let text = saying.text(&ledger);
    let value = Presentation::parse(&text).unwrap().disclosures.remove(0);
    ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap();
    let item = item(jti, "text", &value.digest());
    let request = said(requested(&world, &item), &ledger);
    let approvals = ["legal", "ciso"].map(|by| said(approved(&world, by, request, &item), &ledger));
    executed(&world, request, &approvals, &item).append(&ledger).unwrap();
    let nothing = |ledger: &Ledger| ledger.read(|store| Ok(store.disclosures(store.seq_of(&jti)?.unwrap())?)).unwrap();

    assert!(ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap().repeated, "a retry is answered");
    assert!(nothing(&ledger).is_empty(), "and brings nothing back");
    let copy = with_disclosure(&world, &ledger, value.text());
    assert_eq!(rule(ledger.append(ledger.prepare(&copy, Vec::new()).unwrap())).0, "data");
    drop(ledger);
    world.check();
}

#[test]
fn a_restored_backup_is_refused_and_loses_again_what_was_erased_since() {
    let world = World::new();
    let ledger = world.open();
    let erasure = Erasure::until_approved(&world, &ledger, "in the backup of last night, too");
    drop(ledger);
    let backup = world.dir().with_extension("backup");
    std::fs::copy(world.database(), &backup).unwrap();
    let ledger = world.open();
    erasure.execution(&world).append(&ledger).unwrap();
    drop(ledger);
    std::fs::copy(&backup, world.database()).unwrap();
    let needle = &erasure.text.as_bytes()[24..64];
    assert!(is_anywhere(&world, needle), "the backup brought it back");
    assert!(matches!(world.try_open(), Err(blotter_ledger::Error::Behind { .. })));
    assert!(!is_anywhere(&world, needle));
}

/// A statement by somebody else that carries a disclosure made by another.
fn with_disclosure(world: &World, ledger: &Ledger, disclosure: &str) -> String {
    use blotter_record::base64url;
    let text = world.comment("analyst2", STREAM, "a copy").text(ledger);
    let presentation = Presentation::parse(&text).unwrap();
    let own = presentation.disclosures[0].digest().to_string();
    let jws = presentation.statement.jws();
    let mut parts = jws.split('.');
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    let payload = String::from_utf8(base64url::decode(payload).unwrap()).unwrap();
    let payload = payload.replace(&own, &Hash::of(disclosure.as_bytes()).to_string());
    let input = format!("{header}.{}", base64url::encode(payload.as_bytes()));
    let signature = world.key("analyst2").sign(input.as_bytes());
    format!("{input}.{}~{disclosure}~", base64url::encode(&signature))
}

#[test]
fn a_copy_that_somebody_else_made_of_a_value_is_erased_with_it() {
    let world = World::new();
    let ledger = world.open();
    let erasure = Erasure::until_approved(&world, &ledger, "seen, and copied into another statement");
    let copy = with_disclosure(&world, &ledger, &erasure.text);
    let copy = ledger.append(ledger.prepare(&copy, Vec::new()).unwrap());
    erasure.execution(&world).append(&ledger).unwrap();
    assert!(!is_anywhere(&world, &erasure.text.as_bytes()[24..64]), "{copy:?}");
    drop(ledger);
    world.check();
}

#[test]
fn an_erasure_needs_two_people_who_are_not_the_requester_over_the_same_list() {
    let world = World::new();
    let ledger = world.open();
    let erasure = Erasure::until_approved(&world, &ledger, "to be erased properly");
    let Erasure { request, item, approvals, .. } = &erasure;
    let execute = |approvals: &[Jti], item: &str| rule(executed(&world, *request, approvals, item).append(&ledger)).0;
    assert_eq!(execute(&approvals[..1], item), "facts.approvals");
    assert_eq!(execute(&[approvals[0], approvals[0]], item), "facts.approvals");
    assert_eq!(execute(&[approvals[0], world.jti()], item), "facts.approvals");
    let again = said(approved(&world, "legal", *request, item), &ledger);
    assert_eq!(execute(&[approvals[0], again], item), "facts.approvals", "one person twice");
    assert_eq!(rule(approved(&world, "dpo", *request, item).append(&ledger)).0, "iss");
    let (other, digest) = (world.jti(), Hash::of(b"x"));
    assert_eq!(execute(approvals, &crate::erasure::item(other, "text", &digest)), "facts.items");
    assert_eq!(rule(requested(&world, &crate::erasure::item(other, "text", &digest)).append(&ledger)).0, "facts.items");
    assert_eq!(refusal(approved(&world, "analyst", *request, item).append(&ledger)), "role-missing");
    erasure.execution(&world).append(&ledger).unwrap();
    assert_eq!(rule(erasure.execution(&world).append(&ledger)).0, "facts.request", "once is enough");
}

#[test]
fn a_legal_hold_refuses_an_erasure_until_it_is_released() {
    for scope in ["incident", "evidence", "all"] {
        let world = World::new();
        let ledger = world.open();
        let erasure = Erasure::until_approved(&world, &ledger, "evidence, perhaps");
        let sub = if scope == "all" { "incident/OTHER" } else { STREAM };
        let hold = world.say("legal", "legal.hold-placed", sub).fact("hold", "hold/h1").fact("scope", scope);
        hold.append(&ledger).unwrap();
        let answer = erasure.execution(&world).append(&ledger);
        if scope == "evidence" {
            answer.expect("the statement is in no evidence stream");
            continue;
        }
        let (at, what) = rule(answer);
        assert_eq!(at, "hold");
        assert!(what.contains("hold/h1"), "{what}");
        world.say("legal", "legal.hold-released", sub).fact("hold", "hold/h1").append(&ledger).unwrap();
        erasure.execution(&world).append(&ledger).unwrap();
    }
}

#[test]
fn an_expunged_entry_leaves_its_leaf_hash_and_the_log_stands() {
    let world = World::new();
    let ledger = world.open();
    let saying = world.comment("analyst", "incident/SECRET-NAME", "and a value");
    let jti = saying.id();
    let seq = saying.append(&ledger).unwrap().seq;
    world.comment("analyst", "incident/SECRET-NAME", "behind the gap").append(&ledger).unwrap();
    let stored = ledger.read(|store| Ok(store.entries(seq, 1)?)).unwrap().remove(0);
    let item = item(jti, "*", &stored.leaf);
    let request = said(requested(&world, &item), &ledger);
    let approval = said(approved(&world, "legal", request, &item), &ledger);
    let expunge = |by: &str| {
        world
            .say(by, "entry.expunged", STREAM)
            .fact("seq", seq as i64)
            .fact("leaf", stored.leaf.to_string())
            .fact("approvals", list(&[approval]))
    };
    assert_eq!(rule(expunge("legal").append(&ledger)).0, "facts.approvals", "two people");
    assert_eq!(rule(executed(&world, request, &[approval], &item).append(&ledger)).0, "facts.items");
    expunge("dpo").append(&ledger).unwrap();
    assert_eq!(rule(expunge("dpo").append(&ledger)).0, "facts.approvals", "an approval is used once");
    let now = ledger.read(|store| read::entries(store, seq, 1)).unwrap().remove(0);
    assert!(now.said.is_none());
    assert!(!is_anywhere(&world, &stored.bytes[60..100]), "its bytes are gone from every file");
    assert_eq!(ledger.receipt(seq).unwrap().entry, "", "and it can still be proven");
    let text = world.comment("analyst", "incident/SECRET-NAME", "the stream goes on").append(&ledger);
    text.unwrap();
    drop(ledger);
    let ledger = world.open();
    world.comment("analyst", STREAM, "and so does the log").append(&ledger).unwrap();
    drop(ledger);
    world.check();
}

#[test]
fn what_trust_rests_on_is_never_expunged() {
    let world = World::new();
    let ledger = world.open();
    let grant = world.say("ciso", "role.granted", "actor/analyst2").fact("role", "custodian");
    let jti = grant.id();
    let seq = grant.append(&ledger).unwrap().seq;
    let leaf = ledger.read(|store| Ok(store.entries(seq, 1)?)).unwrap().remove(0).leaf;
    let item = item(jti, "*", &leaf);
    let request = said(requested(&world, &item), &ledger);
    let approval = said(approved(&world, "legal", request, &item), &ledger);
    let expunge = world.say("dpo", "entry.expunged", STREAM).fact("seq", seq as i64).fact("leaf", leaf.to_string());
    assert_eq!(rule(expunge.fact("approvals", list(&[approval])).append(&ledger)).0, "facts.seq");
}
