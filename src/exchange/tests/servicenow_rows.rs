//! The rules of the mapping, one by one, on small files: those of the table in the documentation of `servicenow`.

mod support;

use blotter_record::Precision;
use support::{actor_of, build, fact, file, rows, statements, told};

/// What the last of `cells` (state and further columns, one case) gives rise to besides `x.servicenow.updated`.
fn check(more: &str, cells: &[&str], expect: &[&str]) {
    let lines: Vec<String> = cells
        .iter()
        .enumerate()
        .map(|(minute, cells)| {
            let (state, more) = cells.split_once(',').map_or((*cells, String::new()), |(s, m)| (s, format!(",{m}")));
            format!("INC1,{state},Opener,01-03-2016 08:00,Clerk,01-03-2016 09:{minute:02}{more}")
        })
        .collect();
    let text = file(more, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let last = rows(text).pop().expect("a row").expect("a good row");
    let told: Vec<String> = last
        .iter()
        .filter(|statement| statement.event != "x.servicenow.updated")
        .map(|statement| {
            build(statement.clone());
            last.iter().fold(told(statement), |told, other| {
                told.replace(&other.jti.to_string(), &format!("<{}>", other.event))
            })
        })
        .collect();
    assert_eq!(told, expect, "{cells:?}");
}

fn opened(rest: &str) -> String {
    format!("incident.opened lead={} category=servicenow:{rest} tlp=amber", actor_of("Opener"))
}

const ENTERED: &str = "inputs=[] outputs=[] override=false unmet=[]";

#[test]
fn the_first_row_opens_the_incident() {
    check("", &["New"], &[&opened("uncategorised"), "x.servicenow.state to=new incident_state=New"]);
    let state = "x.servicenow.state to=new incident_state=New";
    check(",category", &["New,Category 55"], &[&opened("category-55"), state]);
    check(",category", &["New,日本"], &[&opened("other"), state]);
    check(",category", &[&format!("New,{}", "x".repeat(99))], &[&opened(&"x".repeat(53)), state]);
}

#[test]
fn who_opened_it_is_who_says_so_and_when() {
    let text = file(",sys_created_by", &["INC1,New,Opener,01-03-2016 08:00,Clerk,01-03-2016 09:00,Creator"]);
    let opened = &statements(&text)[0];
    assert_eq!((opened.person.as_str(), opened.precision), ("Opener", Precision::Minute));
    assert_eq!(opened.occurred.as_ref().map(|at| at.as_str()), Some("2016-03-01T08:00:00-03:00"));
    assert_eq!(statements(text.replace("Opener", "?"))[0].person, "Creator");
    assert_eq!(statements(text.replace("Opener", "").replace("Creator", "?"))[0].person, "Clerk");

    let opened = &statements(text.replace("01-03-2016 08:00", "?"))[0];
    assert_eq!((&opened.occurred, opened.precision), (&None, Precision::Unknown));
    build(opened.clone());
}

#[test]
fn everything_else_is_said_by_who_changed_the_row_and_then() {
    let text = file("", &["INC1,Active,Opener,01-03-2016 08:00,Clerk,01-03-2016 09:00"]);
    for statement in &statements(&text)[1..] {
        assert_eq!(statement.person, "Clerk", "{}", statement.event);
        assert_eq!(statement.occurred.as_ref().map(|at| at.as_str()), Some("2016-03-01T09:00:00-03:00"));
    }
}

#[test]
fn a_state_of_another_phase_enters_it() {
    let entered = |from, to| format!("phase.entered from={from} to={to} trigger=<x.servicenow.state> {ENTERED}");
    let state = |from, to, text| format!("x.servicenow.state to={to} from={from} incident_state={text}");
    check("", &["New", "Active"], &[&state("new", "active", "Active"), &entered("initiate", "execute")]);
    check("", &["New", "New"], &[]);
    check("", &["Active", "Awaiting User Info"], &[&state("active", "awaiting-user-info", "Awaiting User Info")]);
    check(
        "",
        &["Awaiting Vendor", "Awaiting Problem"],
        &[&state("awaiting-vendor", "awaiting-problem", "Awaiting Problem")],
    );
    check("", &["New", "On Hold"], &[&state("new", "on-hold", "On Hold"), &entered("initiate", "execute")]);
    check("", &["Active", "New"], &[&state("active", "new", "New"), &entered("execute", "initiate")]);
}

#[test]
fn a_state_that_is_not_known_is_kept_and_moves_nothing() {
    check("", &["Active", "-100"], &["x.servicenow.state to=100 from=active incident_state=-100"]);
    check("", &["Active", "-100", "Active"], &["x.servicenow.state to=active from=100 incident_state=Active"]);
    check("", &["Resolved", "-100", "Resolved"], &["x.servicenow.state to=resolved from=100 incident_state=Resolved"]);
    check("", &["Active", "?"], &[]);
}

#[test]
fn resolved_resolves_and_enters_close() {
    let expect = |code| {
        [
            "x.servicenow.state to=resolved from=active incident_state=Resolved".to_owned(),
            format!("phase.entered from=execute to=close trigger=<x.servicenow.state> {ENTERED}"),
            format!("incident.resolved code=servicenow:{code}"),
        ]
    };
    check("", &["Active", "Resolved"], &expect("none").each_ref().map(String::as_str));
    check("", &["Active", "Resolved", "Resolved"], &[]);
    let with_outcome = [
        &expect("code-6")[..],
        &["x.servicenow.outcome closed_code=code-6 hindsight=false closed_code=code 6".to_owned()],
    ]
    .concat();
    check(
        ",closed_code",
        &["Active,", "Resolved,code 6"],
        &with_outcome.iter().map(String::as_str).collect::<Vec<_>>(),
    );
}

#[test]
fn closed_rests_on_the_resolution_if_there_is_one() {
    let lines = |states: &[&str]| {
        let rows: Vec<String> =
            states.iter().enumerate().map(|(m, s)| format!("INC1,{s},O,?,C,01-03-2016 09:{m:02}")).collect();
        statements(file("", &rows.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    let report = |states: &[&str]| {
        let said = lines(states);
        let closed = said.last().expect("statements");
        assert_eq!(closed.event, "incident.closed");
        let jti = fact(closed, "report").and_then(|jti| jti.as_text()).expect("a report").to_owned();
        said.iter()
            .find(|s| s.jti.to_string() == jti)
            .map(|s| (s.line, s.event.clone()))
            .expect("a statement of the case")
    };
    assert_eq!(report(&["New", "Resolved", "Closed"]), (3, "incident.resolved".to_owned()));
    assert_eq!(report(&["Active", "Resolved", "Active", "Resolved", "Closed"]), (5, "incident.resolved".to_owned()));
    assert_eq!(report(&["Active", "Resolved", "Active", "Closed"]), (5, "x.servicenow.state".to_owned()));
    assert_eq!(report(&["Canceled"]), (2, "x.servicenow.state".to_owned()));
    let said = lines(&["New", "Canceled"]);
    assert_eq!(fact(said.last().expect("closed"), "resolution").and_then(|r| r.as_text()), Some("servicenow:canceled"));
}

#[test]
fn a_reopening_is_said_once_wherever_it_shows() {
    let reopened = "incident.reopened";
    let entered = format!("phase.entered from=close to=execute trigger=<incident.reopened> {ENTERED}");
    let back = "x.servicenow.state to=active from=resolved incident_state=Active";
    let more = ",reopen_count";
    check("", &["Resolved", "Active"], &[back, reopened, &entered]);
    check(more, &["Resolved,0", "Active,1"], &[back, reopened, &entered]);
    check(more, &["Resolved,0", "Resolved,1"], &[reopened]);
    let entered_by_state = entered.replace("<incident.reopened>", "<x.servicenow.state>");
    check(more, &["Resolved,0", "Resolved,1", "Active,1"], &[back, &entered_by_state]);
    check(more, &["Resolved,0", "Active,0", "Active,1"], &[]);
    check(more, &["Resolved,0", "Active,1", "Resolved,1", "Active,2"], &[back, reopened, &entered]);
    check(more, &["Resolved,2", "Resolved,2"], &[]);
    check(more, &["Resolved,2", "Resolved,1", "Resolved,2"], &[]);
    check("", &["Closed", "Active"], &[&back.replace("resolved", "closed"), reopened, &entered]);
}

#[test]
fn assignments_name_the_actor_and_losing_one_is_said() {
    let to = |person| format!("incident.assigned to={} role=assignee", actor_of(person));
    check(",assigned_to", &["New,?", "New,Resolver 8"], &[&to("Resolver 8")]);
    check(",assigned_to", &["New,Resolver 8", "New,Resolver 9"], &[&to("Resolver 9")]);
    check(",assigned_to", &["New,Resolver 8", "New,Resolver 8"], &[]);
    check(",assigned_to", &["New,Resolver 8", "New,?"], &[]);
    let text = file(",assigned_to", &["INC1,New,O,?,C,01-03-2016 09:00,Resolver 8", "INC1,?,O,?,C,01-03-2016 09:01,?"]);
    let last = statements(text).pop().expect("statements");
    assert_eq!(told(&last), "x.servicenow.updated cleared_incident_state=true cleared_assigned_to=true");
}

#[test]
fn priority_is_kept_with_its_words() {
    let more = ",impact,urgency,priority,u_priority_confirmation";
    check(
        more,
        &["New,2 - Medium,2 - Medium,3 - Moderate,FALSE", "New,1 - High,2 - Medium,2 - High,TRUE"],
        &["x.servicenow.priority impact=1 priority=2 u_priority_confirmation=true impact=1 - High priority=2 - High"],
    );
    check(more, &["New,2,2,3,?", "New,2,?,3,?"], &["x.servicenow.priority cleared_urgency=true"]);
}

#[test]
fn hindsight_has_no_time() {
    let outcome = |text: &str| {
        let found = statements(file(",resolved_at,closed_at", &[text])).pop().expect("statements");
        assert_eq!(found.event, "x.servicenow.outcome");
        build(found.clone());
        (found.occurred.is_some(), fact(&found, "hindsight").map(|h| h.to_text()).expect("a flag"))
    };
    let known = (true, "false".to_owned());
    let hindsight = (false, "true".to_owned());
    assert_eq!(outcome("INC1,Resolved,O,?,C,01-03-2016 09:00,01-03-2016 09:00,?"), known);
    assert_eq!(outcome("INC1,Resolved,O,?,C,01-03-2016 09:00,01-03-2016 09:01,?"), hindsight);
    assert_eq!(outcome("INC1,Closed,O,?,C,01-03-2016 09:00,?,01-03-2016 08:00"), known);
    assert_eq!(outcome("INC1,Active,O,?,C,01-03-2016 09:00,01-03-2016 08:00,?"), hindsight);
}

#[test]
fn a_row_that_changes_nothing_is_still_told() {
    let text = file("", &["INC1,New,O,?,C,01-03-2016 09:00", "INC1,New,O,?,C,01-03-2016 08:00"]);
    let said = statements(text);
    let last = said.last().expect("statements");
    assert_eq!((told(last).as_str(), last.line), ("x.servicenow.updated", 3));
    assert_eq!(
        last.occurred.as_ref().map(|at| at.as_str()),
        Some("2016-03-01T08:00:00-03:00"),
        "time may run backwards"
    );
}

#[test]
fn free_text_and_unknown_columns_are_data() {
    let text = file(",caller_id,Work notes", &["INC1,New,O,?,C,01-03-2016 09:00,Caller 1,\"two\r\nlines\""]);
    let updated = &statements(text)[1];
    assert_eq!(updated.event, "x.servicenow.updated");
    assert_eq!(updated.data, [("caller_id".into(), "Caller 1".into()), ("col_work_notes".into(), "two\nlines".into())]);
}

#[test]
fn a_time_that_came_twice_is_flagged() {
    let text = file(",sys_created_at", &["INC1,New,O,20-02-2016 23:30,C,20-02-2016 23:30,20-02-2016 22:30"]);
    let updated = told(&statements(text)[1]);
    let expect = format!(
        "x.servicenow.updated ambiguous_sys_updated_at=true opened_by={} opened_at=2016-02-20T23:30:00-02:00 \
         ambiguous_opened_at=true sys_created_at=2016-02-20T22:30:00-02:00",
        actor_of("O")
    );
    assert_eq!(updated, expect);
}

#[test]
fn every_column_goes_into_its_statement() {
    let cells = [
        ("number", "INC1"),
        ("incident_state", "Resolved"),
        ("active", "TRUE"),
        ("reassignment_count", "1"),
        ("reopen_count", "2"),
        ("sys_mod_count", "3"),
        ("made_sla", "false"),
        ("caller_id", "Caller 1"),
        ("opened_by", "Opened by  8"),
        ("opened_at", "01-03-2016 08:00"),
        ("sys_created_by", "Created by 6"),
        ("sys_created_at", "01-03-2016 08:01"),
        ("sys_updated_by", "Updated by 2"),
        ("sys_updated_at", "01-03-2016 09:00"),
        ("contact_type", "Phone"),
        ("location", "Location 143"),
        ("category", "Category 55"),
        ("subcategory", "Subcategory 170"),
        ("u_symptom", "Symptom 72"),
        ("cmdb_ci", "cmdb_ci 6"),
        ("impact", "1 - High"),
        ("urgency", "2 - Medium"),
        ("priority", "2 - High"),
        ("assignment_group", "Group 56"),
        ("assigned_to", "Resolver 8"),
        ("knowledge", "TRUE"),
        ("u_priority_confirmation", "FALSE"),
        ("notify", "Do Not Notify"),
        ("problem_id", "Problem ID  2"),
        ("rfc", "CHG0000047"),
        ("vendor", "code 8s"),
        ("caused_by", "CHG0000097"),
        ("closed_code", "code 5"),
        ("resolved_by", "Resolved by 149"),
        ("resolved_at", "01-03-2016 09:00"),
        ("closed_at", "05-03-2016 12:00"),
    ];
    let line =
        |of: fn(&(&'static str, &'static str)) -> &'static str| cells.iter().map(of).collect::<Vec<_>>().join(",");
    let said = statements(format!("{}\n{}\n", line(|cell| cell.0), line(|cell| cell.1)));
    let told: Vec<String> = said.iter().filter(|s| s.event.starts_with("x.")).map(told).collect();
    let [opened, created, resolved] = ["Opened by  8", "Created by 6", "Resolved by 149"].map(actor_of);
    let expect = [
        format!(
            "x.servicenow.updated active=true reassignment_count=1 reopen_count=2 sys_mod_count=3 made_sla=false \
             opened_by={opened} opened_at=2016-03-01T08:00:00-03:00 sys_created_by={created} \
             sys_created_at=2016-03-01T08:01:00-03:00 contact_type=phone category=category-55 \
             subcategory=subcategory-170 knowledge=true notify=do-not-notify caller_id=Caller 1 contact_type=Phone \
             location=Location 143 category=Category 55 subcategory=Subcategory 170 u_symptom=Symptom 72 \
             cmdb_ci=cmdb_ci 6 assignment_group=Group 56 notify=Do Not Notify problem_id=Problem ID  2 rfc=CHG0000047 \
             vendor=code 8s caused_by=CHG0000097"
        ),
        "x.servicenow.priority impact=1 urgency=2 priority=2 u_priority_confirmation=false impact=1 - High \
         urgency=2 - Medium priority=2 - High"
            .to_owned(),
        "x.servicenow.state to=resolved incident_state=Resolved".to_owned(),
        format!(
            "x.servicenow.outcome closed_code=code-5 resolved_by={resolved} resolved_at=2016-03-01T09:00:00-03:00 \
             closed_at=2016-03-05T12:00:00-03:00 hindsight=true closed_code=code 5"
        ),
    ];
    assert_eq!(told, expect);
    said.into_iter().for_each(|statement| drop(build(statement)));
}
