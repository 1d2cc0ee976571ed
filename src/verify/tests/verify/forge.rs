//! Builds ledgers from FORMAT.md, honest or not: nothing here refuses anything. Keys, times and salts are fixed, so every
//! ledger is the same in every run.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use blotter_keys::anchor::Anchor;
use blotter_keys::checkpoint::Checkpoint;
use blotter_keys::ed25519::SecretKey;
use blotter_keys::judge::Blocking;
use blotter_keys::jwk::thumbprint;
use blotter_keys::keyring::Keyring;
use blotter_keys::note::VerifierKey;
use blotter_keys::possession::Possession;
use blotter_record::{
    ActorId, Attribution, Decision, Disclosure, Draft, Entry, Event, Hash, Id, Instant, Json, Jti, Precision, RULES_1,
    Seen, Statement, StreamLink, Via, base64url, genesis_prev,
};
use rusqlite::{Connection, params};

pub(crate) const ORIGIN: &str = "example.org/soc";
/// 2026-11-23T08:00:00Z.
pub(crate) const START_S: i64 = 1_795_420_800;

/// A statement with what the ledger adds to it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) jws: String,
    pub(crate) streams: Vec<Id>,
    pub(crate) recorded_us: i64,
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) expunged: bool,
}

/// What somebody says; everything else is as an honest client would have it.
#[derive(Clone)]
pub(crate) struct Say {
    pub(crate) by: &'static str,
    pub(crate) sub: String,
    pub(crate) about: Vec<String>,
    pub(crate) event: String,
    pub(crate) facts: Vec<(&'static str, Json)>,
    pub(crate) data: Vec<(&'static str, Json)>,
    pub(crate) on_behalf: Option<(&'static str, &'static str)>,
    pub(crate) seen: See,
    pub(crate) key: Option<u8>,
    pub(crate) aud: Option<String>,
    pub(crate) jti: Option<Jti>,
    pub(crate) iat_ahead_s: i64,
    pub(crate) signature: Option<[u8; 64]>,
}

#[derive(Clone)]
pub(crate) enum See {
    /// The newest checkpoint, and what it shows of the stream; where a statement needs it.
    Honest,
    Nothing,
    /// What was there when the log had this size.
    At(u64),
    Exactly(Seen),
}

pub(crate) fn say(by: &'static str, event: &str, sub: &str) -> Say {
    Say {
        by,
        sub: sub.to_owned(),
        about: Vec::new(),
        event: event.to_owned(),
        facts: Vec::new(),
        data: Vec::new(),
        on_behalf: None,
        seen: See::Honest,
        key: None,
        aud: None,
        jti: None,
        iat_ahead_s: 0,
        signature: None,
    }
}

impl Say {
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.facts.push((name, value.into()));
        self
    }

    pub(crate) fn data(mut self, name: &'static str, value: impl Into<Json>) -> Self {
        self.data.push((name, value.into()));
        self
    }

    pub(crate) fn about(mut self, stream: &str) -> Self {
        self.about.push(stream.to_owned());
        self
    }

    pub(crate) fn on_behalf(mut self, of: &'static str, auth: &'static str) -> Self {
        self.on_behalf = Some((of, auth));
        self
    }

    pub(crate) fn seen(mut self, seen: See) -> Self {
        self.seen = seen;
        self
    }

    pub(crate) fn key(mut self, seed: u8) -> Self {
        self.key = Some(seed);
        self
    }
}

pub(crate) fn list(items: &[&str]) -> Json {
    Json::List(items.iter().map(|item| Json::Text((*item).to_owned())).collect())
}

pub(crate) fn jwk(seed: u8) -> Json {
    let x = base64url::encode(secret(seed).public().as_bytes());
    let member = |name: &str, value: &str| (name.to_owned(), Json::Text(value.to_owned()));
    Json::Object(vec![member("crv", "Ed25519"), member("kty", "OKP"), member("x", &x)])
}

pub(crate) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn kid(seed: u8) -> Hash {
    thumbprint(secret(seed).public())
}

pub(crate) fn vkey(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN.parse().unwrap(), *secret(seed).public())
}

/// A ledger in the making.
#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) lines: Vec<Line>,
    pub(crate) entries: Vec<Vec<u8>>,
    pub(crate) leaves: Vec<Hash>,
    pub(crate) notes: BTreeMap<u64, String>,
    /// From which size on which key signs checkpoints.
    pub(crate) ledger_keys: Vec<(u64, u8)>,
    /// The key of each actor.
    pub(crate) keys: HashMap<&'static str, u8>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Digests that are not in the vault any more.
    pub(crate) erased: Vec<Hash>,
    /// A checkpoint after every entry.
    pub(crate) commits: bool,
    pub(crate) clock_us: i64,
    salts: u64,
    jtis: u64,
}

impl Forge {
    /// An empty log under the ledger key `ledger_key`.
    pub(crate) fn new(ledger_key: u8) -> Self {
        Self {
            lines: Vec::new(),
            entries: Vec::new(),
            leaves: Vec::new(),
            notes: BTreeMap::new(),
            ledger_keys: vec![(1, ledger_key)],
            keys: HashMap::new(),
            blobs: BTreeMap::new(),
            erased: Vec::new(),
            commits: true,
            clock_us: START_S * 1_000_000,
            salts: 0,
            jtis: 0,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn audience(&self) -> String {
        self.leaves.first().map_or_else(|| ORIGIN.to_owned(), |genesis| format!("{ORIGIN}#{genesis}"))
    }

    /// The id of the statement in an entry.
    pub(crate) fn jti_of(&self, seq: u64) -> Jti {
        Statement::parse(&self.lines[seq as usize].jws).unwrap().jti
    }

    /// Says it, records it, and signs a checkpoint if that is on. Returns the number of the entry.
    pub(crate) fn say(&mut self, said: Say) -> u64 {
        self.clock_us += 1_000_000;
        let line = self.line(&said);
        self.push(line)
    }

    pub(crate) fn push(&mut self, line: Line) -> u64 {
        let seq = self.size();
        self.lines.push(line);
        let (bytes, leaf) = self.build(seq as usize);
        self.entries.push(bytes);
        self.leaves.push(leaf);
        if self.commits {
            self.commit();
        }
        seq
    }

    /// A line as an honest client and ledger would have it.
    pub(crate) fn line(&mut self, said: &Say) -> Line {
        let iat = self.clock_us.div_euclid(1_000_000) + said.iat_ahead_s;
        let seed = said.key.unwrap_or_else(|| self.keys[said.by]);
        let iss: ActorId = said.by.parse().unwrap();
        self.jtis += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.jtis.to_be_bytes());
        let sub: Id = said.sub.parse().unwrap();
        let draft = Draft {
            iss: iss.clone(),
            attributed: said
                .on_behalf
                .map(|(actor, auth)| Attribution { actor: actor.parse().unwrap(), auth: auth.parse().unwrap() }),
            aud: said.aud.clone().unwrap_or_else(|| self.audience()),
            jti: said.jti.unwrap_or_else(|| Jti::v7(START_S.unsigned_abs() * 1000, random)),
            iat,
            sub: sub.clone(),
            about: said.about.iter().map(|id| id.parse().unwrap()).collect(),
            event: said.event.clone(),
            occurred: Some(Instant::from_unix_us(self.clock_us).unwrap()),
            precision: Precision::Second,
            seen: self.seen(said, &iss, &sub),
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Cli,
            facts: said.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            data: said.data.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        };
        let salts = &mut self.salts;
        let unsigned = draft.build(&kid(seed), || {
            *salts += 1;
            Hash::of(&salts.to_be_bytes()).0[..16].try_into().unwrap()
        });
        let unsigned = unsigned.unwrap_or_else(|error| panic!("{}: {error}", said.event));
        let signature = said.signature.unwrap_or_else(|| secret(seed).sign(unsigned.signing_input().as_bytes()));
        let presentation = unsigned.signed(&signature);
        Line {
            jws: presentation.statement.jws().to_owned(),
            streams: presentation.statement.streams().cloned().collect(),
            recorded_us: self.clock_us,
            disclosures: presentation.disclosures,
            expunged: false,
        }
    }

    fn seen(&self, said: &Say, iss: &ActorId, sub: &Id) -> Option<Seen> {
        let decides = said.event.parse().ok().and_then(|event: blotter_record::EventName| event.known());
        let decides = decides.is_some_and(|event| event.rule().decision != Decision::No);
        let size = match &said.seen {
            See::Nothing => return None,
            See::Exactly(seen) => return Some(*seen),
            See::At(size) => *size,
            See::Honest => {
                let wanted = iss.kind() == "person" || decides || matches!(sub.kind(), "actor" | "policy");
                if !wanted || said.on_behalf.is_some() || self.leaves.is_empty() {
                    return None;
                }
                *self.notes.keys().last()?
            }
        };
        Some(self.seen_at(sub, size))
    }

    /// What an honest client sees of a stream at a checkpoint.
    pub(crate) fn seen_at(&self, sub: &Id, size: u64) -> Seen {
        let of_stream = (0..size).filter(|seq| self.lines[*seq as usize].streams.contains(sub));
        let last = of_stream.enumerate().last();
        Seen {
            last: last.map(|(n, seq)| (n as u64, self.leaves[seq as usize])),
            size,
            root: root(&self.leaves[..size as usize]),
        }
    }

    /// Signs a checkpoint of all entries.
    pub(crate) fn commit(&mut self) {
        let size = self.size();
        self.notes.insert(size, self.note(size, root(&self.leaves)));
    }

    /// A checkpoint signed by the keys that must sign it.
    pub(crate) fn note(&self, size: u64, root: Hash) -> String {
        let at = self.ledger_keys.iter().rposition(|(from, _)| *from <= size).unwrap_or(0);
        let both = at > 0 && self.ledger_keys[at].0 == size;
        let first = if both { at - 1 } else { at };
        let checkpoint = Checkpoint::new(&ORIGIN.parse().unwrap(), size, root).unwrap();
        let mut note = checkpoint.sign(&secret(self.ledger_keys[first].1)).unwrap();
        if both {
            note.add_signature(&ORIGIN.parse().unwrap(), &secret(self.ledger_keys[at].1)).unwrap();
        }
        note.to_string()
    }

    /// The bytes of an entry and their leaf hash, from the lines up to it.
    fn build(&self, seq: usize) -> (Vec<u8>, Hash) {
        let line = &self.lines[seq];
        let links = line.streams.iter().map(|stream| {
            let of_stream = (0..seq).filter(|at| self.lines[*at].streams.contains(stream));
            let last = of_stream.clone().next_back();
            StreamLink { stream: stream.clone(), n: of_stream.count() as u64, prev: last.map(|at| self.leaves[at]) }
        });
        let entry = Entry {
            seq: seq as u64,
            prev: if seq == 0 { genesis_prev(&ORIGIN.parse().unwrap()) } else { self.leaves[seq - 1] },
            streams: links.collect(),
            recorded: Instant::from_unix_us(line.recorded_us).unwrap(),
            statement: line.jws.clone(),
        };
        let bytes = entry.to_bytes().unwrap();
        let leaf = Hash::of_leaf(&bytes);
        if line.expunged { (leaf.0.to_vec(), leaf) } else { (bytes, leaf) }
    }

    /// Computes all entries again from their lines: what an attacker does who can write the database.
    pub(crate) fn relink(&mut self) {
        self.entries.clear();
        self.leaves.clear();
        for seq in 0..self.lines.len() {
            let (bytes, leaf) = self.build(seq);
            self.entries.push(bytes);
            self.leaves.push(leaf);
        }
    }

    /// Signs all checkpoints again: what an attacker does who has the ledger's key.
    pub(crate) fn resign(&mut self) {
        let sizes: Vec<u64> = self.notes.keys().copied().filter(|size| *size <= self.size()).collect();
        self.notes =
            sizes.into_iter().map(|size| (size, self.note(size, root(&self.leaves[..size as usize])))).collect();
    }

    /// Drops the entries from `size` on, and what belongs to them.
    pub(crate) fn cut(&mut self, size: u64) {
        self.lines.truncate(size as usize);
        self.notes.retain(|at, _| *at <= size);
        self.relink();
    }

    /// A compact JWS of any payload, for statements that no draft would build.
    pub(crate) fn raw_jws(&self, seed: u8, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
        format!("{input}.{}", base64url::encode(&secret(seed).sign(input.as_bytes())))
    }

    pub(crate) fn proof(&self, actor: &str, seed: u8, enroller: &str) -> Json {
        let possession = Possession {
            actor: actor.parse().unwrap(),
            aud: self.audience(),
            enroller: enroller.parse().unwrap(),
            iat: self.clock_us / 1_000_000,
        };
        let input = possession.signing_input(secret(seed).public());
        let signature = secret(seed).sign(input.as_bytes());
        Json::Text(format!("{input}.{}", base64url::encode(&signature)))
    }

    pub(crate) fn anchor(&self, size: u64) -> Anchor {
        Anchor {
            origin: ORIGIN.parse().unwrap(),
            genesis: self.leaves[0],
            ledger_vkey: vkey(self.ledger_keys[0].1),
            founder: Statement::parse(&self.lines[0].jws).unwrap().kid,
            size,
            root: root(&self.leaves[..size as usize]),
        }
    }

    /// The content of a head file that names these heads, one a line.
    pub(crate) fn head_file(&self, sizes: &[u64]) -> String {
        let line = |size: &u64| {
            let root = root(&self.leaves[..*size as usize]);
            let check = &Hash::of(format!("{size} {root}").as_bytes()).to_string()[..16];
            format!("{:255}\n", format!("{{\"size\":{size},\"root\":\"{root}\",\"check\":\"{check}\"}}"))
        };
        sizes.iter().map(line).collect()
    }

    /// Writes the ledger's directory.
    pub(crate) fn write(&self, dir: &Path) -> Connection {
        std::fs::write(dir.join("anchor.json"), self.anchor(self.size()).to_string()).unwrap();
        let mut db = Connection::open(dir.join("ledger.db")).unwrap();
        db.execute_batch(include_str!("../../../ledger/src/schema.sql")).unwrap();
        db.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = off").unwrap();
        let tx = db.transaction().unwrap();
        self.insert_log(&tx);
        self.insert_streams(&tx);
        tx.commit().unwrap();
        db
    }

    fn insert_log(&self, db: &Connection) {
        for (seq, (line, bytes)) in self.lines.iter().zip(&self.entries).enumerate() {
            let statement = Statement::parse(&line.jws).ok();
            let jti = statement.as_ref().map_or([seq as u8; 16], |said| said.jti.to_bytes());
            db.execute(
                "INSERT INTO entry VALUES (?1, ?2, ?3, ?4)",
                params![seq as i64, self.leaves[seq].0.as_slice(), jti.as_slice(), bytes],
            )
            .unwrap();
            if !line.expunged {
                for (index, disclosure) in line.disclosures.iter().enumerate() {
                    if !self.erased.contains(&disclosure.digest()) {
                        db.execute(
                            "INSERT INTO disclosure VALUES (?1, ?2, ?3, ?4)",
                            params![(64 * seq + index) as i64, seq as i64, disclosure.name(), disclosure.text()],
                        )
                        .unwrap();
                    }
                }
            }
            let event = statement.and_then(|said| said.event.known());
            if event.is_some_and(|event| event == Event::LedgerFounded || Keyring::folds(event)) {
                db.execute("INSERT INTO trust VALUES (?1)", [seq as i64]).unwrap();
            }
        }
        for level in 1.. {
            let width = 256_usize.pow(level);
            if width > self.leaves.len() {
                break;
            }
            for (index, tile) in self.leaves.chunks_exact(width).enumerate() {
                db.execute(
                    "INSERT INTO node VALUES (?1, ?2, ?3)",
                    params![level, index as i64, root(tile).0.as_slice()],
                )
                .unwrap();
            }
        }
        for (size, note) in &self.notes {
            db.execute("INSERT INTO checkpoint VALUES (?1, ?2)", params![*size as i64, note]).unwrap();
        }
        for (id, bytes) in &self.blobs {
            db.execute("INSERT INTO blob VALUES (?1, ?2)", params![id, bytes]).unwrap();
        }
    }

    fn insert_streams(&self, db: &Connection) {
        let mut streams: Vec<(String, Vec<usize>)> = Vec::new();
        for (seq, line) in self.lines.iter().enumerate() {
            for stream in &line.streams {
                match streams.iter_mut().find(|(id, _)| id.eq_ignore_ascii_case(stream.as_str())) {
                    Some((_, seqs)) => seqs.push(seq),
                    None => streams.push((stream.to_string(), vec![seq])),
                }
            }
        }
        for (index, (stream, seqs)) in streams.iter().enumerate() {
            let mut blocking = Blocking::default();
            let said = |seq: usize| Statement::parse(&self.lines[seq].jws).ok();
            for (n, seq) in seqs.iter().enumerate() {
                db.execute("INSERT INTO stream_entry VALUES (?1, ?2, ?3)", [index as i64 + 1, n as i64, *seq as i64])
                    .unwrap();
                if let Some(said) = said(*seq)
                    && said.event.known().is_some_and(|event| event.rule().decision == Decision::Blocks)
                {
                    blocking.note(n as u64, &said.iss);
                }
            }
            db.execute(
                "INSERT INTO stream VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    index as i64 + 1,
                    stream,
                    seqs.len() as i64,
                    self.leaves[*seqs.last().unwrap()].0.as_slice(),
                    said(seqs[0]).is_some_and(|said| said.is_imported()),
                    blocking.last.as_ref().map(|(n, _)| *n as i64),
                    blocking.last.as_ref().map(|(_, by)| by.to_string()),
                    blocking.last_by_other.map(|n| n as i64),
                ],
            )
            .unwrap();
        }
    }
}

/// RFC 6962 §2.1, word for word.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::of_node(&root(left), &root(right))
        }
    }
}

/// The facts of entry 0.
pub(crate) fn founding(founder: &'static str, seed: u8, ledger_key: u8) -> Say {
    say(founder, "ledger.founded", "ledger")
        .key(seed)
        .fact("origin", ORIGIN)
        .fact("ledger_vkey", vkey(ledger_key).to_string())
        .fact("founder", founder)
        .fact("jwk", jwk(seed))
        .fact("rules_version", RULES_1.version())
        .fact("rules_sha256", RULES_1.sha256_hex())
        .data("name", "Example SOC")
}
