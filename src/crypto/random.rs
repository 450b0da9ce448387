//! The bytes that secrets are made of: AWS-LC's generator (NIST SP 800-90A), which notices forks
//! and copies of a running machine by itself, and under the feature `fips` is the module's own.

use crate::base::process::enter;
use crate::base::random::SecureRandom;
use crate::error::{ErrorKind, Result};

/// The system's generator: for keys, secrets, nonces, everything that must not be guessed. Two
/// processes never draw the same, however they came about: by a fork, in another PID namespace,
/// from a snapshot of a machine (where the kernel reports it).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl SecureRandom for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        let _inside = enter();
        aws_lc_rs::rand::fill(out).map_err(|_| ErrorKind::RandomUnavailable.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_draw_is_another() {
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
        let mut long = vec![0; 200_000];
        SystemRandom.fill(&mut long).unwrap();
        assert!(long.chunks(32).all(|chunk| chunk.iter().any(|&b| b != 0)));
    }
}
