//! A persistent list that only grows: three levels of short arrays, of which a change copies one each.

use std::sync::Arc;

/// Elements of an array of the lower two levels, in bits. The highest array is as long as it must be: 32 for a
/// million entries of a table.
const BITS: u32 = 5;
const MASK: usize = (1 << BITS) - 1;

type Leaf<T> = Arc<[T]>;
type Branch<T> = Arc<[Leaf<T>]>;

pub(super) struct Directory<T> {
    root: Arc<[Branch<T>]>,
    len: usize,
}

impl<T> Directory<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        let (root, branch, leaf) = path(place);
        self.root.get(root)?.get(branch)?.get(leaf)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.root
            .iter()
            .flat_map(|branch| branch.iter())
            .flat_map(|leaf| leaf.iter())
    }
}

impl<T: Clone> Directory<T> {
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (_, _, last) = path(place);
        Arc::make_mut(self.leaf_mut(place)?).get_mut(last)
    }

    fn leaf_mut(&mut self, place: usize) -> Option<&mut Leaf<T>> {
        let (root, branch, _) = path(place);
        Arc::make_mut(Arc::make_mut(&mut self.root).get_mut(root)?).get_mut(branch)
    }

    pub(super) fn push(&mut self, added: T) {
        let (root, branch, leaf) = path(self.len);
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

fn path(place: usize) -> (usize, usize, usize) {
    (place >> (2 * BITS), (place >> BITS) & MASK, place & MASK)
}

fn append<T: Clone>(all: &mut Arc<[T]>, added: T) {
    *all = all.iter().cloned().chain(std::iter::once(added)).collect();
}

impl<T> Clone for Directory<T> {
    fn clone(&self) -> Self {
        Self {
            root: self.root.clone(),
            len: self.len,
        }
    }
}

impl<T> Default for Directory<T> {
    fn default() -> Self {
        Self {
            root: Arc::default(),
            len: 0,
        }
    }
}
