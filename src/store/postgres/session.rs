//! Sessions, and what happened to them, as rows. A refresh takes no number of the feed: others hear
//! of what ends only.

use super::batch::Batch;
use super::feed::signed;
use super::rows::{self, Conditions};
use super::transaction::Access;
use super::values::{Row, Value};
use super::wire::Fault;
use super::{PostgresStore, content, revocation};
use crate::error::{Error, ErrorKind, Result};
use crate::store::page::page_size;
use crate::store::{
    Page, SessionEnd, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord, SessionStore,
    SessionWrite, StoredSession,
};

const INSERT: &str = "INSERT INTO @session (family, version, subject, client, meta, created_at, \
     last_seen_at, expires_at, absolute_expires_at, refreshes, ended_at, \"end\", counter, seed, pepper, \
     access_ttl, claims, seal, seal_pepper, previous_pepper, last_seen_ms) VALUES ($1, $2, $3, $4, $5, \
     $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

const UPDATE: &str = "UPDATE @session SET version = $2, subject = $3, client = $4, meta = $5, \
     created_at = $6, last_seen_at = $7, expires_at = $8, absolute_expires_at = $9, refreshes = $10, \
     ended_at = $11, \"end\" = $12, counter = $13, seed = $14, pepper = $15, access_ttl = $16, \
     claims = $17, seal = $18, seal_pepper = $19, previous_pepper = $20, last_seen_ms = $21 \
     WHERE family = $1";

/// The values of [`INSERT`] and [`UPDATE`], which changes the row whatever it holds.
fn values(session: &StoredSession) -> Result<Vec<Value>, Fault> {
    let record = &session.record;
    Ok(vec![
        (&record.family).into(),
        signed(session.version)?,
        (&record.subject).into(),
        (&record.client).into(),
        (&record.meta).into(),
        signed(record.created_at)?,
        signed(record.last_seen_at)?,
        signed(record.expires_at)?,
        signed(record.absolute_expires_at)?,
        signed(record.refreshes)?,
        record.ended_at.map_or(Ok(Value::Int(None)), signed)?,
        record.end.map(SessionEnd::name).into(),
        session.counter.into(),
        (&session.seed[..]).into(),
        session.pepper.into(),
        signed(session.access_ttl)?,
        (&session.claims).into(),
        (&session.seal[..]).into(),
        session.seal_pepper.into(),
        session.previous_pepper.into(),
        u32::from(session.last_seen_ms).into(),
    ])
}

fn session(row: &Row) -> Result<StoredSession, Fault> {
    let end: Option<String> = row.get("end")?;
    let end = end.map(|name| SessionEnd::from_name(&name).ok_or(Fault::Cell("end")));
    Ok(StoredSession {
        record: SessionRecord {
            family: row.get("family")?,
            subject: row.get("subject")?,
            client: row.get("client")?,
            meta: row.get("meta")?,
            created_at: row.get("created_at")?,
            last_seen_at: row.get("last_seen_at")?,
            expires_at: row.get("expires_at")?,
            absolute_expires_at: row.get("absolute_expires_at")?,
            refreshes: row.get("refreshes")?,
            ended_at: row.get("ended_at")?,
            end: end.transpose()?,
            altered: false,
        },
        counter: row.get("counter")?,
        seed: row.get("seed")?,
        pepper: row.get("pepper")?,
        previous_pepper: row.get("previous_pepper")?,
        last_seen_ms: row.get("last_seen_ms")?,
        access_ttl: row.get("access_ttl")?,
        claims: row.get("claims")?,
        version: row.get("version")?,
        seal: row.get("seal")?,
        seal_pepper: row.get("seal_pepper")?,
    })
}

fn batch(write: &SessionWrite) -> Result<Batch, Fault> {
    let ends = !write.end.is_empty()
        || write.update.iter().any(|session| session.record.ended_at.is_some());
    let mut batch = if ends || !write.revocations.is_empty() {
        let ended = write.update.iter().chain(&write.end);
        let mut said = content("session", ended.map(|session| &*session.record.family));
        said.extend(revocation::said(&write.revocations));
        let mut batch = Batch::numbered(&said, 0, write.revocations.len())?;
        revocation::revoke(&mut batch, &write.revocations)?;
        batch
    } else {
        let all = write.insert.iter().chain(&write.update);
        Batch::unnumbered(all.map(|session| &*session.record.family).collect())
    };
    for new in &write.insert {
        if new.version != 1 {
            return Err(ErrorKind::StoreConflict.into());
        }
        batch.add(INSERT, values(new)?);
    }
    for new in &write.update {
        batch.add_one(&format!("{UPDATE} AND version = $2 - 1"), values(new)?);
    }
    for new in &write.end {
        batch.add(UPDATE, values(new)?);
    }
    for event in &write.events {
        let SessionEvent { at, family, subject, action, detail, .. } = event;
        batch.add(
            "INSERT INTO @session_event (at, family, subject, action, detail) \
             VALUES ($1, $2, $3, $4, $5)",
            vec![signed(*at)?, family.into(), subject.into(), action.into(), detail.into()],
        );
    }
    Ok(batch)
}

fn take(sessions: &[(StoredSession, u64)]) -> Result<Batch, Fault> {
    let families = sessions.iter().map(|(session, _)| &*session.record.family);
    let mut batch = Batch::numbered(&content("session", families), 0, 0)?;
    for (session, over) in sessions {
        if *over > 0 {
            let delete = "DELETE FROM @session WHERE family = $1 AND version = $2";
            batch.add_one(delete, vec![(&session.record.family).into(), signed(*over)?]);
        }
        batch.add(INSERT, values(session)?);
    }
    Ok(batch)
}

/// The session of a row, or what stands for it; nothing for a row of which not even the id can be
/// read.
fn session_or_unreadable(row: &Row) -> Result<StoredSession, Fault> {
    session(row).or_else(|_| {
        let subject = row.get("subject").unwrap_or_default();
        Ok(StoredSession::unreadable(row.get("family")?, subject))
    })
}

/// Sessions that can be refreshed at a time, and those whose dates cannot be read.
const LIVE: &str = "(ended_at IS NULL AND expires_at > ? OR expires_at < 0 OR ended_at < 0)";

const DAMAGED: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The row of this session (table `session`) cannot be read: it is damaged or was altered from outside.",
);

impl SessionStore for PostgresStore {
    fn session(&self, family: &str) -> Result<Option<StoredSession>> {
        self.read(|transaction| {
            let sql = "SELECT * FROM @session WHERE family = $1";
            let rows = transaction.query(sql, &[family.into()])?;
            Ok(rows.first().map(session).transpose().map_err(|_| DAMAGED)?)
        })
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Page<StoredSession>> {
        let limit = page_size(filter.limit);
        self.read(|transaction| {
            let mut conditions = Conditions::new();
            if let Some(cursor) = &filter.cursor {
                conditions.add("family > ?", cursor.into());
            }
            if let Some(subject) = &filter.subject {
                conditions.add("subject = ?", subject.into());
            }
            if let Some(now) = filter.live_at {
                conditions.add(LIVE, signed(now)?);
            }
            let sql = conditions.finish("SELECT * FROM @session", "family", limit);
            let found = transaction.query(&sql, &conditions.values)?;
            Ok(rows::page(found, limit, |row| row.get("family"), session_or_unreadable))
        })
    }

    fn unreadable_sessions(&self, subject: Option<&str>) -> Result<Vec<String>> {
        self.pool.read(Access::Load, |transaction| {
            let (sql, values) = match subject {
                Some(subject) => {
                    ("SELECT * FROM @session WHERE subject = $1", vec![Value::from(subject)])
                }
                None => ("SELECT * FROM @session", Vec::new()),
            };
            let mut unreadable = Vec::new();
            transaction.each(sql, &values, &mut |row| {
                if session(&row).is_err() {
                    unreadable.extend(row.get::<String>("family").ok());
                }
                Ok(())
            })?;
            Ok(unreadable)
        })
    }

    fn write_sessions(&self, write: &SessionWrite) -> Result<()> {
        self.change(batch(write)).map(drop)
    }

    fn take_sessions(&self, sessions: &[(StoredSession, u64)]) -> Result<()> {
        self.change(take(sessions)).map(drop)
    }

    fn session_events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>> {
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let limit = page_size(filter.limit);
        let event = |row: &Row| {
            Ok(SessionEvent::new(
                row.get("seq")?,
                row.get("at")?,
                row.get("family")?,
                row.get("subject")?,
                row.get("action")?,
                row.get("detail")?,
            ))
        };
        self.read(|transaction| {
            let mut conditions = Conditions::new();
            conditions.add("seq > ?", rows::bounded(after));
            for (condition, value) in
                [("subject = ?", &filter.subject), ("family = ?", &filter.family)]
            {
                if let Some(value) = value {
                    conditions.add(condition, value.into());
                }
            }
            let sql = conditions.finish("SELECT * FROM @session_event", "seq", limit);
            let found = transaction.query(&sql, &conditions.values)?;
            let seq = |row: &Row| Ok(row.get::<u64>("seq")?.to_string());
            Ok(rows::page(found, limit, seq, event))
        })
    }

    fn purge_sessions(&self, ended: u64, expired: u64) -> Result<u64> {
        self.write(|transaction| {
            let (ended, expired) = (signed(ended)?, signed(expired)?);
            transaction.later(
                "DELETE FROM @session_event WHERE at < $1",
                std::slice::from_ref(&expired),
            )?;
            const OVER: &str = "DELETE FROM @session WHERE expires_at < $1 OR ended_at < $2";
            transaction.run(OVER, &[expired, ended])
        })
    }
}
