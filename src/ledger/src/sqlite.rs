//! The SQLite store: one file, one transaction a batch, WAL with `synchronous=FULL`. A crash leaves all of a batch or
//! none. Triggers refuse UPDATE and DELETE on entries and checkpoints; that keeps honest tools honest, and nobody else:
//! what protects the record is the tree.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use blotter_keys::judge::{Blocking, StreamState};
use blotter_record::{Disclosure, Hash, Id, Jti, limits::DISCLOSURES_MAX};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::prepare::BlobRef;
use crate::store::{Batch, NewEntry, Read, Readers, Store, StoreError, Stored};

const SCHEMA: &str = include_str!("schema.sql");
const APPLICATION_ID: i64 = 0x626c_6f74;
const SCHEMA_VERSION: i64 = 1;
const CACHE_KIB: i64 = 32 * 1024;
/// Statements that are kept prepared.
const STATEMENTS: usize = 64;

/// A ledger's database.
pub struct Sqlite {
    path: PathBuf,
    db: Connection,
}

impl Sqlite {
    /// Creates the database file.
    ///
    /// # Errors
    /// If there is one, or it can't be written.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let failed = failed("creating the database");
        if path.exists() {
            return Err(failed(format!("{} exists already", path.display())));
        }
        let db = Connection::open(path).map_err(|e| failed(e.to_string()))?;
        steady(&db).map_err(|e| failed(e.to_string()))?;
        let store = Self { path: path.to_owned(), db };
        store.configure()?;
        store.db.execute_batch(SCHEMA).map_err(|e| failed(e.to_string()))?;
        Ok(store)
    }

    /// Opens the database file for writing.
    ///
    /// # Errors
    /// If it is not there, not writable, or not a ledger's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::open_with(path, flags)?;
        store.configure()?;
        // A crash may have come between an erasure and its end.
        if let Err(error) = store.truncate_wal() {
            tracing::warn!(%error, "values that were erased may still be in the write-ahead log");
        }
        Ok(store)
    }

    /// Opens the database file for reading only; it may be in use by a writer.
    ///
    /// # Errors
    /// If it is not there, not readable, or not a ledger's.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Self::open_with(path, flags) {
            // On a read-only medium SQLite can't make the shared memory of WAL; without a WAL file none is needed.
            Err(_) if path.exists() && !wal_of(path).exists() => {
                let uri = format!("file:{}?immutable=1", escape_uri(path));
                Self::open_with(Path::new(&uri), flags | OpenFlags::SQLITE_OPEN_URI)
            }
            opened => opened,
        }
    }

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let failed = failed("opening the database");
        let db = Connection::open_with_flags(path, flags)
            .map_err(|e| failed(format!("{}: {}", path.display(), reason(&e))))?;
        db.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| failed(e.to_string()))?;
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (id, version) = pragma("application_id")
            .and_then(|id| Ok((id, pragma("user_version")?)))
            .map_err(|e| failed(format!("{}: {}", path.display(), reason(&e))))?;
        if (id, version) != (APPLICATION_ID, SCHEMA_VERSION) {
            return Err(failed(format!("{} is not the database of a ledger of format 1", path.display())));
        }
        steady(&db).map_err(|e| failed(e.to_string()))?;
        db.pragma_update(None, "trusted_schema", false).map_err(|e| failed(e.to_string()))?;
        db.pragma_update(None, "cache_size", -CACHE_KIB).map_err(|e| failed(e.to_string()))?;
        Ok(Self { path: path.to_owned(), db })
    }

    fn configure(&self) -> Result<(), StoreError> {
        let failed = failed("setting up the database");
        let mode: String = self
            .db
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
            .map_err(|e| failed(reason(&e)))?;
        if mode != "wal" {
            return Err(failed(format!("the file system does not support WAL (got {mode})")));
        }
        let set = |name: &str, value: i64| self.db.pragma_update(None, name, value).map_err(|e| failed(e.to_string()));
        set("synchronous", 2)?;
        set("secure_delete", 1)?;
        set("cache_size", -CACHE_KIB)?;
        set("wal_autocheckpoint", 4_000)?;
        set("trusted_schema", 0)
    }

    /// The newest signed checkpoint of a log of at most `size` entries, with its size.
    ///
    /// # Errors
    /// If the store can't be read.
    pub fn checkpoint_upto(&self, size: u64) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT size, note FROM checkpoint WHERE size <= ?1 ORDER BY size DESC LIMIT 1";
        let found =
            self.many("reading a checkpoint", sql, [signed(size)], |row| Ok((unsigned(row.get(0)?), row.get(1)?)));
        Ok(found?.pop())
    }

    /// Copies the database, as it is at one moment, into a new or empty file.
    ///
    /// # Errors
    /// If the file exists and is not empty, or can't be written.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let text = path.to_str().ok_or_else(|| failed("backing up")(format!("{} is not UTF-8", path.display())))?;
        self.db.execute("VACUUM INTO ?1", [text]).map_err(|e| failed("backing up")(reason(&e)))?;
        Ok(())
    }

    /// Erased bytes are in the WAL too; an erasure is only done when they are gone from there. A reader in the middle of
    /// something can hold this up; it is tried for as long as the busy timeout says.
    fn truncate_wal(&self) -> Result<(), StoreError> {
        let failed = failed("erasing from the write-ahead log");
        let busy: bool = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|e| failed(reason(&e)))?;
        match busy {
            true => {
                Err(failed("somebody has been reading the database since before; end that, and open it again".into()))
            }
            false => Ok(()),
        }
    }

    fn one<T: rusqlite::types::FromSql>(
        &self,
        what: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
    ) -> Result<Option<T>, StoreError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, |row| row.get(0)).optional())
            .map_err(|e| failed(what)(reason(&e)))
    }

    fn many<T>(
        &self,
        what: &'static str,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect())
            .map_err(|e| failed(what)(reason(&e)))
    }
}

/// A statement is planned once and stays prepared: without this, the planner looks at each new bound of a range.
fn steady(db: &Connection) -> rusqlite::Result<()> {
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

impl Read for Sqlite {
    fn size(&self) -> Result<u64, StoreError> {
        let last: Option<i64> =
            self.one("reading the log's size", "SELECT seq FROM entry ORDER BY seq DESC LIMIT 1", [])?;
        Ok(last.map_or(0, |seq| unsigned(seq) + 1))
    }

    fn checkpoint(&self) -> Result<Option<String>, StoreError> {
        self.one("reading the checkpoint", "SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1", [])
    }

    fn entries(&self, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.many(
            "reading entries",
            "SELECT seq, leaf, bytes FROM entry WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
            params![signed(from), signed(limit as u64)],
            |row| Ok(Stored { seq: unsigned(row.get(0)?), leaf: hash(row, 1)?, bytes: row.get(2)? }),
        )
    }

    fn seq_of(&self, jti: &Jti) -> Result<Option<u64>, StoreError> {
        let seq: Option<i64> =
            self.one("looking up a statement", "SELECT seq FROM entry WHERE jti = ?1", [jti.to_bytes().as_slice()])?;
        Ok(seq.map(unsigned))
    }

    fn stream(&self, id: &Id) -> Result<Option<StreamState>, StoreError> {
        let sql = "SELECT name, count, leaf, imported, blocking_n, blocking_by, blocking_n_other
                   FROM stream WHERE name = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            let by: Option<String> = row.get(5)?;
            let n: Option<i64> = row.get(4)?;
            Ok(StreamState {
                id: parsed(row, 0)?,
                count: unsigned(row.get(1)?),
                leaf: hash(row, 2)?,
                imported: row.get(3)?,
                blocking: Blocking {
                    last: n.map(unsigned).zip(by.and_then(|by| by.parse().ok())),
                    last_by_other: row.get::<_, Option<i64>>(6)?.map(unsigned),
                },
            })
        };
        self.db
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([id.as_str()], read).optional())
            .map_err(|e| failed("looking up a stream")(reason(&e)))
    }

    fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.many(
            "reading a stream",
            "SELECT seq FROM stream_entry WHERE stream = (SELECT id FROM stream WHERE name = ?1) AND n >= ?2
             ORDER BY n LIMIT ?3",
            params![id.as_str(), signed(from_n), signed(limit as u64)],
            |row| Ok(unsigned(row.get(0)?)),
        )
    }

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, StoreError> {
        let (from, to) = (signed(start), signed(start.saturating_add(u64::from(count))));
        let found = if level == 0 {
            let sql = "SELECT leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq";
            self.many("reading leaf hashes", sql, params![from, to], |row| hash(row, 0))?
        } else {
            let sql = "SELECT hash FROM node WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx";
            self.many("reading tree hashes", sql, params![level, from, to], |row| hash(row, 0))?
        };
        if found.len() == count as usize {
            return Ok(found);
        }
        let what = format!("{} of {count} tree hashes are there, at level {level} from {start} on", found.len());
        Err(StoreError::Corrupt { seq: start.saturating_mul(256_u64.saturating_pow(u32::from(level))), what })
    }

    fn disclosures(&self, seq: u64) -> Result<Vec<String>, StoreError> {
        Ok(self.disclosures_between(seq, seq.saturating_add(1))?.into_iter().map(|(_, text)| text).collect())
    }

    fn disclosures_between(&self, from: u64, end: u64) -> Result<Vec<(u64, String)>, StoreError> {
        self.many(
            "reading disclosures",
            "SELECT slot, text FROM disclosure WHERE slot >= ?1 AND slot < ?2 ORDER BY slot",
            [first_slot(from), first_slot(end)],
            |row| Ok((unsigned(row.get(0)?) / DISCLOSURES_MAX as u64, row.get(1)?)),
        )
    }

    fn blob(&self, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.one("reading a blob", "SELECT bytes FROM blob WHERE id = ?1", [id])
    }

    fn trusted(&self) -> Result<Vec<u64>, StoreError> {
        self.many("reading the keyring's entries", "SELECT seq FROM trust ORDER BY seq", [], |row| {
            Ok(unsigned(row.get(0)?))
        })
    }
}

impl Store for Sqlite {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let size = self.size()?;
        if size != batch.expected_size {
            return Err(StoreError::Conflict { size });
        }
        let write = |db: &mut Connection| -> rusqlite::Result<()> {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            insert_entries(&tx, batch)?;
            insert_tree(&tx, batch)?;
            erase(&tx, batch)?;
            expunge(&tx, batch)?;
            tx.commit()
        };
        write(&mut self.db).map_err(|e| failed("committing")(reason(&e)))?;
        if batch.erase.is_empty() && batch.expunge.is_empty() { Ok(()) } else { self.truncate_wal() }
    }

    fn erase_again(&mut self, digests: &HashSet<Hash>) -> Result<usize, StoreError> {
        let write = |db: &mut Connection| -> rusqlite::Result<usize> {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let texts = delete_values(&tx, digests)?;
            for text in &texts {
                let blob = Disclosure::parse(text).ok().and_then(|value| BlobRef::read(value.value()));
                if let Some(blob) = blob {
                    tx.execute("DELETE FROM blob WHERE id = ?1", [blob.id])?;
                }
            }
            tx.commit()?;
            Ok(texts.len())
        };
        let count = write(&mut self.db).map_err(|e| failed("erasing again")(reason(&e)))?;
        self.truncate_wal()?;
        Ok(count)
    }

    fn readers(&self) -> Readers {
        let path = self.path.clone();
        Box::new(move || Ok(Box::new(Self::open_read_only(&path)?)))
    }
}

fn insert_entries(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    let mut ids = std::collections::HashMap::new();
    {
        let mut upsert = tx.prepare_cached(
            "INSERT INTO stream (name, count, leaf, imported, blocking_n, blocking_by, blocking_n_other)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (name) DO UPDATE SET count = excluded.count, leaf = excluded.leaf,
                 blocking_n = excluded.blocking_n, blocking_by = excluded.blocking_by,
                 blocking_n_other = excluded.blocking_n_other
             RETURNING id",
        )?;
        for state in &batch.streams {
            let last = state.blocking.last.as_ref();
            let id: i64 = upsert.query_row(
                params![
                    state.id.as_str(),
                    signed(state.count),
                    state.leaf.0.as_slice(),
                    state.imported,
                    last.map(|(n, _)| signed(*n)),
                    last.map(|(_, by)| by.as_str()),
                    state.blocking.last_by_other.map(signed),
                ],
                |row| row.get(0),
            )?;
            ids.insert(&state.id, id);
        }
    }
    let mut entry = tx.prepare_cached("INSERT INTO entry (seq, leaf, jti, bytes) VALUES (?1, ?2, ?3, ?4)")?;
    let mut link = tx.prepare_cached("INSERT INTO stream_entry (stream, n, seq) VALUES (?1, ?2, ?3)")?;
    let mut trust = tx.prepare_cached("INSERT INTO trust (seq) VALUES (?1)")?;
    let mut value = tx.prepare_cached("INSERT INTO disclosure (slot, seq, name, text) VALUES (?1, ?2, ?3, ?4)")?;
    for NewEntry { seq, leaf, jti, bytes, links, disclosures, trust: is_trust } in &batch.entries {
        entry.execute(params![signed(*seq), leaf.0.as_slice(), jti.to_bytes().as_slice(), bytes])?;
        for (stream, n) in links {
            link.execute(params![ids[stream], signed(*n), signed(*seq)])?;
        }
        for (slot, disclosure) in (first_slot(*seq)..).zip(disclosures) {
            value.execute(params![slot, signed(*seq), disclosure.name(), disclosure.text()])?;
        }
        if *is_trust {
            trust.execute([signed(*seq)])?;
        }
    }
    Ok(())
}

fn insert_tree(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    let mut node = tx.prepare_cached("INSERT INTO node (level, idx, hash) VALUES (?1, ?2, ?3)")?;
    for (level, index, hash) in &batch.nodes {
        node.execute(params![level, signed(*index), hash.0.as_slice()])?;
    }
    let size = batch.expected_size + batch.entries.len() as u64;
    let mut checkpoint = tx.prepare_cached("INSERT INTO checkpoint (size, note) VALUES (?1, ?2)")?;
    checkpoint.execute(params![signed(size), batch.checkpoint])?;
    let mut blob = tx.prepare_cached("INSERT INTO blob (id, bytes) VALUES (?1, ?2)")?;
    for (id, bytes) in &batch.blobs {
        blob.execute(params![id, bytes])?;
    }
    Ok(())
}

/// Deletes every value with one of these digests, whoever's statement it stands in: a copy that somebody made of a value
/// has its digest, too. Says which texts there were.
fn delete_values(tx: &Transaction<'_>, digests: &HashSet<Hash>) -> rusqlite::Result<Vec<String>> {
    let mut found: Vec<(i64, String)> = Vec::new();
    let mut all = tx.prepare("SELECT slot, text FROM disclosure")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        if digests.contains(&Hash::of(row.get_ref(1)?.as_bytes()?)) {
            found.push((row.get(0)?, row.get(1)?));
        }
    }
    for (slot, _) in &found {
        tx.execute("DELETE FROM disclosure WHERE slot = ?1", [slot])?;
    }
    Ok(found.into_iter().map(|(_, text)| text).collect())
}

fn erase(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    if !batch.erase.is_empty() {
        delete_values(tx, &batch.erase.iter().copied().collect())?;
    }
    for id in &batch.drop_blobs {
        tx.execute("DELETE FROM blob WHERE id = ?1", [id])?;
    }
    Ok(())
}

/// The one lawful change to an entry; the trigger comes back before the transaction ends.
fn expunge(tx: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    if batch.expunge.is_empty() {
        return Ok(());
    }
    let trigger: String =
        tx.query_row("SELECT sql FROM sqlite_master WHERE name = 'entry_is_never_updated'", [], |row| row.get(0))?;
    tx.execute_batch("DROP TRIGGER entry_is_never_updated")?;
    for (seq, leaf) in &batch.expunge {
        tx.execute("UPDATE entry SET bytes = ?2 WHERE seq = ?1", params![signed(*seq), leaf.0.as_slice()])?;
        let first = first_slot(*seq);
        let behind = first.saturating_add(DISCLOSURES_MAX as i64);
        tx.execute("DELETE FROM disclosure WHERE slot >= ?1 AND slot < ?2", [first, behind])?;
    }
    tx.execute_batch(&trigger)
}

fn first_slot(seq: u64) -> i64 {
    signed(seq).saturating_mul(DISCLOSURES_MAX as i64)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A stored number that is negative was not written by us; it becomes one that no log reaches.
fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX >> 1)
}

fn hash(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Hash> {
    row.get::<_, [u8; 32]>(index).map(Hash)
}

fn parsed(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Id> {
    let text: String = row.get(index)?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(e)))
}

fn wal_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn escape_uri(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn failed(what: &'static str) -> impl Fn(String) -> StoreError {
    move |cause| StoreError::Failed { what, cause }
}

/// SQLite's error in words that say what to do.
fn reason(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode;
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full; make room and open the ledger again",
        Some(ErrorCode::ReadOnly) => "the file or its directory can't be written to",
        Some(ErrorCode::CannotOpen) => "it can't be opened; check that it is there and who may read it",
        Some(ErrorCode::NotADatabase) => "it is not an SQLite database",
        Some(ErrorCode::DatabaseCorrupt) => "the database file is damaged; keep it, and restore a backup beside it",
        Some(ErrorCode::SystemIoFailure) => "the disk failed; look at the system's log",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process holds it",
        _ => return error.to_string(),
    };
    format!("{hint} ({error})")
}

/// A disclosure as stored, read again.
///
/// # Errors
/// If the stored text is no disclosure.
pub(crate) fn disclosure(seq: u64, text: &str) -> Result<Disclosure, StoreError> {
    Disclosure::parse(text).map_err(|e| StoreError::Corrupt { seq, what: e.to_string() })
}
