use core::fmt;

/// Why bytes between two zeros are no frame for this node. They were dropped and counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FrameError {
    /// Noise: the stuffing or the checksum is wrong.
    Garbled,
    /// More bytes than a frame may have.
    TooLong,
    /// A frame of another version.
    Version,
    /// A frame of another cluster.
    Cluster,
    /// A frame for another node, as on a bus.
    Address,
}

/// How much came off a line, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counters {
    /// Frames that were handed out.
    pub frames: u32,
    /// [`FrameError::Garbled`].
    pub garbled: u32,
    /// [`FrameError::TooLong`].
    pub too_long: u32,
    /// [`FrameError::Version`].
    pub version: u32,
    /// [`FrameError::Cluster`].
    pub cluster: u32,
    /// [`FrameError::Address`].
    pub address: u32,
}

impl Counters {
    pub(crate) const NEW: Self =
        Self { frames: 0, garbled: 0, too_long: 0, version: 0, cluster: 0, address: 0 };

    /// Everything that was dropped, frames for other nodes aside.
    #[must_use]
    pub const fn errors(&self) -> u32 {
        self.garbled
            .saturating_add(self.too_long)
            .saturating_add(self.version)
            .saturating_add(self.cluster)
    }

    pub(crate) const fn count(&mut self, reason: FrameError) {
        let counter = match reason {
            FrameError::Garbled => &mut self.garbled,
            FrameError::TooLong => &mut self.too_long,
            FrameError::Version => &mut self.version,
            FrameError::Cluster => &mut self.cluster,
            FrameError::Address => &mut self.address,
        };
        *counter = counter.saturating_add(1);
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Garbled => "the bytes are garbled",
            Self::TooLong => "more bytes than a frame may have",
            Self::Version => "a frame of another version",
            Self::Cluster => "a frame of another cluster",
            Self::Address => "a frame for another node",
        })
    }
}

impl core::error::Error for FrameError {}
