//! Selectors, conditions and the tests in them.

use ipnet::IpNet;
use turnpike_access::{
    grant::Conditions,
    pattern::{ResourcePattern, Selector, SetOperator, SetTest, TagTest},
};

use super::v1;
use crate::{
    ConversionError,
    field::{all, micros, moment, parse, required, texts},
};

impl TryFrom<v1::Selector> for Selector {
    type Error = ConversionError;

    fn try_from(selector: v1::Selector) -> Result<Self, ConversionError> {
        let v1::Selector {
            resources,
            families,
            environment,
            tags,
            match_tags,
        } = selector;
        if match_tags.iter().any(String::is_empty) {
            return Err(ConversionError::new("match_tags", "holds an empty key"));
        }
        Ok(Self {
            resources: resources
                .into_iter()
                .map(ResourcePattern::try_from)
                .collect::<Result<_, _>>()?,
            families: all("families", families)?,
            environment: environment
                .map(SetTest::try_from)
                .transpose()
                .map_err(|error: ConversionError| error.within("environment"))?,
            tags: tags
                .into_iter()
                .map(TagTest::try_from)
                .collect::<Result<_, _>>()?,
            match_tags: match_tags.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&Selector> for v1::Selector {
    fn from(selector: &Selector) -> Self {
        let Selector {
            resources,
            families,
            environment,
            tags,
            match_tags,
        } = selector;
        Self {
            resources: resources.iter().map(v1::ResourcePattern::from).collect(),
            families: texts(families),
            environment: environment.as_ref().map(v1::SetTest::from),
            tags: tags.iter().map(v1::TagTest::from).collect(),
            match_tags: texts(match_tags),
        }
    }
}

impl TryFrom<v1::ResourcePattern> for ResourcePattern {
    type Error = ConversionError;

    fn try_from(pattern: v1::ResourcePattern) -> Result<Self, ConversionError> {
        let v1::ResourcePattern { kind, name } = pattern;
        Ok(Self {
            kind: parse("resources.kind", &kind)?,
            name: parse("resources.name", &name)?,
        })
    }
}

impl From<&ResourcePattern> for v1::ResourcePattern {
    fn from(pattern: &ResourcePattern) -> Self {
        let ResourcePattern { kind, name } = pattern;
        Self {
            kind: kind.to_string(),
            name: name.to_string(),
        }
    }
}

impl TryFrom<v1::SetTest> for SetTest {
    type Error = ConversionError;

    fn try_from(test: v1::SetTest) -> Result<Self, ConversionError> {
        let v1::SetTest { operator, values } = test;
        let operator = match operator.as_str() {
            "in" => SetOperator::In,
            "not_in" => SetOperator::NotIn,
            _ => return Err(ConversionError::new("operator", "is in or not_in")),
        };
        if values.is_empty() {
            return Err(ConversionError::new("values", "are missing; name at least one"));
        }
        Ok(Self {
            operator,
            values: values.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<&SetTest> for v1::SetTest {
    fn from(test: &SetTest) -> Self {
        let SetTest { operator, values } = test;
        let operator = match operator {
            SetOperator::In => "in",
            SetOperator::NotIn => "not_in",
        };
        Self {
            operator: operator.to_owned(),
            values: texts(values),
        }
    }
}

impl TryFrom<v1::TagTest> for TagTest {
    type Error = ConversionError;

    fn try_from(test: v1::TagTest) -> Result<Self, ConversionError> {
        let v1::TagTest { key, test } = test;
        if key.is_empty() {
            return Err(ConversionError::new("tags.key", "is missing"));
        }
        let test = SetTest::try_from(required("tags.test", test)?);
        Ok(Self {
            key: key.into(),
            test: test.map_err(|error: ConversionError| error.within("tags.test"))?,
        })
    }
}

impl From<&TagTest> for v1::TagTest {
    fn from(test: &TagTest) -> Self {
        let TagTest { key, test } = test;
        Self {
            key: key.to_string(),
            test: Some(test.into()),
        }
    }
}

impl TryFrom<v1::Conditions> for Conditions {
    type Error = ConversionError;

    fn try_from(conditions: v1::Conditions) -> Result<Self, ConversionError> {
        let v1::Conditions {
            methods,
            networks: given,
            not_before_us,
            expires_us,
            max_token_age_seconds,
            schedules,
        } = conditions;
        Ok(Self {
            methods: all("methods", methods)?,
            max_token_age_seconds,
            networks: networks("networks", given)?,
            not_before: moment(not_before_us),
            expires: moment(expires_us),
            schedules: all("schedules", schedules)?,
        })
    }
}

impl From<&Conditions> for v1::Conditions {
    fn from(conditions: &Conditions) -> Self {
        let Conditions {
            methods,
            max_token_age_seconds,
            networks,
            not_before,
            expires,
            schedules,
        } = conditions;
        Self {
            methods: texts(methods),
            max_token_age_seconds: *max_token_age_seconds,
            networks: texts(networks),
            not_before_us: micros(*not_before),
            expires_us: micros(*expires),
            schedules: texts(schedules),
        }
    }
}

/// Networks in CIDR notation.
pub(super) fn networks(field: &str, texts: Vec<String>) -> Result<Vec<IpNet>, ConversionError> {
    let invalid = |text: &str| {
        ConversionError::new(
            field,
            format!("{text:?} is not a network; write it like 10.0.0.0/8 or fd00::/8"),
        )
    };
    texts
        .iter()
        .map(|text| text.parse().map_err(|_| invalid(text)))
        .collect()
}
