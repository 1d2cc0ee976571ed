//! A head file with any bytes in it.

#![no_main]

use blotter_ledger::head_file::{Head, HeadFile, path_of};
use blotter_record::Hash;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let genesis = Hash([7; 32]);
    std::fs::write(path_of(dir.path(), &genesis), bytes).expect("room for it");
    if let Ok((mut file, found)) = HeadFile::open(dir.path(), &genesis) {
        let head = Head { size: found.map_or(1, |head| head.size.saturating_add(1).min(1 << 50)), root: genesis };
        file.write(&head).expect("room for it");
    }
});
