//! Disposal, of evidence and of what was kept long enough: approved by another person, and never under a legal hold.

use std::collections::{BTreeSet, HashMap};

use blotter_record::{Event, Id, Objection, Past, Standing, Statement, Unreadable};

use crate::gate::{self, fixed};
use crate::incident::{Incident, Said};
use crate::process::{objection, read_on, unmet};

/// Approved by another person, for this very evidence; not under hold, and not in somebody's hands. Judged by the
/// evidence's own stream: nobody gets around it by naming another of its incidents.
pub(crate) fn admit_disposal(statement: &Statement, standing: &Standing<'_>, past: &dyn Past) -> Result<(), Objection> {
    let Some(incident) = statement.about.iter().find(|id| id.kind() == "incident") else { return Ok(()) };
    let mut said = Vec::new();
    read_on(&statement.sub, &mut 0, &mut HashMap::new(), past, |entry, past| said.push((entry.seq, past.clone())))?;
    // Imported history opens no gate.
    said.retain(|(_, said)| !said.is_imported() || said.event.known() != Some(Event::DisposalApproved));
    let said: Vec<_> = said.iter().map(|(seq, statement)| Said { seq: *seq, recorded_us: 0, statement }).collect();
    let evidence = Incident::of(&statement.sub, said.iter().copied());
    let streams: BTreeSet<&Id> =
        statement.streams().chain(said.iter().flat_map(|said| said.statement.streams())).collect();
    let held = (standing.held_by)(&streams.into_iter().collect::<Vec<_>>());
    let held = held.map(|stream| format!("a legal hold placed in {stream} covers it: legal.hold-released"));
    let approved = match statement.facts.jti("approval").and_then(|jti| Some((jti, evidence.disposals.get(&jti)?))) {
        Some((jti, (by, of))) if by != statement.actor() && *of == statement.sub => {
            let approval = said.iter().find(|said| said.statement.jti == jti);
            !approval.map_or(Ok(true), |approval| is_spent_on_retention(approval.statement, past))?
        }
        _ => false,
    };
    let gates = gate::unmet(vec![
        fixed(
            "approval",
            "no unused approval of this evidence by another person: disposal.approved",
            approved.then(Vec::new),
        ),
        fixed("hold", held.as_deref().unwrap_or_default(), held.is_none().then(Vec::new)),
        fixed("evidence", "it is given out: evidence.received", evidence.evidence_out.is_empty().then(Vec::new)),
    ]);
    objection(incident, gates)
}

/// Approved by another person, for something of incidents that it concerns, once; and not under hold. It names each
/// incident that the approval names: so the streams of those tell of every use of it.
pub(crate) fn admit_retention(
    statement: &Statement,
    standing: &Standing<'_>,
    past: &dyn Past,
) -> Result<(), Objection> {
    let Some(approval) = statement.facts.jti("approval") else { return Ok(()) };
    let held = (standing.held_by)(&statement.streams().collect::<Vec<_>>());
    let held = held.map(|stream| format!("a legal hold placed in {stream} covers it: legal.hold-released"));
    let approved = match past.statement(&approval)?.and_then(|entry| entry.statement) {
        Some(approval) => {
            approval.event.known() == Some(Event::DisposalApproved)
                && approval.actor() != statement.actor()
                && incidents(&approval).all(|incident| statement.about.contains(incident))
                && is_in_force(&approval, past)?
        }
        None => false,
    };
    let what = "no unused disposal.approved by another person, of incidents that about names, has that id";
    let gates = gate::unmet(vec![
        fixed("approval", what, approved.then(Vec::new)),
        fixed("hold", held.as_deref().unwrap_or_default(), held.is_none().then(Vec::new)),
    ]);
    let incident = statement.about.iter().find(|id| id.kind() == "incident").cloned();
    if gates.is_empty() { Ok(()) } else { Err(unmet(incident, gates)) }
}

/// Whether an approval is no history, was not taken back, and nothing was disposed of with it.
fn is_in_force(approval: &Statement, past: &dyn Past) -> Result<bool, Unreadable> {
    if approval.is_imported() {
        return Ok(false);
    }
    let mut said = Vec::new();
    read_on(&approval.sub, &mut 0, &mut HashMap::new(), past, |entry, past| said.push((entry.seq, past.clone())))?;
    let said: Vec<_> = said.iter().map(|(seq, statement)| Said { seq: *seq, recorded_us: 0, statement }).collect();
    let evidence = Incident::of(&approval.sub, said.iter().copied());
    Ok(evidence.disposals.contains_key(&approval.jti) && !is_spent_on_retention(approval, past)?)
}

/// Whether what was kept long enough was disposed of with that approval. Whoever did so named all of its incidents.
fn is_spent_on_retention(approval: &Statement, past: &dyn Past) -> Result<bool, Unreadable> {
    let Some(incident) = incidents(approval).next() else { return Ok(false) };
    let mut spent = false;
    read_on(incident, &mut 0, &mut HashMap::new(), past, |_, said| {
        spent |=
            said.event.known() == Some(Event::RetentionDisposed) && said.facts.jti("approval") == Some(approval.jti);
    })?;
    Ok(spent)
}

fn incidents(statement: &Statement) -> impl Iterator<Item = &Id> {
    statement.about.iter().filter(|id| id.kind() == "incident")
}
