//! The fold of an incident: what each event does to its state. One arm an event, and none for the rest.

use blotter_record::{ActorId, Event, Id, Statement};

use crate::incident::{Action, Entered, Incident, Made, Opened, Risk, Run, Said, Scope, Severity, Task};
use crate::phase::Phase;

impl Incident {
    /// Takes one more entry of the stream `id`.
    pub fn fold(&mut self, id: &Id, said: Said<'_>) {
        let Said { seq, recorded_us, statement } = said;
        self.entries += 1;
        if self.first_seq.is_none() {
            self.first_seq = Some(seq);
            self.imported = statement.is_imported();
        }
        (self.last_seq, self.updated_us) = (seq, recorded_us);
        let known = statement.event.known();
        if let Some(event) = known {
            self.note_phase(event, seq);
            self.note_restorer(event, statement.actor());
        }
        if self.retracted.contains(&statement.jti) && !known.is_some_and(moves) {
            return;
        }
        // Most have happened before: then no name is copied.
        match self.events.get_mut(statement.event.as_str()) {
            Some(counted) => *counted = (counted.0 + 1, seq),
            None => _ = self.events.insert(statement.event.as_str().to_owned(), (1, seq)),
        }
        let Some(event) = known else { return };
        let fold = Fold { id, seq, at_us: occurred_us(statement, recorded_us), statement };
        match event {
            Event::IncidentOpened => self.open(&fold),
            Event::IncidentAcknowledged => _ = self.acknowledged.get_or_insert(fold.made(statement.actor().clone())),
            Event::IncidentAssigned => self.assign(&fold),
            Event::IncidentRestricted => {
                self.tlp = fold.word("tlp");
                self.readers = statement.facts.actors("readers").into_iter().cloned().collect();
            }
            Event::IncidentMerged => self.merge(&fold),
            Event::IncidentSplit => self.split(&fold),
            Event::IncidentResolved => self.resolved = fold.word("code"),
            Event::IncidentRecovered => self.recovered = Some(seq),
            Event::IncidentClosed => self.closed = fold.word("resolution"),
            Event::IncidentReopened => {
                self.reopened.push(seq);
                self.resume(seq);
            }
            Event::PhaseEntered => self.enter(&fold),
            Event::PhaseRefused => self.refusals.push(seq),
            Event::AlertLinked => fold.with_id("alert", |alert| _ = self.alerts.insert(alert, seq)),
            Event::AlertUnlinked => fold.with_id("alert", |alert| _ = self.alerts.remove(&alert)),
            Event::OccurrenceAsserted => self.occurred = fold.instant("at"),
            Event::DetectionAsserted => self.detected = fold.instant("at"),
            Event::SeverityAssessed => self.assess(&fold),
            Event::ScopeAssessed => {
                let ids = |name| statement.facts.ids(name).into_iter().cloned().collect();
                self.scope = Some(fold.made(Scope { assets: ids("assets"), services: ids("services") }));
            }
            Event::IntelAttached => self.intel.push(seq),
            Event::TechniqueAttributed => {
                self.techniques.extend(statement.facts.word("technique").map(|code| (code.to_owned(), seq)));
            }
            Event::ObservableAdded => fold.with_id("observable", |id| _ = self.observables.insert(id)),
            Event::ObservableRetracted => fold.with_id("observable", |id| _ = self.observables.remove(&id)),
            Event::IncidentConfirmed => self.verdict = fold.word("verdict"),
            Event::IncidentClassified => {
                let scheme = statement.facts.word("scheme").unwrap_or_default().to_owned();
                self.classes.extend(fold.word("class").map(|class| (scheme, class)));
            }
            Event::ObligationAssessed => self.end_clocks_that_do_not_apply(&fold),
            Event::ClockStarted => {
                let code = statement.facts.word("clock").unwrap_or_default().to_owned();
                self.clocks.extend(fold.instant("due_at").map(|due| (code, due)));
            }
            Event::NotificationSent => {
                if let Some(code) = statement.facts.word("clock") {
                    self.clocks.remove(code);
                    self.clocks_answered.insert(code.to_owned(), seq);
                }
            }
            Event::Escalated => self.escalations.extend(fold.word("to")),
            Event::PlaybookStarted => self.start_run(&fold),
            Event::StepStarted => self.note_step(&fold, None),
            Event::StepCompleted => self.note_step(&fold, statement.facts.word("outcome")),
            Event::ActionAuthorised => self.authorised.push(seq),
            Event::ContainmentStarted => self.containment_started = Some(seq),
            Event::ContainmentAchieved => {
                self.contained.extend(statement.facts.ids("assets").into_iter().map(|asset| (asset.clone(), seq)));
                self.containment = Some(fold.made(statement.actor().clone()));
            }
            Event::ContainmentLost => {
                let assets = statement.facts.ids("assets");
                if assets.is_empty() {
                    self.contained.clear();
                }
                assets.into_iter().for_each(|asset| _ = self.contained.remove(asset));
                (self.containment, self.containment_lost) = (None, Some(seq));
            }
            Event::EradicationCompleted => {
                self.eradicated.extend(statement.facts.ids("assets").into_iter().map(|asset| (asset.clone(), seq)));
                self.eradication = Some(seq);
            }
            Event::ChangeLinked | Event::TicketLinked => self.links.push(seq),
            Event::RootCauseIdentified => self.root_cause = fold.word("cause"),
            Event::RiskAccepted => self.accept_risk(&fold),
            Event::CostRecorded | Event::RansomPaid | Event::BudgetAuthorised => self.costs.push(seq),
            Event::RestorationPrioritised => {
                let order = statement.facts.ids("order").into_iter().cloned().collect();
                self.restoration_order = Some(fold.made(order));
            }
            Event::ServiceInterrupted => fold.with_id("service", |service| {
                if let Some(at) = fold.instant("at") {
                    self.interrupted.entry(service).or_insert(at);
                }
            }),
            Event::ServiceResumed => fold.with_id("service", |service| {
                if let (Some(from), Some(to)) = (self.interrupted.remove(&service), fold.instant("at")) {
                    self.outages.push((service, from.value, to.value));
                }
            }),
            Event::SystemRestored => fold.with_id("asset", |asset| {
                // What was restored again is to be validated again.
                self.validated.remove(&asset);
                self.restored.insert(asset, fold.made(statement.actor().clone()));
            }),
            Event::ValidationPerformed => self.validate(&fold),
            Event::ValidationSignedOff => {
                self.signed_off = Some(fold.made(statement.facts.word("outcome") == Some("accepted")));
            }
            Event::TaskOpened => self.open_task(&fold),
            Event::TaskCompleted => fold.with_id("task", |task| {
                self.tasks_done += u64::from(self.tasks.remove(&task).is_some());
            }),
            Event::HandoverGiven => {
                self.handovers.extend(fold.actor("to").map(|to| (statement.jti, to)));
            }
            Event::HandoverAccepted => {
                let given = statement.facts.jti("handover").and_then(|handover| self.handovers.remove(&handover));
                if given.is_some_and(|to| to.value == *statement.actor()) {
                    self.lead = Some(fold.made(statement.actor().clone()));
                }
            }
            Event::EvidenceAcquired => _ = self.evidence.insert(statement.sub.clone()),
            Event::EvidenceReleased => {
                self.evidence_out.insert(statement.jti, fold.made(statement.sub.clone()));
            }
            Event::EvidenceReceived => {
                statement.facts.jti("release").map(|release| self.evidence_out.remove(&release));
            }
            Event::DisposalApproved => {
                self.disposals.insert(statement.jti, (statement.actor().clone(), statement.sub.clone()));
            }
            Event::EvidenceDisposed => {
                self.evidence.remove(&statement.sub);
                statement.facts.jti("approval").map(|approval| self.disposals.remove(&approval));
            }
            Event::RetentionDisposed => {
                statement.facts.jti("approval").map(|approval| self.disposals.remove(&approval));
            }
            Event::LegalHoldPlaced => fold.with_id("hold", |hold| _ = self.holds.insert(hold, seq)),
            Event::LegalHoldReleased => fold.with_id("hold", |hold| _ = self.holds.remove(&hold)),
            Event::ReportPublished => _ = self.reports.insert(statement.jti, seq),
            Event::ReviewHeld => self.reviewed = Some(seq),
            Event::LessonRecorded => self.record_lesson(&fold),
            Event::ActionOpened => self.open_action(&fold),
            Event::ActionCompleted => self.with_action(&fold, |action| action.completed = Some(seq)),
            Event::ActionVerified => {
                let effective = statement.facts.is_true("effective");
                self.with_action(&fold, |action| action.verified = Some(Made { value: effective, seq }));
            }
            Event::FeedbackRecorded => self.feedback.push(seq),
            Event::RecurrenceLinked => {
                let other = statement.streams().find(|stream| stream.kind() == "incident" && *stream != id);
                let other = other.or(statement.facts.id("incident")).filter(|other| *other != id);
                self.recurrences.extend(other.map(|other| (other.clone(), seq)));
            }
            // They say something about it that no gate asks for; views of their own show them.
            Event::AlertReceived
            | Event::AlertAggregated
            | Event::ReportReceived
            | Event::AlertTriaged
            | Event::AlertDismissed
            | Event::ReviewRecorded
            | Event::DeterminationMade
            | Event::BreachAssessed
            | Event::MaterialityDetermined
            | Event::ContainmentDeferred
            | Event::RansomApproved
            | Event::BackupVerified
            | Event::EradicationStarted
            | Event::RecoveryInitiated
            | Event::EvidenceAccessed
            | Event::EvidenceVerified
            | Event::MonitoringStarted
            | Event::NotificationDrafted
            | Event::NotificationApproved
            | Event::NotificationDelayDeclared
            | Event::NotificationAcknowledged
            | Event::StakeholderUpdated
            | Event::PrivilegeAsserted
            | Event::PrivilegeWaived
            | Event::DiscoveryNoticeServed
            | Event::GapReported
            | Event::GapAccepted
            | Event::GapClosed
            | Event::WaiverSigned
            | Event::AttestationMade
            | Event::ReplayRun
            | Event::CommentAdded
            | Event::CorrectionRecorded
            | Event::RetractionRecorded
            | Event::ErasureRequested
            | Event::ErasureApproved
            | Event::ErasureExecuted
            | Event::EntryExpunged
            | Event::RecordExported
            | Event::RecordViewed => {}
            // They can't stand in an incident's stream.
            Event::LedgerFounded
            | Event::LedgerOpened
            | Event::BootstrapClosed
            | Event::RulesAdopted
            | Event::LedgerKeyRotated
            | Event::RotationApproved
            | Event::ClockStepped
            | Event::TimeAttested
            | Event::CheckpointWitnessed
            | Event::LedgerVerified
            | Event::LedgerGapDetected
            | Event::DefectAcknowledged
            | Event::WebhookDelivered
            | Event::ActorEnrolled
            | Event::KeyAdded
            | Event::KeyRecovered
            | Event::RecoveryApproved
            | Event::KeyRevoked
            | Event::RoleGranted
            | Event::RoleRevoked
            | Event::TokenIssued
            | Event::TokenRevoked
            | Event::PolicySet
            | Event::TriageThresholdSet
            | Event::EscalationPathApproved
            | Event::RegimeEnabled
            | Event::EventTypeDefined
            | Event::PlanReviewed
            | Event::ExerciseCompleted
            | Event::SourceRegistered
            | Event::SourceHeartbeat
            | Event::AssetRegistered
            | Event::ServiceRegistered
            | Event::ImportStarted
            | Event::ImportCompleted
            | Event::PlaybookPublished => {}
        }
    }

    /// Takes one more entry, for judging gates: of imported history only what opened, moved or merged the incident counts,
    /// because it opens no gate (FORMAT.md §5.6).
    pub fn fold_for_gates(&mut self, id: &Id, said: Said<'_>) {
        let event = said.statement.event.known();
        let counts = matches!(event, Some(Event::IncidentOpened | Event::PhaseEntered | Event::IncidentMerged));
        if !said.statement.is_imported() || counts {
            self.fold(id, said);
        }
        if said.statement.is_imported() {
            // Nor do the alerts that an imported opening names.
            self.alerts.retain(|_, linked| *linked != said.seq);
        }
    }

    /// Takes note of an entry of a lesson's stream that is not in the incident's: a playbook version that names it.
    pub fn fold_lesson(&mut self, lesson: &Id, seq: u64, statement: &Statement) {
        if statement.event.known() == Some(Event::PlaybookPublished)
            && !self.retracted.contains(&statement.jti)
            && let Some(state) = self.lessons.get_mut(lesson)
        {
            state.playbook = Some(seq);
        }
    }

    /// Recorded as it happened, and marked: the paperwork of the phase comes later.
    fn note_phase(&mut self, event: Event, seq: u64) {
        if let (Some(at), Some(filed)) = (self.current_phase(), Phase::of(event))
            && at != filed
            && !is_of_every_phase(event)
        {
            self.out_of_phase.push(seq);
        }
    }

    /// Who worked on it has done so, even if they took it back: else they could, and then sign it off.
    fn note_restorer(&mut self, event: Event, actor: &ActorId) {
        let works = matches!(
            event,
            Event::ContainmentAchieved
                | Event::EradicationStarted
                | Event::EradicationCompleted
                | Event::RecoveryInitiated
                | Event::SystemRestored
        );
        if works {
            self.restorers.insert(actor.clone());
        }
    }

    fn open(&mut self, fold: &Fold<'_>) {
        if self.opened.is_some() || fold.statement.sub != *fold.id {
            return;
        }
        let by = fold.statement.actor().clone();
        self.opened = Some(fold.made(Opened { by, at_us: fold.at_us }));
        (self.lead, self.category, self.tlp) = (fold.actor("lead"), fold.word("category"), fold.word("tlp"));
        let alerts = fold.statement.about.iter().filter(|id| id.kind() == "alert");
        self.alerts.extend(alerts.map(|alert| (alert.clone(), fold.seq)));
    }

    fn assign(&mut self, fold: &Fold<'_>) {
        let (Some(to), Some(role)) = (fold.actor("to"), fold.statement.facts.word("role")) else { return };
        if role == "lead" {
            self.lead = Some(to);
        } else {
            self.assigned.insert(role.to_owned(), to);
        }
    }

    fn merge(&mut self, fold: &Fold<'_>) {
        if fold.statement.sub == *fold.id {
            self.merged_into = fold.statement.facts.id("into").map(|into| fold.made(into.clone()));
        } else {
            self.related.insert(fold.statement.sub.clone(), fold.seq);
        }
    }

    /// The alerts go with the new incident, and stay named in the old one's history.
    fn split(&mut self, fold: &Fold<'_>) {
        let alerts = fold.statement.facts.ids("alerts");
        if fold.statement.sub == *fold.id {
            self.related.extend(fold.statement.facts.id("from").map(|from| (from.clone(), fold.seq)));
            self.alerts.extend(alerts.into_iter().map(|alert| (alert.clone(), fold.seq)));
        } else {
            self.related.insert(fold.statement.sub.clone(), fold.seq);
            alerts.into_iter().for_each(|alert| _ = self.alerts.remove(alert));
        }
    }

    fn enter(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let Some(to) = facts.word("to").and_then(Phase::from_name) else { return };
        match (self.current_phase(), to) {
            (Some(Phase::Improve), Phase::Close) => self.improved = Some(fold.seq),
            // Whatever led back to work: it is to be closed again.
            (Some(Phase::Close | Phase::Improve), Phase::Assess | Phase::Execute) => {
                self.resume(fold.seq);
            }
            _ => {}
        }
        let unmet = if facts.is_true("override") { facts.words("unmet") } else { Vec::new() };
        let overridden = unmet.into_iter().map(str::to_owned).collect();
        let by = fold.statement.actor().clone();
        self.phases.push(Entered { phase: to, seq: fold.seq, at_us: fold.at_us, by, overridden });
        self.phase = Some(fold.made(to));
    }

    fn resume(&mut self, seq: u64) {
        self.resumed = Some(seq);
        (self.closed, self.resolved, self.improved) = (None, None, None);
    }

    fn assess(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let Some(level) = facts.int("level") else { return };
        let scale = format!("{}/{}", facts.word("scale").unwrap_or("?"), facts.word("scale_version").unwrap_or("?"));
        self.severities.push((fold.seq, level));
        self.severity = Some(fold.made(Severity { scale, level }));
    }

    fn end_clocks_that_do_not_apply(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        if facts.is_true("applies") {
            return;
        }
        let Some(regime) = facts.word("regime") else { return };
        let regime = regime.to_ascii_lowercase();
        let of_it = |code: &String| code.split_once('.').map_or(code.as_str(), |(regime, _)| regime) == regime;
        let ended: Vec<String> = self.clocks.keys().filter(|code| of_it(code)).cloned().collect();
        for code in ended {
            self.clocks.remove(&code);
            self.clocks_answered.insert(code, fold.seq);
        }
    }

    fn start_run(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let word = |name| facts.word(name).unwrap_or_default().to_owned();
        let Some(playbook) = facts.id("playbook") else { return };
        let run = Run {
            playbook: playbook.clone(),
            version: word("version"),
            document_sha256: word("document_sha256"),
            seq: fold.seq,
            steps: std::collections::BTreeMap::new(),
        };
        self.runs.insert(fold.statement.jti, run);
    }

    fn note_step(&mut self, fold: &Fold<'_>, outcome: Option<&str>) {
        let facts = &fold.statement.facts;
        if let (Some(run), Some(step)) = (facts.jti("run"), facts.word("step"))
            && let Some(run) = self.runs.get_mut(&run)
        {
            run.steps.insert(step.to_owned(), (outcome.map(str::to_owned), fold.seq));
        }
    }

    fn accept_risk(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let lesson = facts.id("lesson").cloned();
        self.risks.push(Risk {
            code: facts.word("risk").unwrap_or_default().to_owned(),
            expires_us: facts.instant("expires").map_or(i64::MAX, blotter_record::Instant::unix_us),
            lesson: lesson.clone(),
            seq: fold.seq,
        });
        if let Some(lesson) = lesson
            && self.lessons.contains_key(&lesson)
        {
            let risk = self.risk_of(&lesson);
            self.lessons.entry(lesson).or_default().risk = risk;
        }
    }

    /// The accepted risk that answers a lesson: of several, the one that lasts longest.
    fn risk_of(&self, lesson: &Id) -> Option<Made<i64>> {
        let of_it = self.risks.iter().filter(|risk| risk.lesson.as_ref() == Some(lesson));
        of_it.max_by_key(|risk| risk.expires_us).map(|risk| Made { value: risk.expires_us, seq: risk.seq })
    }

    fn validate(&mut self, fold: &Fold<'_>) {
        let passed = fold.statement.facts.word("result") == Some("pass");
        fold.with_id("asset", |asset| _ = self.validated.insert(asset, fold.made(passed)));
        if !passed {
            self.validation_failed = Some(fold.seq);
        }
    }

    fn open_task(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        if let (Some(task), Some(owner)) = (facts.id("task"), facts.actor("owner")) {
            let due_us = facts.instant("due").map(blotter_record::Instant::unix_us);
            self.tasks.insert(task.clone(), Task { owner: owner.clone(), due_us, seq: fold.seq });
        }
    }

    fn record_lesson(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let Some(lesson) = facts.id("lesson") else { return };
        // A risk may have been accepted for it before it was written down.
        let risk = self.risk_of(lesson);
        let state = self.lessons.entry(lesson.clone()).or_default();
        state.seq = fold.seq;
        state.none_found = facts.is_true("none_found");
        state.cause = facts.word("cause").map(str::to_owned);
        state.risk = risk;
    }

    fn open_action(&mut self, fold: &Fold<'_>) {
        let facts = &fold.statement.facts;
        let (Some(action), Some(lesson), Some(owner)) = (facts.id("action"), facts.id("lesson"), facts.actor("owner"))
        else {
            return;
        };
        let opened = Action {
            kind: facts.word("kind").unwrap_or_default().to_owned(),
            owner: owner.clone(),
            due_us: facts.instant("due").map_or(i64::MAX, blotter_record::Instant::unix_us),
            resource: facts.id("resource").cloned(),
            opened: fold.seq,
            completed: None,
            verified: None,
        };
        self.lessons.entry(lesson.clone()).or_default().actions.insert(action.clone(), opened);
    }

    fn with_action(&mut self, fold: &Fold<'_>, change: impl FnOnce(&mut Action)) {
        let Some(id) = fold.statement.facts.id("action") else { return };
        if let Some(action) = self.lessons.values_mut().find_map(|lesson| lesson.actions.get_mut(id)) {
            change(action);
        }
    }
}

/// What moved or ended an incident has done so, even if it was taken back: only another one of its kind moves it again.
fn moves(event: Event) -> bool {
    matches!(
        event,
        Event::IncidentOpened
            | Event::PhaseEntered
            | Event::IncidentClosed
            | Event::IncidentReopened
            | Event::IncidentMerged
            | Event::IncidentSplit
            | Event::EvidenceDisposed
            | Event::RetentionDisposed
            | Event::RetractionRecorded
    )
}

/// Filed under a phase by the vocabulary, but as true in any other.
fn is_of_every_phase(event: Event) -> bool {
    matches!(event, Event::IncidentReopened | Event::RiskAccepted | Event::ReviewRecorded | Event::AlertLinked)
}

/// When it happened, as its actor says; else when it was recorded. In microseconds since 1970.
fn occurred_us(statement: &Statement, recorded_us: i64) -> i64 {
    statement.occurred.as_ref().map_or(recorded_us, blotter_record::Instant::unix_us)
}

/// One entry, as it is taken apart.
struct Fold<'a> {
    id: &'a Id,
    seq: u64,
    at_us: i64,
    statement: &'a Statement,
}

impl Fold<'_> {
    fn made<T>(&self, value: T) -> Made<T> {
        Made { value, seq: self.seq }
    }

    fn word(&self, name: &str) -> Option<Made<String>> {
        self.statement.facts.word(name).map(|word| self.made(word.to_owned()))
    }

    fn actor(&self, name: &str) -> Option<Made<ActorId>> {
        self.statement.facts.actor(name).map(|actor| self.made(actor.clone()))
    }

    fn instant(&self, name: &str) -> Option<Made<i64>> {
        self.statement.facts.instant(name).map(|at| self.made(at.unix_us()))
    }

    fn with_id(&self, name: &str, then: impl FnOnce(Id)) {
        if let Some(id) = self.statement.facts.id(name) {
            then(id.clone());
        }
    }
}
