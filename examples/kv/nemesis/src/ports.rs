//! Ports of loopback that stay reserved.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with, sockopt,
};

/// A port that no other program is given for as long as this lives, and that a server can listen at.
///
/// Its socket is bound and does not listen. Bound exclusively, it keeps the port from everybody who asks for any port; allowed
/// to be reused afterwards, it lets a server in that asks for this one with `SO_REUSEADDR`, as Rust's standard library does. So
/// a node that is killed finds its port again, and nothing is checked first and used later.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _held: OwnedFd,
}

impl Port {
    /// Reserves one that is free.
    ///
    /// # Errors
    ///
    /// When the system has none.
    pub fn reserve() -> io::Result<Self> {
        Self::at(0)
    }

    /// Reserves this one.
    ///
    /// # Errors
    ///
    /// When it is in use or reserved.
    pub fn at(number: u16) -> io::Result<Self> {
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, number))?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        let address = SocketAddrV4::try_from(getsockname(&socket)?)?;
        Ok(Self { number: address.port(), _held: socket })
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }
}
