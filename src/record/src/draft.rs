//! Drafts: a statement before it is signed (FORMAT.md §2.1). Whoever signs builds the bytes here, from values they can
//! read; nothing that a server hands over is ever signed.

use crate::Hash;
use crate::base64url;
use crate::disclosure::Disclosure;
use crate::id::{ActorId, Id, Jti};
use crate::instant::{Instant, Precision};
use crate::json::Json;
use crate::limits::{DISCLOSURES_MAX, SALT_BYTES_MIN};
use crate::statement::{Attribution, Presentation, STATEMENT_TYP, Seen, Statement, StatementError, Via};

/// Everything that a statement will say. Facts and data are checked when it is built.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who says it.
    pub iss: ActorId,
    /// For a notary: whom it attributes this to.
    pub attributed: Option<Attribution>,
    /// The ledger: `<origin>#<genesis leaf>`.
    pub aud: String,
    /// Its id.
    pub jti: Jti,
    /// Now, in seconds since 1970.
    pub iat: i64,
    /// The stream that it belongs to.
    pub sub: Id,
    /// Further streams that it concerns.
    pub about: Vec<Id>,
    /// The event's name.
    pub event: String,
    /// When it happened; `None` exactly with [`Precision::Unknown`].
    pub occurred: Option<Instant>,
    /// How exactly that is known.
    pub precision: Precision,
    /// What the signer has before them.
    pub seen: Option<Seen>,
    /// Statements that led to this one.
    pub cause: Vec<Jti>,
    /// Statements that this one corrects.
    pub corrects: Vec<Jti>,
    /// The way it comes in.
    pub via: Via,
    /// The permanent facts.
    pub facts: Vec<(String, Json)>,
    /// The disclosable values.
    pub data: Vec<(String, Json)>,
}

/// A statement ready to be signed.
#[derive(Debug, Clone)]
pub struct Unsigned {
    signing_input: String,
    disclosures: Vec<Disclosure>,
    statement: Statement,
}

impl Draft {
    /// Fixes the bytes to be signed with the key of thumbprint `kid`. `salt` is called once for each value and gives 16
    /// fresh random bytes.
    ///
    /// # Errors
    /// Whatever a reader of the statement would refuse: what, and where.
    pub fn build(
        &self,
        kid: &Hash,
        mut salt: impl FnMut() -> [u8; SALT_BYTES_MIN],
    ) -> Result<Unsigned, StatementError> {
        if self.data.len() > DISCLOSURES_MAX {
            return Err(StatementError::new("data", format!("{} values; at most {DISCLOSURES_MAX}", self.data.len())));
        }
        let disclosures = self
            .data
            .iter()
            .map(|(name, value)| Disclosure::new(&salt(), name, value.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        let header = object([("alg", "EdDSA".into()), ("kid", kid.to_string().into()), ("typ", STATEMENT_TYP.into())]);
        let signing_input = format!(
            "{}.{}",
            base64url::encode(header.to_text().as_bytes()),
            base64url::encode(self.payload(&disclosures).to_text().as_bytes())
        );
        // Read back as a stranger would: a draft has no checks of its own that could differ from the reader's.
        let statement = Statement::parse(&format!("{signing_input}.{}", base64url::encode(&[0; 64])))?;
        Ok(Unsigned { signing_input, disclosures, statement })
    }

    fn payload(&self, disclosures: &[Disclosure]) -> Json {
        let mut members: Vec<(&str, Json)> = vec![("iss", self.iss.to_string().into())];
        if let Some(attribution) = &self.attributed {
            members.push(("for", attribution.actor.to_string().into()));
            members.push(("auth", attribution.auth.to_string().into()));
        }
        members.push(("aud", self.aud.as_str().into()));
        members.push(("jti", self.jti.to_string().into()));
        members.push(("iat", self.iat.into()));
        members.push(("sub", self.sub.to_string().into()));
        push_list(&mut members, "about", &self.about);
        members.push(("event", self.event.as_str().into()));
        if let Some(occurred) = &self.occurred {
            members.push(("occurred", occurred.as_str().into()));
        }
        if self.precision != Precision::default() {
            members.push(("precision", self.precision.as_str().into()));
        }
        if let Some(seen) = &self.seen {
            members.push(("seen", seen_object(seen)));
        }
        push_list(&mut members, "cause", &self.cause);
        push_list(&mut members, "corrects", &self.corrects);
        members.push(("via", self.via.as_str().into()));
        members.push(("facts", Json::Object(self.facts.clone())));
        if !disclosures.is_empty() {
            members.push(("data", object([("_sd", sorted(disclosures.iter().map(|d| d.digest().to_string())))])));
            members.push(("fields", sorted(disclosures.iter().map(|d| d.name().to_owned()))));
            members.push(("_sd_alg", "sha-256".into()));
        }
        object(members)
    }
}

impl Unsigned {
    /// What the signature goes over: `<header>.<payload>`.
    pub fn signing_input(&self) -> &str {
        &self.signing_input
    }

    /// The statement as it will be read; its signature is still nothing but zeros.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The values that will be disclosed with it.
    pub fn disclosures(&self) -> &[Disclosure] {
        &self.disclosures
    }

    /// Adds the signature over [`Unsigned::signing_input`].
    pub fn signed(self, signature: &[u8; 64]) -> Presentation {
        let jws = format!("{}.{}", self.signing_input, base64url::encode(signature));
        let statement = Statement::parse(&jws).expect("the same statement was read with another signature");
        Presentation { statement, disclosures: self.disclosures }
    }
}

fn object<'a>(members: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn push_list<T: ToString>(members: &mut Vec<(&str, Json)>, name: &'static str, items: &[T]) {
    if !items.is_empty() {
        members.push((name, Json::List(items.iter().map(|item| item.to_string().into()).collect())));
    }
}

fn sorted(texts: impl Iterator<Item = String>) -> Json {
    let mut texts: Vec<String> = texts.collect();
    texts.sort_unstable();
    Json::List(texts.into_iter().map(Json::Text).collect())
}

fn seen_object(seen: &Seen) -> Json {
    let int = |n: u64| i64::try_from(n).map_or(Json::Null, Json::Int);
    let (n, leaf) = seen.last.map_or((Json::Null, Json::Null), |(n, leaf)| (int(n), leaf.to_string().into()));
    object([("n", n), ("leaf", leaf), ("size", int(seen.size)), ("root", seen.root.to_string().into())])
}
