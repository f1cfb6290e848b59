//! For tests: a control plane's core on a SQLite file of its own, with an administrator in it.

use std::{path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;
use turnpike_access::{
    command::Command,
    credential::Credential,
    digest::Peppers,
    grant::{Conditions, Effect, Grant, Subject},
    id::{Id, Name, Principal, Timestamp},
    log::Position,
    pattern::Selector,
    snapshot::Snapshot,
    tenant::AccountProfile,
};
use turnpike_runtime::readiness::Readiness;

use crate::{
    execute::{Authority, ExecuteError, Executed, Executor, Writer},
    projection::{Projection, load},
    store::{self, EventStore},
};

/// The first administrator's key.
pub(crate) const ROOT: &str = "root00000000";

/// Executor, projection and store, the writer running.
pub(crate) struct Core {
    /// The database, for further connections.
    pub(crate) url: String,
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) projection: Arc<Projection>,
    pub(crate) executor: Executor,
    stop: CancellationToken,
}

impl Core {
    /// A core on the database in a folder, and its writer, which is not yet running.
    pub(crate) async fn idle_in(folder: &Path) -> (Self, Writer) {
        let url = format!("sqlite://{}", folder.join("turnpike.db").display());
        store::migrate(&url, None).await.unwrap();
        let store = store::connect(&url).await.unwrap().events;
        let projection = Arc::new(Projection::new(load::load(&*store).await.unwrap()));
        let (executor, writer) = Writer::new(store.clone(), projection.clone());
        let core = Self {
            url,
            store,
            projection,
            executor,
            stop: CancellationToken::new(),
        };
        (core, writer)
    }

    /// A core on the database in a folder.
    #[expect(clippy::disallowed_methods, reason = "a test's runtime ends with the test")]
    pub(crate) async fn in_folder(folder: &Path) -> Self {
        let (core, writer) = Self::idle_in(folder).await;
        let condition = Readiness::new().condition("database", "starting");
        tokio::spawn(writer.run(condition, core.stop.clone()));
        core
    }

    /// Makes the first administrator.
    pub(crate) async fn bootstrap(&self) -> Executed {
        let credential = credential("platform", "user:root", ROOT);
        let command = Command::Bootstrap {
            administrator: name("root"),
            credential,
        };
        self.ask(Authority::BootstrapToken, "platform", vec![command])
            .await
            .unwrap()
    }

    /// Asks for commands in a tenant.
    pub(crate) async fn ask(
        &self,
        authority: Authority,
        tenant: &str,
        commands: Vec<Command>,
    ) -> Result<Executed, ExecuteError> {
        self.executor
            .execute(authority, name(tenant), Arc::from("test"), commands)
            .await
    }

    /// Asks as the first administrator.
    pub(crate) async fn ask_as_root(
        &self,
        tenant: &str,
        commands: Vec<Command>,
    ) -> Result<Executed, ExecuteError> {
        self.ask(as_owner_of(ROOT), tenant, commands).await
    }

    /// Who was handed which credential's new key, by the log: actor and payload.
    pub(crate) async fn handed_over(&self) -> Vec<(String, String)> {
        let events = self.store.read(Position::ZERO, 10_000).await.unwrap().into_iter();
        let handed = events.filter(|event| event.kind.as_ref() == "credential.handed_over");
        handed
            .map(|event| (event.origin.actor.to_string(), event.payload.to_string()))
            .collect()
    }

    /// What readers see.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.executor.snapshot()
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A name.
pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// An id.
pub(crate) fn id(text: &str) -> Id {
    text.parse().unwrap()
}

/// Asks as whoever owns a key.
pub(crate) fn as_owner_of(key: &str) -> Authority {
    Authority::Credential(id(key))
}

/// A key of somebody.
pub(crate) fn credential(tenant: &str, owner: &str, key: &str) -> Credential {
    let peppers = Peppers::new([(1, [7; 32])]);
    let digest = peppers.digest(id(key), &"s".repeat(43)).unwrap();
    let made = (Timestamp::from_micros(1), Arc::from("test"));
    Credential::new(id(key), name(tenant), owner.parse().unwrap(), digest, made)
}

/// A new user.
pub(crate) fn create_user(user: &str) -> Command {
    Command::CreateAccount {
        principal: Principal::User(name(user)),
        profile: AccountProfile::default(),
        teams: Vec::new(),
    }
}

/// A role for a user, on everything.
pub(crate) fn grant(grant: &str, user: &str, role: &str) -> Command {
    Command::CreateGrant(Grant {
        id: id(grant),
        subject: Subject::Principal(Principal::User(name(user))),
        role: name(role),
        effect: Effect::Allow,
        selector: Selector::default(),
        conditions: Conditions::default(),
        reason: None,
        owner: None,
    })
}

/// Another team.
pub(crate) fn create_team(team: &str) -> Command {
    Command::CreateTeam {
        name: name(team),
        profile: Default::default(),
    }
}
