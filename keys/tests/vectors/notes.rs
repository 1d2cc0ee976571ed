//! The judges are golang.org/x/mod/sumdb/note and transparency-dev/formats (Go), and the checkpoints of two logs that
//! run in the world.

use blotter_keys::checkpoint::{CheckpointError, UnverifiedCheckpoint, WitnessKey};
use blotter_keys::ed25519::SecretKey;
use blotter_keys::note::{KeyName, NoteError, SignatureLine, SignedNote, VerifierKey, VkeyError};
use blotter_keys::tlog_proof::TlogProof;
use serde_json::Value;

use crate::{base64, folder, list, number, read_json, text};

fn vectors() -> Option<Value> {
    Some(read_json(&folder("note_checkpoint_vectors")?.join("vectors.json")))
}

fn vkey(text: &str) -> VerifierKey {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Go's `PRIVATE+KEY+<name>+<id>+<base64 of type and seed>`. We don't write keys so.
fn signer(text: &str) -> (KeyName, SecretKey) {
    let [name, _, typed_seed] = text.strip_prefix("PRIVATE+KEY+").unwrap().splitn(3, '+').collect::<Vec<_>>()[..]
    else {
        panic!("{text}");
    };
    let seed = base64(typed_seed)[1..].try_into().unwrap();
    (name.parse().unwrap(), SecretKey::from_seed(seed))
}

#[test]
fn verifier_keys_are_read_as_go_reads_them() {
    let Some(vectors) = vectors() else { return };
    let keys = &vectors["keys"];
    for member in ["peter_vkey", "enoch_vkey", "ed25519_vkey_TEST"] {
        assert_eq!(vkey(text(keys, member)).to_string(), text(keys, member));
    }
    let (name, key) = signer(text(keys, "peter_skey"));
    assert_eq!(VerifierKey::new(name, *key.public()).to_string(), text(keys, "peter_vkey"));

    let witness = text(keys, "cosig_v1_vkey_alg04");
    assert_eq!(witness.parse::<WitnessKey>().unwrap().to_string(), witness);
    assert_eq!(witness.parse::<VerifierKey>(), Err(VkeyError::SignatureType { wanted: 1, found: 4 }));
    let mldsa = text(keys, "mldsa44_vkey_alg06");
    assert_eq!(mldsa.parse::<VerifierKey>(), Err(VkeyError::SignatureType { wanted: 1, found: 6 }));
    assert_eq!(mldsa.parse::<WitnessKey>(), Err(VkeyError::SignatureType { wanted: 4, found: 6 }));
    let bad = list(&vectors, "bad_vkeys");
    for case in bad {
        assert!(text(case, "vkey").parse::<VerifierKey>().is_err(), "{case}");
    }
    assert_eq!(bad.len(), 2);
}

#[test]
fn notes_get_the_verdicts_of_go() {
    let Some(vectors) = vectors() else { return };
    let cases = list(&vectors, "open_note");
    for case in cases {
        let desc = text(case, "desc");
        let keys: Vec<_> = list(case, "vkeys").iter().map(|key| vkey(key.as_str().unwrap())).collect();
        let note = SignedNote::parse(&note_bytes(case));
        let verdict = note.as_ref().map_err(Clone::clone).and_then(|note| note.verify(&keys));
        match (text(case, "want"), verdict) {
            ("ok", Ok(signers)) => {
                let signers: Vec<_> = signers.iter().map(|key| key.name().as_str()).collect();
                let expect: Vec<_> = list(case, "verified").iter().map(|name| name.as_str().unwrap()).collect();
                assert_eq!(signers, expect, "{desc}");
                assert_eq!(note.unwrap().to_string().as_bytes(), note_bytes(case), "{desc}");
            }
            ("error", Err(error)) => {
                let expect = match error {
                    NoteError::NoKnownSignature => "note has no verifiable signatures",
                    NoteError::AmbiguousKey { .. } => "ambiguous key",
                    NoteError::BadSignature { .. } => "invalid signature",
                    _ => "malformed note",
                };
                assert_eq!(text(case, "err"), expect, "{desc}: {error}");
            }
            (want, verdict) => panic!("{desc}: {want} is wanted, not {verdict:?}"),
        }
    }
    println!("{} notes", cases.len());
    assert_eq!(cases.len(), 15);
}

fn note_bytes(case: &Value) -> Vec<u8> {
    match case["note"].as_str() {
        Some(note) => note.as_bytes().to_vec(),
        None => hex(text(case, "note_hex")),
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn checkpoints_of_logs_in_the_world_open() {
    let Some(vectors) = vectors() else { return };
    let cases = list(&vectors, "real_checkpoints");
    for case in cases {
        let unverified = UnverifiedCheckpoint::parse(text(case, "note").as_bytes()).unwrap();
        assert_eq!(unverified.note().to_string(), text(case, "note"));
        assert_eq!(unverified.claimed_origin(), text(case, "origin"));
        assert_eq!(unverified.claimed_size(), number(case, "size"));
        match (text(case, "want"), text(case, "vkey").parse::<VerifierKey>()) {
            ("ok", key) => {
                let checkpoint = unverified.open(text(case, "origin"), &[key.unwrap()]).unwrap();
                assert_eq!(checkpoint.root().0.as_slice(), base64(text(case, "root_b64")));
            }
            ("unsupported-alg", key) => assert_eq!(key, Err(VkeyError::SignatureType { wanted: 1, found: 5 })),
            (want, _) => panic!("{want}"),
        }
    }
    println!("{} checkpoints of the world", cases.len());
    assert_eq!(cases.len(), 2);
}

/// Upstream's root is 6 bytes long ("YWJjZGVm"), which no checkpoint may be; the cases are about who signed, so they
/// get a root of 32, and once more run as they are, when all must be refused.
#[test]
fn a_checkpoint_needs_the_log_s_own_signature() {
    let Some(vectors) = vectors() else { return };
    let keys = &vectors["signer_keys_for_interop"];
    let log = [vkey(text(keys, "logVK"))];
    let known = ["logVK", "known1VK", "known2VK"].map(|member| vkey(text(keys, member)));
    let signed = |case: &Value, body: &str| {
        let names = list(case, "signers").iter().map(|name| match name.as_str().unwrap() {
            "lns" => "logSK",
            "k1ns" => "known1SK",
            "k2ns" => "known2SK",
            "uns" => "unknownSK",
            other => panic!("{other}"),
        });
        let mut signers = names.map(|member| signer(text(keys, member)));
        let (name, key) = signers.next()?;
        let mut note = SignedNote::sign(body, &name, &key).unwrap();
        signers.for_each(|(name, key)| note.add_signature(&name, &key).unwrap());
        Some(note)
    };
    let open = |case: &Value, note: &SignedNote| {
        UnverifiedCheckpoint::parse(note.to_string().as_bytes())?.open(text(case, "origin"), &log)
    };

    let cases = list(&vectors, "checkpoint_sigset_cases");
    for case in cases {
        let (desc, body) = (text(case, "desc"), text(case, "body").trim_matches('"').replace("\\n", "\n"));
        let whole = body.replace("YWJjZGVm", "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
        let Some(note) = signed(case, &whole) else {
            assert_eq!(SignedNote::parse(format!("{body}\n").as_bytes()), Err(NoteError::NoSignatures), "{desc}");
            assert!(case["wantErr"].as_bool().unwrap());
            continue;
        };
        assert_eq!(open(case, &note).is_err(), case["wantErr"].as_bool().unwrap(), "{desc}");
        assert_eq!(note.verify(&known).unwrap().len() as u64, number(case, "wantSigs"), "{desc}");
        let short_root = open(case, &signed(case, &body).unwrap());
        assert!(matches!(short_root, Err(CheckpointError::Line { .. })), "{desc}: {short_root:?}");
    }
    println!("{} sets of signatures", cases.len());
    assert_eq!(cases.len(), 12);
}

/// The vector has a time and no text, so all that it can judge is where the time stands and that the line is read.
#[test]
fn a_cosignature_s_time_stands_where_it_should() {
    let Some(vectors) = vectors() else { return };
    for case in list(&vectors, "cosignature_timestamp") {
        let line: SignatureLine = format!("— witness {}", text(case, "sig_b64")).parse().unwrap();
        let (time, signature) = line.signature().split_first_chunk().unwrap();
        assert_eq!((u64::from_be_bytes(*time), signature.len()), (number(case, "want_unix"), 64));
    }
}

#[test]
fn proof_files_are_read_as_transparency_dev_reads_them() {
    let Some(vectors) = vectors() else { return };
    let (good, bad) = (list(&vectors["tlog_proof_v1"], "good"), list(&vectors["tlog_proof_v1"], "bad"));
    for case in good {
        let proof = TlogProof::parse(text(case, "text").as_bytes()).unwrap();
        assert_eq!(proof.to_string(), text(case, "text"));
        assert_eq!(proof.index(), number(case, "index"));
        let path: Vec<_> = list(case, "hashes").iter().map(|hash| base64(hash.as_str().unwrap())).collect();
        assert_eq!(proof.path().iter().map(|hash| hash.0.to_vec()).collect::<Vec<_>>(), path);
        assert_eq!(proof.extra(), case["extra_b64"].as_str().map(base64).unwrap_or_default());
        assert!(proof.to_string().ends_with(&format!("\n\n{}", text(case, "checkpoint"))));
    }
    for case in bad {
        let proof = TlogProof::parse(text(case, "text").as_bytes());
        assert!(proof.is_err(), "{}", text(case, "desc"));
    }
    println!("{} good and {} bad proof files", good.len(), bad.len());
    assert_eq!((good.len(), bad.len()), (3, 7));
}
