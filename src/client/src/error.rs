//! What a caller can do when the server does not do what was asked. The server's own words (RFC 9457) are kept.

use serde::Deserialize;

/// Problem details (RFC 9457), as blotter's API sends them. The code is the contract, the words are not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// A stable code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// What the code means.
    pub title: String,
    /// What is wrong this time.
    pub detail: String,
    /// Where: a claim, a member, a parameter, a line.
    pub at: Option<String>,
    /// With `jti-taken`: the entry that has the id.
    pub seq: Option<u64>,
    /// Who may, or who it is.
    pub wanted: Vec<String>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = if self.detail.is_empty() { &self.title } else { &self.detail };
        write!(f, "{text} [{}]", self.code)
    }
}

/// Why something could not be had or done. Nothing in it is secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The ledger did not take the statement; nothing was recorded.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// Neither session nor token, or one that is over: sign in.
    #[error("not signed in (`blotter login` does that): {0}")]
    NotSignedIn(Box<Problem>),
    /// This is not for the caller, or a login does not hold.
    #[error("not allowed: {0}")]
    NotAllowed(Box<Problem>),
    /// There is no such thing, or not any more.
    #[error("{0}")]
    NotThere(Box<Problem>),
    /// Too much at once: try again later.
    #[error("the server is busy ({problem}); try again in {retry_after_ms} ms")]
    Busy {
        /// After so long.
        retry_after_ms: u64,
        /// Its words.
        problem: Box<Problem>,
    },
    /// The server can't do this now: its operator can help.
    #[error("the server can't do this now: {0}")]
    Unavailable(Box<Problem>),
    /// No answer. A statement that was sent may have been recorded: to send it again is safe.
    #[error("{server} can't be reached: {cause}")]
    Unreachable {
        /// Its address.
        server: String,
        /// What the system said.
        cause: String,
    },
    /// An answer that this client does not understand: another version, or not blotter.
    #[error("{server} answered {what}")]
    Unclear {
        /// Its address.
        server: String,
        /// What was wrong with the answer.
        what: String,
    },
    /// The token or session would have gone over the network in the clear; nothing was sent.
    #[error("{server}: plain HTTP shows token and data on the way; use https://, or say --plain-http-server")]
    PlainHttp {
        /// Its address.
        server: String,
    },
}

impl Error {
    /// The error of an answer's problem.
    pub(crate) fn of(problem: Problem) -> Self {
        let (status, retry_after_ms) = (problem.status, problem.retry_after_ms);
        let problem = Box::new(problem);
        match (status, problem.code.as_str()) {
            (401, "login-refused") | (403, "not-allowed" | "restricted") => Self::NotAllowed(problem),
            (401, _) => Self::NotSignedIn(problem),
            (404 | 410, _) => Self::NotThere(problem),
            (429, _) => Self::Busy { retry_after_ms: retry_after_ms.unwrap_or(1_000), problem },
            (400..500, _) => Self::Refused(problem),
            _ => Self::Unavailable(problem),
        }
    }

    /// The server's words, if it had any.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Refused(problem)
            | Self::NotSignedIn(problem)
            | Self::NotAllowed(problem)
            | Self::NotThere(problem)
            | Self::Busy { problem, .. }
            | Self::Unavailable(problem) => Some(problem),
            Self::Unreachable { .. } | Self::Unclear { .. } | Self::PlainHttp { .. } => None,
        }
    }
}
