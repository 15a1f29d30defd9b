//! Rewrites the packaged multilingual-e5-small into one GGUF file: weights, vocabulary and scores together.
//! In: a source whose sha256 was checked. Out: the same quantised blocks under GGUF names. Never requantises.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail, ensure};

const MAGIC: &[u8; 4] = b"E5S1";
const Q4_0_BLOCK: usize = 32;
const Q4_0_BLOCK_BYTES: usize = 18;
const GGUF_F32: u32 = 0;
const GGUF_Q4_0: u32 = 2;
const ALIGNMENT: usize = 32;

/// Reads the source and writes the GGUF file.
pub fn e5s1(source: &Path, target: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(source).with_context(|| format!("reading {}", source.display()))?;
    let model = parse(&bytes).with_context(|| format!("converting {}", source.display()))?;
    let file = std::fs::File::create(target).with_context(|| format!("creating {}", target.display()))?;
    let mut out = std::io::BufWriter::new(file);
    model.write(&mut out).with_context(|| format!("writing {}", target.display()))?;
    out.flush()?;
    out.get_ref().sync_all().with_context(|| format!("writing {}", target.display()))
}

struct Source<'a> {
    shape: Shape,
    pieces: Vec<&'a str>,
    scores: Vec<f32>,
    special: [u32; 4],
    tensors: Vec<Tensor<'a>>,
}

#[derive(Clone, Copy)]
struct Shape {
    hidden: usize,
    layers: usize,
    heads: usize,
    feed_forward: usize,
    vocabulary: usize,
    positions: usize,
    types: usize,
    epsilon: f32,
}

struct Tensor<'a> {
    name: String,
    rows: Option<usize>,
    columns: usize,
    kind: u32,
    data: &'a [u8],
}

fn parse(bytes: &[u8]) -> anyhow::Result<Source<'_>> {
    let mut at = Cursor { bytes, at: 0 };
    ensure!(at.take(4)? == MAGIC, "it does not begin with E5S1");
    ensure!(at.u32()? == 1, "only version 1 of the layout is known");
    let [hidden, layers, heads, feed_forward, vocabulary, positions, types] = at.sizes()?;
    let epsilon = f32::from_bits(at.u32()?);
    ensure!(at.u32()? as usize == Q4_0_BLOCK, "its blocks do not have 32 weights");
    let shape = Shape { hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon };
    let count = at.u32()? as usize;
    let special = [at.u32()?, at.u32()?, at.u32()?, at.u32()?];
    let blob_bytes = usize::try_from(at.u64()?)?;
    let offsets = at.u32s(count.checked_add(1).context("too many pieces")?)?;
    let scores = at.u32s(count)?.into_iter().map(f32::from_bits).collect();
    let blob = at.take(blob_bytes)?;
    let pieces = offsets.windows(2).map(|w| piece(blob, w[0], w[1])).collect::<Result<_, _>>()?;
    // The normalisation table is NFKC with control characters dropped; the embedder applies that rule.
    at.u32()?;
    let table_bytes = at.u32()? as usize;
    at.take(table_bytes)?;
    let tensors = directory(&mut at, shape)?;
    Ok(Source { shape, pieces, scores, special, tensors })
}

fn piece(blob: &[u8], start: u32, end: u32) -> anyhow::Result<&str> {
    let bytes = blob.get(start as usize..end as usize).context("a piece lies outside the blob")?;
    std::str::from_utf8(bytes).context("a piece is not UTF-8")
}

fn directory<'a>(at: &mut Cursor<'a>, shape: Shape) -> anyhow::Result<Vec<Tensor<'a>>> {
    let count = at.u32()?;
    let mut tensors = Vec::new();
    for _ in 0..count {
        let name_bytes = usize::from(u16::from_le_bytes(at.array()?));
        let name = std::str::from_utf8(at.take(name_bytes)?).context("a tensor's name")?;
        let quantised = at.take(1)?[0] == 1;
        let values = at.u32()? as usize;
        let offset = usize::try_from(at.u64()?)?;
        let length = usize::try_from(at.u64()?)?;
        let end = offset.checked_add(length).context("a tensor's end")?;
        let data = at.bytes.get(offset..end).with_context(|| format!("tensor {name} is cut off"))?;
        tensors.push(tensor(name, (quantised, values), data, shape)?);
    }
    ensure!(tensors.len() == 5 + 16 * shape.layers, "{} tensors", tensors.len());
    Ok(tensors)
}

fn tensor<'a>(
    name: &str,
    (quantised, values): (bool, usize),
    data: &'a [u8],
    shape: Shape,
) -> anyhow::Result<Tensor<'a>> {
    let (name, rows, columns) = named(name, shape)?;
    ensure!(rows.unwrap_or(1) * columns == values, "tensor {name} has {values} values");
    let expected = match quantised {
        true => values / Q4_0_BLOCK * Q4_0_BLOCK_BYTES,
        false => values * 4,
    };
    ensure!(data.len() == expected, "tensor {name} has {} bytes, not {expected}", data.len());
    let kind = if quantised { GGUF_Q4_0 } else { GGUF_F32 };
    Ok(Tensor { name, rows, columns, kind, data })
}

/// The GGUF name and shape of a tensor of the source.
fn named(name: &str, s: Shape) -> anyhow::Result<(String, Option<usize>, usize)> {
    let (hidden, wide) = (s.hidden, s.feed_forward);
    let top = |name: &str, rows, columns| Ok((name.to_owned(), rows, columns));
    match name {
        "emb.word" => return top("token_embd.weight", Some(s.vocabulary), hidden),
        "emb.pos" => return top("position_embd.weight", Some(s.positions), hidden),
        "emb.type" => return top("token_types.weight", Some(s.types), hidden),
        "emb.ln.w" => return top("token_embd_norm.weight", None, hidden),
        "emb.ln.b" => return top("token_embd_norm.bias", None, hidden),
        _ => {}
    }
    let (layer, part) = name
        .strip_prefix('l')
        .and_then(|rest| rest.split_once('.'))
        .with_context(|| format!("tensor {name} is not known"))?;
    let layer: usize = layer.parse().with_context(|| format!("tensor {name}"))?;
    ensure!(layer < s.layers, "tensor {name} is beyond the last layer");
    let (gguf, rows, columns) = match part {
        "q.w" => ("attn_q.weight", Some(hidden), hidden),
        "k.w" => ("attn_k.weight", Some(hidden), hidden),
        "v.w" => ("attn_v.weight", Some(hidden), hidden),
        "ao.w" => ("attn_output.weight", Some(hidden), hidden),
        "fi.w" => ("ffn_up.weight", Some(wide), hidden),
        "fo.w" => ("ffn_down.weight", Some(hidden), wide),
        "q.b" => ("attn_q.bias", None, hidden),
        "k.b" => ("attn_k.bias", None, hidden),
        "v.b" => ("attn_v.bias", None, hidden),
        "ao.b" => ("attn_output.bias", None, hidden),
        "fi.b" => ("ffn_up.bias", None, wide),
        "fo.b" => ("ffn_down.bias", None, hidden),
        "aln.w" => ("attn_output_norm.weight", None, hidden),
        "aln.b" => ("attn_output_norm.bias", None, hidden),
        "oln.w" => ("layer_output_norm.weight", None, hidden),
        "oln.b" => ("layer_output_norm.bias", None, hidden),
        _ => bail!("tensor {name} is not known"),
    };
    Ok((format!("blk.{layer}.{gguf}"), rows, columns))
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, n: usize) -> anyhow::Result<&'a [u8]> {
        let end = self.at.checked_add(n).context("a length is absurd")?;
        let taken = self
            .bytes
            .get(self.at..end)
            .with_context(|| format!("it ends at byte {}, {end} are needed", self.bytes.len()))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn u32(&mut self) -> anyhow::Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> anyhow::Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn sizes<const N: usize>(&mut self) -> anyhow::Result<[usize; N]> {
        let mut sizes = [0; N];
        for size in &mut sizes {
            *size = self.u32()? as usize;
            // Keeps every product of two sizes far from overflow.
            ensure!((1..=1 << 20).contains(size), "a size of {size} is absurd");
        }
        Ok(sizes)
    }

    fn u32s(&mut self, n: usize) -> anyhow::Result<Vec<u32>> {
        let bytes = self.take(n.checked_mul(4).context("a count is absurd")?)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
    }
}

impl Source<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut header = Header::default();
        self.metadata(&mut header);
        let mut offset = 0;
        for tensor in &self.tensors {
            header.tensor(tensor, offset);
            offset += tensor.data.len().next_multiple_of(ALIGNMENT);
        }
        let head = header.finish();
        out.write_all(&head)?;
        out.write_all(&vec![0; head.len().next_multiple_of(ALIGNMENT) - head.len()])?;
        for tensor in &self.tensors {
            out.write_all(tensor.data)?;
            let padded = tensor.data.len().next_multiple_of(ALIGNMENT);
            out.write_all(&vec![0; padded - tensor.data.len()])?;
        }
        Ok(())
    }

    fn metadata(&self, header: &mut Header) {
        let s = self.shape;
        header.text("general.architecture", "bert");
        header.text("general.name", "multilingual-e5-small");
        header.text("general.license", "mit");
        header.number("bert.block_count", s.layers as u32);
        header.number("bert.context_length", s.positions as u32);
        header.number("bert.embedding_length", s.hidden as u32);
        header.number("bert.feed_forward_length", s.feed_forward as u32);
        header.number("bert.attention.head_count", s.heads as u32);
        header.float("bert.attention.layer_norm_epsilon", s.epsilon);
        header.text("tokenizer.ggml.model", "unigram");
        let [begin, end, pad, unknown] = self.special;
        header.number("tokenizer.ggml.bos_token_id", begin);
        header.number("tokenizer.ggml.eos_token_id", end);
        header.number("tokenizer.ggml.padding_token_id", pad);
        header.number("tokenizer.ggml.unknown_token_id", unknown);
        header.texts("tokenizer.ggml.tokens", &self.pieces);
        header.floats("tokenizer.ggml.scores", &self.scores);
    }
}

/// A GGUF 3 header in the making.
#[derive(Default)]
struct Header {
    values: u64,
    metadata: Vec<u8>,
    tensors: u64,
    directory: Vec<u8>,
}

impl Header {
    const U32: u32 = 4;
    const F32: u32 = 6;
    const STRING: u32 = 8;
    const ARRAY: u32 = 9;

    fn key(&mut self, key: &str, kind: u32) {
        self.values += 1;
        push_text(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, Self::STRING);
        push_text(&mut self.metadata, value);
    }

    fn number(&mut self, key: &str, value: u32) {
        self.key(key, Self::U32);
        self.metadata.extend(value.to_le_bytes());
    }

    fn float(&mut self, key: &str, value: f32) {
        self.key(key, Self::F32);
        self.metadata.extend(value.to_le_bytes());
    }

    fn texts(&mut self, key: &str, values: &[&str]) {
        self.array(key, Self::STRING, values.len());
        for value in values {
            push_text(&mut self.metadata, value);
        }
    }

    fn floats(&mut self, key: &str, values: &[f32]) {
        self.array(key, Self::F32, values.len());
        self.metadata.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    }

    fn array(&mut self, key: &str, kind: u32, length: usize) {
        self.key(key, Self::ARRAY);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend((length as u64).to_le_bytes());
    }

    fn tensor(&mut self, tensor: &Tensor<'_>, offset: usize) {
        self.tensors += 1;
        push_text(&mut self.directory, &tensor.name);
        // GGUF counts dimensions from the fastest.
        let sizes = [Some(tensor.columns), tensor.rows];
        let sizes: Vec<u64> = sizes.into_iter().flatten().map(|n| n as u64).collect();
        self.directory.extend((sizes.len() as u32).to_le_bytes());
        self.directory.extend(sizes.iter().flat_map(|n| n.to_le_bytes()));
        self.directory.extend(tensor.kind.to_le_bytes());
        self.directory.extend((offset as u64).to_le_bytes());
    }

    fn finish(self) -> Vec<u8> {
        let mut head = b"GGUF".to_vec();
        head.extend(3u32.to_le_bytes());
        head.extend(self.tensors.to_le_bytes());
        head.extend(self.values.to_le_bytes());
        head.extend(self.metadata);
        head.extend(self.directory);
        head
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_or_foreign_source_is_refused() {
        for (bytes, expected) in [
            (&b"GGUF"[..], "E5S1"),
            (&b"E5S1"[..], "it ends at byte 4"),
            (&b"E5S1\x02\0\0\0"[..], "version 1"),
            (&b"E5S1\x01\0\0\0\xff\xff\xff\xff"[..], "absurd"),
        ] {
            let error = format!("{:#}", parse(bytes).err().expect(expected));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn names_are_translated() {
        let shape = Shape {
            hidden: 4,
            layers: 2,
            heads: 2,
            feed_forward: 8,
            vocabulary: 10,
            positions: 6,
            types: 2,
            epsilon: 0.0,
        };
        let name = |n| named(n, shape).map(|(name, ..)| name).ok();
        assert_eq!(name("l1.fo.w").as_deref(), Some("blk.1.ffn_down.weight"));
        assert_eq!(name("l2.fo.w"), None);
        assert_eq!(name("lx.fo.w"), None);
        assert_eq!(name("head"), None);
    }
}
