//! What stands between a process and its server: it hands on what both say, until it is told to say
//! something else instead, or half of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is answered to scripts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    /// What the server says.
    Itself,
    /// This, to each, and the server hears nothing of them.
    This(&'static str),
    /// The first byte of what the server says, then nothing more.
    Half,
}

pub(crate) struct Relay {
    pub(crate) port: u16,
    say: Arc<Mutex<Say>>,
    made: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let relay = Self {
            port: own,
            say: Arc::new(Mutex::new(Say::Itself)),
            made: Arc::new(AtomicUsize::new(0)),
        };
        let (said, made) = (Arc::clone(&relay.say), Arc::clone(&relay.made));
        std::thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                made.fetch_add(1, Ordering::SeqCst);
                let Ok(there) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                here.set_nodelay(true).unwrap();
                there.set_nodelay(true).unwrap();
                let (from, to) = (here.try_clone().unwrap(), there.try_clone().unwrap());
                let asked = Arc::clone(&said);
                std::thread::spawn(move || ask(&from, &to, &asked));
                let answered = Arc::clone(&said);
                std::thread::spawn(move || answer(&there, &here, &answered));
            }
        });
        relay
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}?timeout_ms=1000", self.port)
    }

    pub(crate) fn say(&self, say: Say) {
        *self.say.lock().unwrap() = say;
    }

    /// How many connections there were.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

/// Hands on what the process asks, or answers it.
fn ask(mut here: &TcpStream, mut there: &TcpStream, say: &Mutex<Say>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count) = here.read(&mut bytes) {
        let asked = &bytes[..count];
        let scripts = asked.windows(5).filter(|word| *word == b"\nEVAL").count();
        let now = *say.lock().unwrap();
        let done = match now {
            Say::This(text) if scripts > 0 => here.write_all(text.repeat(scripts).as_bytes()),
            _ => there.write_all(asked),
        };
        if count == 0 || done.is_err() {
            break;
        }
    }
    let _ = there.shutdown(Shutdown::Both);
}

/// Hands on what the server answers, or the first of it.
fn answer(mut there: &TcpStream, mut here: &TcpStream, say: &Mutex<Say>) {
    let mut bytes = vec![0; 1 << 16];
    let mut is_over = false;
    while let Ok(count) = there.read(&mut bytes) {
        let half = matches!(*say.lock().unwrap(), Say::Half);
        let given = if half { 1.min(count) } else { count };
        let given = if is_over { 0 } else { given };
        is_over |= half;
        if count == 0 || here.write_all(&bytes[..given]).is_err() {
            break;
        }
    }
    let _ = here.shutdown(Shutdown::Both);
}
