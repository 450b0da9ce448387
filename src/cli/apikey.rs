//! `gatekey key ...` and `gatekey scan-rule`.

use super::exit::{Failure, Outcome};
use super::import::ImportArgs;
use super::input::{self, duration};
use super::output::{self, Output, Shown};
use super::pages::{Pages, show_pages};
use super::spec::{SpecArgs, UpdateArgs};
use super::store::{StoreArgs, finish};
use crate::apikey::{AuditFilter, Check, IssuedKey, KeyFilter, KeyRecord, parse_ip};
use crate::json::ObjectWriter;
use crate::{ApiKeys, Clock as _, SystemClock, ToJson as _};
use std::net::IpAddr;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key; its text is printed once, and kept nowhere
    Create(Create),
    /// List keys
    List(List),
    /// Show everything about a key but its secret
    Show(One),
    /// Change what a key may do, until when and for whom
    Update(Update),
    /// Give a key a new secret under the same id
    Rotate(Rotate),
    /// Refuse a key for good
    Revoke(Ended),
    /// Refuse a key until it is enabled again
    Disable(Ended),
    /// Accept a disabled key again
    Enable(One),
    /// Verify a key, read from standard input or a prompt; exits with 1 if it is refused
    Verify(Verify),
    /// Take over the keys of another system, without issuing new ones
    Import(ImportArgs),
    /// Show who has done what to which key
    Audit(Audit),
    /// Delete keys that have expired or were revoked
    Purge(Purge),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only keys of this owner
    #[arg(long)]
    owner: Option<String>,
    /// Only keys of this tenant
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The key's id
    id: String,
    #[command(flatten)]
    owned: Owned,
    #[command(flatten)]
    store: StoreArgs,
}

/// Whose key it must be: for programs that pass on ids which users choose.
#[derive(Debug, clap::Args)]
pub(super) struct Owned {
    /// Only if it is a key of this owner
    #[arg(long, value_name = "OWNER")]
    owned_by: Option<String>,
    /// The tenant of that owner; without it, a key of no tenant
    #[arg(long, value_name = "TENANT", requires = "owned_by")]
    in_tenant: Option<String>,
}

impl Owned {
    fn of(&self, keys: ApiKeys) -> Outcome<ApiKeys> {
        let Some(owner) = &self.owned_by else { return Ok(keys) };
        Ok(keys.owned_by(owner, self.in_tenant.as_deref().unwrap_or_default())?)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Update {
    /// The key's id
    id: String,
    #[command(flatten)]
    owned: Owned,
    #[command(flatten)]
    changes: UpdateArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    /// The key's id
    id: String,
    #[command(flatten)]
    owned: Owned,
    /// For how long the old secret is still accepted: 7d, 12h, or seconds; at most 90 days. Without
    /// it, the old secret ends now. A second rotation within an overlap ends the first secret at
    /// once
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    overlap: u64,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Ended {
    /// The key's id
    id: String,
    #[command(flatten)]
    owned: Owned,
    /// Why, for the audit
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A scope that is required; several times for several
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The caller's address
    #[arg(long, value_parser = address)]
    ip: Option<IpAddr>,
    /// The tenant that the key must belong to
    #[arg(long)]
    tenant: Option<String>,
    /// The units of the rate and the credits that it takes
    #[arg(long, default_value_t = 0)]
    cost: u32,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Audit {
    /// Only what was done to this key
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Purge {
    /// Only keys that ended at least this long ago: 90d, 12h, or seconds
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: u64,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ScanRule {
    /// What the keys begin with
    #[arg(long, env = "GATEKEY_PREFIX", hide_env_values = true, default_value = "gk")]
    prefix: String,
    /// Print the regular expression alone
    #[arg(long)]
    regex: bool,
}

fn address(text: &str) -> Result<IpAddr, String> {
    parse_ip(text).ok_or_else(|| "write it as 192.0.2.1 or 2001:db8::1".to_owned())
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Create(Create { spec, store }) => {
            let spec = spec.spec();
            if let Some(rehearsal) = store.rehearsal()? {
                rehearsal.create(&spec)?;
            }
            let keys = store.open_or_make(output)?;
            let issued = keys.create(&spec)?;
            finish(&keys)?;
            hand_out(&issued, output)
        }
        Command::List(list) => {
            let keys = list.store.open(output)?;
            let List { owner, tenant, pages, .. } = list;
            let now = SystemClock.now();
            show_pages(
                pages,
                output,
                |cursor, limit| {
                    let (owner, tenant) = (owner.clone(), tenant.clone());
                    keys.list(&KeyFilter { owner, tenant, cursor, limit })
                },
                |records| output::keys(records, now),
                "No keys.",
            )
        }
        Command::Show(One { id, owned, store }) => {
            show(&owned.of(store.open(output)?)?.get(&id)?, output)
        }
        Command::Update(Update { id, owned, changes, store }) => {
            let update = changes.update()?;
            change(&store, &owned, output, |keys| keys.update(&id, &update))
        }
        Command::Rotate(Rotate { id, owned, overlap, store }) => {
            let keys = owned.of(store.open(output)?)?;
            let issued = keys.rotate(&id, overlap)?;
            finish(&keys)?;
            hand_out(&issued, output)
        }
        Command::Revoke(Ended { id, owned, reason, store }) => {
            change(&store, &owned, output, |keys| keys.revoke(&id, &reason))
        }
        Command::Disable(Ended { id, owned, reason, store }) => {
            change(&store, &owned, output, |keys| keys.disable(&id, &reason))
        }
        Command::Enable(One { id, owned, store }) => {
            change(&store, &owned, output, |keys| keys.enable(&id))
        }
        Command::Verify(verify) => run_verify(&verify, output),
        Command::Import(import) => super::import::run(import, output),
        Command::Audit(audit) => {
            let keys = audit.store.open(output)?;
            let Audit { key, pages, .. } = audit;
            show_pages(
                pages,
                output,
                |cursor, limit| keys.audit(&AuditFilter { key_id: key.clone(), cursor, limit }),
                output::audit,
                "Nothing was done.",
            )
        }
        Command::Purge(Purge { older_than, store }) => {
            let keys = store.open(output)?;
            let purged = keys.purge(SystemClock.now().saturating_sub(older_than))?;
            finish(&keys)?;
            let mut json = ObjectWriter::new();
            json.number("purged", purged);
            output.either(&json.end(), || format!("Deleted {}.", output::count(purged, "key")))
        }
    }
}

fn change(
    store: &StoreArgs,
    owned: &Owned,
    output: &mut Output,
    change: impl FnOnce(&ApiKeys) -> crate::Result<KeyRecord>,
) -> Outcome<()> {
    let keys = owned.of(store.open(output)?)?;
    let record = change(&keys)?;
    finish(&keys)?;
    show(&record, output)
}

fn show(record: &KeyRecord, output: &mut Output) -> Outcome<()> {
    output.either(&record.to_json(), || output::key(record, SystemClock.now()))
}

/// Prints the key's text, alone, and beside it whose it is.
fn hand_out(issued: &IssuedKey, output: &mut Output) -> Outcome<()> {
    if output.is_json() {
        let mut json = ObjectWriter::new();
        json.text("secret", issued.secret.expose_str());
        json.raw("record", &issued.record.to_json());
        let line = crate::Secret::from(json.end());
        return output.line(line.expose_str());
    }
    output.note(output::key(&issued.record, SystemClock.now()));
    output.note("The key, which is shown this once:");
    output.line(issued.secret.expose_str())
}

fn run_verify(verify: &Verify, output: &mut Output) -> Outcome<()> {
    let keys = verify.store.open(output)?;
    let presented = input::secret("API key")?;
    let scopes: Vec<&str> = verify.scopes.iter().map(String::as_str).collect();
    let mut check = Check::new().scopes(&scopes).cost(verify.cost);
    if let Some(ip) = verify.ip {
        check = check.ip(ip);
    }
    if let Some(tenant) = &verify.tenant {
        check = check.tenant(tenant);
    }
    let verified = keys.verify(presented.expose(), &check).map(|grant| grant.record());
    finish(&keys)?;
    show(&verified?, output)
}

pub(super) fn scan_rule(arguments: &ScanRule, output: &mut Output) -> Outcome<()> {
    let rule = crate::apikey::scan_rule(&arguments.prefix)
        .map_err(|error| Failure::Usage(format!("--prefix: {error}")))?;
    let mut json = ObjectWriter::new();
    json.text("regex", &rule.regex);
    json.text("gitleaks", &rule.gitleaks);
    output.either(&json.end(), || {
        if arguments.regex {
            return Shown::from(rule.regex);
        }
        let regex = format!("# As a regular expression: {}", rule.regex);
        Shown::lines(std::iter::once(&*regex).chain(rule.gitleaks.lines()))
    })
}
