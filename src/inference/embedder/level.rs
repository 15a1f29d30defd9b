//! Which instructions this processor has, found once at run time, and how to run plain loops with them.
//! In: a piece of work. Out: its result, the same on every level up to rounding. It decides nothing else.

/// A set of instructions that this processor has been seen to have: only this file can make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(Kind);

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What every processor of the target has.
    Portable,
    /// 256-bit vectors, fused multiplication and half-precision conversion.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512-bit vectors and 8-bit dot products.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Loops that the compiler turns into vector code of the level they run on.
pub trait Work {
    /// Does the work; `FUSED` tells that multiplying and adding is one instruction.
    fn run<const FUSED: bool>(self);
}

impl Level {
    /// What every processor has.
    pub const PORTABLE: Level = Level(Kind::Portable);

    /// Which set it is.
    pub fn kind(self) -> Kind {
        self.0
    }

    /// The best level of this processor.
    pub fn best() -> Level {
        Level::all().pop().unwrap_or(Level::PORTABLE)
    }

    /// The best level, looked for once in the life of the process.
    pub fn best_once() -> Level {
        static BEST: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *BEST.get_or_init(Level::best)
    }

    /// Every level of this processor, best last.
    pub fn all() -> Vec<Level> {
        #[allow(unused_mut)]
        let mut levels = vec![Level::PORTABLE];
        #[cfg(target_arch = "x86_64")]
        let half = is_x86_feature_detected!("f16c");
        #[cfg(target_arch = "x86_64")]
        if half && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            levels.push(Level(Kind::Avx2));
            let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if wide && is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512vnni") {
                levels.push(Level(Kind::Avx512));
            }
        }
        levels
    }

    /// Runs a piece of work with the instructions of this level.
    pub fn run(self, work: impl Work) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 | Kind::Avx2 => super::x86::run(self, work),
            Kind::Portable => work.run::<false>(),
        }
    }
}

/// `a * b + c`, in one instruction where there is one; elsewhere a call to a library would be far slower.
#[inline(always)]
pub fn fused<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}
