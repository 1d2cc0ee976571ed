//! PROCESS.md is read against the code: what its tables say is what the process does, no more and no less.

use std::collections::BTreeSet;

use blotter_process::gate::checks;
use blotter_process::{Course, Incident, OwnGates, Phase, TRANSITIONS};

const TEXT: &str = include_str!("../../PROCESS.md");

/// The cells of the table below a heading.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let section = TEXT.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_ways_are_those_of_the_text() {
    let course = |course: &Course| match course {
        Course::Forward => "forward",
        Course::Dismissal => "dismissal",
        Course::Back => "back",
        Course::Reopening => "reopening",
        Course::Rest => "rest",
    };
    let ways: Vec<Vec<String>> = TRANSITIONS
        .iter()
        .map(|way| {
            let courses: Vec<&str> = way.courses.iter().map(course).collect();
            let roles: Vec<&str> = way.roles.iter().map(|role| role.name()).collect();
            let triggers: Vec<&str> = way.triggers.iter().map(|event| event.name()).collect();
            let (from, to) = (way.from.name().to_owned(), way.to.name().to_owned());
            vec![from, to, courses.join(", "), roles.join(", "), triggers.join(", ")]
        })
        .collect();
    assert_eq!(table("Ways"), ways);
}

#[test]
fn the_phases_are_those_of_the_text() {
    let phases: Vec<&str> = table("Phases").into_iter().map(|row| row[0]).collect();
    assert_eq!(phases, Phase::ALL.map(Phase::name));
}

#[test]
fn the_gates_are_those_of_the_text() {
    let told = |phase: Phase| -> Vec<&str> {
        let rows = table("Gates").into_iter().filter(|row| row[0] == phase.name());
        rows.map(|row| row[1].trim_matches('`')).collect()
    };
    for phase in Phase::ALL {
        let course = if phase == Phase::Improve { Course::Rest } else { Course::Forward };
        let checks = checks(course, phase, &Incident::default(), &OwnGates::new(), 0);
        let codes: Vec<&str> = checks.iter().map(|check| check.gate.code.as_str()).collect();
        assert_eq!(told(phase), codes, "{phase}");
        assert!(checks.iter().all(|check| check.gate.overridable), "{phase}");
    }
}

#[test]
fn each_event_that_meets_a_gate_is_one_and_each_gate_tells_it() {
    for row in table("Gates") {
        let [phase, gate, by] = row[..] else { panic!("{row:?}") };
        let events: BTreeSet<&str> = by.split('`').skip(1).step_by(2).filter(|word| word.contains('.')).collect();
        assert!(!events.is_empty(), "{gate}");
        for event in &events {
            assert!(blotter_record::Event::from_name(event).is_some(), "{gate}: {event}");
        }
        // What the code tells whoever is refused names one of these events at least.
        let phase = Phase::from_name(phase).unwrap();
        let course = if phase == Phase::Improve { Course::Rest } else { Course::Forward };
        let checks = checks(course, phase, &Incident::default(), &OwnGates::new(), 0);
        let check = checks.into_iter().find(|check| check.gate.code == gate.trim_matches('`')).unwrap();
        assert!(events.iter().any(|event| check.gate.what.contains(event)), "{gate}: {}", check.gate.what);
    }
}

#[test]
fn every_code_of_a_fixed_gate_is_in_the_text() {
    for code in [
        "new",
        "separation",
        "phase",
        "opened",
        "merged",
        "target",
        "target.open",
        "source",
        "alerts",
        "approval",
        "hold",
        "evidence",
        "own-gate",
        "from",
        "transition",
        "trigger",
        "inputs",
        "outputs",
        "override",
        "override.reason",
        "setback",
        "reopened",
        "dismissed",
        "own.EVENT",
    ] {
        assert!(TEXT.contains(&format!("`{code}`")), "{code}");
    }
}
