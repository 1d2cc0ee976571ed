//! The tables of incidents, with their columns; how they are filled stands in `rows`.

use crate::table::{Table, int, table, text};

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
pub(super) static INCIDENT: Table = table(
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
pub(super) static VERSION: Table = table(
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
pub(super) static MILESTONE: Table = table(
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
pub(super) static PHASE: Table = table(
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
pub(super) static LINK: Table = table(
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
pub(super) static OWED: Table = table(
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
pub(super) static STEP: Table = table(
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
pub(super) static OUTAGE: Table = table(
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
pub(super) static COST: Table = table(
    "cost",
    "an entry that records a cost, a payment or a budget; amounts are in its data",
    2,
    &[text("incident", "its stream"), int("seq", "the entry")],
    &[],
);

/// One row an entry that links a ticket or a change of another system; its number and address are data.
pub(super) static ITSM: Table = table(
    "itsm_link",
    "an entry that links a ticket (ticket.linked) or a change (change.linked) of another system",
    2,
    &[text("incident", "its stream"), int("seq", "the entry")],
    &[&["seq"]],
);

/// One row a service in the order of restoration.
pub(super) static RESTORATION: Table = table(
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
pub(super) static LESSON: Table = table(
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
pub(super) static ACTION: Table = table(
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
pub(super) static DECISION: Table = table(
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
pub(super) static CUSTODY: Table = table(
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
