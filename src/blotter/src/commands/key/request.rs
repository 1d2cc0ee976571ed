//! Requests to be enrolled: a file that says which actor a key is for, and proves that whoever asks has it. It is made by
//! the person who will be enrolled, offline; only the anchor is needed, to name the ledger.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::anchor::Anchor;
use blotter_keys::ed25519::PublicKey;
use blotter_keys::jwk::{self, thumbprint};
use blotter_keys::possession::Possession;
use blotter_keys::signer::{Signer, SigningInput, assemble};
use blotter_record::{ActorId, Json};
use clap::Args;
use serde_json::{Value, json};

use crate::context::{Context, new_name, now_us};
use crate::files::{self, Mode};
use crate::keystore;
use crate::session::Reader;

/// The longest request that is looked at, in bytes.
const REQUEST_BYTES_MAX: u64 = 16_384;

/// Ask to be enrolled: prove that you hold a key, without the ledger
///
/// Writes a file for the admin who will enrol you: the actor's id (random, unless you name yours), its kind, the public
/// key, and its signature that it wants to be enrolled there, by that person. Give it to them, and tell them the
/// thumbprint on another way.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// The key: its name or file, or, in an agent, its thumbprint or comment
    name: String,

    /// The anchor of the ledger; without it, the ledger of --dir
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,

    /// Who will enrol the key: an admin's id, or, with --actor alone, you yourself
    #[arg(long, value_name = "ACTOR", required_unless_present = "actor")]
    enroller: Option<ActorId>,

    /// For another key of an actor that is there already (`key add`, `key recover`)
    #[arg(long, value_name = "ACTOR", conflicts_with = "kind")]
    actor: Option<ActorId>,

    /// What the new actor is
    #[arg(long, value_name = "KIND", default_value = "person", value_parser = ["person", "service", "notary"])]
    kind: String,

    /// Where to write the request; without it, to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn ask(context: &Context, args: &Ask) -> Result<()> {
    let audience = audience(context, args.anchor.as_deref())?;
    let actor = match &args.actor {
        Some(actor) => actor.clone(),
        None => format!("{}/{}", args.kind, new_name()).parse()?,
    };
    let enroller = args.enroller.as_ref().unwrap_or(&actor);
    let Some(signer) = keystore::at_hand(context, &args.name)? else {
        bail!("there is no key {:?}; make it with `blotter key new {0}`", args.name);
    };
    let request = Request::make(&actor, enroller, &audience, &signer)?;
    let Some(path) = &args.out else {
        context.out.line(&request.to_text());
        return Ok(());
    };
    write_line(path, &request.to_text())?;
    let kid = thumbprint(&request.public).to_string();
    context.out.result(&json!({ "out": path, "actor": actor.to_string(), "thumbprint": kid }), || {
        format!(
            "{}\n\nGive the file to {enroller}, and tell them the thumbprint on another way.",
            context.out.pairs(&[
                ("request", path.display().to_string()),
                ("actor", actor.to_string()),
                ("thumbprint", kid.clone())
            ])
        )
    });
    Ok(())
}

/// The `aud` of a ledger's statements, by its anchor; without one, of the ledger of `--dir`.
fn audience(context: &Context, anchor: Option<&Path>) -> Result<String> {
    let Some(path) = anchor else {
        let reader = Reader::open(context).context("which ledger? say --anchor FILE, or --dir")?;
        return Ok(reader.keyring.audience().to_owned());
    };
    let anchor = read_anchor(path)?;
    Ok(format!("{}#{}", anchor.origin, anchor.genesis))
}

/// The anchor in a file.
pub(crate) fn read_anchor(path: &Path) -> Result<Anchor> {
    let text = std::fs::read_to_string(path).with_context(|| format!("the anchor {}", path.display()))?;
    text.parse().with_context(|| format!("{}", path.display()))
}

/// Writes a line into a file that must not be there yet, readable by its owner alone.
pub(crate) fn write_line(path: &Path, line: &str) -> Result<()> {
    files::refuse_existing(path)?;
    let written = files::write_new(path, format!("{line}\n").as_bytes(), Mode::Private);
    written.with_context(|| path.display().to_string())
}

/// A key that asks to be enrolled.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) actor: ActorId,
    pub(crate) public: PublicKey,
    pub(crate) proof: String,
}

impl Request {
    /// The request of a key that is at hand.
    pub(crate) fn make(actor: &ActorId, enroller: &ActorId, audience: &str, signer: &Signer) -> Result<Self> {
        let possession = Possession {
            actor: actor.clone(),
            aud: audience.to_owned(),
            enroller: enroller.clone(),
            iat: now_us() / 1_000_000,
        };
        let public = *signer.public();
        let input = SigningInput::parse(&possession.signing_input(&public))?;
        let proof = assemble(&input, &signer.sign(&input)?);
        Ok(Self { actor: actor.clone(), public, proof })
    }

    /// The request in a file.
    ///
    /// # Errors
    /// If it is not exactly `actor`, `kind`, `jwk` and `proof`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).with_context(|| format!("the request {}", path.display()))?.len();
        if length > REQUEST_BYTES_MAX {
            bail!("{}: {length} bytes; a request has at most {REQUEST_BYTES_MAX}", path.display());
        }
        let bytes = std::fs::read(path).with_context(|| format!("the request {}", path.display()))?;
        Self::parse(&bytes)
            .with_context(|| format!("{} is not a request as `blotter key request` makes it", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let Json::Object(mut members) = Json::parse(bytes)? else { bail!("not an object") };
        let mut take = |name: &str| {
            let at = members.iter().position(|(other, _)| other == name);
            at.map(|at| members.swap_remove(at).1).with_context(|| format!("{name}: missing"))
        };
        let (actor, kind, key, proof) = (take("actor")?, take("kind")?, take("jwk")?, take("proof")?);
        if let Some((name, _)) = members.first() {
            bail!("{}: unknown", name.escape_debug());
        }
        let actor: ActorId = actor.as_text().context("actor: a string is wanted")?.parse()?;
        if kind.as_text() != Some(actor.kind()) {
            bail!("kind: not the kind of {actor}");
        }
        let proof = proof.as_text().context("proof: a string is wanted")?.to_owned();
        Ok(Self { actor, public: jwk::parse(&key.to_text())?, proof })
    }

    /// The file's text.
    pub(crate) fn to_text(&self) -> String {
        let key: Value = serde_json::from_str(&jwk::print(&self.public)).expect("a JWK is JSON");
        let Self { actor, proof, .. } = self;
        json!({ "actor": actor.to_string(), "kind": actor.kind(), "jwk": key, "proof": proof }).to_string()
    }

    /// The public half as the fact `jwk`.
    pub(crate) fn jwk(&self) -> Result<Json> {
        Ok(Json::parse(jwk::print(&self.public).as_bytes())?)
    }

    /// Checks what the ledger will check, to say what to do about it.
    ///
    /// # Errors
    /// If the proof is of another ledger, for another enroller, or not of this key.
    pub(crate) fn check(&self, enroller: &ActorId, audience: &str) -> Result<()> {
        let said = Possession::verify(&self.proof, &self.public)?;
        if said.aud != audience {
            bail!("the request is for another ledger, {}; this one is {audience}", said.aud);
        }
        if said.actor != self.actor {
            bail!("the request names {}, but its proof {}; ask for a new one", self.actor, said.actor);
        }
        if said.enroller != *enroller {
            bail!(
                "the request was made for {} to enrol; you are {enroller}: let them do it, or ask for a new one, made with \
                 `blotter key request … --enroller {enroller}`",
                said.enroller
            );
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use blotter_keys::ed25519::SecretKey;

    use super::*;

    fn request() -> Request {
        let (actor, enroller) = ("person/k3".parse().unwrap(), "person/boss".parse().unwrap());
        Request::make(&actor, &enroller, "example.org/soc#leaf", &Signer::Held(SecretKey::from_seed([7; 32]))).unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_proves_possession() {
        let read = Request::parse(request().to_text().as_bytes()).unwrap();
        assert_eq!(read.to_text(), request().to_text());
        read.check(&"person/boss".parse().unwrap(), "example.org/soc#leaf").unwrap();
    }

    #[test]
    fn a_request_for_another_enroller_ledger_or_actor_says_what_to_do() {
        let check = |request: &Request, enroller: &str, audience: &str| {
            request.check(&enroller.parse().unwrap(), audience).unwrap_err().to_string()
        };
        assert!(check(&request(), "person/other", "example.org/soc#leaf").contains("--enroller person/other"));
        assert!(check(&request(), "person/boss", "example.org/other#leaf").contains("another ledger"));
        let renamed = Request { actor: "person/k4".parse().unwrap(), ..request() };
        assert!(check(&renamed, "person/boss", "example.org/soc#leaf").contains("names person/k4"));
    }

    #[test]
    fn a_request_with_anything_more_or_less_is_refused() {
        let text = request().to_text();
        for wrong in [
            text.replace("\"kind\":\"person\"", "\"kind\":\"service\""),
            text.replace("\"kind\":\"person\",", ""),
            text.replace("\"kind\"", "\"admin\":true,\"kind\""),
            text.replace("\"kty\"", "\"d\":\"AAAA\",\"kty\""),
            "[]".to_owned(),
        ] {
            assert!(Request::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
