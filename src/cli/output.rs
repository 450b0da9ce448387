//! What is written where: the result to standard output, everything else to standard error. Nothing
//! that an attacker may have written reaches a terminal as it is: for people only [`Shown`] is
//! printed, and what programs read has no character that steers a terminal but the ends of its
//! lines.

use super::exit::{Failure, Outcome};
use super::given::Given;
use crate::apikey::{AuditRecord, KeyRecord, PepperUse};
use crate::json::{Kind, ObjectWriter, Value};
use crate::keyring::RingKey;
use crate::session::{SessionEnd, SessionEvent, SessionRecord};
use comfy_table::{CellAlignment, Table, presets};
use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, UNIX_EPOCH};

/// Where the results of a command go.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    given: Given,
    out: std::io::BufWriter<std::io::Stdout>,
}

impl Output {
    pub(super) fn new(json: bool, given: Given) -> Self {
        Self { json, given, out: std::io::BufWriter::new(std::io::stdout()) }
    }

    /// Whether programs read the output.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.out.write_all(bytes).map_err(|error| unwritable(&error))
    }

    /// What programs read: JSON, PEM or a token.
    pub(super) fn line(&mut self, line: &str) -> Outcome<()> {
        self.bytes(visible(line, Newlines::Stay).as_bytes())?;
        self.bytes(if line.ends_with('\n') { b"" } else { b"\n" })
    }

    /// What people read.
    pub(super) fn show(&mut self, shown: &Shown) -> Outcome<()> {
        self.line(&shown.0)
    }

    /// JSON for programs; for people what `text` makes.
    pub(super) fn either<T: Into<Shown>>(
        &mut self,
        json: &str,
        text: impl FnOnce() -> T,
    ) -> Outcome<()> {
        if self.json { self.line(json) } else { self.show(&text().into()) }
    }

    pub(super) fn flush(&mut self) -> Outcome<()> {
        self.out.flush().map_err(|error| unwritable(&error))
    }

    /// Something a person should know; programs are not told.
    pub(super) fn note(&mut self, note: impl Into<Shown>) {
        if !self.json {
            warn(&Shown(self.given.hide_in_note(note.into().0)));
        }
    }

    /// Something that a person must do before the command can continue.
    pub(super) fn ask(&mut self, json: &str, text: impl Into<Shown>) {
        warn(&if self.json { Shown::from(json) } else { text.into() });
    }

    /// Tells of the failure; the exit code.
    pub(super) fn failure(&mut self, failure: &Failure) -> u8 {
        let _ = self.out.flush(); // what was done before the failure was done
        let code = failure.code();
        if matches!(failure, Failure::OutputClosed) {
            return code;
        }
        let message = self.given.hide(failure.message());
        if !self.json {
            warn(&Shown::from(format!("error: {message}")));
            return code;
        }
        let mut error = ObjectWriter::new();
        let kind = failure.kind();
        error.number("number", u64::try_from(kind.number()).ok());
        error.text("code", kind.code());
        error.number("status", u64::from(kind.http_status()));
        error.text("name", kind.name());
        let of_library = failure.error();
        error.optional("claim", of_library.and_then(crate::Error::claim));
        let waits = of_library.and_then(crate::Error::retry_after);
        error.number("retry_after_ms", waits.map(u64::from));
        error.optional("key_id", of_library.and_then(crate::Error::api_key_id));
        error.text("message", &message);
        error.number("exit", u64::from(code));
        let mut object = ObjectWriter::new();
        object.raw("error", &error.end());
        warn(&Shown::from(object.end()));
        code
    }
}

/// On standard error. If that is closed, nothing can be reported.
fn warn(shown: &Shown) {
    let _ = writeln!(std::io::stderr().lock(), "{}", shown.0);
}

/// Several lines on standard error.
pub(super) fn warn_of(lines: &str) {
    warn(&Shown::lines(lines.trim_end().lines()));
}

/// Text that is safe to show on a terminal, no matter who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown(String);

impl Shown {
    /// One line under the other.
    pub(super) fn lines<T: Into<Self>>(lines: impl IntoIterator<Item = T>) -> Self {
        let lines: Vec<String> = lines.into_iter().map(|line| line.into().0).collect();
        Self(lines.join("\n"))
    }
}

/// One line: an end of a line in it is escaped as well.
impl From<String> for Shown {
    fn from(text: String) -> Self {
        match visible(&text, Newlines::AreEscaped) {
            Cow::Owned(visible) => Self(visible),
            Cow::Borrowed(_) => Self(text),
        }
    }
}

impl From<&String> for Shown {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self(visible(text, Newlines::AreEscaped).into_owned())
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Failure::OutputClosed;
    }
    Failure::Input(format!("The output cannot be written: {error}."))
}

/// Whether a person sees what is written to standard error.
pub(super) fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// A date as people read it, in UTC; `-` for none.
pub(super) fn date(seconds: impl Into<Option<u64>>) -> String {
    // The last second of the year 9999, after which there is no such date.
    const LAST: u64 = 253_402_300_799;
    match seconds.into() {
        None => "-".to_owned(),
        Some(seconds) if seconds > LAST => "after 9999".to_owned(),
        Some(seconds) => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
        }
    }
}

/// A length of time: `1day`, `15m`.
pub(super) fn length(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// How far away a date is: `in 15m`, `3h ago`, in its largest unit.
pub(super) fn distance(seconds: u64, now: u64) -> String {
    let apart = seconds.abs_diff(now);
    let (count, unit) = match apart {
        0 => return "now".to_owned(),
        1..120 => (apart, 's'),
        120..7200 => (apart / 60, 'm'),
        7200..172_800 => (apart / 3600, 'h'),
        _ => (apart / 86_400, 'd'),
    };
    if seconds > now { format!("in {count}{unit}") } else { format!("{count}{unit} ago") }
}

/// A number of things: `1 key`, `2 keys`.
pub(super) fn count(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A table whose cells are [`Shown`].
struct Cells(Table);

fn table(header: &[&str]) -> Cells {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.iter().map(|name| name.to_uppercase()));
    Cells(table)
}

impl Cells {
    fn add_row<T: Into<Shown>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.into().0));
    }

    /// The table without the spaces that its last column ends with.
    fn text(&self) -> Shown {
        let trimmed = self.0.trim_fmt();
        let lines: Vec<&str> =
            trimmed.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        Shown(lines.join("\n"))
    }
}

/// A table of names and values, one a line.
pub(super) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> Shown {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let mut table = Cells(table);
    for (name, value) in facts {
        table.add_row([name, &value]);
    }
    table.text()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// What is to be known of a key's state in a word.
fn state(record: &KeyRecord, now: u64) -> String {
    if record.altered {
        return "altered".to_owned();
    }
    let expired = record.expires_at.is_some_and(|at| at <= now);
    let waiting = record.not_before.is_some_and(|from| from > now);
    match record.status.name() {
        "active" if expired => "expired".to_owned(),
        "active" if waiting => "not yet".to_owned(),
        other => other.to_owned(),
    }
}

/// Keys, one a line.
pub(super) fn keys(records: &[KeyRecord], now: u64) -> Shown {
    let mut table =
        table(&["id", "state", "owner", "name", "scopes", "expires", "last used", "uses"]);
    for record in records {
        table.add_row([
            record.id.clone(),
            state(record, now),
            record.owner.clone(),
            or_dash(&record.name),
            or_dash(&record.scopes.join(" ")),
            record.expires_at.map_or_else(|| "never".to_owned(), |at| distance(at, now)),
            record.last_used_at.map_or_else(|| "never".to_owned(), |at| distance(at, now)),
            record.uses.to_string(),
        ]);
    }
    if let Some(uses) = table.0.column_mut(7) {
        uses.set_cell_alignment(CellAlignment::Right);
    }
    table.text()
}

/// Everything about one key.
pub(super) fn key(record: &KeyRecord, now: u64) -> Shown {
    let dated = |at: Option<u64>| {
        at.map_or_else(|| "-".to_owned(), |at| format!("{} ({})", date(at), distance(at, now)))
    };
    let credits = record.credits.map_or_else(
        || "unlimited".to_owned(),
        |credits| match credits.refill {
            0 => format!("{} of {}", credits.remaining, credits.limit),
            refill => {
                let (left, most, every) = (credits.remaining, credits.limit, credits.every);
                format!("{left} of {most}, {refill} more every {every} s")
            }
        },
    );
    let mut rows = vec![
        ("id", record.id.clone()),
        ("text begins with", format!("{}_{}_{}_", record.prefix, record.env, record.id)),
        ("state", state(record, now)),
        ("owner", record.owner.clone()),
        ("name", or_dash(&record.name)),
        ("tenant", or_dash(&record.tenant)),
        ("scopes", or_dash(&record.scopes.join(" "))),
        ("networks", if record.cidrs.is_empty() { "any".into() } else { record.cidrs.join(" ") }),
        ("rate", record.rate.map_or_else(|| "unlimited".to_owned(), |rate| rate.to_string())),
        ("credits", credits),
        ("not before", dated(record.not_before)),
        ("expires", record.expires_at.map_or_else(|| "never".to_owned(), |at| dated(Some(at)))),
        ("created", dated(Some(record.created_at))),
        ("created by", or_dash(&record.created_by)),
        ("rotated", dated(record.rotated_at)),
        ("old secret until", dated(record.overlap_until)),
        ("last used", dated(record.last_used_at)),
        ("uses", record.uses.to_string()),
        ("metadata", or_dash(&record.meta)),
        ("version", record.version.to_string()),
    ];
    if let Some(at) = record.revoked_at {
        rows.insert(3, ("revoked", dated(Some(at))));
    }
    if record.altered {
        rows.insert(3, ("altered", "its row was changed from outside: it is refused".to_owned()));
    }
    if !record.reason.is_empty() {
        rows.insert(3, ("reason", record.reason.clone()));
    }
    facts(rows)
}

/// Rows of the audit, one a line.
pub(super) fn audit(rows: &[AuditRecord]) -> Shown {
    let mut table = table(&["seq", "at", "actor", "action", "key", "detail"]);
    for row in rows {
        let (seq, at) = (row.seq.to_string(), date(row.at));
        table.add_row([&seq, &at, &or_dash(&row.actor), &row.action, &row.key_id, &row.detail]);
    }
    table.text()
}

/// What is to be known of a session's state in a word.
fn session_state(record: &SessionRecord, now: u64) -> &'static str {
    match record.end {
        _ if record.altered => "altered",
        Some(end) => end.name(),
        None if record.is_live(now) => "live",
        None => SessionEnd::Expired.name(),
    }
}

/// Sessions, one a line.
pub(super) fn sessions(records: &[SessionRecord], now: u64) -> Shown {
    let mut table = table(&["id", "state", "subject", "client", "started", "last seen", "expires"]);
    for record in records {
        // Of a row that cannot be read, the time is unknown.
        let is_known = record.created_at > 0;
        let when = |at| if is_known { distance(at, now) } else { or_dash("") };
        table.add_row([
            record.family.clone(),
            session_state(record, now).to_owned(),
            or_dash(&record.subject),
            or_dash(&record.client),
            when(record.created_at),
            when(record.last_seen_at),
            when(record.expires_at),
        ]);
    }
    table.text()
}

/// Everything about one session.
pub(super) fn session(record: &SessionRecord, now: u64) -> Shown {
    let dated = |at: Option<u64>| {
        at.map_or_else(|| "-".to_owned(), |at| format!("{} ({})", date(at), distance(at, now)))
    };
    facts([
        ("id", record.family.clone()),
        ("state", session_state(record, now).to_owned()),
        ("subject", record.subject.clone()),
        ("client", or_dash(&record.client)),
        ("started", dated(Some(record.created_at))),
        ("last seen", dated(Some(record.last_seen_at))),
        ("refreshes", record.refreshes.to_string()),
        ("expires", dated(Some(record.expires_at))),
        ("expires at the latest", dated(Some(record.absolute_expires_at))),
        ("ended", dated(record.ended_at)),
        ("metadata", or_dash(&record.meta)),
    ])
}

/// What happened to sessions, one a line.
pub(super) fn session_events(events: &[SessionEvent]) -> Shown {
    let mut table = table(&["seq", "at", "subject", "action", "session", "client"]);
    for event in events {
        let (seq, at) = (event.seq.to_string(), date(event.at));
        let client = or_dash(&event.detail);
        table.add_row([&seq, &at, &event.subject, &event.action, &event.family, &client]);
    }
    table.text()
}

/// The keys of a ring, one a line.
pub(super) fn ring_keys(keys: &[RingKey], now: u64) -> Shown {
    let mut table = table(&["kid", "algorithm", "state", "made", "good until"]);
    for key in keys {
        table.add_row([
            key.kid.clone(),
            key.alg.name().to_owned(),
            key.state.name().to_owned(),
            distance(key.created_at, now),
            key.until.map_or_else(|| "-".to_owned(), |until| distance(until, now)),
        ]);
    }
    table.text()
}

/// What is left under each pepper.
pub(super) fn peppers(uses: &[PepperUse]) -> Shown {
    let mut table = table(&["pepper", "keys", "sessions", "key rings", "since", ""]);
    for one in uses {
        let remark = match (one.active, super::pepper::is_needed(one)) {
            _ if one.pepper == 0 => "damaged",
            (true, _) => "active",
            (false, false) if one.since == 0 => "not used yet",
            (false, false) => "not needed any more",
            (false, true) => "needed",
        };
        let since = date((one.since > 0).then_some(one.since));
        let [pepper, keys, sessions, rings] =
            [u64::from(one.pepper), one.keys, one.sessions, one.key_rings].map(|n| n.to_string());
        table.add_row([pepper, keys, sessions, rings, since, remark.to_owned()]);
    }
    table.text()
}

/// JSON with a member a line, safe to show on a terminal, no matter who wrote it.
pub(super) fn pretty(value: &Value<'_>) -> Shown {
    let mut out = String::new();
    write_pretty(&mut out, value, 0);
    Shown(out)
}

fn write_pretty(out: &mut String, value: &Value<'_>, depth: usize) {
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut first = true;
    let mut next = |out: &mut String| {
        if !std::mem::replace(&mut first, false) {
            out.push(',');
        }
        new_line(out, depth + 1);
    };
    match value.kind() {
        Kind::Object => {
            out.push('{');
            for (name, value) in value.members() {
                next(out);
                out.push('"');
                out.push_str(&visible(name.raw(), Newlines::AreEscaped));
                out.push_str("\": ");
                write_pretty(out, &value, depth + 1);
            }
            if !first {
                new_line(out, depth);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for value in value.elements() {
                next(out);
                write_pretty(out, &value, depth + 1);
            }
            if !first {
                new_line(out, depth);
            }
            out.push(']');
        }
        _ => out.push_str(&visible(value.raw(), Newlines::AreEscaped)),
    }
}

/// What becomes of the ends of lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Newlines {
    Stay,
    AreEscaped,
}

/// Text that an attacker may have written: what would steer a terminal, or turn the direction of
/// the text, is escaped as JSON escapes it.
fn visible(text: &str, newlines: Newlines) -> Cow<'_, str> {
    let escaped = |c: char| steers(c) && (c != '\n' || newlines == Newlines::AreEscaped);
    if !text.contains(escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 32);
    for c in text.chars() {
        if escaped(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal does something else with it than show it: C0, DEL and C1, what sets the
/// direction of text or breaks lines, and what is not seen at all.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests;
