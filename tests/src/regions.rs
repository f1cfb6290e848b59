//! NATS in two regions, as `deploy/nats` has it: three servers where the control planes are, one in the region `us`, joined by
//! gateways through cables that a test can cut. Passwords and rights are those of `deploy/`; TLS alone is left out.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

use crate::{
    cable::Cable,
    place,
    process::{self, Process},
};

/// The region without control planes.
pub const FURTHER: &str = "us";
/// Servers at home: as many as it takes to agree on who leads.
const HOME: usize = 3;

/// The running servers.
#[derive(Debug)]
pub struct Regions {
    home: Vec<SocketAddr>,
    further: SocketAddr,
    /// From the further region to the control planes'.
    to_home: Cable,
    /// The other way.
    to_further: Cable,
    ends: [SocketAddr; 2],
    _processes: Vec<Process>,
}

/// Where one server listens.
#[derive(Debug, Clone, Copy)]
struct Ports {
    clients: u16,
    routes: u16,
    gateways: u16,
}

impl Regions {
    /// Starts all servers, and returns once those at home agree on who leads.
    pub async fn start(folder: &Path) -> Self {
        let home: Vec<Ports> = (0..HOME).map(|_| Ports::free()).collect();
        let further = Ports::free();
        let first = home.first().expect("a server at home");
        let ends = [loopback(first.gateways), loopback(further.gateways)];
        let to_home = Cable::lay(Some(ends[0])).await;
        let to_further = Cable::lay(Some(ends[1])).await;
        let gateway = |cable: &Cable| format!("nats://gateway:pgateway@{}", cable.address);
        let mut processes = Vec::new();
        let routes = |among: &[Ports]| -> Vec<(String, String)> {
            let nth = |nth: usize| among.get(nth).or(among.first()).expect("a server").routes;
            let url = |port| format!("nats://route:proute@{}", loopback(port));
            (0..HOME)
                .map(|at| (format!("NATS_ROUTE_{}", at + 1), url(nth(at))))
                .collect()
        };
        let servers = home
            .iter()
            .map(|ports| ("home", *ports, routes(&home), &to_home))
            .chain([("region", further, routes(&[further]), &to_further)]);
        for (number, (shape, ports, routes, reached_by)) in servers.enumerate() {
            let name = format!("nats-{shape}-{number}");
            let configuration = adapted(folder, &name, shape, ports);
            let mut command = process::command(place::nats_server());
            command.arg("--config").arg(configuration).envs(routes);
            for user in ["CONTROL_PLANE", "EDGE", "SYSTEM", "ROUTE", "GATEWAY"] {
                command.env(
                    format!("NATS_{user}_PASSWORD"),
                    format!("p{}", user.to_lowercase()),
                );
            }
            command
                .env("NATS_NAME", &name)
                .env("NATS_REGION", FURTHER)
                .env("NATS_GATEWAY", reached_by.address.to_string())
                .env("NATS_HOME_GATEWAY", gateway(&to_home))
                .env("NATS_REGION_GATEWAY", gateway(&to_further));
            processes.push(Process::spawn(folder, &name, command));
        }
        for process in &mut processes {
            let ready = |log: &str| log.contains("Server is ready").then_some(());
            process.find("that it is ready", 0, ready).await;
        }
        Self {
            home: home.iter().map(|ports| loopback(ports.clients)).collect(),
            further: loopback(further.clients),
            to_home,
            to_further,
            ends,
            _processes: processes,
        }
    }

    /// The URL of NATS at home, for a user.
    pub fn home(&self, user: &str) -> String {
        let urls = self.home.iter().map(|address| url(user, *address));
        urls.collect::<Vec<_>>().join(",")
    }

    /// The URL of NATS in the further region, for a user.
    pub fn further(&self, user: &str) -> String {
        url(user, self.further)
    }

    /// From here on the regions do not hear each other.
    pub fn cut(&self) {
        self.to_home.cut();
        self.to_further.cut();
    }

    /// They do again.
    pub fn heal(&self) {
        self.to_home.connect(self.ends[0]);
        self.to_further.connect(self.ends[1]);
    }
}

impl Ports {
    fn free() -> Self {
        // All at once, so that no two are the same.
        let bound = [0; 3].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a free port"));
        let [clients, routes, gateways] = bound.map(|bound| bound.local_addr().expect("an address").port());
        Self {
            clients,
            routes,
            gateways,
        }
    }
}

fn url(user: &str, address: SocketAddr) -> String {
    format!("nats://{user}:p{}@{address}", user.replace('-', "_"))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A configuration of `deploy/nats` on ports of its own, without TLS, in a folder of its own.
fn adapted(folder: &Path, name: &str, shape: &str, ports: Ports) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).expect("a folder");
    for file in fs::read_dir(place::root().join("deploy/nats")).expect("deploy/nats") {
        let file = file.expect("a file");
        let text = fs::read_to_string(file.path()).expect("a configuration");
        let text = without_tls(&text)
            .replace("0.0.0.0:4222", &loopback(ports.clients).to_string())
            .replace("0.0.0.0:6222", &loopback(ports.routes).to_string())
            .replace("0.0.0.0:7222", &loopback(ports.gateways).to_string())
            .replace("http: 127.0.0.1:8222", "")
            .replace(
                "store_dir: /data",
                &format!("store_dir: {:?}", folder.join("data")),
            );
        fs::write(folder.join(file.file_name()), text).expect("a configuration");
    }
    folder.join(format!("{shape}.conf"))
}

fn without_tls(text: &str) -> String {
    let mut inside = false;
    let mut kept = String::new();
    for line in text.lines() {
        inside |= line.trim() == "tls {";
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
        inside &= line.trim() != "}";
    }
    kept
}
