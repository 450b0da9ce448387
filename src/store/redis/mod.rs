//! Rate limits that machines share, in a Valkey or Redis: GCRA as one script on the server's time,
//! one string a counter, which expires when it has drained. Threads that ask at once share one
//! exchange. The server is never the record of anything: what it forgets begins again.
//!
//! A server that does not answer in 5 ms (`timeout_ms`) is left, and each process counts for itself
//! until there is a connection again; it is made by a thread of its own, at most once in
//! [`lane::PAUSE`].

mod connect;
mod lane;
mod script;
mod trouble;
mod url;
mod wire;

use self::lane::{Ask, Lane};
use self::script::Mode;
use self::url::Address;
use super::limits::LimitsState;
use super::{Counted, Counter, Rate, SharedLimits};
use crate::base::process::Own;
use crate::base::reach::beyond_memory;
use crate::error::Result;
use std::fmt;
use std::sync::Arc;

/// Limits in a Valkey or Redis, of version 7 or later.
///
/// Nothing is asked before the first use. Safe to share between threads, usable after a fork: each
/// process has a connection of its own.
pub struct RedisLimits {
    address: Arc<Address>,
    own: Own<Arc<Lane>>,
}

impl RedisLimits {
    /// The limits at an address: `redis://host:6379`, `rediss://` with TLS (`valkey://`,
    /// `valkeys://` are the same), or `unix:/path/of/socket`; `?name=shop` keeps services that
    /// share a server apart, `ca_file=FILE` is the authority of its certificate,
    /// `password_file=FILE` holds its password, and for `timeout_ms=5` a decision waits at most;
    /// they are joined by `&`.
    ///
    /// # Errors
    /// `InvalidArgument`: it is no such address. `InvalidConfiguration`: it is neither of this
    /// machine nor with TLS and a password; a file that it names cannot be used.
    pub fn open(url: &str) -> Result<Self> {
        Ok(Self { address: Arc::new(Address::parse(url)?), own: Own::new() })
    }

    fn lane(&self) -> Arc<Lane> {
        Arc::clone(&self.own.get())
    }

    fn ask(&self, ask: Ask) -> Result<i64> {
        beyond_memory()?;
        self.lane().ask(&self.address, ask)
    }
}

impl SharedLimits for RedisLimits {
    fn take(&self, counter: &Counter, rate: Rate, cost: u32, really: bool) -> Result<Counted> {
        let mode = if really { Mode::Take } else { Mode::Look };
        let answer = self.ask(Ask { counter: *counter, rate, cost, mode })?;
        let nanos = answer.unsigned_abs();
        Ok(if answer < 0 { Counted::Wait(nanos) } else { Counted::Taken(nanos) })
    }

    fn give_back(&self, counter: &Counter, rate: Rate) -> Result<()> {
        self.ask(Ask { counter: *counter, rate, cost: 1, mode: Mode::GiveBack }).map(drop)
    }

    fn sharers(&self) -> u32 {
        self.lane().sharers()
    }

    fn check(&self) -> Result<()> {
        beyond_memory()?;
        self.lane().check(&self.address)
    }

    fn state(&self) -> LimitsState {
        self.lane().state(&self.address)
    }
}

/// Without the password.
impl fmt::Debug for RedisLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisLimits({})", self.address)
    }
}
