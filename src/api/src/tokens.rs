//! API tokens: `blt_<name>_<secret>`. That one was issued, for whom, for what and until when stands in the ledger
//! (`token.issued`); of the secret only the SHA-256 is kept, as a value in the vault. So revoking or erasing it is an entry
//! like any other, and a copy of the database lets nobody in.

use blotter_ledger::Read;
use blotter_record::{Disclosure, Hash, Id};
use subtle::ConstantTimeEq;

use crate::problem::Problem;

/// How a token begins.
pub const TOKEN_PREFIX: &str = "blt_";

/// A token's text, from its id and 32 random bytes.
pub fn token_text(id: &Id, secret: &[u8; 32]) -> String {
    format!("{TOKEN_PREFIX}{}_{}", id.name(), Hash(*secret).to_hex())
}

/// The value `token_sha256` of a token's text.
pub fn token_sha256(text: &str) -> String {
    Hash::of(text.as_bytes()).to_hex()
}

/// The id in a token's text; whether it is good is another question.
pub(crate) fn id_in(text: &str) -> Option<Id> {
    let (name, _) = text.strip_prefix(TOKEN_PREFIX)?.rsplit_once('_')?;
    format!("token/{name}").parse().ok()
}

/// Whether `text` is the token that entry `issued_seq` issued; in constant time. The vault is asked each time, so that one
/// whose hash was erased is none.
pub(crate) fn is_token(text: &str, issued_seq: u64, store: &dyn Read) -> Result<bool, Problem> {
    let hash = stored(issued_seq, store)?;
    Ok(hash.is_some_and(|hash| token_sha256(text).as_bytes().ct_eq(hash.as_bytes()).into()))
}

fn stored(seq: u64, store: &dyn Read) -> Result<Option<String>, Problem> {
    let values = store.disclosures(seq)?;
    let values = values.iter().filter_map(|text| Disclosure::parse(text).ok());
    let hash = values.into_iter().find(|value| value.name() == "token_sha256");
    Ok(hash.and_then(|value| value.value().as_text().map(str::to_owned)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_back_even_if_the_name_has_an_underscore() {
        let id: Id = "token/a_b".parse().unwrap();
        assert_eq!(id_in(&token_text(&id, &[7; 32])), Some(id));
        for bad in ["", "blt_", "blt__", "blt_a", "bls_a_b", "blt_ä_b"] {
            assert_eq!(id_in(bad), None, "{bad}");
        }
    }
}
