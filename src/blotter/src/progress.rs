//! How far a long fold of the log is, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::context::Context;

/// A bar that nobody sees yet; with --json never.
pub(crate) fn bar(context: &Context) -> ProgressBar {
    if context.out.json {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{prefix:>10} {bar:30} {human_pos}/{human_len} entries, {per_sec}, {eta} to go");
    ProgressBar::new(0).with_style(style.expect("our own template"))
}

/// So far `what` is.
pub(crate) fn show(bar: &ProgressBar, what: &str, done: u64, size: u64) {
    if bar.prefix() != what {
        bar.reset();
        bar.set_prefix(what.to_owned());
    }
    bar.set_length(size);
    bar.set_position(done);
}
