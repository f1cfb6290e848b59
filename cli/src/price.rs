//! Prices as people write them: US dollars for a million tokens. On the wire they are millionths of a dollar.

/// Writes billionths of a dollar as `0.002345`: two decimals, and more only where they say something.
pub use turnpike_proto::admin::dollars as nanos;

const MILLION: u64 = 1_000_000;

/// Reads `2.50` as 2,500,000 millionths of a dollar. At most six decimals, so that nothing is rounded.
pub fn parse(text: &str) -> Result<u64, String> {
    let rule = || "write US dollars for a million tokens, such as 2.50; at most six decimals".to_owned();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 6 {
        return Err(rule());
    }
    let whole: u64 = whole.parse().map_err(|_| rule())?;
    let fraction: u64 = format!("{decimals:0<6}").parse().map_err(|_| rule())?;
    whole
        .checked_mul(MILLION)
        .and_then(|micros| micros.checked_add(fraction))
        .ok_or_else(rule)
}

/// Writes millionths of a dollar as `2.50`: two decimals, and more only where they say something.
pub fn text(micros: u64) -> String {
    let fraction = format!("{:06}", micros % MILLION);
    let shown = fraction.trim_end_matches('0').len().max(2);
    format!(
        "{}.{}",
        micros / MILLION,
        fraction.get(..shown).unwrap_or(&fraction)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_to_the_millionth() {
        assert_eq!(parse("2.50"), Ok(2_500_000));
        assert_eq!(parse("10"), Ok(10_000_000));
        assert_eq!(parse("0.000001"), Ok(1));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for text in [
            "",
            ".",
            "-1",
            "1e3",
            "2,50",
            "0.0000001",
            "$1",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_price_is_written_as_it_can_be_read() {
        for (micros, written) in [
            (2_500_000, "2.50"),
            (0, "0.00"),
            (1, "0.000001"),
            (75_000, "0.075"),
        ] {
            assert_eq!(text(micros), written);
            assert_eq!(parse(written), Ok(micros));
        }
    }

    #[test]
    fn costs_are_shown_to_the_billionth_where_it_says_something() {
        let shown = [0, 2_500_000, -1, 1_000_000_000, -12_345_678_900].map(nanos);
        assert_eq!(shown, ["0.00", "0.0025", "-0.000000001", "1.00", "-12.3456789"]);
    }
}
