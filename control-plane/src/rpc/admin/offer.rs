//! What the operators offer to tenants of their own models.

use tonic::{Request, Response};
use turnpike_access::{command::Command, id::Name, offer::Audience, snapshot::Tenant};
use turnpike_proto::admin::{Delete, NewOffer, Page, v1};
use turnpike_runtime::random;

use super::{Administration, Answer, call::read, part::part};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::offer_service_server::OfferService for Administration {
    async fn create(&self, request: Request<v1::CreateOfferRequest>) -> Answer<v1::OfferResponse> {
        let (call, message) = self.admit(request).await?;
        let new: NewOffer = read(message)?;
        let (id, write, platform) = (random::id(), new.write, Name::platform());
        // Where nobody is named, the tenant that the call is about is meant.
        let about = call.identity.target.clone();
        let named = Audience::Named(Vec::from_iter(Some(about).filter(|about| *about != platform)));
        let command = Command::CreateOffer(new.with_id(id, named));
        let written = call.about(&platform)?.write(vec![command], write).await?;
        Ok(Response::new(v1::OfferResponse {
            offer: Some(find(written.tenant()?, id.as_str())?),
            receipt: written.receipt,
        }))
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::OfferResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        let call = call.about(&Name::platform())?;
        Ok(Response::new(v1::OfferResponse {
            offer: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListOffersResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let call = call.about(&Name::platform())?;
        let offers = call.allowed_tenant("")?.offers().iter().collect();
        let (some, next) = part(offers, &page, |offer| offer.id.to_string())?;
        let offers = some.into_iter().map(v1::Offer::from).collect();
        Ok(Response::new(v1::ListOffersResponse { offers, next }))
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name: id, write } = read(message)?;
        let call = call.about(&Name::platform())?;
        let written = call.write(vec![Command::DeleteOffer { id }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn find(tenant: &Tenant, id: &str) -> Result<v1::Offer, Failure> {
    let found = tenant.offers().iter().find(|offer| offer.id.as_str() == id);
    found
        .map(v1::Offer::from)
        .ok_or_else(|| Failure::not_found("offer", id))
}
