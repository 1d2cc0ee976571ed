//! Playbooks as the ledger has them: which versions were published, and the document of one, which is believed only if it
//! has the hash that was signed.

use anyhow::{Result, bail};
use blotter_exchange::cacao;
use blotter_ledger::{BlobRef, Error, read};
use blotter_record::{Event, Hash, Id, Statement};

use crate::examine::{Datum, examine};
use crate::session::Reader;

/// A version that was published.
#[derive(Debug, Clone)]
pub(super) struct Published {
    /// Its entry.
    pub(super) seq: u64,
    pub(super) version: String,
    /// SHA-256 of the document, in hex.
    pub(super) sha256: String,
}

/// The versions of a playbook, in the order in which they were published.
///
/// # Errors
/// If the ledger can't be read.
pub(super) fn versions(reader: &Reader, playbook: &Id) -> Result<Vec<Published>> {
    let published = said_in(reader, playbook)?.into_iter().filter_map(|(seq, statement)| {
        let is_published = statement.event.known() == Some(Event::PlaybookPublished);
        let (version, sha256) = (statement.facts.word("version")?, statement.facts.word("document_sha256")?);
        let ours = is_published && statement.facts.id("playbook") == Some(playbook);
        ours.then(|| Published { seq, version: version.to_owned(), sha256: sha256.to_owned() })
    });
    Ok(published.collect())
}

/// The version that somebody means: this one, or the last.
///
/// # Errors
/// If there is none.
pub(super) fn version(reader: &Reader, playbook: &Id, wanted: Option<&str>) -> Result<Published> {
    let mut versions = versions(reader, playbook)?;
    let found = match wanted {
        None => versions.pop(),
        Some(wanted) => versions.iter().rposition(|one| one.version == wanted).map(|place| versions.swap_remove(place)),
    };
    match (found, wanted) {
        (Some(found), _) => Ok(found),
        (None, None) => bail!("{playbook} has not been published; `blotter playbook publish FILE` does that"),
        (None, Some(wanted)) => {
            let known: Vec<_> = versions.iter().map(|one| one.version.as_str()).collect();
            bail!(
                "{playbook} has no version {wanted}; it has {}",
                if known.is_empty() { "none".into() } else { known.join(", ") }
            )
        }
    }
}

/// The playbook of a version; or why it can't be shown.
///
/// # Errors
/// [`Error::Corrupt`] if the entry does not hold, or the document is not the one that was signed.
pub(super) fn document(reader: &Reader, published: &Published) -> Result<Result<cacao::Playbook, String>> {
    let Published { seq, sha256, .. } = published;
    let corrupt = |what: String| Error::Corrupt { seq: *seq, what };
    let stored = reader.store.entries(*seq, 1).map_err(Error::from)?.pop().filter(|stored| stored.seq == *seq);
    let examined = examine(reader, stored.ok_or_else(|| corrupt("not there".into()))?)?;
    if let Some(check) = examined.checks.iter().find(|check| check.outcome.is_err()) {
        let why = check.outcome.as_ref().err().map_or("", String::as_str);
        return Err(corrupt(format!("{}: {why}", check.name)).into());
    }
    let document = examined.data.iter().find(|datum| match datum {
        Datum::There(value) => value.name() == "document",
        Datum::Erased { name, .. } | Datum::Missing { name } => name == "document",
    });
    let bytes = match document {
        None => return Ok(Err(format!("entry {seq} was published without its document"))),
        Some(Datum::Erased { by, .. }) => return Ok(Err(format!("its document was erased by order {by}"))),
        Some(Datum::Missing { .. }) => {
            return Err(corrupt("its document is missing, and nobody ordered that".into()).into());
        }
        Some(Datum::There(value)) => match BlobRef::read(value.value()) {
            Some(_) if reader.remote.is_some() => {
                return Ok(Err("its document has 32 KiB or more, and is shown only where the ledger is".to_owned()));
            }
            Some(blob) => {
                let bytes = reader.store.blob(&blob.id).map_err(Error::from)?;
                bytes.ok_or_else(|| corrupt(format!("its document, blob {}, is missing", blob.id)))?
            }
            None => value.value().as_text().unwrap_or_default().as_bytes().to_owned(),
        },
    };
    let has = Hash::of(&bytes).to_hex();
    if has != *sha256 {
        return Err(corrupt(format!("its document has SHA-256 {has}, and {sha256} was signed")).into());
    }
    let checked = cacao::check(&bytes);
    Ok(checked.playbook.ok_or_else(|| {
        let first = checked.findings.iter().find(|finding| finding.severity == cacao::Severity::Error);
        format!("its document has errors: {}", first.map(ToString::to_string).unwrap_or_default())
    }))
}

/// The statements of a stream that were not retracted, with their entries' numbers.
///
/// # Errors
/// If the ledger can't be read.
pub(super) fn said_in(reader: &Reader, stream: &Id) -> Result<Vec<(u64, Statement)>> {
    let mut said: Vec<(u64, Statement)> = Vec::new();
    let mut n = 0;
    loop {
        let seqs = reader.stream_page(stream, n)?;
        if seqs.is_empty() {
            break;
        }
        n += seqs.len() as u64;
        for seq in seqs {
            let entry = read::entries(&*reader.store, seq, 1)?.pop();
            said.extend(entry.and_then(|entry| entry.said).map(|(_, statement)| (seq, statement)));
        }
    }
    let retracted: Vec<_> = said
        .iter()
        .filter(|(_, statement)| statement.event.known() == Some(Event::RetractionRecorded))
        .filter_map(|(_, statement)| statement.facts.jti("of"))
        .collect();
    said.retain(|(_, statement)| !retracted.contains(&statement.jti));
    Ok(said)
}
