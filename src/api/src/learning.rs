//! Lessons, and what people owe: computed once, for the API and for the shell. Every entry that something rests on is looked
//! up before it is shown, so nobody reads a word of what they may not.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use blotter_ledger::{Error, Read};
use blotter_projections::lessons::{Learned, Recurrence, lessons, recurrences};
use blotter_projections::metrics::{entries_of, retracted};
use blotter_projections::owed::{Owed, owed, words};
use blotter_projections::{Facts, LogIndex};
use blotter_record::{ActorId, Event, Id};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::caller::Caller;
use crate::finder::Log;
use crate::measures::{Sees, incidents_for, is_shown, sees, text, unusable, view_error};
use crate::past::with_facts;
use crate::problem::Problem;

/// Lessons, as far as the one who asks may read them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LessonsView {
    /// Oldest first.
    pub lessons: Vec<LessonView>,
    /// Incidents that look like one before them.
    pub recurrences: Vec<RecurrenceView>,
    /// Lessons and recurrences that the one who asks may not read.
    pub left_out: usize,
    /// Entries of the log that this rests on.
    pub as_of_size: u64,
}

/// A lesson, from the incident to what it led to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LessonView {
    /// The incident that taught it.
    pub incident: String,
    /// The entry of its newest review.
    pub review_seq: Option<u64>,
    /// The lesson.
    pub lesson: String,
    /// The entry that recorded it.
    pub seq: u64,
    /// When that was.
    pub at: Option<String>,
    /// The cause that it names.
    pub cause: Option<String>,
    /// What it says; null if that was erased or never said.
    pub text: Option<String>,
    /// There was nothing to learn.
    pub none_found: bool,
    /// It led to a playbook version, a completed action or an accepted risk, or there was none.
    pub led_somewhere: bool,
    /// What is to be done.
    pub actions: Vec<ActionView>,
    /// The playbook version that names it.
    pub playbook: Option<PlaybookView>,
    /// The entry that accepted the risk instead.
    pub risk_seq: Option<u64>,
}

/// An action.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ActionView {
    /// Its id.
    pub action: String,
    /// playbook, control, training, process or tooling.
    pub kind: String,
    /// Who owes it.
    pub owner: String,
    /// When it is due.
    pub due: String,
    /// Whether that is over, and it is open.
    pub overdue: bool,
    /// What is to be learned.
    pub resource: Option<String>,
    /// The entry that opened it.
    pub opened_seq: u64,
    /// The entry that completed it.
    pub completed_seq: Option<u64>,
    /// Whether it was found effective; null: not verified yet.
    pub effective: Option<bool>,
}

/// A version of a playbook.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PlaybookView {
    /// The playbook.
    pub playbook: String,
    /// The version.
    pub version: String,
    /// The entry that published it.
    pub seq: u64,
}

/// An incident that looks like one before it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RecurrenceView {
    /// The later one.
    pub incident: String,
    /// The earlier one.
    pub earlier: String,
    /// What they share: `root-cause:…`, `class:…`, `technique:…`.
    pub shared: Vec<String>,
    /// What became of the earlier one's lessons.
    pub outcome: &'static str,
    /// Somebody linked them with `recurrence.linked`.
    pub linked: bool,
}

/// What is owed, as far as the one who asks may read it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwedListView {
    /// What is due first stands first; what has no date, last.
    pub owed: Vec<OwedView>,
    /// What the one who asks may not read.
    pub left_out: usize,
    /// Entries of the log that this rests on.
    pub as_of_size: u64,
}

/// Something that somebody owes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OwedView {
    /// task, handover, clock, evidence or action.
    pub kind: String,
    /// Its id or code.
    pub what: String,
    /// What it is about; null if that was erased or never said.
    pub text: Option<String>,
    /// Who owes it.
    pub owner: Option<String>,
    /// When it is due.
    pub due: Option<String>,
    /// How long until then, in microseconds; negative if it is overdue.
    pub left_us: Option<i64>,
    /// The incident.
    pub incident: String,
    /// The entry that opened it.
    pub seq: u64,
}

/// Lessons and recurrences that `sees` lets through.
///
/// # Errors
/// If log or views can't be read.
pub fn lessons_view(
    (facts, index): (&Facts, &LogIndex),
    store: &dyn Read,
    now_us: i64,
    sees: Sees<'_>,
) -> Result<LessonsView, Error> {
    let source = Log(store);
    let mut view = LessonsView { lessons: Vec::new(), recurrences: Vec::new(), left_out: 0, as_of_size: facts.size() };
    for mut learned in lessons(facts.db(), index, &source, facts.size()).map_err(view_error)? {
        if !is_shown(store, learned.seq, sees)? || !sees(&[&learned.incident]) {
            view.left_out += 1;
            continue;
        }
        // Of another incident that the same lesson is of.
        let mut readable = Vec::new();
        for action in learned.actions {
            if is_shown(store, action.opened, sees)? {
                readable.push(action);
            }
        }
        learned.actions = readable;
        let text = words(&source, learned.seq, &["text"])?;
        view.lessons.push(LessonView::of(&learned, text, now_us));
    }
    let mut links = entries_of(index, &source, &[Event::RecurrenceLinked, Event::RetractionRecorded], facts.size())
        .map_err(view_error)?;
    let taken_back = retracted(&links);
    links.retain(|entry| entry.said.as_ref().is_some_and(|(_, said)| !taken_back.contains(&said.jti)));
    for found in recurrences(facts.db(), &links).map_err(|e| unusable(&e))? {
        if sees(&[&found.incident, &found.earlier]) {
            view.recurrences.push(RecurrenceView::of(&found));
        } else {
            view.left_out += 1;
        }
    }
    Ok(view)
}

/// What is owed, as far as `sees` lets it through.
///
/// # Errors
/// If log or views can't be read.
pub fn owed_view(facts: &Facts, store: &dyn Read, now_us: i64, sees: Sees<'_>) -> Result<OwedListView, Error> {
    let source = Log(store);
    let mut view = OwedListView { owed: Vec::new(), left_out: 0, as_of_size: facts.size() };
    for one in owed(facts.db(), &source).map_err(view_error)? {
        if !sees(&[&one.incident]) || !is_shown(store, one.seq, sees)? {
            view.left_out += 1;
            continue;
        }
        let text = words(&source, one.seq, &["title", "summary", "text"])?;
        view.owed.push(OwedView::of(&one, text, now_us));
    }
    Ok(view)
}

impl LessonView {
    fn of(learned: &Learned, words: Option<String>, now_us: i64) -> Self {
        let actions = learned.actions.iter().map(|action| ActionView {
            action: action.action.clone(),
            kind: action.kind.clone(),
            owner: action.owner.clone(),
            due: text(action.due_us),
            overdue: action.is_overdue(now_us),
            resource: action.resource.as_ref().map(Id::to_string),
            opened_seq: action.opened,
            completed_seq: action.completed,
            effective: action.effective,
        });
        Self {
            incident: learned.incident.to_string(),
            review_seq: learned.review,
            lesson: learned.lesson.to_string(),
            seq: learned.seq,
            at: learned.at_us.map(text),
            cause: learned.cause.clone(),
            text: words,
            none_found: learned.none_found,
            led_somewhere: learned.led,
            actions: actions.collect(),
            playbook: learned.playbook.as_ref().map(|playbook| PlaybookView {
                playbook: playbook.playbook.to_string(),
                version: playbook.version.clone(),
                seq: playbook.seq,
            }),
            risk_seq: learned.risk,
        }
    }
}

impl RecurrenceView {
    fn of(found: &Recurrence) -> Self {
        Self {
            incident: found.incident.to_string(),
            earlier: found.earlier.to_string(),
            shared: found.shared.iter().map(|(kind, code)| format!("{kind}:{code}")).collect(),
            outcome: found.outcome.text(),
            linked: found.linked,
        }
    }
}

impl OwedView {
    fn of(one: &Owed, words: Option<String>, now_us: i64) -> Self {
        Self {
            kind: one.kind.clone(),
            what: one.what.clone(),
            text: words,
            owner: one.owner.clone(),
            due: one.due_us.map(text),
            left_us: one.due_us.map(|due_us| due_us.saturating_sub(now_us)),
            incident: one.incident.to_string(),
            seq: one.seq,
        }
    }
}

/// Whose.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OwnerQuery {
    /// Only what this actor owes.
    owner: Option<String>,
    /// Only what is overdue.
    #[serde(default)]
    overdue: bool,
    /// As it was recorded up to and with this entry (a number), or by this instant: what was overdue then.
    as_of: Option<String>,
}

impl OwnerQuery {
    fn owner(&self) -> Result<Option<ActorId>, Problem> {
        let parse =
            |text: &String| text.parse().map_err(|e| Problem::new("bad-parameter", format!("owner: {e}")).at("owner"));
        self.owner.as_ref().map(parse).transpose()
    }
}

/// Lessons across incidents
///
/// From the incident to its review, the lesson, its actions, whether they had an effect, and the playbook version that names
/// it; and incidents that look like one before them. With `owner` or `overdue`, lessons that have such an action.
#[utoipa::path(get, path = "/v1/lessons", tag = "metrics", params(OwnerQuery), responses(
    (status = 200, description = "Lessons and recurrences", body = LessonsView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Log or views can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn get_lessons(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<OwnerQuery>,
) -> Result<Json<LessonsView>, Problem> {
    let reads = incidents_for(&app, &caller)?;
    let owner = query.owner()?;
    let answer = move |app: &App, store: &dyn Read| {
        with_facts(app, store, query.as_of.as_deref(), |facts, index, at_us| {
            let shown = app.shown(store)?;
            let sees = |streams: &[&Id]| sees(&caller, reads, &shown, streams);
            let mut view = lessons_view((facts, index), store, at_us, &sees)?;
            view.only(owner.as_ref().map(ActorId::as_str), query.overdue);
            Ok(view)
        })
    };
    app.read(answer).await.map(Json)
}

impl LessonsView {
    /// Keeps lessons that have an action of this owner's, or an overdue one, if that is wanted.
    pub fn only(&mut self, owner: Option<&str>, overdue: bool) {
        if owner.is_some() || overdue {
            let wanted =
                |action: &ActionView| owner.is_none_or(|owner| action.owner == owner) && (!overdue || action.overdue);
            self.lessons.retain(|lesson| lesson.actions.iter().any(wanted));
        }
    }
}

impl OwedListView {
    /// Keeps what this owner owes, or what is overdue, if that is wanted.
    pub fn only(&mut self, owner: Option<&str>, overdue: bool) {
        self.owed.retain(|one| {
            owner.is_none_or(|owner| one.owner.as_deref() == Some(owner))
                && (!overdue || one.left_us.is_some_and(|left_us| left_us < 0))
        });
    }
}

/// What each person owes
///
/// Open tasks, handovers to be accepted, clocks that run, evidence given out, and actions that lessons led to.
#[utoipa::path(get, path = "/v1/owed", tag = "metrics", params(OwnerQuery), responses(
    (status = 200, description = "What is owed, by when it is due", body = OwedListView),
    (status = "4XX", description = "Not for this caller, or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Log or views can't be read", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn get_owed(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(query): Query<OwnerQuery>,
) -> Result<Json<OwedListView>, Problem> {
    let reads = incidents_for(&app, &caller)?;
    let owner = query.owner()?;
    let answer = move |app: &App, store: &dyn Read| {
        with_facts(app, store, query.as_of.as_deref(), |facts, _, at_us| {
            let shown = app.shown(store)?;
            let sees = |streams: &[&Id]| sees(&caller, reads, &shown, streams);
            let mut view = owed_view(facts, store, at_us, &sees)?;
            view.only(owner.as_ref().map(ActorId::as_str), query.overdue);
            Ok(view)
        })
    };
    app.read(answer).await.map(Json)
}
