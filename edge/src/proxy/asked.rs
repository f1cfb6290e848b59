//! What a request's body asks for, and the body that is sent on in its place.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};

use turnpike_access::needs::Needs;

use super::{
    body::{self, BodyError},
    forward::{Outgoing, may_ask_usage, unchanged},
    handle::header,
    judge::Approved,
    reject::Refusal,
    route::{ModelIn, Route},
};

/// Where the model was found, and what else was found with it.
pub(super) enum Asked<'b> {
    Json(body::Scan<'b>),
    /// The model of the path; the body may be JSON that names the same one, or none.
    Path(Cow<'b, str>, body::Scan<'b>),
    Form(body::Model<'b>),
}

impl<'b> Asked<'b> {
    pub(super) fn read(
        route: &Route,
        path: Option<&str>,
        headers: &HeaderMap,
        bytes: &'b [u8],
    ) -> Result<Self, Refusal> {
        let content_type = header(headers, &CONTENT_TYPE);
        if route.model == ModelIn::Form {
            let expected = Refusal::UnsupportedMediaType {
                expected: "multipart/form-data",
            };
            let boundary = content_type.and_then(body::multipart::boundary).ok_or(expected)?;
            let model = body::multipart::find_model(bytes, boundary).map_err(unreadable)?;
            return model
                .map(Self::Form)
                .ok_or_else(|| unreadable(BodyError::ModelMissing));
        }
        let json = content_type.is_none_or(|text| {
            if text == "application/json" {
                return true;
            }
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
                || essence.to_ascii_lowercase().ends_with("+json")
        });
        if !json || headers.contains_key(CONTENT_ENCODING) {
            return Err(Refusal::UnsupportedMediaType {
                expected: "application/json, not encoded",
            });
        }
        let scan = body::scan(bytes).map_err(unreadable)?;
        let Some(path) = path else {
            scan.require_model().map_err(unreadable)?;
            return Ok(Self::Json(scan));
        };
        if scan.model.as_ref().is_some_and(|model| model.name != path) {
            return Err(Refusal::Ambiguous(
                "The path and the body name different models.".into(),
            ));
        }
        Ok(Self::Path(Cow::Owned(path.to_owned()), scan))
    }

    pub(super) fn model(&self) -> &str {
        match self {
            Self::Json(scan) => scan
                .model
                .as_ref()
                .map(|model| model.name.as_ref())
                .unwrap_or_default(),
            Self::Path(model, _) => model,
            Self::Form(model) => &model.name,
        }
    }

    pub(super) fn into_model(self) -> Cow<'b, str> {
        match self {
            Self::Json(scan) => scan.model.map(|model| model.name).unwrap_or_default(),
            Self::Path(model, _) => model,
            Self::Form(model) => model.name,
        }
    }

    /// What it needs of a model that stands in for the one that is asked for.
    pub(super) fn needs(&self, bytes: &[u8]) -> Needs {
        match self {
            Self::Json(scan) | Self::Path(_, scan) => body::needs(bytes, scan.max_tokens),
            Self::Form(_) => Needs::default(),
        }
    }

    pub(super) fn streams(&self) -> bool {
        match self {
            Self::Json(scan) | Self::Path(_, scan) => scan.stream,
            Self::Form(_) => false,
        }
    }

    /// The client's bytes, with the provider's name of the model in them.
    pub(super) fn outgoing(
        &self,
        approved: &Approved,
        route: &'static Route,
        query: Option<&str>,
        headers: HeaderMap,
        bytes: &Bytes,
    ) -> Outgoing {
        let name = approved.upstream_model.as_str();
        let (body, asking) = match self {
            Self::Form(model) => (
                unchanged(
                    bytes,
                    || body::splice_form(bytes, model, name),
                    model.name == name,
                ),
                None,
            ),
            Self::Json(scan) | Self::Path(_, scan) => {
                let same = scan.model.as_ref().is_none_or(|model| model.name == name);
                let ask = scan.stream
                    && !scan.include_usage
                    && may_ask_usage(route.endpoint)
                    && approved.target.takes_stream_options();
                let asking = ask.then(|| body::splice(bytes, scan, Some(name), true).into());
                (
                    unchanged(bytes, || body::splice(bytes, scan, Some(name), false), same),
                    asking,
                )
            }
        };
        Outgoing {
            route,
            query: query.map(Into::into),
            headers,
            body,
            asking,
        }
    }
}

fn unreadable(error: BodyError) -> Refusal {
    match error {
        BodyError::Ambiguous(_) => Refusal::Ambiguous(error.to_string().into()),
        other => Refusal::Malformed(other.to_string().into()),
    }
}
