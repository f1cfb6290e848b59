//! Tenants.

use std::collections::BTreeMap;

use turnpike_access::{
    alert::rules::{AlertRules, Rule, RuleChoice},
    audit::settings::{AuditMode, AuditSettings, NotAMode},
    id::Name,
    pattern::Tags,
    snapshot::Tenant,
    tenant::{CredentialPolicy, Staleness, TenantSettings},
};

use super::{Write, v1};
use crate::{
    ConversionError,
    field::{all, known, optional, pairs, parse, required, tags, text, texts},
};

/// A tenant to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTenant {
    /// Its name.
    pub name: Name,
    /// What it chooses about itself.
    pub settings: TenantSettings,
    /// Its first administrator, where there is to be one.
    pub administrator: Option<Name>,
    /// How long to wait.
    pub write: Write,
}

impl TryFrom<v1::CreateTenantRequest> for NewTenant {
    type Error = ConversionError;

    fn try_from(request: v1::CreateTenantRequest) -> Result<Self, ConversionError> {
        let v1::CreateTenantRequest {
            tenant,
            administrator,
            options,
        } = request;
        let v1::Tenant {
            name,
            display_name,
            hide_models,
            suspended,
            created_us: _,
            credential_policy,
            tags: pairs,
            staleness: behind,
            end_streams,
            max_access_seconds,
            justified_grants,
            alert_rules,
            audit: of_audit,
        } = required("tenant", tenant)?;
        Ok(Self {
            name: parse("tenant.name", &name)?,
            settings: TenantSettings {
                display_name: known(display_name),
                hide_models,
                suspended,
                credentials: policy(credential_policy)?.unwrap_or_default(),
                tags: tags(pairs),
                staleness: staleness(behind)?.unwrap_or_default(),
                end_streams,
                max_access_seconds: max_access_seconds.filter(|most| *most > 0),
                justified_grants,
                alerts: rules(alert_rules)?,
                audit: audit(of_audit)?.unwrap_or_default(),
            },
            administrator: optional("administrator", &administrator)?,
            write: options.try_into()?,
        })
    }
}

fn policy(policy: Option<v1::CredentialPolicy>) -> Result<Option<CredentialPolicy>, ConversionError> {
    let read = policy.map(CredentialPolicy::try_from).transpose();
    read.map_err(|error| error.within("credential_policy"))
}

fn staleness(staleness: Option<v1::Staleness>) -> Result<Option<Staleness>, ConversionError> {
    let read = |v1::Staleness { max_seconds, models }| {
        Ok(Staleness {
            max_seconds,
            models: all("staleness.models", models)?,
        })
    };
    staleness.map(read).transpose()
}

fn audit(settings: Option<v1::AuditSettings>) -> Result<Option<AuditSettings>, ConversionError> {
    let read = |v1::AuditSettings { mode, keep_days }| {
        Ok(AuditSettings {
            mode: match mode.as_str() {
                "" => AuditMode::default(),
                mode => mode
                    .parse()
                    .map_err(|error: NotAMode| ConversionError::new("audit.mode", error.to_string()))?,
            },
            keep_days: keep_days.filter(|days| *days > 0),
        })
    };
    settings.map(read).transpose()
}

fn rules(rules: BTreeMap<String, v1::AlertRule>) -> Result<AlertRules, ConversionError> {
    let read = |(name, rule): (String, v1::AlertRule)| {
        let v1::AlertRule {
            off,
            threshold,
            window_seconds,
            suspend,
        } = rule;
        let choice = RuleChoice {
            off,
            threshold,
            window_seconds,
            suspend,
        };
        Ok((parse("alert_rules", &name)?, choice))
    };
    Ok(AlertRules(rules.into_iter().map(read).collect::<Result<_, _>>()?))
}

fn shown(rules: &AlertRules) -> BTreeMap<String, v1::AlertRule> {
    let show = |(name, choice): (&Rule, &RuleChoice)| {
        let RuleChoice {
            off,
            threshold,
            window_seconds,
            suspend,
        } = *choice;
        let rule = v1::AlertRule {
            off,
            threshold,
            window_seconds,
            suspend,
        };
        (name.to_string(), rule)
    };
    rules.0.iter().map(show).collect()
}

/// What is to become of a tenant's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantChange {
    /// Which tenant.
    pub name: Name,
    /// How long to wait.
    pub write: Write,
    display_name: Option<String>,
    hide_models: Option<bool>,
    suspended: Option<bool>,
    credentials: Option<CredentialPolicy>,
    tags: Option<Tags>,
    staleness: Option<Staleness>,
    end_streams: Option<bool>,
    /// 0 is what there is where nothing was ever said.
    max_access_seconds: Option<u32>,
    justified_grants: Option<bool>,
    alerts: Option<AlertRules>,
    audit: Option<AuditSettings>,
}

impl TryFrom<v1::UpdateTenantRequest> for TenantChange {
    type Error = ConversionError;

    fn try_from(request: v1::UpdateTenantRequest) -> Result<Self, ConversionError> {
        let v1::UpdateTenantRequest {
            name,
            display_name,
            hide_models,
            suspended,
            options,
            credential_policy,
            tags: pairs,
            replace_tags,
            staleness: behind,
            end_streams,
            max_access_seconds,
            justified_grants,
            alert_rules,
            replace_alert_rules,
            audit: of_audit,
        } = request;
        if !replace_tags && !pairs.is_empty() {
            return Err(ConversionError::new(
                "tags",
                "are given without replace_tags; set it to replace all tags",
            ));
        }
        Ok(Self {
            name: parse("name", &name)?,
            write: options.try_into()?,
            display_name,
            hide_models,
            suspended,
            credentials: policy(credential_policy)?,
            tags: replace_tags.then(|| tags(pairs)),
            staleness: staleness(behind)?,
            end_streams,
            max_access_seconds,
            justified_grants,
            alerts: replace_alert_rules.then(|| rules(alert_rules)).transpose()?,
            audit: audit(of_audit)?,
        })
    }
}

impl TenantChange {
    /// The settings after the change.
    pub fn apply(&self, from: &TenantSettings) -> TenantSettings {
        let TenantSettings {
            display_name,
            hide_models,
            suspended,
            credentials,
            tags,
            staleness,
            end_streams,
            max_access_seconds,
            justified_grants,
            alerts,
            audit,
        } = from.clone();
        TenantSettings {
            display_name: self.display_name.clone().map_or(display_name, known),
            hide_models: self.hide_models.unwrap_or(hide_models),
            suspended: self.suspended.unwrap_or(suspended),
            credentials: self.credentials.clone().unwrap_or(credentials),
            tags: self.tags.clone().unwrap_or(tags),
            staleness: self.staleness.clone().unwrap_or(staleness),
            end_streams: self.end_streams.unwrap_or(end_streams),
            max_access_seconds: self
                .max_access_seconds
                .map_or(max_access_seconds, |most| Some(most).filter(|most| *most > 0)),
            justified_grants: self.justified_grants.unwrap_or(justified_grants),
            alerts: self.alerts.clone().unwrap_or(alerts),
            audit: self.audit.clone().unwrap_or(audit),
        }
    }
}

impl From<&Tenant> for v1::Tenant {
    fn from(tenant: &Tenant) -> Self {
        let TenantSettings {
            display_name,
            hide_models,
            suspended,
            credentials,
            tags,
            staleness,
            end_streams,
            max_access_seconds,
            justified_grants,
            alerts,
            audit,
        } = tenant.settings();
        Self {
            name: tenant.name().to_string(),
            display_name: text(display_name.as_ref()),
            hide_models: *hide_models,
            suspended: *suspended,
            created_us: tenant.created().as_micros(),
            alert_rules: shown(alerts),
            credential_policy: Some(credentials)
                .filter(|policy| **policy != CredentialPolicy::default())
                .map(v1::CredentialPolicy::from),
            tags: pairs(tags),
            staleness: Some(staleness)
                .filter(|staleness| **staleness != Staleness::default())
                .map(|Staleness { max_seconds, models }| v1::Staleness {
                    max_seconds: *max_seconds,
                    models: texts(models),
                }),
            end_streams: *end_streams,
            max_access_seconds: *max_access_seconds,
            justified_grants: *justified_grants,
            audit: Some(audit)
                .filter(|audit| **audit != AuditSettings::default())
                .map(|AuditSettings { mode, keep_days }| v1::AuditSettings {
                    mode: mode.to_string(),
                    keep_days: *keep_days,
                }),
        }
    }
}
