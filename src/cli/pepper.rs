//! `gatekey pepper ...`

use super::exit::Outcome;
use super::output::{self, Output};
use super::store::StoreArgs;
use crate::ToJson as _;
use crate::apikey::PepperUse;
use crate::json::ObjectWriter;
use crate::pepper::add_pepper;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a random pepper to the pepper file; keys are put under it as they are used
    Add(StoreArgs),
    /// Show how many keys, sessions and key rings of the store still need each pepper
    Report(StoreArgs),
    /// Put every API key under the newest pepper now: for the day that an old one has leaked; says
    /// what still needs the old one
    Wrap(StoreArgs),
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Add(store) => {
            let path = store.pepper_path()?;
            let number = add_pepper(&path)?;
            let mut json = ObjectWriter::new();
            json.number("pepper", u64::from(number));
            json.text("file", &path.display().to_string());
            output.either(&json.end(), || {
                format!(
                    "Added pepper {number} to {}. Back the file up, then restart what reads it: keys are \
                     put under the new pepper as they are used, or all at once by `gatekey pepper wrap`.",
                    path.display()
                )
            })
        }
        Command::Report(store) => {
            let report = store.open(output)?.pepper_report()?;
            tell_needed(&report, output);
            tell_damaged(&report, output);
            output.either(&report.to_json(), || output::peppers(&report))
        }
        Command::Wrap(store) => {
            let keys = store.open(output)?;
            let wrapped = keys.wrap_peppers();
            let report = keys.pepper_report()?;
            tell_damaged(&report, output);
            let wrapped = wrapped?;
            super::store::finish(&keys)?;
            let mut json = ObjectWriter::new();
            json.number("wrapped", wrapped);
            json.raw("peppers", &report.to_json());
            tell_needed(&report, output);
            output.either(&json.end(), || format!("Wrapped {}.", output::count(wrapped, "key")))
        }
    }
}

/// Whether anything in the store needs it.
pub(super) const fn is_needed(one: &PepperUse) -> bool {
    one.keys > 0 || one.sessions > 0 || one.key_rings > 0
}

/// Which rows are damaged, so that it is not known which pepper they need; a line for each kind.
fn tell_damaged(uses: &[PepperUse], output: &mut Output) {
    for one in uses.iter().filter(|one| one.pepper == 0) {
        let mut names = one.damaged.iter();
        let kinds = [(one.keys, "API key"), (one.sessions, "session"), (one.key_rings, "key ring")];
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            let names: Vec<&str> =
                (0..count).zip(names.by_ref()).map(|(_, name)| name.as_str()).collect();
            output.note(format!(
                "The rows of {} are damaged, or were altered from outside, and denied: {}. Restore the store from a \
                 backup, or delete them.",
                output::count(count, kind),
                names.join(", ")
            ));
        }
    }
}

/// What still needs the peppers that are not active, and what is to be done about it; a line for
/// each.
fn tell_needed(uses: &[PepperUse], output: &mut Output) {
    let remedies = |one: &PepperUse| {
        let keys = format!(
            "{}: until each was used once (seen here some ten seconds later)",
            output::count(one.keys, "key")
        );
        let sessions = format!(
            "{}: `gatekey session end-under-pepper {}`",
            output::count(one.sessions, "session"),
            one.pepper
        );
        let rings = format!(
            "{}: `gatekey keyring rotate`, or `remove` of each key if it has leaked",
            output::count(one.key_rings, "key ring")
        );
        let all = [(one.keys, keys), (one.sessions, sessions), (one.key_rings, rings)];
        let needed = all.into_iter().filter(|(count, _)| *count > 0).map(|(_, remedy)| remedy);
        needed.collect::<Vec<_>>().join("; ")
    };
    let old = uses.iter().filter(|one| !one.active && one.pepper > 0 && is_needed(one));
    for one in old {
        output.note(format!("Pepper {} is still needed by {}.", one.pepper, remedies(one)));
    }
}
