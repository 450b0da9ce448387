//! Layer 5: copies of a store, and what is to be done when one is put back.
//!
//! A backup is an older state: in it a key that leaked is good, a user who logged out is logged in,
//! a refresh token that was used is the current one. A store whose mark ([`Mark`]) says that it has
//! been further is not opened before [`store_acknowledge_restore`] has ended everything from before
//! a moment.

use crate::base::clock::{Clock as _, SystemClock, plausible};
use crate::base::pace::Cutoff;
use crate::base::text::argument;
use crate::error::named::check_path;
use crate::error::{Error, ErrorKind, Result};
use crate::keyring::{KeyRing, KeyRingOptions};
use crate::open::StoreUrl;
use crate::pepper::{PepperSource, Peppers, pepper_beside};
use crate::store::{
    KeyRingStore, Mark, RingFolder, StoredRing, read_private_file, write_private_file,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a store is backed up.
#[derive(Clone, Debug, Default)]
pub struct BackupOptions {
    /// Where a copy of the pepper file goes; nowhere unless said. Keep it apart from the backup:
    /// with both, who finds them can make session tokens.
    pub pepper_to: Option<PathBuf>,
    /// Where the pepper file is.
    pub pepper: PepperSource,
}

/// What was backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The size of the backup in bytes.
    pub bytes: u64,
    /// How many API keys there are in it.
    pub api_keys: u64,
    /// How many sessions, live or not.
    pub sessions: u64,
}

/// How a store is restored.
#[derive(Clone, Copy, Debug, Default)]
pub struct RestoreOptions {
    /// Replaces a store that programs have open; restart them afterwards.
    pub force: bool,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreReport {
    /// What is in the store now.
    pub restored: BackupReport,
    /// Where the store is now that was there before.
    pub replaced: Option<PathBuf>,
    /// Whether the store is refused until [`store_acknowledge_restore`] is called.
    pub must_acknowledge: bool,
}

/// What is to end when a restored store is accepted.
#[derive(Clone, Copy, Debug, Default)]
pub struct AcknowledgeOptions {
    /// Everything from before this time ends, in seconds since the Unix epoch; the time of the
    /// restore is right. 0: nothing, for a store that was only moved.
    pub revoke_before: u64,
    /// Leaves API keys as they are. Otherwise those that were made before are disabled, because one
    /// of them may have been revoked after the backup; enable those that are known to be good.
    pub keep_api_keys: bool,
    /// Leaves key rings as they are. Otherwise keys that were made before are replaced by new ones,
    /// because one of them may have been removed after the backup.
    pub keep_key_rings: bool,
}

impl AcknowledgeOptions {
    fn cutoff(&self) -> Result<Cutoff> {
        let now = plausible(SystemClock.now())?;
        Ok(Cutoff { at: self.revoke_before, now: now.saturating_add(1) })
    }
}

/// What has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acknowledged {
    /// How many API keys were disabled.
    pub api_keys: u64,
    /// How many sessions were ended.
    pub sessions: u64,
    /// How many key rings have new keys.
    pub key_rings: u64,
    /// The names of the key rings whose rows were altered from outside or cannot be read. They stay
    /// as they are, and who opens one is refused (`StoreCorrupt`). Not looked for if nothing was to
    /// end.
    pub damaged_key_rings: Vec<String>,
    /// Whether the store was refused before. If it was not, what was asked for has ended all the
    /// same.
    pub was_refused: bool,
}

/// Copies a store to a file, which must not be there, while the store is in use: its state of one
/// moment, checked, in one file that only its owner may read. `progress` hears how many pages are
/// done, of how many; an error of it stops the copy and is returned. Without
/// [`BackupOptions::pepper_to`] the pepper is not copied.
///
/// # Errors
/// `InvalidArgument`: the URL is not that of a SQLite store, its mark is no file for one, or there
/// is a file already. `StoreRestored`: the store is older than its mark. `InvalidConfiguration`:
/// the pepper is in no file. `WrongPepper`: the pepper file cannot be read. `StoreCorrupt`: there
/// is nothing in the store, or it is damaged. `Unsupported`: this build has no SQLite. Those of
/// [`crate::store::Backend`].
pub fn store_backup(
    url: &str,
    to: &Path,
    options: &BackupOptions,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<BackupReport> {
    let (store, mark) = store_at(url)?;
    if !store.exists() {
        return Err(NO_STORE);
    }
    check_path(to, "to")?;
    options.pepper_to.as_deref().map_or(Ok(()), |to| check_path(to, "pepper_to"))?;
    if to.is_dir() {
        return Err(argument("There is a folder where the backup is to go; name a file in it."));
    }
    let pepper =
        options.pepper_to.as_deref().map(|to| Ok::<_, Error>((pepper_file(&store, options)?, to)));
    let pepper = pepper.transpose()?;
    let report = sqlite::back_up(&store, &mark, to, progress)?;
    if let Some((from, to)) = pepper {
        let text = read_private_file(&from, 65_536).map_err(|_| NO_PEPPER)?.ok_or(OPEN_PEPPER)?;
        write_private_file(to, &text).map_err(|_| PEPPER_UNWRITTEN)?;
    }
    Ok(report)
}

/// The path and the mark of a store, which is no folder.
fn store_at(url: &str) -> Result<(PathBuf, Mark)> {
    match url.parse()? {
        StoreUrl::Memory => Err(IN_MEMORY),
        StoreUrl::Postgres(_) => Err(ON_A_SERVER),
        StoreUrl::Sqlite { path, mark } if !path.is_dir() => Ok((path, mark)),
        _ => Err(A_FOLDER),
    }
}

fn pepper_file(store: &Path, options: &BackupOptions) -> Result<PathBuf> {
    match &options.pepper {
        PepperSource::Beside => Ok(pepper_beside(store)),
        PepperSource::File(path) => Ok(path.clone()),
        _ => Err(Error::new(
            ErrorKind::InvalidConfiguration,
            "The pepper is not in a file, so that it is not copied; back it up where it is set.",
        )),
    }
}

/// Puts a backup, which stays as it is, in the place of a store. A store that is there is kept
/// under another name. The pepper is not touched.
///
/// # Errors
/// `InvalidArgument`: the URL is not that of a SQLite store, its mark is no file for one, or both
/// are the same file. `StoreUnavailable`: the store is in use. `StoreCorrupt`: the file is not a
/// backup, or is damaged. `Unsupported`: this build has no SQLite. Those of
/// [`crate::store::Backend`]; then the store is as it was.
pub fn store_restore(
    backup: &Path,
    url: &str,
    options: RestoreOptions,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<RestoreReport> {
    let (store, mark) = store_at(url)?;
    if backup.is_dir() {
        return Err(A_FOLDER);
    }
    if !backup.exists() {
        return Err(NO_BACKUP);
    }
    if store.canonicalize().ok().is_some_and(|store| backup.canonicalize().ok() == Some(store)) {
        return Err(argument("The backup and the store are the same file; name two."));
    }
    sqlite::restore(backup, &store, &mark, options.force, progress)
}

/// Accepts a store, or a folder of key rings (`folder:/path`), that is older than its mark, such as
/// a backup that was put back, after everything from before a moment has ended: sessions and access
/// tokens always, API keys and the keys of key rings unless they are to be kept. Then the store has
/// a new name, and its former self is refused.
///
/// A row that is damaged keeps the store from nothing: its API key, session or key ring is refused
/// anyway ([`Acknowledged::damaged_key_rings`] names the latter). A revocation that cannot be read
/// is another matter: it is not known whose tokens it is about.
///
/// Tokens that are good for one use are refused as access tokens are: verify them with revocations.
///
/// # Errors
/// `InvalidArgument`: the URL is not that of a SQLite store, its mark is no file for one, or the
/// time is in the future. `StoreUnavailable`: there is no store. `WrongPepper`. `StoreCorrupt`: a
/// revocation cannot be read (the message names its row), or a table is missing; nothing was
/// changed. `Unsupported`: this build has no SQLite. Those of [`crate::store::Backend`]; what has
/// ended by then stays ended, a store that was refused still is, any other continues under its
/// name, and a second call continues.
pub fn store_acknowledge_restore(
    url: &str,
    pepper: &PepperSource,
    options: AcknowledgeOptions,
) -> Result<Acknowledged> {
    if options.revoke_before > plausible(SystemClock.now())?.saturating_add(1) {
        return Err(argument(
            "Only what is from the past can be ended: the time is in the future.",
        ));
    }
    match url.parse()? {
        StoreUrl::Memory => Err(IN_MEMORY),
        StoreUrl::Postgres(_) => Err(ON_A_SERVER),
        StoreUrl::Folder { path, .. } if !path.is_dir() => Err(NO_RINGS),
        StoreUrl::Folder { path, mark } => acknowledge_rings(&path, &mark, pepper, options),
        StoreUrl::Sqlite { path, .. } if path.is_dir() => Err(RINGS),
        StoreUrl::Sqlite { path, mark } => sqlite::acknowledge(&path, &mark, pepper, options),
    }
}

/// The same for a folder of key rings.
fn acknowledge_rings(
    folder: &Path,
    mark: &Mark,
    pepper: &PepperSource,
    options: AcknowledgeOptions,
) -> Result<Acknowledged> {
    let (store, was_refused) = RingFolder::open_as_it_is(folder, mark)?;
    let (store, mut done) =
        (Arc::new(store), Acknowledged { was_refused, ..Acknowledged::default() });
    if options.revoke_before > 0 {
        let peppers = pepper.elsewhere()?;
        end_rings(
            &(Arc::clone(&store) as Arc<dyn KeyRingStore>),
            peppers.as_ref(),
            &[],
            options,
            &mut done,
        )?;
    }
    if was_refused {
        store.acknowledge()?;
    }
    Ok(done)
}

/// Gives key rings new keys, or only looks at them if they are to be kept. `known` are the numbers
/// of the peppers that the store was made with.
fn end_rings(
    store: &Arc<dyn KeyRingStore>,
    peppers: Option<&Peppers>,
    known: &[u32],
    options: AcknowledgeOptions,
    done: &mut Acknowledged,
) -> Result<()> {
    for name in store.key_ring_names()? {
        if !StoredRing::is_name(&name) {
            done.damaged_key_rings.push(name); // it was altered and cannot be opened
            continue;
        }
        let of_ring = KeyRingOptions::new().name(&name);
        let ring = KeyRing::open(Arc::clone(store), peppers.cloned(), of_ring);
        let ended = ring.and_then(|ring| {
            if options.keep_key_rings { Ok(false) } else { ring.replace_before(options.cutoff()?) }
        });
        match ended {
            Ok(ended) => done.key_rings += u64::from(ended),
            Err(error) if is_damaged(&error, store.key_ring(&name), peppers, known) => {
                done.damaged_key_rings.push(name);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a ring was refused for its row. A pepper that the store has never had is no pepper that
/// was not given.
fn is_damaged(
    error: &Error,
    ring: Result<Option<StoredRing>>,
    peppers: Option<&Peppers>,
    known: &[u32],
) -> bool {
    let is_strange = |pepper| !known.is_empty() && !known.contains(&pepper);
    match error.kind() {
        ErrorKind::StoreCorrupt => true,
        ErrorKind::WrongPepper => ring.is_ok_and(|ring| {
            ring.is_some_and(|ring| peppers.is_some() && is_strange(ring.pepper))
        }),
        _ => false,
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use crate::apikey::{ApiKeyOptions, ApiKeys};
    use crate::pepper::read_pepper_file;
    use crate::revocations::RevocationOptions;
    use crate::session::{SessionOptions, Sessions};
    use crate::store::{ApiKeyStore as _, Copied, Progress, RevocationStore as _, SqliteStore};

    pub(super) fn back_up(
        store: &Path,
        mark: &Mark,
        to: &Path,
        progress: Progress<'_>,
    ) -> Result<BackupReport> {
        crate::store::back_up(store, mark, to, progress).map(report)
    }

    pub(super) fn restore(
        backup: &Path,
        store: &Path,
        mark: &Mark,
        force: bool,
        progress: Progress<'_>,
    ) -> Result<RestoreReport> {
        let done = crate::store::restore(backup, store, mark, force, progress)?;
        Ok(RestoreReport {
            restored: report(done.copied),
            replaced: done.replaced,
            must_acknowledge: done.must_acknowledge,
        })
    }

    fn report(Copied { bytes, api_keys, sessions }: Copied) -> BackupReport {
        BackupReport { bytes, api_keys, sessions }
    }

    pub(super) fn acknowledge(
        path: &Path,
        mark: &Mark,
        pepper: &PepperSource,
        options: AcknowledgeOptions,
    ) -> Result<Acknowledged> {
        if !path.exists() {
            return Err(NO_STORE);
        }
        let before = options.revoke_before;
        let peppers = if before > 0 {
            let given = pepper.elsewhere()?;
            Some(given.map_or_else(|| read_pepper_file(&pepper_beside(path)), Ok)?)
        } else {
            None
        };
        // Before the store is given another name, under which it is refused until all is done.
        let fits =
            |store: &SqliteStore| peppers.as_ref().map_or(Ok(()), |peppers| fits(store, peppers));
        let (store, former) = SqliteStore::open_as_it_is(path, mark, fits)?;
        let store = Arc::new(store);
        let ended = end_before(&store, peppers, options)
            .and_then(|ended| store.acknowledge(mark).map(|()| ended));
        if let (Err(_), Some(former)) = (&ended, &former) {
            store.give_back(former); // it stays as it was, but for what has ended by then
        }
        Ok(Acknowledged { was_refused: former.is_none(), ..ended? })
    }

    const STRANGE_PEPPER: Error = Error::new(
        ErrorKind::WrongPepper,
        "None of the peppers that were given is known to the store; give those that it was made with.",
    );

    /// Whether the peppers are the store's, and all can be read that is read when a store is
    /// opened. A revocation that cannot be read may be of any token, and could not be taken over.
    fn fits(store: &SqliteStore, peppers: &Peppers) -> Result<()> {
        let known = peppers.check_known(store)?;
        if !known.is_empty() && !known.iter().any(|check| peppers.contains(check.pepper)) {
            return Err(STRANGE_PEPPER);
        }
        store.check_tables()?;
        store.load_api_keys(&mut |_| ())?;
        store.revocation_horizon()?;
        let mut after = 0;
        loop {
            let read = store.revocations(after, 10_000)?;
            if !read.more {
                return Ok(());
            }
            after = read.seq;
        }
    }

    fn end_before(
        store: &Arc<SqliteStore>,
        peppers: Option<Peppers>,
        options: AcknowledgeOptions,
    ) -> Result<Acknowledged> {
        let mut done = Acknowledged::default();
        if let Some(peppers) = peppers {
            // For as long as there are tokens anywhere: what the services accept is not known here.
            let revocations =
                RevocationOptions::new().max_token_ttl(RevocationOptions::MAX_TOKEN_TTL);
            let options_of_sessions = SessionOptions::new().revocations(revocations);
            let sessions =
                Sessions::open(store.clone(), peppers.clone(), None, options_of_sessions)?;
            done.sessions = sessions.end_before(options.cutoff()?)?;
            let checks = peppers.check_known(&**store)?;
            let known: Vec<u32> = checks.iter().map(|check| check.pepper).collect();
            end_rings(
                &(store.clone() as Arc<dyn KeyRingStore>),
                Some(&peppers),
                &known,
                options,
                &mut done,
            )?;
            if !options.keep_api_keys {
                let keys = ApiKeys::open(store.clone(), peppers, ApiKeyOptions::new())?;
                let keys = keys.acting_as("acknowledge-restore")?;
                done.api_keys = keys.disable_before(options.cutoff()?, "restored from a backup")?;
            }
        }
        Ok(done)
    }
}

#[cfg(not(feature = "sqlite"))]
mod sqlite {
    use super::*;

    const NONE: Error =
        Error::new(ErrorKind::Unsupported, "This build of gatekey has no SQLite store.");

    pub(super) fn back_up(
        _: &Path,
        _: &Mark,
        _: &Path,
        _: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<BackupReport> {
        Err(NONE)
    }

    pub(super) fn restore(
        _: &Path,
        _: &Path,
        _: &Mark,
        _: bool,
        _: &mut dyn FnMut(u64, u64) -> Result<()>,
    ) -> Result<RestoreReport> {
        Err(NONE)
    }

    pub(super) fn acknowledge(
        _: &Path,
        _: &Mark,
        _: &PepperSource,
        _: AcknowledgeOptions,
    ) -> Result<Acknowledged> {
        Err(NONE)
    }
}

const NO_STORE: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "There is no store at this path; name one that is there, or restore it from a backup first.",
);
const NO_BACKUP: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "There is no backup at this path; nothing was changed. Name the file that `gatekey store backup` has written.",
);
const A_FOLDER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "This is a folder, not a store. A folder of key rings is backed up and put back as a whole, by `cp -a`, and without \
     its mark (<folder>.mark).",
);
const ON_A_SERVER: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A store in PostgreSQL is backed up and restored with its own tools, such as pg_basebackup; this is for the file of a \
     store: sqlite:///path.",
);
const IN_MEMORY: Error = Error::new(
    ErrorKind::InvalidArgument,
    "A store in memory ends with its process: it is neither backed up nor put back. Name a file: sqlite:///path.",
);
const RINGS: Error = Error::new(
    ErrorKind::InvalidArgument,
    "There is a folder, not a store, at this path; a folder of key rings is named folder:/path.",
);
const NO_RINGS: Error = Error::new(
    ErrorKind::StoreUnavailable,
    "There is no folder of key rings at this path; name one that is there.",
);
const NO_PEPPER: Error = Error::new(
    ErrorKind::WrongPepper,
    "The pepper file cannot be read, so that it was not backed up; the store was. Name it, or copy it by hand.",
);
const OPEN_PEPPER: Error = Error::new(
    ErrorKind::InvalidConfiguration,
    "The pepper file may be read by others; chmod 600 it, and rotate the pepper if they did.",
);
const PEPPER_UNWRITTEN: Error = Error::new(
    ErrorKind::InvalidArgument,
    "The copy of the pepper cannot be written, or there is a file of its name; the store was backed up.",
);
