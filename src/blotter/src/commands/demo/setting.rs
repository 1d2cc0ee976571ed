//! Before anything happens: what the SOC watches, what its decisions rest on, and the playbook that it has.

use anyhow::Result;
use blotter_record::Json;

use super::lines::{id, list, none, sha256};
use super::stage::Stage;
use crate::session::Words;

/// The playbook as it stood before the attack, a CACAO document.
const PLAYBOOK: &str = include_str!("ransomware-3.json");

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("July 2025. A city's SOC, which also serves the school district, sets what its decisions rest on.");
    for (source, kind, name) in [
        ("source/edr", "edr", "Endpoint detection, all departments"),
        ("source/dlp", "dlp", "Outgoing mail and shares"),
    ] {
        let registered = Words::now("source.registered", id(source))
            .fact("source", source)
            .fact("kind", kind)
            .fact("heartbeat_max", "PT15M")
            .data("name", name);
        stage.say("manager", "source", "2025-07-01T09:00:00-05:00", registered)?;
    }
    for (asset, kind, criticality, name) in [
        ("asset/fs-parks-02", "server", 2, "File server of Parks and Recreation"),
        ("asset/fs-pw-01", "server", 3, "File server of Public Works"),
        ("asset/dc-01", "server", 5, "Domain controller"),
        ("asset/share-enrolment", "file-share", 4, "Enrolment share of the school district"),
    ] {
        let registered = Words::now("asset.registered", id(asset))
            .fact("asset", asset)
            .fact("kind", kind)
            .fact("criticality", criticality)
            .data("name", name);
        stage.say("itops", "asset", "2025-07-01T09:10:00-05:00", registered)?;
    }
    for (service, rto, name) in [
        ("service/payroll", "P2D", "Payroll"),
        ("service/payments", "P5D", "Online payments"),
        ("service/library", "P14D", "Library catalogue and wireless"),
    ] {
        let registered = Words::now("service.registered", id(service))
            .fact("service", service)
            .fact("rto", rto)
            .fact("rpo", "P7D")
            .data("name", name);
        stage.say("itops", "service", "2025-07-01T09:20:00-05:00", registered)?;
    }
    for (source, severity, per_hour) in [("source/edr", 3, 12), ("source/dlp", 2, 20)] {
        let set = Words::now("triage-threshold.set", id("policy/triage"))
            .fact("source", source)
            .fact("severity", severity)
            .fact("per_hour", per_hour)
            .data("reason", "What one analyst a shift can look at properly.");
        stage.say("manager", "threshold", "2025-07-01T10:00:00-05:00", set)?;
    }
    let path = Words::now("escalation-path.approved", id("policy/escalation"))
        .fact("version", "7")
        .fact("severities", Json::List(vec![3.into(), 4.into()]))
        .fact("roles", list(["secops_manager", "ciso"]))
        .fact("delay_max", "PT30M")
        .data("steps", "From level 3 the manager at once; at level 4 the CISO within half an hour, at any hour.");
    stage.say("ciso", "path", "2025-07-01T11:00:00-05:00", path)?;
    let regime = Words::now("regime.enabled", id("policy/regimes"))
        .fact("regime", "us-mn-16e-36")
        .fact("entity_class", "public-agency")
        .fact("rules_version", "2024.12")
        .fact("from", "2024-12-01T00:00:00-06:00")
        .data("reason", "Public agencies of the state report cyber incidents within 72 hours.");
    stage.say("grc", "regime", "2025-07-01T13:00:00-05:00", regime)?;
    let playbook = Words::now("playbook.published", id("playbook/ransomware"))
        .fact("playbook", "playbook/ransomware")
        .fact("version", "3")
        .fact("document_sha256", sha256(PLAYBOOK))
        .fact("lessons", none())
        .data("name", "Ransomware")
        .data("document", PLAYBOOK)
        .data("reason", "Yearly review.");
    stage.say("manager", "playbook", "2025-07-02T09:00:00-05:00", playbook)
}

/// SHA-256 of the playbook in force when the attack came.
pub(super) fn playbook_sha256() -> String {
    sha256(PLAYBOOK)
}
