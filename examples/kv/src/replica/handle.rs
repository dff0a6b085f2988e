use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;

use quorate_tokio::{Handle, Metrics, Stopped};

use super::{Replica, Request};
use crate::consensus::Consensus;

/// The running node, whichever protocol keeps its log.
#[derive(Clone)]
pub(crate) struct NodeHandle(Arc<dyn Node>);

type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Stopped>> + Send + 'a>>;

trait Node: Send + Sync {
    fn send(&self, request: Request) -> Sending<'_>;
    fn metrics(&self) -> &Arc<Metrics>;
}

impl<C: Consensus> Node for Handle<Replica<C>> {
    fn send(&self, request: Request) -> Sending<'_> {
        Box::pin(Self::send(self, request))
    }

    fn metrics(&self) -> &Arc<Metrics> {
        Self::metrics(self)
    }
}

impl NodeHandle {
    pub(crate) fn new<C: Consensus>(node: Handle<Replica<C>>) -> Self {
        Self(Arc::new(node))
    }

    /// Hands a request to the node; waits while it has too many.
    pub(crate) async fn send(&self, request: Request) -> Result<(), Stopped> {
        self.0.send(request).await
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        self.0.metrics()
    }
}
