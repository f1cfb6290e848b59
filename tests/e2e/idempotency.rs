//! A change that was cut off is asked for again under its key, and is made once.

use turnpike_tests::{eventually::eventually, production::Production};

/// How often the connection is cut in the middle.
const ROUNDS: usize = 8;

#[tokio::test]
async fn a_change_whose_answer_was_cut_off_is_asked_for_again_and_made_once() {
    let mut production = Production::with_one_edge(&[]).await;
    let admin = production.admin.clone();
    let mut unanswered = 0;
    for round in 0..ROUNDS {
        let (team, key) = (format!("crew-{round}"), format!("key-of-round-{round}"));
        let ask = [
            "--timeout",
            "10s",
            "--idempotency-key",
            &key,
            "team",
            "create",
            &team,
        ];
        let cut = async {
            // Postgres, or the control plane itself, goes away while the change is on its way.
            match round % 2 {
                0 => {
                    let postgres = production.to_postgres.cut();
                    tokio::task::yield_now().await;
                    production.to_postgres.connect(postgres.unwrap());
                }
                _ => production.control_plane.kill().await,
            }
        };
        let (ended, ()) = tokio::join!(admin.run(&ask), cut);
        unanswered += usize::from(ended.status != 0);
        if round % 2 == 1 {
            production.restart_control_plane().await;
        }
        let again = eventually("the change", async || {
            let ended = admin.run(&ask).await;
            match ended.status {
                0 => Ok(ended),
                _ => Err(ended),
            }
        })
        .await;
        if ended.status == 0 {
            assert!(again.complaint.contains("done already, at position"), "{again:?}");
        }
        // Under the same key as often as one likes.
        let third = admin.run(&ask).await;
        assert_eq!(
            (third.status, third.complaint.contains("idempotency key")),
            (0, true),
            "{third:?}"
        );
        // A team is one event.
        let made = "select count(*) from turnpike.events where correlation like 'key:%'";
        let expected = i64::try_from(round + 1).unwrap();
        assert_eq!(production.database.number(made).await, expected, "round {round}");
    }
    assert!(unanswered > 0, "nothing was cut off");
}
