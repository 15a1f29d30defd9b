#!/usr/bin/env python3
"""Tunes the last layers of the embedder for telling the shopper's wishes apart, on the labelled examples.
    pip install jax optax gguf tokenizers && python scripts/tune_embedder.py multilingual-e5-small-q4_0.gguf
A layer of weights over labels is trained together with the last four of twelve layers; all below stay as they are and are
shared with search. Twice: first every fifth example is kept away, which tells how good the outcome is and how sure it may be;
then on all of them, and these layers are shipped. With --ship-only the second alone; the opinions of the last run are kept.
Writes below data/rules/examples: tuned.gguf, the layers in Q4_0 and the weights over labels; held.bin, what the first ones
think of the examples they had not seen. Half an hour each on two cores; then run `truetill understand --learn`."""
import hashlib, json, os, re, sys
import gguf, jax, jax.numpy as jnp, numpy as np, optax
from gguf.quants import dequantize, quantize
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

LAYERS, BATCH, SEED = 4, 48, 0
# First with whole numbers, then as they will be stored: without the second the rounding to 4 bits costs 8 points.
STAGES = [(5, 1e-4, False), (2, 8e-5, True)]
FIFTH = 3  # of each command and language the 3rd, 8th, 13th .. example is kept away
SMOOTHING, DROPOUT, SHARPNESS = 0.1, 0.1, 8.0
Q4 = gguf.GGMLQuantizationType.Q4_0
PARTS = "attn_q attn_k attn_v attn_output attn_output_norm ffn_up ffn_down layer_output_norm".split()
FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data/rules/examples")


class Model:
    """The file's numbers and its tokenizer."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields, self.tensors = reader.fields, {t.name: t for t in reader.tensors}
        self.sha256 = hashlib.sha256(open(path, "rb").read()).hexdigest()
        field = lambda name: self.fields[name]
        number = lambda name: int(field(name).parts[field(name).data[0]][0])
        pieces = [bytes(field("tokenizer.ggml.tokens").parts[i]).decode() for i in field("tokenizer.ggml.tokens").data]
        scores = [float(field("tokenizer.ggml.scores").parts[i][0]) for i in field("tokenizer.ggml.scores").data]
        self.begin, self.end = number("tokenizer.ggml.bos_token_id"), number("tokenizer.ggml.eos_token_id")
        self.heads, self.depth = number("bert.attention.head_count"), number("bert.block_count")
        self.epsilon = float(field("bert.attention.layer_norm_epsilon").parts[field("bert.attention.layer_norm_epsilon").data[0]][0])
        unknown = number("tokenizer.ggml.unknown_token_id")
        self.tokenizer = Tokenizer(models.Unigram(list(zip(pieces, scores)), unk_id=unknown, byte_fallback=False))
        self.tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
        self.tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()

    def floats(self, name):
        tensor = self.tensors[name]
        return np.asarray(dequantize(tensor.data, tensor.tensor_type), np.float32)

    def layer(self, at):
        return {p: {"w": self.floats(f"blk.{at}.{p}.weight"), "b": self.floats(f"blk.{at}.{p}.bias")} for p in PARTS}

    def tokens(self, text):
        return [self.begin] + self.tokenizer.encode("query: " + text).ids[:510] + [self.end]


def anonymous(text):
    """As src/understanding/examples does it."""
    return re.sub(r"\+?\d[\d ()-]{7,}\d", "[phone]", re.sub(r"\S+@\S+\.\w+", "[email]", text))


def examples():
    """Texts, labels, languages, and whether each is kept away."""
    rows = []
    for language in ("en", "ru", "sk", "zh"):
        label, count = None, 0
        for line in open(f"{FOLDER}/{language}.toml"):
            heading, example = re.match(r"(\w+) = \[", line), re.match(r'  ("(?:[^"\\]|\\.)*"),?$', line)
            if heading:
                label, count = heading[1], 0
            if example:
                count += 1
                rows.append((anonymous(json.loads(example[1])), label, language, count % 5 == FIFTH))
    return rows


def norm(x, p, epsilon):
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + epsilon) * p["w"] + p["b"]


def dropped(x, key):
    return x if key is None else jnp.where(jax.random.bernoulli(key, 1 - DROPOUT, x.shape), x / (1 - DROPOUT), 0)


def block(model, x, mask, p, key=None):
    """One layer of BERT over rows of equal length."""
    rows, length, width = x.shape
    keys = (None, None, None) if key is None else jax.random.split(key, 3)
    linear = lambda x, p: x @ p["w"].T + p["b"]
    split = lambda y: y.reshape(rows, length, model.heads, width // model.heads).transpose(0, 2, 1, 3)
    q, k, v = (split(linear(x, p[name])) for name in ("attn_q", "attn_k", "attn_v"))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(width // model.heads) + (mask[:, None, None, :] - 1) * 1e9
    mixed = (dropped(jax.nn.softmax(scores, -1), keys[0]) @ v).transpose(0, 2, 1, 3).reshape(rows, length, width)
    x = norm(x + dropped(linear(mixed, p["attn_output"]), keys[1]), p["attn_output_norm"], model.epsilon)
    y = linear(jax.nn.gelu(linear(x, p["ffn_up"]), approximate=False), p["ffn_down"])
    return norm(x + dropped(y, keys[2]), p["layer_output_norm"], model.epsilon)


class Data:
    """What the untouched layers make of every example, computed once."""

    def __init__(self, model, texts):
        self.tokens = [model.tokens(text) for text in texts]
        words, places = model.floats("token_embd.weight"), model.floats("position_embd.weight")
        kind = model.floats("token_types.weight")[0]
        first = {"w": model.floats("token_embd_norm.weight"), "b": model.floats("token_embd_norm.bias")}
        below = [model.layer(at) for at in range(model.depth - LAYERS)]

        @jax.jit
        def lower(x, mask):
            x = norm(x, first, model.epsilon)
            for p in below:
                x = block(model, x, mask, p)
            return x

        self.low = [words[t] + places[: len(t)] + kind for t in self.tokens]
        for batch in self.batches(range(len(texts)), 128):
            made = np.asarray(lower(*self.rows(batch)))
            for row, at in enumerate(batch):
                self.low[at] = made[row, : len(self.tokens[at])].astype(np.float16)

    def batches(self, chosen, size, random=None):
        """Examples of like length together; shuffled when there is chance to shuffle by."""
        length = lambda at: len(self.tokens[at]) + (random.random() * 3 if random else 0)
        order = np.array(sorted(chosen, key=length))
        parts = [order[at : at + size] for at in range(0, len(order), size)]
        if random:
            random.shuffle(parts)
        return parts

    def rows(self, batch):
        longest = max(8, -(-max(len(self.tokens[at]) for at in batch) // 8) * 8)
        x = np.zeros((len(batch), longest, self.low[0].shape[1]), np.float32)
        mask = np.zeros((len(batch), longest), np.float32)
        for row, at in enumerate(batch):
            x[row, : len(self.tokens[at])], mask[row, : len(self.tokens[at])] = self.low[at], 1
        return x, mask


def in_4_bits(weight):
    """As Q4_0 stores them: blocks of 32 in 16 steps. The slope passes through as if nothing was rounded."""
    blocks = weight.reshape(weight.shape[0], -1, 32)
    largest = jnp.take_along_axis(blocks, jnp.abs(blocks).argmax(-1, keepdims=True), -1)
    step = (largest / -8.0).astype(jnp.float16).astype(jnp.float32)
    each = jnp.where(step == 0, 0, 1 / jnp.where(step == 0, 1, step))
    stored = ((jnp.clip(jnp.floor(blocks * each + 8.5), 0, 15) - 8) * step).reshape(weight.shape)
    return weight + jax.lax.stop_gradient(stored - weight)


def as_stored(layer):
    return {part: {"w": in_4_bits(p["w"]) if p["w"].ndim == 2 else p["w"], "b": p["b"]} for part, p in layer.items()}


def above(model, layers, x, mask, key=None):
    """The unit-length vectors after the tuned layers."""
    keys = [None] * LAYERS if key is None else jax.random.split(key, LAYERS)
    for p, one in zip(layers, keys):
        x = block(model, x, mask, p, one)
    mean = (x * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
    return mean / jnp.linalg.norm(mean, axis=-1, keepdims=True)


def train(model, data, classes, count, kept):
    """The tuned layers, and one row of weights per label with its constant."""
    width = data.low[0].shape[1]
    weights = {"layers": [model.layer(at) for at in range(model.depth - LAYERS, model.depth)],
               "head": {"w": np.zeros((count, width), np.float32), "b": np.zeros(count, np.float32)}}
    weights = jax.tree.map(jnp.asarray, weights)
    vectors = jax.jit(lambda layers, x, mask: above(model, layers, x, mask))
    seen = np.where(~kept)[0]
    middle = sum(np.asarray(vectors(weights["layers"], *data.rows(b))).sum(0) for b in data.batches(seen, 128)) / len(seen)
    scores = lambda head, vector: SHARPNESS * ((vector - middle) @ head["w"].T) + head["b"]
    random, key = np.random.default_rng(SEED), jax.random.PRNGKey(SEED)
    for epochs, speed, rounding in STAGES:
        steps = epochs * -(-len(seen) // BATCH)
        rate = optax.warmup_cosine_decay_schedule(0, speed, steps // 12, steps, speed * 0.02)
        rates = {"layers": optax.adamw(rate, weight_decay=0.01), "head": optax.adamw(lambda step: rate(step) * 20, weight_decay=0.01)}
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.multi_transform(rates, {"layers": "layers", "head": "head"}))
        stored = (lambda layers: [as_stored(layer) for layer in layers]) if rounding else (lambda layers: layers)

        def loss(weights, x, mask, labels, key):
            chances = jax.nn.log_softmax(scores(weights["head"], above(model, stored(weights["layers"]), x, mask, key)))
            wanted = jax.nn.one_hot(labels, count) * (1 - SMOOTHING) + SMOOTHING / count
            return -(wanted * chances).sum(-1).mean()

        @jax.jit
        def step(weights, state, x, mask, labels, key):
            value, slope = jax.value_and_grad(loss)(weights, x, mask, labels, key)
            moved, state = optimizer.update(slope, state, weights)
            return optax.apply_updates(weights, moved), state, value

        state = optimizer.init(weights)
        for epoch in range(epochs):
            losses = []
            for batch in data.batches(seen, BATCH, random):
                key, one = jax.random.split(key)
                weights, state, value = step(weights, state, *data.rows(batch), classes[batch], one)
                losses.append(float(value))
            layers = stored(weights["layers"])
            away = np.where(kept)[0]
            right = [np.asarray(scores(weights["head"], vectors(layers, *data.rows(b)))).argmax(1) == classes[b]
                     for b in data.batches(away, 128)] if len(away) else []
            rounded = ", in 4 bits" if rounding else ""
            found = f", of the kept examples right {np.concatenate(right).mean():.4f}" if right else ""
            print(f"epoch {epoch + 1}{rounded}: loss {np.mean(losses):.3f}{found}", flush=True)
    head = jax.tree.map(np.asarray, weights["head"])
    folded = {"w": SHARPNESS * head["w"], "b": head["b"] - SHARPNESS * head["w"] @ middle}
    return jax.tree.map(np.asarray, weights["layers"]), folded


def write_layers(model, layers, head, labels, path):
    """Writes tuned.gguf; returns the layers as a reader of it sees them."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_string("truetill.base.sha256", model.sha256)
    writer.add_uint32("truetill.first_layer", model.depth - LAYERS)
    writer.add_array("truetill.labels", list(labels))
    rounded = []
    for at, layer in enumerate(layers, model.depth - LAYERS):
        rounded.append({})
        for part, p in layer.items():
            weight = p["w"]
            if weight.ndim == 2:
                blocks = quantize(weight, Q4)
                writer.add_tensor(f"blk.{at}.{part}.weight", blocks, raw_dtype=Q4)
                weight = dequantize(blocks, Q4)
            else:
                writer.add_tensor(f"blk.{at}.{part}.weight", weight)
            writer.add_tensor(f"blk.{at}.{part}.bias", p["b"])
            rounded[-1][part] = {"w": weight, "b": p["b"]}
    writer.add_tensor("head.weight", head["w"].astype(np.float32))
    writer.add_tensor("head.bias", head["b"].astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return rounded


def held_rows(opinions):
    """Rows of 8-bit numbers by the digest of their text, as src/understanding/examples/vectors.rs reads them."""
    body = b""
    for digest, row in sorted((hashlib.sha256(text.encode()).digest()[:8], row) for text, row in opinions.items()):
        scale = np.float32(max(np.abs(row).max() / 127, np.finfo(np.float32).tiny))
        body += digest + scale.astype("<f4").tobytes() + np.round(row / scale).astype(np.int8).tobytes()
    return body


def write_held(body, count, tuned, path):
    """The rows, as opinions that go with the shipped layers."""
    sha256 = hashlib.sha256(open(tuned, "rb").read()).hexdigest()
    owner = {"layout": "truetill-vectors-1", "model": "opinions", "sha256": sha256, "dimensions": count}
    header = json.dumps([owner, hashlib.sha256(body).hexdigest()], separators=(",", ":"))
    open(path, "wb").write(header.encode() + b"\n" + body)


def judge(model, data, layers, head, names):
    """What layers that had not seen the kept examples think of them, and how often they are right."""
    texts, labels, languages, kept = names
    known = sorted(set(labels))
    rounded = [{part: {"w": np.asarray(p["w"]), "b": p["b"]} for part, p in as_stored(layer).items()} for layer in layers]
    vectors = jax.jit(lambda x, mask: above(model, rounded, x, mask))
    opinions, right = {}, {}
    for batch in data.batches(np.where(kept)[0], 128):
        scores = np.asarray(vectors(*data.rows(batch))) @ head["w"].T + head["b"]
        chances = np.maximum(scores - np.log(np.exp(scores).sum(1, keepdims=True)), -12.0)
        for at, row in zip(batch, chances):
            opinions[texts[at]] = row.astype(np.float32)
            right.setdefault(languages[at], []).append(known[row.argmax()] == labels[at])
    print("in 4 bits right: " + ", ".join(f"{language} {np.mean(of):.3f}" for language, of in right.items()), flush=True)
    return held_rows(opinions)


def main():
    model, rows = Model(sys.argv[1]), examples()
    texts, labels, languages, kept = (list(column) for column in zip(*rows))
    known, kept = sorted(set(labels)), np.array(kept)
    # A wording that is also among the kept ones is kept, too.
    away = {text for text, far in zip(texts, kept) if far}
    kept = np.array([text in away for text in texts])
    data, classes, held = Data(model, texts), np.array([known.index(label) for label in labels]), f"{FOLDER}/held.bin"
    if "--ship-only" in sys.argv[2:]:
        opinions = open(held, "rb").read().split(b"\n", 1)[1]
    else:
        layers, head = train(model, data, classes, len(known), kept)
        opinions = judge(model, data, layers, head, (texts, labels, languages, kept))
    layers, head = train(model, data, classes, len(known), np.zeros(len(texts), bool))
    write_layers(model, layers, head, known, f"{FOLDER}/tuned.gguf")
    write_held(opinions, len(known), f"{FOLDER}/tuned.gguf", held)


if __name__ == "__main__":
    main()
