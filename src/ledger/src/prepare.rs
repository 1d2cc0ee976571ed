//! The first step of the write path, before the queue and in parallel: read a presentation, check that it is complete,
//! and verify its signature. What comes out can only be refused for its place in the history.

use std::collections::HashMap;
use std::sync::RwLock;

use blotter_keys::ed25519::PublicKey;
use blotter_keys::judge::Refusal;
use blotter_record::limits::BLOB_BYTES_MAX;
use blotter_record::{Hash, Json, Presentation, StatementError};

use crate::Error;

/// A complete statement, ready for the queue.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) presentation: Presentation,
    /// False if its key was not known yet: it may be enrolled in the same batch, and the writer verifies then.
    pub(crate) verified: bool,
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
}

/// The keys that were enrolled so far. A thumbprint names one key for ever, so a signature verified under it stays so;
/// whether the key may still sign is the judge's question.
pub(crate) type KnownKeys = RwLock<HashMap<Hash, PublicKey>>;

/// Reads and verifies a presentation. `blobs` are the contents that its values name.
///
/// # Errors
/// [`Error::Malformed`] or [`Error::Refused`].
pub(crate) fn prepare(text: &str, blobs: Vec<(String, Vec<u8>)>, keys: &KnownKeys) -> Result<Prepared, Error> {
    let presentation = Presentation::parse(text)?;
    presentation.check_complete()?;
    check_blobs(&presentation, &blobs)?;
    let statement = &presentation.statement;
    let key = keys.read().expect("no thread panics while it holds the keys").get(&statement.kid).copied();
    if let Some(key) = key {
        key.verify(statement.signing_input(), statement.signature())
            .map_err(|_| Refusal::Signature { kid: statement.kid })?;
    }
    Ok(Prepared { presentation, verified: key.is_some(), blobs })
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
    match blobs.iter().find(|(id, _)| !named.contains(id)) {
        Some((id, _)) => fail("the blobs".to_owned(), &format!("no value names {id}")),
        None => Ok(()),
    }
}
