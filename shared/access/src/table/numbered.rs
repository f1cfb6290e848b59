//! Values that are found by their key, or without hashing by a number that is their key's for ever.
//!
//! Whoever holds a number reads one place of a dense list, in which what most readers ask lies beside a pointer to the
//! whole value: a [`Seat`]. A key keeps its number when its value is removed, so that a number never comes to mean another key.

use std::{borrow::Borrow, sync::Arc};

use super::{Key, Table, directory::Directory};

/// A pointer to a value, and beside it what of the value is asked most.
pub(crate) trait Seat: Clone {
    /// The value.
    type Whole: Clone;

    /// Takes what is asked most out of the value.
    fn of(whole: Arc<Self::Whole>) -> Self;
    /// The value.
    fn whole(&self) -> &Arc<Self::Whole>;
    /// The value, to be changed; the seat is made anew afterwards.
    fn whole_mut(&mut self) -> &mut Arc<Self::Whole>;
}

impl<T: Clone> Seat for Arc<T> {
    type Whole = T;

    fn of(whole: Self) -> Self {
        whole
    }

    fn whole(&self) -> &Self {
        self
    }

    fn whole_mut(&mut self) -> &mut Self {
        self
    }
}

/// A persistent table of which a value can be found by number too.
#[derive(Clone)]
pub(crate) struct Numbered<K, S> {
    numbers: Table<K, u32>,
    // A root of 122 for a million seats, of which each change copies one root, one branch and one leaf.
    seats: Directory<Option<S>, 5, 8>,
}

impl<K, S> Default for Numbered<K, S> {
    fn default() -> Self {
        Self {
            numbers: Table::default(),
            seats: Directory::default(),
        }
    }
}

impl<K, S> std::fmt::Debug for Numbered<K, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Numbered").finish_non_exhaustive()
    }
}

impl<K: Key + Clone, S: Seat> Numbered<K, S> {
    /// The seat of a number.
    pub(crate) fn at(&self, number: u32) -> Option<&S> {
        self.seats.get(usize::try_from(number).ok()?)?.as_ref()
    }

    /// The number of a key that has or had a value.
    pub(crate) fn number<Q>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        self.numbers.get(key).copied()
    }

    /// The number of a key, a new one where it has none.
    pub(crate) fn number_or_new(&mut self, key: &K) -> u32 {
        if let Some(known) = self.number(key) {
            return known;
        }
        // More keys than numbers do not fit into memory.
        let number = u32::try_from(self.seats.len()).unwrap_or(u32::MAX);
        self.seats.push(None);
        self.numbers.insert(key.clone(), number);
        number
    }

    /// The value of a key.
    pub(crate) fn get<Q>(&self, key: &Q) -> Option<&Arc<S::Whole>>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        self.at(self.number(key)?).map(Seat::whole)
    }

    /// Every value, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<S::Whole>> {
        self.seats.iter().flatten().map(Seat::whole)
    }

    /// Changes the value of a key in this copy alone.
    pub(crate) fn change<Q, T>(&mut self, key: &Q, change: impl FnOnce(&mut S::Whole) -> T) -> Option<T>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        let number = self.number(key)?;
        self.at(number)?;
        let seat = self.seats.get_mut(usize::try_from(number).ok()?)?.as_mut()?;
        let changed = change(Arc::make_mut(seat.whole_mut()));
        *seat = S::of(seat.whole().clone());
        Some(changed)
    }

    /// Gives a key a value.
    pub(crate) fn insert(&mut self, key: &K, value: Arc<S::Whole>) {
        let number = self.number_or_new(key);
        if let Some(seat) = usize::try_from(number)
            .ok()
            .and_then(|place| self.seats.get_mut(place))
        {
            *seat = Some(S::of(value));
        }
    }

    /// Takes a key's value away; the key keeps its number.
    pub(crate) fn remove<Q>(&mut self, key: &Q) -> Option<Arc<S::Whole>>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        let number = self.number(key)?;
        self.at(number)?;
        let seat = self.seats.get_mut(usize::try_from(number).ok()?)?.take();
        seat.map(|seat| seat.whole().clone())
    }

    /// Takes a key's value away; should the key come again, it gets another number.
    pub(crate) fn retire<Q>(&mut self, key: &Q) -> Option<Arc<S::Whole>>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        let removed = self.remove(key)?;
        self.numbers.remove(key);
        Some(removed)
    }
}

impl<K: Key + Clone, T: Clone> Numbered<K, Arc<T>> {
    /// The value of a key, to be changed in this copy alone.
    pub(crate) fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut T>
    where
        K: Borrow<Q>,
        Q: Key + ?Sized,
    {
        let number = self.number(key)?;
        self.at(number)?;
        let seat = self.seats.get_mut(usize::try_from(number).ok()?)?.as_mut();
        seat.map(Arc::make_mut)
    }
}
