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

/// A socket on the patch panel into which one end of a line is plugged: the UART of an emulated board, or a process's. The other side
/// connects, goes, and connects again; who is plugged in last counts.
#[derive(Debug)]
pub(crate) struct Jack {
    path: PathBuf,
    plug: Plug,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What comes out of a [`Jack`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input<'a> {
    /// Somebody plugged in.
    Plugged,
    /// Bytes off the line.
    Bytes(&'a [u8]),
    /// Whoever it was is gone.
    Gone,
}

/// The way into a jack, for writing. Clones write to the same.
#[derive(Clone, Default)]
pub(crate) struct Plug(Arc<Mutex<Option<UnixStream>>>);

/// A line does not wait for who listens: what is not taken by then is lost, as on a real one.
const PATIENCE: Duration = Duration::from_millis(50);

impl Jack {
    /// Listens at `path`. What comes in goes to `take`, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`] when the socket cannot be made there: paths of sockets have about a hundred bytes at most.
    pub(crate) fn open(
        path: &Path,
        plug: Plug,
        take: impl FnMut(Input<'_>) + Send + 'static,
    ) -> Result<Self, Failure> {
        let doing = || format!("listening at {}", path.display());
        let listener = UnixListener::bind(path).map_err(Failure::io(doing()))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (side, flag) = (plug.clone(), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("jack".to_owned())
            .spawn(move || serve(&listener, &side, &flag, take))
            .map_err(Failure::io(doing()))?;
        Ok(Self { path: path.to_owned(), plug, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The way in.
    pub(crate) const fn plug(&self) -> &Plug {
        &self.plug
    }
}

impl Drop for Jack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.plug.pull();
        // the thread waits for somebody to connect; if the socket's file is gone nobody can, and it waits until the process ends
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Plug {
    /// Writes to who is plugged in; returns how many bytes were taken.
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

    /// Whether somebody is plugged in.
    pub(crate) fn is_plugged(&self) -> bool {
        self.lock().is_some()
    }

    /// Pulls it out.
    pub(crate) fn pull(&self) {
        if let Some(stream) = self.lock().take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn put(&self, stream: &UnixStream) -> io::Result<()> {
        let writer = stream.try_clone()?;
        writer.set_write_timeout(Some(PATIENCE))?;
        *self.lock() = Some(writer);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plug").field(&self.is_plugged()).finish()
    }
}

fn serve(listener: &UnixListener, plug: &Plug, stop: &AtomicBool, mut take: impl FnMut(Input<'_>)) {
    while let Ok((mut stream, _)) = listener.accept() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        if plug.put(&stream).is_err() {
            continue;
        }
        if stop.load(Ordering::SeqCst) {
            return; // stopped between the two: nobody would pull this one out
        }
        take(Input::Plugged);
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => take(Input::Bytes(buffer.get(..count).unwrap_or(&[]))),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        plug.pull();
        take(Input::Gone);
    }
}
