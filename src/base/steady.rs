//! How much time has passed, with the time that the machine was suspended: what is kept ages in the
//! night, too. The standard library's `Instant` stands still then on Linux and on Apple's systems.

/// Nanoseconds since some moment in the past; they never go back. As cheap as `Instant::now`.
#[cfg(unix)]
#[inline]
pub(super) fn nanos() -> u64 {
    super::process::steady_nanos().unwrap_or_else(since_first)
}

#[cfg(not(unix))]
pub(super) fn nanos() -> u64 {
    since_first()
}

/// By the standard library's clock, where there is no other.
#[cold]
fn since_first() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get().unwrap_or_else(|| {
        let _inside = super::process::enter();
        START.get_or_init(Instant::now)
    });
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
