//! Memory for packed weights, zeroed by the system when it is first written, in large pages where it has them: every
//! token walks through all weights, and with pages of 4 KB each would have to be looked up on the way.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use super::Line;

/// Lines that stay where they are.
pub struct Room {
    memory: MmapMut,
    count: usize,
}

impl Room {
    /// Room for so many lines, all zero.
    pub fn new(count: usize) -> std::io::Result<Room> {
        let memory = MmapMut::map_anon((count * size_of::<Line>()).max(1))?;
        // A wish: without it the pages are small, and all the same is right.
        #[cfg(target_os = "linux")]
        let _ = memory.advise(memmap2::Advice::HugePage);
        Ok(Room { memory, count })
    }
}

impl Deref for Room {
    type Target = [Line];

    fn deref(&self) -> &[Line] {
        // SAFETY: the mapping holds `count` lines, begins with a page, and any bytes are lines.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.count) }
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [Line] {
        // SAFETY: as above, and it is borrowed as a whole.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_mut_ptr().cast(), self.count) }
    }
}
