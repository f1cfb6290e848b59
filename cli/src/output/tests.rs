//! The three formats, literally.

use serde::Serialize;
use turnpike_proto::admin::v1::EdgeReceipt;

use super::*;

#[derive(Serialize)]
struct Pet {
    name: &'static str,
    legs: u32,
    owner: Option<&'static str>,
    foods: Vec<&'static str>,
}

impl View for Pet {
    const COLUMNS: &'static [&'static str] = &["name", "owner", "legs"];
}

static PETS: [Pet; 2] = [
    Pet {
        name: "rex",
        legs: 4,
        owner: Some("ann"),
        foods: Vec::new(),
    },
    Pet {
        name: "tweety",
        legs: 2,
        owner: None,
        foods: Vec::new(),
    },
];

fn printer(format: Format) -> Printer {
    Printer { format, width: None }
}

#[test]
fn a_table_is_plain_text_with_a_dash_for_what_is_absent() {
    let text = printer(Format::Table).render_list(&PETS).unwrap();
    assert_eq!(text, "NAME    OWNER  LEGS\nrex     ann    4\ntweety  -      2\n");
}

#[test]
fn an_empty_list_is_a_header_or_an_empty_array() {
    assert_eq!(
        printer(Format::Table).render_list::<Pet>(&[]).unwrap(),
        "NAME  OWNER  LEGS\n"
    );
    assert_eq!(printer(Format::Json).render_list::<Pet>(&[]).unwrap(), "[]\n");
}

#[test]
fn a_narrow_terminal_wraps_rather_than_cuts() {
    let narrow = Printer {
        format: Format::Table,
        width: Some(18),
    };
    let text = narrow.render_list(&PETS).unwrap();
    assert!(text.lines().all(|line| line.len() <= 18), "{text}");
    assert!(
        text.replace(|c: char| !c.is_ascii_lowercase(), "")
            .contains("rex"),
        "{text}"
    );
}

#[test]
fn json_and_yaml_keep_the_order_of_fields_and_say_null() {
    let one = PETS.get(1..).unwrap();
    let json = printer(Format::Json).render_list(one).unwrap();
    let expected = "[\n  {\n    \"name\": \"tweety\",\n    \"legs\": 2,\n    \"owner\": null,\n    \"foods\": []\n  }\n]\n";
    assert_eq!(json, expected);
    let yaml = printer(Format::Yaml).render_list(one).unwrap();
    assert_eq!(yaml, "- name: tweety\n  legs: 2\n  owner: null\n  foods: []\n");
}

fn receipt(applied: bool) -> Receipt {
    let edge = EdgeReceipt {
        edge: "eu-1".to_owned(),
        region: "eu".to_owned(),
        position: 7,
        applied_time_us: 1_700_000_000_123_456,
        applied,
        last_seen_us: 1_700_000_001_000_000,
        state: "live".to_owned(),
        fenced_by_us: if applied { 0 } else { 1_700_000_030_000_000 },
        spared: Vec::new(),
        statement: String::new(),
        key: String::new(),
    };
    Receipt {
        position: 7,
        applied,
        edges: vec![edge],
        committed_us: 1_700_000_000_000_000,
    }
}

fn written(format: Format, applied: bool) -> (String, bool) {
    let written = Written {
        noun: "pet",
        view: PETS.first(),
        key: Some("tp_va_x"),
        receipt: Some(receipt(applied)),
        waited: true,
    };
    let receipt = ReceiptView::new(written.receipt.clone().unwrap(), true);
    (
        printer(format).render_written(&written, &receipt).unwrap(),
        receipt.complete(),
    )
}

#[test]
fn a_receipt_names_each_edge_with_region_position_and_time() {
    let (text, complete) = written(Format::Table, true);
    assert!(complete);
    let expected = "tp_va_x\n\nThis key is shown only now: keep it safe.\n\nname   rex\nlegs   4\nowner  ann\n\n\
        EDGE  REGION  APPLIED  POSITION  APPLIED TIME              LAST SEEN                 FENCED BY\n\
        eu-1  eu      yes      7         2023-11-14T22:13:20.123Z  2023-11-14T22:13:21.000Z  -\n\n\
        Every edge has applied position 7.\n";
    assert_eq!(text, expected);
}

#[test]
fn an_edge_that_lags_makes_the_write_incomplete() {
    let (text, complete) = written(Format::Table, false);
    assert!(!complete);
    assert!(
        text.contains("2023-11-14T22:13:50.000Z")
            && text.contains("but 1 of 1 edges have not applied it yet. Each of them is fenced"),
        "{text}"
    );
}

#[test]
fn an_edge_that_has_stopped_is_not_said_to_have_applied_the_write() {
    let mut receipt = receipt(true);
    let mut stopped = receipt.edges[0].clone();
    stopped.applied = false;
    receipt.edges.push(stopped);
    let view = ReceiptView::new(receipt, true);
    assert!(view.complete());
    let text = view.text(None).unwrap();
    assert!(
        text.ends_with(
            "Every running edge has applied position 7; those that have stopped (1) will when started.\n"
        ),
        "{text}"
    );
}

#[test]
fn a_key_stands_beside_its_credential_in_json() {
    let (text, _) = written(Format::Json, true);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["key"], "tp_va_x");
    assert_eq!(json["pet"]["name"], "rex");
    assert_eq!(json["receipt"]["edges"][0]["applied"], true);
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let hostile = Pet {
        name: "a\u{1b}[2Jb\nc",
        legs: 0,
        owner: None,
        foods: vec!["x"],
    };
    let text = table::fields(&document::of(&hostile).unwrap(), None);
    assert_eq!(text, "name   a [2Jb c\nlegs   0\nfoods  x\n");
}
