//! `blotter sql`: questions that no command answers, over the tables of the views. Nothing can be written.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use blotter_projections::{Kind, VIEWS, View, tables};
use clap::Args;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::session::Reader;
use crate::views;

/// Ask the tables of the views in SQL
///
/// SQLite's SQL, read-only, over views.db: a projection of the log that can be deleted at any time and comes back. What it
/// says is not proven; the log is. --schema names all tables and columns. Instants are microseconds since 1970:
/// datetime(opened_us / 1000000, 'unixepoch').
///
/// Example: blotter sql "SELECT phase, count(*) FROM incident WHERE status = 'open' GROUP BY phase"
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// One statement
    #[arg(value_name = "QUERY", required_unless_present = "schema")]
    query: Option<String>,

    /// Describe all tables and their columns
    #[arg(long, conflicts_with = "query")]
    schema: bool,
}

pub(crate) fn run(context: &Context, args: &Sql) -> Result<()> {
    if args.schema {
        return schema(context);
    }
    let reader = Reader::open(context)?;
    let path = context.dir().join(VIEWS);
    drop(views::opened(context, &reader, &[View::Log, View::Facts])?);
    let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    db.pragma_update(None, "query_only", true)?;
    let text = args.query.as_deref().unwrap_or_default();
    let mut statement = db.prepare(text).context("the query")?;
    if !statement.readonly() {
        bail!("only questions: views are filled from the log alone");
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut found = statement.query([]).context("the query")?;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    while let Some(row) = found.next().context("the query")? {
        let cell = |n| {
            Ok(match row.get_ref(n)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(n) => n.into(),
                ValueRef::Real(x) => x.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
                ValueRef::Blob(bytes) => bytes
                    .iter()
                    .fold(String::new(), |mut hex, byte| {
                        let _ = write!(hex, "{byte:02x}");
                        hex
                    })
                    .into(),
            })
        };
        let cells = (0..columns.len()).map(cell).collect::<rusqlite::Result<Vec<Value>>>()?;
        if context.out.json {
            let row: Map<String, Value> = columns.iter().cloned().zip(cells).collect();
            context.out.line(&Value::Object(row).to_string());
        } else {
            rows.push(cells);
        }
    }
    if !context.out.json {
        let heading: Vec<&str> = columns.iter().map(String::as_str).collect();
        let shown = |value: &Value| match value {
            Value::Null => "-".to_owned(),
            Value::String(text) => crate::out::plain(text),
            other => other.to_string(),
        };
        let rows = rows.iter().map(|row| row.iter().map(shown).collect());
        context.out.line(context.out.table(&heading, rows).trim_end());
    }
    Ok(())
}

/// The tables of the log index, which are older than the others and described here.
const LOG_TABLES: &str = "log_entry: an entry (seq, recorded_us, occurred_us, event, actor, sub)\n\
                          log_stream: an entry in one of its streams (stream, seq)";

fn schema(context: &Context) -> Result<()> {
    let kind = |kind| match kind {
        Kind::Int => "INTEGER",
        Kind::Text => "TEXT",
    };
    let json = tables().map(|table| {
        let columns = table.columns.iter().enumerate().map(|(n, column)| {
            json!({ "name": column.name, "type": kind(column.kind), "key": n < table.key, "about": column.about })
        });
        json!({ "table": table.name, "about": table.about, "columns": columns.collect::<Vec<_>>() })
    });
    let json = Value::Array(json.collect());
    context.out.result(&json, || {
        let mut text = String::new();
        for table in tables() {
            let _ = writeln!(text, "{}: {}", table.name, table.about);
            for (n, column) in table.columns.iter().enumerate() {
                let key = if n < table.key { "key" } else { "" };
                let _ = writeln!(text, "    {:<14} {:<8} {key:<4} {}", column.name, kind(column.kind), column.about);
            }
            text.push('\n');
        }
        text + LOG_TABLES
    });
    Ok(())
}
