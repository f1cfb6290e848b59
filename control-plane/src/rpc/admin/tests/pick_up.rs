//! A key that Turnpike made by itself is handed out once, to its owner or to whoever may rotate it.

use futures::future::join_all;
use turnpike_access::digest::Peppers;
use turnpike_proto::admin::v1::virtual_account_service_client::VirtualAccountServiceClient;
use turnpike_runtime::{clock, token::fetch::Fetcher};

use super::*;
use crate::upkeep::Upkeep;

impl Served {
    /// A key of a new virtual account.
    async fn application(&self, name: &str) -> v1::SecretResponse {
        let account = v1::CreateAccountRequest {
            account: Some(v1::Account {
                name: name.to_owned(),
                ..Default::default()
            }),
            options: None,
        };
        let mut accounts = VirtualAccountServiceClient::new(self.channel.clone());
        accounts.create(by(&self.root, account)).await.unwrap();
        let request = v1::CreateCredentialRequest {
            owner: format!("virtual-account:{name}"),
            ..Default::default()
        };
        let made = self.credentials().create(by(&self.root, request)).await;
        made.unwrap().into_inner()
    }

    fn credentials(&self) -> CredentialServiceClient<Channel> {
        CredentialServiceClient::new(self.channel.clone())
    }

    /// Has every key of a virtual account rotated.
    async fn rotate_by_itself(&self) {
        let policy = v1::CredentialPolicy {
            rotate_after_seconds: Some(60),
            automatic_rotation: Some(v1::AutomaticRotation {
                overlap_seconds: 600,
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = v1::UpdateTenantRequest {
            name: "platform".to_owned(),
            credential_policy: Some(policy),
            ..Default::default()
        };
        let mut tenants = TenantServiceClient::new(self.channel.clone());
        tenants.update(by(&self.root, request)).await.unwrap();
        let upkeep = Upkeep {
            executor: self.core.executor.clone(),
            store: self.core.store.clone(),
            audit: store::connect(&self.core.url).await.unwrap().audit,
            keyring: self.keyring.clone(),
            peppers: Peppers::new(self.keyring.peppers()),
            fetcher: Fetcher::new(Vec::new(), Vec::new()).unwrap(),
        };
        upkeep.pass(clock::now().plus_seconds(61)).await;
    }

    async fn pick_up(&self, key: &str, id: &str) -> Result<String, Code> {
        let request = v1::CredentialRequest { id: id.to_owned() };
        let taken = self.credentials().pick_up(by(key, request)).await;
        taken
            .map(|taken| taken.into_inner().key)
            .map_err(|refused| refused.code())
    }
}

#[tokio::test]
async fn the_owner_picks_its_new_key_up_once_with_the_old_one_and_nobody_else_may() {
    let served = served().await;
    let (bot, other) = (served.application("bot").await, served.application("other").await);
    let (bot_id, other_id) = (bot.credential.unwrap().id, other.credential.unwrap().id);
    assert_eq!(served.pick_up(&bot.key, &bot_id).await, Err(Code::NotFound));
    served.rotate_by_itself().await;
    assert_eq!(
        served.pick_up(&other.key, &bot_id).await,
        Err(Code::PermissionDenied)
    );
    let new = served.pick_up(&bot.key, &bot_id).await.unwrap();
    assert_ne!(new, bot.key);
    for key in [&bot.key, &new] {
        assert_eq!(
            served.pick_up(key, &bot_id).await,
            Err(Code::NotFound),
            "it was taken"
        );
    }
    assert!(
        served.pick_up(&served.root, &other_id).await.is_ok(),
        "an administrator"
    );
    let told = |actor: &str, id: &str| (actor.to_owned(), format!(r#"{{"by":"pick_up","id":"{id}"}}"#));
    assert_eq!(
        served.core.handed_over().await,
        [
            told("virtual-account:bot", &bot_id),
            told("user:admin", &other_id)
        ],
        "each is an event, and so is nothing else"
    );
}

#[tokio::test]
async fn of_many_who_pick_a_key_up_at_once_one_gets_it() {
    let served = served().await;
    let bot = served.application("bot").await;
    let id = bot.credential.unwrap().id;
    served.rotate_by_itself().await;
    let all = join_all((0..8).map(|_| served.pick_up(&bot.key, &id))).await;
    let (got, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!(got.len(), 1);
    assert!(
        refused.iter().all(|refused| *refused == Err(Code::NotFound)),
        "{refused:?}"
    );
    assert_eq!(served.core.handed_over().await.len(), 1);
    assert_eq!(
        served.core.store.held_keys(None).await.unwrap(),
        [],
        "nothing is left of it"
    );
}
