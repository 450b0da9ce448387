//! A server that answers whatever a test wants: well-formed, cut off, endless, or not at all.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Request {
    /// A parameter of the form in the body.
    pub(crate) fn form(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }
}

/// What goes out.
pub(crate) enum Reply {
    /// A status, further headers, and a body with its length.
    Full(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Whatever this writes.
    Stream(Box<dyn FnOnce(&mut TcpStream) + Send>),
}

impl Reply {
    pub(crate) fn json(status: u16, body: impl ToString) -> Self {
        let kind = vec![("content-type", "application/json".to_owned())];
        Self::Full(status, kind, body.to_string().into_bytes())
    }

    pub(crate) fn text(status: u16, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self::Full(status, vec![("content-type", kind.to_owned())], body.into())
    }

    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        Self::Full(status, vec![("location", to.to_owned())], Vec::new())
    }
}

/// A server on a free port of this machine, until it is dropped.
pub(crate) struct Evil {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    open: Arc<AtomicUsize>,
}

impl Evil {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let open: Arc<AtomicUsize> = Arc::default();
        let (log, count, answer) = (Arc::clone(&seen), Arc::clone(&open), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (log, count, answer) =
                    (Arc::clone(&log), Arc::clone(&count), Arc::clone(&answer));
                std::thread::spawn(move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    serve(stream, &log, &*answer);
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, seen, open }
    }

    /// The requests for this path.
    pub(crate) fn seen(&self, path: &str) -> Vec<Request> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|request| request.path == path).cloned().collect()
    }

    pub(crate) fn count(&self, path: &str) -> usize {
        self.seen(path).len()
    }

    /// How many connections are being answered.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &dyn Fn(&Request) -> Reply) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let Some(request) = read(&stream) else { return };
    log.lock().unwrap().push(request.clone());
    match answer(&request) {
        Reply::Full(status, headers, body) => {
            let mut head = format!(
                "HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {}\r\n",
                body.len()
            );
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            // The other side may have enough by then.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
        Reply::Stream(write) => write(&mut stream),
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Request { method, path: path.to_owned(), query: query.to_owned(), headers, body })
}

/// A parameter of a query or form, unescaped.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    let query = query.split_once('?').map_or(query, |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(own, _)| *own == name).map(|(_, value)| unescape(value)).next()
}

fn unescape(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            out.push(if byte == b'+' { b' ' } else { byte });
        }
    }
    String::from_utf8(out).unwrap()
}
