//! Vectors that other people wrote. They are not part of this repository: they are looked for in ../shared/data beside
//! the workspace, or where BLOTTER_SHARED_DATA says. A test that finds nothing there says so and judges nothing.

#![allow(clippy::unwrap_used)]

#[path = "vectors/merkle.rs"]
mod merkle;
#[path = "vectors/notes.rs"]
mod notes;

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The folder of that name with vectors, if this machine has it.
fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("BLOTTER_SHARED_DATA").map_or_else(beside, PathBuf::from).join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    // Written past the test harness, which would swallow what a passing test prints.
    let folder = folder.display();
    let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: no vectors at {folder} (set BLOTTER_SHARED_DATA) ***");
    None
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no text {member:?} in {value}"))
}

fn number(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or_else(|| panic!("no number {member:?} in {value}"))
}

fn list<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value[member].as_array().unwrap_or_else(|| panic!("no list {member:?} in {value}"))
}

fn base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap()
}
