//! Reads a GGUF header with checked arithmetic before candle sees the file.
//! In: a file from anywhere. Out: a refusal in words, or nothing. Never allocates by a number it has not checked.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::quantized::GgmlDType;

/// Why a file is not a GGUF that can be loaded.
#[derive(Debug, thiserror::Error)]
pub enum HeaderFault {
    /// It cannot be read, or ends early.
    #[error("it ends inside its header or cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is something else.
    #[error("it is not a GGUF file of version 2 or 3")]
    Magic,
    /// A number in the header cannot be true.
    #[error("its header is not sane: {0}")]
    Insane(String),
    /// Its tensors do not lie inside the file.
    #[error("tensor `{name}` needs bytes up to {end}, the file has {length}; it is cut off or crafted")]
    Outside {
        /// The tensor.
        name: String,
        /// The end of its data.
        end: u128,
        /// The file's length.
        length: u64,
    },
}

const MAX_COUNT: u64 = 1 << 24;
const MAX_NAME: u64 = 1 << 16;
const MAX_DEPTH: usize = 4;
/// Elements of all lists together: candle keeps 32 bytes of each. Half a million words with their scores, kinds and merges fit twice.
const MAX_ELEMENTS: u64 = 1 << 22;

/// Checks the header of a file and that every tensor lies inside it.
pub fn check(path: &Path) -> Result<(), HeaderFault> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut header = Header { reader: BufReader::new(file), at: 0, length, alignment: 32, elements: 0 };
    header.check()
}

struct Header<R> {
    reader: R,
    at: u64,
    length: u64,
    alignment: u64,
    elements: u64,
}

struct Tensor {
    name: String,
    offset: u64,
    bytes: u128,
}

fn insane<T>(what: impl Into<String>) -> Result<T, HeaderFault> {
    Err(HeaderFault::Insane(what.into()))
}

impl<R: Read> Header<R> {
    fn check(&mut self) -> Result<(), HeaderFault> {
        let magic = self.array::<4>().map_err(|_| HeaderFault::Magic)?;
        if &magic != b"GGUF" || !matches!(self.u32()?, 2 | 3) {
            return Err(HeaderFault::Magic);
        }
        let tensors = self.count("tensors")?;
        let values = self.count("metadata values")?;
        for _ in 0..values {
            self.metadata()?;
        }
        let mut seen = Vec::new();
        for _ in 0..tensors {
            seen.push(self.tensor()?);
        }
        let start = u128::from(self.at.div_ceil(self.alignment)) * u128::from(self.alignment);
        for tensor in seen {
            let end = start + u128::from(tensor.offset) + tensor.bytes;
            if end > u128::from(self.length) {
                return Err(HeaderFault::Outside { name: tensor.name, end, length: self.length });
            }
        }
        Ok(())
    }

    fn metadata(&mut self) -> Result<(), HeaderFault> {
        let key = self.string()?;
        let kind = self.u32()?;
        if key == "general.alignment" {
            if kind != 4 {
                return insane("general.alignment is not a 32-bit number");
            }
            self.alignment = u64::from(self.u32()?);
            let sane = self.alignment.is_power_of_two() && (8..=1 << 16).contains(&self.alignment);
            return if sane { Ok(()) } else { insane(format!("an alignment of {}", self.alignment)) };
        }
        self.skip_value(kind, 0)
    }

    fn skip_value(&mut self, kind: u32, depth: usize) -> Result<(), HeaderFault> {
        if depth > MAX_DEPTH {
            return insane("arrays of arrays of arrays");
        }
        match kind {
            8 => {
                let length = self.u64()?;
                self.skip(length)
            }
            9 => {
                let (kind, count) = (self.u32()?, self.count("array elements")?);
                self.elements += count;
                if self.elements > MAX_ELEMENTS {
                    return insane(format!("lists of {} elements in all", self.elements));
                }
                match width(kind) {
                    Some(width) => self.skip(count * width),
                    None => (0..count).try_for_each(|_| self.skip_value(kind, depth + 1)),
                }
            }
            kind => match width(kind) {
                Some(width) => self.skip(width),
                None => insane(format!("metadata of kind {kind}")),
            },
        }
    }

    fn tensor(&mut self) -> Result<Tensor, HeaderFault> {
        let name = self.string()?;
        let dimensions = self.u32()?;
        if !(1..=4).contains(&dimensions) {
            return insane(format!("tensor `{name}` has {dimensions} dimensions"));
        }
        let mut values: u128 = 1;
        let mut row = 0;
        for at in 0..dimensions {
            let size = self.u64()?;
            row = if at == 0 { size } else { row };
            values = match values.checked_mul(u128::from(size)) {
                Some(values @ 1..=0xff_ffff_ffff) => values,
                _ => return insane(format!("tensor `{name}` has an absurd shape")),
            };
        }
        let (block, block_bytes) = block_of(self.u32()?)
            .ok_or_else(|| HeaderFault::Insane(format!("tensor `{name}` has a type candle does not read")))?;
        if row % block != 0 {
            return insane(format!("tensor `{name}` has rows of {row}, not whole blocks of {block}"));
        }
        let offset = self.u64()?;
        if offset % self.alignment != 0 {
            return insane(format!("tensor `{name}` is not aligned"));
        }
        Ok(Tensor { name, offset, bytes: values / u128::from(block) * u128::from(block_bytes) })
    }

    fn count(&mut self, what: &str) -> Result<u64, HeaderFault> {
        match self.u64()? {
            n if n <= MAX_COUNT && n <= self.length => Ok(n),
            n => insane(format!("{n} {what}")),
        }
    }

    fn string(&mut self) -> Result<String, HeaderFault> {
        let length = self.u64()?;
        if length > MAX_NAME {
            return insane(format!("a name of {length} bytes"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).or_else(|_| insane("a name that is not UTF-8"))
    }

    fn skip(&mut self, bytes: u64) -> Result<(), HeaderFault> {
        if bytes > self.length.saturating_sub(self.at) {
            return insane(format!("a value of {bytes} bytes, more than the file has"));
        }
        let skipped = std::io::copy(&mut self.reader.by_ref().take(bytes), &mut std::io::sink())?;
        self.at += skipped;
        if skipped < bytes {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), HeaderFault> {
        self.reader.read_exact(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeaderFault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, HeaderFault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, HeaderFault> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

/// Bytes of one value of a fixed-width metadata kind.
fn width(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// Weights and bytes of one block of a tensor type.
fn block_of(kind: u32) -> Option<(u64, u64)> {
    let kind = match kind {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        _ => return None,
    };
    Some((kind.block_size() as u64, kind.type_size() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &mut Vec<u8>, s: &str) {
        out.extend((s.len() as u64).to_le_bytes());
        out.extend(s.as_bytes());
    }

    /// One metadata number `key` and one tensor of `shape`, type and offset, with 64 bytes of data.
    fn file(key: &str, number: u32, shape: &[u64], place: (u32, u64)) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend(1u64.to_le_bytes());
        out.extend(1u64.to_le_bytes());
        text(&mut out, key);
        out.extend(4u32.to_le_bytes());
        out.extend(number.to_le_bytes());
        text(&mut out, "w");
        out.extend((shape.len() as u32).to_le_bytes());
        out.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
        out.extend(place.0.to_le_bytes());
        out.extend(place.1.to_le_bytes());
        out.resize(out.len().next_multiple_of(32) + 64, 0);
        out
    }

    fn check_bytes(bytes: &[u8]) -> String {
        let length = bytes.len() as u64;
        let mut header = Header { reader: bytes, at: 0, length, alignment: 32, elements: 0 };
        header.check().map_or_else(|e| e.to_string(), |()| "sane".into())
    }

    fn check(bytes: Vec<u8>, expected: &str) {
        let said = check_bytes(&bytes);
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn headers() {
        let overflow = 1u64 << 62;
        check(file("general.alignment", 32, &[16], (0, 0)), "sane");
        check(b"PK\x03\x04".to_vec(), "not a GGUF");
        check(b"GG".to_vec(), "not a GGUF");
        check(file("a", 1, &[17], (0, 0)), "cut off");
        check(file("a", 1, &[16], (0, 32)), "cut off");
        check(file("a", 1, &[16], (0, 31)), "not aligned");
        check(file("a", 1, &[16], (0, u64::MAX - 31)), "cut off");
        check(file("a", 1, &[overflow, overflow, overflow], (0, 0)), "absurd shape");
        check(file("a", 1, &[overflow, 4], (2, 0)), "absurd shape");
        check(file("a", 1, &[0], (0, 0)), "absurd shape");
        check(file("a", 1, &[1, 1, 1, 1, 1], (0, 0)), "dimensions");
        check(file("a", 1, &[16], (2, 0)), "whole blocks");
        check(file("a", 1, &[16], (99, 0)), "type");
        check(file("general.alignment", 0, &[16], (0, 0)), "alignment of 0");
        check(file("general.alignment", 33, &[16], (0, 0)), "alignment of 33");
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = file("a", 1, &[16], (0, 0));
        for length in 0..whole.len() {
            assert_ne!(check_bytes(&whole[..length]), "sane", "cut at {length}");
        }
    }

    /// A file with a list of lists, texts and two tensors.
    fn rich() -> Vec<u8> {
        use candle_core::quantized::{QTensor, gguf_file};
        use candle_core::{Device, Tensor};
        use gguf_file::Value;

        let texts = Value::Array(["a", "b", "c"].map(|t| Value::String(t.into())).to_vec());
        let numbers = Value::Array(vec![Value::F32(1.0); 3]);
        let lists = Value::Array(vec![Value::Array(vec![Value::U8(1); 4]); 2]);
        let name = Value::String("llama".into());
        let metadata = [("general.architecture", &name), ("words", &texts), ("scores", &numbers), ("lists", &lists)];
        let tensor = |shape: &[usize], kind| {
            let floats = Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
            QTensor::quantize(&floats, kind).unwrap()
        };
        let (first, second) = (tensor(&[2, 32], GgmlDType::Q8_0), tensor(&[32], GgmlDType::F32));
        let mut file = std::io::Cursor::new(Vec::new());
        gguf_file::write(&mut file, &metadata, &[("w", &first), ("n", &second)]).unwrap();
        file.into_inner()
    }

    /// What passes the check, candle reads or refuses in words: tensors, too.
    fn read_through(bytes: &[u8]) -> bool {
        if check_bytes(bytes) != "sane" {
            return false;
        }
        let mut file = std::io::Cursor::new(bytes);
        let Ok(content) = candle_core::quantized::gguf_file::Content::read(&mut file) else { return true };
        for name in content.tensor_infos.keys() {
            let _ = content.tensor(&mut file, name, &candle_core::Device::Cpu);
        }
        true
    }

    #[test]
    fn a_list_may_not_be_longer_than_memory_is_meant_for() {
        let mut header = b"GGUF\x03\0\0\0".to_vec();
        header.extend(0u64.to_le_bytes());
        header.extend(2u64.to_le_bytes());
        for name in ["a", "b"] {
            text(&mut header, name);
            header.extend(9u32.to_le_bytes());
            header.extend(0u32.to_le_bytes());
            header.extend((MAX_ELEMENTS / 2 + 1).to_le_bytes());
            header.extend(vec![0; (MAX_ELEMENTS / 2 + 1) as usize]);
        }
        check(header, "elements in all");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
        #[test]
        fn no_file_makes_the_reader_panic(
            changes in proptest::collection::vec((0_usize..1 << 16, proptest::num::u8::ANY), 0..6),
            wide in proptest::collection::vec((0_usize..1 << 16, proptest::num::u64::ANY), 0..2),
            cut in proptest::option::of(0_usize..1 << 16),
        ) {
            let mut bytes = rich();
            for (at, byte) in changes {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            for (at, number) in wide {
                let at = at % (bytes.len() - 8);
                bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            }
            if let Some(cut) = cut {
                bytes.truncate(cut % bytes.len());
            }
            read_through(&bytes);
        }
    }

    #[test]
    fn a_whole_file_is_read_through() {
        assert!(read_through(&rich()));
    }
}
