//! The commands that move messages.

use quorate_core::{Machine, NodeId, Wire};

use super::stage::{Letter, STORM, Show, Stage, at};
use super::words::{nodes, number};
use super::{Links, Play, Wrong};

/// Which of the messages on each of some links.
#[derive(Clone, Copy)]
enum Which {
    Nth(usize),
    Digest(u64),
    Last,
    All,
}

impl<P: Play> Stage<P> {
    pub(super) fn messages(
        &mut self,
        words: &[&str],
        act: fn(&mut Self, usize) -> Result<(), Wrong>,
    ) -> Result<(), Wrong> {
        let (&links, rest) = words.split_first().ok_or("wants links such as 1->2")?;
        let links = Links::parse(links, self.count())?;
        let which = match rest {
            [] => Which::Nth(1),
            ["last"] => Which::Last,
            ["all"] => Which::All,
            [digest] if digest.starts_with('#') => Which::Digest(
                u64::from_str_radix(digest.trim_start_matches('#'), 16)
                    .map_err(|_| format!("{digest:?} is no digest"))?,
            ),
            [n] => Which::Nth(number("which message", n)? as usize),
            _ => return Err("wants links, and which message".into()),
        };
        let mut acted = false;
        for link in links.0 {
            let on = |letter: &Letter| (letter.from, letter.to) == link;
            let all = !matches!(which, Which::Digest(_));
            let count = if all { self.letters.iter().filter(|l| on(l)).count() } else { 0 };
            let (first, times) = match which {
                Which::Nth(nth) => (nth, usize::from((1..=count).contains(&nth))),
                Which::Digest(digest) => {
                    let Some(place) = self.place_with(link, digest) else { continue };
                    acted = true;
                    act(self, place)?;
                    continue;
                }
                Which::Last => (count, count.min(1)),
                Which::All => (1, count),
            };
            for _ in 0..times {
                let mut places = (0..self.letters.len()).filter(|&at| self.on(at, link));
                if let Some(place) = places.nth(first - 1) {
                    acted = true;
                    act(self, place)?;
                }
            }
        }
        if acted { Ok(()) } else { Err("there is no such message on its way".into()) }
    }

    /// Which of the messages on a link, counted from 1, is the newest with this digest.
    pub(crate) fn nth_with(&self, link: (u64, u64), digest: u64) -> Option<usize> {
        let place = self.place_with(link, digest)?;
        Some((0..=place).filter(|&at| self.on(at, link)).count())
    }

    fn place_with(&self, link: (u64, u64), digest: u64) -> Option<usize> {
        self.letters
            .iter()
            .rposition(|letter| letter.digest == digest && (letter.from, letter.to) == link)
    }

    fn on(&self, at: usize, link: (u64, u64)) -> bool {
        self.letters.get(at).is_some_and(|letter| (letter.from, letter.to) == link)
    }

    pub(super) fn deliver(&mut self, at: usize) -> Result<(), Wrong> {
        let Some(letter) = self.letters.remove(at) else { return Ok(()) };
        self.arrive(&letter)
    }

    pub(super) fn duplicate(&mut self, at: usize) -> Result<(), Wrong> {
        let Some(letter) = self.letters.get(at).cloned() else { return Ok(()) };
        self.arrive(&letter)
    }

    pub(super) fn lose(&mut self, at: usize) -> Result<(), Wrong> {
        let Some(letter) = self.letters.remove(at) else { return Ok(()) };
        let words = self.describe(&letter)?;
        self.print(Show::All, || format!("{words} (lost)"));
        Ok(())
    }

    fn arrive(&mut self, letter: &Letter) -> Result<(), Wrong> {
        let words = if self.show == Show::All { self.describe(letter)? } else { String::new() };
        let (Some(play), Some(actor)) = (self.play.as_mut(), self.actors.get_mut(at(letter.to)))
        else {
            return Ok(());
        };
        let Some(machine) = actor.machine.as_mut() else {
            self.print(Show::All, || format!("{words} (nobody there)"));
            return Ok(());
        };
        let message = <P::Machine as Machine>::Message::from_slice(&letter.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        let (from, to) = (NodeId::new(letter.from), NodeId::new(letter.to));
        let result = machine.receive(actor.clock, from, message);
        play.received(to, from, letter.order, result, machine);
        self.print(Show::All, || words);
        if let Err(reason) = result {
            self.print(Show::Events, || format!("  {to} refuses: {reason}"));
        }
        self.drain(letter.to)
    }

    pub(super) fn describe(&self, letter: &Letter) -> Result<String, String> {
        let message = <P::Machine as Machine>::Message::from_slice(&letter.bytes)
            .map_err(|e| format!("a message does not decode: {e}"))?;
        Ok(format!("{}->{}  {}", letter.from, letter.to, P::message(&message)))
    }

    pub(super) fn stabilize(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let among = match words {
            [] => nodes("all", self.count())?,
            [who] => nodes(who, self.count())?,
            _ => return Err("wants nodes such as 1,2, or nothing".into()),
        };
        self.deliver_all(|letter| among.contains(&letter.from) && among.contains(&letter.to))
    }

    pub(super) fn deliver_all(&mut self, pass: impl Fn(&Letter) -> bool) -> Result<(), Wrong> {
        for _ in 0..STORM {
            let Some(next) = self.letters.iter().position(&pass) else { return Ok(()) };
            self.deliver(next)?;
        }
        Err(Wrong::Violated("the messages never end".into()))
    }

    pub(super) fn cut(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let [links] = words else { return Err("wants links such as 1-2".into()) };
        self.cut.extend(Links::parse(links, self.count())?.0);
        Ok(())
    }

    pub(super) fn isolate(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let [who] = words else { return Err("wants nodes".into()) };
        let count = self.count();
        for node in nodes(who, count)? {
            self.cut.extend(Links::parse(&format!("{node}-*"), count)?.0);
        }
        Ok(())
    }

    pub(super) fn forge(&mut self, words: &[&str]) -> Result<(), Wrong> {
        let (link, words) = words.split_first().ok_or("wants a link and a message")?;
        let bytes = P::forge(words)?;
        self.tampered();
        for (from, to) in Links::parse(link, self.count())?.0 {
            self.letters.push_back(Letter { from, to, bytes: bytes.clone(), digest: 0, order: 0 });
        }
        Ok(())
    }

    pub(super) fn print_messages(&mut self) -> Result<(), Wrong> {
        for at in 0..self.letters.len() {
            let words = self.letters.get(at).map(|letter| self.describe(letter)).transpose()?;
            self.output.extend(words);
        }
        Ok(())
    }
}
