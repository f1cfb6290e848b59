//! What a schedule includes, around midnight and around the days on which clocks change.

use super::*;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    let moment: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_micros(moment.as_microsecond())
}

#[test]
fn office_hours_are_those_of_the_place_in_winter_and_in_summer() {
    let office = schedule("mon-fri 08:00-18:00 Europe/Berlin");
    for (moment, open) in [
        ("2026-01-14T06:59:59Z", false),
        ("2026-01-14T07:00:00Z", true),
        ("2026-01-14T16:59:59Z", true),
        ("2026-01-14T17:00:00Z", false),
        ("2026-07-15T05:59:59Z", false),
        ("2026-07-15T06:00:00Z", true),
        ("2026-07-15T16:00:00Z", false),
        ("2026-01-17T12:00:00Z", false),
        ("2026-01-18T12:00:00Z", false),
        ("1969-12-31T12:00:00Z", true),
    ] {
        assert_eq!(office.includes(at(moment)), open, "{moment}");
    }
}

#[test]
fn the_hour_that_is_skipped_is_in_no_span_and_the_one_that_comes_twice_in_both() {
    // Berlin, 2026: from 02:00 to 03:00 on 29 March; from 03:00 back to 02:00 on 25 October.
    let night = schedule("sun 02:00-03:00 Europe/Berlin");
    for minute in 0..24 * 60 {
        let moment = at("2026-03-29T00:00:00Z").plus_seconds(minute * 60);
        assert!(!night.includes(moment), "{minute}");
    }
    let included = (0..24 * 60)
        .filter(|minute| night.includes(at("2026-10-25T00:00:00Z").plus_seconds(minute * 60)))
        .collect::<Vec<_>>();
    assert_eq!(included, (0..120).collect::<Vec<_>>());
}

#[test]
fn a_span_over_midnight_belongs_to_the_day_on_which_it_begins() {
    let shift = schedule("fri 22:00-06:00 UTC");
    for (moment, on) in [
        ("2026-01-16T21:59:59Z", false),
        ("2026-01-16T22:00:00Z", true),
        ("2026-01-17T05:59:59Z", true),
        ("2026-01-17T06:00:00Z", false),
        ("2026-01-16T03:00:00Z", false),
        ("2026-01-17T23:00:00Z", false),
    ] {
        assert_eq!(shift.includes(at(moment)), on, "{moment}");
    }
    let sunday = schedule("sun 23:00-01:00 Asia/Kolkata");
    assert!(sunday.includes(at("2026-01-18T18:00:00Z")));
    assert!(sunday.includes(at("2026-01-18T19:29:59Z")));
    assert!(!sunday.includes(at("2026-01-18T19:30:00Z")));
}

#[test]
fn whole_days_reach_from_midnight_to_midnight() {
    let weekend = schedule("sat-sun 00:00-24:00 America/New_York");
    assert!(!weekend.includes(at("2026-01-17T04:59:59Z")));
    assert!(weekend.includes(at("2026-01-17T05:00:00Z")));
    assert!(weekend.includes(at("2026-01-19T04:59:59Z")));
    assert!(!weekend.includes(at("2026-01-19T05:00:00Z")));
}

#[test]
fn it_is_written_in_one_way_however_it_was_given() {
    for (given, written) in [
        (
            "MON,tue,Wed 08:00-18:00 europe/berlin",
            "mon-wed 08:00-18:00 Europe/Berlin",
        ),
        ("fri-mon 22:00-06:00 UTC", "mon,fri-sun 22:00-06:00 UTC"),
        (
            "  mon-sun   00:00-24:00  Asia/Tokyo ",
            "mon-sun 00:00-24:00 Asia/Tokyo",
        ),
    ] {
        assert_eq!(schedule(given).to_string(), written);
        assert_eq!(schedule(written), schedule(given));
    }
}

#[test]
fn what_is_no_schedule_is_refused_and_the_form_is_told() {
    for text in [
        "",
        "mon-fri",
        "mon-fri 08:00-18:00",
        "mon-fri 08:00-18:00 Europe/Atlantis",
        "mon-fri 08:00-18:00 Etc/Unknown",
        "mon-fri 8:00-18:00 UTC",
        "mon-fri 08:00-08:00 UTC",
        "mon-fri 24:00-08:00 UTC",
        "mon-fri 08:60-18:00 UTC",
        "mon-fri 08:00-24:01 UTC",
        "mon- 08:00-18:00 UTC",
        "day 08:00-18:00 UTC",
        "mon 08:00-18:00 UTC extra",
        "mon +8:00-18:00 UTC",
    ] {
        let refused = text.parse::<Schedule>().unwrap_err().to_string();
        assert!(
            refused.contains("mon-fri 08:00-18:00 Europe/Berlin"),
            "{text}: {refused}"
        );
    }
}

#[test]
fn one_contains_another_only_where_all_its_hours_are_its_own() {
    let office = schedule("mon-fri 08:00-18:00 Europe/Berlin");
    assert!(office.contains(&office));
    assert!(office.contains(&schedule("tue 09:00-18:00 Europe/Berlin")));
    assert!(!office.contains(&schedule("tue 09:00-18:00 Europe/Paris")));
    assert!(!office.contains(&schedule("tue 09:00-07:00 Europe/Berlin")));
    assert!(!office.contains(&schedule("sat 09:00-10:00 Europe/Berlin")));
}
