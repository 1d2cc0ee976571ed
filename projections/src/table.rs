//! Tables of views: their columns, written down once, are the schema, the statements that fill them, the digest over
//! their rows, and the documentation of what `blotter sql` can ask.

use std::cmp::Ordering;
use std::sync::OnceLock;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row as SqlRow, ToSql, Transaction};
use sha2::{Digest, Sha256};

/// A table of a view.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a row of it is.
    pub about: &'static str,
    /// Its columns; the first `key` of them are its key.
    pub columns: &'static [Column],
    /// How many columns the key has; the first of them is the stream that the rows belong to.
    pub key: usize,
    /// Further indexes, each over these columns.
    pub indexes: &'static [&'static [&'static str]],
    put: OnceLock<String>,
    delete: OnceLock<String>,
}

/// A table, for tables of constants.
pub(crate) const fn table(
    name: &'static str,
    about: &'static str,
    key: usize,
    columns: &'static [Column],
    indexes: &'static [&'static [&'static str]],
) -> Table {
    Table { name, about, columns, key, indexes, put: OnceLock::new(), delete: OnceLock::new() }
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name; units stand last, as in `opened_us`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it holds.
    pub about: &'static str,
}

/// What a column holds. All but keys may be NULL: not known, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer. Instants are microseconds since 1970, in columns `…_us`; seqs are numbers of entries; flags 0 or 1.
    Int,
    /// A text: ids, codes, words of the vocabulary.
    Text,
}

/// A column, for tables of constants.
pub(crate) const fn int(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: Kind::Int, about }
}

/// A column, for tables of constants.
pub(crate) const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: Kind::Text, about }
}

/// A value in a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// Not known, or not yet.
    Null,
    /// An integer.
    Int(i64),
    /// A text; texts compare by code point.
    Text(String),
}

impl From<i64> for Cell {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl From<u64> for Cell {
    fn from(n: u64) -> Self {
        Self::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
}

impl From<usize> for Cell {
    fn from(n: usize) -> Self {
        Self::from(n as u64)
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Cell {
    /// The value in column `n` of a row.
    ///
    /// # Errors
    /// If it is neither NULL, an integer nor a text.
    pub fn read(row: &SqlRow<'_>, n: usize) -> rusqlite::Result<Self> {
        match row.get_ref(n)? {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(n) => Ok(Self::Int(n)),
            ValueRef::Text(text) => Ok(Self::Text(String::from_utf8_lossy(text).into_owned())),
            other => {
                let name = row.as_ref().column_name(n).map_or_else(|_| n.to_string(), str::to_owned);
                Err(rusqlite::Error::InvalidColumnType(n, name, other.data_type()))
            }
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(n) => ToSqlOutput::Owned(Value::Integer(*n)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// A row of a table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The table.
    pub table: &'static Table,
    /// Its cells, one a column.
    pub cells: Vec<Cell>,
}

impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.table, other.table) && self.cells == other.cells
    }
}

impl Row {
    /// The cells of its key.
    pub fn key(&self) -> &[Cell] {
        &self.cells[..self.table.key]
    }

    /// Rows in the order of tables' names, then of keys.
    pub fn order(&self, other: &Self) -> Ordering {
        self.table.name.cmp(other.table.name).then_with(|| self.key().cmp(other.key()))
    }
}

impl Table {
    /// A row of it.
    ///
    /// # Panics
    /// If there are more or fewer cells than columns: a mistake in a fold.
    pub fn row<const N: usize>(&'static self, cells: [Cell; N]) -> Row {
        assert_eq!(N, self.columns.len(), "a cell a column, in {}", self.name);
        Row { table: self, cells: cells.into() }
    }

    /// The statement that makes it.
    pub fn create(&self) -> String {
        let column = |(n, column): (usize, &Column)| {
            let kind = match column.kind {
                Kind::Int => "INTEGER",
                Kind::Text => "TEXT",
            };
            let not_null = if n < self.key { " NOT NULL" } else { "" };
            format!("    {} {kind}{not_null},\n", column.name)
        };
        let columns: String = self.columns.iter().enumerate().map(column).collect();
        let key = self.names()[..self.key].join(", ");
        format!("CREATE TABLE {} (\n{columns}    PRIMARY KEY ({key})\n) STRICT, WITHOUT ROWID;\n", self.name)
    }

    /// The statements that make its indexes, unless they are there.
    pub fn index(&self) -> String {
        let index = |columns: &&[&str]| {
            let (name, on) = (columns.join("_"), columns.join(", "));
            format!("CREATE INDEX IF NOT EXISTS {}_{name} ON {} ({on});\n", self.name, self.name)
        };
        self.indexes.iter().map(index).collect()
    }

    /// The statement that takes it away.
    pub fn drop(&self) -> String {
        format!("DROP TABLE IF EXISTS {};\n", self.name)
    }

    fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.name).collect()
    }

    fn put(&self) -> &str {
        self.put.get_or_init(|| self.put_sql())
    }

    fn delete(&self) -> &str {
        self.delete.get_or_init(|| self.delete_sql())
    }

    fn put_sql(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        format!("INSERT OR REPLACE INTO {} ({}) VALUES ({})", self.name, self.names().join(", "), places.join(", "))
    }

    fn delete_sql(&self) -> String {
        let key: Vec<String> = (0..self.key).map(|n| format!("{} = ?{}", self.columns[n].name, n + 1)).collect();
        format!("DELETE FROM {} WHERE {}", self.name, key.join(" AND "))
    }

    /// All of its rows in the order of their keys.
    fn select(&self) -> String {
        let names = self.names();
        format!("SELECT {} FROM {} ORDER BY {}", names.join(", "), self.name, names[..self.key].join(", "))
    }

    fn read(&'static self, row: &SqlRow<'_>) -> rusqlite::Result<Row> {
        let cells = (0..self.columns.len()).map(|n| Cell::read(row, n));
        Ok(Row { table: self, cells: cells.collect::<rusqlite::Result<_>>()? })
    }

    /// The digest of all its rows.
    ///
    /// # Errors
    /// If the database can't be read.
    pub(crate) fn digest(
        &'static self,
        db: &Connection,
        mut digester: Digester,
    ) -> rusqlite::Result<blotter_record::Hash> {
        let mut query = db.prepare(&self.select())?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            digester.row(&self.read(row)?);
        }
        Ok(digester.finish())
    }
}

/// What becomes of a row.
pub(crate) enum Change {
    /// It is new, or otherwise than it was.
    Put(Row),
    /// It is gone.
    Delete(Row),
}

/// The difference between the rows of a stream before and after.
pub(crate) fn differences(mut before: Vec<Row>, mut after: Vec<Row>) -> Vec<Change> {
    before.sort_unstable_by(Row::order);
    after.sort_unstable_by(Row::order);
    let (mut old, mut new) = (before.into_iter().peekable(), after.into_iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.order(new),
        };
        match order {
            Ordering::Less => changes.extend(old.next().map(Change::Delete)),
            Ordering::Greater => changes.extend(new.next().map(Change::Put)),
            Ordering::Equal => {
                let (old, new) = (old.next(), new.next());
                if old != new {
                    changes.extend(new.map(Change::Put));
                }
            }
        }
    }
}

impl Change {
    fn row(&self) -> &Row {
        match self {
            Self::Put(row) | Self::Delete(row) => row,
        }
    }
}

/// Writes changes of different rows, table by table in the order of their keys, which is the order in which the database
/// finds their places soonest.
///
/// # Errors
/// If the database can't be written.
pub(crate) fn save(tx: &Transaction<'_>, mut changes: Vec<Change>) -> rusqlite::Result<()> {
    changes.sort_unstable_by(|a, b| a.row().order(b.row()));
    for of_table in changes.chunk_by(|a, b| std::ptr::eq(a.row().table, b.row().table)) {
        let table = of_table[0].row().table;
        let (mut put, mut delete) = (tx.prepare_cached(table.put())?, tx.prepare_cached(table.delete())?);
        for change in of_table {
            match change {
                Change::Put(row) => put.execute(rusqlite::params_from_iter(&row.cells))?,
                Change::Delete(row) => delete.execute(rusqlite::params_from_iter(row.key()))?,
            };
        }
    }
    Ok(())
}

/// SHA-256 over the rows of tables, in the order of their keys: the same for the same log, however the rows came to be.
pub(crate) struct Digester(Sha256);

impl Digester {
    /// Over the rows of a table.
    pub(crate) fn new(table: &Table) -> Self {
        Self(Sha256::new().chain_update(format!("blotter/table/{}\n", table.name)))
    }

    /// The next row: its cells with tabs between them; NULL is empty, a text begins with `'`. No cell holds a tab or a
    /// newline: facts have none.
    pub(crate) fn row(&mut self, row: &Row) {
        for (n, cell) in row.cells.iter().enumerate() {
            self.0.update(if n == 0 { "" } else { "\t" });
            match cell {
                Cell::Null => {}
                Cell::Int(n) => self.0.update(n.to_string()),
                Cell::Text(text) => {
                    self.0.update("'");
                    self.0.update(text);
                }
            }
        }
        self.0.update("\n");
    }

    /// The digest.
    pub(crate) fn finish(self) -> blotter_record::Hash {
        blotter_record::Hash(self.0.finalize().into())
    }
}
