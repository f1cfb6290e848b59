//! What an edge does in a simulation: its connections and timers, around what [`super::super::course`] decides.

use turnpike_proto::sync::{
    self,
    v1::{Batch, Notice, Signed},
};

use super::{
    super::{attach::Asked, course::Then},
    plane::Stream,
    world::{Deed, MILLI, SECOND, World},
};

/// Events in one answer of the control plane's.
const AT_ONCE: usize = 3;

impl World {
    pub(super) fn bus(&mut self, edge: usize, signed: Signed) {
        let wall = self.wall(edge);
        let Some(run) = self.edges[edge].run.as_mut().filter(|_| self.bus) else {
            return;
        };
        if run.booting {
            // It waits in the subscription.
            return self.later(10 * MILLI, Deed::Bus(edge, signed));
        }
        let then = run.course.on_bus(&signed, wall);
        self.act(edge, then);
    }

    pub(super) fn attach(&mut self, edge: usize, id: u64) {
        let (plane, stream) = (self.plane_of(edge), self.id());
        let Some(run) = self.run(edge, id) else { return };
        run.stream = 0;
        let Some(plane) = plane else {
            let after = self.chance.between(50 * MILLI, SECOND);
            return self.later(after, Deed::Attach(edge, id));
        };
        (run.stream, run.plane, run.asked, run.last_report) = (stream, plane, Asked::default(), 0);
        self.planes[plane].streams[edge] = Stream::of(stream);
        self.report(edge);
        self.later(MILLI, Deed::NoticeTick(plane, edge, stream));
    }

    /// Says where the edge stands.
    pub(super) fn report(&mut self, edge: usize) {
        let (moment, now) = (self.moment(edge), self.now);
        let after = self.chance.between(MILLI, 60 * MILLI);
        let Some(run) = self.edges[edge].run.as_mut().filter(|run| run.stream != 0) else {
            return;
        };
        let came = (now + after).max(run.last_report);
        run.last_report = came;
        let deed = Deed::ReportCame {
            edge,
            plane: run.plane,
            stream: run.stream,
            number: run.asked.next(moment),
            said: run.says(),
        };
        self.later(came - now, deed);
    }

    pub(super) fn noticed(&mut self, edge: usize, stream: u64, notice: Notice) {
        let (wall, listening) = (self.wall(edge), self.bus);
        let links = self.links[edge];
        let Some(run) = self.edges[edge].run.as_mut() else {
            return;
        };
        if run.stream != stream || !links[run.plane] {
            return;
        }
        if run.booting {
            return self.later(10 * MILLI, Deed::NoticeCame { edge, stream, notice });
        }
        let asked = run.asked.sent(notice.heard);
        let then = run.course.on_notice(&notice, asked, listening, wall);
        self.act(edge, then);
    }

    /// As [`super::super::heal`]: at most one call, begun when it is wanted.
    pub(super) fn wanted(&mut self, edge: usize, after: u64, sure: bool) -> Option<Deed> {
        let at = self.now + after;
        let run = self.edges[edge].run.as_mut()?;
        if run.call.is_some() {
            return None;
        }
        let (before, surely) = run.wanted.unwrap_or((at, false));
        run.wanted = Some((before.min(at), surely || sure));
        Some(Deed::HealDue(edge, run.id))
    }

    pub(super) fn heal(&mut self, edge: usize, id: u64) {
        let (now, call) = (self.now, self.id());
        let Some(run) = self.run(edge, id).filter(|run| !run.booting) else {
            return;
        };
        let Some((_, surely)) = run.wanted.take_if(|(at, _)| *at <= now) else {
            return;
        };
        if !surely && !run.course.is_behind() {
            return;
        }
        let after = run.course.at().position.get() as usize;
        run.call = Some(call);
        let answers = self
            .plane_of(edge)
            .is_some_and(|plane| self.planes[plane].has_store);
        let length = self.log.events.len();
        let mut time = self.chance.between(MILLI, 100 * MILLI);
        if !answers || after > length {
            let deed = Deed::Changes {
                edge,
                call,
                came: None,
                ended: false,
            };
            return self.later(time, deed);
        }
        let pieces: Vec<_> = self.log.events[after..]
            .chunks(AT_ONCE)
            .map(sync::batch)
            .collect();
        for piece in pieces {
            let breaks = !self.calm && self.chance.percent(5);
            let came = (!breaks).then_some(piece);
            self.later(
                time,
                Deed::Changes {
                    edge,
                    call,
                    came,
                    ended: false,
                },
            );
            if breaks {
                return;
            }
            time += self.chance.between(MILLI, 30 * MILLI);
        }
        self.later(
            time,
            Deed::Changes {
                edge,
                call,
                came: None,
                ended: true,
            },
        );
    }

    pub(super) fn changes(&mut self, edge: usize, call: u64, came: Option<Batch>, ended: bool) {
        let wall = self.wall(edge);
        let Some(run) = self.edges[edge].run.as_mut().filter(|run| run.call == Some(call)) else {
            return;
        };
        let then = match came {
            Some(batch) => run.course.on_changes(batch, wall),
            None => {
                run.call = None;
                if ended {
                    run.course.on_no_more()
                } else {
                    Then::HealAgain
                }
            }
        };
        self.act(edge, then);
    }

    pub(super) fn act(&mut self, edge: usize, then: Then) {
        let wanted = match then {
            Then::Nothing => None,
            Then::Report | Then::Helped => {
                let before = self.edges[edge].run.as_ref().and_then(|run| run.said);
                let says = self.edges[edge].run.as_mut().and_then(|run| run.says());
                if says != before {
                    self.report(edge);
                }
                None
            }
            Then::Heal(later) => self.wanted_in(edge, later, true),
            Then::HealIfMissing(later) => self.wanted_in(edge, later, false),
            Then::HealAgain => {
                let after = self.chance.between(50 * MILLI, SECOND);
                self.wanted(edge, after, true).map(|deed| (after, deed))
            }
            Then::StopHealing => {
                self.stop_healing(edge);
                None
            }
            Then::StartOver(_) => {
                self.stop_healing(edge);
                let run = self.edges[edge].run.as_mut();
                run.map(|run| {
                    run.course.start_over();
                    run.booting = true;
                    (0, Deed::Boot(edge, run.id))
                })
            }
        };
        if let Some((after, deed)) = wanted {
            self.later(after, deed);
        }
    }

    fn wanted_in(&mut self, edge: usize, later: std::time::Duration, sure: bool) -> Option<(u64, Deed)> {
        let after = later.as_micros() as u64;
        self.wanted(edge, after, sure).map(|deed| (after, deed))
    }

    fn stop_healing(&mut self, edge: usize) {
        if let Some(run) = &mut self.edges[edge].run {
            (run.wanted, run.call) = (None, None);
        }
    }

    pub(super) fn boot(&mut self, edge: usize, id: u64) {
        let plane = self.plane_of(edge).filter(|plane| self.planes[*plane].has_store);
        let after = self.chance.between(5 * MILLI, 500 * MILLI);
        if self.run(edge, id).is_none() {
            return;
        }
        match plane {
            // It sends no state that lacks what was committed when it was asked.
            Some(_) => self.later(after, Deed::Whole(edge, id, self.log.events.len())),
            None => self.later(after, Deed::Boot(edge, id)),
        }
    }

    pub(super) fn whole(&mut self, edge: usize, id: u64, length: usize) {
        let snapshot = self.log.states[length].clone();
        let after = self.chance.between(50 * MILLI, SECOND);
        let Some(run) = self.run(edge, id) else { return };
        if run.course.on_whole(snapshot).is_err() {
            return self.later(after, Deed::Boot(edge, id));
        }
        run.booting = false;
        self.act(edge, Then::Report);
        self.act(edge, Then::Heal(std::time::Duration::ZERO));
    }
}
