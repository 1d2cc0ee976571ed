//! A few statements of every shape that the write path has: the same every time for the same turn of a world, so that
//! after a fault they can be said once more.

use blotter_keys::checkpoint::UnverifiedCheckpoint;
use blotter_ledger::{Error, Ledger};
use blotter_record::{Hash, Jti};

use crate::World;

/// Opens the ledger, appends `count` statements, closes it; tells of each receipt.
///
/// # Errors
/// The first that the ledger gives.
pub fn few(world: &World, count: usize, mut told: impl FnMut(Jti, u64, (u64, Hash))) -> Result<(), Error> {
    let ledger = world.try_open()?;
    for n in 0..count {
        // By a program, which needs no `seen`: so the bytes don't depend on what a fault left behind.
        let saying =
            world.comment("siem", &format!("incident/F-{}", n % 2), &format!("statement {n}, and some more words"));
        let jti = saying.id();
        let appended = saying.append(&ledger)?;
        told(jti, appended.seq, receipt_head(&ledger, appended.seq)?);
    }
    Ok(())
}

/// Size and root of the checkpoint in an entry's receipt.
///
/// # Errors
/// If the ledger gives no receipt.
pub fn receipt_head(ledger: &Ledger, seq: u64) -> Result<(u64, Hash), Error> {
    let proof = ledger.receipt(seq)?.proof;
    let (_, note) = proof.split_once("\n\n").unwrap();
    let note = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
    let key =
        ledger.read(|store| Ok(blotter_ledger::read::open_keyring(store)?.keyring.ledger_keys()[0].vkey.clone()))?;
    let checkpoint = note.open(note.claimed_origin(), &[key]).unwrap();
    Ok((checkpoint.size(), *checkpoint.root()))
}
