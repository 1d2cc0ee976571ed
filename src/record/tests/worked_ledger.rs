//! The worked ledger of FORMAT.md §11: built here byte by byte from fixed seeds, times and salts, and compared with the
//! frozen files in golden/1 and with the text. Files are added there, never edited: old ledgers must verify for ever.
//! `BLOTTER_BLESS=1` writes files that are missing, and none that exist.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use blotter_keys::checkpoint::Checkpoint;
use blotter_keys::ed25519::SecretKey;
use blotter_keys::judge::{self, Place};
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::keyring::Keyring;
use blotter_keys::merkle::{self, Frontier, Hashes};
use blotter_keys::note::VerifierKey;
use blotter_keys::possession::Possession;
use blotter_keys::tile::{encode_bundle, encode_hashes};
use blotter_keys::tlog_proof::TlogProof;
use blotter_record::{
    ActorId, Draft, Entry, Hash, Id, Instant, Json, Jti, Permissive, Precision, Presentation, RULES_1, Seen,
    StreamLink, Via, base64url, genesis_prev,
};

const ORIGIN: &str = "example.org/soc";
const FIRST_US: i64 = 1_795_435_200_000_000; // 2026-11-23T12:00:00Z

#[derive(Default)]
struct Ledger {
    entries: Vec<Vec<u8>>,
    leaves: Vec<Hash>,
    presentations: Vec<String>,
    streams: Vec<(Id, Vec<usize>)>,
    keyring: Option<Keyring>,
}

impl Hashes for Ledger {
    type Error = String;

    fn hashes(&self, level: u8, start: u64, count: u32) -> Result<Vec<Hash>, String> {
        assert_eq!(level, 0, "five leaves fill no tile");
        Ok(self.leaves[start as usize..start as usize + count as usize].to_vec())
    }
}

impl judge::History for Ledger {
    type Error = String;

    fn stream(&self, id: &Id) -> Result<Option<judge::StreamState>, String> {
        let found = self.streams.iter().find(|(other, _)| other == id);
        Ok(found.map(|(id, seqs)| judge::StreamState {
            id: id.clone(),
            count: seqs.len() as u64,
            leaf: self.leaves[*seqs.last().unwrap()],
            imported: false,
            blocking: judge::Blocking::default(),
        }))
    }

    fn entry_of(&self, stream: &Id, n: u64) -> Result<Option<(u64, Hash)>, String> {
        let seqs = self.streams.iter().find(|(other, _)| other == stream).map(|(_, seqs)| seqs);
        Ok(seqs.and_then(|seqs| seqs.get(n as usize)).map(|seq| (*seq as u64, self.leaves[*seq])))
    }

    fn root_at(&self, size: u64) -> Result<Option<Hash>, String> {
        Ok(Some(self.root(size as usize)))
    }

    fn statement(&self, _: &Jti) -> Result<Option<judge::Said>, String> {
        Ok(None)
    }

    fn entries_of(&self, _: &Id, _: u64, _: usize) -> Result<Vec<judge::Said>, String> {
        Ok(Vec::new())
    }
}

impl Ledger {
    fn root(&self, size: usize) -> Hash {
        let mut tree = Frontier::default();
        self.leaves[..size].iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    fn audience(&self) -> String {
        self.leaves.first().map_or(ORIGIN.to_owned(), |leaf| format!("{ORIGIN}#{leaf}"))
    }

    /// Says, signs, judges and enters a statement; the n-th is recorded n seconds after the first.
    fn say(
        &mut self,
        actor: &ActorId,
        key: &SecretKey,
        stream: &str,
        event: &str,
        facts: &[(&str, Json)],
        data: &[(&str, Json)],
    ) {
        let seq = self.leaves.len();
        let recorded_us = FIRST_US + seq as i64 * 1_000_000;
        let sub: Id = stream.parse().unwrap();
        let seen = (seq > 0).then(|| {
            let last = judge::History::stream(self, &sub).unwrap().map(|state| (state.count - 1, state.leaf));
            Seen { last, size: seq as u64, root: self.root(seq) }
        });
        let named = |pairs: &[(&str, Json)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let draft = Draft {
            iss: actor.clone(),
            attributed: None,
            aud: self.audience(),
            jti: Jti::v7(recorded_us as u64 / 1000, [seq as u8; 10]),
            iat: recorded_us / 1_000_000,
            sub: sub.clone(),
            about: Vec::new(),
            event: event.into(),
            occurred: Some(Instant::from_unix_us(recorded_us).unwrap()),
            precision: Precision::Second,
            seen,
            cause: Vec::new(),
            corrects: Vec::new(),
            via: Via::Cli,
            facts: named(facts),
            data: named(data),
        };
        let mut salts = 0..;
        let unsigned = draft.build(&thumbprint(key.public()), || [0xa0 + salts.next().unwrap() as u8; 16]).unwrap();
        let signature = key.sign(unsigned.signing_input().as_bytes());
        let presentation = unsigned.signed(&signature);
        let recorded = Instant::from_unix_us(recorded_us).unwrap();
        self.enter(&presentation, &sub, recorded);
        self.presentations.push(presentation.to_text());
    }

    fn enter(&mut self, presentation: &Presentation, sub: &Id, recorded: Instant) {
        let (seq, statement) = (self.leaves.len(), &presentation.statement);
        if let Some(keyring) = &self.keyring {
            let place = Place { seq: seq as u64, recorded: recorded.clone(), previous: None };
            judge::judge(statement, &place, keyring, self, &mut Permissive).map_err(|e| e.to_string()).unwrap();
        }
        let before = judge::History::stream(self, sub).unwrap();
        let link = StreamLink {
            stream: sub.clone(),
            n: before.as_ref().map_or(0, |before| before.count),
            prev: before.map(|before| before.leaf),
        };
        let prev = self.leaves.last().copied().unwrap_or_else(|| genesis_prev(&ORIGIN.parse().unwrap()));
        let entry = Entry { seq: seq as u64, prev, streams: vec![link], recorded, statement: statement.jws().into() };
        let bytes = entry.to_bytes().unwrap();
        assert_eq!(Entry::parse(&bytes).unwrap(), entry);
        self.leaves.push(Hash::of_leaf(&bytes));
        self.entries.push(bytes);
        match self.streams.iter_mut().find(|(id, _)| id == sub) {
            Some((_, seqs)) => seqs.push(seq),
            None => self.streams.push((sub.clone(), vec![seq])),
        }
        match &mut self.keyring {
            None => self.keyring = Some(Keyring::found(statement, &self.leaves[0]).unwrap()),
            Some(keyring) => keyring.apply(&entry, statement),
        }
    }
}

fn jwk(key: &SecretKey) -> Json {
    Json::parse(print(key.public()).as_bytes()).unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn worked() -> (Ledger, Vec<(&'static str, Vec<u8>)>) {
    let actor = |text: &str| text.parse::<ActorId>().unwrap();
    let (checkpoint_key, founder_key, own_key, analyst_key) = (key(1), key(2), key(3), key(4));
    let (founder, analyst) = (actor("person/aaaaaaaaaaaaaaaa"), actor("person/cccccccccccccccc"));
    let vkey = VerifierKey::new(ORIGIN.parse().unwrap(), *checkpoint_key.public());
    let mut ledger = Ledger::default();
    let facts = [
        ("origin", ORIGIN.into()),
        ("ledger_vkey", vkey.to_string().into()),
        ("founder", founder.as_str().into()),
        ("jwk", jwk(&founder_key)),
        ("rules_version", RULES_1.version().into()),
        ("rules_sha256", RULES_1.sha256_hex().into()),
    ];
    ledger.say(&founder, &founder_key, "ledger", "ledger.founded", &facts, &[]);
    for (new, new_key) in [(actor("ledger/bbbbbbbbbbbbbbbb"), &own_key), (analyst.clone(), &analyst_key)] {
        let iat = FIRST_US / 1_000_000 + ledger.leaves.len() as i64;
        let possession = Possession { actor: new.clone(), aud: ledger.audience(), enroller: founder.clone(), iat };
        let input = possession.signing_input(new_key.public());
        let proof = format!("{input}.{}", base64url::encode(&new_key.sign(input.as_bytes())));
        let facts = [("kind", new.kind().into()), ("jwk", jwk(new_key)), ("proof", proof.into())];
        ledger.say(&founder, &founder_key, new.stream().as_str(), "actor.enrolled", &facts, &[]);
    }
    ledger.say(
        &founder,
        &founder_key,
        "actor/cccccccccccccccc",
        "role.granted",
        &[("role", "soc_analyst".into())],
        &[],
    );
    let facts = [("lead", analyst.as_str().into()), ("category", "malware".into()), ("tlp", "amber".into())];
    let data = [("title", "Ransom note on a file server".into()), ("summary", "Found by the night shift".into())];
    ledger.say(&analyst, &analyst_key, "incident/INC-2026-0042", "incident.opened", &facts, &data);

    let name = ORIGIN.parse().unwrap();
    let note =
        |size: usize| Checkpoint::new(&name, size as u64, ledger.root(size)).unwrap().sign(&checkpoint_key).unwrap();
    let size = ledger.leaves.len();
    let proof = |index: u64| {
        let path = merkle::inclusion_proof(&ledger, index, size as u64).unwrap();
        TlogProof::new(index, path, &note(size)).unwrap().to_string()
    };
    let consistency: String = merkle::consistency_proof(&ledger, 3, size as u64)
        .unwrap()
        .iter()
        .map(|hash| format!("{}\n", base64_standard(&hash.0)))
        .collect();
    let receipt = Json::Object(vec![
        ("entry".into(), String::from_utf8(ledger.entries[4].clone()).unwrap().into()),
        ("seq".into(), 4.into()),
        ("proof".into(), proof(4).into()),
    ]);
    let anchor = blotter_keys::anchor::Anchor {
        origin: ORIGIN.parse().unwrap(),
        genesis: ledger.leaves[0],
        ledger_vkey: vkey,
        founder: thumbprint(founder_key.public()),
        size: size as u64,
        root: ledger.root(size),
    };
    let mut files = vec![
        ("checkpoint-3.txt", note(3).to_string().into_bytes()),
        ("checkpoint-5.txt", note(5).to_string().into_bytes()),
        ("tile-0-000.p-5", encode_hashes(&ledger.leaves)),
        ("tile-entries-000.p-5", encode_bundle(ledger.entries.iter().map(Vec::as_slice)).unwrap()),
        ("entry-4.tlog-proof", proof(4).into_bytes()),
        ("consistency-3-5.txt", consistency.into_bytes()),
        ("receipt-4.json", receipt.to_text().into_bytes()),
        ("anchor.json", anchor.to_string().into_bytes()),
        ("presentation-4.txt", ledger.presentations[4].clone().into_bytes()),
        ("rules-1.sha256", format!("{}\n", RULES_1.sha256_hex()).into_bytes()),
    ];
    let names = ["entry-0.json", "entry-1.json", "entry-2.json", "entry-3.json", "entry-4.json"];
    files.extend(names.into_iter().zip(ledger.entries.iter().cloned()));
    (ledger, files)
}

fn base64_standard(bytes: &[u8]) -> String {
    let url = base64url::encode(bytes);
    url.replace('-', "+").replace('_', "/") + &"=".repeat((4 - url.len() % 4) % 4)
}

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/1").join(name)
}

#[test]
fn the_bytes_of_format_1_never_change() {
    let (_, files) = worked();
    let bless = std::env::var_os("BLOTTER_BLESS").is_some();
    for (name, bytes) in &files {
        let path = golden(name);
        if bless && !path.exists() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
        let frozen = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(frozen == *bytes, "{name} has other bytes than when it was frozen");
    }
    assert_eq!(files.len(), std::fs::read_dir(golden("")).unwrap().count(), "a frozen file that nothing makes");
}

#[test]
fn the_text_of_format_1_shows_the_frozen_bytes() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/FORMAT.md")).unwrap();
    let section = text.split("## 11. A worked ledger").nth(1).expect("FORMAT.md has a section 11");
    let (ledger, files) = worked();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.starts_with("tile-") && !name.starts_with("rules")) {
        let shown = String::from_utf8(bytes.clone()).unwrap();
        assert!(section.contains(shown.trim_end()), "§11 does not show {name}");
    }
    for (seq, leaf) in ledger.leaves.iter().enumerate() {
        assert!(section.contains(&leaf.to_string()), "§11 does not show leaf hash {seq}");
    }
    assert!(section.contains(&ledger.root(5).to_string()));
}
