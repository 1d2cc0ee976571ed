//! `blotter append`: statements that were signed elsewhere, a presentation a line, into the ledger. Each line has its own
//! answer; a line that is no statement never stops the others.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_client::RemoteStore;
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Appended, BATCH_ENTRIES_MAX, Error, Ledger, read};
use blotter_record::limits::PRESENTATION_BYTES_MAX;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::Exit;
use crate::context::Context;
use crate::files;
use crate::out::{Tone, plain};
use crate::remote::{self, NotRecorded};
use crate::session::{Reader, open_writer, write_anchor};

/// So much text is verified and appended at once.
const CHUNK_BYTES_MAX: usize = 8 * 1_048_576;

/// Append statements that were signed elsewhere
///
/// One presentation a line, as `blotter sign` writes them. Each line is answered for itself: the entry it became, or why
/// it was refused. A statement that is there already is not recorded twice, so a broken run is simply run again.
///
/// Exits with 0 if all are in, with 4 if any was refused.
#[derive(Debug, Args)]
pub(crate) struct Append {
    /// Files of presentations; - for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// All lines of all files, or none of them; at most 256
    #[arg(long)]
    atomic: bool,

    /// Write each entry's receipt into this directory, as SEQ.receipt.json
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Append) -> Result<Exit> {
    if let Some(dir) = &args.receipts {
        std::fs::create_dir_all(dir).with_context(|| format!("the directory for receipts, {}", dir.display()))?;
    }
    let inputs = args.files.iter().map(|path| Input::open(path)).collect::<Result<Vec<_>>>()?;
    let place = match remote::store(context)? {
        Some(store) => {
            // The receipts of its answers are held against the ledger's keys, as the log itself has them.
            let reader = Reader::open_remote(context, store.clone())?;
            Place::There(Box::new(reader.keyring), store)
        }
        None => Place::Here(open_writer(context)?),
    };
    let mut run = Run { context, place: &place, receipts: args.receipts.as_deref(), counts: Counts::default() };
    let bar = progress(context, &inputs);
    let done = if args.atomic { run.whole(inputs) } else { run.line_by_line(inputs, &bar) };
    bar.finish_and_clear();
    // Also after a failure: what was appended before it is in, and the anchor should say so.
    let anchored = match &place {
        Place::Here(ledger) => {
            ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))?.map(drop)
        }
        Place::There(..) => Ok(()),
    };
    done?;
    anchored?;
    Ok(run.summary())
}

/// Where the statements go.
enum Place {
    Here(Ledger),
    There(Box<Keyring>, RemoteStore),
}

/// A statement that is in, now or from before.
struct Recorded {
    seq: u64,
    repeated: bool,
    /// The receipt that came with the answer.
    receipt: Option<String>,
}

/// Why a statement is not in.
enum NotIn {
    /// For a reason of its own: a stable code, and in words.
    Refused(String, String),
    /// Because something failed; nothing is known of it.
    Failed(anyhow::Error),
}

impl Place {
    /// Appends statements, each for itself.
    fn append_many(&self, texts: &[String]) -> Result<Vec<Result<Recorded, NotIn>>> {
        match self {
            Self::Here(ledger) => Ok(ledger.append_many(texts).into_iter().map(answered_here).collect()),
            Self::There(keyring, store) => send(keyring, store, texts, false),
        }
    }

    /// Appends all of them, or none.
    fn append_list(&self, texts: &[String]) -> Result<Vec<Result<Recorded, NotIn>>> {
        let ledger = match self {
            Self::Here(ledger) => ledger,
            Self::There(keyring, store) => return send(keyring, store, texts, true),
        };
        let mut prepared = Vec::with_capacity(texts.len());
        let mut at_fault = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match ledger.prepare(text, Vec::new()) {
                Ok(one) => prepared.push(one),
                Err(error) => at_fault.push((index, error)),
            }
        }
        if let Some((first, why)) = at_fault.first().map(|(index, error)| (*index, error.to_string())) {
            let others = || NotIn::Refused("list-refused".to_owned(), format!("line {} was refused: {why}", first + 1));
            let mut answers: Vec<_> = texts.iter().map(|_| Err(others())).collect();
            at_fault.into_iter().for_each(|(index, error)| answers[index] = answered_here(Err(error)));
            return Ok(answers);
        }
        Ok(ledger.append_list(prepared)?.into_iter().map(answered_here).collect())
    }

    /// The receipt of an entry, as FORMAT.md §7 has it.
    fn receipt(&self, seq: u64) -> Result<String> {
        Ok(match self {
            Self::Here(ledger) => ledger.receipt(seq)?.to_json().to_text(),
            Self::There(_, store) => read::receipt(store, seq)?.to_json().to_text(),
        })
    }
}

fn send(
    keyring: &Keyring,
    store: &RemoteStore,
    texts: &[String],
    atomic: bool,
) -> Result<Vec<Result<Recorded, NotIn>>> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let results = remote::send(store, texts, atomic)?;
    let answer = |(text, result): (&String, _)| match remote::recorded(keyring, text, result) {
        Ok((Appended { seq, repeated, .. }, receipt)) => {
            Ok(Recorded { seq, repeated, receipt: Some(receipt.to_text()) })
        }
        Err(NotRecorded::Refused(problem)) => Err(NotIn::Refused(problem.code, problem.detail)),
        Err(unproven) => Err(NotIn::Failed(unproven.into())),
    };
    Ok(texts.iter().zip(results).map(answer).collect())
}

fn answered_here(answer: Result<Appended, Error>) -> Result<Recorded, NotIn> {
    match answer {
        Ok(Appended { seq, repeated, .. }) => Ok(Recorded { seq, repeated, receipt: None }),
        Err(error @ (Error::Malformed(_) | Error::Refused(_) | Error::ListRefused { .. })) => {
            Err(NotIn::Refused(code(&error).to_owned(), error.to_string()))
        }
        Err(error) => Err(NotIn::Failed(error.into())),
    }
}

/// A line of an input.
struct Line {
    file: String,
    number: u64,
    text: Result<String, String>,
}

/// A file, read line by line, however long it and they are.
struct Input {
    name: String,
    bytes: Option<u64>,
    reader: BufReader<Box<dyn Read>>,
    number: u64,
}

impl Input {
    fn open(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            let reader: Box<dyn Read> = Box::new(std::io::stdin());
            return Ok(Self { name: "-".to_owned(), bytes: None, reader: BufReader::new(reader), number: 0 });
        }
        let file = File::open(path).with_context(|| format!("{}", path.display()))?;
        let bytes = file.metadata().ok().filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
        let reader: Box<dyn Read> = Box::new(file);
        Ok(Self { name: path.display().to_string(), bytes, reader: BufReader::new(reader), number: 0 })
    }

    /// The next line that is not blank, and how many bytes were read for it.
    fn next(&mut self) -> Result<Option<(Line, u64)>> {
        let mut taken = 0;
        loop {
            let Some((text, read)) = bounded_line(&mut self.reader).with_context(|| self.name.clone())? else {
                return Ok(None);
            };
            (self.number, taken) = (self.number + 1, taken + read);
            if !matches!(&text, Ok(text) if text.is_empty()) {
                return Ok(Some((Line { file: self.name.clone(), number: self.number, text }, taken)));
            }
        }
    }
}

/// A line without the white space around it, or why it can't be one; and how many bytes it had. Of a longer line than any
/// presentation only the length is kept.
fn bounded_line(reader: &mut impl BufRead) -> std::io::Result<Option<(Result<String, String>, u64)>> {
    let mut bytes = Vec::new();
    // Room for white space around the longest presentation.
    let limit = PRESENTATION_BYTES_MAX as u64 + 1024;
    let mut read = reader.by_ref().take(limit).read_until(b'\n', &mut bytes)? as u64;
    if read == 0 {
        return Ok(None);
    }
    if read == limit && !bytes.ends_with(b"\n") {
        read += skip_line(reader)?;
    }
    let text = match std::str::from_utf8(bytes.trim_ascii()) {
        _ if read > limit || bytes.trim_ascii().len() > PRESENTATION_BYTES_MAX => {
            Err(format!("{read} bytes; a presentation has at most {PRESENTATION_BYTES_MAX}"))
        }
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err("not UTF-8".to_owned()),
    };
    Ok(Some((text, read)))
}

/// Reads to the end of the line, keeping nothing; says how many bytes that were.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = reader.fill_buf()?;
        let (count, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(count);
        skipped += count as u64;
        if ends {
            return Ok(skipped);
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    appended: u64,
    repeated: u64,
    refused: u64,
}

/// One run of the command.
struct Run<'a> {
    context: &'a Context,
    place: &'a Place,
    receipts: Option<&'a Path>,
    counts: Counts,
}

impl Run<'_> {
    fn line_by_line(&mut self, inputs: Vec<Input>, bar: &ProgressBar) -> Result<()> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        for mut input in inputs {
            while let Some((line, taken)) = input.next()? {
                bytes += line.text.as_ref().map_or(0, String::len);
                chunk.push(line);
                if chunk.len() >= BATCH_ENTRIES_MAX || bytes >= CHUNK_BYTES_MAX {
                    self.chunk(std::mem::take(&mut chunk))?;
                    bytes = 0;
                }
                bar.inc(taken);
            }
        }
        self.chunk(chunk)
    }

    fn chunk(&mut self, lines: Vec<Line>) -> Result<()> {
        let texts: Vec<String> = lines.iter().filter_map(|line| line.text.clone().ok()).collect();
        let mut answers = self.place.append_many(&texts)?.into_iter();
        for line in &lines {
            match &line.text {
                Err(why) => self.refused(line, "malformed", why),
                Ok(_) => {
                    let answer = answers.next().context("the ledger answers each statement")?;
                    self.answered(line, answer)?;
                }
            }
        }
        Ok(())
    }

    fn whole(&mut self, inputs: Vec<Input>) -> Result<()> {
        let mut lines = Vec::new();
        for mut input in inputs {
            while let Some((line, _)) = input.next()? {
                if lines.len() == BATCH_ENTRIES_MAX {
                    bail!("more than {BATCH_ENTRIES_MAX} statements can't enter as a whole; nothing was recorded");
                }
                lines.push(line);
            }
        }
        // A line that is no text is refused before anything is sent.
        for line in &lines {
            if let Err(why) = &line.text {
                self.refused(line, "malformed", why);
            }
        }
        if self.counts.refused > 0 || lines.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = lines.iter().filter_map(|line| line.text.clone().ok()).collect();
        let answers = self.place.append_list(&texts)?;
        lines.iter().zip(answers).try_for_each(|(line, answer)| self.answered(line, answer))
    }

    fn answered(&mut self, line: &Line, answer: Result<Recorded, NotIn>) -> Result<()> {
        let Recorded { seq, repeated, receipt } = match answer {
            Ok(recorded) => recorded,
            Err(NotIn::Refused(code, why)) => {
                self.refused(line, &code, &why);
                return Ok(());
            }
            Err(NotIn::Failed(error)) => {
                let at = format!("{}, line {}", line.file, line.number);
                return Err(error).context(at);
            }
        };
        if repeated {
            self.counts.repeated += 1
        } else {
            self.counts.appended += 1
        }
        if let Some(dir) = self.receipts {
            let text = receipt.map_or_else(|| self.place.receipt(seq), Ok)?;
            files::write(
                &dir.join(format!("{seq}.receipt.json")),
                format!("{text}\n").as_bytes(),
                files::Mode::Public,
            )?;
        }
        let json = json!({ "file": line.file, "line": line.number, "seq": seq, "repeated": repeated });
        self.context.out.result(&json, || {
            let how = if repeated { "was recorded before, as entry" } else { "entry" };
            format!("{}:{}  {how} {seq}", plain(&line.file), line.number)
        });
        Ok(())
    }

    fn refused(&mut self, line: &Line, code: &str, why: &str) {
        self.counts.refused += 1;
        let out = &self.context.out;
        out.result(&json!({ "file": line.file, "line": line.number, "error": why, "code": code }), || {
            let refused = out.toned(Tone::Bad, "refused");
            format!("{}:{}  {refused} [{code}] {}", plain(&line.file), line.number, plain(why))
        });
    }

    fn summary(&self) -> Exit {
        let Counts { appended, repeated, refused } = self.counts;
        if self.context.out.json {
            let summary: Value = json!({ "appended": appended, "repeated": repeated, "refused": refused });
            self.context.out.line(&summary.to_string());
        }
        if appended + repeated + refused == 0 {
            self.context.out.note("There was nothing to append.");
        } else {
            self.context.out.note(&format!("{appended} appended, {repeated} recorded before, {refused} refused"));
        }
        if refused > 0 { Exit::Refused } else { Exit::Done }
    }
}

/// A stable code for machines.
fn code(error: &Error) -> &'static str {
    match error {
        Error::Malformed(_) => "malformed",
        Error::Refused(refusal) => refusal.code(),
        Error::ListRefused { .. } => "list-refused",
        Error::Busy { .. } => "busy",
        Error::Poisoned { .. } => "poisoned",
        Error::Corrupt { .. } => "corrupt",
        Error::Behind { .. } | Error::NotALedger { .. } | Error::Locked(_) | Error::System { .. } => "could-not-run",
    }
}

/// A bar for people who wait; hidden where the lines themselves scroll by, and without a terminal.
fn progress(context: &Context, inputs: &[Input]) -> ProgressBar {
    let watched = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal() && !context.out.json;
    if !watched {
        return ProgressBar::hidden();
    }
    let bytes = inputs.iter().map(|input| input.bytes).sum::<Option<u64>>();
    let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
    let template = "{bar:30} {binary_bytes} of {binary_total_bytes}, {elapsed}";
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Result<String, String>> {
        let mut reader = BufReader::with_capacity(16, bytes);
        std::iter::from_fn(|| bounded_line(&mut reader).unwrap()).map(|(text, _)| text).collect()
    }

    #[test]
    fn lines_come_without_their_ends_and_the_last_needs_none() {
        assert_eq!(lines(b"a~\r\n\n  b~ \nc~"), ["a~", "", "b~", "c~"].map(|text| Ok(text.to_owned())));
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_told_by_its_length_and_the_next_is_read() {
        let longest = "x".repeat(PRESENTATION_BYTES_MAX);
        for (extra, fits) in [("", true), ("y", false), (&*"z".repeat(100_000), false)] {
            let read = lines(format!("{longest}{extra}\nnext~\n").as_bytes());
            assert_eq!(read[0].is_ok(), fits, "{}", extra.len());
            assert_eq!(read[1..], [Ok("next~".to_owned())]);
        }
    }

    #[test]
    fn a_line_that_is_not_utf8_is_named() {
        assert_eq!(lines(b"\xff\nok~\n"), [Err("not UTF-8".to_owned()), Ok("ok~".to_owned())]);
    }
}
