//! The events of rules version 1, one variant each, in the order of rules/1.csv. Readers match over all of them, without
//! a catch-all, so that a new event asks every reader what it means.

use std::fmt;
use std::str::FromStr;

use crate::limits::NAME_LEN_MAX;
use crate::rules::{RULES_1, Rule};

macro_rules! events {
    ($($variant:ident = $name:literal,)*) => {
        /// What a statement says happened.
        #[allow(missing_docs, reason = "the name says it; rules/1.csv has subject, facts and data of each")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Event {
            $($variant,)*
        }

        impl Event {
            /// All events, in the order of the rules table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

events! {
    LedgerFounded = "ledger.founded",
    LedgerOpened = "ledger.opened",
    BootstrapClosed = "bootstrap.closed",
    RulesAdopted = "rules.adopted",
    LedgerKeyRotated = "ledger.key-rotated",
    RotationApproved = "rotation.approved",
    ClockStepped = "clock.stepped",
    TimeAttested = "time.attested",
    CheckpointWitnessed = "checkpoint.witnessed",
    LedgerVerified = "ledger.verified",
    LedgerGapDetected = "ledger.gap-detected",
    DefectAcknowledged = "defect.acknowledged",
    WebhookDelivered = "webhook.delivered",
    ActorEnrolled = "actor.enrolled",
    KeyAdded = "key.added",
    KeyRecovered = "key.recovered",
    RecoveryApproved = "recovery.approved",
    KeyRevoked = "key.revoked",
    RoleGranted = "role.granted",
    RoleRevoked = "role.revoked",
    TokenIssued = "token.issued",
    TokenRevoked = "token.revoked",
    PolicySet = "policy.set",
    TriageThresholdSet = "triage-threshold.set",
    EscalationPathApproved = "escalation-path.approved",
    RegimeEnabled = "regime.enabled",
    EventTypeDefined = "event-type.defined",
    PlanReviewed = "plan.reviewed",
    ExerciseCompleted = "exercise.completed",
    SourceRegistered = "source.registered",
    SourceHeartbeat = "source.heartbeat",
    AssetRegistered = "asset.registered",
    ServiceRegistered = "service.registered",
    ImportStarted = "import.started",
    ImportCompleted = "import.completed",
    AlertReceived = "alert.received",
    AlertAggregated = "alert.aggregated",
    ReportReceived = "report.received",
    AlertTriaged = "alert.triaged",
    AlertDismissed = "alert.dismissed",
    IncidentOpened = "incident.opened",
    AlertLinked = "alert.linked",
    AlertUnlinked = "alert.unlinked",
    IncidentAcknowledged = "incident.acknowledged",
    IncidentAssigned = "incident.assigned",
    IncidentRestricted = "incident.restricted",
    PhaseEntered = "phase.entered",
    PhaseRefused = "phase.refused",
    OccurrenceAsserted = "occurrence.asserted",
    DetectionAsserted = "detection.asserted",
    SeverityAssessed = "severity.assessed",
    ScopeAssessed = "scope.assessed",
    IntelAttached = "intel.attached",
    TechniqueAttributed = "technique.attributed",
    ObservableAdded = "observable.added",
    ObservableRetracted = "observable.retracted",
    IncidentConfirmed = "incident.confirmed",
    IncidentClassified = "incident.classified",
    ReviewRecorded = "review.recorded",
    DeterminationMade = "determination.made",
    ObligationAssessed = "obligation.assessed",
    BreachAssessed = "breach.assessed",
    MaterialityDetermined = "materiality.determined",
    ClockStarted = "clock.started",
    Escalated = "escalated",
    PlaybookStarted = "playbook.started",
    StepStarted = "step.started",
    StepCompleted = "step.completed",
    ActionAuthorised = "action.authorised",
    ContainmentStarted = "containment.started",
    ContainmentDeferred = "containment.deferred",
    ContainmentAchieved = "containment.achieved",
    ContainmentLost = "containment.lost",
    EradicationStarted = "eradication.started",
    EradicationCompleted = "eradication.completed",
    ChangeLinked = "change.linked",
    TicketLinked = "ticket.linked",
    RootCauseIdentified = "root-cause.identified",
    RiskAccepted = "risk.accepted",
    RansomPaid = "ransom.paid",
    RansomApproved = "ransom.approved",
    BudgetAuthorised = "budget.authorised",
    CostRecorded = "cost.recorded",
    RecoveryInitiated = "recovery.initiated",
    RestorationPrioritised = "restoration.prioritised",
    BackupVerified = "backup.verified",
    ServiceInterrupted = "service.interrupted",
    EvidenceAcquired = "evidence.acquired",
    EvidenceReleased = "evidence.released",
    EvidenceReceived = "evidence.received",
    EvidenceAccessed = "evidence.accessed",
    EvidenceVerified = "evidence.verified",
    EvidenceDisposed = "evidence.disposed",
    DisposalApproved = "disposal.approved",
    SystemRestored = "system.restored",
    MonitoringStarted = "monitoring.started",
    ValidationPerformed = "validation.performed",
    ValidationSignedOff = "validation.signed-off",
    ServiceResumed = "service.resumed",
    IncidentRecovered = "incident.recovered",
    TaskOpened = "task.opened",
    TaskCompleted = "task.completed",
    HandoverGiven = "handover.given",
    HandoverAccepted = "handover.accepted",
    NotificationDrafted = "notification.drafted",
    NotificationApproved = "notification.approved",
    NotificationDelayDeclared = "notification.delay-declared",
    NotificationSent = "notification.sent",
    NotificationAcknowledged = "notification.acknowledged",
    StakeholderUpdated = "stakeholder.updated",
    LegalHoldPlaced = "legal.hold-placed",
    LegalHoldReleased = "legal.hold-released",
    PrivilegeAsserted = "privilege.asserted",
    PrivilegeWaived = "privilege.waived",
    DiscoveryNoticeServed = "discovery.notice-served",
    IncidentMerged = "incident.merged",
    IncidentSplit = "incident.split",
    IncidentResolved = "incident.resolved",
    ReportPublished = "report.published",
    IncidentClosed = "incident.closed",
    IncidentReopened = "incident.reopened",
    ReviewHeld = "review.held",
    LessonRecorded = "lesson.recorded",
    ActionOpened = "action.opened",
    ActionCompleted = "action.completed",
    ActionVerified = "action.verified",
    PlaybookPublished = "playbook.published",
    RecurrenceLinked = "recurrence.linked",
    FeedbackRecorded = "feedback.recorded",
    GapReported = "gap.reported",
    GapAccepted = "gap.accepted",
    GapClosed = "gap.closed",
    WaiverSigned = "waiver.signed",
    AttestationMade = "attestation.made",
    ReplayRun = "replay.run",
    RetentionDisposed = "retention.disposed",
    CommentAdded = "comment.added",
    CorrectionRecorded = "correction.recorded",
    RetractionRecorded = "retraction.recorded",
    ErasureRequested = "erasure.requested",
    ErasureApproved = "erasure.approved",
    ErasureExecuted = "erasure.executed",
    EntryExpunged = "entry.expunged",
    RecordExported = "record.exported",
    RecordViewed = "record.viewed",
}

impl Event {
    /// The name in statements, such as `incident.opened`.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// The event of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        static INDEX: std::sync::LazyLock<std::collections::HashMap<&'static str, Event>> =
            std::sync::LazyLock::new(|| Event::ALL.iter().map(|event| (event.name(), *event)).collect());
        INDEX.get(name).copied()
    }

    /// Its row of the rules table.
    pub fn rule(self) -> &'static Rule {
        &RULES_1.rows()[self as usize]
    }
}

/// The event of a statement: one of the vocabulary, a user's own, or one that only newer rules know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventName {
    /// One of [`Event`].
    Known(Event),
    /// A user's own: `x.` and a name.
    Custom(String),
    /// Well-formed, but not of rules version 1. A writer refuses it; a verifier can only authenticate it.
    Unknown(String),
}

impl EventName {
    /// The name in the statement.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(event) => event.name(),
            Self::Custom(name) | Self::Unknown(name) => name,
        }
    }

    /// The event of the vocabulary, if it is one.
    pub fn known(&self) -> Option<Event> {
        match self {
            Self::Known(event) => Some(*event),
            Self::Custom(_) | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that can't name an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" does not name an event: words of a-z 0-9 joined by . _ or - are wanted, two or more, at most 64 characters",
    .0.escape_debug().to_string().chars().take(80).collect::<String>()
)]
pub struct EventNameError(pub String);

impl FromStr for EventName {
    type Err = EventNameError;

    fn from_str(text: &str) -> Result<Self, EventNameError> {
        if let Some(event) = Event::from_name(text) {
            return Ok(Self::Known(event));
        }
        let spelt = text.len() <= NAME_LEN_MAX
            && text.contains('.')
            && text
                .split(['.', '_', '-'])
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        if !spelt {
            return Err(EventNameError(text.to_owned()));
        }
        Ok(if text.starts_with("x.") { Self::Custom(text.to_owned()) } else { Self::Unknown(text.to_owned()) })
    }
}
