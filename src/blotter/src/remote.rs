//! A ledger that is somewhere else: which server, with which token or session, and what is known of the ledger there. The
//! files are the user's own, in `--state-dir`, named by server: `NAME.ledger` says which ledger it was found to be, and
//! `NAME.session`, with mode 0600, holds the session of `blotter login`. No secret is ever printed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use blotter_client::{Client, Error, LineResult, Options, Problem, RemoteStore, Server};
use blotter_keys::keyring::Keyring;
use blotter_keys::tlog_proof::TlogProof;
use blotter_ledger::Appended;
use blotter_record::{Entry, Hash, Json};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::files::{self, Mode};

/// A token's file is not longer, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;
/// How often something is tried that the server is too busy for, or does not answer.
const TRIES_MAX: u32 = 4;
/// What is waited before another try, at most.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The store on the server of `--server`, if there is one.
pub(crate) fn store(context: &Context) -> Result<Option<RemoteStore>> {
    let Some(server) = &context.globals.server else { return Ok(None) };
    let token = match &context.globals.token_file {
        Some(path) => Some(token_in(path)?),
        None => session(context, server)?,
    };
    Ok(Some(RemoteStore::new(client(context, server, token)?)))
}

/// A client of this server.
pub(crate) fn client(context: &Context, server: &Server, token: Option<Zeroizing<String>>) -> Result<Client> {
    Ok(Client::new(server.clone(), token, &options(context)?)?)
}

/// How the server is reached.
pub(crate) fn options(context: &Context) -> Result<Options> {
    let read = |path: &PathBuf| std::fs::read(path).with_context(|| format!("--server-ca {}", path.display()));
    let authorities_pem = context.globals.server_ca.as_ref().map(read).transpose()?;
    Ok(Options { plain_http: context.globals.plain_http, authorities_pem })
}

fn token_in(path: &PathBuf) -> Result<Zeroizing<String>> {
    let named = || format!("the token file {}", path.display());
    if std::fs::metadata(path).with_context(named)?.len() > TOKEN_FILE_BYTES_MAX {
        bail!("{}: too long for a token", named());
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).with_context(named)?);
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("{}: no token is in its first line", named());
    }
    Ok(Zeroizing::new(token.to_owned()))
}

/// A file of this user's about this server.
fn file(context: &Context, server: &Server, extension: &str) -> Result<PathBuf> {
    // Two servers of one name would share files; the URL stands in them, too, and is compared.
    let name: String =
        server.as_str().chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    Ok(context.state_dir()?.join("servers").join(format!("{name}.{extension}")))
}

fn read_file(context: &Context, server: &Server, extension: &str) -> Result<Option<Json>> {
    let path = file(context, server, extension)?;
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e).with_context(|| path.display().to_string()),
    };
    let json = Json::parse(&bytes).with_context(|| path.display().to_string())?;
    Ok((member(&json, "server") == Some(server.as_str())).then_some(json))
}

fn write_file(context: &Context, server: &Server, extension: &str, members: &[(&str, &str)]) -> Result<()> {
    let path = file(context, server, extension)?;
    let parent = path.parent().context("a file of the state directory has a parent")?;
    std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    let all = std::iter::once(("server", server.as_str())).chain(members.iter().copied());
    let json = Json::Object(all.map(|(name, value)| (name.to_owned(), value.into())).collect());
    files::write(&path, json.to_text().as_bytes(), Mode::Private)
}

fn member<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    let Json::Object(members) = json else { return None };
    members.iter().find(|(other, _)| other == name).and_then(|(_, value)| value.as_text())
}

/// The session that is kept for this server, if there is one.
pub(crate) fn session(context: &Context, server: &Server) -> Result<Option<Zeroizing<String>>> {
    let kept = read_file(context, server, "session")?;
    Ok(kept.as_ref().and_then(|json| member(json, "session")).map(|text| Zeroizing::new(text.to_owned())))
}

/// Keeps a session.
pub(crate) fn keep_session(context: &Context, server: &Server, session: &blotter_client::Session) -> Result<()> {
    let members = [
        ("session", session.session.as_str()),
        ("actor", session.actor.as_str()),
        ("expires", session.expires.as_str()),
    ];
    write_file(context, server, "session", &members)
}

/// Forgets the session; says whether there was one.
pub(crate) fn forget_session(context: &Context, server: &Server) -> Result<bool> {
    let path = file(context, server, "session")?;
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e).with_context(|| path.display().to_string()),
    }
}

/// What is known of the ledger at this server: `aud` of its statements, and which actor signed in with which key.
pub(crate) struct Known {
    pub(crate) audience: String,
    /// Actor and thumbprint of the last login.
    pub(crate) login: Option<(String, String)>,
}

/// What this user found at this server before.
pub(crate) fn known(context: &Context, server: &Server) -> Result<Option<Known>> {
    let Some(json) = read_file(context, server, "ledger")? else { return Ok(None) };
    let text = |name: &str| member(&json, name).map(str::to_owned);
    Ok(text("aud").map(|audience| Known { audience, login: text("actor").zip(text("kid")) }))
}

/// Keeps which ledger this server has.
pub(crate) fn keep_known(context: &Context, server: &Server, known: &Known) -> Result<()> {
    let mut members = vec![("aud", known.audience.as_str())];
    if let Some((actor, kid)) = &known.login {
        members.extend([("actor", actor.as_str()), ("kid", kid.as_str())]);
    }
    write_file(context, server, "ledger", &members)
}

/// Whether this is the ledger that was at this server before; the first time, it is noted.
pub(crate) fn check_known(context: &Context, server: &Server, keyring: &Keyring) -> Result<()> {
    match known(context, server)? {
        Some(known) if known.audience == keyring.audience() => Ok(()),
        Some(known) => bail!(
            "{server} has another ledger than before: {}, and it was {}; nothing of it is believed. If there is a good \
             reason, remove {}",
            keyring.audience(),
            known.audience,
            file(context, server, "ledger")?.display()
        ),
        None => keep_known(context, server, &Known { audience: keyring.audience().to_owned(), login: None }),
    }
}

/// Sends statements: as one list that enters as a whole, or each for itself. What the server is too busy for, or does not
/// answer, is tried again: a statement is recorded once, however often it is sent.
///
/// # Errors
/// If it can't be reached, or does not understand.
pub(crate) fn send(store: &RemoteStore, statements: &[String], atomic: bool) -> Result<Vec<LineResult>, Error> {
    let mut tries = 0;
    loop {
        tries += 1;
        let wait = match store.client().append(statements, atomic) {
            Err(Error::Busy { retry_after_ms, .. }) if tries < TRIES_MAX => Duration::from_millis(retry_after_ms),
            Err(Error::Unreachable { .. }) if tries < TRIES_MAX => Duration::from_millis(250 << tries),
            answered => return answered,
        };
        std::thread::sleep(wait.min(WAIT_MAX));
    }
}

/// What became of a statement, believed only with a receipt that proves it under the ledger's keys.
///
/// # Errors
/// The problem, if it was not recorded; that the receipt does not hold.
pub(crate) fn recorded(
    keyring: &Keyring,
    statement: &str,
    result: LineResult,
) -> Result<(Appended, Json), NotRecorded> {
    if let Some(problem) = result.problem {
        return Err(NotRecorded::Refused(Box::new(problem)));
    }
    let repeated = result.status == 200;
    let seq = result.seq.unwrap_or(0);
    let lies = |why: String| {
        let what = format!("the server says that the statement was recorded, and does not prove it: {why}");
        NotRecorded::Unproven { seq, what }
    };
    let receipt = result.receipt.ok_or_else(|| lies("there is no receipt".to_owned()))?;
    let proof = TlogProof::parse(receipt.proof.as_bytes()).map_err(|e| lies(e.to_string()))?;
    let size = proof.checkpoint().map_err(|e| lies(e.to_string()))?.claimed_size();
    let keys: Vec<_> = keyring.checkpoint_keys(size).into_iter().cloned().collect();
    let leaf = Hash::of_leaf(receipt.entry.as_bytes());
    let checkpoint = proof.verify(&leaf, keyring.origin().as_str(), &keys).map_err(|e| lies(e.to_string()))?;
    let entry = Entry::parse(receipt.entry.as_bytes()).map_err(|e| lies(e.to_string()))?;
    let jws = statement.split('~').next().unwrap_or_default();
    if entry.statement != jws || entry.seq != proof.index() || Some(entry.seq) != result.seq {
        return Err(lies("the receipt is of another entry".to_owned()));
    }
    let json = blotter_ledger::read::Receipt { entry: receipt.entry, seq: entry.seq, proof: receipt.proof }.to_json();
    Ok((Appended { seq: entry.seq, repeated, size: checkpoint.size(), recorded: None }, json))
}

/// Why a statement counts as not recorded.
#[derive(Debug)]
pub(crate) enum NotRecorded {
    Refused(Box<Problem>),
    Unproven { seq: u64, what: String },
}

impl From<NotRecorded> for anyhow::Error {
    fn from(why: NotRecorded) -> Self {
        match why {
            NotRecorded::Refused(problem) => Error::Refused(problem).into(),
            NotRecorded::Unproven { seq, what } => blotter_ledger::Error::Corrupt { seq, what }.into(),
        }
    }
}
