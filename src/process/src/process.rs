//! The process as a policy: judges transitions, sign-offs, closures and disposals by what their incident's stream adds up
//! to. It remembers incidents that it judged, as a cache: what the past says again is what counts.

use std::collections::HashMap;

use blotter_record::{
    Event, Gate, Id, Jti, Objection, Past, PastEntry, Policy, Role, Standing, Statement, Unmet, Unreadable,
};

use crate::disposal::{admit_disposal, admit_retention};
use crate::gate::{self, Check, OwnGates, fixed};
use crate::incident::{Incident, Said};
use crate::own_gates::{POLICY_STREAM, own_gate, own_gates};
use crate::phase::{Course, Phase, Transition, transition};

/// Incidents that are remembered, at most; then all are forgotten.
const REMEMBERED_MAX: usize = 1_024;
/// Entries that are read at once.
const READ_ENTRIES: usize = 512;

/// The SecOps process.
#[derive(Debug, Default)]
pub struct Process {
    incidents: HashMap<Id, Remembered>,
    own: OwnGates,
    own_read: u64,
}

#[derive(Debug, Default)]
struct Remembered {
    state: Incident,
    read: u64,
    /// Entries read of the streams of its lessons.
    lessons_read: HashMap<Id, u64>,
    /// Of each stream that was read, the newest entry whose bytes are gone.
    gaps: HashMap<Id, u64>,
}

impl Policy for Process {
    fn admit(&mut self, statement: &Statement, standing: &Standing<'_>, past: &dyn Past) -> Result<(), Objection> {
        if !self.judges(statement) {
            // What happened has happened. Imported history is admitted as history; compliance judges it.
            return Ok(());
        }
        match statement.event.known() {
            Some(Event::PhaseEntered) => self.admit_transition(statement, standing, past),
            Some(Event::ValidationSignedOff) => {
                let incident = self.incident(&statement.sub, past)?;
                decision(statement, incident, gate::sign_off(incident, statement.actor()))
            }
            Some(Event::IncidentRecovered) => {
                let incident = self.incident(&statement.sub, past)?;
                decision(statement, incident, gate::recovery(incident))
            }
            Some(Event::IncidentClosed) => {
                let incident = self.incident(&statement.sub, past)?;
                decision(statement, incident, gate::closure(incident, statement.facts.jti("report")))
            }
            Some(Event::IncidentReopened) => {
                let incident = self.incident(&statement.sub, past)?;
                decision(statement, incident, vec![gate::in_phase(incident, &[Phase::Close, Phase::Improve])])
            }
            Some(Event::IncidentOpened) => {
                let opened = self.incident(&statement.sub, past)?.opened.is_some();
                let new = fixed("new", "this incident was opened before", (!opened).then(Vec::new));
                objection(&statement.sub, gate::unmet(vec![new]))
            }
            Some(Event::IncidentMerged) => self.admit_merge(statement, past),
            Some(Event::IncidentSplit) => self.admit_split(statement, past),
            Some(Event::EvidenceDisposed) => admit_disposal(statement, standing, past),
            Some(Event::RetentionDisposed) => admit_retention(statement, standing, past),
            Some(Event::PolicySet) => match own_gate(statement) {
                Some(Err(what)) => Err(unmet(None, gate::unmet(vec![fixed("own-gate", &what, None)]))),
                Some(Ok(_)) | None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn judges(&self, statement: &Statement) -> bool {
        let Some(event) = statement.event.known().filter(|_| !statement.is_imported()) else { return false };
        match event {
            Event::PhaseEntered
            | Event::IncidentRecovered
            | Event::IncidentClosed
            | Event::IncidentReopened
            | Event::IncidentOpened
            | Event::IncidentMerged
            | Event::IncidentSplit
            | Event::EvidenceDisposed
            | Event::RetentionDisposed => true,
            Event::ValidationSignedOff => statement.facts.word("outcome") == Some("accepted"),
            Event::PolicySet => own_gate(statement).is_some(),
            _ => false,
        }
    }

    fn forget(&mut self, stream: &Id) {
        if stream.as_str() == POLICY_STREAM {
            (self.own, self.own_read) = (OwnGates::new(), 0);
        }
        self.incidents.remove(stream);
        if stream.kind() == "lesson" {
            // Whose lesson it is, its incidents know; they are few.
            self.incidents.retain(|_, remembered| !remembered.lessons_read.contains_key(stream));
        }
    }

    fn forget_all(&mut self) {
        *self = Self::default();
    }
}

impl Process {
    /// The state of an incident after all of its entries.
    ///
    /// # Errors
    /// If the past can't be read.
    pub fn incident(&mut self, id: &Id, past: &dyn Past) -> Result<&Incident, Unreadable> {
        if self.incidents.len() >= REMEMBERED_MAX && !self.incidents.contains_key(id) {
            self.incidents.clear();
        }
        let remembered = self.incidents.entry(id.clone()).or_default();
        let caught_up = remembered.catch_up(id, past);
        if caught_up.is_err() {
            self.incidents.remove(id);
        }
        caught_up?;
        Ok(&self.incidents[id].state)
    }

    /// The gates that the organisation added.
    ///
    /// # Errors
    /// If the past can't be read.
    pub fn own_gates(&mut self, past: &dyn Past) -> Result<&OwnGates, Unreadable> {
        let stream: Id = POLICY_STREAM.parse().expect("a well-formed id");
        let mut read = self.own_read;
        // Nothing in a stream that trust rests on can be expunged.
        read_on(&stream, &mut read, &mut HashMap::new(), past, |_, statement| own_gates(&mut self.own, statement))?;
        self.own_read = read;
        Ok(&self.own)
    }

    fn admit_transition(
        &mut self,
        statement: &Statement,
        standing: &Standing<'_>,
        past: &dyn Past,
    ) -> Result<(), Objection> {
        let own = self.own_gates(past)?.clone();
        let incident = self.incident(&statement.sub, past)?;
        let refuse = |gates| objection(&statement.sub, gates);
        let facts = &statement.facts;
        let stated = |name| facts.word(name).and_then(Phase::from_name);
        let (Some(from), Some(to)) = (stated("from"), stated("to")) else { return Ok(()) };
        let way = match way(incident, from, to) {
            Ok(way) => way,
            Err(gate) => return refuse(vec![gate]),
        };
        let overrides = facts.is_true("override");
        let roles = if overrides { &[Role::SecopsManager] } else { way.roles };
        if !roles.iter().any(|role| (standing.has_role)(*role)) {
            return Err(Objection::Role(roles.to_vec()));
        }
        let mut gates = named_gates(statement, way, incident, past)?;
        let unmet = gate::unmet(transition_checks(way, incident, &own, standing.recorded.unix_us()));
        let stated: Vec<&str> = facts.words("unmet");
        if overrides {
            if !statement.fields.iter().any(|field| field == "reason") {
                gates.extend(gate::unmet(vec![fixed(
                    "override.reason",
                    "an override needs a reason (data.reason)",
                    None,
                )]));
            }
            // What was met when it was signed and is not any more, nobody has overridden.
            gates.extend(unmet.into_iter().filter(|gate| !gate.overridable || !stated.contains(&gate.code.as_str())));
        } else {
            gates.extend(unmet);
            if gates.is_empty() && !stated.is_empty() {
                gates.extend(gate::unmet(vec![fixed("override", "unmet names gates, but override is false", None)]));
            }
        }
        refuse(gates)
    }

    fn admit_merge(&mut self, statement: &Statement, past: &dyn Past) -> Result<(), Objection> {
        let incident = self.incident(&statement.sub, past)?;
        let (opened, merged) = (incident.opened.is_some(), incident.merged_into.is_some());
        let Some(into) = statement.facts.id("into") else { return Ok(()) };
        let named = statement.about.contains(into) && *into != statement.sub;
        let target = self.incident(into, past)?;
        let target_open = target.opened.is_some() && target.merged_into.is_none();
        objection(
            &statement.sub,
            gate::unmet(vec![
                fixed("opened", "this incident was never opened", opened.then(Vec::new)),
                fixed("merged", "this incident was merged away before", (!merged).then(Vec::new)),
                fixed("target", "into must be another incident, and about must name it", named.then(Vec::new)),
                fixed(
                    "target.open",
                    "the incident to merge into is not open, or merged away itself",
                    target_open.then(Vec::new),
                ),
            ]),
        )
    }

    fn admit_split(&mut self, statement: &Statement, past: &dyn Past) -> Result<(), Objection> {
        let Some(from) = statement.facts.id("from") else { return Ok(()) };
        let named = statement.about.contains(from) && *from != statement.sub;
        let source = self.incident(from, past)?;
        let strange: Vec<String> = statement
            .facts
            .ids("alerts")
            .into_iter()
            .filter(|alert| !source.alerts.contains_key(*alert))
            .map(Id::to_string)
            .collect();
        let what = format!("{from} has no such alerts: {}", strange.join(", "));
        objection(
            &statement.sub,
            gate::unmet(vec![
                fixed("source", "from must be another incident, and about must name it", named.then(Vec::new)),
                fixed("alerts", &what, strange.is_empty().then(Vec::new)),
            ]),
        )
    }
}

impl Remembered {
    fn catch_up(&mut self, id: &Id, past: &dyn Past) -> Result<(), Unreadable> {
        let mut undone = false;
        let Self { state, read, lessons_read, gaps } = self;
        read_on(id, read, gaps, past, |entry, statement| {
            undone = undone || state.is_undone_by(statement);
            state.fold_for_gates(id, Said { seq: entry.seq, recorded_us: 0, statement });
        })?;
        if undone {
            let mut entries = Vec::new();
            *read = 0;
            read_on(id, read, gaps, past, |entry, _| entries.push(entry.clone()))?;
            *state = Incident::default();
            let said = entries.iter().filter_map(|entry| Some((entry.seq, entry.statement.as_ref()?)));
            said.clone().for_each(|(_, statement)| state.note_retraction(statement));
            for (seq, statement) in said {
                state.fold_for_gates(id, Said { seq, recorded_us: 0, statement });
            }
            lessons_read.clear();
        }
        // What a lesson led to stands in its own stream; only Improve asks.
        if state.current_phase() == Some(Phase::Improve) {
            let lessons: Vec<Id> = state.lessons.keys().cloned().collect();
            for lesson in lessons {
                let read = lessons_read.entry(lesson.clone()).or_default();
                read_on(&lesson, read, gaps, past, |entry, statement| {
                    state.fold_lesson(&lesson, entry.seq, statement);
                })?;
            }
        }
        // Where bytes are gone, it is looked again: so whoever gives the past knows what this judgement rests on.
        for (stream, n) in gaps {
            past.entries(stream, *n, 1)?;
        }
        Ok(())
    }
}

/// Reads a stream on from its entry `read`; of `gaps`, the stream's holds the newest entry whose bytes are gone.
pub(crate) fn read_on(
    stream: &Id,
    read: &mut u64,
    gaps: &mut HashMap<Id, u64>,
    past: &dyn Past,
    mut take: impl FnMut(&PastEntry, &Statement),
) -> Result<(), Unreadable> {
    loop {
        let entries = past.entries(stream, *read, READ_ENTRIES)?;
        for (n, entry) in (*read..).zip(&entries) {
            match &entry.statement {
                Some(statement) => take(entry, statement),
                None => _ = gaps.insert(stream.clone(), n),
            }
        }
        *read += entries.len() as u64;
        if entries.len() < READ_ENTRIES {
            return Ok(());
        }
    }
}

/// The way from the phase that the incident is in to `to`.
///
/// # Errors
/// The gate that names why there is none.
fn way(incident: &Incident, from: Phase, to: Phase) -> Result<&'static Transition, Gate> {
    let none = |code, what: String| Gate { code: String::from(code), what, overridable: false };
    if let Some(gate) = merged_away(incident) {
        return Err(gate);
    }
    let Some(at) = incident.current_phase() else {
        return Err(none("opened", "this incident was never opened: incident.opened".to_owned()));
    };
    if at != from {
        return Err(none("from", format!("the incident is in {at}, not in {from}")));
    }
    transition(from, to).ok_or_else(|| {
        let ways: Vec<&str> = from.ways_out().map(|way| way.to.name()).collect();
        none("transition", format!("from {from} it goes to {}, not to {to}", ways.join(", ")))
    })
}

/// What is decided of an incident that was merged away is decided where it went; else what it lacks.
fn decision(statement: &Statement, incident: &Incident, checks: Vec<Check>) -> Result<(), Objection> {
    objection(&statement.sub, merged_away(incident).map_or_else(|| gate::unmet(checks), |gate| vec![gate]))
}

fn merged_away(incident: &Incident) -> Option<Gate> {
    // Not into which: who decides here may not be one who may read that.
    let merged = incident.merged_into.as_ref()?;
    let what = format!("this incident was merged into another by entry {}; go on there", merged.seq);
    Some(Gate { code: "merged".to_owned(), what, overridable: false })
}

/// The gates of a transition: of its course whose gates are all met, or else of its first.
pub fn transition_checks(way: &Transition, incident: &Incident, own: &OwnGates, now_us: i64) -> Vec<Check> {
    gate::checks(course_of(way, incident, own, now_us), way.from, incident, own, now_us)
}

/// The course of a transition whose gates are all met, or else its first.
pub fn course_of(way: &Transition, incident: &Incident, own: &OwnGates, now_us: i64) -> Course {
    let is_open = |course: &&Course| gate::unmet(gate::checks(**course, way.from, incident, own, now_us)).is_empty();
    *way.courses.iter().find(is_open).unwrap_or(&way.courses[0])
}

/// What the statement names must be of this incident: its trigger, of a kind that triggers this; its inputs and outputs.
fn named_gates(
    statement: &Statement,
    way: &Transition,
    incident: &Incident,
    past: &dyn Past,
) -> Result<Vec<Gate>, Unreadable> {
    let mut checks = Vec::new();
    if let Some(trigger) = statement.facts.jti("trigger") {
        let said = past.statement(&trigger)?.and_then(|entry| entry.statement);
        let fits = said.is_some_and(|said| {
            is_of(incident, &statement.sub, &said)
                && !said.is_imported()
                && said.event.known().is_some_and(|event| way.triggers.contains(&event))
        });
        let events: Vec<&str> = way.triggers.iter().map(|event| event.name()).collect();
        let what = format!("{trigger} is not a statement of this incident that triggers this: {}", events.join(", "));
        checks.push(fixed("trigger", &what, fits.then(Vec::new)));
    }
    for (code, name) in [("inputs", "inputs"), ("outputs", "outputs")] {
        let mut strange: Vec<Jti> = Vec::new();
        for jti in statement.facts.jtis(name) {
            let said = past.statement(&jti)?.and_then(|entry| entry.statement);
            if !said.is_some_and(|said| is_of(incident, &statement.sub, &said)) {
                strange.push(jti);
            }
        }
        let named: Vec<String> = strange.iter().take(3).map(ToString::to_string).collect();
        let what = format!("not statements of this incident: {}", named.join(", "));
        checks.push(fixed(code, &what, strange.is_empty().then(Vec::new)));
    }
    Ok(gate::unmet(checks))
}

/// Whether a statement concerns the incident: it is in its stream, or in that of one of its alerts or lessons.
fn is_of(incident: &Incident, id: &Id, said: &Statement) -> bool {
    said.streams()
        .any(|stream| stream == id || incident.alerts.contains_key(stream) || incident.lessons.contains_key(stream))
}

pub(crate) fn objection(incident: &Id, gates: Vec<Gate>) -> Result<(), Objection> {
    if gates.is_empty() { Ok(()) } else { Err(unmet(Some(incident.clone()), gates)) }
}

pub(crate) fn unmet(incident: Option<Id>, gates: Vec<Gate>) -> Objection {
    Objection::Unmet(Unmet { gates, incident })
}
