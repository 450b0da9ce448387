//! What goes wrong between a process and the server of its limits, by kind: how it is called where
//! it is counted, what is to be done, and whether the connection is good for more.

use super::wire::Fault;
use crate::error::{Error, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Trouble {
    Unreachable,
    Silent,
    Lost,
    Garbled,
    Tls,
    Login,
    Rights,
    Replica,
    NotReady,
    Busy,
    Cluster,
    OutOfMemory,
    Refused,
}

impl Trouble {
    const ALL: [Self; 13] = [
        Self::Unreachable,
        Self::Silent,
        Self::Lost,
        Self::Garbled,
        Self::Tls,
        Self::Login,
        Self::Rights,
        Self::Replica,
        Self::NotReady,
        Self::Busy,
        Self::Cluster,
        Self::OutOfMemory,
        Self::Refused,
    ];

    /// What a refusal means that begins with this word.
    pub(super) fn of(code: &str) -> Self {
        match code {
            "NOAUTH" | "WRONGPASS" => Self::Login,
            "NOPERM" => Self::Rights,
            "READONLY" => Self::Replica,
            "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" => Self::NotReady,
            "BUSY" | "TRYAGAIN" => Self::Busy,
            "MOVED" | "ASK" | "CROSSSLOT" => Self::Cluster,
            "OOM" => Self::OutOfMemory,
            _ => Self::Refused,
        }
    }

    /// Whether the connection may be asked again: the server will say something else without
    /// another one.
    pub(super) const fn leaves_connection(self) -> bool {
        matches!(self, Self::Busy | Self::OutOfMemory | Self::Refused)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
            Self::Lost => "lost",
            Self::Garbled => "garbled",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Rights => "rights",
            Self::Replica => "replica",
            Self::NotReady => "not_ready",
            Self::Busy => "busy",
            Self::Cluster => "cluster",
            Self::OutOfMemory => "out_of_memory",
            Self::Refused => "refused",
        }
    }

    /// What is to be said of it.
    #[cold]
    pub(super) const fn error(self) -> Error {
        let message = match self {
            Self::Unreachable => {
                "The server of the limits cannot be reached: nothing listens at the host and port of `limits`, or a firewall is between."
            }
            Self::Silent => "The server of the limits does not answer in time.",
            Self::Lost => "The server of the limits has ended the connection.",
            Self::Garbled => {
                "What answers as the server of the limits does not speak the protocol of Valkey and Redis; see the port, and whether it wants TLS (rediss://)."
            }
            Self::Tls => {
                "The server of the limits has no certificate that is trusted and of the host in `limits`; its authority is named as ca_file=FILE."
            }
            Self::Login => {
                "The server of the limits refuses the user or the password; they are in `limits`, or in its password_file."
            }
            Self::Rights => {
                "The server does not let the user of the limits do what is needed: ACL SETUSER ... ~{gatekey}:* +@scripting +@read +@write +time."
            }
            Self::Replica => {
                "The server of the limits is a replica, which counts nothing; name the primary."
            }
            Self::NotReady => "The server of the limits is loading its data, or lacks its primary.",
            Self::Busy => "The server of the limits is busy with a script of someone else's.",
            Self::Cluster => {
                "The server of the limits is one of a cluster, and the counters lie on another; name a single server."
            }
            Self::OutOfMemory => {
                "The server of the limits has no memory left (`maxmemory`); give it more, or a policy that evicts."
            }
            Self::Refused => {
                "The server of the limits refuses the script; it is Valkey, or Redis of version 7 or later."
            }
        };
        let kind = match self {
            Self::Tls | Self::Login | Self::Rights | Self::Cluster => {
                ErrorKind::InvalidConfiguration
            }
            Self::OutOfMemory => ErrorKind::StoreFull,
            _ => ErrorKind::StoreUnavailable,
        };
        Error::new(kind, message)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Silent => Self::Silent,
            Fault::Lost => Self::Lost,
            Fault::Garbled => Self::Garbled,
        }
    }
}

/// How often there was which.
#[derive(Default)]
pub(super) struct Troubles([AtomicU64; Trouble::ALL.len()]);

impl Troubles {
    pub(super) fn count(&self, trouble: Trouble) {
        if let Some(count) = self.0.get(trouble as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that there were.
    pub(super) fn counted(&self) -> Vec<(&'static str, u64)> {
        let all = Trouble::ALL.iter().zip(&self.0);
        let all = all.map(|(trouble, count)| (trouble.name(), count.load(Ordering::Relaxed)));
        all.filter(|(_, count)| *count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_under_a_name_of_its_own_and_says_something_short() {
        let troubles = Troubles::default();
        Trouble::ALL.iter().for_each(|trouble| troubles.count(*trouble));
        let counted = troubles.counted();
        assert_eq!(counted.len(), Trouble::ALL.len());
        for (at, trouble) in Trouble::ALL.iter().enumerate() {
            assert_eq!(*trouble as usize, at);
            assert_eq!(counted[at], (trouble.name(), 1));
            assert!(trouble.error().message().len() <= Error::MAX_MESSAGE, "{trouble:?}");
        }
    }
}
