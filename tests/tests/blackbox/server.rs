//! The binary as a client of its own server: what a person does with `--server`, and what they are told when a server lies.
//! The judge of what is shown is the same binary with the ledger's directory before it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use blotter_record::Hash;
use serde_json::Value;
use tempfile::TempDir;

use crate::places::{Place, json};
use crate::{blotter, cannot_run, run, said};

/// `blotter serve` on a free port.
struct Served {
    child: Child,
    url: String,
    address: SocketAddr,
}

impl Served {
    fn start(place: &Place) -> Self {
        Self::start_with(place, &["--listen", "127.0.0.1:0"])
    }

    fn start_with(place: &Place, args: &[&str]) -> Self {
        let mut command = place.command();
        command.args(["serve", "--json"]).args(args).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = json(&line);
        let url = ready["url"].as_str().unwrap().to_owned();
        Self { child, url, address: ready["listening"].as_str().unwrap().parse().unwrap() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody on another machine: their key files, and nothing of the ledger's.
struct Guest {
    home: TempDir,
    server: String,
}

impl Guest {
    fn of(place: &Place, server: &str, keys: &[&str]) -> Self {
        let guest = Self { home: tempfile::tempdir().unwrap(), server: server.to_owned() };
        let own = guest.path(".config/blotter/keys");
        fs::create_dir_all(&own).unwrap();
        for key in keys {
            for extension in ["key", "pub"] {
                let name = format!("{key}.{extension}");
                fs::copy(place.dir().join("keys").join(&name), own.join(&name)).unwrap();
            }
        }
        fs::copy(place.dir().join("anchor.json"), guest.path("anchor.json")).unwrap();
        guest
    }

    /// The same, and signed in.
    fn signed_in(place: &Place, server: &Served, key: &str) -> Self {
        let guest = Self::of(place, &server.url, &[key]);
        guest.done(&["login", "--as", key, "--anchor", "anchor.json"]);
        guest
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(blotter());
        command.env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command.env("BLOTTER_SERVER", &self.server);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        run(self.command().args(args))
    }

    fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        said(&output)
    }

    fn session_file(&self) -> PathBuf {
        let files = fs::read_dir(self.path(".local/state/blotter/servers")).unwrap().map(|file| file.unwrap().path());
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "session")).expect("signed in")
    }

    fn session(&self) -> String {
        json(&fs::read_to_string(self.session_file()).unwrap())["session"].as_str().unwrap().to_owned()
    }
}

const COMMENT: [&str; 8] =
    ["act", "comment.added", "incident/INC-2025-0725", "--data", "text=from afar", "--as", "grc", "--yes"];

#[test]
fn what_a_server_shows_is_what_the_directory_shows() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let seq = json(&guest.done(&[&COMMENT[..], &["--json"]].concat()))["seq"].as_u64().unwrap().to_string();
    for args in [
        &["log", "--all"][..],
        &["log", "--event", "incident."],
        &["log", "--stream", "incident/INC-2025-0725", "-n", "7"],
        &["log", "--stream", "incident/", "-n", "5", "--reverse"],
        &["log", "--actor", "grc", "--since", "2020-01-01", "--timezone", "UTC"],
        &["log", "--from", "10", "-n", "3"],
        &["log", "--before", "10", "-n", "3"],
        &["show", &seq],
        &["show", "0"],
        &["show", "30"],
        &["show", "incident/INC-2025-0725"],
        &["proof", "receipt", &seq],
        &["proof", "inclusion", "7"],
        &["proof", "consistency", "5", "40"],
        &["checkpoint"],
        &["anchor"],
        &["actor", "list"],
        &["token", "list", "--all"],
    ] {
        let args = [args, &["--json"]].concat();
        assert_eq!(guest.done(&args), place.done(&args), "{args:?}");
    }
    guest.done(&["proof", "receipt", &seq, "--out", "receipt.json"]);
    guest.done(&["proof", "check", "receipt.json", "--anchor", "anchor.json"]);
    drop(server);
    place.done(&["verify"]);
}

#[test]
fn the_tiles_of_a_server_are_those_of_the_directory() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    guest.done(&["tiles", "--out", "tiles"]);
    let here = place.beside("tiles");
    place.done(&["tiles", "--out", here.to_str().unwrap()]);
    let (theirs, ours) = (files(&guest.path("tiles")), files(&here));
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>());
    assert!(ours.keys().any(|name| name.starts_with("tile/entries/")) && ours.contains_key("checkpoint"), "{ours:?}");
    for (name, bytes) in ours {
        assert_eq!(theirs[&name], bytes, "{name}");
    }
}

/// All files below a directory, by their paths in it.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => {
                found.extend(files(&entry.path()).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)))
            }
            false => _ = found.insert(name, fs::read(entry.path()).unwrap()),
        }
    }
    found
}

#[test]
fn a_log_of_more_than_one_tile_is_shown_and_proven_too() {
    const THREADS: usize = 4;
    let whole = Place::played();
    let place = &whole;
    let signed = &|n: usize| place.beside(&format!("signed-{n}")).to_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                for n in (thread..200).step_by(THREADS) {
                    let args = ["--data", "text=x", "--as", "grc", "--yes", "--out", &signed(n)];
                    place.done(&[&["sign", "comment.added", "incident/I-1"], &args[..]].concat());
                }
            });
        }
    });
    let files: Vec<String> = (0..200).map(signed).collect();
    place.done(&std::iter::once("append").chain(files.iter().map(String::as_str)).collect::<Vec<_>>());
    let server = Served::start(place);
    let guest = Guest::signed_in(place, &server, "grc");
    for args in [
        &["log", "--all"][..],
        &["log", "--all", "--reverse", "--event", "comment."],
        &["show", "incident/I-1"],
        &["proof", "receipt", "100"],
        &["proof", "consistency", "100", "260"],
    ] {
        let args = [args, &["--json"]].concat();
        assert_eq!(guest.done(&args), place.done(&args), "{args:?}");
    }
}

#[test]
fn a_session_is_kept_to_its_owner_and_ends() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::of(&place, &server.url, &["grc"]);
    let said = guest.fails(2, &["log"]);
    assert!(said.contains("blotter login"), "{said}");
    let keys = guest.done(&["key", "list"]);
    assert!(keys.contains("grc"), "to see one's keys, nobody need be signed in: {keys}");
    let said = said_all(&guest, &["login", "--as", "grc", "--anchor", "anchor.json"]);
    let session = guest.session();
    assert_eq!(fs::metadata(guest.session_file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!said.contains(&session), "{said}");
    guest.done(&["log"]);
    // Signing in once more needs no anchor: the ledger is known now.
    guest.done(&["login", "--as", "grc"]);
    guest.done(&["logout"]);
    let said = guest.fails(2, &["log"]);
    assert!(said.contains("blotter login"), "{said}");
    // The older session was not the one that was ended; the newer one is no good any more.
    fs::write(guest.path("token"), "bls_not-a-session\n").unwrap();
    let said = guest.fails(2, &["log", "--token-file", "token"]);
    assert!(said.contains("not signed in") && !said.contains("bls_not"), "{said}");
}

fn said_all(guest: &Guest, args: &[&str]) -> String {
    let output = guest.run(args);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

#[test]
fn nothing_is_signed_for_another_ledger_or_under_another_url() {
    let place = Place::played();
    let server = Served::start(&place);
    let other = Place::founded();
    let guest = Guest::of(&other, &server.url, &[]);
    fs::copy(place.dir().join("keys/grc.key"), guest.path("grc.key")).unwrap();
    let said = guest.fails(2, &["login", "--as", "grc.key", "--anchor", "anchor.json"]);
    assert!(said.contains("nothing was signed") && said.contains("anchor.json"), "{said}");
    let said = guest.fails(2, &["login", "--as", "grc.key"]);
    assert!(said.contains("--yes"), "the first time somebody says which ledger it is: {said}");
    let by_name = format!("http://localhost:{}", server.address.port());
    let said = guest.fails(2, &["login", "--as", "grc.key", "--yes", "--server", &by_name]);
    assert!(said.contains("nothing was signed") && said.contains(&server.url), "{said}");
    let said = guest.fails(2, &["login", "--as", "grc.key", "--yes", "--server", "http://10.255.255.1:1"]);
    assert!(said.contains("plain HTTP"), "{said}");
    guest.done(&["login", "--as", "grc.key", "--yes"]);
}

#[test]
fn a_statement_signed_elsewhere_is_appended_once() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let sign = |out: &str| {
        let args = ["--data", "text=signed first", "--as", "grc", "--yes", "--out", out];
        guest.done(&[&["sign", "comment.added", "incident/INC-2025-0725"], &args[..]].concat());
    };
    sign("first");
    sign("second");
    fs::create_dir(guest.path("receipts")).unwrap();
    let args = ["append", "first", "second", "--atomic", "--receipts", "receipts", "--json"];
    let lines: Vec<Value> = guest.done(&args).lines().map(json).collect();
    assert_eq!(lines[2], json(r#"{"appended":2,"repeated":0,"refused":0}"#));
    let receipt = format!("receipts/{}.receipt.json", lines[0]["seq"]);
    guest.done(&["proof", "check", &receipt, "--anchor", "anchor.json"]);
    let again: Vec<Value> = guest.done(&["append", "first", "--json"]).lines().map(json).collect();
    assert_eq!((&again[0]["seq"], again[0]["repeated"].as_bool()), (&lines[0]["seq"], Some(true)));
    fs::write(guest.path("broken"), "no statement\n").unwrap();
    let said = guest.fails(4, &["append", "broken", "first", "--atomic", "--json"]);
    assert!(said.contains("malformed") && said.contains("list-refused"), "{said}");
}

#[test]
fn what_the_ledger_refuses_over_http_ends_like_it_does_at_home() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let refused = ["act", "incident.acknowledged", "incident/INC-2025-0725", "--as", "grc", "--yes", "--json"];
    let said = guest.fails(4, &refused);
    assert!(said.contains("role-missing"), "{said}");
}

#[test]
fn tokens_are_issued_used_and_revoked_through_a_server() {
    let place = Place::founded();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "founder");
    let args = ["--scope", "read", "--expires", "2099-01-01", "--as", "founder", "--yes", "--json"];
    let issued = json(&guest.done(&[&["token", "issue", "--for", "founder"], &args[..]].concat()));
    fs::write(guest.path("token"), issued["token"].as_str().unwrap()).unwrap();
    let id = issued["id"].as_str().unwrap();
    let listed = json(&guest.done(&["token", "list", "--json"]));
    assert_eq!(listed["tokens"][0]["id"].as_str(), Some(id));
    let stranger = Guest::of(&place, &server.url, &[]);
    fs::copy(guest.path("token"), stranger.path("token")).unwrap();
    assert_eq!(stranger.done(&["log", "--json", "--token-file", "token"]), place.done(&["log", "--json"]));
    guest.done(&["token", "revoke", id, "--as", "founder", "--yes"]);
    let said = stranger.fails(2, &["log", "--token-file", "token"]);
    assert!(said.contains("not signed in"), "{said}");
}

#[test]
fn what_needs_the_directory_says_what_to_do_instead() {
    let place = Place::empty();
    for args in [
        &["init", "--origin", "example.org/x"][..],
        &["serve"],
        &["demo"],
        &["backup", "b"],
        &["restore", "b"],
        &["verify"],
        &["key", "rotate-ledger", "approve"],
    ] {
        let said = place.fails(2, &[args, &["--server", "http://127.0.0.1:1"]].concat());
        assert!(said.contains("--server http://127.0.0.1:1: ") && said.contains("run `blotter"), "{said}");
    }
    let said = place.fails(2, &["log", "--server", "http://127.0.0.1:1"]);
    assert!(said.contains("can't be reached"), "{said}");
}

#[test]
fn a_server_is_reached_over_tls_if_somebody_vouches_for_it() {
    let place = Place::played();
    let (key, certificate) = (place.beside("key.pem"), place.beside("cert.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stdin(Stdio::null());
    if !openssl.output().is_ok_and(|output| output.status.success()) {
        return cannot_run("TLS, because openssl makes no certificate here");
    }
    let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let server = Served::start_with(&place, &["--listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
    let guest = Guest::of(&place, &server.url, &["grc"]);
    let said = guest.fails(2, &["login", "--as", "grc", "--anchor", "anchor.json"]);
    assert!(said.contains("certificate"), "{said}");
    guest.done(&["login", "--as", "grc", "--anchor", "anchor.json", "--server-ca", certificate]);
    guest.done(&["log", "--server-ca", certificate]);
}

/// What a lying server changes in an answer to this path.
type Lie = Arc<dyn Fn(&str, Vec<u8>) -> Vec<u8> + Send + Sync>;

/// A server between, which lies.
fn lying(upstream: SocketAddr, lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let lie = Arc::clone(&lie);
            std::thread::spawn(move || relay(client.unwrap(), upstream, &lie));
        }
    });
    url
}

fn relay(mut client: TcpStream, upstream: SocketAddr, lie: &Lie) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let small = line.to_ascii_lowercase();
        if let Some(value) = small.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        if !small.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let mut server = TcpStream::connect(upstream).ok()?;
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let status = String::from_utf8_lossy(&answer[..end]).lines().next()?.to_owned();
    let body = lie(&path, answer[end + 4..].to_vec());
    client
        .write_all(format!("{status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes())
        .ok()?;
    client.write_all(&body).ok()
}

/// An entry as it is, and as a lying server shows it.
struct Forged {
    seq: u64,
    text: String,
    leaf: Hash,
}

impl Forged {
    fn of(place: &Place, seq: u64) -> Self {
        let text = place.done(&["show", &seq.to_string(), "--raw"]);
        let forged = text.replacen("\"recorded\":\"20", "\"recorded\":\"19", 1);
        assert_ne!(forged, text);
        Self { seq, leaf: Hash::of_leaf(forged.as_bytes()), text: forged }
    }

    /// One byte of the entry is another wherever it is shown; and its leaf hash fits, if `leaf_too`.
    fn in_views(&self, body: Vec<u8>, leaf_too: bool) -> Vec<u8> {
        let Ok(mut page) = serde_json::from_slice::<Value>(&body) else { return body };
        for entry in page["entries"].as_array_mut().into_iter().flatten().filter(|entry| entry["seq"] == self.seq) {
            entry["entry"] = self.text.as_str().into();
            if leaf_too {
                entry["leaf"] = self.leaf.to_string().into();
            }
        }
        serde_json::to_vec(&page).unwrap()
    }

    /// The tile of leaf hashes has the forged one.
    fn in_tile(&self, path: &str, mut body: Vec<u8>) -> Vec<u8> {
        if path.starts_with(&format!("/tile/0/{:03}", self.seq / 256)) {
            let at = self.seq as usize % 256 * 32;
            body[at..at + 32].copy_from_slice(&self.leaf.0);
        }
        body
    }
}

#[test]
fn a_server_that_lies_is_caught() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let seq = json(&guest.done(&[&COMMENT[..], &["--json"]].concat()))["seq"].as_u64().unwrap();
    fs::write(guest.path("session"), guest.session()).unwrap();
    let through = |lie: Lie, args: &[&str]| {
        let url = lying(server.address, lie);
        guest.run(&[args, &["--server", &url, "--token-file", "session"]].concat())
    };
    let output = through(Arc::new(|_, body| body), &["log", "--json"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), place.done(&["log", "--json"]), "{}", said(&output));
    let forged = Arc::new(Forged::of(&place, seq));
    let with_forged = |lie: fn(&Forged, &str, Vec<u8>) -> Vec<u8>| -> Lie {
        let forged = Arc::clone(&forged);
        Arc::new(move |path, body| lie(&forged, path, body))
    };
    let replaced = |from: &'static str, to: &'static str| -> Lie {
        Arc::new(move |path, body| match path.starts_with("/v1/streams/") || path.starts_with("/v1/entries") {
            true => String::from_utf8(body).unwrap().replace(from, to).into_bytes(),
            false => body,
        })
    };
    let log = &["log"][..];
    let count = format!("\"count\":{}", json(&stream_head(&server, &guest))["count"]);
    for (what, lie, args) in [
        ("a byte", with_forged(|forged, _, body| forged.in_views(body, false)), log),
        ("and its hash", with_forged(|forged, _, body| forged.in_views(body, true)), log),
        ("and the tree", with_forged(|forged, path, body| forged.in_tile(path, forged.in_views(body, true))), log),
        ("a byte, to who signs", with_forged(|forged, _, body| forged.in_views(body, false)), &COMMENT),
        ("the tree, to who signs", with_forged(|forged, path, body| forged.in_tile(path, body)), &COMMENT),
        ("a shorter stream", replaced(count.leak(), "\"count\":2"), &COMMENT),
        ("another value", replaced("\"disclosures\":[\"W", "\"disclosures\":[\"X"), log),
    ] {
        let output = through(lie, args);
        assert_eq!(output.status.code(), Some(1), "{what}: {}", said(&output));
        assert!(output.stdout.is_empty(), "{what}: {}", said(&output));
    }
    let size = place.done(&["log", "--all", "--json"]).lines().count() as u64;
    assert_eq!(size, seq + 1, "nobody signed anything on the strength of a lie");
}

/// What the server says of the stream of [`COMMENT`].
fn stream_head(server: &Served, guest: &Guest) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let bearer = format!("authorization: Bearer {}", guest.session());
    let path = "/v1/streams/incident/INC-2025-0725";
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{bearer}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn a_followed_server_shows_what_comes_in() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let mut command = guest.command();
    command.args(["log", "-n", "1", "--follow", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut following = command.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let first = json(&lines.next().unwrap().unwrap());
    let seq = json(&guest.done(&[&COMMENT[..], &["--json"]].concat()))["seq"].as_u64().unwrap();
    let next = json(&lines.next().unwrap().unwrap());
    assert_eq!((first["seq"].as_u64(), next["seq"].as_u64()), (Some(seq - 1), Some(seq)));
    following.kill().unwrap();
    following.wait().unwrap();
}

#[test]
fn commands_of_one_person_at_once_do_not_disturb_each_other() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let begin = |_| {
        let mut command = guest.command();
        command.args(COMMENT).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let begun: Vec<Child> = (0..8).map(begin).collect();
    for child in begun {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn a_context_file_comes_from_a_server_too() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    guest.done(&["sign", "--context-for", "incident/INC-2025-0725", "--since", "40", "--out", "context"]);
    let args = ["--context", "context", "--anchor", "anchor.json", "--as", "grc", "--yes", "--out", "signed"];
    guest.done(&[&["sign", "comment.added", "incident/INC-2025-0725", "--data", "text=x"], &args[..]].concat());
    guest.done(&["append", "signed"]);
}

#[test]
fn an_admin_reads_the_keyring_and_is_told_what_is_withheld() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "founder");
    let said = said_all(&guest, &["log", "-n", "3"]);
    assert!(said.contains("not for you"), "{said}");
    let said = guest.fails(2, &["show", "30"]);
    assert!(said.contains("entry 30 is withheld"), "{said}");
    let output = guest.run(&["show", "ledger"]);
    assert!(output.status.success() && !output.stdout.is_empty(), "{}", crate::said(&output));
}

#[test]
fn a_server_with_another_ledger_than_before_is_not_believed() {
    let place = Place::played();
    let server = Served::start(&place);
    let guest = Guest::signed_in(&place, &server, "grc");
    let other = Place::played();
    let elsewhere = Served::start(&other);
    let stranger = Guest::signed_in(&other, &elsewhere, "grc");
    // Under the address that the first ledger had, as far as this guest knows.
    let known = guest.session_file().with_extension("ledger");
    let theirs = stranger.session_file().with_extension("ledger");
    let text = fs::read_to_string(&known).unwrap().replace(&server.url, &elsewhere.url);
    fs::write(&theirs, text).unwrap();
    let said = stranger.fails(2, &["log"]);
    assert!(said.contains("another ledger than before"), "{said}");
}
