use quorate_raft::{Index, Term};

/// The entries of an encoded run: index, term, kind and data. Written without the crate's own parser.
pub(crate) fn decode(
    first: Index,
    run: &[u8],
) -> impl Iterator<Item = (Index, Term, u64, &[u8])> + '_ {
    let mut rest = run;
    let mut index = first;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let term = varint(&mut rest);
        let tag = varint(&mut rest);
        let (data, after) = rest.split_at(((tag >> 2) as usize).min(rest.len()));
        rest = after;
        index += 1;
        Some((index - 1, term, tag & 3, data))
    })
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    value
}
