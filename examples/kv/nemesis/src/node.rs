//! A node: its process, its directory, where it is reached.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Info, info};
use crate::failure::{Failure, Outcome};
use crate::ports::Port;

/// What all nodes have in common.
#[derive(Clone, Debug)]
pub struct Program {
    /// The server's executable.
    pub path: PathBuf,
    /// More of its options.
    pub options: Vec<String>,
    /// Where logs go.
    pub scratch: PathBuf,
}

/// A node of the cluster, whether its process runs or not.
#[derive(Debug)]
pub struct Node {
    /// Its id, never used for another.
    pub id: u64,
    /// Where its directory and its file system are.
    pub data: PathBuf,
    /// Where the others reach it: the proxy.
    pub proxy: u16,
    client: Port,
    peer: Port,
    program: Program,
    /// `--peers` or `--join`, and what comes after it.
    bootstrap_args: [String; 2],
    child: Option<Child>,
    /// A helper that stops the process for a while.
    pause: Option<Child>,
}

impl Node {
    /// A node that was not started yet.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub fn new(id: u64, data: &Path, program: &Program) -> Outcome<Self> {
        let reserve = || Port::reserve().map_err(Failure::io("reserving a port"));
        Ok(Self {
            id,
            data: data.into(),
            proxy: 0,
            client: reserve()?,
            peer: reserve()?,
            program: program.clone(),
            bootstrap_args: Default::default(),
            child: None,
            pause: None,
        })
    }

    /// Says how it finds the others: `--peers` or `--join`, and the list.
    pub fn set_bootstrap(&mut self, option: &str, list: String) {
        self.bootstrap_args = [option.to_owned(), list];
    }

    /// It was told by `--peers` who founded the cluster.
    #[must_use]
    pub fn is_founder(&self) -> bool {
        self.bootstrap_args[0] == "--peers"
    }

    /// The port for clients.
    #[must_use]
    pub const fn client_port(&self) -> u16 {
        self.client.number()
    }

    /// The port where it listens for other nodes.
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        self.peer.number()
    }

    /// Starts its process.
    ///
    /// # Errors
    ///
    /// When the program or its log cannot be opened.
    pub fn start(&mut self) -> Outcome {
        let log = self.log();
        let open = File::options().create(true).append(true).open(&log);
        let log = open.map_err(Failure::io(log.display()))?;
        let child = Command::new(&self.program.path)
            .args(["node", "--stop-with-stdin", "--id", &self.id.to_string()])
            .args(["--listen", &format!("127.0.0.1:{}", self.client_port())])
            .args(["--peer-listen", &format!("127.0.0.1:{}", self.peer_port())])
            .args(["--advertise", &format!("127.0.0.1:{}", self.proxy)])
            .args(&self.bootstrap_args)
            .arg("--data")
            .arg(&self.data)
            .args(&self.program.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(Failure::io(self.program.path.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    ///
    /// When the process had ended by itself.
    pub fn kill(&mut self) -> Outcome {
        self.check()?;
        if let Some(mut child) = self.child.take() {
            child.kill().map_err(Failure::io("killing a node"))?;
            child.wait().map_err(Failure::io("waiting for a node"))?;
        }
        Ok(())
    }

    /// Stops its process for a while, from now on. It goes on also when this program ends meanwhile.
    ///
    /// # Errors
    ///
    /// When no helper can be started.
    pub fn pause(&mut self, time: Duration) -> Outcome {
        let Some(child) = &self.child else { return Ok(()) };
        let script = "kill -STOP $0 && sleep $1; kill -CONT $0";
        let helper = Command::new("sh")
            .args(["-c", script, &child.id().to_string(), &time.as_secs_f64().to_string()])
            .spawn();
        self.pause = Some(helper.map_err(Failure::io("pausing a node"))?);
        Ok(())
    }

    /// Waits until a pause is over.
    ///
    /// # Errors
    ///
    /// When the helper cannot be waited for.
    pub fn wait_for_resume(&mut self) -> Outcome {
        match self.pause.take() {
            Some(mut helper) => helper.wait().map(drop).map_err(Failure::io("pausing a node")),
            None => Ok(()),
        }
    }

    /// Nothing is wrong with its process: it runs, or was killed.
    ///
    /// # Errors
    ///
    /// When it ended by itself.
    pub fn check(&mut self) -> Outcome {
        let Some(child) = &mut self.child else { return Ok(()) };
        match child.try_wait().map_err(Failure::io("looking after a node"))? {
            None => Ok(()),
            Some(status) => {
                self.child = None;
                let (id, last_lines_of_log) = (self.id, self.last_lines(20));
                Err(Failure::server(format!(
                    "node {id} ended by itself ({status}), and said last:\n{last_lines_of_log}"
                )))
            }
        }
    }

    /// Waits until its process has ended by itself; `None` if it does not.
    ///
    /// # Errors
    ///
    /// When it cannot be waited for.
    pub fn wait_for_exit(&mut self, timeout: Duration) -> Outcome<Option<ExitStatus>> {
        let deadline = Instant::now() + timeout;
        while let Some(child) = &mut self.child {
            if let Some(status) = child.try_wait().map_err(Failure::io("waiting for a node"))? {
                self.child = None;
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Removes all that is in its directory.
    ///
    /// # Errors
    ///
    /// When a file cannot be removed.
    pub fn erase(&self) -> Outcome {
        let failed = || Failure::io(self.data.display());
        for entry in fs::read_dir(&self.data).map_err(failed())? {
            let path = entry.map_err(failed())?.path();
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Failure::io(path.display()))?;
        }
        Ok(())
    }

    /// Its process was started, and not killed.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// What it says of itself; `None` while it does not answer.
    #[must_use]
    pub fn info(&self) -> Option<Info> {
        info(self.client_port())
    }

    /// Where its log is.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.program.scratch.join(format!("node-{}.log", self.id))
    }

    /// The last lines of its log.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        const TAIL: u64 = 32 << 10;
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(self.log()) {
            let length = file.metadata().map_or(0, |about| about.len());
            let _ = file.seek(SeekFrom::Start(length.saturating_sub(TAIL)));
            let _ = file.read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for child in [&mut self.child, &mut self.pause].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
