//! A real process: started with a clean environment, its output in files, killed when it is dropped.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::{Child, Command};

use crate::{eventually::eventually, place};

/// A running process.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A command with nothing of this test's environment but what every program needs.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// How long a process has worked so far, by the kernel's count, in its ticks of 10 ms.
pub fn processor_time(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).expect("a running process");
    // After the name, which may hold anything: state, and from the twelfth on the ticks in user and kernel.
    let (_, after) = text.rsplit_once(')').expect("its name");
    let ticks = after.split_whitespace().skip(11).take(2);
    ticks
        .map(|ticks| Duration::from_millis(10) * ticks.parse::<u32>().expect("ticks"))
        .sum()
}

impl Process {
    /// Starts `binary` of Turnpike; everything it prints goes to `<folder>/<name>.log`, after what an earlier run
    /// of that name printed.
    pub fn start(folder: &Path, name: &str, binary: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(place::binary(binary));
        prepare(&mut command);
        Self::spawn(folder, name, command)
    }

    /// Starts any command in the same way.
    pub fn spawn(folder: &Path, name: &str, mut command: Command) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let errors = file.try_clone().expect("a log file");
        let child = command.stdout(file).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Everything that it, and earlier runs of its name, have printed.
    pub fn printed(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until `find` finds something in what was printed after the first `skip` bytes.
    pub async fn find<T>(&mut self, what: &str, skip: usize, find: impl Fn(&str) -> Option<T>) -> T {
        eventually(&format!("{} prints {what}", self.name), async || {
            let printed = self.printed();
            if let Some(found) = find(printed.get(skip..).unwrap_or_default()) {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("{} ended with {status}:\n{printed}", self.name);
            }
            Err(printed)
        })
        .await
    }

    /// Waits for a log line that holds `message`, and reads the address from its field.
    pub async fn address(&mut self, skip: usize, message: &str, field: &str) -> SocketAddr {
        self.find(field, skip, |printed| {
            printed
                .lines()
                .filter(|line| line.contains(message))
                .find_map(|line| field_of(line, field)?.parse().ok())
        })
        .await
    }

    /// See [`processor_time`].
    pub fn processor_time(&self) -> Duration {
        processor_time(self.child.id().expect("a running child"))
    }

    /// `kill -9`: it has no chance to say goodbye.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child to kill");
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.child.wait().await.expect("a child to wait for")
    }

    /// SIGINT, as Ctrl-C sends it, and how it ended.
    pub async fn interrupt(&mut self) -> ExitStatus {
        self.signal("INT").await;
        self.child.wait().await.expect("a child to wait for")
    }

    /// How it ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        self.child.wait().await.expect("a child to wait for")
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("a running child").to_string();
        let sent = command("kill")
            .args(["-s", name, &id])
            .status()
            .await
            .expect("kill");
        assert!(sent.success(), "{} cannot be sent {name}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let printed = self.printed();
            let lines: Vec<&str> = printed.lines().collect();
            let last = lines.get(lines.len().saturating_sub(25)..).unwrap_or_default();
            #[expect(clippy::print_stderr, reason = "shown with the failed test")]
            {
                eprintln!("--- the end of what {} printed:\n{}", self.name, last.join("\n"));
            }
        }
    }
}

/// The value of a field in a line of a structured log, in its form for machines or for people.
fn field_of<'l>(line: &'l str, field: &str) -> Option<&'l str> {
    let after = |mark: String| line.split_once(&mark).map(|(_, after)| after);
    let value = after(format!("\"{field}\":\""))
        .or_else(|| after(format!(" {field}=")))
        .or_else(|| after(format!("{field}: ")))?;
    value.split(['"', ' ', ',', '}']).next()
}
