//! A growing array that never copies much: the first segment grows in small steps, the others
//! have a fixed size and stay where they are.

use crate::footprint;

/// Elements of a segment, and of the first one at most.
const SEGMENT: usize = 512;

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
    segments: Vec<Vec<T>>,
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
        if self.first.len() < SEGMENT {
            if self.first.len() == self.first.capacity() {
                self.grow();
            }
            self.first.push(value);
            return;
        }
        let none = || Box::new(Rest { len: SEGMENT, segments: Vec::new() });
        self.rest.get_or_insert_with(none).push(value);
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Some(rest) = &mut self.rest else { return self.first.pop() };
        let value = rest.pop();
        if rest.len == SEGMENT {
            self.rest = None;
        }
        value
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        if at < SEGMENT {
            return self.first.get(at);
        }
        self.rest.as_ref()?.segments.get(at / SEGMENT - 1)?.get(at % SEGMENT)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        if at < SEGMENT {
            return self.first.get_mut(at);
        }
        self.rest.as_mut()?.segments.get_mut(at / SEGMENT - 1)?.get_mut(at % SEGMENT)
    }

    /// Bytes allocated by the array itself.
    pub(crate) fn bytes(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.bytes());
        footprint::of(self.first.capacity() * size_of::<T>()) + rest
    }

    /// A segment by number, for moving it elsewhere.
    pub(crate) fn segment_mut(&mut self, number: usize) -> Option<&mut Vec<T>> {
        match number.checked_sub(1) {
            None => Some(&mut self.first),
            Some(number) => self.rest.as_mut()?.segments.get_mut(number),
        }
    }

    /// How many segments there are.
    pub(crate) fn segments(&self) -> usize {
        1 + self.rest.as_ref().map_or(0, |rest| rest.segments.len())
    }

    /// Makes room in the first segment: an eighth more, and what the allocator gives with it.
    fn grow(&mut self) {
        let held = self.first.len();
        let wanted = (held + 1 + held / 8).min(SEGMENT);
        let fits = footprint::of(wanted * size_of::<T>()) / size_of::<T>().max(1);
        self.first.reserve_exact(fits.clamp(wanted, SEGMENT) - held);
    }
}

// === impl Rest ===

impl<T> Rest<T> {
    fn push(&mut self, value: T) {
        if self.len.is_multiple_of(SEGMENT) {
            self.segments.push(Vec::with_capacity(SEGMENT));
        }
        if let Some(last) = self.segments.last_mut() {
            last.push(value);
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<T> {
        let last = self.segments.last_mut()?;
        let value = last.pop()?;
        self.len -= 1;
        if last.is_empty() {
            self.segments.pop();
        }
        Some(value)
    }

    fn bytes(&self) -> usize {
        footprint::of(size_of::<Self>())
            + footprint::of(self.segments.capacity() * size_of::<Vec<T>>())
            + self.segments.len() * footprint::of(SEGMENT * size_of::<T>())
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
