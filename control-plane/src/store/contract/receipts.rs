//! Receipts that are kept.

use turnpike_access::log::Position;

use super::database::on_each_engine;
use crate::store::StoredReceipt;

#[tokio::test]
async fn a_receipt_is_kept_by_its_position_and_the_last_one_counts() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        let receipt = |position, text: &str| StoredReceipt {
            position: Position::new(position),
            text: text.to_owned(),
        };
        assert_eq!(store.receipt(Position::new(7)).await.unwrap(), None);
        for kept in [receipt(7, "first"), receipt(8, "other"), receipt(7, "second")] {
            store.save_receipt(&kept).await.unwrap();
        }
        let again = database.stores().await.events;
        assert_eq!(
            again.receipt(Position::new(7)).await.unwrap(),
            Some(receipt(7, "second"))
        );
        assert_eq!(
            again.receipt(Position::new(8)).await.unwrap(),
            Some(receipt(8, "other"))
        );
        assert_eq!(again.receipt(Position::new(9)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_receipts_make_room_for_new_ones() {
    on_each_engine(async |database| {
        let store = database.stores().await.events;
        store.trim_receipts(2).await.unwrap();
        for position in [3, 9, 4, 12] {
            let text = format!("of {position}");
            let position = Position::new(position);
            store
                .save_receipt(&StoredReceipt { position, text })
                .await
                .unwrap();
        }
        store.trim_receipts(4).await.unwrap();
        assert!(store.receipt(Position::new(3)).await.unwrap().is_some());
        store.trim_receipts(2).await.unwrap();
        for (position, kept) in [(3, false), (4, false), (9, true), (12, true)] {
            let found = store.receipt(Position::new(position)).await.unwrap();
            assert_eq!(found.is_some(), kept, "{position}");
        }
    })
    .await;
}
