//! The commands that move messages.

use quorate_core::{Machine, NodeId, Wire};

use super::arguments::{parse_nodes, parse_number};
use super::harness::{Harness, index_of};
use super::outputs::{Envelope, MAX_STEPS, Show};
use super::{Error, Links, Protocol};

/// Which of the messages on each link.
#[derive(Clone, Copy)]
enum Selection {
    Nth(usize),
    Digest(u64),
    Last,
    All,
}

impl<P: Protocol> Harness<P> {
    pub(super) fn for_selected(
        &mut self,
        args: &[&str],
        action: fn(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (&links, rest) = args.split_first().ok_or("wants links such as 1->2")?;
        let links = Links::parse(links, self.count())?;
        let selection = match rest {
            [] => Selection::Nth(1),
            ["last"] => Selection::Last,
            ["all"] => Selection::All,
            [digest] if digest.starts_with('#') => Selection::Digest(
                u64::from_str_radix(digest.trim_start_matches('#'), 16)
                    .map_err(|_| format!("{digest:?} is no digest"))?,
            ),
            [n] => Selection::Nth(parse_number("which message", n)? as usize),
            _ => return Err("wants links, and which message".into()),
        };
        let mut acted = false;
        for link in links.0 {
            let on = |envelope: &Envelope| (envelope.from, envelope.to) == link;
            let all = !matches!(selection, Selection::Digest(_));
            let count = if all { self.in_flight.iter().filter(|l| on(l)).count() } else { 0 };
            let (first, times) = match selection {
                Selection::Nth(nth) => (nth, usize::from((1..=count).contains(&nth))),
                Selection::Digest(digest) => {
                    let Some(place) = self.find_by_digest(link, digest) else { continue };
                    acted = true;
                    action(self, place)?;
                    continue;
                }
                Selection::Last => (count, count.min(1)),
                Selection::All => (1, count),
            };
            for _ in 0..times {
                let mut places = (0..self.in_flight.len()).filter(|&at| self.is_on_link(at, link));
                if let Some(place) = places.nth(first - 1) {
                    acted = true;
                    action(self, place)?;
                }
            }
        }
        if acted { Ok(()) } else { Err("there is no such message in flight".into()) }
    }

    /// The position on a link, from 1, of the newest message with this digest.
    pub(crate) fn position_on_link(&self, link: (u64, u64), digest: u64) -> Option<usize> {
        let place = self.find_by_digest(link, digest)?;
        Some((0..=place).filter(|&at| self.is_on_link(at, link)).count())
    }

    fn find_by_digest(&self, link: (u64, u64), digest: u64) -> Option<usize> {
        self.in_flight
            .iter()
            .rposition(|envelope| envelope.digest == digest && (envelope.from, envelope.to) == link)
    }

    fn is_on_link(&self, at: usize, link: (u64, u64)) -> bool {
        self.in_flight.get(at).is_some_and(|envelope| (envelope.from, envelope.to) == link)
    }

    pub(super) fn deliver(&mut self, at: usize) -> Result<(), Error> {
        let Some(envelope) = self.in_flight.remove(at) else { return Ok(()) };
        self.receive(&envelope)
    }

    pub(super) fn duplicate(&mut self, at: usize) -> Result<(), Error> {
        let Some(envelope) = self.in_flight.get(at).cloned() else { return Ok(()) };
        self.receive(&envelope)
    }

    pub(super) fn drop_message(&mut self, at: usize) -> Result<(), Error> {
        let Some(envelope) = self.in_flight.remove(at) else { return Ok(()) };
        let line = self.describe(&envelope)?;
        self.print(Show::All, || format!("{line} (dropped)"));
        Ok(())
    }

    fn receive(&mut self, envelope: &Envelope) -> Result<(), Error> {
        let line = if self.show == Show::All { self.describe(envelope)? } else { String::new() };
        let (Some(protocol), Some(state)) =
            (self.protocol.as_mut(), self.nodes.get_mut(index_of(envelope.to)))
        else {
            return Ok(());
        };
        let Some(machine) = state.machine.as_mut() else {
            self.print(Show::All, || format!("{line} (node down)"));
            return Ok(());
        };
        let message = <P::Machine as Machine>::Message::from_slice(&envelope.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        let (from, to) = (NodeId::new(envelope.from), NodeId::new(envelope.to));
        let result = machine.receive(state.clock, from, message);
        protocol.received(to, from, envelope.order, result, machine);
        self.print(Show::All, || line);
        if let Err(reason) = result {
            self.print(Show::Events, || format!("  {to} rejects: {reason}"));
        }
        self.drain(envelope.to)
    }

    pub(super) fn describe(&self, envelope: &Envelope) -> Result<String, String> {
        let message = <P::Machine as Machine>::Message::from_slice(&envelope.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        Ok(format!("{}->{}  {}", envelope.from, envelope.to, P::format_message(&message)))
    }

    pub(super) fn stabilize(&mut self, args: &[&str]) -> Result<(), Error> {
        let among = match args {
            [] => parse_nodes("all", self.count())?,
            [who] => parse_nodes(who, self.count())?,
            _ => return Err("wants nodes such as 1,2, or nothing".into()),
        };
        self.deliver_all(|envelope| among.contains(&envelope.from) && among.contains(&envelope.to))
    }

    pub(super) fn deliver_all(&mut self, pass: impl Fn(&Envelope) -> bool) -> Result<(), Error> {
        for _ in 0..MAX_STEPS {
            let Some(next) = self.in_flight.iter().position(&pass) else { return Ok(()) };
            self.deliver(next)?;
        }
        Err(Error::Violation("the messages never end".into()))
    }

    pub(super) fn partition(&mut self, args: &[&str]) -> Result<(), Error> {
        let [links] = args else { return Err("wants links such as 1-2".into()) };
        self.blocked.extend(Links::parse(links, self.count())?.0);
        Ok(())
    }

    pub(super) fn isolate(&mut self, args: &[&str]) -> Result<(), Error> {
        let [who] = args else { return Err("wants nodes".into()) };
        let count = self.count();
        for node in parse_nodes(who, count)? {
            self.blocked.extend(Links::parse(&format!("{node}-*"), count)?.0);
        }
        Ok(())
    }

    pub(super) fn forge(&mut self, args: &[&str]) -> Result<(), Error> {
        let (link, args) = args.split_first().ok_or("wants a link and a message")?;
        let bytes = P::forge(args)?;
        self.tampered();
        for (from, to) in Links::parse(link, self.count())?.0 {
            self.in_flight.push_back(Envelope {
                from,
                to,
                bytes: bytes.clone(),
                digest: 0,
                order: 0,
            });
        }
        Ok(())
    }

    pub(super) fn print_messages(&mut self) -> Result<(), Error> {
        for at in 0..self.in_flight.len() {
            let line =
                self.in_flight.get(at).map(|envelope| self.describe(envelope)).transpose()?;
            self.output.extend(line);
        }
        Ok(())
    }
}
