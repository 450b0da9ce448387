//! Where the store stands, and whether it is still the one that was followed.
//!
//! Each change that others must hear of takes a number under the lock of the one row of the table
//! `feed`, so that the order of numbers is the order of commits. The lock is a row's and not an
//! advisory one, which any role of the database may hold. Each number is a link of a chain: its
//! hash is over the hash before, the number and what was changed. Position = (system identifier,
//! timeline, number, hash). Anything but a continuation of the chain by links that fit - a promoted
//! standby, a restored backup, a copy, a gap - is another feed: its followers load everything
//! again.

use super::batch::Batch;
use super::transaction::Transaction;
use super::values::{Row, Value};
use super::wire::Fault;
use crate::base::process::brief;
use crate::base::random::SecureRandom as _;
use crate::crypto::hash::sha256;
use crate::crypto::random::SystemRandom;
use crate::error::{Error, ErrorKind};
use std::sync::Mutex;

/// The numbers of a feed are below this bit, and how many other feeds there were before above it.
pub(super) const EPOCH_BITS: u32 = 48;
pub(super) const NUMBER: u64 = (1 << EPOCH_BITS) - 1;

/// Links that are read at once.
const LINKS: usize = 1000;

/// Which server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// Made with the cluster, the same in its copies.
    pub(super) system: i64,
    /// One more after each promotion of a standby and each recovery of a backup.
    pub(super) timeline: u32,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) server: Server,
    /// The name of the store.
    pub(super) id: [u8; 16],
    /// The table itself: a dump that was read in again has another.
    place: i64,
    pub(super) number: u64,
    hash: [u8; 32],
    /// The number of the last row of the audit.
    pub(super) audit: u64,
    /// The number of what was revoked last.
    pub(super) revocation: u64,
}

impl Standing {
    /// What tells this feed of revocations from others, and from itself before numbers could come
    /// again.
    pub(super) fn feed(&self) -> u64 {
        let mut text = self.id.to_vec();
        text.extend(self.server.system.to_be_bytes());
        text.extend(self.server.timeline.to_be_bytes());
        text.extend(self.place.to_be_bytes());
        number_of(&sha256(&text))
    }
}

/// The beginning of it as a number that is not 0.
pub(super) fn number_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(1, |start| u64::from_be_bytes(*start) | 1)
}

/// The system's name and, not from the last checkpoint but from where the log is written now, its
/// timeline: right from the first moment after a promotion.
const SERVER: &str = "(SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c) AS system, \
     pg_catalog.pg_is_in_recovery() AS recovering, CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL \
     ELSE pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) END AS segment";

/// A statement that fails on a server that was overtaken by another which this process has seen, on
/// tables of a newer version, where a setting of the transaction does not hold (`durable` is that
/// of `synchronous_commit`), and, if it `waits` for a standby, where none is named.
pub(super) fn guard(seen: &Seen, durable: &str, waits: bool) -> (String, [Value; 3]) {
    const NOW: &str = "SELECT (SELECT c.system_identifier FROM pg_catalog.pg_control_system() AS c) AS system, \
         CAST(CAST('x' || pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8) \
         AS bit(32)) AS int8) AS timeline";
    let sql = format!(
        "SELECT pg_catalog.sqrt(CAST(CASE WHEN (SELECT s.version FROM @store AS s) <= $1 \
         AND NOT EXISTS (SELECT FROM unnest($2, $3) AS k (system, timeline) \
         WHERE k.system = n.system AND k.timeline > n.timeline) \
         AND pg_catalog.current_setting('search_path') = 'pg_catalog, pg_temp' \
         AND pg_catalog.current_setting('standard_conforming_strings') = 'on' \
         AND pg_catalog.current_setting('client_encoding') = 'UTF8' \
         AND pg_catalog.current_setting('synchronous_commit') = '{durable}' \
         AND (NOT {waits} OR pg_catalog.btrim(pg_catalog.current_setting('synchronous_standby_names')) <> '') \
         THEN 1 ELSE -1 END AS float8)) FROM ({NOW}) AS n"
    );
    let highest = brief(&seen.0).highest.clone();
    let newest = i64::try_from(super::schema::NEWEST).unwrap_or(i64::MAX);
    let values = [
        newest.into(),
        Value::Ints(highest.iter().map(|server| server.system).collect()),
        Value::Ints(highest.iter().map(|server| server.timeline.into()).collect()),
    ];
    (sql, values)
}

/// Asks which server it is; one that is a standby is refused.
pub(super) fn server(transaction: &mut Transaction<'_>) -> Result<Server, Fault> {
    let rows = transaction.query(&format!("SELECT {SERVER}"), &[])?;
    read_server(rows.first().ok_or(Fault::Garbled)?)
}

fn read_server(row: &Row) -> Result<Server, Fault> {
    if row.get("recovering")? {
        return Err(Fault::Elsewhere(STANDBY));
    }
    let segment: String = row.get("segment")?;
    let timeline = segment.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    Ok(Server { system: row.get("system")?, timeline: timeline.ok_or(Fault::Garbled)? })
}

/// Where the store stands; refuses one of a newer version.
pub(super) fn standing(transaction: &mut Transaction<'_>) -> Result<Standing, Fault> {
    let rows = transaction.query(&standing_sql(), &[])?;
    read_standing(&rows)
}

fn standing_sql() -> String {
    format!(
        "SELECT s.version, s.id, CAST(s.tableoid AS pg_catalog.int8) AS place, f.number, f.hash, f.audit, \
         f.revocation, {SERVER} FROM @store AS s CROSS JOIN @feed AS f"
    )
}

fn read_standing(rows: &[Row]) -> Result<Standing, Fault> {
    let [row] = rows else { return Err(UNCLEAR.into()) };
    super::schema::check_version(row.get("version")?)?;
    Ok(Standing {
        server: read_server(row)?,
        id: row.get("id")?,
        place: row.get("place")?,
        number: row.get("number")?,
        hash: row.get("hash")?,
        audit: row.get("audit")?,
        revocation: row.get("revocation")?,
    })
}

/// Takes the next number for what is changed, in the transaction that changes it, together with
/// this many numbers of the audit and of revocations; the place of the statement whose answer says
/// them.
pub(super) fn take_number(
    batch: &mut Batch,
    content: &[u8],
    audit: usize,
    revocations: usize,
) -> Result<usize, Fault> {
    // Two stores that were one never have the same link, even if the same was changed.
    let mut nonce = [0; 16];
    SystemRandom.fill(&mut nonce)?;
    let content = sha256(&[&nonce[..], content].concat());
    let count = |count: usize| Value::from(i64::try_from(count).unwrap_or(i64::MAX));
    let at = batch.add(
        "UPDATE @feed SET number = number + 1, audit = audit + $1, revocation = revocation + $2, \
         hash = pg_catalog.sha256(hash || pg_catalog.int8send(number + 1) || $3) \
         RETURNING number, audit, revocation",
        vec![count(audit), count(revocations), Value::from(&content[..])],
    );
    batch.add(
        "INSERT INTO @change (number, content, hash) SELECT f.number, $1, f.hash FROM @feed AS f",
        vec![Value::from(&content[..])],
    );
    Ok(at)
}

fn link(before: &[u8; 32], number: u64, content: &[u8]) -> [u8; 32] {
    sha256(&[&before[..], &number.to_be_bytes()[..], content].concat())
}

/// What this process knows of the store.
#[derive(Default)]
pub(super) struct Seen(Mutex<Known>);

#[derive(Clone, Default)]
struct Known {
    at: Option<Standing>,
    /// How many other feeds there were before.
    epoch: u64,
    /// The highest timeline of each system that was seen.
    highest: Vec<Server>,
}

impl Seen {
    /// How many other feeds there were before this one.
    pub(super) fn epoch(&self) -> u64 {
        brief(&self.0).epoch
    }

    /// A number of the server that was followed last; 0 before that.
    pub(super) fn server(&self) -> u64 {
        brief(&self.0).at.map_or(0, |at| {
            let mut text = at.server.system.to_be_bytes().to_vec();
            text.extend(at.server.timeline.to_be_bytes());
            number_of(&sha256(&text))
        })
    }

    /// Whether it has been promoted since its system was last seen.
    pub(super) fn is_promoted(&self, server: Server) -> bool {
        let known = brief(&self.0);
        known.highest.iter().any(|k| k.system == server.system && k.timeline < server.timeline)
    }

    /// Refuses a server that has been overtaken by another of its system.
    pub(super) fn check_server(&self, server: Server) -> Result<(), Fault> {
        let mut known = brief(&self.0);
        match known.highest.iter_mut().find(|known| known.system == server.system) {
            Some(known) if known.timeline > server.timeline => {
                return Err(Fault::Elsewhere(OVERTAKEN));
            }
            Some(known) => known.timeline = server.timeline,
            None => known.highest.push(server),
        }
        Ok(())
    }

    /// Where the store stands, and the number of this feed among those that this process has
    /// followed.
    pub(super) fn follow(
        &self,
        transaction: &mut Transaction<'_>,
    ) -> Result<(Standing, u64), Fault> {
        // From before the moment that is read.
        let known = brief(&self.0).clone();
        let at = transaction.later(&standing_sql(), &[])?;
        let links = match &known.at {
            None => None,
            Some(before) => Some(links(transaction, before.number)?),
        };
        let mut answers = transaction.flush()?;
        let mut take = |at: usize| answers.rows.get_mut(at).map(std::mem::take).unwrap_or_default();
        let (now, links) = (read_standing(&take(at))?, links.map(take));
        self.check_server(now.server)?;
        let continues = match known.at.as_ref().zip(links) {
            None => true,
            Some((before, links)) => continues(transaction, before, &now, links)?,
        };
        let mut seen = brief(&self.0);
        if seen.epoch != known.epoch {
            // Another thread has found the same, or something else.
            return Err(BUSY.into());
        }
        if !continues {
            seen.epoch += 1;
            seen.at = Some(now);
        } else if seen.at.is_none_or(|at| at.number <= now.number) {
            seen.at = Some(now);
        }
        Ok((now, seen.epoch))
    }
}

/// Has the first links after this number read.
fn links(transaction: &mut Transaction<'_>, number: u64) -> Result<usize, Fault> {
    transaction.later(
        "SELECT number, content, hash FROM @change WHERE number > $1 ORDER BY number LIMIT $2",
        &[signed(number)?, Value::from(LINKS as i64)],
    )
}

/// Whether what stands there now came out of what was known by changes, of which the first are
/// here.
fn continues(
    transaction: &mut Transaction<'_>,
    before: &Standing,
    now: &Standing,
    mut rows: Vec<Row>,
) -> Result<bool, Fault> {
    let is_same = before.server == now.server && before.id == now.id && before.place == now.place;
    if !is_same || now.number < before.number {
        return Ok(false);
    }
    let (mut number, mut hash) = (before.number, before.hash);
    while number < now.number {
        if rows.is_empty() {
            return Ok(false);
        }
        for row in std::mem::take(&mut rows) {
            let (Ok(next), Ok(content), Ok(own)) = (
                row.get::<u64>("number"),
                row.get::<Vec<u8>>("content"),
                row.get::<[u8; 32]>("hash"),
            ) else {
                return Ok(false);
            };
            hash = link(&hash, number + 1, &content);
            if next != number + 1 || hash != own {
                return Ok(false);
            }
            number = next;
        }
        if number < now.number {
            let at = links(transaction, number)?;
            rows = transaction.flush()?.rows.get_mut(at).map(std::mem::take).unwrap_or_default();
        }
    }
    Ok(number == now.number && hash == now.hash)
}

/// Holds all links that are kept against each other, and their end against where the store stands;
/// and that no row of the audit is missing.
pub(super) fn check(transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    let now = standing(transaction)?;
    let mut last: Option<(u64, [u8; 32])> = None;
    transaction.each(
        "SELECT number, content, hash FROM @change ORDER BY number",
        &[],
        &mut |row| {
            let (number, content): (u64, Vec<u8>) = (row.get("number")?, row.get("content")?);
            let hash: [u8; 32] = row.get("hash")?;
            // What was before the first that is kept is not known, unless it is the first of all.
            let before = match last {
                Some((before, hash)) if before + 1 == number => Some(hash),
                Some(_) => return Err(BROKEN.into()),
                None => (number == 1).then(|| sha256(&now.id)),
            };
            if before.is_some_and(|before| link(&before, number, &content) != hash) {
                return Err(BROKEN.into());
            }
            last = Some((number, hash));
            Ok(())
        },
    )?;
    if last.map_or(now.number > 0, |last| last != (now.number, now.hash)) {
        return Err(BROKEN.into());
    }
    let rows = transaction.query(
        "SELECT count(*) AS n, coalesce(min(seq), 1) AS low, coalesce(max(seq), 0) AS high FROM @audit",
        &[],
    )?;
    let row = rows.first().ok_or(Fault::Garbled)?;
    let (count, low, high): (u64, u64, u64) = (row.get("n")?, row.get("low")?, row.get("high")?);
    if high != now.audit || count != high + 1 - low { Err(BROKEN.into()) } else { Ok(()) }
}

/// PostgreSQL counts to 2^63.
pub(super) fn signed(number: u64) -> Result<Value, Fault> {
    i64::try_from(number).map(Value::from).map_err(|_| TOO_LARGE.into())
}

pub(super) const STANDBY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "This PostgreSQL is a standby, which may be behind; name the primary in the URL, or all hosts of both.",
);
const OVERTAKEN: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "This PostgreSQL was the primary before another was promoted, which this process has seen; stop it, or make it a standby.",
);
const UNCLEAR: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "The tables `store` and `feed` have one row each, and these have not; restore the store from a backup.",
);
const BROKEN: Error = Error::new(
    ErrorKind::StoreCorrupt,
    "A change of the feed (tables `change`, `feed` and `audit`) is missing or was altered from outside; processes load \
     everything again because of it. See who may write these tables.",
);
const BUSY: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "PostgreSQL's store was exchanged for another at this moment; try again.",
);
const TOO_LARGE: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A number or time is larger than PostgreSQL can keep, which is 2^63 - 1.",
);
