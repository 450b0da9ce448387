//! `gatekey pepper ...`

use super::exit::Outcome;
use super::output::{self, Output};
use super::store::StoreArgs;
use crate::json::ObjectWriter;
use crate::{ToJson as _, add_pepper};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a random pepper to the pepper file; keys are put under it as they are used
    Add(StoreArgs),
    /// Show how many keys still need each pepper
    Report(StoreArgs),
    /// Put every key under the newest pepper now: for the day that an old one has leaked
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
            output.either(&report.to_json(), || output::peppers(&report))
        }
        Command::Wrap(store) => {
            let keys = store.open(output)?;
            let wrapped = keys.wrap_peppers()?;
            super::key::finish(&keys)?;
            let mut json = ObjectWriter::new();
            json.number("wrapped", wrapped);
            output.either(&json.end(), || format!("Wrapped {}.", output::count(wrapped, "key")))
        }
    }
}
