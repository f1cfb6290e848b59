//! A persistent list that only grows: three levels of short arrays, of which a change copies one each.

use std::sync::Arc;

type Leaf<T> = Arc<[T]>;
type Branch<T> = Arc<[Leaf<T>]>;

/// `LEAF` and `BRANCH` are the elements of an array of the lower two levels, in bits. The highest array is as long as it
/// must be: 49 for a million entries of a table.
pub(crate) struct Directory<T, const LEAF: u32 = 5, const BRANCH: u32 = 5> {
    root: Arc<[Branch<T>]>,
    len: usize,
}

impl<T, const LEAF: u32, const BRANCH: u32> Directory<T, LEAF, BRANCH> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn path(place: usize) -> (usize, usize, usize) {
        let low = |number: usize, bits: u32| number & ((1 << bits) - 1);
        (
            place >> (LEAF + BRANCH),
            low(place >> LEAF, BRANCH),
            low(place, LEAF),
        )
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let (root, branch, leaf) = Self::path(place);
        self.root.get(root)?.get(branch)?.get(leaf)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.root
            .iter()
            .flat_map(|branch| branch.iter())
            .flat_map(|leaf| leaf.iter())
    }
}

impl<T: Clone, const LEAF: u32, const BRANCH: u32> Directory<T, LEAF, BRANCH> {
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (_, _, last) = Self::path(place);
        Arc::make_mut(self.leaf_mut(place)?).get_mut(last)
    }

    fn leaf_mut(&mut self, place: usize) -> Option<&mut Leaf<T>> {
        let (root, branch, _) = Self::path(place);
        Arc::make_mut(Arc::make_mut(&mut self.root).get_mut(root)?).get_mut(branch)
    }

    pub(crate) fn push(&mut self, added: T) {
        let (root, branch, leaf) = Self::path(self.len);
        if leaf > 0 {
            if let Some(all) = self.leaf_mut(self.len) {
                append(all, added);
            }
        } else if branch > 0 {
            if let Some(all) = Arc::make_mut(&mut self.root).get_mut(root) {
                append(all, Arc::from([added]));
            }
        } else {
            append(&mut self.root, Arc::from([Arc::from([added])]));
        }
        self.len += 1;
    }
}

fn append<T: Clone>(all: &mut Arc<[T]>, added: T) {
    *all = all.iter().cloned().chain(std::iter::once(added)).collect();
}

impl<T, const LEAF: u32, const BRANCH: u32> Clone for Directory<T, LEAF, BRANCH> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            len: self.len,
        }
    }
}

impl<T, const LEAF: u32, const BRANCH: u32> Default for Directory<T, LEAF, BRANCH> {
    fn default() -> Self {
        Self {
            root: Arc::default(),
            len: 0,
        }
    }
}
