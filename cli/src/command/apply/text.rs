//! Plans, and what is found out about them, for people.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use turnpike_proto::admin::v1::{PolicyPlan, PolicyProgress};

use super::found::{AccessView, CountView, Found, ReplayView};
use crate::failure::Failure;

/// The most names that are written out after a count.
const NAMES: usize = 10;
/// The most totals of a kind.
const TOTALS: usize = 10;

/// The plan; with the events that it would write, where those were asked for.
pub(super) fn plan(plan: &PolicyPlan, events: bool) -> String {
    let PolicyPlan {
        steps,
        unmanaged,
        notes,
        tests,
        failed,
        digest: _,
        position: _,
    } = plan;
    let mut text = String::new();
    for step in steps {
        let sign = match step.verb.as_str() {
            "create" => '+',
            "delete" => '-',
            _ => '~',
        };
        let _ = writeln!(text, "{sign} {} {}", step.what, step.name);
        for detail in &step.details {
            let _ = writeln!(text, "    {detail}");
        }
        for event in step.events.iter().filter(|_| events) {
            let _ = writeln!(
                text,
                "    event {}.v{} {}",
                event.kind, event.version, event.payload
            );
        }
    }
    let count = |verb: &str| steps.iter().filter(|step| step.verb == verb).count();
    let _ = match steps.is_empty() {
        true => writeln!(text, "Nothing to do."),
        false => writeln!(
            text,
            "Plan: {} to create, {} to change, {} to delete.",
            count("create"),
            count("update"),
            count("delete")
        ),
    };
    if !unmanaged.is_empty() {
        let _ = writeln!(
            text,
            "Not in the file, and left alone (--prune deletes it): {}.",
            names(unmanaged)
        );
    }
    for note in notes {
        let _ = writeln!(text, "Note: {note}.");
    }
    for one in failed {
        let _ = writeln!(text, "Test fails: {}: {}.", one.test, one.why);
    }
    let failing = u32::try_from(failed.len()).unwrap_or(u32::MAX);
    if *tests > 0 {
        let _ = writeln!(text, "Tests: {} of {tests} hold.", tests.saturating_sub(failing));
    }
    clean(&text)
}

/// What a dry run found out beside the plan.
pub(super) fn found(found: &Found) -> String {
    let mut text = String::new();
    match found.access.as_slice() {
        [] => text.push_str("Access: nobody gains or loses anything.\n"),
        changes => {
            text.push_str("Access:\n");
            changes.iter().for_each(|change| access(&mut text, change));
        }
    }
    if let Some(replay) = &found.replay {
        replayed(&mut text, replay);
    }
    clean(&text)
}

fn access(text: &mut String, change: &AccessView) {
    let AccessView {
        who,
        gains,
        actions,
        models,
        way,
    } = change;
    let verb = if *gains { "gains" } else { "loses" };
    let _ = write!(text, "  {who} {verb} {}", names(actions));
    match models.as_slice() {
        [] => {}
        [model] => {
            let _ = write!(text, " on {model}");
        }
        _ => {
            let _ = write!(text, " on {} models: {}", models.len(), names(models));
        }
    }
    let _ = match way {
        Some(way) => writeln!(text, " ({way})"),
        None => writeln!(text),
    };
}

fn replayed(text: &mut String, replay: &ReplayView) {
    let ReplayView {
        seen,
        judged,
        otherwise,
        examples,
        principals,
        about,
    } = replay;
    let _ = writeln!(
        text,
        "Replay: {judged} of {seen} recorded requests were judged again."
    );
    if otherwise.is_empty() {
        text.push_str("  All of them would go as they do now.\n");
    }
    for count in otherwise {
        let _ = writeln!(text, "  {} {}", count.count, sentence(&count.otherwise));
    }
    for (title, totals) in [("By principal", principals), ("By model", about)] {
        if !totals.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for total in totals.iter().take(TOTALS) {
            let _ = writeln!(text, "  {}: {}", total.name, counted(&total.otherwise));
        }
    }
    if !examples.is_empty() {
        text.push_str("Examples:\n");
    }
    for one in examples {
        let answer = |answer: &Option<String>| answer.clone().unwrap_or_else(|| "refused".to_owned());
        let _ = writeln!(
            text,
            "  {} {} {} {} {}: {} -> {}",
            one.request_id,
            one.time.clone().unwrap_or_default(),
            one.principal,
            one.action,
            one.about,
            answer(&one.now),
            answer(&one.then)
        );
    }
}

fn sentence(otherwise: &str) -> &str {
    match otherwise {
        "refused" => "are allowed now and would be refused",
        "allowed" => "are refused now and would be allowed",
        "other_model" => "would be served by another model",
        other => other,
    }
}

fn counted(counts: &[CountView]) -> String {
    let told = counts
        .iter()
        .map(|one| format!("{} {}", one.count, sentence(&one.otherwise)));
    told.collect::<Vec<_>>().join(", ")
}

fn names(all: &[String]) -> String {
    let shown = all.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Control characters, which a client may have put into a model's name, never reach the terminal.
fn clean(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', " ")
}

/// Asks whoever is at the terminal.
pub(super) fn confirmed() -> Result<bool, Failure> {
    let failed = |error: io::Error| Failure::local(format!("cannot ask: {error}"));
    let mut out = io::stderr();
    out.write_all(b"Apply this? [y/N] ")
        .and_then(|()| out.flush())
        .map_err(failed)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How far a plan is.
pub(super) fn progress(progress: &PolicyProgress) -> String {
    let PolicyProgress { phase, done, total } = progress;
    match (phase.as_str(), total) {
        ("access", total) => format!("{done} of {total} principals judged"),
        (_, 0) => format!("{done} recorded requests judged again"),
        (_, total) => format!("{done} of {total}"),
    }
}
