use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cluster::{Answer, Cluster, Places, Problem};
use crate::command::{Command, Condition, Get, Put};
use crate::screen::table;
use crate::value::Stored;

const COMMANDS: &str = "\
put KEY VALUE [w=W] [pw=PW] [at=NODE] [sloppy]
delete KEY [w=W] [pw=PW] [at=NODE] [sloppy]
get KEY [r=R] [pr=PR] [at=NODE] [sloppy] [repair=off|background|blocking|always]
fill COUNT          kill NODE   start NODE   erase NODE   join NODE   leave NODE
where KEY           lost NODE   hints        nodes        help        quit
in scripts:         wait noticed|handed|moved|rebuilt|copies KEY      try COMMAND";

/// How many keys are told of that move.
const TOLD_KEYS: usize = 8;

/// Carries commands out.
pub struct Shell<V: Stored> {
    cluster: Cluster<V>,
    patience: Duration,
    interrupted: Arc<AtomicBool>,
}

impl<V: Stored> Shell<V> {
    /// For this cluster. A condition is waited for for `patience`, or until the person has had enough.
    #[must_use]
    pub const fn new(
        cluster: Cluster<V>,
        patience: Duration,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self { cluster, patience, interrupted }
    }

    /// What it works on.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster<V> {
        &self.cluster
    }

    /// Whether the person has had enough.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Lets changes of the members go on; what happened, if something did.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub fn tick(&mut self) -> Result<Option<String>, Problem> {
        let before = self.members();
        let done = self.cluster.tick()?;
        Ok(done.then(|| format!("members were {before}, and are {}", self.members())))
    }

    /// Carries a command out: what there is to say, or `None` if the person has had enough.
    ///
    /// # Errors
    ///
    /// Why it was not done.
    pub fn obey(&mut self, command: &Command) -> Result<Option<String>, Problem> {
        let said = match command {
            Command::Quit => return Ok(None),
            Command::Nothing => String::new(),
            Command::Help => COMMANDS.into(),
            Command::Put(put) => self.put(put)?,
            Command::Get(get) => self.get(get)?,
            Command::Fill(count) => self.fill(*count)?,
            Command::Kill(id) => {
                self.cluster.kill(*id)?;
                format!("node {id} is down; its disk stays")
            }
            Command::Start(id) => {
                self.cluster.revive(*id)?;
                format!("node {id} is up")
            }
            Command::Erase(id) => {
                self.cluster.erase(*id)?;
                format!("node {id} is down, and its disk is erased")
            }
            Command::Join(id) => {
                self.cluster.join(*id)?;
                format!("node {id} joins{}", self.moves())
            }
            Command::Leave(id) => {
                self.cluster.leave(*id)?;
                format!("node {id} leaves{}", self.moves())
            }
            Command::Lost(id) => {
                self.cluster.give_up(*id)?;
                format!("nobody waits for node {id} any more")
            }
            Command::Where(key) => self.tell_where(key),
            Command::Hints => self.hints(),
            Command::Nodes => table(&self.cluster),
            Command::Wait(condition) => self.wait(condition)?,
            Command::Try(command) => match self.obey(command) {
                Err(why) => format!("failed: {why}"),
                done => return done,
            },
        };
        Ok(Some(said))
    }

    fn put(&mut self, put: &Put) -> Result<String, Problem> {
        let Answer::Written { at, superseded } = self.cluster.put(put)? else {
            return Err(Problem("a read answered a write".into()));
        };
        let (key, replicas) = (&put.key, self.cluster.places(&put.key).replicas);
        let what = if put.value.is_some() { "written" } else { "deleted" };
        let late = if superseded { "; a later value was there, and stays" } else { "" };
        Ok(format!("{key} is {what} by node {at}; its replicas are {}{late}", list(&replicas)))
    }

    fn get(&mut self, get: &Get) -> Result<String, Problem> {
        match self.cluster.get(get)? {
            Answer::Found(Some(data)) => Ok(format!("{} is {}", get.key, text(&data))),
            Answer::Found(None) => Ok(format!("{} is not there", get.key)),
            Answer::Written { .. } => Err(Problem("a write answered a read".into())),
        }
    }

    fn fill(&mut self, count: u32) -> Result<String, Problem> {
        for number in 1..=count {
            let line = format!("put key-{number} value-{number}");
            if let Command::Put(put) = Command::parse(&line).map_err(Problem)? {
                let refused =
                    |why| Problem(format!("{} of {count} are written: {why}", number - 1));
                self.cluster.put(&put).map_err(refused)?;
            }
        }
        Ok(format!("key-1 to key-{count} are written"))
    }

    fn tell_where(&self, key: &str) -> String {
        let places = self.cluster.places(key);
        let Places { replicas, stand_ins, .. } = &places;
        let mut said = format!("{key} lives on {}", list(replicas));
        if let Some(next) = places.moves_to() {
            let _ = write!(said, ", moves to {}", list(next));
        }
        for id in self.cluster.ids() {
            let view = self.cluster.view(id, &[key.to_owned()]);
            let held = view.map(|view| view.held.into_iter().next().flatten());
            let has = match held {
                None if replicas.contains(&id) => "is down".into(),
                Some(None) if replicas.contains(&id) => "has nothing".into(),
                Some(Some(value)) => match value.data() {
                    Some(data) => format!("has {}", text(data)),
                    None => "has a tombstone".into(),
                },
                _ => continue,
            };
            let _ = write!(said, "; node {id} {has}");
        }
        let _ = write!(said, "; stand-ins are {}", list(stand_ins));
        said
    }

    fn hints(&self) -> String {
        let mut said = Vec::new();
        for id in self.cluster.ids() {
            if let Some(view) = self.cluster.view(id, &[])
                && view.status.hints > 0
            {
                said.push(format!("node {id} keeps {}", view.status.hints));
            }
        }
        if said.is_empty() { "no node keeps hints".into() } else { said.join(", ") }
    }

    /// Keys that move, of those that this program has written.
    fn moves(&self) -> String {
        let mut said = String::new();
        let keys = self.cluster.keys();
        let mut moving = 0_usize;
        for key in &keys {
            let places = self.cluster.places(key);
            if let Some(next) = places.moves_to() {
                moving += 1;
                if moving <= TOLD_KEYS {
                    let present = list(&places.replicas);
                    let _ = write!(said, "\n  {key}: {present} -> {}", list(next));
                }
            }
        }
        format!("; of {} keys {moving} move{said}", keys.len())
    }

    fn members(&self) -> String {
        let is_member = |id: &u64| !matches!(self.cluster.membership(*id), "-" | "joining");
        list(&self.cluster.ids().into_iter().filter(is_member).collect::<Vec<_>>())
    }

    fn wait(&mut self, condition: &Condition) -> Result<String, Problem> {
        let began = Instant::now();
        let mut said = String::new();
        while let Err(missing) = self.cluster.check(condition) {
            if self.is_interrupted() {
                return Err(Problem("interrupted".into()));
            }
            if began.elapsed() > self.patience {
                let seconds = self.patience.as_secs();
                return Err(Problem(format!("after {seconds} seconds still: {missing}")));
            }
            if let Some(news) = self.tick()? {
                let _ = write!(said, "{news}; ");
            }
            sleep(Duration::from_millis(20));
        }
        let what = match condition {
            Condition::Noticed => "all nodes know which are up".into(),
            Condition::Handed => "no node keeps hints".into(),
            Condition::Moved => "nobody is joining or leaving".into(),
            Condition::Rebuilt => "all members know what they hold".into(),
            Condition::Copies(key) => {
                let replicas = list(&self.cluster.places(key).replicas);
                format!("{replicas} have the same of {key}, and nobody else has it")
            }
        };
        Ok(said + &what)
    }
}

fn list(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
    if ids.is_empty() { "none".into() } else { ids.join(" ") }
}

/// Data as people see it: control characters do not reach the terminal.
pub(crate) fn text(data: &[u8]) -> String {
    let mut text: String = String::from_utf8_lossy(data).escape_debug().collect();
    if text.chars().count() > 60 {
        text = text.chars().take(57).chain("...".chars()).collect();
    }
    format!("\"{text}\"")
}
