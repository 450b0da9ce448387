//! What went wrong, and when it is tried again: after a second, then after twice as long each time.
//! Until then a caller that wants the same gets that error, and no server is asked.

use super::clock::NANOS;
use crate::error::Error;

/// The longest that another server's `Retry-After` is kept to, in seconds.
const LONGEST_ASKED: u64 = 300;

/// The last failure of something that is tried again. The times are nanoseconds of a
/// [`super::clock::Clock`] that does not go back.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackOff {
    failures: u32,
    until: u64,
    error: Option<Error>,
}

impl BackOff {
    /// It has failed: not again for a second, and for twice as long after each further failure, at
    /// most for `longest` seconds unless the other side asks for more.
    #[cold]
    pub(crate) fn failed(&mut self, error: &Error, now: u64, longest: u64) {
        if now > self.until.saturating_add(longest.saturating_mul(NANOS)) {
            self.failures = 0; // another failure than the previous ones
        }
        let own = longest.min(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let asked = u64::from(error.retry_after().unwrap_or(0)).div_ceil(1000);
        let seconds = own.max(asked.min(LONGEST_ASKED));
        self.until = now.saturating_add(seconds.saturating_mul(NANOS));
        self.error = Some(error.clone());
    }

    /// It has worked.
    pub(crate) fn over(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing has gone wrong since it worked.
    pub(crate) const fn is_over(&self) -> bool {
        self.error.is_none()
    }

    /// What went wrong, with the rest of the pause, while there is one.
    pub(crate) fn pause(&self, now: u64) -> Option<Error> {
        let error = self.error.as_ref().filter(|_| now < self.until)?.clone();
        let rest = self.until.saturating_sub(now).div_ceil(NANOS / 1000);
        Some(if error.is_retryable() { error.retry_after_ms(rest) } else { error })
    }

    /// What went wrong, if it has not worked since; with the rest of the pause.
    pub(crate) fn last(&self, now: u64) -> Option<Error> {
        self.pause(now).or_else(|| self.error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn twice_as_long_each_time() {
        let mut trouble = BackOff::default();
        let down = Error::from(ErrorKind::OauthServerFailed);
        let mut now = 7 * NANOS;
        assert!(trouble.pause(now).is_none() && trouble.is_over());
        for seconds in [1, 2, 4, 8, 10, 10] {
            trouble.failed(&down, now, 10);
            now += seconds * NANOS - 1;
            assert_eq!(trouble.pause(now).unwrap().retry_after(), Some(1), "{seconds}");
            now += 1;
            assert!(trouble.pause(now).is_none(), "{seconds}");
            assert_eq!(trouble.last(now).unwrap().kind(), ErrorKind::OauthServerFailed);
        }
        // After a calm time it begins again.
        now += 11 * NANOS;
        trouble.failed(&down, now, 10);
        assert_eq!(trouble.pause(now).unwrap().retry_after(), Some(1000));
        trouble.failed(&down.clone().retry_after_ms(20_000), now, 10);
        assert_eq!(trouble.pause(now).unwrap().retry_after(), Some(20_000), "as it asks");
        trouble.failed(&down.retry_after_ms(86_400_000), now, 10);
        assert_eq!(trouble.pause(now).unwrap().retry_after(), Some(300_000), "but not for ever");
        trouble.over();
        assert!(trouble.is_over());
        trouble.failed(&ErrorKind::OauthInvalidClient.into(), now, 10);
        assert_eq!(trouble.pause(now).unwrap().retry_after(), None, "waiting does not help");
        trouble.over();
        trouble.failed(&ErrorKind::OauthServerFailed.into(), now, 0);
        assert!(trouble.pause(now).is_none(), "no pause at all");
    }
}
