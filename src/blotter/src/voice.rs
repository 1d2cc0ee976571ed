//! One person saying something from the command line, from the words to the receipt: build, show, ask, sign, append. What
//! is signed is what was shown: nothing is built anew between the question and the signature.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use anyhow::{Context as _, Result, bail};
use blotter_client::{LineResult, RemoteStore};
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Appended, BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, Error, Ledger, read};
use blotter_record::{Fact, Id, Presentation, Seen, Statement, Unsigned};
use serde_json::{Value, json};

use crate::commands::act::{Blobs, show};
use crate::context::Context;
use crate::keystore;
use crate::remote;
use crate::session::{Reader, Speaker, Words, open_writer, seen_at, write_anchor};

/// Bytes of statements in a list: entries are larger than what is sent, so a batch has room for more.
const LIST_BYTES_MAX: usize = BATCH_BYTES_MAX / 2;
/// Entries that are named to people after they were recorded.
const SAID_SHOWN_MAX: usize = 20;
/// Streams that are named before many statements are signed.
const STREAMS_SHOWN_MAX: usize = 20;

/// A ledger that is read, and somebody who can speak in it.
pub(crate) struct Voice {
    pub(crate) reader: Reader,
    pub(crate) speaker: Speaker,
}

/// A statement that was recorded.
pub(crate) struct Said {
    pub(crate) appended: Appended,
    pub(crate) presentation: Presentation,
}

impl Voice {
    /// The ledger of `--dir` or `--server`, and the owner of the key of `--as`.
    pub(crate) fn open(context: &Context) -> Result<Self> {
        let reader = Reader::open(context)?;
        let speaker = Speaker::of(keystore::signer(context, Some(&reader.keyring))?, &reader.keyring)?;
        Ok(Self { reader, speaker })
    }

    /// Says all of this, or nothing. `beware` stands before the question.
    ///
    /// # Errors
    /// If the person says no, or the ledger does; nothing was recorded then.
    pub(crate) fn say(&self, context: &Context, words: &[Words], beware: Option<&str>) -> Result<Vec<Said>> {
        self.say_with(context, words, Blobs::new(), beware)
    }

    /// The same, with the blobs that the first of them names.
    pub(crate) fn say_with(
        &self,
        context: &Context,
        words: &[Words],
        blobs: Blobs,
        beware: Option<&str>,
    ) -> Result<Vec<Said>> {
        let Self { reader, speaker } = self;
        if reader.remote.is_some() && !blobs.is_empty() {
            bail!("a value of 32 KiB or more can't be sent to a server; say this where the ledger is");
        }
        let unsigned = self.build(context, words)?;
        if !context.globals.yes {
            let mut parts: Vec<String> = unsigned.iter().map(|unsigned| show(context, unsigned)).collect();
            parts.extend(beware.map(str::to_owned));
            parts.push(format!("Sign and record this as {}?", speaker.actor));
            ask(context, &parts.join("\n\n"))?;
        }
        let presentations = unsigned.into_iter().map(|unsigned| speaker.sign(unsigned)).collect::<Result<Vec<_>>>()?;
        match &reader.remote {
            Some(server) => record_there(server, &reader.keyring, presentations),
            None => {
                let ledger = open_writer(context)?;
                let said = record_here(&ledger, presentations, blobs)?;
                anchor(context, &ledger)?;
                Ok(said)
            }
        }
    }

    /// Says many things that are alike at once: one question, one passphrase, one signature each. What is alike is shown
    /// once, with the streams that it stands in. `parts` are kept whole; as many of them as a list can have enter together
    /// or not at all. `beware` stands before the question.
    ///
    /// # Errors
    /// If the person says no: then nothing was recorded. If the ledger does, the lists before were, and the error says so.
    pub(crate) fn say_all(&self, context: &Context, parts: &[Vec<Words>], beware: Option<&str>) -> Result<Vec<Said>> {
        let Self { reader, speaker } = self;
        let unsigned = self.build(context, &parts.concat())?;
        if !context.globals.yes {
            let mut shown = show_alike(context, &unsigned);
            shown.extend(beware.map(str::to_owned));
            shown.push(format!("Sign and record these {} statements as {}?", unsigned.len(), speaker.actor));
            ask(context, &shown.join("\n\n"))?;
        }
        let signed = unsigned.into_iter().map(|unsigned| speaker.sign(unsigned)).collect::<Result<Vec<_>>>()?;
        let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
        let lists = lists(signed, &sizes);
        let ledger = if reader.remote.is_none() { Some(open_writer(context)?) } else { None };
        let mut said: Vec<Said> = Vec::new();
        for list in lists {
            let recorded = match (&reader.remote, &ledger) {
                (Some(server), _) => record_there(server, &reader.keyring, list),
                (None, Some(ledger)) => record_here(ledger, list, Blobs::new()),
                (None, None) => bail!("there is no ledger to write to"),
            };
            match recorded {
                Ok(recorded) => said.extend(recorded),
                Err(error) if said.is_empty() => return Err(error),
                Err(error) => {
                    let done = format!("{} statements were recorded before; the rest was not", said.len());
                    return Err(error.context(done));
                }
            }
        }
        if let Some(ledger) = &ledger {
            anchor(context, ledger)?;
        }
        Ok(said)
    }

    /// Fixes the bytes that would be signed, with what the speaker has before them.
    fn build(&self, context: &Context, words: &[Words]) -> Result<Vec<Unsigned>> {
        let Self { reader, speaker } = self;
        let head = reader.head(&context.state_dir()?)?;
        let mut seen: HashMap<&Id, Seen> = HashMap::new();
        let mut unsigned = Vec::with_capacity(words.len());
        for words in words {
            let seen = match seen.get(&words.sub) {
                Some(seen) => *seen,
                None => *seen.entry(&words.sub).or_insert(seen_at(&*reader.store, &words.sub, &head)?),
            };
            unsigned.push(speaker.build(reader.keyring.audience(), words, Some(seen))?);
        }
        Ok(unsigned)
    }
}

/// Lists that enter as a whole each: as many parts as fit into one.
fn lists(signed: Vec<Presentation>, sizes: &[usize]) -> Vec<Vec<Presentation>> {
    let bytes: Vec<usize> = signed.iter().map(|presentation| presentation.to_text().len()).collect();
    let mut signed = signed.into_iter();
    list_sizes(sizes, &bytes).into_iter().map(|size| signed.by_ref().take(size).collect()).collect()
}

/// How many statements each list has; `bytes` are those of each statement.
fn list_sizes(parts: &[usize], bytes: &[usize]) -> Vec<usize> {
    let (mut lists, mut size, mut list_bytes, mut at) = (Vec::new(), 0, 0, 0);
    for part in parts {
        let part_bytes: usize = bytes[at..at + part].iter().sum();
        at += part;
        let full = size + part > BATCH_ENTRIES_MAX || list_bytes + part_bytes > LIST_BYTES_MAX;
        if full && size > 0 {
            lists.push(size);
            (size, list_bytes) = (0, 0);
        }
        (size, list_bytes) = (size + part, list_bytes + part_bytes);
    }
    lists.extend(Some(size).filter(|size| *size > 0));
    lists
}

/// Statements that say the same of several streams are shown once, with the streams.
fn show_alike(context: &Context, unsigned: &[Unsigned]) -> Vec<String> {
    let mut alike: Vec<Vec<&Unsigned>> = Vec::new();
    let mut place: HashMap<String, usize> = HashMap::new();
    for one in unsigned {
        match place.entry(says(one)) {
            Entry::Occupied(at) => alike[*at.get()].push(one),
            Entry::Vacant(new) => {
                new.insert(alike.len());
                alike.push(vec![one]);
            }
        }
    }
    let shown = |same: &Vec<&Unsigned>| {
        let first = show(context, same[0]);
        if same.len() == 1 {
            return first;
        }
        let others = same[1..].iter().take(STREAMS_SHOWN_MAX);
        let others: Vec<String> = others.map(|one| streams(one.statement())).collect();
        let more = match same.len() - 1 - others.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{first}\n\nand the same {} times more, of {}{more}", same.len() - 1, others.join(", "))
    };
    alike.iter().map(shown).collect()
}

/// What a statement says apart from its streams.
fn says(unsigned: &Unsigned) -> String {
    let statement = unsigned.statement();
    let of_streams = |fact: &Fact| matches!(fact, Fact::Id(id) if statement.streams().any(|stream| stream == id));
    let facts = statement.facts.iter().filter(|(_, fact)| !of_streams(fact));
    let facts: Vec<String> = facts.map(|(name, fact)| format!("{name}={fact:?}")).collect();
    let values = unsigned.disclosures().iter().map(|value| format!("{}={}", value.name(), value.value().to_text()));
    format!("{} {:?} {:?} {:?}", statement.event, statement.occurred, facts, values.collect::<Vec<_>>())
}

/// The streams of a statement, without the one that many have in common.
fn streams(statement: &Statement) -> String {
    let last = if statement.about.is_empty() { &statement.sub } else { &statement.about[statement.about.len() - 1] };
    last.to_string()
}

/// Writes `anchor.json` anew, after something was recorded.
fn anchor(context: &Context, ledger: &Ledger) -> Result<()> {
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))??;
    Ok(())
}

fn record_here(ledger: &Ledger, presentations: Vec<Presentation>, blobs: Blobs) -> Result<Vec<Said>> {
    let prepared = presentations
        .iter()
        .zip(std::iter::once(blobs).chain(std::iter::repeat_with(Blobs::new)))
        .map(|(presentation, blobs)| ledger.prepare(&presentation.to_text(), blobs))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = ledger.append_list(prepared)?;
    outcome(answers, presentations)
}

fn record_there(server: &RemoteStore, keyring: &Keyring, presentations: Vec<Presentation>) -> Result<Vec<Said>> {
    let texts: Vec<String> = presentations.iter().map(Presentation::to_text).collect();
    let results = remote::send(server, &texts, true)?;
    let is_at_fault = |result: &LineResult| matches!(&result.problem, Some(why) if why.code != "list-refused");
    let at_fault = results.iter().position(is_at_fault).unwrap_or(0);
    let alone = results.len() == 1;
    let mut answers = Vec::new();
    for ((text, result), presentation) in texts.iter().zip(results).zip(&presentations) {
        answers
            .push(remote::recorded(keyring, text, result).map_err(|why| (why, presentation.statement.event.clone())));
    }
    if answers.get(at_fault).is_some_and(Result::is_err) {
        let (why, event) = answers.swap_remove(at_fault).expect_err("looked at just now");
        let error = anyhow::Error::from(why);
        return Err(if alone { error } else { error.context(format!("nothing was recorded, because of {event}")) });
    }
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(|(why, _)| anyhow::Error::from(why))?;
    let said = answers.into_iter().zip(presentations);
    Ok(said.map(|((appended, _), presentation)| Said { appended, presentation }).collect())
}

/// Asks whether to sign what `question` shows.
///
/// # Errors
/// If the answer is no, or nobody is there to give one.
pub(crate) fn ask(context: &Context, question: &str) -> Result<()> {
    if !context.globals.yes && !context.can_ask() {
        bail!("nobody is there to say yes to what would be signed; say --yes");
    }
    if !context.confirm(question)? {
        bail!("nothing was signed");
    }
    Ok(())
}

fn outcome(answers: Vec<Result<Appended, Error>>, presentations: Vec<Presentation>) -> Result<Vec<Said>> {
    // The one that was refused says why; the others only say that it was.
    let at_fault = answers.iter().position(|answer| !matches!(answer, Ok(_) | Err(Error::ListRefused { .. })));
    let alone = answers.len() == 1;
    let mut said = Vec::new();
    for (index, (answer, presentation)) in answers.into_iter().zip(presentations).enumerate() {
        match answer {
            Ok(appended) => said.push(Said { appended, presentation }),
            Err(error) if alone => return Err(error.into()),
            Err(error) if at_fault.is_none_or(|at| at == index) => {
                let what = format!("nothing was recorded, because of {}", presentation.statement.event);
                return Err(error).context(what);
            }
            Err(_) => {}
        }
    }
    Ok(said)
}

/// Prints what was recorded, and what the command has to add: members for machines, a text for people.
pub(crate) fn tell(context: &Context, said: &[Said], more: Value, note: Option<String>) {
    let one = |said: &Said| {
        let statement = &said.presentation.statement;
        json!({
            "seq": said.appended.seq, "jti": statement.jti.to_string(), "event": statement.event.as_str(),
            "stream": statement.sub.as_str(), "repeated": said.appended.repeated,
        })
    };
    let mut json = json!({ "recorded": said.iter().map(one).collect::<Vec<_>>() });
    if let (Value::Object(json), Value::Object(more)) = (&mut json, more) {
        json.extend(more);
    }
    context.out.result(&json, || {
        let line = |said: &Said| {
            let statement = &said.presentation.statement;
            format!("{} recorded as entry {} ({})", statement.event, said.appended.seq, statement.jti)
        };
        let mut lines: Vec<String> = said.iter().take(SAID_SHOWN_MAX).map(line).collect();
        if said.len() > lines.len() {
            lines.push(format!("and {} more", said.len() - lines.len()));
        }
        lines.into_iter().chain(note).collect::<Vec<_>>().join("\n")
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_as_full_as_it_may_be_and_tears_no_part_apart() {
        let check = |parts: &[usize], each_bytes: usize, expect: &[usize]| {
            let bytes = vec![each_bytes; parts.iter().sum()];
            assert_eq!(list_sizes(parts, &bytes), expect);
        };
        check(&[], 1, &[]);
        check(&[BATCH_ENTRIES_MAX], 1, &[BATCH_ENTRIES_MAX]);
        check(&vec![1; BATCH_ENTRIES_MAX + 1], 1, &[BATCH_ENTRIES_MAX, 1]);
        check(&vec![3; 86], 1, &[255, 3]);
        check(&[1, 1, 1], LIST_BYTES_MAX / 2, &[2, 1]);
        check(&[1, 2], LIST_BYTES_MAX, &[1, 2]);
    }
}
