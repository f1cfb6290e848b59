//! The persistent table against the standard library's map, under the same changes.

use std::collections::HashMap;

use proptest::prelude::*;
use turnpike_access::table::{Key, Table};

/// A key that is its own hash, so that tests choose what collides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Chosen {
    hash: u32,
    name: u16,
}

impl Key for Chosen {
    fn table_hash(&self) -> u32 {
        self.hash
    }
}

#[derive(Debug, Clone)]
enum Change {
    Insert(Chosen, u32),
    Remove(Chosen),
    Raise(Chosen),
    /// A copy is put by, with what it must hold for ever.
    Keep,
}

fn key() -> impl Strategy<Value = Chosen> {
    // Few names, so that they meet again; few hashes for some of them, so that they collide.
    let scattered = (0u16..2000).prop_map(|name| Chosen {
        hash: u32::from(name).wrapping_mul(0x9E37_79B1),
        name,
    });
    let colliding = (0u16..100).prop_map(|name| Chosen {
        hash: [0, u32::MAX][usize::from(name % 2)],
        name,
    });
    prop_oneof![3 => scattered, 1 => colliding]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        60 => (key(), any::<u32>()).prop_map(|(key, value)| Change::Insert(key, value)),
        25 => key().prop_map(Change::Remove),
        14 => key().prop_map(Change::Raise),
        1 => Just(Change::Keep),
    ]
}

fn assert_same(table: &Table<Chosen, u32>, model: &HashMap<Chosen, u32>) {
    assert_eq!(table.len(), model.len());
    assert_eq!(table.iter().count(), model.len());
    let listed: HashMap<_, _> = table.iter().map(|(key, value)| (key.clone(), *value)).collect();
    assert_eq!(&listed, model);
    for (key, value) in model {
        assert_eq!(table.get(key), Some(value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_is_a_map_and_its_copies_never_change(changes in prop::collection::vec(change(), 0..3000)) {
        let (mut table, mut model) = (Table::default(), HashMap::new());
        let mut kept = Vec::new();
        for change in changes {
            match change {
                Change::Insert(key, value) => {
                    prop_assert_eq!(table.insert(key.clone(), value), model.insert(key, value));
                }
                Change::Remove(key) => prop_assert_eq!(table.remove(&key), model.remove(&key)),
                Change::Raise(key) => {
                    for held in [table.get_mut(&key), model.get_mut(&key)].into_iter().flatten() {
                        *held = held.wrapping_add(1);
                    }
                    prop_assert_eq!(table.get(&key), model.get(&key));
                }
                Change::Keep => kept.push((table.clone(), model.clone())),
            }
        }
        kept.push((table, model));
        for (table, model) in &kept {
            assert_same(table, model);
        }
    }
}

fn scattered(number: u32) -> Chosen {
    Chosen {
        hash: number.wrapping_mul(0x9E37_79B1).rotate_left(7),
        name: (number % 1000) as u16,
    }
}

#[test]
fn a_large_table_grows_and_is_emptied_while_a_copy_stays() {
    let mut table: Table<Chosen, u32> = Table::default();
    for number in 0..100_000 {
        assert_eq!(table.insert(scattered(number), number), None);
    }
    let full = table.clone();
    for number in 0..100_000 {
        assert_eq!(table.remove(&scattered(number)), Some(number));
        assert!(!table.contains_key(&scattered(number)));
    }
    assert!(table.is_empty());
    assert_eq!(table.iter().count(), 0);
    assert_eq!(full.len(), 100_000);
    assert!((0..100_000).all(|number| full.get(&scattered(number)) == Some(&number)));
}

#[test]
fn a_name_is_found_by_its_text() {
    let mut table: Table<turnpike_access::id::Name, i32> = Table::default();
    table.insert("alice".parse::<turnpike_access::id::Name>().unwrap(), 1);
    table.insert("bob".parse().unwrap(), 2);
    assert_eq!(table.get("alice"), Some(&1));
    assert_eq!(table.get("carol"), None);
    assert_eq!(table.remove("alice"), Some(1));
    assert_eq!(table.keys().count(), 1);
    assert_eq!(*table.get_or_default("dave".parse().unwrap()).unwrap(), 0);
    assert_eq!(table.len(), 2);
}
