//! `blotter incident gates` and `move`: what stands before each way on, and the step itself.

use anyhow::{Context as _, Result, bail};
use blotter_api::finder::Log;
use blotter_ledger::{Error, read};
use blotter_process::{
    Check, Incident, OwnGates, POLICY_STREAM, Phase, Transition, own_gates, transition, transition_checks,
};
use blotter_projections::{Moment, Source as _, Told, gate_state, ways_out};
use blotter_record::{Id, Json, Jti};
use clap::Args;
use serde_json::{Value, json};

use super::incident_id;
use crate::context::{Context, now_us};
use crate::out::Tone;
use crate::session::{Reader, Words};
use crate::voice::{Voice, tell};

/// Show what stands between an incident and each phase that it can go to
///
/// Every gate with the entries that meet it, or what would. A gate that the organisation added begins with own.
#[derive(Debug, Args)]
pub(crate) struct Gates {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,
}

/// Move an incident into another phase
///
/// Signs phase.entered, with the newest statement that can trigger it, and the statements that meet the gates as inputs.
/// Refused while a gate is unmet, and the refusal is recorded. A SecOps manager may --override unmet gates, with a
/// --reason; it shows everywhere.
///
/// Example: blotter incident move INC-7 execute
#[derive(Debug, Args)]
pub(crate) struct Move {
    /// The incident, such as INC-7
    #[arg(value_name = "INCIDENT", value_parser = incident_id)]
    incident: Id,

    /// initiate, assess, execute, validate, close or improve
    #[arg(value_name = "PHASE", value_parser = phase)]
    to: Phase,

    /// What triggered it; without it, the newest statement that can have
    #[arg(long, value_name = "JTI")]
    trigger: Option<Jti>,

    /// What the phase that ends has produced; may be repeated
    #[arg(long, value_name = "JTI")]
    output: Vec<Jti>,

    /// Go although gates are unmet; for a SecOps manager, with --reason
    #[arg(long = "override", requires = "reason")]
    override_gates: bool,

    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn phase(text: &str) -> Result<Phase, String> {
    Phase::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
        format!("a phase is wanted: {}", names.join(", "))
    })
}

/// The gates that the organisation added.
fn gates_of(reader: &Reader) -> Result<OwnGates> {
    let mut own = OwnGates::new();
    let stream: Id = POLICY_STREAM.parse().expect("a well-formed id");
    let mut n = 0;
    loop {
        let entries = Log(&*reader.store).stream(&stream, n, 256)?;
        for (_, statement) in entries.iter().filter_map(|entry| entry.said.as_ref()) {
            own_gates(&mut own, statement);
        }
        n += entries.len() as u64;
        if entries.len() < 256 {
            return Ok(own);
        }
    }
}

/// The incident as its gates are judged by.
fn state(reader: &Reader, id: &Id) -> Result<Incident> {
    let incident = gate_state(&Log(&*reader.store), id, now(reader)?)?;
    if incident.first_seq.is_none() && reader.store.stream(id).map_err(Error::from)?.is_none() {
        bail!("there is no {id}; `blotter incident list` names what there is");
    }
    Ok(incident)
}

fn now(reader: &Reader) -> Result<Moment> {
    Ok(Moment::recorded(reader.store.size().map_err(Error::from)?))
}

pub(super) fn gates(context: &Context, args: &Gates) -> Result<()> {
    let reader = Reader::open(context)?;
    let incident = state(&reader, &args.incident)?;
    let own = gates_of(&reader)?;
    let at = incident.current_phase();
    let ways: Vec<(Phase, Vec<Check>)> = ways_out(&incident)
        .into_iter()
        .filter_map(|to| Some((to, transition_checks(transition(at?, to)?, &incident, &own, now_us()))))
        .collect();
    let check_json = |check: &Check| json!({ "gate": check.gate.code, "met": check.met_by.is_some(), "entries": check.met_by, "what": check.gate.what });
    let way_json = |(to, checks): &(Phase, Vec<Check>)| {
        json!({ "to": to.name(), "open": checks.iter().all(|check| check.met_by.is_some()),
                "gates": checks.iter().map(check_json).collect::<Vec<_>>() })
    };
    let json = json!({ "incident": args.incident.as_str(), "phase": at.map(Phase::name), "ways": ways.iter().map(way_json).collect::<Vec<Value>>() });
    context.out.result(&json, || {
        let Some(at) = at else { return format!("{} was never opened: incident.opened", args.incident) };
        if let Some(into) = &incident.merged_into {
            return format!("{} was merged into {}; go on there", args.incident, into.value);
        }
        let mut text = format!("{} is in {}", args.incident, context.out.toned(Tone::Strong, at.name()));
        for (to, checks) in &ways {
            let open = checks.iter().all(|check| check.met_by.is_some());
            let tone = if open { Tone::Good } else { Tone::Warn };
            text +=
                &format!("\n\nto {}: {}", to.name(), context.out.toned(tone, if open { "open" } else { "not yet" }));
            for check in checks {
                text += &match &check.met_by {
                    Some(by) => format!("\n  met    {}{}", check.gate.code, entries(by)),
                    None => format!(
                        "\n  {}  {}: {}",
                        context.out.toned(Tone::Warn, "unmet"),
                        check.gate.code,
                        check.gate.what
                    ),
                };
            }
        }
        text
    });
    Ok(())
}

fn entries(seqs: &[u64]) -> String {
    if seqs.is_empty() {
        return String::new();
    }
    format!("  (entry {})", seqs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

pub(super) fn move_on(context: &Context, args: &Move) -> Result<()> {
    let voice = Voice::open(context)?;
    let asked = Asked { to: args.to, trigger: args.trigger, outputs: &args.output, overrides: args.override_gates };
    let words = transition_words(&voice.reader, &args.incident, &asked, args.reason.as_deref(), &[])?;
    let said = voice.say(context, &[words], None)?;
    tell(context, &said, json!({ "incident": args.incident.as_str(), "phase": args.to.name() }), None);
    Ok(())
}

/// The transition that somebody wants.
pub(super) struct Asked<'a> {
    pub(super) to: Phase,
    pub(super) trigger: Option<Jti>,
    pub(super) outputs: &'a [Jti],
    pub(super) overrides: bool,
}

/// `phase.entered`, filled in from what the incident is now. `ahead` will have been said before it, in the same list.
pub(super) fn transition_words(
    reader: &Reader,
    id: &Id,
    asked: &Asked<'_>,
    reason: Option<&str>,
    ahead: &[(Words, Jti)],
) -> Result<Words> {
    let incident = state(reader, id)?;
    let Some(at) = incident.current_phase() else { bail!("{id} was never opened: incident.opened") };
    let Some(way) = transition(at, asked.to) else {
        let ways: Vec<&str> = at.ways_out().map(|way| way.to.name()).collect();
        bail!("{id} is in {at}; from there it goes to {}", ways.join(", "));
    };
    let checks = transition_checks(way, &incident, &gates_of(reader)?, now_us());
    let met: Vec<u64> = checks.iter().filter_map(|check| check.met_by.as_ref()).flatten().copied().collect();
    let unmet: Vec<Json> = match asked.overrides {
        true => {
            checks.iter().filter(|check| check.met_by.is_none()).map(|check| check.gate.code.as_str().into()).collect()
        }
        false => Vec::new(),
    };
    let trigger = match asked.trigger {
        Some(trigger) => trigger,
        None => trigger_of(reader, id, &incident, way, ahead)?,
    };
    let mut inputs = jtis_of(reader, &met)?;
    inputs.extend(ahead.iter().map(|(_, jti)| *jti));
    inputs.truncate(blotter_record::limits::LIST_LEN_MAX);
    let list = |jtis: &[Jti]| Json::List(jtis.iter().map(|jti| jti.to_string().into()).collect());
    let mut words = Words::now("phase.entered", id.clone())
        .fact("from", at.name())
        .fact("to", asked.to.name())
        .fact("trigger", trigger.to_string())
        .fact("inputs", list(&inputs))
        .fact("outputs", list(asked.outputs))
        .fact("override", asked.overrides)
        .fact("unmet", Json::List(unmet));
    if let Some(reason) = reason {
        words = words.data("reason", reason);
    }
    Ok(words)
}

/// The newest statement of the incident, its alerts and lessons that can trigger this.
fn trigger_of(reader: &Reader, id: &Id, incident: &Incident, way: &Transition, ahead: &[(Words, Jti)]) -> Result<Jti> {
    let triggers = |event: &str| way.triggers.iter().any(|trigger| trigger.name() == event);
    if let Some((_, jti)) = ahead.iter().rfind(|(words, _)| triggers(&words.event)) {
        return Ok(*jti);
    }
    let log = Log(&*reader.store);
    let streams = std::iter::once(id).chain(incident.alerts.keys()).chain(incident.lessons.keys());
    let mut newest: Option<(u64, Jti)> = None;
    for stream in streams {
        for Told { seq, statement, .. } in blotter_projections::told_of(&log, stream, now(reader)?)? {
            if triggers(statement.event.as_str()) && newest.is_none_or(|(at, _)| at < seq) {
                newest = Some((seq, statement.jti));
            }
        }
    }
    let names: Vec<&str> = way.triggers.iter().map(|event| event.name()).collect();
    newest.map(|(_, jti)| jti).with_context(|| {
        format!("nothing in {id} triggers the way from {} to {}: {}", way.from, way.to, names.join(", "))
    })
}

fn jtis_of(reader: &Reader, seqs: &[u64]) -> Result<Vec<Jti>> {
    let mut jtis = Vec::new();
    for seq in seqs {
        let entry = read::entries(&*reader.store, *seq, 1)?.pop();
        jtis.extend(entry.and_then(|entry| entry.said).map(|(_, statement)| statement.jti));
    }
    jtis.dedup();
    Ok(jtis)
}
