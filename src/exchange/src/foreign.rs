//! Documents of other systems: read strictly, taken apart with the place of everything in hand, and cut to what a
//! statement has room for. Alerts, tickets and playbooks read through it.

pub(crate) mod cut;
pub(crate) mod document;
pub(crate) mod field;
pub(crate) mod json;
pub(crate) mod paths;
pub(crate) mod when;

/// Bytes of one document, however much is in it.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1_048_576;
/// Alerts, or changes of tickets, in one document.
pub const PARTS_MAX: usize = 1_000;
/// Arrays and objects inside one another; a lone object is 1 deep.
pub const DEPTH_MAX: usize = 64;

/// Bytes of what identifies something in another system.
pub const ID_BYTES_MAX: usize = 1_024;
/// Bytes of a short value, such as a name, as JSON has them between the quotes.
pub const VALUE_BYTES_MAX: usize = 2_048;
/// Bytes of a long value, such as a description, as JSON has them between the quotes.
pub const DESCRIPTION_BYTES_MAX: usize = 16_384;
/// Bytes of `raw`, as JSON has them between the quotes. A disclosure has at most 65,536 characters of base64url, so
/// 49,152 bytes; the rest is for salt and name.
pub const RAW_BYTES_MAX: usize = 49_000;

/// Why a document, or one part of it, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", in_field(.at))]
pub struct ForeignError {
    /// Where: a JSON pointer (RFC 6901) into the document, empty for the whole of it. Of several documents one after
    /// another (NDJSON) it points as if they stood in a list.
    pub at: String,
    /// What is wrong, and what is wanted.
    pub what: String,
}

fn in_field(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{}: ", crate::error::shown(at)) }
}

/// A file that is no mapping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mapping: {0}")]
pub struct MappingError(pub(crate) String);
