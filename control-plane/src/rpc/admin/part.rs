//! Long lists, part by part.

use turnpike_proto::{ConversionError, admin::Page};

use crate::rpc::status::Failure;

/// A part of a list, and the name after which to go on; empty at the end.
pub(super) type Part<T> = (Vec<T>, String);

/// The part of a list that is asked for. Where the one before was deleted meanwhile, a list in the order of names
/// goes on behind its place; any other has to be read from the start.
pub(super) fn part<T>(all: Vec<T>, page: &Page, name: impl Fn(&T) -> String) -> Result<Part<T>, Failure> {
    let Page { size, after } = page;
    let names: Vec<String> = all.iter().map(name).collect();
    let start = match names.iter().position(|one| one == after) {
        _ if after.is_empty() => 0,
        Some(place) => place + 1,
        None if names.is_sorted() => names.partition_point(|one| one < after),
        None => {
            return Err(Failure::Message(ConversionError {
                field: "after".to_owned(),
                problem: "is not in the list any more; ask for the first part again".to_owned(),
            }));
        }
    };
    let size = usize::try_from(*size).unwrap_or(usize::MAX);
    let end = start.saturating_add(size).min(names.len());
    let next = match end < names.len() {
        true => end
            .checked_sub(1)
            .and_then(|last| names.get(last))
            .cloned()
            .unwrap_or_default(),
        false => String::new(),
    };
    Ok((all.into_iter().skip(start).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(all: &[&str], size: u32, after: &str) -> Result<(Vec<String>, String), Failure> {
        let all = all.iter().map(|one| (*one).to_owned()).collect();
        let page = Page {
            size,
            after: after.to_owned(),
        };
        part(all, &page, String::clone)
    }

    #[test]
    fn the_parts_of_a_list_are_the_list() {
        let all = ["a", "b", "c", "d", "e"];
        let (mut got, mut after) = (Vec::new(), String::new());
        loop {
            let (some, next) = asked(&all, 2, &after).unwrap();
            got.extend(some);
            if next.is_empty() {
                break;
            }
            after = next;
        }
        assert_eq!(got, all);
    }

    #[test]
    fn a_list_by_name_goes_on_where_a_deleted_thing_was_and_another_says_so() {
        assert_eq!(asked(&["a", "c"], 5, "b").unwrap().0, ["c"]);
        assert!(asked(&["c", "a"], 5, "b").is_err());
    }
}
