//! Gates that an organisation adds, as data in the ledger: `policy.set` in the stream `policy/process` with the key
//! `gate:PHASE:EVENT` says that PHASE can't be left before EVENT happened; with the version `off` it says so no more.

use blotter_record::{Event, EventName, Statement};

use crate::gate::OwnGates;
use crate::phase::Phase;

/// The stream that holds them.
pub const POLICY_STREAM: &str = "policy/process";
/// The version that withdraws a gate.
const OFF: &str = "off";

/// The gate that a `policy.set` sets or withdraws: phase, event, and whether it stands. `None` if its key is about
/// something else.
///
/// # Errors
/// If the key begins like a gate's and is none: what is wrong.
pub fn own_gate(statement: &Statement) -> Option<Result<(Phase, String, bool), String>> {
    if statement.event.known() != Some(Event::PolicySet) {
        return None;
    }
    let rest = statement.facts.word("key")?.strip_prefix("gate:")?;
    let read = || {
        let (phase, event) = rest.split_once(':').ok_or("a gate's key is gate:PHASE:EVENT")?;
        let phase = Phase::from_name(phase).ok_or(format!("{phase} is not a phase"))?;
        match event.parse() {
            Ok(EventName::Known(known))
                if matches!(known.rule().subject, None | Some("incident" | "evidence" | "lesson")) => {}
            Ok(EventName::Custom(_)) => {}
            Ok(_) => return Err(format!("{event} can't happen in an incident")),
            Err(e) => return Err(e.to_string()),
        }
        if statement.sub.as_str() != POLICY_STREAM {
            return Err(format!("gates are set in {POLICY_STREAM}"));
        }
        Ok((phase, event.to_owned(), statement.facts.word("version") != Some(OFF)))
    };
    Some(read())
}

/// Takes note of an entry of the stream of gates.
pub fn own_gates(gates: &mut OwnGates, statement: &Statement) {
    if let Some(Ok((phase, event, stands))) = own_gate(statement) {
        let of_phase = gates.entry(phase).or_default();
        if stands {
            of_phase.insert(event);
        } else {
            of_phase.remove(&event);
        }
    }
}
