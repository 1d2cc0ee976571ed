//! Merging and splitting: into another, open one, never in a circle; and only alerts that are there leave.

use blotter_process::Phase;

use crate::log::{INC, Log, Say, list, say};
use crate::script::{enter, go_on, opened, ready_in};

const OTHER: &str = "incident/INC-2";
const THIRD: &str = "incident/INC-3";

fn merged(from: &str, into: &str) -> Say {
    say("person/mia", "incident.merged", from).about(&[into]).fact("into", into)
}

fn three() -> Log {
    let mut log = Log::new();
    for id in [INC, OTHER, THIRD] {
        log.say(opened(id));
    }
    log
}

#[test]
fn an_incident_is_merged_once_and_goes_on_there() {
    let mut log = three();
    log.say(merged(INC, OTHER));
    assert_eq!(log.refuses(merged(INC, THIRD)), ["merged"]);
    assert_eq!((log.incident(INC).status(), log.incident(OTHER).status()), ("merged", "open"));
    let (id, _) = log.incident(OTHER).related.pop_first().unwrap();
    assert_eq!(id.as_str(), INC);
    log.work(Phase::Initiate);
    let on = go_on(&log, Phase::Initiate);
    assert_eq!(log.refuses(on), ["merged"]);
}

#[test]
fn what_was_merged_away_in_close_is_neither_closed_nor_reopened_nor_moved() {
    let mut log = ready_in(Phase::Close);
    let (report, closing) = (log.newest("report.published").to_string(), log.newest("incident.closed").to_string());
    log.say(opened(OTHER));
    log.say(merged(INC, OTHER));
    let decided = |event| say("person/mia", event, INC);
    for said in [
        decided("incident.closed").fact("report", report),
        decided("incident.reopened"),
        decided("validation.signed-off").fact("outcome", "accepted"),
        decided("incident.recovered"),
        enter(&log, Phase::Close, Phase::Improve, "incident.closed"),
        enter(&log, Phase::Close, Phase::Execute, "incident.closed").fact("trigger", closing),
    ] {
        assert_eq!(log.refuses(said), ["merged"], "and nothing else is in the way");
    }
    log.say(decided("validation.signed-off").fact("outcome", "refused"));
    log.work(Phase::Execute);
}

#[test]
fn no_circle_is_merged() {
    let mut log = three();
    log.say(merged(INC, OTHER));
    assert_eq!(log.refuses(merged(OTHER, INC)), ["target.open"]);
    log.say(merged(OTHER, THIRD));
    assert_eq!(log.refuses(merged(THIRD, INC)), ["target.open"]);
    assert_eq!(log.refuses(merged(THIRD, OTHER)), ["target.open"]);
}

#[test]
fn both_are_open_and_the_target_is_another_that_is_named() {
    let mut log = three();
    assert_eq!(log.refuses(merged(INC, INC).about(&[OTHER])), ["target"]);
    assert_eq!(log.refuses(merged(INC, OTHER).about(&[THIRD])), ["target"], "its stream would not tell");
    assert_eq!(log.refuses(merged(INC, "incident/NONE")), ["target.open"]);
    assert_eq!(log.refuses(merged("incident/NONE", INC)), ["opened"]);
}

fn split(alerts: &[&str], from: &str) -> Say {
    say("person/mia", "incident.split", "incident/NEW").about(&[from]).fact("from", from).fact("alerts", list(alerts))
}

#[test]
fn alerts_leave_with_the_split_and_only_those_that_are_there() {
    let mut log = ready_in(Phase::Initiate);
    log.say(say("person/ana", "alert.linked", INC).fact("alert", "alert/A2"));
    assert_eq!(log.refuses(split(&["alert/A2", "alert/A3"], INC)), ["alerts"]);
    assert_eq!(log.refuses(split(&["alert/A2"], "incident/NEW").about(&[INC])), ["source", "alerts"]);
    assert_eq!(log.refuses(split(&["alert/A2"], INC).about(&[OTHER])), ["source"]);
    log.say(split(&["alert/A2"], INC));
    let alerts =
        |log: &mut Log, id: &str| -> Vec<String> { log.incident(id).alerts.keys().map(ToString::to_string).collect() };
    assert_eq!(alerts(&mut log, INC), ["alert/A1"]);
    assert_eq!(alerts(&mut log, "incident/NEW"), ["alert/A2"]);
    assert_eq!(log.refuses(split(&["alert/A2"], INC)), ["alerts"], "it left before");
    log.say(split(&["alert/A1"], INC));
    let on = enter(&log, Phase::Initiate, Phase::Assess, "incident.acknowledged");
    assert_eq!(log.refuses(on), ["telemetry"], "and with the last one the reference");
}
