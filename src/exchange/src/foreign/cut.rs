//! Values that fit: a text that is too long is cut at a character and says so in its last words; nothing is cut without a
//! word. Lengths are of the text as JSON has it between the quotes, because that is what a disclosure has room for.

use blotter_record::{Hash, Json};

use super::field::Field;
use super::{ForeignError, ID_BYTES_MAX, RAW_BYTES_MAX};

/// What ends a value that was cut.
const MARK: &str = " [cut]";

/// `text` in at most `bytes_max` bytes of JSON, without U+0000 (which statements can't hold), and never of the form that
/// names a blob (FORMAT.md §2.5).
pub(crate) fn fitted(text: &str, bytes_max: usize) -> String {
    let text = text.replace('\0', "\u{fffd}");
    let text = if names_a_blob(&text) { format!(" {text}") } else { text };
    cut(&text, bytes_max, || MARK.into())
}

/// `text` if it fits into `bytes_max` bytes of JSON, or else as much from its beginning as leaves room for `mark`.
fn cut(text: &str, bytes_max: usize, mark: impl FnOnce() -> String) -> String {
    if json_len(text) <= bytes_max {
        return text.to_owned();
    }
    let mark = mark();
    let room = bytes_max.saturating_sub(json_len(&mark));
    let mut used = 0;
    let fits = text.char_indices().find(|(_, c)| {
        used += json_len_of(*c);
        used > room
    });
    let end = fits.map_or(text.len(), |(at, _)| at);
    format!("{}{mark}", &text[..end])
}

/// Bytes of `text` between the quotes of a JSON string.
pub(crate) fn json_len(text: &str) -> usize {
    text.chars().map(json_len_of).sum()
}

fn json_len_of(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

/// Whether a ledger would take `text` for the name of a blob.
fn names_a_blob(text: &str) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    matches!(parts[..], ["blob", hash, _, _] if hash.len() == 64)
}

/// What identifies something is never cut or mended: two things could become one.
pub(crate) fn check_id(id: &str, what: &str, root: &Field<'_>) -> Result<(), ForeignError> {
    let refuse = |why: &str| Err(root.error(format!("{what} {why}")));
    if id.len() > ID_BYTES_MAX {
        return refuse(&format!("has {} bytes; at most {ID_BYTES_MAX}", id.len()));
    }
    if id.contains('\0') {
        return refuse("has a U+0000 in it");
    }
    if names_a_blob(id) {
        return refuse("is spelt like the name of a blob");
    }
    Ok(())
}

/// The original as values: its text, cut and saying so if it is too large, and the hash of all of it.
pub(crate) fn originals(raw: &str) -> [(String, Json); 2] {
    let mark = || format!("\n[cut: the original has {} bytes; raw_sha256 is of all of them]", raw.len());
    let hash = Hash::of(raw.as_bytes()).to_hex();
    [("raw".to_owned(), cut(raw, RAW_BYTES_MAX, mark).into()), ("raw_sha256".to_owned(), hash.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_at_the_limit_is_whole_and_one_above_is_cut() {
        let limit = 20;
        assert_eq!(fitted(&"x".repeat(limit), limit), "x".repeat(limit));
        assert_eq!(fitted(&"x".repeat(limit + 1), limit), format!("{} [cut]", "x".repeat(limit - 6)));
        assert_eq!(fitted(&"\"".repeat(limit / 2), limit), "\"".repeat(limit / 2));
        assert_eq!(fitted(&"é".repeat(limit), limit), format!("{} [cut]", "é".repeat(7)));
    }

    #[test]
    fn the_length_is_that_of_the_record_own_json() {
        let text: String = (1..0x300).filter_map(char::from_u32).chain(['\u{fffd}', '😀']).collect();
        assert_eq!(json_len(&text) + 2, Json::from(text.as_str()).to_text().len());
    }

    #[test]
    fn what_a_statement_cannot_hold_or_would_misread_is_changed() {
        assert_eq!(fitted("a\0b", 20), "a\u{fffd}b");
        let name = format!("blob:{}:12:{}", "0".repeat(64), "a".repeat(26));
        assert_eq!(fitted(&name, 200), format!(" {name}"));
    }
}
