//! What is read: files, standard input, prompts; bounded, and secrets wiped.

use super::exit::{Failure, Outcome};
use super::given::{check_new, file_named};
use crate::Secret;
use std::io::{IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The most bytes of a key, a set of keys, claims or a token.
const MOST: u64 = 1024 * 1024;

/// The bytes of a file, or of standard input for `-`.
pub(super) fn file(path: &Path) -> Outcome<Secret> {
    let read = |source: &mut dyn Read| {
        // Enough room from the start, so that growing leaves no copy of a secret behind.
        let mut bytes = Vec::with_capacity(64 * 1024);
        source.take(MOST + 1).read_to_end(&mut bytes).map(|_| Secret::new(bytes))
    };
    let bytes = if path == Path::new("-") {
        read(&mut std::io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(|mut file| read(&mut file))
    };
    let bytes = bytes.map_err(|error| unreadable(path, &error))?;
    if bytes.expose().len() as u64 > MOST {
        return Err(Failure::Input(format!("{} has more than 1 MiB.", path.display())));
    }
    Ok(bytes)
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    match file_named(path) {
        Ok(name) => Failure::Input(format!("{name} cannot be read: {error}.")),
        Err(told) => Failure::Input(told),
    }
}

/// One line that is not to be shown: from a prompt if a person sits there, else from standard
/// input.
pub(super) fn secret(what: &str) -> Outcome<Secret> {
    if std::io::stdin().is_terminal() {
        let line = rpassword::prompt_password(format!("{what} (not shown): "));
        let line = line.map_err(|error| unreadable(Path::new("-"), &error))?;
        return checked(Secret::from(line), what);
    }
    checked(file(Path::new("-"))?, what)
}

/// Where the passphrase of an encrypted private key comes from: never from the command line, where
/// others can read it.
#[derive(Debug, clap::Args)]
pub(super) struct PassphraseArgs {
    /// The passphrase of an encrypted key, as it stands in this file without a line break at its
    /// end [default: a prompt]
    #[arg(long, env = "GATEKEY_PASSPHRASE_FILE", hide_env_values = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The environment variable that holds the passphrase of an encrypted key
    #[arg(long, value_name = "NAME", conflicts_with = "passphrase_file")]
    passphrase_env: Option<String>,
}

impl PassphraseArgs {
    /// The passphrase; from a prompt, if a person sits there and it was given in no other way.
    pub(super) fn ask(&self) -> Outcome<Secret> {
        if let Some(name) = &self.passphrase_env {
            let value = std::env::var_os(name).ok_or_else(|| {
                // What was given may be the passphrase itself.
                Failure::Input(
                    "--passphrase-env names an environment variable, and none of this name is set."
                        .to_owned(),
                )
            })?;
            return Ok(Secret::new(value.into_encoded_bytes()));
        }
        if let Some(path) = &self.passphrase_file {
            let text = file(path)?;
            let line = text.expose();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            return Ok(Secret::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()));
        }
        if !std::io::stdin().is_terminal() && !std::io::stderr().is_terminal() {
            return Err(Failure::Input(
                "The key is encrypted; name its passphrase with --passphrase-file or --passphrase-env, or run this in \
                 a terminal to be asked."
                    .to_owned(),
            ));
        }
        let line = rpassword::prompt_password("passphrase of the key (not shown): ");
        Ok(Secret::from(line.map_err(|error| unreadable(Path::new("/dev/tty"), &error))?))
    }
}

/// The text without the white space around it.
fn checked(text: Secret, what: &str) -> Outcome<Secret> {
    let trimmed = text.expose().trim_ascii();
    if trimmed.is_empty() {
        return Err(Failure::Input(format!("Nothing was given as the {what}.")));
    }
    Ok(Secret::new(trimmed.to_vec()))
}

/// The content of a file that is one line, such as a token or a secret.
pub(super) fn line_of(path: &Path, what: &str) -> Outcome<Secret> {
    checked(file(path)?, what)
}

/// Writes a file that was not there and that only its owner may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Outcome<()> {
    check_new(path)?;
    crate::store::write_private_file(path, bytes)
        .map_err(|error| Failure::Input(format!("{} cannot be written: {error}.", path.display())))
}

/// Reads a length of time: `90d`, `1h 30m`, or seconds. For clap.
pub(super) fn duration(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    match humantime::parse_duration(text) {
        // A capital M is a month there, and a minute or a million to most readers.
        _ if text.contains('M') => {
            Err("it has an `M`: write 15m for minutes, 30d for days".to_owned())
        }
        Ok(duration) if duration.subsec_nanos() == 0 => Ok(duration.as_secs()),
        _ => Err("write it as 90d, 12h, 15m, 30s, or in seconds".to_owned()),
    }
}

/// Reads a date: `2027-01-31`, `2027-01-31T12:00:00Z`, or seconds since 1970. For clap.
pub(super) fn moment(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let long = format!("{text}T00:00:00Z");
    let date = if text.len() == 10 { long.as_str() } else { text };
    let date = humantime::parse_rfc3339(date).ok();
    date.and_then(|date| date.duration_since(UNIX_EPOCH).ok())
        .as_ref()
        .map(Duration::as_secs)
        .ok_or_else(|| {
            "write it as 2027-01-31, 2027-01-31T12:00:00Z, or in seconds since 1970".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        for (text, seconds) in [
            ("90d", 7_776_000),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("45", 45),
            ("0s", 0),
            ("2w", 1_209_600),
        ] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for text in ["", "d", "-1", "1.5", "1ms", "1M", "tomorrow", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, seconds) in
            [("2027-01-31", 1_801_353_600), ("2027-01-31T12:00:00Z", 1_801_396_800), ("1", 1)]
        {
            assert_eq!(moment(text), Ok(seconds), "{text}");
        }
        for text in ["", "31.1.2027", "2027-02-30", "1969-12-31", "2027-01-31T12:00:00"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
