//! The core of `unlock`: an agent that holds keys for a shift and speaks the SSH agent protocol
//! (draft-ietf-sshm-ssh-agent §3) on a private Unix socket, so that the client is the same as for ssh-agent.
//!
//! It lists its keys and signs [`SigningInput`]s that name the key asked for. Everything else is refused: it can never
//! be used to sign raw bytes, an SSH login or a checkpoint. When its time is over, or it is told to stop, connections
//! are cut, the keys are wiped and the socket is removed.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ed25519::SecretKey;
use crate::jwk::thumbprint;
use crate::signer::SigningInput;
use crate::ssh_agent::{
    FAILURE, Fields, IDENTITIES_ANSWER, REQUEST_IDENTITIES, SIGN_REQUEST, SIGN_RESPONSE, SSH_ED25519, key_blob,
    put_string, put_u32, read_message, write_message,
};

/// How many connections are open at once. One more cuts the oldest, so that whoever stalls never keeps others out.
pub const CONNECTIONS_MAX: usize = 16;
/// How long a connection may take over its next request, and over taking the answer.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often the time is looked at while nothing happens. A machine that slept past the end notices this long after
/// it woke.
pub const CLOCK_CHECK: Duration = Duration::from_secs(1);
/// The socket's name in its directory.
pub const SOCKET_NAME: &str = "agent.sock";

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The directory is not one of the caller's own with mode 0700.
    #[error("{} must be your own directory with mode 0700: {what}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// An agent answers there already.
    #[error("an agent is running already at {}", path.display())]
    AlreadyRunning {
        /// Its socket.
        path: PathBuf,
    },
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket or its directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A listening socket that only its owner can reach; the file is removed when this is dropped.
#[derive(Debug)]
pub struct AgentSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AgentSocket {
    /// Listens at [`SOCKET_NAME`] in `directory`, which is made if there is none. A socket that nobody answers, left by
    /// an agent that was killed, is replaced.
    ///
    /// # Errors
    /// If the directory is not the caller's alone, an agent is running there, or the system says no.
    pub fn bind(directory: &Path) -> Result<Self, BindError> {
        let io = |path: &Path, source| BindError::Io { path: path.to_owned(), source };
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(|error| io(directory, error))?,
        }
        must_be_private(directory)?;

        let path = directory.join(SOCKET_NAME);
        match UnixStream::connect(&path) {
            Ok(_) => return Err(BindError::AlreadyRunning { path }),
            Err(_) if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.file_type().is_socket()) => {
                fs::remove_file(&path).map_err(|error| io(&path, error))?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(&path).map_err(|error| io(&path, error))?;
        let socket = Self { listener, path };
        // The directory keeps others out until this is done.
        fs::set_permissions(&socket.path, Permissions::from_mode(0o600)).map_err(|error| io(&socket.path, error))?;
        socket.listener.set_nonblocking(true).map_err(|error| io(&socket.path, error))?;
        Ok(socket)
    }

    /// Where clients connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        // If it can't be removed there is nobody to tell; the next `bind` finds that nobody answers.
        let _ = fs::remove_file(&self.path);
    }
}

/// Why an agent stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its time was over.
    Expired,
    /// It was told to.
    ShutDown,
}

/// Serves the keys until `time_left` says `None` or `shutdown` becomes readable or is hung up. When this returns, the
/// keys are wiped, nobody is connected and the socket is gone.
///
/// `time_left` should count from a clock that goes on while the machine sleeps (CLOCK_BOOTTIME), or a shift ends late.
///
/// # Errors
/// If the socket can't be waited for or accepted from; the agent has then stopped in the same way.
pub fn run(
    socket: AgentSocket,
    keys: Vec<SecretKey>,
    time_left: impl Fn() -> Option<Duration> + Sync,
    shutdown: impl AsFd,
) -> io::Result<Ended> {
    let (keys, time_left) = (&keys[..], &time_left);
    thread::scope(|scope| {
        let mut open = VecDeque::<Arc<UnixStream>>::new();
        let ended = loop {
            let Some(left) = time_left() else { break Ok(Ended::Expired) };
            let client = match next(&socket.listener, shutdown.as_fd(), left.min(CLOCK_CHECK)) {
                Ok(Next::Client(stream)) => stream,
                Ok(Next::Nothing) => continue,
                Ok(Next::ShutDown) => break Ok(Ended::ShutDown),
                Err(error) => break Err(error),
            };
            open.retain(|stream| Arc::strong_count(stream) > 1);
            if open.len() == CONNECTIONS_MAX {
                open.pop_front().iter().for_each(cut);
            }
            let client = Arc::new(client);
            open.push_back(Arc::clone(&client));
            let serving = thread::Builder::new().spawn_scoped(scope, move || {
                serve(&client, keys, time_left);
                cut(&client);
            });
            if serving.is_err() {
                // No thread to be had: the client sees that it was dropped, and may come again.
                open.pop_back().iter().for_each(cut);
            }
        };
        open.iter().for_each(cut);
        ended
    })
}

/// What happened while waiting.
enum Next {
    /// Someone with our user id connected.
    Client(UnixStream),
    /// Time passed, or whoever connected is gone or was not let in.
    Nothing,
    /// We were told to stop.
    ShutDown,
}

fn next(listener: &UnixListener, shutdown: impl AsFd, wait: Duration) -> io::Result<Next> {
    let mut events = [PollFd::new(listener, PollFlags::IN), PollFd::new(&shutdown, PollFlags::IN)];
    let wait = Timespec::try_from(wait).expect("a wait of at most CLOCK_CHECK fits a timespec");
    match poll(&mut events, Some(&wait)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    if !events[1].revents().is_empty() {
        return Ok(Next::ShutDown);
    }
    match listener.accept() {
        Ok((stream, _)) if may_connect(&stream) => {
            // Some systems hand the listener's mode down.
            stream.set_nonblocking(false)?;
            Ok(Next::Client(stream))
        }
        Ok(_) => Ok(Next::Nothing),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {
                Ok(Next::Nothing)
            }
            _ => Err(error),
        },
    }
}

/// The directory's mode keeps others out already; this asks the kernel who is there.
#[cfg(target_os = "linux")]
fn may_connect(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// Where the kernel can't be asked in this way, the directory's mode alone keeps others out.
#[cfg(not(target_os = "linux"))]
fn may_connect(_: &UnixStream) -> bool {
    true
}

/// Ends a connection, under the thread that serves it too.
fn cut(stream: &Arc<UnixStream>) {
    // It fails only if the client has gone already.
    let _ = stream.shutdown(Shutdown::Both);
}

/// Answers one connection's requests until it ends, stalls, breaks the framing, or the time is over.
fn serve(stream: &UnixStream, keys: &[SecretKey], time_left: impl Fn() -> Option<Duration>) {
    while let Ok(request) = read_message(stream, Instant::now() + REQUEST_WAIT_MAX) {
        if time_left().is_none() {
            return;
        }
        let answer = answer(&request, keys).unwrap_or_else(|| vec![FAILURE]);
        if write_message(stream, &answer, Instant::now() + REQUEST_WAIT_MAX).is_err() {
            return;
        }
    }
}

/// The answer to one request, or nothing if it is refused.
fn answer(request: &[u8], keys: &[SecretKey]) -> Option<Vec<u8>> {
    match request {
        [REQUEST_IDENTITIES] => Some(identities_answer(keys)),
        [SIGN_REQUEST, fields @ ..] => sign_response(fields, keys),
        _ => None,
    }
}

/// The keys, each with its thumbprint as comment.
fn identities_answer(keys: &[SecretKey]) -> Vec<u8> {
    let mut answer = vec![IDENTITIES_ANSWER];
    put_u32(&mut answer, u32::try_from(keys.len()).expect("nobody holds 2^32 keys"));
    for key in keys {
        put_string(&mut answer, &key_blob(key.public()));
        put_string(&mut answer, thumbprint(key.public()).to_string().as_bytes());
    }
    answer
}

/// The signature, if the key is held, the bytes are a [`SigningInput`], and its header names this key.
fn sign_response(fields: &[u8], keys: &[SecretKey]) -> Option<Vec<u8>> {
    let mut fields = Fields(fields);
    let (blob, message, flags) = (fields.string()?, fields.string()?, fields.u32()?);
    if flags != 0 || !fields.0.is_empty() {
        return None;
    }
    let key = keys.iter().find(|key| key_blob(key.public()) == blob)?;
    let input = SigningInput::parse(std::str::from_utf8(message).ok()?).ok()?;
    if *input.kid() != thumbprint(key.public()) {
        return None;
    }
    let mut signature = Vec::new();
    put_string(&mut signature, SSH_ED25519);
    put_string(&mut signature, &key.sign(input.as_str().as_bytes()));
    let mut answer = vec![SIGN_RESPONSE];
    put_string(&mut answer, &signature);
    Some(answer)
}

/// Refuses a directory that someone else owns or can look into.
fn must_be_private(directory: &Path) -> Result<(), BindError> {
    let refused = |what: String| BindError::Directory { path: directory.to_owned(), what };
    let metadata = fs::symlink_metadata(directory).map_err(|error| refused(error.to_string()))?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_dir() {
        return Err(refused("not a directory".to_owned()));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(refused(format!("it belongs to user {}", metadata.uid())));
    }
    if mode & 0o077 != 0 {
        return Err(refused(format!("its mode is {mode:04o}")));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signer::Typ;

    fn sign_request(key: &SecretKey, message: &[u8], flags: u32) -> Vec<u8> {
        let mut request = vec![SIGN_REQUEST];
        put_string(&mut request, &key_blob(key.public()));
        put_string(&mut request, message);
        put_u32(&mut request, flags);
        request
    }

    #[test]
    fn only_a_signing_input_that_names_the_key_is_signed() {
        let keys = [SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32])];
        let input = SigningInput::new(Typ::Statement, &thumbprint(keys[0].public()), b"{}").unwrap();
        let good = input.as_str().as_bytes();
        assert!(answer(&sign_request(&keys[0], good, 0), &keys).is_some());

        let stranger = SecretKey::from_seed([3; 32]);
        let checkpoint = b"example.org/soc\n42\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n";
        for (what, request) in [
            ("a key that is not held", sign_request(&stranger, good, 0)),
            ("the header names the other key", sign_request(&keys[1], good, 0)),
            ("flags", sign_request(&keys[0], good, 2)),
            ("a tail", [&sign_request(&keys[0], good, 0)[..], &[0]].concat()),
            ("nothing", sign_request(&keys[0], b"", 0)),
            ("raw bytes", sign_request(&keys[0], &[0xff; 32], 0)),
            ("a checkpoint", sign_request(&keys[0], checkpoint, 0)),
            ("an SSH signature", sign_request(&keys[0], b"SSHSIG\0\0\0\x04file", 0)),
            ("a whole JWS", sign_request(&keys[0], &[good, b".AAAA"].concat(), 0)),
            ("a list with a tail", vec![REQUEST_IDENTITIES, 0]),
        ] {
            assert_eq!(answer(&request, &keys), None, "{what}");
        }
    }

    #[test]
    fn every_other_request_of_the_protocol_is_refused() {
        let keys = [SecretKey::from_seed([1; 32])];
        for number in (0..=255).filter(|number| *number != REQUEST_IDENTITIES) {
            assert_eq!(answer(&[number], &keys), None, "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_request_makes_the_agent_panic(request in proptest::collection::vec(any::<u8>(), 0..200)) {
            let keys = [SecretKey::from_seed([1; 32])];
            let _ = answer(&request, &keys);
            let _ = answer(&[&[SIGN_REQUEST], &request[..]].concat(), &keys);
            prop_assert_eq!(answer(&sign_request(&keys[0], &request, 0), &keys), None);
        }
    }
}
