//! The API in one process, without a network: what it answers, and to whom.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod access;
mod alert_queue;
mod alerts;
mod append;
mod custody;
mod incident_list;
mod moments;
mod numbers;
mod server;
mod tickets;
mod webhooks;
