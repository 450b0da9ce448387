//! Randomness enters only here, and in `crypto::random`, which has what secrets are made of.

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

/// What names are made of that need not be secret (`jti`), a thousand times a millisecond: a ChaCha
/// generator per thread, seeded by the operating system, and seeded again in a child of a fork.
/// Nothing secret comes from here: a snapshot of a machine that runs twice would draw the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Identifiers;

impl SecureRandom for Identifiers {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        GENERATOR.with_borrow_mut(|slot| {
            let generation = process::generation();
            match slot {
                Some(own) if own.generation == generation && own.left >= out.len() => {
                    own.left -= out.len();
                    own.rng.fill_bytes(out);
                }
                _ => {
                    let mut rng = StdRng::try_from_rng(&mut SysRng)
                        .map_err(|_| ErrorKind::RandomUnavailable)?;
                    rng.fill_bytes(out);
                    *slot = Some(Generator { generation, left: RESEED_AFTER, rng });
                }
            }
            Ok(())
        })
    }
}

/// Bytes drawn before the generator is seeded again.
const RESEED_AFTER: usize = 64 * 1024;

struct Generator {
    generation: u64,
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
            Identifiers.fill(&mut out).unwrap();
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
        Identifiers.fill(&mut out).unwrap();
        assert!(out.chunks(32).all(|chunk| chunk.iter().any(|&b| b != 0)));
    }
}
