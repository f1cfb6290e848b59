//! Kills and cuts at random, one after the other and under load, as many as are asked for: `TURNPIKE_TEST_KILLS`, 20 where nothing
//! is said, and `TURNPIKE_TEST_SEED`, which is printed.

#![expect(clippy::print_stderr, reason = "the seed, shown with a failed test")]

use std::{collections::HashSet, env, time::SystemTime};

use turnpike_tests::eventually::eventually;

use super::*;

/// A small generator of numbers: the same for a seed, for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// As Postgres's clients see it when it is restarted: every connection ends.
const RESTARTED: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

impl Load {
    async fn goes_on_for(&self, count: u64) {
        let wanted = self.received() + usize::try_from(count).unwrap();
        eventually("further responses", async || match self.received() {
            count if count < wanted => Err(count),
            _ => Ok(()),
        })
        .await;
    }
}

/// Cuts something, or ends what goes through, for as long as a few responses take.
async fn disturb(production: &Production, load: &Load, dice: &mut Dice) -> &'static str {
    let (name, cable) = match dice.below(4) {
        0 => ("the way to Postgres", &production.to_postgres),
        1 => ("the way to the control plane", &production.to_control_plane),
        2 => ("the way to NATS", &production.to_nats),
        _ => {
            production.database.execute(RESTARTED).await;
            return "every connection of Postgres";
        }
    };
    if let Some(around) = cable.cut() {
        load.goes_on_for(1 + dice.below(20)).await;
        cable.connect(around);
    }
    name
}

#[tokio::test]
async fn whatever_is_killed_and_cut_at_random_every_response_has_exactly_one_row() {
    let kills = setting("TURNPIKE_TEST_KILLS").unwrap_or(20);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = setting("TURNPIKE_TEST_SEED")
        .unwrap_or(since.as_micros() as u64)
        .max(1);
    eprintln!("TURNPIKE_TEST_SEED={seed} TURNPIKE_TEST_KILLS={kills}");
    let mut dice = Dice(seed);
    let mut production = Production::start().await;
    let key = production.granted("busy").await;
    let mut received = Vec::new();
    let mut load = Load::on(&production, &key);
    for kill in 0..kills {
        load.goes_on_for(dice.below(30)).await;
        let cut = match dice.below(2) {
            0 => "nothing",
            _ => disturb(&production, &load, &mut dice).await,
        };
        let killed = usize::try_from(dice.below(3)).unwrap();
        eprintln!("{kill}: {cut} is cut, then {killed} is killed");
        if killed == 2 {
            production.control_plane.kill().await;
            load.goes_on_for(dice.below(20)).await;
            production.restart_control_plane().await;
        } else {
            production.edge_processes[killed].kill().await;
            production.restart_edge(killed).await;
            received.extend(load.end().await);
            load = Load::on(&production, &key);
        }
        if kill == kills / 2 {
            let strict = ["tenant", "update", "dev", "--audit", "strict"];
            production.admin.json(&strict).await;
        }
    }
    received.extend(load.end().await);
    accounted_for(&production, &received).await;
}

/// Every response has one row, nothing is missing or lost, and the audit is intact.
async fn accounted_for(production: &Production, received: &[String]) {
    eventually("a row of every response", async || {
        let rows = production
            .database
            .texts("SELECT request_id FROM turnpike.audit")
            .await;
        let rows: HashSet<String> = rows.into_iter().collect();
        match received.iter().filter(|id| !rows.contains(*id)).count() {
            0 => Ok(()),
            missing => Err((missing, received.len())),
        }
    })
    .await;
    let twice = "SELECT count(*) - count(DISTINCT request_id) FROM turnpike.audit WHERE request_id <> ''";
    assert_eq!(
        production.database.number(twice).await,
        0,
        "a request is stored twice"
    );
    let holes = "SELECT count(*) FROM (SELECT FROM turnpike.audit GROUP BY edge, epoch
        HAVING max(sequence) <> count(*) OR min(sequence) <> 1) AS holes";
    assert_eq!(
        production.database.number(holes).await,
        0,
        "a gap that nothing tells of"
    );
    let told = "SELECT count(*) FROM turnpike.audit WHERE action = 'audit.lost' AND reason <> 'spool_torn'";
    assert_eq!(production.database.number(told).await, 0, "something was lost");
    eventually("an audit that is intact", async || {
        let ended = production
            .operator
            .run(&["--output", "json", "audit", "verify"])
            .await;
        match ended.status {
            0 => Ok(()),
            _ => Err(ended),
        }
    })
    .await;
}
