//! How much time has passed, with the time that the machine was suspended: what is kept ages in the night, too.
//! The standard library's `Instant` stands still then on Linux and on Apple's systems.

#![allow(unsafe_code, reason = "there is no safe way to read this clock of the system's")]

/// `CLOCK_BOOTTIME` on Linux; elsewhere `CLOCK_MONOTONIC`, which goes on in suspend on Apple's systems.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;

/// Nanoseconds since some moment in the past; they never go back. No system call where the kernel maps its clocks
/// into the process: as cheap as `Instant::now`.
#[cfg(unix)]
#[inline]
pub(super) fn nanos() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is there to be written for the length of the call.
    let read = unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    match (read, u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)) {
        (0, Ok(seconds), Ok(nanos)) => seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
        _ => since_first(),
    }
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

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn is_the_clock_that_goes_on_in_suspend() {
        let read = || {
            let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            #[cfg(target_os = "linux")]
            let clock = libc::CLOCK_BOOTTIME;
            #[cfg(not(target_os = "linux"))]
            let clock = libc::CLOCK_MONOTONIC;
            // SAFETY: as above.
            assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
            u64::try_from(time.tv_sec).unwrap() * 1_000_000_000
                + u64::try_from(time.tv_nsec).unwrap()
        };
        let before = read();
        let now = super::nanos();
        assert!(before <= now && now <= read(), "{before} {now}");
    }
}
