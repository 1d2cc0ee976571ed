//! Who can sign, in which role, at every entry: as the writer enforces it. The closed list of rules has its own tests
//! beside the judge; here it is that the writer asks.

use blotter_ledger::Ledger;
use blotter_record::Instant;
use blotter_tests::World;

use crate::{refusal, rule};

fn start() -> (World, Ledger) {
    let world = World::new();
    let ledger = world.open();
    (world, ledger)
}

#[test]
fn an_actor_without_the_role_is_refused_by_name() {
    let (world, ledger) = start();
    let answer = world.opened("grc", "incident/I-1").append(&ledger);
    let text = answer.as_ref().unwrap_err().to_string();
    assert!(text.contains("incident.opened is for soc_analyst, secops_manager; person/grc"), "{text}");
    assert_eq!(refusal(answer), "role-missing");
    assert_eq!(refusal(world.opened("admin", "incident/I-1").append(&ledger)), "role-missing");
}

#[test]
fn a_role_holds_until_it_is_revoked_or_over() {
    let (world, ledger) = start();
    world.say("ciso", "role.revoked", "actor/analyst2").fact("role", "soc_analyst").append(&ledger).unwrap();
    assert_eq!(refusal(world.opened("analyst2", "incident/I-1").append(&ledger)), "role-missing");
    let until = Instant::from_unix_us(world.now_us() + 1_000_000).unwrap();
    let grant = world.say("ciso", "role.granted", "actor/analyst2").fact("role", "soc_analyst");
    grant.fact("until", until.as_str()).append(&ledger).unwrap();
    world.tick(999_999);
    world.opened("analyst2", "incident/I-1").append(&ledger).unwrap();
    world.tick(1);
    assert_eq!(refusal(world.opened("analyst2", "incident/I-2").append(&ledger)), "role-missing");
}

#[test]
fn a_revoked_key_signs_nothing_more() {
    let (world, ledger) = start();
    let early = world.comment("analyst", "incident/I-1", "signed before").prepared(&ledger);
    let kid = blotter_keys::jwk::thumbprint(world.key("analyst").public()).to_string();
    let revoke = world.say("admin", "key.revoked", "actor/analyst").fact("kid", kid).fact("cause", "compromised");
    revoke.append(&ledger).unwrap();
    assert_eq!(refusal(world.comment("analyst", "incident/I-1", "late").append(&ledger)), "key-not-usable");
    assert_eq!(refusal(ledger.append(early)), "key-not-usable", "what counts is when it is recorded");
}

#[test]
fn a_key_expires_at_its_instant() {
    let (world, ledger) = start();
    let analyst = world.person("analyst").actor;
    let proof = world.proof(&ledger, &analyst, &analyst, &world.key("second"));
    let expires = Instant::from_unix_us(world.now_us() + 60_000_000).unwrap();
    let added = world.say("analyst", "key.added", "actor/analyst").jwk("second").fact("proof", proof);
    added.fact("expires", expires.as_str()).append(&ledger).unwrap();
    let say = |text: &str| world.comment("analyst", "incident/I-1", text).with_key("second");
    world.tick(59_999_999);
    say("in time").append(&ledger).unwrap();
    world.tick(1);
    assert_eq!(refusal(say("too late").append(&ledger)), "key-not-usable");
}

#[test]
fn nobody_signs_with_anothers_key_or_one_that_is_not_enrolled() {
    let (world, ledger) = start();
    let with = |key: &str| world.comment("analyst", "incident/I-1", "who am I").with_key(key).append(&ledger);
    assert_eq!(refusal(with("analyst2")), "key-not-usable");
    assert_eq!(refusal(with("nobody's")), "key-not-usable");
    assert_eq!(refusal(with("checkpoint")), "key-not-usable");
}

#[test]
fn a_key_is_enrolled_once_and_only_by_its_holder() {
    let (world, ledger) = start();
    let new = "person/new".parse().unwrap();
    let founder = world.person("founder").actor;
    let enrol = |key: &str, proof: String| {
        let saying = world.say("founder", "actor.enrolled", "actor/new").fact("kind", "person");
        rule(saying.jwk(key).fact("proof", proof).append(&ledger))
    };
    let (at, what) = enrol("analyst", world.proof(&ledger, &new, &founder, &world.key("analyst")));
    assert_eq!(at, "facts.jwk", "{what}");
    let (at, _) = enrol("checkpoint", world.proof(&ledger, &new, &founder, &world.key("checkpoint")));
    assert_eq!(at, "facts.jwk");
    let (at, _) = enrol("new", world.proof(&ledger, &new, &founder, &world.key("other")));
    assert_eq!(at, "facts.proof", "signed by another key");
    let (at, _) = enrol("new", world.proof(&ledger, &new, &world.person("admin").actor, &world.key("new")));
    assert_eq!(at, "facts.proof", "for another enroller");
}

#[test]
fn nobody_grants_a_role_to_themselves_and_no_admin_grants_any() {
    let (world, ledger) = start();
    let grant = |by: &str, to: &str, role: &str| {
        world.say(by, "role.granted", &format!("actor/{to}")).fact("role", role).append(&ledger)
    };
    assert_eq!(rule(grant("ciso", "ciso", "legal")).0, "sub");
    assert_eq!(refusal(grant("admin", "analyst", "legal")), "role-missing");
    grant("ciso", "analyst", "custodian").unwrap();
    world.say("founder", "bootstrap.closed", "ledger").append(&ledger).unwrap();
    assert_eq!(refusal(grant("founder", "analyst", "legal")), "role-missing", "the bootstrap is over");
    let new = world.enrolment(&ledger, "founder", "new", "person").append(&ledger);
    assert_eq!(refusal(new), "role-missing", "and the founder is no admin any more");
}

#[test]
fn a_statement_for_another_ledger_is_refused() {
    let (world, ledger) = start();
    let other = format!("{}#{}", blotter_tests::ORIGIN, blotter_record::Hash::of(b"another genesis"));
    for aud in [blotter_tests::ORIGIN, &other] {
        let answer = world.comment("analyst", "incident/I-1", "lost").aud(aud).append(&ledger);
        assert_eq!(refusal(answer), "wrong-ledger", "{aud}");
    }
}

#[test]
fn a_notary_speaks_for_a_token_and_never_decides() {
    let (world, ledger) = start();
    let expires = Instant::from_unix_us(world.now_us() + 3_600_000_000).unwrap();
    let issue = world.say("admin", "token.issued", "actor/siem").fact("token", "token/t1");
    issue.fact("scopes", blotter_tests::json("[]")).fact("expires", expires.as_str()).append(&ledger).unwrap();
    let say = |event: &str, sub: &str, token: &str| world.say("notary", event, sub).attributed("service/siem", token);
    say("comment.added", "incident/I-1", "token/t1").data("text", "from a SIEM").append(&ledger).unwrap();
    assert_eq!(rule(say("incident.acknowledged", "incident/I-1", "token/t1").append(&ledger)).0, "event");
    assert_eq!(rule(say("comment.added", "incident/I-1", "token/t2").append(&ledger)).0, "auth");
    world.tick(3_600_000_000);
    assert_eq!(rule(say("comment.added", "incident/I-1", "token/t1").append(&ledger)).0, "auth", "expired");
}

#[test]
fn the_ledgers_own_words_are_for_the_ledger() {
    let (world, ledger) = start();
    let instant = Instant::from_unix_us(world.now_us()).unwrap();
    let stepped =
        world.say("founder", "clock.stepped", "ledger").fact("from", instant.as_str()).fact("to", instant.as_str());
    assert_eq!(refusal(stepped.append(&ledger)), "role-missing");
    let again = world.say("founder", "ledger.founded", "ledger");
    let vkey = blotter_keys::note::VerifierKey::new(blotter_tests::ORIGIN.parse().unwrap(), *world.key("x").public());
    let again = again
        .fact("origin", blotter_tests::ORIGIN)
        .fact("ledger_vkey", vkey.to_string())
        .fact("founder", "person/founder")
        .jwk("founder")
        .fact("rules_version", "1")
        .fact("rules_sha256", blotter_record::RULES_1.sha256_hex());
    assert_eq!(rule(again.append(&ledger)).0, "event", "a ledger is founded once");
}

#[test]
fn a_ledger_whose_own_actor_lost_its_key_still_opens_and_takes_statements() {
    let (world, ledger) = start();
    let kid = blotter_keys::jwk::thumbprint(world.key("ledger").public()).to_string();
    let revoke = world.say("admin", "key.revoked", "actor/ledger").fact("kid", kid).fact("cause", "compromised");
    revoke.append(&ledger).unwrap();
    drop(ledger);
    std::fs::write(world.dir().join("writer.lock"), "open\n").unwrap();
    let ledger = world.try_open().expect("it can't say that it crashed, but it opens");
    world.tick(-5_000_000);
    world.comment("siem", "incident/I-1", "and its clock stands still").append(&ledger).unwrap();
    drop(ledger);
    world.check();
}
