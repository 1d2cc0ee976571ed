//! One person saying something from the command line, from the words to the receipt: build, show, ask, sign, append. What
//! is signed is what was shown: nothing is built anew between the question and the signature.

use anyhow::{Context as _, Result, bail};
use blotter_client::{LineResult, RemoteStore};
use blotter_keys::keyring::Keyring;
use blotter_ledger::{Appended, Error, read};
use blotter_record::Presentation;
use serde_json::{Value, json};

use crate::commands::act::{Blobs, show};
use crate::context::Context;
use crate::keystore;
use crate::remote;
use crate::session::{Reader, Speaker, Words, open_writer, seen_at, write_anchor};

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
        let head = reader.head(&context.state_dir()?)?;
        let build = |words: &Words| {
            let seen = seen_at(&*reader.store, &words.sub, &head)?;
            speaker.build(reader.keyring.audience(), words, Some(seen))
        };
        let unsigned = words.iter().map(build).collect::<Result<Vec<_>>>()?;
        if !context.globals.yes {
            let mut parts: Vec<String> = unsigned.iter().map(|unsigned| show(context, unsigned)).collect();
            parts.extend(beware.map(str::to_owned));
            parts.push(format!("Sign and record this as {}?", speaker.actor));
            ask(context, &parts.join("\n\n"))?;
        }
        let presentations = unsigned.into_iter().map(|unsigned| speaker.sign(unsigned)).collect::<Result<Vec<_>>>()?;
        match &reader.remote {
            Some(server) => record_there(server, &reader.keyring, presentations),
            None => record_here(context, presentations, blobs),
        }
    }
}

fn record_here(context: &Context, presentations: Vec<Presentation>, blobs: Blobs) -> Result<Vec<Said>> {
    let ledger = open_writer(context)?;
    let prepared = presentations
        .iter()
        .zip(std::iter::once(blobs).chain(std::iter::repeat_with(Blobs::new)))
        .map(|(presentation, blobs)| ledger.prepare(&presentation.to_text(), blobs))
        .collect::<Result<Vec<_>, _>>()?;
    let answers = ledger.append_list(prepared)?;
    let said = outcome(answers, presentations)?;
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))??;
    Ok(said)
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
        said.iter().map(line).chain(note).collect::<Vec<_>>().join("\n")
    });
}
