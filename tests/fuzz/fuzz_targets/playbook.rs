//! Playbooks: whatever stands in one, the same is found each time; and one without errors can be followed.

#![no_main]

use blotter_exchange::cacao::{Mark, Outcome, Run, Severity, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let checked = check(bytes);
    assert_eq!(checked, check(bytes));
    assert_eq!(checked.playbook.is_none(), checked.count(Severity::Error) > 0);
    if let Some(playbook) = &checked.playbook {
        let mut run = Run::new(playbook);
        for step in &playbook.steps {
            run.note(&step.id, Mark::Completed(Outcome::Done));
        }
        let _ = (run.next(), run.can_end());
    }
});
