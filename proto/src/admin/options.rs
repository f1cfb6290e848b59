//! What many requests have in common: how long a write waits, which part of a list, what is deleted.

use std::{str::FromStr, time::Duration};

use turnpike_access::id::InvalidName;

use super::v1;
use crate::{ConversionError, field::parse};

const DEFAULT_DEADLINE_MS: u32 = 10_000;
const LONGEST_DEADLINE_MS: u32 = 60_000;
const DEFAULT_SIZE: u32 = 100;
const LARGEST_SIZE: u32 = 1000;

/// How long a write waits before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Write {
    /// For every edge to have applied it, at most so long; absent: until it is committed.
    pub applied_within: Option<Duration>,
    /// And the receipt is kept.
    pub keep_receipt: bool,
}

impl TryFrom<Option<v1::WriteOptions>> for Write {
    type Error = ConversionError;

    fn try_from(options: Option<v1::WriteOptions>) -> Result<Self, ConversionError> {
        let v1::WriteOptions {
            wait,
            deadline_ms,
            keep_receipt,
        } = options.unwrap_or_default();
        let deadline = deadline("options.deadline_ms", deadline_ms)?;
        match v1::Wait::try_from(wait) {
            Ok(v1::Wait::Committed) => Ok(Self::default()),
            Ok(v1::Wait::Applied) => Ok(Self {
                applied_within: Some(deadline),
                keep_receipt,
            }),
            Err(_) => Err(ConversionError::new(
                "options.wait",
                "is WAIT_COMMITTED or WAIT_APPLIED",
            )),
        }
    }
}

/// A deadline in milliseconds, 0 meaning the usual one.
pub(super) fn deadline(field: &str, millis: u32) -> Result<Duration, ConversionError> {
    match millis {
        0 => Ok(Duration::from_millis(DEFAULT_DEADLINE_MS.into())),
        1..=LONGEST_DEADLINE_MS => Ok(Duration::from_millis(millis.into())),
        _ => Err(ConversionError::new(
            field,
            format!("is at most {LONGEST_DEADLINE_MS}"),
        )),
    }
}

impl v1::WaitAppliedRequest {
    /// How long to wait.
    ///
    /// # Errors
    /// It is too long.
    pub fn deadline(&self) -> Result<Duration, ConversionError> {
        deadline("deadline_ms", self.deadline_ms)
    }
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most so many.
    pub size: u32,
    /// Only what comes after this one; empty: from the start.
    pub after: String,
}

impl TryFrom<v1::Page> for Page {
    type Error = ConversionError;

    fn try_from(page: v1::Page) -> Result<Self, ConversionError> {
        let v1::Page { size, after } = page;
        let size = size_of_part("size", size)?;
        Ok(Self { size, after })
    }
}

impl TryFrom<Option<v1::Page>> for Page {
    type Error = ConversionError;

    fn try_from(page: Option<v1::Page>) -> Result<Self, ConversionError> {
        Self::try_from(page.unwrap_or_default()).map_err(|error: ConversionError| error.within("page"))
    }
}

/// How many of a list, 0 meaning the usual number.
pub(super) fn size_of_part(field: &str, size: u32) -> Result<u32, ConversionError> {
    match size {
        0 => Ok(DEFAULT_SIZE),
        1..=LARGEST_SIZE => Ok(size),
        _ => Err(ConversionError::new(field, format!("is at most {LARGEST_SIZE}"))),
    }
}

impl v1::ListLogRequest {
    /// At most how many entries are asked for.
    ///
    /// # Errors
    /// Too many.
    pub fn size(&self) -> Result<u32, ConversionError> {
        size_of_part("size", self.size)
    }
}

/// What is deleted, by its name or id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<T> {
    /// Its name or id.
    pub name: T,
    /// How long to wait.
    pub write: Write,
}

impl<T: FromStr<Err = InvalidName>> TryFrom<v1::DeleteRequest> for Delete<T> {
    type Error = ConversionError;

    fn try_from(request: v1::DeleteRequest) -> Result<Self, ConversionError> {
        let v1::DeleteRequest { name, options } = request;
        Ok(Self {
            name: parse("name", &name)?,
            write: options.try_into()?,
        })
    }
}
