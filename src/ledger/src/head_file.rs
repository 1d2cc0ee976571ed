//! The head file: what the writer last signed, kept outside the ledger's directory (FORMAT.md §8.2). A ledger restored
//! from an old backup is behind it, and refuses to sign a second future. Beside it stand the digests of erased values, so
//! that a restored backup erases them again.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use blotter_record::{Hash, Json};

const LINE_BYTES: usize = 256;
const CHECK_LEN: usize = 16;

/// A head: how long the log was, and the root of its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

/// Why the head file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum HeadFileError {
    /// Another process writes this ledger, or a copy of it.
    #[error("{}: another process writes this ledger, or a copy of it", .0.display())]
    Locked(PathBuf),
    /// Neither line is intact.
    #[error("{}: neither line is intact; keep the file, and find out what the ledger last signed before you remove it", .0.display())]
    Damaged(PathBuf),
    /// The system refused.
    #[error("{}: {cause}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// The head file, locked for one writer.
pub struct HeadFile {
    path: PathBuf,
    file: File,
    next_line: u64,
    erased_path: PathBuf,
    erased: HashSet<Hash>,
}

impl HeadFile {
    /// Opens, or creates, the head file of the ledger `genesis` in `state_dir`; and what it says, if it says something.
    ///
    /// # Errors
    /// If it is locked, damaged, or can't be read or written.
    pub fn open(state_dir: &Path, genesis: &Hash) -> Result<(Self, Option<Head>), HeadFileError> {
        let path = path_of(state_dir, genesis);
        let io = |path: &Path| {
            let path = path.to_owned();
            move |cause| HeadFileError::Io { path, cause }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(io(state_dir))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HeadFileError::Locked(path)),
            Err(TryLockError::Error(cause)) => return Err(HeadFileError::Io { path, cause }),
        }
        let mut bytes = Vec::new();
        (&mut file).take(2 * LINE_BYTES as u64).read_to_end(&mut bytes).map_err(io(&path))?;
        let newest = newest(&path, &bytes)?;
        let erased_path = path.with_extension("erased");
        let erased = read_erased(&erased_path)?;
        sync_dir(state_dir).map_err(io(state_dir))?;
        let next_line = newest.map_or(0, |(index, _)| (index as u64 + 1) % 2);
        Ok((Self { path, file, next_line, erased_path, erased }, newest.map(|(_, head)| head)))
    }

    /// Writes what was just committed. When this returns, it survives power loss; the line before is still there.
    ///
    /// # Errors
    /// If it can't be written or synced. Then nothing more may be signed.
    pub fn write(&mut self, head: &Head) -> Result<(), HeadFileError> {
        let io = |cause| HeadFileError::Io { path: self.path.clone(), cause };
        self.file.write_all_at(&line(head), self.next_line * LINE_BYTES as u64).map_err(io)?;
        self.file.sync_data().map_err(io)?;
        self.next_line = (self.next_line + 1) % 2;
        Ok(())
    }

    /// Remembers digests of erased values, durably.
    ///
    /// # Errors
    /// If they can't be written or synced.
    pub fn remember_erased(&mut self, digests: impl IntoIterator<Item = Hash>) -> Result<(), HeadFileError> {
        let new: Vec<Hash> = digests.into_iter().filter(|digest| !self.erased.contains(digest)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let io = |cause| HeadFileError::Io { path: self.erased_path.clone(), cause };
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.erased_path).map_err(io)?;
        // A torn line before must not swallow the first of these; empty lines mean nothing.
        let text: String =
            std::iter::once("\n".to_owned()).chain(new.iter().map(|digest| format!("{digest}\n"))).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        self.erased.extend(new);
        Ok(())
    }

    /// Digests of values that were erased at some time.
    pub fn erased(&self) -> &HashSet<Hash> {
        &self.erased
    }
}

/// What stands in the state directory about the ledger `genesis`, without a lock: its head, if there is one, and the
/// digests of erased values.
///
/// # Errors
/// If there is something that is damaged or can't be read.
pub fn peek(state_dir: &Path, genesis: &Hash) -> Result<(Option<Head>, HashSet<Hash>), HeadFileError> {
    let path = path_of(state_dir, genesis);
    let erased = read_erased(&path.with_extension("erased"))?;
    match fs::read(&path) {
        Ok(bytes) => Ok((newest(&path, &bytes)?.map(|(_, head)| head), erased)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok((None, erased)),
        Err(cause) => Err(HeadFileError::Io { path, cause }),
    }
}

/// The intact line with the larger size: its number, and what it says.
fn newest(path: &Path, bytes: &[u8]) -> Result<Option<(usize, Head)>, HeadFileError> {
    let lines = bytes.chunks(LINE_BYTES).map(parse_line);
    let newest = lines.enumerate().filter_map(|(index, head)| Some((index, head?))).max_by_key(|(_, head)| head.size);
    if newest.is_none() && !bytes.is_empty() {
        return Err(HeadFileError::Damaged(path.to_owned()));
    }
    Ok(newest)
}

fn read_erased(path: &Path) -> Result<HashSet<Hash>, HeadFileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(cause) => Err(HeadFileError::Io { path: path.to_owned(), cause }),
    }
}

/// Where the head file of a ledger is.
pub fn path_of(state_dir: &Path, genesis: &Hash) -> PathBuf {
    state_dir.join(format!("{genesis}.head"))
}

fn check_of(size: u64, root: &Hash) -> String {
    Hash::of(format!("{size} {root}").as_bytes()).to_string()[..CHECK_LEN].to_owned()
}

fn line(head: &Head) -> Vec<u8> {
    let check = check_of(head.size, &head.root);
    let mut line = format!("{{\"size\":{},\"root\":\"{}\",\"check\":\"{check}\"}}", head.size, head.root).into_bytes();
    line.resize(LINE_BYTES - 1, b' ');
    line.push(b'\n');
    line
}

fn parse_line(bytes: &[u8]) -> Option<Head> {
    let Json::Object(members) = Json::parse(bytes.strip_suffix(b"\n")?).ok()? else { return None };
    (members.len() == 3).then_some(())?;
    let get = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let Json::Int(size) = get("size")? else { return None };
    let size = u64::try_from(*size).ok()?;
    let root = get("root")?.as_text()?.parse().ok()?;
    (bytes.len() == LINE_BYTES && get("check")?.as_text()? == check_of(size, &root)).then_some(Head { size, root })
}

pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head(size: u64) -> Head {
        Head { size, root: Hash::of(&size.to_be_bytes()) }
    }

    #[test]
    fn a_torn_write_leaves_the_head_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let genesis = Hash::of(b"genesis");
        let (mut file, found) = HeadFile::open(dir.path(), &genesis).unwrap();
        assert_eq!(found, None);
        for size in 1..=3 {
            file.write(&head(size)).unwrap();
        }
        drop(file);
        let path = path_of(dir.path(), &genesis);
        let whole = fs::read(&path).unwrap();
        assert_eq!(HeadFile::open(dir.path(), &genesis).unwrap().1, Some(head(3)));
        for torn_at in 0..LINE_BYTES {
            let mut torn = whole.clone();
            torn[..torn_at].copy_from_slice(&line(&head(5))[..torn_at]);
            fs::write(&path, &torn).unwrap();
            let found = HeadFile::open(dir.path(), &genesis).unwrap().1;
            assert!(
                matches!(found, Some(found) if [head(2), head(3), head(5)].contains(&found)),
                "{torn_at}: {found:?}"
            );
        }
        fs::write(&path, vec![b'x'; 2 * LINE_BYTES]).unwrap();
        assert!(matches!(HeadFile::open(dir.path(), &genesis), Err(HeadFileError::Damaged(_))));
    }

    #[test]
    fn only_one_writer_has_the_head_file() {
        let dir = tempfile::tempdir().unwrap();
        let held = HeadFile::open(dir.path(), &Hash::of(b"g")).unwrap();
        assert!(matches!(HeadFile::open(dir.path(), &Hash::of(b"g")), Err(HeadFileError::Locked(_))));
        drop(held);
        assert!(HeadFile::open(dir.path(), &Hash::of(b"g")).is_ok());
    }
}
