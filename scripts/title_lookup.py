#!/usr/bin/env python3
"""Is the product whose title stands in a price question found first? Prints shares, changes nothing but OUT.

When: beside scripts/ndcg.py, to measure search on a catalog of titles. Standard library only.
  title_lookup.py queries PRODUCTS.tsv OUT.tsv [--count 300] [--seed 7]   write `qid<TAB>question` in four languages
  title_lookup.py score PRODUCTS.tsv RUN                                  share of first hits with the right id, and
                                                                          with the same title (titles repeat)
"""
import argparse
import random
import sys

FRAMES = {"en": "how much is {}?", "ru": "сколько стоит {}?", "sk": "koľko stojí {}?", "zh": "{}多少钱？"}


def read_titles(path):
    with open(path, encoding="utf-8") as lines:
        header = next(lines).rstrip("\n").split("\t")
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return {row[header.index("id")]: row[header.index("title")] for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["queries", "score"])
    parser.add_argument("products")
    parser.add_argument("file")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    titles = read_titles(options.products)
    if options.action == "queries":
        chosen = random.Random(options.seed).sample(sorted(titles), options.count)
        with open(options.file, "w", encoding="utf-8") as out:
            for language, frame in FRAMES.items():
                out.writelines(f"{language}-{id}\t{frame.format(titles[id])}\n" for id in chosen)
        return
    counts = {}
    with open(options.file, encoding="utf-8") as lines:
        for line in lines:
            qid, _, found, rank, _, _ = line.split()
            language, wanted = qid.split("-", 1)
            asked, right, same = counts.get(language, (0, 0, 0))
            if rank == "1":
                same += titles[found] == titles[wanted]
                counts[language] = (asked + 1, right + (found == wanted), same)
                if titles[found] != titles[wanted]:
                    print(f"{qid}: {titles[wanted]} -> {found} {titles[found]}", file=sys.stderr)
    for language, (asked, right, same) in counts.items():
        print(f"{language}: answered {asked}  right id {right / asked:.4f}  same title {same / asked:.4f}")


if __name__ == "__main__":
    sys.exit(main())
