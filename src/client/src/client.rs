//! Requests and answers: one connection pool, one server, perhaps one token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use blotter_keys::tile::{Tile, decode_hashes};
use blotter_record::{Hash, Id, Jti};
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, Body, SendBody};
use zeroize::Zeroizing;

use crate::error::{Error, Problem};
use crate::outgoing::{self, Options};
use crate::server::Server;
use crate::wire::{EntriesQuery, EntryView, LineResult, LoginOffer, Page, Session, StreamView};

/// Bytes of an answer, at most: a thousand large entries with their values.
pub const BODY_BYTES_MAX: u64 = 256 * 1_048_576;
/// Bytes of a problem that are looked at.
const PROBLEM_BYTES_MAX: u64 = 64 * 1024;
/// How long a whole request may take.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(120);

/// A client of one server.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    server: Server,
    token: Option<Arc<Zeroizing<String>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = if self.token.is_some() { "there" } else { "none" };
        f.debug_struct("Client").field("server", &self.server.as_str()).field("token", &token).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of `server`, with a token or session if there is one. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::PlainHttp`] if it would be spoken to in the clear; [`Error::Unclear`] if the authorities are no certificates.
    pub fn new(server: Server, token: Option<Zeroizing<String>>, options: &Options) -> Result<Self, Error> {
        let agent = outgoing::agent(&server, options, REQUEST_TIME_MAX)?;
        Ok(Self { agent, server, token: token.map(Arc::new) })
    }

    /// Which server this is a client of.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The newest checkpoint, as the server has it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn checkpoint(&self) -> Result<String, Error> {
        let answer = self.get("/checkpoint", &[])?;
        String::from_utf8(self.bytes(answer)?).map_err(|_| self.unclear("with a checkpoint that is no text"))
    }

    /// A tile of hashes.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn tile(&self, tile: &Tile) -> Result<Vec<Hash>, Error> {
        let answer = self.get(&format!("/{tile}"), &[])?;
        let bytes = self.bytes(answer)?;
        decode_hashes(&bytes, tile.width()).map_err(|e| self.unclear(&format!("with a bad {tile}: {e}")))
    }

    /// A page of entries.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn entries(&self, query: &EntriesQuery) -> Result<Page, Error> {
        let answer = self.get("/v1/entries", &query.pairs())?;
        self.json(answer)
    }

    /// The entry of a statement; `None` if there is none.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn statement(&self, jti: &Jti) -> Result<Option<EntryView>, Error> {
        self.found(self.get(&format!("/v1/statements/{jti}"), &[]))
    }

    /// A stream's head; `None` if there is no such stream.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn stream(&self, id: &Id) -> Result<Option<StreamView>, Error> {
        self.found(self.get(&format!("/v1/streams/{id}"), &[]))
    }

    /// Seqs of a stream's entries, from its entry `from_n` on, at most 1000.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn stream_seqs(&self, id: &Id, from_n: u64, limit: usize) -> Result<Vec<u64>, Error> {
        let pairs = [("from_n", from_n.to_string()), ("limit", limit.to_string())];
        let answer = self.get(&format!("/v1/streams/{id}/entries"), &pairs)?;
        self.json(answer)
    }

    /// Appends statements: as one list that enters as a whole, or each for itself. When this returns, those that are
    /// answered with 201 or 200 survive power loss. To send a statement again records nothing twice.
    ///
    /// # Errors
    /// As [`Error`] says; then nothing is known of any of them.
    pub fn append(&self, statements: &[String], atomic: bool) -> Result<Vec<LineResult>, Error> {
        let mut body = statements.join("\n");
        body.push('\n');
        let pairs = [("atomic", atomic.to_string()), ("receipts", "true".to_owned())];
        let answer = self.post("/v1/statements", &pairs, "application/x-ndjson", &body)?;
        let bytes = self.bytes(answer)?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let results: Vec<LineResult> = lines.map(|line| self.parse(line)).collect::<Result<_, _>>()?;
        if results.len() != statements.len() || results.iter().enumerate().any(|(at, result)| result.line != at + 1) {
            return Err(self.unclear("not once for each statement"));
        }
        Ok(results)
    }

    /// What a login is to say.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn login_offer(&self) -> Result<LoginOffer, Error> {
        let answer = self.get("/v1/login", &[])?;
        self.json(answer)
    }

    /// Signs in with a compact JWS.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] with code `login-refused` if it does not hold; at `iss`, `wanted` says whose key it is.
    pub fn login(&self, jws: &str) -> Result<Session, Error> {
        let answer = self.post("/v1/login", &[], "application/jwt", jws)?;
        self.json(answer)
    }

    /// Ends the session.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn logout(&self) -> Result<(), Error> {
        let request = ureq::http::Request::delete(self.url("/v1/session"));
        self.run(request, SendBody::none()).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server)
    }

    fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Response<Body>, Error> {
        self.run(ureq::http::Request::get(self.url(path) + &query_text(query)), SendBody::none())
    }

    fn post(&self, path: &str, query: &[(&str, String)], kind: &str, body: &str) -> Result<Response<Body>, Error> {
        let request = ureq::http::Request::post(self.url(path) + &query_text(query)).header("content-type", kind);
        self.run(request, SendBody::from_owned_reader(std::io::Cursor::new(body.as_bytes().to_vec())))
    }

    fn run(&self, request: ureq::http::request::Builder, body: SendBody<'_>) -> Result<Response<Body>, Error> {
        let request = match &self.token {
            Some(token) => {
                let mut value = ureq::http::HeaderValue::from_str(&format!("Bearer {}", token.as_str()))
                    .map_err(|_| self.unclear("nothing, because the token holds what no token holds"))?;
                value.set_sensitive(true);
                request.header("authorization", value)
            }
            None => request,
        };
        let request = request.body(body).map_err(|_| self.unclear("nothing, because its address can't be asked"))?;
        let answer = self.agent.run(request).map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(self.problem(answer))
    }

    fn problem(&self, mut answer: Response<Body>) -> Error {
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(PROBLEM_BYTES_MAX).read_to_vec().unwrap_or_default();
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if !problem.code.is_empty() => Error::of(Problem { status, ..problem }),
            _ => self.unclear(&format!("with status {status}, and not as blotter does")),
        }
    }

    fn bytes(&self, mut answer: Response<Body>) -> Result<Vec<u8>, Error> {
        let read = answer.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_vec();
        read.map_err(|error| self.unreachable(&error))
    }

    fn json<T: DeserializeOwned>(&self, answer: Response<Body>) -> Result<T, Error> {
        self.parse(&self.bytes(answer)?)
    }

    fn parse<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Error> {
        // The cause may hold a piece of the answer, and an answer may be a session.
        serde_json::from_slice(bytes).map_err(|_| self.unclear("with JSON that is not what this client knows"))
    }

    fn found<T: DeserializeOwned>(&self, answer: Result<Response<Body>, Error>) -> Result<Option<T>, Error> {
        match answer {
            Ok(answer) => self.json(answer).map(Some),
            Err(Error::NotThere(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn unclear(&self, what: &str) -> Error {
        Error::Unclear { server: self.server.to_string(), what: what.to_owned() }
    }

    fn unreachable(&self, error: &ureq::Error) -> Error {
        Error::Unreachable { server: self.server.to_string(), cause: error.to_string() }
    }
}

fn query_text(pairs: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn client(url: &str, options: &Options) -> Result<Client, Error> {
        Client::new(url.parse().unwrap(), Some(Zeroizing::new("bls_secret".to_owned())), options)
    }

    #[test]
    fn a_token_goes_in_the_clear_only_to_this_machine_unless_the_caller_says_so() {
        let told = Options { plain_http: true, ..Options::default() };
        for (url, untold_is_fine) in
            [("https://192.0.2.1", true), ("http://127.0.0.1:1", true), ("http://192.0.2.1", false)]
        {
            let untold = client(url, &Options::default());
            assert_eq!(untold.is_ok(), untold_is_fine, "{url}");
            assert!(untold.is_ok() || matches!(untold, Err(Error::PlainHttp { .. })), "{url}");
            assert!(client(url, &told).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_token_is_in_no_debug_and_no_error() {
        let client = client("http://127.0.0.1:1", &Options::default()).unwrap();
        assert!(!format!("{client:?}").contains("secret"));
        let error = client.checkpoint().unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"));
        let session: Session =
            serde_json::from_str(r#"{"session":"bls_secret","actor":"person/a","expires":"x"}"#).unwrap();
        assert!(!format!("{session:?}").contains("secret"));
    }

    #[test]
    fn a_file_without_certificates_is_no_file_of_authorities() {
        for pem in ["", "no certificate", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            let options = Options { authorities_pem: Some(pem.as_bytes().to_vec()), ..Options::default() };
            assert!(client("https://192.0.2.1", &options).is_err(), "{pem}");
        }
    }

    #[test]
    fn a_query_is_encoded() {
        let pairs = [("stream", "incident/".to_owned()), ("since", "2026-01-01T00:00:00+01:00 &x=ü".to_owned())];
        assert_eq!(query_text(&pairs), "?stream=incident%2F&since=2026-01-01T00%3A00%3A00%2B01%3A00%20%26x%3D%C3%BC");
        assert_eq!(query_text(&[]), "");
    }
}
