//! Boards that QEMU emulates.

use core::fmt::Write as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::launch::{Launch, NodeSetup, Running};
use crate::logs::Logs;
use crate::process::Process;
use crate::{Failure, Journal};

/// A board emulated by QEMU: `lm3s6965evb`, a Cortex-M3 with 64 KiB of RAM and three UARTs. UART0 is the console, the others are the
/// wires to its peers, in ascending order.
///
/// What the image finds on its semihosting command line:
///
/// ```text
/// board id=1 peers=2:1,3:2 flash=/some/file seed=7
/// ```
///
/// its number, which peer is at which UART, the file that is its flash, a seed. Its logs are a stream of defmt on semihosting's console.
#[derive(Clone, Debug)]
pub struct Board {
    image: PathBuf,
    qemu: String,
    logs: Logs,
}

/// The emulator.
pub const QEMU: &str = "qemu-system-arm";
const MACHINE: &str = "lm3s6965evb";
/// The board has three UARTs, one of which is the console.
const WIRES: usize = 2;
/// What the emulator says about every image: the board's Ethernet goes nowhere, a timer is not set yet.
const IGNORED_MESSAGES: &[&str] = &["has no peer", "Timer with period zero"];

impl Board {
    /// A board with an image.
    ///
    /// # Errors
    ///
    /// [`Failure::Missing`] when there is no such file or no emulator, [`Failure::Unexpected`] when
    /// the image's logs cannot be read.
    pub fn new(image: &Path) -> Result<Self, Failure> {
        if !image.is_file() {
            let text = format!("{}: there is no such image; build it first", image.display());
            return Err(Failure::Missing(text));
        }
        if !installed(QEMU) {
            return Err(Failure::Missing(format!(
                "{QEMU} is not installed; in Debian and Ubuntu: apt-get install qemu-system-arm"
            )));
        }
        let logs = Logs::of(image)?;
        Ok(Self { image: image.to_owned(), qemu: QEMU.to_owned(), logs })
    }

    fn command(&self, setup: &NodeSetup) -> Result<Command, Failure> {
        if setup.wires.len() > WIRES {
            return Err(Failure::unexpected(format!("a board has {WIRES} UARTs for wires")));
        }
        let mut command = crate::process::command_killed_with_us(&self.qemu);
        command
            .args(["-M", MACHINE, "-display", "none", "-monitor", "none", "-no-reboot"])
            // semihosting writes to files of its own, or to this; both come out at the emulator's standard output
            .args(["-chardev", "stdio,id=log,signal=off", "-semihosting-config"])
            .arg(semihosting(setup))
            .arg("-kernel")
            .arg(&self.image)
            .args(["-serial", &socket(&setup.console)]);
        for (_, path) in &setup.wires {
            command.args(["-serial", &socket(path)]);
        }
        for _ in setup.wires.len()..WIRES {
            command.args(["-serial", "null"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

impl Launch for Board {
    fn launch(&self, setup: &NodeSetup, journal: &Journal) -> Result<Box<dyn Running>, Failure> {
        let mut child = self.command(setup)?.spawn().map_err(Failure::io(&self.qemu))?;
        forward_logs(&mut child, &self.logs, setup.id, journal);
        Ok(Box::new(Process::new(child)))
    }

    fn kind(&self) -> &'static str {
        "board"
    }
}

/// The option's commas are doubled inside a value.
fn semihosting(setup: &NodeSetup) -> String {
    let mut option = "enable=on,target=native,chardev=log".to_owned();
    let peers: Vec<String> =
        setup.wires.iter().zip(1..).map(|((peer, _), uart)| format!("{peer}:{uart}")).collect();
    let flash = setup.storage.display().to_string();
    for word in [
        "board".to_owned(),
        format!("id={}", setup.id),
        format!("peers={}", peers.join(",")),
        format!("flash={flash}"),
        format!("seed={}", setup.seed),
    ] {
        let _ = write!(option, ",arg={}", word.replace(',', ",,"));
    }
    option
}

fn socket(path: &Path) -> String {
    format!("unix:{}", path.display().to_string().replace(',', ",,"))
}

/// Copies the output of the emulator to the journal. The threads end with it.
fn forward_logs(child: &mut Child, logs: &Logs, node: u64, journal: &Journal) {
    if let Some(mut stdout) = child.stdout.take() {
        let (logs, journal) = (logs.clone(), journal.clone());
        thread::spawn(move || {
            let mut decoder = logs.decoder();
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                decoder.take(buffer.get(..count).unwrap_or(&[]), &mut |line| {
                    journal.log(node, line);
                });
            }
        });
    }
    if let Some(stderr) = child.stderr.take() {
        let journal = journal.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if !IGNORED_MESSAGES.iter().any(|chatter| line.contains(chatter)) {
                    journal.log(node, format!("(emulator) {line}"));
                }
            }
        });
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setup_is_passed_by_semihosting() {
        let setup = NodeSetup {
            id: 2,
            console: "/b/c".into(),
            wires: vec![(1, "/b/w1".into()), (3, "/b/w3".into())],
            storage: "/b/a,b".into(),
            seed: 9,
        };
        assert_eq!(
            semihosting(&setup),
            "enable=on,target=native,chardev=log,arg=board,arg=id=2,arg=peers=1:1,,3:2,arg=flash=/b/a,,b,arg=seed=9"
        );
    }
}
