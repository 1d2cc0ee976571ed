//! The ledger's own keys for checkpoints: the one in force, the one to be while a rotation is under way, and those before.
//! Which is which, the ledger says; the names of their files are for people.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use blotter_keys::ed25519::SecretKey;
use blotter_keys::keyring::Keyring;

use crate::context::Context;
use crate::keystore::{CHECKPOINT_KEY, public_of, read_key};

/// The secret halves of the ledger's checkpoint keys. The file's name does not matter, so that a crash amid a rotation's
/// renaming leaves nothing broken.
///
/// # Errors
/// If the key in force is not among them: nothing can be recorded without it.
pub(crate) fn checkpoint_keys(context: &Context, keyring: &Keyring) -> Result<Vec<SecretKey>> {
    let in_force = &keyring.ledger_keys().last().context("a ledger has a key")?.vkey;
    let mut keys = Vec::new();
    for path in checkpoint_files(context)? {
        match read_key(context, &path) {
            Ok(key) => keys.push(key),
            Err(_) if public_of(&path).is_some_and(|public| public != *in_force.key()) => {}
            Err(error) => return Err(error).context("a checkpoint key of the ledger"),
        }
    }
    if keys.iter().all(|key| key.public() != in_force.key()) {
        bail!(
            "nothing can be recorded without the ledger's checkpoint key {in_force}, and no checkpoint*.key in {} is it; \
             bring it back from where the keys are kept",
            context.keys_dir().display()
        );
    }
    Ok(keys)
}

/// The files of the ledger's checkpoint keys: of those in force, before and to be.
pub(crate) fn checkpoint_files(context: &Context) -> Result<Vec<PathBuf>> {
    let dir = context.keys_dir();
    let files = std::fs::read_dir(&dir).with_context(|| format!("the ledger's keys, {}", dir.display()))?;
    let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
    paths.retain(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let of_checkpoints = name == CHECKPOINT_KEY || name.starts_with("checkpoint-");
        of_checkpoints && path.extension().is_some_and(|extension| extension == "key")
    });
    paths.sort();
    Ok(paths)
}
