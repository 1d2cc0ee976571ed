//! Disposal, of evidence and of what was kept long enough: approved by another person, and never under a legal hold.

use std::collections::{BTreeSet, HashMap};

use blotter_record::{Event, Id, Objection, Past, Standing, Statement};

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
    let approval = statement.facts.jti("approval").and_then(|approval| evidence.disposals.get(&approval));
    let approved = approval.is_some_and(|(by, of)| by != statement.actor() && *of == statement.sub);
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

pub(crate) fn admit_retention(
    statement: &Statement,
    standing: &Standing<'_>,
    past: &dyn Past,
) -> Result<(), Objection> {
    let Some(approval) = statement.facts.jti("approval") else { return Ok(()) };
    let held = (standing.held_by)(&statement.streams().collect::<Vec<_>>());
    let held = held.map(|stream| format!("a legal hold placed in {stream} covers it: legal.hold-released"));
    let said = past.statement(&approval)?.and_then(|entry| entry.statement);
    let approved = said
        .is_some_and(|said| said.event.known() == Some(Event::DisposalApproved) && said.actor() != statement.actor());
    let what = "no disposal.approved by another person has that id";
    let gates = gate::unmet(vec![
        fixed("approval", what, approved.then(Vec::new)),
        fixed("hold", held.as_deref().unwrap_or_default(), held.is_none().then(Vec::new)),
    ]);
    let incident = statement.about.iter().find(|id| id.kind() == "incident").cloned();
    if gates.is_empty() { Ok(()) } else { Err(unmet(incident, gates)) }
}
