//! `blotter forward` against a server of our own that answers as it is told: what is handed over is never lost, whatever
//! the server, the network or a kill does, and the caller is never held up.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::{blotter, said};

const TOKEN: &str = "blt_0123456789abcdefTOKEN";
const CREATED: &str = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

/// What a request said.
#[derive(Debug, Clone)]
struct Request {
    head: String,
    body: String,
}

/// A server that gives one answer after another, and 201 behind the last. An empty answer is none at all: the connection
/// stays open until the test ends.
struct Server {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<String>,
    requests: Vec<Request>,
    silent: Vec<TcpStream>,
    over: bool,
}

impl Server {
    fn start(answers: &[&str]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answers)
    }

    fn on(listener: TcpListener, answers: &[&str]) -> Self {
        let address = listener.local_addr().unwrap();
        let answers = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let state = Arc::new((Mutex::new(State { answers, ..State::default() }), Condvar::new()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.0.lock().unwrap().over {
                    break;
                }
                serve(stream.unwrap(), &shared);
            }
        });
        Self { address, state }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> Vec<Request> {
        self.state.0.lock().unwrap().requests.clone()
    }

    fn bodies(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.body).collect()
    }

    /// Waits until so many requests have come.
    fn await_requests(&self, count: usize) {
        let (state, news) = &*self.state;
        let wait = news
            .wait_timeout_while(state.lock().unwrap(), Duration::from_secs(60), |state| state.requests.len() < count);
        assert!(!wait.unwrap().1.timed_out(), "fewer than {count} requests came");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.0.lock().unwrap().over = true;
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, (state, news): &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = header(&head, "content-length").parse().unwrap();
    let mut body = vec![0; length];
    // A sender that was killed: what came of its request is no request.
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mut state = state.lock().unwrap();
    state.requests.push(Request { head, body: String::from_utf8(body).unwrap() });
    let answer = state.answers.pop_front().unwrap_or_else(|| CREATED.to_owned());
    let mut stream = reader.into_inner();
    if answer.is_empty() {
        state.silent.push(stream);
    } else {
        let _ = stream.write_all(answer.as_bytes());
    }
    news.notify_all();
}

fn header(head: &str, name: &str) -> String {
    let line =
        head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name)));
    line.map(|(_, value)| value.to_owned()).unwrap_or_default()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

/// A machine that sends: a spool and a token.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.token(), format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(place.token(), fs::Permissions::from_mode(0o600)).unwrap();
        place
    }

    fn token(&self) -> PathBuf {
        self.0.path().join("token")
    }

    fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    fn command(&self, url: &str, more: &[&str]) -> Command {
        let mut command = Command::new(blotter());
        command.args(["forward", "--server", url, "--token-file"]).arg(self.token()).arg("--spool").arg(self.spool());
        command
            .args(more)
            .env_remove("BLOTTER_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn forward(&self, url: &str, more: &[&str], alert: &str) -> Output {
        let mut child = self.command(url, more).spawn().unwrap();
        child.stdin.take().unwrap().write_all(alert.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!said(&output).contains(TOKEN), "the token shows: {}", said(&output));
        output
    }

    /// The alerts that wait, the oldest first.
    fn waiting(&self) -> Vec<String> {
        contents(&self.spool(), ".json")
    }

    fn refused(&self) -> Vec<String> {
        contents(&self.spool().join("refused"), ".json")
    }
}

fn contents(dir: &Path, suffix: &str) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect();
    files.sort();
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn check(output: &Output, code: i32, part: &str) {
    let told = said(output);
    assert!(output.status.code() == Some(code) && told.contains(part), "not {code} with {part:?}: {told}");
}

/// An address where nobody listens; a listener can take it again.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

const WAZUH: [&str; 2] = ["--format", "wazuh"];

#[test]
fn an_alert_is_sent_as_it_is_and_leaves_the_spool() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let alert = "{\"id\": \"1\",\n \"é\": 1.50}\n";
    check(&place.forward(&server.url(), &WAZUH, alert), 0, "1 sent, 0 waiting, 0 refused.");
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert!(request.head.starts_with("POST /v1/alerts/wazuh HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(header(&request.head, "authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(header(&request.head, "content-type"), "application/json");
    assert_eq!(request.body, alert);
    assert!(place.waiting().is_empty());
}

#[test]
fn a_batch_of_cloud_events_is_sent_as_one() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let format = ["--format", "cloudevents"];
    place.forward(&format!("{}/soc/", server.url()), &format, "{}");
    place.forward(&server.url(), &format, " [{}]");
    let told = server.requests().iter().map(|r| header(&r.head, "content-type")).collect::<Vec<_>>();
    assert_eq!(told, ["application/cloudevents+json", "application/cloudevents-batch+json"]);
    assert!(server.requests()[0].head.starts_with("POST /soc/v1/alerts/cloudevents "));
}

#[test]
fn in_an_outage_alerts_wait_and_are_sent_in_their_order_when_it_is_over() {
    let (place, address) = (Place::new(), nobody());
    let url = format!("http://{address}");
    check(&place.forward(&url, &WAZUH, "{\"n\":1}"), 0, "not sent yet, and kept in");
    let started = Instant::now();
    check(&place.forward(&url, &WAZUH, "{\"n\":2}"), 0, "not sent yet, and kept in");
    assert!(started.elapsed() < Duration::from_secs(8), "during an outage nobody waits for a connection");
    assert_eq!(place.waiting(), ["{\"n\":1}", "{\"n\":2}"]);

    let server = Server::on(TcpListener::bind(address).unwrap(), &[]);
    check(&place.forward(&url, &["--drain"], ""), 0, "2 sent, 0 waiting");
    assert_eq!(server.bodies(), ["{\"n\":1}", "{\"n\":2}"]);
    check(&place.forward(&url, &WAZUH, "{\"n\":3}"), 0, "1 sent, 0 waiting");
}

#[test]
fn a_busy_server_is_left_alone_for_as_long_as_it_says() {
    let busy = answer("429 Too Many Requests", "Retry-After: 2\r\n", "{\"title\":\"busy\"}");
    let (place, server) = (Place::new(), Server::start(&[&busy]));
    let started = Instant::now();
    check(&place.forward(&server.url(), &WAZUH, "{\"n\":1}"), 0, "the server answers 429");
    let early = [place.forward(&server.url(), &WAZUH, "{\"n\":2}"), place.forward(&server.url(), &["--drain"], "")];
    if started.elapsed() < Duration::from_secs(2) {
        early.iter().for_each(|output| check(output, 0, "left alone for a while"));
        assert_eq!(server.requests().len(), 1, "nobody asked again before the time");
    }
    check(&place.forward(&server.url(), &["--wait", "--format", "wazuh"], "{\"n\":3}"), 0, " sent, 0 waiting");
    assert_eq!(server.bodies(), ["{\"n\":1}", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    assert!(started.elapsed() >= Duration::from_secs(2));
}

#[test]
fn with_wait_failures_are_tried_again_until_it_is_sent() {
    let failed = answer("503 Service Unavailable", "", "");
    let (place, server) = (Place::new(), Server::start(&[&failed, &failed]));
    let started = Instant::now();
    check(&place.forward(&server.url(), &["--wait", "--format", "ocsf"], "{}"), 0, "1 sent, 0 waiting");
    assert_eq!(server.requests().len(), 3);
    assert!(started.elapsed() >= Duration::from_secs(3), "the second pause is longer than the first");
}

#[test]
fn what_the_server_refuses_is_kept_beside_with_the_reason_and_the_rest_goes_on() {
    let problem = "{\"title\":\"no time\",\"pointer\":\"/timestamp\"}";
    let refused = answer("422 Unprocessable Content", "Content-Type: application/problem+json\r\n", problem);
    let (place, address) = (Place::new(), nobody());
    for alert in ["bad", "good"] {
        place.forward(&format!("http://{address}"), &WAZUH, alert);
    }
    let server = Server::on(TcpListener::bind(address).unwrap(), &[&refused]);
    check(&place.forward(&server.url(), &["--drain"], ""), 4, "1 sent, 0 waiting, 1 refused.");
    assert_eq!((server.bodies(), place.refused()), (vec!["bad".into(), "good".into()], vec!["bad".into()]));
    let reasons = contents(&place.spool().join("refused"), ".problem.txt");
    assert_eq!(reasons, [format!("the server answers 422\n{problem}")]);
    check(&place.forward(&server.url(), &["--drain"], ""), 0, "0 sent, 0 waiting, 0 refused.");
}

#[test]
fn a_token_that_the_server_does_not_take_is_no_alert_s_fault() {
    let who = answer("401 Unauthorized", "", &format!("unknown token {TOKEN}"));
    let (place, server) = (Place::new(), Server::start(&[&who]));
    let output = place.forward(&server.url(), &["--wait", "--format", "wazuh"], "{}");
    check(&output, 4, "unknown token [token]");
    assert_eq!((place.waiting().len(), place.refused().len()), (1, 0));
    check(&place.forward(&server.url(), &["--drain"], ""), 0, "1 sent, 0 waiting");
}

#[test]
fn a_redirection_is_not_followed() {
    let other = Server::start(&[]);
    let moved = answer("307 Temporary Redirect", &format!("Location: {}/v1/alerts/wazuh\r\n", other.url()), "");
    let (place, server) = (Place::new(), Server::start(&[&moved]));
    check(&place.forward(&server.url(), &WAZUH, "{}"), 4, "the server answers 307");
    assert_eq!((place.waiting().len(), other.requests().len()), (1, 0));
}

#[test]
fn what_can_not_be_sent_is_kept_all_the_same() {
    let place = Place::new();
    check(&place.forward("http://192.0.2.1", &WAZUH, "{\"n\":1}"), 2, "plain HTTP shows token and data");
    fs::remove_file(place.token()).unwrap();
    check(&place.forward("http://127.0.0.1:9", &WAZUH, "{\"n\":2}"), 2, "the token in");
    fs::write(place.token(), TOKEN).unwrap();
    fs::set_permissions(place.token(), fs::Permissions::from_mode(0o644)).unwrap();
    check(&place.forward("http://127.0.0.1:9", &WAZUH, "{\"n\":3}"), 2, "everybody on this machine can read it");
    assert_eq!(place.waiting(), ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    check(&place.forward("http://127.0.0.1:9", &WAZUH, " \n"), 2, "the input is empty");
    check(&place.forward("http://127.0.0.1:9", &["--format", "../x"], "{}"), 2, "a word of a-z 0-9 - is wanted");
    assert_eq!(place.waiting().len(), 3);
}

#[test]
fn a_sender_that_is_killed_before_the_answer_leaves_the_alert_to_the_next() {
    let (place, server) = (Place::new(), Server::start(&[""]));
    let mut child = place.command(&server.url(), &WAZUH).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"n\":1}").unwrap();
    server.await_requests(1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.waiting(), ["{\"n\":1}"]);
    check(&place.forward(&server.url(), &WAZUH, "{\"n\":2}"), 0, "2 sent, 0 waiting");
    assert_eq!(server.bodies(), ["{\"n\":1}", "{\"n\":1}", "{\"n\":2}"]);
}

#[test]
fn a_server_that_never_answers_holds_nobody_up_for_longer_than_the_limit() {
    let (place, server) = (Place::new(), Server::start(&[""]));
    let started = Instant::now();
    check(&place.forward(&server.url(), &WAZUH, "{}"), 0, "not sent yet, and kept in");
    let took = started.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&took), "{took:?}");
    assert_eq!(place.waiting().len(), 1);
}

#[test]
fn two_senders_do_not_send_the_same_and_keep_the_order() {
    let (place, address) = (Place::new(), nobody());
    let alerts: Vec<_> = (0..20).map(|n| format!("{{\"n\":{n}}}")).collect();
    for alert in &alerts {
        place.forward(&format!("http://{address}"), &WAZUH, alert);
    }
    let server = Server::on(TcpListener::bind(address).unwrap(), &[]);
    let senders: Vec<_> = (0..4).map(|_| place.command(&server.url(), &["--drain"]).spawn().unwrap()).collect();
    for sender in senders {
        check(&sender.wait_with_output().unwrap(), 0, "0 waiting");
    }
    assert_eq!(server.bodies(), alerts);
}

#[test]
fn lines_are_sent_as_they_come() {
    let (place, server) = (Place::new(), Server::start(&[]));
    let mut child = place.command(&server.url(), &["--lines", "--format", "wazuh"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"n\":1}\n\n  {\"n\":2} \n").unwrap();
    server.await_requests(2);
    input.write_all(b"{\"n\":3}").unwrap();
    drop(input);
    check(&child.wait_with_output().unwrap(), 0, "3 sent, 0 waiting");
    assert_eq!(server.bodies(), ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
}

#[test]
fn lines_that_can_not_be_sent_are_all_kept() {
    let place = Place::new();
    let lines: String = (0..300).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let output = place.forward(&format!("http://{}", nobody()), &["--lines", "--format", "wazuh"], &lines);
    check(&output, 0, "300 waiting");
    assert_eq!(place.waiting().join("\n"), lines.trim_end());
}

/// The calls by which a sender touches its files and the network.
const CALLS: [&str; 11] =
    ["openat", "write", "fsync", "rename", "unlink", "flock", "mkdir", "read", "connect", "sendto", "recvfrom"];
/// Long enough to be written in pieces, if anything were.
const LONG: usize = 100_000;

/// Sends one alert with something done to the sender's system calls.
fn under_strace(place: &Place, url: &str, more: &[String]) -> Option<Output> {
    let alert = place.0.path().join("alert");
    fs::write(&alert, "a".repeat(LONG)).unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(place.0.path().join("trace")).args(more).arg(blotter());
    command.args(["forward", "--server", url, "--format", "wazuh", "--token-file"]).arg(place.token());
    command.arg("--spool").arg(place.spool()).arg(alert).stdin(Stdio::null());
    // Without cargo's library path, or most of the calls are the loader's.
    command.env_remove("LD_LIBRARY_PATH").output().ok()
}

/// How often each call is made.
fn count_calls() -> Option<Vec<(&'static str, usize)>> {
    let (place, server) = (Place::new(), Server::start(&[]));
    let output = under_strace(&place, &server.url(), &[format!("-etrace={}", CALLS.join(","))]);
    if !output.is_some_and(|output| output.status.success()) {
        crate::cannot_run("the system calls of a sender, because strace can't run");
        return None;
    }
    let trace = fs::read_to_string(place.0.path().join("trace")).unwrap();
    let count = |call: &str| trace.lines().filter(|line| line.contains(&format!(" {call}("))).count();
    Some(CALLS.iter().map(|call| (*call, count(call))).collect())
}

#[test]
fn no_system_call_of_a_sender_can_fail_or_be_the_last_so_that_a_kept_alert_is_lost_or_cut() {
    let Some(counts) = count_calls() else { return };
    println!("system calls: {counts:?}");
    let must = ["openat", "write", "fsync", "rename", "unlink", "flock", "sendto"];
    assert!(must.iter().all(|call| counts.iter().any(|(found, count)| found == call && *count > 0)), "{counts:?}");
    let (mut kept, mut told) = (0, 0);
    for (call, count) in counts {
        for nth in 1..=count {
            for fault in ["error=EIO", "signal=SIGKILL"] {
                let what = format!("-einject={call}:{fault}:when={nth}");
                let (place, server) = (Place::new(), Server::start(&[]));
                let output = under_strace(&place, &server.url(), &[format!("-etrace={call}"), what.clone()]).unwrap();
                assert!(!said(&output).contains("panicked"), "{what}: {}", said(&output));
                let was_kept = place.spool().is_dir() && !place.waiting().is_empty() || !server.requests().is_empty();
                check(&place.forward(&server.url(), &["--drain", "--wait"], ""), 0, "0 waiting, 0 refused");
                assert!(server.bodies().iter().all(|body| *body == "a".repeat(LONG)), "{what}: the alert is cut");
                assert!(!was_kept || !server.bodies().is_empty(), "{what}: what was kept is lost");
                if output.status.success() {
                    assert!(!server.bodies().is_empty(), "{what}: the caller was told that it is kept, and it is lost");
                    told += 1;
                }
                kept += usize::from(was_kept);
            }
        }
    }
    println!("kept in {kept} cases, and said so in {told}");
}

/// A TLS server of somebody else: `openssl s_server`, which gives its standard input to whoever connects.
struct Tls {
    child: std::process::Child,
    url: String,
}

impl Tls {
    fn start(certificate: &Path, key: &Path) -> Self {
        let port = nobody().port().to_string();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-naccept", "1", "-accept"]).arg(format!("127.0.0.1:{port}"));
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(CREATED.as_bytes()).unwrap();
        Self { child, url: format!("https://localhost:{port}") }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn only_a_server_with_a_certificate_to_be_trusted_gets_the_token() {
    let place = Place::new();
    let (certificate, key) = (place.0.path().join("ca.pem"), place.0.path().join("ca.key"));
    let mut make = Command::new("openssl");
    make.args(["req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    make.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"]);
    make.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(Stdio::null());
    if !make.status().is_ok_and(|status| status.success()) {
        return crate::cannot_run("TLS: openssl is missing");
    }
    let server = Tls::start(&certificate, &key);
    let output = place.forward(&server.url, &["--wait", "--format", "wazuh"], "{}");
    check(&output, 4, "certificate");
    assert_eq!(place.waiting().len(), 1);
    drop(server);

    let mut server = Tls::start(&certificate, &key);
    let trusted = ["--wait", "--drain", "--server-ca", certificate.to_str().unwrap()];
    check(&place.forward(&server.url, &trusted, ""), 0, "1 sent, 0 waiting");
    let mut seen = String::new();
    let _ = server.child.kill();
    server.child.stdout.take().unwrap().read_to_string(&mut seen).unwrap();
    assert!(seen.contains(&format!("Bearer {TOKEN}")), "{seen}");
}

/// Wazuh's integrator as it calls: the file, the key, the URL, and perhaps more behind them.
fn integrate(place: &Place, url: &str, key: &str, more: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let home = place.0.path().join("ossec");
    fs::create_dir_all(home.join("etc")).unwrap();
    fs::create_dir_all(home.join("logs")).unwrap();
    fs::copy(place.token(), home.join("etc/blotter.token")).unwrap();
    let alert = place.0.path().join("wazuh-1-2.alert");
    fs::write(&alert, "{\"id\":\"1\"}").unwrap();
    let mut command = Command::new(root.join("ops/wazuh/custom-blotter"));
    command.arg(alert).arg(key).arg(url).args(more).env_clear().env("PATH", "/usr/bin:/bin");
    command.env("WAZUH_HOME", &home).env("BLOTTER_BIN", blotter()).env("BLOTTER_SPOOL", place.spool());
    crate::run(&mut command)
}

#[test]
fn wazuh_hands_its_alerts_over_through_the_script() {
    let (place, server) = (Place::new(), Server::start(&[]));
    for (key, more) in [("", &[][..]), ("unused", &["debug"]), ("", &["", "> /dev/null", "10", "3"])] {
        let output = integrate(&place, &server.url(), key, more);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let [request, ..] = &server.requests()[..] else { panic!("a request") };
    assert!(request.head.starts_with("POST /v1/alerts/wazuh "));
    assert_eq!(header(&request.head, "authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(server.bodies(), vec!["{\"id\":\"1\"}"; 3]);
    let log = fs::read_to_string(place.0.path().join("ossec/logs/integrations.log")).unwrap_or_default();
    assert!(!log.contains(TOKEN) && !log.contains("unused"), "{log}");
}

#[test]
fn wazuh_s_log_says_what_was_not_sent() {
    let place = Place::new();
    let output = integrate(&place, &format!("http://{}", nobody()), "", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let log = fs::read_to_string(place.0.path().join("ossec/logs/integrations.log")).unwrap();
    assert!(log.contains("not sent yet, and kept in"), "{log}");
    let output = integrate(&place, "", "https-is-missing", &[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(place.waiting().len(), 1);
}
