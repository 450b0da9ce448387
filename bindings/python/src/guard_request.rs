//! `_Request`: a request as ASGI and WSGI servers have it, in bytes. Nothing is split, joined,
//! decoded or compared here.

use crate::options::wrong_type;
use gatekey::Secret;
use gatekey::guard::Request;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use std::ops::Range;

/// A request for a guard; an implementation detail of the adapters for frameworks.
#[pyclass(frozen, module = "gatekey")]
pub(crate) struct _Request {
    /// All of it one after the other: it holds credentials.
    bytes: Secret,
    method: Range<usize>,
    path: Range<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
    peer: String,
    csrf_field: Option<Range<usize>>,
    is_upgrade: bool,
    is_cgi: bool,
    is_rewritten: bool,
}

/// The peer of a server that has forgotten it: no address, and no Unix socket either.
const FORGOTTEN: &str = "?";

#[pymethods]
impl _Request {
    /// The request of an ASGI scope, of HTTP or a websocket.
    #[staticmethod]
    #[pyo3(signature = (scope, csrf_field=None))]
    fn of_asgi<'py>(
        scope: &Bound<'py, PyAny>,
        csrf_field: Option<Bound<'py, PyString>>,
    ) -> PyResult<Self> {
        let py = scope.py();
        // A dict, of nearly all servers: without a call.
        let dict = scope.cast_exact::<PyDict>().ok();
        let get = |name: &Bound<'py, PyString>| match &dict {
            Some(dict) => Ok(dict.get_item(name)?.unwrap_or_else(|| py.None().into_bound(py))),
            None => scope.call_method1(intern!(py, "get"), (name,)),
        };
        let mut text = Gathered::new();
        let method = get(intern!(py, "method"))?;
        let method = match method.cast::<PyString>() {
            Ok(method) => text.add_text(method),
            // A handshake.
            Err(_) => text.add(b"GET"),
        };
        let path = text.add_any(&get(intern!(py, "path"))?, "the scope's path")?;
        let mut headers = Vec::with_capacity(24);
        let pairs = get(intern!(py, "headers"))?;
        for pair in pairs.try_iter()? {
            let (name, value) = pair?.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?;
            headers.push((text.add_any(&name, "a header")?, text.add_any(&value, "a header")?));
        }
        let client = get(intern!(py, "client"))?;
        let (peer, is_rewritten) = if client.is_none() {
            // Of a Unix socket, or of a client of TCP that has gone meanwhile: the server's own
            // address tells.
            let server = get(intern!(py, "server"))?;
            let port = if server.is_none() { None } else { server.get_item(1).ok() };
            let is_tcp =
                port.and_then(|port| port.extract::<u32>().ok()).is_some_and(|port| port > 0);
            (if is_tcp { FORGOTTEN.to_owned() } else { String::new() }, false)
        } else {
            let port = client.get_item(1).ok().and_then(|port| port.extract::<u32>().ok());
            (client.get_item(0)?.extract().unwrap_or_default(), port == Some(0))
        };
        let kind = get(intern!(py, "type"))?;
        let is_upgrade = kind.cast::<PyString>().is_ok_and(|kind| kind == "websocket");
        let csrf_field = csrf_field.map(|field| text.add_text(&field));
        let bytes = text.done();
        let is_cgi = false;
        Ok(Self {
            bytes,
            method,
            path,
            headers,
            peer,
            csrf_field,
            is_upgrade,
            is_cgi,
            is_rewritten,
        })
    }

    /// The request of a WSGI environment (PEP 3333), whose names of headers are those of CGI.
    #[staticmethod]
    #[pyo3(signature = (environ, csrf_field=None))]
    fn of_wsgi(
        environ: &Bound<'_, PyDict>,
        csrf_field: Option<Bound<'_, PyString>>,
    ) -> PyResult<Self> {
        let py = environ.py();
        let mut text = Gathered::new();
        let mut own = |name: &Bound<'_, PyString>| match environ.get_item(name)? {
            Some(value) => text.add_any(&value, "a member of the environment"),
            None => Ok(0..0),
        };
        let method = own(intern!(py, "REQUEST_METHOD"))?;
        let path = own(intern!(py, "PATH_INFO"))?;
        let peer = environ.get_item(intern!(py, "REMOTE_ADDR"))?;
        let peer = peer.and_then(|peer| peer.extract().ok()).unwrap_or_default();
        let mut headers = Vec::with_capacity(24);
        for (name, value) in environ.iter() {
            let Ok(name) = name.cast::<PyString>() else { continue };
            let Some(name) = name.to_str().ok().and_then(|name| name.strip_prefix("HTTP_")) else {
                continue;
            };
            let name = text.add_name(name);
            headers.push((name, text.add_any(&value, "a header")?));
        }
        let csrf_field = csrf_field.map(|field| text.add_text(&field));
        let bytes = text.done();
        let (is_upgrade, is_cgi, is_rewritten) = (false, true, false);
        Ok(Self {
            bytes,
            method,
            path,
            headers,
            peer,
            csrf_field,
            is_upgrade,
            is_cgi,
            is_rewritten,
        })
    }

    /// Whether the server has put the address of a header in the place of the peer's, as uvicorn does unless it is started
    /// with `--no-proxy-headers`: such a peer has the port 0.
    #[getter]
    fn is_rewritten(&self) -> bool {
        self.is_rewritten
    }

    /// Its method, for the log.
    #[getter]
    fn method(&self) -> String {
        self.text(&self.method)
    }

    /// Its path, without the query, for the log.
    #[getter]
    fn path(&self) -> String {
        self.text(&self.path)
    }

    fn __repr__(&self) -> String {
        format!("<gatekey._Request of {} headers [redacted]>", self.headers.len())
    }

    #[expect(clippy::unused_self, reason = "Python's protocol has a receiver")]
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a request is not pickled or copied: it holds credentials"))
    }
}

impl _Request {
    fn text(&self, place: &Range<usize>) -> String {
        let bytes = self.bytes.expose().get(place.clone()).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        if !text.contains(char::is_control) {
            return text.into_owned();
        }
        // For logs, in which a line end would begin another entry.
        let shown =
            |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        text.chars().map(shown).collect()
    }

    /// Does something with the request, as the core has it.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&Request<'_>) -> T) -> T {
        self.with_user(None, work)
    }

    /// The same, and the program has looked up this user, with what it is granted.
    pub(crate) fn with_user<T>(
        &self,
        user: Option<&(String, Vec<String>)>,
        work: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        let of = |range: &Range<usize>| self.bytes.expose().get(range.clone()).unwrap_or_default();
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (of(name), of(value))).collect();
        let mut request = Request::new(of(&self.method), of(&self.path)).headers(&headers);
        request = request.peer(&self.peer);
        if let Some(field) = &self.csrf_field {
            request = request.csrf_field(of(field));
        }
        if self.is_upgrade {
            request = request.upgrade();
        }
        if self.is_cgi {
            request = request.collapsed_names();
        }
        let Some((subject, scopes)) = user else { return work(&request) };
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        work(&request.user(subject, &scopes))
    }
}

/// Texts, one after the other.
struct Gathered(Vec<u8>);

impl Gathered {
    /// Room for nearly all requests: what grows is copied, and leaves what it held behind.
    fn new() -> Self {
        Self(Vec::with_capacity(4096))
    }

    fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.0.len();
        self.0.extend_from_slice(bytes);
        start..self.0.len()
    }

    /// A header's name as CGI has it.
    fn add_name(&mut self, name: &str) -> Range<usize> {
        let start = self.0.len();
        let dashed = name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
        self.0.extend(dashed.map(|byte| byte.to_ascii_lowercase()));
        start..self.0.len()
    }

    fn add_any(&mut self, value: &Bound<'_, PyAny>, what: &str) -> PyResult<Range<usize>> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(self.add(bytes.as_bytes()));
        }
        match value.cast::<PyString>() {
            Ok(text) => Ok(self.add_text(text)),
            Err(_) => Err(wrong_type(value, what, "str or bytes")),
        }
    }

    /// A text whose characters are the bytes that were sent, as WSGI has them; others as UTF-8.
    fn add_text(&mut self, text: &Bound<'_, PyString>) -> Range<usize> {
        let text = text.to_string_lossy();
        if text.is_ascii() {
            return self.add(text.as_bytes());
        }
        let octets: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        self.add(octets.as_deref().unwrap_or(text.as_bytes()))
    }

    fn done(self) -> Secret {
        Secret::new(self.0)
    }
}
