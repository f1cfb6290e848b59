//! `dev.env`: what a shell sources so that unmodified clients find the edge. It is there only while all is ready.

use std::{net::SocketAddr, path::PathBuf};

use super::folder::Folder;
use crate::failure::Failure;

const FILE: &str = "dev.env";

/// What goes into the file.
pub(super) struct Environment<'a> {
    /// Where the edge serves clients.
    pub(super) edge: SocketAddr,
    /// Where the control plane serves administration.
    pub(super) control_plane: SocketAddr,
    /// The key of the demonstration application.
    pub(super) application_key: &'a str,
    /// The key of the tenant's administrator.
    pub(super) administrator_key: &'a str,
}

impl Environment<'_> {
    /// Writes the file and says where it is.
    pub(super) fn write(&self, folder: &Folder) -> Result<PathBuf, Failure> {
        folder.write(FILE, &self.text())?;
        Ok(folder.at(FILE))
    }

    fn text(&self) -> String {
        let Self {
            edge,
            control_plane,
            application_key,
            administrator_key,
        } = self;
        let lines = [
            ("OPENAI_BASE_URL", format!("http://{edge}/v1")),
            ("OPENAI_API_KEY", (*application_key).to_owned()),
            ("ANTHROPIC_BASE_URL", format!("http://{edge}")),
            ("ANTHROPIC_API_KEY", (*application_key).to_owned()),
            ("TURNPIKE_CONTROL_PLANE", format!("http://{control_plane}")),
            ("TURNPIKE_TOKEN", (*administrator_key).to_owned()),
        ];
        lines
            .map(|(name, value)| format!("export {name}={}\n", quoted(&value)))
            .concat()
    }
}

/// Takes away what an earlier run left, whose ports may be wrong by now.
pub(super) fn forget(folder: &Folder) -> Result<(), Failure> {
    folder.remove(FILE)
}

/// Text as one word of a POSIX shell, whatever is in it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_exports_what_both_official_clients_and_the_command_line_read() {
        let environment = Environment {
            edge: "127.0.0.1:8080".parse().unwrap(),
            control_plane: "127.0.0.1:7070".parse().unwrap(),
            application_key: "tp_va_a",
            administrator_key: "tp_pat_b",
        };
        let expected = "export OPENAI_BASE_URL='http://127.0.0.1:8080/v1'\n\
            export OPENAI_API_KEY='tp_va_a'\n\
            export ANTHROPIC_BASE_URL='http://127.0.0.1:8080'\n\
            export ANTHROPIC_API_KEY='tp_va_a'\n\
            export TURNPIKE_CONTROL_PLANE='http://127.0.0.1:7070'\n\
            export TURNPIKE_TOKEN='tp_pat_b'\n";
        assert_eq!(environment.text(), expected);
    }

    #[test]
    fn a_quote_cannot_end_the_word() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
