//! The life of a session: started, refreshed, ended. A session is one family of refresh tokens.
//!
//! One row holds the number of the refresh token that is good now. A refresh moves it on by
//! compare-and-swap, so that of several at once exactly one does; the others, and a client that
//! lost the answer, get the same refresh token again within the grace, while it has not been
//! presented yet. Any other use of an old token means that two hold it: the session is ended, its
//! access tokens with it (RFC 9700 section 4.14.2).

use super::grace::{Grace, Since, millis};
use super::sessions::{Inner, SessionOptions, SessionSpec, SessionTokens, Sessions};
use super::token::{self, Presented};
use crate::base::clock::plausible_nanos;
use crate::base::pace::Dates;
use crate::base::presented::{self, not_a_refresh_token, recognized};
use crate::base::secret::Secret;
use crate::base::text::{argument, for_people, meta, plain_some};
use crate::error::{Error, ErrorKind, Result};
use crate::jwt::{Claims, Signer};
use crate::pepper::Checked;
use crate::revocations::ISSUE_CLAIM;
use crate::store::{SessionEnd, SessionEvent, SessionRecord, SessionWrite, StoredSession};

/// How often a change is tried that others keep overtaking.
pub(super) const TRIES: usize = 32;

/// What the session says of each access token, so that claims may not.
const OWN_CLAIMS: [&str; 8] = ["sub", "sid", "iss", "aud", "exp", "iat", "jti", ISSUE_CLAIM];

impl Sessions {
    /// Starts a session: after a log-in, for the subject that has logged in.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 255 bytes, or something of `spec` is not
    /// acceptable. `InvalidConfiguration`: the sessions were opened without a signer. Those of
    /// [`Signer`] and [`crate::store::Backend`]; then there is no session.
    pub fn start(&self, subject: &str, spec: &SessionSpec) -> Result<SessionTokens> {
        self.check_open()?;
        let inner = &*self.inner;
        let signer = inner.signer()?;
        let now_ms = inner.now_ms()?;
        let dates = inner.note(now_ms);
        let now = dates.now;
        let begins_at = lives_from(&dates);
        let absolute_expires_at = begins_at.saturating_add(inner.absolute_ttl);
        let mut session = StoredSession {
            record: SessionRecord {
                family: String::new(),
                subject: plain_some(subject, 255, "A subject has 1 to 255 bytes.")?,
                client: for_people(&spec.client, SessionSpec::MAX_CLIENT),
                meta: meta(&spec.meta)?,
                created_at: now,
                last_seen_at: now,
                expires_at: begins_at.saturating_add(inner.refresh_ttl).min(absolute_expires_at),
                absolute_expires_at,
                refreshes: 0,
                ended_at: None,
                end: None,
                altered: false,
            },
            counter: 1,
            seed: [0; 16],
            pepper: inner.peppers.active(),
            previous_pepper: None,
            last_seen_ms: millis(now_ms),
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
                // Someone has this id: one chance in 2^71 for each session there is.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    /// Exchanges a refresh token for a new pair. With `claims` the access tokens say these from now
    /// on, else what they said before.
    ///
    /// # Errors
    /// `InvalidRefreshToken`: it was not issued here, or its session was purged; or it was used
    /// before, and the clock was set since by more than the grace, which alone ends no session: the
    /// newest token is as good as it was. `TokenReuse`: it was used before; the session is ended
    /// now, or was for this reason. `SessionExpired`. `SessionEnded`: so its row or a revocation of
    /// its access tokens says. `StoreCorrupt`: the session's row was altered from outside.
    /// `InvalidArgument`: the claims are not acceptable. Those of [`Signer`] and
    /// [`crate::store::Backend`]; then the token is as good as it was.
    pub fn refresh(
        &self,
        refresh_token: impl AsRef<[u8]>,
        claims: Option<&Claims>,
    ) -> Result<SessionTokens> {
        self.check_open()?;
        let inner = &*self.inner;
        let presented = read(refresh_token.as_ref())?;
        let claims = claims.map(check_claims).transpose()?;
        for _ in 0..TRIES {
            let session = Checked::read(&inner.peppers, self.genuine(&presented)?)?;
            let now_ms = inner.now_ms()?;
            let outcome = match session.record.ended_at {
                None if inner.revocations.has_session(presented.family)? => {
                    self.refuse_revoked(session, now_ms / 1000)
                }
                _ => self.step(&presented, session, claims.as_deref(), now_ms),
            };
            match outcome {
                // Someone else was faster: the row says something else now.
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                other => return other,
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    /// Refuses a session that is revoked although its row is good: it is of before the session
    /// ended, or only its access tokens were revoked, and it can give none that is accepted.
    /// Durably, because revocations are forgotten.
    fn refuse_revoked(&self, session: Checked<StoredSession>, now: u64) -> Result<SessionTokens> {
        match self.end_for(Ok(session), SessionEnd::LogOut, now) {
            Err(error) if error.kind() == ErrorKind::StoreConflict => Err(error),
            _ => Err(ErrorKind::SessionEnded.into()),
        }
    }

    fn step(
        &self,
        presented: &Presented<'_>,
        mut session: Checked<StoredSession>,
        claims: Option<&str>,
        now_ms: u64,
    ) -> Result<SessionTokens> {
        let inner = &*self.inner;
        let dates = inner.note(now_ms);
        let Dates { now, surely, .. } = dates;
        if session.record.ended_at.is_some() {
            return Err(refusal(session.record.end));
        }
        if surely >= session.record.expires_at {
            // Durably, so that a clock that steps back does not make it live again. If it cannot be
            // written down, it is still refused.
            let written = self.end_for(Ok(session), SessionEnd::Expired, now);
            return match written {
                Err(error) if error.kind() == ErrorKind::StoreConflict => Err(error),
                _ => Err(refusal(Some(SessionEnd::Expired))),
            };
        }
        // Its successor has been presented if and only if the counter has gone on by more than one:
        // reuse by any clock.
        if presented.counter.saturating_add(1) < session.counter {
            return self.end_reused(session, now);
        }
        if dates.may_be_after(session.record.expires_at) {
            return Err(refusal(Some(SessionEnd::Expired))); // by a clock that runs ahead, or ran behind
        }
        if presented.counter == session.counter {
            let grace = inner.grace();
            let moment = grace.moment(&session, &dates, now_ms);
            if grace.is_before(&session, now_ms) {
                // Access tokens of that date are good for longer: their end is revoked for as long.
                let last = session.record.last_seen_at.saturating_add(SessionOptions::MAX_GRACE);
                let longest = session.access_ttl.saturating_add(last.saturating_sub(now));
                session.access_ttl = longest.min(SessionOptions::MAX_TTL);
            }
            let record = &mut session.record;
            let mut expires_at = lives_from(&dates).saturating_add(inner.refresh_ttl);
            if moment >= StoredSession::NO_MOMENT {
                expires_at = expires_at.max(record.expires_at); // the clock may be behind
            }
            record.refreshes += 1;
            record.last_seen_at = now;
            record.expires_at = expires_at.min(record.absolute_expires_at);
            session.last_seen_ms = moment;
            session.counter = session.counter.checked_add(1).ok_or(ErrorKind::SessionExpired)?;
            session.previous_pepper = Some(session.pepper);
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
        if presented.is_previous(&inner.peppers, &session) {
            match inner.grace().of(&session, &dates, now_ms) {
                Since::Within(date) => return inner.tokens(&session, claims, date),
                Since::Unknown => return Err(UNDATED),
                Since::Over => {}
            }
        }
        self.end_reused(session, now)
    }

    fn end_reused(&self, session: Checked<StoredSession>, now: u64) -> Result<SessionTokens> {
        self.end_for(Ok(session), SessionEnd::Reuse, now)?;
        Err(ErrorKind::TokenReuse.into())
    }

    /// Ends the session of a refresh token, whose secret is checked, and revokes its access tokens:
    /// a log-out. Whether it had not been ended before. Any of its refresh tokens will do, one that
    /// was used as well; none that is newer than the store, because an old pepper would forge it. A
    /// session whose row was altered from outside is ended, too, and its access tokens are revoked
    /// for as long as any may live.
    ///
    /// # Errors
    /// `InvalidRefreshToken`: it was not issued here, or its session was purged; the public id of a
    /// session is no refresh token, see [`Self::end_by_id`]. `StoreCorrupt`: the row cannot be
    /// read, so that no secret can be checked; end it by its id. Those of
    /// [`crate::store::Backend`].
    pub fn end(&self, refresh_token: impl AsRef<[u8]>) -> Result<bool> {
        self.check_open()?;
        let presented = read(refresh_token.as_ref())?;
        self.end_found(|| self.genuine(&presented))
    }

    /// Ends the session of this id, and revokes its access tokens; whether it had not been ended
    /// before. Also one whose row cannot be read. With `subject`, only a session of that subject:
    /// for a list of devices, of which users choose one.
    ///
    /// # Security
    /// The id is public: every API that sees an access token knows it as `sid`. A caller who may
    /// choose it here must be allowed to end that session; give the subject that is logged in,
    /// unless it is an operator.
    ///
    /// # Errors
    /// `SessionNotFound`: there is no session of this id, or it is of another subject. Those of
    /// [`crate::store::Backend`].
    pub fn end_by_id(&self, family: &str, subject: Option<&str>) -> Result<bool> {
        self.check_open()?;
        let known = token::is_family(family).then_some(family).ok_or(NOT_FOUND)?;
        let ended = self.end_found(|| {
            let session = self.inner.store.session(known)?.ok_or(NOT_FOUND)?;
            if subject.is_some_and(|subject| session.record.subject != subject) {
                return Err(NOT_FOUND);
            }
            Ok(session)
        });
        match ended {
            Err(error) if error.kind() == ErrorKind::StoreCorrupt => {
                self.end_unreadable_one(known, subject)
            }
            other => other,
        }
    }

    fn end_found(&self, find: impl Fn() -> Result<StoredSession>) -> Result<bool> {
        for _ in 0..TRIES {
            let session = self.inner.believed(find()?);
            if session.as_ref().is_ok_and(|session| session.record.ended_at.is_some()) {
                return Ok(false);
            }
            match self.end_for(session, SessionEnd::LogOut, self.inner.now()?) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::StoreConflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::StoreConflict.into())
    }

    /// Ends a session by its id alone, if its row is one that cannot be read.
    fn end_unreadable_one(&self, family: &str, subject: Option<&str>) -> Result<bool> {
        let inner = &*self.inner;
        if !inner.store.unreadable_sessions(subject)?.iter().any(|found| found == family) {
            return Err(NOT_FOUND);
        }
        let mut write = SessionWrite::default();
        let now = inner.now()?;
        let row = StoredSession::unreadable(family.to_owned(), String::new());
        Self::end_unbelieved(inner, &mut write, row, SessionEnd::LogOut, now);
        inner.store.write_sessions(&write)?;
        inner.revocations.take_over(&write.revocations);
        Ok(true)
    }

    /// Ends all sessions of a subject and revokes what access tokens it has; how many sessions. A
    /// later log-in gives good tokens, also in the same second.
    ///
    /// # Errors
    /// `InvalidArgument`: the subject has not 1 to 255 bytes. Those of [`crate::store::Backend`];
    /// what was ended by then stays ended, and a second call continues.
    pub fn end_all(&self, subject: &str) -> Result<u64> {
        self.check_open()?;
        if presented::whole(subject).is_some() {
            return Err(argument(
                "This is a whole token or API key, which is not shown, and no subject; the subject of a token is its `sub`. Nothing \
                 was ended.",
            ));
        }
        let subject = plain_some(subject, 255, "A subject has 1 to 255 bytes.")?;
        let inner = &*self.inner;
        let so_far = inner.revocations.of_subject_so_far(&subject, inner.now()?);
        // First and alone: what the tokens say does not hang on the rows.
        let revoke = SessionWrite { revocations: vec![so_far], ..SessionWrite::default() };
        inner.store.write_sessions(&revoke)?;
        inner.revocations.take_over(&revoke.revocations);
        let everywhere = SessionEnd::LogOutEverywhere;
        let mut overtaken = 0;
        let mut ended = self.end_unreadable(Some(&subject), everywhere)?;
        loop {
            let Dates { now, surely, .. } = inner.dates()?;
            let sessions = self.with_live_tokens(&subject, surely)?;
            if sessions.is_empty() {
                return Ok(ended);
            }
            let mut write = SessionWrite::default();
            for session in sessions {
                Self::end_in(inner, &mut write, inner.believed(session), everywhere, now);
            }
            match inner.store.write_sessions(&write) {
                Ok(()) => {
                    inner.revocations.take_over(&write.revocations);
                    ended += write.revocations.len() as u64;
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
            let is_newer = presented.is_newer(&inner.peppers, &session);
            return Err(if is_newer { NEWER } else { NOT_A_TOKEN });
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
        let mut session = match session {
            Ok(session) => session,
            Err(altered) => {
                return Self::end_unbelieved(inner, write, *altered, end, now);
            }
        };
        session.record.ended_at = Some(now);
        session.record.end = Some(end);
        session.version += 1;
        let session = session.seal(&inner.peppers);
        write.events.push(event(&session.record, now, end.name()));
        // Of a session that has expired, no access token is good any more.
        if end != SessionEnd::Expired {
            let family = &session.record.family;
            let last = last_token(&session.record, now);
            let revoked = inner.revocations.of_session(family, session.access_ttl, now, last);
            write.revocations.push(revoked);
        }
        write.update.push(session);
    }

    /// Ends a session of whose row nothing is believed: tokens of any age are revoked, and no
    /// subject is named. The row has no seal afterwards, so that it is not made good, and no next
    /// version, so that no change that was begun before overtakes its end.
    fn end_unbelieved(
        inner: &Inner,
        write: &mut SessionWrite,
        mut row: StoredSession,
        end: SessionEnd,
        now: u64,
    ) {
        let family = row.record.family.clone();
        let revoked = inner.revocations.of_session(&family, SessionOptions::MAX_TTL, now, 0);
        write.revocations.push(revoked);
        let unnamed = SessionRecord { family, ..SessionRecord::default() };
        write.events.push(event(&unnamed, now, end.name()));
        row.record.ended_at = Some(now);
        row.record.end = Some(end);
        // Not to be purged before its end is as old as that of others.
        row.record.expires_at = row.record.expires_at.max(now);
        row.version = i64::MAX.cast_unsigned();
        (row.seal, row.seal_pepper) = ([0; 16], inner.peppers.active());
        write.end.push(row);
    }

    /// Ends the sessions whose rows cannot be read, of the subject or of all; how many.
    pub(super) fn end_unreadable(&self, subject: Option<&str>, end: SessionEnd) -> Result<u64> {
        let inner = &*self.inner;
        let families = inner.store.unreadable_sessions(subject)?;
        let count = families.len() as u64;
        let now = inner.now()?;
        let mut write = SessionWrite::default();
        for family in families {
            let row = StoredSession::unreadable(family, String::new());
            Self::end_unbelieved(inner, &mut write, row, end, now);
        }
        if count > 0 {
            inner.store.write_sessions(&write)?;
            inner.revocations.take_over(&write.revocations);
        }
        Ok(count)
    }
}

/// A session as its row says, or a row that was altered from outside.
pub(super) type Believed = std::result::Result<Checked<StoredSession>, Box<StoredSession>>;

impl Inner {
    /// The time, if the clock can be right.
    pub(super) fn now(&self) -> Result<u64> {
        Ok(self.dates()?.now)
    }

    /// The time, and what is believed of it: which sessions are over, where that is decided for
    /// good.
    pub(super) fn dates(&self) -> Result<Dates> {
        self.pace.read(&*self.clock)
    }

    /// The time in milliseconds since the Unix epoch, as exactly as the clock knows it.
    fn now_ms(&self) -> Result<u64> {
        let nanos = self.clock.now_nanos();
        plausible_nanos(nanos)?;
        Ok(nanos / 1_000_000)
    }

    /// The time, compared with what was believed of the clock before.
    fn note(&self, now_ms: u64) -> Dates {
        self.pace.note(now_ms / 1000, self.clock.monotonic())
    }

    const fn grace(&self) -> Grace {
        Grace(self.grace_ms)
    }

    /// Whether the row is believed.
    pub(super) fn believed(&self, session: StoredSession) -> Believed {
        Checked::read(&self.peppers, session.clone()).map_err(|_| Box::new(session))
    }

    pub(super) fn signer(&self) -> Result<&Signer> {
        self.signer.as_ref().ok_or(Error::new(
            ErrorKind::InvalidConfiguration,
            "The sessions were opened without a `signer`; give one to start or refresh sessions.",
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
        let mut claims = Claims::from_json(claims.unwrap_or(&session.claims).as_bytes())?;
        if let Some(issue) = self.revocations.issue()? {
            claims = claims.claim_str(ISSUE_CLAIM, &issue);
        }
        if !claims.has("auth_time") {
            claims = claims.claim_i64("auth_time", date(record.created_at));
        }
        let claims = claims
            .subject(&record.subject)
            .claim_str("sid", &record.family)
            .issued_at(date(now))
            .expires_at(date(now.saturating_add(expires_in)));
        Ok(SessionTokens {
            access_token: Secret::from(signer.sign_at(&claims, now)?),
            refresh_token: token::current(&self.peppers, session)?,
            expires_in,
            expires_at: record.expires_at,
            session: record.clone(),
        })
    }
}

/// From when on a session lives: by a clock that went back it would be over before its time.
const fn lives_from(dates: &Dates) -> u64 {
    if dates.is_behind { dates.latest } else { dates.now }
}

/// When the last access token of a session was made, at the latest: now or, if this clock is behind
/// the one that dated the row, within the grace after that, because such a refresh leaves no trace.
fn last_token(record: &SessionRecord, now: u64) -> u64 {
    let is_behind = now < record.last_seen_at;
    if is_behind { record.last_seen_at.saturating_add(SessionOptions::MAX_GRACE) } else { now }
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

/// The claims that access tokens are to have as well, as JSON.
fn check_claims(claims: &Claims) -> Result<String> {
    const LONGEST: usize = 8192;
    let json = claims.to_json();
    if json.len() > LONGEST {
        return Err(argument(
            "The `claims` of a session have at most 8192 bytes; keep what is long elsewhere.",
        ));
    }
    if let Some(name) = OWN_CLAIMS.iter().find(|name| claims.has(name)) {
        return Err(argument(
            "The session itself says sub, sid, iat, exp, jti and gkn, and the signer iss and aud; leave them out.",
        )
        .about_claim(name));
    }
    Ok(json)
}

const fn date(seconds: u64) -> i64 {
    seconds.cast_signed() // within 2^53, as the clock is
}

/// Why a session that was ended is refused.
fn refusal(end: Option<SessionEnd>) -> Error {
    match end {
        Some(SessionEnd::Reuse) => ErrorKind::TokenReuse.into(),
        Some(SessionEnd::Expired) => ErrorKind::SessionExpired.into(),
        _ => ErrorKind::SessionEnded.into(),
    }
}

/// What a refresh token says; the error names what another text is.
fn read(text: &[u8]) -> Result<Presented<'_>> {
    token::parse(text).ok_or_else(|| recognized(NOT_A_TOKEN, text, not_a_refresh_token))
}

const NOT_A_TOKEN: Error = Error::new(
    ErrorKind::InvalidRefreshToken,
    "The text is not a refresh token of a session that is known here.",
);
pub(super) const UNDATED: Error = Error::new(
    ErrorKind::InvalidRefreshToken,
    "The refresh token was used before; the clock was set since, so it is not known how long ago. The session continues: \
     use its newest refresh token, or log in again.",
);
const NEWER: Error = Error::new(
    ErrorKind::InvalidRefreshToken,
    "The refresh token is newer than the store, which may be from a backup; log in again.",
);
pub(super) const NOT_FOUND: Error =
    Error::new(ErrorKind::SessionNotFound, "There is no session with this id.");
