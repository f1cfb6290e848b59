//! Forms: one model, found and replaced; everything doubtful refused.

use super::*;
use crate::proxy::body::splice_form;

const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a;\\\"b.mp3\"\r\nContent-Type: audio/mpeg\r\n\r\n\0\r\n--bx";
const MODEL: &str = "Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1";

fn form(parts: &[&str]) -> Vec<u8> {
    let parts: String = parts.iter().map(|part| format!("--bnd\r\n{part}\r\n")).collect();
    format!("{parts}--bnd--\r\n").into_bytes()
}

#[test]
fn the_model_is_found_and_spliced_among_other_parts() {
    for parts in [[FILE, MODEL], [MODEL, FILE]] {
        let body = form(&parts);
        let model = find_model(&body, "bnd").unwrap().unwrap();
        assert_eq!(model.name, "whisper-1");
        let new = MODEL.replace("whisper-1", "other");
        let expected = form(&parts.map(|part| if part == MODEL { new.as_str() } else { part }));
        assert_eq!(splice_form(&body, &model, "other"), expected);
    }
    assert_eq!(find_model(&form(&[FILE]), "bnd"), Ok(None));
}

#[test]
fn a_model_in_disguise_or_twice_is_refused() {
    let head = |disposition: &str| format!("Content-Disposition: {disposition}\r\n\r\nx");
    for part in [
        head("form-data; name=\"Model\""),
        head("form-data; name*=utf-8''model"),
        head("form-data; name=\"other\"; name=\"model\""),
        head("form-data; name=\"model\"; name*=utf-8''other"),
        head("form-data; name=\"model\"; filename=\"x\""),
        head("form-data; name=\"mod\\el\""),
        head("form-data; name=\"%6dodel\""),
        head("form-data; name=\"model\r\n \""),
        head("attachment; name=\"model\""),
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Transfer-Encoding: base64\r\n\r\nx".to_owned(),
        "Content-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nx".to_owned(),
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nx".to_owned(),
        "X: y\r\n\r\nx".to_owned(),
        "Content-Disposition: form-data; name=\"model\"\n\nx".to_owned(),
        "Content-Disposition: form-data; name=\"model\"\r\n\r\n".to_owned(),
    ] {
        assert!(find_model(&form(&[&part]), "bnd").is_err(), "{part}");
    }
    assert_eq!(
        find_model(&form(&[MODEL, MODEL]), "bnd"),
        Err(BodyError::Ambiguous("model"))
    );
}

#[test]
fn a_form_with_ragged_boundaries_is_refused() {
    let good = String::from_utf8(form(&[MODEL])).unwrap();
    for body in [
        String::new(),
        format!("preamble\r\n{good}"),
        good.replace("--bnd\r\n", "--bnd \r\n"),
        good.replace("--bnd\r\n", "--bnd\n"),
        good.replace("--bnd--\r\n", ""),
        good.replace("--bnd--\r\n", "--bnd--\r\nepilogue"),
        good.replace("--bnd--", "--bndx"),
    ] {
        assert!(find_model(body.as_bytes(), "bnd").is_err(), "{body}");
    }
    assert!(find_model(&form(&[FILE; MAX_PARTS + 1]), "bnd").is_err());
}

#[test]
fn a_boundary_is_read_quoted_and_not() {
    assert_eq!(boundary("multipart/form-data; boundary=abc"), Some("abc"));
    assert_eq!(
        boundary("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\""),
        Some("a b")
    );
    for refused in [
        "multipart/form-data",
        "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary*=a; boundary=b",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a\\b\"",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=a; x",
        "multipart/form-data; boundary=\"a \"",
    ] {
        assert_eq!(boundary(refused), None, "{refused}");
    }
    assert_eq!(
        boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))),
        None
    );
}
