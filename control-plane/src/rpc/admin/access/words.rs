//! What the words in audit records mean, in sentences for people.

use turnpike_access::audit::Outcome;

/// Why a request was answered before anything was decided about it, or without a decision.
pub(super) fn before_a_decision(reason: &str, outcome: Outcome) -> &'static str {
    if outcome == Outcome::Allowed {
        return "Nothing had to be decided about a single model: the edge answered with what the caller may use.";
    }
    match reason {
        "credential_missing" => "The request carried no key and no token.",
        "credential_malformed" => "The key is not a key of Turnpike's, or was cut or changed.",
        "credential_unknown" => {
            "No credential has this id; it was of a tenant that is gone, or of another installation."
        }
        "credential_wrong_secret" => {
            "The credential exists, and this was not its secret; perhaps it was rotated."
        }
        "credential_revoked" => {
            "The credential was revoked, or its owner deleted; it opens nothing for ever."
        }
        "credential_suspended" => "The credential was suspended; turnpike credential resume ends that.",
        "credential_expired" => {
            "The credential's time was over, by its own expiry or by the tenant's policy."
        }
        "owner_deactivated" => {
            "The credential's owner was deactivated; turnpike user update --deactivated false ends that."
        }
        "tenant_suspended" => "The tenant was suspended by the operators.",
        "credential_decoy" => {
            "The key is a decoy that was laid out to be found; it opens nothing, and an alert was raised."
        }
        "issuer_changed" => "The token's issuer was changed or removed after the token had been verified.",
        "principal_unknown" => "The token is good, and speaks for nobody whom the tenant knows.",
        "conflicting_credentials" => "The request carried two credentials that differ.",
        "issuer_unavailable" => "The token's issuer could not be asked; the request may be tried again.",
        "token_expired" => "The token's time was over.",
        "token_audience" => "The token is meant for another audience than the issuer's configuration names.",
        "token_issuer_unknown" => "No issuer that is trusted has the token's iss.",
        "token_revoked" => "The token was revoked.",
        other if other.starts_with("token_") => {
            "The token could not be verified; the recorded reason says by what."
        }
        "model_unknown" => "The tenant has no model of that name, and no alias.",
        "ambiguous" => "Several providers have a model of that bare name.",
        "no_grant" => "No grant lets the caller ask for this.",
        "malformed" | "invalid_request" => "The request was not well formed; the answer said what was wrong.",
        "route_not_found" | "method_not_allowed" => "There is no such route, or not with that method.",
        "client_gone" => "The client went away before anything was decided.",
        "rate_limited" => "There were too many requests or tokens in too short a time.",
        "over_budget" => "The budget was spent.",
        "no_snapshot" => "The edge had no access state yet.",
        "revoked" => "The edge had been revoked.",
        "drained" => "The edge was being drained.",
        "fenced" => "The edge had been cut off for longer than the tenant allows.",
        "position_not_reached" => "The edge did not reach the position that the request waited for.",
        _ => "The request was refused before a decision; the recorded reason says why.",
    }
}

/// What came of judging a record again.
pub(super) fn of_verdict(verdict: &str, position: u64) -> String {
    match verdict {
        "same" => format!("Judged again by the state at position {position}, the answer is the same."),
        "different" => format!(
            "Judged again by the state at position {position}, the answer is another: the request was not quite what \
             is recorded of it, or the edge is of another version."
        ),
        _ => format!(
            "The state at position {position} alone does not tell: the token was narrowed, or carried more groups than \
             are recorded, or whoever asked about somebody else told more."
        ),
    }
}
