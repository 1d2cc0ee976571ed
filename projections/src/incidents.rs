//! The view of incidents: of each, what it is now, every state that it was in, and what hangs on it. All rows of an
//! incident are a function of its stream.

use std::collections::BTreeMap;

use blotter_process::{Incident, Phase, Said};
use blotter_record::{Decision, Event, Id, Precision};

use crate::custody::Link;
use crate::table::{Cell, Row, Table, int, table, text};

/// An incident as the view follows it: its state, and what the state does not keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Case {
    /// Its state.
    pub incident: Incident,
    /// When it reached what.
    pub milestones: BTreeMap<Milestone, Reached>,
    /// The states that it was in, oldest first; each holds from its entry until the next one's.
    pub versions: Vec<Version>,
    /// Decisions that were taken in it, in their order.
    pub decisions: Vec<Decided>,
    /// What was done with its evidence, in its order.
    pub custody: Vec<Link>,
    /// When its newest severity was assessed, in microseconds since 1970.
    pub severity_us: Option<i64>,
}

/// A decision, and what its signer had before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Its entry.
    pub seq: u64,
    /// What it is.
    pub event: &'static str,
    /// Who signed it.
    pub by: String,
    /// Size of the log that its signer had verified.
    pub seen_size: Option<u64>,
    /// Entries of the incident that came in between what they had seen and where it landed.
    pub slipped: Option<u64>,
    /// Whether it was taken back.
    pub retracted: bool,
}

/// When a milestone was reached, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// When, as said, in microseconds since 1970.
    pub at_us: i64,
    /// The entry that says so.
    pub seq: u64,
    /// How exactly that is known.
    pub precision: Precision,
    /// How long after it was said to have happened the entry was recorded, in microseconds; `None` if it says no time.
    pub late_us: Option<i64>,
}

/// What is kept of every state that an incident was in, so that lists can be shown as of any entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The entry that made it so.
    pub seq: u64,
    /// See [`INCIDENT`].
    pub status: &'static str,
    /// Its phase.
    pub phase: Option<Phase>,
    /// Its severity.
    pub severity: Option<i64>,
    /// The verdict.
    pub verdict: Option<String>,
    /// Who leads it.
    pub lead: Option<String>,
    /// Its category.
    pub category: Option<String>,
}

macro_rules! milestones {
    ($($variant:ident = $name:literal, $about:literal;)*) => {
        /// A moment that metrics are measured from or to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Milestone { $(#[doc = $about] $variant,)* }

        impl Milestone {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the table `milestone`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

milestones! {
    Occurred = "occurred", "when the incident began, as newest asserted (occurrence.asserted)";
    Detected = "detected", "when it was detected: as newest asserted (detection.asserted), else when it was opened";
    Alerted = "alerted", "when its first alert or report was received (alert.received, report.received); stands in the alert's \
                          stream, so not in the table";
    Opened = "opened", "when the incident was opened";
    Acknowledged = "acknowledged", "the first acknowledgement by a person";
    Classified = "classified", "the first severity.assessed or incident.classified";
    Confirmed = "confirmed", "the first verdict";
    ResponseStarted = "response-started", "the first containment.started, playbook.started or action.authorised";
    ContainmentStarted = "containment-started", "the first containment.started";
    Contained = "contained", "the newest containment.achieved";
    Eradicated = "eradicated", "the newest eradication.completed";
    Restored = "restored", "the newest system.restored or service.resumed";
    Recovered = "recovered", "incident.recovered, else the newest accepted sign-off";
    Resolved = "resolved", "the newest incident.resolved, else incident.closed";
    Closed = "closed", "the newest incident.closed";
    LessonRecorded = "lesson-recorded", "the first lesson";
    Rested = "rested", "when Improve was left, each lesson having led somewhere";
}

impl Case {
    /// Takes one more entry of the stream `id`.
    pub fn fold(&mut self, id: &Id, said: Said<'_>) {
        let before = self.incident.entries;
        self.incident.fold(id, said);
        let counts = !self.incident.retracted.contains(&said.statement.jti);
        self.note_decision(id, said, before, counts);
        self.custody.extend(Link::of(said));
        if counts && said.statement.event.known() == Some(Event::SeverityAssessed) {
            let occurred = said.statement.occurred.as_ref().map(blotter_record::Instant::unix_us);
            self.severity_us = Some(occurred.unwrap_or(said.recorded_us));
        }
        if let Some(event) = said.statement.event.known().filter(|_| counts) {
            self.reach(event, said);
        }
        if !self.versions.last().is_some_and(|last| self.is_as(last)) {
            let version = self.version(said.seq);
            self.versions.push(version);
        }
    }

    /// Whether it is in the state of `version`, whenever that began.
    fn is_as(&self, version: &Version) -> bool {
        let Incident { verdict, lead, category, severity, .. } = &self.incident;
        version.status == self.incident.status()
            && version.phase == self.incident.current_phase()
            && version.severity == severity.as_ref().map(|made| made.value.level)
            && version.verdict.as_deref() == verdict.as_ref().map(|made| made.value.as_str())
            && version.lead.as_deref() == lead.as_ref().map(|made| made.value.as_str())
            && version.category.as_deref() == category.as_ref().map(|made| made.value.as_str())
    }

    /// `before`: entries of the stream before this one.
    fn note_decision(&mut self, id: &Id, said: Said<'_>, before: u64, counts: bool) {
        let Said { seq, statement, .. } = said;
        let Some(event) = statement.event.known().filter(|event| event.rule().decision != Decision::No) else { return };
        let seen = statement.seen.as_ref();
        let seen_of_it = seen.filter(|_| statement.sub == *id).map(|seen| seen.last.map_or(0, |(n, _)| n + 1));
        self.decisions.push(Decided {
            seq,
            event: event.name(),
            by: statement.actor().to_string(),
            seen_size: seen.map(|seen| seen.size),
            slipped: seen_of_it.map(|seen| before.saturating_sub(seen)),
            retracted: !counts,
        });
    }

    fn version(&self, seq: u64) -> Version {
        let Incident { verdict, lead, category, severity, .. } = &self.incident;
        Version {
            seq,
            status: self.incident.status(),
            phase: self.incident.current_phase(),
            severity: severity.as_ref().map(|made| made.value.level),
            verdict: verdict.as_ref().map(|made| made.value.clone()),
            lead: lead.as_ref().map(|made| made.value.to_string()),
            category: category.as_ref().map(|made| made.value.clone()),
        }
    }

    /// Milestones: some are reached once, some again.
    fn reach(&mut self, event: Event, said: Said<'_>) {
        use Milestone as M;
        let facts = &said.statement.facts;
        let occurred_us = said.statement.occurred.as_ref().map(blotter_record::Instant::unix_us);
        let happened = Reached {
            at_us: occurred_us.unwrap_or(said.recorded_us),
            seq: said.seq,
            precision: said.statement.precision,
            late_us: occurred_us.map(|at_us| said.recorded_us - at_us),
        };
        let stated = |name| match facts.instant(name) {
            Some(at) => {
                let precision = facts.word("precision").and_then(Precision::from_word).unwrap_or(Precision::Second);
                Reached { at_us: at.unix_us(), precision, ..happened }
            }
            None => happened,
        };
        let (reached, first, newest): (Reached, &[M], &[M]) = match event {
            Event::OccurrenceAsserted => (stated("at"), &[], &[M::Occurred]),
            Event::DetectionAsserted => (stated("at"), &[], &[M::Detected]),
            Event::IncidentOpened => (happened, &[M::Opened, M::Detected], &[]),
            Event::IncidentAcknowledged => (happened, &[M::Acknowledged], &[]),
            Event::SeverityAssessed | Event::IncidentClassified => (happened, &[M::Classified], &[]),
            Event::IncidentConfirmed => (happened, &[M::Confirmed], &[]),
            Event::ContainmentStarted => (happened, &[M::ResponseStarted, M::ContainmentStarted], &[]),
            Event::PlaybookStarted | Event::ActionAuthorised => (happened, &[M::ResponseStarted], &[]),
            Event::ContainmentAchieved => (happened, &[], &[M::Contained]),
            Event::EradicationCompleted => (happened, &[], &[M::Eradicated]),
            Event::SystemRestored => (stated("restored_at"), &[], &[M::Restored]),
            Event::ServiceResumed => (stated("at"), &[], &[M::Restored]),
            Event::ValidationSignedOff if facts.word("outcome") == Some("accepted") => (happened, &[M::Recovered], &[]),
            Event::IncidentRecovered => (happened, &[], &[M::Recovered]),
            Event::IncidentResolved => (happened, &[], &[M::Resolved]),
            Event::IncidentClosed => (happened, &[M::Resolved], &[M::Closed]),
            Event::IncidentReopened => {
                for ended in [M::Resolved, M::Closed, M::Rested] {
                    self.milestones.remove(&ended);
                }
                return;
            }
            Event::ContainmentLost => {
                self.milestones.remove(&M::Contained);
                return;
            }
            Event::LessonRecorded => (happened, &[M::LessonRecorded], &[]),
            Event::PhaseEntered if self.incident.improved == Some(said.seq) => (happened, &[], &[M::Rested]),
            _ => return,
        };
        for milestone in first {
            self.milestones.entry(*milestone).or_insert(reached);
        }
        for milestone in newest {
            self.milestones.insert(*milestone, reached);
        }
    }

    /// Its rows in all of [`TABLES`].
    pub fn rows(&self, id: &Id) -> Vec<Row> {
        let Some(first_seq) = self.incident.first_seq else { return Vec::new() };
        let mut rows = vec![self.row(id, first_seq)];
        self.history(id, &mut rows);
        self.hanging(id, &mut rows);
        self.learned(id, &mut rows);
        self.answerable(id, &mut rows);
        rows
    }

    /// Who decided what, and who had the evidence.
    fn answerable(&self, id: &Id, rows: &mut Vec<Row>) {
        rows.extend(self.decisions.iter().map(|decided| {
            DECISION.row([
                id.as_str().into(),
                decided.seq.into(),
                decided.event.into(),
                decided.by.as_str().into(),
                decided.seen_size.into(),
                decided.slipped.into(),
                decided.retracted.into(),
            ])
        }));
        rows.extend(self.custody.iter().map(|held| {
            CUSTODY.row([
                id.as_str().into(),
                held.seq.into(),
                held.evidence.as_str().into(),
                held.event.as_str().into(),
                held.by.as_str().into(),
                held.to.clone().into(),
                held.purpose.clone().into(),
                held.matches.into(),
                held.at_us.into(),
            ])
        }));
    }

    fn row(&self, id: &Id, first_seq: u64) -> Row {
        let Incident { opened, severity, .. } = &self.incident;
        let incident = &self.incident;
        let reached = |milestone| Cell::from(self.milestones.get(&milestone).map(|reached| reached.at_us));
        let made =
            |made: &Option<blotter_process::Made<String>>| Cell::from(made.as_ref().map(|made| made.value.clone()));
        INCIDENT.row([
            id.as_str().into(),
            incident.status().into(),
            incident.current_phase().map(Phase::name).into(),
            severity.as_ref().map(|made| made.value.level).into(),
            severity.as_ref().map(|made| made.value.scale.clone()).into(),
            made(&incident.verdict),
            made(&incident.category),
            made(&incident.tlp),
            incident.lead.as_ref().map(|made| made.value.to_string()).into(),
            opened.as_ref().map(|made| made.value.by.to_string()).into(),
            reached(Milestone::Opened),
            reached(Milestone::Detected),
            reached(Milestone::Resolved),
            reached(Milestone::Closed),
            incident.updated_us.into(),
            made(&incident.resolved),
            made(&incident.closed),
            made(&incident.root_cause),
            incident.merged_into.as_ref().map(|made| made.value.to_string()).into(),
            incident.imported.into(),
            incident.entries.into(),
            incident.alerts.len().into(),
            incident.tasks.len().into(),
            incident.clocks.values().map(|made| made.value).min().into(),
            incident.evidence_out.len().into(),
            incident.phases.iter().filter(|entered| !entered.overridden.is_empty()).count().into(),
            incident.refusals.len().into(),
            incident.out_of_phase.len().into(),
            incident.reopened.len().into(),
            first_seq.into(),
            incident.last_seq.into(),
            rank(incident.status(), severity.as_ref().map(|made| made.value.level)).into(),
            self.severity_us.into(),
            severity.as_ref().map(|made| made.seq).into(),
            (incident.escalations.last().map(|made| made.seq) > severity.as_ref().map(|made| made.seq)).into(),
        ])
    }

    fn history(&self, id: &Id, rows: &mut Vec<Row>) {
        let ends = self.versions.iter().skip(1).map(|next| Some(next.seq)).chain([None]);
        rows.extend(self.versions.iter().zip(ends).map(|(version, until)| {
            VERSION.row([
                id.as_str().into(),
                version.seq.into(),
                until.into(),
                version.status.into(),
                version.phase.map(Phase::name).into(),
                version.severity.into(),
                version.verdict.clone().into(),
                version.lead.clone().into(),
                version.category.clone().into(),
            ])
        }));
        rows.extend(self.milestones.iter().map(|(milestone, reached)| {
            MILESTONE.row([
                id.as_str().into(),
                milestone.name().into(),
                reached.at_us.into(),
                reached.seq.into(),
                reached.precision.as_str().into(),
                reached.late_us.into(),
            ])
        }));
        rows.extend(self.incident.phases.iter().map(|entered| {
            PHASE.row([
                id.as_str().into(),
                entered.seq.into(),
                entered.phase.name().into(),
                entered.at_us.into(),
                entered.by.as_str().into(),
                entered.overridden.join(" ").into(),
            ])
        }));
    }

    fn hanging(&self, id: &Id, rows: &mut Vec<Row>) {
        let incident = &self.incident;
        let link =
            |kind: &str, other: &str, seq: u64| LINK.row([id.as_str().into(), kind.into(), other.into(), seq.into()]);
        rows.extend(incident.alerts.iter().map(|(alert, seq)| link("alert", alert.as_str(), *seq)));
        rows.extend(incident.related.iter().map(|(other, seq)| link("incident", other.as_str(), *seq)));
        rows.extend(incident.recurrences.iter().map(|(other, seq)| link("recurrence-of", other.as_str(), *seq)));
        rows.extend(incident.techniques.iter().map(|(code, seq)| link("technique", code, *seq)));
        rows.extend(incident.observables.iter().map(|id| link("observable", id.as_str(), incident.last_seq)));
        if let Some(scope) = &incident.scope {
            rows.extend(scope.value.assets.iter().map(|asset| link("asset", asset.as_str(), scope.seq)));
            rows.extend(scope.value.services.iter().map(|service| link("service", service.as_str(), scope.seq)));
        }
        rows.extend(
            incident
                .classes
                .iter()
                .map(|(scheme, class)| link("class", &format!("{scheme}:{}", class.value), class.seq)),
        );
        rows.extend(
            incident.readers.iter().map(|reader| link("reader", reader.as_str(), incident.first_seq.unwrap_or(0))),
        );
        rows.extend(incident.tasks.iter().map(|(task, open)| {
            OWED.row([
                id.as_str().into(),
                "task".into(),
                task.as_str().into(),
                open.owner.as_str().into(),
                open.due_us.into(),
                open.seq.into(),
            ])
        }));
        rows.extend(incident.handovers.iter().map(|(jti, to)| {
            let owed = jti.to_string();
            OWED.row([
                id.as_str().into(),
                "handover".into(),
                owed.into(),
                to.value.as_str().into(),
                Cell::Null,
                to.seq.into(),
            ])
        }));
        let lead = Cell::from(incident.lead.as_ref().map(|made| made.value.to_string()));
        rows.extend(incident.clocks.iter().map(|(code, due)| {
            let (due_us, seq) = (due.value.into(), due.seq.into());
            OWED.row([id.as_str().into(), "clock".into(), code.as_str().into(), lead.clone(), due_us, seq])
        }));
        rows.extend(incident.evidence_out.iter().map(|(jti, made)| {
            let seq = made.seq.into();
            OWED.row([
                id.as_str().into(),
                "evidence".into(),
                format!("{} {jti}", made.value).into(),
                Cell::Null,
                Cell::Null,
                seq,
            ])
        }));
        for (jti, run) in &incident.runs {
            for (step, (outcome, seq)) in &run.steps {
                rows.push(STEP.row([
                    id.as_str().into(),
                    jti.to_string().into(),
                    step.as_str().into(),
                    run.playbook.as_str().into(),
                    run.version.as_str().into(),
                    outcome.clone().into(),
                    (*seq).into(),
                ]));
            }
        }
        rows.extend(incident.outages.iter().enumerate().map(|(n, (service, from_us, to_us))| {
            OUTAGE.row([id.as_str().into(), n.into(), service.as_str().into(), (*from_us).into(), (*to_us).into()])
        }));
        let ended = incident.outages.len();
        rows.extend(incident.interrupted.iter().enumerate().map(|(n, (service, from))| {
            OUTAGE.row([id.as_str().into(), (ended + n).into(), service.as_str().into(), from.value.into(), Cell::Null])
        }));
        rows.extend(incident.costs.iter().map(|seq| COST.row([id.as_str().into(), (*seq).into()])));
        rows.extend(incident.links.iter().map(|seq| ITSM.row([id.as_str().into(), (*seq).into()])));
        if let Some(order) = &incident.restoration_order {
            rows.extend(order.value.iter().enumerate().map(|(n, service)| {
                RESTORATION.row([id.as_str().into(), n.into(), service.as_str().into(), order.seq.into()])
            }));
        }
    }

    fn learned(&self, id: &Id, rows: &mut Vec<Row>) {
        for (lesson_id, lesson) in &self.incident.lessons {
            rows.push(LESSON.row([
                id.as_str().into(),
                lesson_id.as_str().into(),
                lesson.cause.clone().into(),
                lesson.none_found.into(),
                // As of the incident's last entry: rows follow from entries, never from a clock.
                lesson.led_somewhere(self.incident.updated_us).into(),
                lesson.playbook.into(),
                lesson.risk.as_ref().map(|until| until.seq).into(),
                lesson.seq.into(),
            ]));
            for (action_id, action) in &lesson.actions {
                rows.push(ACTION.row([
                    id.as_str().into(),
                    action_id.as_str().into(),
                    lesson_id.as_str().into(),
                    action.kind.as_str().into(),
                    action.owner.as_str().into(),
                    action.due_us.into(),
                    action.resource.as_ref().map(Id::as_str).into(),
                    action.opened.into(),
                    action.completed.into(),
                    action.verified.as_ref().map(|made| made.value).into(),
                ]));
            }
        }
    }
}

/// What stands first in a list of what needs somebody: open ones, of these what has no severity yet, then the severest.
fn rank(status: &str, severity: Option<i64>) -> i64 {
    match (status, severity) {
        ("open", None) => 1_999_999,
        ("open", Some(level)) => 1_000_000 + level.clamp(-999_999, 999_998),
        (_, level) => level.unwrap_or(0).clamp(-999_999, 999_998),
    }
}

/// The tables of incidents, in the order of their digest.
pub static TABLES: &[&Table] = &[
    &INCIDENT,
    &VERSION,
    &MILESTONE,
    &PHASE,
    &LINK,
    &OWED,
    &STEP,
    &OUTAGE,
    &COST,
    &ITSM,
    &RESTORATION,
    &LESSON,
    &ACTION,
    &DECISION,
    &CUSTODY,
];

/// One row an incident.
pub static INCIDENT: Table = table(
    "incident",
    "an incident, as it is now",
    1,
    &[
        text("id", "its stream, incident/…"),
        text("status", "open, resolved, closed, improved (closed, and every lesson led somewhere) or merged"),
        text("phase", "initiate, assess, execute, validate, close or improve; NULL if it was never opened"),
        int("severity", "the level, on the organisation's scale"),
        text("scale", "that scale and its version"),
        text("verdict", "the newest verdict"),
        text("category", "its category"),
        text("tlp", "its marking (TLP 2.0)"),
        text("lead", "who leads it"),
        text("opened_by", "who opened it"),
        int("opened_us", "when it was opened, as its opener says"),
        int("detected_us", "when it was detected"),
        int("resolved_us", "when it was resolved"),
        int("closed_us", "when it was closed"),
        int("updated_us", "when its newest entry was recorded"),
        text("resolved_as", "the code of incident.resolved"),
        text("closed_as", "the resolution of incident.closed"),
        text("root_cause", "its root cause"),
        text("merged_into", "the incident that it was merged into"),
        int("imported", "1 if an import began it"),
        int("entries", "entries of its stream"),
        int("alerts", "alerts and reports linked now"),
        int("tasks_open", "tasks that are open"),
        int("clock_due_us", "when the first of its open clocks is due"),
        int("evidence_out", "evidence that is given out"),
        int("overrides", "transitions with overridden gates"),
        int("refusals", "decisions that were refused"),
        int("out_of_phase", "statements that came in another phase than theirs"),
        int("reopened", "how often it was reopened"),
        int("first_seq", "its first entry"),
        int("last_seq", "its newest entry"),
        int("rank", "what needs somebody: 1000000 if it is open, and the severity, or 999999 if an open one has none"),
        int("severity_us", "when its severity was assessed"),
        int("severity_seq", "the entry that assessed it"),
        int("escalated", "1 if it was escalated since"),
    ],
    &[&["rank", "id"], &["status", "rank"], &["opened_us", "id"], &["updated_us", "id"], &["lead"]],
);

/// One row a state that an incident was in.
pub static VERSION: Table = table(
    "incident_version",
    "an incident's state from one entry until another: what it was as of any seq",
    2,
    &[
        text("incident", "its stream"),
        int("from_seq", "the entry that made it so"),
        int("until_seq", "the entry that made it otherwise; NULL: it is so now"),
        text("status", "as in incident"),
        text("phase", "as in incident"),
        int("severity", "as in incident"),
        text("verdict", "as in incident"),
        text("lead", "as in incident"),
        text("category", "as in incident"),
    ],
    &[],
);

/// One row a milestone of an incident.
pub static MILESTONE: Table = table(
    "milestone",
    "when an incident reached what metrics are measured between",
    2,
    &[
        text("incident", "its stream"),
        text("name", "the milestone, see `blotter metrics --definitions`"),
        int("at_us", "when it happened, as said"),
        int("seq", "the entry that says so"),
        text("precision", "how exactly that is known: second, minute, hour, day, month, year or unknown"),
        int("late_us", "how long after it was said to have happened it was recorded; NULL if it says no time"),
    ],
    &[&["name", "at_us"]],
);

/// One row a phase entered.
pub static PHASE: Table = table(
    "incident_phase",
    "a phase that an incident entered",
    2,
    &[
        text("incident", "its stream"),
        int("seq", "the entry"),
        text("phase", "the phase entered"),
        int("at_us", "when"),
        text("by", "who signed it"),
        text("overridden", "codes of gates that were overridden, with spaces between; empty if none"),
    ],
    &[],
);

/// One row a thing that an incident has to do with.
pub static LINK: Table = table(
    "incident_link",
    "what an incident has to do with: alert, incident, recurrence-of, technique, observable, asset, service, class, reader",
    3,
    &[
        text("incident", "its stream"),
        text("kind", "what kind of thing"),
        text("other", "its id or code"),
        int("seq", "the entry that says so"),
    ],
    &[&["kind", "other"]],
);

/// One row a thing that somebody owes.
pub static OWED: Table = table(
    "owed",
    "what is open in an incident: task, handover, clock, evidence",
    3,
    &[
        text("incident", "its stream"),
        text("kind", "task, handover, clock or evidence"),
        text("what", "its id or code"),
        text("owner", "who owes it"),
        int("due_us", "when it is due"),
        int("seq", "the entry that opened it"),
    ],
    &[&["owner", "due_us"]],
);

/// One row a step of a playbook's run.
pub static STEP: Table = table(
    "step",
    "a step of a playbook, as one run did it",
    3,
    &[
        text("incident", "its stream"),
        text("run", "jti of playbook.started"),
        text("step", "the step's id"),
        text("playbook", "the playbook"),
        text("version", "its version"),
        text("outcome", "done, failed or skipped; NULL: started"),
        int("seq", "the newest entry about it"),
    ],
    &[],
);

/// One row an interruption of a service.
pub static OUTAGE: Table = table(
    "outage",
    "an interruption of a service",
    2,
    &[
        text("incident", "its stream"),
        int("n", "a number among the incident's"),
        text("service", "the service"),
        int("from_us", "when it was interrupted"),
        int("until_us", "when it was resumed; NULL: it is interrupted"),
    ],
    &[&["service", "from_us"]],
);

/// One row an entry that records costs; the amounts are data, not facts.
pub static COST: Table = table(
    "cost",
    "an entry that records a cost, a payment or a budget; amounts are in its data",
    2,
    &[text("incident", "its stream"), int("seq", "the entry")],
    &[],
);

/// One row an entry that links a ticket or a change of another system; its number and address are data.
pub static ITSM: Table = table(
    "itsm_link",
    "an entry that links a ticket (ticket.linked) or a change (change.linked) of another system",
    2,
    &[text("incident", "its stream"), int("seq", "the entry")],
    &[],
);

/// One row a service in the order of restoration.
pub static RESTORATION: Table = table(
    "restoration",
    "the order in which services are to be restored, as newest decided",
    2,
    &[
        text("incident", "its stream"),
        int("n", "the place in the order, from 0"),
        text("service", "the service"),
        int("seq", "the entry that decided it"),
    ],
    &[],
);

/// One row a lesson.
pub static LESSON: Table = table(
    "lesson",
    "a lesson, and what it led to",
    2,
    &[
        text("incident", "the incident that taught it"),
        text("lesson", "its stream"),
        text("cause", "the cause that it names"),
        int("none_found", "1: the review found nothing to learn"),
        int(
            "led",
            "1: as of the incident's last entry, it led to a playbook version, a completed action or an accepted risk",
        ),
        int("playbook_seq", "the entry that published the playbook version"),
        int("risk_seq", "the entry that accepted the risk"),
        int("seq", "the entry that recorded it"),
    ],
    &[&["cause"]],
);

/// One row an action that a lesson led to.
pub static ACTION: Table = table(
    "action",
    "what is to be done because of a lesson",
    2,
    &[
        text("incident", "the incident that taught it"),
        text("action", "its id"),
        text("lesson", "its lesson"),
        text("kind", "playbook, control, training, process or tooling"),
        text("owner", "who owes it"),
        int("due_us", "when it is due"),
        text("resource", "what is to be learned, for training"),
        int("opened_seq", "the entry that opened it"),
        int("completed_seq", "the entry that completed it"),
        int("effective", "1: found effective, 0: not; NULL: not verified yet"),
    ],
    &[&["owner", "due_us"]],
);

/// One row a decision in an incident.
pub static DECISION: Table = table(
    "decision",
    "a decision taken in an incident: who signed it, having seen what",
    2,
    &[
        text("incident", "its stream"),
        int("seq", "the entry"),
        text("event", "what was decided"),
        text("by", "who signed it; the roles that they held then are in the keyring as of that entry"),
        int("seen_size", "entries of the log that its signer had verified"),
        int("slipped", "entries of the incident that came in after what they had seen"),
        int("retracted", "1: it was taken back"),
    ],
    &[&["by"]],
);

/// One row a link in a chain of custody.
pub static CUSTODY: Table = table(
    "custody",
    "what was done with evidence, and by whom",
    2,
    &[
        text("incident", "the incident"),
        int("seq", "the entry"),
        text("evidence", "the evidence's stream"),
        text("event", "what was done"),
        text("by", "who says so"),
        text("given_to", "to whom it was given"),
        text("purpose", "what for, or by which method"),
        int("matches", "1: its hash was found unchanged, 0: it was not"),
        int("at_us", "when, as said"),
    ],
    &[&["evidence"]],
);
