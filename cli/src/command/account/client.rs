//! One client for the two services, which have the same messages and differ in nothing but their paths.

use tonic::Status;
use turnpike_proto::admin::v1::{
    AccountResponse, CreateAccountRequest, DeleteRequest, ListAccountsResponse, NameRequest, Page, Receipt,
    UpdateAccountRequest, user_service_client::UserServiceClient,
    virtual_account_service_client::VirtualAccountServiceClient,
};

use crate::connect::Service;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum Kind {
    /// People.
    User,
    /// Applications.
    VirtualAccount,
}

impl Kind {
    /// The field under which JSON and YAML show one.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::VirtualAccount => "virtual_account",
        }
    }
}

pub(super) enum Client {
    User(UserServiceClient<Service>),
    VirtualAccount(VirtualAccountServiceClient<Service>),
}

impl Client {
    pub(super) fn new(service: Service, kind: Kind) -> Self {
        match kind {
            Kind::User => Self::User(UserServiceClient::new(service)),
            Kind::VirtualAccount => Self::VirtualAccount(VirtualAccountServiceClient::new(service)),
        }
    }

    pub(super) async fn create(&mut self, request: CreateAccountRequest) -> Result<AccountResponse, Status> {
        let answer = match self {
            Self::User(client) => client.create(request).await,
            Self::VirtualAccount(client) => client.create(request).await,
        };
        Ok(answer?.into_inner())
    }

    pub(super) async fn get(&mut self, request: NameRequest) -> Result<AccountResponse, Status> {
        let answer = match self {
            Self::User(client) => client.get(request).await,
            Self::VirtualAccount(client) => client.get(request).await,
        };
        Ok(answer?.into_inner())
    }

    pub(super) async fn list(&mut self, page: Page) -> Result<ListAccountsResponse, Status> {
        let answer = match self {
            Self::User(client) => client.list(page).await,
            Self::VirtualAccount(client) => client.list(page).await,
        };
        Ok(answer?.into_inner())
    }

    pub(super) async fn update(&mut self, request: UpdateAccountRequest) -> Result<AccountResponse, Status> {
        let answer = match self {
            Self::User(client) => client.update(request).await,
            Self::VirtualAccount(client) => client.update(request).await,
        };
        Ok(answer?.into_inner())
    }

    pub(super) async fn delete(&mut self, request: DeleteRequest) -> Result<Receipt, Status> {
        let answer = match self {
            Self::User(client) => client.delete(request).await,
            Self::VirtualAccount(client) => client.delete(request).await,
        };
        Ok(answer?.into_inner())
    }
}
