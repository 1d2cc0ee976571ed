//! Lists of incidents: filtered, sorted, a page at a time, as they are now or were as of any entry.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::table::Cell;

/// Which incidents somebody asks for. A condition that is not set admits all.
#[derive(Debug, Clone, Default)]
pub struct IncidentQuery {
    /// Any of these states.
    pub status: Vec<String>,
    /// Any of these phases.
    pub phase: Vec<String>,
    /// This severity or a higher one.
    pub severity_min: Option<i64>,
    /// Led by this actor.
    pub lead: Option<String>,
    /// Of this category.
    pub category: Option<String>,
    /// With this verdict.
    pub verdict: Option<String>,
    /// Opened from then on, in microseconds since 1970.
    pub opened_since_us: Option<i64>,
    /// Opened before.
    pub opened_until_us: Option<i64>,
    /// Linked to this: an alert, a technique, an asset, a service, a class.
    pub linked: Option<String>,
    /// Only imported ones, or none of them.
    pub imported: Option<bool>,
    /// Without these, by their ids in lower case: they are neither shown, nor counted, nor named by a cursor.
    pub hidden: Vec<String>,
    /// As it was in the first so many entries; `None`: now.
    pub as_of: Option<u64>,
    /// What to sort by.
    pub sort: Sort,
    /// The page behind this row, as [`IncidentPage::next`] has it.
    pub after: Option<Cursor>,
    /// Rows of the page, at most.
    pub limit: usize,
}

/// What a list is sorted by; each with the most urgent first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// What is open first, and of that what has no severity yet; then the highest severity.
    #[default]
    Severity,
    /// The newest first.
    Opened,
    /// What changed last first; only as of now.
    Updated,
    /// By id.
    Id,
}

impl Sort {
    /// All, with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("severity", Self::Severity), ("opened", Self::Opened), ("updated", Self::Updated), ("id", Self::Id)];

    /// The expression that is sorted by, the greatest first, and of what is alike the greatest id.
    fn key(self, as_of: bool) -> &'static str {
        match (self, as_of) {
            (Self::Severity, false) => "i.rank",
            (Self::Severity, true) => {
                "(v.status = 'open') * 1000000 + ifnull(v.severity, (v.status = 'open') * 999999)"
            }
            (Self::Opened, _) => "i.opened_us",
            (Self::Updated, _) => "i.updated_us",
            // A lone number would name a column.
            (Self::Id, _) => "0 + 0",
        }
    }
}

/// The place of what was never opened, behind all that was.
const NEVER: i64 = i64::MIN;

/// A place in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// What the row is sorted by.
    pub key: i64,
    /// Its id.
    pub id: String,
}

/// A page of a list.
#[derive(Debug, Clone)]
pub struct IncidentPage {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// The last row's place, if there are more.
    pub next: Option<Cursor>,
}

const NOW: &str = "i.id, i.status, i.phase, i.severity, i.verdict, i.category, i.lead, i.opened_us, i.updated_us, \
                   i.closed_us, i.alerts, i.tasks_open, i.clock_due_us, i.overrides, i.refusals, i.merged_into, i.imported, i.first_seq, i.last_seq";
const THEN: &str = "i.id, v.status, v.phase, v.severity, v.verdict, v.category, v.lead, i.opened_us, i.imported, \
                    i.first_seq, v.from_seq AS since_seq";

/// A page of incidents.
///
/// # Errors
/// If the database can't be read.
pub fn incidents(db: &Connection, query: &IncidentQuery) -> rusqlite::Result<IncidentPage> {
    let mut values: Vec<Value> = Vec::new();
    let mut conditions = vec!["1".to_owned()];
    let mut bind = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    let then = query.as_of.is_some();
    let (from, row) = match query.as_of {
        None => ("incident i", "i"),
        Some(size) => {
            let size = bind(i64::try_from(size).unwrap_or(i64::MAX).into());
            conditions.push(format!("v.from_seq < {size} AND (v.until_seq IS NULL OR v.until_seq >= {size})"));
            ("incident_version v JOIN incident i ON i.id = v.incident", "v")
        }
    };
    let mut any_of = |column: &str, words: &[String]| {
        let places: Vec<String> = words.iter().map(|word| bind(word.clone().into())).collect();
        (!words.is_empty()).then(|| format!("{column} IN ({})", places.join(", ")))
    };
    conditions.extend(any_of(&format!("{row}.status"), &query.status));
    conditions.extend(any_of(&format!("{row}.phase"), &query.phase));
    conditions.extend(any_of("lower(i.id)", &query.hidden).map(|hidden| format!("NOT {hidden}")));
    for (column, word) in [("lead", &query.lead), ("category", &query.category), ("verdict", &query.verdict)] {
        conditions.extend(word.as_ref().map(|word| format!("{row}.{column} = {}", bind(word.clone().into()))));
    }
    conditions.extend(query.severity_min.map(|level| format!("{row}.severity >= {}", bind(level.into()))));
    conditions.extend(query.opened_since_us.map(|at| format!("i.opened_us >= {}", bind(at.into()))));
    conditions.extend(query.opened_until_us.map(|at| format!("i.opened_us < {}", bind(at.into()))));
    conditions.extend(query.imported.map(|imported| format!("i.imported = {}", bind(i64::from(imported).into()))));
    conditions.extend(query.linked.as_ref().map(|other| {
        format!("i.id IN (SELECT incident FROM incident_link WHERE other = {})", bind(other.clone().into()))
    }));
    let key = query.sort.key(then);
    if let Some(Cursor { key: at, id }) = &query.after {
        let (at_place, id) = (bind((*at).into()), bind(id.clone().into()));
        conditions.push(match (query.sort, *at) {
            (Sort::Opened, NEVER) => format!("{key} IS NULL AND i.id < {id}"),
            (Sort::Opened, _) => format!("(({key}, i.id) < ({at_place}, {id}) OR {key} IS NULL)"),
            _ => format!("({key}, i.id) < ({at_place}, {id})"),
        });
    }
    let columns = if then { THEN } else { NOW };
    let limit = bind(i64::try_from(query.limit.saturating_add(1)).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT {columns}, {key} AS sort_key FROM {from} WHERE {} ORDER BY {key} DESC, i.id DESC LIMIT {limit}",
        conditions.join(" AND ")
    );
    let mut statement = db.prepare_cached(&sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let width = names.len() - 1;
    let mut found = statement.query(params_from_iter(values))?;
    let (mut rows, mut keys) = (Vec::new(), Vec::new());
    while let Some(row) = found.next()? {
        keys.push(row.get::<_, Option<i64>>(width)?.unwrap_or(NEVER));
        rows.push((0..width).map(|n| Cell::read(row, n)).collect::<rusqlite::Result<Vec<_>>>()?);
    }
    let more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let next = rows.last().filter(|_| more).and_then(|row| match &row[0] {
        Cell::Text(id) => Some(Cursor { key: keys[rows.len() - 1], id: id.clone() }),
        Cell::Null | Cell::Int(_) => None,
    });
    Ok(IncidentPage { columns: names[..width].to_vec(), rows, next })
}
