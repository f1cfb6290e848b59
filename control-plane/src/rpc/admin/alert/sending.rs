//! Where alerts go, and what became of those on their way. A secret is sealed before it goes any further than this file.

use std::sync::Arc;

use tonic::{Request, Response};
use turnpike_access::{
    alert::{
        Alert,
        destination::{Channel, Destination, is_url},
    },
    command::Command,
    id::Name,
    log::Position,
};
use turnpike_proto::{
    ConversionError,
    admin::{Delete, NewDestination, Page, Write, v1},
};
use turnpike_runtime::random;

use crate::{
    notify,
    rpc::{
        admin::{Administration, Answer, call::read, part::part},
        status::Failure,
    },
    store::outbox::{Delivery, State, StoredDelivery},
};

/// What tests are.
const TEST: &str = "test";

impl Administration {
    /// It begins and ends in one change, so that both are seen and nothing is left open.
    pub(super) async fn test_alert(
        &self,
        request: Request<v1::TestAlertRequest>,
    ) -> Answer<v1::AlertResponse> {
        let (call, v1::TestAlertRequest { options }) = self.admit(request).await?;
        let write: Write = read(options)?;
        let id = random::id();
        let alert = Alert {
            id,
            kind: TEST.into(),
            subject: None,
            credential: None,
            summary: format!("{} tries where alerts go.", call.actor()?).into(),
            count: None,
            audit: Vec::new(),
            evidence: Default::default(),
        };
        let resolve = Command::ResolveAlert {
            id,
            count: None,
            reason: "it was a test".into(),
        };
        let written = call
            .write(vec![Command::RaiseAlert(alert), resolve], write)
            .await?;
        Ok(Response::new(call.alert(id, Some(written)).await?))
    }

    pub(super) async fn set_alert_destination(
        &self,
        request: Request<v1::SetAlertDestinationRequest>,
    ) -> Answer<v1::AlertDestinationResponse> {
        let (call, message) = self.admit(request).await?;
        let NewDestination {
            name,
            mut destination,
            secret,
            write,
        } = read(message)?;
        call.may(&name)?;
        let held = call.target()?.alerts().destinations.get(&name);
        destination.sealed_secret = match secret.is_empty() {
            // A secret goes where it was meant to go, and nowhere else.
            true => held
                .filter(|held| held.channel == destination.channel)
                .and_then(|held| held.sealed_secret.clone()),
            false => {
                usable(&destination, &secret)?;
                Some(self.seal_for(&call.identity.target, &name, &secret)?)
            }
        };
        let command = Command::SetAlertDestination {
            name: name.clone(),
            destination: Box::new(destination),
        };
        let written = call.write(vec![command], write).await?;
        let set = written.tenant()?.alerts().destinations.get(&name);
        let destination = set.map(|set| v1::AlertDestination::named(&name, set));
        Ok(Response::new(v1::AlertDestinationResponse {
            destination,
            receipt: Some(written.into_receipt()),
        }))
    }

    fn seal_for(&self, tenant: &Name, destination: &Name, secret: &str) -> Result<Arc<str>, Failure> {
        let purpose = notify::purpose(tenant, destination);
        Ok(self.keyring.seal(&purpose, secret.as_bytes())?.to_string().into())
    }

    pub(super) async fn alert_destinations(
        &self,
        request: Request<v1::Page>,
    ) -> Answer<v1::ListAlertDestinationsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let held = &call.allowed_tenant("")?.alerts().destinations;
        let all = held
            .iter()
            .map(|(name, one)| v1::AlertDestination::named(name, one));
        let (destinations, next) = part(all.collect(), &page, |one| one.name.clone())?;
        Ok(Response::new(v1::ListAlertDestinationsResponse {
            destinations,
            next,
        }))
    }

    pub(super) async fn delete_alert_destination(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name, write } = read(message)?;
        let written = call
            .write(vec![Command::DeleteAlertDestination { name }], write)
            .await?;
        Ok(Response::new(written.into_receipt()))
    }

    pub(super) async fn alert_deliveries(
        &self,
        request: Request<v1::ListAlertDeliveriesRequest>,
    ) -> Answer<v1::ListAlertDeliveriesResponse> {
        let (call, message) = self.admit(request).await?;
        let v1::ListAlertDeliveriesRequest { page, state } = message;
        call.may("")?;
        let Page { size, after } = read(page)?;
        let unknown = |field: &str, problem: &str| Failure::from(ConversionError::new(field, problem));
        let state = match state.as_str() {
            "" => None,
            "waiting" => Some(State::Waiting),
            "sent" => Some(State::Sent),
            "dead" => Some(State::Dead),
            _ => return Err(unknown("state", "is one of waiting, sent, dead").into()),
        };
        // A list goes on behind an event; the destinations of one event stay together.
        let before = match after.as_str() {
            "" => u64::MAX,
            text => text
                .parse()
                .map_err(|_| unknown("after", "is not what a list named as next"))?,
        };
        let limit = size.saturating_add(u32::try_from(MOST).unwrap_or_default());
        let found = self
            .outbox
            .deliveries(&call.identity.target, state, Position::new(before), limit)
            .await
            .map_err(Failure::from)?;
        let (shown, next) = whole_events(found, usize::try_from(size).unwrap_or(usize::MAX));
        Ok(Response::new(v1::ListAlertDeliveriesResponse {
            deliveries: shown.into_iter().map(view).collect(),
            next,
        }))
    }

    pub(super) async fn retry_alert_deliveries(
        &self,
        request: Request<v1::RetryAlertDeliveriesRequest>,
    ) -> Answer<v1::RetryAlertDeliveriesResponse> {
        let (call, v1::RetryAlertDeliveriesRequest { destination }) = self.admit(request).await?;
        call.may(&destination)?;
        let name: Option<Name> = match destination.as_str() {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|problem| ConversionError::new("destination", problem))
                    .map_err(Failure::from)?,
            ),
        };
        let revived = self
            .outbox
            .revive(&call.identity.target, name.as_ref(), call.now)
            .await;
        Ok(Response::new(v1::RetryAlertDeliveriesResponse {
            deliveries: revived.map_err(Failure::from)?,
        }))
    }
}

/// Destinations of one event.
const MOST: usize = turnpike_access::alert::destination::MAX_DESTINATIONS;

/// Cuts a list between two events, and names where to go on.
fn whole_events(mut found: Vec<StoredDelivery>, size: usize) -> (Vec<StoredDelivery>, String) {
    let Some(edge) = found.get(size.saturating_sub(1)).map(|one| one.delivery.position) else {
        return (found, String::new());
    };
    let end = found.partition_point(|one| one.delivery.position >= edge);
    let next = match end < found.len() {
        true => edge.to_string(),
        false => String::new(),
    };
    found.truncate(end);
    (found, next)
}

fn view(stored: StoredDelivery) -> v1::AlertDelivery {
    let StoredDelivery {
        delivery,
        state,
        time,
        error,
    } = stored;
    let Delivery {
        tenant: _,
        position,
        destination,
        attempts,
    } = delivery;
    v1::AlertDelivery {
        position: position.get(),
        destination: destination.to_string(),
        state: state.as_str().to_owned(),
        attempts,
        time_us: time.as_micros(),
        error: error.unwrap_or_default(),
    }
}

/// Whether a secret is one that its channel can use.
fn usable(destination: &Destination, secret: &str) -> Result<(), Failure> {
    let problem = match &destination.channel {
        Channel::Webhook { .. } if notify::signing_key(secret).is_none() => {
            "is at least 24 bytes, or whsec_ and such in base64"
        }
        Channel::Slack {} if !is_url(secret) => {
            "is the URL of Slack's webhook, https://hooks.slack.com/services/…"
        }
        Channel::Email { .. } => "is not for e-mail: its server is the operators', TURNPIKE_SMTP_URL",
        Channel::Otlp { .. } if !secret.bytes().all(|byte| byte.is_ascii_graphic()) => {
            "is sent as a bearer token: letters, digits and signs without spaces"
        }
        _ => return Ok(()),
    };
    Err(ConversionError::new("secret", problem).into())
}
