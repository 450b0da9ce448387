//! Builders whose setters return nothing: the first thing that was wrong stays, and the call that
//! uses what is built reports it. So a program asks once, and no setter that failed is passed over
//! in silence.

use super::boundary::{Fault, Outcome, look};
use crate::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What has been set so far, or the first thing that was wrong.
#[derive(Clone)]
pub(super) struct Sticky<T>(Outcome<T>);

impl<T> Sticky<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(Ok(value))
    }

    /// What was set; or what was wrong, for the call that uses it.
    #[inline]
    pub(super) fn built(&self) -> Outcome<&T> {
        self.0.as_ref().map_err(Fault::clone)
    }
}

impl<T: Default> Default for Sticky<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

/// Runs the body of a setter, unless one before has failed. A setter of NULL does nothing.
pub(super) fn set<T>(builder: Option<&mut Sticky<T>>, change: impl FnOnce(T) -> Outcome<T>) {
    look((), || {
        let builder = builder?;
        let internal = || Err(ErrorKind::Internal.into());
        builder.0 = match std::mem::replace(&mut builder.0, internal()) {
            Ok(value) => {
                let changed = catch_unwind(AssertUnwindSafe(|| change(value)));
                changed.unwrap_or_else(|_panic| internal())
            }
            first => first,
        };
        Some(())
    });
}

/// As [`set`], for what is changed in its place.
pub(super) fn set_in<T>(
    builder: Option<&mut Sticky<T>>,
    change: impl FnOnce(&mut T) -> Outcome<()>,
) {
    set(builder, |mut value| {
        change(&mut value)?;
        Ok(value)
    });
}
