//! The process as the ledger's policy: what its gates refuse is refused, and the refusal recorded, once, with the very
//! statement; what a refused list did is forgotten; and a ledger that was opened again judges as before.

use blotter_keys::judge::Refusal;
use blotter_ledger::{Appended, Error, Ledger, read};
use blotter_process::Process;
use blotter_record::{Entry, Event, Hash, Jti, Statement, Unmet};
use blotter_tests::{Saying, World, json};

use crate::refusal;

const INC: &str = "incident/I-1";
const MINUTE_US: i64 = 60_000_000;

fn guarded() -> World {
    let mut world = World::new();
    world.policy = || Box::new(Process::default());
    world
}

/// The gates that refuse it.
fn gates(answer: Result<Appended, Error>) -> Vec<String> {
    match answer {
        Err(Error::Refused(Refusal::Policy(unmet))) => unmet.codes().map(str::to_owned).collect(),
        other => panic!("not refused by gates: {other:?}"),
    }
}

fn enter<'w>(world: &'w World, from: &str, to: &str, trigger: Jti) -> Saying<'w> {
    let saying = world.say("manager", "phase.entered", INC).fact("from", from).fact("to", to);
    let saying = saying.fact("trigger", trigger.to_string()).fact("override", json("false"));
    ["inputs", "outputs", "unmet"].into_iter().fold(saying, |saying, name| saying.fact(name, json("[]")))
}

fn severity<'w>(world: &'w World, who: &str) -> Saying<'w> {
    let saying = world.say(who, "severity.assessed", INC).fact("scale", "soc").fact("scale_version", "1");
    let saying = ["level", "impact", "scope", "urgency"].into_iter().fold(saying, |saying, name| saying.fact(name, 3));
    saying.fact("intel", json("[]"))
}

/// Says it, and tells its id.
fn said(saying: Saying<'_>, ledger: &Ledger) -> Jti {
    let jti = saying.id();
    saying.append(ledger).unwrap();
    jti
}

/// Opened, and not acknowledged; the id of its opening.
fn opened(world: &World, ledger: &Ledger) -> Jti {
    said(world.opened("analyst", INC).about("alert/A1"), ledger)
}

/// In Assess, with everything but a severity; the id of the verdict.
fn unscored(world: &World, ledger: &Ledger) -> Jti {
    opened(world, ledger);
    let acknowledged = said(world.say("analyst", "incident.acknowledged", INC), ledger);
    enter(world, "initiate", "assess", acknowledged).append(ledger).unwrap();
    let intel = world.say("analyst", "intel.attached", INC).fact("kind", "none-found").fact("tlp", "amber");
    intel.append(ledger).unwrap();
    said(world.confirmed("analyst", INC), ledger)
}

/// Everything that was refused on the record.
fn refusals(ledger: &Ledger) -> Vec<(Entry, Statement)> {
    let entries = ledger.read(|store| read::entries(store, 0, 4096)).unwrap();
    let said = entries.into_iter().filter_map(|entry| entry.said);
    said.filter(|(_, said)| said.event.known() == Some(Event::PhaseRefused)).collect()
}

#[test]
fn a_refused_transition_is_on_the_record_with_what_was_unmet() {
    let world = guarded();
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let text = enter(&world, "initiate", "assess", trigger).text(&ledger);
    let answer = ledger.append(ledger.prepare(&text, Vec::new()).unwrap());
    assert_eq!(gates(answer), ["acknowledged"]);
    let refused = refusals(&ledger);
    let [(entry, statement)] = &refused[..] else { panic!("{}", refused.len()) };
    let jws = text.split('~').next().unwrap();
    assert_eq!(statement.facts.word("refused"), Some(jws));
    assert_eq!(statement.facts.words("unmet"), ["acknowledged"]);
    assert_eq!((statement.sub.as_str(), statement.iss.kind(), entry.streams.len()), (INC, "ledger", 1));
    // FORMAT.md §6.7: anybody can tell where the refusal of a statement would stand.
    let digest = Hash::of(format!("blotter/refused/1\n{jws}").as_bytes());
    assert_eq!(statement.jti, Jti::v8(digest.0[..16].try_into().unwrap()));
    drop(ledger);
    world.check();
}

#[test]
fn the_same_statement_sent_again_is_on_the_record_once() {
    let world = guarded();
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let text = enter(&world, "initiate", "assess", trigger).text(&ledger);
    let send = |ledger: &Ledger| gates(ledger.append(ledger.prepare(&text, Vec::new()).unwrap()));
    for _ in 0..20 {
        assert_eq!(send(&ledger), ["acknowledged"]);
        world.tick(1_000_000);
    }
    assert_eq!(refusals(&ledger).len(), 1);
    drop(ledger);
    let ledger = world.open();
    assert_eq!(send(&ledger), ["acknowledged"]);
    assert_eq!(refusals(&ledger).len(), 1, "nor again after reopening");
    // Nor did it use up what the manager may try in a minute.
    gates(enter(&world, "initiate", "assess", trigger).append(&ledger));
    assert_eq!(refusals(&ledger).len(), 2);
}

#[test]
fn ten_refusals_of_an_actor_a_minute_are_on_the_record() {
    let world = guarded();
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let tries = || gates(enter(&world, "initiate", "assess", trigger).append(&ledger));
    for _ in 0..blotter_ledger::REFUSALS_A_MINUTE_MAX {
        assert_eq!(tries(), ["acknowledged"]);
    }
    assert_eq!(refusals(&ledger).len(), 10);
    assert_eq!(tries(), ["acknowledged"], "refused all the same");
    assert_eq!(refusals(&ledger).len(), 10, "but not recorded");
    let reopening = world.say("analyst", "incident.reopened", INC).data("reason", "again");
    assert_eq!(gates(reopening.append(&ledger)), ["phase"]);
    assert_eq!(refusals(&ledger).len(), 11, "another's is");
    world.tick(MINUTE_US - 1);
    tries();
    assert_eq!(refusals(&ledger).len(), 11, "within the minute");
    world.tick(1);
    tries();
    assert_eq!(refusals(&ledger).len(), 12, "the next minute it is");
}

#[test]
fn what_the_role_or_the_shape_refuses_is_not_on_the_record() {
    let world = guarded();
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let size = ledger.size();
    let other = world.say("grc", "phase.entered", INC).fact("from", "initiate").fact("to", "assess");
    let other = other.fact("trigger", trigger.to_string()).fact("override", json("false"));
    let other = ["inputs", "outputs", "unmet"].into_iter().fold(other, |saying, name| saying.fact(name, json("[]")));
    assert_eq!(refusal(other.append(&ledger)), "role-missing");
    assert_eq!(ledger.size(), size);
}

#[test]
fn a_ledger_without_a_key_of_its_own_refuses_and_says_nothing() {
    let mut world = guarded();
    world.ledger_key = None;
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let size = ledger.size();
    assert_eq!(gates(enter(&world, "initiate", "assess", trigger).append(&ledger)), ["acknowledged"]);
    assert_eq!(ledger.size(), size);
}

#[test]
fn what_was_refused_may_be_put_right_and_then_enters() {
    let world = guarded();
    let ledger = world.open();
    let trigger = opened(&world, &ledger);
    let early = enter(&world, "initiate", "assess", trigger).text(&ledger);
    let send = || ledger.append(ledger.prepare(&early, Vec::new()).unwrap());
    assert_eq!(gates(send()), ["acknowledged"]);
    world.say("analyst", "incident.acknowledged", INC).append(&ledger).unwrap();
    let entered = send().unwrap();
    assert!(!entered.repeated, "the very statement, now that it may");
    assert!(send().unwrap().repeated);
    let again = gates(enter(&world, "initiate", "assess", trigger).append(&ledger));
    assert_eq!(again, ["from"], "and once it was entered, it is left");
    drop(ledger);
    world.check();
}

#[test]
fn a_list_is_rolled_back_and_its_refusal_stays() {
    let world = guarded();
    let ledger = world.open();
    let verdict = unscored(&world, &ledger);
    let size = ledger.size();
    let list = vec![
        world.comment("manager", INC, "let us go on").prepared(&ledger),
        enter(&world, "assess", "execute", verdict).prepared(&ledger),
        world.comment("manager", INC, "done").prepared(&ledger),
    ];
    let answers = ledger.append_list(list).unwrap();
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Err(Error::Refused(Refusal::Policy(Unmet { gates, .. }))) => {
                assert_eq!((index, gates[0].code.as_str()), (1, "severity"));
            }
            Err(Error::ListRefused { index: 1, .. }) => assert_ne!(index, 1),
            other => panic!("statement {index}: {other:?}"),
        }
    }
    assert_eq!(ledger.size(), size + 1);
    assert_eq!(refusals(&ledger).pop().unwrap().0.seq, size);
    drop(ledger);
    world.check();
}

/// A list in which the transition could be made, and whose last statement is refused.
fn refused_list(world: &World, ledger: &Ledger, verdict: Jti) {
    let list = vec![
        severity(world, "manager").prepared(ledger),
        enter(world, "assess", "execute", verdict).prepared(ledger),
        world.say("manager", "incident.reopened", INC).prepared(ledger),
    ];
    let answers = ledger.append_list(list).unwrap();
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert!(matches!(&answers[2], Err(Error::Refused(Refusal::Policy(_)))), "{:?}", answers[2]);
}

#[test]
fn what_a_refused_list_did_opens_no_gate() {
    let world = guarded();
    let ledger = world.open();
    let verdict = unscored(&world, &ledger);
    refused_list(&world, &ledger, verdict);
    let alone = || gates(enter(&world, "assess", "execute", verdict).append(&ledger));
    assert_eq!(alone(), ["severity"]);
    refused_list(&world, &ledger, verdict);
    assert_eq!(alone(), ["severity"]);
    severity(&world, "manager").append(&ledger).unwrap();
    enter(&world, "assess", "execute", verdict).append(&ledger).unwrap();
    drop(ledger);
    world.check();
}

#[test]
fn within_a_list_what_stands_before_opens_gates() {
    let world = guarded();
    let ledger = world.open();
    let verdict = unscored(&world, &ledger);
    let list = vec![
        severity(&world, "manager").prepared(&ledger),
        enter(&world, "assess", "execute", verdict).prepared(&ledger),
    ];
    ledger.append_list(list).unwrap().into_iter().for_each(|answer| _ = answer.unwrap());
    let again = gates(enter(&world, "assess", "execute", verdict).append(&ledger));
    assert_eq!(again, ["from"]);
}

#[test]
fn a_ledger_that_was_opened_again_judges_as_before() {
    let world = guarded();
    let ledger = world.open();
    let verdict = unscored(&world, &ledger);
    let tries = |ledger: &Ledger| gates(enter(&world, "assess", "execute", verdict).append(ledger));
    assert_eq!(tries(&ledger), ["severity"]);
    drop(ledger);
    let ledger = world.open();
    assert_eq!(tries(&ledger), ["severity"]);
    severity(&world, "analyst").append(&ledger).unwrap();
    drop(ledger);
    // As after a crash.
    std::fs::write(world.dir().join("writer.lock"), "open\n").unwrap();
    let ledger = world.open();
    enter(&world, "assess", "execute", verdict).append(&ledger).unwrap();
    drop(ledger);
    let ledger = world.open();
    assert_eq!(tries(&ledger), ["from"]);
    drop(ledger);
    world.check();
}

#[test]
fn statements_that_stand_for_themselves_are_judged_each_by_what_came_before() {
    let world = guarded();
    let ledger = world.open();
    let verdict = unscored(&world, &ledger);
    let texts = [
        enter(&world, "assess", "execute", verdict).text(&ledger),
        severity(&world, "manager").text(&ledger),
        enter(&world, "assess", "execute", verdict).text(&ledger),
        enter(&world, "assess", "execute", verdict).text(&ledger),
    ];
    let answers: Vec<_> = ledger.append_many(&texts).into_iter().map(|answer| answer.map(|_| ())).collect();
    assert!(answers[1].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(answers[0].is_err() && answers[3].is_err(), "{answers:?}");
    let unmet: Vec<_> = refusals(&ledger).into_iter().map(|(_, said)| said.facts.words("unmet").join(" ")).collect();
    assert_eq!(unmet, ["severity", "from"]);
    drop(ledger);
    world.check();
}
