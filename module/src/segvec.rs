//! A growing array that never copies much: the first segment grows in small steps, later ones
//! have a fixed size and stay where they are.

/// Elements of a full segment.
const SEGMENT: usize = 64;

/// Capacities of the first segment, so that small rosters are tight.
const STEPS: [usize; 15] = [1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, SEGMENT];

/// The array.
#[derive(Debug)]
pub(crate) struct SegVec<T> {
    first: Vec<T>,
    rest: Option<Box<Rest<T>>>,
}

/// Segments after the first.
#[derive(Debug)]
struct Rest<T>(Vec<Vec<T>>);

// === impl SegVec ===

impl<T> SegVec<T> {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), rest: None }
    }

    pub(crate) fn len(&self) -> usize {
        match self.rest.as_ref().and_then(|rest| Some((rest.0.len(), rest.0.last()?))) {
            None => self.first.len(),
            Some((segments, last)) => segments * SEGMENT + last.len(),
        }
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.first.len() < SEGMENT {
            if self.first.len() == self.first.capacity() {
                let held = self.first.len();
                let step = STEPS.iter().find(|step| **step > held).copied().unwrap_or(SEGMENT);
                self.first.reserve_exact(step - held);
            }
            self.first.push(value);
            return;
        }
        let rest = &mut self.rest.get_or_insert_with(|| Box::new(Rest(Vec::new()))).0;
        if rest.last().is_none_or(|last| last.len() == SEGMENT) {
            rest.push(Vec::with_capacity(SEGMENT));
        }
        if let Some(last) = rest.last_mut() {
            last.push(value);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        let Some(rest) = &mut self.rest else { return self.first.pop() };
        let last = rest.0.last_mut()?;
        let value = last.pop();
        if last.is_empty() {
            rest.0.pop();
        }
        if rest.0.is_empty() {
            self.rest = None;
        }
        value
    }

    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        if at < SEGMENT {
            return self.first.get(at);
        }
        self.rest.as_ref()?.0.get(at / SEGMENT - 1)?.get(at % SEGMENT)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        if at < SEGMENT {
            return self.first.get_mut(at);
        }
        self.rest.as_mut()?.0.get_mut(at / SEGMENT - 1)?.get_mut(at % SEGMENT)
    }

    /// Bytes allocated by the array itself.
    pub(crate) fn bytes(&self) -> usize {
        let size = size_of::<T>();
        let rest = self.rest.as_ref().map_or(0, |rest| {
            size_of::<Rest<T>>()
                + rest.0.capacity() * size_of::<Vec<T>>()
                + rest.0.len() * SEGMENT * size
        });
        self.first.capacity() * size + rest
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
        for value in 0..1000u32 {
            assert_eq!(array.len(), value as usize);
            array.push(value);
        }
        assert!((0..1000u32).all(|at| array[at] == at));
        assert_eq!(array.get(1000), None);
        for value in (0..1000).rev() {
            assert_eq!(array.pop(), Some(value));
        }
        assert_eq!((array.pop(), array.len()), (None, 0));
    }
}
