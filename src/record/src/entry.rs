//! Entries: a statement with its place in the log (FORMAT.md §4). One spelling only: the bytes are the Merkle leaf, and
//! what does not print as it was read is refused.

use crate::Hash;
use crate::id::{Id, Origin};
use crate::instant::Instant;
use crate::limits::{ABOUT_LEN_MAX, ENTRY_BYTES_MAX, INTEGER_MAX};

/// An entry of the log; the statement in it is only text so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the log, from 0.
    pub seq: u64,
    /// Leaf hash of the entry before; for entry 0, [`genesis_prev`].
    pub prev: Hash,
    /// The streams it belongs to: the statement's `sub`, then its `about`.
    pub streams: Vec<StreamLink>,
    /// When the ledger recorded it, by its own clock.
    pub recorded: Instant,
    /// The statement, a compact JWS.
    pub statement: String,
}

/// An entry's place in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamLink {
    /// The stream.
    pub stream: Id,
    /// The entry's number in it, from 0.
    pub n: u64,
    /// Leaf hash of the stream's entry before; `None` for the first.
    pub prev: Option<Hash>,
}

/// What is wrong with an entry's bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an entry: {0}")]
pub struct EntryError(pub String);

/// The `prev` of entry 0: SHA-256("blotter/1\n" ‖ origin ‖ "\n").
pub fn genesis_prev(origin: &Origin) -> Hash {
    Hash::of(format!("blotter/1\n{origin}\n").as_bytes())
}

impl Entry {
    /// The exact bytes that the log holds.
    ///
    /// # Errors
    /// If they would be more than [`ENTRY_BYTES_MAX`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        use std::fmt::Write;
        let mut line = String::with_capacity(self.statement.len() + 512);
        let _ = write!(line, "{{\"v\":1,\"seq\":{},\"prev\":\"{}\",\"streams\":[", self.seq, self.prev);
        for (index, link) in self.streams.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(line, "{comma}[\"{}\",{},\"", link.stream, link.n);
            if let Some(prev) = &link.prev {
                let _ = write!(line, "{prev}");
            }
            line.push_str("\"]");
        }
        let _ = write!(line, "],\"recorded\":\"{}\",\"statement\":\"{}\"}}", self.recorded, self.statement);
        if line.len() > ENTRY_BYTES_MAX {
            return Err(EntryError(format!("{} bytes; at most {ENTRY_BYTES_MAX}", line.len())));
        }
        Ok(line.into_bytes())
    }

    /// Reads an entry's exact bytes.
    ///
    /// # Errors
    /// If they are not the one spelling of an entry.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError(format!("{} bytes; at most {ENTRY_BYTES_MAX}", bytes.len())));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| EntryError(format!("not UTF-8: {e}")))?;
        let mut reader = Reader { text, at: 0 };
        let entry = reader.entry().ok_or_else(|| {
            EntryError(format!("byte {} is not what format 1 has there ({})", reader.at, reader.next_shown()))
        })?;
        Ok(entry)
    }
}

/// The characters of a compact JWS.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        plain[byte] = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        byte += 1;
    }
    plain
};

/// Reads the one spelling from left to right. An entry has no white space, no escapes and a fixed order, so this is all
/// there is, and nothing can be read in two ways.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn entry(&mut self) -> Option<Entry> {
        self.literal("{\"v\":1,\"seq\":")?;
        let seq = self.number()?;
        self.literal(",\"prev\":\"")?;
        let prev = self.hash()?;
        self.literal("\",\"streams\":[")?;
        let mut streams = vec![self.link()?];
        while self.peek(",") {
            self.literal(",")?;
            if streams.len() > ABOUT_LEN_MAX {
                return None;
            }
            streams.push(self.link()?);
        }
        self.literal("],\"recorded\":\"")?;
        let recorded: Instant = self.until('"')?.parse().ok()?;
        if !recorded.is_recorded_form() {
            return None;
        }
        self.literal("\",\"statement\":\"")?;
        // What is left is the statement, and the entry's end. This is most of an entry: no branch for each byte.
        let statement = self.rest().strip_suffix("\"}")?;
        let is_plain = !statement.is_empty() && statement.bytes().fold(true, |ok, b| ok & IS_PLAIN[usize::from(b)]);
        is_plain.then(|| Entry { seq, prev, streams, recorded, statement: statement.to_owned() })
    }

    fn link(&mut self) -> Option<StreamLink> {
        self.literal("[\"")?;
        let stream = self.until('"')?.parse::<Id>().ok()?.into_stream().ok()?;
        self.literal("\",")?;
        let n = self.number()?;
        self.literal(",\"")?;
        let prev = if self.peek("\"") { None } else { Some(self.hash()?) };
        self.literal("\"]")?;
        (prev.is_none() == (n == 0)).then_some(StreamLink { stream, n, prev })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self, literal: &str) -> bool {
        self.rest().starts_with(literal)
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.peek(literal).then(|| self.at += literal.len())
    }

    fn until(&mut self, end: char) -> Option<&'a str> {
        let found = self.rest().split_once(end)?.0;
        self.at += found.len();
        Some(found)
    }

    fn hash(&mut self) -> Option<Hash> {
        let start = self.at;
        let hash = self.until('"')?.parse().ok();
        if hash.is_none() {
            self.at = start;
        }
        hash
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let text = &self.rest()[..digits];
        let value: u64 = text.parse().ok()?;
        let canonical = digits == 1 || !text.starts_with('0');
        (canonical && value <= INTEGER_MAX.unsigned_abs()).then(|| {
            self.at += digits;
            value
        })
    }

    fn next_shown(&self) -> String {
        let shown: String = self.rest().chars().take(24).collect();
        if shown.is_empty() { "the end".to_owned() } else { shown.escape_debug().to_string() }
    }
}
