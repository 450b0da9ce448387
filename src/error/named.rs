//! What may be said of a name, a path or an address that was given: as it is where it looks like
//! one, cut and printable; and not at all where it may be a secret that was given in its place.

use super::{Error, ErrorKind, Result};
use memchr::memchr;
use std::borrow::Cow;
use std::path::Path;

/// The most characters of a name that are shown.
const LONGEST: usize = 100;

/// What the text holds, where that may be a secret: "an API key", "a token (JWT)"; `None` for one
/// that looks like a name, a path or an address. It goes by the form alone: a password that looks
/// like a word is not recognized.
///
/// ```
/// use gatekey::named::secret_in;
///
/// assert_eq!(secret_in("/var/lib/auth.sqlite"), None);
/// assert_eq!(secret_in("postgres://app:hunter2@db/auth"), Some("an address with a password"));
/// ```
#[must_use]
pub fn secret_in(text: &str) -> Option<&'static str> {
    let random = || words(text).any(is_random).then_some("a long random text");
    credential_in(text).or_else(random)
}

/// As [`secret_in`], of what is surely a credential: what only looks random is not, because the
/// names of clients and subjects do.
#[must_use]
pub fn credential_in(text: &str) -> Option<&'static str> {
    let is_key = |word: &str| is_api_key(word.as_bytes()) || is_cut_key(word);
    match () {
        () if text.contains("-----BEGIN ") => Some("a key in PEM"),
        () if text.trim_start().starts_with(['{', '[']) || text.contains("\"kty\"") => {
            Some("a JWK or other JSON")
        }
        () if words(text).any(is_token) => Some("a token (JWT)"),
        () if words(text).any(is_key) => Some("an API key"),
        () if has_password(text) => Some("an address with a password"),
        () => None,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=')))
}

/// The name as a message shows it: at most a hundred characters of it, each of them printable; or,
/// in parentheses, what was given for it that may be a secret.
///
/// ```
/// use gatekey::named::shown;
///
/// assert_eq!(shown("auth.sqlite"), "auth.sqlite");
/// assert_eq!(shown("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"), "(a token (JWT), not shown)");
/// ```
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    match secret_in(text) {
        Some(what) => Cow::Owned(format!("({what}, not shown)")),
        None => cut(text),
    }
}

/// The same of a name that is surely one, such as that of a file that is there.
#[must_use]
pub fn cut(text: &str) -> Cow<'_, str> {
    if text.chars().count() <= LONGEST && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let is_long = text.chars().nth(LONGEST).is_some();
    let cut = text.chars().take(LONGEST).map(|c| if c.is_control() { '?' } else { c });
    Cow::Owned(cut.chain(is_long.then_some("...").into_iter().flat_map(str::chars)).collect())
}

/// Refuses the path of a file or folder to be made that is a credential, given by mistake.
///
/// # Errors
/// `InvalidArgument`, about `what`.
pub(crate) fn check_path(path: &Path, what: &'static str) -> Result<()> {
    match path.to_str().and_then(credential_in) {
        Some(_) => Err(NO_PATH.about_claim(what)),
        None => Ok(()),
    }
}

const NO_PATH: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A path is expected, and a token, a key or JSON was given, which is not shown; look whether two arguments changed places.",
);

/// A part of a JWS or JWE: the first one is a JSON object in base64url.
fn is_token(word: &str) -> bool {
    word.find("eyJ").and_then(|at| word.get(at..)).is_some_and(|part| part.len() >= 12)
}

/// `<prefix>_<env>_<12 letters and digits>_<36 letters and digits>`.
pub(crate) fn is_api_key(text: &[u8]) -> bool {
    let Some((head, tail)) = text.len().checked_sub(50).and_then(|at| text.split_at_checked(at))
    else {
        return false;
    };
    let is_name = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    let is_mark = |at: usize| at == 0 || at == 13;
    memchr(b'_', head).is_some()
        && head.len() <= 29
        && head.iter().all(is_name)
        && tail.iter().enumerate().all(|(at, byte)| {
            if is_mark(at) { *byte == b'_' } else { byte.is_ascii_alphanumeric() }
        })
}

/// An API key whose end is missing or mistyped: its secret has begun.
fn is_cut_key(word: &str) -> bool {
    let mut parts = word.rsplitn(3, '_');
    let (secret, id, head) = (parts.next(), parts.next(), parts.next());
    let is_of_key = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    secret.is_some_and(|secret| secret.len() >= 8 && is_of_key(secret))
        && id.is_some_and(|id| id.len() == 12 && is_of_key(id))
        && head.is_some_and(|head| head.contains('_'))
}

/// `user:password@host` (RFC 3986 section 3.2.1).
fn has_password(text: &str) -> bool {
    let part = |part: &str| {
        part.split_once('@').is_some_and(|(user, _)| {
            user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
        })
    };
    text.split('/').any(part)
}

/// Whether a word looks like a secret of random bytes: it is long, and changes between small
/// letters, capitals and digits all the time.
fn is_random(word: &str) -> bool {
    let kind = |byte: &u8| match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        _ => 0,
    };
    let pieces = || word.as_bytes().split(|byte| kind(byte) == 0);
    let changes = |piece: &[u8]| {
        piece.windows(2).filter(|two| two.first().map(kind) != two.last().map(kind)).count()
    };
    word.len() >= 16 && pieces().map(changes).sum::<usize>() >= 6
        || pieces().any(|piece| piece.len() >= 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let key = format!("gk_live_{}_{}", "a1".repeat(6), "Zz9".repeat(12));
        for (text, what) in [
            ("-----BEGIN PRIVATE KEY-----\nMC4", "a key in PEM"),
            (" {\"kty\":\"oct\",\"k\":\"AAAA\"}", "a JWK or other JSON"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a token (JWT)"),
            ("sqlite:///eyJhbGciOiJIUzI1NiJ9", "a token (JWT)"),
            (key.as_str(), "an API key"),
            (&key[..32], "an API key"),
            ("./gk_live_a1a1a1a1a1a1_Zz9Zz9Zz9.txt", "an API key"),
            ("postgres://app:s3cret@db/auth", "an address with a password"),
            ("sqlite:///app:s3cret@db", "an address with a password"),
            (
                "1 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "a long random text",
            ),
            ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "a long random text"),
            ("8xLOxBtZp8kJ2mQ4", "a long random text"),
            ("550e8400-e29b-41d4-a716-446655440000", "a long random text"),
            ("correcthorsebatterystaplecorrecthorse", "a long random text"),
        ] {
            assert_eq!(secret_in(text), Some(what), "{text}");
            assert_eq!(shown(text), format!("({what}, not shown)"));
        }
    }

    #[test]
    fn a_name_is_shown_and_cut() {
        for text in [
            "",
            "keys.sqlite",
            "/var/lib/gatekey/auth-2027-01-31.sqlite?mark=none",
            "sqlite:////srv/app/production-keys.sqlite",
            "https://auth.example/realms/main",
            "https://auth.example:8443/a@b",
            "my_project_name_backup",
            "ES256",
            "kid-2027-01",
            "alice@example.com",
        ] {
            assert_eq!((secret_in(text), &*shown(text)), (None, text));
        }
        let long = "a b".repeat(50);
        assert_eq!(shown(&long).len(), LONGEST + 3);
        assert_eq!(shown("a\nb\u{1b}c"), "a?b?c");
    }
}
