//! A key as a row, and back. A row that says what no key is gives an error for that row alone.

use crate::base::hex;
use crate::store::{
    AuditRecord, Credits, KeyRecord, KeyStatus, Lookup, Page, Previous, Proof, Rate, StoredKey,
};
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Row, Rows, Statement, ToSql, named_params};

/// Everything of a key, from the tables joined.
pub(super) const SELECT: &str = "SELECT key.*, remaining, most, refill, every, refilled_at, set_in, \
     last_used_at, uses FROM key LEFT JOIN credit ON credit.key_id = id \
     LEFT JOIN usage ON usage.key_id = id";

/// Inserts the key's row.
pub(super) const INSERT: &str = "INSERT INTO key (id, prefix, env, tenant, owner, name, scopes, cidrs, \
     status, revoked_at, reason, not_before, expires_at, rate_burst, rate_period, meta, created_at, \
     created_by, rotated_at, overlap_until, version, proof, mac, previous, previous_mac, \
     previous_until, lookup_pepper, lookup_tag, seal, seal_pepper) VALUES (:id, :prefix, :env, \
     :tenant, :owner, :name, :scopes, :cidrs, :status, :revoked_at, :reason, :not_before, \
     :expires_at, :rate_burst, :rate_period, :meta, :created_at, :created_by, :rotated_at, \
     :overlap_until, :version, :proof, :mac, :previous, :previous_mac, :previous_until, \
     :lookup_pepper, :lookup_tag, :seal, :seal_pepper)";

/// Changes the key's row if it has the version before.
pub(super) const UPDATE: &str = "UPDATE key SET prefix = :prefix, env = :env, tenant = :tenant, \
     owner = :owner, name = :name, scopes = :scopes, cidrs = :cidrs, status = :status, \
     revoked_at = :revoked_at, reason = :reason, not_before = :not_before, expires_at = :expires_at, \
     rate_burst = :rate_burst, rate_period = :rate_period, meta = :meta, created_at = :created_at, \
     created_by = :created_by, rotated_at = :rotated_at, overlap_until = :overlap_until, \
     version = :version, proof = :proof, mac = :mac, previous = :previous, \
     previous_mac = :previous_mac, previous_until = :previous_until, \
     lookup_pepper = :lookup_pepper, lookup_tag = :lookup_tag, seal = :seal, \
     seal_pepper = :seal_pepper WHERE id = :id AND version = :version - 1";

/// Runs [`INSERT`] or [`UPDATE`]; how many rows it was.
pub(super) fn put(statement: &mut Statement<'_>, key: &StoredKey) -> rusqlite::Result<usize> {
    let record = &key.record;
    let number = |number: Option<u64>| number.map(signed).transpose();
    let previous = key.previous.as_ref();
    statement.execute(named_params! {
        ":id": record.id,
        ":prefix": record.prefix,
        ":env": record.env,
        ":tenant": record.tenant,
        ":owner": record.owner,
        ":name": record.name,
        ":scopes": record.scopes.join(" "),
        ":cidrs": record.cidrs.join(" "),
        ":status": record.status.name(),
        ":revoked_at": number(record.revoked_at)?,
        ":reason": record.reason,
        ":not_before": number(record.not_before)?,
        ":expires_at": number(record.expires_at)?,
        ":rate_burst": record.rate.map(|rate| rate.burst),
        ":rate_period": record.rate.map(|rate| rate.period),
        ":meta": record.meta,
        ":created_at": signed(record.created_at)?,
        ":created_by": record.created_by,
        ":rotated_at": number(record.rotated_at)?,
        ":overlap_until": number(record.overlap_until)?,
        ":version": signed(record.version)?,
        ":proof": write_proof(&key.proof),
        ":mac": &key.proof.mac[..],
        ":previous": previous.map(|previous| write_proof(&previous.proof)),
        ":previous_mac": previous.map(|previous| &previous.proof.mac[..]),
        ":previous_until": number(previous.map(|previous| previous.until))?,
        ":lookup_pepper": key.lookup.map(|lookup| lookup.pepper),
        ":lookup_tag": key.lookup.map(|lookup| lookup.tag.to_vec()),
        ":seal": &key.seal[..],
        ":seal_pepper": key.seal_pepper,
    })
}

/// Reads what [`SELECT`] gives.
pub(super) fn key(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    let words = |name: &str| {
        let text: String = row.get(name)?;
        Ok::<_, rusqlite::Error>(text.split_terminator(' ').map(str::to_owned).collect::<Vec<_>>())
    };
    let status: String = row.get("status")?;
    let rate = match (row.get("rate_burst")?, row.get("rate_period")?) {
        (Some(burst), Some(period)) => Some(Rate { burst, period }),
        (None::<u32>, None::<u32>) => None,
        _ => return Err(wrong("half a rate")),
    };
    let is_null = |name: &str| Ok::<_, rusqlite::Error>(row.get_ref(name)? == ValueRef::Null);
    let record = KeyRecord {
        id: row.get("id")?,
        prefix: row.get("prefix")?,
        env: row.get("env")?,
        tenant: row.get("tenant")?,
        owner: row.get("owner")?,
        name: row.get("name")?,
        scopes: words("scopes")?,
        cidrs: words("cidrs")?,
        status: KeyStatus::from_name(&status).ok_or_else(|| wrong("status"))?,
        revoked_at: maybe(row, "revoked_at")?,
        reason: row.get("reason")?,
        not_before: maybe(row, "not_before")?,
        expires_at: maybe(row, "expires_at")?,
        rate,
        credits: credits(row)?,
        meta: row.get("meta")?,
        created_at: unsigned(row, "created_at")?,
        created_by: row.get("created_by")?,
        rotated_at: maybe(row, "rotated_at")?,
        overlap_until: maybe(row, "overlap_until")?,
        last_used_at: maybe(row, "last_used_at")?,
        uses: maybe(row, "uses")?.unwrap_or(0),
        version: unsigned(row, "version")?,
        altered: false,
    };
    if record.version == 0 {
        return Err(wrong("version"));
    }
    let previous = match row.get::<_, Option<String>>("previous")? {
        Some(text) => Some(Previous {
            proof: read_proof(&text, row.get("previous_mac")?)?,
            until: unsigned(row, "previous_until")?,
        }),
        None if is_null("previous_mac")? && is_null("previous_until")? => None,
        None => return Err(wrong("half a previous proof")),
    };
    let lookup = match row.get("lookup_pepper")? {
        Some(pepper) => Some(Lookup { pepper, tag: row.get("lookup_tag")? }),
        None if is_null("lookup_tag")? => None,
        None => return Err(wrong("half a look-up")),
    };
    Ok(StoredKey {
        record,
        proof: read_proof(&row.get::<_, String>("proof")?, row.get("mac")?)?,
        previous,
        lookup,
        seal: row.get("seal")?,
        seal_pepper: row.get("seal_pepper")?,
    })
}

/// What the row is named by; of what is no text, for people to find it, the beginning as SQLite
/// writes it.
pub(super) fn name(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    let value = row.get_ref(column)?;
    Ok(match value.as_str() {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let bytes = value.as_bytes().unwrap_or_default();
            format!("x'{}'", hex::encode(bytes.get(..32).unwrap_or(bytes)))
        }
    })
}

/// A page of rows in the order of what `name` says. A row that cannot be read hides no other; one
/// whose name cannot be read ends no page.
pub(super) fn page<T>(
    mut found: Rows<'_>,
    limit: usize,
    name: impl Fn(&Row<'_>) -> rusqlite::Result<String>,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Page<T>> {
    let (mut page, mut met, mut last) = (Page { records: Vec::new(), cursor: None }, 0, None);
    while let Some(row) = found.next()? {
        if met == limit {
            page.cursor = last;
            break;
        }
        if let Ok(name) = name(row) {
            met += 1;
            last = Some(name);
        }
        page.records.extend(read(row));
    }
    Ok(page)
}

/// The credits of a row that has some.
pub(super) fn credits(row: &Row<'_>) -> rusqlite::Result<Option<Credits>> {
    let Some(remaining) = maybe(row, "remaining")? else { return Ok(None) };
    let credits = Credits {
        remaining,
        limit: unsigned(row, "most")?,
        refill: unsigned(row, "refill")?,
        every: row.get("every")?,
        refilled_at: unsigned(row, "refilled_at")?,
        set_in: unsigned(row, "set_in")?,
    };
    Ok(Some(credits.bounded()))
}

/// A row of the audit.
pub(super) fn audit(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    Ok(AuditRecord::new(
        unsigned(row, "seq")?,
        unsigned(row, "at")?,
        row.get("actor")?,
        row.get("action")?,
        row.get("key_id")?,
        row.get("detail")?,
    ))
}

/// `scheme|pepper,pepper|params`.
fn write_proof(proof: &Proof) -> String {
    let peppers: Vec<String> = proof.peppers.iter().map(u32::to_string).collect();
    format!("{}|{}|{}", proof.scheme, peppers.join(","), proof.params)
}

fn read_proof(text: &str, mac: [u8; 32]) -> rusqlite::Result<Proof> {
    let read = || {
        let (scheme, rest) = text.split_once('|')?;
        let (peppers, params) = rest.split_once('|')?;
        let peppers = peppers.split(',').map(|pepper| pepper.parse().ok());
        let peppers: Vec<u32> = peppers.collect::<Option<_>>()?;
        let fits = (1..=8).contains(&peppers.len());
        fits.then_some(Proof {
            scheme: scheme.parse().ok()?,
            params: params.to_owned(),
            peppers,
            mac,
        })
    };
    read().ok_or_else(|| wrong("proof"))
}

/// A time as SQLite counts it; one beyond 2^63 is as good as never.
pub(super) fn bounded(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

/// SQLite counts to 2^63.
pub(super) fn signed(number: u64) -> rusqlite::Result<i64> {
    i64::try_from(number).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

pub(super) fn maybe(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let number: Option<i64> = row.get(column)?;
    number.map(|number| u64::try_from(number).map_err(|_| wrong("a number"))).transpose()
}

pub(super) fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    maybe(row, column)?.ok_or_else(|| wrong("a number"))
}

pub(super) fn wrong(what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, what.into())
}

/// What a condition is checked against.
pub(super) type Values = Vec<Box<dyn ToSql>>;
