//! The published log of a real instance: 5,998 rows of 890 incidents, kept outside the project. The judges are the
//! `csv` crate, which reads the file here on its own, and the record's reader, which takes every statement.

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use blotter_exchange::{Imported, Summary, servicenow};
use support::{actor_of, build, zone};

/// The file's bytes, unless it is not here; then it says so.
fn log() -> Option<Vec<u8>> {
    let folder = std::env::var_os("BLOTTER_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = folder.join("servicenow_incident_log/incident_event_log_5998.csv");
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            eprintln!("NOT TESTED on real data: {}: {error}. Set BLOTTER_SHARED_DATA.", path.display());
            None
        }
    }
}

type Cells = HashMap<String, String>;

fn judged(bytes: &[u8]) -> Vec<Cells> {
    csv::Reader::from_reader(bytes).deserialize().map(|row| row.expect("a row")).collect()
}

#[test]
fn the_counts_are_those_of_the_file() {
    let Some(bytes) = log() else { return };
    let mut expect: BTreeMap<String, u64> = BTreeMap::new();
    let mut last: HashMap<String, Cells> = HashMap::new();
    for row in judged(&bytes) {
        let mut count = |event: &str| *expect.entry(event.to_owned()).or_default() += 1;
        let before = last.get(&row["number"]);
        let was = |column: &str| before.map_or("?", |before| before[column].as_str());
        let (from, to) = (was("incident_state"), row["incident_state"].as_str());
        let done = |state: &str| state == "Resolved" || state == "Closed";
        let phase = |state: &str| match state {
            "New" | "?" => 1,
            _ if done(state) => 3,
            _ => 2,
        };
        count("x.servicenow.updated");
        if before.is_none() {
            count("incident.opened");
        }
        for (event, happened) in [
            ("x.servicenow.state", from != to),
            ("phase.entered", phase(from) != phase(to)),
            ("incident.resolved", from != to && to == "Resolved"),
            ("incident.closed", from != to && to == "Closed"),
            ("incident.reopened", done(from) && !done(to)),
            ("incident.assigned", row["assigned_to"] != "?" && row["assigned_to"] != was("assigned_to")),
            (
                "x.servicenow.priority",
                ["impact", "urgency", "priority", "u_priority_confirmation"].iter().any(|c| row[*c] != was(c)),
            ),
            (
                "x.servicenow.outcome",
                ["closed_code", "resolved_by", "resolved_at", "closed_at"].iter().any(|c| row[*c] != was(c)),
            ),
        ] {
            if happened {
                count(event);
            }
        }
        last.insert(row["number"].clone(), row);
    }

    let start = Instant::now();
    let mut summary = Summary::default();
    servicenow::statements(&bytes[..], zone("America/Sao_Paulo"), actor_of)
        .expect("a header")
        .for_each(|row| summary.count(&row));
    eprintln!("{} rows in {:?}: {:#?}", summary.rows, start.elapsed(), summary.events);

    assert_eq!(summary.events, expect);
    assert_eq!((summary.rows, summary.rejected, summary.duplicates, summary.stopped), (5_998, 0, 0, None));
    let number = |event: &str| expect[event];
    assert_eq!(number("incident.opened"), 890);
    assert_eq!(number("incident.closed"), 890);
    assert_eq!(number("incident.resolved"), 901);
    assert_eq!(number("incident.reopened"), 11);
    assert_eq!(number("incident.assigned"), 919);
}

#[test]
fn every_statement_is_one_that_a_ledger_takes() {
    let Some(bytes) = log() else { return };
    let persons = servicenow::persons(&bytes[..], zone("America/Sao_Paulo")).expect("persons");
    let columns = ["opened_by", "sys_created_by", "sys_updated_by", "assigned_to", "resolved_by"];
    let expect: HashSet<String> =
        judged(&bytes).iter().flat_map(|row| columns.map(|c| row[c].clone())).filter(|person| person != "?").collect();
    assert_eq!(persons.len(), 521);
    assert_eq!(persons.into_iter().collect::<HashSet<_>>(), expect);

    let mut ids = HashSet::new();
    for row in servicenow::statements(&bytes[..], zone("America/Sao_Paulo"), actor_of).expect("a header") {
        for statement in row.expect("a good row") {
            assert!(statement.cause.iter().all(|cause| ids.contains(cause)), "a cause comes first: {statement:?}");
            assert!(ids.insert(statement.jti));
            assert!(expect.contains(&statement.person));
            build(statement);
        }
    }
}

/// From the statements alone every row of the file comes back, cell by cell: so nothing in it was lost.
#[test]
fn the_statements_give_the_file_back() {
    let Some(bytes) = log() else { return };
    let names: HashMap<String, String> = servicenow::persons(&bytes[..], zone("America/Sao_Paulo"))
        .expect("persons")
        .into_iter()
        .map(|person| (actor_of(&person).to_string(), person))
        .collect();
    let rows = servicenow::statements(&bytes[..], zone("America/Sao_Paulo"), actor_of).expect("a header");
    let mut cases: HashMap<String, Cells> = HashMap::new();
    for (statements, row) in rows.zip(judged(&bytes)) {
        let statements = statements.expect("a good row");
        let cells = cases.entry(statements[0].sub.to_string()).or_default();
        statements.iter().for_each(|statement| retell(statement, &names, cells));
        for (column, cell) in row {
            let retold = cells.get(&column).map_or("?", String::as_str);
            assert_eq!(retold, cell, "line {}, column {column}", statements[0].line);
        }
    }
}

/// What a statement says of the cells of its row.
fn retell(statement: &Imported, names: &HashMap<String, String>, cells: &mut Cells) {
    let mut set = |column: &str, text: String| cells.insert(column.to_owned(), text);
    set("number", statement.sub.name().to_owned());
    if statement.event == "x.servicenow.updated" {
        set("sys_updated_by", statement.person.clone());
        set("sys_updated_at", local(statement.occurred.as_ref().expect("a time").as_str()));
    }
    if statement.event == "incident.assigned" {
        let to = statement.facts.iter().find(|(name, _)| name == "to").and_then(|(_, to)| to.as_text()).expect("to");
        set("assigned_to", names[to].clone());
    }
    if !statement.event.starts_with("x.servicenow.") {
        return;
    }
    // Data stands behind facts: of a choice, its exact text behind its code.
    for (name, value) in statement.facts.iter().chain(&statement.data) {
        let text = value.as_text().map_or_else(|| value.to_text().to_uppercase(), str::to_owned);
        match (name.strip_prefix("cleared_"), name.as_str()) {
            (Some(column), _) => set(column, "?".to_owned()),
            (None, "opened_at" | "sys_created_at" | "resolved_at" | "closed_at") => set(name, local(&text)),
            (None, "opened_by" | "sys_created_by" | "resolved_by") => set(name, names[&text].clone()),
            (None, _) => set(name, text),
        };
    }
}

/// `2016-02-29T01:16:00-03:00` as `29-02-2016 01:16`.
fn local(instant: &str) -> String {
    format!("{}-{}-{} {}", &instant[8..10], &instant[5..7], &instant[..4], &instant[11..16])
}
