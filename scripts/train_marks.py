#!/usr/bin/env python3
"""Fits what tells the words of a message apart: those that name goods, those that say what the goods should be like, and the rest.
    pip install jax optax gguf tokenizers scikit-learn && python scripts/train_marks.py multilingual-e5-small-q4_0.gguf
In: data/rules/marked.tsv, messages with {names of goods} and [what they should be like] marked by hand, and the embedder. One line per
kind of word is drawn over what the embedder holds of a token after three of its layers; the embedder itself stays as it is.
Out: data/rules/examples/marks.gguf. Prints how many tokens of data/eval/understanding/marked.tsv, which are not fitted on, are told
right; `truetill eval data/eval/understanding/marked.tsv` says the same of words as the product cuts them. A minute on two cores."""
import os, re, sys
import gguf, jax, jax.numpy as jnp, numpy as np
from sklearn.linear_model import LogisticRegression
import tune_embedder as tuning

AFTER, STRENGTH, BATCH = (8, 10, 12), 0.005, 64
DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
MARKS = {"{": 1, "[": 2, "}": 0, "]": 0}  # names goods, describes them, neither


def rows(path):
    """The texts of a table of marked messages, and what each of their characters is."""
    for line in open(path, encoding="utf-8"):
        if line.startswith(("#", "lang\t")) or not line.strip():
            continue
        text, kinds, kind = "", [], 0
        for sign in line.rstrip("\n").split("\t", 1)[1]:
            if sign in MARKS:
                kind = MARKS[sign]
            else:
                text, kinds = text + sign, kinds + [kind]
        yield text, np.array(kinds)


class States:
    """What the embedder holds of every token after the layers in AFTER."""

    def __init__(self, model):
        self.model = model
        self.words, self.places = model.floats("token_embd.weight"), model.floats("position_embd.weight")
        self.kind = model.floats("token_types.weight")[0]
        first = {"w": model.floats("token_embd_norm.weight"), "b": model.floats("token_embd_norm.bias")}
        layers = [model.layer(at) for at in range(model.depth)]

        @jax.jit
        def run(x, mask):
            x, kept = tuning.norm(x, first, model.epsilon), []
            for at, layer in enumerate(layers):
                x = tuning.block(model, x, mask, layer)
                kept += [x] if at + 1 in AFTER else []
            return jnp.concatenate(kept, -1)

        self.run = run

    def of(self, texts):
        """For each text its tokens' places in it and their states."""
        prefix = "query: "
        read = [self.model.tokenizer.encode(prefix + text) for text in texts]
        tokens = [[self.model.begin] + one.ids[:510] + [self.model.end] for one in read]
        made = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda at: len(tokens[at]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            longest = max(8, -(-max(len(tokens[at]) for at in batch) // 8) * 8)
            x = np.zeros((len(batch), longest, self.words.shape[1]), np.float32)
            mask = np.zeros((len(batch), longest), np.float32)
            for row, at in enumerate(batch):
                count = len(tokens[at])
                x[row, :count] = self.words[tokens[at]] + self.places[:count] + self.kind
                mask[row, :count] = 1
            states = np.asarray(self.run(x, mask))
            for row, at in enumerate(batch):
                places = [(a - len(prefix), b - len(prefix)) for a, b in read[at].offsets[:510]]
                made[at] = places, states[row, 1 : 1 + len(places)]
        return made


def labelled(states, path):
    """The states of all tokens of a table that cover a word, and what most of each token's characters are."""
    texts = list(rows(path))
    x, y = [], []
    for (text, kinds), (places, held) in zip(texts, states.of([text for text, _ in texts])):
        for (a, b), state in zip(places, held):
            a += len(text[a:b]) - len(text[a:b].lstrip()) if a >= 0 else 0
            if 0 <= a < b and len(kinds[a:b]):
                counts = np.bincount(kinds[a:b], minlength=3)
                x.append(state)
                y.append(next((kind for kind in (1, 2) if counts[kind] * 2 >= counts.sum()), 0))
    return np.array(x), np.array(y)


def main():
    model = tuning.Model(sys.argv[1])
    states = States(model)
    x, y = labelled(states, f"{DATA}/rules/marked.tsv")
    middle, spread = x.mean(0), x.std(0) + 1e-6
    fit = LogisticRegression(C=STRENGTH, max_iter=400).fit((x - middle) / spread, y)
    # Over the states as they are.
    weights = (fit.coef_ / spread).astype(np.float32)
    bias = (fit.intercept_ - (fit.coef_ / spread) @ middle).astype(np.float32)
    unseen, truth = labelled(states, f"{DATA}/eval/understanding/marked.tsv")
    scores = unseen @ weights.T + bias
    chance = np.exp(scores - scores.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    for kind, name in ((1, "names goods"), (2, "describes them")):
        found, right = chance.argmax(1) == kind, truth == kind
        print(f"{name}: {np.mean(right[found]):.3f} of those found, {np.mean(found[right]):.3f} of those there are")
    aside = chance[:, 0] > 0.95
    print(f"surely neither: {np.sum(aside & (truth == 0))} of {np.sum(truth == 0)}, wrongly {np.sum(aside & (truth > 0))} of {np.sum(truth > 0)}")
    out = os.path.join(tuning.FOLDER, "marks.gguf")
    writer = gguf.GGUFWriter(out, "truetill-marks")
    writer.add_string("truetill.base.sha256", model.sha256)
    writer.add_array("truetill.after_layers", list(AFTER))
    writer.add_tensor("marks.weight", weights)
    writer.add_tensor("marks.bias", bias)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{out}: {os.path.getsize(out)} bytes, {len(y)} tokens")


if __name__ == "__main__":
    main()
