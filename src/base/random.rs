//! Randomness enters only here.
//!
//! Identifiers (`jti`) come from a ChaCha generator per thread, seeded by the operating system and
//! seeded anew in a forked child: two processes never share a stream.

use super::process;
use crate::error::{ErrorKind, Result};
use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, SeedableRng as _};
use std::cell::RefCell;

/// A source of unpredictable bytes.
pub trait SecureRandom: Send + Sync {
    /// Fills `out` with unpredictable bytes.
    ///
    /// # Errors
    /// `RandomUnavailable`: the source failed; `out` must not be used.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}

/// The operating system's generator, expanded per thread by ChaCha.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        GENERATOR.with_borrow_mut(|slot| {
            let pid = process::id();
            match slot {
                Some(own) if own.pid == pid && own.left >= out.len() => {
                    own.left -= out.len();
                    own.rng.fill_bytes(out);
                }
                _ => {
                    let mut rng = StdRng::try_from_rng(&mut SysRng)
                        .map_err(|_| ErrorKind::RandomUnavailable)?;
                    rng.fill_bytes(out);
                    *slot = Some(Generator { pid, left: RESEED_AFTER, rng });
                }
            }
            Ok(())
        })
    }
}

/// Bytes drawn before the generator is seeded anew.
const RESEED_AFTER: usize = 64 * 1024;

struct Generator {
    pid: u32,
    left: usize,
    rng: StdRng,
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_between_calls_and_threads() {
        let draw = || {
            let mut out = [0; 16];
            SystemRandom.fill(&mut out).unwrap();
            out
        };
        let mut seen: Vec<_> = (0..1000).map(|_| draw()).collect();
        seen.extend((0..8).map(|_| std::thread::spawn(draw).join().unwrap()));
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }

    #[test]
    fn a_long_draw_survives_the_reseeding_limit() {
        let mut out = vec![0; 3 * RESEED_AFTER];
        SystemRandom.fill(&mut out).unwrap();
        assert!(out.chunks(32).all(|chunk| chunk.iter().any(|&b| b != 0)));
    }
}
