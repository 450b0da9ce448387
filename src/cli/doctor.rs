//! `gatekey doctor STORE`: whether all is well with a store, also one that is refused. It changes
//! nothing.

mod server;

use super::exit::{Failure, Outcome, STORE};
use super::input::duration;
use super::output::{Output, Shown, count, date, distance};
use super::store::{PepperArgs, is_marked, located};
use crate::doctor::{StoreFacts, store_facts};
use crate::json::ObjectWriter;
use crate::keyring::{RingKey, RingKeyState};
use crate::open::StoreUrl;
use crate::pepper::{PepperSource, pepper_beside};
use crate::store::Mark;
use crate::{Clock as _, ErrorKind, SystemClock};
use std::path::{Path, PathBuf};

/// Seconds for which the clock of another process may be ahead.
const APART: u64 = 60;
/// Seconds after which a key ring that was never rotated is reported: 90 days.
const OLD: u64 = 90 * 86_400;
/// The size of a log that is reported, in bytes: that of a checkpoint that never comes.
const LARGE: u64 = 256 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// The store: a path, sqlite:///relative/path, or postgresql://user@host/database
    #[arg(env = "GATEKEY_STORE", hide_env_values = true)]
    store: String,
    /// Tell of API keys that expire within this time
    #[arg(long, value_name = "DURATION", default_value = "14d", value_parser = duration)]
    expiring: u64,
    /// Of PostgreSQL: an acknowledged revocation is to survive the loss of the primary, so that a
    /// standby must answer for each
    #[arg(long)]
    replica: bool,
    #[command(flatten)]
    pepper: PepperArgs,
}

/// How it is with something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    /// Something that a person may want to know or do.
    Note,
    /// Something that is wrong.
    Fault,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Note => "note",
            Self::Fault => "fault",
        }
    }
}

/// What was looked at, and what was found.
#[derive(Default)]
struct Findings(Vec<(&'static str, State, String)>);

impl Findings {
    fn add(&mut self, check: &'static str, state: State, said: impl Into<String>) {
        self.0.push((check, state, said.into()));
    }

    /// That something is well, unless it was found otherwise.
    fn well(&mut self, check: &'static str, said: impl Into<String>) {
        if !self.0.iter().any(|(known, ..)| *known == check) {
            self.add(check, State::Well, said);
        }
    }

    fn faults(&self) -> u64 {
        self.0.iter().filter(|(_, state, _)| *state == State::Fault).count() as u64
    }
}

pub(super) fn run(doctor: &Doctor, output: &mut Output) -> Outcome<()> {
    if let StoreUrl::Postgres(url) = doctor.store.parse()? {
        let findings = server::look(doctor, &url.to_string())?;
        return tell(&findings, &url.to_string(), output);
    }
    let (path, mark, url) = located(&doctor.store)?;
    if path.is_dir() {
        return Err(Failure::Input(format!(
            "{} is a folder: name the file of a store. Of a folder of key rings, see `gatekey keyring show folder:...`.",
            path.display()
        )));
    }
    if !path.exists() && !is_marked(&path, &mark) {
        return Err(Failure::Input(format!("There is no store at {}.", path.display())));
    }
    let pepper = doctor.pepper.source();
    let facts = store_facts(&url, &pepper, doctor.expiring)?;
    let now = SystemClock.now();
    let mut findings = Findings::default();
    permissions(&mut findings, &path, &mark, &pepper);
    refusals(&mut findings, &facts, &path);
    log(&mut findings, &facts, &path);
    clock(&mut findings, &facts, now);
    expiring(&mut findings, &facts, now, doctor.expiring);
    rings(&mut findings, &facts, now);
    leftovers(&mut findings, &path);
    tell(&findings, &path.display().to_string(), output)
}

fn tell(findings: &Findings, store: &str, output: &mut Output) -> Outcome<()> {
    let each = findings.0.iter().map(|(check, state, said)| {
        let mut one = ObjectWriter::new();
        one.text("check", check);
        one.text("state", state.name());
        one.text("message", said);
        one.end()
    });
    let each: Vec<String> = each.collect();
    let mut json = ObjectWriter::new();
    json.text("store", store);
    json.raw("well", if findings.faults() == 0 { "true" } else { "false" });
    json.raw("findings", &format!("[{}]", each.join(",")));
    output.either(&json.end(), || {
        Shown::lines(
            findings
                .0
                .iter()
                .map(|(check, state, said)| format!("{:5}  {check}: {said}", state.name())),
        )
    })?;
    match findings.faults() {
        0 => Ok(()),
        faults => {
            let found = format!("Found {}.", count(faults, "fault"));
            Err(Failure::Exit(STORE, ErrorKind::StoreCorrupt, found))
        }
    }
}

/// Who may read and write the files that belong to the store.
fn permissions(findings: &mut Findings, path: &Path, mark: &Mark, pepper: &PepperSource) {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let pepper = match pepper {
        PepperSource::Beside => Some(pepper_beside(path)),
        PepperSource::File(file) => Some(file.clone()),
        _ => None,
    };
    let mark = match mark {
        Mark::At(file) => file.clone(),
        _ => beside(".mark"),
    };
    // The last two hold no secret: who may only read them does no harm.
    let (whole, written) = (0o077, 0o022);
    let files = [
        (path.to_owned(), whole),
        (beside("-wal"), whole),
        (beside("-shm"), whole),
        (mark, written),
        (beside(".limits"), written),
    ];
    for (file, bits) in files.iter().filter(|(file, _)| file.exists()) {
        match mode(file) {
            Some(mode) if mode & bits & 0o007 != 0 => findings.add(
                "permissions",
                State::Fault,
                format!(
                    "{} is open to all users (mode {mode:04o}); chmod o-rwx it.",
                    file.display()
                ),
            ),
            Some(mode) if mode & bits & 0o070 != 0 => findings.add(
                "permissions",
                State::Note,
                format!("{} is open to its group (mode {mode:04o}).", file.display()),
            ),
            _ => {}
        }
    }
    if let Some(file) = pepper.filter(|file| file.exists())
        && let Some(mode) = mode(&file).filter(|mode| mode & 0o077 != 0)
    {
        findings.add(
            "permissions",
            State::Fault,
            format!(
                "The pepper file {} may be read by others (mode {mode:04o}); chmod 600 it, and rotate the pepper if \
                 they did.",
                file.display()
            ),
        );
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    if let Some(mode) = mode(folder).filter(|mode| mode & 0o002 != 0 && mode & 0o1000 == 0) {
        findings.add(
            "permissions",
            State::Fault,
            format!("All users may replace files in {} (mode {mode:04o}).", folder.display()),
        );
    }
    findings.well("permissions", "only its owner may use it");
}

/// Nine bits and the sticky one; `None` where files have none.
fn mode(file: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = std::fs::metadata(file).ok()?;
        Some(metadata.permissions().mode() & 0o1777)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// What refuses the store, or something in it, and what was found good.
fn refusals(findings: &mut Findings, facts: &StoreFacts, path: &Path) {
    for (check, error) in &facts.faults {
        findings.add(check, State::Fault, error.to_string());
    }
    let is_read = facts.schema.0.is_some();
    if is_read {
        let (keys, sessions) = (count(facts.api_keys, "API key"), count(facts.sessions, "session"));
        findings.well("store", format!("{}, with {keys} and {sessions}", path.display()));
        findings.well("integrity", "SQLite finds nothing damaged");
        if facts.is_marked {
            findings.well("mark", "it is at its mark: a restored backup would be noticed");
        } else {
            findings.add("mark", State::Note, "it has no mark yet: who opens it next makes one");
        }
    }
    if facts.has_peppers {
        findings.well("pepper", "it fits the store");
    } else if is_read {
        findings.well("pepper", "nothing in the store needs one");
    }
    let newest = facts.schema.1;
    let versions = format!("gatekey {}, SQLite {}", env!("CARGO_PKG_VERSION"), facts.sqlite);
    match facts.schema.0 {
        Some(own) if own < newest => findings.add(
            "versions",
            State::Note,
            format!("{versions}, tables of version {own}: who opens it next makes them {newest}"),
        ),
        Some(own) => {
            findings.add("versions", State::Well, format!("{versions}, tables of version {own}"))
        }
        None => findings.add("versions", State::Well, versions),
    }
}

fn log(findings: &mut Findings, facts: &StoreFacts, path: &Path) {
    if facts.schema.0.is_none() {
        return;
    }
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let length = std::fs::metadata(&wal).map_or(0, |metadata| metadata.len());
    match facts.is_wal {
        false => findings.add(
            "log",
            State::Note,
            "it has no write-ahead log, as a backup: who opens it next makes one",
        ),
        true if length > LARGE => findings.add(
            "log",
            State::Note,
            format!("the log has {}: some program reads without end", count(length, "byte")),
        ),
        true => findings.add(
            "log",
            State::Well,
            format!("a write-ahead log of {}", count(length, "byte")),
        ),
    }
}

/// Whether this machine's clock can be right, by what the store has seen.
fn clock(findings: &mut Findings, facts: &StoreFacts, now: u64) {
    let Some(latest) = facts.latest else {
        return findings.add(
            "clock",
            State::Well,
            format!("{} (the store has no dates)", date(now)),
        );
    };
    if latest > now.saturating_add(APART) {
        return findings.add(
            "clock",
            State::Fault,
            format!(
                "It is {} here, and the store has a date of {} ({}): this clock is behind, or another one was ahead. \
                 Set it; what the store has dated ahead expires late.",
                date(now),
                date(latest),
                distance(latest, now)
            ),
        );
    }
    findings.add("clock", State::Well, format!("{}, after all that is in the store", date(now)));
}

fn expiring(findings: &mut Findings, facts: &StoreFacts, now: u64, within: u64) {
    for (id, at) in &facts.expiring {
        let said = format!("the API key {id} expires {} ({})", distance(*at, now), date(*at));
        findings.add("expiring", State::Note, said);
    }
    if facts.schema.0.is_some() {
        let until = distance(now.saturating_add(within), now);
        findings.well("expiring", format!("no API key expires from now until {until}"));
    }
}

fn rings(findings: &mut Findings, facts: &StoreFacts, now: u64) {
    for (name, keys) in &facts.key_rings {
        let active = keys.iter().find(|key| key.state == RingKeyState::Active);
        let since = active.map(|key| key.active_at.unwrap_or(key.created_at));
        let is_rotated = keys.iter().any(|key: &RingKey| key.state == RingKeyState::Retired);
        match since {
            None => findings.add("rings", State::Fault, format!("the key ring {name} has no active key")),
            Some(since) if now.saturating_sub(since) > OLD => findings.add(
                "rings",
                State::Note,
                format!(
                    "the active key of the ring {name} signs since {}; `gatekey keyring rotate` gives it another",
                    date(since)
                ),
            ),
            Some(since) => {
                let rotated = if is_rotated { "rotated" } else { "made" };
                findings.add("rings", State::Well, format!("{name}, {rotated} {}", distance(since, now)));
            }
        }
    }
}

/// What a program that was killed has left, and what restores have set aside.
fn leftovers(findings: &mut Findings, path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (Some(name), Ok(files)) =
        (path.file_name(), std::fs::read_dir(folder.unwrap_or_else(|| Path::new("."))))
    else {
        return;
    };
    let name = name.to_string_lossy();
    let mut names: Vec<String> = files
        .filter_map(|file| Some(file.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|file| {
            let rest = file.strip_prefix(&*name).unwrap_or_default();
            let is_half = file.len() == 29 && file.starts_with('.') && file.ends_with(".new");
            rest.starts_with(".partial-") || rest.starts_with(".replaced-") || is_half
        })
        .collect();
    names.sort_unstable();
    for file in names {
        findings.add(
            "leftovers",
            State::Note,
            format!("{file} belongs to no store in use; delete it"),
        );
    }
}
