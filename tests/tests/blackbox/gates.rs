//! The gates between the phases, once more and independently of the program's own: read from the JSON of `blotter log`,
//! by the table of the process (a phase, what it needs before it can be left).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// An incident's entries in their order, and the whole log around them.
pub(crate) struct Stream<'a> {
    pub(crate) id: &'a str,
    pub(crate) entries: &'a [Value],
    pub(crate) log: &'a [Value],
}

/// The strings of a list.
pub(crate) fn strs(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn fact<'v>(entry: &'v Value, name: &str) -> &'v str {
    entry["facts"][name].as_str().unwrap_or_default()
}

/// The entries before a transition.
struct Before<'a>(&'a [Value]);

impl<'a> Before<'a> {
    fn all(&self, event: &str) -> impl DoubleEndedIterator<Item = (usize, &'a Value)> + use<'a, '_> {
        let event = event.to_owned();
        self.0.iter().enumerate().filter(move |(_, entry)| entry["event"] == event.as_str())
    }

    fn last(&self, event: &str) -> Option<(usize, &'a Value)> {
        self.all(event).next_back()
    }

    fn has(&self, event: &str) -> bool {
        self.last(event).is_some()
    }

    /// Whether it happened since work was last gone back to: since a reopening, or a way back behind the closing.
    fn has_again(&self, event: &str) -> bool {
        let back = self.all("phase.entered").filter(|(_, entered)| {
            matches!(fact(entered, "from"), "close" | "improve") && matches!(fact(entered, "to"), "assess" | "execute")
        });
        let resumed = self.all("incident.reopened").chain(back).map(|(at, _)| at).max();
        self.last(event).is_some_and(|(at, _)| resumed.is_none_or(|resumed| at > resumed))
    }
}

/// The codes of the gates that the transition at `at` lacks; what it names and where it comes from included.
pub(crate) fn lacking(stream: &Stream<'_>, at: usize) -> Vec<&'static str> {
    let before = Before(&stream.entries[..at]);
    let entry = &stream.entries[at];
    let (from, to) = (fact(entry, "from"), fact(entry, "to"));
    let here = before.last("phase.entered").map_or("initiate", |(_, entered)| fact(entered, "to"));
    let merged_away = before.all("incident.merged").any(|(_, merged)| merged["stream"] == stream.id);
    let mut gates = vec![("from", here == from), ("merged", !merged_away)];
    gates.extend(named(stream, entry));
    gates.extend(match (from, to) {
        ("initiate", "assess") => initiate(&before),
        ("assess", "execute") => assess(&before),
        ("execute", "validate") => execute(&before, &entry["recorded"]),
        ("validate", "execute") => vec![("setback", failed_since_entered(&before))],
        ("validate", "close") => validate(&before),
        ("close", "improve") => close(&before, stream.id),
        ("improve", "close") => improve(&before, stream, &entry["recorded"]),
        _ => vec![("transition", false)],
    });
    gates.into_iter().filter(|(_, met)| !met).map(|(code, _)| code).collect()
}

/// Trigger, inputs and outputs are earlier statements of the incident, of one of its alerts or of its lessons.
fn named(stream: &Stream<'_>, entry: &Value) -> Vec<(&'static str, bool)> {
    let seq = entry["seq"].as_u64();
    let opened = stream.entries.iter().filter(|other| other["event"] == "incident.opened");
    let mut its: BTreeSet<&str> = opened.flat_map(|opened| strs(&opened["about"])).collect();
    its.extend(
        stream.entries.iter().filter(|other| other["event"] == "alert.linked").map(|other| fact(other, "alert")),
    );
    its.extend(
        stream.entries.iter().filter(|other| other["event"] == "lesson.recorded").map(|other| fact(other, "lesson")),
    );
    its.insert(stream.id);
    let own = stream.log.iter().filter(|other| other["seq"].as_u64() < seq).filter(|other| {
        let mut streams = strs(&other["about"]);
        streams.extend(other["stream"].as_str());
        streams.iter().any(|id| its.contains(id))
    });
    let own: BTreeSet<&str> = own.filter_map(|other| other["jti"].as_str()).collect();
    let all = |name: &str| strs(&entry["facts"][name]).iter().all(|jti| own.contains(jti));
    vec![("trigger", own.contains(fact(entry, "trigger"))), ("inputs", all("inputs")), ("outputs", all("outputs"))]
}

fn initiate(before: &Before<'_>) -> Vec<(&'static str, bool)> {
    let opened_with = before.last("incident.opened").is_some_and(|(_, opened)| !strs(&opened["about"]).is_empty());
    vec![
        ("telemetry", opened_with || before.has("alert.linked")),
        ("acknowledged", before.has("incident.acknowledged")),
    ]
}

fn assess(before: &Before<'_>) -> Vec<(&'static str, bool)> {
    let confirmed = before.last("incident.confirmed").map(|(_, confirmed)| fact(confirmed, "verdict"));
    vec![
        ("intel", before.has("intel.attached")),
        ("severity", before.has("severity.assessed")),
        ("confirmed", matches!(confirmed, Some("true-positive" | "policy-violation"))),
    ]
}

fn execute(before: &Before<'_>, now: &Value) -> Vec<(&'static str, bool)> {
    let scope = before.last("scope.assessed").map(|(_, scope)| strs(&scope["facts"]["assets"])).unwrap_or_default();
    let mut contained = BTreeSet::new();
    let mut clean = BTreeSet::new();
    for entry in before.0 {
        let assets = strs(&entry["facts"]["assets"]);
        match entry["event"].as_str() {
            Some("containment.achieved") => contained.extend(assets),
            Some("containment.lost") => assets.iter().for_each(|asset| _ = contained.remove(asset)),
            Some("eradication.completed") => clean.extend(assets),
            _ => {}
        }
    }
    let (achieved, lost) = (before.last("containment.achieved"), before.last("containment.lost"));
    let holds = achieved.is_some_and(|(at, _)| lost.is_none_or(|(lost, _)| lost < at));
    let mut risks = before.all("risk.accepted");
    let eradicated = before.has("eradication.completed") && scope.iter().all(|asset| clean.contains(asset));
    vec![
        ("playbook", before.has("playbook.started")),
        ("tools", before.has("step.started") || before.has("containment.started")),
        ("containment", holds && scope.iter().all(|asset| contained.contains(asset))),
        ("eradication", eradicated || risks.any(|(_, risk)| risk["facts"]["lesson"].is_null() && lasts(risk, now))),
    ]
}

/// Whether an accepted risk had not expired when something was recorded. Times in UTC compare like words, up to seconds.
fn lasts(risk: &Value, recorded: &Value) -> bool {
    let seconds = |time: &str| time.trim_end_matches('Z').chars().take(19).collect::<String>();
    seconds(fact(risk, "expires")) > seconds(recorded.as_str().unwrap())
}

fn failed_since_entered(before: &Before<'_>) -> bool {
    let entered = before.last("phase.entered").map_or(0, |(at, _)| at);
    before.all("validation.performed").any(|(at, entry)| at > entered && fact(entry, "result") == "fail")
}

fn validate(before: &Before<'_>) -> Vec<(&'static str, bool)> {
    let mut result = BTreeMap::new();
    let mut newest_work = 0;
    for (at, entry) in before.0.iter().enumerate() {
        match entry["event"].as_str() {
            Some("system.restored") => {
                result.insert(fact(entry, "asset"), "unknown");
                newest_work = at;
            }
            Some("validation.performed") => {
                result.insert(fact(entry, "asset"), fact(entry, "result"));
            }
            _ => {}
        }
    }
    let signed = before.last("validation.signed-off").filter(|(_, entry)| fact(entry, "outcome") == "accepted");
    let hands = ["containment.achieved", "eradication.completed", "system.restored", "recovery.initiated"];
    let separate =
        |signer: &Value| hands.iter().all(|event| before.all(event).all(|(_, done)| done["actor"] != *signer));
    vec![
        ("validation", !result.is_empty() && result.values().all(|result| *result == "pass")),
        ("sign-off", signed.is_some_and(|(at, _)| at > newest_work)),
        ("separation", signed.is_some_and(|(_, entry)| separate(&entry["actor"]))),
    ]
}

fn close(before: &Before<'_>, id: &str) -> Vec<(&'static str, bool)> {
    let all_answered = |begun: &str, name: &str, ended: &str, by: &str| {
        before.all(begun).filter(|(_, entry)| entry["stream"] == id || begun.starts_with("evidence")).all(
            |(_, entry)| {
                let key = if name == "jti" { entry["jti"].as_str().unwrap() } else { fact(entry, name) };
                before.all(ended).any(|(_, end)| fact(end, by) == key)
            },
        )
    };
    vec![
        ("record.severity", before.has("severity.assessed")),
        ("record.verdict", before.has("incident.confirmed")),
        ("record.class", before.has("incident.classified")),
        ("record.occurrence", before.has("occurrence.asserted")),
        ("record.detection", before.has("detection.asserted")),
        ("record.root-cause", before.has("root-cause.identified")),
        ("record.steps", all_answered("step.started", "step", "step.completed", "step")),
        ("report", before.has_again("report.published")),
        ("closed", before.has_again("incident.closed")),
        ("clocks", all_answered("clock.started", "clock", "notification.sent", "clock")),
        ("evidence", all_answered("evidence.released", "jti", "evidence.received", "release")),
        ("tasks", all_answered("task.opened", "task", "task.completed", "task")),
    ]
}

fn improve(before: &Before<'_>, stream: &Stream<'_>, now: &Value) -> Vec<(&'static str, bool)> {
    let last = before.0.last().and_then(|entry| entry["seq"].as_u64());
    let published = stream.log.iter().filter(|entry| entry["seq"].as_u64() <= last);
    let published: Vec<&str> = published
        .filter(|entry| entry["event"] == "playbook.published")
        .flat_map(|entry| strs(&entry["facts"]["lessons"]))
        .collect();
    let led = |lesson: &str| {
        let acted =
            before.all("action.opened").filter(|(_, action)| fact(action, "lesson") == lesson).any(|(_, action)| {
                before.all("action.completed").any(|(_, done)| fact(done, "action") == fact(action, "action"))
            });
        acted
            || published.contains(&lesson)
            || before.all("risk.accepted").any(|(_, risk)| fact(risk, "lesson") == lesson && lasts(risk, now))
    };
    let mut lessons = before.all("lesson.recorded").peekable();
    vec![
        ("review", before.has_again("review.held")),
        ("feedback", before.has("feedback.recorded")),
        ("lessons", lessons.peek().is_some()),
        (
            "lessons.led",
            lessons.all(|(_, lesson)| lesson["facts"]["none_found"] == true || led(fact(lesson, "lesson"))),
        ),
    ]
}
