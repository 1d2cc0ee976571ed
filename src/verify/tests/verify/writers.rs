//! A writer that records what it must not: it has the ledger's key, so chain, tree and checkpoints are all right, and only
//! judging every statement again finds it. The bad entry is the last one, unless the test says otherwise.

use blotter_record::{
    Disclosure, Entry, Gate, Hash, Id, Jti, Objection, Past, Policy, Seen, Standing, Statement, Unmet,
};
use blotter_verify::{Options, Outcome, Report};

use crate::forge::{Forge, Line, Say, See, founding, jwk, kid, list, say, vkey};
use crate::script::{
    FOUNDER, LEDGER, LEDGER_2, NOTARY, alert, anchored, confirmed, edited, enrol, founded, full, grant, imported, item,
    on_disk, run, show, staffed, with_blob,
};

fn report(ledger: &Forge) -> Report {
    run(on_disk(ledger).path(), anchored(ledger)).unwrap()
}

fn check(name: &str, ledger: &Forge, code: &str, first_bad: u64) {
    let report = report(ledger);
    let named = report.findings.iter().any(|f| f.damage && f.code == code && f.seq == Some(first_bad));
    assert!(named, "{name}: wanted {code} at {first_bad}; {}", show(&report));
    assert_eq!((report.outcome, report.first_bad), (Outcome::Damaged, Some(first_bad)), "{name}: {}", show(&report));
}

/// Says these after the honest ledger; the last is the bad one.
fn check_said(ledger: &Forge, cases: Vec<(&str, &str, Vec<Say>)>) -> usize {
    let count = cases.len();
    for (name, code, said) in cases {
        let mut ledger = ledger.clone();
        let bad = said.into_iter().map(|said| ledger.say(said)).last().unwrap();
        check(name, &ledger, code, bad);
    }
    count
}

fn comment(by: &'static str) -> Say {
    say(by, "comment.added", "incident/INC-1").data("text", "x")
}

#[test]
fn only_a_key_in_force_signs() {
    let (ledger, _) = full();
    let good = ledger.clone().line(&comment("person/ann"));
    let mut flipped = *Statement::parse(&good.jws).unwrap().signature();
    flipped[0] ^= 1;
    let expiring = |ledger: &Forge| {
        let proof = ledger.proof("person/mia", 50, "person/mia");
        let added = say("person/mia", "key.added", "actor/mia").fact("jwk", jwk(50)).fact("proof", proof);
        added.fact("expires", "2026-11-23T08:00:00Z")
    };
    let cases = vec![
        ("flipped", "bad-signature", vec![Say { signature: Some(flipped), ..comment("person/ann") }]),
        ("zeros", "bad-signature", vec![Say { signature: Some([0; 64]), ..comment("person/ann") }]),
        ("never enrolled", "key-not-usable", vec![comment("person/ann").key(99)]),
        ("somebody else's", "key-not-usable", vec![comment("person/ann").key(12)]),
        ("revoked", "key-not-usable", vec![comment("person/ann").key(10)]),
        ("lost and recovered", "key-not-usable", vec![comment("person/bob").key(11)]),
        ("expired", "key-not-usable", vec![expiring(&ledger), comment("person/mia").key(50)]),
        ("the ledger's own", "key-not-usable", vec![comment("person/ann").key(LEDGER_2)]),
        ("in the future", "iat-in-future", vec![Say { iat_ahead_s: 400, ..comment("person/ann") }]),
        (
            "of another ledger",
            "wrong-ledger",
            vec![Say { aud: Some(format!("example.org/soc#{}", Hash::of(b"x"))), ..comment("person/ann") }],
        ),
        (
            "of a bare origin",
            "wrong-ledger",
            vec![Say { aud: Some("example.org/soc".to_owned()), ..comment("person/ann") }],
        ),
    ];
    assert_eq!(check_said(&ledger, cases), 11);
}

#[test]
fn roles_are_held_and_not_taken() {
    let (ledger, _) = full();
    let accept =
        say("person/ann", "risk.accepted", "incident/INC-1").fact("risk", "r").fact("expires", "2027-01-01T00:00:00Z");
    let grant = |by, to: &str, role: &str| say(by, "role.granted", &format!("actor/{to}")).fact("role", role);
    let enrolled = |ledger: &Forge| {
        let proof = ledger.proof("person/new", 60, "person/ada");
        let said = say("person/ada", "actor.enrolled", "actor/new").fact("kind", "person").fact("jwk", jwk(60));
        said.fact("proof", proof)
    };
    let revoke = say("person/ciso", "role.revoked", "actor/ann").fact("role", "soc_analyst");
    let cases = vec![
        ("without the role", "role-missing", vec![accept]),
        ("self-granted", "rule", vec![grant("person/cid", "cid", "legal")]),
        ("the founder, too late", "role-missing", vec![grant("person/fay", "ann", "legal")]),
        ("by an admin", "role-missing", vec![grant("person/ada", "ann", "legal")]),
        ("admin and more", "rule", vec![grant("person/cid", "ada", "legal")]),
        ("a person's for a service", "rule", vec![grant("person/cid", "siem", "legal")]),
        ("no such role", "rule", vec![grant("person/cid", "ann", "king")]),
        (
            "revoked",
            "role-missing",
            vec![Say { by: "person/cid", ..revoke }, say("person/ann", "incident.reopened", "incident/INC-1")],
        ),
        (
            "until then",
            "role-missing",
            vec![
                grant("person/cid", "ann", "legal").fact("until", "2026-11-23T08:00:00Z"),
                say("person/ann", "privilege.waived", "incident/INC-1").fact("of", list(&[])),
            ],
        ),
        ("an analyst enrols", "role-missing", vec![Say { by: "person/ann", ..enrolled(&ledger) }]),
        (
            "a proof for another enroller",
            "rule",
            vec![Say { by: "person/fay", ..enrolled(&ledger) }]
                .into_iter()
                .map(|s| Say {
                    by: "person/ada",
                    facts: s
                        .facts
                        .into_iter()
                        .map(
                            |(n, v)| {
                                if n == "proof" { (n, ledger.proof("person/new", 60, "person/fay")) } else { (n, v) }
                            },
                        )
                        .collect(),
                    ..s
                })
                .collect(),
        ),
        (
            "somebody else's correction",
            "role-missing",
            vec![
                say("person/ann", "retraction.recorded", "incident/INC-1")
                    .fact("of", ledger.jti_of(ledger.size() - 1).to_string()),
            ],
        ),
    ];
    assert_eq!(check_said(&ledger, cases), 12);
}

#[test]
fn a_key_has_one_actor_and_one_purpose() {
    let (ledger, _) = full();
    let enrolled = |name: &str, actor: &str, seed: u8, proof_seed: u8| {
        let proof = ledger.proof(actor, proof_seed, "person/ada");
        let said = say("person/ada", "actor.enrolled", &format!("actor/{name}")).fact("kind", "person");
        said.fact("jwk", jwk(seed)).fact("proof", proof)
    };
    let second = {
        let proof = ledger.proof("person/mia", 50, "person/ann");
        say("person/ann", "key.added", "actor/mia").fact("jwk", jwk(50)).fact("proof", proof)
    };
    let cases = vec![
        ("another's key", "rule", vec![enrolled("new", "person/new", 12, 12)]),
        ("the ledger's key", "rule", vec![enrolled("new", "person/new", LEDGER, LEDGER)]),
        ("a proof by another key", "rule", vec![enrolled("new", "person/new", 60, 61)]),
        ("a proof for another actor", "rule", vec![enrolled("new", "person/neo", 60, 60)]),
        ("a taken name", "rule", vec![enrolled("mia", "person/mia", 60, 60)]),
        ("a taken name in capitals", "case-differs", vec![enrolled("MIA", "person/MIA", 60, 60)]),
        ("added by another", "role-missing", vec![second]),
        (
            "revoked by another",
            "role-missing",
            vec![say("person/ann", "key.revoked", "actor/mia").fact("kid", kid(12).to_string()).fact("cause", "lost")],
        ),
        (
            "revoked twice",
            "rule",
            vec![say("person/ada", "key.revoked", "actor/ann").fact("kid", kid(10).to_string()).fact("cause", "lost")],
        ),
        (
            "recovered without approval",
            "rule",
            vec![
                say("person/ada", "key.recovered", "actor/mia")
                    .fact("jwk", jwk(50))
                    .fact("proof", ledger.proof("person/mia", 50, "person/ada"))
                    .fact("approval", ledger.jti_of(0).to_string()),
            ],
        ),
    ];
    assert_eq!(check_said(&ledger, cases), 10);
}

#[test]
fn what_a_person_saw_is_of_this_log() {
    let (ledger, marks) = full();
    let size = ledger.size();
    let honest = ledger.seen_at(&"incident/INC-1".parse().unwrap(), size);
    let (n, leaf) = honest.last.unwrap();
    let seeing = |seen| vec![comment("person/ann").seen(See::Exactly(seen))];
    let stale = |by| vec![confirmed(by).seen(See::At(marks["confirmed"]))];
    let cases = vec![
        ("another root", "seen-wrong", seeing(Seen { root: Hash::of(b"x"), ..honest })),
        ("a root of another size", "seen-wrong", seeing(Seen { size: size - 1, ..honest })),
        ("beyond the log", "seen-wrong", seeing(Seen { size: size + 1, ..honest })),
        ("another leaf", "seen-wrong", seeing(Seen { last: Some((n, Hash::of(b"x"))), ..honest })),
        ("another entry's leaf", "seen-wrong", seeing(Seen { last: Some((n - 1, leaf)), ..honest })),
        ("an entry that is not there", "seen-wrong", seeing(Seen { last: Some((n + 1, leaf)), ..honest })),
        (
            "an entry behind the checkpoint",
            "seen-wrong",
            seeing(Seen { last: Some((n, leaf)), ..ledger.seen_at(&"incident/INC-1".parse().unwrap(), 5) }),
        ),
        ("nothing", "seen-missing", vec![comment("person/ann").seen(See::Nothing)]),
        ("a stale decision", "seen-stale", stale("person/ann")),
        (
            "a decision on nothing",
            "seen-stale",
            vec![confirmed("person/ann").seen(See::Exactly(Seen { last: None, ..honest }))],
        ),
    ];
    assert_eq!(check_said(&ledger, cases), 10);
    // One's own decisions, and what others decided before, are in nobody's way.
    let mut honest = ledger;
    honest.say(confirmed("person/mia"));
    honest.say(confirmed("person/mia").seen(See::At(size)));
    assert_eq!(report(&honest).outcome, Outcome::Verified);
}

#[test]
fn an_id_is_used_once() {
    let (ledger, marks) = full();
    let taken = ledger.jti_of(marks["comment"]);
    let mut twice = ledger;
    let bad = twice.say(Say { jti: Some(taken), ..comment("person/ann") });
    // The table can't hold the id twice either, so the forger writes another into the column.
    let jti = Jti::v8([7; 16]);
    let dir = edited_before_insert(&twice, bad, jti);
    let report = run(dir.path(), anchored(&twice)).unwrap();
    let codes: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"jti-taken") && codes.contains(&"jti"), "{}", show(&report));
    assert_eq!(report.first_bad, Some(bad));
}

/// Writes a ledger whose entry `seq` has another id in its row.
fn edited_before_insert(ledger: &Forge, seq: u64, jti: Jti) -> tempfile::TempDir {
    let mut before = ledger.clone();
    before.cut(seq);
    edited(&before, |db| {
        let line = &ledger.lines[seq as usize];
        let (leaf, bytes) = (ledger.leaves[seq as usize], &ledger.entries[seq as usize]);
        db.execute(
            "INSERT INTO entry VALUES (?1, ?2, ?3, ?4)",
            rusqlite::params![seq as i64, leaf.0.as_slice(), jti.to_bytes().as_slice(), bytes],
        )
        .unwrap();
        db.execute(
            "INSERT INTO checkpoint VALUES (?1, ?2)",
            rusqlite::params![seq as i64 + 1, ledger.notes[&(seq + 1)]],
        )
        .unwrap();
        let shown: &Disclosure = &line.disclosures[0];
        db.execute(
            "INSERT INTO disclosure VALUES (?1, ?2, ?3, ?4)",
            rusqlite::params![64 * seq as i64, seq as i64, shown.name(), shown.text()],
        )
        .unwrap();
        db.execute_batch(&format!(
            "INSERT INTO stream_entry SELECT id, count, {seq} FROM stream WHERE name = 'incident/INC-1';
             UPDATE stream SET count = count + 1, leaf = (SELECT leaf FROM entry WHERE seq = {seq}) WHERE name = 'incident/INC-1'"
        ))
        .unwrap();
    })
}

#[test]
fn a_notary_decides_nothing() {
    let (ledger, _) = full();
    let token = |name: &str, expires: &str, actor: &str| {
        say("person/ada", "token.issued", &format!("actor/{actor}"))
            .fact("token", name)
            .fact("scopes", list(&[]))
            .fact("expires", expires)
    };
    let good = token("token/m", "2027-01-01T00:00:00Z", "mia");
    let by = |said: Say, actor, auth| Say { by: "notary/not", ..said }.on_behalf(actor, auth);
    let revoked = say("person/ada", "token.revoked", "actor/siem").fact("token", "token/t1");
    let cases = vec![
        ("a sign-off", "rule", vec![good.clone(), by(confirmed("person/mia"), "person/mia", "token/m")]),
        (
            "a policy",
            "rule",
            vec![
                good.clone(),
                by(
                    say("person/mia", "plan.reviewed", "policy/p")
                        .fact("plan", "plan/x")
                        .fact("version", "1")
                        .fact("next_review", "2027-01-01T00:00:00Z"),
                    "person/mia",
                    "token/m",
                ),
            ],
        ),
        ("in its own name", "rule", vec![comment("notary/not")]),
        ("another's token", "rule", vec![by(comment("person/ann"), "person/ann", "token/t1")]),
        ("no token", "rule", vec![by(comment("person/ann"), "person/ann", "token/none")]),
        (
            "an expired token",
            "rule",
            vec![token("token/e", "2026-11-23T08:00:00Z", "mia"), by(comment("person/mia"), "person/mia", "token/e")],
        ),
        ("a revoked token", "rule", vec![revoked, alert("alert/A9")]),
        ("a token twice", "rule", vec![good.clone(), good]),
        ("having seen something", "seen-wrong", vec![alert("alert/A9").seen(See::At(3))]),
        ("the notary's key for a person", "key-not-usable", vec![comment("person/ann").key(NOTARY)]),
    ];
    assert_eq!(check_said(&ledger, cases), 10);
}

#[test]
fn an_import_stays_in_its_streams() {
    let (ledger, marks) = full();
    let start = say("person/gus", "import.started", "import/i2")
        .fact("import", "import/i2")
        .fact("mapping", "x")
        .fact("mapping_version", "1")
        .fact("time_zone", "UTC");
    let second = |said: Say| Say { on_behalf: Some(("imported/old", "import/i2")), ..said };
    let again = Say { sub: "import/i1".to_owned(), ..start.clone() };
    let again = Say {
        facts: again
            .facts
            .into_iter()
            .map(|(n, v)| if n == "import" { (n, "import/i1".into()) } else { (n, v) })
            .collect(),
        ..again
    };
    let cases = vec![
        ("a completed import", "rule", vec![imported("incident/OLD-2")]),
        ("a stream that it did not begin", "rule", vec![start.clone(), second(imported("incident/INC-1"))]),
        (
            "about such a stream",
            "rule",
            vec![
                start.clone(),
                second(Say { event: "x.note".to_owned(), data: Vec::new(), ..imported("incident/OLD-3") })
                    .about("incident/INC-1"),
            ],
        ),
        (
            "for a person",
            "rule",
            vec![start.clone(), Say { on_behalf: Some(("person/ann", "import/i2")), ..imported("incident/OLD-2") }],
        ),
        (
            "for nobody",
            "rule",
            vec![start.clone(), Say { on_behalf: Some(("imported/x", "import/i2")), ..imported("incident/OLD-2") }],
        ),
        (
            "a policy",
            "rule",
            vec![
                start,
                second(Say {
                    event: "policy.set".to_owned(),
                    facts: vec![
                        ("key", "k".into()),
                        ("version", "1".into()),
                        ("document_sha256", Hash::of(b"x").to_hex().into()),
                    ],
                    data: Vec::new(),
                    ..imported("policy/p")
                }),
            ],
        ),
        ("started twice", "rule", vec![again]),
    ];
    assert_eq!(check_said(&ledger, cases), 7);
    assert!(marks["import-completed"] > marks["imported"]);
}

#[test]
fn places_and_links_are_right_also_under_a_good_checkpoint() {
    let (honest, marks) = full();
    let at = marks["comment"];
    let mut cases = 0;
    let mut check_line = |name: &str, code: &str, change: &dyn Fn(&mut Line)| {
        let mut ledger = honest.clone();
        change(&mut ledger.lines[at as usize]);
        ledger.cut(at + 1);
        ledger.resign();
        check(name, &ledger, code, at);
        cases += 1;
    };
    check_line("recorded before", "recorded", &|line| line.recorded_us -= 60_000_000);
    check_line("a stream left out", "streams", &|line| line.streams = vec!["incident/OTHER".parse().unwrap()]);
    check_line("a stream more", "streams", &|line| line.streams.push("incident/OTHER".parse().unwrap()));
    check_line("another statement", "statement", &|line| line.jws = format!("{}A", line.jws));
    assert_eq!(cases, 4);
    // Now in the bytes themselves.
    let mut check_entry = |name: &str, code: &str, change: &dyn Fn(&mut Entry)| {
        let mut ledger = honest.clone();
        ledger.cut(at + 1);
        let mut entry = Entry::parse(&ledger.entries[at as usize]).unwrap();
        change(&mut entry);
        ledger.entries[at as usize] = entry.to_bytes().unwrap();
        ledger.leaves[at as usize] = Hash::of_leaf(&ledger.entries[at as usize]);
        ledger.resign();
        check(name, &ledger, code, at);
        cases += 1;
    };
    check_entry("seq", "seq", &|entry| entry.seq += 1);
    check_entry("a link's number", "stream", &|entry| entry.streams[0].n += 1);
    check_entry("a link's hash", "stream", &|entry| entry.streams[0].prev = Some(Hash::of(b"x")));
    check_entry("a link to the beginning", "stream", &|entry| (entry.streams[0].n, entry.streams[0].prev) = (0, None));
    assert_eq!(cases, 8);
    let mut ledger = honest.clone();
    ledger.cut(at + 1);
    let mut entry = Entry::parse(&ledger.entries[at as usize]).unwrap();
    entry.prev = Hash::of(b"x");
    ledger.entries[at as usize] = entry.to_bytes().unwrap();
    ledger.leaves[at as usize] = Hash::of_leaf(&ledger.entries[at as usize]);
    ledger.resign();
    check("prev", &ledger, "prev", at);
}

#[test]
fn a_statement_says_only_what_a_statement_says() {
    let (ledger, _) = full();
    let good = ledger.clone().line(&comment("person/ann"));
    let payload = Statement::parse(&good.jws).unwrap().claims().to_text();
    let header = format!("{{\"alg\":\"EdDSA\",\"kid\":\"{}\",\"typ\":\"blotter+sd-jwt\"}}", kid(40));
    let check_raw = |name: &str, header: &str, payload: &str| {
        let mut ledger = ledger.clone();
        let jws = ledger.raw_jws(40, header, payload);
        let bad = ledger.push(Line { jws, ..good.clone() });
        check(name, &ledger, "statement", bad);
    };
    check_raw("a claim more", &header, &payload.replacen('{', "{\"exp\":1,", 1));
    check_raw("a claim twice", &header, &payload.replacen('{', "{\"iat\":1,", 1));
    check_raw("a fraction", &header, &payload.replacen("\"iat\":", "\"iat\":0.5,\"x\":", 1));
    check_raw("another type", &header.replace("sd-jwt", "login"), &payload);
    check_raw("no algorithm", &header.replace("EdDSA", "none"), &payload);
    check_raw("a fact more", &header, &payload.replacen("\"facts\":{", "\"facts\":{\"x\":1", 1));
    check_raw("fields without digests", &header, &payload.replacen("\"text\"", "\"text\",\"zzz\"", 1));
    check_raw(
        "a custom event on trust",
        &header,
        &payload.replacen("comment.added", "x.added", 1).replacen("incident/INC-1", "policy/p", 1),
    );
}

#[test]
fn the_founding_is_right() {
    let mut later = founded();
    later.keys.insert("person/fay", FOUNDER);
    let bad = later.say(Say { aud: Some(later.audience()), ..founding("person/fay", FOUNDER, 77) });
    check("founded twice", &later, "rule", bad);

    let mut other = Forge::new(LEDGER);
    other.keys.insert("person/fay", FOUNDER);
    other.say(founding("person/fay", FOUNDER, LEDGER));
    let bad = enrol(&mut other, "person/fay", "person/ann", 10);
    check("entry 1 enrols a person", &other, "rule", bad);

    let mut stolen = Forge::new(LEDGER);
    stolen.keys.insert("person/fay", FOUNDER);
    let founding_by = |key| Say { key: Some(key), ..founding("person/fay", FOUNDER, LEDGER) };
    stolen.say(founding_by(99));
    check("signed by another key", &stolen, "founding", 0);

    let mut zeros = Forge::new(LEDGER);
    zeros.keys.insert("person/fay", FOUNDER);
    zeros.say(Say { signature: Some([0; 64]), ..founding("person/fay", FOUNDER, LEDGER) });
    check("not signed", &zeros, "bad-signature", 0);

    let mut comment_first = Forge::new(LEDGER);
    comment_first.keys.insert("person/fay", FOUNDER);
    comment_first.say(comment("person/fay"));
    check("no founding", &comment_first, "founding", 0);

    let mut same = Forge::new(FOUNDER);
    same.keys.insert("person/fay", FOUNDER);
    same.say(founding("person/fay", FOUNDER, FOUNDER));
    check("one key for two purposes", &same, "founding", 0);
}

#[test]
fn the_ledgers_key_changes_only_by_two_people_and_both_keys() {
    let (ledger, marks) = full();
    let from = |ledger: &Forge, from_size: u64, approval: Jti| {
        say("person/ada", "ledger.key-rotated", "ledger")
            .fact("old_vkey", vkey(ledger.ledger_keys.last().unwrap().1).to_string())
            .fact("new_vkey", vkey(70).to_string())
            .fact("from_size", from_size as i64)
            .fact("approval", approval.to_string())
    };
    let approved = |ledger: &Forge| {
        let mut ledger = ledger.clone();
        let seq = ledger.say(say("person/cid", "rotation.approved", "ledger").fact("new_vkey", vkey(70).to_string()));
        let jti = ledger.jti_of(seq);
        (ledger, jti)
    };
    let (mut unapproved, _) = approved(&ledger);
    let nothing = unapproved.jti_of(0);
    let bad = unapproved.say(from(&ledger, unapproved.size() + 1, nothing));
    check("no approval", &unapproved, "rule", bad);

    let (mut late, jti) = approved(&ledger);
    let bad = late.say(from(&ledger, late.size() + 2, jti));
    check("from another size", &late, "rule", bad);

    let (mut unsigned, jti) = approved(&ledger);
    let bad = unsigned.say(from(&ledger, unsigned.size() + 1, jti));
    check("only the old key signs", &unsigned, "checkpoint-signature", bad);

    let (mut new_only, jti) = approved(&ledger);
    let size = new_only.size() + 1;
    new_only.ledger_keys = vec![(1, LEDGER), (marks["rotated"] + 1, LEDGER_2), (size - 1, 70)];
    let bad = new_only.say(from(&ledger, size, jti));
    check("only the new key signs", &new_only, "checkpoint-signature", bad);

    let (mut skipped, jti) = approved(&ledger);
    skipped.commits = false;
    let size = skipped.size() + 1;
    let bad = skipped.say(from(&ledger, size, jti));
    skipped.ledger_keys.push((size, 70));
    skipped.say(comment("person/ann"));
    skipped.commit();
    check("no checkpoint at its size", &skipped, "rotation", bad);

    let (mut back, jti) = approved(&ledger);
    let size = back.size() + 1;
    let said = from(&ledger, size, jti);
    back.ledger_keys.push((size, 70));
    back.say(said);
    back.ledger_keys.pop();
    let bad = back.say(comment("person/ann"));
    check("the old key signs on", &back, "checkpoint-signature", bad);
}

#[test]
fn signed_checkpoints_never_contradict_the_log() {
    let (mut ledger, marks) = full();
    let size = marks["comment"] + 1;
    let other = ledger.note(size, Hash::of(b"another history"));
    ledger.notes.insert(size, other);
    check("another root, well signed", &ledger, "checkpoint-root", size - 1);
}

#[test]
fn erasures_are_by_two_and_never_under_a_hold() {
    let (ledger, marks) = full();
    let of = marks["opened"];
    let digest = ledger.lines[of as usize].disclosures[0].digest();
    let items = item(ledger.jti_of(of), ledger.lines[of as usize].disclosures[0].name(), digest);
    let stream = "incident/INC-1";
    let mut asked = ledger.clone();
    let request =
        asked.say(say("person/dan", "erasure.requested", stream).fact("items", items.clone()).fact("basis", "gdpr"));
    let request = asked.jti_of(request).to_string();
    let approval =
        |by| say(by, "erasure.approved", stream).fact("request", request.as_str()).fact("items", items.clone());
    let approve = |ledger: &mut Forge, by| {
        let seq = ledger.say(approval(by));
        ledger.jti_of(seq).to_string()
    };
    let done = |approvals: &[&str]| {
        say("person/dan", "erasure.executed", stream)
            .fact("request", request.as_str())
            .fact("approvals", list(approvals))
            .fact("items", items.clone())
    };

    let mut own = asked.clone();
    let bad = own.say(approval("person/dan"));
    check("approved by the requester", &own, "rule", bad);

    let mut one = asked.clone();
    let a = approve(&mut one, "person/leo");
    let bad = one.say(done(&[&a, &a]));
    check("one approval, twice", &one, "rule", bad);

    let mut two = asked.clone();
    let (a, b) = (approve(&mut two, "person/leo"), approve(&mut two, "person/cid"));
    let mut held = two.clone();
    held.say(say("person/leo", "legal.hold-placed", stream).fact("hold", "hold/h1").fact("scope", "incident"));
    let bad = held.say(done(&[&a, &b]));
    check("under a hold", &held, "rule", bad);

    let mut kept = two.clone();
    kept.say(done(&[&a, &b]));
    check("the value is still there", &kept, "erased-present", of);

    let mut gone = two.clone();
    gone.erased.push(digest);
    check("the value is gone too early", &gone, "disclosure-missing", of);

    let mut back = ledger.clone();
    let mut line = back.line(&comment("person/ann"));
    let erased = &ledger.lines[marks["comment"] as usize];
    line = Line { disclosures: erased.disclosures.clone(), ..line };
    let payload = Statement::parse(&line.jws).unwrap().claims().to_text();
    let new_digest = Statement::parse(&line.jws).unwrap().digests[0].to_string();
    let payload = payload.replace(&new_digest, &erased.disclosures[0].digest().to_string());
    line.jws = back.raw_jws(
        40,
        &format!("{{\"alg\":\"EdDSA\",\"kid\":\"{}\",\"typ\":\"blotter+sd-jwt\"}}", kid(40)),
        &payload,
    );
    let bad = back.push(line);
    check("an erased value comes back", &back, "rule", bad);

    let mut twice = two.clone();
    twice.say(done(&[&a, &b]));
    twice.erased.push(digest);
    assert_eq!(report(&twice).outcome, Outcome::Verified);
    let bad = twice.say(done(&[&a, &b]));
    check("executed twice", &twice, "rule", bad);
}

#[test]
fn a_hold_covers_whatever_shares_the_blob() {
    let (mut ledger, marks) = full();
    // Two values name one blob; both are checked, and one blob is enough.
    let said = with_blob(&mut ledger.blobs);
    ledger.say(said);
    let report = report(&ledger);
    assert_eq!((report.outcome, report.blobs), (Outcome::Verified, 1), "{}", show(&report));
    ledger.blobs.insert("abcdefghijklmnopqrstuvwx27".to_owned(), b"another text, same name".to_vec());
    check("the blob is another", &ledger, "blob", marks["blob"]);
}

#[test]
fn unknown_words_are_counted_and_make_trust_incomplete() {
    let (ledger, _) = full();
    let unknown = |sub: &str, by| say(by, "weather.changed", sub).seen(See::At(ledger.size()));
    let mut elsewhere = ledger.clone();
    elsewhere.say(unknown("incident/INC-1", "person/ann"));
    let report_of = |ledger: &Forge| report(ledger);
    let found = report_of(&elsewhere);
    assert_eq!((found.outcome, found.unknown_events), (Outcome::Verified, 1), "{}", show(&found));

    let mut on_trust = ledger.clone();
    let at = on_trust.say(unknown("actor/ann", "person/ann"));
    let found = report_of(&on_trust);
    assert_eq!((found.outcome, found.exit_code(), found.first_bad), (Outcome::Incomplete, 3, None));
    assert_eq!((found.findings[0].code, found.findings[0].seq), ("unknown-event", Some(at)));

    let mut forged = ledger.clone();
    let bad = forged.say(unknown("incident/INC-1", "person/ann").key(99));
    check("an unknown event is authenticated all the same", &forged, "key-not-usable", bad);

    let mut adopted = ledger.clone();
    let rules = say("person/gus", "rules.adopted", "ledger").fact("rules_version", "2");
    adopted.say(rules.fact("rules_sha256", Hash::of(b"rules 2").to_hex()));
    adopted.say(
        say("person/ann", "risk.accepted", "incident/INC-1").fact("risk", "r").fact("expires", "2027-01-01T00:00:00Z"),
    );
    let found = report_of(&adopted);
    assert_eq!((found.outcome, found.unjudged), (Outcome::Incomplete, 1), "{}", show(&found));
    assert_eq!(found.rules_version.as_deref(), Some("2"));
    let bad = adopted.say(comment("person/ann").key(99));
    check("unknown rules excuse no key", &adopted, "key-not-usable", bad);
}

#[test]
fn streams_differ_in_more_than_case() {
    let (mut ledger, _) = full();
    let bad = ledger.say(say("person/ann", "comment.added", "incident/inc-1").data("text", "x"));
    let report = report(&ledger);
    assert!(report.findings.iter().any(|f| f.code == "case-differs" && f.seq == Some(bad)), "{}", show(&report));
}

/// Refuses one event.
struct NoReopening;

impl Policy for NoReopening {
    fn admit(&mut self, statement: &Statement, _: &Standing<'_>, past: &dyn Past) -> Result<(), Objection> {
        let before = past.entries(&statement.sub, 0, 10)?;
        let refused =
            statement.event.as_str() == "incident.reopened" && before.iter().all(|entry| entry.statement.is_some());
        let gate = Gate { code: "closed".to_owned(), what: "it is not closed".to_owned(), overridable: false };
        if refused { Err(Objection::Unmet(Unmet { gates: vec![gate], incident: None })) } else { Ok(()) }
    }

    fn judges(&self, statement: &Statement) -> bool {
        statement.event.as_str() == "incident.reopened"
    }

    fn forget(&mut self, _: &Id) {}

    fn forget_all(&mut self) {}
}

#[test]
fn the_process_is_asked_again() {
    let mut ledger = staffed();
    ledger.say(comment("person/ann"));
    let bad = ledger.say(say("person/ann", "incident.reopened", "incident/INC-1"));
    assert_eq!(report(&ledger).outcome, Outcome::Verified);
    let options = Options { policy: Box::new(NoReopening), ..anchored(&ledger) };
    let report = run(on_disk(&ledger).path(), options).unwrap();
    assert_eq!((report.findings[0].code, report.first_bad), ("gate-unmet", Some(bad)));
}

#[test]
fn late_statements_are_counted() {
    let mut ledger = staffed();
    ledger.say(Say { iat_ahead_s: -86_401, ..comment("person/ann") });
    ledger.say(Say { iat_ahead_s: -86_400, ..comment("person/ann") });
    ledger.say(Say { iat_ahead_s: 300, ..comment("person/ann") });
    let report = report(&ledger);
    assert_eq!((report.outcome, report.late), (Outcome::Verified, 1), "{}", show(&report));
    grant(&mut ledger, "person/cid", "person/ann", "legal");
}
