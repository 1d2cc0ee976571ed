//! `blotter tiles`: the log as static files (C2SP tlog-tiles), for a web server, a witness, or another's verifier. Each file
//! appears whole; the checkpoint is written last, so that what it names is there.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_keys::merkle::Frontier;
use blotter_keys::tile::{Bundle, Tile, WIDTH_FULL, bundles_of, encode_bundle, encode_hashes, tiles_of};
use blotter_ledger::{Error, Read};
use blotter_record::Hash;
use clap::Args;
use serde_json::json;

use crate::commands::checkpoint::newest_note;
use crate::context::Context;
use crate::files;
use crate::session::{Reader, check_continues, open_checkpoint};

/// Write the log as static files: checkpoint, hash tiles, entry bundles
///
/// The tree of C2SP tlog-tiles for the newest checkpoint. Run again, it adds what is new; full tiles never change. Checkpoint
/// and hash tiles may be public. Entry bundles hold no value that can be withheld, but the facts in them are an incident's
/// outline: serve them to auditors, or leave them out.
#[derive(Debug, Args)]
pub(crate) struct Tiles {
    /// The directory that tile/ and checkpoint go into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Leave the entry bundles out
    #[arg(long)]
    without_entries: bool,
}

/// What was done.
#[derive(Default)]
struct Done {
    written: u64,
    kept: u64,
    removed: u64,
    withheld: Vec<u64>,
}

pub(crate) fn run(context: &Context, args: &Tiles) -> Result<()> {
    let reader = Reader::open(context)?;
    let (note, head) = newest_note(&reader)?;
    let size = head.size();
    let published = args.out.join("checkpoint");
    if let Ok(old) = fs::read(&published) {
        // Other tiles under an old name would make two logs of one.
        let old = UnverifiedCheckpoint::parse(&old).map_err(anyhow::Error::from);
        old.and_then(|old| open_checkpoint(&old, &reader.keyring))
            .and_then(|old| check_continues(&*reader.store, &old, &head))
            .with_context(|| format!("{} is there already; nothing was written", published.display()))?;
    }
    let mut done = Done::default();
    for tile in tiles_of(size) {
        write_tile(&*reader.store, &args.out, &tile, &mut done)?;
    }
    if !args.without_entries {
        let expunged: HashSet<u64> = reader.keyring.expunged().map(|seq| seq / u64::from(WIDTH_FULL)).collect();
        for bundle in bundles_of(size) {
            write_bundle(&*reader.store, &args.out, &bundle, &expunged, &mut done)?;
        }
    }
    files::write(&published, note.note().to_string().as_bytes(), files::Mode::Public)?;
    remove_partials(&args.out, size, &mut done)?;
    let json = json!({
        "dir": args.out, "size": size, "root": head.root().to_string(), "written": done.written, "kept": done.kept,
        "removed": done.removed, "withheld_bundles": done.withheld,
    });
    context.out.result(&json, || {
        let mut text = format!(
            "{}: {size} entries; {} files written, {} full ones kept, {} outdated ones removed",
            args.out.display(),
            done.written,
            done.kept,
            done.removed
        );
        for index in &done.withheld {
            text.push_str(&format!("\nentry bundle {index} can't be served: an entry in it was expunged"));
        }
        text
    });
    Ok(())
}

fn write_tile(store: &dyn Read, out: &Path, tile: &Tile, done: &mut Done) -> Result<()> {
    let path = out.join(tile.to_string());
    let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == u64::from(tile.width()) * 32);
    if is_there && tile.width() == WIDTH_FULL {
        done.kept += 1;
        return Ok(());
    }
    let hashes = store.hashes(tile.level(), tile.start(), u32::from(tile.width())).map_err(Error::from)?;
    if tile.width() == WIDTH_FULL {
        check_root(store, tile, &hashes)?;
    }
    write(&path, &encode_hashes(&hashes), done)
}

/// Opening the ledger proved the tree above the leaves; here it is that these are its leaves.
fn check_root(store: &dyn Read, tile: &Tile, hashes: &[Hash]) -> Result<()> {
    let mut tree = Frontier::default();
    hashes.iter().for_each(|hash| tree.push(*hash));
    let above = store.hashes(tile.level() + 1, tile.index(), 1).map_err(Error::from)?;
    if above.first() == Some(&tree.root()) {
        return Ok(());
    }
    Err(Error::Corrupt { seq: tile.start(), what: format!("{tile}: its hashes are not those of the tree") }.into())
}

fn write_bundle(store: &dyn Read, out: &Path, bundle: &Bundle, expunged: &HashSet<u64>, done: &mut Done) -> Result<()> {
    let path = out.join(bundle.to_string());
    if expunged.contains(&bundle.index()) {
        // What was published before the order must go, too.
        let full = Bundle::new(bundle.index(), WIDTH_FULL)?;
        done.removed += u64::from(fs::remove_file(out.join(full.to_string())).is_ok());
        done.removed += remove_dir(&partials_of(&out.join(full.to_string())))?;
        done.withheld.push(bundle.index());
        return Ok(());
    }
    if bundle.width() == WIDTH_FULL && path.exists() {
        done.kept += 1;
        return Ok(());
    }
    let entries = store.entries(bundle.start(), usize::from(bundle.width())).map_err(Error::from)?;
    let gap = (bundle.start()..)
        .zip(&entries)
        .find(|(seq, entry)| entry.seq != *seq || Hash::of_leaf(&entry.bytes) != entry.leaf);
    if let Some((seq, _)) = gap {
        return Err(Error::Corrupt { seq, what: "its bytes don't have its leaf hash".into() }.into());
    }
    if entries.len() != usize::from(bundle.width()) {
        return Err(Error::Corrupt { seq: bundle.start(), what: "an entry behind it is not there".into() }.into());
    }
    write(&path, &encode_bundle(entries.iter().map(|entry| entry.bytes.as_slice()))?, done)
}

fn write(path: &Path, bytes: &[u8], done: &mut Done) -> Result<()> {
    let parent = path.parent().context("a tile's path has a directory")?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    files::write(path, bytes, files::Mode::Public)?;
    done.written += 1;
    Ok(())
}

/// Once a tile is full, its partial ones may go (C2SP tlog-tiles).
fn remove_partials(out: &Path, size: u64, done: &mut Done) -> Result<()> {
    let tiles = tiles_of(size).filter(|tile| tile.width() == WIDTH_FULL).map(|tile| tile.to_string());
    let bundles = bundles_of(size).filter(|bundle| bundle.width() == WIDTH_FULL).map(|bundle| bundle.to_string());
    for full in tiles.chain(bundles) {
        done.removed += remove_dir(&partials_of(&out.join(full)))?;
    }
    Ok(())
}

fn partials_of(full: &Path) -> PathBuf {
    let mut name = full.as_os_str().to_owned();
    name.push(".p");
    name.into()
}

fn remove_dir(dir: &Path) -> Result<u64> {
    let count = match fs::read_dir(dir) {
        Ok(files) => files.count() as u64,
        Err(_) => return Ok(0),
    };
    fs::remove_dir_all(dir).with_context(|| dir.display().to_string())?;
    Ok(count)
}
