//! The life of a session: started, refreshed, ended.
//!
//! One row holds the number of the refresh token that is good now. A refresh moves it on by compare-and-swap,
//! so that of several at once exactly one does; the others, and a client that lost the answer, get the same
//! refresh token again within the grace, while nobody has presented it yet. Any other use of an old token
//! means that two hold it: the session is ended, its access tokens with it (RFC 9700 section 4.14.2).

use super::sessions::{Inner, SessionOptions, SessionSpec, SessionTokens, Sessions};
use super::token::{self, Presented};
use crate::base::secret::Secret;
use crate::base::text::{argument, meta, plain, plain_some};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{Claims, Signer};
use crate::pepper::Checked;
use crate::store::{SessionEnd, SessionEvent, SessionRecord, SessionWrite, StoredSession};

/// How often a change is tried that others keep overtaking.
const TRIES: usize = 32;

/// What the session says of each access token, so that claims may not.
const OWN_CLAIMS: [&str; 7] = ["sub", "sid", "iss", "aud", "exp", "iat", "jti"];

impl Sessions {
    /// Starts a session: after a log-in, for the subject that has logged in.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 255 bytes, or something of `spec` is not acceptable.
    /// `InvalidConfiguration`: the sessions were opened without a signer. Those of [`Signer`] and
    /// [`crate::Store`]; then there is no session.
    pub fn start(&self, subject: &str, spec: &SessionSpec) -> Result<SessionTokens> {
        let inner = &*self.inner;
        let signer = inner.signer()?;
        let now = inner.clock.now();
        let absolute_expires_at = now.saturating_add(inner.absolute_ttl);
        let mut session = StoredSession {
            record: SessionRecord {
                family: String::new(),
                subject: plain_some(subject, 255, "A subject has 1 to 255 bytes.")?,
                client: plain(&spec.client, 255, "A client's name has at most 255 bytes.")?,
                meta: meta(&spec.meta)?,
                created_at: now,
                last_seen_at: now,
                expires_at: now.saturating_add(inner.refresh_ttl).min(absolute_expires_at),
                absolute_expires_at,
                refreshes: 0,
                ended_at: None,
                end: None,
                altered: false,
            },
            counter: 1,
            seed: [0; 16],
            pepper: inner.peppers.active(),
            access_ttl: signer.ttl().unwrap_or(0),
            claims: check_claims(&spec.claims)?,
            version: 1,
            seal: [0; 16],
            seal_pepper: 0,
        };
        inner.random.fill(&mut session.seed)?;
        for _ in 0..TRIES {
            session.record.family = token::new_family(&*inner.random)?;
            let sealed = Checked::new(session.clone()).seal(&inner.peppers);
            let tokens = inner.tokens(&sealed, None, now)?;
            let write = SessionWrite {
                events: vec![event(&sealed.record, now, "start")],
                insert: vec![sealed],
                ..SessionWrite::default()
            };
            match inner.store.write_sessions(&write) {
                Ok(()) => return Ok(tokens),
                // Somebody has this id: one chance in 2^71 for each session there is.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    /// Exchanges a refresh token for a new pair. With `claims` the access tokens say these from now on,
    /// else what they said before.
    ///
    /// # Errors
    /// `InvalidRefreshToken`: it is none of ours, or its session was purged. `TokenReuse`: it was used
    /// before; the session is ended now, or was for this reason. `SessionEnded`, `SessionExpired`.
    /// `StoreCorrupt`: the session's row was altered from outside. `InvalidArgument`: the claims are not
    /// acceptable. Those of [`Signer`] and [`crate::Store`]; then the token is as good as it was.
    pub fn refresh(
        &self,
        refresh_token: impl AsRef<[u8]>,
        claims: Option<&Claims>,
    ) -> Result<SessionTokens> {
        let inner = &*self.inner;
        let presented = token::parse(refresh_token.as_ref()).ok_or(NOT_A_TOKEN)?;
        let claims = claims.map(check_claims).transpose()?;
        for _ in 0..TRIES {
            let session = Checked::read(&inner.peppers, self.genuine(&presented)?)?;
            let now = inner.clock.now();
            match self.step(&presented, session, claims.as_deref(), now) {
                // Somebody else was faster: the row says something else now.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                other => return other,
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    fn step(
        &self,
        presented: &Presented<'_>,
        mut session: Checked<StoredSession>,
        claims: Option<&str>,
        now: u64,
    ) -> Result<SessionTokens> {
        let inner = &*self.inner;
        if session.record.ended_at.is_some() {
            return Err(refusal(session.record.end));
        }
        if now >= session.record.expires_at {
            // Durably, so that a clock that steps back does not make it live again. If it cannot be
            // written down, it is refused all the same.
            let written = self.end_for(Ok(session), SessionEnd::Expired, now);
            return match written {
                Err(error) if error.kind() == ErrorKind::StoreConflict => Err(error),
                _ => Err(refusal(Some(SessionEnd::Expired))),
            };
        }
        let since = now.abs_diff(session.record.last_seen_at);
        if presented.counter == session.counter {
            let record = &mut session.record;
            record.refreshes += 1;
            record.last_seen_at = now;
            record.expires_at =
                now.saturating_add(inner.refresh_ttl).min(record.absolute_expires_at);
            session.counter = session.counter.checked_add(1).ok_or(ErrorKind::SessionExpired)?;
            session.pepper = inner.peppers.active();
            let access_ttl = inner.signer()?.ttl().unwrap_or(0);
            session.access_ttl = session.access_ttl.max(access_ttl);
            if let Some(claims) = claims {
                claims.clone_into(&mut session.claims);
            }
            session.version += 1;
            let session = session.seal(&inner.peppers);
            let tokens = inner.tokens(&session, None, now)?;
            inner.store.write_sessions(&SessionWrite {
                update: vec![session],
                ..SessionWrite::default()
            })?;
            return Ok(tokens);
        }
        // Its successor has been presented if and only if the counter has gone on by more than one.
        if presented.counter.checked_add(1) == Some(session.counter) && since <= inner.grace {
            return inner.tokens(&session, claims, now);
        }
        if presented.counter > session.counter {
            return Err(Error::new(
                ErrorKind::InvalidRefreshToken,
                "The refresh token is newer than the store, which may be from a backup; log in again.",
            ));
        }
        self.end_for(Ok(session), SessionEnd::Reuse, now)?;
        Err(ErrorKind::TokenReuse.into())
    }

    /// Ends a session, and revokes its access tokens. Named by any of its refresh tokens or, where the
    /// program itself knows which one is meant, by its id. Whether it had not been ended before. A session whose
    /// row was altered from outside is ended, too, and its access tokens are revoked for as long as any may live.
    ///
    /// # Errors
    /// `InvalidRefreshToken`: it is none of ours, or its session was purged. `SessionNotFound`: there is no
    /// session of this id. Those of [`crate::Store`].
    pub fn end(&self, refresh_token_or_family: impl AsRef<[u8]>) -> Result<bool> {
        let text = refresh_token_or_family.as_ref();
        let family = std::str::from_utf8(text).ok().filter(|text| token::is_family(text));
        for _ in 0..TRIES {
            let session = match family {
                Some(family) => self.inner.store.session(family)?.ok_or(NOT_FOUND)?,
                None => self.genuine(&token::parse(text).ok_or(NOT_A_TOKEN)?)?,
            };
            let session = self.inner.believed(session);
            if session.as_ref().is_ok_and(|session| session.record.ended_at.is_some()) {
                return Ok(false);
            }
            match self.end_for(session, SessionEnd::LogOut, self.inner.clock.now()) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    /// Ends all sessions of a subject and revokes what access tokens it has; how many sessions. A log-in
    /// in the same second is not caught by it.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 255 bytes. Those of [`crate::Store`]; what was ended by
    /// then stays ended, and a second call goes on.
    pub fn end_all(&self, subject: &str) -> Result<u64> {
        let subject = plain_some(subject, 255, "A subject has 1 to 255 bytes.")?;
        let inner = &*self.inner;
        let (mut ended, mut overtaken) = (0, 0);
        let mut marked = false;
        loop {
            let now = inner.clock.now();
            let sessions = self.with_live_tokens(&subject, now)?;
            if sessions.is_empty() && marked {
                return Ok(ended);
            }
            let mut write = SessionWrite::default();
            for session in sessions {
                let session = inner.believed(session);
                Self::end_in(inner, &mut write, session, SessionEnd::LogOutEverywhere, now);
            }
            if !marked {
                write.revocations.push(inner.revocations.of_subject(&subject, now));
            }
            match inner.store.write_sessions(&write) {
                Ok(()) => {
                    inner.revocations.take_over(&write.revocations);
                    ended += write.update.len() as u64;
                    marked = true;
                }
                Err(error) if error.kind() == ErrorKind::StoreConflict && overtaken < TRIES => {
                    overtaken += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The session that a refresh token is of, as its row says.
    fn genuine(&self, presented: &Presented<'_>) -> Result<StoredSession> {
        let inner = &*self.inner;
        let session = inner.store.session(presented.family)?.ok_or(NOT_A_TOKEN)?;
        if !presented.is_genuine(&inner.peppers, &session) {
            return Err(NOT_A_TOKEN);
        }
        Ok(session)
    }

    fn end_for(&self, session: Believed, end: SessionEnd, now: u64) -> Result<()> {
        let inner = &*self.inner;
        let mut write = SessionWrite::default();
        Self::end_in(inner, &mut write, session, end, now);
        inner.store.write_sessions(&write)?;
        inner.revocations.take_over(&write.revocations);
        Ok(())
    }

    pub(super) fn end_in(
        inner: &Inner,
        write: &mut SessionWrite,
        session: Believed,
        end: SessionEnd,
        now: u64,
    ) {
        let mark = |session: &mut StoredSession| {
            session.record.ended_at = Some(now);
            session.record.end = Some(end);
            session.version += 1;
        };
        let (session, access_ttl) = match session {
            Ok(mut session) => {
                mark(&mut session);
                let session = session.seal(&inner.peppers);
                write.events.push(event(&session.record, now, end.name()));
                let access_ttl = session.access_ttl;
                (session, access_ttl)
            }
            // Nothing in the row is believed: tokens of any age are revoked, nobody is named as its subject, and
            // it is not sealed.
            Err(mut altered) => {
                mark(&mut altered);
                altered.seal = [0; 16];
                let nobody = SessionRecord {
                    family: altered.record.family.clone(),
                    ..SessionRecord::default()
                };
                write.events.push(event(&nobody, now, end.name()));
                (*altered, SessionOptions::MAX_TTL)
            }
        };
        // Of a session that has expired, no access token is good any more.
        if end != SessionEnd::Expired {
            let family = &session.record.family;
            write.revocations.push(super::Revocations::of_session(family, access_ttl, now));
        }
        write.update.push(session);
    }
}

/// A session as its row says, or a row that was altered from outside.
pub(super) type Believed = std::result::Result<Checked<StoredSession>, Box<StoredSession>>;

impl Inner {
    /// Whether the row is believed.
    pub(super) fn believed(&self, session: StoredSession) -> Believed {
        Checked::read(&self.peppers, session.clone()).map_err(|_| Box::new(session))
    }

    pub(super) fn signer(&self) -> Result<&Signer> {
        self.signer.as_ref().ok_or(Error::new(
            ErrorKind::InvalidConfiguration,
            "The sessions were opened without a signer; give one to start or refresh sessions.",
        ))
    }

    /// The pair of a session as it is; with `claims`, the access token says these.
    fn tokens(
        &self,
        session: &StoredSession,
        claims: Option<&str>,
        now: u64,
    ) -> Result<SessionTokens> {
        let signer = self.signer()?;
        let record = &session.record;
        let ttl = signer.ttl().unwrap_or(0);
        // Not beyond the session itself.
        let expires_in = ttl.min(record.absolute_expires_at.saturating_sub(now)).max(1);
        let claims = Claims::from_json(claims.unwrap_or(&session.claims).as_bytes())?
            .subject(&record.subject)
            .claim_str("sid", &record.family)
            .issued_at(date(now)?)
            .expires_at(date(now.saturating_add(expires_in))?);
        Ok(SessionTokens {
            access_token: Secret::from(signer.sign(&claims)?),
            refresh_token: token::current(&self.peppers, session)?,
            expires_in,
            expires_at: record.expires_at,
            session: record.clone(),
        })
    }
}

fn event(record: &SessionRecord, at: u64, action: &str) -> SessionEvent {
    SessionEvent {
        at,
        family: record.family.clone(),
        subject: record.subject.clone(),
        action: action.to_owned(),
        detail: record.client.clone(),
        ..SessionEvent::default()
    }
}

/// The claims that access tokens are to have besides, as JSON.
fn check_claims(claims: &Claims) -> Result<String> {
    const LONGEST: usize = 8192;
    let json = claims.to_json();
    if json.len() > LONGEST {
        return Err(argument("The claims of a session have at most 8192 bytes."));
    }
    if OWN_CLAIMS.iter().any(|name| claims.has(name)) {
        return Err(argument(
            "The session itself says sub, sid, iat, exp and jti, and the signer iss and aud; leave them out.",
        ));
    }
    Ok(json)
}

fn date(seconds: u64) -> Result<i64> {
    i64::try_from(seconds).map_err(|_| {
        Error::new(
            ErrorKind::InvalidConfiguration,
            "The clock is out of range: after the year 9999.",
        )
    })
}

/// Why a session that was ended is refused.
fn refusal(end: Option<SessionEnd>) -> Error {
    match end {
        Some(SessionEnd::Reuse) => ErrorKind::TokenReuse.into(),
        Some(SessionEnd::Expired) => ErrorKind::SessionExpired.into(),
        _ => ErrorKind::SessionEnded.into(),
    }
}

const NOT_A_TOKEN: Error = Error::new(
    ErrorKind::InvalidRefreshToken,
    "The text is not a refresh token of a session that is known here.",
);
pub(super) const NOT_FOUND: Error =
    Error::new(ErrorKind::SessionNotFound, "There is no session with this id.");
