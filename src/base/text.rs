//! Texts that programs hand in for people and logs: bounded, without control characters.

use super::json;
use crate::error::{Error, ErrorKind, Result};

/// An argument that is not acceptable.
#[cold]
pub(crate) const fn argument(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message)
}

/// A text of at most this many bytes; `message` says so.
pub(crate) fn plain(text: &str, most: usize, message: &'static str) -> Result<String> {
    if text.len() > most {
        return Err(argument(message));
    }
    if text.chars().any(char::is_control) {
        return Err(argument(
            "A name holds a control character, such as a line end; leave it out.",
        ));
    }
    Ok(text.to_owned())
}

/// A text of at most this many bytes for people, of whatever a caller sent, such as its
/// `User-Agent`: cut between two characters, a space for each character that only controls.
pub(crate) fn for_people(text: &str, most: usize) -> String {
    let cut = (0..=most.min(text.len())).rev().find_map(|end| text.get(..end));
    let text = cut.unwrap_or_default();
    let is_seen = |c: char| !c.is_control() && !turns_text_round(c);
    text.chars().map(|c| if is_seen(c) { c } else { ' ' }).collect::<String>().trim().to_owned()
}

/// Whether the character only changes the direction of others, so that a line reads as what it is
/// not.
const fn turns_text_round(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether [`plain_some`] would take it.
pub(crate) fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// [`plain`], and not empty.
pub(crate) fn plain_some(text: &str, most: usize, message: &'static str) -> Result<String> {
    if text.is_empty() { Err(argument(message)) } else { plain(text, most, message) }
}

/// A program's own notes: one JSON object of at most 4096 bytes, or nothing.
pub(crate) fn meta(meta: &str) -> Result<String> {
    if meta.len() > 4096 {
        return Err(argument("Metadata has at most 4096 bytes.").about_claim("meta"));
    }
    if !meta.is_empty() {
        let value = json::parse_of("meta", meta.as_bytes())?;
        if value.kind() != json::Kind::Object {
            return Err(argument("Metadata must be one JSON object.").about_claim("meta"));
        }
    }
    Ok(meta.to_owned())
}

/// A scope token of at most this many bytes (RFC 6749 section 3.3): %x21 / %x23-5B / %x5D-7E.
pub(crate) fn is_scope(scope: &str, most: usize) -> bool {
    (1..=most).contains(&scope.len())
        && scope.bytes().all(|b| matches!(b, b'!' | b'#'..=b'[' | b']'..=b'~'))
}

const NOT_GRANTED: Error = Error::new(
    ErrorKind::InsufficientScope,
    "A scope that the call demands was not granted to the API key or token.",
);

/// The refusal of a caller that was granted less than this: 403; but a scope that cannot be granted
/// is a mistake of the program's, which would refuse all callers.
#[cold]
pub(crate) fn lacking(wanted: &[&str]) -> Error {
    if wanted.iter().all(|scope| is_scope(scope, usize::MAX)) {
        let joint = |at: usize| (at > 0).then_some(',').into_iter();
        let named =
            wanted.iter().enumerate().flat_map(|(at, scope)| joint(at).chain(scope.chars()));
        return NOT_GRANTED.expecting("scopes", Some(named), &[]);
    }
    argument(
        "A demanded scope is one scope: not empty, without spaces; name each scope on its own.",
    )
    .about_claim("scopes")
}

/// `8-4-4-4-12` hexadecimal digits in lower case.
pub(crate) fn is_guid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    lengths == [8, 4, 4, 4, 12] && parts.iter().all(|part| part.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_send_is_cut_and_cleaned() {
        for (sent, kept) in [
            ("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)"),
            ("", ""),
            ("a\tb\r\nc\0", "a b  c"),
            ("\u{1b}[31mred\u{9f}", "[31mred"),
            ("\u{1f98a}", "\u{1f98a}"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a b c"),
        ] {
            assert_eq!(for_people(sent, 20), kept, "{sent:?}");
        }
        // A character is whole, or not there.
        for (most, kept) in
            [(0, ""), (3, ""), (4, "\u{1f98a}"), (7, "\u{1f98a}"), (8, "\u{1f98a}\u{1f98a}")]
        {
            assert_eq!(for_people("\u{1f98a}\u{1f98a}", most), kept, "{most}");
        }
        // A space is shorter than the control character that it stands for: it grows by nothing.
        assert!(for_people(&"\u{9f}x".repeat(200), 255).len() <= 255);
    }

    #[test]
    fn guids() {
        assert!(is_guid("9188040d-6c67-4c5b-b112-36a304b66dad"));
        for wrong in [
            "",
            "common",
            "9188040D-6c67-4c5b-b112-36a304b66dad",
            "9188040d6c674c5bb11236a304b66dad",
            "9188040d-6c67-4c5b-b112-36a304b66dag",
        ] {
            assert!(!is_guid(wrong), "{wrong}");
        }
    }
}
