use std::error::Error as StdError;
use std::path::PathBuf;
use std::{fmt, io};

use quorate_core::{Corrupt, Fatal, NodeId};

/// Why a node did not start, or stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another process holds the data directory.
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The log is damaged where it was already durable, or has lost its tail. Nothing was changed on disk.
    ///
    /// The node has forgotten what it acknowledged, such as its vote: remove it from its cluster and let it come back under a new id. A
    /// backup does not help, as it is older: a node that goes on from one loses acknowledged entries, and nothing notices.
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Everything before this offset had been durable, if the file tells.
        durable: Option<u64>,
        /// What is wrong there.
        what: &'static str,
    },
    /// The log is another node's, or another cluster's.
    Identity {
        /// The file.
        file: PathBuf,
        /// The cluster it belongs to.
        cluster: u64,
        /// The node it belongs to.
        node: NodeId,
    },
    /// The log is whole, but the machine does not accept a record of it.
    Restore {
        /// The file.
        file: PathBuf,
        /// Where in it the record begins, in bytes.
        offset: u64,
        /// What the machine said; `None` if the record is no encoding of one.
        reason: Option<Corrupt>,
    },
    /// The machine produced a record that is larger than the log takes.
    RecordTooLarge {
        /// Its size in bytes.
        len: usize,
        /// [`WalOptions::max_record_bytes`](crate::WalOptions::max_record_bytes).
        max: usize,
    },
    /// The machine may make messages that are longer than a frame of the transport.
    FrameTooShort {
        /// The longest message, in bytes.
        message: usize,
        /// The longest that a frame takes.
        frame: usize,
        /// What limits the frame.
        limit: &'static str,
    },
    /// The machine stopped itself.
    Fatal(Fatal),
    /// The application said no, or failed.
    App(Box<dyn StdError + Send + Sync>),
    /// The options contradict themselves.
    Options(&'static str),
    /// The node's thread panicked: a bug in the machine, the application or here.
    Panicked,
}

impl Error {
    /// Wraps an error of the application.
    ///
    /// ```
    /// let error = quorate_tokio::Error::app("the snapshot is damaged");
    /// assert_eq!(error.to_string(), "the snapshot is damaged");
    /// ```
    pub fn app(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::App(error.into())
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}", path.display())
            }
            Self::Locked { dir } => write!(
                f,
                "the data directory {} is in use by another process: stop that one, or give this \
                 one a directory of its own",
                dir.display()
            ),
            Self::Corrupt { file, offset, durable, what } => {
                write!(f, "{} is damaged at byte {offset}: {what}", file.display())?;
                if let Some(durable) = durable.filter(|durable| durable > offset) {
                    write!(f, "; everything up to byte {durable} had been acknowledged")?;
                }
                f.write_str(
                    ". Nothing was changed. This node has forgotten what it acknowledged: remove \
                     it from its cluster, and add it again under a new id with an empty directory. \
                     Do not start it on an older copy: that loses acknowledged data, and nothing \
                     notices",
                )
            }
            Self::Identity { file, cluster, node } => write!(
                f,
                "{} belongs to node {node} of cluster {cluster:016x}: check the data directory and the node and cluster ids",
                file.display()
            ),
            Self::Restore { file, offset, reason } => {
                write!(f, "{}: the record at byte {offset} cannot be restored: ", file.display())?;
                match reason {
                    Some(reason) => write!(f, "{reason}"),
                    None => f.write_str("it is not one of this machine's"),
                }
            }
            Self::RecordTooLarge { len, max } => write!(
                f,
                "a record of {len} bytes is larger than the log takes ({max}): raise max_record_bytes"
            ),
            Self::FrameTooShort { message, frame, limit } => write!(
                f,
                "the machine makes messages of up to {message} bytes, and {limit} allows {frame}: raise that, or lower the \
                 machine's limits (of Raft: max_append_bytes, max_entry_bytes, max_snapshot_chunk_bytes)"
            ),
            Self::Fatal(reason) => write!(f, "the machine stopped itself: {reason}"),
            Self::App(error) => error.fmt(f),
            Self::Options(what) => f.write_str(what),
            Self::Panicked => f.write_str("the node's thread panicked; see the log above"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Restore { reason: Some(reason), .. } => Some(reason),
            Self::Fatal(reason) => Some(reason),
            Self::App(error) => error.source(),
            _ => None,
        }
    }
}
