/// Bits by index, the lowest bit of a byte first (§4.1 of the draft).
#[derive(Debug)]
pub(super) struct Bitmap(Box<[u8]>);

impl Bitmap {
    /// `bits` is a multiple of 8.
    pub(super) fn new(bits: u32) -> Self {
        Self(vec![0; place(bits).0].into())
    }

    pub(super) fn bits(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX).saturating_mul(8)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// All of them set.
    pub(super) fn full(bits: u32) -> Self {
        Self(vec![u8::MAX; place(bits).0].into())
    }

    pub(super) fn set(&mut self, index: u32) {
        let (byte, mask) = place(index);
        if let Some(byte) = self.0.get_mut(byte) {
            *byte |= mask;
        }
    }

    pub(super) fn unset(&mut self, index: u32) {
        let (byte, mask) = place(index);
        if let Some(byte) = self.0.get_mut(byte) {
            *byte &= !mask;
        }
    }

    /// Sets the first bit that is not set, from `start` on and round the end; its index.
    pub(super) fn set_next_unset(&mut self, start: u32) -> Option<u32> {
        let length = self.0.len();
        let (first, _) = place(start);
        let first = first.checked_rem(length)?;
        // The rest of the byte that `start` is in, the other bytes, and the beginning of that byte.
        let mut bytes = (first..length).chain(0..first);
        let turn = start % 8;
        let byte = bytes.find(|at| self.0.get(*at).is_some_and(|byte| *byte != u8::MAX))?;
        let free = !self.0.get(byte)?;
        let bit = (0..8).map(|bit| (bit + turn) % 8).find(|bit| free & 1 << bit != 0)?;
        let index = u32::try_from(byte).ok()?.checked_mul(8)?.checked_add(bit)?;
        self.set(index);
        Some(index)
    }
}

/// Whether bit `index` is set; `None` beyond the end.
pub(super) fn bit(bytes: &[u8], index: u32) -> Option<bool> {
    let (byte, mask) = place(index);
    bytes.get(byte).map(|byte| byte & mask != 0)
}

fn place(index: u32) -> (usize, u8) {
    (usize::try_from(index / 8).unwrap_or(usize::MAX), 1 << (index % 8))
}
