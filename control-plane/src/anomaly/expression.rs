//! Expressions of tenants' own rules, in CEL (<https://cel.dev>), over what one subject used in a window.
//!
//! What a tenant writes runs here again and again: so there are no loops (CEL's macros), no deep nesting, and the text is short.
//! An expression is compiled, and tried on an example, before it is kept.

use cel::{
    Context, Program, Value,
    common::ast::{EntryExpr, Expr, IdedExpr},
};
use turnpike_access::alert::own::LONGEST;

use crate::store::usage::Used;

/// How deep brackets may be nested: the parser works its way down.
const DEEPEST: usize = 16;
/// What an expression may speak of.
const NAMES: [&str; 14] = [
    "subject",
    "requests",
    "refused",
    "tokens",
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_reasoning",
    "cost",
    "substituted",
    "unpriced",
    "usage_missing",
    "cut_off",
    "hour",
];

/// An expression that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("is too long: at most {LONGEST} bytes")]
    Long,
    #[error("is nested too deeply: at most {DEEPEST} brackets")]
    Deep,
    #[error("is not an expression: {0}")]
    Syntax(String),
    #[error("speaks of {0:?}, which is not known; known are {names}", names = NAMES.join(", "))]
    Name(String),
    #[error("has a loop (all, exists, map, filter); write it without")]
    Loop,
    #[error("can't be evaluated: {0}")]
    Evaluation(String),
    #[error("is neither true nor false, but {0}; compare it with something, such as requests > 100")]
    NoAnswer(String),
}

/// A compiled expression.
pub(crate) struct Expression(Program);

impl Expression {
    /// Compiles an expression, and tries it.
    ///
    /// # Errors
    /// In words for whoever wrote it.
    pub(crate) fn compile(text: &str) -> Result<Self, Wrong> {
        if text.len() > LONGEST {
            return Err(Wrong::Long);
        }
        if depth(text) > DEEPEST {
            return Err(Wrong::Deep);
        }
        let program = Program::compile(text).map_err(|error| Wrong::Syntax(one_line(&error.to_string())))?;
        if has_loop(program.expression()) {
            return Err(Wrong::Loop);
        }
        let references = program.references();
        let mut names = references.variables();
        names.sort_unstable();
        if let Some(unknown) = names.into_iter().find(|name| !NAMES.contains(name)) {
            return Err(Wrong::Name(unknown.to_owned()));
        }
        let expression = Self(program);
        let example = Used {
            requests: 7,
            tokens_input: 11,
            ..Used::default()
        };
        expression.holds("user:alice", &example, 12)?;
        Ok(expression)
    }

    /// Whether it is true of what a subject used; `hour` is that of the day, UTC.
    pub(crate) fn holds(&self, subject: &str, used: &Used, hour: i64) -> Result<bool, Wrong> {
        let Used {
            requests,
            refused,
            tokens_input,
            tokens_output,
            tokens_cached,
            tokens_reasoning,
            cost_nanos,
            saved_nanos: _,
            substituted,
            unpriced,
            usage_missing,
            cut_off,
        } = *used;
        let mut context = Context::default();
        let numbers = [
            ("requests", requests),
            ("refused", refused),
            ("tokens", tokens_input.saturating_add(tokens_output)),
            ("tokens_input", tokens_input),
            ("tokens_output", tokens_output),
            ("tokens_cached", tokens_cached),
            ("tokens_reasoning", tokens_reasoning),
            ("substituted", substituted),
            ("unpriced", unpriced),
            ("usage_missing", usage_missing),
            ("cut_off", cut_off),
            ("hour", hour),
        ];
        for (name, number) in numbers {
            context.add_variable_from_value(name, number);
        }
        context.add_variable_from_value("cost", dollars(cost_nanos));
        context.add_variable_from_value("subject", subject.to_owned());
        match self.0.execute(&context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(Wrong::NoAnswer(one_line(&format!("{other:?}")))),
            Err(error) => Err(Wrong::Evaluation(one_line(&error.to_string()))),
        }
    }
}

/// For comparisons: how exact a float is does not matter there.
#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 nanodollars nothing hangs on one"
)]
fn dollars(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

fn depth(text: &str) -> usize {
    let (mut now, mut most) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            // A question mark opens what its colon ends with: it nests as brackets do.
            b'(' | b'[' | b'{' | b'?' => now += 1,
            b')' | b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        most = most.max(now);
    }
    most
}

fn has_loop(expression: &IdedExpr) -> bool {
    match &expression.expr {
        Expr::Comprehension(_) => true,
        Expr::Call(call) => call.target.as_deref().is_some_and(has_loop) || call.args.iter().any(has_loop),
        Expr::List(list) => list.elements.iter().any(has_loop),
        Expr::Select(select) => has_loop(&select.operand),
        Expr::Map(map) => map.entries.iter().any(|entry| entry_has_loop(&entry.expr)),
        Expr::Struct(fields) => fields.entries.iter().any(|entry| entry_has_loop(&entry.expr)),
        _ => false,
    }
}

fn entry_has_loop(entry: &EntryExpr) -> bool {
    match entry {
        EntryExpr::StructField(field) => has_loop(&field.value),
        EntryExpr::MapEntry(entry) => has_loop(&entry.key) || has_loop(&entry.value),
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Wrong {
        Expression::compile(text).map(drop).unwrap_err()
    }

    #[test]
    fn an_expression_is_true_of_what_it_says() {
        let expression = Expression::compile(
            "requests > 100 && refused * 2 > requests && cost < 5.0 && subject.startsWith('user:')",
        );
        let expression = expression.unwrap();
        let used = Used {
            requests: 101,
            refused: 51,
            cost_nanos: 4_900_000_000,
            ..Used::default()
        };
        assert_eq!(expression.holds("user:alice", &used, 3), Ok(true));
        assert_eq!(expression.holds("virtual-account:bot", &used, 3), Ok(false));
        let night = Expression::compile("(hour >= 22 || hour < 6) && tokens > 10").unwrap();
        let used = Used {
            tokens_input: 6,
            tokens_output: 5,
            ..Used::default()
        };
        assert_eq!(
            (night.holds("x", &used, 23), night.holds("x", &used, 12)),
            (Ok(true), Ok(false))
        );
    }

    #[test]
    fn what_is_wrong_with_an_expression_is_said_before_it_is_kept() {
        assert!(matches!(wrong("requests >"), Wrong::Syntax(_)));
        assert_eq!(wrong("request > 1"), Wrong::Name("request".to_owned()));
        assert!(matches!(wrong("requests + 1"), Wrong::NoAnswer(_)));
        assert!(matches!(wrong("requests > 'a'"), Wrong::Evaluation(_)));
        assert!(matches!(wrong("frobnicate(requests)"), Wrong::Evaluation(_)));
        assert_eq!(wrong("[1, 2].exists(x, x > requests)"), Wrong::Loop);
        assert_eq!(wrong("true && size([1].map(x, x)) > 0"), Wrong::Loop);
        assert_eq!(wrong(&"(".repeat(100)), Wrong::Deep);
        assert_eq!(wrong(&"a".repeat(501)), Wrong::Long);
        let said = wrong("request > 1").to_string();
        assert!(said.contains("known are subject, requests"), "{said}");
    }

    #[test]
    fn what_looks_like_an_attack_on_the_parser_ends() {
        for text in [
            "!".repeat(500),
            "-".repeat(500),
            "1?".repeat(250),
            "a.".repeat(250),
            "1+".repeat(250),
            format!("{}1", "- ".repeat(240)),
            format!("{}true", "!".repeat(490)),
            "\u{0}\u{1b}'\"`".to_owned(),
        ] {
            drop(Expression::compile(&text));
        }
    }
}
