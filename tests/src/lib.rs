//! What tests of the write side share: a founded ledger with people in a few lines ([`World`]), a store in memory and one
//! that fails on demand, a walk over a whole log that takes nothing from the writer, and dice with a seed.
//! The black-box tests of the binary are in tests/blackbox.

#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod dice;
mod faulty;
mod few;
mod memory;
mod walk;
mod world;

pub use dice::Dice;
pub use faulty::{Face, Faults, Faulty};
pub use few::{few, receipt_head};
pub use memory::Memory;
pub use walk::{checkpoints, walk, walk_with_checkpoints};
pub use world::{NOON_US, ORIGIN, Person, Saying, World, json};
