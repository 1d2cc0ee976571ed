//! The commands, a file each: its options, and what it does with them.

pub(crate) mod act;
pub(crate) mod demo;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod verify;
