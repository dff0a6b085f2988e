use quorate_core::{InlineList, List as _, NodeId};

/// Nodes besides this one, at most.
pub const MAX_PEERS: usize = 4;

/// Who this board is and who is at its lines, from words such as `id=1 peers=2:1,3:2 flash=/tmp/1.flash seed=7`.
///
/// On the emulator they are the image's command line; a real board has them in its flash.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// This node.
    pub id: NodeId,
    /// The other nodes, each with the number of the line that leads to it: 1 or 2.
    pub peers: [Option<(NodeId, u8)>; MAX_PEERS],
    /// The file that stands for the flash.
    pub flash: &'a str,
    /// For what is random.
    pub seed: u64,
}

impl<'a> Setup<'a> {
    /// Reads the words; unknown ones are ignored.
    ///
    /// # Errors
    ///
    /// What is missing or wrong.
    pub fn parse(words: &'a [u8]) -> Result<Self, &'static str> {
        let words = core::str::from_utf8(words).map_err(|_| "the setup is no text")?;
        let (mut id, mut peers, mut flash, mut seed) = (None, [None; MAX_PEERS], None, None);
        for word in words.split_ascii_whitespace() {
            match word.split_once('=') {
                Some(("id", value)) => id = number(value),
                Some(("seed", value)) => seed = number(value),
                Some(("flash", value)) => flash = Some(value),
                Some(("peers", value)) => peers = parse_peers(value)?,
                _ => {}
            }
        }
        let id = id.ok_or("the setup lacks id=NUMBER")?;
        Ok(Self {
            id: NodeId::new(id),
            peers,
            flash: flash.ok_or("the setup lacks flash=FILE")?,
            seed: seed.unwrap_or(id),
        })
    }

    /// Every node, this one first.
    #[must_use]
    pub fn nodes(&self) -> InlineList<NodeId, { MAX_PEERS + 1 }> {
        let mut nodes = InlineList::default();
        for node in
            core::iter::once(self.id).chain(self.peers.iter().flatten().map(|&(node, _)| node))
        {
            let _ = nodes.push(node); // there is room for all
        }
        nodes
    }

    /// The line that leads to a node.
    #[must_use]
    pub fn line(&self, to: NodeId) -> Option<u8> {
        self.peers.iter().flatten().find(|(node, _)| *node == to).map(|&(_, line)| line)
    }
}

fn parse_peers(list: &str) -> Result<[Option<(NodeId, u8)>; MAX_PEERS], &'static str> {
    const BAD: &str = "peers must be NODE:LINE,NODE:LINE with lines 1 and 2";
    let mut peers = [None; MAX_PEERS];
    let mut rooms = peers.iter_mut();
    for peer in list.split(',') {
        let (node, line) = peer.split_once(':').ok_or(BAD)?;
        let line = match line {
            "1" => 1,
            "2" => 2,
            _ => return Err(BAD),
        };
        let node = number(node).ok_or(BAD)?;
        *rooms.next().ok_or("too many peers")? = Some((NodeId::new(node), line));
    }
    Ok(peers)
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.bytes().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
