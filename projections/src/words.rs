//! The view of words: full text over the values that the vault still has, one document an entry. It is no part of any
//! digest: what is erased leaves it.

use std::path::Path;

use blotter_record::{Event, Json, Statement};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::catch_up::{Batch, Layout, Projection, Saving};
use crate::views::{Source, Values, View, ViewError, Views, read_only, signed};

/// Of a value, so many characters can be searched for.
pub const WORD_CHARS_MAX: usize = 4_000;
/// Values that nobody searches by words: originals and documents are found by what is said about them.
const NOT_INDEXED: [&str; 2] = ["raw", "document"];

/// Its table.
pub(crate) static LAYOUT: Layout = Layout {
    name: "words",
    version: 1,
    create: || {
        "CREATE VIRTUAL TABLE word USING fts5(
             text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
         );"
        .to_owned()
    },
    index: String::new,
    drop: || "DROP TABLE IF EXISTS word;".to_owned(),
};

pub(crate) struct WordRows;

/// The words of an entry as they are now.
struct Text {
    seq: u64,
    /// Whether there were words of it before.
    known: bool,
    text: String,
}

impl<S: Source> Projection<S> for WordRows {
    fn fold(&mut self, source: &S, batch: &Batch<'_>) -> Result<Saving, S::Error> {
        let values = batch.values(source)?;
        let mut texts = Vec::new();
        for entry in batch.entries {
            let Some((_, statement)) = &entry.said else { continue };
            if let Some(values) = values.get(&entry.seq) {
                texts.push(Text { seq: entry.seq, known: false, text: words_of(values) });
            }
            // What was erased or expunged leaves; what else its entry has stays.
            for seq in taken_from(source, statement)? {
                texts.push(Text { seq, known: true, text: words_of(&source.values(seq)?) });
            }
        }
        Ok(Box::new(move |tx| save(tx, texts)))
    }
}

fn save(tx: &Transaction<'_>, texts: Vec<Text>) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM word WHERE rowid = ?1")?;
    let mut insert = tx.prepare_cached("INSERT INTO word (rowid, text) VALUES (?1, ?2)")?;
    for Text { seq, known, text } in texts {
        if known {
            delete.execute([signed(seq)])?;
        }
        if !text.is_empty() {
            insert.execute(params![signed(seq), text])?;
        }
    }
    Ok(())
}

fn words_of(values: &Values) -> String {
    let mut text = String::new();
    for (name, value) in values {
        if !NOT_INDEXED.contains(&name.as_str()) {
            add_words(value, &mut text);
        }
    }
    text
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

/// The entries that a statement takes something from.
fn taken_from<S: Source>(source: &S, statement: &Statement) -> Result<Vec<u64>, S::Error> {
    match statement.event.known() {
        Some(Event::ErasureExecuted) => {
            let items = statement.facts.items("items").into_iter();
            let seqs = items.filter_map(|item| source.seq_of(&item.jti).transpose());
            seqs.collect()
        }
        Some(Event::EntryExpunged) => {
            Ok(statement.facts.int("seq").and_then(|seq| u64::try_from(seq).ok()).into_iter().collect())
        }
        _ => Ok(Vec::new()),
    }
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
        Ok(Self { db: Views::open(path, &[View::Words], source, progress)?.into_db() })
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
