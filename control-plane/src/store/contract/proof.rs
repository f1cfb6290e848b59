//! What the audit is proven by: bytes come out of rows as they went in, and what was signed is kept as it was first.

use turnpike_access::{
    audit::{
        AuditRecord,
        chain::{Checkpoint, Leaf, Link},
    },
    id::Timestamp,
};
use turnpike_proto::audit;

use super::{
    database::on_each_engine,
    records::{full, record},
};
use crate::store::{AuditStore, proof::originals};

fn checkpoint(first: u64, last: u64, time: i64) -> Checkpoint {
    Checkpoint {
        edge: "edge-1".to_owned(),
        epoch: 7,
        first,
        last,
        before: Link([1; 32]),
        after: Link([2; 32]),
        time: Timestamp::from_micros(time),
        key: "key".to_owned(),
        signature: vec![0, 255],
    }
}

async fn keep(store: &dyn AuditStore, records: &[AuditRecord], bytes: &[Vec<u8>]) {
    store.insert("edge-1", 7, 1, records).await.unwrap();
    let kept = originals(records, bytes);
    let kept: Vec<_> = kept
        .into_iter()
        .map(|(index, bytes)| (index as u64 + 1, bytes))
        .collect();
    let said = checkpoint(1, records.len() as u64, 5);
    store.keep_checkpoint(&said, &kept).await.unwrap();
    store.keep_checkpoint(&said, &kept).await.unwrap();
}

#[tokio::test]
async fn the_bytes_of_a_row_are_those_that_its_edge_wrote_also_where_the_row_cannot_hold_them() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let with_nul = AuditRecord {
            user_agent: Some("a\0b".into()),
            ..record("acme", 3)
        };
        let records = [record("acme", 1), full("acme", 2), with_nul, record("acme", 4)];
        let mut bytes: Vec<Vec<u8>> = records.iter().map(audit::encoded).collect();
        // A field that only newer edges know.
        bytes[3].extend([0xfa, 0x3f, 1, b'x']);
        assert_eq!(originals(&records, &bytes).len(), 2);
        keep(&*store, &records, &bytes).await;
        let rows = store.chained("edge-1", 7, 0, 10).await.unwrap();
        let leaves: Vec<_> = rows.iter().map(|row| row.leaf()).collect();
        assert_eq!(
            leaves,
            bytes.iter().map(|bytes| Leaf::of(bytes)).collect::<Vec<_>>()
        );
        assert_eq!(
            store.chained("edge-1", 7, 2, 1).await.unwrap()[0]
                .stored
                .id
                .sequence,
            3
        );

        // A row that was changed does not hide behind the bytes that were kept.
        let table = database.table("audit");
        let change = format!("UPDATE {table} SET reason = 'other' WHERE sequence = 3");
        database.as_owner(&change).await.unwrap();
        let rows = store.chained("edge-1", 7, 2, 1).await.unwrap();
        assert_ne!(rows[0].leaf(), leaves[2]);
    })
    .await;
}

#[tokio::test]
async fn epochs_and_checkpoints_come_in_order_and_page_by_page() {
    on_each_engine(async |database| {
        let store = database.stores().await.audit;
        let records = [record("acme", 1), record("acme", 2)];
        for (edge, epoch) in [("b", 1), ("a", 2), ("a", 1)] {
            store.insert(edge, epoch, 1, &records).await.unwrap();
        }
        let first = store.epochs(None, 2).await.unwrap();
        let names: Vec<_> = first
            .iter()
            .map(|one| (one.edge.as_str(), one.epoch, one.highest))
            .collect();
        assert_eq!(names, [("a", 1, 2), ("a", 2, 2)]);
        let rest = store.epochs(Some(("a", 2)), 2).await.unwrap();
        assert_eq!((rest.len(), rest[0].edge.as_str()), (1, "b"));

        for said in [checkpoint(3, 4, 9), checkpoint(1, 2, 8), checkpoint(2, 4, 7)] {
            store.keep_checkpoint(&said, &[]).await.unwrap();
        }
        let later = Checkpoint {
            signature: vec![9],
            ..checkpoint(1, 2, 10)
        };
        store.keep_checkpoint(&later, &[]).await.unwrap();
        let all = store.checkpoints("edge-1", 7, (0, 0), 10).await.unwrap();
        assert_eq!(
            all,
            [checkpoint(1, 2, 8), checkpoint(2, 4, 7), checkpoint(3, 4, 9)]
        );
        let rest = store.checkpoints("edge-1", 7, (4, 2), 10).await.unwrap();
        assert_eq!(rest, [checkpoint(3, 4, 9)]);
    })
    .await;
}
