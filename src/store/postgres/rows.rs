//! A key as a row, and back. A row that says what no key is gives an error for that row alone.

use super::feed::signed;
use super::values::{Row, Value};
use super::wire::Fault;
use crate::store::{
    AuditRecord, Credits, KeyRecord, KeyStatus, Lookup, Page, Previous, Proof, Rate, StoredKey,
};

/// Everything of a key, from the tables joined.
pub(super) const SELECT: &str = "SELECT k.*, c.remaining, c.most, c.refill, c.every, c.refilled_at, \
     c.set_in, u.last_used_at, u.uses FROM @key AS k LEFT JOIN @credit AS c ON c.key_id = k.id \
     LEFT JOIN @usage AS u ON u.key_id = k.id";

/// Inserts the key's row.
pub(super) const INSERT: &str = "INSERT INTO @key (id, version, prefix, env, tenant, owner, name, scopes, \
     cidrs, status, revoked_at, reason, not_before, expires_at, rate_burst, rate_period, meta, \
     created_at, created_by, rotated_at, overlap_until, proof, mac, previous, previous_mac, \
     previous_until, lookup_pepper, lookup_tag, seal, seal_pepper) VALUES ($1, $2, $3, $4, $5, $6, $7, \
     $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, \
     $28, $29, $30)";

/// Changes the key's row if it has the version before.
pub(super) const UPDATE: &str = "UPDATE @key SET version = $2, prefix = $3, env = $4, tenant = $5, \
     owner = $6, name = $7, scopes = $8, cidrs = $9, status = $10, revoked_at = $11, reason = $12, \
     not_before = $13, expires_at = $14, rate_burst = $15, rate_period = $16, meta = $17, \
     created_at = $18, created_by = $19, rotated_at = $20, overlap_until = $21, proof = $22, mac = $23, \
     previous = $24, previous_mac = $25, previous_until = $26, lookup_pepper = $27, lookup_tag = $28, \
     seal = $29, seal_pepper = $30 WHERE id = $1 AND version = $2 - 1";

/// The values of [`INSERT`] and [`UPDATE`].
pub(super) fn values(key: &StoredKey) -> Result<Vec<Value>, Fault> {
    let record = &key.record;
    let number = |number: Option<u64>| number.map_or(Ok(Value::Int(None)), signed);
    let previous = key.previous.as_ref();
    Ok(vec![
        (&record.id).into(),
        signed(record.version)?,
        (&record.prefix).into(),
        (&record.env).into(),
        (&record.tenant).into(),
        (&record.owner).into(),
        (&record.name).into(),
        record.scopes.join(" ").into(),
        record.cidrs.join(" ").into(),
        record.status.name().into(),
        number(record.revoked_at)?,
        (&record.reason).into(),
        number(record.not_before)?,
        number(record.expires_at)?,
        record.rate.map(|rate| rate.burst).into(),
        record.rate.map(|rate| rate.period).into(),
        (&record.meta).into(),
        signed(record.created_at)?,
        (&record.created_by).into(),
        number(record.rotated_at)?,
        number(record.overlap_until)?,
        write_proof(&key.proof).into(),
        (&key.proof.mac[..]).into(),
        previous.map(|previous| write_proof(&previous.proof)).into(),
        previous.map(|previous| &previous.proof.mac[..]).into(),
        number(previous.map(|previous| previous.until))?,
        key.lookup.map(|lookup| lookup.pepper).into(),
        key.lookup.as_ref().map(|lookup| &lookup.tag[..]).into(),
        (&key.seal[..]).into(),
        key.seal_pepper.into(),
    ])
}

/// Reads what [`SELECT`] gives.
pub(super) fn key(row: &Row) -> Result<StoredKey, Fault> {
    let words = |name: &'static str| {
        let text: String = row.get(name)?;
        Ok::<_, Fault>(text.split_terminator(' ').map(str::to_owned).collect::<Vec<_>>())
    };
    let status: String = row.get("status")?;
    let rate = match (row.get("rate_burst")?, row.get("rate_period")?) {
        (Some(burst), Some(period)) => Some(Rate { burst, period }),
        (None::<u32>, None::<u32>) => None,
        _ => return Err(Fault::Cell("rate_period")),
    };
    let record = KeyRecord {
        id: row.get("id")?,
        prefix: row.get("prefix")?,
        env: row.get("env")?,
        tenant: row.get("tenant")?,
        owner: row.get("owner")?,
        name: row.get("name")?,
        scopes: words("scopes")?,
        cidrs: words("cidrs")?,
        status: KeyStatus::from_name(&status).ok_or(Fault::Cell("status"))?,
        revoked_at: row.get("revoked_at")?,
        reason: row.get("reason")?,
        not_before: row.get("not_before")?,
        expires_at: row.get("expires_at")?,
        rate,
        credits: credits(row)?,
        meta: row.get("meta")?,
        created_at: row.get("created_at")?,
        created_by: row.get("created_by")?,
        rotated_at: row.get("rotated_at")?,
        overlap_until: row.get("overlap_until")?,
        last_used_at: row.get("last_used_at")?,
        uses: row.get::<Option<u64>>("uses")?.unwrap_or(0),
        version: row.get("version")?,
        altered: false,
    };
    if record.version == 0 {
        return Err(Fault::Cell("version"));
    }
    let previous = match row.get::<Option<String>>("previous")? {
        Some(text) => Some(Previous {
            proof: read_proof(&text, row.get("previous_mac")?)?,
            until: row.get("previous_until")?,
        }),
        None if row.is_null("previous_mac") && row.is_null("previous_until") => None,
        None => return Err(Fault::Cell("previous")),
    };
    let lookup = match row.get("lookup_pepper")? {
        Some(pepper) => Some(Lookup { pepper, tag: row.get("lookup_tag")? }),
        None if row.is_null("lookup_tag") => None,
        None => return Err(Fault::Cell("lookup_pepper")),
    };
    Ok(StoredKey {
        record,
        proof: read_proof(&row.get::<String>("proof")?, row.get("mac")?)?,
        previous,
        lookup,
        seal: row.get("seal")?,
        seal_pepper: row.get("seal_pepper")?,
    })
}

/// A page of rows in the order of what `name` says. A row that cannot be read hides no other; one
/// whose name cannot be read ends no page.
pub(super) fn page<T>(
    found: Vec<Row>,
    limit: usize,
    name: impl Fn(&Row) -> Result<String, Fault>,
    read: impl Fn(&Row) -> Result<T, Fault>,
) -> Page<T> {
    let (mut page, mut met, mut last) = (Page { records: Vec::new(), cursor: None }, 0, None);
    for row in &found {
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
    page
}

/// Conditions on columns that are given, and their values; numbered from `values` on.
pub(super) struct Conditions {
    text: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Conditions {
    pub(super) const fn new() -> Self {
        Self { text: Vec::new(), values: Vec::new() }
    }

    /// Adds a condition, in which `?` stands for the value.
    pub(super) fn add(&mut self, condition: &str, value: Value) {
        self.values.push(value);
        let number = format!("${}", self.values.len());
        self.text.push(condition.replace('?', &number));
    }

    /// The whole of it, with the order, and at most one row more than a page has.
    pub(super) fn finish(&mut self, select: &str, order: &str, limit: usize) -> String {
        let mut sql = select.to_owned();
        if !self.text.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&self.text.join(" AND "));
        }
        let limit = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
        self.values.push(limit.into());
        sql.push_str(&format!(" ORDER BY {order} LIMIT ${}", self.values.len()));
        sql
    }
}

/// The credits of a row that has some.
pub(super) fn credits(row: &Row) -> Result<Option<Credits>, Fault> {
    let Some(remaining) = row.get("remaining")? else { return Ok(None) };
    let credits = Credits {
        remaining,
        limit: row.get("most")?,
        refill: row.get("refill")?,
        every: row.get("every")?,
        refilled_at: row.get("refilled_at")?,
        set_in: row.get("set_in")?,
    };
    Ok(Some(credits.bounded()))
}

/// A row of the audit.
pub(super) fn audit(row: &Row) -> Result<AuditRecord, Fault> {
    Ok(AuditRecord::new(
        row.get("seq")?,
        row.get("at")?,
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

fn read_proof(text: &str, mac: [u8; 32]) -> Result<Proof, Fault> {
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
    read().ok_or(Fault::Cell("proof"))
}

/// A time as PostgreSQL counts it; one beyond 2^63 is as good as never.
pub(super) fn bounded(time: u64) -> Value {
    i64::try_from(time).unwrap_or(i64::MAX).into()
}
