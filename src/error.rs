//! `Error`: a kind (`kind.rs` has the one table of them) and a message for the log.
//!
//! A message is one or more sentences of at most [`Error::MAX_MESSAGE`] bytes. What it is about
//! (`about.rs`) and what to do in the words of a language (`remedy.rs`) are fields, rendered when
//! it is read. None of it holds a token, a key or a MAC, nor text that an attacker may choose, but
//! for two: what a trusted issuer has signed, and the `kid` of a key that is not there; both cut,
//! every character printable.

mod about;
mod answer;
mod kind;
pub mod named;
mod remedy;

pub use kind::ErrorKind;
pub(crate) use remedy::Remedy;
pub use remedy::Words;

use about::{About, Short, printable};

use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed: an [`ErrorKind`] and a message for the log.
///
/// Cheap to make: it never allocates.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: &'static str,
    about: About,
    remedy: Option<Remedy>,
    /// Milliseconds; 0 where coming back later is no remedy.
    retry_after: u32,
    /// The id of an API key whose secret was proved; zeros for none.
    api_key: [u8; 12],
    peer: Option<Arc<Peer>>,
}

/// What an authorization server said was wrong: bounded, and without control characters.
#[derive(Clone, Default)]
struct Peer {
    code: Box<str>,
    message: Box<str>,
    /// What the failed request still gave, and is to be kept.
    kept: Option<Kept>,
    /// Why it was not reached, as a transport of the program's own knows it.
    cause: Option<Arc<Cause>>,
}

type Cause = dyn std::error::Error + Send + Sync;

/// Wiped when the last error that holds it is dropped.
type Kept = Arc<Zeroizing<Vec<u8>>>;

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        // Secrets are not compared: two errors that hold some are two.
        let is_same = match (&self.kept, &other.kept) {
            (Some(kept), Some(other)) => Arc::ptr_eq(kept, other),
            (kept, other) => kept.is_none() && other.is_none(),
        };
        let causes = (self.cause.as_ref(), other.cause.as_ref());
        let is_same = is_same
            && match causes {
                (Some(cause), Some(other)) => Arc::ptr_eq(cause, other),
                (cause, other) => cause.is_none() && other.is_none(),
            };
        is_same && self.code == other.code && self.message == other.message
    }
}

impl Eq for Peer {}

impl Error {
    /// The most bytes a message has.
    pub const MAX_MESSAGE: usize = 200;

    /// The most bytes that the text of an error has: the message, what it is about, and what to do.
    pub const MAX_TEXT: usize = 400;

    /// An error with a message that names the remedy.
    #[cold]
    pub(crate) const fn new(kind: ErrorKind, message: &'static str) -> Self {
        debug_assert!(message.len() <= Self::MAX_MESSAGE, "a message is a sentence or two");
        let (about, remedy) = (About::Nothing, None);
        Self { kind, message, about, remedy, retry_after: 0, api_key: [0; 12], peer: None }
    }

    /// The same error, about this registered claim.
    #[cold]
    pub(crate) fn about_claim(mut self, claim: &'static str) -> Self {
        self.about = About::Claim(claim);
        self
    }

    /// The same error, about a claim that the policy names.
    #[cold]
    pub(crate) fn about_named_claim(mut self, claim: &Arc<str>) -> Self {
        self.about = About::Named(Arc::clone(claim));
        self
    }

    /// The same error, with what to do about it in the words of each language.
    #[cold]
    pub(crate) const fn remedied(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// The same error, without what to do about it: where another side made the mistake.
    #[cold]
    pub(crate) const fn unremedied(mut self) -> Self {
        self.remedy = None;
        self
    }

    /// The same error, about a member of a token of which the signature is good, with what it was:
    /// of that only a bounded, printable part is kept. `None`: it was not there.
    #[cold]
    pub(crate) fn seeing(self, what: &'static str, value: Option<&str>) -> Self {
        self.expecting(what, value.map(str::chars), &[])
    }

    /// As [`Self::seeing`], with the value that was expected, where it is one.
    #[cold]
    pub(crate) fn expecting(
        mut self,
        what: &'static str,
        value: Option<impl Iterator<Item = char>>,
        expected: &[Arc<str>],
    ) -> Self {
        let expected = if let [expected] = expected { Some(Arc::clone(expected)) } else { None };
        self.about = About::Seen { what, value: value.map(Short::new), expected };
        self
    }

    /// The same error, about something that is this, in words of ours, and what was expected,
    /// unless that is empty.
    #[cold]
    pub(crate) fn finding(
        mut self,
        what: &'static str,
        value: &'static str,
        expected: &'static str,
    ) -> Self {
        self.about = About::Word { what, value, expected };
        self
    }

    /// The same error, about a date that is this many seconds from now, and the option that bounds
    /// that.
    #[cold]
    pub(crate) fn dated(
        mut self,
        claim: &'static str,
        distance: i64,
        (option, seconds): (&'static str, u64),
    ) -> Self {
        self.about = About::Date { claim, distance, option, seconds };
        self
    }

    /// The same error, about something of this many bytes, where "at most", "at least" or "exactly"
    /// a number are wanted.
    #[cold]
    pub(crate) fn sized(
        mut self,
        what: &'static str,
        bytes: usize,
        (word, wanted): (&'static str, usize),
    ) -> Self {
        self.about = About::Size { what, bytes: bytes as u64, word, wanted: wanted as u64 };
        self
    }

    /// The same error, about a key that cannot be used for this reason. Of its `kid` only a
    /// bounded, printable part is kept; it may be empty.
    #[cold]
    pub(crate) fn about_key(mut self, kid: &str, reason: &Self) -> Self {
        self.about = About::Key(Arc::new((printable(kid, 40).into(), reason.clone())));
        self
    }

    /// The same error, about a name that another server gives itself and the one that was
    /// configured: of both only a bounded, printable part is kept.
    #[cold]
    pub(crate) fn comparing(mut self, what: &'static str, seen: &str, configured: &str) -> Self {
        let configured = match named::credential_in(configured) {
            Some(_) => named::shown(configured).into(),
            None => printable(configured, 60).into(),
        };
        let names = Arc::new([printable(seen, 60).into(), configured]);
        self.about = About::Compared { what, names };
        self
    }

    /// The same error, about this place of a text: the byte at `offset`.
    #[cold]
    pub(crate) fn about_place(mut self, text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let lines = before.iter().filter(|&&byte| byte == b'\n').count();
        let in_line = before.iter().rev().take_while(|&&byte| byte != b'\n').count();
        let counted = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        self.about = About::Place { what: "", line: counted(lines), column: counted(in_line) };
        self
    }

    /// The same error about a place, of the text that is this member or argument.
    #[cold]
    pub(crate) fn about_text(mut self, name: &'static str) -> Self {
        match &mut self.about {
            About::Place { what, .. } => *what = name,
            about => *about = About::Claim(name),
        }
        self
    }

    /// The same error, about the request to another server that it came of, where it is about
    /// nothing else.
    #[cold]
    pub(crate) fn about_request(mut self, endpoint: &'static str, status: u16) -> Self {
        let is_of_peer = matches!(
            self.kind,
            ErrorKind::OauthInvalidClient
                | ErrorKind::OauthRefused
                | ErrorKind::OauthServerFailed
                | ErrorKind::OauthMalformedResponse
        );
        if self.about == About::Nothing && (is_of_peer || self.kind.number() >= 7000) {
            self.about = About::Asked { endpoint, status };
        }
        self
    }

    /// The same error, about the secret of this number; `what` is the option that it is given by.
    #[cold]
    pub(crate) fn about_secret(mut self, what: &'static str, number: u32) -> Self {
        self.about = About::Secret { what, number };
        self
    }

    /// The same error, with the milliseconds after which the call may succeed, rounded up to 1.
    #[cold]
    pub(crate) fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.retry_after = u32::try_from(milliseconds.max(1)).unwrap_or(u32::MAX);
        self
    }

    /// The same error, about the API key with this id.
    #[cold]
    pub(crate) fn about_api_key(mut self, id: &str) -> Self {
        self.api_key = id.as_bytes().try_into().unwrap_or_default();
        self
    }

    /// The same error, with what an authorization server said: its `error` (RFC 6749 section 5.2)
    /// and `error_description`, of which only a bounded, printable part is kept.
    #[cold]
    pub(crate) fn said_by_peer(mut self, code: &str, message: &str) -> Self {
        let is_code = |c: &char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.');
        let code: String = code.chars().filter(is_code).take(64).collect();
        let shown =
            |c: char| if matches!(c, ' '..='~') && !"<>&\"\\".contains(c) { c } else { '?' };
        let message: String = message.chars().take(200).map(shown).collect();
        let (code, message) = (code.into(), message.into());
        self.peer = Some(Arc::new(Peer { code, message, ..self.of_peer() }));
        self
    }

    fn of_peer(&self) -> Peer {
        self.peer.as_deref().cloned().unwrap_or_default()
    }

    /// The same error, due to another: for a [`Transport`](crate::transport::Transport) of the
    /// program's own, which knows why there is no answer. It is the
    /// [`source`](std::error::Error::source) of what the call ends with, and of what is reported
    /// until it is tried again. Two errors with a cause are equal if it is the same one.
    ///
    /// ```
    /// use gatekey::{Error, ErrorKind};
    /// use std::{error::Error as _, io, sync::Arc};
    ///
    /// let error = Error::from(ErrorKind::ConnectionFailed).caused_by(Arc::new(io::Error::other("no route")));
    /// assert_eq!(error.source().unwrap().to_string(), "no route");
    /// ```
    #[cold]
    #[must_use]
    pub fn caused_by(mut self, cause: Arc<dyn std::error::Error + Send + Sync>) -> Self {
        self.peer = Some(Arc::new(Peer { cause: Some(cause), ..self.of_peer() }));
        self
    }

    /// The same error, with what the authorization server still gave and must not be lost; `None`
    /// takes it away.
    #[cold]
    pub(crate) fn keeping(mut self, kept: Option<&[u8]>) -> Self {
        if kept.is_some() || self.kept().is_some() {
            let kept = kept.map(|kept| Arc::new(Zeroizing::new(kept.to_vec())));
            self.peer = Some(Arc::new(Peer { kept, ..self.of_peer() }));
        }
        self
    }

    /// See [`Self::keeping`].
    pub(crate) fn kept(&self) -> Option<&[u8]> {
        self.peer.as_ref()?.kept.as_ref().map(|kept| kept.as_slice())
    }

    /// The same error in other words.
    #[cold]
    pub(crate) const fn saying(mut self, message: &'static str) -> Self {
        debug_assert!(message.len() <= Self::MAX_MESSAGE, "a message is a sentence or two");
        self.message = message;
        self
    }

    /// The same message under another kind.
    #[cold]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message: at most [`Self::MAX_MESSAGE`] bytes, safe to log.
    #[must_use]
    pub const fn message(&self) -> &'static str {
        self.message
    }

    /// The claim, the member of a configuration, the argument, or the endpoint of another server
    /// (`token_endpoint`) that the error is about, where it is about one.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.about.name()
    }

    /// What to do about it in the words of this language, where they differ and the message does
    /// not say it: a sentence.
    #[must_use]
    pub fn remedy(&self, words: Words) -> Option<&'static str> {
        Some(self.remedy?.text(words))
    }

    /// The text of the error: the message, what it is about, and what to do, in the words of this
    /// language. At most [`Self::MAX_TEXT`] bytes, safe to log. `Display` has Rust's words.
    ///
    /// ```
    /// use gatekey::{Key, Policy, Signer, Verifier, Words};
    ///
    /// let key = Key::generate(gatekey::Alg::Hs256)?;
    /// let token = Signer::builder(&key).audience("api").build()?.sign(&gatekey::Claims::new())?;
    /// let error = Verifier::with_key(&key, Policy::new())?.verify(&token).unwrap_err();
    /// assert!(error.text(Words::Python).to_string().ends_with("accept any with `audience=gatekey.ANY`."));
    /// # Ok::<(), gatekey::Error>(())
    /// ```
    #[must_use]
    pub const fn text(&self, words: Words) -> impl fmt::Display + use<'_> {
        Text { error: self, words }
    }

    /// The key of a set that cannot be used, and why, where the error is about one: a printable
    /// part of its `kid`, which is empty for a key without, and what reading it alone would have
    /// failed with.
    #[must_use]
    pub fn unusable_key(&self) -> Option<(&str, &Self)> {
        match &self.about {
            About::Key(key) => Some((&key.0, &key.1)),
            _ => None,
        }
    }

    /// The line and column of a text that the error is about, counted from 1, the column in bytes.
    #[must_use]
    pub const fn place(&self) -> Option<(u32, u32)> {
        match self.about {
            About::Place { line, column, .. } => Some((line, column)),
            _ => None,
        }
    }

    /// The id of the API key that was refused, where its secret was proved: for a log, or a quota
    /// of its own. Never of a key that the caller has only named. Also of the first key whose row
    /// [`crate::ApiKeys::wrap_peppers`] has found damaged.
    #[must_use]
    pub fn api_key_id(&self) -> Option<&str> {
        let [first, ..] = self.api_key;
        std::str::from_utf8(&self.api_key).ok().filter(|_| first != 0)
    }

    /// The milliseconds after which the same call may succeed (`Retry-After`, RFC 9110 section
    /// 10.2.3), where waiting is the remedy.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u32> {
        if self.retry_after == 0 { None } else { Some(self.retry_after) }
    }

    /// The authorization server's own name of the error (RFC 6749 section 5.2), where it gave one:
    /// at most 64 letters, digits, `_`, `-` and `.`.
    #[must_use]
    pub fn peer_code(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| &*peer.code).filter(|code| !code.is_empty())
    }

    /// What the authorization server said about it, in its own words: at most 200 printable
    /// characters, without the secrets, codes and tokens that it was sent.
    ///
    /// # Security
    /// Another server's text: do not show it where a user might take it for yours, and never as
    /// HTML.
    #[must_use]
    pub fn peer_message(&self) -> Option<&str> {
        self.peer.as_ref().map(|peer| &*peer.message).filter(|message| !message.is_empty())
    }

    /// See [`ErrorKind::is_retryable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }

    /// See [`ErrorKind::is_rejected`].
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.kind.is_rejected()
    }

    /// See [`ErrorKind::is_misuse`].
    #[must_use]
    pub const fn is_misuse(&self) -> bool {
        self.kind.is_misuse()
    }

    /// See [`ErrorKind::is_unavailable`].
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        self.kind.is_unavailable()
    }
}

/// The message; unless it says so itself, in parentheses what it is about: "(`aud`)", "(line 3,
/// column 7)", "(`pepper`, number 2)", "(`typ` is `JWT`)", "(`exp` was 12 s ago, `leeway` is 0 s)";
/// and what to do. About a key: why it cannot be used, and "(`kid` is `k1`)".
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text(Words::Rust).fmt(f)
    }
}

/// The text of an error in the words of one language.
struct Text<'e> {
    error: &'e Error,
    words: Words,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Error { message, about, .. } = self.error;
        let is_said = about.is_said_by(message);
        match (self.error.remedy(self.words), message.strip_suffix('.')) {
            (None, _) if is_said => f.write_str(message)?,
            (None, _) => write!(f, "{message} ({about})")?,
            (Some(remedy), Some(sentence)) if !is_said => {
                write!(f, "{sentence} ({about}). {remedy}")?;
            }
            (Some(remedy), _) => write!(f, "{message} {remedy}")?,
        }
        match about {
            About::Key(key) if key.0.is_empty() => write!(f, " {}", key.1.text(self.words)),
            About::Key(key) => write!(f, " {} (`kid` is `{}`)", key.1.text(self.words), key.0),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({}): {}", self.kind.name(), self.kind.number(), self)
    }
}

impl std::error::Error for Error {
    /// What [`Error::caused_by`] was given.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.peer.as_ref()?.cause.as_deref()?;
        Some(cause)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind, kind.summary())
    }
}
