use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::limits;
use crate::reply::Protocol;

/// The clients that are connected, for `CLIENT LIST`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clients(Arc<Mutex<BTreeMap<u64, Client>>>);

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) name: Vec<u8>,
    pub(crate) library: Vec<u8>,
    pub(crate) library_version: Vec<u8>,
    pub(crate) protocol: Protocol,
    address: SocketAddr,
    since: Instant,
}

/// Takes the client off the list when it is dropped.
pub(crate) struct Registered {
    clients: Clients,
    id: u64,
}

impl Clients {
    pub(crate) fn register(&self, id: u64, address: SocketAddr) -> Registered {
        let client = Client {
            name: Vec::new(),
            library: Vec::new(),
            library_version: Vec::new(),
            protocol: Protocol::Resp2,
            address,
            since: Instant::now(),
        };
        self.lock().insert(id, client);
        Registered { clients: self.clone(), id }
    }

    pub(crate) fn update(&self, id: u64, change: impl FnOnce(&mut Client)) {
        if let Some(client) = self.lock().get_mut(&id) {
            change(client);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// One client, in the form of `CLIENT LIST`.
    pub(crate) fn line(&self, id: u64) -> String {
        self.lock().get(&id).map(|client| client.line(id)).unwrap_or_default()
    }

    /// All clients, a line each; none if that is longer than a reply may be.
    pub(crate) fn lines(&self) -> Option<String> {
        let mut lines = String::new();
        for (&id, client) in self.lock().iter() {
            lines += &client.line(id);
            lines.push('\n');
            if lines.len() > limits::REPLY_BYTES {
                return None;
            }
        }
        Some(lines)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn line(&self, id: u64) -> String {
        format!(
            "id={id} addr={} name={} age={} flags=N db=0 resp={} lib-name={} lib-ver={}",
            self.address,
            String::from_utf8_lossy(&self.name),
            self.since.elapsed().as_secs(),
            if self.protocol == Protocol::Resp3 { 3 } else { 2 },
            String::from_utf8_lossy(&self.library),
            String::from_utf8_lossy(&self.library_version),
        )
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.clients.lock().remove(&self.id);
    }
}
