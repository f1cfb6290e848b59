//! Traffic as it is: a rhythm of day and week, newcomers, bursts, typing errors, batches that come late; and anomalies planted
//! in it, each with the moment at which enough of it was stored to be seen.

use std::{collections::BTreeMap, net::Ipv4Addr};

use turnpike_access::{
    alert::spike::Hours,
    audit::{AuditRecord, Outcome, Usage},
};

use super::{DAY, HOUR, refused, used};

/// Before what is watched there are so many days.
pub(super) const HISTORY: i64 = 15;

/// Numbers that are the same for the same seed (SplitMix64).
pub(super) struct Dice(pub(super) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From a number, up to another and without it.
    fn within(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.next() % u64::try_from(to - from).unwrap()).unwrap()
    }

    fn one_in(&mut self, many: i64) -> bool {
        self.within(0, many) == 0
    }
}

/// Somebody who calls models.
struct Caller {
    name: String,
    /// Whether it works at all hours, as batches do, or by day.
    batch: bool,
    /// Requests in a busy hour.
    busy: i64,
    /// Tokens of a request.
    tokens: i64,
    /// Seconds from the world's beginning.
    begins: i64,
}

/// Something that is to be found.
#[derive(Debug, Clone)]
pub(super) struct Planted {
    pub(super) kind: &'static str,
    pub(super) subject: String,
    pub(super) begins: i64,
    pub(super) ends: i64,
    /// When enough was stored to see it.
    pub(super) visible: i64,
}

/// Records with when they come in, in that order; and what is planted.
pub(super) struct World {
    pub(super) records: Vec<(i64, AuditRecord)>,
    pub(super) planted: Vec<Planted>,
    /// Where what is watched begins and ends.
    pub(super) watched: (i64, i64),
}

struct Maker {
    dice: Dice,
    records: Vec<(i64, AuditRecord)>,
    planted: Vec<Planted>,
    callers: Vec<Caller>,
}

/// A world of a seed: so many callers, so many days that are watched, so many anomalies of each kind on each of them.
pub(super) fn world(seed: u64, callers: i64, days: i64, each_day: i64) -> World {
    let mut dice = Dice(seed);
    // A Monday.
    let start = 20_000 * DAY + 4 * DAY;
    let watched = (start + HISTORY * DAY, start + (HISTORY + days) * DAY);
    let callers = (0..callers).map(|number| Caller {
        name: format!("user:caller-{number}"),
        batch: number % 4 == 3,
        busy: dice.within(6, 16),
        tokens: dice.within(4_000, 12_000),
        // Some are new, also while it is watched.
        begins: match number % 5 {
            4 => start + dice.within(HISTORY - 5, HISTORY + days) * DAY,
            _ => start,
        },
    });
    let callers = callers.collect();
    let mut maker = Maker {
        dice,
        records: Vec::new(),
        planted: Vec::new(),
        callers,
    };
    maker.everyday(start, watched.1);
    for day in 0..days {
        for number in 0..each_day {
            maker.plant(watched.0 + day * DAY, number, each_day);
        }
    }
    let Maker {
        mut records, planted, ..
    } = maker;
    records.sort_by_key(|(comes, record)| (*comes, record.time));
    World {
        records,
        planted,
        watched,
    }
}

impl Maker {
    /// A record comes in at once, and one of fifty late.
    fn push(&mut self, time: i64, record: AuditRecord) -> i64 {
        let late = match self.dice.one_in(50) {
            true => self.dice.within(60, 300),
            false => 1,
        };
        self.records.push((time + late, record));
        time + late
    }

    fn everyday(&mut self, start: i64, end: i64) {
        for hour in 0..(end - start) / HOUR {
            let at = start + hour * HOUR;
            for number in 0..self.callers.len() {
                self.hour_of(number, at);
            }
            // Somebody mistypes a key, or asks for what it may not.
            for _ in 0..self.dice.within(0, 6) {
                let (time, address) = (at + self.dice.within(0, HOUR), self.address(9));
                self.push(time, refused(time, 401, &address, None));
            }
        }
    }

    fn hour_of(&mut self, number: usize, at: i64) {
        let caller = &self.callers[number];
        if at < caller.begins {
            return;
        }
        let (hour, weekday) = (at % DAY / HOUR, at / DAY % 7);
        let weekend = weekday == 2 || weekday == 3;
        let share = match (caller.batch, hour) {
            (true, 1..4) => 100,
            (true, _) => 10,
            (false, _) if weekend => 5,
            (false, 9..18) => 100,
            (false, 7..21) => 30,
            (false, _) => 3,
        };
        // Now and then twice as much, or nothing.
        let (busy, tokens, name) = (caller.busy, caller.tokens, caller.name.clone());
        let mood = match self.dice.within(0, 20) {
            0 => 200,
            1 => 0,
            _ => self.dice.within(50, 130),
        };
        let hundredths = busy * share * mood / 100;
        let requests = hundredths / 100 + i64::from(self.dice.within(0, 100) < hundredths % 100);
        for _ in 0..requests {
            let time = at + self.dice.within(0, HOUR);
            let tokens = u64::try_from(tokens * self.dice.within(50, 150) / 100).unwrap();
            let record = self.use_of(number, &name, time, tokens);
            self.push(time, record);
        }
        if self.dice.one_in(30) {
            for _ in 0..self.dice.within(1, 8) {
                let time = at + self.dice.within(0, HOUR);
                let record = refused(time, 403, &format!("10.0.{number}.1"), Some(&name));
                self.push(time, record);
            }
        }
    }

    fn use_of(&mut self, number: usize, name: &str, time: i64, tokens: u64) -> AuditRecord {
        // People change the model now and then, and sometimes where they are.
        let model = if self.dice.one_in(300) {
            "other/model"
        } else {
            "main/model"
        };
        let network = if self.dice.one_in(400) {
            100 + number
        } else {
            number
        };
        AuditRecord {
            principal: Some(name.into()),
            credential: Some(format!("key{number:09}").parse().unwrap()),
            client: Some(
                format!("10.0.{network}.{}", self.dice.within(1, 250))
                    .parse()
                    .unwrap(),
            ),
            user_agent: Some("OpenAI/Python 1.2".into()),
            model_served: Some(model.into()),
            usage: Usage {
                input: Some(tokens),
                ..Usage::default()
            },
            outcome: Outcome::Allowed,
            status: 200,
            ..used(time, tokens)
        }
    }

    fn address(&mut self, network: u8) -> String {
        let [.., c, d] = u32::try_from(self.dice.within(0, 60_000)).unwrap().to_be_bytes();
        Ipv4Addr::new(203, network, c, d).to_string()
    }

    /// One of each kind, in hours of their own.
    fn plant(&mut self, day: i64, number: i64, each_day: i64) {
        let slot = DAY / each_day;
        let moment = |place: i64, dice: &mut Dice| {
            // What is over for an hour is another: the places are further apart, and nothing passes the slot's end.
            day + number * slot + place * slot / 7 + dice.within(0, slot / 7 / 4)
        };
        let mut dice = Dice(self.dice.next());
        let at: Vec<i64> = (0..6).map(|place| moment(place, &mut dice)).collect();
        let address = self.address(1);
        self.burst("failed_authentications", &address, at[0], 180, 30, |time, _| {
            refused(time, 401, &address, None)
        });
        let credential = format!("stolen{:06}", self.dice.within(0, 1_000_000));
        self.burst(
            "refused_credential",
            &credential,
            at[1],
            200,
            20,
            |time, count| AuditRecord {
                credential: Some(credential.parse().unwrap()),
                ..refused(time, 401, &format!("198.51.{}.7", count % 100), None)
            },
        );
        let nosy = format!("user:nosy-{}", self.dice.within(0, 1_000_000));
        self.burst("refusals", &nosy, at[2], 400, 60, |time, _| {
            refused(time, 403, "10.9.9.9", Some(&nosy))
        });
        self.burst(
            "credential_stuffing",
            "platform",
            at[3],
            400,
            200,
            |time, count| refused(time, 401, &format!("100.{}.{}.1", count % 90, count / 90), None),
        );
        self.stolen_key(at[4]);
        self.spike(at[5]);
    }

    /// More than enough of the same, within so many seconds.
    fn burst(
        &mut self,
        kind: &'static str,
        subject: &str,
        begins: i64,
        seconds: i64,
        enough: i64,
        record: impl Fn(i64, i64) -> AuditRecord,
    ) {
        let count = enough * self.dice.within(120, 180) / 100;
        let mut comes: Vec<i64> = Vec::new();
        for number in 0..count {
            let time = begins + number * seconds / count;
            comes.push(self.push(time, record(time, number)));
        }
        comes.sort_unstable();
        self.planted.push(Planted {
            kind,
            subject: subject.to_owned(),
            begins,
            ends: begins + seconds,
            visible: comes[usize::try_from(enough).unwrap() - 1],
        });
    }

    fn old_caller(&mut self) -> usize {
        loop {
            let number = self.dice.within(0, i64::try_from(self.callers.len()).unwrap());
            if number % 5 != 4 {
                return usize::try_from(number).unwrap();
            }
        }
    }

    /// Somebody else uses a key: from another network, by another client.
    fn stolen_key(&mut self, begins: i64) {
        let number = self.old_caller();
        let name = self.callers[number].name.clone();
        let thief = self.dice.within(0, 1_000_000);
        let mut comes = Vec::new();
        for count in 0..3 {
            let time = begins + count * 20;
            let record = AuditRecord {
                client: Some(Ipv4Addr::from_bits(u32::try_from(0x5000_0000 + thief * 256).unwrap()).into()),
                user_agent: Some(format!("thief-{}/1.0", letters(thief)).into()),
                ..self.use_of(number, &name, time, 100)
            };
            comes.push(self.push(time, record));
        }
        self.planted.push(Planted {
            kind: "first_use",
            subject: name,
            begins,
            ends: begins + 60,
            visible: comes.into_iter().min().unwrap(),
        });
    }

    /// A caller of the past uses six to ten times its most, within twenty minutes of one hour.
    fn spike(&mut self, at: i64) {
        let number = self.old_caller();
        let name = self.callers[number].name.clone();
        let begins = at - at % HOUR + 600;
        let hour = begins - begins % HOUR;
        let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
        let mut comes: Vec<(i64, u64)> = Vec::new();
        for (arrives, record) in &self.records {
            if record.principal.as_deref() == Some(&name) && record.outcome == Outcome::Allowed {
                let time = record.time.as_micros() / 1_000_000;
                let tokens = record.usage.input.unwrap_or_default();
                *hours.entry(time - time % HOUR).or_default() += tokens;
                if time - time % HOUR == hour {
                    comes.push((*arrives, tokens));
                }
            }
        }
        let before: Vec<(i64, u64)> = hours.into_iter().filter(|(at, _)| *at < hour).collect();
        let usual = Hours(&before).usual(hour).unwrap().max(30_000);
        let times = u64::try_from(self.dice.within(6, 10)).unwrap();
        for count in 0..60 {
            let time = begins + count * 20;
            let tokens = usual * times / 60 + 1;
            let record = self.use_of(number, &name, time, tokens);
            comes.push((self.push(time, record), tokens));
        }
        comes.sort_unstable();
        let mut sum = 0;
        let seen = comes.into_iter().find(|(_, tokens)| {
            sum += tokens;
            Hours(&before).spike(hour, sum, 4, 100_000).is_some()
        });
        self.planted.push(Planted {
            kind: "usage_spike",
            subject: name,
            begins,
            ends: begins + 1200,
            visible: seen.unwrap().0,
        });
    }
}

/// A number as letters: digits are versions, and no part of a client's name.
fn letters(mut number: i64) -> String {
    let mut text = String::new();
    while number > 0 {
        text.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
    }
    text
}
