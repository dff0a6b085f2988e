use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use quorate_core::{NodeId, Rng};
use tokio::task::AbortHandle;
use tokio::time::{Duration, Instant};

use super::inbox::InboxTotals;
use super::link::Link;
use super::outgoing::Outgoing;
use crate::frame::Hello;
use crate::metrics::Metrics;
use crate::{LogLimit, TcpOptions};

/// A peer that was taken off is let in again after so long, as any node that is not known: it may have been cut off since, and not
/// have heard what it was taken off for.
pub(crate) const READMIT_AFTER: Duration = Duration::from_secs(10);

/// The links to all peers there are, which come and go.
pub(crate) struct Links {
    /// In the order of their ids.
    all: RwLock<Arc<[Arc<Link>]>>,
    /// This node's hello; the receiver is filled in.
    hello: Hello,
    options: Arc<TcpOptions>,
    metrics: Arc<Metrics>,
    inbox_totals: Arc<InboxTotals>,
    /// Lines about connections to a peer, which that peer can cause.
    log_limit: Arc<LogLimit<NodeId>>,
    tasks: Mutex<Tasks>,
}

/// A link that comes and goes says so this often a minute.
const LOG_LINES_PER_MINUTE: u32 = 20;

/// What keeps the connections.
struct Tasks {
    rng: Rng,
    outgoing: HashMap<NodeId, AbortHandle>,
    /// Disconnected peers, and when: they are not admitted as unknown nodes before
    /// [`READMIT_AFTER`] has passed.
    disconnected_at: HashMap<NodeId, Instant>,
}

impl Links {
    pub(crate) fn new(hello: Hello, options: Arc<TcpOptions>, metrics: Arc<Metrics>) -> Self {
        // the incarnation goes through the generator first: one that was derived from the id, as a
        // counter or by a generator, must not cancel against it
        let rng = Rng::new(Rng::new(hello.incarnation).next_u64() ^ hello.sender.get());
        Self {
            all: RwLock::new(Arc::new([])),
            hello,
            options,
            metrics,
            inbox_totals: Arc::default(),
            log_limit: Arc::new(LogLimit::new(LOG_LINES_PER_MINUTE)),
            tasks: Mutex::new(Tasks {
                rng,
                outgoing: HashMap::new(),
                disconnected_at: HashMap::new(),
            }),
        }
    }

    /// All of them, as they are now.
    pub(crate) fn all(&self) -> Arc<[Arc<Link>]> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<Arc<Link>> {
        let all = self.all();
        let at = all.binary_search_by_key(&id, |link| link.id).ok()?;
        Some(all[at].clone())
    }

    /// A number for the jitter of another task.
    pub(crate) fn fork(&self) -> Rng {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).rng.fork()
    }

    /// Adds a link whose connection somebody else keeps.
    pub(crate) fn add(&self, id: NodeId, addr: String) -> Arc<Link> {
        let (counters, options) = (self.metrics.peer(id), self.options.clone());
        let link = Arc::new(Link::new(id, addr, counters, options, self.inbox_totals.clone()));
        self.change(|all| match all.binary_search_by_key(&id, |link| link.id) {
            Ok(at) => all[at] = link.clone(),
            Err(at) => all.insert(at, link.clone()),
        });
        link
    }

    /// Adds a peer at a TCP address, or moves it there, and connects to it, for as long as it is not disconnected. Within a runtime.
    pub(crate) fn connect(&self, id: NodeId, addr: &str) {
        self.connect_to(id, addr);
        if let Some(link) = self.get(id) {
            link.mark_configured();
        }
    }

    /// Adds a peer that came by itself, and connects to it where it says that it is. False if there are too many peers; one that came
    /// by itself and is gone makes room.
    pub(crate) fn accept_unknown(&self, id: NodeId, addr: &str) -> bool {
        let all = self.all();
        if all.len() >= self.options.max_peers {
            let Some(absent) = all.iter().find(|link| link.is_absent()) else { return false };
            self.forget_absent(absent.id);
        }
        self.connect_to(id, addr);
        true
    }

    /// Forgets a peer that came by itself and is gone.
    pub(crate) fn forget_absent(&self, id: NodeId) {
        let Some(link) = self.get(id) else { return };
        link.cancel_departure();
        if link.is_absent() && self.remove_link(id) {
            self.metrics.forget(id);
        }
    }

    fn connect_to(&self, id: NodeId, addr: &str) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.disconnected_at.remove(&id);
        let on_serial_line = !tasks.outgoing.contains_key(&id);
        drop(tasks);
        // one on a serial line stays there
        if id == self.hello.sender
            || self.get(id).is_some_and(|link| on_serial_line || link.addr == addr)
        {
            return;
        }
        self.remove_link(id);
        let outgoing = Outgoing {
            link: self.add(id, addr.to_owned()),
            hello: Hello { receiver: id, ..self.hello.clone() },
            options: self.options.clone(),
            metrics: self.metrics.clone(),
            log_limit: self.log_limit.clone(),
            rng: self.fork(),
        };
        let task = tokio::spawn(outgoing.run()).abort_handle();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.outgoing.insert(id, task);
    }

    /// Whether a peer was taken off lately.
    pub(crate) fn was_disconnected_recently(&self, id: NodeId) -> bool {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.disconnected_at.get(&id).is_some_and(|since| since.elapsed() < READMIT_AFTER)
    }

    /// Takes a peer off, and closes its connections. It is not let in for [`READMIT_AFTER`], unless
    /// it is connected to again.
    pub(crate) fn disconnect(&self, id: NodeId) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.disconnected_at.insert(id, Instant::now());
        drop(tasks);
        if self.remove_link(id) {
            self.metrics.forget(id);
        }
    }

    fn remove_link(&self, id: NodeId) -> bool {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = tasks.outgoing.remove(&id) {
            task.abort();
        }
        drop(tasks);
        let Some(link) = self.get(id) else { return false };
        self.change(|all| all.retain(|link| link.id != id));
        link.set_down();
        link.close_incoming();
        true
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Link>>)) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let mut links = all.to_vec();
        change(&mut links);
        *all = links.into();
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").finish_non_exhaustive()
    }
}
