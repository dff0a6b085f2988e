use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::Failure;

/// The socket of one end of a wire, which the UART of an emulated board or a process connects to.
/// It may connect again and again; the last connection counts.
#[derive(Debug)]
pub(crate) struct UartSocket {
    path: PathBuf,
    writer: UartWriter,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What comes out of a [`UartSocket`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input<'a> {
    /// The other side connected.
    Connected,
    /// Bytes off the line.
    Bytes(&'a [u8]),
    /// The other side disconnected.
    Disconnected,
}

/// Writes to the connection of a socket. Clones write to the same one.
#[derive(Clone, Default)]
pub(crate) struct UartWriter(Arc<Mutex<Option<UnixStream>>>);

/// A line has no flow control: bytes that are not received by then are lost, as on a real one.
const WRITE_TIMEOUT: Duration = Duration::from_millis(50);

impl UartSocket {
    /// Listens at `path`. What comes in goes to `take`, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when the socket cannot be made there: paths of sockets have about a hundred bytes at most.
    pub(crate) fn open(
        path: &Path,
        writer: UartWriter,
        take: impl FnMut(Input<'_>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let doing = || format!("listening at {}", path.display());
        let listener = UnixListener::bind(path).map_err(Failure::io(doing()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (side, flag) = (writer.clone(), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("uart-socket".to_owned())
            .spawn(move || serve(&listener, &side, &flag, take))
            .map_err(Failure::io(doing()))?;
        Ok(Self { path: path.to_owned(), writer, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes to the connection.
    pub(crate) const fn writer(&self) -> &UartWriter {
        &self.writer
    }
}

impl Drop for UartSocket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.writer.close();
        // the thread waits for a connection; without the socket's file there is none, and it waits
        // until the process ends
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl UartWriter {
    /// Writes to the connection; returns how many bytes were written.
    pub(crate) fn write(&self, bytes: &[u8]) -> usize {
        let mut slot = self.lock();
        let Some(stream) = slot.as_mut() else { return 0 };
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match stream.write(rest) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break, // full or gone: the reading side notices
            }
        }
        taken
    }

    /// Whether the other side is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.lock().is_some()
    }

    /// Closes the connection.
    pub(crate) fn close(&self) {
        if let Some(stream) = self.lock().take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn set(&self, stream: &UnixStream) -> io::Result<()> {
        let writer = stream.try_clone()?;
        writer.set_write_timeout(Some(WRITE_TIMEOUT))?;
        *self.lock() = Some(writer);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for UartWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UartWriter").field(&self.is_connected()).finish()
    }
}

fn serve(
    listener: &UnixListener,
    writer: &UartWriter,
    stop: &AtomicBool,
    mut take: impl FnMut(Input<'_>),
) {
    while let Ok((mut stream, _)) = listener.accept() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        if writer.set(&stream).is_err() {
            continue;
        }
        if stop.load(Ordering::SeqCst) {
            return; // stopped between the two: nobody would close this one
        }
        take(Input::Connected);
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => take(Input::Bytes(buffer.get(..count).unwrap_or(&[]))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        writer.close();
        take(Input::Disconnected);
    }
}
