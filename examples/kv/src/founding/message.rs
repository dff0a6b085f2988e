//! The message that founders exchange before any of them has a machine.

use super::decide::Stage;

/// The form of the message; another number is another form.
const VERSION: u32 = 1;

/// How far a node is with founding its cluster. A query and its answer have the same form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    /// The operator's `--cluster-id` and the founders, as one number; 0 of a node that founded nothing.
    pub(crate) founders_hash: u64,
    pub(crate) sender: u64,
    /// The node that the sender believes to speak to.
    pub(crate) receiver: u64,
    pub(crate) stage: Stage,
}

impl Message {
    /// Little-endian: version (4), list, sender and receiver (8 each), stage (1: 0 empty, 1 prepared, 2 founded) and founding id (8).
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let (stage, id) = match self.stage {
            Stage::Empty => (0, 0),
            Stage::Prepared(id) => (1, id),
            Stage::Founded(id) => (2, id),
        };
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for field in [self.founders_hash, self.sender, self.receiver] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.push(stage);
        bytes.extend(u64::to_le_bytes(id));
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.split_first_chunk::<24>()?;
        let (&[stage], id) = rest.split_first_chunk::<1>()?;
        let id = u64::from_le_bytes(id.try_into().ok()?);
        let stage = match (u32::from_le_bytes(*version), stage) {
            (VERSION, 0) if id == 0 => Stage::Empty,
            (VERSION, 1) => Stage::Prepared(id),
            (VERSION, 2) => Stage::Founded(id),
            _ => return None,
        };
        let mut fields =
            numbers.chunks(8).map(|field| u64::from_le_bytes(field.try_into().unwrap_or_default()));
        let mut field = || fields.next();
        Some(Self { founders_hash: field()?, sender: field()?, receiver: field()?, stage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_round_trips_and_rejects_other_versions() {
        for stage in [Stage::Empty, Stage::Prepared(7), Stage::Founded(u64::MAX)] {
            let message = Message { founders_hash: 1 << 60, sender: 2, receiver: 3, stage };
            let bytes = message.to_bytes();
            assert_eq!(Message::from_bytes(&bytes), Some(message));
            for end in 0..bytes.len() {
                assert_eq!(Message::from_bytes(&bytes[..end]), None);
            }
            assert_eq!(Message::from_bytes(&[&bytes[..], b"x"].concat()), None);
            let other = [&[2, 0, 0, 0], &bytes[4..]].concat();
            assert_eq!(Message::from_bytes(&other), None, "another version");
        }
    }
}
