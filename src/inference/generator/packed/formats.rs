//! The tensor types of GGUF files, read 32 weights at a time.
//! In: the bytes of a row. Out: whole numbers with their scale and what is taken off: `weight = number * scale - off`.

use candle_core::quantized::GgmlDType;

use super::super::super::embedder::half;

/// Weights that are read at once.
pub const BLOCK: usize = 32;

/// The low four, and two, bits of each byte.
const FOURS: u64 = 0x0f0f_0f0f_0f0f_0f0f;
const TWOS: u64 = 0x0303_0303_0303_0303;

/// How many bits the numbers of a type have, once packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 0..=15, a scale and an offset for 32.
    Four,
    /// 0..=63 meaning 32 less, a scale for 16.
    Six,
    /// 0..=255, a scale and an offset for 32.
    Eight,
}

/// 32 neighbouring weights of a row.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The numbers.
    pub numbers: [u8; BLOCK],
    /// The scale of the first and of the second half; equal but in `Kind::Six`.
    pub scales: [f32; 2],
    /// Taken off each product; 32 scales in `Kind::Six`.
    pub off: f32,
}

/// What a tensor type becomes; none for those whose rows are read as floats and rounded to `Eight` anew.
pub fn kind(dtype: GgmlDType) -> Option<Kind> {
    match dtype {
        GgmlDType::Q4_0 | GgmlDType::Q4_1 | GgmlDType::Q4K => Some(Kind::Four),
        GgmlDType::Q6K => Some(Kind::Six),
        GgmlDType::Q5_0 | GgmlDType::Q5_1 | GgmlDType::Q5K | GgmlDType::Q8_0 => Some(Kind::Eight),
        _ => None,
    }
}

/// Piece `at` of a row of a type that has a `kind`.
pub fn piece(dtype: GgmlDType, row: &[u8], at: usize) -> Piece {
    // The K types hold 8 pieces in a block.
    let (bytes, within) = match dtype.block_size() {
        BLOCK => (&row[at * dtype.type_size()..][..dtype.type_size()], 0),
        _ => (&row[at / 8 * dtype.type_size()..][..dtype.type_size()], at % 8),
    };
    match dtype {
        GgmlDType::Q4_0 => simple(nibbles(&bytes[2..18]), float(bytes), 8.0 * float(bytes)),
        GgmlDType::Q4_1 => simple(nibbles(&bytes[4..20]), float(bytes), -float(&bytes[2..])),
        GgmlDType::Q5_0 => simple(fives(&bytes[2..]), float(bytes), 16.0 * float(bytes)),
        GgmlDType::Q5_1 => simple(fives(&bytes[4..]), float(bytes), -float(&bytes[2..])),
        GgmlDType::Q4K => q4k(bytes, within),
        GgmlDType::Q5K => q5k(bytes, within),
        GgmlDType::Q6K => q6k(bytes, within),
        _ => simple(std::array::from_fn(|k| bytes[2 + k] ^ 0x80), float(bytes), 128.0 * float(bytes)),
    }
}

/// Floats rounded to 8 bits.
pub fn rounded(floats: &[f32]) -> Piece {
    let highest = floats.iter().fold(0.0f32, |h, x| h.max(x.abs()));
    let scale = half(to_half(highest / 127.0));
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let number = |x: &f32| (x * inverse).round().clamp(-128.0, 127.0) as i8 as u8 ^ 0x80;
    let mut numbers = [0x80; BLOCK];
    numbers.iter_mut().zip(floats).for_each(|(n, x)| *n = number(x));
    simple(numbers, scale, 128.0 * scale)
}

fn simple(numbers: [u8; BLOCK], scale: f32, off: f32) -> Piece {
    Piece { numbers, scales: [scale; 2], off }
}

fn float(bytes: &[u8]) -> f32 {
    half(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Eight neighbouring bytes as one number: what is done to it is done to all of them.
pub fn eight(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at * 8..at * 8 + 8]);
    u64::from_le_bytes(eight)
}

/// Bytes in groups of eight.
fn bytes(groups: [u64; BLOCK / 8]) -> [u8; BLOCK] {
    let mut bytes = [0; BLOCK];
    bytes.chunks_exact_mut(8).zip(groups).for_each(|(to, from)| to.copy_from_slice(&from.to_le_bytes()));
    bytes
}

/// The low four bits of 16 bytes, then the high ones.
fn nibbles(packed: &[u8]) -> [u8; BLOCK] {
    bytes(std::array::from_fn(|n| eight(packed, n % 2) >> (n / 2 * 4) & FOURS))
}

/// Four bytes of fifth bits, then the nibbles.
fn fives(bytes: &[u8]) -> [u8; BLOCK] {
    let high = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let low = nibbles(&bytes[4..20]);
    std::array::from_fn(|k| low[k] | ((high >> k & 1) as u8) << 4)
}

/// Scale and offset of eighth `at` of a Q4_K or Q5_K block, from its 12 bytes of 6-bit numbers.
fn sixes(bytes: &[u8], at: usize) -> (f32, f32) {
    let s = &bytes[4..16];
    let (scale, off) = match at {
        0..4 => (s[at] & 63, s[at + 4] & 63),
        _ => (s[at + 4] & 15 | s[at - 4] >> 6 << 4, s[at + 4] >> 4 | s[at] >> 6 << 4),
    };
    (float(bytes) * f32::from(scale), float(&bytes[2..]) * f32::from(off))
}

fn q4k(bytes: &[u8], at: usize) -> Piece {
    let (scale, off) = sixes(bytes, at);
    let packed = &bytes[16 + at / 2 * 32..][..32];
    let shift = at % 2 * 4;
    simple(self::bytes(std::array::from_fn(|n| eight(packed, n) >> shift & FOURS)), scale, off)
}

fn q5k(bytes: &[u8], at: usize) -> Piece {
    let (scale, off) = sixes(bytes, at);
    let (high, packed) = (&bytes[16..48], &bytes[48 + at / 2 * 32..][..32]);
    let shift = at % 2 * 4;
    simple(std::array::from_fn(|k| packed[k] >> shift & 15 | (high[k] >> at & 1) << 4), scale, off)
}

fn q6k(bytes: &[u8], at: usize) -> Piece {
    let (half_at, quarter) = (at / 4, at % 4);
    let low = &bytes[half_at * 64 + quarter % 2 * 32..][..32];
    let high = &bytes[128 + half_at * 32..][..32];
    let (low_shift, high_shift) = (quarter / 2 * 4, quarter * 2);
    let number = |n| eight(low, n) >> low_shift & FOURS | (eight(high, n) >> high_shift & TWOS) << 4;
    let numbers = self::bytes(std::array::from_fn(number));
    let scale = |n: usize| float(&bytes[208..]) * f32::from(bytes[192 + at * 2 + n] as i8);
    Piece { numbers, scales: [scale(0), scale(1)], off: 0.0 }
}

/// The nearest half-precision number, ties to even; too large ones become the largest.
pub fn to_half(x: f32) -> u16 {
    let (sign, bits) = ((x.to_bits() >> 16 & 0x8000) as u16, x.to_bits() & 0x7fff_ffff);
    if bits >= 0x477f_f000 {
        return sign | 0x7bff;
    }
    if bits < 0x3880_0000 {
        // Below the normal ones they are whole multiples of 2^-24; the addition rounds to them.
        let shifted = f32::from_bits(bits) + 0.5;
        return sign | (shifted.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = bits + 0xfff + (bits >> 13 & 1);
    sign | ((rounded >> 13) - (112 << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::QTensor;
    use candle_core::{Device, Tensor};

    #[test]
    fn every_type_reads_as_candle_does() {
        let floats: Vec<f32> = (0..512u32).map(|i| (i * 7919 % 1009) as f32 / 700.0 - 0.72).collect();
        let tensor = Tensor::from_slice(&floats, (1, 512), &Device::Cpu).unwrap();
        for dtype in [
            GgmlDType::Q4_0,
            GgmlDType::Q4_1,
            GgmlDType::Q5_0,
            GgmlDType::Q5_1,
            GgmlDType::Q8_0,
            GgmlDType::Q4K,
            GgmlDType::Q5K,
            GgmlDType::Q6K,
        ] {
            let stored = QTensor::quantize(&tensor, dtype).unwrap();
            let bytes = stored.data().unwrap();
            let want: Vec<f32> = stored.dequantize(&Device::Cpu).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for (at, want) in want.chunks_exact(BLOCK).enumerate() {
                let piece = piece(dtype, &bytes, at);
                let six = if kind(dtype) == Some(Kind::Six) { 32.0 } else { 0.0 };
                for (k, want) in want.iter().enumerate() {
                    let got = (f32::from(piece.numbers[k]) - six) * piece.scales[k / 16] - piece.off;
                    assert!((got - want).abs() < 1e-6, "{dtype:?} {at} {k}: {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn halves_survive() {
        for bits in (0..0x7c00u16).chain(0x8000..0xfc00) {
            assert_eq!(to_half(half(bits)), bits);
        }
        for (x, want) in
            [(1.0004, 0x3c00), (1.0006, 0x3c01), (1e9, 0x7bff), (-1e9, 0xfbff), (1e-9, 0), (65519.0, 0x7bff)]
        {
            assert_eq!(to_half(x), want, "{x}");
        }
    }

    #[test]
    fn floats_keep_eight_bits() {
        let floats: Vec<f32> = (0..32).map(|k| (k as f32 - 15.5) / 10.0).collect();
        let piece = rounded(&floats);
        for (n, x) in piece.numbers.iter().zip(&floats) {
            assert!((f32::from(*n) * piece.scales[0] - piece.off - x).abs() < 1.55 / 127.0 / 1.9, "{n} {x}");
        }
    }
}
