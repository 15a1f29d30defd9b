#!/usr/bin/env python3
"""Writes the texts of case files into a fuzzing corpus, one file each: guard_seeds.py CORPUS FILE.tsv ..."""
import hashlib
import json
import pathlib
import sys

corpus = pathlib.Path(sys.argv[1])
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as file:
        for line in list(file)[1:]:
            text = json.loads('"' + line.rstrip("\n").split("\t")[2] + '"').encode("utf-8", "surrogatepass")
            (corpus / hashlib.sha256(text).hexdigest()[:16]).write_bytes(text)
