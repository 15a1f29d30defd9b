#!/usr/bin/env python3
"""Fits what each sign for and against cutting a message in two weighs: WEIGHTS of src/understanding/several.rs.
    scripts/fit_cuts.py target/release/truetill
Every tenth labelled example is taken away from a copy of data/ and judged by the rest (one wish each), together with
data/eval/understanding/dev.tsv (one wish and several), which no example repeats. The
tuned layers (scripts/tune_embedder.py) had not seen these either. Of every weighed cut `truetill eval --json`
tells its signs and whether it was right; a logistic regression over them (Newton's method) gives the weights."""
import json, math, os, re, shutil, subprocess, sys, tempfile

program = os.path.abspath(sys.argv[1])
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
folder = tempfile.mkdtemp()
shutil.copytree(f"{root}/data", f"{folder}/data")
rows = open(f"{root}/data/eval/understanding/dev.tsv").read().splitlines()
for language in ("en", "ru", "sk", "zh"):
    path, label, kept = f"{folder}/data/rules/examples/{language}.toml", None, []
    for line in open(path):
        heading, example = re.match(r"(\w+) = \[", line), re.match(r'  ("(?:[^"\\]|\\.)*"),?$', line)
        if heading:
            label, count = heading[1], 0
        if example:
            count += 1
            text = json.loads(example[1])
            if count % 10 == 3 and "\t" not in text:
                rows.append(f"{language}\t{label}\t-\t{text}")
                continue
        kept.append(line)
    open(path, "w").writelines(kept)
open(f"{folder}/table.tsv", "w").write("\n".join(rows) + "\n")
shown = {"TRUETILL__PATHS__DATA": f"{folder}/data", "TRUETILL__PATHS__STATE": f"{folder}/state", "TRUETILL__GENERATION__MODEL": "none"}
told = subprocess.run([program, "eval", f"{folder}/table.tsv", "--json"], cwd=root, env=os.environ | shown, stdout=subprocess.PIPE, check=True)
report = json.loads(told.stdout)
shutil.rmtree(folder)
cuts = [(float(right), signs + [1.0]) for right, signs in report["cuts"]]
size = len(cuts[0][1])
weights = [0.0] * size
for _ in range(12):
    slope = [-0.01 * w for w in weights]
    bend = [[0.01 * (a == b) for b in range(size)] for a in range(size)]
    for right, signs in cuts:
        chance = 1 / (1 + math.exp(-sum(w * s for w, s in zip(weights, signs))))
        for a in range(size):
            slope[a] += (right - chance) * signs[a]
            for b in range(size):
                bend[a][b] += chance * (1 - chance) * signs[a] * signs[b]
    for a in range(size):  # Gauss-Jordan on [bend | slope]
        pivot = bend[a][a]
        bend[a] = [x / pivot for x in bend[a]]
        slope[a] /= pivot
        for b in range(size):
            if b != a and bend[b][a]:
                factor = bend[b][a]
                bend[b] = [x - factor * y for x, y in zip(bend[b], bend[a])]
                slope[b] -= factor * slope[a]
    weights = [w + s for w, s in zip(weights, slope)]
share = report["all"]["both"]
print(f"{len(cuts)} cuts, {sum(right for right, _ in cuts):.0f} right; with the weights in use {share['right']} of {share['all']} messages understood")
print("[" + ", ".join(f"{w:.2f}" for w in weights) + "]")
