//! The boards' logs: a stream of defmt frames, which only the image they come from can turn into text.

use std::path::Path;

use crate::Failure;

#[cfg(feature = "logs")]
pub(crate) use defmt::Logs;
#[cfg(not(feature = "logs"))]
pub(crate) use raw::Logs;

impl Logs {
    /// Those of an image.
    pub(crate) fn of(image: &Path) -> Result<Self, Failure> {
        let elf = std::fs::read(image).map_err(Failure::io(image.display()))?;
        Self::parse(&elf).map_err(|why| Failure::Unexpected(format!("{}: {why}", image.display())))
    }
}

#[cfg(feature = "logs")]
mod defmt {
    use defmt_decoder::{DecodeError, StreamDecoder, Table};
    use std::sync::Arc;

    /// What the logs of an image mean.
    #[derive(Clone, Debug)]
    pub(crate) struct Logs(Option<Arc<Table>>);

    /// Makes text of one stream.
    pub(crate) struct Decoder<'a>(Option<Box<dyn StreamDecoder + Send + Sync + 'a>>);

    impl Logs {
        pub(crate) fn parse(elf: &[u8]) -> Result<Self, String> {
            let table = Table::parse(elf).map_err(|error| format!("its log table: {error:#}"))?;
            Ok(Self(table.map(Arc::new)))
        }

        pub(crate) fn decoder(&self) -> Decoder<'_> {
            Decoder(self.0.as_deref().map(Table::new_stream_decoder))
        }
    }

    impl Decoder<'_> {
        /// Takes what came; says each whole line.
        pub(crate) fn take(&mut self, bytes: &[u8], say: &mut dyn FnMut(String)) {
            let Some(decoder) = &mut self.0 else { return };
            decoder.received(bytes);
            loop {
                match decoder.decode() {
                    Ok(frame) => {
                        let time = frame.display_timestamp().map(|t| format!("{t} "));
                        let level = frame.level().map(|l| format!("{:<5} ", l.as_str()));
                        let (time, level) = (time.unwrap_or_default(), level.unwrap_or_default());
                        say(format!("{time}{level}{}", frame.display_message()));
                    }
                    Err(DecodeError::UnexpectedEof) => return,
                    // the stream goes on after the next zero
                    Err(DecodeError::Malformed) => say("(a log line is garbled)".to_owned()),
                }
            }
        }
    }
}

#[cfg(not(feature = "logs"))]
mod raw {
    /// Nothing is known of the logs' meaning.
    #[derive(Clone, Debug)]
    pub(crate) struct Logs;

    /// Drops one stream.
    pub(crate) struct Decoder;

    impl Logs {
        #[allow(clippy::unnecessary_wraps)] // as with the feature
        pub(crate) const fn parse(_elf: &[u8]) -> Result<Self, String> {
            Ok(Self)
        }

        #[allow(clippy::unused_self)] // as with the feature
        pub(crate) const fn decoder(&self) -> Decoder {
            Decoder
        }
    }

    impl Decoder {
        #[allow(clippy::unused_self)] // as with the feature
        pub(crate) fn take(&mut self, _bytes: &[u8], _say: &mut dyn FnMut(String)) {}
    }
}
