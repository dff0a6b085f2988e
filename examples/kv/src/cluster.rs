use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::Failure;
use crate::cli::ClusterArgs;
use crate::dashboard::{self, Dashboard};
use crate::data_protocol;

/// How long a node may take to stop by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// The first and the longest wait before a node that died is started again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// A node that ran for this long has done well: the next wait is the first again.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// Runs nodes as child processes until it is told to stop.
pub(crate) fn run(arguments: &ClusterArgs) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Run(format!("cannot start: {error}")))?;
    runtime.block_on(supervise(arguments))
}

async fn supervise(arguments: &ClusterArgs) -> Result<(), Failure> {
    let data = arguments.data.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("quorate-kv-{}", arguments.base_port))
    });
    let mut nodes = plan(arguments, &data)?;
    let signals = signal(SignalKind::terminate())
        .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) =
        signals.map_err(|error| Failure::Run(format!("cannot watch for signals: {error}")))?;
    // dropped on every way out of here: no child survives
    for node in &mut nodes {
        node.start()?;
    }
    print_usage(arguments, &data);
    let mut dashboard =
        Dashboard::new(io::stdout().is_terminal(), arguments.consensus.epoch_name());
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut polls = interval(Duration::from_millis(100));
    polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = polls.tick() => nodes.iter_mut().for_each(|node| node.supervise_process(&mut dashboard)),
            _ = seconds.tick() => {
                let mut rows = Vec::new();
                for node in &nodes {
                    rows.push(dashboard::fetch_row(node.id, node.port, node.child.is_some()).await);
                }
                dashboard.show(rows);
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    dashboard.print("stopping; once more kills");
    tokio::select! {
        () = stop(&mut nodes, &mut dashboard) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn plan(arguments: &ClusterArgs, data: &Path) -> Result<Vec<Process>, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::Run(format!("cannot find this program's own file: {error}")))?;
    let ports = |index: u16| (arguments.base_port + index, arguments.base_port + 10_000 + index);
    let peers: Vec<String> = (0..arguments.nodes)
        .map(|index| format!("{}=127.0.0.1:{}", index + 1, ports(index).1))
        .collect();
    for port in (0..arguments.nodes).flat_map(|index| [ports(index).0, ports(index).1]) {
        drop(TcpListener::bind(("127.0.0.1", port)).map_err(|error| {
            Failure::Run(format!(
                "port {port} cannot be used: {error}. Does another cluster run? --base-port \
                 chooses other ports"
            ))
        })?);
    }
    fs::create_dir_all(data).map_err(|error| {
        Failure::Run(format!("cannot make the directory {}: {error}", data.display()))
    })?;
    let directory = |id: u16| data.join(format!("node-{id}"));
    for id in 1..=arguments.nodes {
        data_protocol::check(&directory(id), arguments.consensus)?;
    }
    Ok((0..arguments.nodes)
        .map(|index| {
            let id = index + 1;
            let (port, peer_port) = ports(index);
            let mut args: Vec<String> = vec!["node".into(), "--stop-with-stdin".into()];
            for (name, value) in [
                ("--id", id.to_string()),
                ("--listen", format!("127.0.0.1:{port}")),
                ("--peer-listen", format!("127.0.0.1:{peer_port}")),
                ("--peers", peers.join(",")),
                ("--data", directory(id).display().to_string()),
            ] {
                args.extend([name.to_owned(), value]);
            }
            args.extend(["--consensus".into(), arguments.consensus.to_string()]);
            args.extend(arguments.tuning.to_arguments());
            Process {
                id,
                port,
                program: program.clone(),
                args,
                log: data.join(format!("node-{id}.log")),
                child: None,
                started: Instant::now(),
                backoff: BACKOFF.0,
            }
        })
        .collect())
}

fn print_usage(arguments: &ClusterArgs, data: &Path) {
    let first = arguments.base_port;
    let last = first + arguments.nodes - 1;
    out!(
        "{} nodes serve Redis clients on 127.0.0.1, ports {first} to {last}; any node serves any command:",
        arguments.nodes
    );
    out!("  redis-cli -p {first} set greeting hello");
    out!("  redis-cli -p {last} get greeting");
    out!("Data and logs are in {}. Kill nodes as you like; Ctrl-C stops all.", data.display());
}

/// Ends the nodes' standard inputs, on which they stop; kills what is left after the grace time.
async fn stop(nodes: &mut [Process], dashboard: &mut Dashboard) {
    for node in nodes.iter_mut() {
        if let Some(child) = &mut node.child {
            drop(child.stdin.take());
        }
    }
    let deadline = Instant::now() + STOP_TIMEOUT;
    while Instant::now() < deadline {
        nodes.iter_mut().for_each(Process::reap);
        if nodes.iter().all(|node| node.child.is_none()) {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    for node in nodes.iter().filter(|node| node.child.is_some()) {
        dashboard.print(&format!(
            "node {} did not stop within {} s: killing it",
            node.id,
            STOP_TIMEOUT.as_secs()
        ));
    }
}

/// A node's process: started, watched, started again.
struct Process {
    id: u16,
    port: u16,
    program: PathBuf,
    args: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
    started: Instant,
    backoff: Duration,
}

impl Process {
    fn start(&mut self) -> Result<(), Failure> {
        let failed = |what: &str, error: io::Error| Failure::Run(format!("cannot {what}: {error}"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(|error| failed(&format!("open {}", self.log.display()), error))?;
        let child = Command::new(&self.program)
            .args(&self.args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for the parent, who stops them one and all
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&format!("start node {}", self.id), error))?;
        self.child = Some(child);
        self.started = Instant::now();
        Ok(())
    }

    /// Notices that the node died, and starts it again after a while.
    fn supervise_process(&mut self, dashboard: &mut Dashboard) {
        if let Some(child) = &mut self.child {
            if let Ok(Some(status)) = child.try_wait() {
                self.child = None;
                if self.started.elapsed() >= STABLE_AFTER {
                    self.backoff = BACKOFF.0;
                }
                dashboard.print(&format!(
                    "node {} {}; starting it again in {} ms (its log: {})",
                    self.id,
                    describe(status),
                    self.backoff.as_millis(),
                    self.log.display()
                ));
                self.started = Instant::now() + self.backoff;
                self.backoff = (self.backoff * 2).min(BACKOFF.1);
            }
        } else if Instant::now() >= self.started
            && let Err(failure) = self.start()
        {
            dashboard.print(&failure.to_string());
            self.started = Instant::now() + BACKOFF.1;
        }
    }

    fn reap(&mut self) {
        if let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(Some(_)))
        {
            self.child = None;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with code {code}"),
        (None, Some(9)) => "was killed".into(),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".into(),
    }
}
