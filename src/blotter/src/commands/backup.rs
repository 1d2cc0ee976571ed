//! `blotter backup`: a copy of the ledger as it is at one moment, while others write. Never with keys.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use blotter_ledger::{Error, Sqlite, read};
use clap::Args;
use serde_json::json;

use crate::context::Context;
use crate::files;
use crate::session::{anchor_of, open_database};

/// Copy the ledger into one file, while it is in use
///
/// Entries, checkpoints, and the vault with its personal data: guard the file like the ledger. Keys are not in it, keep
/// them elsewhere; views.db is not in it, it comes back by itself. The copy is opened and its head verified before it
/// appears; nothing is ever overwritten. What is erased later stays in copies made before: restoring erases it again.
///
/// Example: blotter backup /backup/soc-$(date +%F).db
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file
    file: PathBuf,
}

pub(crate) fn run(context: &Context, args: &Backup) -> Result<()> {
    let store = open_database(context.dir())?;
    read::open_keyring(&store)?;
    files::refuse_existing(&args.file)?;
    let temporary = files::temporary(&args.file)?;
    let copied = copy(&store, &temporary, &args.file);
    if copied.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    let (size, root, note) = copied?;
    let json = json!({ "file": args.file, "size": size, "root": root, "checkpoint": note });
    context.out.result(&json, || {
        format!(
            "{}: {size} entries. Head and keyring of the copy were verified; each entry, `blotter verify` does.\n\n{note}\nKeys are not in it.",
            args.file.display()
        )
    });
    Ok(())
}

fn copy(store: &Sqlite, temporary: &Path, file: &Path) -> Result<(u64, String, String)> {
    // The mode is there before the first byte is.
    files::write_new(temporary, b"", files::Mode::Private).with_context(|| file.display().to_string())?;
    store.copy_to(temporary).map_err(Error::from)?;
    let copy = Sqlite::open_read_only(temporary).map_err(Error::from)?;
    let keyring = read::open_keyring(&copy).context("the copy is not what it should be, and was removed")?.keyring;
    let anchor = anchor_of(&copy, &keyring)?;
    let note = read::checkpoint(&copy)?.note().to_string();
    std::fs::File::open(temporary)?.sync_all()?;
    files::publish_new(temporary, file)?;
    Ok((anchor.size, anchor.root.to_string(), note))
}
