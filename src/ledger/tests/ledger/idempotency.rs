//! One statement is recorded once: the same again gets the first answer, another under its id is refused.

use blotter_ledger::Appended;
use blotter_tests::World;

use crate::refusal;

#[test]
fn the_same_statement_again_gets_the_first_answer() {
    let world = World::new();
    let ledger = world.open();
    let text = world.opened("analyst", "incident/I-1").text(&ledger);
    let prepare = || ledger.prepare(&text, Vec::new()).unwrap();
    let first = ledger.append(prepare()).unwrap();
    assert!(!first.repeated);
    world.confirmed("analyst2", "incident/I-1").append(&ledger).unwrap();
    let Appended { seq, repeated, .. } = ledger.append(prepare()).unwrap();
    assert_eq!((seq, repeated), (first.seq, true), "even after another's decision in the stream");
    assert_eq!(ledger.receipt(seq).unwrap().seq, first.seq);
    drop(ledger);
    let ledger = world.open();
    assert_eq!(ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap().seq, first.seq);
}

#[test]
fn the_same_statement_twice_in_one_list_is_recorded_once() {
    let world = World::new();
    let ledger = world.open();
    let one = world.comment("analyst", "incident/I-1", "once").prepared(&ledger);
    let answers = ledger.append_list(vec![one.clone(), one]).unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map(|a| (a.seq, a.repeated)).unwrap()).collect();
    assert_eq!(answers[0].0, answers[1].0);
    assert_eq!((answers[0].1, answers[1].1), (false, true));
    drop(ledger);
    world.check();
}

#[test]
fn another_statement_under_a_taken_id_is_refused() {
    let world = World::new();
    let ledger = world.open();
    let first = world.comment("analyst", "incident/I-1", "one");
    let jti = first.id();
    let first = first.append(&ledger).unwrap();
    let answer = world.comment("analyst", "incident/I-1", "another").jti(jti).append(&ledger);
    assert_eq!(refusal(answer), "jti-taken");
    let answer = world.comment("analyst2", "incident/I-2", "somebody else's").jti(jti).append(&ledger);
    assert!(answer.unwrap_err().to_string().contains(&format!("entry {}", first.seq)), "it is said which entry has it");
    let two = [world.comment("analyst", "incident/I-3", "a"), world.comment("analyst", "incident/I-3", "b")];
    let same = world.jti();
    let list = two.into_iter().map(|saying| saying.jti(same).prepared(&ledger)).collect();
    let answers = ledger.append_list(list).unwrap();
    assert!(answers.iter().all(Result::is_err), "in one batch, too: {answers:?}");
    assert_eq!(ledger.size(), first.seq + 1);
}

#[test]
fn the_same_claims_under_another_signature_are_another_statement() {
    let world = World::new();
    let ledger = world.open();
    let text = world.comment("analyst", "incident/I-1", "one").text(&ledger);
    ledger.append(ledger.prepare(&text, Vec::new()).unwrap()).unwrap();
    let (jws, rest) = text.split_once('~').unwrap();
    let (input, _) = jws.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}~{rest}", blotter_record::base64url::encode(&[7; 64]));
    let answer = ledger.prepare(&forged, Vec::new()).map(|_| unreachable!("it does not verify"));
    assert_eq!(refusal(answer), "bad-signature");
}
