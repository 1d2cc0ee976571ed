//! `blotter login` and `blotter logout`: a session with a server. What is signed is built here, from what the person said
//! and what is known of the ledger; of what the server says, only the nonce gets in.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use blotter_client::{Client, Error, LoginOffer, RemoteStore, Server, Session};
use blotter_keys::jwk::thumbprint;
use blotter_keys::login::Login as SignedLogin;
use blotter_keys::signer::{Signer, assemble};
use blotter_record::ActorId;
use clap::Args;
use serde_json::json;
use zeroize::Zeroizing;

use super::key::request::read_anchor;
use crate::context::{Context, now_us};
use crate::keystore;
use crate::remote::{self, Known};
use crate::session::Reader;

/// Who signs in as long as they don't know who they are there; the server then says whose the key is.
const NOBODY_YET: &str = "person/unknown";

/// Sign in to a server
///
/// Signs, with the key of --as, that you sign in to this ledger at this server now, and keeps the session that the server
/// gives, for later commands with the same --server. The first time, the server's ledger is held against --anchor; without
/// one, you are asked.
///
/// Example: blotter login --server https://ledger.example.org --as ana --anchor anchor.json
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The anchor of the ledger that should be there
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,

    /// Who you are there, such as person/k3…; without it, whoever the key belongs to
    #[arg(long, value_name = "ACTOR")]
    actor: Option<ActorId>,
}

/// Sign out from a server: the session is over, there and here
#[derive(Debug, Args)]
pub(crate) struct Logout {}

pub(crate) fn login(context: &Context, args: &Login) -> Result<()> {
    let server = server(context)?;
    let client = remote::client(context, server, None)?;
    let offer = client.login_offer()?;
    check_place(server, &offer)?;
    check_ledger(context, args, server, &offer)?;
    let signer = keystore::signer(context, None)?;
    let session = sign_in(context, args, &client, &signer, offer)?;
    let token = Some(Zeroizing::new(session.session.clone()));
    let signed_in = remote::client(context, server, token)?;
    if let Err(error) = check_self(context, &signed_in, &session, &signer) {
        let _ = signed_in.logout();
        return Err(error);
    }
    remote::keep_session(context, server, &session)?;
    let json = json!({ "server": server.as_str(), "actor": session.actor, "expires": session.expires });
    context.out.result(&json, || {
        format!("Signed in to {server} as {}, until {} or `blotter logout`.", session.actor, session.expires)
    });
    Ok(())
}

pub(crate) fn logout(context: &Context) -> Result<()> {
    let server = server(context)?;
    let token = remote::session(context, server)?;
    let ended = token.map(|token| remote::client(context, server, Some(token))?.logout().map_err(anyhow::Error::from));
    let kept = remote::forget_session(context, server)?;
    match ended {
        // It was over already.
        Some(Err(error)) if !matches!(error.downcast_ref(), Some(Error::NotSignedIn(_))) => {
            return Err(error).context("the session is forgotten here, but the server still takes it");
        }
        _ => {}
    }
    context.out.result(&json!({ "server": server.as_str(), "was_signed_in": kept }), || {
        if kept { format!("Signed out from {server}.") } else { format!("You were not signed in to {server}.") }
    });
    Ok(())
}

fn server(context: &Context) -> Result<&Server> {
    context.globals.server.as_ref().context("which server? say --server URL, or set BLOTTER_SERVER")
}

/// A login for another server's URL could be taken there.
fn check_place(server: &Server, offer: &LoginOffer) -> Result<()> {
    let own = login_url(server);
    if offer.url == own {
        return Ok(());
    }
    let there = offer.url.trim_end_matches("/v1/login");
    bail!(
        "{server} says that people reach it at {there}; nothing was signed. If that is the server you mean, say --server \
         {there}; if not, its operator should look at `blotter serve --url`"
    )
}

fn login_url(server: &Server) -> String {
    format!("{server}/v1/login")
}

/// Whether this is the ledger that the person means: by an anchor, by what was found there before, or because they say so.
fn check_ledger(context: &Context, args: &Login, server: &Server, offer: &LoginOffer) -> Result<()> {
    let wrong = |expected: &str| format!("{server} says that it has the ledger {}, not {expected}", offer.aud);
    if let Some(path) = &args.anchor {
        let anchor = read_anchor(path)?;
        let audience = format!("{}#{}", anchor.origin, anchor.genesis);
        if audience != offer.aud {
            bail!("{}, as {} has it; nothing was signed", wrong(&audience), path.display());
        }
        return Ok(());
    }
    if let Some(known) = remote::known(context, server)? {
        if known.audience != offer.aud {
            bail!("{}, as before; nothing was signed", wrong(&known.audience));
        }
        return Ok(());
    }
    let genesis = offer.aud.rsplit_once('#').map_or("", |(_, genesis)| genesis);
    let is_hash = genesis.parse::<blotter_record::Hash>().is_ok();
    if is_hash && context.state_dir()?.join(format!("{genesis}.kept")).is_file() {
        return Ok(());
    }
    let question = format!("{server} says that it has the ledger {}. Is that the one you mean?", offer.aud);
    if !context.confirm(&question)? {
        bail!("nothing was signed");
    }
    Ok(())
}

/// Signs and sends the login; if the key turns out to be somebody else's, once more as them.
fn sign_in(context: &Context, args: &Login, client: &Client, signer: &Signer, offer: LoginOffer) -> Result<Session> {
    let kid = thumbprint(signer.public());
    let known = remote::known(context, client.server())?.and_then(|known| known.login);
    let remembered = known.filter(|(_, key)| *key == kid.to_string()).and_then(|(actor, _)| actor.parse().ok());
    let as_whom = args.actor.clone().or(remembered);
    let is_guess = as_whom.is_none();
    let as_whom = as_whom.unwrap_or_else(|| NOBODY_YET.parse().expect("an actor's id"));
    let login = SignedLogin {
        actor: as_whom,
        aud: offer.aud,
        nonce: offer.nonce,
        url: login_url(client.server()),
        iat: now_us() / 1_000_000,
    };
    let send = |login: &SignedLogin| -> Result<Result<Session, Error>> {
        let input = login.signing_input(&kid)?;
        Ok(client.login(&assemble(&input, &signer.sign(&input)?)))
    };
    let error = match send(&login)? {
        Ok(session) => return Ok(session),
        Err(error) => error,
    };
    let owner = error.problem().filter(|problem| is_guess && problem.at.as_deref() == Some("iss"));
    let owner: Option<ActorId> = owner.and_then(|problem| problem.wanted.first()?.parse().ok());
    let Some(owner) = owner else { return Err(error.into()) };
    let again = client.login_offer()?;
    if again.aud != login.aud {
        bail!("{} changed which ledger it has meanwhile; nothing more was signed", client.server());
    }
    Ok(send(&SignedLogin { actor: owner, nonce: again.nonce, iat: now_us() / 1_000_000, ..login })??)
}

/// Whether the ledger, read with the session and verified here, says that the key is whose the server says it is. Then
/// that is kept for the next time. Who has no role yet may read nothing, and is told so.
fn check_self(context: &Context, client: &Client, session: &Session, signer: &Signer) -> Result<()> {
    let reader = Reader::open_remote(context, RemoteStore::new(client.clone()))?;
    let kid = thumbprint(signer.public());
    let owner = reader.keyring.key(&kid).map(|key| key.actor.to_string());
    if owner.as_ref() != Some(&session.actor) {
        bail!("the ledger does not say that the key {kid} is {}'s; the session was ended", session.actor);
    }
    let audience = reader.keyring.audience().to_owned();
    let login = Some((session.actor.clone(), kid.to_string()));
    remote::keep_known(context, client.server(), &Known { audience, login })
}
