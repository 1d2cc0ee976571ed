//! The commands, a file each: its options, and what it does with them.

pub(crate) mod act;
pub(crate) mod actor;
pub(crate) mod alert;
pub(crate) mod anchor;
pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod forward;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod proof;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod show;
pub(crate) mod sign;
pub(crate) mod tiles;
pub(crate) mod token;
pub(crate) mod unlock;
pub(crate) mod verify;
pub(crate) mod webhook;
