//! Writing files so that they appear whole, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Who may read a file besides its owner: whoever the umask says, or nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Public = 0o666,
    Private = 0o600,
}

/// Writes a file, in place of one that is there. When this returns, it survives power loss.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: Mode) -> Result<()> {
    let temporary = temporary(path)?;
    write_new(&temporary, bytes, mode).and_then(|()| Ok(fs::rename(&temporary, path)?)).map_err(|e| {
        let _ = fs::remove_file(&temporary);
        e.context(path.display().to_string())
    })?;
    sync_parent(path)
}

/// Moves what was built to where nothing must be yet.
pub(crate) fn publish_new(temporary: &Path, path: &Path) -> Result<()> {
    // A link never replaces anything; where the file system has none, a rename after a look has to do.
    match fs::hard_link(temporary, path) {
        Ok(()) => fs::remove_file(temporary)?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{} exists already; it was not touched", path.display())
        }
        Err(_) => {
            refuse_existing(path)?;
            fs::rename(temporary, path).with_context(|| path.display().to_string())?;
        }
    }
    sync_parent(path)
}

/// Refuses a path that something is at.
pub(crate) fn refuse_existing(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => bail!("{} exists already; it was not touched", path.display()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).with_context(|| path.display().to_string()),
    }
}

/// Writes a new file and syncs it.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: Mode) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode as u32).open(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// A name beside `path` for what will be there.
pub(crate) fn temporary(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().with_context(|| format!("{} does not name a file", path.display()))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", crate::context::new_name()));
    Ok(path.with_file_name(hidden))
}

/// Makes what was renamed in a directory survive power loss.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).with_context(|| parent.display().to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all_and_publishing_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"one", Mode::Public).unwrap();
        write(&path, b"two", Mode::Public).unwrap();
        let built = temporary(&path).unwrap();
        write_new(&built, b"three", Mode::Private).unwrap();
        assert!(publish_new(&built, &path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let other = dir.path().join("other");
        publish_new(&built, &other).unwrap();
        assert_eq!((fs::read(&other).unwrap(), built.exists()), (b"three".to_vec(), false));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert!(write(&dir.path().join("nowhere/file"), b"", Mode::Public).is_err());
    }
}
