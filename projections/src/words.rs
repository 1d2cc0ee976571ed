//! The view of words: full text over the values that the vault still has, one document an entry. It is no part of any
//! digest: what is erased leaves it.

use std::path::Path;

use blotter_record::{Event, Json, Statement};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::views::{Failed, LogEntry, Source, View, ViewError, catch_up, read_only, signed, with_views};

/// Of a value, so many characters can be searched for.
pub const WORD_CHARS_MAX: usize = 4_000;
/// Values that nobody searches by words: originals and documents are found by what is said about them.
const NOT_INDEXED: [&str; 2] = ["raw", "document"];

pub(crate) struct WordRows;

impl View for WordRows {
    const NAME: &'static str = "words";
    const VERSION: i64 = 1;

    fn create() -> String {
        "CREATE VIRTUAL TABLE word USING fts5(
             text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
         );"
        .to_owned()
    }

    fn drop() -> String {
        "DROP TABLE IF EXISTS word;".to_owned()
    }

    fn take<S: Source>(
        &mut self,
        tx: &Transaction<'_>,
        source: &S,
        _: u64,
        entries: &[LogEntry],
    ) -> Result<(), Failed<S::Error>> {
        for entry in entries {
            let Some((_, statement)) = &entry.said else { continue };
            if !statement.fields.is_empty() {
                index(tx, source, entry.seq)?;
            }
            leave(tx, source, statement)?;
        }
        Ok(())
    }
}

/// Writes the words that the vault has of an entry.
fn index<S: Source>(tx: &Transaction<'_>, source: &S, seq: u64) -> Result<(), Failed<S::Error>> {
    let values = source.values(seq).map_err(Failed::Source)?;
    let mut text = String::new();
    for (name, value) in &values {
        if !NOT_INDEXED.contains(&name.as_str()) {
            add_words(value, &mut text);
        }
    }
    if !text.is_empty() {
        let mut insert = tx.prepare_cached("INSERT INTO word (rowid, text) VALUES (?1, ?2)")?;
        insert.execute(params![signed(seq), text])?;
    }
    Ok(())
}

/// Texts, and those in lists; an object names a blob.
fn add_words(value: &Json, text: &mut String) {
    match value {
        Json::Text(words) => {
            text.extend(words.chars().take(WORD_CHARS_MAX));
            text.push('\n');
        }
        Json::List(items) => items.iter().for_each(|item| add_words(item, text)),
        Json::Int(n) => *text += &format!("{n}\n"),
        Json::Null | Json::Bool(_) | Json::Object(_) => {}
    }
}

/// What was erased or expunged leaves; what else its entry has stays.
fn leave<S: Source>(tx: &Transaction<'_>, source: &S, statement: &Statement) -> Result<(), Failed<S::Error>> {
    let seqs: Vec<u64> = match statement.event.known() {
        Some(Event::ErasureExecuted) => {
            let mut seqs = Vec::new();
            for item in statement.facts.items("items") {
                seqs.extend(source.seq_of(&item.jti).map_err(Failed::Source)?);
            }
            seqs
        }
        Some(Event::EntryExpunged) => {
            statement.facts.int("seq").and_then(|seq| u64::try_from(seq).ok()).into_iter().collect()
        }
        _ => return Ok(()),
    };
    for seq in seqs {
        tx.prepare_cached("DELETE FROM word WHERE rowid = ?1")?.execute([signed(seq)])?;
        index(tx, source, seq)?;
    }
    Ok(())
}

/// The words of a ledger, caught up.
pub struct Words {
    db: Connection,
}

impl Words {
    /// Opens the view in `path`, makes it if need be, and catches up with the log. `progress(done, size)` is told after
    /// each batch. A damaged file is thrown away and built anew.
    ///
    /// # Errors
    /// If the file can't be used, or the log can't be read.
    pub fn open<S: Source>(
        path: &Path,
        source: &S,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Self, ViewError<S::Error>> {
        with_views(path, |mut db| {
            catch_up(&mut db, &mut WordRows, source, progress)?;
            Ok(Self { db })
        })
    }

    /// The words as somebody else brought them up to date.
    ///
    /// # Errors
    /// If the file can't be opened.
    pub fn read(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self { db: read_only(path)? })
    }

    /// Seqs of entries before `before` whose values have all these words, newest first, at most `limit`. A word that ends
    /// in `*` stands for all that begin so; words in double quotes stand beside each other. Case and accents don't count.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn search(&self, text: &str, before: u64, limit: usize) -> rusqlite::Result<Vec<u64>> {
        let query = fts_query(text);
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self
            .db
            .prepare_cached("SELECT rowid FROM word WHERE word MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3")?;
        let seqs = found.query_map(params![query, signed(before), signed(limit as u64)], |row| row.get::<_, i64>(0))?;
        seqs.map(|seq| seq.map(|seq| u64::try_from(seq).unwrap_or(0))).collect()
    }

    /// Whether an entry has words here.
    ///
    /// # Errors
    /// If the database can't be read.
    pub fn has(&self, seq: u64) -> rusqlite::Result<bool> {
        let found = self.db.query_row("SELECT 1 FROM word WHERE rowid = ?1", [signed(seq)], |_| Ok(()));
        found.optional().map(|found| found.is_some())
    }
}

/// What was typed as a query that can't be misread: every word or phrase quoted, a `*` behind it kept.
fn fts_query(text: &str) -> String {
    let mut terms = Vec::new();
    for (n, part) in text.split('"').enumerate() {
        // Every second part stood in quotes.
        if n % 2 == 1 {
            terms.extend((!part.trim().is_empty()).then(|| format!("\"{part}\"")));
            continue;
        }
        terms.extend(part.split_whitespace().filter_map(|word| {
            let (word, star) = word.strip_suffix('*').map_or((word, ""), |word| (word, "*"));
            (!word.is_empty()).then(|| format!("\"{word}\"{star}"))
        }));
    }
    terms.join(" ")
}

#[cfg(test)]
mod tests {
    use super::fts_query;

    #[test]
    fn what_is_typed_is_never_syntax() {
        let check = |typed: &str, expect: &str| assert_eq!(fts_query(typed), expect);
        check("file server", "\"file\" \"server\"");
        check("rans* \"file server\" NOT", "\"rans\"* \"file server\" \"NOT\"");
        check("a\"b", "\"a\" \"b\"");
        check(" * \"\" ", "");
    }
}
