//! The first incident, a ransomware attack on a city, through all six phases. The order of events follows public reports on
//! the attack on the City of Saint Paul, Minnesota, in July and August 2025 (first signs on Friday 25 July; systems taken
//! offline on Monday 28 July; emergency declared and National Guard called in on 29 July; no ransom paid; in August
//! passwords of all staff reset in person, part of a file share published by the attackers, services back step by step).
//! Everybody, every machine, and whatever was decided and said in it is made up.

mod alarm;
mod evidence;
mod improve;
mod response;
mod restore;

use anyhow::Result;

use super::lines::{Transition, id};
use super::stage::Stage;
use crate::session::Words;

pub(super) const INCIDENT: &str = "incident/INC-2025-0725";

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    alarm::initiate(stage)?;
    alarm::assess(stage)?;
    response::execute(stage)?;
    response::notify(stage)?;
    evidence::hold(stage)?;
    response::shut_down(stage)?;
    restore::clean(stage)?;
    restore::validate(stage)?;
    restore::validate_again(stage)?;
    restore::close(stage)?;
    improve::learn(stage)?;
    evidence::dispose(stage)?;
    improve::rest(stage)
}

fn words(event: &str) -> Words {
    Words::now(event, id(INCIDENT))
}

/// A transition that lacks nothing; to be filled in.
const fn transition<'a>(from: &'a str, to: &'a str, trigger: &'a str, reason: &'a str) -> Transition<'a> {
    Transition { incident: INCIDENT, from, to, trigger, inputs: &[], outputs: &[], overrides: &[], reason }
}
