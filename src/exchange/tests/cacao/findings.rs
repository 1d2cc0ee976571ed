//! Each rule once: one thing is changed in a playbook that is in order, and that is what is found.

use blotter_exchange::DEPTH_MAX;
use blotter_exchange::cacao::{
    FINDINGS_MAX, PLAYBOOK_BYTES_MAX, STEPS_MAX, SUCCESSORS_MAX, Severity, StepKind, Way, check,
};
use serde_json::{Value, json};

use crate::write::{action, document, good, id, merged, playbook, step, told};

/// Sets what a pointer points to, and everything above it that is not there yet; `null` removes it.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (above, name) = pointer.rsplit_once('/').expect("a pointer to a member");
    if document.pointer(above).is_none() {
        set(document, above, json!({}));
    }
    let above = document.pointer_mut(above).expect("made just now");
    match (above, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(name)),
        (Value::Object(members), value) => drop(members.insert(name.replace("~1", "/").replace("~0", "~"), value)),
        (Value::Array(items), value) => items[name.parse::<usize>().expect("an index")] = value,
        _ => panic!("{pointer}: nothing can be in there"),
    }
}

/// Changes the good playbook in one place and expects one finding, which has these words, where `at` says.
fn changed(pointer: &str, value: Value, at: &str, severity: Severity, words: &str) {
    let mut document = good();
    set(&mut document, pointer, value);
    found(&document, at, severity, words);
}

fn found(document: &Value, at: &str, severity: Severity, words: &str) {
    let checked = check(document.to_string().as_bytes());
    let told = told(&checked);
    let here: Vec<_> = checked.findings.iter().filter(|finding| finding.pointer == at).collect();
    assert!(
        here.iter().any(|finding| finding.severity == severity && finding.what.contains(words)),
        "{at} {words}: {told}"
    );
    assert_eq!(checked.findings.len(), 1, "nothing else is wrong with it: {told}");
    assert_eq!(checked.playbook.is_none(), severity == Severity::Error, "{told}");
}

fn error(pointer: &str, value: Value, at: &str, words: &str) {
    changed(pointer, value, at, Severity::Error, words);
}

fn warning(pointer: &str, value: Value, at: &str, words: &str) {
    changed(pointer, value, at, Severity::Warning, words);
}

fn lock(member: &str) -> String {
    format!("/workflow/{}{member}", id("action", "lock"))
}

#[test]
fn a_good_playbook_has_no_findings_and_is_read() {
    let bytes = good().to_string();
    let checked = check(bytes.as_bytes());
    assert_eq!(told(&checked), "");
    let playbook = checked.playbook.expect("it is good");
    // The judge is `printf %s "$bytes" | sha256sum`, by the record's own hash.
    assert_eq!(playbook.sha256, blotter_record::Hash::of(bytes.as_bytes()).to_hex());
    assert_eq!((playbook.name.as_str(), playbook.spec_version.as_str()), ("Phishing", "cacao-2.0"));
    assert_eq!(
        (playbook.modified.as_str(), playbook.version.as_str()),
        ("2026-03-04T05:06:07.250Z", "20260304T050607.250Z")
    );
    assert_eq!(playbook.stream(), id("playbook", "phishing").replacen("--", "/", 1));
    let ids: Vec<_> = playbook.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, [id("start", "start"), id("action", "lock"), id("action", "mail"), id("end", "end")]);
    let lock = &playbook.steps[1];
    assert_eq!((lock.kind, lock.name.as_deref(), lock.timeout_ms), (StepKind::Action, Some("lock"), Some(60_000)));
    assert_eq!(lock.commands, ["ssh", "bash"]);
    let ways: Vec<_> = lock.successors.iter().map(|successor| (&successor.way, successor.to.as_str())).collect();
    assert_eq!(ways, [(&Way::Success, ids[2]), (&Way::Failure, ids[2])]);
    assert_eq!(playbook.party(lock.agent.as_deref().expect("an agent")), "The analyst on shift");
    assert_eq!(playbook.party(&lock.targets[0]), "mail-1");
}

#[test]
fn what_a_playbook_says_of_itself_is_checked() {
    for name in ["type", "spec_version", "id", "name", "created_by", "created", "modified", "workflow_start"] {
        let mut document = good();
        set(&mut document, &format!("/{name}"), Value::Null);
        let told = told(&check(document.to_string().as_bytes()));
        assert!(told.contains(&format!("error: the document: \"{name}\" is missing")), "{name}: {told}");
    }
    error("/spec_version", json!("cacao-1.1"), "/spec_version", "\"cacao-2.0\" is wanted");
    error("/type", json!("playbook-template"), "/type", "\"playbook\" is wanted");
    error("/id", json!(id("play", "x")), "/id", "playbook--UUID is wanted");
    error("/id", json!("playbook--1"), "/id", "is not an identifier");
    error("/created_by", json!("us"), "/created_by", "is not an identifier");
    error("/name", json!(" "), "/name", "empty");
    error("/name", json!("a\0b"), "/name", "U+0000");
    error("/name", json!(7), "/name", "a string is wanted here, not 7");
    error("/modified", json!("2025-03-04T05:06:07.250Z"), "/modified", "not after created");
    error("/modified", json!("2026-03-04T05:06:07+01:00"), "/modified", "not a timestamp");
    error("/created", json!("2026-02-30T05:06:07Z"), "/created", "not a timestamp");
    error("/valid_until", json!("2026-01-02T03:04:05Z"), "/valid_until", "not after valid_from");
    error("/revoked", json!(true), "/revoked", "revoked");
    error("/revoked", json!("yes"), "/revoked", "true or false");
    error("/priority", json!(101), "/priority", "from 0 to 100 is wanted here, not 101");
    error("/priority", json!(1.5), "/priority", "1.5");
    error("/derived_from", json!([id("action", "x")]), "/derived_from/0", "playbook--UUID");
    error("/labels", json!([]), "/labels", "empty");
    error("/labels", json!(["a", 1]), "/labels/1", "a string is wanted");
    error("/external_references", json!([{}]), "/external_references/0", "\"name\" is missing");
    warning("/labels", json!(["a", "a"]), "/labels/1", "twice");
    warning("/playbook_types", json!(["mitigation", "cure"]), "/playbook_types/1", "none of the specification's");
    warning("/signatures", json!([{ "type": "jss" }]), "/signatures", "not checked");
    warning("/colour~1~0", json!("red"), "/colour~1~0", "no member \"colour/~\"");
}

#[test]
fn a_playbook_begins_with_a_start_that_is_there() {
    error("/workflow_start", json!(id("start", "other")), "/workflow_start", "there is no step");
    let mut document = good();
    set(&mut document, "/workflow_start", json!(id("action", "lock")));
    let told = told(&check(document.to_string().as_bytes()));
    assert!(told.contains("error: /workflow_start: ") && told.contains("is not a start"), "{told}");
    assert!(told.contains(&format!("/workflow/{}: no way leads here", id("start", "start"))), "{told}");
    error("/workflow_exception", json!(id("end", "other")), "/workflow_exception", "there is no step");
}

#[test]
fn a_step_has_what_its_kind_needs() {
    error(&lock("/commands"), Value::Null, &lock(""), "\"commands\" is missing");
    error(&lock("/commands"), json!([]), &lock("/commands"), "empty");
    error(&lock("/agent"), Value::Null, &lock(""), "\"agent\" is missing");
    let mut document = good();
    set(&mut document, &lock("/type"), json!("playbook-action"));
    let told_of = told(&check(document.to_string().as_bytes()));
    assert!(told_of.contains("\"playbook-action\", and its identifier says action"), "{told_of}");
    error(&lock("/delay"), json!(0), &lock("/delay"), "at least 1");
    error(&lock("/timeout"), json!(-1), &lock("/timeout"), "not -1");
    error(&lock("/owner"), json!("me"), &lock("/owner"), "not an identifier");
    warning(&lock("/color"), json!("red"), &lock("/color"), "no member \"color\"");
    error(&lock("/on_completion"), json!(id("end", "end")), &lock(""), "the specification forbids that");
    let mut document = good();
    set(&mut document, &lock("/on_success"), Value::Null);
    found(&document, &lock(""), Severity::Error, "add on_success");
    set(&mut document, &lock("/on_failure"), Value::Null);
    found(&document, &lock(""), Severity::Error, "nothing follows this step");
    let end = format!("/workflow/{}", id("end", "end"));
    error(&format!("{end}/on_completion"), json!(id("end", "end")), &end, "nothing follows an end");
}

/// One step of a kind, with these members, as the first; it goes on to an end unless it says otherwise.
fn first(kind: &str, members: Value) -> (Value, String) {
    let (first, value) = step(kind, "first", members);
    let at = format!("/workflow/{first}");
    (document(vec![(first, value), action("a", json!({ "on_completion": id("end", "end") }))]), at)
}

#[test]
fn a_condition_has_branches() {
    let (a, end) = (id("action", "a"), id("end", "end"));
    let check_first = |kind: &str, members: Value, below: &str, words: &str| {
        let (document, at) = first(kind, members);
        found(&document, &format!("{at}{below}"), Severity::Error, words);
    };
    let good = |kind: &str, members: Value| assert_eq!(told(&check(first(kind, members).0.to_string().as_bytes())), "");
    good("if-condition", json!({ "condition": "true", "on_true": a, "on_false": end }));
    good("if-condition", json!({ "condition": "true", "on_true": a, "on_completion": end }));
    good("while-condition", json!({ "condition": "true", "on_true": a, "on_completion": end }));
    good("switch-condition", json!({ "switch": "x", "cases": { "1": a, "default": end } }));
    good("parallel", json!({ "next_steps": [a, end], "on_completion": end }));
    good("playbook-action", json!({ "playbook_id": id("playbook", "other"), "on_success": a, "on_failure": end }));
    check_first("if-condition", json!({ "condition": "true", "on_true": a }), "", "does not hold");
    check_first("if-condition", json!({ "on_true": a, "on_false": end }), "", "\"condition\" is missing");
    check_first("if-condition", json!({ "condition": " ", "on_true": a, "on_false": end }), "/condition", "empty");
    check_first("while-condition", json!({ "condition": "true", "on_true": a }), "", "nothing follows");
    let (document, at) = first("switch-condition", json!({ "switch": "x", "cases": {}, "on_completion": a }));
    found(&document, &format!("{at}/cases"), Severity::Error, "no cases");
    check_first("switch-condition", json!({ "switch": "x", "cases": { "1/2": a, "3": 4 } }), "/cases/3", "identifier");
    check_first("parallel", json!({ "next_steps": [a, end, a] }), "/next_steps/2", "twice");
    check_first("parallel", json!({ "on_completion": a }), "", "\"next_steps\" is missing");
    check_first("playbook-action", json!({ "on_completion": a }), "", "\"playbook_id\" is missing");
    let (document, at) = first("parallel", json!({ "next_steps": [a] }));
    found(&document, &format!("{at}/next_steps"), Severity::Warning, "not parallel");
    let (document, at) =
        first("switch-condition", json!({ "switch": "x", "cases": { "1": a, "a/b": id("action", "b") } }));
    found(&document, &format!("{at}/cases/a~1b"), Severity::Error, "there is no step");
}

#[test]
fn every_way_leads_to_an_end_and_every_step_is_on_one() {
    error(&lock("/on_failure"), json!(id("action", "none")), &lock("/on_failure"), "there is no step");
    let end = id("end", "end");
    let alone =
        document(vec![action("a", json!({ "on_completion": end })), action("b", json!({ "on_completion": end }))]);
    found(&alone, &format!("/workflow/{}", id("action", "b")), Severity::Error, "no way leads here");
    let body = id("action", "body");
    // Rounds for ever: what follows the loop is its own body's loop.
    let steps = vec![
        step(
            "while-condition",
            "w",
            json!({ "condition": "true", "on_true": body, "on_completion": id("action", "c") }),
        ),
        action("body", json!({ "on_completion": id("while-condition", "w") })),
        action("c", json!({ "on_completion": id("while-condition", "x") })),
        step(
            "while-condition",
            "x",
            json!({ "condition": "true", "on_true": end, "on_completion": id("action", "c") }),
        ),
    ];
    let checked = check(document(steps).to_string().as_bytes());
    assert!(told(&checked).contains("comes back to it, over 2 steps"), "{}", told(&checked));
}

#[test]
fn going_round_needs_a_condition_that_asks_each_time() {
    let end = id("end", "end");
    let round =
        |second: Value| document(vec![action("a", json!({ "on_completion": id("action", "b") })), action("b", second)]);
    let at = |name: &str| format!("/workflow/{}", id("action", name));
    let first = at("a").min(at("b"));
    let document = round(json!({ "on_success": end, "on_failure": id("action", "a") }));
    found(&document, &first, Severity::Error, "over 2 steps, and no while-condition");
    let document = round(json!({ "on_success": end, "on_failure": id("action", "b") }));
    found(&document, &at("b"), Severity::Error, "comes back to it, at once");
    let document = round(json!({ "on_completion": id("action", "a") }));
    let told_of = told(&check(document.to_string().as_bytes()));
    assert!(
        told_of.contains("over 2 steps")
            && told_of.contains(&format!("{}: no way leads here", format_args!("/workflow/{end}"))),
        "{told_of}"
    );
    let good = crate::write::document(vec![
        step(
            "while-condition",
            "w",
            json!({ "condition": "true", "on_true": id("action", "a"), "on_completion": end }),
        ),
        action("a", json!({ "on_completion": id("while-condition", "w") })),
    ]);
    assert_eq!(told(&check(good.to_string().as_bytes())), "");
}

#[test]
fn what_is_referred_to_is_defined() {
    error(&lock("/agent"), json!(id("individual", "other")), &lock("/agent"), "agent_definitions");
    error(&lock("/targets"), json!([id("ssh", "other")]), &lock("/targets/0"), "target_definitions");
    error(&lock("/agent"), json!("__agent__:value"), &lock("/agent"), "__agent__");
    let extensions = json!({ id("extension-definition", "other"): {} });
    let at = lock(&format!("/step_extensions/{}", id("extension-definition", "other")));
    error(&lock("/step_extensions"), extensions, &at, "extension_definitions");
    let target = format!("/target_definitions/{}", id("ssh", "mail-1"));
    let named = format!("{target}/authentication_info");
    error(&named, json!(id("user-auth", "other")), &named, "authentication_info_definitions");
    error("/markings", json!([id("marking-tlp", "red")]), "/markings/0", "data_marking_definitions");
    error(&format!("{target}/address"), Value::Null, &target, "\"address\" is missing");
    error(&format!("{target}/name"), Value::Null, &target, "\"name\" is missing");
    warning(&format!("{target}/colour"), json!(1), &format!("{target}/colour"), "no member");
    let agents = json!({ "analyst-1": { "type": "individual", "name": "x" }, id("individual", "analyst"): { "type": "individual", "name": "y" } });
    error("/agent_definitions", agents, "/agent_definitions/analyst-1", "not an identifier");
    let other = id("individual", "analyst").to_uppercase().replace("INDIVIDUAL", "individual");
    let twice = json!({ id("individual", "analyst"): { "type": "individual", "name": "x" }, &other: { "type": "individual", "name": "y" } });
    error(
        "/agent_definitions",
        twice,
        &format!("/agent_definitions/{}", id("individual", "analyst")),
        "same identifier",
    );
    let password =
        json!({ id("user-auth", "root"): { "type": "user-auth", "username": "root", "password": "hunter2" } });
    let at = format!("/authentication_info_definitions/{}/password", id("user-auth", "root"));
    warning("/authentication_info_definitions", password, &at, "secret");
}

#[test]
fn a_command_is_one_that_its_type_allows() {
    let command = |command: Value, at: &str, severity: Severity, words: &str| {
        changed(&lock("/commands"), json!([command]), &lock(&format!("/commands/0{at}")), severity, words);
    };
    command(json!({ "type": "ssh" }), "", Severity::Error, "needs \"command\" or \"command_b64\"");
    command(json!({ "type": "sigma", "command_b64": "?" }), "/command_b64", Severity::Error, "base64");
    command(json!({ "type": "sigma" }), "", Severity::Error, "needs \"command_b64\"");
    command(json!({ "command": "x" }), "", Severity::Error, "\"type\" is missing");
    command(json!({ "type": "telepathy" }), "/type", Severity::Warning, "none of the specification's");
    command(json!({ "type": "bash", "command": "x", "sudo": true }), "/sudo", Severity::Warning, "no member");
}

#[test]
fn a_variable_is_declared_where_it_counts_and_a_constant_is_never_set() {
    let command = |text: &str| json!([{ "type": "manual", "command": text }]);
    error(&lock("/commands"), command("call __phone__:value"), &lock("/commands/0/command"), "__phone__");
    error(
        &lock("/commands"),
        json!([{ "type": "bash", "command_b64": "bHMgX19wX186dmFsdWU=" }]),
        &lock("/commands/0/command_b64"),
        "__p__",
    );
    // What the step `lock` declares for itself does not count in the other one.
    let mail = format!("/workflow/{}/commands", id("action", "mail"));
    error(&mail, command("on __host__:value"), &format!("{mail}/0/command"), "__host__");
    error(&lock("/in_args"), json!(["__phone__"]), &lock("/in_args/0"), "declared nowhere");
    error(&lock("/out_args"), json!(["__account__"]), &lock("/out_args/0"), "constant");
    error("/playbook_variables/account", json!({ "type": "string" }), "/playbook_variables/account", "variable's name");
    error("/playbook_variables/__x__", json!({}), "/playbook_variables/__x__", "\"type\" is missing");
    error(
        "/playbook_variables/__x__",
        json!({ "type": "string", "constant": true }),
        "/playbook_variables/__x__",
        "no value",
    );
    error(
        "/playbook_variables/__x__",
        json!({ "type": "integer", "value": 7 }),
        "/playbook_variables/__x__/value",
        "a string",
    );
    warning("/playbook_variables/__x__", json!({ "type": "colour" }), "/playbook_variables/__x__/type", "none of");
    let (document, at) = first(
        "if-condition",
        json!({ "condition": "__x__:value = 1", "on_true": id("action", "a"), "on_false": id("end", "end") }),
    );
    found(&document, &format!("{at}/condition"), Severity::Error, "__x__");
    let target = format!("/target_definitions/{}/address", id("ssh", "mail-1"));
    error(&target, json!({ "ipv4": ["__ip__:value"] }), &format!("{target}/ipv4/0"), "__ip__");
}

#[test]
fn all_findings_are_collected_and_sorted_by_place() {
    let mut document = good();
    set(&mut document, "/revoked", json!(true));
    set(&mut document, "/spec_version", json!("cacao-3.0"));
    set(&mut document, &lock("/agent"), json!(id("ssh", "none")));
    set(&mut document, "/zzz", json!(1));
    let checked = check(document.to_string().as_bytes());
    let at: Vec<_> = checked.findings.iter().map(|finding| finding.pointer.clone()).collect();
    assert_eq!(at, ["/revoked".to_owned(), "/spec_version".to_owned(), lock("/agent"), "/zzz".to_owned()]);
    assert_eq!((checked.count(Severity::Error), checked.count(Severity::Warning)), (3, 1));
}

#[test]
fn a_member_that_stands_twice_is_found_at_any_depth_and_the_rest_is_read() {
    let bytes = good().to_string();
    let twice = bytes.replacen("\"constant\":true", "\"constant\":true,\"\\u0063onstant\":false", 1);
    let twice = twice.replacen("\"name\":\"Phishing\"", "\"name\":\"Phishing\",\"name\":7", 1);
    let checked = check(twice.as_bytes());
    let at: Vec<_> = checked.findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(at, ["/name", "/playbook_variables/__account__/constant"], "{}", told(&checked));
}

#[test]
fn what_is_no_json_object_in_utf_8_is_found() {
    let check_bytes = |bytes: &[u8], words: &str| {
        let checked = check(bytes);
        assert!(checked.playbook.is_none() && checked.findings.len() == 1, "{}", told(&checked));
        assert!(checked.findings[0].what.contains(words), "{}", told(&checked));
    };
    check_bytes(b"", "EOF");
    check_bytes(b"[]", "not a JSON object");
    check_bytes(b"{} {}", "trailing");
    check_bytes(b"{\"a\":1e999}", "line 1");
    check_bytes(b"\xff", "not UTF-8");
    check_bytes("\u{feff}{}".as_bytes(), "byte order mark");
    check_bytes(b"{\"a\":\"\\ud800\"}", "line 1");
}

#[test]
fn every_limit_has_two_sides() {
    let mut bytes = good().to_string();
    bytes.push_str(&" ".repeat(PLAYBOOK_BYTES_MAX - bytes.len()));
    assert_eq!(told(&check(bytes.as_bytes())), "");
    bytes.push(' ');
    assert!(told(&check(bytes.as_bytes())).contains("at most 4194304"));

    let nested = |levels: usize| {
        merged(
            good(),
            json!({ "playbook_extensions": { id("extension-definition", "ours"): {
        "x": (0..levels - 3).fold(json!(1), |inner, _| json!([inner])) } } }),
        )
    };
    assert_eq!(told(&check(nested(DEPTH_MAX).to_string().as_bytes())), "");
    let deep = check(nested(DEPTH_MAX + 1).to_string().as_bytes());
    assert!(told(&deep).contains("nested more than 64 deep") && deep.playbook.is_none(), "{}", told(&deep));

    let chain = |count: usize| {
        let next = |n: usize| if n + 1 == count { id("end", "end") } else { id("action", &format!("{}", n + 1)) };
        document((0..count).map(|n| action(&n.to_string(), json!({ "on_completion": next(n) }))).collect())
    };
    assert_eq!(playbook(&chain(STEPS_MAX - 2)).steps.len(), STEPS_MAX);
    assert!(told(&check(chain(STEPS_MAX - 1).to_string().as_bytes())).contains("1001 steps, and at most 1000"));

    let wide = |count: usize| {
        let next: Vec<_> = (0..count).map(|n| id("end", &n.to_string())).collect();
        let mut steps = vec![step("parallel", "p", json!({ "next_steps": next }))];
        steps.extend(next.iter().map(|id| (id.clone(), json!({ "type": "end" }))));
        let mut document = document(steps);
        set(&mut document, &format!("/workflow/{}", id("end", "end")), Value::Null);
        told(&check(document.to_string().as_bytes()))
    };
    assert_eq!(wide(SUCCESSORS_MAX), "");
    assert!(wide(SUCCESSORS_MAX + 1).contains("257 steps can follow"));

    let many = |count: usize| {
        let mut document = good();
        (0..count).for_each(|n| set(&mut document, &format!("/x{n}"), json!(1)));
        check(document.to_string().as_bytes()).findings
    };
    assert_eq!(many(FINDINGS_MAX).len(), FINDINGS_MAX);
    let findings = many(FINDINGS_MAX + 7);
    assert!(
        findings.len() == FINDINGS_MAX + 1 && findings[FINDINGS_MAX].what.starts_with("7 more findings"),
        "{:?}",
        findings.last()
    );
}
