//! Time, what is under way, and what goes wrong: everything that happens in a simulation happens here, in one order.

use std::collections::BTreeMap;

use prost::Message as _;
use turnpike_access::{
    id::Timestamp,
    log::{Position, Recorded},
};
use turnpike_proto::sync::{
    self,
    v1::{Batch, Notice, Signed, signed::Kind},
};
use turnpike_runtime::signing::SigningKey;

use super::{
    super::course::Then,
    chance::Chance,
    check::Check,
    log::Log,
    plane::{Plane, Stream},
    vessel::{Run, Vessel},
};
use crate::freshness::Moment;

pub(super) const EDGES: usize = 3;
const PLANES: usize = 2;
pub(super) const MILLI: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000_000;

/// What happens at some time. What is for a run, a stream or a call that is over happens to nobody.
pub(super) enum Deed {
    Commit,
    Poll(usize),
    Heartbeat(usize),
    Bus(usize, Signed),
    Attach(usize, u64),
    ReportTick(usize, u64),
    ReportCame {
        edge: usize,
        plane: usize,
        stream: u64,
        number: u64,
        said: Option<Position>,
    },
    NoticeTick(usize, usize, u64),
    NoticeCame {
        edge: usize,
        stream: u64,
        notice: Notice,
    },
    HealDue(usize, u64),
    Changes {
        edge: usize,
        call: u64,
        came: Option<Batch>,
        ended: bool,
    },
    Boot(usize, u64),
    Whole(usize, u64, usize),
    Disk(usize, u64),
    Start(usize),
    Chaos,
    Intrude,
}

pub(super) struct World {
    pub(super) chance: Chance,
    pub(super) now: u64,
    pub(super) calm: bool,
    pub(super) log: Log,
    pub(super) planes: Vec<Plane>,
    pub(super) edges: Vec<Vessel>,
    pub(super) links: [[bool; PLANES]; EDGES],
    pub(super) bus: bool,
    pub(super) keys: Vec<SigningKey>,
    pub(super) stranger: SigningKey,
    pub(super) history: Vec<Signed>,
    pub(super) check: Check,
    queue: BTreeMap<(u64, u64), Deed>,
    ids: u64,
    instant: std::time::Instant,
    /// What happened, in short: the same of the same seed.
    pub(super) trace: u64,
}

impl World {
    pub(super) fn new(seed: u64, folders: &std::path::Path) -> Self {
        let key = || SigningKey::generate().expect("a key");
        let log = Log::new();
        let instant = std::time::Instant::now();
        let mut world = Self {
            chance: Chance::of(seed),
            now: 0,
            calm: false,
            planes: (0..PLANES).map(|_| Plane::new(log.events.len(), EDGES)).collect(),
            log,
            // The last one keeps nothing on a disk.
            edges: (0..EDGES)
                .map(|edge| Vessel::new(edge, (edge + 1 < EDGES).then(|| folders.join(edge.to_string()))))
                .collect(),
            links: [[true; PLANES]; EDGES],
            bus: true,
            keys: vec![key()],
            stranger: key(),
            history: Vec::new(),
            check: Check::new(seed, EDGES),
            queue: BTreeMap::new(),
            ids: 0,
            instant,
            trace: seed,
        };
        for plane in 0..PLANES {
            world.later(plane as u64 * 300 * MILLI, Deed::Poll(plane));
            world.later(plane as u64 * 500 * MILLI, Deed::Heartbeat(plane));
        }
        for edge in 0..EDGES {
            world.later(0, Deed::Start(edge));
        }
        world.later(50 * MILLI, Deed::Commit);
        world.later(SECOND, Deed::Chaos);
        world.later(SECOND, Deed::Intrude);
        world
    }

    /// The moment, by an edge's clocks.
    pub(super) fn moment(&self, edge: usize) -> Moment {
        let at = self.instant + std::time::Duration::from_micros(self.now);
        Moment::simulated(at, self.wall(edge))
    }

    /// By the edge's clock; it begins long after 1970.
    pub(super) fn wall(&self, edge: usize) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.now.cast_signed() + self.edges[edge].skew)
    }

    pub(super) fn later(&mut self, after: u64, deed: Deed) {
        self.ids += 1;
        self.queue.insert((self.now + after, self.ids), deed);
    }

    pub(super) fn id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    /// Lets happen what happens until then.
    pub(super) fn until(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((now, _), deed) = entry.remove_entry();
            self.now = now;
            self.happen(deed);
            self.inspect();
        }
        self.now = end;
    }

    fn inspect(&mut self) {
        for edge in 0..EDGES {
            let moment = self.moment(edge);
            if let Some(run) = &mut self.edges[edge].run {
                self.check.edge(edge, run, moment, self.now, &self.log);
                self.trace = self
                    .trace
                    .rotate_left(5)
                    .wrapping_mul(31)
                    .wrapping_add(run.seen.get() ^ self.now);
            }
        }
    }

    fn happen(&mut self, deed: Deed) {
        match deed {
            Deed::Commit => self.commit(),
            Deed::Poll(plane) => self.poll(plane),
            Deed::Heartbeat(plane) => self.heartbeat(plane),
            Deed::Bus(edge, signed) => self.bus(edge, signed),
            Deed::Attach(edge, run) => self.attach(edge, run),
            Deed::ReportTick(edge, run) => {
                if self.run(edge, run).is_some() {
                    self.report(edge);
                    self.later(SECOND, Deed::ReportTick(edge, run));
                }
            }
            Deed::ReportCame {
                edge,
                plane,
                stream,
                number,
                said,
            } => {
                let now = self.now;
                let held = &mut self.planes[plane].streams[edge];
                if held.id == stream && self.links[edge][plane] {
                    held.hear(number, now);
                    self.check.reported(edge, said);
                }
            }
            Deed::NoticeTick(plane, edge, stream) => {
                if self.notice(plane, edge, stream) {
                    self.later(SECOND, Deed::NoticeTick(plane, edge, stream));
                }
            }
            Deed::NoticeCame { edge, stream, notice } => self.noticed(edge, stream, notice),
            Deed::HealDue(edge, run) => self.heal(edge, run),
            Deed::Changes {
                edge,
                call,
                came,
                ended,
            } => self.changes(edge, call, came, ended),
            Deed::Boot(edge, run) => self.boot(edge, run),
            Deed::Whole(edge, run, length) => self.whole(edge, run, length),
            Deed::Disk(edge, run) => {
                if self.run(edge, run).is_some() {
                    self.edges[edge].turn_disk();
                    self.act(edge, Then::Report);
                    let after = self.chance.between(5 * MILLI, 200 * MILLI);
                    self.later(after, Deed::Disk(edge, run));
                }
            }
            Deed::Start(edge) => self.start(edge),
            Deed::Chaos => self.chaos(),
            Deed::Intrude => self.intrude(),
        }
    }

    pub(super) fn run(&mut self, edge: usize, id: u64) -> Option<&mut Run> {
        self.edges[edge].run.as_mut().filter(|run| run.id == id)
    }

    fn start(&mut self, edge: usize) {
        if self.edges[edge].run.is_some() {
            return;
        }
        let (id, moment, wall) = (self.id(), self.moment(edge), self.wall(edge));
        let restored = self.edges[edge].start(id, moment, wall);
        let first = if restored {
            self.wanted(edge, 0, true)
        } else {
            Some(Deed::Boot(edge, id))
        };
        if let Some(deed) = first {
            self.later(0, deed);
        }
        self.later(MILLI, Deed::Attach(edge, id));
        self.later(2 * MILLI, Deed::ReportTick(edge, id));
        self.later(20 * MILLI, Deed::Disk(edge, id));
    }

    // What control planes do.

    fn commit(&mut self) {
        let plane = self.chance.index(PLANES);
        if self.planes[plane].has_store {
            self.log.grow(self.now, &mut self.chance);
            self.knows_all(plane);
            for other in (0..PLANES).filter(|other| *other != plane) {
                if self.chance.percent(80) {
                    let after = self.chance.between(MILLI, 20 * MILLI);
                    // A poll beside the regular ones, which go on by themselves.
                    self.later(after, Deed::Poll(other + PLANES));
                }
            }
        }
        if !self.calm {
            let after = self.chance.between(10 * MILLI, 400 * MILLI);
            self.later(after, Deed::Commit);
        }
    }

    fn poll(&mut self, which: usize) {
        let plane = which % PLANES;
        if self.planes[plane].has_store {
            self.knows_all(plane);
        }
        if which < PLANES {
            self.later(SECOND, Deed::Poll(plane));
        }
    }

    /// It has asked the store, and had the answer at once.
    fn knows_all(&mut self, plane: usize) {
        let held = &mut self.planes[plane];
        held.complete = Some(self.now);
        if held.known < self.log.events.len() {
            held.known = self.log.events.len();
            self.publish(plane);
            for edge in 0..EDGES {
                let stream = self.planes[plane].streams[edge].id;
                self.notice(plane, edge, stream);
            }
        }
    }

    fn publish(&mut self, plane: usize) {
        while self.bus && self.planes[plane].published < self.planes[plane].known {
            let from = self.planes[plane].published;
            let to = (from + 5).min(self.planes[plane].known);
            self.planes[plane].published = to;
            let signed = self.signed(Kind::Batch, &self.log.events[from..to]);
            self.send(&signed);
        }
    }

    fn signed(&self, kind: Kind, events: &[Recorded]) -> Signed {
        let key = self.keys.last().expect("a key");
        key.sign(kind, sync::batch(events).encode_to_vec())
    }

    fn send(&mut self, signed: &Signed) {
        self.history.push(signed.clone());
        for edge in 0..EDGES {
            for _ in 0..1 + usize::from(self.chance.percent(10)) {
                if self.calm || !self.chance.percent(10) {
                    let slow = self.chance.percent(5);
                    let most = if slow { 4 * SECOND } else { 50 * MILLI };
                    let after = self.chance.between(MILLI, most);
                    self.later(after, Deed::Bus(edge, signed.clone()));
                }
            }
        }
    }

    fn heartbeat(&mut self, plane: usize) {
        if self.bus {
            let head = sync::head(self.log.head(self.planes[plane].known), Timestamp::from_micros(0));
            let key = self.keys.last().expect("a key");
            let signed = key.sign(Kind::Head, head.encode_to_vec());
            self.send(&signed);
        }
        self.publish(plane);
        self.later(SECOND, Deed::Heartbeat(plane));
    }

    /// Whether the stream is still there.
    fn notice(&mut self, plane: usize, edge: usize, stream: u64) -> bool {
        let after = self.chance.between(MILLI, 60 * MILLI);
        let (now, held) = (self.now, &mut self.planes[plane]);
        let Stream { id, .. } = held.streams[edge];
        if id != stream || stream == 0 {
            return false;
        }
        let complete = held.complete;
        let heard = held.streams[edge].heard(complete);
        let notice = Notice {
            head: Some(sync::head(self.log.head(held.known), Timestamp::from_micros(0))),
            keys: self.keys.iter().map(SigningKey::verifying_key).collect(),
            heard,
        };
        let came = (now + after).max(held.streams[edge].last_notice);
        held.streams[edge].last_notice = came;
        self.later(came - now, Deed::NoticeCame { edge, stream, notice });
        true
    }

    pub(super) fn plane_of(&mut self, edge: usize) -> Option<usize> {
        let plane = self.chance.index(PLANES);
        self.links[edge][plane].then_some(plane)
    }
}
