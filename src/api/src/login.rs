//! Signing in: `GET /v1/login` gives a nonce, `POST /v1/login` takes the JWS that the person's own client built over it.
//! The server's challenge is never signed as it is; what is signed names this ledger, this URL and the time.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use blotter_keys::login::{Login, UnverifiedLogin};
use blotter_record::{ActorId, Hash, Instant, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::serve::Peer;
use crate::sessions::Session;

/// How far a login's clock may be from ours, in seconds.
pub const LOGIN_CLOCK_SECONDS_MAX: i64 = 300;
/// Logins a second of one person over time, and failures of one address; bursts of twice as many.
pub(crate) const LOGINS_PER_SECOND_MAX: f64 = 10.0;

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
))]
pub(crate) async fn offer(State(app): State<Arc<App>>) -> Json<LoginOffer> {
    let nonce = app.nonces.make(app.random(), (app.clock)());
    let url = format!("{}/v1/login", app.config.url);
    Json(LoginOffer { nonce, aud: app.keyring().audience().to_owned(), url })
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
    peer: Option<Extension<Peer>>,
    body: String,
) -> Result<(StatusCode, Json<SessionView>), Problem> {
    let take = |whose: &str| app.login_rates.take(whose, 1.0, std::time::Instant::now()).map_err(Problem::rate);
    let (login, kid) = match signed(&app, body.trim()) {
        Ok(signed) => signed,
        // Nobody is kept from signing in by what others send, be it through the same proxy: only failures are counted.
        Err(problem) => return Err(take(&origin(peer.map(|Extension(Peer(ip))| ip))).err().unwrap_or(problem)),
    };
    take(login.actor.as_str())?;
    check(&app, &login)?;
    begin(&app, login.actor, kid).map(|view| (StatusCode::CREATED, Json(view)))
}

/// What the login says and the key that signed it, if that may sign now and is the actor's own.
fn signed(app: &App, jws: &str) -> Result<(Login, Hash), Problem> {
    let unverified = UnverifiedLogin::parse(jws).map_err(|e| refuse(&e.to_string()))?;
    let (kid, now, keyring) = (unverified.kid(), app.now(), app.keyring());
    let key = keyring.key(&kid).ok_or_else(|| refuse("the key is not enrolled"))?;
    if key.revoked_seq.is_some() || key.expires.as_ref().is_some_and(|expires| *expires <= now) {
        return Err(refuse("the key is revoked or expired"));
    }
    let login = unverified.verify(&key.public).map_err(|_| refuse("the signature does not verify"))?;
    if login.actor != key.actor {
        // Whoever signed this holds the key, and may know whose it is here.
        let wrong = refuse("iss is not the owner of the key").at("iss");
        return Err(Problem { wanted: vec![key.actor.to_string()], ..wrong });
    }
    Ok((login, kid))
}

/// Whether a login that was signed holds here and now; that takes its nonce.
fn check(app: &App, login: &Login) -> Result<(), Problem> {
    let url = format!("{}/v1/login", app.config.url);
    if login.actor.kind() != "person" {
        return Err(refuse("people sign in; a service has a token"));
    }
    if login.aud != app.keyring().audience() {
        return Err(refuse("aud is another ledger"));
    }
    if login.url != url {
        return Err(refuse(&format!("url is another server's; this is {url}")));
    }
    let now_us = (app.clock)();
    if (login.iat - now_us.div_euclid(1_000_000)).abs() > LOGIN_CLOCK_SECONDS_MAX {
        return Err(refuse("iat is more than five minutes from now; check the clocks"));
    }
    if !app.nonces.redeem(&login.nonce, now_us) {
        return Err(refuse("the nonce is unknown, used or too old; ask for another"));
    }
    Ok(())
}

fn begin(app: &App, actor: ActorId, kid: Hash) -> Result<SessionView, Problem> {
    let now_us = (app.clock)();
    let expires_us = now_us + i64::try_from(app.config.session_time.as_micros()).unwrap_or(i64::MAX / 2);
    let expires = Instant::from_unix_us(expires_us).map_err(|e| Problem::new("unavailable", e.to_string()))?;
    let session = Session { actor: actor.clone(), kid, expires_us };
    let session = app.sessions.begin(session, app.random(), now_us).ok_or_else(|| Problem::rate(60_000))?;
    Ok(SessionView { session, actor: actor.to_string(), expires: expires.as_str().to_owned() })
}

fn refuse(why: &str) -> Problem {
    Problem::new("login-refused", why)
}

/// Whose failures are counted together: those of one address, or of one network of IPv6, where everybody has many.
fn origin(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        None => "-".to_owned(),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_for_itself_and_a_network_of_ipv6_as_one() {
        let origin = |ip: &str| origin(Some(ip.parse().unwrap()));
        assert_ne!(origin("192.0.2.1"), origin("192.0.2.2"));
        assert_eq!(origin("192.0.2.1"), origin("::ffff:192.0.2.1"));
        assert_eq!(origin("2001:db8::1"), origin("2001:db8:0:0:ffff::9"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
    }
}
