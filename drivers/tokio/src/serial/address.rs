use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Where a serial line's socket is.
///
/// ```
/// use quorate_tokio::serial::Address;
/// let line: Address = "unix:/run/line-2".parse()?;
/// assert_eq!(line.to_string(), "unix:/run/line-2");
/// assert!("/dev/ttyUSB0".parse::<Address>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Address {
    /// A socket in the file system.
    Unix(PathBuf),
    /// A port, as serial device servers have: `host:port`.
    Tcp(String),
}

/// Both directions of an open line.
pub type Halves = (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>);

impl Address {
    /// Opens it, for bytes both ways.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn open(&self) -> io::Result<Halves> {
        match self {
            #[cfg(unix)]
            Self::Unix(path) => {
                let (read, write) = tokio::net::UnixStream::connect(path).await?.into_split();
                Ok((Box::new(read), Box::new(write)))
            }
            #[cfg(not(unix))]
            Self::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Self::Tcp(addr) => {
                let stream = TcpStream::connect(addr).await?;
                stream.set_nodelay(true)?;
                let (read, write) = stream.into_split();
                Ok((Box::new(read), Box::new(write)))
            }
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", addr)) if addr.contains(':') => Ok(Self::Tcp(addr.to_owned())),
            _ => Err(format!(
                "`{text}` is no line: it is unix:PATH or tcp:HOST:PORT; socat makes a socket of a device"
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(addr) => write!(f, "tcp:{addr}"),
        }
    }
}
