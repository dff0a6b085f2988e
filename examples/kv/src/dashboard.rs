use core::time::Duration;
use std::io::{self, Write as _};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::response::{self, Response, printable};
use crate::{admin_client, info};

/// How the nodes of a local cluster are: a table that is drawn over itself, or plain lines where nobody can see that.
pub(crate) struct Dashboard {
    interactive: bool,
    /// The heading of the column with terms or ballots.
    epoch_name: &'static str,
    drawn: usize,
    last: Vec<Row>,
    printed: Option<Instant>,
}

/// A node at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    id: u16,
    port: u16,
    at: Instant,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Down,
    Unresponsive,
    Up { role: String, term: String, commit: u64, applied: u64, keys: u64, commands: u64 },
}

/// Plain lines come on every change, and otherwise this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Fetches a node's `INFO`.
pub(crate) async fn fetch_row(id: u16, port: u16, running: bool) -> Row {
    let answer = if running {
        timeout(Duration::from_millis(500), fetch(port)).await
    } else {
        Ok(Err(io::ErrorKind::NotConnected.into()))
    };
    let state = match answer {
        Ok(Ok(text)) => parse(&text),
        _ if running => State::Unresponsive,
        _ => State::Down,
    };
    Row { id, port, at: Instant::now(), state }
}

impl Dashboard {
    pub(crate) fn new(interactive: bool, epoch_name: &'static str) -> Self {
        Self { interactive, epoch_name, drawn: 0, last: Vec::new(), printed: None }
    }

    pub(crate) fn show(&mut self, rows: Vec<Row>) {
        let changed = self.last.len() != rows.len()
            || self
                .last
                .iter()
                .zip(&rows)
                .any(|(old, new)| old.state.summary() != new.state.summary());
        let due = self.printed.is_none_or(|at| at.elapsed() >= PLAIN_INTERVAL);
        if self.interactive || changed || due {
            self.printed = Some(Instant::now());
            self.draw(&rows);
        }
        self.last = rows;
    }

    /// A line that stays.
    pub(crate) fn print(&mut self, text: &str) {
        self.clear();
        out!("{text}");
    }

    fn draw(&mut self, rows: &[Row]) {
        self.clear();
        out!(
            "{:>4} {:>6} {:<13} {:>6} {:>12} {:>12} {:>10} {:>10}",
            "node",
            "port",
            "role",
            self.epoch_name,
            "commit",
            "applied",
            "keys",
            "ops/s"
        );
        for row in rows {
            let before = self.last.iter().find(|before| before.id == row.id);
            out!("{}", row.line(before));
        }
        self.drawn = rows.len() + 1;
    }

    /// Clears the table, for what comes in its place.
    fn clear(&mut self) {
        if self.interactive && self.drawn > 0 {
            let _ = write!(std::io::stdout(), "\x1b[{}A\x1b[J", self.drawn);
        }
        self.drawn = 0;
    }
}

impl Row {
    fn line(&self, before: Option<&Self>) -> String {
        let (id, port) = (self.id, self.port);
        match &self.state {
            State::Up { role, term, commit, applied, keys, commands } => {
                let rate = match before.map(|before| (&before.state, before.at)) {
                    Some((State::Up { commands: earlier, .. }, at)) => {
                        let seconds = self.at.duration_since(at).as_secs_f64().max(0.001);
                        format!("{:.0}", commands.saturating_sub(*earlier) as f64 / seconds)
                    }
                    _ => "-".into(),
                };
                format!(
                    "{id:>4} {port:>6} {role:<13} {term:>6} {commit:>12} {applied:>12} {keys:>10} {rate:>10}"
                )
            }
            State::Down => format!("{id:>4} {port:>6} down"),
            State::Unresponsive => format!("{id:>4} {port:>6} does not answer"),
        }
    }
}

impl State {
    /// What makes a change worth a line.
    fn summary(&self) -> (&str, &str) {
        match self {
            Self::Down => ("down", ""),
            Self::Unresponsive => ("silent", ""),
            Self::Up { role, term, .. } => (role, term),
        }
    }
}

async fn fetch(port: u16) -> io::Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
    socket.write_all(b"INFO\r\n").await?;
    let mut bytes = Vec::new();
    loop {
        match response::parse(&bytes) {
            Ok(Some(Response::Bulk(text))) => {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            Ok(None) => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn parse(text: &str) -> State {
    let field = |name: &str| info::field(text, name);
    let number = |name: &str| field(name).parse().unwrap_or(0);
    let keys =
        field("db0").strip_prefix("keys=").and_then(|rest| rest.split(',').next()?.parse().ok());
    State::Up {
        role: printable(field("role")),
        term: printable(field(admin_client::epoch_field(text))),
        commit: number("commit"),
        applied: number("applied"),
        keys: keys.unwrap_or(0),
        // the requests of the table itself do not count
        commands: number("total_commands_processed")
            .saturating_sub(number("total_connections_received")),
    }
}
