//! A playbook's JSON, read so that no two readers can take it for different things. A member that stands twice, and what
//! is nested too deep, is a finding and not the end: the rest is read on, with the first of the two members.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::PLAYBOOK_BYTES_MAX;
use super::finding::{Findings, quoted};
use crate::foreign::DEPTH_MAX;
use crate::foreign::json::{Flaw, parse_judged};

/// The one object in `bytes`; `None` if there is none, and `findings` says why.
pub(super) fn read(bytes: &[u8], findings: &mut Findings) -> Option<Map<String, Value>> {
    if bytes.len() > PLAYBOOK_BYTES_MAX {
        let what = format!("it has {} bytes, and at most {PLAYBOOK_BYTES_MAX} are read; take it apart", bytes.len());
        findings.error("", what);
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) => {
            findings.error("", format!("it is not UTF-8 ({e}); save it as UTF-8"));
            return None;
        }
    };
    if text.starts_with('\u{feff}') {
        findings.error("", "it begins with a byte order mark; save it without one");
        return None;
    }
    let shared = RefCell::new(findings);
    let value = parse_judged(text, &|flaw, pointer| {
        shared.borrow_mut().error(pointer, what_to_do(&flaw));
        Ok(())
    });
    let findings = shared.into_inner();
    match value {
        Ok(Value::Object(members)) => Some(members),
        Ok(_) => {
            findings.error("", "it is not a JSON object; a CACAO playbook is one");
            None
        }
        Err(e) => {
            findings.error("", format!("it is not JSON that can be taken ({e}); correct it there"));
            None
        }
    }
}

fn what_to_do(flaw: &Flaw<'_>) -> String {
    match flaw {
        Flaw::Twice(name) => {
            let name = quoted(name);
            format!("the member {name} stands twice, and two readers may take one or the other; remove one")
        }
        Flaw::TooDeep => format!("it is nested more than {DEPTH_MAX} deep, and was not read; make it flatter"),
    }
}
