//! `gatekey session ...`: who is logged in, and log-outs. Sessions are started and refreshed by
//! services.

use super::exit::Outcome;
use super::input::{self, duration};
use super::output::{self, Output};
use super::pages::{Pages, show_pages};
use super::store::Place;
use crate::json::ObjectWriter;
use crate::session::{SessionEventFilter, SessionFilter};
use crate::{Clock as _, Sessions, SystemClock, ToJson as _};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List sessions
    List(List),
    /// Show everything about a session
    Show(One),
    /// End a session, and revoke its access tokens
    End(End),
    /// End the sessions whose refresh tokens were made under an old pepper: for the day that it has
    /// leaked
    EndUnderPepper(EndUnderPepper),
    /// End all sessions of a subject, and revoke its access tokens
    EndAll(EndAll),
    /// Show what happened to sessions: log-ins, log-outs, reuse
    Events(Events),
    /// Delete sessions that are over, and old events
    Purge(Purge),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only sessions of this subject
    #[arg(long)]
    subject: Option<String>,
    /// Also sessions that are over
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    /// The session's id: `sid` of its access tokens
    family: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct End {
    /// The session's id: `sid` of its access tokens
    #[arg(required_unless_present = "by_token")]
    family: Option<String>,
    /// The session of a refresh token, which is read from standard input or a prompt
    #[arg(long, conflicts_with = "family")]
    by_token: bool,
    /// Only if it is a session of this subject
    #[arg(long, conflicts_with = "by_token")]
    subject: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct EndUnderPepper {
    /// The pepper's number, which `gatekey pepper report` shows
    pepper: u32,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct EndAll {
    /// Whose sessions
    subject: String,
    /// Keep this one of them
    #[arg(long, value_name = "ID")]
    but: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Events {
    /// Only events of this subject's sessions
    #[arg(long)]
    subject: Option<String>,
    /// Only events of this session
    #[arg(long, value_name = "ID")]
    family: Option<String>,
    #[command(flatten)]
    pages: Pages,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
pub(super) struct Purge {
    /// Only sessions that ended, and events that happened, at least this long ago: 90d, 12h, or
    /// seconds
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: u64,
    #[command(flatten)]
    place: Place,
}

pub(super) fn run(command: Command, output: &mut Output) -> Outcome<()> {
    let now = SystemClock.now();
    match command {
        Command::List(List { subject, ended, pages, place }) => {
            let sessions = place.sessions()?;
            let live_at = (!ended).then_some(now);
            show_pages(
                pages,
                output,
                |cursor, limit| {
                    let subject = subject.clone();
                    sessions.find(&SessionFilter { subject, live_at, cursor, limit })
                },
                |records| output::sessions(records, now),
                "No sessions.",
            )
        }
        Command::Show(One { family, place }) => {
            let record = place.sessions()?.get(&family)?;
            output.either(&record.to_json(), || output::session(&record, now))
        }
        Command::End(End { family, by_token: _, subject, place }) => {
            let sessions = place.sessions()?;
            let ended = match family {
                Some(family) => sessions.end_by_id(&family, subject.as_deref())?,
                None => sessions.end(input::secret("refresh token")?.expose())?,
            };
            sessions.close()?;
            let mut json = ObjectWriter::new();
            json.bool("ended", ended);
            output.either(&json.end(), || {
                let told = if ended { "Ended the session." } else { "It had been ended before." };
                told.to_owned()
            })
        }
        Command::EndUnderPepper(EndUnderPepper { pepper, place }) => {
            end_many(&place, output, |sessions| sessions.end_under_pepper(pepper))
        }
        Command::EndAll(EndAll { subject, but, place }) => {
            end_many(&place, output, |sessions| match &but {
                Some(family) => sessions.end_others(&subject, family),
                None => sessions.end_all(&subject),
            })
        }
        Command::Events(Events { subject, family, pages, place }) => {
            let sessions = place.sessions()?;
            show_pages(
                pages,
                output,
                |cursor, limit| {
                    let (subject, family) = (subject.clone(), family.clone());
                    sessions.events(&SessionEventFilter { subject, family, cursor, limit })
                },
                output::session_events,
                "Nothing has happened.",
            )
        }
        Command::Purge(Purge { older_than, place }) => {
            let sessions = place.sessions()?;
            let purged = sessions.purge(now.saturating_sub(older_than))?;
            sessions.close()?;
            let mut json = ObjectWriter::new();
            json.number("purged", purged);
            output.either(&json.end(), || format!("Deleted {}.", output::count(purged, "session")))
        }
    }
}

fn end_many(
    place: &Place,
    output: &mut Output,
    end: impl FnOnce(&Sessions) -> crate::Result<u64>,
) -> Outcome<()> {
    let sessions = place.sessions()?;
    let ended = end(&sessions)?;
    sessions.close()?;
    let mut json = ObjectWriter::new();
    json.number("ended", ended);
    output.either(&json.end(), || format!("Ended {}.", output::count(ended, "session")))
}
