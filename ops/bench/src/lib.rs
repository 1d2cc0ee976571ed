//! What the benchmarks share: a founded ledger with signed statements, the real server as a child process, a client that
//! costs next to nothing, and what this disk can do. Never part of the product.

pub mod disk;
pub mod fixture;
pub mod load;
pub mod served;
pub mod stories;

use std::time::Duration;

/// So many in this time, a second.
pub fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
