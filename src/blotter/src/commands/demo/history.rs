//! The years before: a dozen rows of the city's ServiceNow, made up, imported by the code that imports anybody's.

use anyhow::{Context as _, Result};

use super::stage::Stage;
use crate::commands::import;

const ROWS: &str = include_str!("history.csv");
const FILE: &str = "history.csv";

pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.narrate(
        "The years before are imported from ServiceNow: marked as such, signed by the notary, opening no gate.",
    );
    let path = stage.context.dir().join(FILE);
    std::fs::write(&path, ROWS).with_context(|| path.display().to_string())?;
    let admin = stage.person("admin");
    let added = import::servicenow(stage.context, stage.ledger, admin, &path, "America/Chicago")?;
    stage.tell(&format!("      {added} statements from {} rows of {}", ROWS.lines().count() - 1, path.display()));
    Ok(())
}
