//! Every limit of the format, by name (FORMAT.md §1.6). A value at the limit is accepted, one above it refused.

/// An entry's bytes; C2SP entry bundles carry the length in two bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// A compact JWS; small enough that every entry around it stays within [`ENTRY_BYTES_MAX`].
pub const STATEMENT_BYTES_MAX: usize = 64_000;
/// One disclosure, as base64url text.
pub const DISCLOSURE_BYTES_MAX: usize = 65_536;
/// Disclosures of one statement.
pub const DISCLOSURES_MAX: usize = 64;
/// A whole presentation: the JWS, its disclosures and the tildes.
pub const PRESENTATION_BYTES_MAX: usize = 1_048_576;
/// A blob in the vault.
pub const BLOB_BYTES_MAX: usize = 64 * 1_048_576;
/// Depth of nested JSON arrays and objects; a lone object is 1 deep.
pub const JSON_DEPTH_MAX: usize = 8;
/// The largest magnitude of an integer: 2^53 − 1.
pub const INTEGER_MAX: i64 = 9_007_199_254_740_991;
/// Elements of a list in facts, data, `cause` and `corrects`.
pub const LIST_LEN_MAX: usize = 256;
/// Further streams that a statement concerns.
pub const ABOUT_LEN_MAX: usize = 7;
/// Facts of a statement of a user's own event.
pub const CUSTOM_FACTS_MAX: usize = 64;
/// Characters of an id's kind.
pub const ID_KIND_LEN_MAX: usize = 16;
/// Characters of an id's name.
pub const ID_NAME_LEN_MAX: usize = 64;
/// Characters of a code.
pub const CODE_LEN_MAX: usize = 64;
/// Characters of a version.
pub const VERSION_LEN_MAX: usize = 64;
/// Characters of an event's name, or of a field's.
pub const NAME_LEN_MAX: usize = 64;
/// Characters of an origin.
pub const ORIGIN_LEN_MAX: usize = 64;
/// Bytes of a disclosure's salt, at least.
pub const SALT_BYTES_MIN: usize = 16;
/// Bytes of a disclosure's salt, at most.
pub const SALT_BYTES_MAX: usize = 32;
/// How far a statement's `iat` may be ahead of the entry's `recorded`, in seconds.
pub const IAT_AHEAD_SECONDS_MAX: i64 = 300;
/// How far behind `recorded` an `iat` may be before the entry is shown as late, in seconds.
pub const IAT_BEHIND_SECONDS_SHOWN: i64 = 86_400;
