//! API keys, sessions, revocations and key rings in PostgreSQL, which the processes of several
//! machines share. Its tables are those of the SQLite store, in a schema of their own; the audit
//! and the numbers of revocations are the change feed.
//!
//! Refused: a server that is a standby, or that was the primary before another one that was seen;
//! tables of a newer version; a database of another encoding than UTF-8.

mod apikey;
mod batch;
mod connect;
mod examine;
mod feed;
mod health;
mod keyring;
mod listen;
mod news;
mod pool;
mod revocation;
mod rows;
mod schema;
mod session;
mod tls;
mod transaction;
mod values;
mod wire;

use self::batch::Batch;
use self::listen::Ear;
use self::pool::Pool;
use self::transaction::{Access, Transaction};
use self::values::Row;
use self::wire::Fault;
use super::{Backend, CLOSED, Fed, PepperCheck, PostgresUrl, StoreHealth};
use crate::error::{Error, ErrorKind, Result};
use std::sync::{Arc, Weak};

/// A store in PostgreSQL.
pub struct PostgresStore {
    pool: Arc<Pool>,
    ear: Ear,
    about: health::Known,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PostgresStore({})", self.pool.url())
    }
}

impl PostgresStore {
    /// Connects, and makes the tables if they are not there.
    ///
    /// # Errors
    /// `StoreUnavailable`: the server cannot be reached or lets no one in; the message says what to
    /// do. `StoreReadOnly`: the tables are missing or of an older version, and this user may not
    /// make them. `StoreCorrupt`: they are not ours, or of a newer version.
    /// `InvalidConfiguration`: the file of `sslrootcert` holds no certificate.
    pub fn open(url: &PostgresUrl) -> Result<Self> {
        let store = Self::new(url);
        store.pool.check_durability()?;
        store.pool.prepare()?;
        Ok(store)
    }

    /// Connects to a store that another process has made, and changes no table of it.
    ///
    /// # Errors
    /// As [`Self::open`]. `StoreUnavailable`: its tables are not there, or of an older version.
    pub fn open_there(url: &PostgresUrl) -> Result<Self> {
        let store = Self::new(url);
        store.pool.check_durability()?;
        if store.pool.is_prepared()? { Ok(store) } else { Err(NOT_THERE) }
    }

    /// Whether changes are as durable as the URL says, as of about a second ago: with
    /// `durability=replica`, that PostgreSQL waits for a standby.
    ///
    /// # Errors
    /// `StoreUnavailable`: it does not, and no change is accepted until it does; or it is silent.
    pub fn check_durability(&self) -> Result<()> {
        if self.pool.is_replicated() {
            self.ear.stamp()?;
        }
        self.pool.durability()
    }

    /// The version of its tables, none if there are none, and the newest; nothing is changed.
    pub(crate) fn tables(url: &PostgresUrl) -> Result<(Option<u64>, u64)> {
        let store = Self::new(url);
        let version = store.pool.read(Access::Read, schema::version)?;
        Ok((version.map(|version| version as u64), schema::NEWEST as u64))
    }

    fn new(url: &PostgresUrl) -> Self {
        let pool = Arc::new(Pool::new(url));
        Self { ear: Ear::new(&pool), about: health::Known::default(), pool }
    }

    fn read<T>(&self, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> Result<T> {
        self.pool.read(Access::Read, work)
    }

    /// Changes something, on a server that has not been overtaken.
    fn write<T>(&self, work: impl Fn(&mut Transaction<'_>) -> Result<T, Fault>) -> Result<T> {
        let written = self.pool.write(Access::Write, |transaction| {
            transaction.guard(&self.pool.seen)?;
            work(transaction)
        });
        written.map(|(done, _)| done)
    }

    /// Makes a change, alone or together with those that others make at this moment. The last
    /// number of the audit, if it took one.
    fn change(&self, batch: Result<Batch, Fault>) -> Result<u64> {
        let batch = batch.map_err(fault)?;
        let taken = batch.taken();
        let rows = self.pool.change(batch)?;
        let Some(at) = taken else { return Ok(0) };
        let row = rows.get(at).and_then(|rows| rows.first()).ok_or(GARBLED)?;
        self.ear.changed(row.get("number").map_err(fault)?);
        row.get("audit").map_err(fault)
    }
}

/// Nothing of it runs on when the library is unloaded.
impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.pool.close();
        self.ear.stop();
    }
}

impl Backend for PostgresStore {
    fn history(&self) -> Result<u64> {
        if let Some(news) = self.ear.news() {
            return Ok(feed::number_of(&news.to.id));
        }
        self.read(|transaction| {
            let (standing, _) = self.pool.seen.follow(transaction)?;
            Ok(feed::number_of(&standing.id))
        })
    }

    fn server(&self) -> u64 {
        self.pool.seen.server()
    }

    fn stamp(&self) -> Result<u64> {
        if self.pool.is_closed() {
            return Err(CLOSED);
        }
        self.ear.stamp()
    }

    fn stamp_now(&self) -> Result<u64> {
        self.ear.ask()
    }

    fn health(&self) -> StoreHealth {
        self.look()
    }

    fn keep_fed(&self, fed: Weak<dyn Fed>) {
        self.ear.keep_fed(fed);
    }

    fn pepper_checks(&self) -> Result<Vec<PepperCheck>> {
        self.read(|transaction| {
            let rows = transaction.query("SELECT * FROM @pepper ORDER BY pepper", &[])?;
            let check = |row: &Row| {
                // No pepper has a number that cannot be read.
                row.get("pepper").ok().map(|pepper| PepperCheck {
                    pepper,
                    check: row.get("fingerprint").unwrap_or_default(),
                    since: row.get("since").unwrap_or_default(),
                })
            };
            Ok(rows.iter().filter_map(check).collect())
        })
    }

    fn add_pepper_check(&self, check: &PepperCheck) -> Result<()> {
        self.write(|transaction| {
            let values =
                [check.pepper.into(), (&check.check[..]).into(), feed::signed(check.since)?];
            let insert = "INSERT INTO @pepper (pepper, fingerprint, since) VALUES ($1, $2, $3) \
                          ON CONFLICT DO NOTHING";
            transaction.later(insert, &values).map(drop)
        })
    }

    fn bytes(&self) -> Result<Option<u64>> {
        self.read(|transaction| {
            let rows = transaction.query(
                "SELECT CAST(sum(pg_catalog.pg_total_relation_size(c.oid)) AS int8) AS bytes \
                 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_class AS own \
                 ON own.relnamespace = c.relnamespace AND own.oid = (SELECT f.tableoid FROM @feed AS f) \
                 WHERE c.relkind = 'r'",
                &[],
            )?;
            rows.first().ok_or(Fault::Garbled)?.get("bytes").map(Some)
        })
    }

    fn check_feed(&self) -> Result<()> {
        self.pool.read(Access::Load, feed::check)
    }

    fn close(&self) -> Result<()> {
        self.pool.close();
        self.ear.stop();
        Ok(())
    }
}

/// What was changed, as it goes into the chain: nothing of it is another list.
fn content<'a>(kind: &'a str, words: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    for word in std::iter::once(kind).chain(words) {
        out.extend(u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(word.as_bytes());
    }
    out
}

/// What went wrong, as what it means to the caller; nothing of the server's own words.
#[cold]
fn fault(fault: Fault) -> Error {
    let code = match fault {
        Fault::Ours(error) | Fault::Elsewhere(error) => return error,
        Fault::Lost | Fault::Unheard => return LOST,
        Fault::Silent => return connect::SILENT,
        Fault::Garbled => return GARBLED,
        Fault::Cell(column) => return UNREADABLE.about_claim(column),
        Fault::Refused(code) => code,
    };
    match &code {
        // It is there already; it is not as it was (see `Batch::add_one`).
        b"23505" | b"22012" => ErrorKind::StoreConflict.into(),
        b"40001" | b"40P01" | b"55P03" => HELD,
        b"57014" => SLOW,
        b"25006" => READ_ONLY,
        b"42501" => NO_RIGHT,
        b"53100" | b"54000" => FULL,
        b"42P01" | b"42703" | b"3F000" | b"42804" => MISSING,
        // Another process makes the tables.
        b"42P06" | b"42P07" | b"42710" => ErrorKind::StoreConflict.into(),
        [b'X', b'X', b'0', b'0', b'1' | b'2'] => DAMAGED,
        [b'2', b'2' | b'3', ..] => REFUSED,
        _ => FAILED,
    }
}

macro_rules! sentences {
    ($($name:ident: $kind:ident = $message:literal;)*) => {
        $(const $name: Error = Error::new(ErrorKind::$kind, $message);)*
        #[cfg(test)]
        const SENTENCES: &[Error] = &[$($name),*];
    };
}

sentences! {
    LOST: StoreUnavailable = "The connection to PostgreSQL was lost; it is made again at the next use.";
    GARBLED: StoreUnavailable = "PostgreSQL's answer is not what was asked for; see what stands between, and the server's version (14 or later).";
    UNREADABLE: StoreCorrupt = "A row of the store holds what it should not.";
    HELD: StoreUnavailable = "Another session of PostgreSQL holds what this change needs for too long (pg_stat_activity says which); try again.";
    SLOW: StoreUnavailable = "PostgreSQL took longer for a statement than it may (a few seconds), or was told to stop it; see its load, and try again.";
    NOT_THERE: StoreUnavailable = "There is no store in this schema, or one of an older version, and none was to be made (`create`); look at the URL (schema=NAME), or run `gatekey store migrate`.";
    READ_ONLY: StoreReadOnly = "PostgreSQL takes no changes here; see default_transaction_read_only, and that it is no standby.";
    NO_RIGHT: StoreReadOnly = "The user of the store's URL may not do this; docs/many-machines.md lists the rights that each role needs.";
    FULL: StoreFull = "The disk of PostgreSQL is full; make room and try again.";
    MISSING: StoreCorrupt = "A table of the store, or a column of one, is missing; restore it from a backup.";
    DAMAGED: StoreCorrupt = "PostgreSQL says that the data of the store is damaged; restore it from a backup.";
    REFUSED: StoreCorrupt = "PostgreSQL refuses a value: the tables were changed from outside, or a counter is at its end.";
    FAILED: StoreUnavailable = "PostgreSQL could not do this; its log says why.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_short() {
        for error in SENTENCES {
            assert!(error.message().len() <= Error::MAX_MESSAGE, "{error}");
        }
    }

    #[test]
    fn every_code_has_its_meaning() {
        for (code, kind) in [
            (b"23505", ErrorKind::StoreConflict),
            (b"22012", ErrorKind::StoreConflict),
            (b"55P03", ErrorKind::StoreUnavailable),
            (b"42501", ErrorKind::StoreReadOnly),
            (b"25006", ErrorKind::StoreReadOnly),
            (b"53100", ErrorKind::StoreFull),
            (b"42P01", ErrorKind::StoreCorrupt),
            (b"XX001", ErrorKind::StoreCorrupt),
            (b"ZZ999", ErrorKind::StoreUnavailable),
        ] {
            assert_eq!(fault(Fault::Refused(*code)).kind(), kind);
        }
    }

    #[test]
    fn lists_of_words_are_told_apart() {
        assert_ne!(content("a", ["bc", ""]), content("a", ["b", "c"]));
        assert_ne!(content("a", ["b"]), content("ab", []));
    }
}
