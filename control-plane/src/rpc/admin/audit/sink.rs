//! Where the audit is sent on to, and how that goes. A secret is sealed before it goes any further than this file.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    audit::sink::{HeldSink, Way},
    command::Command,
    id::Name,
};
use turnpike_proto::{
    ConversionError,
    admin::{Delete, NewSink, Page, v1},
};

use crate::{
    notify,
    rpc::{
        admin::{Administration, Answer, call::read, part::part},
        status::Failure,
    },
    sink,
    store::sink::{Progress, Waiting},
};

impl Administration {
    pub(super) async fn set_audit_sink(
        &self,
        request: Request<v1::SetAuditSinkRequest>,
    ) -> Answer<v1::AuditSinkResponse> {
        let (call, message) = self.admit(request).await?;
        let NewSink {
            name,
            mut sink,
            secret,
            write,
        } = read(message)?;
        call.may(&name)?;
        let held = call.target()?.sinks().get(&name);
        sink.sealed_secret = match secret.is_empty() {
            // A secret goes where it was meant to go, and nowhere else.
            true => held
                .filter(|held| held.sink.way == sink.way)
                .and_then(|held| held.sink.sealed_secret.clone()),
            false => {
                usable(&sink.way, &secret)?;
                let purpose = sink::purpose(&call.identity.target, &name);
                let sealed = self.keyring.seal(&purpose, secret.as_bytes());
                Some(Arc::from(sealed.map_err(Failure::from)?.to_string()))
            }
        };
        let command = Command::SetAuditSink {
            name: name.clone(),
            sink: Box::new(sink),
        };
        let written = call.write(vec![command], write).await?;
        let set = written.tenant()?.sinks().get(&name);
        let sink = set.map(|set| v1::AuditSink::named(&name, set));
        Ok(Response::new(v1::AuditSinkResponse {
            sink,
            receipt: Some(written.into_receipt()),
        }))
    }

    pub(super) async fn audit_sinks(&self, request: Request<v1::Page>) -> Answer<v1::ListAuditSinksResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let held = call.allowed_tenant("")?.sinks().iter();
        let (shown, next) = part(held.collect(), &page, |(name, _)| name.to_string())?;
        let mut sinks = Vec::new();
        for (name, held) in shown {
            let progress = self.progress(&call.identity.target, held).await?;
            sinks.push(v1::AuditSink {
                progress: Some(progress),
                ..v1::AuditSink::named(name, held)
            });
        }
        Ok(Response::new(v1::ListAuditSinksResponse { sinks, next }))
    }

    pub(super) async fn delete_audit_sink(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call.write(vec![Command::DeleteAuditSink { name }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }

    async fn progress(&self, tenant: &Name, held: &HeldSink) -> Result<v1::AuditSinkProgress, Failure> {
        let (made, since) = (held.made, held.sink.since);
        let Progress {
            attempts,
            due,
            error,
            taken,
            removed,
            missing,
            rejected,
        } = self.audit.sink_progress(made).await?.unwrap_or_default();
        let Waiting { rows, oldest } = self.audit.waiting(tenant, made, since, sink::COUNTED).await?;
        // What other tenants lost is not a tenant's to know.
        let operators = *tenant == Name::platform();
        Ok(v1::AuditSinkProgress {
            waiting: rows,
            oldest_us: oldest.map(|time| time.as_micros()),
            taken_us: taken.map(|time| time.as_micros()),
            error: error.unwrap_or_default(),
            attempts,
            again_us: due.filter(|_| attempts > 0).map(|time| time.as_micros()),
            removed,
            missing: if operators { missing } else { 0 },
            rejected,
        })
    }
}

/// Whether a secret is one that its way can use.
fn usable(way: &Way, secret: &str) -> Result<(), Failure> {
    let problem = match way {
        Way::Webhook { .. } if notify::signing_key(secret).is_none() => {
            "is at least 24 bytes, or whsec_ and such in base64"
        }
        Way::Otlp { .. } if sink::headers(secret).is_none() => {
            "is a token without spaces, or headers, a line NAME: VALUE each"
        }
        Way::Syslog { .. } => "is not for syslog, which shows none",
        Way::Webhook { .. } | Way::Otlp { .. } => return Ok(()),
    };
    Err(ConversionError::new("secret", problem).into())
}
