//! The commands that are about a connection or the server, and do not touch the store.

use core::time::Duration;

use tokio::sync::oneshot;

use crate::command::{SYNTAX, integer, shown, wrong_arity};
use crate::command_gate::CommandGate;
use crate::connection::{Flow, ReplyMode, Session};
use crate::glob::Pattern;
use crate::node_status::NodeStatus;
use crate::replica::Request;
use crate::reply::{Protocol, TOO_LONG};
use crate::resp::{Arguments, number};
use crate::table::{self, Kind, Name, Spec};
use crate::{info, limits};

/// `WAIT` without end, and every longer one, ends after this.
const LONGEST_WAIT_MS: i64 = 60_000;

impl Session {
    pub(crate) async fn connection_command(
        &mut self,
        spec: &Spec,
        arguments: Arguments<'_>,
    ) -> Flow {
        let word = |index| arguments.get(index).unwrap_or_default();
        match spec.name_id {
            Name::Ping if arguments.len() == 1 => self.reply.simple("PONG"),
            Name::Ping if arguments.len() == 2 => self.reply.bulk(word(1)),
            Name::Ping => self.reply.error(&wrong_arity("ping")),
            Name::Echo => self.reply.bulk(word(1)),
            Name::Select => self.select(word(1)),
            Name::Multi => self.reply.error(self.gate.multi()),
            Name::Exec => self.reply.error(self.gate.exec()),
            Name::Discard => match self.gate.discard() {
                Ok(()) => self.reply.ok(),
                Err(error) => self.reply.error(error),
            },
            Name::Watch => self.reply.error(self.gate.watch()),
            Name::Unwatch => self.reply.ok(),
            Name::ReadOnly => self.set_stale(true),
            Name::ReadWrite => self.set_stale(false),
            Name::Quit => {
                self.reply.ok();
                return Flow::Close;
            }
            Name::Reset => {
                self.set_protocol(Protocol::Resp2);
                self.stale = false;
                self.gate = CommandGate::default();
                self.set_reply_mode(ReplyMode::On);
                self.rename(Vec::new());
                self.reply.simple("RESET");
            }
            Name::Auth => self.reply.error(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ),
            Name::Hello => self.hello(arguments),
            Name::Client => self.client(arguments),
            Name::Command => self.command(arguments),
            Name::Config => self.config(arguments),
            Name::Info => self.info(arguments).await,
            Name::Quorate => self.quorate(arguments).await,
            Name::Wait => match (integer(word(1)), number(word(2))) {
                (Err(error), _) => self.reply.error(&error),
                (_, None) => self.reply.error("ERR timeout is not an integer or out of range"),
                (_, Some(ms)) if ms < 0 => self.reply.error("ERR timeout is negative"),
                (Ok(replicas), Some(ms)) => {
                    let ms = if ms == 0 { LONGEST_WAIT_MS } else { ms.min(LONGEST_WAIT_MS) };
                    self.wait(replicas, Duration::from_millis(ms.unsigned_abs())).await;
                }
            },
            // the others work on the store, and do not come here
            _ => self.reply.error(SYNTAX),
        }
        Flow::Continue
    }

    /// There is one database. What follows a refused `SELECT` was meant for other keys, and is refused until one succeeds.
    fn select(&mut self, database: &[u8]) {
        let database = integer(database);
        self.gate.database = database != Ok(0);
        match database {
            Ok(0) => self.reply.ok(),
            Ok(_) => self.reply.error("ERR DB index is out of range"),
            Err(error) => self.reply.error(&error),
        }
    }

    fn client_reply(&mut self, mode: &[u8]) {
        if mode.eq_ignore_ascii_case(b"ON") {
            self.set_reply_mode(ReplyMode::On);
            self.reply.ok();
        } else if mode.eq_ignore_ascii_case(b"OFF") {
            self.set_reply_mode(ReplyMode::Off);
        } else if mode.eq_ignore_ascii_case(b"SKIP") {
            if self.reply_mode == ReplyMode::On {
                self.reply_mode = ReplyMode::SkipNext;
            }
        } else {
            self.reply.error(SYNTAX);
        }
    }

    fn set_stale(&mut self, stale: bool) {
        self.stale = stale;
        self.reply.ok();
    }

    fn rename(&mut self, name: Vec<u8>) {
        self.name.clone_from(&name);
        self.server.clients.update(self.id, |client| client.name = name);
    }

    fn hello(&mut self, arguments: Arguments<'_>) {
        let mut protocol = self.reply.protocol();
        if let Some(version) = arguments.get(1) {
            protocol = match number(version) {
                Some(2) => Protocol::Resp2,
                Some(3) => Protocol::Resp3,
                Some(_) => return self.reply.error("NOPROTO unsupported protocol version"),
                None => {
                    return self
                        .reply
                        .error("ERR Protocol version is not an integer or out of range");
                }
            };
        }
        let mut name = None;
        let mut options = arguments.from(2).iter();
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"SETNAME")
                && let Some(value) = options.next()
            {
                if !is_plain(value) {
                    return self.reply.error(BAD_NAME);
                }
                name = Some(value.to_vec());
            } else if option.eq_ignore_ascii_case(b"AUTH") {
                return self.reply.error(
                    "ERR HELLO AUTH is not supported: this server has no users and no passwords",
                );
            } else {
                let option = shown(option, 64);
                return self.reply.error(&format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
        if let Some(name) = name {
            self.rename(name);
        }
        self.set_protocol(protocol);
        self.server.clients.update(self.id, |client| client.protocol = protocol);
        self.write_hello_reply(protocol);
    }

    fn write_hello_reply(&mut self, protocol: Protocol) {
        let reply = &mut self.reply;
        reply.map(7);
        for (key, value) in [("server", "redis"), ("version", info::REDIS_VERSION)] {
            reply.bulk(key.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(b"proto");
        reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
        reply.bulk(b"id");
        reply.integer(self.id.cast_signed());
        for (key, value) in [("mode", "standalone"), ("role", "master")] {
            reply.bulk(key.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(b"modules");
        reply.array(0);
    }

    fn client(&mut self, arguments: Arguments<'_>) {
        let sub = arguments.get(1).unwrap_or_default().to_ascii_uppercase();
        match (&sub[..], arguments.len()) {
            (b"ID", 2) => self.reply.integer(self.id.cast_signed()),
            (b"GETNAME", 2) if self.name.is_empty() => self.reply.null(),
            (b"GETNAME", 2) => self.reply.bulk(&self.name.clone()),
            (b"SETNAME", 3) => {
                let name = arguments.get(2).unwrap_or_default();
                if is_plain(name) {
                    self.rename(name.to_vec());
                    self.reply.ok();
                } else {
                    self.reply.error(BAD_NAME);
                }
            }
            (b"SETINFO", 4) => self.set_info(arguments),
            (b"INFO", 2) => {
                let line = self.server.clients.line(self.id);
                self.reply.text(&format!("{line}\n"));
            }
            (b"LIST", 2..) => match self.server.clients.lines() {
                Some(lines) => self.reply.text(&lines),
                None => self.reply.error(TOO_LONG),
            },
            (b"REPLY", 3) => self.client_reply(arguments.get(2).unwrap_or_default()),
            (b"NO-EVICT" | b"NO-TOUCH", 3) => self.reply.ok(),
            (b"GETREDIR", 2) => self.reply.integer(-1),
            (
                b"ID" | b"GETNAME" | b"SETNAME" | b"SETINFO" | b"INFO" | b"NO-EVICT" | b"NO-TOUCH"
                | b"GETREDIR" | b"REPLY",
                _,
            ) => {
                let sub = String::from_utf8_lossy(&sub).to_lowercase();
                self.reply.error(&wrong_arity(&format!("client|{sub}")));
            }
            _ => self.unknown_subcommand(arguments, "CLIENT"),
        }
    }

    fn set_info(&mut self, arguments: Arguments<'_>) {
        let (field, value) =
            (arguments.get(2).unwrap_or_default(), arguments.get(3).unwrap_or_default());
        if !is_plain(value) {
            let field = shown(field, 64);
            return self.reply.error(&format!(
                "ERR {field} cannot contain spaces, newlines or special characters."
            ));
        }
        let value = value.to_vec();
        if field.eq_ignore_ascii_case(b"LIB-NAME") {
            self.server.clients.update(self.id, |client| client.library = value);
        } else if field.eq_ignore_ascii_case(b"LIB-VER") {
            self.server.clients.update(self.id, |client| client.library_version = value);
        } else {
            let field = shown(field, 64);
            return self.reply.error(&format!("ERR Unrecognized option '{field}'"));
        }
        self.reply.ok();
    }

    fn command(&mut self, arguments: Arguments<'_>) {
        let sub = arguments.get(1).unwrap_or(b"INFO").to_ascii_uppercase();
        if arguments.len() > limits::NAMES {
            return self.reply.error(TOO_MANY_NAMES);
        }
        let named = |index| arguments.from(index).iter().map(table::find);
        match (&sub[..], arguments.len()) {
            (b"COUNT", 2) => self.reply.integer(table::TABLE.len() as i64),
            (b"LIST", 2) => {
                self.reply.array(table::TABLE.len());
                for spec in &table::TABLE {
                    self.reply.bulk(spec.name.as_bytes());
                }
            }
            (b"INFO", ..=2) => {
                self.reply.array(table::TABLE.len());
                for spec in &table::TABLE {
                    self.describe(spec);
                }
            }
            (b"INFO", _) => {
                self.reply.array(arguments.len() - 2);
                for spec in named(2) {
                    match spec {
                        Some(spec) => self.describe(spec),
                        None => self.reply.null(),
                    }
                }
            }
            (b"DOCS", _) => {
                let specs: Vec<&Spec> = if arguments.len() == 2 {
                    table::TABLE.iter().collect()
                } else {
                    named(2).flatten().collect()
                };
                self.reply.map(specs.len());
                for spec in specs {
                    self.document(spec);
                }
            }
            _ => self.unknown_subcommand(arguments, "COMMAND"),
        }
    }

    fn describe(&mut self, spec: &Spec) {
        let reply = &mut self.reply;
        reply.array(10);
        reply.bulk(spec.name.as_bytes());
        reply.integer(spec.arity);
        reply.set(1);
        reply.simple(match spec.kind {
            Kind::Read => "readonly",
            Kind::Write => "write",
            Kind::Connection => "fast",
        });
        for position in [spec.keys.0, spec.keys.1, spec.keys.2] {
            reply.integer(position);
        }
        reply.set(1);
        reply.simple(match spec.kind {
            Kind::Read => "@read",
            Kind::Write => "@write",
            Kind::Connection => "@connection",
        });
        // tips, key specifications, subcommands
        (0..3).for_each(|_| reply.array(0));
    }

    fn document(&mut self, spec: &Spec) {
        let reply = &mut self.reply;
        reply.bulk(spec.name.as_bytes());
        reply.map(3);
        for (key, value) in [("summary", spec.summary), ("since", "1.0.0"), ("group", spec.group)] {
            reply.bulk(key.as_bytes());
            reply.bulk(value.as_bytes());
        }
    }

    fn config(&mut self, arguments: Arguments<'_>) {
        let sub = arguments.get(1).unwrap_or_default().to_ascii_uppercase();
        match (&sub[..], arguments.len()) {
            (b"GET", 3..) if arguments.len() > limits::NAMES => self.reply.error(TOO_MANY_NAMES),
            (b"GET", 3..) => {
                let settings = self.server.settings();
                let patterns = arguments.from(2);
                let patterns: Vec<Pattern> = patterns
                    .iter()
                    .filter(|pattern| pattern.len() <= limits::PATTERN_BYTES)
                    .map(|pattern| Pattern::new(&pattern.to_ascii_lowercase()))
                    .collect();
                let wanted =
                    |name: &str| patterns.iter().any(|pattern| pattern.matches(name.as_bytes()));
                let found: Vec<_> = settings.iter().filter(|(name, _)| wanted(name)).collect();
                self.reply.map(found.len());
                for (name, value) in found {
                    self.reply.bulk(name.as_bytes());
                    self.reply.bulk(value.as_bytes());
                }
            }
            (b"GET", _) => self.reply.error(&wrong_arity("config|get")),
            (b"SET", _) => self.reply.error(
                "ERR CONFIG SET is not supported: settings are given on the command line of the \
                 node",
            ),
            _ => self.unknown_subcommand(arguments, "CONFIG"),
        }
    }

    async fn info(&mut self, arguments: Arguments<'_>) {
        match self.node_status().await {
            Some(view) => {
                let text = info::render(
                    &self.server,
                    &view,
                    &arguments.from(1).iter().collect::<Vec<_>>(),
                );
                self.reply.text(&text);
            }
            None => self.reply.error("ERR this node is stopping"),
        }
    }

    pub(crate) async fn node_status(&self) -> Option<NodeStatus> {
        let (sender, view) = oneshot::channel();
        self.server.node.send(Request::Status(sender)).await.ok()?;
        view.await.ok()
    }

    fn unknown_subcommand(&mut self, arguments: Arguments<'_>, command: &str) {
        let sub = shown(arguments.get(1).unwrap_or_default(), 128);
        self.reply.error(&format!("ERR unknown subcommand '{sub}'. Try {command} HELP."));
    }
}

const TOO_MANY_NAMES: &str = "ERR too many names: ask for less at once";
const BAD_NAME: &str = "ERR Client names cannot contain spaces, newlines or special characters.";

fn is_plain(name: &[u8]) -> bool {
    name.len() <= limits::NAME_BYTES && name.iter().all(|byte| (b'!'..=b'~').contains(byte))
}
