#!/usr/bin/env python3
"""Tunes the last layers of the embedder for telling where one wish of a message ends, where the next begins, and what each wants.
    pip install jax optax gguf tokenizers && python scripts/train_wishes.py multilingual-e5-small-q4_0.gguf
In: data/rules/wishes.tsv, messages with their wishes marked by hand, the labelled examples (one wish each) but for those that
scripts/tune_embedder.py keeps away, pairs of both said in one breath, the embedder, and the layers that script tuned, which the upper four of six
begin as. Two things are learnt of every token: whether a wish begins with it, and which wish it belongs to, alone and as the mean of its wish;
src/inference/embedder/wishes.rs finds the likeliest way to part a message by both.
Out: data/rules/examples/wishes.gguf, and how well the messages of data/eval/understanding/wishes.tsv are parted, which nothing was tuned on.
A quarter of an hour on two quiet cores."""
import os, random, re, sys
import gguf, jax, jax.numpy as jnp, numpy as np, optax
from gguf.quants import dequantize, quantize
import tune_embedder as tuning

LAYERS, BATCH, SHARPNESS, MOST = 6, 48, 4.0, 8
# First with whole numbers, then as they will be stored.
STAGES = [(4, 3e-4, False), (1, 1.5e-4, True)]
OF_LABELS, LEAN = 0.35, -2.0
# What counts in the loss: places where wishes begin, labels of tokens, labels of whole wishes, and that no label is thought impossible.
BEGINS, OF_TOKENS, OF_WISHES, SMOOTH = 0.5, 0.3, 0.7, 0.05
PREFIX = "query: "
DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
COURTESY = "smalltalk"
# Wishes said in one breath: so many, none longer than this, of these kinds, and what stands between them.
PAIRS, PAIR_CHARS = 6000, 110
PAIRED = "price stock delivery_info policy order_status cancel_order change_order return_item cart_add checkout find_product restock_notice human".split()
# What may be one wish with the one behind it: a bare name before a question, a purchase before its sum, background before what is asked for.
AS_ONE = {"find_product": {"price", "stock", "delivery_info", "cart_add", "restock_notice"}, "cart_add": {"price", "delivery_info"}}
AS_ONE |= {"price": {"delivery_info", "find_product"}, "stock": {"delivery_info", "find_product", "restock_notice"}, "return_item": {"policy"}}
JOINTS = {
    "en": ["and", "and also", "also", "plus", "oh and", "and then", "btw"],
    "ru": ["и", "и ещё", "а ещё", "ещё", "а", "также", "кстати"],
    "sk": ["a", "a ešte", "ešte", "a tiež", "a potom", "inak", "plus"],
    "zh": ["还有", "另外", "再", "顺便", "对了", "然后", "以及"],
}


def marked(path):
    """Texts with the place and label of each wish, and their languages."""
    for line in open(path, encoding="utf-8"):
        if line.startswith("#") or not line.strip():
            continue
        language, message = line.rstrip("\n").split("\t", 1)
        parts, text, wishes = re.split(r"<(\w+)>", message), "", []
        for label, body in zip(parts[1::2], parts[2::2]):
            wishes.append((len(text), [label]))
            text += body
        yield text, wishes, language


def single():
    """Labelled examples: one wish each. Those that look for something may as well ask about it."""
    kinds = {"find_product": ["find_product", "about"], "leave_contact": ["leave_contact", "human"]}
    kinds |= {"spam": ["out_of_scope"], "unsafe": ["out_of_scope"]}
    rows = tuning.examples()
    away = {text for text, _, _, kept in rows if kept}
    return [(text, [(0, kinds.get(label, [label]))], language) for text, label, language, _ in rows if text not in away]


def pairs(rows):
    """Messages of one wish, two by two as one: shoppers do not always say "and", nor end a sentence."""
    chance, of = random.Random(0), {}
    for text, wishes, language in rows:
        if len(wishes) == 1 and wishes[0][1][0] in PAIRED and len(text) < PAIR_CHARS // 2:
            of.setdefault((language, wishes[0][1][0]), []).append((text, wishes[0][1]))
    for number in range(PAIRS):
        language = ("en", "ru", "sk", "zh")[number % 4]
        one, other = chance.sample(PAIRED, 2)
        if other in AS_ONE.get(one, ()):
            continue
        (first, labels), (second, others) = chance.choice(of[language, one]), chance.choice(of[language, other])
        yield joined(first, second, language, chance) + ([labels, others], language)


def joined(first, second, language, chance):
    """Both in one text, and where the second begins."""
    own = first[len(first.rstrip(".!?。！？")) :]
    body, space = first.rstrip(".!?。！？ "), "" if language == "zh" else " "
    stops, commas = [own or "。", "，", "？" if own else " "], ["，", "", " "]
    if language != "zh":
        stops, commas = [own or ".", own or ",", "\n"], [",", "", own]
    word = chance.choice(JOINTS[language]) + space if chance.random() < 0.5 else ""
    sign = chance.choice(commas if word else stops) if chance.random() < 0.9 else ""
    body += sign + ("" if sign[-1:].isspace() or not space else " ")
    lower = (word or sign not in (own, ".", "\n")) and second[1:2].islower()
    return body + word + (second[0].lower() + second[1:] if lower else second), len(body)


class Truth:
    """What is so of every token: whether it begins a wish, which labels it may have, whether it counts."""

    def __init__(self, model, rows, labels):
        self.begins, self.labels, self.counts, self.places, self.wishes = [], [], [], [], []
        for text, wishes, _ in rows:
            places = [(a - len(PREFIX), b - len(PREFIX)) for a, b in model.tokenizer.encode(PREFIX + text).offsets[:510]]
            begins, counts = np.zeros(len(places) + 2, np.float32), np.zeros(len(places) + 2, np.float32)
            of, wish = np.zeros((len(places) + 2, len(labels)), np.float32), np.full(len(places) + 2, -1)
            for start, _ in wishes[1:]:
                at = next((at for at, (a, b) in enumerate(places) if a >= 0 and b > start), None)
                if at is not None:
                    begins[at + 1] = 1
            for at, (_, end) in enumerate(places):
                if end > 0:
                    counts[at + 1] = 1
                    wish[at + 1] = max(0, sum(start < end for start, _ in wishes) - 1)
                    for label in wishes[wish[at + 1]][1]:
                        of[at + 1, labels.index(label)] = 1
            if counts.any():
                counts[counts.argmax()] = 0  # the first begins nothing
            self.begins.append(begins), self.labels.append(of), self.counts.append(counts), self.places.append(places)
            self.wishes.append(wish)

    def rows(self, batch, length):
        begins, counts = (np.zeros((len(batch), length), np.float32) for _ in range(2))
        labels = np.zeros((len(batch), length, self.labels[0].shape[1]), np.float32)
        means = np.zeros((len(batch), MOST, length), np.float32)  # what each token counts in the mean of its wish
        for row, at in enumerate(batch):
            count = len(self.begins[at])
            begins[row, :count], counts[row, :count], labels[row, :count] = self.begins[at], self.counts[at], self.labels[at]
            for wish in range(min(MOST, self.wishes[at].max() + 1)):
                own = self.wishes[at] == wish
                means[row, wish, :count] = own / max(1, own.sum())
        return begins, labels, counts, means


def tuned_layers(model):
    """The layers of tuned.gguf, above the embedder's own."""
    reader = gguf.GGUFReader(f"{tuning.FOLDER}/tuned.gguf")
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    floats = lambda name: np.asarray(dequantize(tensors[name].data, tensors[name].tensor_type), np.float32)
    part = lambda at, name: {"w": floats(f"blk.{at}.{name}.weight"), "b": floats(f"blk.{at}.{name}.bias")}
    first = int(reader.fields["truetill.first_layer"].parts[-1][0])
    own = [model.layer(at) for at in range(model.depth - LAYERS, first)]
    return own + [{name: part(at, name) for name in tuning.PARTS} for at in range(first, model.depth)]


def scores(model, layers, head, x, mask, key=None):
    """Of every token: that a wish begins with it, and each label."""
    keys = [None] * LAYERS if key is None else jax.random.split(key, LAYERS)
    for layer, one in zip(layers, keys):
        x = tuning.block(model, x, mask, layer, one)
    return SHARPNESS * (x @ head["w"].T) + head["b"]


def train(model, data, truth, seen, count):
    """The layers as they are stored, and the head."""
    head = {"w": np.zeros((1 + count, data.low[0].shape[1]), np.float32), "b": np.zeros(1 + count, np.float32)}
    head["b"][0] = -2.5
    weights = jax.tree.map(jnp.asarray, {"layers": tuned_layers(model), "head": head})
    chance, key = np.random.default_rng(0), jax.random.PRNGKey(0)
    for epochs, speed, rounding in STAGES:
        steps = epochs * -(-len(seen) // BATCH)
        rate = optax.warmup_cosine_decay_schedule(0, speed, steps // 12, steps, speed * 0.02)
        rates = {"layers": optax.adamw(rate, weight_decay=0.01), "head": optax.adamw(lambda step: rate(step) * 20, weight_decay=0.01)}
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.multi_transform(rates, {"layers": "layers", "head": "head"}))
        stored = (lambda layers: [tuning.as_stored(layer) for layer in layers]) if rounding else (lambda layers: layers)

        def loss(weights, x, mask, begins, labels, counts, means, key):
            told = scores(model, stored(weights["layers"]), weights["head"], x, mask, key)
            odds = told[..., 0]
            begun = jnp.maximum(odds, 0) - odds * begins + jnp.log1p(jnp.exp(-jnp.abs(odds)))

            def missed(of, wanted, known):
                return -(jax.nn.logsumexp(of + (wanted - 1.0) * 30, axis=-1) * known).sum() / known.sum()

            there, of = means.sum(-1) > 0, jax.nn.log_softmax(means @ told[..., 1:])
            whole = missed(of, ((means > 0).astype(jnp.float32) @ labels) > 0, there)
            each = missed(jax.nn.log_softmax(told[..., 1:]), labels, labels.sum(-1) > 0)
            smooth = -(of.mean(-1) * there).sum() / there.sum()
            return BEGINS * (begun * counts).sum() / len(x) + OF_TOKENS * each + OF_WISHES * whole + SMOOTH * smooth

        @jax.jit
        def step(weights, state, x, mask, begins, labels, counts, means, key):
            value, slope = jax.value_and_grad(loss)(weights, x, mask, begins, labels, counts, means, key)
            moved, state = optimizer.update(slope, state, weights)
            return optax.apply_updates(weights, moved), state, value

        state = optimizer.init(weights)
        for epoch in range(epochs):
            losses = []
            for batch in data.batches(seen, BATCH, chance):
                key, one = jax.random.split(key)
                x, mask = data.rows(batch)
                weights, state, value = step(weights, state, x, mask, *truth.rows(batch, x.shape[1]), one)
                losses.append(float(value))
            print(f"epoch {epoch + 1}{', in 4 bits' if rounding else ''}: loss {np.mean(losses):.3f}", flush=True)
    return jax.tree.map(np.asarray, [tuning.as_stored(layer) for layer in weights["layers"]]), jax.tree.map(np.asarray, weights["head"])


def parted(told, places, text):
    """As src/inference/embedder/wishes.rs does it: the place and label of each wish."""
    han = lambda sign: "\u3400" <= sign <= "\u9fff"
    tokens = []
    for at, (a, b) in enumerate(places):
        a, own = max(a, 0), text[max(a, 0) : max(b, 0)]
        if own:
            start = a + len(own) - len(own.lstrip())
            first = text[start : start + 1]
            tokens.append((at + 1, start, first.isalnum() and (han(first) or start == 0 or not text[start - 1].isalnum())))
    rows = np.array([told[at] for at, _, _ in tokens])
    highest = rows[:, 1:].max(1, keepdims=True)
    labels = OF_LABELS * (rows[:, 1:] - highest - np.log(np.exp(rows[:, 1:] - highest).sum(1, keepdims=True)))
    odds = rows[:, 0] + LEAN
    begins, goes_on, best, steps = -np.log1p(np.exp(-odds)), -np.log1p(np.exp(odds)), labels[0], []
    for at in range(1, len(tokens)):
        before, stays = best.argmax(), best + goes_on[at]
        anew = (best[before] + begins[at] > stays) & tokens[at][2]
        steps.append((anew, before))
        best = np.where(anew, best[before] + begins[at], stays) + labels[at]
    label, wishes = best.argmax(), []
    for at in range(len(tokens) - 1, 0, -1):
        anew, before = steps[at - 1]
        if anew[label]:
            wishes.append((tokens[at][1], label))
            label = before
    return [(0, label)] + wishes[::-1]


def judge(model, data, truth, rows, labels, layers, head, away):
    """Prints of how many kept messages the wishes are told, and how many places where one begins are found."""
    told, right = {}, {}
    run = jax.jit(lambda x, mask: scores(model, layers, head, x, mask))
    for batch in data.batches(away, 128):
        told |= {at: row for at, row in zip(batch, np.asarray(run(*data.rows(batch))))}
    hit = found = there = 0
    kinds = lambda names: {"find_product" if name == "about" else name for name in names} - {COURTESY} or {COURTESY}
    for at in away:
        text, wishes, language = rows[at]
        own = parted(told[at], truth.places[at], text)
        several = "several" if len(wishes) > 1 else "one"
        right.setdefault((language, several), []).append(kinds(labels[label] for _, label in own) == kinds(names[0] for _, names in wishes))
        a, b = {start for start, _ in own[1:]}, {start for start, _ in wishes[1:]}
        hit, found, there = hit + len(a & b), found + len(a), there + len(b)
    for (language, several), of in sorted(right.items()):
        print(f"{language}, {several}: all wishes told of {sum(of)} of {len(of)} messages")
    print(f"where one begins: right {hit} of {found} found, of {there} there are")


def main():
    model = tuning.Model(sys.argv[1])
    tuning.LAYERS = LAYERS
    several, kept = list(marked(f"{DATA}/rules/wishes.tsv")), list(marked(f"{DATA}/eval/understanding/wishes.tsv"))
    alone = single()
    both = [(text, [(0, one), (at, other)], language) for text, at, (one, other), language in pairs(several + alone)]
    rows = several + alone + both + kept
    labels = sorted({name for _, wishes, _ in rows for _, names in wishes for name in names})
    data, truth = tuning.Data(model, [text for text, _, _ in rows]), Truth(model, rows, labels)
    own, away = np.arange(len(several)), np.arange(len(rows) - len(kept), len(rows))
    # What is marked counts twice beside the examples.
    seen = np.concatenate([own, own, np.arange(len(several), len(rows) - len(kept))])
    layers, head = train(model, data, truth, seen, len(labels))
    judge(model, data, truth, rows, labels, layers, head, away)
    out = f"{tuning.FOLDER}/wishes.gguf"
    writer = gguf.GGUFWriter(out, "bert")
    writer.add_string("truetill.base.sha256", model.sha256)
    writer.add_uint32("truetill.first_layer", model.depth - LAYERS)
    writer.add_array("truetill.labels", labels)
    writer.add_float32("truetill.of_labels", OF_LABELS)
    writer.add_float32("truetill.lean", LEAN)
    for at, layer in enumerate(layers, model.depth - LAYERS):
        for part, p in layer.items():
            if p["w"].ndim == 2:
                writer.add_tensor(f"blk.{at}.{part}.weight", quantize(p["w"], tuning.Q4), raw_dtype=tuning.Q4)
            else:
                writer.add_tensor(f"blk.{at}.{part}.weight", p["w"])
            writer.add_tensor(f"blk.{at}.{part}.bias", p["b"])
    writer.add_tensor("head.weight", (SHARPNESS * head["w"]).astype(np.float32))
    writer.add_tensor("head.bias", head["b"].astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{out}: {os.path.getsize(out)} bytes, {len(several)} marked messages")


if __name__ == "__main__":
    main()
