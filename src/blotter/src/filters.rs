//! Saved filters: options of a command under a name. They are a person's convenience and no part of any record, so they
//! are in the state directory: `filters/NAME.json`, with mode 0600, holds the command and its options as somebody may type
//! them. They are read by the same parser as what is typed, so nothing is allowed there that is not allowed here.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, CommandFactory};
use serde::{Deserialize, Serialize};

use crate::Cli;
use crate::context::Context;
use crate::files::{self, Mode};

/// Of a name; it is a file's.
const NAME_LEN_MAX: usize = 64;
/// Options that are no part of a filter: a place in a list, and how long to wait.
const UNSAVED: [&str; 3] = ["cursor", "before", "follow"];

/// Options of commands that list.
#[derive(Debug, Args)]
#[command(next_help_heading = "Saved filters")]
pub(crate) struct Saved {
    /// As if the options of this saved filter had been typed, too; an option that is typed wins over its own
    #[arg(long = "filter", id = FILTER, value_name = "NAME", value_parser = name)]
    filter: Option<String>,

    /// Keep these options under a name, for --filter; "--since 2h" stays the last two hours
    #[arg(long = "save", id = SAVE, value_name = "NAME", value_parser = name)]
    save: Option<String>,
}

/// Of [`Saved`].
pub(crate) const FILTER: &str = "saved-filter";
const SAVE: &str = "save-filter";

/// A name that is a file's name anywhere.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let first = text.starts_with(|c: char| c != '-');
    match first && text.len() <= NAME_LEN_MAX && text.chars().all(fine) {
        true => Ok(text.to_owned()),
        false => Err(format!("a name of at most {NAME_LEN_MAX} of a-z, 0-9 and - is wanted, such as open-severe")),
    }
}

/// A saved filter, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// `["incident", "list"]`.
    pub(crate) command: Vec<String>,
    /// `["--status=open"]`; words that are no option's stand last, behind `--`.
    pub(crate) arguments: Vec<String>,
}

impl Filter {
    /// As it can be typed into a shell.
    pub(crate) fn line(&self) -> String {
        let words = ["blotter"].into_iter().chain(self.command.iter().chain(&self.arguments).map(String::as_str));
        words.map(quoted).collect::<Vec<_>>().join(" ")
    }

    fn of(&self) -> String {
        format!("blotter {}", self.command.join(" "))
    }
}

/// A word as a POSIX shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// What was typed, with the options of the saved filter that it names; and saves what it wants saved. That comes before the
/// command is run: a reader of its output may go away at any line.
///
/// # Errors
/// If that filter is not there, can't be read, is another command's, or is wrong beside what was typed; if something is to
/// be saved that is no part of a filter, or under the name of another command's filter.
pub(crate) fn applied(context: &Context, typed: ArgMatches) -> Result<ArgMatches> {
    let mut root = Cli::command();
    root.build();
    let (path, command, leaf) = leaf(&root, &typed);
    let asked = |id: &str| leaf.try_get_one::<String>(id).ok().flatten().cloned();
    let (used, saved) = (asked(FILTER), asked(SAVE));
    if let Some(id) = UNSAVED.iter().find(|id| saved.is_some() && is_typed(leaf, id)) {
        bail!("--save keeps a filter, and --{id} is no part of one: leave it out");
    }
    if let Some(name) = &saved {
        replaceable(context, name, &path)?;
    }
    let matches = match &used {
        None => typed.clone(),
        Some(name) => {
            let filter = read(context, name)?;
            if filter.command != path {
                bail!("{name} is a filter of `{}`, not of `blotter {}`", filter.of(), path.join(" "));
            }
            let wrong = |e: clap::Error| {
                anyhow::anyhow!("filter {name} (`{}`) does not go with what was typed:\n{e}", filter.line())
            };
            let words = std::iter::once(OsString::from("blotter")).chain(filter.command.iter().map(OsString::from));
            let stored = words.clone().chain(filter.arguments.iter().map(OsString::from));
            let stored = root.clone().try_get_matches_from(stored).map_err(wrong)?;
            let (_, _, stored) = self::leaf(&root, &stored);
            let theirs = |arg: &Arg| {
                let against = |other: &Arg| is_typed(leaf, other.get_id().as_str());
                !is_typed(leaf, arg.get_id().as_str()) && !conflicting(command, arg).into_iter().any(against)
            };
            let mut all = Typed::of(command, stored, theirs);
            let ours = Typed::of(command, leaf, |arg| arg.get_id() != FILTER);
            all.options.extend(ours.options);
            all.others.extend(ours.others);
            root.clone().try_get_matches_from(words.chain(all.words())).map_err(wrong)?
        }
    };
    if let Some(name) = saved {
        let (_, _, leaf) = self::leaf(&root, &matches);
        let own = |arg: &Arg| !arg.is_global_set() && arg.get_id() != FILTER && arg.get_id() != SAVE;
        let text =
            |word: OsString| word.into_string().map_err(|word| anyhow::anyhow!("{} is not text", word.display()));
        let arguments = Typed::of(command, leaf, own).words().into_iter().map(text).collect::<Result<_>>()?;
        save(context, &name, &Filter { command: path, arguments })?;
    }
    Ok(matches)
}

/// The command at the end of what was typed: the path to it, itself, and what was typed for it.
fn leaf<'a>(root: &'a Command, matches: &'a ArgMatches) -> (Vec<String>, &'a Command, &'a ArgMatches) {
    let (mut path, mut command, mut leaf) = (Vec::new(), root, matches);
    while let Some((name, sub)) = leaf.subcommand() {
        let Some(found) = command.find_subcommand(name) else { break };
        path.push(name.to_owned());
        (command, leaf) = (found, sub);
    }
    (path, command, leaf)
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.ids().any(|there| there == id) && matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// What can't be typed beside an option; clap knows it of one of the two.
fn conflicting<'a>(command: &'a Command, arg: &Arg) -> Vec<&'a Arg> {
    let against = |other: &&Arg| {
        let names = |one: &Arg, two: &Arg| {
            command.get_arg_conflicts_with(one).iter().any(|named| named.get_id() == two.get_id())
        };
        names(arg, other) || names(other, arg)
    };
    command.get_arguments().filter(against).collect()
}

/// Words as typed: options and their values, and what stands behind them.
struct Typed {
    options: Vec<OsString>,
    others: Vec<OsString>,
}

impl Typed {
    /// What was typed for those arguments of a command that are wanted.
    fn of(command: &Command, matches: &ArgMatches, wanted: impl Fn(&Arg) -> bool) -> Self {
        let mut typed = Self { options: Vec::new(), others: Vec::new() };
        for arg in command.get_arguments().filter(|arg| wanted(arg) && is_typed(matches, arg.get_id().as_str())) {
            let values = matches.get_raw(arg.get_id().as_str()).into_iter().flatten();
            match arg.get_long() {
                None => typed.others.extend(values.map(OsString::from)),
                Some(long) if !arg.get_action().takes_values() => typed.options.push(format!("--{long}").into()),
                Some(long) => typed.options.extend(values.map(|value| {
                    let mut word = OsString::from(format!("--{long}="));
                    word.push(value);
                    word
                })),
            }
        }
        typed
    }

    fn words(self) -> Vec<OsString> {
        let Self { mut options, others } = self;
        if !others.is_empty() {
            options.push("--".into());
            options.extend(others);
        }
        options
    }
}

/// Keeps a filter, in place of one that has its name.
fn save(context: &Context, name: &str, filter: &Filter) -> Result<()> {
    let dir = dir(context)?;
    std::fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let text = serde_json::to_string_pretty(filter)?;
    files::write(&file(context, name)?, format!("{text}\n").as_bytes(), Mode::Private)?;
    let command = filter.command.join(" ");
    context.out.note(&format!("saved: `blotter {command} --filter {name}` is `{}`", filter.line()));
    Ok(())
}

/// Refuses a name that another command's filter has; that somebody may still want.
fn replaceable(context: &Context, name: &str, path: &[String]) -> Result<()> {
    if !file(context, name)?.exists() {
        return Ok(());
    }
    let there = read(context, name)?;
    if there.command != path {
        bail!("{name} is a filter of `{}` already; another name, or `blotter filter delete {name}` first", there.of());
    }
    Ok(())
}

fn dir(context: &Context) -> Result<PathBuf> {
    Ok(context.state_dir()?.join("filters"))
}

fn file(context: &Context, name: &str) -> Result<PathBuf> {
    Ok(dir(context)?.join(format!("{name}.json")))
}

/// The names that are there, in their order; files that nobody saved here are none.
pub(crate) fn list(context: &Context) -> Result<Vec<String>> {
    let dir = dir(context)?;
    let files = match std::fs::read_dir(&dir) {
        Ok(files) => files,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e).with_context(|| dir.display().to_string()),
    };
    let mut names = Vec::new();
    for file in files {
        let file = file.with_context(|| dir.display().to_string())?.file_name();
        let stem = file.to_str().and_then(|file| file.strip_suffix(".json"));
        names.extend(stem.and_then(|stem| name(stem).ok()));
    }
    names.sort();
    Ok(names)
}

/// Reads a filter.
///
/// # Errors
/// If it is not there, which names those that are; or its file is not one.
pub(crate) fn read(context: &Context, name: &str) -> Result<Filter> {
    let path = file(context, name)?;
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(unknown(context, name)?),
        Err(e) => return Err(e).with_context(|| path.display().to_string()),
    };
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not a saved filter", path.display()))
}

/// Deletes a filter.
///
/// # Errors
/// As [`read`] has it, but for what is in the file.
pub(crate) fn delete(context: &Context, name: &str) -> Result<()> {
    let path = file(context, name)?;
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(unknown(context, name)?),
        Err(e) => Err(e).with_context(|| path.display().to_string()),
    }
}

fn unknown(context: &Context, name: &str) -> Result<anyhow::Error> {
    let there = list(context)?;
    let there = match there.is_empty() {
        true => "there are none; --save NAME keeps the options of `incident list`, `alert list`, `log` and `search`"
            .to_owned(),
        false => format!("those there are: {}", there.join(", ")),
    };
    Ok(anyhow::anyhow!("there is no saved filter {name}: {there}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_shown_as_a_shell_takes_it() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let arguments = words(&["--since=2h", "--", "file server", "it's", ""]);
        let filter = Filter { command: words(&["search"]), arguments };
        assert_eq!(filter.line(), r"blotter search --since=2h -- 'file server' 'it'\''s' ''");
    }

    #[test]
    fn a_name_can_leave_no_directory() {
        for wrong in ["", "-a", "..", "a/b", "A", "a.json", &"a".repeat(65)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(name("open-severe-2").as_deref(), Ok("open-severe-2"));
    }
}
