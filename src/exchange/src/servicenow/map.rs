//! One row and what its case was before: which statements it makes. The table in the module's documentation is this
//! file's specification. Nothing here can fail.

use blotter_record::{ActorId, Hash, Instant, Json, Jti, Precision};

use super::case::Case;
use super::columns::{CODE_LEN_MAX, Column, Home, code};
use super::row::{Row, Value, first_half};
use super::state::State;
use crate::Imported;

/// Facts and data of a statement.
type Named = Vec<(String, Json)>;

/// The statements of `row`, and its case as it is afterwards.
pub(super) fn map_row(
    columns: &[Column],
    case: &mut Case,
    first: bool,
    row: &Row,
    actor_of: &impl Fn(&str) -> ActorId,
) -> Vec<Imported> {
    let mut said = Said { row, statements: Vec::new() };
    if first {
        said.opened(columns, actor_of);
    }
    let changed = case.changed(row);
    let [updated, priority, outcome] =
        [Home::Updated, Home::Priority, Home::Outcome].map(|home| contents(columns, row, &changed, home, actor_of));
    let reopens = case.reopens(columns, row);

    let cause = said.say("x.servicenow.updated", updated, vec![]);
    if !priority.is_empty() {
        said.say("x.servicenow.priority", priority, vec![cause]);
    }
    let state = changed_state(columns, row, &changed);
    let stated = state.map(|(_, text)| {
        let to = code(text, CODE_LEN_MAX);
        let mut facts = vec![fact("to", to.as_str())];
        facts.extend(case.state_code.replace(to).map(|from| fact("from", from)));
        said.say("x.servicenow.state", Contents { facts, data: vec![fact("incident_state", text)] }, vec![cause])
    });
    let mut trigger = stated;
    if reopens {
        case.resolved = None;
        trigger = Some(said.say("incident.reopened", Contents::default(), vec![cause]));
    }
    let entered = state.and_then(|(state, _)| case.enter(state));
    if let (Some(phase), Some(trigger)) = (entered.and_then(State::phase), trigger)
        && phase != case.phase
    {
        said.say("phase.entered", phase_facts(case.phase.as_str(), phase.as_str(), trigger), vec![trigger]);
        case.phase = phase;
    }
    if let Some(to) = changed_assignee(columns, row, &changed) {
        let facts = vec![fact("to", actor_of(to).to_string()), fact("role", "assignee")];
        said.say("incident.assigned", Contents { facts, data: vec![] }, vec![cause]);
    }
    let closed_code = match row.value(columns, "closed_code") {
        Value::Choice(text) => Some(house_code(text)),
        _ => None,
    };
    if entered == Some(State::Resolved) {
        let code = closed_code.clone().unwrap_or_else(|| house_code("none"));
        let facts = vec![fact("code", code)];
        case.resolved = Some(said.say("incident.resolved", Contents { facts, data: vec![] }, vec![cause]));
    }
    if let (Some(State::Closed), Some((_, text)), Some(stated)) = (entered, state, stated) {
        let resolution = closed_code.unwrap_or_else(|| house_code(text));
        let report = case.resolved.unwrap_or(stated).to_string();
        let facts = vec![fact("resolution", resolution), fact("report", report)];
        said.say("incident.closed", Contents { facts, data: vec![] }, vec![cause]);
    }
    if !outcome.is_empty() {
        said.outcome(columns, case, outcome, cause);
    }
    said.statements
}

/// What a statement carries.
#[derive(Default)]
struct Contents {
    facts: Named,
    data: Named,
}

impl Contents {
    fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.data.is_empty()
    }
}

/// The statements of a row so far.
struct Said<'a> {
    row: &'a Row,
    statements: Vec<Imported>,
}

impl Said<'_> {
    /// Says what the row's person did at the row's time.
    fn say(&mut self, event: &str, contents: Contents, cause: Vec<Jti>) -> Jti {
        let (person, occurred) = (self.row.updated_by.clone(), Some(self.row.updated_at.instant.clone()));
        self.say_of(event, person, occurred, contents, cause)
    }

    fn say_of(
        &mut self,
        event: &str,
        person: String,
        occurred: Option<Instant>,
        Contents { facts, data }: Contents,
        cause: Vec<Jti>,
    ) -> Jti {
        let jti = id_of(&self.row.ids_from, event);
        let precision = if occurred.is_some() { Precision::Minute } else { Precision::Unknown };
        self.statements.push(Imported {
            line: self.row.line,
            jti,
            person,
            sub: self.row.incident.clone(),
            about: Vec::new(),
            event: event.to_owned(),
            occurred,
            precision,
            facts,
            data,
            cause,
        });
        jti
    }

    fn opened(&mut self, columns: &[Column], actor_of: &impl Fn(&str) -> ActorId) {
        let person = ["opened_by", "sys_created_by"].into_iter().find_map(|name| match self.row.value(columns, name) {
            Value::Person(person) => Some(person.clone()),
            _ => None,
        });
        let person = person.unwrap_or_else(|| self.row.updated_by.clone());
        let occurred = match self.row.value(columns, "opened_at") {
            Value::Time(time) => Some(time.instant.clone()),
            _ => None,
        };
        let category = match self.row.value(columns, "category") {
            Value::Choice(text) => house_code(text),
            _ => house_code("uncategorised"),
        };
        let lead = actor_of(&person).to_string();
        let facts = vec![fact("lead", lead), fact("category", category), fact("tlp", "amber")];
        self.say_of("incident.opened", person, occurred, Contents { facts, data: vec![] }, vec![]);
    }

    /// How a case ended, with the row's time only if that could be known then.
    fn outcome(&mut self, columns: &[Column], case: &Case, mut contents: Contents, cause: Jti) {
        let row_time = &self.row.updated_at.instant;
        let later = ["resolved_at", "closed_at"].into_iter().any(|name| match self.row.value(columns, name) {
            Value::Time(time) => time.instant > *row_time,
            _ => false,
        });
        let hindsight = later || !case.state.is_some_and(State::is_finished);
        contents.facts.push(("hindsight".to_owned(), hindsight.into()));
        let occurred = (!hindsight).then(|| row_time.clone());
        self.say_of("x.servicenow.outcome", self.row.updated_by.clone(), occurred, contents, vec![cause]);
    }
}

/// What changed in the columns that belong into the statement `home`.
fn contents(
    columns: &[Column],
    row: &Row,
    changed: &[usize],
    home: Home,
    actor_of: &impl Fn(&str) -> ActorId,
) -> Contents {
    let mut contents = Contents::default();
    if home == Home::Updated && row.updated_at.ambiguous {
        contents.facts.push(("ambiguous_sys_updated_at".to_owned(), true.into()));
    }
    for index in changed {
        let (column, value) = (&columns[*index], &row.cells[*index].0);
        let lost = *value == Value::Missing && home == Home::Updated;
        if column.home == home || lost && matches!(column.home, Home::State | Home::Assigned) {
            add_cell(&mut contents, &column.field, value, actor_of);
        }
    }
    contents
}

fn add_cell(Contents { facts, data }: &mut Contents, field: &str, value: &Value, actor_of: &impl Fn(&str) -> ActorId) {
    let name = || field.to_owned();
    match value {
        Value::Missing => facts.push((format!("cleared_{field}"), true.into())),
        Value::Flag(flag) => facts.push((name(), (*flag).into())),
        Value::Count(count) => facts.push((name(), (*count).into())),
        Value::Person(person) => facts.push((name(), actor_of(person).to_string().into())),
        Value::Time(time) => {
            facts.push((name(), time.instant.as_str().into()));
            if time.ambiguous {
                facts.push((format!("ambiguous_{field}"), true.into()));
            }
        }
        Value::Choice(text) | Value::State(_, text) => {
            facts.push((name(), code(text, CODE_LEN_MAX).into()));
            data.push((name(), text.as_str().into()));
        }
        Value::Ranked(rank, text) => {
            facts.push((name(), (*rank).into()));
            data.push((name(), text.as_str().into()));
        }
        Value::Text(text) => data.push((name(), text.as_str().into())),
    }
}

fn changed_state<'a>(columns: &[Column], row: &'a Row, changed: &[usize]) -> Option<(State, &'a str)> {
    changed.iter().find_map(|index| match &row.cells[*index].0 {
        Value::State(state, text) if columns[*index].home == Home::State => Some((*state, text.as_str())),
        _ => None,
    })
}

fn changed_assignee<'a>(columns: &[Column], row: &'a Row, changed: &[usize]) -> Option<&'a str> {
    changed.iter().find_map(|index| match &row.cells[*index].0 {
        Value::Person(person) if columns[*index].home == Home::Assigned => Some(person.as_str()),
        _ => None,
    })
}

fn phase_facts(from: &str, to: &str, trigger: Jti) -> Contents {
    let empty = |name: &str| (name.to_owned(), Json::List(vec![]));
    let facts = vec![
        fact("from", from),
        fact("to", to),
        fact("trigger", trigger.to_string()),
        empty("inputs"),
        empty("outputs"),
        ("override".to_owned(), false.into()),
        empty("unmet"),
    ];
    Contents { facts, data: vec![] }
}

fn fact(name: &str, value: impl Into<Json>) -> (String, Json) {
    (name.to_owned(), value.into())
}

/// A code in a fact of the vocabulary's own, where others' codes stand beside it.
fn house_code(text: &str) -> String {
    let prefix = "servicenow:";
    format!("{prefix}{}", code(text, CODE_LEN_MAX - prefix.len()))
}

/// A row gives rise to an event at most once, so row and event are enough.
fn id_of(row: &Hash, event: &str) -> Jti {
    Jti::v8(first_half(&Hash::of(&[super::ID_PREFIX.as_bytes(), &row.0, event.as_bytes()].concat())))
}
