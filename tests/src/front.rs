//! A real nginx or a real Envoy in front of a service, configured by the very files in `deploy/`, with other ports.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use crate::{
    caller::{Answer, Caller},
    eventually::eventually,
    place,
    process::{self, Process},
};

/// A running proxy.
#[derive(Debug)]
pub struct Front {
    /// Where clients connect.
    pub address: SocketAddr,
    /// It.
    pub process: Process,
}

impl Front {
    /// nginx, which asks the edge's data listener.
    pub async fn nginx(folder: &Path, edge: SocketAddr, service: SocketAddr) -> Self {
        let address = free_address();
        let ports = [
            ("127.0.0.1:8080", edge),
            ("127.0.0.1:9000", service),
            ("127.0.0.1:8000", address),
        ];
        let ports = ports.map(|(from, to)| (from.to_owned(), to.to_string()));
        write(
            folder,
            "nginx-auth-request/turnpike.conf",
            "turnpike.conf",
            &ports,
        );
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|one| format!("    {one}_temp_path {one}-temp;\n"))
            .concat();
        let around = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n    access_log off;\n{temporary}    \
             include turnpike.conf;\n}}\n"
        );
        fs::write(folder.join("nginx.conf"), around).expect("a file");
        let mut command = process::command(place::nginx());
        command
            .arg("-p")
            .arg(folder)
            .args(["-e", "stderr", "-c"])
            .arg(folder.join("nginx.conf"));
        Self::begin(folder, "nginx", command, address).await
    }

    /// Envoy, which asks the edge's listener for it.
    pub async fn envoy(folder: &Path, edge: SocketAddr, service: SocketAddr) -> Self {
        let address = free_address();
        let ports = [
            (8082, edge.port()),
            (9000, service.port()),
            (8000, address.port()),
            (9901, 0),
        ];
        let ports = ports.map(|(from, to)| (format!("port_value: {from}}}"), format!("port_value: {to}}}")));
        write(folder, "envoy-ext-authz/envoy.yaml", "envoy.yaml", &ports);
        let mut command = process::command(place::envoy());
        command.args([
            "--disable-hot-restart",
            "--concurrency",
            "1",
            "--log-level",
            "warning",
            "-c",
        ]);
        command.arg(folder.join("envoy.yaml"));
        Self::begin(folder, "envoy", command, address).await
    }

    async fn begin(folder: &Path, name: &str, command: tokio::process::Command, address: SocketAddr) -> Self {
        let front = Self {
            address,
            process: Process::spawn(folder, name, command),
        };
        eventually(&format!("{name} answers"), async || {
            let asked = front.caller(None).request(reqwest::Method::GET, "/unheard-of");
            match Answer::whole(asked).await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(format!("{error}: {}", front.process.printed())),
            }
        })
        .await;
        front
    }

    /// A caller of the proxy.
    pub fn caller(&self, key: Option<&str>) -> Caller {
        Caller::new(&format!("http://{}", self.address), key)
    }
}

/// Copies a file of `deploy/`, with each of the `ports` in it replaced.
fn write(folder: &Path, from: &str, to: &str, ports: &[(String, String)]) {
    let path = place::root().join("deploy").join(from);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for (from, to) in ports {
        assert!(text.contains(from.as_str()), "{} has no {from}", path.display());
        text = text.replace(from.as_str(), to);
    }
    fs::write(folder.join(to), text).expect("a file");
}

/// Neither can tell which port it took by itself.
fn free_address() -> SocketAddr {
    let bound = TcpListener::bind("127.0.0.1:0").expect("a free port");
    bound.local_addr().expect("an address")
}
