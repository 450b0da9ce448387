//! Key rings, as rows.

use super::{FILE_BITS, Kind, SqliteStore, fault, fault_in, rows};
use crate::base::hex;
use crate::error::{ErrorKind, Result};
use crate::store::{KeyRingStore, StoredRing};
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Row, params};

const RING: &str = "The row of this key ring (table `key_ring`) cannot be read: it is damaged or was altered from outside; \
     restore the store from a backup.";

impl KeyRingStore for SqliteStore {
    fn key_ring(&self, name: &str) -> Result<Option<StoredRing>> {
        self.read_newest(|reader, _| {
            let mut select =
                reader.prepare_cached("SELECT * FROM key_ring WHERE name = ?").map_err(fault)?;
            let ring = |row: &Row<'_>| {
                Ok(StoredRing {
                    name: row.get("name")?,
                    version: rows::unsigned(row, "version")?,
                    pepper: row.get("pepper")?,
                    text: row.get("text")?,
                })
            };
            select.query_row([name], ring).optional().map_err(fault_in(RING))
        })
    }

    fn key_ring_version(&self, name: &str) -> Result<u64> {
        self.read_newest(|reader, opened| {
            let mut select = reader
                .prepare_cached("SELECT version FROM key_ring WHERE name = ?")
                .map_err(fault)?;
            let version = select.query_row([name], |row| match rows::unsigned(row, "version")? {
                0 => Err(rows::wrong("version")), // which is that of a ring that is not there
                version => Ok(version),
            });
            let version = version.optional().map_err(fault_in(RING))?;
            let file = self.0.epoch(opened, reader)? << FILE_BITS;
            Ok(version.map_or(0, |version| version | file))
        })
    }

    fn key_ring_names(&self) -> Result<Vec<String>> {
        self.read(|reader| {
            let mut select =
                reader.prepare("SELECT name FROM key_ring ORDER BY name").map_err(fault)?;
            let names = select.query_map([], |row| row.get_ref(0).map(name_of)).map_err(fault)?;
            names.collect::<rusqlite::Result<_>>().map_err(fault)
        })
    }

    fn take_key_ring(&self, ring: &StoredRing, over: u64) -> Result<()> {
        self.transact(Kind::Revokes, |transaction| {
            let take = || {
                if over > 0 {
                    let values = params![ring.name, rows::signed(over)?];
                    let delete = "DELETE FROM key_ring WHERE name = ? AND version = ?";
                    if transaction.execute(delete, values)? != 1 {
                        return Ok(0);
                    }
                }
                transaction.execute(
                    "INSERT INTO key_ring (name, version, pepper, text) VALUES (?, ?, ?, ?)",
                    params![ring.name, rows::signed(ring.version)?, ring.pepper, ring.text],
                )
            };
            if take().map_err(fault)? == 1 { Ok(()) } else { Err(ErrorKind::StoreConflict.into()) }
        })
    }

    fn put_key_ring(&self, ring: &StoredRing) -> Result<()> {
        self.transact(Kind::Revokes, |transaction| {
            let put = || {
                let version = rows::signed(ring.version)?;
                let values = params![ring.name, version, ring.pepper, ring.text];
                if ring.version == 1 {
                    return transaction.execute(
                        "INSERT INTO key_ring (name, version, pepper, text) VALUES (?, ?, ?, ?)",
                        values,
                    );
                }
                transaction.execute(
                    "UPDATE key_ring SET version = ?2, pepper = ?3, text = ?4 \
                     WHERE name = ?1 AND version = ?2 - 1",
                    values,
                )
            };
            if put().map_err(fault)? == 1 { Ok(()) } else { Err(ErrorKind::StoreConflict.into()) }
        })
    }
}

/// The name of a ring or, of a row that no program can have made, what stands in its place: no
/// name.
fn name_of(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("x'{}'", hex::encode(bytes)),
        ValueRef::Integer(number) => format!("'{number}'"),
        other => format!("({})", other.data_type()),
    }
}
