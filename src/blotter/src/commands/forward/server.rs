//! The server that alerts go to: its address, the token, and what its answers mean for an alert.
//!
//! The token goes into one header and nowhere else: no message, no file, no argument has it, also if the server repeats it.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use blotter_client::{Options, agent};
use chrono::{DateTime, Utc};
use ureq::http::Response;
use ureq::{Agent, Body};
use zeroize::Zeroizing;

/// The variable that holds a token where there is no file.
const TOKEN_VARIABLE: &str = "BLOTTER_TOKEN";
/// Bytes of a file with a token.
const TOKEN_FILE_BYTES_MAX: u64 = 4_096;
/// Bytes of an answer that are kept.
const ANSWER_BYTES_MAX: u64 = 16_384;
/// The longest that a server can make us wait.
const RETRY_AFTER_SECONDS_MAX: u64 = 3_600;

/// Where alerts go.
#[derive(Debug)]
pub(super) struct Server {
    base: String,
    agent: Agent,
}

/// A token, which never shows itself.
pub(super) struct Token(Zeroizing<String>);

/// What became of an alert.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is recorded; or was before.
    Taken,
    /// This alert will never be taken.
    Refused(String),
    /// Nothing gets through now; the alert is not at fault. Perhaps with the seconds that the server wants to be left alone.
    Later { what: String, after_seconds: Option<u64> },
    /// Nothing will get through until somebody mends the token, the address or the server.
    Wrong(String),
}

impl Server {
    /// The server, as `options` say that it is reached.
    pub(super) fn new(server: &blotter_client::Server, options: &Options) -> Result<Self> {
        Ok(Self { base: server.to_string(), agent: agent(server, options, super::REQUEST_MAX)? })
    }

    /// Sends one alert, in no more than `timeout`.
    pub(super) fn send(&self, token: &Token, format: &str, bytes: &[u8], timeout: Duration) -> Answer {
        let request = self.agent.post(format!("{}/v1/alerts/{format}", self.base));
        let request = request.config().timeout_global(Some(timeout)).build();
        let authorization = Zeroizing::new(format!("Bearer {}", &*token.0));
        let request =
            request.header("Authorization", authorization.as_str()).header("Content-Type", content_type(format, bytes));
        match request.send(bytes) {
            Ok(response) => judge(response, token),
            // A certificate that isn't trusted, or no TLS at all: rustls speaks through std's error.
            Err(ureq::Error::Io(e)) if e.kind() == ErrorKind::InvalidData => {
                Answer::Wrong(format!("{}: {e}", self.base))
            }
            Err(e) => Answer::Later { what: format!("{}: {e}", self.base), after_seconds: None },
        }
    }
}

impl Token {
    /// The token in the first line of a file, or else in the environment.
    pub(super) fn read(path: Option<&Path>) -> Result<Self> {
        let text = match path {
            Some(path) => Self::of_file(path).with_context(|| format!("the token in {}", path.display()))?,
            None => Zeroizing::new(
                std::env::var(TOKEN_VARIABLE)
                    .map_err(|_| anyhow::anyhow!("no token: say --token-file FILE, or set {TOKEN_VARIABLE}"))?,
            ),
        };
        let token = text.lines().next().unwrap_or_default().trim();
        ensure!(!token.is_empty(), "the token is empty");
        ensure!(token.bytes().all(|b| b.is_ascii_graphic()), "the token has characters that no token has");
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    fn of_file(path: &Path) -> Result<Zeroizing<String>> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode();
        ensure!(mode & 0o007 == 0, "everybody on this machine can read it; chmod o= {}", path.display());
        let mut text = Zeroizing::new(String::new());
        file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text)?;
        Ok(text)
    }
}

fn content_type(format: &str, bytes: &[u8]) -> &'static str {
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    match (format, is_list) {
        ("cloudevents", false) => "application/cloudevents+json",
        ("cloudevents", true) => "application/cloudevents-batch+json",
        _ => "application/json",
    }
}

fn judge(mut response: Response<Body>, token: &Token) -> Answer {
    let status = response.status().as_u16();
    let after_seconds = retry_after(&response);
    let mut body = Vec::new();
    let _ = response.body_mut().as_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut body);
    let body = String::from_utf8_lossy(&body).replace(token.0.as_str(), "[token]");
    let what = format!("the server answers {status}\n{body}");
    match status {
        200..=206 => Answer::Taken,
        // Of several alerts in one document some were refused: a person must look.
        207 => Answer::Refused(what),
        // The request was no alert's fault: token, address, method, something in between.
        300..=399 | 401 | 402 | 403 | 404 | 405 | 406 | 407 | 410 | 421 | 426 | 431 | 451 | 495..=499 => {
            Answer::Wrong(what)
        }
        408 | 425 | 429 | 500..=599 => Answer::Later { what, after_seconds },
        400..=499 => Answer::Refused(what),
        _ => Answer::Wrong(what),
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(response: &Response<Body>) -> Option<u64> {
    let text = response.headers().get("retry-after")?.to_str().ok()?;
    let seconds = match text.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let until = DateTime::parse_from_rfc2822(text.trim()).ok()?;
            u64::try_from((until.with_timezone(&Utc) - Utc::now()).num_seconds().max(0)).ok()?
        }
    };
    Some(seconds.min(RETRY_AFTER_SECONDS_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_of_a_file_that_not_everybody_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let check = |text: &str, mode: u32, expect: Result<&str, &str>| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            match (Token::read(Some(&path)), expect) {
                (Ok(token), Ok(expect)) => assert_eq!(token.0.as_str(), expect),
                (Err(error), Err(part)) => assert!(format!("{error:#}").contains(part), "{error:#}"),
                (got, _) => panic!("{:?}, not {expect:?}", got.map(|_| "a token")),
            }
        };
        check("abc.DEF_1\n", 0o600, Ok("abc.DEF_1"));
        check("  abc  \r\nmore\n", 0o640, Ok("abc"));
        check("abc", 0o644, Err("everybody on this machine"));
        check("\nabc", 0o600, Err("empty"));
        check("a b", 0o600, Err("no token has"));
        check("naïve", 0o600, Err("no token has"));
    }
}
