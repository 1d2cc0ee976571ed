//! Other people's programs judge what the binary wrote: JOSE and SD-JWT libraries, a C2SP log verifier, OpenSSL, SQLite's own
//! shell, and a second implementation of FORMAT.md in Python that has never seen our code (judges/walk.py).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places::{Place, json};
use crate::served::{Served, enrol_service, token};
use crate::{cannot_run, run, said};

fn judges() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judges")
}

/// A judge in Python, from the environment that tests/run sets up.
fn python(script: &str, args: &[&Path]) -> Option<String> {
    python_with(script, args, "")
}

/// The same, with a token for what it fetches.
fn python_with(script: &str, args: &[&Path], token: &str) -> Option<String> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.is_file() {
        cannot_run(&format!("{script}, because tests/.venv is not there; tests/run makes it"));
        return None;
    }
    let output = run(Command::new(python).arg(judges().join(script)).args(args).env("TOKEN", token));
    assert!(output.status.success(), "{script}: {}", said(&output));
    Some(String::from_utf8(output.stdout).unwrap())
}

fn tool(name: &str) -> Option<Command> {
    let there = Command::new(name).arg("--version").output().is_ok();
    if !there {
        cannot_run(&format!("{name}, because it is not installed; tests/run installs it"));
    }
    there.then(|| Command::new(name))
}

/// The presentation of an entry, in a file of its own.
fn presentation(place: &Place, seq: u64) -> PathBuf {
    let path = place.beside(&format!("presentation-{seq}"));
    fs::write(&path, place.done(&["show", &seq.to_string(), "--presentation"]).trim_end()).unwrap();
    path
}

/// The key file of whoever signed an entry.
fn public_key(place: &Place, seq: u64) -> PathBuf {
    let shown = json(&place.done(&["show", &seq.to_string(), "--json"]));
    let kid = find(&shown, "kid").unwrap_or_else(|| panic!("no kid in {shown}"));
    let keys = fs::read_dir(place.dir().join("keys")).unwrap().map(|file| file.unwrap().path());
    let is_it = |path: &PathBuf| {
        let public = fs::read_to_string(path).ok().and_then(|pem| blotter_keys::key_file::parse_public(&pem).ok());
        public.is_some_and(|public| blotter_keys::jwk::thumbprint(&public).to_string() == kid)
    };
    keys.filter(|path| path.extension().is_some_and(|extension| extension == "pub")).find(is_it).unwrap()
}

fn find(value: &serde_json::Value, name: &str) -> Option<String> {
    match value {
        serde_json::Value::Object(members) => match members.get(name) {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            _ => members.values().find_map(|value| find(value, name)),
        },
        serde_json::Value::Array(items) => items.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[test]
fn any_jose_library_verifies_a_statement_with_its_public_key() {
    let place = Place::played();
    for seq in [0, place.first("incident.confirmed")] {
        let Some(said) = python("jose.py", &[&presentation(&place, seq), &public_key(&place, seq)]) else { return };
        assert!(said.contains("joserfc: verified") && said.contains("jwcrypto: verified"), "{said}");
    }
}

#[test]
fn an_sd_jwt_library_verifies_a_presentation_and_finds_the_values_in_it() {
    let place = Place::played();
    let seq = place.first("incident.confirmed");
    let path = presentation(&place, seq);
    let text = fs::read_to_string(&path).unwrap();
    let values = blotter_record::Presentation::parse(&text).unwrap().disclosures;
    let Some(said) = python("sdjwt.py", &[&path, &public_key(&place, seq)]) else { return };
    let data = json(&said);
    assert!(!values.is_empty());
    for value in values {
        let there = data[value.name()].as_str().map(str::to_owned);
        assert_eq!(there.as_deref(), value.value().as_text(), "{}", value.name());
    }
}

#[test]
fn a_c2sp_log_verifier_accepts_checkpoint_tiles_bundles_and_proofs() {
    let place = Place::played();
    let many: Vec<String> = (0..3).map(|n| place.beside(&format!("{n}.tlog-proof")).display().to_string()).collect();
    let tiles = place.beside("tiles");
    place.done(&["tiles", "--out", tiles.to_str().unwrap()]);
    for (file, seq) in many.iter().zip([0, 30, place.size() - 1]) {
        place.done(&["proof", "inclusion", &seq.to_string(), "--out", file]);
    }
    let anchor = place.dir().join("anchor.json");
    let proofs: Vec<&Path> = many.iter().map(Path::new).collect();
    let args: Vec<&Path> = [anchor.as_path(), tiles.as_path()].into_iter().chain(proofs).collect();
    let Some(said) = python("tlog.py", &args) else { return };
    assert!(said.contains(&format!("{} entries", place.size())) && said.contains("3 proofs"), "{said}");
}

#[test]
fn a_c2sp_log_verifier_accepts_what_the_server_serves() {
    let Some(mut curl) = tool("curl") else { return };
    let place = Place::founded();
    enrol_service(&place);
    let token = token(&place, &["append", "audit"]);
    // Two full tiles and a part of one.
    let line = |n| format!(r#"{{"sub":"incident/I-{n}","event":"x.acme.checked","facts":{{"run":{n}}}}}"#);
    let statements: Vec<String> = (0..600).map(line).collect();
    let file = place.beside("statements");
    fs::write(&file, statements.join("\n")).unwrap();
    let served = Served::start(&place);
    curl.args(["--silent", "--fail", "--header", "Content-Type: application/x-ndjson", "--header"]);
    curl.arg(format!("Authorization: Bearer {token}")).arg("--data-binary").arg(format!("@{}", file.display()));
    let output = run(curl.arg(format!("{}/v1/statements", served.url)));
    let answers = String::from_utf8_lossy(&output.stdout);
    assert_eq!(answers.lines().filter(|line| line.contains(r#""status":201"#)).count(), 600, "{}", said(&output));

    let (anchor, url) = (place.dir().join("anchor.json"), Path::new(&served.url));
    let seqs = ["0", "255", "256", "600"].map(Path::new);
    let Some(said) = python_with("tlog.py", &[&[anchor.as_path(), url], &seqs[..]].concat(), &token) else { return };
    assert!(said.contains("606 entries") && said.contains("4 proofs"), "{said}");
}

#[test]
fn openssl_reads_the_key_files_and_verifies_a_statement() {
    let Some(mut openssl) = tool("openssl") else { return };
    let place = Place::played();
    let seq = place.first("incident.confirmed");
    let public = public_key(&place, seq);
    let key = public.with_extension("key");
    let output = run(openssl.args(["pkey", "-pubout", "-in"]).arg(key));
    assert_eq!(output.stdout, fs::read(&public).unwrap(), "{}", said(&output));

    let text = fs::read_to_string(presentation(&place, seq)).unwrap();
    let (input, signature) = text.split('~').next().unwrap().rsplit_once('.').unwrap();
    let (input_file, signature_file) = (place.beside("input"), place.beside("signature"));
    fs::write(&input_file, input).unwrap();
    fs::write(&signature_file, blotter_record::base64url::decode(signature).unwrap()).unwrap();
    let verify = || {
        let mut command = Command::new("openssl");
        command.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(&public);
        run(command.arg("-in").arg(&input_file).arg("-sigfile").arg(&signature_file))
    };
    assert!(verify().status.success(), "{}", said(&verify()));
    fs::write(&input_file, format!("{input}x")).unwrap();
    assert!(!verify().status.success(), "the judge would say no");
}

#[test]
fn sqlites_own_shell_finds_what_the_format_promises() {
    let Some(mut sqlite3) = tool("sqlite3") else { return };
    let place = Place::played();
    let sql = "pragma integrity_check; pragma application_id; pragma user_version;
        select count(*), min(seq), max(seq) from entry;
        select count(*) from (select seq, row_number() over (order by seq) - 1 as n from entry) where seq <> n;
        select count(*) from disclosure where slot / 64 <> seq;
        select substr(note, 1, instr(note, char(10)) - 1) from checkpoint order by size desc limit 1;
        select substr(bytes, 1, 13) from entry order by seq limit 1;";
    let output = run(sqlite3.arg("-readonly").arg(place.database()).arg(sql));
    let said = said(&output);
    let lines: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    let size = place.size();
    let seqs = format!("{size}|0|{}", size - 1);
    assert_eq!(lines[..7], ["ok", "1651273588", "1", &seqs, "0", "0", "city.example/soc"], "{said}");
    assert_eq!(lines[7], r#"{"v":1,"seq":"#);
    for forbidden in [
        "update entry set jti = randomblob(16)",
        "delete from entry",
        "update checkpoint set size = 0",
        "delete from checkpoint",
    ] {
        let output = run(Command::new("sqlite3").arg(place.database()).arg(forbidden));
        assert!(!output.status.success(), "{forbidden}: {said}");
    }
}

#[test]
fn a_second_implementation_of_the_format_walks_the_ledger_and_finds_it_whole() {
    let place = Place::played();
    let (dir, anchor) = (place.dir(), place.dir().join("anchor.json"));
    let Some(said) = python("walk.py", &[&dir, &anchor]) else { return };
    let verified = json(&said);
    let ours = json(&place.done(&["verify", "--json"]));
    for what in ["entries", "checkpoints", "disclosures", "root", "genesis"] {
        assert_eq!(verified[what], ours[what], "{what}");
    }
}

#[test]
fn the_second_implementation_would_say_no() {
    let place = Place::played();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.is_file() {
        return cannot_run("walk.py, because tests/.venv is not there; tests/run makes it");
    }
    let whole = fs::read(place.database()).unwrap();
    for (what, sql) in [
        (
            "an edited value",
            "update disclosure set text = substr(text, 1, 20) || 'A' || substr(text, 22) where slot = (select max(slot) from disclosure)",
        ),
        ("a missing value", "delete from disclosure where slot = (select min(slot) from disclosure)"),
        (
            "an edited entry",
            "update entry set bytes = cast(replace(bytes, '\"v\":1', '\"v\":2') as blob) where seq = 9",
        ),
        ("a swapped entry", "update entry set bytes = (select bytes from entry where seq = 8) where seq = 9"),
        (
            "an edited node of the future",
            "insert into node values (1, (select count(*) / 256 from entry), zeroblob(32))",
        ),
        ("a cut tail", "delete from entry where seq = (select max(seq) from entry)"),
        (
            "an older checkpoint's root",
            "update checkpoint set note = (select note from checkpoint where size = 10) where size = 11",
        ),
    ] {
        fs::write(place.database(), &whole).unwrap();
        let db = rusqlite::Connection::open(place.database()).unwrap();
        for trigger in ["entry_is_never_updated", "entry_is_never_deleted", "checkpoint_is_never_updated"] {
            db.execute_batch(&format!("drop trigger {trigger}")).unwrap();
        }
        assert_eq!(db.execute(sql, []).unwrap(), 1, "{what}");
        drop(db);
        let output = run(Command::new(&python)
            .arg(judges().join("walk.py"))
            .arg(place.dir())
            .arg(place.dir().join("anchor.json")));
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        place.fails(1, &["verify"]);
    }
}
