//! A client of the SSH agent protocol (draft-ietf-sshm-ssh-agent §3), so that an actor's key can stay in ssh-agent, in
//! a hardware token's agent or in our own `unlock`: lists the Ed25519 keys, and asks for the signature over a
//! [`SigningInput`], never over other bytes.
//!
//! It trusts the agent with nothing: lengths are bounded, framing is strict, waiting ends, and a signature is verified
//! before it is returned.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use blotter_record::Hash;

use crate::ed25519::PublicKey;
use crate::jwk::thumbprint;
use crate::signer::SigningInput;

/// The longest message in either direction, as in OpenSSH.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How long to wait for an agent, if nobody says otherwise: someone may have to confirm, or to touch a token.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// An Ed25519 key that an agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The key.
    pub public: PublicKey,
    /// What its owner calls it; fit to be printed on a terminal, and not to be relied on.
    pub comment: String,
}

/// Why an agent was of no use.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Nothing answers at the socket.
    #[error("no agent at {}: {source}", path.display())]
    NoAgent {
        /// The socket.
        path: PathBuf,
        /// Why it can't be connected to.
        source: io::Error,
    },
    /// The agent holds the key but did not sign: not confirmed, locked, or against its rules.
    #[error("the agent refused")]
    Refused,
    /// The agent does not hold the key with this thumbprint.
    #[error("the agent does not hold the key {0}")]
    NotHeld(Hash),
    /// No answer in time.
    #[error("the agent did not answer in time")]
    TimedOut,
    /// What the agent sent is not the protocol.
    #[error("the agent does not speak the protocol: {0}")]
    Protocol(&'static str),
    /// The agent's signature is not one of the key over the input.
    #[error("the agent returned a signature that does not verify")]
    BadSignature,
    /// The connection broke.
    #[error("the connection to the agent broke: {0}")]
    Io(io::Error),
}

impl From<io::Error> for AgentError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::TimedOut,
            io::ErrorKind::InvalidData => Self::Protocol("a message of no bytes, or of too many"),
            _ => Self::Io(error),
        }
    }
}

/// The Ed25519 keys that the agent at `socket` holds, in its order. Keys of other kinds, and keys that could not be
/// enrolled, are left out.
///
/// # Errors
/// If there is no agent, it refuses, does not answer within `wait_max`, or does not speak the protocol.
pub fn identities(socket: &Path, wait_max: Duration) -> Result<Vec<Identity>, AgentError> {
    let answer = ask(socket, &[REQUEST_IDENTITIES], wait_max)?;
    parse_identities(&answer)
}

/// The agent's signature over `input`, verified.
///
/// # Errors
/// As [`identities`], and if the agent does not hold the key, refuses to sign, or signs something else.
pub fn sign(
    socket: &Path,
    public: &PublicKey,
    input: &SigningInput,
    wait_max: Duration,
) -> Result<[u8; 64], AgentError> {
    let message = input.as_str().as_bytes();
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, &key_blob(public));
    put_string(&mut request, message);
    put_u32(&mut request, 0);

    let answer = ask(socket, &request, wait_max)?;
    let signature = match parse_signature(&answer) {
        // An agent says no in one word; whether it has the key makes the difference to the one who asked.
        Err(AgentError::Refused) => {
            let held = identities(socket, wait_max)?.iter().any(|identity| identity.public == *public);
            return Err(if held { AgentError::Refused } else { AgentError::NotHeld(thumbprint(public)) });
        }
        other => other?,
    };
    public.verify(message, &signature).map_err(|_| AgentError::BadSignature)?;
    Ok(signature)
}

/// Message numbers (draft-ietf-sshm-ssh-agent §6.1), shared with our own agent.
pub(crate) const FAILURE: u8 = 5;
pub(crate) const REQUEST_IDENTITIES: u8 = 11;
pub(crate) const IDENTITIES_ANSWER: u8 = 12;
pub(crate) const SIGN_REQUEST: u8 = 13;
pub(crate) const SIGN_RESPONSE: u8 = 14;

/// The name of the key and signature format (RFC 8709 §4, §6).
pub(crate) const SSH_ED25519: &[u8] = b"ssh-ed25519";

/// One question on a connection of its own, and its answer.
fn ask(socket: &Path, request: &[u8], wait_max: Duration) -> Result<Vec<u8>, AgentError> {
    let stream =
        UnixStream::connect(socket).map_err(|source| AgentError::NoAgent { path: socket.to_owned(), source })?;
    let until = Instant::now() + wait_max;
    write_message(&stream, request, until)?;
    Ok(read_message(&stream, until)?)
}

fn parse_identities(answer: &[u8]) -> Result<Vec<Identity>, AgentError> {
    let mut fields = Fields(answer);
    expect_type(&mut fields, IDENTITIES_ANSWER)?;
    let count = fields.u32().ok_or(TRUNCATED)?;
    let mut identities = Vec::new();
    for _ in 0..count {
        let blob = fields.string().ok_or(TRUNCATED)?;
        let comment = fields.string().ok_or(TRUNCATED)?;
        if let Some(public) = parse_key_blob(blob) {
            identities.push(Identity { public, comment: printable(comment) });
        }
    }
    if !fields.0.is_empty() { Err(TRAILING) } else { Ok(identities) }
}

fn parse_signature(answer: &[u8]) -> Result<[u8; 64], AgentError> {
    let mut fields = Fields(answer);
    expect_type(&mut fields, SIGN_RESPONSE)?;
    let mut inner = Fields(fields.string().ok_or(TRUNCATED)?);
    if inner.string().ok_or(TRUNCATED)? != SSH_ED25519 {
        return Err(AgentError::Protocol("a signature of another algorithm"));
    }
    let signature = inner.string().ok_or(TRUNCATED)?;
    if !fields.0.is_empty() || !inner.0.is_empty() {
        return Err(TRAILING);
    }
    signature.try_into().map_err(|_| AgentError::Protocol("a signature that is not 64 bytes"))
}

const TRUNCATED: AgentError = AgentError::Protocol("a message that ends too early");
const TRAILING: AgentError = AgentError::Protocol("bytes after the end of a message");

fn expect_type(fields: &mut Fields<'_>, wanted: u8) -> Result<(), AgentError> {
    match fields.u8().ok_or(TRUNCATED)? {
        FAILURE => Err(AgentError::Refused),
        number if number == wanted => Ok(()),
        _ => Err(AgentError::Protocol("an answer to another question")),
    }
}

/// A comment is its writer's: what a terminal would act on is replaced.
fn printable(comment: &[u8]) -> String {
    String::from_utf8_lossy(comment)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

/// A public key as SSH writes it (RFC 8709 §4).
pub(crate) fn key_blob(public: &PublicKey) -> Vec<u8> {
    let mut blob = Vec::new();
    put_string(&mut blob, SSH_ED25519);
    put_string(&mut blob, public.as_bytes());
    blob
}

/// The key in an SSH key blob, if it is an Ed25519 key that could be enrolled.
fn parse_key_blob(blob: &[u8]) -> Option<PublicKey> {
    let mut fields = Fields(blob);
    if fields.string()? != SSH_ED25519 {
        return None;
    }
    let bytes = fields.string()?.try_into().ok()?;
    if fields.0.is_empty() { PublicKey::from_bytes(bytes).ok() } else { None }
}

pub(crate) fn put_u32(message: &mut Vec<u8>, value: u32) {
    message.extend_from_slice(&value.to_be_bytes());
}

/// A string as SSH writes it (RFC 4251 §5): its length, then its bytes.
pub(crate) fn put_string(message: &mut Vec<u8>, bytes: &[u8]) {
    put_u32(message, u32::try_from(bytes.len()).expect("what we send is far below 4 GiB"));
    message.extend_from_slice(bytes);
}

/// What is left of a message; each reader takes its field off the front, or nothing if it is not whole.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let mut after = Fields(self.0);
        let length = usize::try_from(after.u32()?).ok()?;
        let (first, rest) = after.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }
}

/// The next message, without its length.
///
/// # Errors
/// `TimedOut` if it is not whole by `until`, `InvalidData` if it is empty or longer than [`MESSAGE_BYTES_MAX`], or
/// what the socket says.
pub(crate) fn read_message(stream: &UnixStream, until: Instant) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    read_all(stream, &mut length, until)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| io::ErrorKind::InvalidData)?;
    if length == 0 || length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    read_all(stream, &mut message, until)?;
    Ok(message)
}

/// `read_exact` that ends at `until`, however slowly the bytes drip in.
fn read_all(mut stream: &UnixStream, mut buffer: &mut [u8], until: Instant) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(time_left(until)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => buffer = &mut buffer[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends one message with its length before it.
///
/// # Errors
/// `TimedOut` if it is not gone by `until`, or what the socket says.
pub(crate) fn write_message(mut stream: &UnixStream, message: &[u8], until: Instant) -> io::Result<()> {
    let mut framed = Vec::with_capacity(4 + message.len());
    put_string(&mut framed, message);
    let mut rest = &framed[..];
    while !rest.is_empty() {
        stream.set_write_timeout(Some(time_left(until)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = &rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The time until `until`, never zero, which a socket would take for "for ever".
fn time_left(until: Instant) -> io::Result<Duration> {
    until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or(io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ed25519::SecretKey;

    fn identities_answer(blobs: &[&[u8]]) -> Vec<u8> {
        let mut answer = vec![IDENTITIES_ANSWER];
        put_u32(&mut answer, blobs.len().try_into().unwrap());
        for blob in blobs {
            put_string(&mut answer, blob);
            put_string(&mut answer, b"work\x1b[2J laptop");
        }
        answer
    }

    fn signature_answer(algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut inner = Vec::new();
        put_string(&mut inner, algorithm);
        put_string(&mut inner, signature);
        let mut answer = vec![SIGN_RESPONSE];
        put_string(&mut answer, &inner);
        answer
    }

    #[test]
    fn keys_that_could_not_be_enrolled_are_left_out() {
        let key = SecretKey::from_seed([3; 32]);
        let good = key_blob(key.public());
        let mut rsa = Vec::new();
        put_string(&mut rsa, b"ssh-rsa");
        let mut small_order = Vec::new();
        put_string(&mut small_order, SSH_ED25519);
        put_string(&mut small_order, &[0; 32]);
        let longer = [&good[..], &[0]].concat();

        let found = parse_identities(&identities_answer(&[&rsa, &good, &small_order, &longer, b""])).unwrap();
        assert_eq!(found, [Identity { public: *key.public(), comment: "work\u{fffd}[2J laptop".to_owned() }]);
    }

    #[test]
    fn every_cut_and_every_tail_of_an_answer_is_refused() {
        let key = SecretKey::from_seed([3; 32]);
        let listed = identities_answer(&[&key_blob(key.public())]);
        let signed = signature_answer(SSH_ED25519, &[7; 64]);
        assert_eq!(parse_signature(&signed).unwrap(), [7; 64]);
        for length in 0..listed.len() {
            assert!(matches!(parse_identities(&listed[..length]), Err(AgentError::Protocol(_))), "{length}");
        }
        for length in 0..signed.len() {
            assert!(matches!(parse_signature(&signed[..length]), Err(AgentError::Protocol(_))), "{length}");
        }
        assert!(parse_identities(&[&listed[..], &[0]].concat()).is_err());
        assert!(parse_signature(&[&signed[..], &[0]].concat()).is_err());
        assert!(parse_signature(&signature_answer(b"ssh-rsa", &[7; 64])).is_err());
        assert!(parse_signature(&signature_answer(SSH_ED25519, &[7; 63])).is_err());
        assert!(matches!(parse_signature(&[FAILURE]), Err(AgentError::Refused)));
        assert!(matches!(parse_identities(&[FAILURE]), Err(AgentError::Refused)));
    }

    #[test]
    fn a_message_of_the_greatest_length_is_read_and_one_longer_is_not() {
        for (length, expect) in [(0, false), (1, true), (MESSAGE_BYTES_MAX, true), (MESSAGE_BYTES_MAX + 1, false)] {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let until = Instant::now() + WAIT_MAX;
            let writer = std::thread::spawn(move || write_message(&theirs, &vec![9; length], until));
            let read = read_message(&ours, until);
            assert_eq!(read.map(|message| message.len()).ok(), expect.then_some(length));
            drop(ours);
            let _ = writer.join().unwrap();
        }
    }

    #[test]
    fn an_agent_that_says_nothing_is_given_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let error = read_message(&ours, Instant::now() + Duration::from_millis(5)).unwrap_err();
        assert!(matches!(AgentError::from(error), AgentError::TimedOut));
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_parsers_panic(
            answer in proptest::collection::vec(any::<u8>(), 0..200),
            number in 5_u8..15,
        ) {
            let _ = parse_identities(&answer);
            let _ = parse_signature(&answer);
            let numbered = [&[number], &answer[..]].concat();
            let _ = parse_identities(&numbered);
            let _ = parse_signature(&numbered);
        }
    }
}
