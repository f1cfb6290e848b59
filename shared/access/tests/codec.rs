//! Stored snapshots: what was written is read, anything else is refused, and old formats are read for ever.

use turnpike_access::{
    codec::{Decoder, Unreadable},
    snapshot::Snapshot,
};

use crate::history::{History, answers, lines, render};

/// As the first release wrote it.
const FORMAT_1: &str = include_str!("snapshots/format-1.jsonl");

fn read<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Snapshot, Unreadable> {
    let mut decoder = Decoder::default();
    for line in lines {
        decoder.feed(line.as_bytes())?;
    }
    decoder.finish()
}

fn furnished() -> Vec<String> {
    lines(&History::of(&[]).snapshot)
}

#[test]
fn a_snapshot_of_format_1_is_read_for_ever() {
    let snapshot = read([FORMAT_1]).unwrap();
    let mut kept: Vec<_> = FORMAT_1.lines().map(|line| format!("{line}\n")).collect();
    let mut written = lines(&snapshot);
    kept.sort();
    written.sort();
    assert_eq!(written, kept);
    let tenant = snapshot.tenant("acme").unwrap();
    let told = answers(&snapshot, tenant);
    assert!(told.contains("user:alice best: open/large Granted"), "{told}");
    assert!(
        told.contains("virtual-account:bot best: closed/small Granted"),
        "{told}"
    );
}

#[test]
fn a_snapshot_may_be_cut_between_any_two_lines() {
    let lines = furnished();
    let whole = render(&read([lines.concat().as_str()]).unwrap());
    assert_eq!(whole, render(&read(lines.iter().map(String::as_str)).unwrap()));
    assert_eq!(whole, render(&History::of(&[]).snapshot));
}

#[test]
fn a_snapshot_that_lacks_any_line_is_refused() {
    let lines = furnished();
    for missing in 0..lines.len() {
        let kept = lines.iter().enumerate().filter(|(place, _)| *place != missing);
        assert!(
            read(kept.map(|(_, line)| line.as_str())).is_err(),
            "without {}",
            lines[missing]
        );
    }
}

#[test]
fn a_snapshot_with_a_line_twice_is_refused() {
    let lines = furnished();
    for doubled in &lines {
        let all = lines.iter().chain([doubled]);
        assert!(read(all.map(String::as_str)).is_err(), "twice {doubled}");
    }
}

#[test]
fn a_snapshot_of_a_newer_format_is_refused() {
    let newer = FORMAT_1.replacen(r#""format":1"#, r#""format":2"#, 1);
    assert!(matches!(read([newer.as_str()]), Err(Unreadable::Format(2))));
}

#[test]
fn an_unknown_record_or_field_is_refused() {
    for line in [
        "{\"quota\":{}}\n",
        "{\"team\":{\"name\":\"a\",\"profile\":{},\"created\":0,\"colour\":1}}\n",
        "\u{0}\n",
    ] {
        let text = format!("{FORMAT_1}{line}");
        assert!(
            matches!(read([text.as_str()]), Err(Unreadable::Line { .. })),
            "{line}"
        );
    }
}

#[test]
fn nothing_at_all_is_no_snapshot() {
    assert!(matches!(read([""]), Err(Unreadable::Order(0))));
}
