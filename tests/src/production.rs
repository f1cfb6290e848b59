//! The second shape: separate processes on Postgres and NATS, joined by cables that a test can cut.
//!
//! One control plane, edges in `eu` and `us`, the fake provider as a process of its own. The first administrator is made
//! by the one-time token, everything else by the command line.

use std::{net::SocketAddr, ops::Deref, path::Path};

use tempfile::TempDir;

use crate::{
    cable::Cable,
    cli::Cli,
    database::Database,
    ground::{EdgeAt, Ground},
    nats::Nats,
    process::Process,
};

mod enrolled;
mod launch;
mod seed;

/// What the fake provider asks of its callers, in hope of never being seen elsewhere.
pub const PROVIDER_SECRET: &str = "sk-canary-provider-0a1b2c3d4e5f";

/// Where the tests' identity provider and webhooks are.
const THIS_MACHINE: &str = "127.0.0.0/8";

/// How the shape differs from the usual.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The edges' regions.
    pub regions: Vec<&'static str>,
    /// Further flags of every edge.
    pub edge_flags: Vec<String>,
    /// Further environment variables of the control plane and every edge.
    pub environment: Vec<(String, String)>,
    /// And of the edges of a region.
    pub of_edges: Vec<(&'static str, Vec<(String, String)>)>,
    /// What database and bus ask for; absent: nothing.
    pub passwords: Option<Passwords>,
    /// Nothing goes through the test's cables: they cannot be cut, and take no time.
    pub direct: bool,
    /// Edges enrol; else they come in by the keyring.
    pub enrolled: bool,
}

/// The passwords that an installation is set up with.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// Of the control plane's role in Postgres.
    pub database: String,
    /// Of everybody at NATS.
    pub nats: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            regions: vec!["eu", "us"],
            edge_flags: Vec::new(),
            environment: Vec::new(),
            of_edges: Vec::new(),
            passwords: None,
            direct: false,
            enrolled: false,
        }
    }
}

impl Plan {
    /// What differs for an edge of this region.
    fn of_edge(&self, region: &str) -> impl Iterator<Item = &(String, String)> {
        let own = self.of_edges.iter().filter(move |(of, _)| *of == region);
        self.environment.iter().chain(own.flat_map(|(_, own)| own))
    }

    /// Where somebody connects to who is to get to the end of a cable.
    fn way(&self, cable: &Cable) -> SocketAddr {
        let end = self.direct.then(|| cable.leads_to()).flatten();
        end.unwrap_or(cable.address)
    }
}

/// A running installation of separate processes.
#[derive(Debug)]
pub struct Production {
    /// The control plane's process.
    pub control_plane: Process,
    /// The edges' processes, in the order of the regions.
    pub edge_processes: Vec<Process>,
    /// The bus.
    pub nats: Nats,
    /// From edges and administrators to the control plane.
    pub to_control_plane: Cable,
    /// From edges that have enrolled to the control plane.
    pub to_edge_listener: Cable,
    /// From the control plane to Postgres.
    pub to_postgres: Cable,
    /// From everybody to NATS.
    pub to_nats: Cable,
    /// The database behind `to_postgres`.
    pub database: Database,
    /// Where the fake provider is.
    pub provider: SocketAddr,
    /// Where the control plane's operations are.
    pub operations: SocketAddr,
    /// A further control plane, which edges that are started from now on may ask as well.
    pub further: Option<SocketAddr>,
    /// Where that one listens to edges that have enrolled.
    pub further_edge_listener: Option<SocketAddr>,
    plan: Plan,
    keyring: String,
    ground: Ground,
    _provider_process: Process,
    folder: TempDir,
}

impl Production {
    /// Starts the usual one.
    pub async fn start() -> Self {
        Self::start_as(Plan::default()).await
    }

    /// Starts one with a single edge that has these further flags.
    pub async fn with_one_edge(flags: &[&str]) -> Self {
        let edge_flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        Self::start_as(Plan {
            regions: vec!["eu"],
            edge_flags,
            ..Plan::default()
        })
        .await
    }

    /// Starts one that differs from the usual.
    pub async fn start_as(plan: Plan) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let passwords = plan.passwords.as_ref();
        let mut database = Database::create(&launch::database_name(at)).await;
        let role = match passwords {
            Some(passwords) => Some(database.add_role(&passwords.database).await),
            None => None,
        };
        let nats = Nats::start(at, passwords.map(|passwords| passwords.nats.as_str())).await;
        let to_control_plane = Cable::lay(None).await;
        let to_edge_listener = Cable::lay(None).await;
        let to_postgres = Cable::lay(Some(database.server())).await;
        let to_nats = Cable::lay(Some(nats.address)).await;
        let keyring = launch::generate_keyring().await;
        launch::migrate(&database, role.as_deref()).await;
        let (provider_process, provider) = launch::start_provider(at).await;
        let places = (
            database.url_by_way_of(plan.way(&to_postgres)),
            nats.url_by_way_of(plan.way(&to_nats)),
        );
        let settings = control_plane_settings(places, &keyring, &plan);
        let (mut control_plane, grpc, operations) =
            launch::start_control_plane(at, &settings, "the control plane serves").await;
        to_control_plane.connect(grpc);
        enrolled::connect(&plan, &to_edge_listener, &mut control_plane, 0).await;
        let (operator, admin) = seed::administrators(at, to_control_plane.address).await;
        seed::catalogue(&admin, provider).await;
        let ground = Ground {
            edges: Vec::new(),
            admin,
            operator,
        };
        let mut production = Self {
            control_plane,
            edge_processes: Vec::new(),
            nats,
            to_control_plane,
            to_edge_listener,
            to_postgres,
            to_nats,
            database,
            provider,
            operations,
            further: None,
            further_edge_listener: None,
            plan,
            keyring,
            ground,
            _provider_process: provider_process,
            folder,
        };
        for region in production.plan.regions.clone() {
            let (process, edge) = production.start_edge(region).await;
            production.edge_processes.push(process);
            production.ground.edges.push(edge);
        }
        production.ground.admin.json(&["edge", "wait"]).await;
        production
    }

    /// Starts an edge of a region on its own folder, where an earlier one may have left something.
    pub async fn start_edge(&self, region: &str) -> (Process, EdgeAt) {
        let data = self.folder.path().join(format!("edge-{region}"));
        let token = self.token_for(&data, region).await;
        let skip =
            std::fs::read(self.folder.path().join(format!("edge-{region}.log"))).map_or(0, |log| log.len());
        let mut process = Process::start(
            self.folder.path(),
            &format!("edge-{region}"),
            "turnpike-edge",
            |command| {
                command.args([
                    "--region",
                    region,
                    "--name",
                    &format!("edge-{region}"),
                    "--listen",
                    "127.0.0.1:0",
                ]);
                command
                    .args(["--operations-listen", "127.0.0.1:0"])
                    .args(&self.plan.edge_flags);
                command.args(["--control-plane", &self.control_planes()]);
                command.envs(token.map(|token| ("TURNPIKE_ENROL_TOKEN", token)));
                command
                    .env(
                        "TURNPIKE_NATS_URL",
                        self.nats.url_by_way_of(self.plan.way(&self.to_nats)),
                    )
                    .env("TURNPIKE_KEYRING", &self.keyring)
                    .env("TURNPIKE_ISSUER_NETWORKS", THIS_MACHINE)
                    .env("TURNPIKE_DATA_DIR", data)
                    .envs(self.plan.of_edge(region).map(|(name, value)| (name, value)));
            },
        );
        let data = process.address(skip, "edge started", "data").await;
        let operations = process.address(skip, "edge started", "operations").await;
        (
            process,
            EdgeAt {
                region: region.to_owned(),
                data,
                operations,
            },
        )
    }

    /// Starts another edge in the place of one that was killed.
    pub async fn restart_edge(&mut self, index: usize) {
        let region = self.ground.edges[index].region.clone();
        let (process, edge) = self.start_edge(&region).await;
        self.edge_processes[index] = process;
        self.ground.edges[index] = edge;
    }

    /// Starts another control plane in the place of one that was killed.
    pub async fn restart_control_plane(&mut self) {
        self.bring_up("the control plane serves").await;
    }

    /// The same where it can't serve yet; says where its operations are.
    pub async fn start_control_plane_waiting(&mut self) -> SocketAddr {
        self.bring_up("the control plane listens").await;
        self.operations
    }

    async fn bring_up(&mut self, until: &str) {
        let skip = self.control_plane.printed().len();
        let started = launch::start_control_plane(self.folder.path(), &self.settings(), until).await;
        let grpc;
        (self.control_plane, grpc, self.operations) = started;
        self.to_control_plane.connect(grpc);
        if until.ends_with("serves") {
            enrolled::connect(&self.plan, &self.to_edge_listener, &mut self.control_plane, skip).await;
        }
    }

    /// Starts a further control plane on the same database and bus; says where it serves administration.
    pub async fn start_further_control_plane(&mut self) -> Process {
        let folder = self.folder.path().join("further");
        std::fs::create_dir_all(&folder).expect("a folder");
        let (mut process, grpc, _) =
            launch::start_control_plane(&folder, &self.settings(), "the control plane serves").await;
        self.further = Some(grpc);
        if self.plan.enrolled {
            self.further_edge_listener = Some(launch::edge_listener(&mut process, 0).await);
        }
        process
    }

    fn settings(&self) -> Vec<(String, String)> {
        let places = (
            self.database.url_by_way_of(self.plan.way(&self.to_postgres)),
            self.nats.url_by_way_of(self.plan.way(&self.to_nats)),
        );
        control_plane_settings(places, &self.keyring, &self.plan)
    }

    /// What seals secrets, and lets edges in.
    pub fn keyring(&self) -> &str {
        &self.keyring
    }

    /// A further open provider of the tenant `dev`, with the fake provider's secret.
    pub async fn provider(&self, name: &str, kind: &str, url: &str) {
        seed::provider(&self.ground.admin, name, kind, url, "open").await;
    }

    /// The providers and models of the tenant `dev`, for another tenant.
    pub async fn catalogue(&self, admin: &Cli) {
        seed::catalogue(admin, self.provider).await;
    }

    /// The folder with everybody's data and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn control_plane_settings(
    (database, nats): (String, String),
    keyring: &str,
    plan: &Plan,
) -> Vec<(String, String)> {
    let settings = [
        ("TURNPIKE_DATABASE_URL", database),
        ("TURNPIKE_NATS_URL", nats),
        ("TURNPIKE_KEYRING", keyring.to_owned()),
        ("TURNPIKE_ISSUER_NETWORKS", THIS_MACHINE.to_owned()),
        ("TURNPIKE_WEBHOOK_NETWORKS", THIS_MACHINE.to_owned()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value));
    let edges = ("TURNPIKE_EDGE_LISTEN".to_owned(), "127.0.0.1:0".to_owned());
    settings
        .into_iter()
        .chain(plan.enrolled.then_some(edges))
        .chain(plan.environment.iter().cloned())
        .collect()
}

impl Deref for Production {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}
