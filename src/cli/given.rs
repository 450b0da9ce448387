//! What was given on the command line, and may be a secret: no message repeats it. Secrets belong
//! into files; one that was put on the line by mistake is in the shell's history already, and must
//! not get into a log as well.

use super::exit::{Failure, Outcome};
use crate::named::secret_in;
use crate::open::StoreUrl;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What is random may be the name of something, such as a subject; in a note it is shown.
const RANDOM: &str = "a long random text";
/// What is no argument of any command.
const WHOLE: [&str; 3] = ["an API key", "a token (JWT)", "a key in PEM"];
/// The shortest text that is looked for in messages, in bytes.
const SHORTEST: usize = 8;

/// The texts that no message shows, longest first, and what each may be.
#[derive(Debug, Default)]
pub(super) struct Given(Vec<(String, &'static str)>);

impl Given {
    /// What may be a secret among the arguments, and among the variables that stand for options.
    pub(super) fn of(arguments: &[OsString]) -> Self {
        let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        let set =
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GATEKEY_"));
        let set = set.map(|(_, value)| value.to_string_lossy().into_owned());
        let mut hidden = Vec::new();
        for text in words.chain(set) {
            let value = text.split_once('=').map(|(_, value)| value);
            for text in [Some(text.as_str()), value].into_iter().flatten() {
                hidden.extend(hidden_in(text));
            }
        }
        hidden.retain(|(text, _)| text.len() >= SHORTEST);
        hidden.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        hidden.dedup();
        Self(hidden)
    }

    /// The refusal of a line that holds a whole token or key, wherever it stands.
    pub(super) fn refused(arguments: &[OsString]) -> Option<String> {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        let is_parameter = |place: usize| {
            let before = place.checked_sub(1).and_then(|before| words.get(before));
            // What a server of its own kind asks for may be a token.
            before.is_some_and(|word| word == "--param")
        };
        let mut places =
            words.iter().enumerate().skip(1).filter(|(place, _)| !is_parameter(*place));
        let (place, what) = places.find_map(|(place, word)| {
            let values = [Some(&**word), word.split_once('=').map(|(_, value)| value)];
            let mut hidden = values.into_iter().flatten().flat_map(hidden_in);
            let what = hidden.find(|(_, what)| WHOLE.contains(what)).map(|(_, what)| what);
            what.filter(|_| !word.starts_with("--param=")).map(|what| (place, what))
        })?;
        let more = match words.get(1).map(|word| &**word) {
            Some("revoke") => " `gatekey revoke token` reads the token itself from standard input.",
            _ => "",
        };
        Some(format!(
            "Word {place} of the line holds {what}, which is not shown. Secrets are read from files, standard input or a \
             prompt, never from arguments, which other users and the shell's history can see.{more}"
        ))
    }

    /// The text of an error, without what may be a secret.
    pub(super) fn hide(&self, text: String) -> String {
        self.without(text, |_| true)
    }

    /// The same of a note, which may name what looks random.
    pub(super) fn hide_in_note(&self, text: String) -> String {
        self.without(text, |what| what != RANDOM)
    }

    fn without(&self, text: String, is_hidden: impl Fn(&str) -> bool) -> String {
        let hidden = self.0.iter().filter(|(_, what)| is_hidden(what));
        hidden.fold(text, |text, (secret, what)| match text.contains(secret.as_str()) {
            true => text.replace(secret.as_str(), &format!("({what}, not shown)")),
            false => text,
        })
    }
}

/// The texts in which a message could show this one; none if it looks like a name, or is that of
/// something that is there.
fn hidden_in(text: &str) -> Vec<(String, &'static str)> {
    let url = text.parse::<StoreUrl>().ok();
    let path =
        url.as_ref().and_then(StoreUrl::path).map_or_else(|| PathBuf::from(text), Path::to_owned);
    let there = path.ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let rest = there.and_then(|there| path.strip_prefix(there).ok()).unwrap_or(&path);
    let rest = rest.to_string_lossy();
    let Some(what) = secret_in(&rest) else { return Vec::new() };
    let mut hidden =
        vec![text.to_owned(), path.to_string_lossy().into_owned(), rest.clone().into_owned()];
    hidden.extend(rest.split('/').filter(|part| secret_in(part).is_some()).map(str::to_owned));
    // As the other messages of a terminal have it.
    hidden.extend(text.lines().filter(|line| line.len() >= 16).map(str::to_owned));
    hidden.into_iter().map(|text| (text, what)).collect()
}

/// What may be said of a file that cannot be read: its name, unless it may be what was to be in it.
pub(super) fn file_named(path: &Path) -> Result<String, String> {
    let text = path.to_string_lossy();
    if path.exists() || path == Path::new("-") {
        return Ok(crate::named::cut(&text).into_owned());
    }
    if let Some((_, what)) = hidden_in(&text).first() {
        return Err(format!(
            "The name of a file is expected here, and {what} was given, which is not shown. Write it to a file that only \
             you may read, or give it on standard input (`-`)."
        ));
    }
    if !text.contains(['/', '.']) {
        return Err(
            "The name of a file is expected here, and there is no file of the name that was given. It is not shown, \
             because it may be what was to be in the file."
                .to_owned(),
        );
    }
    Ok(crate::named::cut(&text).into_owned())
}

/// Refuses the name of a file or folder to be made that may be what is to be kept in one.
pub(super) fn check_new(path: &Path) -> Outcome<()> {
    let text = path.to_string_lossy();
    let is_bare = !text.contains(['/', '.']);
    match hidden_in(&text).first() {
        Some((_, what)) if *what != RANDOM || is_bare => Err(Failure::Input(format!(
            "The name of a file or folder to be made is expected here, and {what} was given, which is not shown."
        ))),
        _ => Ok(()),
    }
}

/// What clap has to say, without the values that were given, and without what looks like neither an
/// option nor a command.
pub(super) fn told(mut error: clap::Error, arguments: &[OsString]) -> String {
    let mut hidden = Vec::new();
    for kind in [ContextKind::InvalidValue, ContextKind::InvalidSubcommand, ContextKind::InvalidArg]
    {
        // Of the other kinds, it is the name of an argument of ours.
        if kind == ContextKind::InvalidArg && error.kind() != ErrorKind::UnknownArgument {
            continue;
        }
        let Some(ContextValue::String(text)) = error.get(kind) else { continue };
        if text.is_empty() || kind != ContextKind::InvalidValue && is_word(text) {
            continue;
        }
        let text = text.clone();
        let place = arguments.iter().position(|word| word.to_string_lossy() == text.as_str());
        let instead = match place {
            Some(place) if kind != ContextKind::InvalidValue => {
                format!("(word {place} of the line, not shown)")
            }
            _ => "(not shown)".to_owned(),
        };
        error.insert(kind, ContextValue::String(instead));
        hidden.push(text);
    }
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let repeats = |tip: &str| hidden.iter().any(|text| tip.contains(text.as_str()));
        let tips = tips.iter().filter(|tip| !repeats(&tip.to_string())).cloned().collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    let text = error.render().to_string();
    let mut text = text.replace("invalid digit found in string", "a whole number is expected");
    // In the words of a reader of values.
    for value in hidden.iter().filter(|value| value.len() >= SHORTEST) {
        text = text.replace(value.as_str(), "(not shown)");
    }
    let is_unknown =
        matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand);
    if is_unknown && !hidden.is_empty() {
        let help = text.rfind("\n\nFor more information").unwrap_or(text.len());
        text.insert_str(
            help,
            "\n\nIt may be a secret, so that it is not shown. Secrets are read from files, standard input or a prompt, never \
             from arguments.",
        );
    }
    text
}

/// Whether it looks like the name of a command or an option.
fn is_word(text: &str) -> bool {
    let name = text.trim_start_matches('-');
    (1..=20).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_hidden_wherever_it_is_given() {
        let token = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";
        for word in [token.to_owned(), format!("--store={token}"), format!("sqlite:///{token}")] {
            let given = Given::of(&["gatekey".into(), word.into()]);
            let text = given.hide(format!("There is no store at {token}."));
            assert_eq!(text, "There is no store at (a token (JWT), not shown).");
        }
        let given =
            Given::of(&["gatekey".into(), "keys.sqlite".into(), "--limit".into(), "5000".into()]);
        let text = "There is no store at keys.sqlite, nor 5000.";
        assert_eq!(given.hide(text.to_owned()), text);
    }

    #[test]
    fn what_looks_random_is_shown_in_a_note_only() {
        let subject = "550e8400-e29b-41d4-a716-446655440000";
        let given = Given::of(&["gatekey".into(), subject.into()]);
        assert_eq!(given.hide_in_note(subject.to_owned()), subject);
        assert_eq!(given.hide(subject.to_owned()), "(a long random text, not shown)");
    }

    #[test]
    fn words_are_options_and_commands() {
        for word in ["tokn", "--colour", "-x", "scan-rules"] {
            assert!(is_word(word), "{word}");
        }
        for text in ["", "--", "hunter2", "--s3cret", "Secret", "correcthorsebatterystaple", "a=b"]
        {
            assert!(!is_word(text), "{text}");
        }
    }
}
