//! Which store, which peppers: the arguments that every command on API keys has.

use super::exit::{Failure, Outcome};
use super::output::Output;
use crate::{ApiKeyOptions, ApiKeys, PepperSource, open_api_keys};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    /// The store: a path, or sqlite:///relative/path, sqlite:////absolute/path
    #[arg(long, env = "GATEKEY_STORE", value_name = "URL", display_order = 50)]
    store: String,
    /// The file with the peppers [default: the store's path with .pepper added]
    #[arg(long, env = "GATEKEY_PEPPER_FILE", value_name = "FILE", display_order = 51)]
    pepper_file: Option<PathBuf>,
    /// The environment variable that holds the peppers, as they stand in a pepper file
    #[arg(long, value_name = "NAME", conflicts_with = "pepper_file", display_order = 52)]
    pepper_env: Option<String>,
    /// The environment of the keys: 2 to 8 small letters
    #[arg(long, env = "GATEKEY_ENV", default_value = "live", display_order = 53)]
    env: String,
    /// What new keys begin with
    #[arg(long, env = "GATEKEY_PREFIX", default_value = "gk", display_order = 54)]
    prefix: String,
    /// Who makes the change, for the audit
    #[arg(long, env = "GATEKEY_ACTOR", default_value = "cli", display_order = 55)]
    actor: String,
}

impl StoreArgs {
    /// The store's path, which commands but `create` and `import` want to exist: a slip of the pen
    /// must not make a new store.
    fn path(&self) -> Outcome<PathBuf> {
        let path = match self.store.split_once("://") {
            None => Some(self.store.as_str()).filter(|path| *path != "memory:"),
            Some(("sqlite", rest)) => rest.strip_prefix('/'),
            Some(_) => None,
        };
        path.filter(|path| !path.is_empty()).map(PathBuf::from).ok_or_else(|| {
            Failure::Usage(
                "--store is a path, sqlite:///relative/path or sqlite:////absolute/path."
                    .to_owned(),
            )
        })
    }

    /// Opens a store that is there.
    pub(super) fn open(&self, output: &mut Output) -> Outcome<ApiKeys> {
        let path = self.path()?;
        if !path.exists() {
            return Err(Failure::Input(format!(
                "There is no store at {}; `gatekey key create` makes one.",
                path.display()
            )));
        }
        self.open_or_make(output)
    }

    /// Opens the store, and makes it if it is not there.
    pub(super) fn open_or_make(&self, output: &mut Output) -> Outcome<ApiKeys> {
        let path = self.path()?;
        let peppers = match (&self.pepper_file, &self.pepper_env) {
            (Some(file), _) => PepperSource::File(file.clone()),
            (None, Some(name)) => PepperSource::Env(name.clone()),
            (None, None) => PepperSource::Beside,
        };
        let is_new = !path.exists();
        let options = ApiKeyOptions::new().prefix(&self.prefix).env(&self.env);
        let url = format!("sqlite:///{}", path.display());
        let opened = open_api_keys(&url, &peppers, options)?;
        if is_new {
            output.note(&format!("Made the store {}.", path.display()));
        }
        if let Some(file) = &opened.new_pepper_file {
            output.note(&format!(
                "Made the pepper file {}. Back it up, apart from the store: without it every key is lost.",
                file.display()
            ));
        }
        Ok(opened.keys.acting_as(&self.actor)?)
    }

    /// The file that holds the peppers.
    pub(super) fn pepper_path(&self) -> Outcome<PathBuf> {
        if self.pepper_env.is_some() {
            return Err(Failure::Usage(
                "Peppers in an environment variable are added where that is set.".to_owned(),
            ));
        }
        if let Some(file) = &self.pepper_file {
            return Ok(file.clone());
        }
        let mut beside = self.path()?.into_os_string();
        beside.push(".pepper");
        if Path::new(&beside).exists() {
            return Ok(beside.into());
        }
        Err(Failure::Input(format!(
            "There is no pepper file at {}; name it with --pepper-file.",
            Path::new(&beside).display()
        )))
    }
}
