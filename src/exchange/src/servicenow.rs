//! The audit history of a ServiceNow incident table, as CSV: a row for every change of a case, with all columns as they
//! stood then. The layout is that of the published "incident event log"; cells without a value are empty or `?`, times
//! are `dd-mm-yyyy hh:mm` in the zone of the instance, which only the caller knows.
//!
//! # Mapping `servicenow`, version 1
//!
//! Each row becomes, in this order, those of the following statements that it gives rise to, and always
//! `x.servicenow.updated`. All stand in `incident/<number>`; their person is `sys_updated_by` and their time is
//! `sys_updated_at`, to the minute, where nothing else is said. "Changed" means: not as in the row of the same case
//! before (in the order of the file, which is never changed, also where its times run backwards); in a case's first row
//! all cells that have a value are changed.
//!
//! | event | when | facts | data |
//! | --- | --- | --- | --- |
//! | `incident.opened` | first row. Person `opened_by`, else `sys_created_by`, else `sys_updated_by`; time `opened_at`, else unknown | `lead` = its person; `category` = `servicenow:` + category as a code, or `servicenow:uncategorised`; `tlp` = `amber` | |
//! | `x.servicenow.updated` | always | changed `active`, `reassignment_count`, `reopen_count`, `sys_mod_count`, `made_sla`, `knowledge`, `opened_by`, `opened_at`, `sys_created_by`, `sys_created_at`; codes of changed `contact_type`, `category`, `subcategory`, `notify` | changed `contact_type`, `category`, `subcategory`, `notify` as they stand; changed `caller_id`, `location`, `u_symptom`, `cmdb_ci`, `assignment_group`, `problem_id`, `rfc`, `vendor`, `caused_by`; `col_<name>` for every other column |
//! | `x.servicenow.priority` | one of these changed | `impact`, `urgency`, `priority` (the number in front), `u_priority_confirmation` | the first three as they stand |
//! | `x.servicenow.state` | `incident_state` changed | `to`, and if there was one `from`, as codes | `incident_state` as it stands |
//! | `incident.reopened` | from Resolved or Closed back to work, or `reopen_count` grew, whichever shows first | | |
//! | `phase.entered` | the state belongs to another phase than before | `from`, `to`; `trigger` = `incident.reopened` or `x.servicenow.state` of the row; `override` false; empty lists | |
//! | `incident.assigned` | `assigned_to` changed to somebody | `to`; `role` = `assignee` | |
//! | `incident.resolved` | the state became Resolved | `code` = `servicenow:` + `closed_code` as a code, or `servicenow:none` | |
//! | `incident.closed` | the state became Closed | `resolution` = likewise, or else of the state; `report` = the last `incident.resolved` since it was last reopened, or else the `x.servicenow.state` of the row | |
//! | `x.servicenow.outcome` | one of these changed | `resolved_by`, `resolved_at`, `closed_at`, code of `closed_code`; `hindsight` | `closed_code` as it stands |
//!
//! A cell that lost its value is the fact `cleared_<column>` = true (of `assigned_to` and `incident_state` in
//! `x.servicenow.updated`, since nobody was assigned and no state entered). A local time that the clocks showed twice
//! is taken as the earlier one, and the fact `ambiguous_<column>` = true says so (for `sys_updated_at` in
//! `x.servicenow.updated`); one that they skipped is refused. As a fact a time is an instant with the zone's offset, a
//! person an imported actor, and a code the lower-case letters and digits joined by `-`, at most 64 characters. `cause`
//! of all statements but the first two is the row's `x.servicenow.updated`, of `phase.entered` its trigger.
//!
//! # Why so
//!
//! - **Phases.** New is `initiate`. Active and all kinds of Awaiting (also In Progress, On Hold) are `execute`: what
//!   `assess` is to bring about, a severity, stands in a row from the case's creation on; what follows is work to
//!   restore the service, and a pause in it is no phase. Resolved and Closed (also Canceled) are `close`, where
//!   the vocabulary has `incident.resolved`; `validate` and `improve` are never entered, since the export holds no
//!   validation and no lesson. A state that is not in this list is recorded and moves nothing. The exact states are in
//!   `x.servicenow.state`.
//! - **Priority is not `severity.assessed`.** That wants a scope, which ServiceNow hasn't, and says that somebody
//!   judged; the priority is looked up from impact and urgency, and 1 is its highest.
//! - **`report` of `incident.closed`.** The table holds no incident report. The fact names what the closure rests on;
//!   whoever looks for a published report follows it and finds that it is none.
//! - **Hindsight.** In the published log the closing columns are joined from the finished case and stand already in its
//!   first row. What stood in a row before it was resolved, or lies later than the row, was not known then:
//!   `x.servicenow.outcome` then has no time (`unknown`) and `hindsight` = true. For the same reason `code` of an
//!   `incident.resolved` that was later undone may be the final one.
//! - **`lead`** is who opened the case, not who leads it: until the first `incident.assigned` ServiceNow knows no
//!   other.
//! - **Persons** are the exact strings: "Opened by  8" and "Resolver 8" stay two. The caller did nothing here, so is
//!   data and no actor.
//! - **Facts and data** go by the column, never by what stands in a cell. Choices come from lists that the instance's
//!   owner keeps, so their codes may be facts; what anybody can type is data, and so is whatever leads to a person.
//!
//! # Ids
//!
//! An id is permanent, and anybody can try guesses against a hash without a salt. So ids are made from nothing but what
//! stands in permanent facts in clear; a text that can be erased, and a person, whose actor's id is random, never enter
//! one.
//!
//! A row's digest is SHA-256 over [`ID_PREFIX`], and then, each behind its length as 8 bytes big-endian: the number, and
//! by column name the name and the fact of every such cell that has a value: a flag as `true` or `false`, a count and a
//! rank in decimal, a choice and a state as its code, and a time as it stands, so that the zone is no matter. A
//! statement's id is the UUIDv8 of the first 16 bytes of SHA-256 over [`ID_PREFIX`], the row's digest and the event. So
//! it depends on nothing but the row.
//!
//! Two rows may agree in all of that and still say different things; then they would be one change told in two ways.
//! The first is taken, the other refused. With `sys_mod_count` and the minute in it this is to be expected of exports
//! without that column only; the published log has no such rows. For the same reason a row that was imported keeps its
//! ids if only its persons or texts are others in a later file.

mod case;
mod columns;
mod map;
mod row;
mod state;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::Read;

use blotter_record::ActorId;

use crate::table::{Record, Table};
use crate::{FileError, Imported, RowError, Zone};
use case::Case;
use columns::Column;
pub use columns::UNKNOWN_COLUMNS_MAX;
use row::Row;
pub use row::{CELL_SPELLED_BYTES_MAX, ROW_SPELLED_BYTES_MAX};

/// The mapping's name, for `import.started`.
pub const MAPPING: &str = "servicenow";
/// The mapping's version. Another version may give other statements, and has another [`ID_PREFIX`].
pub const MAPPING_VERSION: &str = "1";
/// What every id of this mapping begins from.
pub const ID_PREFIX: &str = "blotter import servicenow 1";

/// Everybody whom the statements of a file will name, as it spells them, in the order of the rows. The caller enrols an
/// imported actor for each, and then reads the file once more with [`statements`].
///
/// # Errors
/// If the header can't be used, or the reader fails. Broken rows name nobody and are no error here.
pub fn persons(reader: impl Read, zone: Zone) -> Result<Vec<String>, FileError> {
    let nobody: ActorId = "imported/nobody".parse().expect("a kind of actor, and a name");
    let named = RefCell::new((HashSet::new(), Vec::new()));
    let note = |person: &str| {
        let (known, in_order) = &mut *named.borrow_mut();
        if known.insert(person.to_owned()) {
            in_order.push(person.to_owned());
        }
    };
    let rows = statements(reader, zone, |person: &str| {
        note(person);
        nobody.clone()
    })?;
    for row in rows {
        match row {
            Ok(statements) => statements.iter().for_each(|statement| note(&statement.person)),
            Err(RowError::Unreadable { line, source }) => return Err(FileError::Unreadable { line, source }),
            Err(RowError::Refused { .. } | RowError::Duplicate { .. }) => {}
        }
    }
    Ok(named.into_inner().1)
}

/// The statements of a file, row by row. `actor_of` gives the imported actor for each string that [`persons`] gave.
///
/// # Errors
/// If the header can't be used, or the reader fails.
pub fn statements<R: Read, A: Fn(&str) -> ActorId>(
    reader: R,
    zone: Zone,
    actor_of: A,
) -> Result<Statements<R, A>, FileError> {
    let mut table = Table::open(reader).map_err(|source| FileError::Unreadable { line: 1, source })?;
    let line = table.line();
    let header = table.next().map_err(|source| FileError::Unreadable { line, source })?.ok_or(FileError::Empty)?;
    let columns = read_header(&header).map_err(|what| FileError::Header { line: header.line, what })?;
    Ok(Statements { table, columns, zone, actor_of, cases: HashMap::new(), taken: HashMap::new(), stopped: false })
}

fn read_header(header: &Record) -> Result<Vec<Column>, String> {
    if let Some((_, what)) = &header.fault {
        return Err(what.clone());
    }
    let names = header.cells.iter().map(|cell| std::str::from_utf8(cell).map(|name| name.trim().to_owned()));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(|_| "not UTF-8; convert the file to UTF-8 first")?;
    if names.iter().any(|name| name.contains('\0')) {
        return Err("a NUL character; if the file is UTF-16, convert it to UTF-8 first".into());
    }
    columns::read_header(&names)
}

/// The rows of a file as statements, in the file's order. It keeps a little of every case, and of every row 40 bytes,
/// by which it knows it again; nothing else grows with the file.
pub struct Statements<R, A> {
    table: Table<R>,
    columns: Vec<Column>,
    zone: Zone,
    actor_of: A,
    /// By number, letters in lower case: a ledger has no two streams that differ only in case.
    cases: HashMap<String, Case>,
    /// Of each row taken, by half of what its ids are made from: its line, and half of the digest of all that it says.
    taken: HashMap<[u8; 16], (u64, [u8; 16])>,
    stopped: bool,
}

impl<R: Read, A: Fn(&str) -> ActorId> Iterator for Statements<R, A> {
    type Item = Result<Vec<Imported>, RowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        match self.table.next() {
            Ok(record) => record.map(|record| self.take(&record)),
            Err(source) => {
                self.stopped = true;
                Some(Err(RowError::Unreadable { line: self.table.line(), source }))
            }
        }
    }
}

impl<R, A: Fn(&str) -> ActorId> Statements<R, A> {
    /// Everything that can refuse a row comes first: a refused row leaves no trace in its case.
    fn take(&mut self, record: &Record) -> Result<Vec<Imported>, RowError> {
        let row = row::read_row(&self.columns, &self.zone, record)?;
        let case = self.cases.get_mut(&row.incident.folded());
        if let Some(case) = &case {
            check_spelling(case, &row)?;
        }
        let ids_from = row::first_half(&row.ids_from);
        if let Some((first_line, whole)) = self.taken.get(&ids_from) {
            return Err(told_before(&row, *first_line, *whole == row.whole));
        }
        self.taken.insert(ids_from, (row.line, row.whole));
        let first = case.is_none();
        let case = match case {
            Some(case) => case,
            None => {
                self.cases.entry(row.incident.folded()).or_insert_with(|| Case::new(row.incident.name(), &self.columns))
            }
        };
        Ok(map::map_row(&self.columns, case, first, &row, &self.actor_of))
    }
}

/// Another row with the same ids: the same row again, or one that differs in what ids are not made from.
fn told_before(row: &Row, first_line: u64, same: bool) -> RowError {
    if same {
        return RowError::Duplicate { line: row.line, first_line };
    }
    let what = format!(
        "says something else than line {first_line} about the same change; \
         ServiceNow's sys_mod_count should tell them apart"
    );
    RowError::Refused { line: row.line, column: None, what }
}

fn check_spelling(case: &Case, row: &Row) -> Result<(), RowError> {
    if case.number == row.incident.name() {
        return Ok(());
    }
    Err(RowError::Refused {
        line: row.line,
        column: Some("number".into()),
        what: format!("{} differs only in case from {} further up", row.incident.name(), case.number),
    })
}
