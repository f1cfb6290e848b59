//! Numbers that follow from a seed: SplitMix64, the same for ever.

/// A source of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub(crate) fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }

    pub(crate) fn text(&mut self, choices: &[&str]) -> String {
        (*self.pick(choices)).to_owned()
    }

    /// One in so many times something.
    pub(crate) fn some<T>(&mut self, chances: usize, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(chances).then(|| draw(self))
    }

    /// Mostly nothing, sometimes one or two or three.
    pub(crate) fn few<T>(&mut self, draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = *self.pick(&[0, 0, 0, 0, 1, 1, 2, 3]);
        self.times(count, draw)
    }

    pub(crate) fn times<T>(&mut self, count: usize, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..count).map(|_| draw(self)).collect()
    }

    /// Each of them with one chance in so many of being left out.
    pub(crate) fn most(&mut self, all: &[&str], chances: usize) -> Vec<String> {
        let kept = all.iter().filter(|_| !self.one_in(chances));
        kept.map(|one| (*one).to_owned()).collect()
    }

    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            let other = self.below(place + 1);
            all.swap(place, other);
        }
    }
}
