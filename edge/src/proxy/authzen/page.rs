//! Pages of a search (section 8.2): how far one goes, and what the next is called.

use serde::Serialize;

use super::{evaluate::Fault, read};

/// Most results in one answer.
const MAX_RESULTS: usize = 1000;
/// Most candidates that are looked at for one answer.
const MAX_CANDIDATES: usize = 10_000;

/// Where a page begins, and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// Candidates that earlier pages have dealt with.
    begin: usize,
    limit: usize,
    /// Of the question: the same for all its pages.
    mark: u32,
    asked_for: bool,
}

/// What is told of a page.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Told {
    /// Empty after the last page.
    next_token: String,
    count: usize,
}

impl Page {
    /// `question` is everything that must stay the same from page to page.
    pub(super) fn of(asked: Option<&read::Page>, question: &str) -> Result<Self, Fault> {
        let mark = crc32fast::hash(question.as_bytes());
        let limit = asked.and_then(|page| page.limit).map(|limit| limit as usize);
        let token = asked
            .and_then(|page| page.token.as_deref())
            .filter(|token| !token.is_empty());
        let (begin, earlier) = match token {
            None => (0, None),
            Some(token) => {
                let (begin, limit) = open(token, mark).ok_or_else(changed)?;
                (begin, Some(limit))
            }
        };
        if let (Some(limit), Some(earlier)) = (limit, earlier)
            && limit.min(MAX_RESULTS) != earlier
        {
            return Err(changed());
        }
        Ok(Self {
            begin,
            limit: limit.or(earlier).unwrap_or(MAX_RESULTS).min(MAX_RESULTS),
            mark,
            asked_for: asked.is_some(),
        })
    }

    /// Keeps those of the candidates that are wanted, as many as the page holds. Nothing is told of the page where nobody
    /// asked for one and it is the only one.
    pub(super) fn take<T>(
        self,
        candidates: impl ExactSizeIterator<Item = T>,
        wanted: impl Fn(&T) -> bool,
    ) -> (Vec<T>, Option<Told>) {
        let all = candidates.len();
        let mut found = Vec::new();
        let mut next = self.begin.min(all);
        for candidate in candidates.skip(self.begin).take(MAX_CANDIDATES) {
            if found.len() == self.limit {
                break;
            }
            next += 1;
            if wanted(&candidate) {
                found.push(candidate);
            }
        }
        let more = next < all;
        let told = (more || self.asked_for).then(|| Told {
            next_token: if more { self.token(next) } else { String::new() },
            count: found.len(),
        });
        (found, told)
    }

    fn token(self, next: usize) -> String {
        format!("{:08x}.{}.{next}", self.mark, self.limit)
    }
}

fn open(token: &str, mark: u32) -> Option<(usize, usize)> {
    let (theirs, rest) = token.split_once('.')?;
    let (limit, begin) = rest.split_once('.')?;
    let limit = limit.parse().ok().filter(|limit| *limit <= MAX_RESULTS)?;
    (theirs == format!("{mark:08x}")).then_some((begin.parse().ok()?, limit))
}

fn changed() -> Fault {
    Fault::Unclear("page.token is of another search: send it with what it came for.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(token: &str, limit: Option<u32>, question: &str) -> Option<Page> {
        let token = Some(token.to_owned());
        Page::of(Some(&read::Page { token, limit }), question).ok()
    }

    #[test]
    fn pages_follow_one_another_without_gap_or_overlap_and_the_last_says_so() {
        let mut token = String::new();
        let mut all = Vec::new();
        for count in [2, 2, 1] {
            let (found, told) = page(&token, Some(2), "q").unwrap().take(0..10, |n| n % 2 == 0);
            let told = told.unwrap();
            assert_eq!((found.len(), told.count), (count, count));
            all.extend(found);
            token = told.next_token;
        }
        assert_eq!(all, [0, 2, 4, 6, 8]);
        assert_eq!(token, "", "the last candidate is no result, and nothing is left");
    }

    #[test]
    fn a_token_is_of_one_search_and_one_limit() {
        let (_, told) = page("", Some(2), "q").unwrap().take(0..10, |_| true);
        let token = told.unwrap().next_token;
        assert!(page(&token, None, "q").is_some());
        assert!(page(&token, Some(2), "q").is_some());
        assert!(page(&token, Some(3), "q").is_none());
        assert!(page(&token, None, "r").is_none());
        for broken in ["x", "..", "00000000.1.1", "00000000.99999999999999999999.1"] {
            assert!(page(broken, None, "q").is_none(), "{broken}");
        }
    }

    #[test]
    fn who_asks_for_no_page_gets_everything_without_one_unless_it_is_too_much() {
        let whole = Page::of(None, "q").ok().unwrap();
        assert_eq!(whole.take(0..10, |_| true), ((0..10).collect(), None));
        let (found, told) = whole.take(0..2000, |_| true);
        assert_eq!((found.len(), told.unwrap().count), (1000, 1000));
        let (found, told) = whole.take(0..20_000, |_| false);
        assert!(found.is_empty() && !told.unwrap().next_token.is_empty());
    }
}
