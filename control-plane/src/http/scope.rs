//! The `scope` of a token request: `model:GLOB`, `action:GLOB`, `environment:NAME`, separated by spaces.
//!
//! A scope only takes away. What is not named stays as it is.

use turnpike_access::credential::Scope;

use super::refusal::Refusal;

/// The most terms of a scope.
const TERMS_LIMIT: usize = 64;

/// Reads a scope.
///
/// # Errors
/// A term means nothing.
pub(super) fn parse(text: &str) -> Result<Scope, Refusal> {
    let mut scope = Scope::default();
    for (number, term) in text.split_ascii_whitespace().enumerate() {
        if number >= TERMS_LIMIT {
            return Err(Refusal::scope("the scope has too many terms"));
        }
        add(&mut scope, term).ok_or_else(|| {
            Refusal::scope(
                "a scope is of terms model:GLOB, action:GLOB and environment:NAME, separated by spaces",
            )
        })?;
    }
    Ok(scope)
}

fn add(scope: &mut Scope, term: &str) -> Option<()> {
    let (kind, value) = term.split_once(':').filter(|(_, value)| !value.is_empty())?;
    match kind {
        "model" => scope.models.push(value.parse().ok()?),
        "action" => scope.actions.push(value.parse().ok()?),
        "environment" => scope.environments.push(value.parse().ok()?),
        _ => return None,
    }
    Some(())
}

/// As it is written in an answer.
pub(super) fn write(scope: &Scope) -> String {
    let Scope {
        models,
        actions,
        environments,
        // Comes from a key alone, and holds without being written.
        networks: _,
    } = scope;
    let models = models.iter().map(|glob| format!("model:{glob}"));
    let actions = actions.iter().map(|glob| format!("action:{glob}"));
    let environments = environments.iter().map(|name| format!("environment:{name}"));
    let terms: Vec<String> = models.chain(actions).chain(environments).collect();
    terms.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let text = "model:openai-main/gpt-4o* action:inference.* environment:prod";
        assert_eq!(write(&parse(text).unwrap()), text);
        assert_eq!(parse("").unwrap(), Scope::default());
    }

    #[test]
    fn a_term_that_means_nothing_is_refused() {
        for text in [
            "openid",
            "model",
            "model:",
            "tenant:acme",
            "environment:Prod",
            ":x",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
