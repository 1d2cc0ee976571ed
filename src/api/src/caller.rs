//! Who calls, and what they may read. Writes need no caller: a signed statement says by itself whose it is.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use blotter_ledger::Read;
use blotter_record::{ActorId, Id, Role, is_trust_stream};

use crate::app::App;
use crate::problem::Problem;
use crate::sessions::SESSION_PREFIX;
use crate::shown::Shown;
use crate::tokens::{TOKEN_PREFIX, id_in, is_token};

/// Roles that read everything that is not restricted. An admin reads what keyring and ledger say, and no incident.
const READERS: [Role; 11] = [
    Role::Ciso,
    Role::SecopsManager,
    Role::SocAnalyst,
    Role::GrcLead,
    Role::ItOpsLead,
    Role::Legal,
    Role::Dpo,
    Role::Custodian,
    Role::ServiceOwner,
    Role::Auditor,
    Role::Service,
];

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Neither session nor token.
    Nobody,
    /// Somebody with a token.
    Token {
        /// Its id.
        id: Id,
        /// For whom it was issued.
        actor: ActorId,
        /// What it is good for.
        scopes: Vec<String>,
    },
    /// Somebody who signed in.
    Person {
        /// Who.
        actor: ActorId,
        /// What ends with a logout.
        session: String,
    },
}

/// What a caller may read, apart from restrictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// The streams of actors, ledger and policies.
    Trust,
    /// Everything.
    All,
}

impl Caller {
    /// Who, for the log; nothing secret.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Nobody => "-".to_owned(),
            Self::Token { id, .. } => id.to_string(),
            Self::Person { actor, .. } => actor.to_string(),
        }
    }

    /// The actor, if somebody calls.
    pub(crate) fn actor(&self) -> Option<&ActorId> {
        match self {
            Self::Nobody => None,
            Self::Token { actor, .. } | Self::Person { actor, .. } => Some(actor),
        }
    }

    /// Whether it is a token with this scope.
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        matches!(self, Self::Token { scopes, .. } if scopes.iter().any(|other| other == scope))
    }

    /// What the caller may read.
    pub(crate) fn reads(&self, app: &App) -> Result<Reads, Problem> {
        let holds = |actor: &ActorId, role| app.keyring().holds(actor, role, &app.now());
        match self {
            Self::Nobody => {
                Err(Problem::new("not-signed-in", "reading needs a session, or a token with the scope read"))
            }
            Self::Token { .. } if self.has_scope("read") || self.has_scope("audit") => Ok(Reads::All),
            Self::Token { .. } => Err(Problem::new("not-allowed", "this token has neither the scope read nor audit")),
            Self::Person { actor, .. } if READERS.iter().any(|role| holds(actor, *role)) => Ok(Reads::All),
            Self::Person { actor, .. } if holds(actor, Role::Admin) || app.keyring().founder() == actor => {
                Ok(Reads::Trust)
            }
            Self::Person { actor, .. } => Err(Problem::new("not-allowed", format!("{actor} has no role"))),
        }
    }

    /// Whether the caller may have all entries' bytes at once, as auditors do: the scope audit, or a role that audits.
    pub(crate) fn audits(&self, app: &App) -> Result<&ActorId, Problem> {
        let auditor =
            |actor| [Role::Auditor, Role::GrcLead].iter().any(|role| app.keyring().holds(actor, *role, &app.now()));
        match self {
            Self::Nobody => Err(Problem::new(
                "not-signed-in",
                "entry bundles need a token with the scope audit, or the session of an auditor",
            )),
            Self::Token { actor, .. } if self.has_scope("audit") => Ok(actor),
            Self::Person { actor, .. } if auditor(actor) => Ok(actor),
            _ => Err(Problem::new(
                "not-allowed",
                "entry bundles are for auditors, GRC leads, and tokens with the scope audit",
            )),
        }
    }

    /// Whether the caller, who may read so much, may read what stands in these streams; else why not.
    pub(crate) fn sees<'a>(
        &self,
        reads: Reads,
        shown: &Shown,
        streams: impl Iterator<Item = &'a Id> + Clone,
    ) -> Result<(), Problem> {
        let Some(actor) = self.actor() else { return Err(Problem::new("not-signed-in", "nobody calls")) };
        if reads == Reads::Trust && !streams.clone().all(is_trust_stream) {
            return Err(Problem::new(
                "not-allowed",
                "an admin reads what concerns actors, the ledger and policies, and no incident",
            ));
        }
        if !shown.may_read(actor, streams) {
            return Err(Problem::new("restricted", "only those named in incident.restricted may read this"));
        }
        Ok(())
    }

    /// Whether the token or session still holds, for what takes long.
    pub(crate) fn check_again(&self, app: &App) -> Result<(), Problem> {
        let holds = match self {
            Self::Nobody => true,
            Self::Token { id, .. } => {
                app.keyring().token(id).is_some_and(|token| !token.revoked && app.now() < token.expires)
            }
            Self::Person { session, .. } => by_session(app, session).is_some(),
        };
        holds.then_some(()).ok_or_else(|| Problem::new("not-signed-in", "the token or session is over"))
    }

    /// The caller of a token's or session's text.
    pub(crate) fn find(app: &App, text: &str) -> Result<Self, Problem> {
        let caller = if text.starts_with(TOKEN_PREFIX) {
            app.read_here(|app, store| by_token(app, store, text))?
        } else if text.starts_with(SESSION_PREFIX) {
            by_session(app, text)
        } else {
            None
        };
        let caller = caller
            .ok_or_else(|| Problem::new("not-signed-in", "this token or session is unknown, expired or revoked"))?;
        app.rates.take(&caller.name(), 1.0, std::time::Instant::now()).map_err(Problem::rate)?;
        Ok(caller)
    }
}

fn by_token(app: &App, store: &dyn Read, text: &str) -> Result<Option<Caller>, Problem> {
    let keyring = app.keyring();
    let Some((id, token)) = id_in(text).and_then(|id| keyring.token(&id).map(|token| (id, token))) else {
        return Ok(None);
    };
    let good = is_token(text, token.issued_seq, store)? && !token.revoked && app.now() < token.expires;
    Ok(good.then(|| Caller::Token { id, actor: token.actor.clone(), scopes: token.scopes.clone() }))
}

/// A session ends with the key that began it.
fn by_session(app: &App, text: &str) -> Option<Caller> {
    let session = app.sessions.find(text, (app.clock)())?;
    let keyring = app.keyring();
    let key = keyring.key(&session.kid)?;
    let expired = key.expires.as_ref().is_some_and(|expires| *expires <= app.now());
    let good = key.revoked_seq.is_none() && !expired;
    good.then(|| Caller::Person { actor: session.actor, session: text.to_owned() })
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Self::Nobody) };
        let text = header.to_str().ok().and_then(|header| header.split_once(' '));
        let text = text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, text)| text.trim());
        let text = text.ok_or_else(|| Problem::new("not-signed-in", "Authorization must be `Bearer <token>`"))?;
        let caller = Self::find(app, text)?;
        if let Some(name) = parts.extensions.get::<CallerName>() {
            let _ = name.0.set(caller.name());
        }
        Ok(caller)
    }
}

/// Who called, for the log; filled in by whoever finds out.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerName(pub(crate) Arc<OnceLock<String>>);
