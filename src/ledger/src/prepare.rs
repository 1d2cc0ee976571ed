//! The first step of the write path, before the queue and in parallel: read a presentation, check that it is complete,
//! and verify its signature. What comes out can only be refused for its place in the history.

use blotter_keys::judge::Refusal;
use blotter_keys::key_cache::KeyCache;
use blotter_record::limits::BLOB_BYTES_MAX;
use blotter_record::{Hash, Json, Presentation, Statement, StatementError};

use crate::Error;

/// A complete statement, ready for the queue.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) presentation: Presentation,
    /// False if its key was not known yet: it may be enrolled in the same batch, and the writer verifies then.
    pub(crate) verified: bool,
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
}

impl Prepared {
    /// What it says.
    pub fn statement(&self) -> &Statement {
        &self.presentation.statement
    }

    /// What it holds in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let values: usize = self.presentation.disclosures.iter().map(|value| value.text().len()).sum();
        let blobs: usize = self.blobs.iter().map(|(_, bytes)| bytes.len()).sum();
        self.presentation.statement.jws().len() + 2 * values + blobs
    }
}

/// Reads and verifies a presentation. `blobs` are the contents that its values name.
///
/// # Errors
/// [`Error::Malformed`] or [`Error::Refused`].
pub(crate) fn prepare(text: &str, blobs: Vec<(String, Vec<u8>)>, keys: &KeyCache) -> Result<Prepared, Error> {
    let presentation = Presentation::parse(text)?;
    presentation.check_complete()?;
    check_blobs(&presentation, &blobs)?;
    let statement = &presentation.statement;
    let verdict = keys.verify(statement);
    if let Some(Err(_)) = verdict {
        return Err(Refusal::Signature { kid: statement.kid }.into());
    }
    Ok(Prepared { presentation, verified: verdict.is_some(), blobs })
}

/// A value that names a blob in the vault (FORMAT.md §2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its id in the vault.
    pub id: String,
}

impl BlobRef {
    /// The reference in a value, if it is one.
    pub fn read(value: &Json) -> Option<Self> {
        let mut parts = value.as_text()?.strip_prefix("blob:")?.split(':');
        let (sha256, size, id) = (parts.next()?, parts.next()?, parts.next()?);
        let hex = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let id_ok = id.len() == 26 && id.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
        let size_ok = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
        (hex && id_ok && size_ok && parts.next().is_none())
            .then(|| Some(Self { sha256: sha256.to_owned(), size: size.parse().ok()?, id: id.to_owned() }))?
    }

    /// The value that names a blob of these bytes, kept under `id`.
    pub fn value(id: &str, bytes: &[u8]) -> String {
        format!("blob:{}:{}:{id}", Hash::of(bytes).to_hex(), bytes.len())
    }
}

fn check_blobs(presentation: &Presentation, blobs: &[(String, Vec<u8>)]) -> Result<(), StatementError> {
    let fail = |at: String, what: &str| Err(StatementError { at, what: what.to_owned() });
    let mut named = Vec::new();
    for disclosure in &presentation.disclosures {
        let Some(blob) = BlobRef::read(disclosure.value()) else { continue };
        let at = format!("data.{}", disclosure.name());
        let Some((_, bytes)) = blobs.iter().find(|(id, _)| *id == blob.id) else {
            return fail(at, "the blob that it names was not sent along");
        };
        if bytes.len() > BLOB_BYTES_MAX || bytes.len() as u64 != blob.size || Hash::of(bytes).to_hex() != blob.sha256 {
            return fail(at, "the blob has another size or hash than it says, or is larger than 64 MiB");
        }
        named.push(blob.id);
    }
    if let Some((id, _)) = blobs.iter().find(|(id, _)| !named.contains(id)) {
        return fail("the blobs".to_owned(), &format!("no value names {id}"));
    }
    let mut ids: Vec<&str> = blobs.iter().map(|(id, _)| id.as_str()).collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => fail("the blobs".to_owned(), &format!("{} twice", pair[0])),
        None => Ok(()),
    }
}
