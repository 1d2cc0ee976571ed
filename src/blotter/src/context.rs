//! What every command needs: which ledger, where its keys and state are, how to print, and the world's clock and dice.
//! Only this package has a clock, an environment and a terminal; everything below gets them as arguments.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use blotter_client::Server;
use blotter_record::{Hash, Jti};
use clap::Args;

use crate::out::Out;

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Globals {
    /// The ledger's directory
    #[arg(long, global = true, value_name = "DIR", env = "BLOTTER_DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Where head files and the checkpoints that you verified are kept, outside the ledger
    #[arg(long, global = true, value_name = "DIR", env = "BLOTTER_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// The ledger on this server, instead of the one in --dir
    #[arg(long, global = true, value_name = "URL", env = "BLOTTER_SERVER")]
    pub(crate) server: Option<Server>,

    /// Read the token for --server from the first line of this file, instead of using the session of `blotter login`
    #[arg(long, global = true, value_name = "FILE", env = "BLOTTER_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Certificates (PEM) that vouch for --server, instead of the public authorities
    #[arg(long, global = true, value_name = "FILE", env = "BLOTTER_SERVER_CA")]
    pub(crate) server_ca: Option<PathBuf>,

    /// Speak plain HTTP to a --server on another machine: everybody between can read along, and take the session
    #[arg(long = "plain-http-server", global = true)]
    pub(crate) plain_http: bool,

    /// Print JSON, for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Whose key signs: the name of a key, the path of a key file, or an actor whose key an agent holds
    #[arg(long = "as", global = true, value_name = "WHO", env = "BLOTTER_AS")]
    pub(crate) who: Option<String>,

    /// Read the passphrase of the key from the first line of this file, instead of asking
    #[arg(long, global = true, value_name = "FILE", env = "BLOTTER_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,

    /// Ask nothing: take every question as answered with yes
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// The globals, and what follows from them.
pub(crate) struct Context {
    pub(crate) globals: Globals,
    pub(crate) out: Out,
}

impl Context {
    pub(crate) fn new(globals: Globals) -> Self {
        let out = Out::new(globals.json, globals.color);
        Self { globals, out }
    }

    /// The ledger's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.globals.dir
    }

    /// Where the ledger's own keys and those of its people are.
    pub(crate) fn keys_dir(&self) -> PathBuf {
        self.globals.dir.join("keys")
    }

    /// Where head files are kept: `--state-dir`, or `$XDG_STATE_HOME/blotter`, or `~/.local/state/blotter`.
    pub(crate) fn state_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.globals.state_dir {
            return Ok(dir.clone());
        }
        user_dir("XDG_STATE_HOME", ".local/state")
            .context("no state directory: set HOME or XDG_STATE_HOME, or say --state-dir DIR")
    }

    /// Whether somebody can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        !self.globals.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a yes-or-no question on a terminal; `--yes` answers it, and without a terminal it must have been given.
    pub(crate) fn confirm(&self, question: &str) -> Result<bool> {
        if self.globals.yes {
            return Ok(true);
        }
        if !self.can_ask() {
            bail!("{question} Nobody is there to answer; say --yes");
        }
        eprint!("{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

/// A directory of the user by an XDG variable, or below the home directory; with `blotter` behind it.
pub(crate) fn user_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(set(variable).or_else(|| Some(set("HOME")?.join(below_home)))?.join("blotter"))
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// Fills a buffer with random bytes from the system.
pub(crate) fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("a system that gives no random bytes can't run this");
}

/// Fresh random bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    random(&mut bytes);
    bytes
}

/// A new statement's id.
pub(crate) fn new_jti() -> Jti {
    Jti::v7((now_us() / 1000).unsigned_abs(), random_bytes())
}

/// A pseudonymous name of 80 random bits: 16 characters of `[a-z2-7]` (FORMAT.md §1.5).
pub(crate) fn new_name() -> String {
    base32(&random_bytes::<10>())
}

/// Lower-case base32 without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut buffer, mut bits, mut text) = (0_u32, 0, String::new());
    for byte in bytes {
        buffer = buffer << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(ALPHABET[(buffer >> bits & 31) as usize] as char);
        }
    }
    if bits > 0 {
        text.push(ALPHABET[(buffer << (5 - bits) & 31) as usize] as char);
    }
    text
}

/// SHA-256 of this very program, in hex.
pub(crate) fn binary_sha256() -> String {
    let program = std::env::current_exe().and_then(std::fs::read);
    program.map(|bytes| Hash::of(&bytes)).unwrap_or(Hash([0; 32])).to_hex()
}
