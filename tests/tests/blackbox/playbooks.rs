//! A playbook from its file to a run of it in an incident: what is checked, what is signed, and what departs from it.

use serde_json::{Value, json};

use crate::cannot_run;
use crate::places::{Place, json as read};
use crate::served::Served;

const START: &str = "start--11111111-1111-4111-8111-111111111111";
const LOCK: &str = "action--22222222-2222-4222-8222-222222222222";
const MAIL: &str = "action--33333333-3333-4333-8333-333333333333";
const TELL: &str = "action--44444444-4444-4444-8444-444444444444";
const END: &str = "end--55555555-5555-4555-8555-555555555555";
const AGENT: &str = "individual--66666666-6666-4666-8666-666666666666";
const PLAYBOOK: &str = "playbook/77777777-7777-4777-8777-777777777777";

/// Lock the account, then the mail rules, then tell people.
fn playbook(modified: &str, description: &str) -> Value {
    let action = |name: &str, next: &str| {
        let commands = json!([{ "type": "manual", "command": format!("{name}.") }]);
        json!({ "type": "action", "name": name, "agent": AGENT, "commands": commands, "on_completion": next })
    };
    json!({
        "type": "playbook", "spec_version": "cacao-2.0", "id": PLAYBOOK.replacen('/', "--", 1), "name": "Phishing",
        "description": description, "created_by": AGENT.replacen("individual", "identity", 1),
        "created": "2026-01-02T03:04:05.000Z", "modified": modified, "workflow_start": START,
        "agent_definitions": { AGENT: { "type": "individual", "name": "The analyst on shift" } },
        "workflow": {
            START: { "type": "start", "on_completion": LOCK },
            LOCK: action("Lock the account", MAIL),
            MAIL: action("Remove mail rules", TELL),
            TELL: action("Tell the user", END),
            END: { "type": "end" },
        },
    })
}

struct Stage(Place);

impl Stage {
    /// A ledger with a manager, an analyst and an incident; and the playbook's file.
    fn set() -> Self {
        let place = Place::founded();
        for (key, role) in [("mona", "secops_manager"), ("ana", "soc_analyst")] {
            place.done(&["key", "new", key, "--no-passphrase"]);
            place.done(&["actor", "enrol", "--key", key, "--name", key, "--role", role, "--as", "founder", "-y"]);
        }
        place.comment("something is wrong");
        let stage = Self(place);
        stage.write("p.json", &playbook("2026-02-02T00:00:00.000Z", "A mailbox was taken over."));
        stage
    }

    fn write(&self, name: &str, playbook: &Value) -> String {
        let path = self.0.beside(name);
        std::fs::write(&path, playbook.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn file(&self) -> String {
        self.0.beside("p.json").to_str().unwrap().to_owned()
    }

    fn size(&self) -> u64 {
        read(&self.0.done(&["checkpoint", "--json"]))["size"].as_u64().unwrap()
    }

    fn publish(&self, file: &str, more: &[&str]) -> Value {
        let args = ["playbook", "publish", file, "--as", "mona", "-y", "--json"];
        read(&self.0.done(&[&args[..], more].concat()))
    }

    /// `playbook step`, as the analyst.
    fn step<'a>(run: &'a str, step: &'a str, what: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let args = ["playbook", "step", "incident/I-1", run, step, what, "--as", "ana", "-y", "--json"];
        [&args[..], more].concat()
    }

    /// The first entry of an event, its values as well.
    fn entry(&self, event: &str) -> Value {
        let log = self.0.done(&["log", "--event", event, "--json"]);
        let seq = read(log.lines().next().unwrap())["seq"].to_string();
        read(&self.0.done(&["show", &seq, "--json"]))
    }
}

#[test]
fn check_names_what_is_wrong_and_says_so_with_its_exit_code() {
    let stage = Stage::set();
    let good = read(&stage.0.done(&["playbook", "check", &stage.file(), "--json"]));
    assert_eq!((good["errors"].as_u64(), good["findings"].as_array().map(Vec::len)), (Some(0), Some(0)), "{good}");
    assert_eq!(good["playbook"]["version"], "20260202T000000.000Z");
    let mut faulty = playbook("2026-02-02T00:00:00.000Z", "x");
    faulty["workflow"][MAIL]["on_completion"] = json!(LOCK);
    faulty["colour"] = json!("red");
    let faulty = stage.write("faulty.json", &faulty);
    let output = stage.0.fails(2, &["playbook", "check", &faulty, "--json"]);
    let found = read(output.lines().find(|line| line.starts_with('{')).unwrap());
    assert_eq!((found["errors"].as_u64(), found["warnings"].as_u64()), (Some(3), Some(1)), "{found}");
    let table = stage.0.fails(2, &["playbook", "check", &faulty]);
    assert!(table.contains("/colour") && table.contains("3 errors, 1 warning"), "{table}");
    let before = stage.size();
    let said = stage.0.fails(2, &["playbook", "publish", &faulty, "--as", "mona", "-y"]);
    assert!(said.contains("nothing was published") && said.contains("while-condition"), "{said}");
    let binary = stage.write("x.json", &json!(1));
    stage.0.fails(2, &["playbook", "check", &binary]);
    stage.0.fails(2, &["playbook", "check", "/nowhere/p.json"]);
    assert_eq!(stage.size(), before);
}

#[test]
fn a_version_is_published_once_and_the_next_one_replaces_it() {
    let stage = Stage::set();
    let said = stage.0.fails(4, &["playbook", "publish", &stage.file(), "--as", "ana", "-y"]);
    assert!(said.contains("secops_manager"), "{said}");
    let first = stage.publish(&stage.file(), &["--lesson", "lesson/L-1", "--reason", "First one"]);
    let bytes = std::fs::read(stage.file()).unwrap();
    assert_eq!(first["document_sha256"], blotter_record::Hash::of(&bytes).to_hex());
    let entry = stage.entry("playbook.published");
    let facts = &entry["facts"];
    assert_eq!(
        facts,
        &json!({
            "playbook": PLAYBOOK, "version": "20260202T000000.000Z", "document_sha256": first["document_sha256"],
            "lessons": ["lesson/L-1"],
        })
    );
    let text = entry.to_string();
    assert!(text.contains("First one") && text.contains("lesson/L-1"), "{text}");

    let said = stage.0.fails(2, &["playbook", "publish", &stage.file(), "--as", "mona", "-y"]);
    assert!(said.contains("these very bytes"), "{said}");
    let changed = stage.write("changed.json", &playbook("2026-02-02T00:00:00.000Z", "Changed."));
    let said = stage.0.fails(2, &["playbook", "publish", &changed, "--as", "mona", "-y"]);
    assert!(said.contains("\"modified\""), "{said}");

    // A large document is a blob in the vault; what is shown is checked against what was signed.
    let large = stage.write("large.json", &playbook("2026-03-03T00:00:00.000Z", &"long ".repeat(10_000)));
    let said = stage.0.fails(2, &["playbook", "publish", &large, "--replaces", "1", "--as", "mona", "-y"]);
    assert!(said.contains("20260202T000000.000Z"), "{said}");
    assert_eq!(stage.publish(&large, &[])["replaces"], "20260202T000000.000Z");
    let shown = read(&stage.0.done(&["playbook", "show", PLAYBOOK, "--json"]));
    assert_eq!((&shown["version"], &shown["steps"][1]["id"]), (&json!("20260303T000000.000Z"), &json!(LOCK)));
    let first = ["playbook", "show", &PLAYBOOK.replacen('/', "--", 1), "--version", "20260202T000000.000Z"];
    let table = stage.0.done(&first);
    assert!(table.contains("A mailbox was taken over.") && table.contains("Remove mail rules"), "{table}");
    stage.0.done(&["verify"]);
    let database = rusqlite::Connection::open(stage.0.database()).unwrap();
    database.execute("UPDATE blob SET bytes = CAST(replace(CAST(bytes AS TEXT), 'Lock', 'Open') AS BLOB)", []).unwrap();
    drop(database);
    let said = stage.0.fails(1, &["playbook", "show", PLAYBOOK]);
    assert!(said.contains("was signed"), "{said}");
    stage.0.done(&first);
}

#[test]
fn a_run_is_followed_and_what_departs_from_it_says_why() {
    let stage = Stage::set();
    let said = stage.0.fails(2, &["playbook", "start", "incident/I-1", PLAYBOOK, "--as", "ana", "-y"]);
    assert!(said.contains("has not been published"), "{said}");
    let published = stage.publish(&stage.file(), &[]);
    let said = stage.0.fails(2, &["playbook", "start", "incident/I-9", PLAYBOOK, "--as", "ana", "-y"]);
    assert!(said.contains("nothing has been said in incident/I-9"), "{said}");
    stage.0.fails(2, &Stage::step("last", LOCK, "start", &[]));
    let started = read(&stage.0.done(&["playbook", "start", "incident/I-1", PLAYBOOK, "--as", "ana", "-y", "--json"]));
    let run = started["run"].as_str().unwrap();
    assert_eq!(started["next"], json!([LOCK]));
    assert_eq!(stage.entry("playbook.started")["facts"]["document_sha256"], published["document_sha256"]);

    let step = |step: &str, what: &str, more: &[&str]| read(&stage.0.done(&Stage::step(run, step, what, more)));
    let refused = |step: &str, what: &str, more: &[&str]| {
        let before = stage.size();
        let said = stage.0.fails(2, &Stage::step(run, step, what, more));
        assert_eq!(stage.size(), before, "{said}");
        said
    };
    assert_eq!(step("lock the account", "start", &[])["step"], LOCK);
    assert_eq!(step(LOCK, "done", &["--result", "Locked."])["next"], json!([MAIL]));
    // Before its turn, a step that the playbook does not have, and one that is done twice.
    let said = refused(TELL, "done", &[]);
    assert!(said.contains("\"Remove mail rules\" would come next") && said.contains("--deviation"), "{said}");
    assert!(refused("call-the-bank", "done", &[]).contains("not in the playbook"));
    assert!(refused(LOCK, "done", &[]).contains("not foreseen"));
    refused("call the bank", "done", &["--deviation", "x"]);
    refused("action", "done", &[]);
    let told = step(TELL, "start", &[]);
    assert!(told["deviation"].as_str().unwrap().contains("not foreseen"), "{told}");
    assert!(refused(TELL, "done", &[]).contains("begun when it was not foreseen"));
    step(TELL, "done", &["--deviation", "They called us."]);
    step("call-the-bank", "done", &["--deviation", "Money was gone."]);
    for what in ["failed", "skipped"] {
        assert!(refused(MAIL, what, &[]).contains("--reason"));
    }
    refused(MAIL, "done", &["--reason", "x"]);
    refused(MAIL, "start", &["--result", "x"]);
    let last = step(MAIL, "skipped", &["--reason", "There were none."]);
    assert_eq!((&last["next"], &last["can_end"]), (&json!([]), &json!(true)));

    let runs = read(&stage.0.done(&["playbook", "run", "incident/I-1", "--json"]));
    let told = &runs["runs"][0];
    assert_eq!(
        (&told["run"], &told["version"], &told["can_end"]),
        (&started["run"], &started["version"], &json!(true))
    );
    let states: Vec<_> = told["steps"].as_array().unwrap().iter().map(|step| &step["state"]).collect();
    assert_eq!(states, [&Value::Null, &json!("done"), &json!("skipped"), &json!("done"), &Value::Null]);
    let reasons: Vec<_> = told["marks"].as_array().unwrap().iter().map(|mark| &mark["deviation_reason"]).collect();
    let null = &Value::Null;
    assert_eq!(
        reasons,
        [null, null, null, &json!("They called us."), &json!("Money was gone."), &json!("There were none.")]
    );
    let departs = |index: usize| !told["marks"][index]["deviation"].is_null();
    assert_eq!([0, 1, 2, 3, 4, 5].map(departs), [false, false, true, true, true, false], "{told}");
    let table = stage.0.done(&["playbook", "run", "incident/I-1"]);
    for words in ["Phishing", "call-the-bank", "They called us.", "Locked.", "Next: the end"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    let completed = stage.entry("step.completed");
    assert_eq!(completed["facts"], json!({ "playbook": PLAYBOOK, "run": run, "step": LOCK, "outcome": "done" }));
    stage.0.done(&["verify"]);
}

#[test]
fn a_run_goes_on_with_the_version_that_it_was_started_with() {
    let stage = Stage::set();
    stage.publish(&stage.file(), &[]);
    stage.0.done(&["playbook", "start", "incident/I-1", PLAYBOOK, "--as", "ana", "-y"]);
    let mut next = playbook("2026-03-03T00:00:00.000Z", "Mail first.");
    next["workflow"][START]["on_completion"] = json!(MAIL);
    next["workflow"][TELL]["on_completion"] = json!(LOCK);
    next["workflow"][LOCK]["on_completion"] = json!(END);
    stage.publish(&stage.write("next.json", &next), &[]);
    stage.0.fails(2, &Stage::step("last", MAIL, "done", &[]));
    stage.0.done(&Stage::step("last", LOCK, "done", &[]));
    stage.0.done(&["playbook", "start", "incident/I-1", PLAYBOOK, "--as", "ana", "-y"]);
    stage.0.done(&Stage::step("last", MAIL, "done", &[]));
    // A playbook that was published without its document can be followed; what departs from it can't be told.
    let sha256 = format!("document_sha256={}", "0".repeat(64));
    let facts = ["--fact", "playbook=playbook/paper", "--fact", "version=4", "--fact", &sha256, "--fact", "lessons="];
    stage.0.done(&[&["act", "playbook.published", "playbook/paper", "--as", "mona", "-y"][..], &facts].concat());
    let said = stage.0.done(&["playbook", "start", "incident/I-1", "playbook/paper", "--as", "ana", "-y"]);
    assert!(said.contains("without its document"), "{said}");
    stage.0.done(&Stage::step("last", "3", "done", &[]));
    let runs = read(&stage.0.done(&["playbook", "run", "incident/I-1", "--json"]));
    assert_eq!((&runs["runs"][2]["marks"][0]["step"], &runs["runs"][2]["steps"]), (&json!("3"), &Value::Null));
}

#[test]
fn a_playbook_is_published_and_followed_through_a_server() {
    let stage = Stage::set();
    let served = Served::start(&stage.0);
    let there = |who: &str, args: &[&str]| {
        let more = ["--as", who, "--server", &served.url, "-y", "--json"];
        stage.0.done(&[args, &more].concat())
    };
    there("mona", &["login"]);
    there("mona", &["playbook", "publish", &stage.file()]);
    let large = stage.write("large.json", &playbook("2026-03-03T00:00:00.000Z", &"long ".repeat(10_000)));
    let args = ["playbook", "publish", &large, "--as", "mona", "--server", &served.url, "-y"];
    assert!(stage.0.fails(2, &args).contains("32 KiB"));
    there("ana", &["login"]);
    assert_eq!(read(&there("ana", &["playbook", "show", PLAYBOOK]))["steps"][1]["id"], LOCK);
    there("ana", &["playbook", "start", "incident/I-1", PLAYBOOK]);
    let step = read(&there("ana", &["playbook", "step", "incident/I-1", "last", LOCK, "done"]));
    assert_eq!(step["next"], json!([MAIL]));
    let runs = read(&there("ana", &["playbook", "run", "incident/I-1"]));
    assert_eq!(runs["runs"][0]["steps"][1]["state"], "done");
    drop(served);
    stage.0.done(&["verify"]);
}

/// SOARCA's examples, kept outside the project: two have errors.
#[test]
fn the_examples_of_others_are_checked() {
    let shared = std::env::var_os("BLOTTER_SHARED_DATA").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        std::path::PathBuf::from,
    );
    let folder = shared.join("cacao/examples");
    if !folder.is_dir() {
        return cannot_run(&format!("real playbooks: {} is not there; set BLOTTER_SHARED_DATA", folder.display()));
    }
    let place = Place::empty();
    for (name, code) in [("http", 0), ("ssh", 0), ("openc2", 0), ("powershell", 0), ("manual", 2), ("fin", 2)] {
        let output = place.run(&["playbook", "check", folder.join(format!("{name}-playbook.json")).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(code), "{name}: {}", crate::said(&output));
    }
}
