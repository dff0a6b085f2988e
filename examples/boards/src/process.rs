use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::launch::{Launch, NodeSetup, Running};
use crate::{Failure, Journal};

/// A server process on the bench, in a board's place:
///
/// ```text
/// PROGRAM serve --id 3 --dir DIR --wire 1=unix:PATH --wire 2=unix:PATH --console unix:PATH
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    program: PathBuf,
}

/// A child that dies with its handle.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Server {
    /// A server that is this program.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] when there is none.
    pub fn new(program: &Path) -> Result<Self, Failure> {
        if !program.is_file() {
            let text = format!("{}: there is no such program; build it first", program.display());
            return Err(Failure::Missing(text));
        }
        Ok(Self { program: program.to_owned() })
    }
}

impl Launch for Server {
    fn launch(&self, setup: &NodeSetup, journal: &Journal) -> Result<Box<dyn Running>, Failure> {
        std::fs::create_dir_all(&setup.storage).map_err(Failure::io(setup.storage.display()))?;
        let mut command = command_killed_with_us(&self.program.display().to_string());
        command.args(["serve", "--id", &setup.id.to_string(), "--dir"]).arg(&setup.storage);
        for (peer, path) in &setup.wires {
            command.arg("--wire").arg(format!("{peer}=unix:{}", path.display()));
        }
        command.arg("--console").arg(format!("unix:{}", setup.console.display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::io(self.program.display()))?;
        for stream in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)] {
            let (journal, node) = (journal.clone(), setup.id);
            let Some(stream) = stream else { continue };
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    journal.log(node, line);
                }
            });
        }
        Ok(Box::new(Process::new(child)))
    }

    fn kind(&self) -> &'static str {
        "server"
    }
}

fn boxed(stream: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(stream)
}

impl Process {
    pub(crate) const fn new(child: Child) -> Self {
        Self(child)
    }
}

impl Running for Process {
    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn ended(&mut self) -> Option<String> {
        self.0.try_wait().ok().flatten().map(|status| status.to_string())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A command for a child that the kernel kills when we die, however we die: `setpriv` of util-linux asks for that. Where it is not
/// there, a child outlives a bench that was killed by force.
pub(crate) fn command_killed_with_us(program: &str) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    let mut command = if Path::new(SETPRIV).is_file() {
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL", "--", program]);
        command
    } else {
        Command::new(program)
    };
    // a Ctrl-C is for us alone: we put the nodes away in our own order
    command.process_group(0);
    command
}
