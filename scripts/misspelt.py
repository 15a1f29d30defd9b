#!/usr/bin/env python3
"""Is a product still found when its title is misspelt? Prints shares, changes nothing but OUT.

When: beside scripts/ndcg.py, to measure search on a catalog of titles. Standard library only.
  misspelt.py queries PRODUCTS.tsv OUT.tsv [--count 1000] [--seed 7]   write `qid<TAB>question`
  misspelt.py score PRODUCTS.tsv RUN [--top 3]                         share of right titles among the first hits, by kind
A question is the title (its first 12 words) with one disguise: `typo` one letter dropped, doubled, swapped or replaced in
each of two words; `marks` diacritics taken off or put on; `alphabet` two words in Cyrillic as they sound; `codes` other
separators in model numbers, or none. Titles that stand in the catalog more than once count as one product.
"""
import argparse
import random
import re
import sys
import unicodedata

KINDS = ["typo", "marks", "alphabet", "codes"]
SOUNDS = [("sh", "ш"), ("ch", "ч"), ("ph", "ф"), ("th", "т"), ("ck", "к"), ("oo", "у"), ("ee", "и"), ("x", "кс"), ("qu", "кв")]
SOUNDS += list(zip("abcdefghijklmnopqrstuvwyz", "абкдефгхижклмнопкрстуввйз"))
MARKS = dict(zip("aeiouycsznrtdl", "áéíóúýčšžňřťďľ"))


def typo(word, pick):
    at = pick.randrange(1, len(word) - 1)
    kind = pick.choice(["drop", "double", "swap", "replace"])
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + word[at] + word[at:]
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + pick.choice("abcdefghijklmnopqrstuvwxyz") + word[at + 1 :]


def plain(text):
    return "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))


def marks(word, pick):
    bare = plain(word)
    return bare if bare != word else "".join(MARKS.get(letter, letter) if pick.random() < 0.5 else letter for letter in word)


def alphabet(word, _pick):
    word = word.lower()
    for latin, cyrillic in SOUNDS:
        word = word.replace(latin, cyrillic)
    return word


def codes(word, pick):
    parts = [part for part in re.split(r"[-/._]|(?<=[A-Za-z])(?=\d{2})", word) if part]
    return pick.choice(["", " ", "-", "/", "."]).join(parts)


def disguise(title, kind, pick):
    words = title.split()[:12]
    if kind == "codes":
        fits = [at for at, word in enumerate(words) if re.search(r"\d", word) and re.search(r"[A-Za-z]", word) and len(word) > 4]
    else:
        fits = [at for at, word in enumerate(words) if re.fullmatch(r"[^\W\d_]{5,}", word)]
    if not fits:
        return None
    change = {"typo": typo, "marks": marks, "alphabet": alphabet, "codes": codes}[kind]
    for at in pick.sample(fits, min(2, len(fits))):
        words[at] = change(words[at], pick)
    return " ".join(words)


def read_titles(path):
    with open(path, encoding="utf-8") as lines:
        header = next(lines).rstrip("\n").split("\t")
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return {row[header.index("id")]: row[header.index("title")] for row in rows}


def same(title):
    return " ".join(title.split()[:12]).lower()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["queries", "score"])
    parser.add_argument("products")
    parser.add_argument("file")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--top", type=int, default=3)
    options = parser.parse_args()
    titles = read_titles(options.products)
    if options.action == "queries":
        pick = random.Random(options.seed)
        made = []
        ids = sorted(titles)
        while len(made) < options.count:
            id, kind = pick.choice(ids), KINDS[len(made) % len(KINDS)]
            question = disguise(titles[id], kind, pick)
            if question and question.lower() != " ".join(titles[id].split()[:12]).lower():
                made.append(f"{kind}-{len(made)}-{id}\t{question}\n")
        with open(options.file, "w", encoding="utf-8") as out:
            out.writelines(made)
        return
    best = {}
    with open(options.file, encoding="utf-8") as lines:
        for line in lines:
            qid, _, found, rank, _, _ = line.split()
            wanted = qid.split("-", 2)[2]
            if int(rank) <= options.top:
                best[qid] = best.get(qid, False) or same(titles[found]) == same(titles[wanted])
    for kind in KINDS + [""]:
        rows = [right for qid, right in best.items() if qid.startswith(kind)]
        print(f"{kind or 'all'}: answered {len(rows)}  right in the first {options.top}: {sum(rows) / max(len(rows), 1):.4f}")


if __name__ == "__main__":
    sys.exit(main())
