//! The parameters of a token request, as `application/x-www-form-urlencoded` (RFC 6749, section 3.2).

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// The most parameters of a request.
const PARAMETERS_LIMIT: usize = 64;
/// What may be there several times (RFC 8693, section 2.1).
const REPEATABLE: [&str; 2] = ["audience", "resource"];

/// The parameters. Those without a value are as if they were not there. Not for printing: it holds secrets.
pub(super) struct Form(BTreeMap<String, Vec<String>>);

impl Form {
    /// Takes a body apart.
    ///
    /// # Errors
    /// A parameter is there twice, or there are too many.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, (name, value)) in form_urlencoded::parse(body).enumerate() {
            if number >= PARAMETERS_LIMIT {
                return Err(Refusal::request("there are too many parameters"));
            }
            if value.is_empty() {
                continue;
            }
            let values = held.entry(name.clone().into_owned()).or_default();
            if !values.is_empty() && !REPEATABLE.contains(&name.as_ref()) {
                return Err(Refusal::request("a parameter is there twice"));
            }
            values.push(value.into_owned());
        }
        Ok(Self(held))
    }

    /// A parameter's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// A parameter's values.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// A parameter that must be there.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name)
            .ok_or_else(|| Refusal::request(format!("{name} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_empty_ones_are_as_if_absent() {
        let form = Form::parse(b"a=1+2%26&b=&audience=x&audience=y").ok().unwrap();
        assert_eq!((form.get("a"), form.get("b")), (Some("1 2&"), None));
        assert_eq!(form.all("audience"), ["x", "y"]);
    }

    #[test]
    fn a_parameter_that_is_there_twice_is_refused() {
        assert!(Form::parse(b"scope=a&scope=b").is_err());
        assert!(Form::parse(&b"a=1&".repeat(PARAMETERS_LIMIT)).is_err());
    }
}
