//! API keys, their counters and their audit, as rows.

use super::batch::Batch;
use super::feed::{self, EPOCH_BITS, NUMBER, Standing, signed};
use super::rows::{self, Conditions};
use super::transaction::{Access, Transaction};
use super::values::{Row, Value};
use super::wire::Fault;
use super::{PostgresStore, content};
use crate::error::{Error, ErrorKind, Result};
use crate::store::page::page_size;
use crate::store::{
    ApiKeyStore, AuditFilter, AuditRecord, Change, Changes, Credits, KeyFilter, Lease, Loaded,
    Page, StoredKey, Usage, Write,
};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

/// Rows of counters in one transaction, so that no other writer waits long for it.
const USAGE_BATCH: usize = 1000;

impl ApiKeyStore for PostgresStore {
    fn api_key_count(&self) -> Result<u64> {
        self.read(|transaction| {
            let rows = transaction.query("SELECT count(*) AS n FROM @key", &[])?;
            rows.first().ok_or(Fault::Garbled)?.get("n")
        })
    }

    fn load_api_keys(&self, visit: &mut dyn FnMut(Loaded)) -> Result<u64> {
        let (visit, has_begun) = (RefCell::new(visit), Cell::new(false));
        self.pool.read(Access::Load, |transaction| {
            let (standing, epoch) = self.pool.seen.follow(transaction)?;
            if has_begun.replace(true) {
                return Err(Fault::Lost); // half of it was handed out
            }
            transaction.each(rows::SELECT, &[], &mut |row| {
                (*visit.borrow_mut())(loaded(&row)?);
                Ok(())
            })?;
            Ok(standing.audit | epoch << EPOCH_BITS)
        })
    }

    fn api_key_changes(&self, after: u64, limit: usize) -> Result<Changes> {
        if let Some(news) = self.ear.news()
            && let Some(place) = news.after(after, |standing| standing.audit)
            && limit >= news.audit.len()
        {
            let of = |ids: &[String]| {
                let is_one = |row: &&Row| row.get("id").is_ok_and(|id: String| ids.contains(&id));
                Ok(news.keys.iter().filter(is_one).cloned().collect())
            };
            let mut changes =
                gather(news.to.audit, place, limit, &news.audit, of).map_err(super::fault)?;
            changes.seq |= news.epoch() << EPOCH_BITS;
            return Ok(changes);
        }
        self.read(|transaction| {
            let (standing, epoch) = self.pool.seen.follow(transaction)?;
            let mut changes = if after >> EPOCH_BITS == epoch {
                changes(transaction, &standing, after & NUMBER, limit)?
            } else {
                Changes { seq: standing.audit, reload: true, ..Changes::default() }
            };
            changes.seq |= epoch << EPOCH_BITS;
            Ok(changes)
        })
    }

    fn api_key(&self, id: &str) -> Result<Option<StoredKey>> {
        self.read(|transaction| match one(transaction, id)? {
            Some(Loaded::Key(key)) => Ok(Some(*key)),
            Some(_) => Err(DAMAGED.into()),
            None => Ok(None),
        })
    }

    fn write_api_keys(&self, writes: &[Write]) -> Result<u64> {
        if writes.is_empty() {
            return self.read(|transaction| Ok(feed::standing(transaction)?.audit));
        }
        self.change(batch(writes))
    }

    fn api_keys(&self, filter: &KeyFilter) -> Result<Page<Loaded>> {
        let limit = page_size(filter.limit);
        self.read(|transaction| {
            let mut conditions = Conditions::new();
            for (condition, value) in [
                ("k.id > ?", &filter.cursor),
                ("k.owner = ?", &filter.owner),
                ("k.tenant = ?", &filter.tenant),
            ] {
                if let Some(value) = value {
                    conditions.add(condition, value.into());
                }
            }
            let sql = conditions.finish(rows::SELECT, "k.id", limit);
            let found = transaction.query(&sql, &conditions.values)?;
            Ok(rows::page(found, limit, |row| row.get("id"), loaded))
        })
    }

    fn api_key_audit(&self, filter: &AuditFilter) -> Result<Page<AuditRecord>> {
        let after: u64 = filter.cursor.as_ref().map_or(0, |c| c.parse().unwrap_or(u64::MAX));
        let limit = page_size(filter.limit);
        self.read(|transaction| {
            let mut conditions = Conditions::new();
            conditions.add("seq > ?", rows::bounded(after));
            if let Some(id) = &filter.key_id {
                conditions.add("key_id = ?", id.into());
            }
            let sql = conditions.finish("SELECT * FROM @audit", "seq", limit);
            let found = transaction.query(&sql, &conditions.values)?;
            let seq = |row: &Row| Ok(row.get::<u64>("seq")?.to_string());
            Ok(rows::page(found, limit, seq, rows::audit))
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
        self.write(|transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let mut credits = credits.ok_or(ErrorKind::StoreConflict)?;
            let before = credits;
            let lease = credits.lease(need, want, now);
            if credits != before {
                let (sql, values) = set_credits(id, Some(&credits))?;
                transaction.later(sql, &values)?;
            }
            Ok(lease)
        })
    }

    fn return_credits(&self, id: &str, set_in: u64, amount: u64) -> Result<()> {
        self.write(|transaction| {
            let credits = credits(transaction, id)?.filter(|credits| credits.set_in == set_in);
            let Some(mut credits) = credits else { return Ok(()) };
            credits.give_back(amount);
            let (sql, values) = set_credits(id, Some(&credits))?;
            transaction.later(sql, &values).map(drop)
        })
    }

    fn record_usage(&self, batch: &[Usage]) -> Result<()> {
        // In the order of the keys, so that two processes never wait for each other; one key may
        // stand there twice.
        const UPSERT: &str = "INSERT INTO @usage AS own (key_id, last_used_at, uses) \
             SELECT u.id, max(u.at), CAST(sum(u.uses) AS int8) \
             FROM unnest($1, $2, $3) AS u (id, at, uses) \
             WHERE EXISTS (SELECT FROM @key AS k WHERE k.id = u.id COLLATE \"C\") \
             GROUP BY u.id ORDER BY u.id \
             ON CONFLICT (key_id) DO UPDATE SET uses = own.uses + excluded.uses, \
             last_used_at = greatest(own.last_used_at, excluded.last_used_at)";
        for chunk in batch.chunks(USAGE_BATCH) {
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let values = [
                Value::Texts(chunk.iter().map(|usage| usage.id.clone()).collect()),
                Value::Ints(chunk.iter().map(|usage| number(usage.last_used_at)).collect()),
                Value::Ints(chunk.iter().map(|usage| number(usage.uses)).collect()),
            ];
            self.pool.write(Access::Count, |transaction| {
                transaction.guard(&self.pool.seen)?;
                transaction.later(UPSERT, &values).map(drop)
            })?;
        }
        Ok(())
    }
}

const DAMAGED: Error = Error::new(ErrorKind::StoreCorrupt, "The row of this key is damaged.");

/// A key as a row says; one that cannot be read is named by its id.
fn loaded(row: &Row) -> Result<Loaded, Fault> {
    match rows::key(row) {
        Ok(key) => Ok(Loaded::Key(Box::new(key))),
        // What cannot even be read as a name names no key.
        Err(_) => Ok(Loaded::Corrupt(row.get("id").unwrap_or_else(|_| "(unreadable)".to_owned()))),
    }
}

fn one(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Loaded>, Fault> {
    let sql = format!("{} WHERE k.id = $1", rows::SELECT);
    transaction.query(&sql, &[id.into()])?.first().map(loaded).transpose()
}

fn changes(
    transaction: &mut Transaction<'_>,
    standing: &Standing,
    after: u64,
    limit: usize,
) -> Result<Changes, Fault> {
    let found = transaction.query(
        "SELECT a.seq, a.key_id FROM @audit AS a WHERE a.seq > $1 ORDER BY a.seq LIMIT $2",
        &[signed(after)?, i64::try_from(limit).unwrap_or(i64::MAX).into()],
    )?;
    gather(standing.audit, after, limit, &found, |ids| {
        let sql = format!("{} WHERE k.id = ANY ($1)", rows::SELECT);
        transaction.query(&sql, &[Value::Texts(ids.to_vec())])
    })
}

/// The changes after a number, of rows of the audit from there or from before on, and of the rows
/// of these keys.
fn gather(
    last: u64,
    after: u64,
    limit: usize,
    audit: &[Row],
    keys: impl FnOnce(&[String]) -> Result<Vec<Row>, Fault>,
) -> Result<Changes, Fault> {
    let reload = || Ok(Changes { seq: last, reload: true, ..Changes::default() });
    if last < after {
        return reload();
    }
    let mut out = Changes { seq: after, ..Changes::default() };
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    for row in audit {
        // A row that is missing, or cannot be read, was about a key that is not known.
        let (Ok(seq), Ok(id)) = (row.get::<u64>("seq"), row.get::<String>("key_id")) else {
            return reload();
        };
        if seq <= after {
            continue;
        }
        if seq != out.seq + 1 {
            return reload();
        }
        out.seq = seq;
        if seen.insert(id.clone()) {
            ids.push(id);
        }
    }
    if out.seq == after && last > after && limit > 0 {
        return reload();
    }
    let mut there = HashMap::new();
    for row in &keys(&ids)? {
        if let Ok(id) = row.get::<String>("id") {
            there.insert(id, loaded(row)?);
        }
    }
    out.keys = ids.into_iter().map(|id| there.remove(&id).unwrap_or(Loaded::Removed(id))).collect();
    out.more = out.seq < last;
    Ok(out)
}

fn batch(writes: &[Write]) -> Result<Batch, Fault> {
    let said = writes.iter().flat_map(|write| [key_of(write), write.action, &*write.detail]);
    let mut batch = Batch::numbered(&content("key", said), writes.len(), 0)?;
    for write in writes {
        apply(&mut batch, &write.change)?;
    }
    for (back, write) in (0..writes.len()).rev().zip(writes) {
        batch.add(
            "INSERT INTO @audit (seq, at, actor, action, key_id, detail) \
             SELECT f.audit - $1, $2, $3, $4, $5, $6 FROM @feed AS f",
            vec![
                i64::try_from(back).unwrap_or(i64::MAX).into(),
                signed(write.at)?,
                (&write.actor).into(),
                write.action.into(),
                key_of(write).into(),
                (&write.detail).into(),
            ],
        );
    }
    Ok(batch)
}

fn key_of(write: &Write) -> &str {
    match &write.change {
        Change::Insert(key) | Change::Update { key, .. } => &key.record.id,
        Change::Delete { id, .. } => id,
    }
}

fn apply(batch: &mut Batch, change: &Change) -> Result<(), Fault> {
    match change {
        Change::Insert(key) => {
            batch.add(rows::INSERT, rows::values(key)?);
            // No key of this id was there before, nor were credits.
            if let Some(credits) = &key.record.credits {
                let (sql, values) = set_credits(&key.record.id, Some(credits))?;
                batch.add(sql, values);
            }
        }
        Change::Update { key, set_credits: credits_too } => {
            batch.add_one(rows::UPDATE, rows::values(key)?);
            if *credits_too {
                let (sql, values) = set_credits(&key.record.id, key.record.credits.as_ref())?;
                batch.add(sql, values);
            }
        }
        Change::Delete { id, version } => {
            let delete = "DELETE FROM @key WHERE id = $1 AND version = $2";
            batch.add_one(delete, vec![id.into(), signed(*version)?]);
            let (sql, values) = set_credits(id, None)?;
            batch.add(sql, values);
            batch.add("DELETE FROM @usage WHERE key_id = $1", vec![id.into()]);
        }
    }
    Ok(())
}

/// The credits of a key, which no other changes until the transaction ends.
fn credits(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Credits>, Fault> {
    let sql = "SELECT * FROM @credit WHERE key_id = $1 FOR UPDATE";
    let rows = transaction.query(sql, &[id.into()])?;
    rows.first().map(rows::credits).transpose().map(Option::flatten)
}

/// The statement that sets the credits of a key, or takes them away.
fn set_credits(id: &str, credits: Option<&Credits>) -> Result<(&'static str, Vec<Value>), Fault> {
    let Some(credits) = credits else {
        return Ok(("DELETE FROM @credit WHERE key_id = $1", vec![id.into()]));
    };
    let values = vec![
        id.into(),
        signed(credits.remaining)?,
        signed(credits.limit)?,
        signed(credits.refill)?,
        credits.every.into(),
        signed(credits.refilled_at)?,
        signed(credits.set_in)?,
    ];
    const PUT: &str = "INSERT INTO @credit (key_id, remaining, most, refill, every, refilled_at, set_in) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key_id) DO UPDATE SET \
         remaining = excluded.remaining, most = excluded.most, refill = excluded.refill, \
         every = excluded.every, refilled_at = excluded.refilled_at, set_in = excluded.set_in";
    Ok((PUT, values))
}
