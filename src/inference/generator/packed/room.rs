//! Memory for packed weights, zeroed by the system page by page when it is first written: by the thread that packs into it, and not
//! by one thread for all. Large pages were tried: in a virtual machine whose host takes free memory back they made a model load half as
//! long again, and its tokens no faster.
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
        Ok(Room { memory: MmapMut::map_anon((count * size_of::<Line>()).max(1))?, count })
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
