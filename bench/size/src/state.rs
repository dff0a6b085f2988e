//! What the programs of single data types have in common.

use quorate_core::Wire;

use crate::Port;

/// Keeps a state by the port's word, without a machine: what another replica sent is decoded and merged, the own is sent. `update` does what
/// else there is to do.
pub fn keep<S: for<'a> Wire<'a>>(
    state: &mut S,
    port: &mut Port,
    merge: impl Fn(&mut S, &S) -> bool,
    mut update: impl FnMut(&mut S, u8, &mut Port) -> bool,
) {
    let mut frame = [0; 256];
    loop {
        let done = match port.u8() {
            0 => S::from_slice(port.read(&mut frame)).is_ok_and(|other| merge(state, &other)),
            1 => send(state, port, &mut frame),
            other => update(state, other, port),
        };
        port.write(&[u8::from(done)]);
    }
}

#[inline(never)]
fn send<S: for<'a> Wire<'a>>(state: &S, port: &mut Port, frame: &mut [u8]) -> bool {
    let Ok(bytes) = state.to_slice(frame) else { return false };
    port.write(bytes);
    true
}
