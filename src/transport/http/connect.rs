//! How a connection is made: TCP to the other server, or to the proxy and through it, and TLS with
//! the other server itself; and when one that was kept may be used again.

use super::proxy::Proxy;
use super::resolve::{blocked, fill, look_up};
use super::tunnel;
use crate::base::url::Url;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

thread_local! {
    /// Whether this thread has opened a connection since [`on_a_kept_one`] began.
    static OPENED: Cell<bool> = const { Cell::new(false) };
}

/// Does this, and says whether it needed no connection but one that was kept.
pub(super) fn on_a_kept_one<T>(work: impl FnOnce() -> T) -> (T, bool) {
    OPENED.set(false);
    let done = work();
    (done, !OPENED.get())
}

/// Connects. Those that share `tls` share its sessions, which are resumed.
#[derive(Debug, Default)]
pub(super) struct Connect {
    pub(super) tls: Arc<RustlsConnector>,
    pub(super) proxy: Option<Arc<Proxy>>,
}

impl Connector for Connect {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        OPENED.set(true);
        let begun = Instant::now();
        let text = details.uri.to_string();
        let url = Url::parse(&text).map_err(|_| blocked())?;
        let wire = match &self.proxy {
            Some(proxy) if proxy.takes(&url) => through(proxy, &url, details)?,
            _ => tcp(details)?,
        };
        // Every request of ours has a deadline of its own, and ureq takes a request with settings
        // of its own for one that may have another TLS configuration: it would read the authorities
        // again each time and resume no session.
        let details = ConnectionDetails {
            addrs: details.addrs.clone(),
            request_level: false,
            timeout: less(details.timeout, begun)?,
            now: (details.current_time)(),
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
            ..*details
        };
        let records = url.https.then(Records::default);
        let wire: Box<dyn Transport> = Box::new(Wire { inner: wire, records });
        let secured = self.tls.connect(&details, Some(wire))?;
        Ok(secured.map(|secured| -> Self::Out { Box::new(secured) }))
    }
}

fn tcp(details: &ConnectionDetails<'_>) -> Result<Box<dyn Transport>, ureq::Error> {
    let stream = Connector::<()>::connect(&TcpConnector::default(), details, None)?;
    Ok(Box::new(stream.ok_or(ureq::Error::ConnectionFailed)?))
}

/// A connection to the proxy that is one to the other server by now.
fn through(
    proxy: &Proxy,
    url: &Url<'_>,
    details: &ConnectionDetails<'_>,
) -> Result<Box<dyn Transport>, ureq::Error> {
    let begun = Instant::now();
    let place = proxy.url().map_err(|_| blocked())?;
    let mut addrs = details.resolver.empty();
    fill(&mut addrs, look_up(&place, details.timeout)?)?;
    let to_proxy = ConnectionDetails {
        addrs,
        timeout: less(details.timeout, begun)?,
        now: (details.current_time)(),
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
        ..*details
    };
    let mut wire = tcp(&to_proxy)?;
    tunnel::open(&mut *wire, proxy, url, less(details.timeout, begun)?)?;
    Ok(wire)
}

/// What is left of the time.
fn less(timeout: NextTimeout, begun: Instant) -> Result<NextTimeout, ureq::Error> {
    let after = timeout.after.saturating_sub(begun.elapsed());
    if after.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    Ok(NextTimeout { after: after.into(), ..timeout })
}

/// A connection below TLS. It counts as closed, and is not used again, as soon as there is anything
/// that belongs to no answer, also if ureq or rustls has read it already: an answer that was not
/// asked for must not be taken for the next.
#[derive(Debug)]
struct Wire {
    inner: Box<dyn Transport>,
    /// Where TLS is spoken.
    records: Option<Records>,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let before = self.inner.buffers().input().len();
        let progress = self.inner.await_input(timeout)?;
        if let Some(records) = &mut self.records {
            records.read(self.inner.buffers().input().get(before..).unwrap_or_default());
        }
        Ok(progress)
    }

    fn is_open(&mut self) -> bool {
        let whole = self.records.as_ref().is_none_or(Records::are_whole);
        whole && self.inner.buffers().input().is_empty() && self.inner.is_open()
    }
}

/// How far the last TLS record has come (RFC 8446 section 5.1): rustls keeps a part of one where it
/// cannot be seen.
#[derive(Debug, Default)]
struct Records {
    /// Its five first bytes, as far as they are there: type, version, and the length of the rest.
    head: Vec<u8>,
    /// How much of the rest is to come.
    left: usize,
}

impl Records {
    fn read(&mut self, mut bytes: &[u8]) {
        while let Some((first, after)) = bytes.split_first() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                self.left -= taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = after;
            if let [_, _, _, high, low] = *self.head {
                self.left = usize::from(u16::from_be_bytes([high, low]));
                self.head.clear();
            }
        }
    }

    const fn are_whole(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn records_are_whole_at_their_end_only() {
        let bytes = [22, 3, 3, 0, 2, 1, 2, 23, 3, 3, 0, 0, 23, 3, 3, 1, 0];
        let ends = [0, 7, 12];
        for step in 1..=bytes.len() {
            let (mut records, mut read) = (Records::default(), 0);
            for part in bytes.chunks(step) {
                records.read(part);
                read += part.len();
                assert_eq!(records.are_whole(), ends.contains(&read), "{read} by {step}");
            }
            records.read(&[0; 256]);
            assert!(records.are_whole(), "by {step}");
        }
    }
}
