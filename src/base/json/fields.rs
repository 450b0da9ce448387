//! The one reader of options that are given as a JSON object: of an OAuth client, a log-in, a
//! grant, remote keys, the resource server, the transport.
//!
//! Silence is no: a member that is not known, is of another kind than it needs, or is given twice
//! is refused, and the error names it. `null` means that a member is not given, of a name that is
//! known.

use super::{Kind, Value, parse};
use crate::error::named::shown;
use crate::error::{Error, ErrorKind, Result};

/// How long options may be, in bytes, unless they hold certificates.
pub(crate) const MOST: usize = 64 * 1024;

/// One member of the options, by its name: `introspection.ttl` for one inside of another.
pub(crate) struct Field<'a> {
    path: String,
    /// Where the name itself begins.
    start: usize,
    value: Value<'a>,
}

/// Hands the members of one JSON object of at most `most` bytes to `take`.
///
/// # Errors
/// `InvalidConfiguration`: it is no JSON, and the error names the place; no object, or too long.
/// Those of `take`.
pub(crate) fn read<'a>(
    text: &'a [u8],
    most: usize,
    take: impl FnMut(&Field<'a>) -> Result<()>,
) -> Result<()> {
    if text.len() > most {
        return Err(NO_OPTIONS);
    }
    let value = parse(text).map_err(|error| error.with_kind(ErrorKind::InvalidConfiguration))?;
    walk("", &value, take).unwrap_or(Err(NO_OPTIONS))
}

/// As [`read`], of the text of one member: `quirks` names what is in it `quirks.no_pkce`.
pub(crate) fn read_within(
    member: &'static str,
    text: &[u8],
    take: impl FnMut(&Field<'_>) -> Result<()>,
) -> Result<()> {
    let refusal = || Err(NO_OPTIONS.about_claim(member));
    let Some(value) = (text.len() <= MOST).then(|| parse(text).ok()).flatten() else {
        return refusal();
    };
    walk(member, &value, take).unwrap_or_else(refusal)
}

/// As [`read`], of a value that has been parsed.
pub(crate) fn read_value<'a>(
    value: &Value<'a>,
    take: impl FnMut(&Field<'a>) -> Result<()>,
) -> Result<()> {
    walk("", value, take).unwrap_or(Err(NO_OPTIONS))
}

/// `None` if it is no object.
fn walk<'a>(
    path: &str,
    value: &Value<'a>,
    mut take: impl FnMut(&Field<'a>) -> Result<()>,
) -> Option<Result<()>> {
    let mut members = value.members();
    (value.kind() == Kind::Object).then(|| {
        members.try_for_each(|(name, value)| {
            let mut path = path.to_owned();
            if !path.is_empty() {
                path.push('.');
            }
            let start = path.len();
            path.extend(name.decode().chars().take(64));
            let is_null = value.kind() == Kind::Null;
            match take(&Field { path, start, value }) {
                // Nothing takes null, so that this was of no effect.
                Err(error) if is_null && error.message() != UNKNOWN.message() => Ok(()),
                taken => taken,
            }
        })
    })
}

impl<'a> Field<'a> {
    /// Its name, cut after 64 characters, as no known name is that long.
    pub(crate) fn name(&self) -> &str {
        self.path.get(self.start..).unwrap_or_default()
    }

    /// A string.
    pub(crate) fn text(&self) -> Result<String> {
        self.value.as_str().map(String::from).ok_or_else(|| self.refused(NO_TEXT))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self) -> Result<bool> {
        self.value.as_bool().ok_or_else(|| self.refused(NO_FLAG))
    }

    /// A whole number from 0 on.
    pub(crate) fn number(&self) -> Result<u64> {
        self.value.as_u64().ok_or_else(|| self.refused(NO_NUMBER))
    }

    /// A list of strings.
    pub(crate) fn texts(&self) -> Result<Vec<String>> {
        let texts = self.value.elements().map(|value| value.as_str().map(String::from));
        let texts = (self.value.kind() == Kind::Array).then(|| texts.collect()).flatten();
        texts.ok_or_else(|| self.refused(NO_TEXTS))
    }

    /// A list of names, each of which `read` understands.
    pub(crate) fn names<T>(&self, read: impl Fn(&str) -> Result<T>) -> Result<Vec<T>> {
        let named = |name: &String| read(name).map_err(|error| self.refused(error));
        self.texts()?.iter().map(named).collect()
    }

    /// A name that `read` understands.
    pub(crate) fn named<T>(&self, read: impl Fn(&str) -> Result<T>) -> Result<T> {
        read(&self.text()?).map_err(|error| self.refused(error))
    }

    /// An object of strings, in the order of the text.
    pub(crate) fn pairs(&self) -> Result<Vec<(String, String)>> {
        let mut pairs = Vec::new();
        self.fields(|field| {
            pairs.push((field.name().to_owned(), field.text()?));
            Ok(())
        })?;
        Ok(pairs)
    }

    /// An object of whatever values, each as JSON text. Its names are not ours, and neither is what
    /// `null` means.
    pub(crate) fn texts_by_name(&self) -> Result<Vec<(String, String)>> {
        if self.value.kind() != Kind::Object {
            return Err(self.refused(NO_OBJECT));
        }
        let members = self.value.members();
        Ok(members.map(|(name, value)| (name.decode().into_owned(), value.raw().into())).collect())
    }

    /// An object, whose members are handed to `take`.
    pub(crate) fn fields(&self, take: impl FnMut(&Self) -> Result<()>) -> Result<()> {
        walk(&self.path, &self.value, take).unwrap_or_else(|| Err(self.refused(NO_OBJECT)))
    }

    /// A list of objects, each of whose members are handed to `take` with the object's place in the
    /// list.
    pub(crate) fn each(
        &self,
        mut take: impl FnMut(usize, Option<&Self>) -> Result<()>,
    ) -> Result<()> {
        if self.value.kind() != Kind::Array {
            return Err(self.refused(NO_OBJECTS));
        }
        for (at, value) in self.value.elements().enumerate() {
            take(at, None)?;
            walk(&self.path, &value, |field| take(at, Some(field)))
                .unwrap_or_else(|| Err(self.refused(NO_OBJECTS)))?;
        }
        Ok(())
    }

    /// The value itself.
    pub(crate) const fn value(&self) -> &Value<'a> {
        &self.value
    }

    /// That a member of this name is not known.
    #[cold]
    pub(crate) fn unknown(&self) -> Error {
        self.refused(UNKNOWN)
    }

    /// The error, which names this member.
    #[cold]
    pub(crate) fn refused(&self, error: impl Into<Error>) -> Error {
        error.into().about_named_claim(&shown(&self.path).into())
    }
}

/// That a member which must be given is missing.
#[cold]
pub(crate) fn missing(name: &'static str) -> Error {
    MISSING.about_claim(name)
}

const fn refusal(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
}

const NO_OPTIONS: Error =
    refusal("The options must be one JSON object, of at most 64 KiB (1 MiB for a transport).");
const UNKNOWN: Error =
    refusal("There is no option of this name; look for a typo, as in token for `token_endpoint`.");
const MISSING: Error = refusal("This option must be given.");
const NO_TEXT: Error = refusal("This option must be a string.");
const NO_FLAG: Error = refusal("This option must be true or false.");
const NO_NUMBER: Error = refusal("This option must be a whole number, 0 or more.");
const NO_TEXTS: Error = refusal("This option must be a list of strings.");
const NO_OBJECT: Error = refusal("This option must be an object.");
const NO_OBJECTS: Error = refusal("This option must be a list of objects.");
