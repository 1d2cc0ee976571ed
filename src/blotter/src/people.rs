//! Actors as people know them: ids are pseudonymous, so the name that was disclosed when an actor was enrolled is shown
//! beside the id for as long as it is in the vault.

use std::cell::RefCell;
use std::collections::HashMap;

use anyhow::{Result, bail};
use blotter_keys::jwk::thumbprint;
use blotter_keys::keyring::Keyring;
use blotter_ledger::Read;
use blotter_record::{ActorId, Disclosure};

use crate::context::Context;
use crate::keystore::{actor_of, named_keys, public_of};
use crate::out::{cut, plain};

/// A name that is longer is cut in lists.
const NAME_LEN_MAX: usize = 24;
/// An id's name that is longer is cut in lists, to this and an ellipsis; `--actor` takes such a beginning.
const ID_SHORT_LEN: usize = 7;

/// Names of actors, looked up once each.
#[derive(Default)]
pub(crate) struct People(RefCell<HashMap<ActorId, Option<String>>>);

impl People {
    /// The disclosed name of an actor, if it is there.
    pub(crate) fn name(&self, store: &dyn Read, keyring: &Keyring, actor: &ActorId) -> Option<String> {
        let known = self.0.borrow().get(actor).cloned();
        known.unwrap_or_else(|| {
            // The founder came with entry 0, and the name that it discloses is the ledger's.
            let enrolled = keyring.actor(actor).filter(|enrolled| enrolled.enrolled_seq > 0);
            let name = enrolled.and_then(|enrolled| enrolled_name(store, enrolled.enrolled_seq));
            self.0.borrow_mut().insert(actor.clone(), name.clone());
            name
        })
    }

    /// An actor in a list: the beginning of its id, and its name.
    pub(crate) fn short(&self, store: &dyn Read, keyring: &Keyring, actor: &ActorId) -> String {
        let id = match actor.name() {
            name if name.len() > ID_SHORT_LEN + 3 => format!("{}/{}…", actor.kind(), &name[..ID_SHORT_LEN]),
            _ => actor.to_string(),
        };
        match self.name(store, keyring, actor) {
            Some(name) => format!("{id} {}", cut(&plain(&name), NAME_LEN_MAX)),
            None => id,
        }
    }
}

fn enrolled_name(store: &dyn Read, seq: u64) -> Option<String> {
    let texts = store.disclosures(seq).ok()?;
    let values = texts.iter().filter_map(|text| Disclosure::parse(text).ok());
    let name = values.into_iter().find(|value| value.name() == "name")?;
    name.value().as_text().map(str::to_owned)
}

/// The actor that somebody means: by its id or the part behind the slash, by an unambiguous beginning of either, or by
/// the name of a key file of theirs.
///
/// # Errors
/// If nobody is meant, or several might be.
pub(crate) fn actor_meant(context: &Context, keyring: &Keyring, who: &str) -> Result<ActorId> {
    if let Some(actor) = actor_of(keyring, who) {
        return Ok(actor);
    }
    let key = named_keys(context).into_iter().find(|(name, _)| name == who).and_then(|(_, path)| public_of(&path));
    if let Some(key) = key.and_then(|public| keyring.key(&thumbprint(&public))) {
        return Ok(key.actor.clone());
    }
    let who = who.trim_end_matches('…');
    let begins = |actor: &&ActorId| actor.as_str().starts_with(who) || actor.name().starts_with(who);
    let found: Vec<_> = keyring.actors().map(|(actor, _)| actor).filter(begins).collect();
    match &found[..] {
        _ if who.is_empty() => bail!("whom? an actor's id is wanted"),
        [actor] => Ok((*actor).clone()),
        [] => bail!(
            "{who:?}: no actor of this ledger has that id, and no key here that name; `blotter actor list` names them"
        ),
        several => bail!("{who:?} may be any of {} actors; say more of the id", several.len()),
    }
}
