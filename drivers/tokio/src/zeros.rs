/// Lengthens a buffer with zeros. `Vec::resize` writes byte by byte in builds without optimization, which takes longer than an election
/// timeout for a few megabytes.
pub(crate) fn extend_with_zeros(bytes: &mut Vec<u8>, len: usize) {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes.reserve(len.saturating_sub(bytes.len()));
    while bytes.len() < len {
        let more = (len - bytes.len()).min(ZEROS.len());
        bytes.extend_from_slice(&ZEROS[..more]);
    }
}
