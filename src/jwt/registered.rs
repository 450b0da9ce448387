//! The seven registered claims (RFC 7519 section 4.1): found in one pass over the claims, checked
//! for type, dates brought to whole seconds.
//!
//! Refused: claims that are not one JSON object, a registered claim of the wrong type, an empty
//! audience list, a date that is not finite or beyond 2^53.

use crate::base::json::{self, Kind, Str, Value, Visitor};
use crate::error::{Error, ErrorKind, Remedy, Result};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Where a claim's value stands in the claims' text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    start: u32,
    /// No value ends at 0; saying so makes an `Option<Place>` no larger than a `Place`.
    end: NonZeroU32,
}

impl Place {
    fn new(range: Range<usize>) -> Option<Self> {
        // A text longer than 4 GiB is refused long before it is scanned.
        let [start, end] = [range.start, range.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        NonZeroU32::new(end).map(|end| Self { start, end })
    }

    /// Whether a string stands here; `text` must be the text the place was found in.
    pub(crate) fn is_string(self, text: &str) -> bool {
        text.as_bytes().get(self.start as usize) == Some(&b'"')
    }

    /// What stands here between the quotes of a string: as it was written, escapes and all.
    pub(crate) fn raw_string(self, text: &str) -> Option<&str> {
        let inside = (self.start as usize + 1)..(self.end.get() as usize).saturating_sub(1);
        text.get(inside).filter(|_| self.is_string(text))
    }

    /// The value that stands here; `text` must be the text the place was found in.
    pub(crate) fn value(self, text: &str) -> Value<'_> {
        Value::from_checked(
            text.get(self.start as usize..self.end.get() as usize).unwrap_or_default(),
        )
    }
}

/// The registered claims of one set of claims, all of the right type.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Registered {
    pub(super) issuer: Option<Place>,
    pub(super) subject: Option<Place>,
    pub(super) audience: Option<Place>,
    pub(super) token_id: Option<Place>,
    /// Rounded down, so that a token never outlives its fraction of a second.
    pub(super) expires_at: Option<i64>,
    /// Rounded up.
    pub(super) not_before: Option<i64>,
    /// Rounded down.
    pub(super) issued_at: Option<i64>,
}

/// What one pass over the claims found.
pub(super) struct Scan<'t> {
    pub(super) registered: Registered,
    /// `sid`, whatever it is: no registered claim of RFC 7519, but what sessions are revoked by.
    pub(super) session: Option<Place>,
    /// Bit `i` is set when the claim `required[i]` is there.
    pub(super) found: u32,
    /// The text, known to be UTF-8.
    pub(super) text: &'t str,
    /// The object without surrounding white space.
    pub(super) object: Value<'t>,
}

/// Reads the claims and checks the registered ones for type; `required` are at most
/// [`MAX_REQUIRED`] names to look out for.
pub(super) fn scan<'t>(text: &'t [u8], required: &[Arc<str>]) -> Result<Scan<'t>> {
    find(text, required)?.check(Subject::Text)
}

/// What `sub` may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A string, as RFC 7519 section 4.1.2 has it.
    Text,
    /// Or a whole number.
    TextOrNumber,
}

/// Told of each claim as it is read, and where its value stands: for a reader that would otherwise
/// go through the claims once more.
pub(crate) trait Marks {
    /// A member of the claims.
    fn member(&mut self, name: Str<'_>, place: Place);
}

/// Nothing is looked for.
impl Marks for () {
    #[inline]
    fn member(&mut self, _: Str<'_>, _: Place) {}
}

/// Reads an object of claims that nothing else is asked of.
///
/// # Errors
/// `MalformedToken`: the text is not acceptable JSON.
pub(crate) fn mark<'t, M: Marks>(text: &'t str, marks: &mut M) -> Result<Value<'t>> {
    struct Marking<'m, M>(&'m mut M);
    impl<'a, M: Marks> Visitor<'a> for Marking<'_, M> {
        fn top_member(&mut self, name: Str<'a>, _: Value<'a>, place: Range<usize>) {
            if let Some(place) = Place::new(place) {
                self.0.member(name, place);
            }
        }
    }
    json::visit_str(text, &mut Marking(marks))
}

/// Claims whose places are known and whose types are not.
#[derive(Clone, Copy)]
pub(crate) struct Found<'t> {
    /// In the order of [`slot`].
    at: [Option<Place>; 8],
    found: u32,
    text: &'t str,
    object: Value<'t>,
}

/// What counts as absence, apart from absence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Absent {
    /// A claim that is `null`.
    pub(super) null: bool,
    /// An `aud` that is an empty list.
    pub(super) empty_audience: bool,
}

impl Absent {
    fn takes(self, name: Str<'_>, value: &Value<'_>) -> bool {
        (self.null && value.kind() == Kind::Null)
            || (self.empty_audience
                && value.kind() == Kind::Array
                && name == *"aud"
                && value.elements().next().is_none())
    }
}

/// Finds the claims and checks nothing but the JSON.
pub(super) fn find<'t>(text: &'t [u8], required: &[Arc<str>]) -> Result<Found<'t>> {
    find_given(text, required, Absent::default(), &mut ())
}

/// As [`find`]; a claim that counts as absent is not there.
pub(super) fn find_given<'t, M: Marks>(
    text: &'t [u8],
    required: &[Arc<str>],
    absent: Absent,
    marks: &mut M,
) -> Result<Found<'t>> {
    let text = json::utf8(text)?;
    let mut places = Places { at: [None; 8], required, found: 0, absent, marks };
    let object = json::visit_str(text, &mut places)?;
    if object.kind() != Kind::Object {
        return Err(NOT_AN_OBJECT);
    }
    Ok(Found { at: places.at, found: places.found, text, object })
}

impl<'t> Found<'t> {
    /// Whether `sid` is there, whatever it is.
    pub(crate) const fn has_session(&self) -> bool {
        let [.., session] = self.at;
        session.is_some()
    }

    /// The same, with which of these claims are there, too.
    pub(super) fn requiring(mut self, required: &[Arc<str>]) -> Self {
        for (i, name) in required.iter().enumerate() {
            let is_there = match NAMES.iter().position(|known| **name == **known) {
                Some(slot) => self.at.get(slot).is_some_and(Option::is_some),
                None => self.object.member(name).is_some(),
            };
            self.found |= u32::from(is_there) << i;
        }
        self
    }

    /// `iss`, if it is there and a string.
    pub(crate) fn issuer(&self) -> Result<Option<Str<'t>>> {
        let [issuer, ..] = self.at;
        let issuer = string(issuer, self.text, "iss")?;
        Ok(issuer.and_then(|place| place.value(self.text).as_json_str()))
    }

    /// Checks the types.
    pub(super) fn check(self, subject_may_be: Subject) -> Result<Scan<'t>> {
        let Self { at, found, text, object } = self;
        let [issuer, subject, audience, expires_at, not_before, issued_at, token_id, session] = at;
        let registered = Registered {
            issuer: string(issuer, text, "iss")?,
            subject: subject_of(subject, text, subject_may_be)?,
            audience: string_or_list(audience, text)?,
            token_id: string(token_id, text, "jti")?,
            expires_at: date(expires_at, text, "exp", f64::floor)?,
            not_before: date(not_before, text, "nbf", f64::ceil)?,
            issued_at: date(issued_at, text, "iat", f64::floor)?,
        };
        Ok(Scan { registered, session, found, text, object })
    }
}

/// The most claims that a policy may require by name.
pub(super) const MAX_REQUIRED: usize = u32::BITS as usize;

/// The audiences of an `aud` value (RFC 7519 section 4.1.3): itself, or its elements.
pub(super) fn audiences(value: Value<'_>) -> impl Iterator<Item = Str<'_>> {
    value
        .as_json_str()
        .into_iter()
        .chain(value.elements().filter_map(|element| element.as_json_str()))
}

const NOT_AN_OBJECT: Error =
    Error::new(ErrorKind::MalformedToken, "The claims are not a JSON object (RFC 7519 section 3).");
const NOT_A_STRING: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The claim must be a string, or be left out (RFC 7519 section 4.1).",
);
const SUBJECT_NOT_A_STRING: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The subject is a number and must be a string (RFC 7519 section 4.1.2).",
);
const NOT_A_SUBJECT: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The `sub` claim is a number, but not a whole one of at most 64 bits.",
);
const NOT_AN_AUDIENCE: Error = Error::new(
    ErrorKind::InvalidClaim,
    "The audience must be a string or a list of strings that is not empty (RFC 7519 section 4.1.3).",
);
const NOT_A_DATE: Error = Error::new(
    ErrorKind::InvalidClaim,
    "A date must be a number of seconds since 1970, within 2^53 (NumericDate, RFC 7519 section 2).",
);

struct Places<'r, M> {
    /// In the order of [`slot`].
    at: [Option<Place>; 8],
    required: &'r [Arc<str>],
    found: u32,
    absent: Absent,
    marks: &'r mut M,
}

impl<'a, M: Marks> Visitor<'a> for Places<'_, M> {
    fn top_member(&mut self, name: Str<'a>, value: Value<'a>, place: Range<usize>) {
        let place = Place::new(place);
        if let Some(place) = place {
            self.marks.member(name, place);
        }
        if self.absent.takes(name, &value) {
            return;
        }
        if let Some(place_of) = slot(name).and_then(|slot| self.at.get_mut(slot)) {
            *place_of = place;
        }
        for (i, required) in self.required.iter().enumerate() {
            if name == **required {
                self.found |= 1 << i;
            }
        }
    }
}

#[inline]
fn slot(name: Str<'_>) -> Option<usize> {
    if name.has_escapes() {
        return NAMES.iter().position(|known| name == **known);
    }
    let &[a, b, c] = name.raw().as_bytes() else { return None };
    match number(&[a, b, c]) {
        ISS => Some(0),
        SUB => Some(1),
        AUD => Some(2),
        EXP => Some(3),
        NBF => Some(4),
        IAT => Some(5),
        JTI => Some(6),
        SID => Some(7),
        _ => None,
    }
}

/// In the order of [`slot`]; for names that are spelled with escapes.
const NAMES: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid"];

/// Three-letter names as numbers, which compare faster than texts.
const ISS: u32 = number(b"iss");
const SUB: u32 = number(b"sub");
const AUD: u32 = number(b"aud");
const EXP: u32 = number(b"exp");
const NBF: u32 = number(b"nbf");
const IAT: u32 = number(b"iat");
const JTI: u32 = number(b"jti");
const SID: u32 = number(b"sid");

const fn number(&[a, b, c]: &[u8; 3]) -> u32 {
    u32::from_be_bytes([0, a, b, c])
}

fn string(place: Option<Place>, text: &str, claim: &'static str) -> Result<Option<Place>> {
    match place {
        Some(place) if !place.is_string(text) => {
            Err(NOT_A_STRING.finding(claim, place.value(text).kind().in_words(), ""))
        }
        _ => Ok(place),
    }
}

fn subject_of(place: Option<Place>, text: &str, may_be: Subject) -> Result<Option<Place>> {
    match place.map(|place| place.value(text)) {
        Some(value) if may_be == Subject::TextOrNumber && value.kind() == Kind::Number => {
            value.as_i64().map(|_| place).ok_or_else(|| NOT_A_SUBJECT.about_claim("sub"))
        }
        Some(value) if value.kind() == Kind::Number => {
            let refusal = SUBJECT_NOT_A_STRING.remedied(Remedy::AllowNumericSubject);
            Err(refusal.finding("sub", Kind::Number.in_words(), ""))
        }
        _ => string(place, text, "sub"),
    }
}

fn string_or_list(place: Option<Place>, text: &str) -> Result<Option<Place>> {
    let Some(value) = place.map(|place| place.value(text)) else { return Ok(None) };
    let acceptable = match value.kind() {
        Kind::String => true,
        Kind::Array => {
            let mut elements = value.elements().peekable();
            elements.peek().is_some() && elements.all(|element| element.kind() == Kind::String)
        }
        _ => false,
    };
    if acceptable {
        Ok(place)
    } else {
        let found = match value.kind() {
            Kind::Array if value.elements().next().is_none() => "an empty list",
            Kind::Array => "a list of other things",
            kind => kind.in_words(),
        };
        Err(NOT_AN_AUDIENCE.finding("aud", found, ""))
    }
}

fn date(
    place: Option<Place>,
    text: &str,
    claim: &'static str,
    round: fn(f64) -> f64,
) -> Result<Option<i64>> {
    const LIMIT: i64 = 1 << 53;
    let Some(value) = place.map(|place| place.value(text)) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let seconds = round(value.as_f64()?);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and the limit is checked next"
        )]
        Some(seconds as i64)
    });
    match seconds {
        Some(seconds) if seconds.unsigned_abs() <= LIMIT.unsigned_abs() => Ok(Some(seconds)),
        _ => Err(NOT_A_DATE.finding(claim, value.kind().in_words(), "")),
    }
}
