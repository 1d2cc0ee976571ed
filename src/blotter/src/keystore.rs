//! Finding the key that signs: a key file by name or path, or a key in an agent (`blotter unlock`, or ssh-agent).
//! Beside each key file stands its public half (`NAME.pub`), so that a key in an agent is found without a passphrase.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use blotter_keys::ed25519::{PublicKey, SecretKey};
use blotter_keys::jwk::thumbprint;
use blotter_keys::key_file::{self, KeyFileError, Passphrase};
use blotter_keys::keyring::Keyring;
use blotter_keys::signer::Signer;
use blotter_keys::ssh_agent;
use blotter_record::ActorId;

use crate::context::{Context, random_bytes, user_dir};

/// The ledger's keys, by the names of their files.
pub(crate) const CHECKPOINT_KEY: &str = "checkpoint";
/// The ledger's own actor.
pub(crate) const LEDGER_KEY: &str = "ledger";
/// Signs webhooks.
pub(crate) const WEBHOOK_KEY: &str = "webhook";
/// The notary.
pub(crate) const NOTARY_KEY: &str = "notary";
/// The checkpoint key to be, while a rotation is under way.
pub(crate) const CHECKPOINT_NEXT_KEY: &str = "checkpoint-next";

/// Whether a file of that name holds a key of the ledger's, not of a person or service.
pub(crate) fn is_ledgers_own(name: &str) -> bool {
    name == LEDGER_KEY || name == NOTARY_KEY || name == CHECKPOINT_KEY || name.starts_with("checkpoint-")
}

/// How long an agent may take: somebody may have to touch a token.
const AGENT_WAIT: Duration = Duration::from_secs(60);

/// Where `blotter unlock` listens: a private directory of this user.
pub(crate) fn agent_dir() -> Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    match runtime {
        Some(dir) => Ok(dir.join("blotter")),
        None => Ok(user_dir("XDG_STATE_HOME", ".local/state").context("set HOME or XDG_RUNTIME_DIR")?.join("agent")),
    }
}

/// The sockets of agents that may hold the key: our own first, then ssh-agent.
fn agent_sockets() -> Vec<PathBuf> {
    let own = agent_dir().ok().map(|dir| dir.join(blotter_keys::agent::SOCKET_NAME)).filter(|path| path.exists());
    let ssh = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from).filter(|path| path.exists());
    own.into_iter().chain(ssh).collect()
}

/// Directories in which key files are looked for: the ledger's own, then the user's.
pub(crate) fn key_dirs(context: &Context) -> Vec<PathBuf> {
    let user = user_dir("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("keys"));
    std::iter::once(context.keys_dir()).chain(user).collect()
}

/// The files of people's and services' keys, by name.
pub(crate) fn named_keys(context: &Context) -> Vec<(String, PathBuf)> {
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for dir in key_dirs(context) {
        let Ok(files) = std::fs::read_dir(&dir) else { continue };
        for path in files.filter_map(|file| Some(file.ok()?.path())) {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_key = path.extension().is_some_and(|extension| extension == "key");
            if is_key && !is_ledgers_own(&name) && !found.iter().any(|(other, _)| *other == name) {
                found.push((name, path));
            }
        }
    }
    found.sort();
    found
}

/// The key of `--as`; without it, the only key there is.
///
/// # Errors
/// If there is none, several, or it can't be unlocked; says which there are.
pub(crate) fn signer(context: &Context, keyring: Option<&Keyring>) -> Result<Signer> {
    let named = named_keys(context);
    let Some(who) = &context.globals.who else {
        return match &named[..] {
            [(_, path)] => signer_from_file(context, path),
            [] => bail!("no key to sign with: make one with `blotter key new NAME`, or say --as PATH"),
            several => {
                let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
                bail!("several keys are here; say --as with one of: {}", names.join(", "))
            }
        };
    };
    if let Some((_, path)) = named.iter().find(|(name, _)| name == who) {
        return signer_from_file(context, path);
    }
    if let Some(actor) = keyring.and_then(|keyring| actor_of(keyring, who)) {
        if let Some(signer) = signer_of_actor(context, keyring.expect("just used"), &actor, &named)? {
            return Ok(signer);
        }
        bail!("no key of {actor} is here: no agent holds one, and none of the key files is theirs");
    }
    let path = Path::new(who);
    if path.is_file() {
        return signer_from_file(context, path);
    }
    let names: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
    let there =
        if names.is_empty() { "there are no keys here".to_owned() } else { format!("keys here: {}", names.join(", ")) };
    bail!("--as {who}: no key of that name, no such file, and no such actor ({there})")
}

/// The actor that `who` names: by its whole id, or by the part behind the slash.
pub(crate) fn actor_of(keyring: &Keyring, who: &str) -> Option<ActorId> {
    let id = who.parse::<ActorId>().ok().filter(|id| keyring.actor(id).is_some());
    id.or_else(|| keyring.actor_named(who).cloned())
}

/// The actor that `name` means to a person: the owner of the key of that name, or the actor so named.
pub(crate) fn owner_of_named(context: &Context, keyring: &Keyring, name: &str) -> Option<ActorId> {
    let named = named_keys(context);
    let key = named.iter().find(|(other, _)| other == name).and_then(|(_, path)| public_of(path));
    let owner = key.and_then(|key| keyring.key(&thumbprint(&key))).map(|key| key.actor.clone());
    owner.or_else(|| actor_of(keyring, name))
}

fn signer_of_actor(
    context: &Context,
    keyring: &Keyring,
    actor: &ActorId,
    named: &[(String, PathBuf)],
) -> Result<Option<Signer>> {
    let kids = keyring.actor(actor).map(|actor| actor.kids.clone()).unwrap_or_default();
    for key in kids.iter().rev().filter_map(|kid| keyring.key(kid)).filter(|key| key.revoked_seq.is_none()) {
        if let Some(signer) = from_agent(&key.public) {
            return Ok(Some(signer));
        }
        if let Some((_, path)) = named.iter().find(|(_, path)| public_of(path).as_ref() == Some(&key.public)) {
            return signer_from_file(context, path).map(Some);
        }
    }
    Ok(None)
}

fn signer_from_file(context: &Context, path: &Path) -> Result<Signer> {
    match public_of(path).and_then(|public| from_agent(&public)) {
        Some(signer) => Ok(signer),
        None => Ok(Signer::Held(read_key(context, path)?)),
    }
}

fn from_agent(public: &PublicKey) -> Option<Signer> {
    let holds = |socket: &PathBuf| {
        ssh_agent::identities(socket, Duration::from_secs(5))
            .is_ok_and(|held| held.iter().any(|key| key.public == *public))
    };
    let socket = agent_sockets().into_iter().find(holds)?;
    Some(Signer::Agent { socket, public: *public, wait_max: AGENT_WAIT })
}

/// The public half beside a key file.
pub(crate) fn public_of(path: &Path) -> Option<PublicKey> {
    let pem = std::fs::read_to_string(path.with_extension("pub")).ok()?;
    key_file::parse_public(&pem).ok()
}

/// Reads a key file; asks for its passphrase if it has one.
pub(crate) fn read_key(context: &Context, path: &Path) -> Result<SecretKey> {
    match key_file::read(path, None) {
        Err(KeyFileError::NeedsPassphrase { .. }) => {
            let passphrase = passphrase(context, &format!("Passphrase of {}: ", path.display()))?;
            Ok(key_file::read(path, Some(&passphrase))?)
        }
        read => Ok(read?),
    }
}

/// The passphrase, from `--passphrase-file` or from the person at the terminal.
pub(crate) fn passphrase(context: &Context, prompt: &str) -> Result<Passphrase> {
    let text = match &context.globals.passphrase_file {
        Some(path) => first_line(path)?,
        None if context.can_ask() => rpassword::prompt_password(prompt)?,
        None => bail!(
            "the key has a passphrase, and nobody is there to ask: say --passphrase-file FILE, or `blotter unlock`"
        ),
    };
    Passphrase::new(text).ok_or_else(|| anyhow!("the passphrase is empty"))
}

/// A new passphrase: from `--passphrase-file`, or typed twice; `None` if the key is to lie open.
///
/// # Errors
/// If the two differ, or it is empty.
pub(crate) fn new_passphrase(context: &Context, what: &str, open: bool) -> Result<Option<Passphrase>> {
    if open {
        return Ok(None);
    }
    if context.globals.passphrase_file.is_some() {
        return passphrase(context, "").map(Some);
    }
    if !context.can_ask() {
        context.out.note(&format!(
            "warning: {what} is not sealed by a passphrase, because nobody is there to type one; only its mode 0600 \
             protects it. Seal it with `blotter key passphrase`, or say --passphrase-file FILE."
        ));
        return Ok(None);
    }
    let first = rpassword::prompt_password(format!("New passphrase for {what}: "))?;
    if first != rpassword::prompt_password("Once more: ")? {
        bail!("the two differ; nothing was written");
    }
    Passphrase::new(first)
        .map(Some)
        .ok_or_else(|| anyhow!("the passphrase is empty; --no-passphrase leaves the key open"))
}

fn first_line(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the passphrase file {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// How the passphrase of a key that is made now is found.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Seal {
    /// Leave the new key without a passphrase: only its mode 0600 protects it
    #[arg(long)]
    no_passphrase: bool,

    /// Read the new passphrase from the first line of this file, instead of asking
    #[arg(long, value_name = "FILE", conflicts_with = "no_passphrase")]
    new_passphrase_file: Option<PathBuf>,
}

impl Seal {
    /// By the passphrase in `file`, or by one that is typed.
    pub(crate) fn from_file(file: Option<PathBuf>) -> Self {
        Self { no_passphrase: false, new_passphrase_file: file }
    }

    /// The new passphrase: from its file, or typed twice; `None` if the key is to lie open.
    ///
    /// # Errors
    /// If it is empty, the two differ, or the file can't be read.
    pub(crate) fn passphrase(&self, context: &Context, what: &str) -> Result<Option<Passphrase>> {
        match &self.new_passphrase_file {
            Some(path) => Passphrase::new(first_line(path)?)
                .map(Some)
                .ok_or_else(|| anyhow!("the first line of {} is empty", path.display())),
            // The passphrase of `--passphrase-file` opens the key that signs; a new key is another's secret.
            None => {
                let mut inner = Context { globals: context.globals.clone(), out: context.out };
                inner.globals.passphrase_file = None;
                new_passphrase(&inner, what, self.no_passphrase)
            }
        }
    }

    /// The same command, as it would open this very key.
    pub(crate) fn opening(&self, context: &Context) -> Context {
        let mut inner = Context { globals: context.globals.clone(), out: context.out };
        if let Some(path) = &self.new_passphrase_file {
            inner.globals.passphrase_file = Some(path.clone());
        }
        inner
    }
}

/// Where new keys are put: with the ledger if `--dir` is one, else with the user's other keys.
pub(crate) fn new_keys_dir(context: &Context) -> Result<PathBuf> {
    if context.dir().join(blotter_ledger::DATABASE).is_file() {
        return Ok(context.keys_dir());
    }
    let user = user_dir("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("keys"));
    user.context("nowhere to put a key: set HOME, or name a ledger with --dir")
}

/// The file of a key, by its name or path; the ledger's own keys have names too.
pub(crate) fn file_of(context: &Context, name: &str) -> Option<PathBuf> {
    let named = key_dirs(context).into_iter().map(|dir| dir.join(format!("{name}.key")));
    let path = Path::new(name);
    let as_path = path.extension().is_some_and(|extension| extension == "key").then(|| path.to_owned());
    named.chain(as_path).find(|path| path.is_file())
}

/// All Ed25519 keys that agents hold, with the agents' sockets.
pub(crate) fn agent_keys() -> Vec<(PathBuf, ssh_agent::Identity)> {
    let held = |socket: PathBuf| {
        let identities = ssh_agent::identities(&socket, Duration::from_secs(5)).unwrap_or_default();
        identities.into_iter().map(move |identity| (socket.clone(), identity)).collect::<Vec<_>>()
    };
    agent_sockets().into_iter().flat_map(held).collect()
}

/// A key that is at hand: in a file, by its name or path, or in an agent, by its thumbprint or what the agent calls it.
///
/// # Errors
/// If its file can't be opened.
pub(crate) fn at_hand(context: &Context, name: &str) -> Result<Option<Signer>> {
    if let Some(path) = file_of(context, name) {
        return signer_from_file(context, &path).map(Some);
    }
    let names_it = |identity: &ssh_agent::Identity| {
        identity.comment == name || blotter_keys::jwk::thumbprint(&identity.public).to_string() == name
    };
    let found = agent_keys().into_iter().find(|(_, identity)| names_it(identity));
    Ok(found.map(|(socket, identity)| Signer::Agent { socket, public: identity.public, wait_max: AGENT_WAIT }))
}

/// The public half of a key that is at hand; asks for no passphrase if it stands beside the file.
///
/// # Errors
/// If there is no such key; says which there are.
pub(crate) fn public_at_hand(context: &Context, name: &str) -> Result<PublicKey> {
    if let Some(public) = file_of(context, name).and_then(|path| public_of(&path)) {
        return Ok(public);
    }
    match at_hand(context, name)? {
        Some(signer) => Ok(*signer.public()),
        None => bail!("there is no key {name:?}; `blotter key list` shows those that are here"),
    }
}

/// Makes a key and writes it, with its public half beside it, into `dir`.
///
/// # Errors
/// If a key of that name is there, or the files can't be written.
pub(crate) fn create(dir: &Path, name: &str, passphrase: Option<&Passphrase>) -> Result<SecretKey> {
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if !good {
        bail!("{name:?} can't name a key: use A-Z a-z 0-9 _ and -");
    }
    std::fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
    let key = SecretKey::from_seed(random_bytes());
    let path = dir.join(format!("{name}.key"));
    key_file::create(&path, &key, passphrase, random_bytes())?;
    let public = path.with_extension("pub");
    std::fs::write(&public, key_file::print_public(key.public())).with_context(|| format!("{}", public.display()))?;
    Ok(key)
}
