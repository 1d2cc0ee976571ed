//! `blotter import`: history out of other tools, as imported statements that the notary signs (FORMAT.md §5.6). Row by
//! row, each of them once: importing a file again, or a longer one, adds only what is new.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result, bail};
use blotter_exchange::servicenow::{MAPPING, MAPPING_VERSION, persons, statements};
use blotter_exchange::{Imported, RowError, Summary, Zone};
use blotter_keys::jwk::thumbprint;
use blotter_keys::keyring::Keyring;
use blotter_keys::signer::Signer;
use blotter_ledger::{Error, Ledger, Read, read};
use blotter_record::{ActorId, Attribution, Disclosure, Event, Hash, Id, Jti};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;
use serde_json::json;

use crate::Exit;
use crate::context::{Context, new_name, now_us, random_bytes};
use crate::keystore::{self, NOTARY_KEY, read_key};
use crate::session::{Speaker, Words, keyring_of, open_writer, say, seen_at, verified_head, write_anchor};

/// Rows that are signed and sent together.
const ROWS_AT_ONCE: usize = 512;

/// Import history from another tool
///
/// Imported statements are signed by the notary, attributed to imported actors, marked as such everywhere, and enter only
/// streams that an import began. Importing the same file again adds nothing; a longer one adds what is new.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    Servicenow(Servicenow),
}

/// The audit history of a ServiceNow incident table, as CSV
///
/// A row for every change of a case, with all columns as they stood then, times as dd-mm-yyyy hh:mm, "?" for no value. A row
/// that can't be read is reported with its line and reason, the rest goes in, and the exit code is 3.
#[derive(Debug, Args)]
struct Servicenow {
    /// The CSV file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The zone that its times are in, such as America/Sao_Paulo; the file does not say
    #[arg(long, value_name = "ZONE", visible_alias = "tz")]
    timezone: String,
}

pub(crate) fn run(context: &Context, args: &Import) -> Result<Exit> {
    let Source::Servicenow(args) = &args.source;
    let zone: Zone = args.timezone.parse()?;
    let sha256 = sha256_of(&args.file)?;
    let named = persons(open(&args.file)?, zone).with_context(|| args.file.display().to_string())?;
    let ledger = open_writer(context)?;
    let mut work = Work { context, ledger: &ledger, args, zone, sha256, keyring: keyring_of(&ledger)? };
    let known = ledger.read(|store| known_actors(store, &work.keyring))?;
    let (new, mut summary) = work.count_new()?;
    if new == 0 {
        return Ok(work.report(None, 0, &summary));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let speaker = Speaker::of(keystore::signer(context, Some(&work.keyring))?, &work.keyring)?;
    let (import, added) = work.record(&speaker, &named, known, new, &mut summary, &interrupted)?;
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))??;
    let exit = work.report(Some(&import), added, &summary);
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted; what was recorded stays, and the same command goes on from there");
    }
    Ok(exit)
}

/// Imports a file into a ledger that this process has open; says how many statements were added.
///
/// # Errors
/// Also if a row was left out.
pub(crate) fn servicenow(
    context: &Context,
    ledger: &Ledger,
    speaker: &Speaker,
    file: &Path,
    timezone: &str,
) -> Result<u64> {
    let args = &Servicenow { file: file.to_owned(), timezone: timezone.to_owned() };
    let zone: Zone = timezone.parse()?;
    let named = persons(open(file)?, zone).with_context(|| file.display().to_string())?;
    let mut work = Work { context, ledger, args, zone, sha256: sha256_of(file)?, keyring: keyring_of(ledger)? };
    let known = ledger.read(|store| known_actors(store, &work.keyring))?;
    let (new, mut summary) = work.count_new()?;
    let (_, added) = work.record(speaker, &named, known, new, &mut summary, &AtomicBool::new(false))?;
    match summary.reasons.first() {
        None => Ok(added),
        Some((_, reason)) => bail!("{}: {reason}", file.display()),
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("{}", path.display()))
}

fn sha256_of(path: &Path) -> Result<String> {
    let mut file = open(path)?;
    let mut hasher = blotter_record::Sha256Stream::default();
    let mut piece = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut piece).with_context(|| format!("{}", path.display()))?;
        if count == 0 {
            return Ok(hasher.finish().to_hex());
        }
        hasher.update(&piece[..count]);
    }
}

/// Imported actors that this mapping enrolled before, by the names that were disclosed with them.
fn known_actors(store: &dyn Read, keyring: &Keyring) -> Result<HashMap<String, ActorId>, Error> {
    let mut known = HashMap::new();
    for (id, actor) in keyring.actors().filter(|(id, _)| id.kind() == "imported") {
        let mut name = None;
        let mut ours = false;
        for text in store.disclosures(actor.enrolled_seq)? {
            let Ok(disclosure) = Disclosure::parse(&text) else { continue };
            match (disclosure.name(), disclosure.value().as_text()) {
                ("name", Some(text)) => name = Some(text.to_owned()),
                ("identity_basis", Some(text)) => ours = text == identity_basis(),
                _ => {}
            }
        }
        if let (Some(name), true) = (name, ours) {
            known.insert(name, id.clone());
        }
    }
    Ok(known)
}

fn identity_basis() -> String {
    format!("as spelt in a file imported by {MAPPING}")
}

struct Work<'a> {
    context: &'a Context,
    ledger: &'a Ledger,
    args: &'a Servicenow,
    zone: Zone,
    sha256: String,
    keyring: Keyring,
}

impl Work<'_> {
    fn rows<A: Fn(&str) -> ActorId>(&self, progress: Option<ProgressBar>, actor_of: A) -> Result<Rows<A>> {
        let file = open(&self.args.file)?;
        let reader: Box<dyn std::io::Read> = match progress {
            Some(bar) => Box::new(bar.wrap_read(file)),
            None => Box::new(file),
        };
        Ok(statements(reader, self.zone, actor_of)?)
    }

    /// How many statements the log does not have yet; and what the file comes to.
    fn count_new(&self) -> Result<(u64, Summary)> {
        let nobody: ActorId = "imported/nobody".parse()?;
        let (mut new, mut summary) = (0, Summary::default());
        for row in self.rows(None, |_| nobody.clone())? {
            summary.count(&row);
            for statement in row.unwrap_or_default() {
                new += u64::from(!self.has(&statement.jti)?);
            }
        }
        Ok((new, summary))
    }

    /// The whole import; its stream, and how many statements were added.
    fn record(
        &mut self,
        speaker: &Speaker,
        named: &[String],
        known: HashMap<String, ActorId>,
        new: u64,
        summary: &mut Summary,
        interrupted: &AtomicBool,
    ) -> Result<(Id, u64)> {
        let import = self.start(speaker)?;
        let actors = self.enrol(speaker, named, known)?;
        self.keyring = keyring_of(self.ledger)?;
        let added = self.enter(&import, &actors, new, summary, interrupted)?;
        self.complete(&import, added, summary)?;
        Ok((import, added))
    }

    fn has(&self, jti: &Jti) -> Result<bool> {
        Ok(self.ledger.read(|store| Ok(store.seq_of(jti)?.is_some()))?)
    }

    /// The import's stream: a new one, or the one that a crash left open with this very file.
    fn start(&self, speaker: &Speaker) -> Result<Id> {
        for import in self.keyring.open_imports() {
            if self.is_of_this_file(import)? {
                return Ok(import.clone());
            }
        }
        let import: Id = format!("import/{}", new_name()).parse()?;
        let file = self.args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let words = Words::now("import.started", import.clone())
            .fact("import", import.as_str())
            .fact("mapping", MAPPING)
            .fact("mapping_version", MAPPING_VERSION)
            .fact("time_zone", self.args.timezone.as_str())
            .data("file", file)
            .data("source_sha256", self.sha256.as_str());
        say(self.context, self.ledger, speaker, &words)?;
        Ok(import)
    }

    fn is_of_this_file(&self, import: &Id) -> Result<bool> {
        Ok(self.ledger.read(|store| {
            let Some(seq) = store.stream_seqs(import, 0, 1)?.first().copied() else { return Ok(false) };
            let said = read::entries(store, seq, 1)?.pop().and_then(|entry| entry.said);
            let facts = said.map(|(_, statement)| statement.facts).unwrap_or_default();
            let same = |name: &str, value: &str| facts.word(name) == Some(value);
            let same_file = store.disclosures(seq)?.iter().any(|text| {
                Disclosure::parse(text)
                    .is_ok_and(|value| value.name() == "source_sha256" && value.value().as_text() == Some(&self.sha256))
            });
            Ok(same_file
                && same("mapping", MAPPING)
                && same("mapping_version", MAPPING_VERSION)
                && same("time_zone", &self.args.timezone))
        })?)
    }

    /// An imported actor for each person of the file; those that are there already are taken again.
    fn enrol(
        &self,
        speaker: &Speaker,
        named: &[String],
        mut actors: HashMap<String, ActorId>,
    ) -> Result<HashMap<String, ActorId>> {
        let audience = self.keyring.audience().to_owned();
        let state_dir = self.context.state_dir()?;
        let head = self.ledger.read(|store| Ok(verified_head(store, &self.keyring, &state_dir)))??;
        let mut texts = Vec::new();
        for name in named.iter().filter(|name| !actors.contains_key(*name)).collect::<Vec<_>>() {
            let actor: ActorId = format!("imported/{}", new_name()).parse()?;
            let words = Words::now(Event::ActorEnrolled.name(), actor.stream())
                .fact("kind", "imported")
                .data("name", name.as_str())
                .data("identity_basis", identity_basis());
            let seen = self.ledger.read(|store| Ok(seen_at(store, &words.sub, &head)))??;
            texts.push(speaker.sign(speaker.build(&audience, &words, Some(seen))?)?.to_text());
            actors.insert(name.clone(), actor);
        }
        for answer in self.ledger.append_many(&texts) {
            answer.context("enrolling the persons of the file")?;
        }
        Ok(actors)
    }

    /// Signs and records the rows; says how many statements were added.
    fn enter(
        &self,
        import: &Id,
        actors: &HashMap<String, ActorId>,
        new: u64,
        summary: &mut Summary,
        interrupted: &AtomicBool,
    ) -> Result<u64> {
        let path = self.context.keys_dir().join(format!("{NOTARY_KEY}.key"));
        let key = read_key(self.context, &path).context("the notary's key")?;
        let notary = Speaker::of(Signer::Held(key), &self.keyring)?;
        let bar = self.progress_bar(new);
        let unknown: ActorId = "imported/nobody".parse()?;
        let mut rows = self.rows(None, |person: &str| actors.get(person).unwrap_or(&unknown).clone())?;
        let added = AtomicU64::new(0);
        *summary = Summary::default();
        while !interrupted.load(Ordering::Relaxed) {
            let chunk: Vec<_> = rows.by_ref().take(ROWS_AT_ONCE).collect();
            if chunk.is_empty() {
                break;
            }
            chunk.iter().for_each(|row| summary.count(row));
            let wanted = self.missing(chunk)?;
            let texts = wanted
                .par_iter()
                .map(|imported| self.sign(&notary, import, actors, imported.clone()))
                .collect::<Result<Vec<_>>>()?;
            for (imported, answer) in wanted.iter().zip(self.ledger.append_many(&texts)) {
                match answer {
                    Ok(_) => {
                        added.fetch_add(1, Ordering::Relaxed);
                        bar.inc(1);
                    }
                    Err(Error::Refused(why)) => {
                        let what = format!("{}: {why}", imported.event);
                        summary.count(&Err(RowError::Refused { line: imported.line, column: None, what }));
                        summary.rows -= 1;
                    }
                    Err(other) => return Err(other.into()),
                }
            }
        }
        bar.finish_and_clear();
        Ok(added.into_inner())
    }

    fn missing(&self, rows: Vec<Result<Vec<Imported>, RowError>>) -> Result<Vec<Imported>> {
        let all = rows.into_iter().filter_map(Result::ok).flatten();
        all.filter_map(|imported| match self.has(&imported.jti) {
            Ok(true) => None,
            Ok(false) => Some(Ok(imported)),
            Err(e) => Some(Err(e)),
        })
        .collect()
    }

    fn sign(
        &self,
        notary: &Speaker,
        import: &Id,
        actors: &HashMap<String, ActorId>,
        imported: Imported,
    ) -> Result<String> {
        let line = imported.line;
        let actor =
            actors.get(&imported.person).with_context(|| format!("line {line}: nobody for {:?}", imported.person))?;
        let attribution = Attribution { actor: actor.clone(), auth: import.clone() };
        let draft =
            imported.draft(notary.actor.clone(), attribution, self.keyring.audience().to_owned(), now_us() / 1_000_000);
        let kid: Hash = thumbprint(notary.signer.public());
        let unsigned = draft.build(&kid, random_bytes).with_context(|| format!("line {line}"))?;
        Ok(notary.sign(unsigned)?.to_text())
    }

    fn progress_bar(&self, count: u64) -> ProgressBar {
        let target = if self.context.out.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} statements, {per_sec}, {eta} left")
            .expect("our own template is well-formed");
        ProgressBar::with_draw_target(Some(count), target).with_style(style)
    }

    fn complete(&self, import: &Id, added: u64, summary: &Summary) -> Result<()> {
        let path = self.context.keys_dir().join(format!("{NOTARY_KEY}.key"));
        let notary = Speaker::of(Signer::Held(read_key(self.context, &path)?), &self.keyring)?;
        let reasons: Vec<_> = summary.reasons.iter().take(100).map(|(_, reason)| reason.as_str()).collect();
        let mut words = Words::now("import.completed", import.clone())
            .fact("import", import.as_str())
            .fact("entries", i64::try_from(added)?)
            .fact("rejected", i64::try_from(summary.rejected)?);
        if !reasons.is_empty() {
            words = words.data("report", reasons.join("\n"));
        }
        say(self.context, self.ledger, &notary, &words)?;
        Ok(())
    }

    fn report(&self, import: Option<&Id>, added: u64, summary: &Summary) -> Exit {
        let rejected: Vec<_> =
            summary.reasons.iter().map(|(line, reason)| json!({ "line": line, "reason": reason })).collect();
        let json = json!({
            "import": import.map(Id::as_str), "added": added, "rows": summary.rows, "statements": summary.statements(),
            "duplicates": summary.duplicates, "rejected": summary.rejected, "rejections": rejected, "events": summary.events,
            "stopped": summary.stopped,
        });
        self.context.out.result(&json, || {
            let mut text = match import {
                Some(import) => format!("{added} statements recorded from {} rows ({import}).", summary.rows),
                None => format!(
                    "Nothing new: all {} statements of {} rows are in the ledger.",
                    summary.statements(),
                    summary.rows
                ),
            };
            if import.is_some() {
                let rows = summary.events.iter().map(|(event, count)| vec![event.clone(), count.to_string()]);
                text.push_str(&format!("\n\n{}", self.context.out.table(&["event", "statements"], rows)));
            }
            if summary.duplicates > 0 {
                text.push_str(&format!("\n{} rows stand in the file twice, and were taken once.", summary.duplicates));
            }
            if summary.rejected > 0 {
                text.push_str(&format!("\n{} rows or statements were left out:", summary.rejected));
                for (_, reason) in summary.reasons.iter().take(20) {
                    text.push_str(&format!("\n  {reason}"));
                }
                if summary.rejected > 20 {
                    text.push_str("\n  … (--json names up to 1000)");
                }
            }
            if let Some(stopped) = &summary.stopped {
                text.push_str(&format!("\nReading stopped: {stopped}"));
            }
            text
        });
        let complete = summary.rejected == 0 && summary.stopped.is_none();
        if complete { Exit::Done } else { Exit::Incomplete }
    }
}

type Rows<A> = blotter_exchange::servicenow::Statements<Box<dyn std::io::Read>, A>;
