//! The view of incidents: of each, what it is now, every state that it was in, and what hangs on it. All rows of an
//! incident are a function of its stream.

mod rows;
mod tables;

use std::collections::BTreeMap;

use blotter_process::{Incident, Phase, Said};
use blotter_record::{Decision, Event, Id, Precision};

pub use self::tables::TABLES;
use crate::custody::Link;

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
    /// As the table `incident` has it.
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
}
