//! `blotter demo`: a whole ledger in a fresh directory. Five personas with keys of their own play one ransomware incident
//! at a city, from the first alert to the lesson; the ledger is verified, and may then be tampered with.

mod story;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::signer::Signer;
use blotter_ledger::{DATABASE, Ledger, read};
use blotter_record::{ActorId, Instant, Jti};
use clap::Args;
use serde_json::json;

use crate::Exit;
use crate::commands::init::{Init, enrol, found};
use crate::context::{Context, new_jti, new_name};
use crate::keystore;
use crate::out::Tone;
use crate::session::{Speaker, Words, open_writer, say, write_anchor};

const DEFAULT_DIR: &str = "blotter-demo";

/// Play a whole incident in a fresh ledger, and verify it
///
/// The story follows the public facts of a ransomware attack on an American city in July 2025, told in our own words; names
/// and machines are made up. All keys lie open in the directory: this ledger is for looking, not for use.
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
    if !dir.join(DATABASE).exists() {
        play(context)?;
    }
    let report = crate::commands::verify::quiet(context)?;
    let verified = report.0 == Exit::Done;
    let tampered = args.tamper.then(|| tamper(&dir)).transpose()?;
    let after = tampered.as_ref().map(|_| crate::commands::verify::quiet(context)).transpose()?;
    let json = json!({
        "dir": dir, "verified": verified, "report": report.1,
        "tampered_seq": tampered, "report_after": after.as_ref().map(|after| &after.1),
    });
    context.out.result(&json, || ending(context, &dir, &report, tampered, after.as_ref()));
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

/// The people of the story and the program that reports alerts: name of the key, role, name, title.
const PEOPLE: [(&str, &str, &str, &str); 6] = [
    ("ciso", "ciso", "Amara Okafor", "Chief Information Security Officer"),
    ("manager", "secops_manager", "Jonas Lindqvist", "SecOps Manager"),
    ("analyst", "soc_analyst", "Mei Tanaka", "SOC Analyst, night shift"),
    ("grc", "grc_lead", "Ruth Feldman", "GRC Lead"),
    ("itops", "it_ops_lead", "Diego Alvarez", "IT Ops Lead"),
    ("edr", "service", "Endpoint detection", "sends alerts"),
];

fn play(context: &Context) -> Result<()> {
    let init = Init::for_demo("city.example/soc")?;
    found(context, &init)?;
    let ledger = open_writer(context)?;
    let founder = keystore::read_key(context, &context.keys_dir().join("founder.key"))?;
    let keyring = crate::session::keyring_of(&ledger)?;
    let founder = Speaker::of(Signer::Held(founder), &keyring)?;
    let mut stage = Stage { context, ledger: &ledger, people: Vec::new(), said: Vec::new() };
    stage.narrate("The founder enrols five people and a program, gives them their roles, and closes the bootstrap.");
    for (name, role, full_name, title) in PEOPLE {
        let kind = if role == "service" { "service" } else { "person" };
        let key = keystore::create(&context.keys_dir(), name, None)?;
        let actor =
            enrol(context, &ledger, &founder, kind, &new_name(), &key, &[("name", full_name), ("title", title)])?;
        let grant = Words::now("role.granted", actor.stream()).fact("role", role);
        say(context, &ledger, &founder, &grant)?;
        stage.people.push((name, Speaker { actor, signer: Signer::Held(key) }));
    }
    say(context, &ledger, &founder, &Words::now("bootstrap.closed", blotter_record::Id::ledger()))?;
    story::tell(&mut stage)?;
    ledger.read(|store| Ok(write_anchor(context.dir(), store, &read::open_keyring(store)?.keyring)))??;
    Ok(())
}

/// Who is there, and what has been said so far.
pub(crate) struct Stage<'a> {
    context: &'a Context,
    ledger: &'a Ledger,
    people: Vec<(&'static str, Speaker)>,
    said: Vec<(&'static str, Jti)>,
}

impl Stage<'_> {
    /// The actor behind a name.
    fn actor(&self, name: &str) -> &ActorId {
        &self.person(name).actor
    }

    fn person(&self, name: &str) -> &Speaker {
        &self.people.iter().find(|(other, _)| *other == name).expect("the story only has people of the cast").1
    }

    /// The id of what was said under a label.
    fn jti(&self, label: &str) -> String {
        let said = self.said.iter().rev().find(|(other, _)| *other == label);
        said.expect("the story only refers to what was said before").1.to_string()
    }

    fn narrate(&self, text: &str) {
        if !self.context.out.json {
            self.context.out.line(&format!("\n{}", self.context.out.toned(Tone::Strong, text)));
        }
    }

    /// Somebody says something that happened at `at`, to be referred to by `label`.
    fn say(&mut self, who: &'static str, label: &'static str, at: &str, mut words: Words) -> Result<()> {
        let jti = new_jti();
        words.jti = Some(jti);
        words.occurred = Some(at.parse::<Instant>()?);
        let (appended, _) = say(self.context, self.ledger, self.person(who), &words)?;
        self.said.push((label, jti));
        if !self.context.out.json {
            let line = format!("{:>4}  {at}  {who:<8} {:<26} {}", appended.seq, words.event, words.sub);
            self.context.out.line(line.trim_end());
        }
        Ok(())
    }
}

/// Changes one letter of one entry's bytes in the database, as somebody with access to the file could.
fn tamper(dir: &Path) -> Result<u64> {
    let store = rusqlite::Connection::open(dir.join(DATABASE))?;
    let pick = "SELECT seq FROM entry WHERE instr(bytes, '\"incident/') ORDER BY seq LIMIT 1 OFFSET 3";
    let seq: i64 = store.query_row(pick, [], |row| row.get(0))?;
    store.execute_batch("DROP TRIGGER entry_is_never_updated")?;
    let sql =
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"recorded\":\"20', '\"recorded\":\"19') AS BLOB)
               WHERE seq = ?1";
    store.execute(sql, [seq])?;
    Ok(u64::try_from(seq)?)
}

type Verified = (Exit, serde_json::Value);

fn ending(context: &Context, dir: &Path, report: &Verified, tampered: Option<u64>, after: Option<&Verified>) -> String {
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
    text.push_str(&format!(
        "\nWhat to try next:\n\
         \x20 blotter log --dir {at} --stream incident/INC-2025-0725     the incident's entries\n\
         \x20 blotter show 30 --dir {at}                                 one entry: who signed it, having seen what\n\
         \x20 blotter verify {at} --anchor {at}/anchor.json    check everything again\n\
         \x20 blotter proof receipt 30 --dir {at}                        a proof that stands on its own\n\
         \x20 blotter act comment.added incident/INC-2025-0725 --data text='Seen.' --as analyst --dir {at}\n\
         \x20 blotter demo --dir {at} --tamper                           edit one row behind the ledger's back\n"
    ));
    text
}
