//! Opens a GGUF file: its header is walked first, then candle reads it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};

use super::header;

/// An open model file.
pub struct Weights {
    /// What candle read of the header.
    pub content: Content,
    /// The file behind it.
    pub reader: BufReader<File>,
}

impl Weights {
    /// Checks the header and opens the file.
    pub fn open(path: &Path) -> anyhow::Result<Weights> {
        let (file, path) = (path, path.display());
        header::check(file).with_context(|| format!("{path} is refused"))?;
        let file = File::open(file).with_context(|| format!("opening {path}"))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let content = Content::read(&mut reader).with_context(|| format!("reading {path}"))?;
        Ok(Weights { content, reader })
    }

    /// A metadata value.
    pub fn value(&self, key: &str) -> anyhow::Result<&Value> {
        self.content.metadata.get(key).with_context(|| format!("the model file has no `{key}`"))
    }

    /// A metadata text.
    pub fn text(&self, key: &str) -> anyhow::Result<&str> {
        self.value(key)?.to_string().map(String::as_str).with_context(|| format!("`{key}`"))
    }

    /// A metadata number.
    pub fn number(&self, key: &str) -> anyhow::Result<usize> {
        let number = match self.value(key)? {
            Value::I32(n) => u64::try_from(*n).with_context(|| format!("`{key}`"))?,
            other => other.to_u64().with_context(|| format!("`{key}`"))?,
        };
        Ok(usize::try_from(number)?)
    }

    /// A list of texts, taken out of the header so that it is not kept twice.
    pub fn take_texts(&mut self, key: &str) -> anyhow::Result<Vec<String>> {
        let value = self.content.metadata.remove(key);
        let Some(Value::Array(values)) = value else { anyhow::bail!("the model file has no list `{key}`") };
        let text = |v| match v {
            Value::String(text) => Ok(text),
            other => anyhow::bail!("`{key}` holds {other:?}, not a text"),
        };
        values.into_iter().map(text).collect()
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// The bytes of a tensor, `length` of them from `start` on; several threads may ask at once.
    pub fn bytes(&self, name: &str, (start, length): (usize, usize)) -> anyhow::Result<Vec<u8>> {
        let info = self.content.tensor_infos.get(name);
        let info = info.with_context(|| format!("the model file has no tensor {name}"))?;
        let at = self.content.tensor_data_offset.checked_add(info.offset).and_then(|at| at.checked_add(start as u64));
        let at = at.with_context(|| format!("tensor {name} is past the end"))?;
        let mut bytes = vec![0; length];
        self.read_at(&mut bytes, at).with_context(|| format!("tensor {name}"))?;
        Ok(bytes)
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self.reader.get_ref(), bytes, at)
    }

    #[cfg(windows)]
    fn read_at(&self, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let read = std::os::windows::fs::FileExt::seek_read(self.reader.get_ref(), bytes, at)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            (bytes, at) = (&mut bytes[read..], at + read as u64);
        }
        Ok(())
    }

    /// A quantised tensor.
    pub fn tensor(&mut self, name: &str, device: &Device) -> anyhow::Result<QTensor> {
        Ok(self.content.tensor(&mut self.reader, name, device)?)
    }

    /// A tensor of a given shape, as floats.
    pub fn floats(&mut self, name: &str, shape: &[usize]) -> anyhow::Result<Vec<f32>> {
        let tensor: Tensor = self.tensor(name, &Device::Cpu)?.dequantize(&Device::Cpu)?;
        anyhow::ensure!(tensor.dims() == shape, "tensor {name} has shape {:?}, not {shape:?}", tensor.dims());
        Ok(tensor.flatten_all()?.to_vec1()?)
    }
}
