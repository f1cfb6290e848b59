//! A crowd of edges that is cut off at once and comes back, beside commands.

use std::time::{Duration, Instant};

use turnpike_access::log::Position;

use super::{
    crowd::Crowd,
    revoking::{client, make_keys},
    times::Times,
};
use crate::{
    process::processor_time,
    production::{Plan, Production},
};

/// Commands under way at once.
const AT_ONCE: usize = 8;

/// What was found.
#[derive(Debug)]
pub struct Returned {
    /// From the beginning until all had the state.
    pub first: Duration,
    /// From when the cut was healed until all were at the head that they had missed.
    pub back: Duration,
    /// How long processors worked for the control plane meanwhile.
    pub control_plane: Duration,
    /// And for this process, which is all edges, the cables and who commands.
    pub crowd: Duration,
    /// Commands before there is any edge, while they follow, while they are away, and while they come back.
    pub commands: [Times; 4],
}

/// So many edges, and so many commands in each of four stretches.
pub async fn come_back(edges: usize, commands: usize) -> Returned {
    let production = Production::start_as(Plan {
        regions: Vec::new(),
        ..Plan::default()
    })
    .await;
    production.granted("measured").await;
    let client = client(&production).await;
    let command = async || make_keys(&client, commands, AT_ONCE).await.1;
    let quiet = command().await;
    let begun = Instant::now();
    let crowd = Crowd::call(edges, production.to_control_plane.address, production.keyring());
    let first = crowd.time_until_all_at(head(&production).await, begun).await;
    let attached = command().await;
    let end = production.to_control_plane.cut().expect("a control plane");
    let away = command().await;
    let missed = head(&production).await;
    let processors = || {
        let own = processor_time(std::process::id());
        [production.control_plane.processor_time(), own]
    };
    let ([served, own], healed) = (processors(), Instant::now());
    production.to_control_plane.connect(end);
    let (back, beside) = tokio::join!(crowd.time_until_all_at(missed, healed), command());
    let [served_until, own_until] = processors();
    Returned {
        first,
        back,
        control_plane: served_until - served,
        crowd: own_until - own,
        commands: [quiet, attached, away, beside],
    }
}

async fn head(production: &Production) -> Position {
    production
        .database
        .events()
        .await
        .last()
        .expect("an event")
        .position
}
