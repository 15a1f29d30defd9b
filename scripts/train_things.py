#!/usr/bin/env python3
"""Fits the line between words that name a thing one can buy and words that say something of what is spoken of.

In: data/rules/things.tsv (language, `thing` or `aside`, words) and a running truetill, whose embedder reads the words:
    truetill serve & scripts/train_things.py http://127.0.0.1:8080
Out: data/rules/things_weights.tsv, and how many of each language are told right where nine tenths were fitted on and one
tenth was not. Needs numpy and scikit-learn.
"""

import json
import sys
import urllib.request

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

ROWS, OUT, AT_ONCE = "data/rules/things.tsv", "data/rules/things_weights.tsv", 64
# Where products are spoken of, words are more often about those: only from this chance on do they name another thing.
LEAST = 0.6


def embedded(server, texts):
    """The embeddings of texts as questions, 64 at once."""
    with urllib.request.urlopen(f"{server}/v1/models", timeout=60) as answer:
        # The embedder is the model that is no assistant.
        model = next(one["id"] for one in json.load(answer)["data"] if one["id"] != "truetill")
    vectors = []
    for at in range(0, len(texts), AT_ONCE):
        body = json.dumps({"input": texts[at : at + AT_ONCE], "input_type": "query", "model": model}).encode()
        request = urllib.request.Request(f"{server}/v1/embeddings", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            vectors += [row["embedding"] for row in json.load(answer)["data"]]
    return np.array(vectors, dtype=np.float32)


def main():
    """Reads the rows, fits, judges and writes."""
    with open(ROWS, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if line.strip() and not line.startswith("#")]
    x = embedded(sys.argv[1].rstrip("/"), [words for _, _, words in rows])
    y = np.array([kind == "thing" for _, kind, _ in rows])
    fit = LogisticRegression(C=30.0, max_iter=5000)
    folds = StratifiedKFold(10, shuffle=True, random_state=7)
    chance = cross_val_predict(fit, x, y, cv=folds, method="predict_proba")[:, 1]
    for language in sorted({row[0] for row in rows}):
        of = np.array([row[0] == language for row in rows])
        right = [np.mean((chance[of & (y == kind)] > LEAST) == kind) for kind in (True, False)]
        print(f"{language}: things {right[0]:.3f}, asides {right[1]:.3f} of {of.sum()}")
    wrong = sorted(zip(np.abs(chance - LEAST), chance, rows), key=lambda one: -one[0])
    for _, p, row in [one for one in wrong if (one[1] > LEAST) != (one[2][1] == "thing")][:20]:
        print(f"  {p:.2f} {' '.join(row)}")
    fit.fit(x, y)
    with open(OUT, "w", encoding="utf-8") as file:
        file.write("# The weights of scripts/train_things.py: what is added to all, then one for each number of an embedding.\n")
        file.writelines(f"{weight:.4f}\n" for weight in [fit.intercept_[0] - np.log(LEAST / (1 - LEAST)), *fit.coef_[0]])


if __name__ == "__main__":
    main()
