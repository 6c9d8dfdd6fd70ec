//! A growing array that never copies much: the first segment grows in small steps, later ones
//! have fixed sizes and stay where they are.

use crate::footprint;

/// Elements of an early segment.
const SMALL: usize = 64;
/// Elements of a late one: few of them are found faster than many.
const LARGE: usize = 512;
/// Where the late ones begin.
const LATE: usize = 2048;

/// Capacities of the first segment, so that small rosters are tight.
const STEPS: [usize; 15] = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, SMALL];

/// The array.
#[derive(Debug)]
pub(crate) struct SegVec<T> {
    first: Vec<T>,
    rest: Option<Box<Rest<T>>>,
}

/// Segments after the first. None of them is empty.
#[derive(Debug)]
struct Rest<T> {
    /// Elements, those of the first segment included.
    len: usize,
    early: Vec<Vec<T>>,
    late: Vec<Vec<T>>,
}

// === impl SegVec ===

impl<T> SegVec<T> {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), rest: None }
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.as_ref().map_or(self.first.len(), |rest| rest.len)
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.first.len() < SMALL {
            if self.first.len() == self.first.capacity() {
                let held = self.first.len();
                let step = STEPS.iter().find(|step| **step > held).copied().unwrap_or(SMALL);
                self.first.reserve_exact(step - held);
            }
            self.first.push(value);
            return;
        }
        let none = || Box::new(Rest { len: SMALL, early: Vec::new(), late: Vec::new() });
        self.rest.get_or_insert_with(none).push(value);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Some(rest) = &mut self.rest else { return self.first.pop() };
        let value = rest.pop();
        if rest.len == SMALL {
            self.rest = None;
        }
        value
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        if at < SMALL {
            return self.first.get(at);
        }
        let rest = self.rest.as_ref()?;
        if at < LATE {
            return rest.early.get(at / SMALL - 1)?.get(at % SMALL);
        }
        rest.late.get((at - LATE) / LARGE)?.get(at % LARGE)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        if at < SMALL {
            return self.first.get_mut(at);
        }
        let rest = self.rest.as_mut()?;
        if at < LATE {
            return rest.early.get_mut(at / SMALL - 1)?.get_mut(at % SMALL);
        }
        rest.late.get_mut((at - LATE) / LARGE)?.get_mut(at % LARGE)
    }

    /// Bytes allocated by the array itself.
    pub(crate) fn bytes(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.bytes());
        footprint::of(self.first.capacity() * size_of::<T>()) + rest
    }

    /// A segment by number, for moving it elsewhere.
    pub(crate) fn segment_mut(&mut self, number: usize) -> Option<&mut Vec<T>> {
        let Some(number) = number.checked_sub(1) else { return Some(&mut self.first) };
        let rest = self.rest.as_mut()?;
        let early = rest.early.len();
        if number < early { rest.early.get_mut(number) } else { rest.late.get_mut(number - early) }
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        1 + self.rest.as_ref().map_or(0, |rest| rest.early.len() + rest.late.len())
    }
}

// === impl Rest ===

impl<T> Rest<T> {
    fn push(&mut self, value: T) {
        let (segments, size) =
            if self.len < LATE { (&mut self.early, SMALL) } else { (&mut self.late, LARGE) };
        if self.len.is_multiple_of(size) {
            segments.push(Vec::with_capacity(size));
        }
        if let Some(last) = segments.last_mut() {
            last.push(value);
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<T> {
        let segments = if self.len <= LATE { &mut self.early } else { &mut self.late };
        let last = segments.last_mut()?;
        let value = last.pop()?;
        self.len -= 1;
        if last.is_empty() {
            segments.pop();
        }
        Some(value)
    }

    fn bytes(&self) -> usize {
        let list = |segments: &Vec<Vec<T>>, size| {
            footprint::of(segments.capacity() * size_of::<Vec<T>>())
                + segments.len() * footprint::of(size * size_of::<T>())
        };
        footprint::of(size_of::<Self>()) + list(&self.early, SMALL) + list(&self.late, LARGE)
    }
}

// Positions are made by this crate; one that is out of range is a bug worth a panic, which the
// callback's guard turns into an error.
impl<T> std::ops::Index<u32> for SegVec<T> {
    type Output = T;

    fn index(&self, at: u32) -> &T {
        self.get(at as usize).expect("a position within the array")
    }
}

impl<T> std::ops::IndexMut<u32> for SegVec<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        self.get_mut(at as usize).expect("a position within the array")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_behaves_like_a_vec() {
        let mut array = SegVec::new();
        for value in 0..9000u32 {
            assert_eq!(array.len(), value as usize);
            array.push(value);
            assert_eq!(array.get(value as usize + 1), None);
        }
        assert!((0..9000u32).all(|at| array[at] == at));
        for value in (0..9000).rev() {
            assert_eq!(array.pop(), Some(value));
            assert_eq!(array.len(), value as usize);
        }
        assert_eq!((array.pop(), array.len()), (None, 0));
    }
}
