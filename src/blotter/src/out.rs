//! Printing: tables that fit the terminal, JSON for machines, colours only where they can be seen. Results go to standard
//! output, everything else to standard error.

use std::io::{IsTerminal, Write};

use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use serde_json::Value;

use crate::context::Color;

const WIDTH_WITHOUT_TERMINAL: u16 = 160;
/// A terminal that says it is narrower does not know its size: serial lines and some recorders say 0.
const WIDTH_MIN: u16 = 20;

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    pub(crate) json: bool,
    color: bool,
}

/// What a piece of text means; how it looks follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Dim,
    Strong,
}

impl Out {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        };
        Self { json, color }
    }

    /// Prints a result: as JSON on one line, or as `human` has it.
    pub(crate) fn result(&self, json: &Value, human: impl FnOnce() -> String) {
        if self.json { self.line(&json.to_string()) } else { self.line(human().trim_end_matches('\n')) }
    }

    /// Prints one line to standard output. A reader that went away (`| head`) ends the program quietly.
    pub(crate) fn line(&self, text: &str) {
        if writeln!(std::io::stdout().lock(), "{text}").is_err() {
            std::process::exit(0);
        }
    }

    /// Prints bytes as they are, to standard output.
    pub(crate) fn bytes(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
    }

    /// Says something to the person, beside the result.
    pub(crate) fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// The text in the colour of its meaning, where colours are on.
    pub(crate) fn toned(&self, tone: Tone, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Warn => "33",
            Tone::Dim => "2",
            Tone::Strong => "1",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// A table that fits the terminal.
    pub(crate) fn table(&self, heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if !std::io::stdout().is_terminal() || table.width().is_none_or(|width| width < WIDTH_MIN) {
            table.set_width(WIDTH_WITHOUT_TERMINAL);
        }
        // The table must know what is colour and what takes room.
        if self.color {
            table.enforce_styling();
        }
        let dim =
            |text: &&str| if self.color { Cell::new(text).add_attribute(Attribute::Dim) } else { Cell::new(text) };
        table.set_header(heading.iter().map(dim));
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = table.to_string();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    /// Name and value, line by line, the values in one column.
    pub(crate) fn pairs(&self, pairs: &[(&str, String)]) -> String {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let line = |(name, value): &(&str, String)| {
            let name = self.toned(Tone::Dim, &format!("{name:width$}"));
            format!("{name}  {}", value.replace('\n', &format!("\n{:1$}", "", width + 2)))
        };
        pairs.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Hostile text made harmless for a terminal: control characters escaped, and those that turn the direction of text, with
/// which a line can be made to read as what it does not say.
pub(crate) fn plain(text: &str) -> String {
    let turns =
        |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || turns(c) { plain.extend(c.escape_unicode()) } else { plain.push(c) }
    }
    plain
}

/// The first characters of a long text.
pub(crate) fn cut(text: &str, len: usize) -> String {
    if text.chars().count() <= len {
        return text.to_owned();
    }
    text.chars().take(len.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_reaches_no_terminal() {
        let check = |text: &str, expect: &str| assert_eq!(plain(text), expect);
        check("Ransom \x1b[31mnote\r\n", "Ransom \\u{1b}[31mnote\\u{d}\\u{a}");
        check("C1 \u{9b}31m", "C1 \\u{9b}31m");
        check("exe.\u{202e}fdp", "exe.\\u{202e}fdp");
        check("Ödön — 事件 ☠", "Ödön — 事件 ☠");
    }

    #[test]
    fn what_is_cut_shows_it() {
        assert_eq!((cut("事件事件", 4), cut("事件事件", 3)), ("事件事件".to_owned(), "事件…".to_owned()));
    }
}
