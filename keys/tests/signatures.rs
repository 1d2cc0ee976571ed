//! The judges of signatures, key files and agents are not ours: Wycheproof, the speccheck cases, RFC 8410, OpenSSL,
//! ssh-agent, ssh-add and ssh-keygen. What a cofactored (or batch) verifier would say is computed here with
//! curve25519-dalek, from the equation.
//!
//! A tool that is missing is said aloud, and fails the run where CI is set. The shared data folder is not part of the
//! project: without it those tests say so and pass.

#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use blotter_keys::agent::{self, AgentSocket, BindError, CONNECTIONS_MAX, Ended, REQUEST_WAIT_MAX, SOCKET_NAME};
use blotter_keys::ed25519::{KeyError, PreparedKey, PublicKey, SecretKey};
use blotter_keys::jwk;
use blotter_keys::key_file::{self, KEY_FILE_BYTES_MAX, KeyFileError, Passphrase, RANDOM_BYTES};
use blotter_keys::signer::{SignError, Signer, SigningInput, Typ, assemble};
use blotter_keys::ssh_agent::{self, AgentError, WAIT_MAX};
use blotter_record::base64url;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use proptest::prelude::*;
use sha2::{Digest, Sha512};

// ---- The one verdict ------------------------------------------------------------------------------------------------

/// Our verdict, which must be the same with and without a table. What is refused by its form (63 bytes, say) is
/// refused.
fn accepted(public: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(public), Ok(signature)) = (public.try_into(), signature.try_into()) else { return false };
    let Ok(public) = PublicKey::from_bytes(public) else { return false };
    let verdict = public.verify(message, signature);
    assert_eq!(PreparedKey::new(&public).verify(message, signature), verdict, "one verdict, two answers");
    verdict.is_ok()
}

/// k = SHA-512(R ‖ A ‖ M) mod L.
fn challenge(r: &[u8; 32], public: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new_with_prefix(r).chain_update(public).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// The judge for crafted signatures: 8(sB − kA − R) = 0, as RFC 8032 §5.1.7 allows and batch verifiers need.
fn a_cofactored_verifier_accepts(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let r: [u8; 32] = signature[..32].try_into().unwrap();
    let s = Scalar::from_canonical_bytes(signature[32..].try_into().unwrap());
    let (Some(a), Some(r_point), Some(s)) =
        (CompressedEdwardsY(*public).decompress(), CompressedEdwardsY(r).decompress(), Option::<Scalar>::from(s))
    else {
        return false;
    };
    (EdwardsPoint::mul_base(&s) - a * challenge(&r, public, message) - r_point).mul_by_cofactor().is_identity()
}

/// The signature that the holder of `secret` makes with a nonce and an R of their own choice.
fn craft(secret: &Scalar, public: &[u8; 32], nonce: Scalar, r: EdwardsPoint, message: &[u8]) -> [u8; 64] {
    let r = r.compress().to_bytes();
    let s = nonce + challenge(&r, public, message) * secret;
    [r, s.to_bytes()].concat().try_into().unwrap()
}

/// The scalar of a seed, which our API does not give away.
fn scalar_of(seed: [u8; 32]) -> Scalar {
    ed25519_dalek::SigningKey::from_bytes(&seed).to_scalar()
}

fn scalar_from(number: u8) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&Sha512::digest([number]).into())
}

#[test]
fn every_wycheproof_verdict_is_ours() {
    let (mut valid, mut invalid) = (0, 0);
    for group in wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            let expect = match test.result {
                wycheproof::TestResult::Valid => true,
                wycheproof::TestResult::Invalid => false,
                wycheproof::TestResult::Acceptable => panic!("case {} leaves it open", test.tc_id),
            };
            assert_eq!(accepted(&group.key.pk, &test.msg, &test.sig), expect, "case {}: {}", test.tc_id, test.comment);
            if expect { valid += 1 } else { invalid += 1 }
        }
    }
    // There is no exception: no case that Wycheproof calls valid is one that a strict verifier refuses.
    assert_eq!((valid, invalid), (88, 63));
}

#[test]
fn every_wycheproof_verdict_of_the_shared_folder_is_ours() {
    let Some(file) = shared_data("wycheproof_ed25519/ed25519_test.json") else { return };
    let set: serde_json::Value = serde_json::from_slice(&file).unwrap();
    let mut count = 0;
    for group in set["testGroups"].as_array().unwrap() {
        let public = hex(group["publicKey"]["pk"].as_str().unwrap());
        for test in group["tests"].as_array().unwrap() {
            let (message, signature) = (hex(test["msg"].as_str().unwrap()), hex(test["sig"].as_str().unwrap()));
            let expect = test["result"] == "valid";
            assert_eq!(accepted(&public, &message, &signature), expect, "case {}", test["tcId"]);
            count += 1;
        }
    }
    assert_eq!(count, set["numberOfTests"]);
}

/// "Taming the many EdDSAs", table 5: the twelve signatures on which libraries disagree. All are refused: ten for their
/// key, which could never be enrolled, and two, whose key is sound, for s. Case 3 is the one that a strict check of the
/// signature alone would accept: there A's torsion cancels R's.
#[test]
fn every_case_that_libraries_disagree_on_is_refused() {
    let Some(file) = shared_data("ed25519_speccheck/cases.json") else { return };
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&file).unwrap();
    let expect = [
        (Some(KeyError::SmallOrder), false), // 0: A and R small
        (Some(KeyError::SmallOrder), false), // 1: A small
        (Some(KeyError::Torsion), false),    // 2: R small, A mixed
        (Some(KeyError::Torsion), true),     // 3: A and R mixed, the equation holds without the cofactor
        (Some(KeyError::Torsion), false),    // 4: A and R mixed, it holds only with the cofactor
        (Some(KeyError::Torsion), false),    // 5: it holds only if 8k is not reduced first
        (None, false),                       // 6: s > L
        (None, false),                       // 7: s far above L
        (Some(KeyError::Torsion), false),    // 8: R not canonical, reduced for the hash
        (Some(KeyError::Torsion), false),    // 9: R not canonical, not reduced for the hash
        (Some(KeyError::NotAPoint), false),  // 10: A not canonical, reduced for the hash
        (Some(KeyError::NotAPoint), false),  // 11: A not canonical, not reduced for the hash
    ];
    assert_eq!(cases.len(), expect.len());
    for (number, (case, (key_error, strict_alone))) in cases.iter().zip(expect).enumerate() {
        let field = |name: &str| hex(case[name].as_str().unwrap());
        let (public, message, signature) = (field("pub_key"), field("message"), field("signature"));
        assert!(!accepted(&public, &message, &signature), "case {number}");

        let public = public.try_into().unwrap();
        assert_eq!(PublicKey::from_bytes(&public).err(), key_error, "case {number}");
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        let strict = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap().verify_strict(&message, &signature);
        assert_eq!(strict.is_ok(), strict_alone, "case {number}");
    }
}

/// An analyst signs with a torsion component, so that a batch accepts and OpenSSL refuses, and later disowns it. The
/// signer knows their key and adds a point of small order to R.
#[test]
fn a_signature_crafted_to_be_disowned_is_refused() {
    let mut crafted = 0;
    for number in 0..72 {
        let (key, secret) = (SecretKey::from_seed([number; 32]), scalar_of([number; 32]));
        let public = key.public().as_bytes();
        let message = [number; 100];
        for (index, torsion) in EIGHT_TORSION.iter().enumerate() {
            let nonce = scalar_from(number);
            let signature = craft(&secret, public, nonce, EdwardsPoint::mul_base(&nonce) + torsion, &message);
            assert!(a_cofactored_verifier_accepts(public, &message, &signature));
            assert_eq!(accepted(public, &message, &signature), index == 0, "{number}, {index}");
            crafted += usize::from(index > 0);
        }
    }
    assert_eq!(crafted, 504);
}

/// The same with the torsion in the key: whether a cofactorless verifier accepts depends on k mod 8, so on the message.
/// That is why such a key is never enrolled.
#[test]
fn a_key_crafted_to_sign_what_can_be_disowned_is_refused() {
    let (mut with_cofactor, mut without) = (0, 0);
    for number in 0..72 {
        let (secret, nonce) = (scalar_from(number), scalar_from(100 + number));
        for torsion in &EIGHT_TORSION[1..] {
            let public = (EdwardsPoint::mul_base(&secret) + torsion).compress().to_bytes();
            let signature = craft(&secret, &public, nonce, EdwardsPoint::mul_base(&nonce), b"a statement");
            with_cofactor += usize::from(a_cofactored_verifier_accepts(&public, b"a statement", &signature));
            let dalek = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
            without += usize::from(dalek.verify_strict(b"a statement", &signature.into()).is_ok());
            assert_eq!(PublicKey::from_bytes(&public), Err(KeyError::Torsion));
        }
    }
    assert_eq!(with_cofactor, 504);
    assert!((1..504).contains(&without), "the disagreement is there: {without} of 504");
}

/// With a nonce of 0 the equation holds for R of small order; the strict verdict refuses such an R itself.
#[test]
fn an_r_of_small_order_is_refused_even_where_the_equation_holds() {
    let (key, secret) = (SecretKey::from_seed([9; 32]), scalar_of([9; 32]));
    let public = key.public().as_bytes();
    for torsion in EIGHT_TORSION {
        let signature = craft(&secret, public, Scalar::ZERO, torsion, b"a statement");
        assert!(a_cofactored_verifier_accepts(public, b"a statement", &signature));
        assert!(!accepted(public, b"a statement", &signature));
    }
}

/// A way to damage or forge a signature.
#[derive(Debug, Clone, Copy)]
enum Forgery {
    None,
    BitFlipped,
    OtherR,
    OtherS,
    Noise,
    SPlusL,
    TorsionInR,
    RNotCanonical,
}

fn forge(forgery: Forgery, seed: [u8; 32], message: &[u8], noise: [u8; 64]) -> [u8; 64] {
    let key = SecretKey::from_seed(seed);
    let mut signature = key.sign(message);
    match forgery {
        Forgery::None => {}
        Forgery::BitFlipped => signature[usize::from(noise[0] % 64)] ^= 1 << (noise[1] % 8),
        Forgery::OtherR => signature[..32].copy_from_slice(&noise[..32]),
        Forgery::OtherS => signature[32..].copy_from_slice(&noise[32..]),
        Forgery::Noise => signature = noise,
        Forgery::SPlusL => {
            // L − 1 and a carry of 1, byte by byte; the sum is below 2^254.
            let mut carry = 1;
            for (byte, add) in signature[32..].iter_mut().zip((-Scalar::ONE).to_bytes()) {
                let sum = u16::from(*byte) + u16::from(add) + carry;
                [*byte, _] = sum.to_le_bytes();
                carry = sum >> 8;
            }
        }
        Forgery::TorsionInR => {
            let nonce = Scalar::from_bytes_mod_order_wide(&noise);
            let r = EdwardsPoint::mul_base(&nonce) + EIGHT_TORSION[1 + usize::from(noise[0] % 7)];
            signature = craft(&scalar_of(seed), key.public().as_bytes(), nonce, r, message);
        }
        Forgery::RNotCanonical => {
            // y from p to 2^255 − 1, with either sign.
            signature[..32].fill(0xff);
            signature[0] = 0xed + noise[0] % 19;
            signature[31] = if noise[1].is_multiple_of(2) { 0x7f } else { 0xff };
        }
    }
    signature
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn only_what_was_signed_is_accepted_and_the_table_agrees(
        forgery in prop::sample::select(&[
            Forgery::None, Forgery::BitFlipped, Forgery::OtherR, Forgery::OtherS,
            Forgery::Noise, Forgery::SPlusL, Forgery::TorsionInR, Forgery::RNotCanonical,
        ][..]),
        seed in any::<[u8; 32]>(),
        message in prop::collection::vec(any::<u8>(), 0..100),
        noise in any::<[u8; 64]>(),
    ) {
        let key = SecretKey::from_seed(seed);
        let signature = forge(forgery, seed, &message, noise);
        // `accepted` holds the two verifiers against each other.
        let verdict = accepted(key.public().as_bytes(), &message, &signature);
        prop_assert_eq!(verdict, matches!(forgery, Forgery::None));
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), text in ".{0,100}") {
        if let Some(first) = bytes.first_chunk() {
            let _ = PublicKey::from_bytes(first);
        }
        let encoded = base64url::encode(&bytes);
        for text in [&text, &*String::from_utf8_lossy(&bytes), &format!("{encoded}.{encoded}")] {
            let _ = jwk::parse(text);
            let _ = SigningInput::parse(text);
            let _ = key_file::parse_public(text);
        }
    }
}

/// Not a limit but a figure: `cargo test --release -p blotter-keys --test signatures takes -- --nocapture`.
#[test]
fn what_a_verdict_takes() {
    let key = SecretKey::from_seed([7; 32]);
    let started = Instant::now();
    let prepared = PreparedKey::new(key.public());
    println!("making a table: {:.1} µs", started.elapsed().as_secs_f64() * 1e6);

    let signed: Vec<_> = (0..64).map(|number| [number; 700]).map(|message| (message, key.sign(&message))).collect();
    let rounds = if cfg!(debug_assertions) { 1 } else { 100 };
    let time = |name: &str, verdict: &dyn Fn(&[u8], &[u8; 64]) -> bool| {
        let mut best_us = f64::MAX;
        for _ in 0..5 {
            let started = Instant::now();
            for _ in 0..rounds {
                assert!(signed.iter().all(|(message, signature)| verdict(message, signature)));
            }
            best_us = best_us.min(started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds * 64));
        }
        println!("{name}: {best_us:.1} µs");
    };
    time("PublicKey::verify", &|message, signature| key.public().verify(message, signature).is_ok());
    time("PreparedKey::verify", &|message, signature| prepared.verify(message, signature).is_ok());
}

// ---- Key files ------------------------------------------------------------------------------------------------------

const RANDOM: [u8; RANDOM_BYTES] = [0x5a; RANDOM_BYTES];

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).unwrap()
}

#[test]
fn a_key_comes_back_from_its_file_and_nothing_else_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let key = SecretKey::from_seed([4; 32]);
    let secret = passphrase("correct horse");
    for (name, passphrase) in [("plain.pem", None), ("sealed.pem", Some(&secret))] {
        let path = directory.path().join(name);
        key_file::create(&path, &key, passphrase, RANDOM).unwrap();
        assert_eq!(*key_file::read(&path, passphrase).unwrap().seed(), *key.seed());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(names_in(directory.path()), ["plain.pem", "sealed.pem"]);
}

#[test]
fn a_sealed_key_does_not_open_without_its_passphrase() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    key_file::create(&path, &SecretKey::from_seed([4; 32]), Some(&passphrase("correct horse")), RANDOM).unwrap();
    assert!(matches!(key_file::read(&path, None), Err(KeyFileError::NeedsPassphrase { .. })));
    for wrong in ["correct hors", "Correct horse", "correct horse "] {
        let result = key_file::read(&path, Some(&passphrase(wrong)));
        assert!(matches!(result, Err(KeyFileError::WrongPassphrase { .. })), "{wrong:?}");
    }
}

#[test]
fn a_key_file_is_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let (file, link) = (directory.path().join("key.pem"), directory.path().join("link.pem"));
    fs::write(&file, "something").unwrap();
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    for path in [&file, &link] {
        let result = key_file::create(path, &SecretKey::from_seed([4; 32]), None, RANDOM);
        assert!(matches!(result, Err(KeyFileError::Exists { .. })));
    }
    assert_eq!(fs::read(&file).unwrap(), b"something");
    assert_eq!(names_in(directory.path()), ["key.pem", "link.pem"]);
}

/// Whoever asks first whether the file is there, and then writes, loses one of the keys.
#[test]
fn of_many_keys_for_one_file_one_is_written_and_the_others_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let barrier = std::sync::Barrier::new(8);
    let create = &|number: u8| {
        barrier.wait();
        key_file::create(&path, &SecretKey::from_seed([number; 32]), None, [number; RANDOM_BYTES])
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(move || create(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let winner = results.iter().position(Result::is_ok).unwrap();
    for (number, result) in results.iter().enumerate() {
        assert!(number == winner || matches!(result, Err(KeyFileError::Exists { .. })), "{number}: {result:?}");
    }
    let written = key_file::read(&path, None).unwrap();
    assert_eq!(*written.seed(), [u8::try_from(winner).unwrap(); 32]);
    assert_eq!(names_in(directory.path()), ["key.pem"]);
}

#[test]
fn a_key_that_others_can_get_at_is_refused_and_the_remedy_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    key_file::create(&path, &SecretKey::from_seed([4; 32]), None, RANDOM).unwrap();
    for (mode, expect) in [(0o400, true), (0o600, true), (0o640, false), (0o604, false), (0o620, false), (0o644, false)]
    {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match key_file::read(&path, None) {
            Ok(_) => assert!(expect, "{mode:o}"),
            Err(error @ KeyFileError::Mode { mode: found, .. }) => {
                assert_eq!((found, expect), (mode, false));
                let remedy = format!("(mode {mode:04o}): run chmod 600 {}", path.display());
                assert!(error.to_string().contains(&remedy), "{error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn what_is_not_a_key_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    assert!(matches!(key_file::read(&path, None), Err(KeyFileError::NotFound { .. })));
    assert!(matches!(key_file::read(directory.path(), None), Err(KeyFileError::Malformed { .. })));

    let key = SecretKey::from_seed([4; 32]);
    key_file::create(&path, &key, None, RANDOM).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    for (what, bytes) in [
        ("nothing", String::new()),
        ("half", good[..good.len() / 2].to_owned()),
        ("an X25519 key", good.replace("K2Vw", "K2Vu")),
        ("a public key", key_file::print_public(key.public())),
        ("another label", good.replace("PRIVATE", "EC PRIVATE")),
    ] {
        assert_ne!(bytes, good);
        fs::write(&path, bytes).unwrap();
        assert!(matches!(key_file::read(&path, None), Err(KeyFileError::Malformed { .. })), "{what}");
    }

    // Text before the first line is allowed by RFC 7468 §2, up to the limit and not beyond it.
    let padding = "x".repeat(KEY_FILE_BYTES_MAX - good.len() - 1);
    fs::write(&path, format!("{padding}\n{good}")).unwrap();
    assert_eq!(key_file::read(&path, None).unwrap().public(), key.public());
    fs::write(&path, format!("{padding}x\n{good}")).unwrap();
    assert!(matches!(key_file::read(&path, None), Err(KeyFileError::Malformed { .. })));
}

#[test]
fn a_passphrase_is_set_changed_and_taken_off_behind_a_link_too() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("key.pem"), directory.path().join("link.pem"));
    std::os::unix::fs::symlink("key.pem", &link).unwrap();
    let key = SecretKey::from_seed([4; 32]);
    let (old, new) = (passphrase("old"), passphrase("new"));
    key_file::create(&path, &key, None, RANDOM).unwrap();

    key_file::rewrite(&link, None, Some(&old), RANDOM).unwrap();
    assert!(matches!(key_file::read(&path, None), Err(KeyFileError::NeedsPassphrase { .. })));
    let before = fs::read(&path).unwrap();
    let refused = key_file::rewrite(&path, Some(&new), None, RANDOM);
    assert!(matches!(refused, Err(KeyFileError::WrongPassphrase { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);

    key_file::rewrite(&path, Some(&old), Some(&new), RANDOM).unwrap();
    assert!(matches!(key_file::read(&path, Some(&old)), Err(KeyFileError::WrongPassphrase { .. })));
    key_file::rewrite(&path, Some(&new), None, RANDOM).unwrap();
    assert_eq!(key_file::read(&link, None).unwrap().public(), key.public());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(names_in(directory.path()), ["key.pem", "link.pem"]);
}

/// The judge is RFC 8410 §10.3: version 2, with an attribute and the public key.
#[test]
fn the_rfc_8410_key_is_read_and_the_public_key_in_it_must_be_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.pem");
    let pem = "-----BEGIN PRIVATE KEY-----\n\
        MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
        oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n\
        Z9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PRIVATE KEY-----\n";
    fs::write(&path, pem).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    assert_eq!(key_file::read(&path, None).unwrap().public().as_bytes(), &hex(public)[..]);

    fs::write(&path, pem.replace("xZuE=", "xZuI=")).unwrap();
    assert!(matches!(key_file::read(&path, None), Err(KeyFileError::Malformed { .. })));
}

/// The judge is RFC 8410 §10.1.
#[test]
fn the_rfc_8410_public_key_is_read_and_printed() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";
    let public = key_file::parse_public(pem).unwrap();
    assert_eq!(key_file::print_public(&public), pem);
    let damaged =
        [pem.replace("PUBLIC", "PRIVATE"), pem.replace("K2Vw", "K2Vu"), pem.replace("xZuE=", "xZuE"), String::new()];
    for wrong in damaged {
        assert!(key_file::parse_public(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn openssl_reads_our_files_and_agrees_on_our_signatures() {
    let Some(openssl) = tool("openssl") else { return };
    let directory = tempfile::tempdir().unwrap();
    let key = SecretKey::from_seed([4; 32]);
    let secret = passphrase("correct horse");
    let public = key_file::print_public(key.public());
    fs::write(directory.path().join("public.pem"), &public).unwrap();
    fs::write(directory.path().join("message"), "a statement").unwrap();
    fs::write(directory.path().join("ours"), key.sign(b"a statement")).unwrap();
    let run = |arguments: &[&str]| run(Command::new(&openssl).args(arguments).current_dir(directory.path()));

    for (name, passphrase) in [("plain.pem", None), ("sealed.pem", Some(&secret))] {
        key_file::create(&directory.path().join(name), &key, passphrase, RANDOM).unwrap();
        assert_eq!(run(&["pkey", "-in", name, "-passin", "pass:correct horse", "-pubout"]), public, "{name}");
    }
    run(&["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "message", "-sigfile", "ours"]);
    run(&["pkeyutl", "-sign", "-inkey", "plain.pem", "-rawin", "-in", "message", "-out", "theirs"]);
    assert_eq!(fs::read(directory.path().join("theirs")).unwrap(), key.sign(b"a statement"));
}

#[test]
fn what_openssl_writes_is_read() {
    let Some(openssl) = tool("openssl") else { return };
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(Command::new(&openssl).args(arguments).current_dir(directory.path()));
    run(&["genpkey", "-algorithm", "ed25519", "-out", "plain.pem"]);
    let seal = ["pkcs8", "-topk8", "-in", "plain.pem", "-passout", "pass:correct horse"];
    run(&[&seal[..], &["-out", "pbkdf2.pem"]].concat());
    run(&[&seal[..], &["-scrypt", "-out", "scrypt.pem"]].concat());
    run(&[&seal[..], &["-v2", "aes-128-cbc", "-out", "aes128.pem"]].concat());
    let public = key_file::parse_public(&run(&["pkey", "-in", "plain.pem", "-pubout"])).unwrap();

    let secret = passphrase("correct horse");
    for name in ["plain.pem", "pbkdf2.pem", "scrypt.pem", "aes128.pem"] {
        let path = directory.path().join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(key_file::read(&path, Some(&secret)).unwrap().public(), &public, "{name}");
        if name != "plain.pem" {
            let wrong = key_file::read(&path, Some(&passphrase("wrong")));
            assert!(matches!(wrong, Err(KeyFileError::WrongPassphrase { .. })), "{name}");
        }
    }
}

// ---- Agents ---------------------------------------------------------------------------------------------------------

fn input_for(public: &PublicKey) -> SigningInput {
    SigningInput::new(Typ::Statement, &jwk::thumbprint(public), br#"{"event":"incident.opened"}"#).unwrap()
}

fn agent_signer(socket: &Path, public: &PublicKey) -> Signer {
    Signer::Agent { socket: socket.to_owned(), public: *public, wait_max: WAIT_MAX }
}

#[test]
fn a_real_ssh_agent_signs_for_us() {
    let (Some(ssh_agent_tool), Some(ssh_add), Some(ssh_keygen)) =
        (tool("ssh-agent"), tool("ssh-add"), tool("ssh-keygen"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (socket, key, other) =
        (directory.path().join("agent"), directory.path().join("key"), directory.path().join("other"));
    run(Command::new(&ssh_keygen).args(["-q", "-t", "ed25519", "-N", "", "-C", "an analyst", "-f"]).arg(&key));
    run(Command::new(&ssh_keygen).args(["-q", "-t", "ecdsa", "-N", "", "-f"]).arg(&other));

    // The agent is there once its command speaks, and is ended by it when the command's input ends.
    let mut running = Command::new(ssh_agent_tool)
        .arg("-a")
        .arg(&socket)
        .args(["sh", "-c", "echo ready; cat; ssh-agent -k"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(running.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    run(Command::new(&ssh_add).arg("-q").args([&other, &key]).env("SSH_AUTH_SOCK", &socket));

    let identities = ssh_agent::identities(&socket, WAIT_MAX).unwrap();
    assert_eq!(identities.len(), 1, "the ECDSA key is left out");
    assert_eq!(identities[0].comment, "an analyst");
    let public = identities[0].public;
    let input = input_for(&public);
    let signature = agent_signer(&socket, &public).sign(&input).unwrap();
    assert!(accepted(public.as_bytes(), input.as_str().as_bytes(), &signature));
    assert_eq!(assemble(&input, &signature).matches('.').count(), 2);

    let stranger = *SecretKey::from_seed([8; 32]).public();
    let not_held = agent_signer(&socket, &stranger).sign(&input_for(&stranger));
    assert!(matches!(not_held, Err(SignError::Agent(AgentError::NotHeld(_)))));

    drop(running.stdin.take());
    std::io::copy(&mut output, &mut std::io::sink()).unwrap();
    running.wait().unwrap();
}

#[test]
fn where_no_agent_is_the_error_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let result = ssh_agent::identities(&directory.path().join("nothing"), WAIT_MAX);
    assert!(matches!(result, Err(AgentError::NoAgent { .. })));
}

/// An agent that lies is found out before its signature is used.
#[test]
fn a_signature_of_an_agent_that_does_not_verify_is_not_returned() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let liar = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_framed(&mut stream);
        let signature = [&string(b"ssh-ed25519")[..], &string(&[1; 64])].concat();
        stream.write_all(&string(&[&[14], &string(&signature)[..]].concat())).unwrap();
        request
    });
    let public = *SecretKey::from_seed([1; 32]).public();
    let result = agent_signer(&socket, &public).sign(&input_for(&public));
    assert!(matches!(result, Err(SignError::Agent(AgentError::BadSignature))));
    assert_eq!(liar.join().unwrap(), sign_request(&public, input_for(&public).as_str().as_bytes()));
}

/// Our agent in a thread, with a switch for its time and a wire that stops it.
struct Unlocked {
    _directory: tempfile::TempDir,
    socket: PathBuf,
    over: Arc<AtomicBool>,
    stop: Option<UnixStream>,
    running: Option<JoinHandle<std::io::Result<Ended>>>,
}

impl Unlocked {
    fn with(keys: Vec<SecretKey>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listening = AgentSocket::bind(&directory.path().join("private")).unwrap();
        let socket = listening.path().to_owned();
        let over = Arc::new(AtomicBool::new(false));
        let (stop, stopped) = UnixStream::pair().unwrap();
        let switch = Arc::clone(&over);
        let time_left = move || (!switch.load(Ordering::SeqCst)).then_some(Duration::from_secs(3600));
        let running = std::thread::spawn(move || agent::run(listening, keys, time_left, stopped));
        Self { _directory: directory, socket, over, stop: Some(stop), running: Some(running) }
    }

    /// Waits for the agent's end.
    fn ended(&mut self) -> Ended {
        self.running.take().unwrap().join().unwrap().unwrap()
    }
}

#[test]
fn an_unlocked_key_signs_through_the_same_client() {
    let keys = vec![SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32])];
    let publics: Vec<_> = keys.iter().map(|key| *key.public()).collect();
    let unlocked = Unlocked::with(keys);
    let identities = ssh_agent::identities(&unlocked.socket, WAIT_MAX).unwrap();
    assert_eq!(identities.iter().map(|identity| identity.public).collect::<Vec<_>>(), publics);
    for public in &publics {
        let input = input_for(public);
        let signature = agent_signer(&unlocked.socket, public).sign(&input).unwrap();
        assert!(accepted(public.as_bytes(), input.as_str().as_bytes(), &signature));
    }
    let stranger = *SecretKey::from_seed([8; 32]).public();
    let result = agent_signer(&unlocked.socket, &stranger).sign(&input_for(&stranger));
    assert!(matches!(result, Err(SignError::Agent(AgentError::NotHeld(_)))));
}

/// The judges are OpenSSH's own clients: they list the key, but can't sign a file with it.
#[test]
fn an_unlocked_key_is_listed_by_ssh_add_and_signs_nothing_for_ssh() {
    let (Some(ssh_add), Some(ssh_keygen)) = (tool("ssh-add"), tool("ssh-keygen")) else { return };
    let unlocked = Unlocked::with(vec![SecretKey::from_seed([1; 32])]);
    let listed = run(Command::new(ssh_add).arg("-L").env("SSH_AUTH_SOCK", &unlocked.socket));
    assert!(listed.starts_with("ssh-ed25519 "), "{listed}");

    let directory = tempfile::tempdir().unwrap();
    let (public, message) = (directory.path().join("key.pub"), directory.path().join("message"));
    fs::write(&public, &listed).unwrap();
    fs::write(&message, "a statement").unwrap();
    let mut sign = Command::new(ssh_keygen);
    sign.args(["-q", "-Y", "sign", "-n", "file", "-f"]).arg(public).arg(message).env("SSH_AUTH_SOCK", &unlocked.socket);
    let output = sign.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("agent refused operation"), "{output:?}");
    assert_eq!(names_in(directory.path()), ["key.pub", "message"]);
}

#[test]
fn raw_bytes_are_refused_and_the_connection_lives_on() {
    let key = SecretKey::from_seed([1; 32]);
    let public = *key.public();
    let unlocked = Unlocked::with(vec![key]);
    let mut stream = UnixStream::connect(&unlocked.socket).unwrap();
    let mut ask = |message: &[u8]| {
        stream.write_all(&string(&sign_request(&public, message))).unwrap();
        read_framed(&mut stream)
    };
    assert_eq!(ask(b"raw bytes"), [5]);
    assert_eq!(ask(&[0; 32]), [5]);
    assert_eq!(ask(input_for(&public).as_str().as_bytes())[0], 14);
}

#[test]
fn when_the_shift_is_over_nothing_is_signed_and_the_socket_is_gone() {
    let key = SecretKey::from_seed([1; 32]);
    let public = *key.public();
    let mut unlocked = Unlocked::with(vec![key]);
    let mut idle = UnixStream::connect(&unlocked.socket).unwrap();
    agent_signer(&unlocked.socket, &public).sign(&input_for(&public)).unwrap();

    unlocked.over.store(true, Ordering::SeqCst);
    // A request on a connection that is open already is not answered either.
    let _ = idle.write_all(&string(&[11]));
    assert_eq!(idle.read(&mut [0; 8]).unwrap_or(0), 0);
    assert_eq!(unlocked.ended(), Ended::Expired);
    assert!(!unlocked.socket.exists());
    let result = agent_signer(&unlocked.socket, &public).sign(&input_for(&public));
    assert!(matches!(result, Err(SignError::Agent(AgentError::NoAgent { .. }))));
}

#[test]
fn an_agent_that_is_told_to_stop_cuts_its_connections_and_goes() {
    let mut unlocked = Unlocked::with(vec![SecretKey::from_seed([1; 32])]);
    let mut idle = UnixStream::connect(&unlocked.socket).unwrap();
    // Answered, so the connection is being served and does not just wait in line.
    idle.write_all(&string(&[11])).unwrap();
    read_framed(&mut idle);
    let told = Instant::now();
    drop(unlocked.stop.take());
    assert_eq!(unlocked.ended(), Ended::ShutDown);
    assert!(told.elapsed() < REQUEST_WAIT_MAX / 2, "it waited for the idle client");
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    assert!(!unlocked.socket.exists());
}

#[test]
fn a_client_that_breaks_the_framing_is_hung_up_on() {
    let unlocked = Unlocked::with(vec![SecretKey::from_seed([1; 32])]);
    let too_long = u32::try_from(ssh_agent::MESSAGE_BYTES_MAX + 1).unwrap().to_be_bytes();
    for framing in [[0; 4], too_long, [0xff; 4]] {
        let mut stream = UnixStream::connect(&unlocked.socket).unwrap();
        stream.set_read_timeout(Some(REQUEST_WAIT_MAX / 2)).unwrap();
        stream.write_all(&framing).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn clients_that_stall_keep_nobody_out() {
    let key = SecretKey::from_seed([1; 32]);
    let public = *key.public();
    let unlocked = Unlocked::with(vec![key]);
    let mut stalled = Vec::new();
    for _ in 0..2 * CONNECTIONS_MAX {
        let mut stream = UnixStream::connect(&unlocked.socket).unwrap();
        // It may have been cut already.
        let _ = stream.write_all(&[0, 0]);
        stalled.push(stream);
    }
    agent_signer(&unlocked.socket, &public).sign(&input_for(&public)).unwrap();
    // The oldest was cut to let others in; the youngest is still waited for.
    assert_eq!(stalled[0].read(&mut [0]).unwrap_or(0), 0);
    let youngest = stalled.last_mut().unwrap();
    youngest.write_all(&[0, 1, 11]).unwrap();
    assert_eq!(read_framed(youngest)[0], 12);
}

#[test]
fn the_socket_lives_in_a_directory_of_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let private = directory.path().join("private");
    let first = AgentSocket::bind(&private).unwrap();
    assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(first.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(AgentSocket::bind(&private), Err(BindError::AlreadyRunning { .. })));
    drop(first);
    assert_eq!(names_in(&private), Vec::<String>::new());

    fs::set_permissions(&private, Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(AgentSocket::bind(&private), Err(BindError::Directory { .. })));
    fs::set_permissions(&private, Permissions::from_mode(0o700)).unwrap();
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&private, &link).unwrap();
    for path in [file, link] {
        assert!(matches!(AgentSocket::bind(&path), Err(BindError::Directory { .. })));
    }
}

#[test]
fn a_socket_that_nobody_answers_is_replaced_and_a_file_is_not() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    let path = directory.path().join(SOCKET_NAME);
    // Dropping a listener leaves its file, as a killed process would.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(AgentSocket::bind(directory.path()).unwrap());
    fs::write(&path, "something").unwrap();
    assert!(matches!(AgentSocket::bind(directory.path()), Err(BindError::Io { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"something");
}

// ---- What the tests need --------------------------------------------------------------------------------------------

/// A string as SSH writes it, which is also how its agent protocol frames a message.
fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// SSH_AGENTC_SIGN_REQUEST, written down a second time from the draft.
fn sign_request(public: &PublicKey, message: &[u8]) -> Vec<u8> {
    let blob = [&string(b"ssh-ed25519")[..], &string(public.as_bytes())].concat();
    [&[13], &string(&blob)[..], &string(message), &[0; 4]].concat()
}

fn read_framed(stream: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut message).unwrap();
    message
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The output of a tool that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The name of a tool that is installed; without it a test can't run, which is said, and in CI fails.
fn tool(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    if !found {
        eprintln!("NOT TESTED: {name} is not installed");
        assert!(std::env::var_os("CI").is_none(), "{name} is wanted in CI");
    }
    found.then(|| name.to_owned())
}

/// A file of the shared data, which is beside the project and not part of it.
fn shared_data(name: &str) -> Option<Vec<u8>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("BLOTTER_SHARED_DATA").map_or(beside, PathBuf::from).join(name);
    let file = fs::read(&path).ok();
    if file.is_none() {
        eprintln!("NOT TESTED: there is no {}", path.display());
    }
    file
}
