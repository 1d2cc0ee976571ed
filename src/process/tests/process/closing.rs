//! Closing: in Close, with a full record, a published report, and nothing that hangs loose. It has no override.

use blotter_process::Phase;
use blotter_record::Jti;

use crate::log::{INC, Log, Say, say};
use crate::script::{deeds, fresh_in, nobodys};

/// In Close, with all done but the closing itself.
fn closable() -> (Log, Jti) {
    let mut log = fresh_in(Phase::Close);
    for (code, said) in deeds(Phase::Close) {
        if code != "closed" {
            let said = said(&log);
            log.say(said);
        }
    }
    let report = log.newest("report.published");
    (log, report)
}

fn closing(report: impl ToString) -> Say {
    say("person/mia", "incident.closed", INC).fact("report", report.to_string())
}

#[test]
fn an_incident_is_closed_in_close() {
    for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Close) {
        let mut log = fresh_in(phase);
        log.say(say("person/ana", "severity.assessed", INC));
        log.say(say("person/ana", "incident.confirmed", INC).fact("verdict", "true-positive"));
        for (code, said) in deeds(Phase::Close) {
            if code != "closed" {
                let said = said(&log);
                log.say(said);
            }
        }
        let report = log.newest("report.published");
        assert_eq!(log.refuses(closing(report)), ["phase"], "{phase}");
    }
}

#[test]
fn each_part_of_the_record_is_wanted() {
    let mut log = fresh_in(Phase::Close);
    let mut missing: Vec<&str> =
        vec!["record.class", "record.occurrence", "record.detection", "record.root-cause", "report"];
    for (code, said) in deeds(Phase::Close) {
        if code == "closed" {
            continue;
        }
        let report = if log.has("report.published") { log.newest("report.published").to_string() } else { nobodys() };
        assert_eq!(log.refuses(closing(report)), missing);
        let said = said(&log);
        log.say(said);
        missing.retain(|other| *other != code);
    }
    let report = log.newest("report.published");
    log.say(closing(report));
}

#[test]
fn the_report_that_it_names_is_published_in_this_incident() {
    let (mut log, report) = closable();
    assert_eq!(log.refuses(closing(nobodys())), ["report"]);
    let other = log.say(say("person/gus", "report.published", "incident/OTHER"));
    assert_eq!(log.refuses(closing(other)), ["report"]);
    let no_report = log.newest("root-cause.identified");
    assert_eq!(log.refuses(closing(no_report)), ["report"]);
    assert_eq!(log.would(&closing(report)), Ok(()));
    log.say(say("person/mia", "retraction.recorded", INC).fact("of", report.to_string()));
    assert_eq!(log.refuses(closing(report)), ["report"], "it was taken back");
}

#[test]
fn nothing_hangs_loose_behind_a_closed_incident() {
    let loose: [(&str, Say); 4] = [
        ("record.steps", say("person/ira", "step.started", INC).fact("step", "isolate")),
        ("clocks", say("ledger/own", "clock.started", INC).fact("clock", "nis2.final")),
        ("evidence", say("person/kit", "evidence.released", "evidence/E1")),
        ("tasks", say("person/ana", "task.opened", INC)),
    ];
    for (code, said) in loose {
        let (mut log, report) = closable();
        let run = log.newest("playbook.started").to_string();
        log.say(said.fact_if("run", &run));
        assert_eq!(log.refuses(closing(report)), [code]);
    }
}
