//! `gatekey store ...`: backups of a store, and what is to be done when one is put back.

use super::exit::Outcome;
use super::given::check_new;
use super::input::moment;
use super::operations;
use super::output::{self, Output, is_watched};
use super::store::{PepperArgs, located};
use crate::backup::{
    AcknowledgeOptions, BackupOptions, BackupReport, RestoreOptions, store_acknowledge_restore,
    store_backup, store_restore,
};
use crate::{Clock as _, SystemClock, ToJson as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Copy a store to a file, while it is in use; the pepper only if it is asked for
    Backup(Backup),
    /// Put a backup in the place of a store
    Restore(Restore),
    /// Accept a store, or a folder of key rings, that was restored, after everything from before a
    /// time has ended
    AcknowledgeRestore(Acknowledge),
    /// Make the tables of a store, or bring them forward, by a role that may
    Migrate(operations::Migrate),
    /// Read everything in a store, and tell what is wrong with it
    Check(operations::Check),
    /// Count what is in a store
    Stats(operations::Stats),
    /// Copy a store to another one, of SQLite or PostgreSQL, while both are in use; again, to bring
    /// over what is new
    Copy(operations::Copy),
}

#[derive(Debug, clap::Args)]
pub(super) struct Backup {
    /// The store: a path, or sqlite:///relative/path
    store: String,
    /// The file to write, which must not be there
    to: PathBuf,
    /// Copy the pepper file to this file as well; keep it apart from the backup
    #[arg(long, value_name = "FILE")]
    pepper_to: Option<PathBuf>,
    #[command(flatten)]
    pepper: PepperArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup
    backup: PathBuf,
    /// The store: a path, or sqlite:///relative/path
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
    /// Replace a store that programs have open; restart them afterwards
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Acknowledge {
    /// The store: a path, or sqlite:///relative/path; or a folder of key rings: folder:/path
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
    /// End what is from before this time: now, 2027-01-31T12:00:00Z, or seconds since 1970; 0 ends
    /// nothing, for a store that was only moved
    #[arg(long, value_name = "TIME", value_parser = end_of)]
    revoke_before: u64,
    /// Leave API keys as they are, although one of them may have been revoked after the backup
    #[arg(long)]
    keep_api_keys: bool,
    /// Leave key rings as they are, although a key of theirs may have been removed after the backup
    #[arg(long)]
    keep_key_rings: bool,
    #[command(flatten)]
    pepper: PepperArgs,
}

/// `now` is all that there is: this second, too.
fn end_of(text: &str) -> Result<u64, String> {
    match text {
        "0" => Ok(0),
        "now" => Ok(SystemClock.now().saturating_add(1)),
        _ => moment(text),
    }
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Migrate(given) => operations::migrate(&given, output),
        Command::Check(given) => operations::check(&given, output),
        Command::Stats(given) => operations::stats(&given, output),
        Command::Copy(given) => operations::copy(&given, output),
        Command::Backup(Backup { store, to, pepper_to, pepper }) => {
            let (_, _, url) = located(&store)?;
            [Some(&to), pepper_to.as_ref()]
                .into_iter()
                .flatten()
                .try_for_each(|to| check_new(to))?;
            let options = BackupOptions { pepper_to: pepper_to.clone(), pepper: pepper.source() };
            let bar = progress(output);
            let done = store_backup(&url, &to, &options, &mut |done, all| step(&bar, done, all));
            bar.finish_and_clear();
            let report = done?;
            output.either(&report.to_json(), || {
                let pepper = match &pepper_to {
                    Some(file) => {
                        format!(" The pepper is in {}; keep the two apart.", file.display())
                    }
                    None => " The pepper is not in it; back it up, apart from this.".to_owned(),
                };
                format!("Backed up {} to {}.{pepper}", holds(&report), to.display())
            })
        }
        Command::Restore(Restore { backup, store, force }) => {
            let (path, _, url) = located(&store)?;
            let bar = progress(output);
            let options = RestoreOptions { force };
            let done =
                store_restore(&backup, &url, options, &mut |done, all| step(&bar, done, all));
            bar.finish_and_clear();
            let report = done?;
            if let Some(replaced) = &report.replaced {
                output.note(format!("The store that was there is now {}.", replaced.display()));
            }
            if report.must_acknowledge {
                output.note(format!(
                    "It is older than the store was: keys and sessions that ended since are good in it. It is \
                     refused until you end what may be: \
                     gatekey store acknowledge-restore {} --revoke-before now",
                    path.display()
                ));
            }
            output.either(&report.to_json(), || {
                format!("Restored {} to {}.", holds(&report.restored), path.display())
            })
        }
        Command::AcknowledgeRestore(given) => {
            let options = AcknowledgeOptions {
                revoke_before: given.revoke_before,
                keep_api_keys: given.keep_api_keys,
                keep_key_rings: given.keep_key_rings,
            };
            let done = store_acknowledge_restore(&given.store, &given.pepper.source(), options)?;
            if !done.was_refused {
                output.note(
                    "Nothing was refused: it was not behind its mark. What was asked for was still done.",
                );
            }
            for name in &done.damaged_key_rings {
                output.note(format!(
                    "The key ring `{name}` is damaged, or was altered from outside, and stays as it is: opening it is \
                     refused. Restore the store from another backup, or delete its row (table `key_ring`).",
                ));
            }
            output.either(&done.to_json(), || {
                format!(
                    "Ended {}, disabled {}, gave new keys to {}. The store is accepted from now on.",
                    output::count(done.sessions, "session"),
                    output::count(done.api_keys, "API key"),
                    output::count(done.key_rings, "key ring"),
                )
            })
        }
    }
}

fn holds(report: &BackupReport) -> String {
    let (keys, sessions) = (report.api_keys, report.sessions);
    let bytes = output::count(report.bytes, "byte");
    format!(
        "{} and {} ({bytes})",
        output::count(keys, "API key"),
        output::count(sessions, "session")
    )
}

/// A bar, if a person is there to watch it.
fn progress(output: &Output) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if output.is_json() || !is_watched() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} pages, {eta} left");
    style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style))
}

fn step(bar: &ProgressBar, done: u64, all: u64) -> crate::Result<()> {
    bar.set_length(all);
    bar.set_position(done);
    Ok(())
}
