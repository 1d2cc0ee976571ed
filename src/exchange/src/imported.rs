//! One piece of imported history, as a mapping gives it: everything that a statement says but who signs it, and when.

use blotter_record::{ActorId, Attribution, Draft, Id, Instant, Json, Jti, Precision, Via};

/// A statement to be: `person` said `event` of `sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The physical line that its row begins on, from 1.
    pub line: u64,
    /// Its id, a UUIDv8 derived from the row.
    pub jti: Jti,
    /// Whose act it is, as the file spells them (trimmed): `for` of the statement.
    pub person: String,
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
    /// The permanent facts.
    pub facts: Vec<(String, Json)>,
    /// The disclosable values.
    pub data: Vec<(String, Json)>,
    /// Statements, of the same file, that led to this one.
    pub cause: Vec<Jti>,
}

impl Imported {
    /// The statement that the notary `iss` signs: attributed to the actor that stands for [`Imported::person`], on the
    /// authority of the import's stream. `aud` is the ledger, `iat` now in seconds since 1970.
    pub fn draft(self, iss: ActorId, attributed: Attribution, aud: String, iat: i64) -> Draft {
        Draft {
            iss,
            attributed: Some(attributed),
            aud,
            jti: self.jti,
            iat,
            sub: self.sub,
            about: self.about,
            event: self.event,
            occurred: self.occurred,
            precision: self.precision,
            seen: None,
            cause: self.cause,
            corrects: Vec::new(),
            via: Via::Import,
            facts: self.facts,
            data: self.data,
        }
    }
}
