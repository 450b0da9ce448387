//! What an error is about: names and values beside the sentence, rendered only when the error is
//! read it. None of them is allocated by a refusal of a token: a text that others wrote is kept in
//! the error itself, cut, and what was expected is shared with the rule that expects it.

use super::Error;
use super::named::{credential_in, cut};
use std::fmt;
use std::sync::Arc;

/// What the message is about.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum About {
    Nothing,
    /// A claim that RFC 7519 registers, or a member or argument of gatekey's own.
    Claim(&'static str),
    /// A claim that the program names, or the path of a member of a configuration.
    Named(Arc<str>),
    /// What a claim, header member or name of a server was found to be, and what was expected,
    /// where that is one thing.
    Seen {
        what: &'static str,
        /// Cut; `None` if it was absent.
        value: Option<Short>,
        expected: Option<Arc<str>>,
    },
    /// As [`Self::Seen`], of a closed list of words.
    Word {
        what: &'static str,
        value: &'static str,
        /// Empty if that is more than one thing.
        expected: &'static str,
    },
    /// A date, how far from now it is, and the option that bounds that.
    Date {
        claim: &'static str,
        /// Seconds; negative for one that has passed.
        distance: i64,
        option: &'static str,
        seconds: u64,
    },
    /// How many bytes something has, and how many it may have; the option that says so, where there
    /// is one.
    Size {
        what: &'static str,
        bytes: u64,
        /// "at most", "at least", "exactly".
        word: &'static str,
        wanted: u64,
    },
    /// A name that another side gives itself, and the one that was configured; see
    /// [`Error::comparing`].
    Compared {
        what: &'static str,
        /// As the other side has it, and as it was configured.
        names: Arc<[Arc<str>; 2]>,
    },
    /// Where in a text; both count from 1, the column in bytes.
    Place {
        /// The member or argument that the text is; may be empty.
        what: &'static str,
        line: u32,
        column: u32,
    },
    /// The endpoint of another server that was asked, and the status that it answered with; 0 for
    /// none.
    Asked {
        endpoint: &'static str,
        status: u16,
    },
    /// The name of a key, which may be empty, and why it cannot be used.
    Key(Arc<(Box<str>, Error)>),
    /// The number of a pepper, or of another secret that is given with a number.
    Secret {
        what: &'static str,
        number: u32,
    },
}

impl About {
    /// The name of the one thing that it is about.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Claim(name) => Some(name),
            Self::Named(name) => Some(name),
            Self::Secret { what, .. }
            | Self::Seen { what, .. }
            | Self::Word { what, .. }
            | Self::Size { what, .. }
            | Self::Compared { what, .. } => Some(what),
            Self::Date { claim, .. } => Some(claim),
            Self::Asked { endpoint, .. } => Some(endpoint),
            Self::Place { what, .. } if !what.is_empty() => Some(what),
            Self::Key(_) => Some("kid"),
            _ => None,
        }
    }

    /// Whether a message that says this says all there is to say.
    pub(super) fn is_said_by(&self, message: &str) -> bool {
        match self {
            Self::Nothing | Self::Key(_) => true,
            Self::Claim(_) | Self::Named(_) => {
                message.contains(&format!("`{}`", self.name().unwrap_or_default()))
            }
            _ => false,
        }
    }
}

/// What stands in the parentheses.
impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing | Self::Key(_) => Ok(()),
            Self::Claim(name) => write!(f, "`{name}`"),
            Self::Named(name) => match credential_in(name) {
                Some(what) => write!(f, "({what}, not shown)"),
                None => write!(f, "`{}`", cut(name)),
            },
            Self::Seen { what, value: Some(value), expected } => {
                let is = if value.is_cut() { "begins with" } else { "is" };
                write!(f, "`{what}` {is} `{value}`")?;
                expected
                    .as_ref()
                    .map_or(Ok(()), |expected| write!(f, ", expected `{}`", Printed(expected)))
            }
            Self::Seen { what, value: None, expected: None } => write!(f, "there is no `{what}`"),
            Self::Seen { value: None, expected: Some(expected), .. } => {
                write!(f, "expected `{}`", Printed(expected))
            }
            Self::Word { what, value, expected: "" } => write!(f, "`{what}` is {value}"),
            Self::Word { what, value, expected } => {
                write!(f, "`{what}` is {value}, expected {expected}")
            }
            Self::Date { claim, distance, option, seconds } => {
                let far = distance.unsigned_abs();
                if *distance > 0 {
                    write!(f, "`{claim}` is in {far} s")?;
                } else {
                    write!(f, "`{claim}` was {far} s ago")?;
                }
                write!(f, ", `{option}` is {seconds} s")
            }
            Self::Size { what, bytes, word, wanted } => {
                write!(f, "`{what}`: {bytes} bytes, {word} {wanted}")
            }
            Self::Place { what: "", line, column } => write!(f, "line {line}, column {column}"),
            Self::Place { what, line, column } => {
                write!(f, "`{what}`, line {line}, column {column}")
            }
            Self::Asked { endpoint, status: 0 } => write!(f, "`{endpoint}`"),
            Self::Asked { endpoint, status } => write!(f, "`{endpoint}`, status {status}"),
            Self::Secret { what, number } => write!(f, "`{what}`, number {number}"),
            Self::Compared { what, names } => {
                let [seen, configured] = &**names;
                write!(f, "`{what}` is `{seen}`, configured is `{configured}`")
            }
        }
    }
}

/// The beginning of a text that others wrote, each character of it printable. Held in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Short {
    /// Above [`Self::LONGEST`] for a text that went on.
    len: u8,
    text: [u8; Self::LONGEST],
}

impl Short {
    /// An error is to stay under 128 bytes, as `Result`s with it are handed on at every
    /// verification.
    pub(super) const LONGEST: usize = 31;

    pub(super) fn new(mut text: impl Iterator<Item = char>) -> Self {
        let mut short = Self { len: 0, text: [0; Self::LONGEST] };
        for (place, c) in short.text.iter_mut().zip(text.by_ref()) {
            *place = u8::try_from(shown(c)).unwrap_or(b'?');
            short.len += 1;
        }
        // `zip` takes from the places first: with none left, it has not asked the text for more.
        if text.next().is_some() {
            short.len += 1;
        }
        short
    }

    fn is_cut(&self) -> bool {
        usize::from(self.len) > Self::LONGEST
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text.get(..usize::from(self.len)).unwrap_or(&self.text);
        f.write_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

/// What was configured, cut.
struct Printed<'a>(&'a str);

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        if let Some(what) = credential_in(self.0) {
            return write!(f, "({what}, not shown)");
        }
        self.0.chars().take(60).try_for_each(|c| f.write_char(shown(c)))
    }
}

const fn shown(c: char) -> char {
    match c {
        '<' | '>' | '&' | '"' | '\\' | '`' => '?',
        '!'..='~' => c,
        _ => '?',
    }
}

/// At most this many characters of a text that others wrote, each of them printable.
pub(super) fn printable(text: &str, most: usize) -> String {
    text.chars().take(most).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_cut_is_said_to_begin() {
        let told = |text: &str, expected: Option<&str>| {
            let value = Some(Short::new(text.chars()));
            About::Seen { what: "kid", value, expected: expected.map(Into::into) }.to_string()
        };
        let (whole, long) = ("k".repeat(31), "k".repeat(32));
        assert_eq!(told("", None), "`kid` is ``");
        assert_eq!(told("a\nb", Some("c")), "`kid` is `a?b`, expected `c`");
        assert_eq!(told(&whole, None), format!("`kid` is `{whole}`"));
        assert_eq!(told(&long, None), format!("`kid` begins with `{whole}`"));
        let longest = told(&"k".repeat(5000), Some(&long));
        assert_eq!(longest, format!("`kid` begins with `{whole}`, expected `{long}`"));
    }
}
