//! Documents that nobody means well with: whatever stands in them, there is an answer, and it is the same each time.

use blotter_exchange::cacao::{Mark, Outcome, Run, Severity, check};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::write::{action, document, good, id, playbook, step};

/// A document with one thing after another changed: a value taken away, put elsewhere, or made another.
fn mutated(choices: &[(u16, u8, u16)]) -> Value {
    let mut document = good();
    for (at, what, from) in choices {
        let places = places(&document);
        let other = document.pointer(&places[*from as usize % places.len()]).cloned().unwrap_or_default();
        let Some(value) = document.pointer_mut(&places[*at as usize % places.len()]) else { continue };
        *value = match what % 8 {
            0 => Value::Null,
            1 => json!([]),
            2 => json!({}),
            3 => json!(""),
            4 => json!(-1.5e300),
            5 => json!([other, other]),
            6 => json!({ "__value__:value\u{0}/~": other }),
            _ => other,
        };
    }
    document
}

fn places(value: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(n, value)| (n.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in below {
        all.extend(places(value).into_iter().map(|place| format!("/{name}{place}")));
    }
    all
}

proptest! {
    #[test]
    fn a_mutated_playbook_is_judged_the_same_each_time(choices in prop::collection::vec(any::<(u16, u8, u16)>(), 0..6)) {
        let bytes = mutated(&choices).to_string();
        let checked = check(bytes.as_bytes());
        prop_assert_eq!(&checked, &check(bytes.as_bytes()));
        prop_assert_eq!(checked.playbook.is_none(), checked.count(Severity::Error) > 0);
        for finding in &checked.findings {
            prop_assert!(finding.what.ends_with(|c: char| !c.is_whitespace()) && finding.what.len() < 600, "{}", finding);
        }
        if let Some(playbook) = &checked.playbook {
            let mut run = Run::new(playbook);
            for (step, what, _) in choices {
                let step = playbook.steps[step as usize % playbook.steps.len()].id.clone();
                run.note(&step, if what % 2 == 0 { Mark::Started } else { Mark::Completed(Outcome::Failed) });
                let _ = (run.next(), run.can_end());
            }
        }
    }

    #[test]
    fn mutated_bytes_are_judged_the_same_each_time(changes in prop::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
        let mut bytes = good().to_string().into_bytes();
        for (at, byte) in changes {
            let at = at as usize % bytes.len();
            bytes[at] = byte;
        }
        prop_assert_eq!(check(&bytes), check(&bytes));
    }
}

#[test]
fn the_longest_chain_and_the_most_branches_are_followed() {
    let end = id("end", "end");
    let next = |n: usize| if n == 997 { end.clone() } else { id("action", &(n + 1).to_string()) };
    let chain =
        playbook(&document((0..998).map(|n| action(&n.to_string(), json!({ "on_completion": next(n) }))).collect()));
    let mut run = Run::new(&chain);
    for n in 0..998 {
        assert_eq!(run.note(&id("action", &n.to_string()), Mark::Completed(Outcome::Done)), None, "{n}");
    }
    assert!(run.can_end() && run.next().is_empty());
    // Two ways a step, five hundred times in a row: so many paths can't be walked one by one.
    let name = |n: usize| if n == 500 { id("action", "last") } else { id("if-condition", &n.to_string()) };
    let mut steps: Vec<_> = (0..500)
        .map(|n| {
            step(
                "if-condition",
                &n.to_string(),
                json!({ "condition": "x", "on_true": name(n + 1), "on_false": name(n + 1) }),
            )
        })
        .collect();
    steps.push(action("last", json!({ "on_completion": end })));
    let diamonds = playbook(&document(steps));
    let run = Run::new(&diamonds);
    assert_eq!(run.next().len(), 1);
    assert!(!run.can_end());
}
