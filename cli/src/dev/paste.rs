//! What `turnpike dev` prints once it is ready: three things to paste.

use std::{io::Write as _, path::Path};

use super::environment::quoted;
use crate::failure::Failure;

/// Prints them. The keys stay in the file that they source.
pub(super) fn print(environment: &Path) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out
        .write_all(text(environment).as_bytes())
        .and_then(|()| out.flush());
    match written {
        // Nobody need be reading: it serves all the same.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::local(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

fn text(environment: &Path) -> String {
    let file = quoted(&environment.display().to_string());
    format!(
        r#"
Turnpike is ready. In another shell, with curl:

  source {file}
  curl "$OPENAI_BASE_URL/chat/completions" -H "Authorization: Bearer $OPENAI_API_KEY" \
    -H 'Content-Type: application/json' \
    -d '{{"model": "fake-openai/gpt-4o", "messages": [{{"role": "user", "content": "Hello"}}]}}'

or in Python, after `source {file}` and `pip install openai`:

  from openai import OpenAI
  answer = OpenAI().chat.completions.create(
      model="fake-openai/gpt-4o", messages=[{{"role": "user", "content": "Hello"}}])
  print(answer.choices[0].message.content)

and to see who did what:

  turnpike audit list

Ctrl-C stops it.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_names_the_file_and_holds_no_key() {
        let text = text(Path::new("/tmp/it's/dev.env"));
        assert!(text.contains(r"source '/tmp/it'\''s/dev.env'"), "{text}");
        assert!(!text.contains("tp_"), "{text}");
        assert!(text.contains(r#"{"model": "fake-openai/gpt-4o""#), "{text}");
    }
}
