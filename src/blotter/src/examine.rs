//! One entry under the lamp: everything that can be checked of it here and now, and what its disclosed values are.
//! It answers for this entry; that the whole log holds, only `blotter verify` says.

use anyhow::Result;
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::{inclusion_proof, verify_inclusion};
use blotter_ledger::{Error, Stored, Tree, read};
use blotter_record::{Disclosure, Entry, Hash, Jti, Statement, genesis_prev};

use crate::commands::checkpoint::newest_note;
use crate::session::Reader;

/// Whether something about an entry is as it must be, and in which words to say so.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Result<String, String>,
}

/// A value of a statement's data.
pub(crate) enum Datum {
    /// It is in the vault.
    There(Disclosure),
    /// An executed erasure took it.
    Erased { name: String, by: Jti },
    /// It is not there, and nobody ordered that.
    Missing { name: String },
}

/// An entry, and what was found out about it.
pub(crate) struct Examined {
    pub(crate) stored: Stored,
    /// `None` if it was expunged, or can't be read.
    pub(crate) said: Option<(Entry, Statement)>,
    pub(crate) checks: Vec<Check>,
    pub(crate) data: Vec<Datum>,
    /// Who could say what when it was recorded; for entry 0, just after it.
    pub(crate) keyring_then: Keyring,
}

impl Examined {
    pub(crate) fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.outcome.is_ok())
    }
}

/// Examines an entry as stored.
///
/// # Errors
/// Only if the ledger can't be read; what is wrong with the entry is in the checks.
pub(crate) fn examine(reader: &Reader, stored: Stored) -> Result<Examined> {
    let (store, keyring) = (&*reader.store, &reader.keyring);
    let seq = stored.seq;
    let keyring_then = read::keyring_before(store, seq.max(1))?.unwrap_or_else(|| keyring.clone());
    let mut checks = vec![Check { name: "inclusion", outcome: in_log(reader, &stored) }];
    let mut add = |name, outcome| checks.push(Check { name, outcome });
    if stored.is_expunged() {
        let by = keyring.expunged_by(seq).map(|jti| format!("expunged by order {jti}"));
        add("bytes", by.ok_or("its bytes were taken away, and nobody ordered that".to_owned()));
        return Ok(Examined { stored, said: None, checks, data: Vec::new(), keyring_then });
    }
    let leaf = Hash::of_leaf(&stored.bytes);
    let same = if leaf == stored.leaf {
        Ok("recomputed from its bytes".into())
    } else {
        Err(format!("its bytes hash to {leaf}"))
    };
    add("leaf", same);
    let said = match parse(&stored) {
        Ok(said) => Some(said),
        Err(what) => {
            add("form", Err(what));
            None
        }
    };
    let mut data = Vec::new();
    if let Some((entry, statement)) = &said {
        add("links", links(reader, entry));
        add("signature", signature(keyring, statement));
        add("key", key(&keyring_then, entry, statement));
        let texts = store.disclosures(seq).map_err(Error::from)?;
        data = values(reader, statement, &texts)?;
        if !statement.fields.is_empty() || !texts.is_empty() {
            add("data", complete(keyring, statement, &texts, &data));
        }
    }
    Ok(Examined { stored, said, checks, data, keyring_then })
}

fn parse(stored: &Stored) -> Result<(Entry, Statement), String> {
    let entry = Entry::parse(&stored.bytes).map_err(|e| e.to_string())?;
    if entry.seq != stored.seq {
        return Err(format!("it says that it is entry {}", entry.seq));
    }
    let statement = Statement::parse(&entry.statement).map_err(|e| format!("its statement: {e}"))?;
    if !entry.streams.iter().map(|link| &link.stream).eq(statement.streams()) {
        return Err("its streams are not those of its statement".to_owned());
    }
    Ok((entry, statement))
}

fn in_log(reader: &Reader, stored: &Stored) -> Result<String, String> {
    let (_, head) = newest_note(reader).map_err(|e| format!("{e:#}"))?;
    let path = inclusion_proof(&Tree(&*reader.store), stored.seq, head.size()).map_err(|e| e.to_string())?;
    verify_inclusion(&stored.leaf, stored.seq, head.size(), head.root(), &path).map_err(|e| e.to_string())?;
    Ok(format!("in the log of {} entries that the newest checkpoint signs", head.size()))
}

fn links(reader: &Reader, entry: &Entry) -> Result<String, String> {
    let store = &*reader.store;
    let leaf_at = |seq: u64| store.hashes(0, seq, 1).map_err(|e| e.to_string()).map(|hashes| hashes[0]);
    let before = match entry.seq.checked_sub(1) {
        Some(seq) => leaf_at(seq)?,
        None => genesis_prev(reader.keyring.origin()),
    };
    if entry.prev != before {
        return Err("it does not follow on the entry before".to_owned());
    }
    for link in &entry.streams {
        let Some(n) = link.n.checked_sub(1) else { continue };
        let seq = store.stream_seqs(&link.stream, n, 1).map_err(|e| e.to_string())?;
        let seq = *seq.first().ok_or_else(|| format!("entry {n} of {} is not there", link.stream))?;
        if seq >= entry.seq || link.prev != Some(leaf_at(seq)?) {
            return Err(format!("it does not follow on entry {n} of {}", link.stream));
        }
    }
    Ok("it follows on the entries before it, in the log and in its streams".to_owned())
}

fn signature(keyring: &Keyring, statement: &Statement) -> Result<String, String> {
    let key = keyring.key(&statement.kid).ok_or("its key is nobody's in this ledger")?;
    let verified = key.public.verify(statement.signing_input(), statement.signature());
    verified.map(|()| "verified now".to_owned()).map_err(|_| "DOES NOT VERIFY under its key".to_owned())
}

/// Whether the key was good when the entry was recorded. That the rules let the actor say this, `blotter verify` judges.
fn key(then: &Keyring, entry: &Entry, statement: &Statement) -> Result<String, String> {
    let key = then.key(&statement.kid).ok_or("its key was nobody's when it was recorded")?;
    if key.actor != statement.iss {
        return Err(format!("its key is {}'s", key.actor));
    }
    if let Some(seq) = key.revoked_seq.filter(|seq| *seq < entry.seq) {
        return Err(format!("its key had been revoked by entry {seq}"));
    }
    if key.expires.as_ref().is_some_and(|expires| entry.recorded >= *expires) {
        return Err("its key had expired".to_owned());
    }
    Ok(format!("{}'s, valid when it was recorded", key.actor))
}

/// The statement's values: field by field what is there, what was erased, and what is missing.
pub(crate) fn values(reader: &Reader, statement: &Statement, texts: &[String]) -> Result<Vec<Datum>> {
    let there: Vec<_> = texts.iter().filter_map(|text| Disclosure::parse(text).ok()).collect();
    let there: Vec<_> = there.into_iter().filter(|value| statement.digests.contains(&value.digest())).collect();
    let gone = statement.digests.iter().filter(|digest| !there.iter().any(|value| value.digest() == **digest));
    let mut erased = Vec::new();
    for by in gone.filter_map(|digest| reader.keyring.erased_by(digest)) {
        for name in erased_fields(reader, by, &statement.jti)? {
            erased.push((name, *by));
        }
    }
    let datum = |name: &String| {
        if let Some(value) = there.iter().find(|value| value.name() == name) {
            return Datum::There(value.clone());
        }
        match erased.iter().find(|(field, _)| field == name) {
            Some((_, by)) => Datum::Erased { name: name.clone(), by: *by },
            None => Datum::Missing { name: name.clone() },
        }
    };
    Ok(statement.fields.iter().map(datum).collect())
}

/// The fields of a statement that an executed erasure names.
fn erased_fields(reader: &Reader, order: &Jti, of: &Jti) -> Result<Vec<String>> {
    let Some(seq) = reader.store.seq_of(order).map_err(Error::from)? else { return Ok(Vec::new()) };
    let executed = read::entries(&*reader.store, seq, 1)?.pop().and_then(|entry| entry.said);
    let items = executed.iter().flat_map(|(_, statement)| statement.facts.items("items"));
    Ok(items.filter(|item| item.jti == *of).map(|item| item.field.clone()).collect())
}

fn complete(keyring: &Keyring, statement: &Statement, texts: &[String], data: &[Datum]) -> Result<String, String> {
    for text in texts {
        let digest = Hash::of(text.as_bytes());
        if !statement.digests.contains(&digest) {
            return Err("the vault has a value that this statement never had".to_owned());
        }
        if keyring.erased_by(&digest).is_some() {
            return Err("a value is still there that was erased by order".to_owned());
        }
    }
    let missing: Vec<_> = data
        .iter()
        .filter_map(|datum| if let Datum::Missing { name } = datum { Some(name.as_str()) } else { None })
        .collect();
    if !missing.is_empty() {
        return Err(format!("missing, and nobody ordered that: {}", missing.join(", ")));
    }
    Ok("every value is the one that was signed, or was erased by order".to_owned())
}
