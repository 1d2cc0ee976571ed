//! CACAO playbooks: what is found in a document, and what a run of one foresees.

mod examples;
mod findings;
mod hostile;
mod runs;
mod write;
