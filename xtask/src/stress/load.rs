use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::failure::{Failure, Outcome};

/// Threads that take all the time they are given, until this is dropped. They are threads of this program, so none is left behind.
pub(super) struct LoadGenerator {
    over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl LoadGenerator {
    pub(super) fn start(count: usize) -> Outcome<Self> {
        let mut busy = Self { over: Arc::default(), threads: Vec::new() };
        for _ in 0..count {
            let over = busy.over.clone();
            let spin = move || {
                while !over.load(Relaxed) {
                    spin_loop();
                }
            };
            let thread = Builder::new().name("busy".into()).spawn(spin);
            busy.threads.push(thread.map_err(Failure::io("starting a busy loop"))?);
        }
        Ok(busy)
    }
}

impl Drop for LoadGenerator {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // it cannot panic
            let _ = thread.join();
        }
    }
}
