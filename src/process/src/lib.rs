//! The SecOps process: six phases, the gates between them, and who owns which decision. Pure functions of the record: the
//! ledger asks them before it admits a decision, a verifier asks them again, and projections show what they say.
//!
//! Invariant: what happened is never refused for the phase it arrives in. Refused are transitions, sign-offs, closure and
//! disposal whose gates are unmet, and such a refusal is recorded.

mod disposal;
mod fold;
pub mod gate;
mod incident;
mod own_gates;
mod phase;
mod process;

pub use gate::{Check, OwnGates};
pub use incident::{Action, Entered, Incident, Lesson, Made, Opened, Risk, Run, Said, Scope, Severity, Task};
pub use own_gates::{POLICY_STREAM, own_gate, own_gates};
pub use phase::{Course, Phase, TRANSITIONS, Transition, transition};
pub use process::{Process, course_of, transition_checks};
