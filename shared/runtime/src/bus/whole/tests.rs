//! A state that was tampered with is refused, whatever was done to it.

use bytes::Bytes;
use turnpike_access::{codec::Decoder, id::Timestamp, snapshot::Snapshot};

use super::{Reading, Title, Untrusted, authenticator, write};
use crate::keyring::{Keyring, authenticator::Authenticator};

fn keys() -> Authenticator {
    authenticator(&Keyring::parse(&Keyring::generate()).unwrap())
}

fn title(snapshot: &Snapshot) -> Title {
    Title::new(snapshot.head(), Timestamp::from_micros(7), 9, vec![vec![1; 32]])
}

fn pieces(keys: &Authenticator) -> Vec<Bytes> {
    let snapshot = Snapshot::default();
    let mut pieces = Vec::new();
    let take = |piece| {
        pieces.push(piece);
        Ok(())
    };
    write(&snapshot, &title(&snapshot), keys, take).unwrap();
    pieces
}

fn read(keys: &Authenticator, pieces: &[Bytes]) -> Result<(Title, Snapshot), Untrusted> {
    let (first, others) = pieces.split_first().ok_or(Untrusted::CutShort)?;
    let (mut reading, title) = Reading::begin(keys.clone(), first)?;
    let mut decoder = Decoder::default();
    for piece in others {
        decoder.feed(reading.next(piece)?).unwrap();
    }
    match reading.is_whole() {
        true => Ok((title, decoder.finish().unwrap())),
        false => Err(Untrusted::CutShort),
    }
}

#[test]
fn a_state_that_was_put_on_the_bus_is_read_again_with_what_it_says_of_itself() {
    let keys = keys();
    let (said, snapshot) = read(&keys, &pieces(&keys)).unwrap();
    assert_eq!(said, title(&snapshot));
    assert_eq!(snapshot.head(), Snapshot::default().head());
}

#[test]
fn whatever_byte_of_a_state_on_the_bus_is_changed_it_is_refused() {
    let keys = keys();
    let pieces = pieces(&keys);
    for (index, piece) in pieces.iter().enumerate() {
        for at in 0..piece.len() {
            let mut changed = piece.to_vec();
            changed[at] ^= 1;
            let mut all = pieces.clone();
            all[index] = changed.into();
            assert!(read(&keys, &all).is_err(), "byte {at} of piece {index}");
        }
        let mut all = pieces.clone();
        all[index] = piece.slice(..piece.len() - 1);
        assert!(read(&keys, &all).is_err(), "the last byte of piece {index}");
    }
}

#[test]
fn a_state_of_another_keyring_or_put_together_anew_is_refused() {
    let keys = keys();
    let pieces = pieces(&keys);
    assert_eq!(read(&self::keys(), &pieces).unwrap_err(), Untrusted::Damaged);
    let without_end = &pieces[..pieces.len() - 1];
    assert_eq!(read(&keys, without_end).unwrap_err(), Untrusted::CutShort);
    assert!(read(&keys, &pieces[1..]).is_err(), "it does not begin there");
    let mut more = pieces.clone();
    more.push(pieces.last().unwrap().clone());
    assert_eq!(read(&keys, &more).unwrap_err(), Untrusted::Damaged);
    assert_eq!(read(&keys, &[]).unwrap_err(), Untrusted::CutShort);
    assert_eq!(read(&keys, &[Bytes::new()]).unwrap_err(), Untrusted::Damaged);
}
