use quorate_core::{Corrupt, Instant, NodeId, Quorums, Rejected, Rejections, Ticket, Tickets};

use super::{Config, Phase, Record, Status};
use crate::member::Group;
use crate::{Ballot, ConfigError, Member, Roles, Storage};

/// What the machine of each role has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Base<S: Storage> {
    pub(crate) group: Group<S>,
    pub(crate) config: Config,
    pub(crate) now: Instant,
    pub(crate) started: bool,
    pub(crate) tickets: Tickets,
    pub(crate) durable: Ticket,
    pub(crate) founded: bool,
    pub(crate) founding_due: bool,
    pub(crate) rejections: Rejections,
}

impl<S: Storage> Base<S> {
    pub(crate) fn new(
        id: NodeId,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        config: Config,
        roles: Roles,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            group: Group::new(id, members, quorums, (roles, config.max_members))?,
            config,
            now: Instant::ZERO,
            started: false,
            tickets: Tickets::default(),
            durable: Ticket::default(),
            founded: false,
            founding_due: false,
            rejections: Rejections::default(),
        })
    }

    /// The place of a sender, which must have this role.
    pub(crate) fn sender(&self, from: NodeId, roles: Roles) -> Result<usize, Rejected> {
        let index = self.group.index_of(from).ok_or(Rejected::UnknownSender)?;
        if index == self.group.me() || !self.group.has_role(index, roles) {
            return Err(Rejected::Impossible);
        }
        Ok(index)
    }

    pub(crate) fn advance_to(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.started = true;
    }

    pub(crate) fn persisted(&mut self, ticket: Ticket) {
        if ticket <= self.tickets.last() {
            self.durable = self.durable.max(ticket);
        }
    }

    pub(crate) fn found(&mut self) {
        self.founding_due |= !self.founded;
        self.founded = true;
    }
    /// Before any other input; the record that the node was founded is taken here.
    pub(crate) fn restore(&mut self, record: &Record<'_>) -> Result<(), Corrupt> {
        if self.started {
            return Err(Corrupt::Started);
        }
        self.founded |= matches!(record, Record::Founded);
        Ok(())
    }

    pub(crate) fn checkpoint(&self) -> impl Iterator<Item = Record<'_>> {
        self.founded.then_some(Record::Founded).into_iter()
    }

    /// Of a machine without a role.
    pub(crate) fn status(&self) -> Status {
        Status {
            id: self.group.my_id(),
            founded: self.founded,
            phase: Phase::Idle,
            ballot: Ballot::ZERO,
            promised: Ballot::ZERO,
            accepted: Ballot::ZERO,
            decided: false,
        }
    }
}
