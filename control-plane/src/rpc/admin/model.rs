//! The models of the catalogue.

use tonic::{Request, Response};
use turnpike_access::{command::Command, id::ModelId, snapshot::Tenant};
use turnpike_proto::admin::{Delete, ModelChange, NewModel, Page, v1};

use super::{
    Administration, Answer,
    call::{Written, read},
    part::part,
};
use crate::rpc::status::Failure;

#[tonic::async_trait]
impl v1::model_service_server::ModelService for Administration {
    async fn create(&self, request: Request<v1::CreateModelRequest>) -> Answer<v1::ModelResponse> {
        let (call, message) = self.admit(request).await?;
        let NewModel { id, profile, write } = read(message)?;
        let command = Command::CreateModel {
            id: id.clone(),
            profile,
        };
        answer(call.write(vec![command], write).await?, &id)
    }

    async fn get(&self, request: Request<v1::NameRequest>) -> Answer<v1::ModelResponse> {
        let (call, v1::NameRequest { name }) = self.admit(request).await?;
        Ok(Response::new(v1::ModelResponse {
            model: Some(find(call.allowed_tenant(&name)?, &name)?),
            receipt: None,
        }))
    }

    async fn list(&self, request: Request<v1::Page>) -> Answer<v1::ListModelsResponse> {
        let (call, message) = self.admit(request).await?;
        let page: Page = read(message)?;
        let (some, next) = part(call.allowed_tenant("")?.models(), &page, |one| one.id.to_string())?;
        let models = some.into_iter().map(|model| model.as_ref().into()).collect();
        Ok(Response::new(v1::ListModelsResponse { models, next }))
    }

    async fn update(&self, request: Request<v1::UpdateModelRequest>) -> Answer<v1::ModelResponse> {
        let (call, message) = self.admit(request).await?;
        let change: ModelChange = read(message)?;
        call.may(&change.id)?;
        let command = |tenant: &Tenant| {
            let held = tenant
                .model(change.id.as_str())
                .ok_or_else(|| missing(change.id.as_str()))?;
            let from = held.profile.clone();
            let to = change.apply(&from);
            Ok(Command::UpdateModel {
                id: change.id.clone(),
                from,
                to,
            })
        };
        answer(call.update(change.write, command).await?, &change.id)
    }

    async fn delete(&self, request: Request<v1::DeleteRequest>) -> Answer<v1::Receipt> {
        let (call, message) = self.admit(request).await?;
        let Delete { name: id, write } = read(message)?;
        let written = call.write(vec![Command::DeleteModel { id }], write).await?;
        Ok(Response::new(written.into_receipt()))
    }
}

fn missing(id: &str) -> Failure {
    Failure::not_found("model", id)
}

fn find(tenant: &Tenant, id: &str) -> Result<v1::Model, Failure> {
    Ok(tenant.model(id).ok_or_else(|| missing(id))?.as_ref().into())
}

fn answer(written: Written, id: &ModelId) -> Answer<v1::ModelResponse> {
    Ok(Response::new(v1::ModelResponse {
        model: Some(find(written.tenant()?, id.as_str())?),
        receipt: written.receipt,
    }))
}
