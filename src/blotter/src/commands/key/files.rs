//! Key files: make one, list those that are here, show a public half, seal one anew. The ledger records nothing of it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::ed25519::{PublicKey, SecretKey};
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::key_file::{self, KeyFileError, Passphrase};
use blotter_keys::keyring::Keyring;
use clap::Args;
use serde_json::{Value, json};

use crate::context::{Context, random_bytes};
use crate::keystore::{self, Seal};
use crate::out::plain;
use crate::session::Reader;

/// Make a key: a file NAME.key, and its public half beside it
///
/// In DIR/keys if --dir is a ledger, else among your own keys (~/.config/blotter/keys). It belongs to nobody until it is
/// enrolled: `blotter key request`, or `blotter actor enrol --key`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What to call it: A-Z a-z 0-9 _ and -
    name: String,

    #[command(flatten)]
    seal: Seal,
}

/// List the keys that are here: files, and what agents hold
///
/// Where --dir is a ledger, with their owners and roles in it.
#[derive(Debug, Args)]
pub(crate) struct List {}

/// Print the public half of a key, as a JWK
#[derive(Debug, Args)]
pub(crate) struct Public {
    /// The key: its name or file, or, in an agent, its thumbprint or comment
    name: String,

    /// As PEM instead, as openssl reads it
    #[arg(long)]
    pem: bool,
}

/// Change the passphrase of a key file, give it one, or take it away
///
/// The old one is asked for, or read from --passphrase-file; the new one is asked for twice, or read from
/// --new-passphrase-file. The file is swapped in one step.
#[derive(Debug, Args)]
pub(crate) struct Reseal {
    /// The key: its name or file
    name: String,

    /// Take the passphrase away: only the file's mode 0600 then protects the key
    #[arg(long)]
    remove: bool,

    /// Read the new passphrase from the first line of this file, instead of asking
    #[arg(long, value_name = "FILE", conflicts_with = "remove")]
    new_passphrase_file: Option<PathBuf>,
}

pub(crate) fn new(context: &Context, args: &New) -> Result<()> {
    let dir = keystore::new_keys_dir(context)?;
    let (key, path) = make(context, &dir, &args.name, &args.seal)?;
    let public = *key.public();
    let json = json!({
        "name": args.name, "path": path, "thumbprint": thumbprint(&public).to_string(),
        "sealed": is_sealed(&path).unwrap_or(false),
    });
    context.out.result(&json, || {
        let sealed = if is_sealed(&path).unwrap_or(false) {
            "with a passphrase"
        } else {
            "no: whoever has the file has the key"
        };
        let pairs = context.out.pairs(&[
            ("key", args.name.clone()),
            ("file", path.display().to_string()),
            ("thumbprint", thumbprint(&public).to_string()),
            ("sealed", sealed.to_owned()),
        ]);
        format!(
            "{pairs}\n\nIt belongs to nobody yet. To be enrolled by an admin: `blotter key request {0}`.\nTo add it to \
             yourself: `blotter key add {0} --as YOUR-OTHER-KEY`.",
            args.name
        )
    });
    Ok(())
}

/// Makes a key file in `dir`.
pub(crate) fn make(context: &Context, dir: &Path, name: &str, seal: &Seal) -> Result<(SecretKey, PathBuf)> {
    if keystore::is_ledgers_own(name) {
        bail!("{name} names a key of the ledger itself; choose another name");
    }
    let path = dir.join(format!("{name}.key"));
    if path.exists() {
        bail!("{} exists already; a key file is never overwritten: choose another name", path.display());
    }
    let passphrase = seal.passphrase(context, &format!("the key {name}"))?;
    let key = keystore::create(dir, name, passphrase.as_ref())?;
    Ok((key, path))
}

/// Whether a passphrase is needed to open the file.
fn is_sealed(path: &Path) -> Result<bool> {
    match key_file::read(path, None) {
        Ok(_) => Ok(false),
        Err(KeyFileError::NeedsPassphrase { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// A key that is here, in a file or in an agent.
struct Here {
    name: String,
    place: String,
    public: Option<PublicKey>,
    sealed: Option<bool>,
    trouble: Option<String>,
    in_agent: bool,
}

pub(crate) fn list(context: &Context) -> Result<()> {
    let is_here = context.dir().join(blotter_ledger::DATABASE).is_file();
    let reader = match context.globals.server {
        // Who is not signed in yet may want to know with which key they could.
        Some(_) => Reader::open(context).map_err(|error| context.out.note(&format!("whose they are: {error:#}"))).ok(),
        None => is_here.then(|| Reader::open(context)).transpose()?,
    };
    let keyring = reader.as_ref().map(|reader| &reader.keyring);
    let keys = all_here(context);
    let json: Vec<Value> = keys.iter().map(|key| as_json(key, keyring)).collect();
    context.out.result(&Value::Array(json), || {
        if keys.is_empty() {
            return "No keys here. Make one with `blotter key new NAME`.".to_owned();
        }
        let rows = keys.iter().map(|key| {
            let (owner, roles) = whose(key.public.as_ref(), keyring);
            let roles = if roles.is_empty() { String::new() } else { format!(" ({})", roles.join(", ")) };
            vec![
                plain(&key.name),
                key.public.map_or("unknown: NAME.pub is missing".to_owned(), |public| thumbprint(&public).to_string()),
                state(key),
                owner.map(|owner| format!("{owner}{roles}")).unwrap_or_default(),
            ]
        });
        context.out.table(&["name", "thumbprint", "", "owner"], rows)
    });
    Ok(())
}

/// How a key is held, in a few words.
fn state(key: &Here) -> String {
    let mut words = Vec::new();
    match (&key.trouble, key.sealed) {
        (Some(trouble), _) => words.push(plain(trouble)),
        (None, Some(true)) => words.push("sealed".to_owned()),
        (None, Some(false)) => words.push("open".to_owned()),
        (None, None) => {}
    }
    if key.in_agent {
        words.push("in agent".to_owned());
    }
    words.join(", ")
}

fn all_here(context: &Context) -> Vec<Here> {
    let in_agents = keystore::agent_keys();
    let mut keys: Vec<Here> = Vec::new();
    for dir in keystore::key_dirs(context) {
        let Ok(files) = std::fs::read_dir(&dir) else { continue };
        let mut paths: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "key"));
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (sealed, trouble) = match is_sealed(&path) {
                Ok(sealed) => (Some(sealed), None),
                Err(error) => (None, Some(format!("{error}"))),
            };
            let public =
                keystore::public_of(&path).or_else(|| key_file::read(&path, None).ok().map(|key| *key.public()));
            let in_agent = in_agents.iter().any(|(_, held)| Some(held.public) == public);
            keys.push(Here { name, place: path.display().to_string(), public, sealed, trouble, in_agent });
        }
    }
    for (socket, held) in in_agents {
        if keys.iter().all(|key| key.public != Some(held.public)) {
            let place = format!("agent {}", socket.display());
            let public = Some(held.public);
            keys.push(Here { name: held.comment, place, public, sealed: None, trouble: None, in_agent: true });
        }
    }
    keys
}

/// Whose key it is, and what roles the owner has.
fn whose(public: Option<&PublicKey>, keyring: Option<&Keyring>) -> (Option<String>, Vec<String>) {
    let (Some(public), Some(keyring)) = (public, keyring) else { return (None, Vec::new()) };
    let ledger_keys = keyring.ledger_keys();
    if let Some(index) = ledger_keys.iter().position(|key| key.vkey.key() == public) {
        let how = if index + 1 == ledger_keys.len() { "in force" } else { "replaced" };
        return (Some(format!("the ledger's checkpoints ({how})")), Vec::new());
    }
    let Some(key) = keyring.key(&thumbprint(public)) else { return (None, Vec::new()) };
    let roles = keyring.actor(&key.actor).map(|actor| actor.roles.keys().map(|role| role.name().to_owned()).collect());
    let revoked = key.revoked_seq.map_or(String::new(), |seq| format!(" (revoked by entry {seq})"));
    (Some(format!("{}{revoked}", key.actor)), roles.unwrap_or_default())
}

fn as_json(key: &Here, keyring: Option<&Keyring>) -> Value {
    let (owner, roles) = whose(key.public.as_ref(), keyring);
    let known = key.public.and_then(|public| keyring?.key(&thumbprint(&public)));
    json!({
        "name": key.name, "where": key.place, "thumbprint": key.public.map(|public| thumbprint(&public).to_string()),
        "sealed": key.sealed, "trouble": key.trouble, "in_agent": key.in_agent,
        "owner": known.map_or(owner, |key| Some(key.actor.to_string())), "roles": roles,
        "revoked_seq": known.and_then(|key| key.revoked_seq),
    })
}

pub(crate) fn public(context: &Context, args: &Public) -> Result<()> {
    let public = keystore::public_at_hand(context, &args.name)?;
    let jwk: Value = serde_json::from_str(&print(&public)).context("a JWK is JSON")?;
    let json =
        json!({ "thumbprint": thumbprint(&public).to_string(), "jwk": jwk, "pem": key_file::print_public(&public) });
    context.out.result(&json, || if args.pem { key_file::print_public(&public) } else { print(&public) });
    Ok(())
}

pub(crate) fn reseal(context: &Context, args: &Reseal) -> Result<()> {
    let Some(path) = keystore::file_of(context, &args.name) else {
        bail!("there is no key file {:?}; `blotter key list` shows those that are here", args.name);
    };
    let old = match is_sealed(&path)? {
        true => Some(keystore::passphrase(context, &format!("Passphrase of {}: ", path.display()))?),
        false => None,
    };
    let new = if args.remove { None } else { Some(new_passphrase(context, args)?) };
    key_file::rewrite(&path, old.as_ref(), new.as_ref(), random_bytes())?;
    let sealed = new.is_some();
    context.out.result(&json!({ "path": path, "sealed": sealed }), || match sealed {
        true => format!("{} is sealed with the new passphrase.", path.display()),
        false => format!("{} has no passphrase any more; only its mode 0600 protects it.", path.display()),
    });
    Ok(())
}

fn new_passphrase(context: &Context, args: &Reseal) -> Result<Passphrase> {
    if args.new_passphrase_file.is_none() && !context.can_ask() {
        bail!("nobody is there to type the new passphrase: say --new-passphrase-file FILE, or --remove");
    }
    let seal = Seal::from_file(args.new_passphrase_file.clone());
    seal.passphrase(context, "the key")?.context("the passphrase is empty; --remove takes it away")
}
