//! One connection: messages of PostgreSQL's protocol 3.0, each call with a deadline. Statements are
//! unnamed and their values are parameters, so that a pool in transaction mode (pgbouncer) may
//! stand between.
//!
//! The crate `postgres` is not used: it has no deadline of the client's own, so that a server that
//! was stopped would hold a revocation for ever; it answers a server that asks for a password in
//! clear text or MD5; and its runtime's descriptors would be shared with a forked child.

use super::values::{Columns, Row, Value};
use crate::error::Error;
use crate::store::socket::Socket;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message, NoticeResponseBody};
use postgres_protocol::message::frontend;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest message of a server: a row has a few KiB.
const LONGEST: i32 = 64 << 20;
/// The longest one before the log-in.
const LONGEST_OF_A_STRANGER: i32 = 64 << 10;

/// Why something failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server says so, by a code of its (`SQLSTATE`).
    Refused([u8; 5]),
    /// The connection has ended.
    Lost,
    /// It had ended before the server read what was sent last.
    Unheard,
    /// The server said nothing for longer than it may.
    Silent,
    /// It is not the server that takes changes: another one of the list may be.
    Elsewhere(Error),
    /// What came is not PostgreSQL's protocol, or not what was asked for.
    Garbled,
    /// The value of this column cannot be read.
    Cell(&'static str),
    /// What is to be said.
    Ours(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl From<crate::error::ErrorKind> for Fault {
    fn from(kind: crate::error::ErrorKind) -> Self {
        Self::Ours(kind.into())
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        match error.kind() {
            Io::TimedOut | Io::WouldBlock => Self::Silent,
            Io::InvalidData | Io::InvalidInput => Self::Garbled,
            _ => Self::Lost,
        }
    }
}

impl Fault {
    /// Whether the connection is of no use any more.
    pub(super) const fn ends(&self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Unheard | Self::Silent | Self::Garbled | Self::Elsewhere(_)
        )
    }

    /// The code of an error.
    pub(super) fn code(body: &ErrorResponseBody) -> [u8; 5] {
        let mut fields = body.fields();
        let mut code = *b"XX000";
        while let Ok(Some(field)) = fields.next() {
            if field.type_() == b'C'
                && let Ok(five) = field.value_bytes().try_into()
            {
                code = five;
            }
        }
        code
    }

    /// What an error of the server means: that it ends the connection is as if it had.
    pub(super) fn of(body: &ErrorResponseBody) -> Self {
        let code = Self::code(body);
        match &code {
            // The server shuts down, or has ended what it took for idle.
            b"57P01" | b"57P02" | b"57P05" | b"25P03" => Self::Lost,
            [b'0', b'8', ..] => Self::Lost,
            _ => Self::Refused(code),
        }
    }
}

/// Whether a notice is a warning, in the form that no language changes (`V`).
fn is_warning(body: &NoticeResponseBody) -> bool {
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == b'V' {
            return field.value_bytes() == b"WARNING";
        }
    }
    false
}

/// A connection that is ready for statements.
pub(super) struct Wire {
    socket: Socket,
    input: BytesMut,
    output: BytesMut,
    /// How long the server may say nothing.
    patience: Duration,
    /// Statements that were queued since the last answer.
    queued: usize,
    /// What goes behind that, in a transaction of its own.
    behind: BytesMut,
    /// Answers that are still to come and say nothing that matters.
    owed: usize,
    /// When a sign of life was asked for last.
    pinged: Option<Instant>,
    /// Whether the server is in a transaction, as it said last: `I`, `T` or `E`.
    status: u8,
    broken: bool,
    /// The longest message that is taken now.
    longest: i32,
    notified: bool,
    /// The server has warned of something since this was last asked.
    warned: bool,
    /// The server reports another encoding than UTF-8.
    other_encoding: bool,
}

/// What the server said of the statements that were queued.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The rows of each.
    pub(super) rows: Vec<Vec<Row>>,
    /// What was done, as the server calls it: `UPDATE 1`.
    pub(super) tags: Vec<String>,
}

impl Answers {
    /// How many rows the last one has changed.
    pub(super) fn changed(&self) -> u64 {
        let count = self.tags.last().and_then(|tag| tag.rsplit(' ').next());
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }
}

impl Wire {
    pub(super) fn new(socket: Socket, patience: Duration) -> Self {
        Self {
            socket,
            input: BytesMut::new(),
            output: BytesMut::new(),
            patience,
            queued: 0,
            behind: BytesMut::new(),
            owed: 0,
            pinged: None,
            status: b'I',
            broken: false,
            longest: LONGEST_OF_A_STRANGER,
            notified: false,
            warned: false,
            other_encoding: false,
        }
    }

    /// How long the server may say nothing from now on.
    pub(super) const fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Whether another statement may be sent.
    pub(super) const fn is_good(&self) -> bool {
        !self.broken && !self.other_encoding && self.status == b'I' && self.queued == 0
    }

    /// Whether it was notified since this was last asked.
    pub(super) const fn take_notified(&mut self) -> bool {
        std::mem::replace(&mut self.notified, false)
    }

    /// Whether it was warned of something since this was last asked.
    pub(super) const fn take_warned(&mut self) -> bool {
        std::mem::replace(&mut self.warned, false)
    }

    /// Whether it was notified since [`Self::take_notified`].
    pub(super) const fn is_notified(&self) -> bool {
        self.notified
    }

    pub(super) const fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    pub(super) const fn is_secure(&self) -> bool {
        self.socket.is_secure()
    }

    /// Sends what was written.
    pub(super) fn send(&mut self) -> Result<(), Fault> {
        let sent = self.socket.send(&self.output, self.patience);
        self.output.clear();
        sent.map_err(|error| self.breaks(error.into()))
    }

    const fn breaks(&mut self, fault: Fault) -> Fault {
        self.broken = true;
        fault
    }

    /// The next message that answers something; what the server says by itself is noted.
    pub(super) fn receive(&mut self) -> Result<Message, Fault> {
        loop {
            match self.message()? {
                Some(message) => return Ok(message),
                None => {
                    let read = self
                        .socket
                        .receive(&mut |new| self.input.extend_from_slice(new), self.patience);
                    match read {
                        Ok(0) => return Err(self.breaks(Fault::Lost)),
                        Ok(_) => {}
                        Err(error) => return Err(self.breaks(error.into())),
                    }
                }
            }
        }
    }

    /// The next message of what was read already.
    fn message(&mut self) -> Result<Option<Message>, Fault> {
        loop {
            let header = Header::parse(&self.input).map_err(|_| self.breaks(Fault::Garbled))?;
            if header.is_some_and(|header| header.len() > self.longest) {
                return Err(self.breaks(Fault::Garbled));
            }
            match Message::parse(&mut self.input).map_err(|_| self.breaks(Fault::Garbled))? {
                Some(Message::NoticeResponse(body)) => self.warned |= is_warning(&body),
                Some(Message::NotificationResponse(_)) => self.notified = true,
                Some(Message::ParameterStatus(body)) => {
                    if body.name().is_ok_and(|name| name.ends_with("_encoding"))
                        && body.value().is_ok_and(|value| !value.eq_ignore_ascii_case("utf8"))
                    {
                        self.other_encoding = true;
                    }
                }
                other => return Ok(other),
            }
        }
    }

    /// Whether the server has said that text is not UTF-8.
    pub(super) const fn has_other_encoding(&self) -> bool {
        self.other_encoding
    }

    /// Waits for a notification, or until this time has passed.
    pub(super) fn wait(&mut self, time: Duration) -> Result<(), Fault> {
        // It may have come together with something else.
        self.read_on()?;
        if self.notified {
            return Ok(());
        }
        match self.socket.receive(&mut |new| self.input.extend_from_slice(new), time) {
            Ok(0) => return Err(self.breaks(Fault::Lost)),
            Ok(_) => {}
            Err(error) => match Fault::from(error) {
                Fault::Silent => return Ok(()),
                other => return Err(self.breaks(other)),
            },
        }
        self.read_on()
    }

    /// Asks for a sign of life every so often, and fails if there was none for so long.
    pub(super) fn ping(&mut self, every: Duration, most: Duration) -> Result<(), Fault> {
        match self.pinged {
            Some(at) if self.owed > 0 && at.elapsed() > most => Err(self.breaks(Fault::Silent)),
            Some(at) if self.owed > 0 || at.elapsed() < every => Ok(()),
            _ => {
                self.pinged = Some(Instant::now());
                self.queue_behind("SELECT 1", &[])?;
                self.send_behind()
            }
        }
    }

    /// Lets this time pass, and reads what is sent meanwhile.
    pub(super) fn rest(&mut self, time: Duration) -> Result<(), Fault> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            match self.socket.receive(&mut |new| self.input.extend_from_slice(new), left) {
                Ok(0) => return Err(self.breaks(Fault::Lost)),
                Ok(_) => self.read_on()?,
                Err(error) => match Fault::from(error) {
                    Fault::Silent => return Ok(()),
                    other => return Err(self.breaks(other)),
                },
            }
        }
    }

    /// What comes by itself, and the answers that were put off.
    fn read_on(&mut self) -> Result<(), Fault> {
        while self.owed > 0 {
            match self.message()? {
                None => return Ok(()),
                Some(message) => self.pay(&message)?,
            }
        }
        // Nothing else was asked for: what comes is a notification, or the end.
        match self.message()? {
            None => Ok(()),
            Some(_) => Err(self.breaks(Fault::Lost)),
        }
    }

    /// Takes a message of an answer that was put off.
    fn pay(&mut self, message: &Message) -> Result<(), Fault> {
        match message {
            Message::ReadyForQuery(body) => {
                self.owed -= 1;
                if self.owed == 0 && body.status() != b'I' {
                    return Err(self.breaks(Fault::Garbled));
                }
            }
            Message::ErrorResponse(body) => {
                let fault = Fault::of(body);
                if fault.ends() {
                    return Err(self.breaks(Fault::Unheard));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a statement; [`Self::settle`] sends it.
    pub(super) fn queue(&mut self, sql: &str, values: &[Value]) -> Result<(), Fault> {
        let out = &mut self.output;
        let begun = out.len();
        let written = (|| {
            frontend::parse("", sql, values.iter().map(Value::kind), out).ok()?;
            let write = |value: &Value, out: &mut BytesMut| {
                Ok(if value.write(out) { IsNull::No } else { IsNull::Yes })
            };
            frontend::bind("", "", [1], values, write, [1], out).ok()?;
            frontend::describe(b'P', "", out).ok()?;
            frontend::execute("", 0, out).ok()
        })();
        if written.is_none() {
            out.truncate(begun); // longer than any message may be
            return Err(Fault::Garbled);
        }
        self.queued += 1;
        Ok(())
    }

    /// Writes a statement that goes out behind those that are queued, in a transaction of its own;
    /// its answer is not waited for.
    pub(super) fn queue_behind(&mut self, sql: &str, values: &[Value]) -> Result<(), Fault> {
        std::mem::swap(&mut self.output, &mut self.behind);
        let queued = self.queue(sql, values);
        if queued.is_ok() {
            self.queued -= 1;
            frontend::sync(&mut self.output);
        }
        std::mem::swap(&mut self.output, &mut self.behind);
        queued
    }

    /// Sends what was queued behind, and nothing else.
    pub(super) fn send_behind(&mut self) -> Result<(), Fault> {
        std::mem::swap(&mut self.output, &mut self.behind);
        self.behind.clear();
        self.owed += 1;
        self.send()
    }

    /// Reads what is there already, of a connection that nobody has listened to for a while: it may
    /// have ended.
    pub(super) fn catch_up(&mut self) -> Result<(), Fault> {
        loop {
            match self.socket.receive_now(&mut |new| self.input.extend_from_slice(new)) {
                Ok(0) => return Err(self.breaks(Fault::Lost)),
                Ok(_) => self.read_on()?,
                Err(error) => match Fault::from(error) {
                    Fault::Silent => return Ok(()),
                    other => return Err(self.breaks(other)),
                },
            }
        }
    }

    /// Sends what was queued and reads the answers to it.
    pub(super) fn settle(&mut self) -> Result<Answers, Fault> {
        let mut answers = Answers::default();
        let mut rows = Vec::new();
        self.settle_each(&mut |at, row| {
            while rows.len() <= at {
                rows.push(Vec::new());
            }
            if let Some(rows) = rows.get_mut(at) {
                rows.push(row);
            }
            Ok(())
        })
        .map(|tags| answers.tags = tags)?;
        rows.resize_with(answers.tags.len().max(rows.len()), Vec::new);
        answers.rows = rows;
        Ok(answers)
    }

    /// As [`Self::settle`]; hands out each row as it comes, with the number of its statement. After
    /// an error, the rest is read to its end.
    pub(super) fn settle_each(
        &mut self,
        each: &mut dyn FnMut(usize, Row) -> Result<(), Fault>,
    ) -> Result<Vec<String>, Fault> {
        frontend::sync(&mut self.output);
        let behind = usize::from(!self.behind.is_empty());
        self.output.extend_from_slice(&self.behind);
        self.behind.clear();
        let queued = std::mem::take(&mut self.queued);
        // Until it has answered, nothing is known of it, also where this is interrupted.
        self.status = b'?';
        self.send()?;
        while self.owed > 0 {
            let message = self.receive()?;
            self.pay(&message)?;
        }
        // Of what was put off, nothing matters.
        self.warned = false;
        self.owed = behind;
        let (mut tags, mut columns, mut failed) = (Vec::new(), Arc::new(Columns::default()), None);
        let mut is_first = true;
        loop {
            let message = self.receive()?;
            let was_first = std::mem::replace(&mut is_first, false);
            match message {
                Message::ParseComplete | Message::BindComplete | Message::NoData => {}
                Message::RowDescription(body) => {
                    let (mut new, mut at) = (Columns::default(), 0);
                    let mut fields = body.fields();
                    while let Some(field) =
                        fields.next().map_err(|_| self.breaks(Fault::Garbled))?
                    {
                        new.add(at, field.name(), field.type_oid());
                        at += 1;
                    }
                    columns = Arc::new(new);
                }
                Message::DataRow(body) => {
                    if failed.is_none() {
                        let cells =
                            body.ranges().collect().map_err(|_| self.breaks(Fault::Garbled))?;
                        let row =
                            Row::new(Arc::clone(&columns), body.buffer_bytes().clone(), cells);
                        failed = each(tags.len(), row).err();
                    }
                }
                Message::CommandComplete(body) => {
                    let tag = body.tag().map_err(|_| self.breaks(Fault::Garbled))?;
                    tags.push(tag.to_owned());
                }
                Message::EmptyQueryResponse => tags.push(String::new()),
                Message::ErrorResponse(body) => {
                    let fault = Fault::of(&body);
                    if fault.ends() {
                        let fault = if was_first { Fault::Unheard } else { fault };
                        return Err(self.breaks(fault));
                    }
                    failed = failed.or(Some(fault));
                }
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    break;
                }
                _ => return Err(self.breaks(Fault::Garbled)),
            }
        }
        match failed {
            Some(fault) => Err(fault),
            None if tags.len() != queued => Err(self.breaks(Fault::Garbled)),
            None => Ok(tags),
        }
    }

    /// Reads until the server is ready after a log-in.
    pub(super) fn greet(&mut self) -> Result<(), Fault> {
        loop {
            match self.receive()? {
                Message::BackendKeyData(_) => {}
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    self.longest = LONGEST;
                    return Ok(());
                }
                Message::ErrorResponse(body) => {
                    let fault = Fault::of(&body);
                    return Err(self.breaks(fault));
                }
                _ => return Err(self.breaks(Fault::Garbled)),
            }
        }
    }

    /// Ends a transaction that was not committed, so that the connection can be used again. The
    /// answer is read with the next one.
    pub(super) fn roll_back(&mut self) {
        self.output.clear();
        self.behind.clear();
        self.queued = 0;
        if self.broken || self.status == b'I' {
            return;
        }
        // What it is in is not known of one that was interrupted.
        if self.status == b'?' || self.queue("ROLLBACK", &[]).is_err() {
            self.broken = true;
            return;
        }
        frontend::sync(&mut self.output);
        if self.send().is_ok() {
            (self.queued, self.status) = (0, b'I');
            self.owed += 1;
        }
    }

    /// Says good-bye; no answer is awaited.
    pub(super) fn end(mut self) {
        if !self.broken {
            self.output.clear();
            frontend::terminate(&mut self.output);
            self.patience = Duration::from_millis(100);
            let _ = self.send();
        }
    }
}
