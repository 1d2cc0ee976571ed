//! `blotter init`: founds a ledger. The directory appears whole, or not at all.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use blotter_keys::ed25519::SecretKey;
use blotter_keys::jwk::{print, thumbprint};
use blotter_keys::note::VerifierKey;
use blotter_keys::possession::Possession;
use blotter_keys::signer::{Signer, SigningInput, assemble};
use blotter_ledger::Ledger;
use blotter_record::{ActorId, Draft, Id, Instant, Json, Origin, Precision, RULES_1, Via};
use clap::Args;
use serde_json::json;

use crate::context::{Context, new_jti, new_name, now_us, random_bytes};
use crate::keystore::{self, CHECKPOINT_KEY, LEDGER_KEY, NOTARY_KEY};
use crate::session::{Speaker, Words, keyring_of, open_writer, say, write_anchor};

/// Found a ledger
///
/// Makes the directory with its database, the ledger's own keys, and the founder's key. The founder enrols the first
/// people and gives them their roles, and then closes the bootstrap; after that nobody has these powers alone.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The ledger's name in every checkpoint: a URL without scheme, such as example.org/soc
    #[arg(long, value_name = "ORIGIN")]
    origin: Origin,

    /// A name for the ledger, for people; disclosable, not permanent
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,

    /// What the founder's key file is called
    #[arg(long, value_name = "NAME", default_value = "founder")]
    founder: String,

    /// Leave the founder's key without a passphrase
    #[arg(long)]
    no_passphrase: bool,
}

impl Init {
    /// A ledger for looking at, whose keys lie open.
    pub(crate) fn for_demo(origin: &str) -> Result<Self> {
        Ok(Self { origin: origin.parse()?, name: None, founder: "founder".to_owned(), no_passphrase: true })
    }
}

pub(crate) fn run(context: &Context, args: &Init) -> Result<()> {
    let dir = context.dir();
    let anchor = found(context, args)?;
    let json = json!({
        "dir": dir, "origin": anchor.origin.as_str(), "genesis": anchor.genesis.to_string(),
        "ledger_vkey": anchor.ledger_vkey.to_string(), "size": anchor.size,
    });
    context.out.result(&json, || {
        format!(
            "Founded {} in {}.\n\n{}\n\nKeep a copy of {} somewhere else: verification starts from it.\nKeep the keys in {} safe; \
             backups never contain them.\n\nNext: blotter actor enrol --help, blotter act --help, blotter verify --help",
            anchor.origin,
            dir.display(),
            context.out.pairs(&[
                ("genesis", anchor.genesis.to_string()),
                ("ledger key", anchor.ledger_vkey.to_string()),
                ("founder's key", context.keys_dir().join(format!("{}.key", args.founder)).display().to_string()),
            ]),
            dir.join("anchor.json").display(),
            context.keys_dir().display(),
        )
    });
    Ok(())
}

/// Founds the ledger in a directory beside the wanted one, and moves it there when it is whole.
pub(crate) fn found(context: &Context, args: &Init) -> Result<blotter_keys::anchor::Anchor> {
    let dir = context.dir();
    refuse_occupied(dir)?;
    let passphrase = keystore::new_passphrase(context, "the founder's key", args.no_passphrase)?;
    let absolute = std::path::absolute(dir)?;
    let parent = absolute.parent().with_context(|| format!("{} has no parent directory", dir.display()))?;
    std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    let name = absolute.file_name().with_context(|| format!("{} has no name", dir.display()))?.to_string_lossy();
    let building = Building(parent.join(format!(".{name}.founding-{}", new_name())));
    let mut inner = Context { globals: context.globals.clone(), out: context.out };
    inner.globals.dir = building.0.clone();
    let anchor = found_at(&inner, args, passphrase.as_ref())?;
    std::fs::rename(&building.0, &absolute).with_context(|| format!("moving the new ledger to {}", dir.display()))?;
    std::fs::File::open(parent)?.sync_all()?;
    Ok(anchor)
}

/// A directory that is removed again unless it was moved away.
struct Building(std::path::PathBuf);

impl Drop for Building {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refuse_occupied(dir: &Path) -> Result<()> {
    match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).with_context(|| format!("{}", dir.display())),
        Ok(mut files) => {
            if files.next().is_none() {
                return Ok(());
            }
            bail!("{} is not empty; name another directory with --dir, nothing was changed", dir.display())
        }
    }
}

fn found_at(
    context: &Context,
    args: &Init,
    passphrase: Option<&blotter_keys::key_file::Passphrase>,
) -> Result<blotter_keys::anchor::Anchor> {
    let dir = context.dir();
    // The vault holds personal data: nobody else reads it unless its owner says so.
    make_private(dir)?;
    let keys_dir = context.keys_dir();
    make_private(&keys_dir)?;
    let checkpoint = keystore::create(&keys_dir, CHECKPOINT_KEY, None)?;
    let ledger_key = keystore::create(&keys_dir, LEDGER_KEY, None)?;
    let notary_key = keystore::create(&keys_dir, NOTARY_KEY, None)?;
    let founder_key = keystore::create(&keys_dir, &args.founder, passphrase)?;

    let founder: ActorId = format!("person/{}", new_name()).parse()?;
    let founding = founding(args, &founder, &founder_key, &checkpoint)?;
    Ledger::found(dir, &founding, &checkpoint, now_us())?;

    let ledger = open_writer(context)?;
    let speaker = Speaker { actor: founder, signer: Signer::Held(founder_key) };
    for (kind, key) in [("ledger", ledger_key), ("notary", notary_key)] {
        enrol(context, &ledger, &speaker, kind, &new_name(), &key, &[])?;
    }
    ledger.read(|store| {
        let keyring = blotter_ledger::read::open_keyring(store)?.keyring;
        Ok(blotter_api::finder::begin(dir, store)
            .map_err(anyhow::Error::from)
            .and_then(|()| write_anchor(dir, store, &keyring)))
    })?
}

fn founding(args: &Init, founder: &ActorId, key: &SecretKey, checkpoint: &SecretKey) -> Result<String> {
    let vkey = VerifierKey::new(args.origin.as_str().parse()?, *checkpoint.public());
    let fact = |name: &str, value: Json| (name.to_owned(), value);
    let draft = Draft {
        iss: founder.clone(),
        attributed: None,
        aud: args.origin.to_string(),
        jti: new_jti(),
        iat: now_us() / 1_000_000,
        sub: Id::ledger(),
        about: Vec::new(),
        event: "ledger.founded".into(),
        occurred: Some(Instant::from_unix_us(now_us())?),
        precision: Precision::Second,
        seen: None,
        cause: Vec::new(),
        corrects: Vec::new(),
        via: Via::Cli,
        facts: vec![
            fact("origin", args.origin.as_str().into()),
            fact("ledger_vkey", vkey.to_string().into()),
            fact("founder", founder.to_string().into()),
            fact("jwk", jwk(key)?),
            fact("rules_version", RULES_1.version().into()),
            fact("rules_sha256", RULES_1.sha256_hex().into()),
        ],
        data: args.name.iter().map(|name| ("name".to_owned(), name.as_str().into())).collect(),
    };
    let unsigned = draft.build(&thumbprint(key.public()), random_bytes)?;
    let signature = key.sign(unsigned.signing_input().as_bytes());
    Ok(unsigned.signed(&signature).to_text())
}

/// The public half as the fact `jwk`.
pub(crate) fn jwk(key: &SecretKey) -> Result<Json> {
    Ok(Json::parse(print(key.public()).as_bytes())?)
}

/// Enrols an actor whose key is at hand: the key proves its possession here and now.
pub(crate) fn enrol(
    context: &Context,
    ledger: &Ledger,
    speaker: &Speaker,
    kind: &str,
    name: &str,
    key: &SecretKey,
    data: &[(&str, &str)],
) -> Result<ActorId> {
    let actor: ActorId = format!("{kind}/{name}").parse()?;
    let mut words = enrolment(&actor, speaker, keyring_of(ledger)?.audience(), key)?;
    for (name, value) in data {
        words = words.data(name, *value);
    }
    say(context, ledger, speaker, &words)?;
    Ok(actor)
}

/// The words that enrol an actor whose key is at hand.
pub(crate) fn enrolment(actor: &ActorId, speaker: &Speaker, audience: &str, key: &SecretKey) -> Result<Words> {
    let proof = prove(actor, &speaker.actor, audience, key)?;
    Ok(Words::now("actor.enrolled", actor.stream())
        .fact("kind", actor.kind())
        .fact("jwk", jwk(key)?)
        .fact("proof", proof))
}

/// A proof of possession by a key that is at hand.
pub(crate) fn prove(actor: &ActorId, enroller: &ActorId, audience: &str, key: &SecretKey) -> Result<String> {
    let possession = Possession {
        actor: actor.clone(),
        aud: audience.to_owned(),
        enroller: enroller.clone(),
        iat: now_us() / 1_000_000,
    };
    let input = SigningInput::parse(&possession.signing_input(key.public()))?;
    let signature = key.sign(input.as_str().as_bytes());
    Ok(assemble(&input, &signature))
}

fn make_private(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(dir).with_context(|| format!("{}", dir.display()))
}
