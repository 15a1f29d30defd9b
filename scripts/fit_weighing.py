#!/usr/bin/env python3
"""Fits how what speaks for a command is weighed (src/understanding/weighing.rs), and writes data/rules/weighing.toml.
    pip install numpy scipy && scripts/fit_weighing.py target/release/truetill
Over messages that no layer was tuned on and that are no examples: data/eval/understanding/dev.tsv and wishes.tsv, of which
`truetill eval --json` tells the signs of every wish it tells apart where there are as many. Softmax regression; of five parts each is judged by a fit over the others first."""
import json, os, subprocess, sys
import numpy as np
from scipy.optimize import minimize

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLES = ["dev.tsv", "wishes.tsv"]
# Whoever marked wishes made no difference between these.
ALIKE = {"out_of_scope": ["out_of_scope", "spam", "unsafe"], "human": ["human", "leave_contact"]}
# How far from nothing a weight may go. What shoppers want more often differs from shop to shop: a leaning that is held back less fits
# these messages better, and those of the other table no better.
HOLDS_BACK, LEANING_HOLDS_BACK = 1e-4, 1e-2


def signs(program):
    """What was wanted in each wish, by any of these names, and what spoke for each command."""
    quiet = os.environ | {"TRUETILL__GENERATION__MODEL": "none"}
    for table in TABLES:
        told = subprocess.run([program, "--json", "eval", f"data/eval/understanding/{table}"], cwd=ROOT, env=quiet, stdout=subprocess.PIPE, check=True)
        for name, of in json.loads(told.stdout)["signs"]:
            yield ALIKE.get(name, [name]) if table == "wishes.tsv" else [name], of


def hit(scores, wanted):
    return wanted[np.arange(len(wanted)), scores.argmax(1)]


def fitted(rows, wanted, held_back):
    """Weights over the features of all commands, and how likely they make what was wanted."""

    def loss(weights):
        scores = np.einsum("f,nfc->nc", weights, rows)
        scores -= scores.max(1, keepdims=True)
        chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        right = (chances * wanted).sum(1)
        slope = np.einsum("nc,nfc->f", chances - chances * wanted / right[:, None], rows) / len(wanted)
        return -np.log(right).mean() + (held_back * weights**2).sum(), slope + 2 * held_back * weights

    return minimize(loss, np.zeros(rows.shape[1]), jac=True).x


def judged(rows, wanted, held_back):
    """The share that a fit over the other parts gets right."""
    order, right = np.random.RandomState(0).permutation(len(wanted)), 0
    for part in range(5):
        away = order[part::5]
        weights = fitted(np.delete(rows, away, 0), np.delete(wanted, away, 0), held_back)
        right += hit(np.einsum("f,nfc->nc", weights, rows[away]), wanted[away]).sum()
    return right / len(wanted)


def main():
    told = list(signs(os.path.abspath(sys.argv[1])))
    names = [line.split("[")[1].split("]")[0] for line in open(f"{ROOT}/data/rules/commands.toml") if line.startswith("[") and "." not in line]
    count = len(told[0][1]["examples"])
    assert len(names) == count, f"{len(names)} commands in commands.toml, {count} signs"
    wanted = np.array([[name in any_of for name in names] for any_of, _ in told], np.float64)
    columns = lambda key: np.array([signs[key] for _, signs in told], np.float64)
    votes, words, cues = columns("examples"), columns("words"), columns("cue")
    leaning = np.broadcast_to(np.eye(count), (len(told), count, count))
    rows = np.concatenate([np.stack([votes, words, cues], 1), leaning], 1)
    held_back = np.array([HOLDS_BACK] * 3 + [LEANING_HOLDS_BACK] * count)
    print(f"{len(told)} wishes; right by the votes alone {hit(votes, wanted).mean():.3f}, by the words alone {hit(words, wanted).mean():.3f}, "
          f"weighed {judged(rows, wanted, held_back):.3f}")
    weights = fitted(rows, wanted, held_back)
    alone = fitted(np.concatenate([np.stack([votes, cues], 1), leaning], 1), wanted, held_back[1:])
    lines = ["# What speaks for each command when a message is understood, and how much it counts; scripts/fit_weighing.py writes this file."]
    lines += [f"{name} = {weight:.2f}" for name, weight in zip(["examples", "words", "cue"], weights)] + [f"examples_alone = {alone[0]:.2f}"]
    lines += ["", "# What shoppers want more or less often than the labelled examples have it.", "[leaning]"]
    lines += [f"{name} = {weight:.2f}" for name, weight in zip(names, weights[3:])]
    open(f"{ROOT}/data/rules/weighing.toml", "w").write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
