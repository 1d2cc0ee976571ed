//! `blotter playbook publish`: a version that is in force from now on, pinned by the hash of its exact bytes.

use anyhow::{Result, bail};
use blotter_exchange::cacao::{self, Playbook, Severity};
use blotter_record::limits::ABOUT_LEN_MAX;
use blotter_record::{Id, Json};
use serde_json::json;

use super::check::{table, verdict};
use super::published::{Published, versions};
use super::{Publish, read_file};
use crate::commands::act::{Blobs, file_value};
use crate::context::Context;
use crate::session::Words;
use crate::voice::{Voice, tell};

pub(super) fn run(context: &Context, args: &Publish) -> Result<()> {
    let bytes = read_file(&args.file)?;
    let checked = cacao::check(&bytes);
    let Some(playbook) = &checked.playbook else {
        if !context.out.json {
            context.out.note(&table(context, &checked));
        }
        let first = checked.findings.iter().find(|finding| finding.severity == Severity::Error);
        let first = first.map(ToString::to_string).unwrap_or_default();
        bail!("{}: {}; nothing was published: {first}", args.file.display(), counted(checked.count(Severity::Error)));
    };
    if args.lesson.len() > ABOUT_LEN_MAX {
        bail!("--lesson: {} of them; a statement has room for {ABOUT_LEN_MAX}", args.lesson.len());
    }
    let voice = Voice::open(context)?;
    let stream: Id = playbook.stream().parse()?;
    let versions = versions(&voice.reader, &stream)?;
    let replaces = replaced(playbook, &versions, args.replaces.as_deref())?;
    let mut blobs = Blobs::new();
    let mut words = Words::now("playbook.published", stream.clone())
        .fact("playbook", stream.as_str())
        .fact("version", playbook.version.as_str())
        .fact("document_sha256", playbook.sha256.as_str())
        .fact("lessons", Json::List(args.lesson.iter().map(|lesson| lesson.as_str().into()).collect()))
        .data("name", playbook.name.as_str())
        .data("document", file_value(bytes, &mut blobs));
    words.about.clone_from(&args.lesson);
    if let Some(replaces) = &replaces {
        words = words.fact("replaces", replaces.as_str());
    }
    words.data.extend(args.reason.iter().map(|reason| ("reason".to_owned(), Json::from(reason.as_str()))));
    let beware = match checked.findings.len() {
        0 => verdict(context, &checked),
        _ => format!("{}\n{}", table(context, &checked), verdict(context, &checked)),
    };
    let said = voice.say_with(context, &[words], blobs, Some(&beware))?;
    let more = json!({
        "playbook": stream.as_str(), "version": playbook.version, "document_sha256": playbook.sha256, "replaces": replaces,
        "warnings": checked.count(Severity::Warning),
    });
    let instead = replaces.as_ref().map_or(String::new(), |replaces| format!(", instead of {replaces}"));
    tell(context, &said, more, Some(format!("{stream} is published as version {}{instead}.", playbook.version)));
    Ok(())
}

fn counted(errors: usize) -> String {
    if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") }
}

/// The version that this one replaces.
///
/// # Errors
/// If this version was published before, or the one to be replaced was not.
fn replaced(playbook: &Playbook, versions: &[Published], wanted: Option<&str>) -> Result<Option<String>> {
    let Playbook { version, sha256, .. } = playbook;
    if let Some(same) = versions.iter().find(|one| one.version == *version) {
        if same.sha256 == *sha256 {
            bail!("version {version}, these very bytes, was published before, in entry {}", same.seq);
        }
        bail!(
            "version {version} was published before, in entry {}, with another document; a changed playbook needs another \
             time in \"modified\"",
            same.seq
        );
    }
    match wanted {
        None => Ok(versions.last().map(|last| last.version.clone())),
        Some(wanted) if versions.iter().any(|one| one.version == wanted) => Ok(Some(wanted.to_owned())),
        Some(wanted) => {
            let known: Vec<_> = versions.iter().map(|one| one.version.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bail!("--replaces {wanted}: that version was not published; these were: {known}")
        }
    }
}
