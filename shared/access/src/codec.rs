//! A snapshot as text: one JSON record a line, so that it can be cut into chunks anywhere between lines.
//!
//! The first line says where the snapshot stands and how many records follow; a missing, doubled or unknown
//! record fails the whole, and nothing half-read is ever used.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    alert::Alerts,
    audit::sink::HeldSink,
    credential::Credential,
    edge::EdgeRecord,
    fold::Missing,
    grant::Grant,
    id::{Id, ModelId, Name, Timestamp},
    issuer::{Issuer, Revocations, TokenKey},
    limit::HeldLimit,
    log::Head,
    model::{Fallback, Model, Provider},
    offer::Offer,
    request::HeldRequest,
    role::Role,
    snapshot::{HeldGrant, HeldTeam, Snapshot, Tenant},
    tenant::{Account, Team, TenantSettings},
};

/// The format that this build writes. It reads this one and all before it.
pub const FORMAT: u32 = 1;

/// One line. Records of a tenant follow its `Tenant` record; grants come after whom they name.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Record {
    Snapshot {
        format: u32,
        head: Head,
        bootstrapped: bool,
        records: u64,
    },
    /// Of Turnpike's own tokens; these come before the tenants.
    TokenKey(TokenKey),
    /// What was decided about an edge; these come before the tenants.
    Edge(EdgeRecord),
    Tenant {
        name: Name,
        settings: TenantSettings,
        created: Timestamp,
    },
    Role(Arc<Role>),
    Team(Team),
    Account(Account),
    /// Of an account before it; those of one account in the order in which they were made.
    AccessRequest(HeldRequest),
    /// A credential of an account that was deleted; it follows with the others.
    Retired {
        credential: Id,
    },
    Grant {
        grant: Grant,
        created: Timestamp,
        created_by: Arc<str>,
    },
    Provider(Provider),
    Model(Model),
    Alias {
        alias: Arc<str>,
        target: ModelId,
    },
    Fallback(Fallback),
    Alerts(Alerts),
    AuditSink {
        name: Name,
        held: HeldSink,
    },
    Limit(HeldLimit),
    Offer(Offer),
    Issuer(Issuer),
    Revocations {
        issuer: Name,
        revocations: Revocations,
    },
    Credential(Credential),
}

/// The text is not a snapshot that this build can use.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line is not a record of ours.
    #[error("line {line} of the snapshot cannot be read: {source}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Written by a newer version.
    #[error("the snapshot has format {0}, this version of Turnpike reads up to {FORMAT}")]
    Format(u32),
    /// Lines are missing, doubled or out of order.
    #[error("the snapshot is incomplete or out of order at line {0}")]
    Order(u64),
}

/// Writes a snapshot, line by line, each ended by a newline. Nothing is held but the line.
///
/// # Errors
/// Whatever `sink` answers.
pub fn encode<E: From<serde_json::Error>>(
    snapshot: &Snapshot,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let tenants = snapshot.tenants();
    let counts = tenants
        .iter()
        .map(|tenant| records_of(tenant).count())
        .sum::<usize>();
    let beside = snapshot.token_keys.len() + snapshot.edges.iter().len() + snapshot.credentials.len();
    let first = Record::Snapshot {
        format: FORMAT,
        head: snapshot.head,
        bootstrapped: snapshot.bootstrapped,
        records: u64::try_from(counts + beside).unwrap_or(u64::MAX),
    };
    let mut line = Vec::with_capacity(1024);
    let mut write = |record: &Record| -> Result<(), E> {
        line.clear();
        serde_json::to_writer(&mut line, record)?;
        line.push(b'\n');
        sink(&line)
    };
    write(&first)?;
    let keys = snapshot.token_keys.iter().cloned();
    keys.map(Record::TokenKey).try_for_each(|record| write(&record))?;
    let edges = snapshot.edges.iter().cloned();
    edges.map(Record::Edge).try_for_each(|record| write(&record))?;
    for tenant in tenants {
        records_of(tenant).try_for_each(|record| write(&record))?;
    }
    let credentials = snapshot.credentials.iter();
    credentials
        .map(|whole| Record::Credential(Credential::clone(whole)))
        .try_for_each(|record| write(&record))
}

/// What has an order of its own.
fn rules_of(tenant: &Tenant) -> impl Iterator<Item = Record> {
    let fallbacks = tenant.fallbacks.iter().cloned().map(Record::Fallback);
    fallbacks
        .chain(tenant.limits.iter().cloned().map(Record::Limit))
        .chain(tenant.offers.iter().cloned().map(Record::Offer))
}

fn records_of(tenant: &Tenant) -> impl Iterator<Item = Record> {
    let head = Record::Tenant {
        name: tenant.name.clone(),
        settings: tenant.settings.clone(),
        created: tenant.created,
    };
    let grant = |held: &Arc<HeldGrant>| Record::Grant {
        grant: held.grant.clone(),
        created: held.created,
        created_by: held.created_by.clone(),
    };
    std::iter::once(head)
        .chain(tenant.roles.values().cloned().map(Record::Role))
        .chain(tenant.teams.values().map(|held| Record::Team(held.team.clone())))
        .chain(
            tenant
                .accounts
                .values()
                .map(|held| Record::Account(held.account.clone())),
        )
        .chain(asked_and_told_of(tenant))
        .chain(
            tenant
                .retired
                .keys()
                .map(|id| Record::Retired { credential: *id }),
        )
        // In the order in which they were made, which is the order in which a subject's grants are tried.
        .chain(tenant.grants().into_iter().map(grant))
        .chain(
            tenant
                .providers
                .values()
                .map(|held| Record::Provider(Provider::clone(held))),
        )
        .chain(
            tenant
                .models
                .values()
                .map(|held| Record::Model(Model::clone(held))),
        )
        .chain(tenant.aliases.iter().map(|(alias, target)| Record::Alias {
            alias: alias.clone(),
            target: target.clone(),
        }))
        .chain(rules_of(tenant))
        .chain(
            tenant
                .issuers
                .values()
                .map(|held| Record::Issuer(Issuer::clone(held))),
        )
        .chain(
            tenant
                .revocations
                .iter()
                .map(|(issuer, held)| Record::Revocations {
                    issuer: issuer.clone(),
                    revocations: Revocations::clone(held),
                }),
        )
}

/// What each account asked for, in the order in which it did, what is held of alerts, and where the audit goes.
fn asked_and_told_of(tenant: &Tenant) -> impl Iterator<Item = Record> {
    let all = tenant.access_requests.values();
    let alerts = Some(&*tenant.alerts).filter(|alerts| !alerts.is_empty());
    all.flat_map(|of| of.iter().cloned())
        .map(Record::AccessRequest)
        .chain(alerts.cloned().map(Record::Alerts))
        .chain(tenant.sinks.iter().map(|(name, held)| Record::AuditSink {
            name: name.clone(),
            held: held.clone(),
        }))
}

/// Puts a snapshot together from its lines. Feed it whole lines, then [`Decoder::finish`].
#[derive(Default)]
pub struct Decoder {
    snapshot: Snapshot,
    tenant: Option<Tenant>,
    line: u64,
    expected: Option<u64>,
}

impl Decoder {
    /// Takes any number of whole lines.
    ///
    /// # Errors
    /// The snapshot can't be used; start again with a new decoder.
    pub fn feed(&mut self, lines: &[u8]) -> Result<(), Unreadable> {
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.line += 1;
            let source = |source| Unreadable::Line {
                line: self.line,
                source,
            };
            let record = serde_json::from_slice(line).map_err(source)?;
            self.take(record)?;
        }
        Ok(())
    }

    /// The snapshot, if every record that the first line announced has come.
    ///
    /// # Errors
    /// Lines are missing.
    pub fn finish(mut self) -> Result<Snapshot, Unreadable> {
        self.close_tenant();
        match self.expected {
            Some(expected) if self.line == expected + 1 => Ok(self.snapshot),
            _ => Err(Unreadable::Order(self.line)),
        }
    }

    fn close_tenant(&mut self) {
        if let Some(tenant) = self.tenant.take() {
            for issuer in tenant.issuers.values() {
                self.snapshot.list_issuer(&tenant.name, issuer);
            }
            let name = tenant.name.clone();
            self.snapshot.tenants.insert(&name, Arc::new(tenant));
        }
    }

    fn take(&mut self, record: Record) -> Result<(), Unreadable> {
        let out_of_order = Unreadable::Order(self.line);
        match record {
            Record::Snapshot { format, .. } if format > FORMAT => return Err(Unreadable::Format(format)),
            Record::Snapshot {
                head,
                bootstrapped,
                records,
                ..
            } if self.line == 1 => {
                self.snapshot.head = head;
                self.snapshot.bootstrapped = bootstrapped;
                self.expected = Some(records);
            }
            _ if self.expected.is_none() => return Err(out_of_order),
            Record::TokenKey(key) if self.tenant.is_none() => {
                Arc::make_mut(&mut self.snapshot.token_keys).push(key);
            }
            Record::Edge(edge) if self.tenant.is_none() => self.snapshot.edges.put(edge),
            Record::Tenant {
                name,
                settings,
                created,
            } => {
                self.close_tenant();
                self.tenant = Some(Tenant::new(name, settings, created));
            }
            Record::Credential(credential) => {
                self.close_tenant();
                self.restore_credential(credential).ok_or(out_of_order)?;
            }
            record => {
                let tenant = self.tenant.as_mut().ok_or(Unreadable::Order(self.line))?;
                restore(tenant, record).map_err(|Missing(_)| out_of_order)?;
            }
        }
        Ok(())
    }

    /// The many credentials of a tenant share one copy of its name.
    fn restore_credential(&mut self, mut credential: Credential) -> Option<()> {
        let tenant = self.snapshot.tenants.get(&credential.tenant)?;
        credential.tenant = tenant.name.clone();
        let account = tenant.account(&credential.owner);
        if let Some(held) = account {
            credential.owner = held.account.principal.clone();
        }
        self.snapshot
            .put_credential(credential)
            .filter(|new| *new)
            .map(drop)
    }
}

fn restore(tenant: &mut Tenant, record: Record) -> Result<(), Missing> {
    match record {
        Record::Role(role) => {
            tenant.roles.insert(role.name.clone(), role);
        }
        Record::Team(team) => {
            let (name, grants) = (team.name.clone(), Vec::new());
            tenant.teams.insert(&name, Arc::new(HeldTeam { team, grants }));
        }
        Record::Account(account) => tenant.restore_account(account),
        Record::AccessRequest(held) => tenant.restore_request(held)?,
        Record::Retired { credential } => {
            tenant.retired.insert(credential, ());
        }
        Record::Grant {
            grant,
            created,
            created_by,
        } => {
            let role = tenant.role(grant.role.as_str()).ok_or(Missing("role"))?;
            tenant.restore_grant(HeldGrant {
                grant,
                role,
                created,
                created_by,
            })?;
        }
        Record::Provider(provider) => tenant.set_provider(provider),
        Record::Model(model) => tenant.restore_model(model),
        Record::Alias { alias, target } => {
            tenant.aliases.insert(alias, target);
        }
        Record::Fallback(rule) => Arc::make_mut(&mut tenant.fallbacks).push(rule),
        Record::Alerts(alerts) => tenant.alerts = Arc::new(alerts),
        Record::AuditSink { name, held } => drop(Arc::make_mut(&mut tenant.sinks).insert(name, held)),
        Record::Limit(held) => tenant.restore_limit(held),
        Record::Offer(offer) => Arc::make_mut(&mut tenant.offers).push(offer),
        Record::Issuer(issuer) => {
            tenant.issuers.insert(issuer.name.clone(), Arc::new(issuer));
        }
        Record::Revocations { issuer, revocations } => {
            tenant.revocations.insert(issuer, Arc::new(revocations));
        }
        Record::Snapshot { .. }
        | Record::Tenant { .. }
        | Record::TokenKey(_)
        | Record::Edge(_)
        | Record::Credential(_) => {
            return Err(Missing("order"));
        }
    }
    Ok(())
}
