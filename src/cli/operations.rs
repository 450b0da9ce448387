//! `gatekey store migrate`, `check`, `stats` and `copy`: what is done with whole stores while they
//! are in use.

use super::exit::{Failure, Outcome, STORE, told};
use super::given::check_new;
use super::output::{self, Output, Shown, count, is_watched};
use super::store::PepperArgs;
use crate::json::ObjectWriter;
use crate::open::StoreUrl;
use crate::operations::{
    CopyOptions, CopyReport, StoreStats, store_check, store_copy, store_migrate, store_stats,
};
use crate::pepper::pepper_beside;
use crate::{ErrorKind, ToJson as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

#[derive(Debug, clap::Args)]
pub(super) struct Migrate {
    /// The store: postgresql://user@host/database, a path, or sqlite:///path
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
    /// Tell what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The store: a path, sqlite:///path, or postgresql://user@host/database
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
    #[command(flatten)]
    pepper: PepperArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Stats {
    /// The store: a path, sqlite:///path, or postgresql://user@host/database
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Copy {
    /// The store to copy from, which stays as it is: a path, sqlite:///path, or
    /// postgresql://user@host/database
    from: String,
    /// The store to copy to, which is made if it is not there
    to: String,
    #[command(flatten)]
    pepper: PepperArgs,
}

pub(super) fn migrate(given: &Migrate, output: &mut Output) -> Outcome<()> {
    let url = named(&given.store)?;
    let done = store_migrate(&given.store, given.dry_run)?;
    let mut json = ObjectWriter::new();
    json.number("before", done.before);
    json.number("after", done.after);
    json.bool("changed", !given.dry_run && done.before != Some(done.after));
    output.either(&json.end(), || {
        let after = done.after;
        match (done.before, given.dry_run) {
            (Some(before), _) if before == after => {
                format!("{url} has tables of version {after}: there is nothing to do.")
            }
            (Some(before), true) => {
                format!("{url} has tables of version {before}, and would get version {after}.")
            }
            (Some(before), false) => {
                format!("Brought the tables of {url} from version {before} to {after}.")
            }
            (None, true) => format!("{url} has no tables, and would get those of version {after}."),
            (None, false) => format!("Made the tables of {url}, version {after}."),
        }
    })
}

pub(super) fn check(given: &Check, output: &mut Output) -> Outcome<()> {
    let url = named(&given.store)?;
    let bar = bar(output, "{spinner} {human_pos} rows");
    let checked = store_check(&given.store, &given.pepper.source(), &mut |rows| {
        bar.set_position(rows);
        Ok(())
    });
    bar.finish_and_clear();
    let checked = checked?;
    let each = checked.findings.iter().map(|finding| {
        let mut one = ObjectWriter::new();
        one.text("what", finding.what);
        one.text("name", &finding.name);
        one.text("code", finding.error.kind().code());
        one.text("message", &told(&finding.error));
        one.end()
    });
    let each: Vec<String> = each.collect();
    let mut json = ObjectWriter::new();
    json.number("rows", checked.rows);
    json.raw("findings", &format!("[{}]", each.join(",")));
    output.either(&json.end(), || {
        if checked.findings.is_empty() {
            let rows = count(checked.rows, "row");
            return Shown::from(format!("{url}: {rows} read, all of them well."));
        }
        Shown::lines(checked.findings.iter().map(|finding| {
            let space = if finding.name.is_empty() { "" } else { " " };
            format!("{}{space}{}: {}", finding.what, finding.name, told(&finding.error))
        }))
    })?;
    match checked.findings.len() as u64 {
        0 => Ok(()),
        found => {
            let found = format!("Found {}.", count(found, "fault"));
            Err(Failure::Exit(STORE, ErrorKind::StoreCorrupt, found))
        }
    }
}

pub(super) fn stats(given: &Stats, output: &mut Output) -> Outcome<()> {
    let stats = store_stats(&given.store)?;
    let figures = figures(&stats);
    let mut json = ObjectWriter::new();
    json.text("kind", stats.kind);
    json.optional("version", stats.version.as_deref());
    for (name, _, figure) in figures {
        json.number(name, figure);
    }
    output.either(&json.end(), || {
        let version = stats.version.as_deref().unwrap_or_default();
        let head = [("store", format!("{} {version}", stats.kind))];
        let rows = figures.iter().map(|(_, name, figure)| {
            (*name, figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string()))
        });
        output::facts(head.into_iter().chain(rows))
    })
}

/// The figures by their names in JSON and for people.
fn figures(stats: &StoreStats) -> [(&'static str, &'static str, Option<u64>); 11] {
    [
        ("active", "active API keys", Some(stats.active)),
        ("disabled", "disabled API keys", Some(stats.disabled)),
        ("revoked", "revoked API keys", Some(stats.revoked)),
        ("expired", "expired API keys", Some(stats.expired)),
        ("live_sessions", "live sessions", Some(stats.live_sessions)),
        ("over_sessions", "ended or expired sessions", Some(stats.over_sessions)),
        ("revocations", "revocations", Some(stats.revocations)),
        ("key_rings", "key rings", Some(stats.key_rings)),
        ("unreadable", "rows that cannot be read", Some(stats.unreadable)),
        ("changes", "changes", stats.changes),
        ("bytes", "bytes", stats.bytes),
    ]
}

pub(super) fn copy(given: &Copy, output: &mut Output) -> Outcome<()> {
    let (from, to) = (named(&given.from)?, named(&given.to)?);
    if let StoreUrl::Sqlite { path, .. } = given.to.parse()? {
        check_new(&path)?;
    }
    let bar = bar(output, "{wide_bar} {human_pos}/{human_len} rows, {eta} left");
    let options = CopyOptions { pepper: given.pepper.source() };
    let copied = store_copy(&given.from, &given.to, &options, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
        Ok(())
    });
    bar.finish_and_clear();
    let report = copied?;
    if let StoreUrl::Sqlite { path, .. } = given.to.parse()?
        && !pepper_beside(&path).exists()
    {
        output.note(format!(
            "No pepper file lies beside {}: put the one of {from} there, or name it.",
            path.display()
        ));
    }
    output.either(&report.to_json(), || {
        let problems = report.problems.iter().map(|problem| format!("problem: {problem}"));
        Shown::lines(problems.chain([format!("Copied {} from {from} to {to}.", holds(&report))]))
    })?;
    match report.problems.len() as u64 {
        0 => Ok(()),
        problems => {
            let left = format!("{} could not be copied; the rest was.", count(problems, "thing"));
            Err(Failure::Exit(STORE, ErrorKind::StoreConflict, left))
        }
    }
}

fn holds(report: &CopyReport) -> String {
    [
        count(report.api_keys, "API key"),
        count(report.sessions, "session"),
        count(report.key_rings, "key ring"),
        count(report.revocations, "revocation"),
        count(report.seen_tokens, "used token"),
    ]
    .join(", ")
        + &format!(" (ended {} there)", report.ended)
}

/// What may be shown of a URL: no password.
fn named(url: &str) -> Outcome<String> {
    Ok(url.parse::<StoreUrl>()?.to_string())
}

/// A bar, if a person is there to watch it.
fn bar(output: &Output, style: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if output.is_json() || !is_watched() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
