//! `blotter restore`: a ledger's directory from a backup, and a clear word on how old that is. The directory appears whole,
//! or not at all.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_keys::anchor::Anchor;
use blotter_keys::merkle::root_at;
use blotter_ledger::head_file::{self, Head, HeadFile};
use blotter_ledger::{DATABASE, Error, Sqlite, Store, Tree, mark_restored};
use clap::Args;
use serde_json::json;

use crate::Exit;
use crate::commands::anchor::check_same_ledger;
use crate::context::{Context, new_name};
use crate::files;
use crate::out::Tone;
use crate::session::{Reader, write_anchor};

/// Make a ledger's directory from a backup
///
/// Into --dir, which must be new or empty. The copy is opened and its head verified; values that were erased since the
/// backup are erased again; and the head file in --state-dir says whether the ledger had signed more than the backup has.
/// If so, it can be read but never written again, because writing would fork its history (exit code 3). Keys are never
/// in a backup: put them into DIR/keys by hand.
///
/// Example: blotter restore /backup/soc-2026-11-23.db --dir /srv/soc
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,

    /// An anchor that the backup must agree with
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Restore) -> Result<Exit> {
    let dir = std::path::absolute(context.dir())?;
    refuse_occupied(&dir)?;
    let parent = dir.parent().with_context(|| format!("{} has no parent directory", dir.display()))?;
    std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    let name = dir.file_name().with_context(|| format!("{} has no name", dir.display()))?.to_string_lossy();
    let building = Building(parent.join(format!(".{name}.restoring-{}", new_name())));
    make_private(&building.0)?;
    make_private(&building.0.join("keys"))?;
    let database = building.0.join(DATABASE);
    files::write_new(&database, b"", files::Mode::Private).with_context(|| database.display().to_string())?;
    Sqlite::open_read_only(&args.file).map_err(Error::from)?.copy_to(&database).map_err(Error::from)?;

    let reader =
        Reader::open_dir(&building.0).with_context(|| format!("{} does not hold together", args.file.display()))?;
    let anchor = args.anchor.as_deref().map(read_anchor).transpose()?;
    if let Some(anchor) = &anchor {
        check_same_ledger(&reader, anchor)?;
    }
    let genesis = blotter_ledger::genesis_of(&reader.keyring);
    let (signed, erased) = head_file::peek(&context.state_dir()?, &genesis).map_err(Error::from)?;
    let age = age(&reader, known_heads(signed, anchor.as_ref()))?;
    if let (Age::Behind { signed: newest }, Some(anchor)) = (&age, &anchor)
        && anchor.size == *newest
        && signed.is_none_or(|signed| signed.size < anchor.size)
    {
        // What the anchor's holder saw was signed. From now on the writer knows it here, too, and refuses to fork.
        let (mut head_file, _) = HeadFile::open(&context.state_dir()?, &genesis).map_err(Error::from)?;
        head_file.write(&Head { size: anchor.size, root: anchor.root }).map_err(Error::from)?;
    }
    let restored = write_anchor(&building.0, &*reader.store, &reader.keyring)?;
    drop(reader);
    let erased_again = Sqlite::open(&database).and_then(|mut store| store.erase_again(&erased)).map_err(Error::from)?;
    mark_restored(&building.0)?;
    std::fs::File::open(&database)?.sync_all()?;
    files::sync_parent(&database)?;
    std::fs::rename(&building.0, &dir).with_context(|| format!("moving what was restored to {}", dir.display()))?;
    files::sync_parent(&dir)?;
    tell(context, &restored, &age, erased_again);
    Ok(if matches!(age, Age::Behind { .. }) { Exit::Incomplete } else { Exit::Done })
}

/// How the backup stands to what the ledger is known to have signed.
enum Age {
    /// It has all of it.
    Current,
    /// The ledger had signed a larger log.
    Behind { signed: u64 },
    /// Nothing here says.
    Unknown,
}

fn known_heads(signed: Option<Head>, anchor: Option<&Anchor>) -> Vec<Head> {
    let anchored = anchor.map(|anchor| Head { size: anchor.size, root: anchor.root });
    signed.into_iter().chain(anchored).collect()
}

fn age(reader: &Reader, known: Vec<Head>) -> Result<Age> {
    let size = reader.store.size().map_err(Error::from)?;
    for head in known.iter().filter(|head| head.size <= size) {
        if root_at(&Tree(&*reader.store), head.size)? != head.root {
            let what =
                "this backup is of another log than the one that the ledger signed; nothing was restored".to_owned();
            return Err(Error::Corrupt { seq: head.size, what }.into());
        }
    }
    Ok(match known.iter().map(|head| head.size).max() {
        None => Age::Unknown,
        Some(signed) if signed > size => Age::Behind { signed },
        Some(_) => Age::Current,
    })
}

fn tell(context: &Context, restored: &Anchor, age: &Age, erased_again: usize) {
    let dir = context.dir();
    let (word, signed) = match age {
        Age::Current => ("current", None),
        Age::Behind { signed } => ("behind", Some(*signed)),
        Age::Unknown => ("unknown", None),
    };
    let json = json!({
        "dir": dir, "size": restored.size, "root": restored.root.to_string(), "age": word, "signed": signed,
        "erased_again": erased_again,
    });
    context.out.result(&json, || {
        let mut text = format!("Restored {} entries of {} into {}.", restored.size, restored.origin, dir.display());
        if erased_again > 0 {
            text.push_str(&format!("\n{erased_again} values that had been erased since the backup were erased again."));
        }
        let age = match age {
            Age::Current => context.out.toned(Tone::Good, "It has everything that this ledger is known here to have signed."),
            Age::Behind { signed } => context.out.toned(Tone::Bad, &format!(
                "OLDER THAN WHAT WAS SIGNED: the ledger had signed {signed} entries, this backup has {}. It can be read, not\n\
                 written: that would fork its history. Bring back a newer copy, or found a successor that names this one.",
                restored.size
            )),
            Age::Unknown => context.out.toned(Tone::Warn,
                "Nothing here says whether the ledger had signed more than this backup has. If it had, writing to it forks its\n\
                 history: bring the head file into the state directory first, or compare with a newer anchor or receipt.",
            ),
        };
        format!("{text}\n{age}\n\nKeys are not in a backup: put them into {} by hand before anything is recorded.", context.keys_dir().display())
    });
}

/// A directory that is removed again unless it was moved away.
struct Building(PathBuf);

impl Drop for Building {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refuse_occupied(dir: &Path) -> Result<()> {
    match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e).with_context(|| dir.display().to_string()),
        Ok(mut files) => match files.next() {
            None => Ok(()),
            Some(_) => bail!("{} is not empty; name a new directory with --dir, nothing was changed", dir.display()),
        },
    }
}

fn read_anchor(path: &Path) -> Result<Anchor> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.parse().with_context(|| path.display().to_string())
}

fn make_private(dir: &Path) -> Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(dir).with_context(|| dir.display().to_string())
}
