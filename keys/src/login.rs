//! How a person signs in to a server: with a JWS that their own client builds (`typ` = `blotter-login+jwt`;
//! src/api/API.md), over the server's nonce and URL. It can't be passed off as a statement, nor be used at another server.

use blotter_record::{ActorId, Hash, Json};

use crate::ed25519::{BadSignature, PublicKey};
use crate::jws::{Jws, take_int, take_text};
use crate::signer::{SigningInput, SigningInputError, Typ};

/// The `typ` of a login.
pub const LOGIN_TYP: &str = "blotter-login+jwt";

/// What a login says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who signs in.
    pub actor: ActorId,
    /// The ledger: `<origin>#<genesis leaf>`.
    pub aud: String,
    /// The server's nonce.
    pub nonce: String,
    /// The URL that it is sent to, as the client knows it.
    pub url: String,
    /// When it was signed, in seconds since 1970.
    pub iat: i64,
}

/// Why a login is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the login: {0}")]
pub struct LoginError(&'static str);

impl Login {
    /// What the key of thumbprint `kid` is to sign.
    ///
    /// # Errors
    /// If it is too long.
    pub fn signing_input(&self, kid: &Hash) -> Result<SigningInput, SigningInputError> {
        let member = |name: &str, value: Json| (name.to_owned(), value);
        let payload = Json::Object(vec![
            member("iss", self.actor.to_string().into()),
            member("aud", self.aud.as_str().into()),
            member("nonce", self.nonce.as_str().into()),
            member("url", self.url.as_str().into()),
            member("iat", self.iat.into()),
        ]);
        SigningInput::new(Typ::Login, kid, payload.to_text().as_bytes())
    }
}

/// A login whose signature is yet to be verified: with the key that it names, if that may sign now.
#[derive(Debug)]
pub struct UnverifiedLogin<'a> {
    jws: Jws<'a>,
    login: Login,
}

impl<'a> UnverifiedLogin<'a> {
    /// Reads a compact JWS.
    ///
    /// # Errors
    /// If it is malformed, or says anything that a login does not say.
    pub fn parse(text: &'a str) -> Result<Self, LoginError> {
        let jws = Jws::parse(text, LOGIN_TYP).map_err(LoginError)?;
        let mut payload = jws.payload().to_vec();
        let login = (|| {
            let actor = take_text(&mut payload, "iss")?.parse().ok()?;
            let aud = take_text(&mut payload, "aud")?;
            let nonce = take_text(&mut payload, "nonce")?;
            let url = take_text(&mut payload, "url")?;
            let iat = take_int(&mut payload, "iat")?;
            payload.is_empty().then_some(Login { actor, aud, nonce, url, iat })
        })();
        let login = login.ok_or(LoginError("exactly iss, aud, nonce, url and iat are wanted in the payload"))?;
        Ok(Self { jws, login })
    }

    /// The thumbprint of the key that it names.
    pub fn kid(&self) -> Hash {
        self.jws.kid()
    }

    /// What it says, if `key` signed it.
    ///
    /// # Errors
    /// If the signature does not verify.
    pub fn verify(self, key: &PublicKey) -> Result<Login, BadSignature> {
        self.jws.verify(key)?;
        Ok(self.login)
    }
}
