#!/usr/bin/env python3
"""nDCG@10 of a TREC run against relevance ratings; prints figures, changes nothing.

When: after `truetill search --queries Q.tsv --run RUN`. Standard library only.
  ndcg.py queries RATINGS.tsv OUT.tsv [--split odd|even]   write `qid<TAB>query` for the rated queries
  ndcg.py translated RATINGS.tsv OUT.tsv --words T.tsv --language sk   the same queries in another language
  ndcg.py score RATINGS.tsv RUN [--split odd|even]         print nDCG@10, judged only and unjudged = 0
  ndcg.py score RATINGS.tsv RUN --asked OUT.tsv            over the queries of that file alone
RATINGS.tsv has the columns query, docid, rating. A query's id is its number in order of first appearance; the split
is by a hash of the query's text, so that it never moves. Queries without a relevant document are left out of the mean.
"""
import argparse
import hashlib
import math
import sys


def read_ratings(path):
    ratings = {}
    with open(path, encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            query, docid, rating = line.rstrip("\n").split("\t")
            ratings.setdefault(query, {})[docid] = float(rating)
    return ratings


def split_of(query):
    return "odd" if hashlib.sha256(query.encode()).digest()[0] % 2 else "even"


def chosen(ratings, split):
    queries = [(str(number), query) for number, query in enumerate(ratings, 1)]
    return [(qid, query) for qid, query in queries if split in (None, split_of(query))]


def gain(rating, linear):
    return rating if linear else 2**rating - 1


def ndcg(ranking, judged, linear):
    dcg = sum(gain(judged.get(doc, 0), linear) / math.log2(rank + 2) for rank, doc in enumerate(ranking[:10]))
    best = sorted(judged.values(), reverse=True)[:10]
    ideal = sum(gain(rating, linear) / math.log2(rank + 2) for rank, rating in enumerate(best))
    return dcg / ideal


def score(ratings, run, queries, linear):
    judged_only, unjudged_zero, judged_share, empty = [], [], [], 0
    for qid, query in queries:
        judged = ratings[query]
        ranking = run.get(qid, [])
        empty += not ranking
        if max(judged.values()) <= 0:
            continue
        unjudged_zero.append(ndcg(ranking, judged, linear))
        judged_only.append(ndcg([doc for doc in ranking if doc in judged], judged, linear))
        judged_share.append(sum(doc in judged for doc in ranking[:10]) / max(len(ranking[:10]), 1))
    mean = lambda values: sum(values) / max(len(values), 1)
    return len(unjudged_zero), mean(judged_only), mean(unjudged_zero), mean(judged_share), empty


def read_run(path):
    run = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            qid, _, docid, _, _, _ = line.split()
            run.setdefault(qid, []).append(docid)
    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["queries", "translated", "score"])
    parser.add_argument("ratings")
    parser.add_argument("file")
    parser.add_argument("--split", choices=["odd", "even"])
    parser.add_argument("--gain", choices=["linear", "exponential"], default="linear")
    parser.add_argument("--words", help="columns en, ru, sk, zh")
    parser.add_argument("--language", default="en")
    parser.add_argument("--asked", help="a file of `qid<TAB>query`: only these count")
    options = parser.parse_args()
    ratings = read_ratings(options.ratings)
    queries = chosen(ratings, options.split)
    if options.asked:
        with open(options.asked, encoding="utf-8") as lines:
            asked = {line.split("\t")[0] for line in lines}
        queries = [query for query in queries if query[0] in asked]
    if options.action == "translated":
        with open(options.words, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines]
        words = {row[0]: row[rows[0].index(options.language)] for row in rows[1:]}
        queries = [(qid, words[query]) for qid, query in queries if query in words]
    if options.action != "score":
        with open(options.file, "w", encoding="utf-8") as out:
            out.writelines(f"{qid}\t{query}\n" for qid, query in queries)
        return
    counted, judged, zero, share, empty = score(ratings, read_run(options.file), queries, options.gain == "linear")
    print(f"queries {counted}  judged-only {judged:.4f}  unjudged=0 {zero:.4f}  judged@10 {share:.2f}  empty {empty}")


if __name__ == "__main__":
    sys.exit(main())
