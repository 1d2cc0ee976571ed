//! `blotter replay`: all views anew from the first entry on, compared with the live ones.

use anyhow::{Context as _, Result};
use blotter_api::finder::Log;
use blotter_ledger::Error;
use blotter_projections::{Replayed, VIEWS, fold_and_digest, replace, replay};
use blotter_record::RULES_1;
use clap::Args;
use serde_json::json;

use crate::Exit;
use crate::context::Context;
use crate::out::Tone;
use crate::progress;
use crate::session::{Reader, Words};
use crate::voice::{Voice, tell};

/// Rebuild all views from the log, and compare
///
/// Folds the log from its first entry on into new views, and compares digests with the live ones, table by table. If they
/// are different, the live ones were wrong: the new ones take their place, and the exit code is 1. The log itself is not
/// verified here: that is `blotter verify`.
///
/// --record signs replay.run, by a GRC lead or auditor: the size, the digest of the state, the rules, and the result.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Sign and record the result (replay.run)
    #[arg(long)]
    record: bool,

    /// Only fold and print the digest of the incidents' facts, without any tables
    #[arg(long, conflicts_with = "record")]
    fold: bool,
}

pub(crate) fn run(context: &Context, args: &Replay) -> Result<Exit> {
    let reader = Reader::open(context)?;
    if reader.remote.is_some() {
        anyhow::bail!("views are rebuilt where the ledger is: run `blotter replay --dir DIR` there");
    }
    let log = Log(&*reader.store);
    let bar = progress::bar(context);
    if args.fold {
        let size = reader.store.size().map_err(Error::from)?;
        let digest = fold_and_digest(&log, size, &mut |done, size| progress::show(&bar, "fold", done, size))?;
        bar.finish_and_clear();
        let json = json!({ "size": size, "facts_digest": digest.to_string() });
        context.out.result(&json, || format!("{size} entries folded; digest of the facts {digest}"));
        return Ok(Exit::Done);
    }
    let live = context.dir().join(VIEWS);
    let scratch = context.dir().join(format!("{VIEWS}.replay"));
    let replayed = replay(&live, &scratch, &log, &mut |what, done, size| progress::show(&bar, what, done, size))
        .with_context(|| format!("replaying into {}", scratch.display()))?;
    bar.finish_and_clear();
    let same = replayed.different.is_empty();
    if same {
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", scratch.display()));
        }
    } else {
        replace(&live, &scratch).with_context(|| format!("putting {} in place", scratch.display()))?;
    }
    print(context, &replayed, same);
    if args.record {
        record(context, &replayed, same)?;
    }
    Ok(if same { Exit::Done } else { Exit::Damaged })
}

fn print(context: &Context, replayed: &Replayed, same: bool) {
    let json = json!({
        "size": replayed.size, "state_digest": replayed.digest.to_string(), "state_sha256": replayed.digest.to_hex(),
        "live_digest": replayed.live_digest.to_string(), "result": if same { "same" } else { "different" },
        "different_tables": replayed.different, "rules_version": RULES_1.version(), "rules_sha256": RULES_1.sha256_hex(),
    });
    context.out.result(&json, || {
        let mut text = format!("{} entries replayed\nstate {}\n", replayed.size, replayed.digest);
        text += &if same {
            context.out.toned(Tone::Good, "the live views are the same")
        } else {
            let tables = replayed.different.join(", ");
            let told = format!("the live views were different ({tables}); the new ones have taken their place");
            context.out.toned(Tone::Bad, &told)
        };
        text
    });
}

fn record(context: &Context, replayed: &Replayed, same: bool) -> Result<()> {
    let voice = Voice::open(context)?;
    let words = Words::now("replay.run", "compliance/replay".parse().expect("a well-formed id"))
        .fact("as_of_seq", i64::try_from(replayed.size.saturating_sub(1)).unwrap_or(i64::MAX))
        .fact("state_sha256", replayed.digest.to_hex())
        .fact("rules_sha256", RULES_1.sha256_hex())
        .fact("result", if same { "same" } else { "different" });
    let said = voice.say(context, &[words], None)?;
    tell(context, &said, json!({}), None);
    Ok(())
}
