//! The flags that say what a model is, and their effect on one.

use clap::Args;
use turnpike_proto::admin::v1::Model;

use crate::{command::value::pair, price};

/// What is known of a model, beside its name.
#[derive(Debug, Args)]
pub(super) struct Profile {
    /// The name that the provider knows it by, where it is another
    #[arg(long, value_name = "NAME")]
    upstream_name: Option<String>,
    /// Its family, such as gpt-4
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// Its environment, such as production
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A tag; may be given again. On update, those given take the place of all
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// What a million prompt tokens cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = price::parse)]
    input_price: Option<u64>,
    /// What a million completion tokens cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = price::parse)]
    output_price: Option<u64>,
    /// What a million cached prompt tokens cost, in US dollars
    #[arg(long, value_name = "USD", value_parser = price::parse)]
    cached_price: Option<u64>,
    /// What it can do: tools, vision, json, or any other name; a fallback looks at it. May be given again. On update, those given take the place of all
    #[arg(long = "capability", value_name = "NAME")]
    capabilities: Vec<String>,
    /// The longest prompt and answer together, in tokens
    #[arg(long, value_name = "TOKENS")]
    context_tokens: Option<u64>,
}

impl Profile {
    /// Changes the model where something was given, and names the parts that changed as the wire has them.
    pub(super) fn apply(self, model: &mut Model) -> Vec<&'static str> {
        let Self {
            upstream_name,
            family,
            environment,
            tags,
            input_price,
            output_price,
            cached_price,
            capabilities,
            context_tokens,
        } = self;
        let mut fields = Vec::new();
        for (field, given, part) in [
            ("upstream_name", upstream_name, &mut model.upstream_name),
            ("family", family, &mut model.family),
            ("environment", environment, &mut model.environment),
        ] {
            if let Some(text) = given {
                *part = text;
                fields.push(field);
            }
        }
        if !tags.is_empty() {
            model.tags = tags.into_iter().collect();
            fields.push("tags");
        }
        if input_price.or(output_price).or(cached_price).is_some() {
            let prices = model.prices.get_or_insert_default();
            prices.input = input_price.or(prices.input);
            prices.output = output_price.or(prices.output);
            prices.cached = cached_price.or(prices.cached);
            fields.push("prices");
        }
        if !capabilities.is_empty() {
            model.capabilities = capabilities;
            fields.push("capabilities");
        }
        if context_tokens.is_some() {
            model.context_tokens = context_tokens;
            fields.push("context_tokens");
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use turnpike_proto::admin::v1::Prices;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        profile: Profile,
    }

    fn profile(words: &[&str]) -> Profile {
        Line::try_parse_from(["x"].iter().chain(words)).unwrap().profile
    }

    #[test]
    fn one_price_leaves_the_others() {
        let prices = Prices {
            input: Some(1),
            output: Some(2),
            cached: None,
        };
        let mut model = Model {
            prices: Some(prices),
            family: "gpt-4".to_owned(),
            ..Default::default()
        };
        assert_eq!(profile(&["--input-price", "2.50"]).apply(&mut model), ["prices"]);
        assert_eq!(
            model.prices,
            Some(Prices {
                input: Some(2_500_000),
                output: Some(2),
                cached: None
            })
        );
        assert_eq!(model.family, "gpt-4");
    }

    #[test]
    fn nothing_given_changes_nothing() {
        let mut model = Model::default();
        assert!(profile(&[]).apply(&mut model).is_empty());
        assert_eq!(model, Model::default());
    }

    #[test]
    fn an_empty_text_takes_a_part_away() {
        let mut model = Model {
            environment: "staging".to_owned(),
            ..Default::default()
        };
        assert_eq!(profile(&["--environment", ""]).apply(&mut model), ["environment"]);
        assert_eq!(model.environment, "");
    }
}
