//! Exit codes, and what a command fails with.

use crate::{Error, ErrorKind, Words};

/// It is done.
pub(super) const DONE: u8 = 0;
/// A key or a token was looked at and refused, or there is no key of this id.
pub(super) const REFUSED: u8 = 1;
/// The arguments, or what they ask for together, are wrong.
pub(super) const USAGE: u8 = 2;
/// A file, a key or rows to import cannot be used.
pub(super) const INPUT: u8 = 3;
/// The store or its pepper: out of reach, damaged, read-only, full, of another pepper; another
/// server that is out of reach or gives no answer.
pub(super) const STORE: u8 = 4;
/// A defect of gatekey's, or of the system's random numbers.
pub(super) const INTERNAL: u8 = 5;

/// What a command comes to.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The library says no.
    Library(Error),
    /// The library says no to this file or argument.
    About(String, Box<Error>),
    /// The arguments contradict each other, or something of them cannot be read.
    Usage(String),
    /// Something that was handed in cannot be read or used.
    Input(String),
    /// Something was done, and this code and kind report something.
    Exit(u8, ErrorKind, String),
    /// The reader of our output has gone; nothing can be reported.
    OutputClosed,
}

impl Failure {
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Library(error) => code_of(error.kind()),
            Self::About(_, error) => code_of(error.kind()),
            Self::Usage(_) => USAGE,
            Self::Input(_) => INPUT,
            Self::Exit(code, ..) => *code,
            // As a program that SIGPIPE has ended.
            Self::OutputClosed => 141,
        }
    }

    /// The error of the library that it is, if it is one.
    pub(super) fn error(&self) -> Option<&Error> {
        match self {
            Self::Library(error) => Some(error),
            Self::About(_, error) => Some(error),
            _ => None,
        }
    }

    /// The kind: what programs tell it by.
    pub(super) fn kind(&self) -> ErrorKind {
        match self {
            Self::Library(error) => error.kind(),
            Self::About(_, error) => error.kind(),
            Self::Usage(_) | Self::Input(_) | Self::OutputClosed => ErrorKind::InvalidArgument,
            Self::Exit(_, kind, _) => *kind,
        }
    }

    /// The message, with the claim, option or place that it is about, and what to do.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Library(error) => told(error),
            Self::About(what, error) => format!("{what}: {}", told(error)),
            Self::Usage(message) | Self::Input(message) | Self::Exit(.., message) => {
                message.clone()
            }
            Self::OutputClosed => "The output was closed by its reader.".to_owned(),
        }
    }

    /// The same, about this file or argument.
    pub(super) fn about(self, what: &str) -> Self {
        match self {
            Self::Library(error) if code_of(error.kind()) == INPUT => {
                Self::About(what.to_owned(), Box::new(error))
            }
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

/// What the library says, in the words of the command line.
pub(super) fn told(error: &Error) -> String {
    error.text(Words::CommandLine).to_string()
}

fn code_of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Internal | ErrorKind::RandomUnavailable => INTERNAL,
        _ if kind.is_rejected() => REFUSED,
        _ if (2000..=2999).contains(&kind.number()) => INPUT,
        ErrorKind::RequestBlocked => USAGE,
        _ if kind.number() >= 6000 || kind.is_unavailable() => STORE,
        _ => USAGE,
    }
}

/// Prints help, or the version.
pub(super) fn help(text: &clap::Error) -> u8 {
    let _ = text.print(); // if it is not read, nothing is lost
    DONE
}
