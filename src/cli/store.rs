//! Which store, which peppers: the arguments that commands on API keys, sessions and revocations
//! have.

use super::exit::{Failure, Outcome};
use super::given::check_new;
use super::output::Output;
use crate::apikey::ApiKeyOptions;
use crate::open::{StoreUrl, open_api_keys, open_revocations, open_sessions};
use crate::pepper::{PepperSource, pepper_beside};
use crate::revocations::RevocationOptions;
use crate::session::SessionOptions;
use crate::store::Mark;
use crate::{ApiKeys, Revocations, Sessions};
use std::path::{Path, PathBuf};

/// A store, whatever it holds.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub(super) struct Location {
    /// The store: a path, or sqlite:///relative/path, sqlite:////absolute/path; ?mark=FILE at its
    /// end says where its mark is; or postgresql://user@host/database
    #[arg(
        long,
        env = "GATEKEY_STORE",
        hide_env_values = true,
        value_name = "URL",
        display_order = 50
    )]
    store: String,
}

/// Where the peppers are.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub(super) struct PepperArgs {
    /// The file with the peppers [default: the store's path with .pepper added]
    #[arg(
        long,
        env = "GATEKEY_PEPPER_FILE",
        hide_env_values = true,
        value_name = "FILE",
        display_order = 51
    )]
    pepper_file: Option<PathBuf>,
    /// The environment variable that holds the peppers, as they stand in a pepper file
    #[arg(long, value_name = "NAME", conflicts_with = "pepper_file", display_order = 52)]
    pepper_env: Option<String>,
}

/// A store and its peppers.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    #[command(flatten)]
    pub(super) location: Location,
    #[command(flatten)]
    pub(super) pepper: PepperArgs,
}

/// A store of API keys.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArgs {
    #[command(flatten)]
    place: Place,
    /// The environment of the keys: 2 to 8 small letters
    #[arg(
        long,
        env = "GATEKEY_ENV",
        hide_env_values = true,
        default_value = "live",
        display_order = 53
    )]
    env: String,
    /// What new keys begin with
    #[arg(
        long,
        env = "GATEKEY_PREFIX",
        hide_env_values = true,
        default_value = "gk",
        display_order = 54
    )]
    prefix: String,
    /// Who makes the change, for the audit
    #[arg(
        long,
        env = "GATEKEY_ACTOR",
        hide_env_values = true,
        default_value = "cli",
        display_order = 55
    )]
    actor: String,
    /// Where rates are counted with other machines: redis://127.0.0.1:6379, or
    /// rediss://host?password_file=FILE [default: <store>.limits]
    #[arg(
        long,
        env = "GATEKEY_LIMITS",
        hide_env_values = true,
        value_name = "URL",
        display_order = 56
    )]
    limits: Option<String>,
}

/// The file of a store, its mark, and its URL. What is in memory ends with the command that asks
/// for it.
pub(super) fn located(store: &str) -> Outcome<(PathBuf, Mark, String)> {
    let url: StoreUrl = store.parse()?;
    let text = url.to_string();
    match url {
        StoreUrl::Sqlite { path, mark } => Ok((path, mark, text)),
        StoreUrl::Folder { .. } => Err(Failure::Usage(
            "A folder holds key rings only; name a store: a path, or sqlite:///path.".to_owned(),
        )),
        StoreUrl::Postgres(_) => Err(Failure::Usage(
            "This works on the file of a store: a path, or sqlite:///path. A store in PostgreSQL is backed up and looked \
             at with its own tools (pg_basebackup, pg_dump, psql)."
                .to_owned(),
        )),
        _ => Err(Failure::Usage(
            "A store in memory ends with the command; name a file: a path, or sqlite:///path."
                .to_owned(),
        )),
    }
}

/// Whether there is a mark for this store or folder.
pub(super) fn is_marked(path: &Path, mark: &Mark) -> bool {
    match mark {
        Mark::Beside => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".mark");
            Path::new(&beside).exists()
        }
        Mark::At(file) => file.exists(),
        _ => false,
    }
}

impl Location {
    fn path(&self) -> Outcome<PathBuf> {
        Ok(located(&self.store)?.0)
    }

    fn url(&self) -> Outcome<String> {
        // As it was given: what is shown of it has no password.
        if self.is_on_a_server()? { Ok(self.store.clone()) } else { Ok(located(&self.store)?.2) }
    }

    /// Whether it is in PostgreSQL, and has no path.
    fn is_on_a_server(&self) -> Outcome<bool> {
        Ok(matches!(self.store.parse()?, StoreUrl::Postgres(_)))
    }

    /// Looks whether the store is there: a slip of the pen must not make a new file.
    fn existing(&self) -> Outcome<()> {
        if self.is_on_a_server()? {
            return Ok(());
        }
        let (path, mark, _) = located(&self.store)?;
        // Of one that was lost, its mark warns the user who opens it.
        if path.exists() || is_marked(&path, &mark) {
            return Ok(());
        }
        Err(Failure::Input(format!(
            "There is no store at {}; `gatekey key create`, or the program that keeps its sessions there, \
             makes one.",
            path.display()
        )))
    }

    /// What is revoked, in a store that is there.
    pub(super) fn revocations(&self, options: RevocationOptions) -> Outcome<Revocations> {
        self.existing()?;
        Ok(open_revocations(&self.url()?, options)?)
    }
}

impl PepperArgs {
    pub(super) fn source(&self) -> PepperSource {
        match (&self.pepper_file, &self.pepper_env) {
            (Some(file), _) => PepperSource::File(file.clone()),
            (None, Some(name)) => PepperSource::Env(name.clone()),
            (None, None) => PepperSource::Beside,
        }
    }
}

impl Place {
    /// The sessions of a store that is there, to be looked at and ended.
    pub(super) fn sessions(&self) -> Outcome<Sessions> {
        self.sessions_with(SessionOptions::new())
    }

    /// The same, with these options.
    pub(super) fn sessions_with(&self, options: SessionOptions) -> Outcome<Sessions> {
        self.location.existing()?;
        let pepper = self.pepper.source();
        Ok(open_sessions(&self.location.url()?, &pepper, None, options)?.sessions)
    }
}

impl StoreArgs {
    /// Opens a store that is there.
    pub(super) fn open(&self, output: &mut Output) -> Outcome<ApiKeys> {
        self.place.location.existing()?;
        self.open_or_make(output)
    }

    /// In the place of a store that is not there: what memory refuses is refused before a file is
    /// made. `None`: it is there.
    pub(super) fn rehearsal(&self) -> Outcome<Option<ApiKeys>> {
        let location = &self.place.location;
        if location.is_on_a_server()? || location.path()?.exists() {
            return Ok(None);
        }
        let opened = open_api_keys("memory:", &PepperSource::Beside, self.options()?)?;
        Ok(Some(opened.keys.acting_as(&self.actor)?))
    }

    fn options(&self) -> Outcome<ApiKeyOptions> {
        let options = ApiKeyOptions::new().prefix(&self.prefix).env(&self.env);
        match &self.limits {
            None => Ok(options),
            Some(url) => Ok(options.limits(url.parse()?)),
        }
    }

    /// Opens the store, and makes it if it is not there.
    pub(super) fn open_or_make(&self, output: &mut Output) -> Outcome<ApiKeys> {
        let peppers = self.place.pepper.source();
        if self.place.location.is_on_a_server()? {
            let url = self.place.location.url()?;
            let opened = open_api_keys(&url, &peppers, self.options()?)?;
            return Ok(opened.keys.acting_as(&self.actor)?);
        }
        let path = self.place.location.path()?;
        let is_new = !path.exists();
        if is_new {
            check_new(&path)?;
        }
        let opened = open_api_keys(&self.place.location.url()?, &peppers, self.options()?)?;
        if is_new {
            output.note(format!("Made the store {}.", path.display()));
        }
        note_pepper_file(opened.new_pepper_file.as_deref(), output);
        Ok(opened.keys.acting_as(&self.actor)?)
    }

    /// The file that holds the peppers.
    pub(super) fn pepper_path(&self) -> Outcome<PathBuf> {
        if self.place.pepper.pepper_env.is_some() {
            return Err(Failure::Usage(
                "Peppers in an environment variable are added where that is set.".to_owned(),
            ));
        }
        if let Some(file) = &self.place.pepper.pepper_file {
            check_new(file)?;
            return Ok(file.clone());
        }
        let beside = pepper_beside(&self.place.location.path()?);
        if beside.exists() {
            return Ok(beside);
        }
        Err(Failure::Input(format!(
            "There is no pepper file at {}; name it with --pepper-file.",
            beside.display()
        )))
    }
}

/// Says that a pepper file was made, because it must be backed up.
pub(super) fn note_pepper_file(file: Option<&Path>, output: &mut Output) {
    if let Some(file) = file {
        output.note(format!(
            "Made the pepper file {}. Back it up, apart from the store: without it every key is lost.",
            file.display()
        ));
    }
}

/// What was used and not written yet is written now.
pub(super) fn finish(keys: &ApiKeys) -> Outcome<()> {
    Ok(keys.close()?)
}
