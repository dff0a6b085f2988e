use quorate_core::{Full, List, Quorums};

use super::configuration::{decode, encode, is_sound_role};
use super::{Configuration, Members, Storage};
use crate::{ConfigError, Member};

/// A configuration that is kept.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Kept<S: Storage> {
    pub(super) number: u64,
    quorums: Quorums,
    members: S::Configuration,
}

impl<S: Storage> Kept<S> {
    /// The founders', of which nothing needs to be kept: they are known from elsewhere.
    pub(super) fn founders(limit: usize) -> Self {
        let members = S::Configuration::with_limit(limit);
        Self { number: 0, quorums: Quorums::majority(1), members }
    }

    pub(super) fn of(configuration: Configuration<'_>, limit: usize) -> Result<Self, Full> {
        let mut members = S::Configuration::with_limit(limit);
        members.extend_from_slice(configuration.members.0)?;
        Ok(Self { number: configuration.number, quorums: configuration.quorums, members })
    }

    pub(super) fn get(&self) -> Configuration<'_> {
        let (number, quorums) = (self.number, self.quorums);
        Configuration { number, quorums, members: Members(&self.members) }
    }

    /// The next configuration, as somebody asks for it.
    pub(super) fn next(
        number: u64,
        members: impl IntoIterator<Item = Member>,
        quorums: Quorums,
        limit: usize,
    ) -> Result<Self, ConfigError> {
        let mut list = S::Configuration::with_limit(limit);
        for member in members {
            if list.iter().any(|other| decode(other).id == member.id) {
                return Err(ConfigError::DuplicateMember(member.id));
            }
            if !is_sound_role(member.roles) {
                return Err(ConfigError::Roles);
            }
            list.push(encode(member)).map_err(|Full| ConfigError::TooManyMembers)?;
            let mut at = list.len().saturating_sub(1);
            while let Some([before, last]) = list.get_mut(at.saturating_sub(1)..=at)
                && decode(before).id > decode(last).id
            {
                core::mem::swap(before, last);
                at = at.saturating_sub(1);
            }
        }
        let next = Self { number, quorums, members: list };
        if next.get().is_valid() { Ok(next) } else { Err(ConfigError::Quorums) }
    }
}
