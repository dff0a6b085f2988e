//! A proxy before a node: each direction of a link on its own.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use quorate_nemesis::network::Network;
use quorate_nemesis::ports::Port;

/// A hello of node 7, as `docs/wire/README.md` and `quorate_tokio::frame` have it.
fn hello() -> Vec<u8> {
    let mut body = b"\0QUORATE\n".to_vec();
    body.extend_from_slice(&2_u32.to_le_bytes());
    for field in [1_u64, 7, 3, 9] {
        body.extend_from_slice(&field.to_le_bytes());
    }
    let length = u32::try_from(body.len()).unwrap();
    [&length.to_le_bytes()[..], &[0; 4], &body].concat()
}

/// Node 7's end of a connection to node 3, and node 3's.
fn connect(network: &Network) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = network.add_proxy(3, listener.local_addr().unwrap().port()).unwrap();
    let mut near = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    near.write_all(&hello()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let mut bytes = vec![0; hello().len()];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, hello());
    (near, far)
}

fn assert_carries(mut from: &TcpStream, mut to: &TcpStream, byte: u8) {
    from.write_all(&[byte]).unwrap();
    let mut got = [0];
    to.read_exact(&mut got).unwrap();
    assert_eq!(got, [byte]);
}

#[test]
fn cut_direction_holds_bytes_until_healed() {
    let network = Network::default();
    let (mut near, mut far) = connect(&network);
    assert_carries(&near, &far, 1);
    assert_carries(&far, &near, 2);
    network.cut(7, 3, true);
    near.write_all(&[3]).unwrap();
    for byte in 4..20 {
        assert_carries(&far, &near, byte);
    }
    far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(far.read(&mut [0]).is_err(), "nothing came through");
    far.set_read_timeout(None).unwrap();
    network.cut(7, 3, false);
    let mut got = [0];
    far.read_exact(&mut got).unwrap();
    assert_eq!(got, [3]);
    assert_carries(&near, &far, 21);
}

#[test]
fn reset_closes_the_connections_of_a_pair() {
    let network = Network::default();
    let (near, far) = connect(&network);
    assert_carries(&near, &far, 1);
    network.reset(3, 5);
    assert_carries(&near, &far, 2);
    network.reset(3, 7);
    assert_eq!((&near).read(&mut [0]).unwrap_or(0), 0);
    assert_eq!((&far).read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn reserved_port_is_only_given_on_request() {
    let ports: Vec<Port> = (0..50).map(|_| Port::reserve().unwrap()).collect();
    for port in &ports {
        assert!(Port::at(port.number()).is_err(), "reserved once");
        for _ in 0..2 {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
            TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).unwrap();
            drop(listener);
            assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).is_err());
        }
    }
    let mut numbers: Vec<u16> = ports.iter().map(Port::number).collect();
    for _ in 0..200 {
        numbers.push(
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port(),
        );
    }
    let others = numbers.split_off(50);
    assert!(others.iter().all(|other| !numbers.contains(other)));
}
