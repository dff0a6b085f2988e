//! How a cluster is founded: every founder must be there and have an empty disk, or the same unfinished founding on it, before any
//! of them starts its machine. That tells a node whose disk was erased from a new one.
//!
//! The founder with the lowest id draws a random founding id. All write it down as *prepared*; a founder that sees all prepared
//! under one id writes it down as *founded* and starts. From then on the id tells the cluster from all others: in the log's header,
//! in every hello, in `INFO`.

mod decide;
mod message;
mod rpc;
mod state_file;

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;
use std::collections::BTreeMap;
use std::hash::RandomState;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use quorate_tokio::QueryHandler;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

pub(crate) use decide::Stage;
pub(crate) use state_file::{FoundingState, load, path, restore_hint};

use crate::Failure;
use decide::{Decision, decide};
use message::Message;
use rpc::{RpcError, Shared};

/// Between two rounds of queries.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How often the founders that are missing are logged.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// A node that founds its cluster with others.
#[derive(Debug)]
pub(crate) struct Founder {
    pub(crate) id: u64,
    /// The operator's number and the founders, as one number.
    pub(crate) founders_hash: u64,
    /// All other founders and where they are.
    pub(crate) others: BTreeMap<u64, String>,
    /// Those that `--found-without` excludes.
    pub(crate) excluded: BTreeMap<u64, String>,
    pub(crate) data: PathBuf,
    pub(crate) founding: FoundingState,
}

/// The last answers of the others.
#[derive(Default)]
struct Answers {
    stages: BTreeMap<u64, Stage>,
    /// Why a founder does not count.
    faults: BTreeMap<u64, String>,
}

/// Answers the queries of founders on a node that is in a cluster already.
pub(crate) fn query_handler(id: u64, founders_hash: u64, cluster: u64) -> QueryHandler {
    QueryHandler::new(move |query| {
        let receiver = Message::from_bytes(query).map_or(0, |message| message.sender);
        let stage = Stage::Founded(cluster);
        Message { founders_hash, sender: id, receiver, stage }.to_bytes()
    })
}

impl Founder {
    /// Founds the cluster with the others; gives its id. Waits for them as long as it takes.
    ///
    /// # Errors
    ///
    /// When the cluster was founded without this disk, or the disk fails.
    pub(crate) async fn found(mut self, listener: &TcpListener) -> Result<u64, Failure> {
        let failed = |error| Failure::Run(format!("cannot listen for the other founders: {error}"));
        let listener = listener.try_clone().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
        let (id, founders_hash) = (self.id, self.founders_hash);
        let own = Message { founders_hash, sender: id, receiver: 0, stage: self.founding.stage };
        let shared: Shared = Arc::new(Mutex::new(own));
        let mut server = JoinSet::new();
        server.spawn(rpc::serve(listener, shared.clone()));
        self.query_excluded(own).await?;
        let mut answers = Answers::default();
        let mut log_at = Instant::now();
        loop {
            if let Some(cluster) = self.decide(&mut answers, &shared)? {
                return Ok(cluster);
            }
            self.query_all(&mut answers, &shared).await?;
            if Instant::now() >= log_at && !answers.faults.is_empty() {
                // one that was down when this node started may be back
                self.query_excluded(own).await?;
                self.log_missing(&answers);
                log_at = Instant::now() + LOG_INTERVAL;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Queries the excluded founders, as one that answers may have what would be lost.
    async fn query_excluded(&self, own: Message) -> Result<(), Failure> {
        for (&other, address) in &self.excluded {
            let answer = rpc::query(address.clone(), Message { receiver: other, ..own }).await;
            if let Err(RpcError::Incompatible(what)) = answer {
                return Err(Failure::Run(format!(
                    "--found-without leaves node {other} out, but something answers at {address}: {what}"
                )));
            }
            if let Ok(Message { sender, stage: Stage::Founded(cluster), .. }) = answer
                && sender == other
            {
                return Err(Failure::Run(format!(
                    "--found-without leaves node {other} out, which answers at {address}: it is of the cluster founded as {cluster:016x}, and \
                     has what was written there. If that cluster is to go on, start this node under an id that was never used, with an \
                     empty directory and --join. If what it has is to be given up, stop it first"
                )));
            }
        }
        Ok(())
    }

    /// Queries every other founder once, and decides after each answer.
    async fn query_all(&mut self, answers: &mut Answers, shared: &Shared) -> Result<(), Failure> {
        let own = *shared.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queries = JoinSet::new();
        for (&other, address) in &self.others {
            let (address, query) = (address.clone(), Message { receiver: other, ..own });
            queries.spawn(async move { (other, rpc::query(address, query).await) });
        }
        while let Some(answered) = queries.join_next().await {
            let Ok((other, answer)) = answered else { continue };
            // an answer to a query of before this node's stage changed is old
            let is_old = shared.lock().unwrap_or_else(PoisonError::into_inner).stage != own.stage;
            if !is_old {
                self.record_answer(answers, other, answer)?;
                self.decide(answers, shared)?;
            }
        }
        Ok(())
    }

    fn record_answer(
        &self,
        answers: &mut Answers,
        other: u64,
        answer: Result<Message, RpcError>,
    ) -> Result<(), Failure> {
        let fault = match answer {
            Ok(Message { sender, .. }) if sender != other => {
                format!("node {sender} answers there: check the addresses")
            }
            Ok(Message { founders_hash, stage: Stage::Founded(cluster), .. })
                if founders_hash != self.founders_hash =>
            {
                return Err(self.refusal(other, cluster));
            }
            Ok(Message { founders_hash, .. }) if founders_hash != self.founders_hash => {
                "it was started with other founders, or another protocol: give it the same \
                 --peers, --cluster-id, --consensus and --found-without"
                    .into()
            }
            Ok(Message { stage, .. }) => {
                answers.faults.remove(&other);
                answers.stages.insert(other, stage);
                return Ok(());
            }
            Err(none) => none.to_string(),
        };
        answers.faults.insert(other, fault);
        Ok(())
    }

    /// Does what is to be done next; gives the cluster's id once it is founded.
    fn decide(&mut self, answers: &mut Answers, shared: &Shared) -> Result<Option<u64>, Failure> {
        let others: Vec<u64> = self.others.keys().copied().collect();
        let before = self.founding.stage;
        let stage = match decide(self.id, &others, before, &answers.stages) {
            Decision::Wait => return Ok(None),
            Decision::Refuse { peer, id } => return Err(self.refusal(peer, id)),
            Decision::Generate => Stage::Prepared(random_id()),
            Decision::Prepare(id) => Stage::Prepared(id),
            Decision::Found(id) => Stage::Founded(id),
        };
        if stage != before {
            self.founding.stage = stage;
            state_file::save(&self.data, &self.founding).map_err(|error| {
                Failure::Run(format!("cannot write {}: {error}", path(&self.data).display()))
            })?;
            shared.lock().unwrap_or_else(PoisonError::into_inner).stage = stage;
            answers.stages.clear();
            if let Stage::Founded(id) = stage {
                info!(founding_id = format!("{id:016x}"), founders = ?self.founding.founders, "the cluster is founded");
            }
        }
        Ok(match stage {
            Stage::Founded(id) => Some(id),
            _ => None,
        })
    }

    /// Logs the founders that are missing.
    fn log_missing(&self, answers: &Answers) {
        let missing: Vec<String> = answers
            .faults
            .iter()
            .map(|(id, fault)| format!("node {id} at {}: {fault}", self.others[id]))
            .collect();
        warn!(
            "waiting for the other founders, as a disk that was erased looks like a new one: {}. If one is lost for good and this \
             cluster was never founded, --found-without ID leaves it out",
            missing.join("; ")
        );
    }

    fn refusal(&self, peer: u64, cluster: u64) -> Failure {
        let (id, address) = (self.id, self.others.get(&peer).map_or("", |address| address));
        Failure::Run(format!(
            "node {peer} ({address}) is of the cluster founded as {cluster:016x}, and {} has no log of it. If this is the wrong directory, check \
             --data. Otherwise it was erased, or the cluster was founded without it: it must not take part as node {id}, which may have \
             promised there what this disk does not know. If node {id} is a member, remove it on a healthy node (`quorate-kv ctl remove \
             {id}`); then start this one under an id that was never used, with an empty directory and --join",
            self.data.display()
        ))
    }
}

/// A number that no other cluster has.
fn random_id() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    loop {
        // the standard library's hashers begin with what the system gives for random
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u128(time);
        hasher.write_u32(std::process::id());
        let id = hasher.finish();
        if id != 0 {
            return id;
        }
    }
}
