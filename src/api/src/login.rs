//! Signing in: `GET /v1/login` gives a nonce, `POST /v1/login` takes the JWS that the person's own client built over it.
//! The server's challenge is never signed as it is; what is signed names this ledger, this URL and the time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use blotter_keys::login::UnverifiedLogin;
use blotter_record::{Instant, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::sessions::Session;

/// How far a login's clock may be from ours, in seconds.
pub const LOGIN_CLOCK_SECONDS_MAX: i64 = 300;

/// What a login is to say.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LoginOffer {
    /// Good once, for two minutes.
    pub nonce: String,
    /// `aud` of the login: the ledger.
    pub aud: String,
    /// `url` of the login, if that is the server that the client means.
    pub url: String,
}

/// A session.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SessionView {
    /// Send it as `Authorization: Bearer …`. Shown once.
    pub session: String,
    /// Who signed in.
    pub actor: String,
    /// Until when it holds; it ends sooner if the key is revoked, or the server starts anew.
    pub expires: String,
}

/// Who one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhoAmI {
    /// The actor.
    actor: String,
    /// The token, if it is one.
    token: Option<String>,
    /// What the token is good for.
    scopes: Vec<String>,
    /// The roles that the actor holds now.
    roles: Vec<String>,
}

/// Ask for a nonce to sign in with
#[utoipa::path(get, path = "/v1/login", tag = "session", responses(
    (status = 200, description = "What the login is to say", body = LoginOffer),
    (status = 429, description = "Too many are signing in", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn offer(State(app): State<Arc<App>>) -> Result<Json<LoginOffer>, Problem> {
    app.rates.take("login", 1.0, std::time::Instant::now()).map_err(Problem::rate)?;
    let nonce = app.sessions.nonce(app.random(), (app.clock)()).ok_or_else(|| Problem::rate(1_000))?;
    let url = format!("{}/v1/login", app.config.url);
    Ok(Json(LoginOffer { nonce, aud: app.keyring().audience().to_owned(), url }))
}

/// Sign in
///
/// The body is a compact JWS: header `alg`, `kid`, `typ` = `blotter-login+jwt`; payload `iss`, `aud`, `nonce`, `url`,
/// `iat`, built by the person's own client.
#[utoipa::path(post, path = "/v1/login", tag = "session", request_body(content = String, content_type = "application/jwt"), responses(
    (status = 201, description = "Signed in", body = SessionView),
    (status = "4XX", description = "The login does not hold", body = Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    body: String,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    app.rates.take("login", 1.0, std::time::Instant::now()).map_err(Problem::rate)?;
    let refuse = |why: &str| Problem::new("login-refused", why);
    let unverified = UnverifiedLogin::parse(body.trim()).map_err(|e| refuse(&e.to_string()))?;
    let (kid, now, keyring) = (unverified.kid(), app.now(), app.keyring());
    let key = keyring.key(&kid).ok_or_else(|| refuse("the key is not enrolled"))?;
    if key.revoked_seq.is_some() || key.expires.as_ref().is_some_and(|expires| *expires <= now) {
        return Err(refuse("the key is revoked or expired"));
    }
    let login = unverified.verify(&key.public).map_err(|_| refuse("the signature does not verify"))?;
    let url = format!("{}/v1/login", app.config.url);
    if login.actor != key.actor {
        // Whoever signed this holds the key, and may know whose it is here.
        let wrong = refuse("iss is not the owner of the key").at("iss");
        return Err(Problem { wanted: vec![key.actor.to_string()], ..wrong });
    }
    if login.actor.kind() != "person" {
        return Err(refuse("people sign in; a service has a token"));
    }
    if login.aud != keyring.audience() {
        return Err(refuse("aud is another ledger"));
    }
    if login.url != url {
        return Err(refuse(&format!("url is another server's; this is {url}")));
    }
    let now_us = (app.clock)();
    if (login.iat - now_us.div_euclid(1_000_000)).abs() > LOGIN_CLOCK_SECONDS_MAX {
        return Err(refuse("iat is more than five minutes from now; check the clocks"));
    }
    if !app.sessions.redeem(&login.nonce, now_us) {
        return Err(refuse("the nonce is unknown, used or too old; ask for another"));
    }
    let expires_us = now_us + i64::try_from(app.config.session_time.as_micros()).unwrap_or(i64::MAX / 2);
    let expires = Instant::from_unix_us(expires_us).map_err(|e| Problem::new("unavailable", e.to_string()))?;
    let session = Session { actor: login.actor.clone(), kid, expires_us };
    let session = app.sessions.begin(session, app.random(), now_us).ok_or_else(|| Problem::rate(60_000))?;
    let view = SessionView { session, actor: login.actor.to_string(), expires: expires.as_str().to_owned() };
    Ok((StatusCode::CREATED, Json(view)))
}

/// Sign out
#[utoipa::path(delete, path = "/v1/session", tag = "session", responses(
    (status = 204, description = "The session is over"),
    (status = "4XX", description = "This is no session", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn logout(State(app): State<Arc<App>>, caller: Caller) -> Result<StatusCode, Problem> {
    match caller {
        Caller::Person { session, .. } => {
            app.sessions.end(&session);
            Ok(StatusCode::NO_CONTENT)
        }
        Caller::Token { .. } => Err(Problem::new("not-allowed", "a token ends by token.revoked")),
        Caller::Nobody => Err(Problem::new("not-signed-in", "there is no session")),
    }
}

/// Who one is, and may what
#[utoipa::path(get, path = "/v1/whoami", tag = "session", responses(
    (status = 200, description = "The caller", body = WhoAmI),
    (status = "4XX", description = "Nobody", body = Problem, content_type = "application/problem+json"),
), security(("token" = [])))]
pub(crate) async fn whoami(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<WhoAmI>, Problem> {
    let actor = caller.actor().ok_or_else(|| Problem::new("not-signed-in", "neither session nor token"))?;
    let (keyring, now) = (app.keyring(), app.now());
    let held = |role: &Role| keyring.holds(actor, *role, &now);
    let roles = Role::ALL.iter().filter(|role| held(role)).map(|role| role.name().to_owned()).collect();
    let (token, scopes) = match &caller {
        Caller::Token { id, scopes, .. } => (Some(id.to_string()), scopes.clone()),
        _ => (None, Vec::new()),
    };
    Ok(Json(WhoAmI { actor: actor.to_string(), token, scopes, roles }))
}
