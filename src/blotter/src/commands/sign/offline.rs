//! Context files: what somebody has before them who signs on a machine without the ledger. A JSON object of exactly
//! `audience`, `stream`, `checkpoint`, `consistency`, `head` and `keys`. Nothing in it is believed: the checkpoint must be signed
//! by the ledger's key and continue what this machine knows, and the head entry must lie in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use blotter_keys::merkle::{consistency_proof, inclusion_proof, verify_consistency};
use blotter_keys::note::VerifierKey;
use blotter_keys::tlog_proof::TlogProof;
use blotter_ledger::{Error, Tree, read};
use blotter_record::{ActorId, Entry, Hash, Id, Json, Seen, Statement};

use crate::session::{Reader, seen_at};

/// The longest context file that is looked at, in bytes.
const CONTEXT_BYTES_MAX: u64 = 16 * 1_048_576;

/// What the online machine shows.
pub(super) struct Shown {
    pub(super) audience: String,
    pub(super) stream: Id,
    checkpoint: String,
    /// From which size, and the hashes of RFC 6962 §2.1.2.
    consistency: (u64, Vec<Hash>),
    /// The stream's last entry: its bytes, and the `.tlog-proof` that it is in the checkpoint.
    head: Option<(String, String)>,
    /// Who owns which key.
    pub(super) owners: Vec<(Hash, ActorId)>,
}

/// What the anchor proved of it.
pub(super) struct Verified {
    pub(super) seen: Seen,
    /// The stream's last entry, for people.
    pub(super) head: Option<String>,
    checkpoint: String,
    genesis: Hash,
}

/// The context for signing in `stream`, with the proof that the log continues the one of size `since`.
pub(super) fn make(reader: &Reader, stream: Id, since: u64, state_dir: &Path) -> Result<Shown> {
    let (store, keyring) = (&*reader.store, &reader.keyring);
    let checkpoint = reader.head(state_dir)?;
    let note = read::checkpoint(store)?;
    if note.claimed_size() != checkpoint.size() {
        bail!("the log grew in this moment; try again");
    }
    if since == 0 || since > checkpoint.size() {
        bail!("--since {since}: this log has {} entries", checkpoint.size());
    }
    let proof = match since < checkpoint.size() {
        true => consistency_proof(&Tree(store), since, checkpoint.size())?,
        false => Vec::new(),
    };
    let head = match seen_at(store, &stream, &checkpoint)?.last {
        None => None,
        Some((n, _)) => {
            let seq = store.stream_seqs(&stream, n, 1).map_err(Error::from)?.first().copied();
            let seq = seq.with_context(|| format!("entry {n} of {stream} is not there"))?;
            let stored = store.entries(seq, 1).map_err(Error::from)?.pop();
            let stored = stored.with_context(|| format!("entry {seq} is not there"))?;
            let path = inclusion_proof(&Tree(store), seq, checkpoint.size())?;
            let bytes = String::from_utf8(stored.bytes).context("the last entry of the stream was expunged")?;
            Some((bytes, TlogProof::new(seq, path, note.note())?.to_string()))
        }
    };
    let mut owners: Vec<_> = keyring
        .keys()
        .filter(|(_, key)| key.revoked_seq.is_none())
        .map(|(kid, key)| (*kid, key.actor.clone()))
        .collect();
    owners.sort_by_key(|(kid, _)| kid.to_string());
    Ok(Shown {
        audience: keyring.audience().to_owned(),
        stream,
        checkpoint: note.note().to_string(),
        consistency: (since, proof),
        head,
        owners,
    })
}

/// The context in a file.
pub(super) fn read(path: &Path) -> Result<Shown> {
    let length = std::fs::metadata(path).with_context(|| format!("the context file {}", path.display()))?.len();
    if length > CONTEXT_BYTES_MAX {
        bail!("{}: {length} bytes; a context file has at most {CONTEXT_BYTES_MAX}", path.display());
    }
    let bytes = std::fs::read(path).with_context(|| format!("the context file {}", path.display()))?;
    let wrong = || format!("{} is not a context file as `blotter sign --context-for` makes it", path.display());
    Shown::parse(&bytes).with_context(wrong)
}

impl Shown {
    /// The size of the log that it shows.
    pub(super) fn size(&self) -> Result<u64> {
        Ok(UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())?.claimed_size())
    }

    /// The file's text.
    pub(super) fn to_text(&self) -> String {
        let member = |name: &str, value: Json| (name.to_owned(), value);
        let (size, proof) = &self.consistency;
        let proof = proof.iter().map(|hash| hash.to_string().into()).collect();
        let head = self.head.as_ref().map_or(Json::Null, |(entry, proof)| {
            Json::Object(vec![member("entry", entry.as_str().into()), member("proof", proof.as_str().into())])
        });
        let owners = self.owners.iter().map(|(kid, actor)| member(&kid.to_string(), actor.to_string().into()));
        Json::Object(vec![
            member("audience", self.audience.as_str().into()),
            member("stream", self.stream.to_string().into()),
            member("checkpoint", self.checkpoint.as_str().into()),
            member(
                "consistency",
                Json::Object(vec![
                    member("size", i64::try_from(*size).unwrap_or(i64::MAX).into()),
                    member("proof", Json::List(proof)),
                ]),
            ),
            member("head", head),
            member("keys", Json::Object(owners.collect())),
        ])
        .to_text()
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let [audience, stream, checkpoint, consistency, head, keys] =
            members(Json::parse(bytes)?, ["audience", "stream", "checkpoint", "consistency", "head", "keys"])?;
        let [size, proof] = members(consistency, ["size", "proof"])?;
        let (Json::Int(size), Json::List(proof)) = (size, proof) else {
            bail!("consistency: a size and hashes are wanted")
        };
        let head = match head {
            Json::Null => None,
            head => {
                let [entry, proof] = members(head, ["entry", "proof"])?;
                Some((text(&entry)?, text(&proof)?))
            }
        };
        let Json::Object(keys) = keys else { bail!("keys: an object is wanted") };
        let owner = |(kid, actor): &(String, Json)| Ok((kid.parse()?, text(actor)?.parse()?));
        Ok(Self {
            audience: text(&audience)?,
            stream: text(&stream)?.parse::<Id>()?.into_stream()?,
            checkpoint: text(&checkpoint)?,
            consistency: (
                u64::try_from(size)?,
                proof.iter().map(|hash| Ok(text(hash)?.parse()?)).collect::<Result<Vec<_>>>()?,
            ),
            head,
            owners: keys.iter().map(owner).collect::<Result<Vec<_>>>()?,
        })
    }

    /// Verifies it against what this machine holds: the anchor, and the checkpoint that it kept the last time.
    ///
    /// # Errors
    /// If it is of another ledger, not signed by the ledger, older than what is known here, or another history.
    pub(super) fn verify(
        &self,
        anchor: &Anchor,
        ledger_key: Option<&VerifierKey>,
        state_dir: &Path,
    ) -> Result<Verified> {
        if self.audience != format!("{}#{}", anchor.origin, anchor.genesis) {
            bail!("the context file is of another ledger, {}; the anchor is of {}", self.audience, anchor.origin);
        }
        // Who names the key in force means that the one before it may be in other hands.
        let in_force = std::slice::from_ref(ledger_key.unwrap_or(&anchor.ledger_vkey));
        let now = open(&self.checkpoint, anchor, in_force).context(
            "the checkpoint in the context file is not signed by the ledger's key in the anchor (if that key was rotated, \
             say --ledger-key VKEY)",
        )?;
        let (size, root) = known(anchor, ledger_key, &kept_path(state_dir, &anchor.genesis))?;
        self.check_continues((size, root), &now)?;
        let (last, head) = match &self.head {
            None => (None, None),
            Some((entry, proof)) => {
                let (last, text) = self.check_head(entry, proof, anchor, in_force, &now)?;
                (Some(last), Some(text))
            }
        };
        let seen = Seen { last, size: now.size(), root: *now.root() };
        Ok(Verified { seen, head, checkpoint: self.checkpoint.clone(), genesis: anchor.genesis })
    }

    fn check_continues(&self, known: (u64, Hash), now: &Checkpoint) -> Result<()> {
        let (size, root) = known;
        if now.size() < size {
            bail!(
                "the context file shows {} entries, but this machine knows of {size}: it is old, or the log was cut",
                now.size()
            );
        }
        if now.size() == size {
            if *now.root() != root {
                bail!(
                    "the context file shows another log of the same length than this machine knows: it was rewritten"
                );
            }
            return Ok(());
        }
        let (from, proof) = &self.consistency;
        if *from != size {
            bail!("make the context file again with --since {size}: that is what this machine saw last");
        }
        verify_consistency(size, &root, now.size(), now.root(), proof)
            .context("the context file does not continue the log that this machine knows: it was rewritten")
    }

    fn check_head(
        &self,
        entry: &str,
        proof: &str,
        anchor: &Anchor,
        keys: &[VerifierKey],
        now: &Checkpoint,
    ) -> Result<((u64, Hash), String)> {
        let leaf = Hash::of_leaf(entry.as_bytes());
        let within = TlogProof::parse(proof.as_bytes())?
            .verify(&leaf, anchor.origin.as_str(), keys)
            .context("the head entry in the context file is not in the log")?;
        if within != *now {
            bail!("the head entry in the context file is proven for another checkpoint");
        }
        let entry = Entry::parse(entry.as_bytes()).context("the head entry in the context file")?;
        let link = entry.streams.iter().find(|link| link.stream == self.stream);
        let link = link.with_context(|| format!("the head entry in the context file is not of {}", self.stream))?;
        let statement = Statement::parse(&entry.statement)?;
        let text = format!("entry {}, {} by {}, {}", entry.seq, statement.event, statement.actor(), entry.recorded);
        Ok(((link.n, leaf), text))
    }
}

/// The newest that this machine knows of the log: the anchor's head, or a newer one that it verified itself, by
/// whichever key was in force then.
fn known(anchor: &Anchor, ledger_key: Option<&VerifierKey>, kept: &Path) -> Result<(u64, Hash)> {
    let Ok(note) = std::fs::read_to_string(kept) else { return Ok((anchor.size, anchor.root)) };
    let first = std::slice::from_ref(&anchor.ledger_vkey);
    let kept = open(&note, anchor, first)
        .or_else(|error| ledger_key.map_or(Err(error), |key| open(&note, anchor, std::slice::from_ref(key))))
        .with_context(|| format!("the checkpoint that you kept, {}", kept.display()))?;
    match kept.size() > anchor.size {
        true => Ok((kept.size(), *kept.root())),
        false => Ok((anchor.size, anchor.root)),
    }
}

fn open(note: &str, anchor: &Anchor, keys: &[VerifierKey]) -> Result<Checkpoint> {
    Ok(UnverifiedCheckpoint::parse(note.as_bytes())?.open(anchor.origin.as_str(), keys)?)
}

/// Where the last checkpoint that this user verified is kept; the same file that reading the ledger itself keeps.
fn kept_path(state_dir: &Path, genesis: &Hash) -> PathBuf {
    state_dir.join(format!("{genesis}.kept"))
}

impl Verified {
    /// Remembers the checkpoint, so that no older or other log is signed for after this one.
    pub(super) fn keep(&self, state_dir: &Path) -> Result<()> {
        let path = kept_path(state_dir, &self.genesis);
        std::fs::create_dir_all(state_dir).with_context(|| format!("{}", state_dir.display()))?;
        let temporary = path.with_extension("kept-new");
        std::fs::write(&temporary, &self.checkpoint).with_context(|| format!("{}", temporary.display()))?;
        std::fs::rename(&temporary, &path).with_context(|| format!("{}", path.display()))
    }
}

/// The members of an object that has exactly these.
fn members<const N: usize>(json: Json, names: [&str; N]) -> Result<[Json; N]> {
    let Json::Object(mut members) = json else { bail!("an object is wanted") };
    let mut values = Vec::with_capacity(N);
    for name in names {
        let at = members.iter().position(|(other, _)| other == name).with_context(|| format!("{name}: missing"))?;
        values.push(members.swap_remove(at).1);
    }
    if let Some((name, _)) = members.first() {
        bail!("{}: unknown", name.escape_debug());
    }
    Ok(values.try_into().expect("one value was pushed for each name"))
}

fn text(json: &Json) -> Result<String> {
    Ok(json.as_text().with_context(|| format!("a string is wanted, not {}", json.kind()))?.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown() -> Shown {
        Shown {
            audience: "example.org/soc#leaf".to_owned(),
            stream: "incident/INC-1".parse().unwrap(),
            checkpoint: "a note\n".to_owned(),
            consistency: (3, vec![Hash::of(b"a"), Hash::of(b"b")]),
            head: Some(("entry".to_owned(), "proof".to_owned())),
            owners: vec![(Hash::of(b"key"), "person/k3".parse().unwrap())],
        }
    }

    #[test]
    fn a_context_file_reads_as_it_was_written() {
        for shown in [shown(), Shown { head: None, owners: Vec::new(), consistency: (1, Vec::new()), ..shown() }] {
            assert_eq!(Shown::parse(shown.to_text().as_bytes()).unwrap().to_text(), shown.to_text());
        }
    }

    #[test]
    fn a_context_file_with_anything_more_or_less_is_refused() {
        let text = shown().to_text();
        for wrong in [
            text.replace("\"stream\":\"incident/INC-1\",", ""),
            text.replace("\"stream\"", "\"more\":1,\"stream\""),
            text.replace("incident/INC-1", "person/INC-1"),
            text.replace("\"size\":3", "\"size\":-3"),
            text.replace("{\"entry\"", "{\"n\":1,\"entry\""),
            "[]".to_owned(),
        ] {
            assert!(Shown::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
