//! What the disk can do, to hold everything else against: how often it makes a small write durable, one after the other.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

/// How long each of `count` small writes took to be durable (`fdatasync`), in a file that has its size already.
///
/// # Errors
/// If the disk fails.
pub fn sync_times(dir: &Path, count: usize) -> Result<Vec<Duration>> {
    let mut file = std::fs::File::create(dir.join("sync"))?;
    file.write_all(&[0; 1 << 20])?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let start = Instant::now();
        file.seek(SeekFrom::Start((n % 256 * 4096) as u64))?;
        file.write_all(&[n as u8; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(times)
}
