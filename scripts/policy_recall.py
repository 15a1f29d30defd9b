#!/usr/bin/env python3
"""recall@10 of policy documents that a customer's case needs; prints figures, writes only what is named.

When: after a change to how passages are found. Standard library only. DOCS.jsonl has id, title, content; TASKS.jsonl has id,
instructions (the customer's words) and required_documents.
  policy_recall.py folder DOCS.jsonl DIR              one Markdown policy per document
  policy_recall.py queries TASKS.jsonl OUT.tsv        a line `task.N<TAB>sentence` per sentence, `task<TAB>words` for all at once
  policy_recall.py score TASKS.jsonl RUN              recall@10 with all words at once, and sentence by sentence
A document's id stands in the policy as its name, in letters, digits and hyphens. Sentences are put together by reciprocal rank.
"""
import collections
import json
import os
import re
import sys


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def name(document):
    return re.sub(r"[^a-z0-9]+", "-", document.lower()).strip("-")


def folder(docs, target):
    os.makedirs(target, exist_ok=True)
    for doc in docs:
        front = f"---\ndocument: {name(doc['id'])}\nlanguage: en\nversion: 1\nvalid_from: 2020-01-01\n---\n"
        body = re.sub(r"^#{1,6} ", "**", doc["content"], flags=re.M)
        with open(os.path.join(target, f"{name(doc['id'])}.en.md"), "w", encoding="utf-8") as out:
            out.write(f"{front}## {doc['title']}\n{body}\n")


def sentences(text):
    parts = re.split(r"(?<=[.!?])\s+|\n+", re.sub(r"[*#\"]", " ", text))
    return [" ".join(part.split()) for part in parts if len(part.split()) >= 4]


def queries(tasks, out):
    with open(out, "w", encoding="utf-8") as file:
        for task in tasks:
            file.write(f"{task['id']}\t{' '.join(sentences(task['instructions']))}\n")
            for number, sentence in enumerate(sentences(task["instructions"])):
                file.write(f"{task['id']}.{number}\t{sentence}\n")


def score(tasks, run):
    whole, parts = collections.defaultdict(list), collections.defaultdict(lambda: collections.Counter())
    with open(run, encoding="utf-8") as file:
        for line in file:
            qid, _, document, rank, _, _ = line.split()
            task, _, number = qid.partition(".")
            if number:
                parts[task][document] += 1 / (10 + int(rank))
            else:
                whole[task].append(document)
    recall = {"all words at once": [], "sentence by sentence": []}
    for task in tasks:
        needed = {name(document) for document in task["required_documents"]}
        if not needed:
            continue
        ranked = [document for document, _ in parts[task["id"]].most_common(10)]
        recall["all words at once"].append(len(needed & set(whole[task["id"]][:10])) / len(needed))
        recall["sentence by sentence"].append(len(needed & set(ranked)) / len(needed))
    most = [min(10, len(task["required_documents"])) / len(task["required_documents"]) for task in tasks if task["required_documents"]]
    told = ", ".join(f"{kind} {sum(values) / len(values):.3f}" for kind, values in recall.items())
    print(f"recall@10 of {len(most)} cases: {told} (at most {sum(most) / len(most):.3f})")


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("folder", "queries", "score"):
        sys.exit(__doc__)
    {"folder": folder, "queries": queries, "score": score}[sys.argv[1]](lines(sys.argv[2]), sys.argv[3])


if __name__ == "__main__":
    main()
