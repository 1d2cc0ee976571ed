//! Small playbooks, written from the steps that matter; the rest of them is in order.

use blotter_exchange::cacao::{Checked, Playbook, check};
use serde_json::{Value, json};

/// An identifier; the same name gives the same one.
pub(crate) fn id(kind: &str, name: &str) -> String {
    let hex = blotter_record::Hash::of(name.as_bytes()).to_hex();
    format!("{kind}--{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// An action of that name, which goes on as `ways` say.
pub(crate) fn action(name: &str, ways: Value) -> (String, Value) {
    let step = json!({
        "type": "action", "name": name, "agent": id("individual", "analyst"),
        "commands": [{ "type": "manual", "command": format!("Do {name}.") }],
    });
    (id("action", name), merged(step, ways))
}

/// A step of any kind.
pub(crate) fn step(kind: &str, name: &str, members: Value) -> (String, Value) {
    (id(kind, name), merged(json!({ "type": kind, "name": name }), members))
}

/// A playbook of these steps, and a start that leads to the first of them, and an `end`.
pub(crate) fn document(steps: Vec<(String, Value)>) -> Value {
    let first = steps.first().map_or_else(|| id("end", "end"), |(id, _)| id.clone());
    let mut workflow: serde_json::Map<String, Value> = steps.into_iter().collect();
    workflow.insert(id("start", "start"), json!({ "type": "start", "on_completion": first }));
    workflow.insert(id("end", "end"), json!({ "type": "end" }));
    json!({
        "type": "playbook", "spec_version": "cacao-2.0", "id": id("playbook", "phishing"), "name": "Phishing",
        "created_by": id("identity", "us"), "created": "2026-01-02T03:04:05.000Z", "modified": "2026-03-04T05:06:07.250Z",
        "playbook_types": ["mitigation"], "workflow_start": id("start", "start"), "workflow": workflow,
        "agent_definitions": { id("individual", "analyst"): { "type": "individual", "name": "The analyst on shift" } },
    })
}

/// Two actions in a row, with something of nearly everything that a playbook can have; nothing is wrong with it.
pub(crate) fn good() -> Value {
    let (lock, mail) = (id("action", "lock"), id("action", "mail"));
    let variable = json!({ "type": "string", "value": "alice", "constant": true });
    let (extension, target) = (id("extension-definition", "ours"), id("ssh", "mail-1"));
    let more = json!({
        "description": "A mailbox was taken over.", "valid_from": "2026-01-02T03:04:05Z", "valid_until": "2036-01-02T03:04:05Z",
        "priority": 1, "severity": 50, "impact": 100, "labels": ["mail"], "external_references": [{ "name": "Handbook" }],
        "playbook_variables": { "__account__": variable, "__ticket__": { "type": "string" } },
        "target_definitions": {
            &target: { "type": "ssh", "name": "mail-1", "address": { "ipv4": ["__host__:value"] }, "port": "22",
                       "authentication_info": id("user-auth", "root") },
        },
        "authentication_info_definitions": {
            id("user-auth", "root"): { "type": "user-auth", "username": "root", "kms": true, "kms_key_identifier": "k1" },
        },
        "extension_definitions": {
            &extension: { "type": "extension-definition", "name": "Ours", "created_by": id("identity", "us"),
                          "schema": "https://example.org/ours.json", "version": "1" },
        },
        "workflow_exception": mail,
    });
    let members = json!({
        "on_success": mail, "on_failure": mail, "timeout": 60000, "delay": 5, "targets": [target], "in_args": ["__account__"],
        "out_args": ["__ticket__"], "step_extensions": { extension: { "urgent": true } },
        "step_variables": { "__host__": { "type": "ipv4-addr", "value": "192.0.2.7" } },
        "commands": [
            { "type": "ssh", "command": "passwd -l __account__:value # at __host__:value" },
            { "type": "bash", "command_b64": "bHMgX19ob3N0X186dmFsdWU=" },
        ],
    });
    let steps = vec![action("lock", members), action("mail", json!({ "on_completion": id("end", "end") }))];
    debug_assert_eq!(steps[0].0, lock);
    merged(document(steps), more)
}

/// These members, and those in their place or besides.
pub(crate) fn merged(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

/// Every finding of a document, a line each.
pub(crate) fn told(checked: &Checked) -> String {
    checked.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// The playbook that a document is.
pub(crate) fn playbook(document: &Value) -> Playbook {
    let checked = check(document.to_string().as_bytes());
    let told = told(&checked);
    checked.playbook.unwrap_or_else(|| panic!("{told}"))
}
