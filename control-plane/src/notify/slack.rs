//! An alert in Slack's format, which others take as well (Mattermost, Rocket.Chat, Discord with `/slack`).

use serde_json::{Value, json};

use super::Message;

/// Slack cuts off, or refuses, what is longer.
const LONGEST: usize = 2900;

pub(super) fn body(message: &Message) -> Value {
    let facts: Vec<String> = message
        .facts()
        .iter()
        .map(|(name, value)| format!("*{}*: {}", escaped(name), escaped(value)))
        .collect();
    let (title, summary) = (escaped(&message.title()), escaped(&message.alert.summary));
    json!({
        "text": format!("{title}: {summary}"),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": cut(format!("*{title}*\n{summary}"))}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(facts.join("\n"))}]},
        ],
    })
}

/// What strangers wrote must not become a mention of everybody, or a link.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_mentions_nobody() {
        assert_eq!(
            escaped("<!channel> & <https://x|y>"),
            "&lt;!channel&gt; &amp; &lt;https://x|y&gt;"
        );
        assert_eq!(cut("ä".repeat(3000)).chars().count(), LONGEST);
    }
}
