//! `blotter demo`: a whole ledger in a fresh directory. Nine people and a program with keys of their own play a ransomware
//! incident at a city, from the first alert to the last lesson, under the rules of the process; then two smaller ones, and
//! what is still open. The ledger is verified, and may then be tampered with.

mod cast;
mod history;
mod lines;
mod queue;
mod ransomware;
mod recurrence;
mod school;
mod setting;
mod stage;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_ledger::{DATABASE, read};
use clap::Args;
use serde_json::json;

use self::stage::Stage;
use crate::Exit;
use crate::commands::init::{Init, found};
use crate::context::Context;
use crate::out::Tone;
use crate::session::{open_writer, write_anchor};

const DEFAULT_DIR: &str = "blotter-demo";

/// Play a few incidents in a fresh ledger, and verify it
///
/// A ransomware attack goes through all six phases of the process, with a transition that is refused, a gate that is
/// overridden, a duplicate, a failed validation, and lessons. A school district's data exposure, a recurrence, imported
/// history and an open incident follow. The first story keeps to the public facts of an attack on an American city in July
/// 2025, told in our own words; names and machines are made up. All keys lie open in the directory: this ledger is for
/// looking, not for use.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Afterwards edit one entry behind the ledger's back, and show that `verify` catches it
    #[arg(long)]
    tamper: bool,
}

pub(crate) fn run(context: &Context, args: &Demo) -> Result<Exit> {
    let dir = directory(context, args)?;
    let mut globals = context.globals.clone();
    globals.dir.clone_from(&dir);
    globals.yes = true;
    let context = &Context { globals, out: context.out };
    let played = if dir.join(DATABASE).exists() { None } else { Some(play(context)?) };
    let report = crate::commands::verify::quiet(context)?;
    let verified = report.0 == Exit::Done;
    let tampered = args.tamper.then(|| tamper(&dir)).transpose()?;
    let after = tampered.as_ref().map(|_| crate::commands::verify::quiet(context)).transpose()?;
    let json = json!({
        "dir": dir, "verified": verified, "report": report.1, "refused": played.as_ref().map(|played| played.refused),
        "tampered_seq": tampered, "report_after": after.as_ref().map(|after| &after.1),
    });
    context.out.result(&json, || ending(context, &dir, &report, played.as_ref(), tampered, after.as_ref()));
    let caught = after.is_none_or(|(exit, json)| {
        exit == Exit::Damaged && json.get("first_bad").and_then(serde_json::Value::as_u64) == tampered
    });
    if !verified {
        return Ok(report.0);
    }
    if !caught {
        bail!("verify did not catch the edited entry: this is a bug of ours, please report it");
    }
    Ok(Exit::Done)
}

/// `--dir`, or the first free of `blotter-demo`, `blotter-demo-2`, …; with `--tamper`, the ledger that is there.
fn directory(context: &Context, args: &Demo) -> Result<PathBuf> {
    let given = context.dir();
    if given != Path::new(".") {
        let occupied = std::fs::read_dir(given).is_ok_and(|mut files| files.next().is_some());
        if occupied && !(args.tamper && given.join(DATABASE).exists()) {
            bail!("{} is not empty; name another directory with --dir, nothing was changed", given.display());
        }
        return Ok(given.to_owned());
    }
    let names = std::iter::once(DEFAULT_DIR.to_owned()).chain((2..1000).map(|n| format!("{DEFAULT_DIR}-{n}")));
    names.map(PathBuf::from).find(|path| !path.exists()).context("there are a thousand demos here; remove some")
}

/// Plays the whole story.
fn play(context: &Context) -> Result<Played> {
    let init = Init::for_demo("city.example/soc")?;
    found(context, &init)?;
    let ledger = open_writer(context)?;
    let founding = "The founder enrols nine people and a program, gives them their roles, and closes the bootstrap.";
    if !context.out.json {
        context.out.line(&context.out.toned(Tone::Strong, founding));
    }
    let cast = cast::enrol_all(context, &ledger)?;
    let mut stage = Stage::new(context, &ledger, cast);
    history::tell(&mut stage)?;
    setting::tell(&mut stage)?;
    ransomware::tell(&mut stage)?;
    let override_seq = stage.seq("override");
    school::tell(&mut stage)?;
    recurrence::tell(&mut stage)?;
    queue::tell(&mut stage)?;
    stage.end_scene();
    let played = Played { override_seq, refused: stage.refused() };
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))??;
    Ok(played)
}

/// What the ending points at.
struct Played {
    /// The entry by which a gate was overridden.
    override_seq: u64,
    /// Statements that were refused, as they should be.
    refused: usize,
}

/// Changes one letter of one entry's bytes in the database, as somebody with access to the file could.
fn tamper(dir: &Path) -> Result<u64> {
    let store = rusqlite::Connection::open(dir.join(DATABASE))?;
    let pick = "SELECT seq FROM entry WHERE instr(bytes, ?1) ORDER BY seq LIMIT 1 OFFSET 3";
    let seq: i64 = store.query_row(pick, [format!("\"{}", ransomware::INCIDENT)], |row| row.get(0))?;
    store.execute_batch("DROP TRIGGER entry_is_never_updated")?;
    let sql =
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"recorded\":\"20', '\"recorded\":\"19') AS BLOB)
               WHERE seq = ?1";
    store.execute(sql, [seq])?;
    Ok(u64::try_from(seq)?)
}

type Verified = (Exit, serde_json::Value);

fn ending(
    context: &Context,
    dir: &Path,
    report: &Verified,
    played: Option<&Played>,
    tampered: Option<u64>,
    after: Option<&Verified>,
) -> String {
    let out = context.out;
    let number = |name: &str| report.1.get(name).map(ToString::to_string).unwrap_or_default();
    let verdict = match report.0 {
        Exit::Done => out.toned(Tone::Good, "verified"),
        _ => out.toned(Tone::Bad, "NOT verified"),
    };
    let mut text = format!(
        "\n{}: {} entries, {} signatures of people and programs, {} disclosed values.\n",
        verdict,
        number("entries"),
        number("signatures"),
        number("disclosures"),
    );
    let at = dir.display();
    if let (Some(seq), Some((exit, json))) = (tampered, after) {
        let finding = json.pointer("/findings/0/what").and_then(|what| what.as_str()).unwrap_or_default();
        text.push_str(&format!(
            "\nThen somebody with access to the file backdated entry {seq}, behind the ledger's back.\n{}: first bad entry {} \
             ({finding}); `blotter verify` exits with {}.\n",
            out.toned(Tone::Bad, "damaged"),
            json.get("first_bad").map(ToString::to_string).unwrap_or_default(),
            *exit as u8,
        ));
        return text;
    }
    if let Some(Played { override_seq, .. }) = played {
        text.push_str(&format!(
            "\nWhat to try next:\n\
             \x20 blotter log --dir {at} --stream incident/INC-2025-0725   the incident's entries\n\
             \x20 blotter log --dir {at} --event phase.                  every transition, and every refusal\n\
             \x20 blotter show {override_seq} --dir {at}                              the override: who signed it, having seen what\n\
             \x20 blotter verify {at} --anchor {at}/anchor.json  check everything again\n\
             \x20 blotter proof receipt {override_seq} --dir {at}                     a proof that stands on its own\n\
             \x20 blotter act comment.added incident/INC-2025-1121 --data text='Seen.' --as analyst --dir {at}\n\
             \x20 blotter token issue --as admin --for edr --scope append --expires 2027-11-23 --dir {at}\n\
             \x20 blotter demo --dir {at} --tamper                         edit one row behind the ledger's back\n"
        ));
    }
    text
}
