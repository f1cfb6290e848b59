//! What goes wrong, and who makes it go wrong.

use std::sync::Arc;

use prost::Message as _;
use turnpike_access::{
    id::Timestamp,
    log::{Position, Recorded},
};
use turnpike_proto::sync::{self, v1::signed::Kind};
use turnpike_runtime::signing::SigningKey;

use super::world::{Deed, EDGES, MILLI, SECOND, World};

impl World {
    pub(super) fn chaos(&mut self) {
        if self.calm {
            return;
        }
        let edge = self.chance.index(EDGES);
        let plane = self.chance.index(self.planes.len());
        match self.chance.index(9) {
            0 | 1 => self.cut(edge, plane),
            2 => self.bus = !self.bus,
            3 => self.planes[plane].has_store = !self.planes[plane].has_store,
            4 => self.rotate(),
            5 | 6 => self.kill(edge),
            7 => self.skew(edge),
            _ => self.replay_all(edge),
        }
        let after = self.chance.between(100 * MILLI, 1_500 * MILLI);
        self.later(after, Deed::Chaos);
    }

    /// Everything works from now on.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        self.bus = true;
        self.links = [[true; 2]; EDGES];
        for plane in &mut self.planes {
            plane.has_store = true;
        }
        for edge in 0..EDGES {
            self.later(0, Deed::Start(edge));
            self.attach_anew(edge);
        }
    }

    fn attach_anew(&mut self, edge: usize) {
        // It takes a moment until it is noticed that nothing comes any more.
        let after = self.chance.between(50 * MILLI, 3 * SECOND);
        if let Some(id) = self.edges[edge].run.as_ref().map(|run| run.id) {
            self.later(after, Deed::Attach(edge, id));
        }
    }

    fn cut(&mut self, edge: usize, plane: usize) {
        self.links[edge][plane] = !self.links[edge][plane];
        let uses = self.edges[edge]
            .run
            .as_ref()
            .is_some_and(|run| run.plane == plane);
        if !self.links[edge][plane] && uses {
            self.attach_anew(edge);
        }
    }

    fn rotate(&mut self) {
        self.keys.push(SigningKey::generate().expect("a key"));
        if self.keys.len() > 2 {
            self.keys.remove(0);
        }
    }

    fn kill(&mut self, edge: usize) {
        let lose = self.chance.percent(20).then(|| self.chance.between(1, 400));
        self.edges[edge].kill(lose);
        let after = self.chance.between(50 * MILLI, 5 * SECOND);
        self.later(after, Deed::Start(edge));
    }

    /// A clock is set, forth or back; while the edge is not running, nothing but another clock could tell that it was set
    /// back.
    fn skew(&mut self, edge: usize) {
        let by = self.chance.between(0, 3_600 * SECOND).cast_signed();
        let back = self.edges[edge].run.is_some() && self.chance.percent(50);
        self.edges[edge].skew += if back { -by } else { by };
    }

    /// The subject is published again from its beginning.
    fn replay_all(&mut self, edge: usize) {
        for (nth, signed) in self.history.clone().into_iter().enumerate() {
            self.later(nth as u64 * 100, Deed::Bus(edge, signed));
        }
    }

    /// Somebody who may publish on the bus, and has no key.
    pub(super) fn intrude(&mut self) {
        if self.calm {
            return;
        }
        let edge = self.chance.index(EDGES);
        let old =
            (!self.history.is_empty()).then(|| self.history[self.chance.index(self.history.len())].clone());
        let at = self.chance.index(self.log.events.len());
        // It follows the log as well as the next one that is committed.
        let last = &self.log.events[self.log.events.len() - 1];
        let mut origin = last.origin.clone();
        origin.actor = Arc::from("mallory");
        let (kind, payload) = (last.kind.clone(), last.payload.clone());
        let event = Recorded::after(last.head(), origin, kind, last.version, payload);
        let forged = match self.chance.index(5) {
            0 => old,
            1 => Some(
                self.stranger
                    .sign(Kind::Batch, sync::batch([&event]).encode_to_vec()),
            ),
            2 => {
                let mut head = self.log.head(at);
                head.position = Position::new(head.position.get() + 1_000);
                let head = sync::head(head, Timestamp::from_micros(0)).encode_to_vec();
                let mut signed = self.stranger.sign(Kind::Head, head);
                signed.key_id = self.keys[0].id().to_owned();
                Some(signed)
            }
            3 => old.map(|mut signed| {
                signed.body.truncate(self.chance.index(signed.body.len()));
                signed
            }),
            _ => old.map(|mut signed| {
                let index = self.chance.index(signed.body.len());
                if let Some(byte) = signed.body.get_mut(index) {
                    *byte ^= 1;
                }
                signed
            }),
        };
        if let Some(signed) = forged {
            self.later(MILLI, Deed::Bus(edge, signed));
        }
        let after = self.chance.between(50 * MILLI, 500 * MILLI);
        self.later(after, Deed::Intrude);
    }
}
