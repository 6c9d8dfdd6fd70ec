//! Changes of leases that replicas must still hear of: few at any time, as a change of a lease
//! takes the place of the one before.

use std::collections::BTreeMap;

/// A change of a lease, for replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LeaseNews {
    Set { node: Box<str>, px: u64 },
    End { node: Box<str>, at: u32 },
}

/// While clients are paused nothing may be told, leases are renewed all the same, and none ends.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    ends: Vec<(Box<str>, u32)>,
    /// Of lives that began, or changed, after the end of the one before.
    sets: BTreeMap<Box<str>, u64>,
}

// === impl Untold ===

impl Untold {
    /// A lease began, or has another time.
    pub(crate) fn set(&mut self, node: &str, px: u64) {
        match self.sets.get_mut(node) {
            Some(known) => *known = px,
            None => drop(self.sets.insert(node.into(), px)),
        }
    }

    /// A lease ended at a Unix second.
    pub(crate) fn end(&mut self, node: &str, at: u32) {
        self.sets.remove(node);
        self.ends.push((node.into(), at));
    }

    /// All ends, then up to `most` leases as they are; the others stay.
    pub(crate) fn take(&mut self, most: usize) -> Vec<LeaseNews> {
        let ends = self.ends.drain(..).map(|(node, at)| LeaseNews::End { node, at });
        let mut news: Vec<LeaseNews> = ends.collect();
        for _ in 0..most {
            let Some((node, px)) = self.sets.pop_first() else { break };
            news.push(LeaseNews::Set { node, px });
        }
        news
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.sets.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(news: Vec<LeaseNews>) -> String {
        let say = |news| match news {
            LeaseNews::Set { node, px } => format!("{node}={px}"),
            LeaseNews::End { node, .. } => format!("{node} ended"),
        };
        news.into_iter().map(say).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn only_the_last_of_a_life_is_told_and_the_end_of_the_one_before() {
        let mut untold = Untold::default();
        (1..9).for_each(|px| untold.set("a", px));
        untold.set("b", 1);
        untold.end("b", 7);
        untold.set("b", 2);
        untold.set("c", 1);
        untold.end("c", 7);
        assert_eq!(said(untold.take(1)), "b ended, c ended, a=8");
        assert!(!untold.is_empty());
        assert_eq!(said(untold.take(9)), "b=2");
        assert!(untold.is_empty());
    }
}
