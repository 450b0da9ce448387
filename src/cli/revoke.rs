//! `gatekey revoke ...`: tokens that services are to refuse from now on.

use super::exit::{Failure, Outcome};
use super::input::{self, duration, moment};
use super::output::{self, Output};
use super::store::{Location, PepperArgs, Place};
use crate::json::{self, ObjectWriter};
use crate::jwt::danger_decode_unverified;
use crate::revocations::{RevocationOptions, RevokeScope};
use crate::session::SessionOptions;
use crate::{Clock as _, Revocations, SystemClock};
use std::path::Path;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Revoke one token: named by --jti, or read from standard input, without verifying it
    Token(Token),
    /// Revoke the access tokens of a session; `gatekey session end` ends it as well
    Session(Session),
    /// Revoke the tokens that a subject has now; its sessions continue, unless --end-sessions
    Subject(Subject),
    /// Revoke the tokens of a key, for ever
    Key(Key),
    /// Revoke the tokens that were issued before a time; `now` means all that there are
    Before(Before),
    /// Show how many revocations there are
    Status(List),
    /// Forget revocations whose tokens have all expired
    Purge(List),
}

/// What is revoked, in a store that is there.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// The longest life of a token that the services accept, as it is set there: what has no expiry
    /// of its own is remembered for that long
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = duration)]
    max_token_ttl: u64,
    #[command(flatten)]
    location: Location,
}

impl List {
    fn options(&self) -> RevocationOptions {
        RevocationOptions::new().max_token_ttl(self.max_token_ttl)
    }

    fn open(&self) -> Outcome<Revocations> {
        self.location.revocations(self.options())
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Token {
    /// The token's `jti`; without it the token itself is read from standard input
    #[arg(long, requires = "end", allow_hyphen_values = true)]
    jti: Option<String>,
    /// The token's `iss`; without it, tokens with this `jti` are refused from any issuer
    #[arg(long, requires = "jti", default_value = "", hide_default_value = true)]
    issuer: String,
    /// The token's `exp`, not in the past: 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = moment, group = "end", requires = "jti")]
    expires_at: Option<u64>,
    /// In how long it expires: 15m, 1h, or seconds
    #[arg(long, value_name = "DURATION", value_parser = duration, group = "end", requires = "jti")]
    expires_in: Option<u64>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Session {
    /// `sid` of the tokens
    #[arg(allow_hyphen_values = true)]
    sid: String,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Subject {
    /// `sub` of the tokens
    #[arg(allow_hyphen_values = true)]
    subject: String,
    /// End its sessions as well, as `gatekey session end-all` does, so that none of them gives new
    /// tokens
    #[arg(long)]
    end_sessions: bool,
    /// The subject is a number, as in {"sub":7}, and not the text of one; it has no sessions
    #[arg(long, conflicts_with = "end_sessions")]
    numeric: bool,
    #[command(flatten)]
    pepper: PepperArgs,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// `kid` of the key
    #[arg(allow_hyphen_values = true)]
    kid: String,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Before {
    /// The time: now, 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970
    #[arg(value_parser = moment_or_now)]
    time: u64,
    /// Only tokens of this subject
    #[arg(long, conflicts_with = "tenant")]
    subject: Option<String>,
    /// Only tokens of this tenant: the claim `tenant`
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    list: List,
}

fn moment_or_now(text: &str) -> Result<u64, String> {
    // All that there is now: what this second has issued as well.
    if text == "now" { Ok(SystemClock.now().saturating_add(1)) } else { moment(text) }
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    match command {
        Command::Token(token) => run_token(&token, output),
        Command::Session(Session { sid, list }) => {
            revoke(&list, output, |list| list.revoke_session(&sid))
        }
        Command::Subject(given) => run_subject(given, output),
        Command::Key(Key { kid, list }) => revoke(&list, output, |list| list.revoke_key(&kid)),
        Command::Before(Before { time, subject, tenant, list }) => {
            let scope = match (&subject, &tenant) {
                (Some(subject), _) => RevokeScope::Subject(subject),
                (None, Some(tenant)) => RevokeScope::Tenant(tenant),
                (None, None) => RevokeScope::All,
            };
            revoke(&list, output, |list| list.revoke_before(time, scope))?;
            output.note(
                "Sessions continue: their next refresh gives good tokens. `gatekey session end-all` ends those of a \
                 subject.",
            );
            Ok(())
        }
        Command::Status(list) => {
            let list = list.open()?;
            let mut json = ObjectWriter::new();
            json.number("revocations", list.len() as u64);
            json.number("memory_bytes", list.memory_bytes() as u64);
            output.either(&json.end(), || output::count(list.len() as u64, "revocation"))
        }
        Command::Purge(list) => {
            let purged = list.open()?.purge()?;
            let mut json = ObjectWriter::new();
            json.number("purged", purged);
            output
                .either(&json.end(), || format!("Forgot {}.", output::count(purged, "revocation")))
        }
    }
}

/// Revokes what a subject has, and ends its sessions if that is asked for.
fn run_subject(given: Subject, output: &mut Output) -> Outcome<()> {
    let Subject { subject, end_sessions, numeric, pepper, list } = given;
    if numeric {
        let number = subject.parse().map_err(|_| {
            Failure::Usage("A numeric subject is a whole number of at most 64 bits.".to_owned())
        })?;
        return revoke(&list, output, |list| list.revoke_numeric_subject(number));
    }
    if !end_sessions {
        revoke(&list, output, |list| list.revoke_subject(&subject))?;
        if subject.parse::<i64>().is_ok() {
            output.note("Tokens whose `sub` is a number, not a text, have another subject: --numeric revokes them.");
        }
        output.note(format!(
            "The sessions of {subject} continue: their next refresh gives good tokens. To end them too: \
             gatekey session end-all {subject}, or --end-sessions here.",
        ));
        return Ok(());
    }
    let revocations = list.options();
    let place = Place { location: list.location, pepper };
    let sessions = place.sessions_with(SessionOptions::new().revocations(revocations))?;
    let ended = sessions.end_all(&subject)?;
    let revocations = sessions.revocations().len() as u64;
    sessions.close()?;
    let mut json = ObjectWriter::new();
    json.number("revocations", revocations);
    json.number("sessions_ended", ended);
    output.either(&json.end(), || {
        let ended = output::count(ended, "session");
        format!("Revoked, and ended {ended}; services that share the store refuse them now.")
    })
}

fn run_token(token: &Token, output: &mut Output) -> Outcome<()> {
    if let Some(jti) = &token.jti {
        let until = token
            .expires_at
            .or_else(|| token.expires_in.map(|length| SystemClock.now().saturating_add(length)))
            .unwrap_or(0); // clap wants one of the two
        return revoke(&token.list, output, |list| list.revoke_token(&token.issuer, jti, until));
    }
    let text = input::line_of(Path::new("-"), "token")?;
    let token_text = danger_decode_unverified(text.expose())?;
    let claims = json::parse(token_text.claims_json().as_bytes())?;
    let text_of = |name: &str| claims.member(name).and_then(|value| value.as_str());
    let (Some(jti), Some(expires_at)) = (
        text_of("jti"),
        claims.member("exp").and_then(|exp| exp.as_f64()).filter(|exp| (0.0..1e15).contains(exp)),
    ) else {
        return Err(Failure::Input(
            "The token has no `jti` or no `exp`; revoke its session, subject or key.".to_owned(),
        ));
    };
    let issuer = text_of("iss").unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    let until = expires_at.ceil() as u64;
    revoke(&token.list, output, |list| list.revoke_token(&issuer, &jti, until))
}

fn revoke(
    list: &List,
    output: &mut Output,
    revoke: impl FnOnce(&Revocations) -> crate::Result<()>,
) -> Outcome<()> {
    let list = list.open()?;
    revoke(&list)?;
    let mut json = ObjectWriter::new();
    json.number("revocations", list.len() as u64);
    output
        .either(&json.end(), || "Revoked; services that share the store refuse it now.".to_owned())
}
