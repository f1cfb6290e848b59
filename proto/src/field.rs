//! Single fields: how absence, text, moments and names are written on the wire.
//!
//! Proto3 knows no absent string, so that the empty text stands for "not given" wherever a thing is optional.

use std::{fmt::Display, str::FromStr, sync::Arc};

use turnpike_access::{
    id::{InvalidName, Timestamp},
    pattern::Tags,
};

use crate::ConversionError;

/// What an optional text is written as.
pub(crate) fn text(value: Option<&Arc<str>>) -> String {
    value.map(|value| value.as_ref().to_owned()).unwrap_or_default()
}

/// What an optional value is written as.
pub(crate) fn shown(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A text that may be absent.
pub(crate) fn known(text: String) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| Arc::from(text))
}

/// A message that must be there.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, ConversionError> {
    value.ok_or_else(|| ConversionError::new(field, "is missing"))
}

/// A value of the domain, from its text.
pub(crate) fn parse<T: FromStr>(field: &str, text: &str) -> Result<T, ConversionError>
where
    T::Err: Display,
{
    match text {
        "" => Err(ConversionError::new(field, "is missing")),
        text => text
            .parse()
            .map_err(|invalid| ConversionError::new(field, invalid)),
    }
}

/// A value of the domain that may be absent.
pub(crate) fn optional<T: FromStr<Err = InvalidName>>(
    field: &str,
    text: &str,
) -> Result<Option<T>, ConversionError> {
    match text {
        "" => Ok(None),
        text => parse(field, text).map(Some),
    }
}

/// Values of the domain, each from its text.
pub(crate) fn all<T: FromStr>(field: &str, texts: Vec<String>) -> Result<Vec<T>, ConversionError>
where
    T::Err: Display,
{
    texts.iter().map(|text| parse(field, text)).collect()
}

/// Values of the domain as texts.
pub(crate) fn texts<T: Display>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

/// Tags as the domain has them.
pub(crate) fn tags(pairs: impl IntoIterator<Item = (String, String)>) -> Tags {
    pairs
        .into_iter()
        .map(|(key, value)| (key.into(), value.into()))
        .collect()
}

/// Tags as the wire has them.
pub(crate) fn pairs<'a>(
    pairs: impl IntoIterator<Item = (&'a Arc<str>, &'a Arc<str>)>,
) -> std::collections::BTreeMap<String, String> {
    let owned = |text: &Arc<str>| text.as_ref().to_owned();
    pairs
        .into_iter()
        .map(|(key, value)| (owned(key), owned(value)))
        .collect()
}

/// A moment that may be absent.
pub(crate) fn moment(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::from_micros)
}

/// A moment as the wire has it.
pub(crate) fn micros(moment: Option<Timestamp>) -> Option<i64> {
    moment.map(Timestamp::as_micros)
}
