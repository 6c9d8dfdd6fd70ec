//! Which connections are let in: only so many at once, and only so many a second.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::Rate;

/// Counts connections from their handshake on: those whose upgrade never completes as well.
#[derive(Debug)]
pub struct Admission {
    /// A permit for each connection; `None` for no limit.
    places: Option<Arc<Semaphore>>,
    rate: Rate,
}

/// A connection that was let in; its place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    _place: Option<OwnedSemaphorePermit>,
}

// === impl Admission ===

impl Admission {
    /// Lets in `at_once`, and of these `per_second`; 0 for no limit.
    pub fn new(at_once: usize, per_second: usize) -> Self {
        let places = at_once.min(Semaphore::MAX_PERMITS);
        let places = (places > 0).then(|| Arc::new(Semaphore::new(places)));
        Self { places, rate: Rate::new(per_second) }
    }

    /// Lets one more in, if it may come.
    pub(super) fn admit(&self) -> Option<Admitted> {
        let place = match &self.places {
            Some(places) => Some(places.clone().try_acquire_owned().ok()?),
            None => None,
        };
        self.rate.allows().then_some(Admitted { _place: place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_ends() {
        let admission = Admission::new(2, 0);
        let first = admission.admit();
        let second = admission.admit();
        assert!(first.is_some() && second.is_some());
        assert!(admission.admit().is_none());
        drop(first);
        assert!(admission.admit().is_some());
    }

    #[test]
    fn who_comes_too_fast_takes_no_place() {
        let admission = Admission::new(10, 1);
        let first = admission.admit();
        assert!(first.is_some());
        assert!(admission.admit().is_none());
        let places = admission.places.as_ref().map(|places| places.available_permits());
        assert_eq!(places, Some(9));
    }

    #[test]
    fn no_limit_is_none_however_large() {
        assert!(Admission::new(0, 0).admit().is_some());
        assert!(Admission::new(usize::MAX, 0).admit().is_some());
    }
}
