//! API keys, their counters and their audit, as rows.

use super::mark::Marked;
use super::{FILE_BITS, Kind, SqliteStore, fault, in_transaction, rows, where_all};
use crate::error::{Error, ErrorKind, Result};
use crate::store::page::page_size;
use crate::store::{
    ApiKeyStore, AuditFilter, AuditRecord, Change, Changes, Credits, KeyFilter, Lease, Loaded,
    Page, StoredKey, Usage, Write,
};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params, params_from_iter};
use std::collections::HashSet;

/// Rows of counters in one transaction, so that no other writer waits long for it.
const USAGE_BATCH: usize = 250;

impl ApiKeyStore for SqliteStore {
    fn api_key_count(&self) -> Result<u64> {
        self.read(|reader| {
            let count =
                reader.query_row("SELECT count(*) FROM key", [], |row| row.get::<_, i64>(0));
            Ok(u64::try_from(count.map_err(fault)?).unwrap_or(0))
        })
    }

    fn load_api_keys(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64> {
        self.read_file(|reader, opened, mark| {
            mark.check(reader)?;
            // One transaction, so that the number belongs to what was read.
            let snapshot = reader.transaction().map_err(fault)?;
            let seq = last_seq(&snapshot)? | self.0.epoch(opened, &snapshot)? << FILE_BITS;
            {
                let mut select = snapshot.prepare_cached(rows::SELECT).map_err(fault)?;
                let mut found = select.query([]).map_err(fault)?;
                while let Some(row) = found.next().map_err(fault)? {
                    visit(loaded(row).map_err(fault)?);
                }
            }
            Ok(seq)
        })
    }

    fn api_key_changes(&self, after: u64, limit: usize) -> Result<Changes> {
        self.follow(after, |snapshot, after| changes(snapshot, after, limit))
    }

    fn api_key(&self, id: &str) -> Result<Option<StoredKey>> {
        self.read(|reader| match one(reader, id)? {
            Some(Loaded::Key(key)) => Ok(Some(*key)),
            Some(_) => Err(Error::new(ErrorKind::StoreCorrupt, "The row of this key is damaged.")),
            None => Ok(None),
        })
    }

    fn write_api_keys(&self, writes: &[Write]) -> Result<u64> {
        // Whatever changes a key may narrow it; a key that is put under another pepper stays what
        // it is.
        let revokes = |write: &Write| match write.change {
            Change::Insert(_) => false,
            Change::Update { .. } => write.action != "pepper.upgrade",
            Change::Delete { .. } => true,
        };
        self.transact(Kind::revokes(writes.iter().any(revokes)), |transaction| {
            for write in writes {
                let id = apply(transaction, &write.change)?;
                transaction
                    .prepare_cached(
                        "INSERT INTO audit (at, actor, action, key_id, detail) VALUES (?, ?, ?, ?, ?)",
                    )
                    .and_then(|mut insert| {
                        let at = rows::signed(write.at)?;
                        insert.execute(params![at, write.actor, write.action, id, write.detail])
                    })
                    .map_err(fault)?;
            }
            last_seq(transaction)
        })
    }

    fn api_keys(&self, filter: &KeyFilter) -> Result<Page<Loaded>> {
        let mut conditions = Vec::new();
        let mut values: rows::Values = Vec::new();
        for (condition, value) in [
            ("id > ?", &filter.cursor),
            ("owner = ?", &filter.owner),
            ("tenant = ?", &filter.tenant),
        ] {
            if let Some(value) = value {
                conditions.push(condition);
                values.push(Box::new(value.clone()));
            }
        }
        let limit = page_size(filter.limit);
        let sql = format!("{}{} ORDER BY id", rows::SELECT, where_all(&conditions));
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            rows::page(found, limit, |row| row.get("id"), loaded).map_err(fault)
        })
    }

    fn api_key_audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut conditions = vec!["seq > ?"];
        let mut values: rows::Values = vec![Box::new(after)];
        if let Some(id) = &filter.key_id {
            conditions.push("key_id = ?");
            values.push(Box::new(id.clone()));
        }
        let limit = page_size(filter.limit);
        let sql = format!("SELECT * FROM audit{} ORDER BY seq", where_all(&conditions));
        self.read(|reader| {
            let mut select = reader.prepare_cached(&sql).map_err(fault)?;
            let found = select.query(params_from_iter(values)).map_err(fault)?;
            let seq = |row: &rusqlite::Row<'_>| Ok(rows::unsigned(row, "seq")?.to_string());
            rows::page(found, limit, seq, rows::audit).map_err(fault)
        })
    }

    fn lease_credits(
        &self,
        id: &str,
        set_in: u64,
        need: u64,
        want: u64,
        now: u64,
    ) -> Result<Lease> {
        self.transact(Kind::GoesOn, |transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let mut credits = credits.ok_or(ErrorKind::StoreConflict)?;
            let before = credits;
            let lease = credits.lease(need, want, now);
            if credits != before {
                set_credits(transaction, id, Some(&credits))?;
            }
            Ok(lease)
        })
    }

    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()> {
        self.transact(Kind::GoesOn, |transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let Some(mut credits) = credits else { return Ok(()) };
            credits.give_back(amount);
            set_credits(transaction, id, Some(&credits))
        })
    }

    fn record_usage(&self, batch: &[Usage]) -> Result<()> {
        const UPSERT: &str = "INSERT INTO usage (key_id, last_used_at, uses) \
             SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM key WHERE id = ?1) \
             ON CONFLICT (key_id) DO UPDATE SET uses = uses + excluded.uses, \
             last_used_at = max(last_used_at, excluded.last_used_at)";
        for chunk in batch.chunks(USAGE_BATCH) {
            let count = |connection: &mut Connection, _: &Marked| {
                // What a power cut takes of it is made up for by the next use.
                connection.pragma_update(None, "synchronous", "NORMAL").map_err(fault)?;
                let done = in_transaction(connection, |transaction| {
                    let mut upsert = transaction.prepare_cached(UPSERT).map_err(fault)?;
                    for usage in chunk {
                        let mut put = || {
                            let last = rows::signed(usage.last_used_at)?;
                            upsert.execute(params![usage.id, last, rows::signed(usage.uses)?])
                        };
                        put().map_err(fault)?;
                    }
                    Ok(())
                });
                connection.pragma_update(None, "synchronous", "FULL").map_err(fault)?;
                done
            };
            self.0.writing(count, |(), _| Ok(()))?;
        }
        Ok(())
    }
}

fn last_seq(connection: &Connection) -> Result<u64> {
    let last: Option<i64> =
        connection.query_row("SELECT max(seq) FROM audit", [], |row| row.get(0)).map_err(fault)?;
    Ok(last.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
}

/// A key as a row says; one that cannot be read is named by its id.
fn loaded(row: &rusqlite::Row<'_>) -> rusqlite::Result<Loaded> {
    match rows::key(row) {
        Ok(key) => Ok(Loaded::Key(Box::new(key))),
        Err(_) => Ok(Loaded::Corrupt(rows::name(row, "id")?)),
    }
}

fn one(connection: &Connection, id: &str) -> Result<Option<Loaded>> {
    let sql = format!("{} WHERE id = ?", rows::SELECT);
    let mut select = connection.prepare_cached(&sql).map_err(fault)?;
    let mut found = select.query([id]).map_err(fault)?;
    found.next().map_err(fault)?.map(loaded).transpose().map_err(fault)
}

fn changes(snapshot: &Transaction<'_>, after: u64, limit: usize) -> Result<Changes> {
    let after_signed = i64::try_from(after).unwrap_or(i64::MAX);
    let last = last_seq(snapshot)?;
    if last < after {
        // Another file under the same name, or one from a backup.
        return Ok(Changes { seq: last, reload: true, ..Changes::default() });
    }
    let mut select = snapshot
        .prepare_cached("SELECT seq, key_id FROM audit WHERE seq > ? ORDER BY seq LIMIT ?")
        .map_err(fault)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found = select
        .query_map(params![after_signed, limit], |row| {
            Ok((rows::unsigned(row, "seq")?, row.get::<_, String>("key_id").ok()))
        })
        .map_err(fault)?;
    let mut out = Changes { seq: after, ..Changes::default() };
    let mut seen = HashSet::new();
    for row in found {
        let (seq, id) = row.map_err(fault)?;
        let Some(id) = id else {
            // Of which key is not known: all are read again.
            return Ok(Changes { seq: last, reload: true, ..Changes::default() });
        };
        out.seq = seq;
        if !seen.contains(&id) {
            out.keys.push(one(snapshot, &id)?.unwrap_or_else(|| Loaded::Removed(id.clone())));
            seen.insert(id);
        }
    }
    out.more = out.seq < last;
    Ok(out)
}

/// Does the change; the id of its key.
fn apply<'a>(transaction: &Transaction<'_>, change: &'a Change) -> Result<&'a str> {
    let conflict = || Err(Error::from(ErrorKind::StoreConflict));
    match change {
        Change::Insert(key) => {
            let mut insert = transaction.prepare_cached(rows::INSERT).map_err(fault)?;
            rows::put(&mut insert, key).map_err(fault)?;
            set_credits(transaction, &key.record.id, key.record.credits.as_ref())?;
            Ok(&key.record.id)
        }
        Change::Update { key, set_credits: credits_too } => {
            let mut update = transaction.prepare_cached(rows::UPDATE).map_err(fault)?;
            if rows::put(&mut update, key).map_err(fault)? != 1 {
                return conflict();
            }
            if *credits_too {
                set_credits(transaction, &key.record.id, key.record.credits.as_ref())?;
            }
            Ok(&key.record.id)
        }
        Change::Delete { id, version } => {
            let version = rows::signed(*version).map_err(fault)?;
            let deleted = transaction
                .execute("DELETE FROM key WHERE id = ? AND version = ?", params![id, version])
                .map_err(fault)?;
            if deleted != 1 {
                return conflict();
            }
            set_credits(transaction, id, None)?;
            transaction.execute("DELETE FROM usage WHERE key_id = ?", [id]).map_err(fault)?;
            Ok(id)
        }
    }
}

fn credits(transaction: &Transaction<'_>, id: &str) -> Result<Option<Credits>> {
    let mut select =
        transaction.prepare_cached("SELECT * FROM credit WHERE key_id = ?").map_err(fault)?;
    select.query_row([id], rows::credits).optional().map(Option::flatten).map_err(fault)
}

fn set_credits(transaction: &Transaction<'_>, id: &str, credits: Option<&Credits>) -> Result<()> {
    let done = match credits {
        None => transaction.execute("DELETE FROM credit WHERE key_id = ?", [id]),
        Some(credits) => {
            let values = || {
                Ok::<_, rusqlite::Error>([
                    rows::signed(credits.remaining)?,
                    rows::signed(credits.limit)?,
                    rows::signed(credits.refill)?,
                    i64::from(credits.every),
                    rows::signed(credits.refilled_at)?,
                    rows::signed(credits.set_in)?,
                ])
            };
            let [remaining, most, refill, every, refilled_at, set_in] = values().map_err(fault)?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO credit VALUES (?, ?, ?, ?, ?, ?, ?)")
                .and_then(|mut put| {
                    put.execute(params![id, remaining, most, refill, every, refilled_at, set_in])
                })
        }
    };
    done.map_err(fault).map(drop)
}
