//! What a verifier asks a list of revoked tokens. The list itself is elsewhere: ours in
//! [`crate::Revocations`], or a program's own.

use super::registered::{self, Absent, Place, Scan, Subject};
use crate::base::clock::Clock;
use crate::base::json::Value;
use crate::base::text::is_plain;
use crate::error::{Error, ErrorKind, Result};
use crate::jwk::Key;
use std::borrow::Cow;
use std::cell::Cell;

/// Tokens that are not good any more, although signature and dates are.
pub trait RevocationList: Send + Sync {
    /// Refuses a list that can tell nothing any more, as one whose store was closed: no verifier is
    /// made with it.
    ///
    /// # Errors
    /// Any: it is that of who builds the verifier.
    fn check_open(&self) -> Result<()> {
        Ok(())
    }

    /// Says which token [`RevocationList::check`] will be asked about if its claims are good: time
    /// to note the time, and to fetch from memory what will be looked at.
    fn prepare(&self, _token: &PresentedToken<'_>) {}

    /// Lets a token pass whose signature and claims are good. Called for each of them: fast, and
    /// without a lock.
    ///
    /// # Errors
    /// `RevokedToken`: it is on the list. `StoreUnavailable`: that cannot be known; then the token
    /// is not accepted. Any other kind refuses the token as well.
    fn check(&self, token: &PresentedToken<'_>) -> Result<()>;
}

/// A token whose signature is good, or that its authorization server has called active.
pub struct PresentedToken<'t> {
    pub(super) claims: &'t Scan<'t>,
    pub(super) key: Option<&'t Key>,
    /// Who issued it, where its claims do not say.
    pub(super) teller: Option<&'t str>,
    pub(super) now_nanos: u64,
    pub(super) monotonic: Option<u64>,
    pub(super) leeway: u64,
    pub(super) notes: Cell<[Option<u64>; 2]>,
}

impl<'t> PresentedToken<'t> {
    /// `iss`.
    #[must_use]
    #[inline]
    pub fn issuer(&self) -> Option<Cow<'t, str>> {
        match self.claims.registered.issuer {
            Some(place) => place.value(self.claims.text).as_str(),
            None => self.teller.map(Cow::Borrowed),
        }
    }

    /// `jti`.
    #[must_use]
    #[inline]
    pub fn token_id(&self) -> Option<Cow<'t, str>> {
        self.claims.registered.token_id?.value(self.claims.text).as_str()
    }

    /// `sub`, if it is a string.
    #[must_use]
    #[inline]
    pub fn subject(&self) -> Option<Cow<'t, str>> {
        self.claims.registered.subject?.value(self.claims.text).as_str()
    }

    /// `sub`, if it is a number, which is another subject than its text is; only where the policy
    /// allows numbers ([`Policy::allow_numeric_subject`](super::Policy::allow_numeric_subject)).
    #[must_use]
    #[inline]
    pub fn numeric_subject(&self) -> Option<i64> {
        self.claims.registered.subject?.value(self.claims.text).as_i64()
    }

    /// `sid` (OpenID Connect Front-Channel Logout 1.0 section 3).
    ///
    /// # Errors
    /// `InvalidClaim`: it is there and not a string, so that it is not known which session is
    /// meant.
    pub fn session_id(&self) -> Result<Option<Cow<'t, str>>> {
        let Some(place) = self.claims.session else { return Ok(None) };
        let value = place.value(self.claims.text).as_str();
        value.map(Some).ok_or_else(|| NO_SESSION.about_claim("sid"))
    }

    /// The claim, of `iss`, `sub`, `jti` and `sid`, whose value nothing can be revoked by: it has
    /// not 1 to 1024 bytes, or holds a control character, or is no string; of `sub`, no number
    /// either. `None` if it is absent, or of another kind.
    #[must_use]
    #[inline]
    pub fn unnamable_claim(&self) -> Option<&'static str> {
        let registered = &self.claims.registered;
        let named = [
            ("jti", registered.token_id),
            ("sub", registered.subject),
            ("sid", self.claims.session),
            ("iss", registered.issuer),
        ];
        let text = self.claims.text;
        let is_plain = !has_odd(text);
        let is_unnamable = |place: Option<Place>| {
            let Some(place) = place else { return false };
            match place.raw_string(text).filter(|_| is_plain) {
                Some(inside) => !(1..=LONGEST_NAME).contains(&inside.len()),
                None => !is_name_in_json(place.value(text).raw()),
            }
        };
        let found = named.into_iter().find(|(claim, place)| {
            is_unnamable(*place) && (*claim != "sub" || self.numeric_subject().is_none())
        });
        found.map(|(claim, _)| claim)
    }

    /// The claim with this name.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<Value<'t>> {
        self.claims.object.member(name)
    }

    /// The `kid` of the key that verified the token; empty for one that no key has verified.
    #[must_use]
    pub fn key_id(&self) -> &'t str {
        self.key.map(Key::kid).unwrap_or_default()
    }

    /// `iat` in whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn issued_at(&self) -> Option<i64> {
        self.claims.registered.issued_at
    }

    /// `exp` in whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn expires_at(&self) -> Option<i64> {
        self.claims.registered.expires_at
    }

    /// What [`RevocationList::prepare`] has left for [`RevocationList::check`]: two numbers of the
    /// list's own.
    #[must_use]
    pub fn notes(&self) -> [Option<u64>; 2] {
        self.notes.get()
    }

    /// Leaves two numbers for [`RevocationList::check`].
    pub fn leave_notes(&self, notes: [Option<u64>; 2]) {
        self.notes.set(notes);
    }

    /// The time by the verifier's clock, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn now_nanos(&self) -> u64 {
        self.now_nanos
    }

    /// The reading of [`crate::SystemClock`]'s `monotonic` that was taken for this token, in
    /// nanoseconds; none if the verifier has a clock of its own.
    #[must_use]
    pub const fn monotonic(&self) -> Option<u64> {
        self.monotonic
    }

    /// The verifier's leeway, in seconds.
    #[must_use]
    pub const fn leeway(&self) -> u64 {
        self.leeway
    }
}

impl std::fmt::Debug for PresentedToken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PresentedToken").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Holds a token that an authorization server was asked about (RFC 7662) against a list: `claims`
/// is what it answered, `teller` the server's name, which counts where the answer has no `iss`.
///
/// # Errors
/// Those of the list; `InvalidClaim` if a claim of the answer has a wrong type.
pub(crate) fn check_introspected(
    list: &dyn RevocationList,
    claims: &str,
    teller: Option<&str>,
    clock: &dyn Clock,
    leeway: u64,
) -> Result<()> {
    let absent = Absent { null: true, empty_audience: true };
    let claims =
        &registered::find_given(claims.as_bytes(), &[], absent, &mut ())?.check(Subject::Text)?;
    let now_nanos = clock.now_nanos();
    let (key, monotonic, notes) = (None, None, Cell::default());
    let token = PresentedToken { claims, key, teller, now_nanos, monotonic, leeway, notes };
    list.prepare(&token);
    list.check(&token)
}

/// The longest name of something that can be revoked, in bytes.
const LONGEST_NAME: usize = 1024;

/// Whether a JSON text has escapes, or characters that are not visible ASCII: nearly none has.
#[inline]
fn has_odd(text: &str) -> bool {
    // Without an early exit the compiler looks at many at once.
    let odd = |byte: u8| byte & 0x80 | u8::from(byte == 0x7f) | u8::from(byte == b'\\');
    text.bytes().fold(0, |found, byte| found | odd(byte)) != 0
}

/// Whether something can be revoked by this JSON value, as it stands.
#[cold]
fn is_name_in_json(raw: &str) -> bool {
    Value::from_checked(raw).as_str().is_some_and(|text| is_plain(&text, LONGEST_NAME))
}

const NO_SESSION: Error =
    Error::new(ErrorKind::InvalidClaim, "The `sid` claim is not a string, so no session is known.");
