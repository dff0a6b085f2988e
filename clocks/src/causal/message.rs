use quorate_core::wire;

use crate::{Dot, Versions};

wire! {
    /// Messages between the members of a group.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Message<'a> {
        /// A broadcast, from its origin or relayed by another member.
        0 => Data {
            /// The actor that broadcast it, and the number of the broadcast.
            dot: Dot,
            /// What it depends on besides the previous event of the same actor and what that
            /// depends on.
            causes: Versions<'a>,
            /// What was broadcast.
            payload: &'a [u8],
        },
        /// Everything that the sender has delivered.
        1 => Status {
            /// Boot number of the sender, from 1: statuses of an earlier boot no longer count.
            /// Boots of its `n`th incarnation (from 0) are counted from `n` times 2^22. A receiver
            /// believes a changed boot number when an answer repeats it.
            boot: u32,
            /// Requests the receiver's status, and the messages that the sender lacks.
            request: bool,
            /// In a request: also requests messages of other origins, as those did not respond. In
            /// a reply: the flag of the request, which distinguishes the reply from earlier
            /// statuses.
            relay: bool,
            /// Everything delivered.
            delivered: Versions<'a>,
        },
        /// The sender no longer has all messages that the receiver lacks.
        2 => Behind {
            /// What the sender delivered and may have dropped.
            floor: Versions<'a>,
        },
    }
}

wire! {
    /// What a member keeps on disk, so that it never makes a dot twice and never forgets what it
    /// broadcast.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum Record<'a> {
        /// The member started.
        0 => Boot {
            /// How often, this time included.
            boot: u32,
        },
        /// The member's own next broadcast.
        1 => Sent {
            /// Its number, from 1.
            counter: u64,
            /// What it depends on.
            causes: Versions<'a>,
            /// What was broadcast.
            payload: &'a [u8],
        },
        /// All members have the member's own broadcasts up to this one.
        2 => Stable {
            /// Its number.
            counter: u64,
        },
    }
}
