//! One row, read: every cell is what its column wants, or the row is refused. Behind this nothing can fail.

use std::borrow::Cow;

use blotter_record::{Hash, Id, Json};

use super::columns::{CODE_LEN_MAX, Column, Kind, code};
use super::state::State;
use crate::RowError;
use crate::error::shown;
use crate::table::Record;
use crate::zone::{LocalTime, Zone};

/// The most bytes that a cell may take as JSON: disclosed, with name, salt and base64, it then stays within 65,536.
pub const CELL_SPELLED_BYTES_MAX: usize = 49_000;
/// The same for all cells of a row together: presented, they stay within 1,048,576.
pub const ROW_SPELLED_BYTES_MAX: usize = 512 * 1_024;

/// What a cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Missing,
    State(State, String),
    Flag(bool),
    Count(i64),
    Choice(String),
    Ranked(i64, String),
    Person(String),
    Time(LocalTime),
    Text(String),
}

/// A row that can be mapped.
#[derive(Debug)]
pub(super) struct Row {
    /// The physical line that it begins on, from 1.
    pub(super) line: u64,
    /// What the ids of its statements are made from: a digest over what stands in permanent facts in clear, no more.
    pub(super) ids_from: Hash,
    /// Half of a digest over all that it says, to tell equal rows by. It covers names and texts that may have to be
    /// erased one day, so it must never get into a statement.
    pub(super) whole: [u8; 16],
    /// `incident/<number>`.
    pub(super) incident: Id,
    /// `sys_updated_at`.
    pub(super) updated_at: LocalTime,
    /// `sys_updated_by`.
    pub(super) updated_by: String,
    /// A cell for each column, and for telling changes a digest of its text.
    pub(super) cells: Vec<(Value, CellDigest)>,
}

/// The first half of SHA-256 over a cell's text; zeros if there is none.
pub(super) type CellDigest = [u8; 16];

impl Row {
    /// What the column of this name says.
    pub(super) fn value<'a>(&'a self, columns: &[Column], name: &str) -> &'a Value {
        let index = columns.iter().position(|column| column.name == name);
        index.map_or(&Value::Missing, |index| &self.cells[index].0)
    }
}

/// Reads a record under the header's columns.
pub(super) fn read_row(columns: &[Column], zone: &Zone, record: &Record) -> Result<Row, RowError> {
    let refuse = |index: Option<usize>, what: String| {
        let column = index.and_then(|index| columns.get(index)).map(|column| column.name.clone());
        RowError::Refused { line: record.line, column, what }
    };
    if let Some((index, what)) = &record.fault {
        return Err(refuse(Some(*index), what.clone()));
    }
    if record.cells.len() != columns.len() {
        return Err(refuse(None, format!("{} cells; the header has {}", record.cells.len(), columns.len())));
    }
    let mut texts = Vec::with_capacity(columns.len());
    let mut spelled = 0;
    for (index, cell) in record.cells.iter().enumerate() {
        let (text, bytes) = read_text(cell).map_err(|what| refuse(Some(index), what))?;
        texts.push(text);
        spelled += bytes;
    }
    if spelled > ROW_SPELLED_BYTES_MAX {
        return Err(refuse(None, format!("the row takes {spelled} bytes as JSON; at most {ROW_SPELLED_BYTES_MAX}")));
    }
    let mut cells = Vec::with_capacity(columns.len());
    for (index, (column, text)) in columns.iter().zip(&texts).enumerate() {
        let value = read_value(column.kind, text, zone).map_err(|what| refuse(Some(index), what))?;
        cells.push((value, cell_digest(text)));
    }
    let claim = |name: &str| {
        let index = columns.iter().position(|column| column.name == name).expect("no header is read without it");
        match &cells[index].0 {
            Value::Missing => Err(refuse(Some(index), "missing; without it the row can't be placed".into())),
            value => Ok((index, value.clone())),
        }
    };
    let ((number, Value::Text(name)), (_, Value::Person(updated_by)), (_, Value::Time(updated_at))) =
        (claim("number")?, claim("sys_updated_by")?, claim("sys_updated_at")?)
    else {
        unreachable!("these columns are of the kinds Number, Person and Time");
    };
    let incident = format!("incident/{name}").parse().map_err(|_| {
        refuse(
            Some(number),
            format!("\"{}\" can't name a stream (1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first)", shown(&name)),
        )
    })?;
    let each = || columns.iter().zip(&cells).zip(&texts).map(|((column, (value, _)), text)| (column, value, *text));
    let facts = each().filter_map(|(column, value, text)| Some((column.name.as_str(), clear(value, text)?)));
    let all = each().filter(|(.., text)| !text.is_empty()).map(|(column, _, text)| (column.name.as_str(), text.into()));
    let (ids_from, whole) = (row_digest(&name, facts.collect()), first_half(&row_digest(&name, all.collect())));
    Ok(Row { line: record.line, ids_from, whole, incident, updated_at, updated_by, cells })
}

/// A cell's text, trimmed; empty if it is missing, which ServiceNow's exporters also spell `?`.
fn read_text(cell: &[u8]) -> Result<(&str, usize), String> {
    let text = std::str::from_utf8(cell).map_err(|error| {
        let byte = cell.get(error.valid_up_to()).copied().unwrap_or_default();
        format!("not UTF-8 (byte {byte:#04x}); if the file is Latin-1 or Windows-1252, convert it to UTF-8 first")
    })?;
    let text = text.trim();
    if text.contains('\0') {
        return Err("a NUL character".into());
    }
    let spelled = Json::from(text).to_text().len();
    if spelled > CELL_SPELLED_BYTES_MAX {
        return Err(format!("the cell takes {spelled} bytes as JSON; at most {CELL_SPELLED_BYTES_MAX}"));
    }
    Ok((if text == "?" { "" } else { text }, spelled))
}

fn read_value(kind: Kind, text: &str, zone: &Zone) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Missing);
    }
    let owned = text.to_owned();
    Ok(match kind {
        Kind::Number | Kind::Text => Value::Text(owned),
        Kind::State => Value::State(State::named(text), owned),
        Kind::Flag => Value::Flag(read_flag(text)?),
        Kind::Count => Value::Count(read_count(text)?),
        Kind::Choice => Value::Choice(owned),
        Kind::Ranked => Value::Ranked(read_rank(text)?, owned),
        Kind::Person => Value::Person(owned),
        Kind::Time => Value::Time(zone.read(text)?),
    })
}

fn read_flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("\"{}\" is neither TRUE nor FALSE", shown(text))),
    }
}

fn read_count(text: &str) -> Result<i64, String> {
    let digits = text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    let count = if digits { text.parse().ok() } else { None };
    count.ok_or_else(|| format!("\"{}\" is not a whole number of at most 15 digits", shown(text)))
}

fn read_rank(text: &str) -> Result<i64, String> {
    let rank = text.split_once(" - ").map_or(text, |(rank, _)| rank);
    match rank.as_bytes() {
        [digit @ b'1'..=b'9'] => Ok(i64::from(digit - b'0')),
        _ => Err(format!("\"{}\" has no rank from 1 to 9 in front, as in \"2 - Medium\"", shown(text))),
    }
}

fn cell_digest(text: &str) -> CellDigest {
    if text.is_empty() { [0; 16] } else { first_half(&Hash::of(text.as_bytes())) }
}

pub(super) fn first_half(hash: &Hash) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash.0[..16]);
    half
}

/// What of a cell stands in permanent facts in clear, and so may go into an id. What may be erased must stay out, since
/// guesses could be tried against the id for ever; and so must persons, who are facts only by their actors' random ids.
fn clear<'a>(value: &Value, text: &'a str) -> Option<Cow<'a, str>> {
    match value {
        Value::Missing | Value::Person(_) | Value::Text(_) => None,
        Value::Flag(flag) => Some(flag.to_string().into()),
        Value::Count(count) => Some(count.to_string().into()),
        Value::Ranked(rank, _) => Some(rank.to_string().into()),
        Value::State(..) | Value::Choice(_) => Some(code(text, CODE_LEN_MAX).into()),
        Value::Time(_) => Some(text.into()),
    }
}

/// Over the case's number and then name and text of each cell that says something, by column name: so neither the order
/// of columns, nor line ends, nor a column that stayed empty make another row of it. Each text goes behind its length.
fn row_digest(number: &str, mut cells: Vec<(&str, Cow<'_, str>)>) -> Hash {
    cells.sort_unstable();
    let mut bytes = super::ID_PREFIX.as_bytes().to_vec();
    let cells = cells.iter().flat_map(|(name, text)| [*name, text.as_ref()]);
    for text in std::iter::once(number).chain(cells) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    Hash::of(&bytes)
}
