//! What a run foresees, and what departs from it.

use blotter_exchange::cacao::{Deviation, Mark, Outcome, Playbook, Run};
use serde_json::{Value, json};

use crate::write::{action, document, id, playbook, step};

/// Reads a run as words: `+a` begins the action `a`, `a` has done it, `a!` has failed, `a-` left it out.
fn marks(words: &str) -> Vec<(String, Mark)> {
    let mark = |word: &str| {
        let name = word.trim_matches(['+', '!', '-']);
        let mark = match (word.starts_with('+'), word.ends_with('!'), word.ends_with('-')) {
            (true, ..) => Mark::Started,
            (_, true, _) => Mark::Completed(Outcome::Failed),
            (.., true) => Mark::Completed(Outcome::Skipped),
            _ => Mark::Completed(Outcome::Done),
        };
        (id("action", name), mark)
    };
    words.split_whitespace().map(mark).collect()
}

/// After these words, none of which departs, `next` can come; a `.` in it says that the run can end.
fn check(playbook: &Playbook, words: &str, next: &str) {
    let mut run = Run::new(playbook);
    for (step, mark) in marks(words) {
        assert_eq!(run.note(&step, mark), None, "{words}: {step}");
    }
    let mut got: Vec<_> = run.next().iter().map(|step| step.title()).collect();
    got.sort_unstable();
    got.extend(run.can_end().then_some("."));
    assert_eq!(got.join(" "), next, "after {words:?}");
}

/// The last of these words departs; what the workflow foresees instead.
fn departs(playbook: &Playbook, words: &str) -> Deviation {
    let mut run = Run::new(playbook);
    let mut all = marks(words);
    let (step, mark) = all.pop().expect("a word");
    for (step, mark) in all {
        run.note(&step, mark);
    }
    let deviation = run.deviation(&step, mark).unwrap_or_else(|| panic!("{words}: the last does not depart"));
    assert_eq!(run.note(&step, mark), Some(deviation.clone()), "{words}");
    deviation
}

fn out_of_order(foreseen: &[&str]) -> Deviation {
    Deviation::OutOfOrder { foreseen: foreseen.iter().map(|name| id("action", name)).collect() }
}

fn to(name: &str) -> Value {
    json!({ "on_completion": if name == "end" { id("end", "end") } else { id("action", name) } })
}

#[test]
fn one_step_follows_another() {
    let playbook = playbook(&document(vec![action("a", to("b")), action("b", to("end"))]));
    check(&playbook, "", "a");
    check(&playbook, "+a", "a");
    check(&playbook, "+a a", "b");
    check(&playbook, "a- b", ".");
    check(&playbook, "a!", "b");
    assert_eq!(departs(&playbook, "b"), out_of_order(&["a"]));
    assert_eq!(departs(&playbook, "+b b"), Deviation::StartedOutOfOrder);
    assert_eq!(departs(&playbook, "+a +a"), Deviation::AlreadyStarted);
    assert_eq!(departs(&playbook, "a a"), out_of_order(&["b"]));
    assert_eq!(departs(&playbook, "a b b"), out_of_order(&[]));
    assert_eq!(departs(&playbook, "z"), Deviation::NotInPlaybook);
    // What was done out of order was done; the workflow goes on from it when it gets there.
    let mut run = Run::new(&playbook);
    marks("b a").into_iter().for_each(|(step, mark)| drop(run.note(&step, mark)));
    assert!(run.can_end() && run.next().is_empty());
}

#[test]
fn a_step_that_only_leads_on_can_be_recorded_and_need_not_be() {
    let playbook = playbook(&document(vec![action("a", to("end"))]));
    let run = Run::new(&playbook);
    assert_eq!(run.deviation(&id("start", "start"), Mark::Started), None);
    assert!(run.deviation(&id("end", "end"), Mark::Completed(Outcome::Done)).is_some(), "a comes before it");
}

#[test]
fn success_and_failure_lead_to_their_own_steps() {
    let ways = json!({ "on_success": id("action", "b"), "on_failure": id("action", "c") });
    let playbook = playbook(&document(vec![action("a", ways), action("b", to("end")), action("c", to("end"))]));
    check(&playbook, "a", "b");
    check(&playbook, "a!", "c");
    check(&playbook, "a-", "b");
    assert_eq!(departs(&playbook, "a c"), out_of_order(&["b"]));
}

#[test]
fn a_failure_that_nothing_is_said_of_leads_to_the_exception_or_is_tried_again() {
    let ways = json!({ "on_success": id("action", "b") });
    let mut text = document(vec![action("a", ways), action("b", to("end"))]);
    check(&playbook(&text), "a!", "a");
    check(&playbook(&text), "a! a! a", "b");
    text["workflow"][id("action", "c")] = action("c", to("end")).1;
    text["workflow_exception"] = json!(id("action", "c"));
    check(&playbook(&text), "a!", "c");
}

#[test]
fn until_a_branch_is_begun_either_can_come() {
    let (a, b, end) = (id("action", "a"), id("action", "b"), id("end", "end"));
    let both = json!({ "condition": "x", "on_true": a, "on_false": b, "on_completion": id("action", "c") });
    let steps = || vec![action("a", to("end")), action("b", to("end")), action("c", to("end"))];
    let mut all = vec![step("if-condition", "if", both)];
    all.extend(steps());
    let playbook_1 = playbook(&document(all));
    check(&playbook_1, "", "a b");
    check(&playbook_1, "+b", "b");
    check(&playbook_1, "b", "c");
    check(&playbook_1, "b c", ".");
    assert_eq!(departs(&playbook_1, "a b"), out_of_order(&["c"]));
    assert_eq!(departs(&playbook_1, "c"), out_of_order(&["a", "b"]));
    let mut all =
        vec![step("if-condition", "if", json!({ "condition": "x", "on_true": a, "on_completion": id("action", "c") }))];
    all.extend([action("a", to("end")), action("c", to("end"))]);
    check(&playbook(&document(all)), "", "a c");
    let cases = json!({ "switch": "x", "cases": { "1": a, "default": end }, "on_completion": id("action", "c") });
    let all = vec![step("switch-condition", "s", cases), action("a", to("end")), action("c", to("end"))];
    check(&playbook(&document(all)), "", "a c");
}

#[test]
fn what_follows_parallel_branches_comes_when_all_have_ended() {
    let next = json!({ "next_steps": [id("action", "a"), id("action", "b")], "on_completion": id("action", "c") });
    let all = vec![
        step("parallel", "p", next),
        action("a", to("a2")),
        action("a2", to("end")),
        action("b", to("end")),
        action("c", to("end")),
    ];
    let playbook = playbook(&document(all));
    check(&playbook, "", "a b");
    check(&playbook, "+b +a b", "a");
    check(&playbook, "b a", "a2");
    check(&playbook, "b a a2", "c");
    check(&playbook, "b a a2 c", ".");
    assert_eq!(departs(&playbook, "a a2 c"), out_of_order(&["b"]));
}

#[test]
fn a_loop_is_left_or_goes_round_again() {
    for last in [id("while-condition", "w"), id("end", "end")] {
        let ask = json!({ "condition": "x", "on_true": id("action", "a"), "on_completion": id("action", "c") });
        let all = vec![
            step("while-condition", "w", ask),
            action("a", to("b")),
            action("b", json!({ "on_completion": last })),
            action("c", to("end")),
        ];
        let playbook = playbook(&document(all));
        check(&playbook, "", "a c");
        check(&playbook, "a", "b");
        check(&playbook, "a b", "a c");
        check(&playbook, "a b a", "b");
        check(&playbook, "a b a b +a a b c", ".");
        assert_eq!(departs(&playbook, "a c"), out_of_order(&["b"]));
        assert_eq!(departs(&playbook, "a b c a"), out_of_order(&[]));
    }
}
