//! The six phases of an incident and the ways between them (DESIGN.md §5, after the SecOps process overview). A phase is
//! entered by `phase.entered` alone; what happens meanwhile is recorded in any phase.

use std::fmt;

use blotter_record::{Event, Role};

/// A phase of the lifecycle.
#[allow(missing_docs, reason = "the name says it")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Initiate,
    Assess,
    Execute,
    Validate,
    Close,
    Improve,
}

impl Phase {
    /// All of them, in the order of the lifecycle.
    pub const ALL: [Self; 6] =
        [Self::Initiate, Self::Assess, Self::Execute, Self::Validate, Self::Close, Self::Improve];

    /// The word in statements.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initiate => "initiate",
            Self::Assess => "assess",
            Self::Execute => "execute",
            Self::Validate => "validate",
            Self::Close => "close",
            Self::Improve => "improve",
        }
    }

    /// The phase of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// The phase that the vocabulary files an event under; `None` for one that belongs to any.
    pub fn of(event: Event) -> Option<Self> {
        Self::from_name(event.rule().phase)
    }

    /// The transitions out of it.
    pub fn ways_out(self) -> impl Iterator<Item = &'static Transition> {
        TRANSITIONS.iter().filter(move |transition| transition.from == self)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a transition is made; it decides which gates stand before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Course {
    /// To the next phase: the gates of the phase that is left.
    Forward,
    /// To Close, because it is no incident: the gates of Assess, with a verdict that says so.
    Dismissal,
    /// Back, because a validation failed, a sign-off was refused or containment was lost.
    Back,
    /// Back, because the incident was reopened.
    Reopening,
    /// From Improve to Close: the incident is at rest, each of its lessons led somewhere.
    Rest,
}

/// A way from one phase to another.
#[derive(Debug, PartialEq, Eq)]
pub struct Transition {
    /// The phase that is left.
    pub from: Phase,
    /// The phase that is entered.
    pub to: Phase,
    /// The courses that it may take; where there are several, one whose gates are met is enough.
    pub courses: &'static [Course],
    /// Who may sign it: any one of these roles.
    pub roles: &'static [Role],
    /// What may have triggered it: the `trigger` is a statement of one of these events.
    pub triggers: &'static [Event],
}

/// The transition between two phases, if there is one.
pub fn transition(from: Phase, to: Phase) -> Option<&'static Transition> {
    TRANSITIONS.iter().find(|transition| transition.from == from && transition.to == to)
}

use Course::{Back, Dismissal, Forward, Reopening, Rest};
use Phase::{Assess, Close, Execute, Improve, Initiate, Validate};
use Role::{GrcLead, ItOpsLead, SecopsManager, SocAnalyst};

/// All transitions.
pub static TRANSITIONS: &[Transition] = &[
    Transition {
        from: Initiate,
        to: Assess,
        courses: &[Forward],
        roles: &[SocAnalyst, SecopsManager],
        // The analyst's review.
        triggers: &[Event::IncidentAcknowledged, Event::AlertTriaged, Event::IncidentAssigned, Event::IncidentOpened],
    },
    Transition {
        from: Assess,
        to: Execute,
        courses: &[Forward],
        roles: &[SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentConfirmed],
    },
    Transition {
        from: Assess,
        to: Close,
        courses: &[Dismissal],
        roles: &[SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentConfirmed],
    },
    Transition {
        from: Execute,
        to: Validate,
        courses: &[Forward],
        roles: &[ItOpsLead, SocAnalyst, SecopsManager],
        // Restored systems, or the last step before them.
        triggers: &[
            Event::SystemRestored,
            Event::EradicationCompleted,
            Event::ContainmentAchieved,
            Event::RecoveryInitiated,
            Event::RiskAccepted,
        ],
    },
    Transition {
        from: Execute,
        to: Close,
        courses: &[Dismissal],
        roles: &[SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentConfirmed],
    },
    Transition {
        from: Validate,
        to: Execute,
        courses: &[Back],
        roles: &[ItOpsLead, SocAnalyst, SecopsManager],
        triggers: &[Event::ValidationPerformed, Event::ValidationSignedOff, Event::ContainmentLost],
    },
    Transition {
        from: Validate,
        to: Close,
        courses: &[Forward],
        roles: &[SecopsManager],
        triggers: &[Event::ValidationSignedOff, Event::IncidentRecovered, Event::IncidentResolved],
    },
    Transition {
        from: Close,
        to: Assess,
        courses: &[Reopening],
        roles: &[SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentReopened],
    },
    Transition {
        from: Close,
        to: Execute,
        courses: &[Reopening, Back],
        roles: &[ItOpsLead, SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentReopened, Event::ContainmentLost],
    },
    Transition {
        from: Close,
        to: Improve,
        courses: &[Forward],
        roles: &[SecopsManager, GrcLead],
        // The post-incident analysis.
        triggers: &[Event::ReviewHeld, Event::IncidentClosed, Event::ReportPublished],
    },
    Transition {
        from: Improve,
        to: Assess,
        courses: &[Reopening],
        roles: &[SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentReopened],
    },
    Transition {
        from: Improve,
        to: Execute,
        courses: &[Reopening, Back],
        roles: &[ItOpsLead, SocAnalyst, SecopsManager],
        triggers: &[Event::IncidentReopened, Event::ContainmentLost],
    },
    Transition {
        from: Improve,
        to: Close,
        courses: &[Rest],
        roles: &[SecopsManager, GrcLead],
        triggers: &[
            Event::ActionCompleted,
            Event::ActionVerified,
            Event::PlaybookPublished,
            Event::RiskAccepted,
            Event::LessonRecorded,
            Event::ReviewHeld,
        ],
    },
];
