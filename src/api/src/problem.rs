//! What goes wrong, for machines and for people: problem details (RFC 9457) with a stable code. The code is the contract,
//! the words are not. Nothing in a problem is secret; a cause that is the server's own goes to its log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use blotter_keys::judge::Refusal;
use blotter_ledger::Error;
use serde::Serialize;
use utoipa::ToSchema;

/// Problem details (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `/problems#<code>`: what the code means.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's meaning in a few words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// A stable code.
    pub code: &'static str,
    /// What is wrong this time.
    pub detail: String,
    /// Where it is wrong: a claim, a member, a parameter, a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// With `jti-taken`: the entry that has the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// With `role-missing`: who may say this. With `login-refused` at `iss`: whose key it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<String>,
    /// With `seen-stale`: the stream as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Box<StreamNow>>,
    /// When to try again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A stream that went on since the signer looked: what to look at before deciding again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StreamNow {
    /// The stream.
    pub stream: String,
    /// Number of its last entry, in it.
    pub n: u64,
    /// Leaf hash of its last entry.
    pub leaf: String,
    /// Size of the log.
    pub size: u64,
    /// Seqs of the stream's entries behind what the signer had seen, oldest first, at most 100.
    pub between: Vec<u64>,
}

/// All codes: code, status, title.
pub const CODES: &[(&str, u16, &str)] = &[
    ("malformed", 422, "Not what this takes"),
    ("bad-parameter", 400, "A parameter is wrong"),
    ("bad-request", 400, "Not a request that this understands"),
    ("media-type", 415, "A media type that this does not take"),
    ("too-large", 413, "Larger than the limit"),
    ("timeout", 408, "The request took too long to arrive"),
    ("not-found", 404, "Not there"),
    ("method", 405, "Not with this method"),
    ("not-signed-in", 401, "Neither session nor token"),
    ("not-allowed", 403, "Session or token is not for this"),
    ("restricted", 403, "An incident that only those named may read"),
    ("login-refused", 401, "The login does not hold"),
    ("wrong-ledger", 422, "The statement is for another ledger"),
    ("jti-taken", 409, "Another statement has this id"),
    ("key-not-usable", 403, "The key may not sign this now"),
    ("bad-signature", 403, "The signature does not verify"),
    ("iat-in-future", 422, "Signed in the future"),
    ("seen-missing", 422, "seen is missing"),
    ("seen-wrong", 422, "seen does not describe this log"),
    ("seen-stale", 409, "Somebody decided something since"),
    ("role-missing", 403, "The actor has no role for this"),
    ("rule", 422, "A rule of the event forbids it"),
    ("case-differs", 422, "An id differs from another only in case"),
    ("unknown-event", 422, "Not in the rules in force"),
    ("gate-unmet", 409, "The process does not allow this yet"),
    ("list-refused", 424, "Another statement of the list was refused"),
    ("busy", 429, "Too much is waiting"),
    ("rate", 429, "Too many requests"),
    ("expunged", 410, "The entry was expunged by order"),
    ("shut", 503, "The writer is shut after a failed commit"),
    ("damaged", 503, "What is stored is not what was signed"),
    ("unavailable", 503, "The server can't do this now"),
];

impl Problem {
    /// A problem of a code in [`CODES`].
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let known = CODES.iter().find(|(other, ..)| *other == code);
        let (_, status, title) = *known.expect("problems are made with codes of the list");
        Self {
            kind: format!("/problems#{code}"),
            title,
            status,
            code,
            detail: detail.into(),
            at: None,
            seq: None,
            wanted: Vec::new(),
            now: None,
            retry_after_ms: None,
        }
    }

    /// The same, saying where.
    pub fn at(mut self, at: impl Into<String>) -> Self {
        self.at = Some(at.into());
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// Too many requests of one token or person.
    pub(crate) fn rate(wait_ms: u64) -> Self {
        Self::new("rate", format!("more requests than one token may make; try again in {wait_ms} ms"))
            .retry_after(wait_ms)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Malformed(error) => Self::new("malformed", error.to_string()).at(error.at),
            Error::Refused(refusal) => refusal.into(),
            Error::ListRefused { index, ref why } => {
                Self::new("list-refused", format!("statement {index} of the list was refused: {why}"))
            }
            Error::Busy { retry_after_ms, .. } => Self::new("busy", error.to_string()).retry_after(retry_after_ms),
            Error::Poisoned { .. } => {
                Self::new("shut", "the last commit failed; the operator must open the ledger again")
            }
            Error::Corrupt { seq, .. } => {
                tracing::error!(%error, "the ledger is damaged");
                Self::new("damaged", format!("entry {seq} is not what was signed; the operator runs `blotter verify`"))
            }
            other => {
                tracing::error!(error = %other, "a request could not be served");
                Self::new("unavailable", "the server's own fault; its log says why")
            }
        }
    }
}

impl From<blotter_ledger::StoreError> for Problem {
    fn from(error: blotter_ledger::StoreError) -> Self {
        Error::from(error).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = Self::new(refusal.code(), refusal.to_string());
        match refusal {
            Refusal::JtiTaken { seq, .. } => Self { seq: Some(seq), ..problem.at("jti") },
            Refusal::Role { wanted, .. } => Self { wanted, ..problem.at("event") },
            Refusal::Rule { at, .. } => problem.at(at),
            Refusal::Audience { .. } => problem.at("aud"),
            Refusal::Key(_) | Refusal::Signature { .. } => problem.at("kid"),
            Refusal::Future { .. } => problem.at("iat"),
            Refusal::SeenMissing { .. } | Refusal::SeenWrong(_) | Refusal::Stale { .. } => problem.at("seen"),
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code);
        let retry_after = self.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1));
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"blotter\""));
        }
        response.extensions_mut().insert(Code(code));
        response
    }
}

/// The code of a refused request, for the log and the metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_there_once_and_is_a_client_or_server_error() {
        for (index, (code, status, title)) in CODES.iter().enumerate() {
            assert!(CODES[..index].iter().all(|(other, ..)| other != code), "{code} twice");
            assert!((400..600).contains(status) && !title.is_empty(), "{code}");
        }
    }
}
