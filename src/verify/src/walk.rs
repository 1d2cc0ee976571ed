//! The walk: takes the examined entries in the order of the log and judges what depends on that order, FORMAT.md §10 step 2
//! and 3. It keeps its own tree, streams, ids and keyring, and nothing of the entries themselves. A refused entry is named
//! and not folded; the walk goes on, so that one fault is told once and hides no other.

use std::cell::Cell;
use std::collections::HashMap;

use blotter_keys::judge::{Judgement, Place, Refusal, is_blocking, judge};
use blotter_keys::keyring::Keyring;
use blotter_record::limits::{ABOUT_LEN_MAX, IAT_AHEAD_SECONDS_MAX, IAT_BEHIND_SECONDS_SHOWN};
use blotter_record::{
    Entry, Event, EventName, Hash, Instant, Policy, RULES_1, Statement, genesis_prev, is_trust_stream,
};

use crate::blob_name::BlobName;
use crate::chain::Chain;
use crate::error::ReadError;
use crate::examine::{Body, Examined, ExaminedEntry, Signature, Vault, is_trust};
use crate::findings::Findings;
use crate::history::Past;
use crate::jtis::Jtis;
use crate::notes::Note;
use crate::report::Identity;
use crate::store::Store;
use crate::streams::{Holes, Streams, UNKNOWN};

/// Entries that may be missing in a row; behind a larger gap the walk does not go on.
const GAP_MAX: u64 = 4096;

/// The streams of an entry, at most: its statement's `sub` and `about`.
type Places = [usize; ABOUT_LEN_MAX + 1];

/// What the walk counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) signatures: u64,
    pub(crate) checkpoints: u64,
    pub(crate) disclosures: u64,
    pub(crate) unknown_events: u64,
    pub(crate) unjudged: u64,
    pub(crate) decisions_judged: u64,
    pub(crate) notarised: u64,
    pub(crate) imported: u64,
    pub(crate) late: u64,
    pub(crate) by_recovered_keys: u64,
}

/// An order to remove an entry's bytes.
#[derive(Debug)]
pub(crate) struct ExpungeOrder {
    pub(crate) seq: u64,
    pub(crate) leaf: Hash,
    pub(crate) by_seq: u64,
}

/// The walk so far.
pub(crate) struct Walk<'a> {
    store: &'a Store,
    structure_only: bool,
    policy: Box<dyn Policy>,
    pub(crate) findings: Findings,
    pub(crate) counts: Counts,
    pub(crate) chain: Chain,
    pub(crate) streams: Streams,
    pub(crate) holes: Holes,
    pub(crate) expunged: Vec<u64>,
    pub(crate) expunge_orders: Vec<ExpungeOrder>,
    pub(crate) jtis: Jtis,
    pub(crate) keyring: Option<Keyring>,
    pub(crate) identity: Option<Identity>,
    pub(crate) trust: Vec<u64>,
    /// Digests without disclosures, with their entries.
    pub(crate) missing: Vec<(u64, Hash)>,
    pub(crate) blobs: Vec<(u64, BlobName)>,
    pub(crate) recorded: Option<(Instant, Instant)>,
    /// `recorded` of the entry before; `None` behind a hole.
    previous_us: Option<i64>,
    last_recorded_us: Option<i64>,
    /// When each key's statements were recorded, in microseconds.
    pub(crate) uses: HashMap<Hash, Vec<i64>>,
    pub(crate) newest_note: Option<(u64, Note)>,
    /// Sizes of rotations whose checkpoint both keys signed.
    rotations: Vec<u64>,
    /// The walk ended before the log did.
    pub(crate) stopped: bool,
    root: Cell<Option<(u64, Hash)>>,
    unknown_rules: bool,
}

impl<'a> Walk<'a> {
    /// A walk through a log of about `entries`.
    pub(crate) fn new(store: &'a Store, structure_only: bool, policy: Box<dyn Policy>, entries: usize) -> Self {
        Self {
            store,
            structure_only,
            policy,
            findings: Findings::default(),
            counts: Counts::default(),
            chain: Chain::with_capacity(entries),
            streams: Streams::default(),
            holes: Holes::default(),
            expunged: Vec::new(),
            expunge_orders: Vec::new(),
            jtis: Jtis::with_capacity(if structure_only { 0 } else { entries }),
            keyring: None,
            identity: None,
            trust: Vec::new(),
            missing: Vec::new(),
            blobs: Vec::new(),
            recorded: None,
            previous_us: None,
            last_recorded_us: None,
            uses: HashMap::new(),
            newest_note: None,
            rotations: Vec::new(),
            stopped: false,
            root: Cell::new(None),
            unknown_rules: false,
        }
    }

    /// The number of entries so far.
    pub(crate) fn size(&self) -> u64 {
        self.chain.tree.size()
    }

    /// Takes the next batch.
    pub(crate) fn take(&mut self, batch: Examined) -> Result<(), ReadError> {
        for (seq, what) in batch.strays {
            self.findings.damage(seq, "disclosure", what);
        }
        for entry in batch.entries {
            if !self.stopped {
                self.take_entry(entry)?;
            }
        }
        if let Some(what) = batch.corrupt {
            self.stopped = true;
            let what = format_args!("the database can't be read from here on: {what}");
            self.findings.damage(self.size(), "store", what);
        }
        batch.notes_behind.into_iter().for_each(|note| self.take_note(note));
        Ok(())
    }

    fn take_entry(&mut self, found: ExaminedEntry) -> Result<(), ReadError> {
        let ExaminedEntry { seq: row_seq, leaf, jti, body, faults, vault, notes_before } = found;
        let Ok(seq) = u64::try_from(row_seq) else {
            self.findings.damage(None, "row", format_args!("there is an entry with the number {row_seq}"));
            return Ok(());
        };
        if !self.reach(seq, &body) {
            return Ok(());
        }
        notes_before.into_iter().for_each(|note| self.take_note(note));
        for (code, what) in faults {
            self.findings.damage(seq, code, what);
        }
        match body {
            Body::Malformed => self.take_hole(seq, leaf, jti),
            Body::Expunged => {
                self.expunged.push(seq);
                self.take_hole(seq, leaf, jti);
            }
            Body::Bare(entry) => {
                self.check_place(&entry, seq, None);
                let places = self.check_links(&entry, seq);
                self.settle(&places[..entry.streams.len()], None, seq, leaf);
            }
            Body::Said(said) => {
                let (entry, statement, signature) = *said;
                self.check_place(&entry, seq, Some(&statement));
                let places = self.check_links(&entry, seq);
                self.take_statement(&entry, &statement, signature, seq, leaf)?;
                self.settle(&places[..entry.streams.len()], Some(&statement), seq, leaf);
                self.keep(vault, seq);
            }
        }
        Ok(())
    }

    /// Names the entries that are missing before `seq`. False if the walk ends here.
    fn reach(&mut self, seq: u64, body: &Body) -> bool {
        let size = self.size();
        if seq == size {
            return true;
        }
        self.findings.damage(
            size,
            "missing",
            format_args!("entries {size} to {} are not there", seq.saturating_sub(1)),
        );
        if seq < size || seq - size > GAP_MAX {
            self.findings.damage(seq, "missing", "the walk ends at this gap");
            self.stopped = true;
            return false;
        }
        // The leaf hash of the last missing one is known from the entry behind it; those of others are lost.
        let prev = match body {
            Body::Bare(entry) => Some(entry.prev),
            Body::Said(said) => Some(said.0.prev),
            Body::Malformed | Body::Expunged => None,
        };
        for gone in size..seq {
            let leaf = prev.filter(|_| gone + 1 == seq);
            if leaf.is_none() {
                self.findings.tree_is_broken_from(gone);
            }
            let leaf = leaf.unwrap_or(Hash([0; 32]));
            self.holes.add(gone, leaf);
            self.chain.tree.push(leaf);
        }
        true
    }

    fn take_hole(&mut self, seq: u64, leaf: Hash, jti: Option<[u8; 16]>) {
        self.last_recorded_us = None;
        self.holes.add(seq, leaf);
        self.chain.tree.push(leaf);
        if let Some(jti) = jti {
            self.jtis.add(seq, &jti);
        }
    }

    /// FORMAT.md §4: the entry's number, its `prev` and its `recorded`.
    fn check_place(&mut self, entry: &Entry, seq: u64, statement: Option<&Statement>) {
        if entry.seq != seq {
            self.findings.damage(seq, "seq", format_args!("it says that it is entry {}", entry.seq));
        }
        if seq > 0 {
            if self.chain.check(&entry.prev, &mut self.findings) {
                self.root.set(None);
            }
            if self.holes.contains(seq - 1) {
                self.holes.add(seq - 1, entry.prev);
            }
        } else if let Some(origin) = statement.and_then(|said| said.facts.word("origin")?.parse().ok())
            && entry.prev != genesis_prev(&origin)
        {
            self.findings.damage(seq, "prev", "its prev is not the one of entry 0");
        }
        self.previous_us = self.last_recorded_us.replace(entry.recorded.unix_us());
        match &mut self.recorded {
            None => self.recorded = Some((entry.recorded.clone(), entry.recorded.clone())),
            Some((_, last)) => {
                let stepped = statement.and_then(|said| said.event.known()) == Some(Event::ClockStepped);
                if entry.recorded < *last && !stepped {
                    let what = format_args!("recorded at {}, before the entry before it ({last})", entry.recorded);
                    self.findings.damage(seq, "recorded", what);
                }
                *last = entry.recorded.clone();
            }
        }
    }

    /// FORMAT.md §4: the entry's place in its streams. Returns these.
    fn check_links(&mut self, entry: &Entry, seq: u64) -> Places {
        let mut places = Places::default();
        for (place, link) in places.iter_mut().zip(&entry.streams) {
            *place = self.streams.place_of(&link.stream);
            match self.streams.check(*place, link, &self.chain.tree, &self.holes) {
                Ok(filled) if !is_trust_stream(&link.stream) || filled.is_empty() => {}
                // FORMAT.md §6.5: whom to trust must stay to be read.
                Ok(filled) => self.findings.damage(
                    filled.last().copied().filter(|of| *of != UNKNOWN).unwrap_or(seq),
                    "expunged",
                    format_args!("an entry of the stream {} is gone; no order can take one", link.stream),
                ),
                Err(what) => self.findings.damage(seq, "stream", what),
            }
        }
        places
    }

    fn take_statement(
        &mut self,
        entry: &Entry,
        statement: &Statement,
        signature: Signature,
        seq: u64,
        leaf: Hash,
    ) -> Result<(), ReadError> {
        if seq == 0 {
            self.found(statement, leaf);
        }
        if self.structure_only {
            if let (Some(keyring), Some(Event::LedgerKeyRotated)) = (&mut self.keyring, statement.event.known()) {
                keyring.apply(entry, statement);
            }
            return Ok(());
        }
        let enrolled = self.keyring.as_ref().and_then(|keyring| keyring.key(&statement.kid));
        // A key that is in nobody's hands is the judge's to name; every other signature has its verdict here.
        let has_verdict = signature != Signature::KeyUnknown || enrolled.is_some();
        let good = match (signature, enrolled) {
            (Signature::KeyUnknown, Some(key)) => {
                key.public.verify(statement.signing_input(), statement.signature()).is_ok()
            }
            (signature, _) => signature == Signature::Good,
        };
        if good {
            self.counts.signatures += 1;
            self.uses.entry(statement.kid).or_default().push(entry.recorded.unix_us());
        } else if has_verdict {
            let refusal = Refusal::Signature { kid: statement.kid };
            self.findings.damage(seq, refusal.code(), refusal);
        }
        self.count(entry, statement);
        if is_trust(statement) {
            self.trust.push(seq);
        }
        if seq > 0 && self.is_admitted(entry, statement, seq)? && good {
            self.fold(entry, statement, seq);
        }
        let first = self.jtis.add(seq, &statement.jti.to_bytes());
        // The judge has said so of every other event.
        if first != seq && matches!(statement.event, EventName::Unknown(_)) {
            let refusal = Refusal::JtiTaken { jti: statement.jti, seq: first };
            self.findings.damage(seq, refusal.code(), refusal);
        }
        Ok(())
    }

    /// FORMAT.md §5.1.
    fn found(&mut self, statement: &Statement, genesis: Hash) {
        let keyring = match Keyring::found(statement, &genesis) {
            Ok(keyring) => keyring,
            Err(error) => return self.findings.damage(0, "founding", error),
        };
        self.identity = Some(Identity {
            origin: keyring.origin().clone(),
            genesis,
            founder: statement.iss.clone(),
            founder_kid: statement.kid,
        });
        if let Some((recorded, _)) = &self.recorded
            && statement.iat - recorded.unix_us().div_euclid(1_000_000) > IAT_AHEAD_SECONDS_MAX
        {
            self.findings.damage(0, "iat-in-future", "signed after it was recorded");
        }
        let known = statement.facts.word("rules_sha256") == Some(RULES_1.sha256_hex().as_str());
        if !known || !keyring.knows_rules() {
            self.unknown_rules = true;
            self.findings.gap(0, "unknown-rules", "the ledger is under rules that this program does not know");
        }
        self.keyring = Some(keyring);
    }

    fn is_admitted(&mut self, entry: &Entry, statement: &Statement, seq: u64) -> Result<bool, ReadError> {
        let Some(keyring) = &self.keyring else { return Ok(false) };
        let stepped = statement.event.known() == Some(Event::ClockStepped);
        let previous = self.previous_us.filter(|_| stepped).and_then(|us| Instant::from_unix_us(us).ok());
        let place = Place { seq, recorded: entry.recorded.clone(), previous };
        let past = Past {
            store: self.store,
            tree: &self.chain.tree,
            streams: &self.streams,
            jtis: &self.jtis,
            root: &self.root,
            met_gap: Cell::new(false),
        };
        let judged = judge(statement, &place, keyring, &past, &mut *self.policy);
        let unjudged = past.met_gap.get() || self.unknown_rules;
        if self.policy.judges(statement)
            && matches!((&judged, unjudged), (Ok(()), _) | (Err(Judgement::Refused(Refusal::Policy(_))), false))
        {
            self.counts.decisions_judged += 1;
        }
        let refusal = match judged {
            Ok(()) => return Ok(true),
            Err(Judgement::Failed(error)) => return Err(error),
            Err(Judgement::Refused(refusal)) => refusal,
        };
        match refusal {
            Refusal::Unknown(_) if matches!(statement.event, EventName::Unknown(_)) => {
                self.counts.unknown_events += 1;
                if statement.streams().any(is_trust_stream) {
                    let what = format_args!("{refusal}; it may say whom to trust");
                    self.findings.gap(seq, "unknown-event", what);
                }
                Ok(true)
            }
            Refusal::Unknown(_) => {
                self.unknown_rules = true;
                self.findings.gap(seq, "unknown-rules", refusal);
                Ok(true)
            }
            // What an expunged entry said can't be looked up any more; the writer could.
            Refusal::Rule { at: "facts.items" | "facts.approvals", .. } | Refusal::Role { .. } | Refusal::Policy(_)
                if past.met_gap.get() =>
            {
                self.counts.unjudged += 1;
                Ok(true)
            }
            Refusal::Role { .. }
            | Refusal::SeenMissing { .. }
            | Refusal::Stale { .. }
            | Refusal::Rule { .. }
            | Refusal::Policy(_)
                if self.unknown_rules =>
            {
                self.counts.unjudged += 1;
                Ok(true)
            }
            Refusal::SeenWrong(_) => {
                self.findings.damage_to_tree(seq, refusal.code(), refusal);
                Ok(false)
            }
            _ => {
                self.findings.damage(seq, refusal.code(), refusal);
                Ok(false)
            }
        }
    }

    fn fold(&mut self, entry: &Entry, statement: &Statement, seq: u64) {
        if let Some(keyring) = &mut self.keyring {
            keyring.apply(entry, statement);
        }
        if statement.event.known() == Some(Event::EntryExpunged)
            && let (Some(of), Some(leaf)) = (statement.facts.int("seq"), statement.facts.hash("leaf"))
        {
            let of = u64::try_from(of).unwrap_or(u64::MAX);
            self.expunge_orders.push(ExpungeOrder { seq: of, leaf, by_seq: seq });
        }
    }

    fn count(&mut self, entry: &Entry, statement: &Statement) {
        let counts = &mut self.counts;
        if statement.is_imported() {
            counts.imported += 1;
        } else if statement.attributed.is_some() {
            counts.notarised += 1;
        }
        let behind = entry.recorded.unix_us().div_euclid(1_000_000) - statement.iat;
        counts.late += u64::from(behind > IAT_BEHIND_SECONDS_SHOWN);
        let key = self.keyring.as_ref().and_then(|keyring| keyring.key(&statement.kid));
        counts.by_recovered_keys += u64::from(key.is_some_and(|key| key.recovered));
    }

    /// The entry becomes the log's last.
    fn settle(&mut self, places: &[usize], statement: Option<&Statement>, seq: u64, leaf: Hash) {
        self.chain.tree.push(leaf);
        let imported = statement.is_some_and(Statement::is_imported);
        let blocks = statement.filter(|said| is_blocking(said)).map(|said| &said.iss);
        for place in places {
            self.streams.add(*place, seq, imported, blocks);
        }
    }

    fn keep(&mut self, vault: Vault, seq: u64) {
        self.counts.disclosures += vault.disclosures;
        self.missing.extend(vault.missing.into_iter().map(|digest| (seq, digest)));
        self.blobs.extend(vault.blobs.into_iter().map(|blob| (seq, blob)));
    }

    /// FORMAT.md §10 step 3: a checkpoint, once its last entry was taken.
    fn take_note(&mut self, note: Note) {
        let size = u64::try_from(note.size).unwrap_or(0);
        let Some(last) = size.checked_sub(1) else {
            let what = format_args!("there is a checkpoint of size {}", note.size);
            return self.findings.damage(None, "checkpoint", what);
        };
        let checkpoint = match &note.checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(what) => return self.findings.damage(last, "checkpoint", what),
        };
        if checkpoint.claimed_size() != size {
            let what = format_args!("the checkpoint of size {size} says {}", checkpoint.claimed_size());
            return self.findings.damage(last, "checkpoint", what);
        }
        if size > self.size() {
            if !self.stopped {
                let what = format_args!("entries up to {last} were signed, and are not there: the log was cut");
                self.findings.damage(self.size(), "cut", what);
            }
            return;
        }
        let Some(keyring) = &self.keyring else { return };
        if checkpoint.claimed_origin() != keyring.origin().as_str() {
            let what = format_args!("the checkpoint of size {size} is of {:?}", checkpoint.claimed_origin());
            return self.findings.damage(last, "checkpoint", what);
        }
        let needed = keyring.checkpoint_keys(size);
        let rotates = needed.len() > 1;
        if !self.structure_only || rotates {
            for key in needed {
                if !note.is_signed_by(key) {
                    let what =
                        format_args!("the checkpoint of size {size} is not signed by {}+{}", key.name(), key.id());
                    return self.findings.damage(last, "checkpoint-signature", what);
                }
            }
        }
        if self.chain.tree.root_at(size).is_some_and(|root| note.has_root(size, root)) {
            self.counts.checkpoints += 1;
        } else {
            let what = format_args!("the ledger signed another root for its first {size} entries");
            self.findings.damage_to_tree(last, "checkpoint-root", what);
        }
        if rotates {
            self.rotations.push(size);
        }
        self.newest_note = Some((size, note));
    }

    /// What can be said only at the end of the log: it is not empty, and its newest checkpoint covers all of it. No statement
    /// is looked up by its id any more; of a long log, the tables that are checked next need that room.
    pub(crate) fn finish(&mut self) {
        self.jtis = Jtis::with_capacity(0);
        let size = self.size();
        if size == 0 {
            self.findings.damage(None, "empty", "there is no entry at all");
        }
        let newest = self.newest_note.take();
        if self.chain.has_suspect() {
            let root = self.chain.tree.root_at(size);
            let signed = newest
                .as_ref()
                .is_some_and(|(at, note)| *at == size && root.is_some_and(|root| note.has_root(size, root)));
            self.chain.finish(signed, &mut self.findings);
        }
        // FORMAT.md §6.2: a rotation holds only with a checkpoint of both keys at its very size.
        for key in self.keyring.iter().flat_map(|keyring| keyring.ledger_keys().iter().skip(1)) {
            if !self.rotations.contains(&key.from_size) {
                let what = format_args!("no checkpoint of both keys at the rotation's size {}", key.from_size);
                self.findings.damage(key.from_size - 1, "rotation", what);
            }
        }
        match newest {
            Some((covered, note)) if covered == size => self.check_newest(&note, size),
            _ if size == 0 || self.stopped => {}
            newest => {
                let covered = newest.map_or(0, |(covered, _)| covered);
                let what = format_args!("no checkpoint covers the entries from {covered} on");
                self.findings.damage(covered, "unsealed", what);
            }
        }
    }

    /// Without statements, only the newest checkpoint's signature is verified.
    fn check_newest(&mut self, note: &Note, size: u64) {
        let Some(keyring) = self.keyring.as_ref().filter(|_| self.structure_only) else { return };
        for key in keyring.checkpoint_keys(size) {
            if !note.is_signed_by(key) {
                let what = format_args!("the newest checkpoint is not signed by {}+{}", key.name(), key.id());
                self.findings.damage(size - 1, "checkpoint-signature", what);
            }
        }
    }

    /// How many statements were recorded since their keys may have been in other hands.
    pub(crate) fn by_compromised_keys(&self) -> u64 {
        let Some(keyring) = &self.keyring else { return 0 };
        let since = |kid| keyring.key(kid).and_then(|key| key.compromised_since.as_ref());
        let flagged = self.uses.iter().filter_map(|(kid, uses)| Some((uses, since(kid)?.unix_us())));
        flagged.map(|(uses, since)| uses.iter().filter(|at| **at >= since).count() as u64).sum()
    }
}
