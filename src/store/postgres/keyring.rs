//! Key rings, as rows.

use super::batch::Batch;
use super::feed::{EPOCH_BITS, signed};
use super::values::{Row, Value};
use super::wire::Fault;
use super::{PostgresStore, content};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Fed, KeyRingStore, StoredRing};
use std::sync::Weak;

const RING: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The row of this key ring (table `key_ring`) cannot be read: it is damaged or was altered from outside; \
     restore the store from a backup.",
);

impl KeyRingStore for PostgresStore {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        self.read(|transaction| {
            self.pool.seen.follow(transaction)?;
            let sql = "SELECT * FROM @key_ring WHERE name = $1";
            let rows = transaction.query(sql, &[name.into()])?;
            let ring = |row: &Row| {
                Ok::<_, Fault>(StoredRing {
                    name: row.get("name")?,
                    version: row.get("version")?,
                    pepper: row.get("pepper")?,
                    text: row.get("text")?,
                })
            };
            Ok(rows.first().map(ring).transpose().map_err(|_| RING)?)
        })
    }

    fn key_ring_version(&self, name: &str) -> Result<u64> {
        if let Some(news) = self.ear.news()
            && let Some(version) = news.rings.get(name)
        {
            return Ok(*version);
        }
        self.ear.ring(name, || {
            self.read(|transaction| {
                let (_, epoch) = self.pool.seen.follow(transaction)?;
                let sql = "SELECT version FROM @key_ring WHERE name = $1";
                let rows = transaction.query(sql, &[name.into()])?;
                match rows.first().map(|row| row.get::<u64>("version")) {
                    None => Ok(0),
                    Some(Ok(version)) if version > 0 => Ok(version | epoch << EPOCH_BITS),
                    Some(_) => Err(RING.into()),
                }
            })
        })
    }

    fn key_ring_version_now(&self, name: &str) -> Result<u64> {
        self.ear.ask()?;
        self.key_ring_version(name)
    }

    fn keep_ring_fed(&self, fed: Weak<dyn Fed>) {
        self.ear.keep_fed(fed);
    }

    fn hears(&self) -> Result<()> {
        self.ear.stamp().map(drop)
    }

    fn key_ring_names(&self) -> Result<Vec<String>> {
        self.read(|transaction| {
            let rows = transaction.query("SELECT name FROM @key_ring ORDER BY name", &[])?;
            let name = |row: &Row| row.get("name").unwrap_or_else(|_| "(unreadable)".to_owned());
            Ok(rows.iter().map(name).collect())
        })
    }

    fn take_key_ring(&self, ring: &StoredRing, over: u64) -> Result<()> {
        self.change(take(ring, over)).map(drop)
    }

    fn put_key_ring(&self, ring: &StoredRing) -> Result<()> {
        self.change(put(ring)).map(drop)
    }
}

fn take(ring: &StoredRing, over: u64) -> Result<Batch, Fault> {
    let version = ring.version.to_string();
    let mut batch = Batch::numbered(&content("ring", [&*ring.name, &version]), 0, 0)?;
    if over > 0 {
        let delete = "DELETE FROM @key_ring WHERE name = $1 AND version = $2";
        batch.add_one(delete, vec![(&ring.name).into(), signed(over)?]);
    }
    batch.add(
        "INSERT INTO @key_ring (name, version, pepper, text) VALUES ($1, $2, $3, $4)",
        vec![
            (&ring.name).into(),
            signed(ring.version)?,
            ring.pepper.into(),
            Value::from(&ring.text[..]),
        ],
    );
    Ok(batch)
}

fn put(ring: &StoredRing) -> Result<Batch, Fault> {
    let version = ring.version.to_string();
    let mut batch = Batch::numbered(&content("ring", [&*ring.name, &version]), 0, 0)?;
    let values = vec![
        (&ring.name).into(),
        signed(ring.version)?,
        ring.pepper.into(),
        Value::from(&ring.text[..]),
    ];
    if ring.version == 1 {
        batch.add(
            "INSERT INTO @key_ring (name, version, pepper, text) VALUES ($1, $2, $3, $4)",
            values,
        );
    } else {
        batch.add_one(
            "UPDATE @key_ring SET version = $2, pepper = $3, text = $4 \
             WHERE name = $1 AND version = $2 - 1",
            values,
        );
    }
    Ok(batch)
}
