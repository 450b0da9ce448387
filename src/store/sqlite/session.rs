//! Sessions, and what happened to them, as rows.

use super::{Kind, SqliteStore, fault, fault_in, revocation, rows, where_all};
use crate::error::{ErrorKind, Result};
use crate::store::page::page_size;
use crate::store::{
    Page, SessionEnd, SessionEvent, SessionEventFilter, SessionFilter, SessionRecord, SessionStore,
    SessionWrite, StoredSession,
};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, Transaction, named_params, params, params_from_iter};

const INSERT: &str = "INSERT INTO session (family, subject, client, meta, created_at, last_seen_at, \
     expires_at, absolute_expires_at, refreshes, ended_at, end, counter, seed, pepper, access_ttl, \
     claims, version, seal, seal_pepper, previous_pepper, last_seen_ms) VALUES (:family, :subject, :client, :meta, :created_at, \
     :last_seen_at, :expires_at, :absolute_expires_at, :refreshes, :ended_at, :end, :counter, :seed, \
     :pepper, :access_ttl, :claims, :version, :seal, :seal_pepper, :previous_pepper, :last_seen_ms)";

const UPDATE: &str = "UPDATE session SET subject = :subject, client = :client, meta = :meta, \
     created_at = :created_at, last_seen_at = :last_seen_at, expires_at = :expires_at, \
     absolute_expires_at = :absolute_expires_at, refreshes = :refreshes, ended_at = :ended_at, \
     end = :end, counter = :counter, seed = :seed, pepper = :pepper, access_ttl = :access_ttl, \
     claims = :claims, version = :version, seal = :seal, seal_pepper = :seal_pepper, \
     previous_pepper = :previous_pepper, last_seen_ms = :last_seen_ms \
     WHERE family = :family AND version = :version - 1";

/// Runs [`INSERT`] or [`UPDATE`]; how many rows it was.
fn put(transaction: &Transaction<'_>, sql: &str, session: &StoredSession) -> Result<usize> {
    let record = &session.record;
    let run = || {
        transaction.prepare_cached(sql)?.execute(named_params! {
            ":family": record.family,
            ":subject": record.subject,
            ":client": record.client,
            ":meta": record.meta,
            ":created_at": rows::signed(record.created_at)?,
            ":last_seen_at": rows::signed(record.last_seen_at)?,
            ":expires_at": rows::signed(record.expires_at)?,
            ":absolute_expires_at": rows::signed(record.absolute_expires_at)?,
            ":refreshes": rows::signed(record.refreshes)?,
            ":ended_at": record.ended_at.map(rows::signed).transpose()?,
            ":end": record.end.map(SessionEnd::name),
            ":counter": session.counter,
            ":seed": &session.seed[..],
            ":pepper": session.pepper,
            ":access_ttl": rows::signed(session.access_ttl)?,
            ":claims": session.claims,
            ":version": rows::signed(session.version)?,
            ":seal": &session.seal[..],
            ":seal_pepper": session.seal_pepper,
            ":previous_pepper": session.previous_pepper,
            ":last_seen_ms": session.last_seen_ms,
        })
    };
    run().map_err(fault)
}

fn session(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
    let end: Option<String> = row.get("end")?;
    let end = end.map(|name| SessionEnd::from_name(&name).ok_or_else(|| rows::wrong("end")));
    Ok(StoredSession {
        record: SessionRecord {
            family: row.get("family")?,
            subject: row.get("subject")?,
            client: row.get("client")?,
            meta: row.get("meta")?,
            created_at: rows::unsigned(row, "created_at")?,
            last_seen_at: rows::unsigned(row, "last_seen_at")?,
            expires_at: rows::unsigned(row, "expires_at")?,
            absolute_expires_at: rows::unsigned(row, "absolute_expires_at")?,
            refreshes: rows::unsigned(row, "refreshes")?,
            ended_at: rows::maybe(row, "ended_at")?,
            end: end.transpose()?,
            altered: false,
        },
        counter: row.get("counter")?,
        seed: row.get("seed")?,
        pepper: row.get("pepper")?,
        previous_pepper: row.get("previous_pepper")?,
        last_seen_ms: row.get("last_seen_ms")?,
        access_ttl: rows::unsigned(row, "access_ttl")?,
        claims: row.get("claims")?,
        version: rows::unsigned(row, "version")?,
        seal: row.get("seal")?,
        seal_pepper: row.get("seal_pepper")?,
    })
}

/// The session of a row, or what stands for it; nothing for a row that not even its id can be read
/// of.
fn session_or_unreadable(row: &Row<'_>) -> Option<StoredSession> {
    session(row).ok().or_else(|| {
        let subject = row.get("subject").unwrap_or_default();
        Some(StoredSession::unreadable(row.get("family").ok()?, subject))
    })
}

/// Sessions that can be refreshed at a time, and those whose dates cannot be read.
const LIVE: &str = "(ended_at IS NULL AND expires_at > ? OR typeof(expires_at) <> 'integer' \
     OR expires_at < 0 OR typeof(ended_at) NOT IN ('null', 'integer') OR ended_at < 0)";

impl SessionStore for SqliteStore {
    fn session(&self, family: &str) -> Result<Option<StoredSession>> {
        self.read(|reader| {
            let mut select =
                reader.prepare_cached("SELECT * FROM session WHERE family = ?").map_err(fault)?;
            select.query_row([family], session).optional().map_err(fault_in(
                "The row of this session (table `session`) cannot be read: it is damaged or was altered from outside.",
            ))
        })
    }

    fn sessions(&self, filter: &SessionFilter) -> Result<Page<StoredSession>> {
        let (mut conditions, mut values) = (Vec::new(), Vec::<Value>::new());
        if let Some(cursor) = &filter.cursor {
            conditions.push("family > ?");
            values.push(cursor.clone().into());
        }
        if let Some(subject) = &filter.subject {
            conditions.push("subject = ?");
            values.push(subject.clone().into());
        }
        if let Some(now) = filter.live_at {
            conditions.push(LIVE);
            values.push(rows::signed(now).map_err(fault)?.into());
        }
        let limit = page_size(filter.limit);
        let sql = format!("SELECT * FROM session{} ORDER BY family", where_all(&conditions));
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            let any =
                |row: &Row<'_>| session_or_unreadable(row).ok_or_else(|| rows::wrong("family"));
            rows::page(found, limit, |row| row.get("family"), any).map_err(fault)
        })
    }

    fn unreadable_sessions(&self, subject: Option<&str>) -> Result<Vec<String>> {
        let sql = match subject {
            Some(_) => "SELECT * FROM session WHERE subject = ?",
            None => "SELECT * FROM session",
        };
        self.read(|reader| {
            let mut select = reader.prepare_cached(sql).map_err(fault)?;
            let mut found = select.query(params_from_iter(subject)).map_err(fault)?;
            let mut unreadable = Vec::new();
            while let Some(row) = found.next().map_err(fault)? {
                if session(row).is_err() {
                    unreadable.extend(row.get::<_, String>("family").ok());
                }
            }
            Ok(unreadable)
        })
    }

    fn write_sessions(&self, write: &SessionWrite) -> Result<()> {
        let ends = !write.end.is_empty()
            || write.update.iter().any(|session| session.record.ended_at.is_some());
        self.transact(Kind::revokes(ends || !write.revocations.is_empty()), |transaction| {
            for new in &write.insert {
                if new.version != 1 {
                    return Err(ErrorKind::StoreConflict.into());
                }
                put(transaction, INSERT, new)?;
            }
            for new in &write.update {
                if put(transaction, UPDATE, new)? != 1 {
                    return Err(ErrorKind::StoreConflict.into());
                }
            }
            for new in &write.end {
                let delete = "DELETE FROM session WHERE family = ?";
                let deleted = transaction
                    .prepare_cached(delete)
                    .and_then(|mut delete| delete.execute([&new.record.family]))
                    .map_err(fault)?;
                if deleted > 0 {
                    put(transaction, INSERT, new)?;
                }
            }
            for event in &write.events {
                let note = || {
                    let sql = "INSERT INTO session_event (at, family, subject, action, detail) \
                               VALUES (?, ?, ?, ?, ?)";
                    let at = rows::signed(event.at)?;
                    let SessionEvent { family, subject, action, detail, .. } = event;
                    transaction
                        .prepare_cached(sql)?
                        .execute(params![at, family, subject, action, detail])
                };
                note().map_err(fault)?;
            }
            revocation::revoke(transaction, &write.revocations)
        })
    }

    fn take_sessions(&self, sessions: &[(StoredSession, u64)]) -> Result<()> {
        self.transact(Kind::Revokes, |transaction| {
            for (session, over) in sessions {
                let delete = "DELETE FROM session WHERE family = ? AND version = ?";
                let over = rows::signed(*over).map_err(fault)?;
                let deleted = transaction
                    .prepare_cached(delete)
                    .and_then(|mut delete| delete.execute(params![session.record.family, over]))
                    .map_err(fault)?;
                if over > 0 && deleted != 1 {
                    return Err(ErrorKind::StoreConflict.into());
                }
                put(transaction, INSERT, session)?;
            }
            Ok(())
        })
    }

    fn session_events(&self, filter: &SessionEventFilter) -> Result<Page<SessionEvent>> {
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let (mut conditions, mut values) = (vec!["seq > ?"], vec![Value::from(after)]);
        for (condition, value) in [("subject = ?", &filter.subject), ("family = ?", &filter.family)]
        {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(value.clone().into());
            }
        }
        let limit = page_size(filter.limit);
        let sql = format!("SELECT * FROM session_event{} ORDER BY seq", where_all(&conditions));
        let event = |row: &Row<'_>| -> rusqlite::Result<SessionEvent> {
            Ok(SessionEvent::new(
                rows::unsigned(row, "seq")?,
                rows::unsigned(row, "at")?,
                row.get("family")?,
                row.get("subject")?,
                row.get("action")?,
                row.get("detail")?,
            ))
        };
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            let seq = |row: &Row<'_>| Ok(rows::unsigned(row, "seq")?.to_string());
            rows::page(found, limit, seq, event).map_err(fault)
        })
    }

    fn purge_sessions(&self, ended: u64, expired: u64) -> Result<u64> {
        let signed = |time| rows::signed(time).map_err(fault);
        let (ended, expired) = (signed(ended)?, signed(expired)?);
        self.transact(Kind::GoesOn, |transaction| {
            let purge = || {
                transaction.execute("DELETE FROM session_event WHERE at < ?", [expired])?;
                const OVER: &str = "DELETE FROM session WHERE expires_at < ? OR ended_at < ?";
                transaction.execute(OVER, [expired, ended])
            };
            purge().map(|count| count as u64).map_err(fault)
        })
    }
}
