//! The columns of the audit export: which there are, what a cell of each may be, and which statement it goes into.
//! The table is the code's half of the mapping in the module's documentation.

use crate::error::shown;

/// What a cell is, once read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The case's number.
    Number,
    /// A name of the state model.
    State,
    /// TRUE or FALSE.
    Flag,
    /// A whole number.
    Count,
    /// An entry of a list that the instance's owner keeps.
    Choice,
    /// `2 - Medium`.
    Ranked,
    /// Somebody who did something: becomes an imported actor.
    Person,
    /// A local time.
    Time,
    /// Anything else: it may name or describe a person.
    Text,
}

/// The statement that says what a cell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// The row itself: stream, person, time.
    Claims,
    /// `x.servicenow.updated`.
    Updated,
    /// `x.servicenow.priority`.
    Priority,
    /// `x.servicenow.state`.
    State,
    /// `incident.assigned`, or if there is nobody any more `x.servicenow.updated`.
    Assigned,
    /// `x.servicenow.outcome`.
    Outcome,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name in the header.
    pub(super) name: String,
    /// The name of the fact or value that it becomes.
    pub(super) field: String,
    pub(super) kind: Kind,
    pub(super) home: Home,
}

const KNOWN: [(&str, Kind, Home); 36] = [
    ("number", Kind::Number, Home::Claims),
    ("incident_state", Kind::State, Home::State),
    ("active", Kind::Flag, Home::Updated),
    ("reassignment_count", Kind::Count, Home::Updated),
    ("reopen_count", Kind::Count, Home::Updated),
    ("sys_mod_count", Kind::Count, Home::Updated),
    ("made_sla", Kind::Flag, Home::Updated),
    ("caller_id", Kind::Text, Home::Updated),
    ("opened_by", Kind::Person, Home::Updated),
    ("opened_at", Kind::Time, Home::Updated),
    ("sys_created_by", Kind::Person, Home::Updated),
    ("sys_created_at", Kind::Time, Home::Updated),
    ("sys_updated_by", Kind::Person, Home::Claims),
    ("sys_updated_at", Kind::Time, Home::Claims),
    ("contact_type", Kind::Choice, Home::Updated),
    ("location", Kind::Text, Home::Updated),
    ("category", Kind::Choice, Home::Updated),
    ("subcategory", Kind::Choice, Home::Updated),
    ("u_symptom", Kind::Text, Home::Updated),
    ("cmdb_ci", Kind::Text, Home::Updated),
    ("impact", Kind::Ranked, Home::Priority),
    ("urgency", Kind::Ranked, Home::Priority),
    ("priority", Kind::Ranked, Home::Priority),
    ("assignment_group", Kind::Text, Home::Updated),
    ("assigned_to", Kind::Person, Home::Assigned),
    ("knowledge", Kind::Flag, Home::Updated),
    ("u_priority_confirmation", Kind::Flag, Home::Priority),
    ("notify", Kind::Choice, Home::Updated),
    ("problem_id", Kind::Text, Home::Updated),
    ("rfc", Kind::Text, Home::Updated),
    ("vendor", Kind::Text, Home::Updated),
    ("caused_by", Kind::Text, Home::Updated),
    ("closed_code", Kind::Choice, Home::Outcome),
    ("resolved_by", Kind::Person, Home::Outcome),
    ("resolved_at", Kind::Time, Home::Outcome),
    ("closed_at", Kind::Time, Home::Outcome),
];

/// Without these there is no stream, no course of events, no person and no time.
const REQUIRED: [&str; 5] = ["number", "incident_state", "opened_at", "sys_updated_by", "sys_updated_at"];

/// The most columns that the mapping doesn't know. With these a statement stays within 64 facts and 64 values.
pub const UNKNOWN_COLUMNS_MAX: usize = 24;

/// The most characters of a code (FORMAT.md §3.2).
pub(super) const CODE_LEN_MAX: usize = 64;

/// Room for `cleared_` in front, within the 64 characters of a field name.
const FIELD_LEN_MAX: usize = 64 - "cleared_".len();

/// The columns that a header names, in its order.
pub(super) fn read_header(names: &[String]) -> Result<Vec<Column>, String> {
    let mut columns: Vec<Column> = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let column = column(name).ok_or_else(|| format!("column {} has no name", index + 1))?;
        if let Some(other) = columns.iter().find(|other| other.field == column.field) {
            return Err(format!(
                "the columns \"{}\" and \"{}\" would both become {}; rename one",
                shown(&other.name),
                shown(name),
                column.field
            ));
        }
        columns.push(column);
    }
    let missing: Vec<&str> =
        REQUIRED.into_iter().filter(|required| !columns.iter().any(|column| column.name == *required)).collect();
    if !missing.is_empty() {
        let hint = if names.len() == 1 {
            " (cells are separated by commas, and column names spelt as in ServiceNow)"
        } else {
            ""
        };
        return Err(format!("no column {}{hint}", missing.join(", ")));
    }
    let unknown = columns.iter().filter(|column| !is_known(&column.name)).count();
    if unknown > UNKNOWN_COLUMNS_MAX {
        return Err(format!("{unknown} columns that this mapping doesn't know; at most {UNKNOWN_COLUMNS_MAX}"));
    }
    Ok(columns)
}

fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, ..)| *known == name)
}

fn column(name: &str) -> Option<Column> {
    if let Some((_, kind, home)) = KNOWN.iter().find(|(known, ..)| *known == name) {
        return Some(Column { name: name.to_owned(), field: name.to_owned(), kind: *kind, home: *home });
    }
    if name.is_empty() {
        return None;
    }
    let spelled = format!("col_{}", words(name, '_'));
    let field = spelled[..spelled.len().min(FIELD_LEN_MAX)].to_owned();
    Some(Column { name: name.to_owned(), field, kind: Kind::Text, home: Home::Updated })
}

/// What a fact may hold of a choice: a handle to count and filter by. The exact text is in the data.
pub(super) fn code(text: &str, len_max: usize) -> String {
    let mut code = words(text, '-');
    code.truncate(len_max);
    if code.is_empty() { "other".to_owned() } else { code }
}

/// The letters a–z and digits of `text`, in lower case, each run of anything else as one `joint`, none at the ends.
fn words(text: &str, joint: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with(joint) {
            out.push(joint);
        }
    }
    out.trim_end_matches(joint).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED_TEXT: &str = "number,incident_state,opened_at,sys_updated_by,sys_updated_at";

    fn check(more: &str, expect: Result<&[&str], &str>) {
        let names: Vec<String> = format!("{REQUIRED_TEXT}{more}").split(',').map(str::to_owned).collect();
        let fields = read_header(&names)
            .map(|columns| columns[REQUIRED.len()..].iter().map(|column| column.field.clone()).collect::<Vec<_>>());
        assert_eq!(
            fields.as_deref().map_err(String::as_str),
            expect.map(|f| f.iter().map(|f| f.to_string()).collect::<Vec<_>>()).as_deref().map_err(|e| *e),
            "{more}"
        );
    }

    #[test]
    fn unknown_columns_get_a_field_name_of_their_own() {
        check("", Ok(&[]));
        check(",vendor", Ok(&["vendor"]));
        check(",Work notes (HTML)", Ok(&["col_work_notes_html"]));
        check(",Été", Ok(&["col_t"]));
        check(",日本", Ok(&["col_"]));
        check(&format!(",{}", "x".repeat(99)), Ok(&[&format!("col_{}", "x".repeat(52))]));
    }

    #[test]
    fn a_header_that_could_be_read_in_two_ways_is_refused() {
        check(",vendor,vendor", Err("the columns \"vendor\" and \"vendor\" would both become vendor; rename one"));
        check(",a b,A-B", Err("the columns \"a b\" and \"A-B\" would both become col_a_b; rename one"));
        check(",", Err("column 6 has no name"));
    }

    #[test]
    fn missing_columns_are_named() {
        let names = ["number", "opened_at", "sys_updated_at"].map(str::to_owned);
        assert_eq!(read_header(&names), Err("no column incident_state, sys_updated_by".to_owned()));
        let semicolons = [REQUIRED_TEXT.replace(',', ";")];
        assert!(read_header(&semicolons).is_err_and(|what| what.contains("separated by commas")));
    }

    #[test]
    fn unknown_columns_are_limited() {
        let columns = |count: usize| (0..count).map(|n| format!(",extra{n}")).collect::<String>();
        let names =
            |count| format!("{REQUIRED_TEXT}{}", columns(count)).split(',').map(str::to_owned).collect::<Vec<_>>();
        assert!(read_header(&names(UNKNOWN_COLUMNS_MAX)).is_ok());
        assert!(read_header(&names(UNKNOWN_COLUMNS_MAX + 1)).is_err_and(|what| what.starts_with("25 columns")));
    }
}
