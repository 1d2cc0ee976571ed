//! The evidence: acquired, given out and received, held for the city attorney, and a working copy disposed of when that is
//! over and somebody else approves.

use anyhow::Result;

use super::{INCIDENT, words};
use crate::commands::demo::lines::{id, sha256};
use crate::commands::demo::stage::Stage;
use crate::session::Words;

fn evidence(event: &str, name: &str) -> Words {
    Words::now(event, id(name)).about(id(INCIDENT))
}

pub(super) fn acquire(stage: &mut Stage<'_>) -> Result<()> {
    for (name, method, title, at) in [
        ("evidence/E-1", "live-image", "Disk image of fs-parks-02", "2025-07-25T07:45:00-05:00"),
        ("evidence/E-2", "copy", "Working copy of that image", "2025-07-25T08:20:00-05:00"),
    ] {
        let acquired = evidence("evidence.acquired", name)
            .fact("evidence", name)
            .fact("method", method)
            .fact("tool", "ewfacquire")
            .fact("tool_version", "20240506")
            .fact("acquired_at", at)
            .fact("asset", "asset/fs-parks-02")
            .fact("original_hashed", true)
            .data("name", title)
            .data("location", "Evidence safe, shelf 3")
            .data("sha256_source", sha256("image"))
            .data("sha256_copy", sha256("image"));
        stage.say("analyst", "evidence", at, acquired)?;
    }
    let released = evidence("evidence.released", "evidence/E-1")
        .fact("to", stage.actor("analyst2").as_str())
        .fact("purpose", "custody")
        .fact("copy", "original")
        .data("location", "Evidence safe, shelf 3");
    stage.say("analyst", "released", "2025-07-25T08:25:00-05:00", released)?;
    let received = evidence("evidence.received", "evidence/E-1")
        .fact("release", stage.jti("released"))
        .data("location", "Evidence safe, shelf 1, sealed");
    stage.say("analyst2", "received", "2025-07-25T08:28:00-05:00", received)?;
    let verified = evidence("evidence.verified", "evidence/E-1").fact("match", true).data("sha256", sha256("image"));
    stage.say("analyst2", "verified", "2025-07-25T08:29:00-05:00", verified)
}

pub(super) fn hold(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("The city attorney expects a lawsuit: nothing of this incident may be destroyed.");
    let placed = words("legal.hold-placed")
        .fact("hold", "hold/H-1")
        .fact("scope", "incident")
        .data("matter", "Claims of residents whose payments failed")
        .data("custodians", "SOC and IT operations")
        .data("reason", "Litigation is to be expected.");
    stage.say("legal", "hold", "2025-07-25T14:00:00-05:00", placed)
}

pub(super) fn dispose(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate("A working copy may go: not while a hold covers it, and not without another person's approval.");
    let approved = evidence("disposal.approved", "evidence/E-2").data("reason", "The original is sealed and verified.");
    stage.say("grc", "approval", "2025-09-10T10:00:00-05:00", approved)?;
    let disposed = |stage: &Stage<'_>| {
        evidence("evidence.disposed", "evidence/E-2")
            .fact("method", "crypto-erase")
            .fact("approval", stage.jti("approval"))
            .data("authority", "Retention schedule, working copies")
            .data("reason", "No longer needed.")
    };
    stage.refuses("analyst2", "2025-09-10T11:00:00-05:00", disposed(stage), &["hold"])?;
    let released = words("legal.hold-released")
        .fact("hold", "hold/H-1")
        .data("authority", "City attorney")
        .data("reason", "All claims were settled.");
    stage.say("legal", "hold-released", "2025-09-19T16:00:00-05:00", released)?;
    stage.say("analyst2", "disposed", "2025-09-22T09:00:00-05:00", disposed(stage))
}
