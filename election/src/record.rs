use quorate_core::wire;

use crate::Epoch;

wire! {
    /// What an election keeps on disk: the highest epoch that this node has seen or claimed. One
    /// record, of 1 to 9 bytes, for each change of leader.
    ///
    /// It is what makes tokens grow across restarts, and what keeps a node from accepting two
    /// leaders in one epoch.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct Record {
        /// The highest epoch.
        pub epoch: Epoch,
    }
}
