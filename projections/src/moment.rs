//! Moments: an incident as of any of them, on both axes. What was recorded by then, and of that, what had occurred by
//! then; and what is different between two of them.

use blotter_process::{Incident, Phase, Said};
use blotter_record::{Event, Id, Instant, Jti, Precision, Statement};
use chrono::{DateTime, Months, TimeDelta};
use std::collections::{BTreeSet, HashMap};

use crate::catch_up::drop_elsewhere;
use crate::incidents::Case;
use crate::views::Source;

/// Entries of a stream that are read at once.
const READ_ENTRIES: usize = 1_024;

/// A moment on both axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Entries before this seq were recorded by then.
    pub size: u64,
    /// What occurred later than this is left out, in microseconds since 1970; `None`: whatever occurred when.
    pub occurred_us: Option<i64>,
}

impl Moment {
    /// All that was recorded in the first `size` entries.
    pub fn recorded(size: u64) -> Self {
        Self { size, occurred_us: None }
    }
}

/// An entry, as far as folds need it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its seq.
    pub seq: u64,
    /// When it was recorded, in microseconds since 1970.
    pub recorded_us: i64,
    /// Its statement.
    pub statement: Statement,
}

/// The incident as of a moment; no entries if nothing was recorded of it by then.
///
/// # Errors
/// If the log can't be read.
pub fn case_as_of<S: Source>(source: &S, incident: &Id, moment: Moment) -> Result<Case, S::Error> {
    let told = told_of(source, incident, moment)?;
    let mut case = Case::default();
    for entry in &told {
        case.incident.note_retraction(&entry.statement);
    }
    for Told { seq, recorded_us, statement } in &told {
        if statement.streams().any(|id| id == incident) {
            case.fold(incident, Said { seq: *seq, recorded_us: *recorded_us, statement });
        } else {
            // A playbook version that names one of its lessons.
            for lesson in statement.about.iter().filter(|id| id.kind() == "lesson") {
                case.incident.fold_lesson(lesson, *seq, statement);
            }
        }
    }
    drop_elsewhere(told);
    Ok(case)
}

/// The incident as gates are judged by: of imported history only what moved it.
///
/// # Errors
/// If the log can't be read.
pub fn gate_state<S: Source>(source: &S, incident: &Id, moment: Moment) -> Result<Incident, S::Error> {
    let told = told_of(source, incident, moment)?;
    let mut state = Incident::default();
    told.iter().for_each(|entry| state.note_retraction(&entry.statement));
    for Told { seq, recorded_us, statement } in &told {
        if statement.streams().any(|id| id == incident) {
            state.fold_for_gates(incident, Said { seq: *seq, recorded_us: *recorded_us, statement });
        }
        for lesson in statement.about.iter().filter(|id| id.kind() == "lesson") {
            state.fold_lesson(lesson, *seq, statement);
        }
    }
    Ok(state)
}

/// What there is to tell of an incident as of a moment, in the order of the log: its stream, and the playbook versions that
/// its lessons led to.
///
/// # Errors
/// If the log can't be read.
pub fn told_of<S: Source>(source: &S, incident: &Id, moment: Moment) -> Result<Vec<Told>, S::Error> {
    let mut told = read_stream(source, incident, moment.size)?;
    let lessons: BTreeSet<Id> = told.iter().filter_map(|entry| entry.statement.facts.id("lesson").cloned()).collect();
    for lesson in lessons {
        let of_lesson = read_stream(source, &lesson, moment.size)?;
        let published = |entry: &Told| entry.statement.event.known() == Some(Event::PlaybookPublished);
        told.extend(of_lesson.into_iter().filter(published));
    }
    told.sort_by_key(|entry| entry.seq);
    told.dedup_by_key(|entry| entry.seq);
    if let Some(until_us) = moment.occurred_us {
        let corrected = corrections(&told);
        told.retain(|entry| occurred_by(entry, &corrected) <= until_us);
    }
    Ok(told)
}

/// Entries of a stream before `end`; expunged ones are left out.
pub(crate) fn read_stream<S: Source>(source: &S, stream: &Id, end: u64) -> Result<Vec<Told>, S::Error> {
    let mut told = Vec::new();
    let mut n = 0;
    loop {
        let read = source.stream(stream, n, READ_ENTRIES)?;
        n += read.len() as u64;
        let more = read.len() == READ_ENTRIES;
        for entry in read {
            if entry.seq >= end {
                return Ok(told);
            }
            let seq = entry.seq;
            told.extend(entry.said.map(|(placed, statement)| Told {
                seq,
                recorded_us: placed.recorded.unix_us(),
                statement,
            }));
        }
        if !more {
            return Ok(told);
        }
    }
}

/// The occurrences that were corrected: `correction.recorded` with the field `occurred` says, by its own `occurred`, when
/// the statement `of` really happened.
pub fn corrections(told: &[Told]) -> HashMap<Jti, (Instant, Precision)> {
    let corrects = |entry: &Told| {
        let said = &entry.statement;
        let of_time =
            said.event.known() == Some(Event::CorrectionRecorded) && said.facts.word("field") == Some("occurred");
        Some((said.facts.jti("of").filter(|_| of_time)?, (said.occurred.clone()?, said.precision)))
    };
    told.iter().filter_map(corrects).collect()
}

/// By when an entry's event had certainly occurred: the end of the interval that its precision leaves open; what says
/// nothing had occurred when it was recorded.
pub(crate) fn occurred_by(entry: &Told, corrected: &HashMap<Jti, (Instant, Precision)>) -> i64 {
    let said = &entry.statement;
    if said.event.known() == Some(Event::CorrectionRecorded) {
        // It happened when it was made; its own time is that of another.
        return entry.recorded_us;
    }
    let own = said.occurred.clone().map(|at| (at, said.precision));
    match corrected.get(&said.jti).cloned().or(own) {
        Some((at, precision)) => interval_end_us(&at, precision),
        None => entry.recorded_us,
    }
}

/// The last microsecond of the interval that begins at `at`, in microseconds since 1970.
pub fn interval_end_us(at: &Instant, precision: Precision) -> i64 {
    let start = at.unix_us();
    let parsed = DateTime::parse_from_rfc3339(at.as_str()).ok();
    let months = |count| {
        let end = parsed.and_then(|start| start.checked_add_months(Months::new(count)));
        end.map_or(start, |end| end.timestamp_micros() - 1)
    };
    let end = |length: TimeDelta| start + length.num_microseconds().unwrap_or(0) - 1;
    match precision {
        Precision::Second | Precision::Unknown => start,
        Precision::Minute => end(TimeDelta::minutes(1)),
        Precision::Hour => end(TimeDelta::hours(1)),
        Precision::Day => end(TimeDelta::days(1)),
        Precision::Month => months(1),
        Precision::Year => months(12),
    }
}

/// A value of an incident, for people, and the entries that made it so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, for `why`.
    pub name: String,
    /// Its value; empty if it has none.
    pub value: String,
    /// Seqs of the entries that made it so, oldest first.
    pub seqs: Vec<u64>,
}

/// All values of an incident that an entry made.
pub fn fields(case: &Case) -> Vec<Field> {
    let i = &case.incident;
    let mut fields = Vec::new();
    let mut add = |name: &str, value: Option<String>, seqs: Vec<u64>| {
        if let Some(value) = value {
            fields.push(Field { name: name.to_owned(), value, seqs });
        }
    };
    macro_rules! made {
        ($name:literal, $made:expr, $show:expr) => {
            add($name, $made.as_ref().map(|made| $show(&made.value)), $made.iter().map(|made| made.seq).collect())
        };
    }
    let seq = |seq: Option<u64>| seq.into_iter().collect::<Vec<_>>();
    add("status", i.first_seq.map(|_| i.status().to_owned()), status_seqs(i));
    let phase_seq = i.phase.as_ref().map(|made| made.seq).or(i.opened.as_ref().map(|made| made.seq));
    add("phase", i.current_phase().map(|phase| phase.name().to_owned()), seq(phase_seq));
    made!("opened", i.opened, |opened: &blotter_process::Opened| format!("by {}", opened.by));
    made!("lead", i.lead, ToString::to_string);
    made!("category", i.category, Clone::clone);
    made!("tlp", i.tlp, Clone::clone);
    made!("acknowledged", i.acknowledged, |by: &blotter_record::ActorId| format!("by {by}"));
    made!("severity", i.severity, |severity: &blotter_process::Severity| format!(
        "{} ({})",
        severity.level, severity.scale
    ));
    made!("verdict", i.verdict, Clone::clone);
    for (scheme, class) in &i.classes {
        add(&format!("class.{scheme}"), Some(class.value.clone()), vec![class.seq]);
    }
    made!("occurred", i.occurred, show_us);
    made!("detected", i.detected, show_us);
    made!("scope.assets", i.scope, |scope: &blotter_process::Scope| listed(scope.assets.iter()));
    made!("scope.services", i.scope, |scope: &blotter_process::Scope| listed(scope.services.iter()));
    let all = |seqs: &mut dyn Iterator<Item = u64>| seqs.collect::<BTreeSet<_>>().into_iter().collect::<Vec<u64>>();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    add("alerts", some(listed(i.alerts.keys())), all(&mut i.alerts.values().copied()));
    add("intel", some(count(i.intel.len(), "piece")), i.intel.clone());
    add("techniques", some(listed(i.techniques.keys())), all(&mut i.techniques.values().copied()));
    made!("root-cause", i.root_cause, Clone::clone);
    add("contained", some(listed(i.contained.keys())), all(&mut i.contained.values().copied()));
    add("containment-lost", i.containment_lost.map(|_| "yes".to_owned()), seq(i.containment_lost));
    add("eradicated", some(listed(i.eradicated.keys())), all(&mut i.eradicated.values().copied()));
    add("restored", some(listed(i.restored.keys())), all(&mut i.restored.values().map(|made| made.seq)));
    let validated =
        i.validated.iter().map(|(asset, passed)| format!("{asset} {}", if passed.value { "passed" } else { "failed" }));
    add(
        "validated",
        some(validated.collect::<Vec<_>>().join(", ")),
        all(&mut i.validated.values().map(|made| made.seq)),
    );
    made!("signed-off", i.signed_off, |accepted: &bool| if *accepted { "accepted" } else { "refused" }.to_owned());
    made!("restoration-order", i.restoration_order, |order: &Vec<Id>| listed(order.iter()));
    add("interrupted", some(listed(i.interrupted.keys())), all(&mut i.interrupted.values().map(|made| made.seq)));
    add("tasks", some(listed(i.tasks.keys())), all(&mut i.tasks.values().map(|task| task.seq)));
    add("clocks", some(listed(i.clocks.keys())), all(&mut i.clocks.values().map(|made| made.seq)));
    add("clocks-answered", some(listed(i.clocks_answered.keys())), all(&mut i.clocks_answered.values().copied()));
    add(
        "escalated",
        i.escalations.last().map(|made| format!("to {}", made.value)),
        i.escalations.iter().map(|made| made.seq).collect(),
    );
    add("evidence", some(listed(i.evidence.iter())), Vec::new());
    add(
        "evidence-out",
        some(listed(i.evidence_out.values().map(|made| &made.value))),
        all(&mut i.evidence_out.values().map(|made| made.seq)),
    );
    add("holds", some(listed(i.holds.keys())), all(&mut i.holds.values().copied()));
    add(
        "risks",
        some(i.risks.iter().map(|risk| risk.code.clone()).collect::<Vec<_>>().join(", ")),
        i.risks.iter().map(|risk| risk.seq).collect(),
    );
    made!("resolved", i.resolved, Clone::clone);
    made!("closed", i.closed, Clone::clone);
    made!("merged-into", i.merged_into, ToString::to_string);
    add("related", some(listed(i.related.keys())), all(&mut i.related.values().copied()));
    add("recurrence-of", some(listed(i.recurrences.keys())), all(&mut i.recurrences.values().copied()));
    let lessons = i.lessons.iter().map(|(id, lesson)| {
        format!("{id} {}", if lesson.led_somewhere(i.updated_us) { "led somewhere" } else { "leads nowhere yet" })
    });
    add("lessons", some(lessons.collect::<Vec<_>>().join(", ")), all(&mut i.lessons.values().map(|lesson| lesson.seq)));
    let overrides = i.phases.iter().filter(|entered| !entered.overridden.is_empty());
    let told = overrides.clone().map(|entered| format!("{}: {}", entered.phase, entered.overridden.join(" ")));
    add("overridden", some(told.collect::<Vec<_>>().join("; ")), overrides.map(|entered| entered.seq).collect());
    add("refused", some(count(i.refusals.len(), "decision")), i.refusals.clone());
    add("out-of-phase", some(count(i.out_of_phase.len(), "statement")), i.out_of_phase.clone());
    add("tickets-and-changes", some(count(i.links.len(), "link")), i.links.clone());
    // Events of users' own, and those that only newer rules know: no other value says anything of them.
    let others = i.events.iter().filter(|(event, _)| Event::from_name(event).is_none());
    let told = others
        .clone()
        .map(|(event, (times, _))| if *times == 1 { event.clone() } else { format!("{event} ({times})") });
    add("other-events", some(told.collect::<Vec<_>>().join(", ")), all(&mut others.map(|(_, (_, newest))| *newest)));
    fields
}

/// The entries that say where it stands.
fn status_seqs(incident: &Incident) -> Vec<u64> {
    let seqs = [
        incident.merged_into.as_ref().map(|made| made.seq),
        incident.closed.as_ref().map(|made| made.seq),
        incident.resolved.as_ref().map(|made| made.seq),
        incident.improved,
    ];
    let mut seqs: Vec<u64> = seqs.into_iter().flatten().collect();
    if seqs.is_empty() {
        seqs.extend(incident.reopened.last().copied().or(incident.opened.as_ref().map(|made| made.seq)));
    }
    seqs.sort_unstable();
    seqs
}

/// What is different between two states of an incident: name, before, after.
pub fn differences(before: &Case, after: &Case) -> Vec<(String, Option<Field>, Option<Field>)> {
    let (old, new) = (fields(before), fields(after));
    let find = |fields: &[Field], name: &str| fields.iter().find(|field| field.name == name).cloned();
    let mut names: Vec<&str> = old.iter().chain(&new).map(|field| field.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    let pairs = names.into_iter().map(|name| (name.to_owned(), find(&old, name), find(&new, name)));
    pairs
        .filter(|(_, old, new)| old.as_ref().map(|field| &field.value) != new.as_ref().map(|field| &field.value))
        .collect()
}

fn listed<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// `3 decisions`; nothing if there are none.
fn count(n: usize, what: &str) -> String {
    match n {
        0 => String::new(),
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}

fn show_us(at_us: &i64) -> String {
    Instant::from_unix_us(*at_us).map_or_else(|_| at_us.to_string(), |at| at.to_string())
}

/// The phases that an incident can go to from where it is.
pub fn ways_out(incident: &Incident) -> Vec<Phase> {
    let at = incident.current_phase().filter(|_| incident.merged_into.is_none());
    at.map(|at| at.ways_out().map(|way| way.to).collect()).unwrap_or_default()
}
