//! The rows of an incident in its tables.

use blotter_process::{Incident, Phase};
use blotter_record::Id;

use super::tables::{
    ACTION, COST, CUSTODY, DECISION, INCIDENT, ITSM, LESSON, LINK, MILESTONE, OUTAGE, OWED, PHASE, RESTORATION, STEP,
    VERSION,
};
use super::{Case, Milestone};
use crate::table::{Cell, Row};

impl Case {
    /// Its rows in all tables.
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
