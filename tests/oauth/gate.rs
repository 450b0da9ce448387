//! A server that answers only when everybody has come: each of the others has asked as well, or waits for an answer to
//! somebody else's question. Whoever waits does so by its transport, which is how that is seen.

use crate::authority::http;
use gatekey::Result;
use gatekey::transport::{HttpRequest, HttpResponse, HttpTransport, Transport};
use std::collections::HashSet;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Seen {
    arrived: usize,
    waiting: HashSet<ThreadId>,
    waits: usize,
    is_open: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<Seen>, Condvar)>);

impl Gate {
    /// For the server: holds a request up until as many have come, by asking or by waiting, or until the gate is opened.
    pub(crate) fn hold(&self, all: usize) {
        let (seen, changed) = &*self.0;
        let mut seen = seen.lock().unwrap();
        seen.arrived += 1;
        changed.notify_all();
        let missing = |seen: &mut Seen| !seen.is_open && seen.arrived + seen.waiting.len() < all;
        let outcome = changed.wait_timeout_while(seen, PATIENCE, missing).unwrap().1;
        assert!(!outcome.timed_out(), "nobody else came");
    }

    pub(crate) fn open(&self) {
        self.0.0.lock().unwrap().is_open = true;
        self.0.1.notify_all();
    }

    /// For the test: waits until so many requests have come.
    pub(crate) fn arrivals(&self, all: usize) {
        let (seen, changed) = &*self.0;
        let seen = seen.lock().unwrap();
        let outcome = changed.wait_timeout_while(seen, PATIENCE, |seen| seen.arrived < all);
        assert!(!outcome.unwrap().1.timed_out(), "no request came");
    }

    /// How often anybody has waited.
    pub(crate) fn waits(&self) -> usize {
        self.0.0.lock().unwrap().waits
    }

    pub(crate) fn transport(&self) -> Arc<Watched> {
        Arc::new(Watched { inner: http(), gate: self.clone() })
    }
}

/// The built-in transport, which tells the gate who waits.
pub(crate) struct Watched {
    inner: HttpTransport,
    gate: Gate,
}

impl Transport for Watched {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        self.inner.send(request)
    }

    fn wait(&self, milliseconds: u64) {
        let (seen, changed) = &*self.gate.0;
        let mut seen = seen.lock().unwrap();
        seen.waits += 1;
        seen.waiting.insert(std::thread::current().id());
        changed.notify_all();
        drop(seen);
        self.inner.wait(milliseconds);
    }
}

/// What so many threads at once get.
pub(crate) fn together<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    let begin = Barrier::new(threads);
    let work = || {
        begin.wait();
        work()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
