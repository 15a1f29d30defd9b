"""Adds labelled messages written in one go, and keeps a quarter of them from everything that learns or is tuned.

Run it on new text before anyone has measured with it:
    scripts/hold_out.py examples NEW.txt    `## command` lines, below each `en | ru | sk | zh`: one wish in four languages
    scripts/hold_out.py own LANG NEW.tsv    `command<TAB>message` lines of one language alone; `command,command` for two wishes
    scripts/hold_out.py cases NEW.txt       `expected | en | ru | sk | zh`, with slots marked: `how much is the {1.product=kettle}`
In each a quarter goes to data/eval/understanding/heldout.tsv, all four languages of a group together: the quarter of each
command (of cases with one wish, and with several) whose sha256 of SEED, label and first text is smallest. The rest goes
to data/rules/examples/LANG.toml or, cases and what has several wishes, to data/eval/understanding/dev.tsv.
"""
import hashlib
import os
import re
import sys
import tomllib
from collections import defaultdict

SEED = "1"
LANGUAGES = ("en", "ru", "sk", "zh")
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EVAL = os.path.join(ROOT, "data/eval/understanding")
MARK = re.compile(r"\{(\d+)\.(\w+)=([^:}]*)(:)?([^}]*)\}")


def quarter(groups, stratum):
    """The indices of the groups that are held out."""
    strata = defaultdict(list)
    for at, (label, texts) in enumerate(groups):
        digest = hashlib.sha256(f"{SEED}\n{label}\n{texts[0]}".encode()).hexdigest()
        strata[stratum(label)].append((digest, at))
    return {at for rows in strata.values() for _, at in sorted(rows)[: len(rows) // 4]}


def read_examples(path):
    label = None
    for line in open(path):
        line = line.rstrip("\n")
        if line.startswith("## "):
            label = line[3:].strip()
        elif line:
            yield label, line.split(" | ")


def read_cases(path):
    for line in open(path):
        label, *texts = line.rstrip("\n").split(" | ")
        yield label, texts


def unmark(text, count):
    """The plain text, and per command its slots as `name=value;name=value`."""
    slots = [[] for _ in range(count)]
    for which, name, value, _, _ in MARK.findall(text):
        for digit in which:
            slots[int(digit) - 1].append(f"{name}={value}")
    plain = MARK.sub(lambda found: found[5] if found[4] else found[3], text)
    return re.sub(r" {2,}", " ", plain).strip(), slots


def case_rows(label, texts):
    """TSV rows: lang, commands, slots per command parted by `|`, text."""
    names = re.split(r"[+,](?![^(]*\))", label)
    topics = [re.findall(r"topic=(\w+)", name) for name in names]
    commands = ",".join(name.split("(")[0] for name in names)
    for language, text in zip(LANGUAGES, texts):
        plain, slots = unmark(text, len(names))
        for one, topic in zip(slots, topics):
            one.extend(f"topic={value}" for value in topic)
        yield f"{language}\t{commands}\t{'|'.join(';'.join(one) for one in slots)}\t{plain}\n"


def append(name, rows):
    path = os.path.join(EVAL, name)
    fresh = not os.path.exists(path)
    with open(path, "a") as out:
        if fresh:
            out.write("lang\texpected\tslots\ttext\n")
        out.writelines(rows)


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def extend_examples(language, added):
    path = os.path.join(ROOT, f"data/rules/examples/{language}.toml")
    text = open(path).read()
    tomllib.loads(text)
    for label, lines in added.items():
        block = re.compile(rf"(^{label} = \[\n(?:  .*\n)*)\]", re.M)
        assert block.search(text), f"{path}: no `{label}`"
        new = "".join(f"  {quote(line)},\n" for line in lines)
        text = block.sub(lambda found: found[1] + new + "]", text)
    tomllib.loads(text)
    open(path, "w").write(text)


def read_own(path):
    for line in open(path):
        label, text = line.rstrip("\n").split("\t")
        yield label, [text]


def add_own(language, groups, held):
    row = lambda label, text: f"{language}\t{label}\t-\t{text}\n"
    append("heldout.tsv", [row(groups[at][0], groups[at][1][0]) for at in sorted(held)])
    rest = [(label, texts[0]) for at, (label, texts) in enumerate(groups) if at not in held]
    append("dev.tsv", [row(label, text) for label, text in rest if "," in label])
    added = defaultdict(list)
    for label, text in rest:
        if "," not in label:
            added[label].append(text)
    extend_examples(language, added)


def main():
    kind, path = sys.argv[1], sys.argv[-1]
    if kind == "own":
        groups = list(read_own(path))
        held = quarter(groups, lambda label: label if "," not in label else ",")
        add_own(sys.argv[2], groups, held)
    elif kind == "examples":
        groups = list(read_examples(path))
        held = quarter(groups, lambda label: label)
        append("heldout.tsv", [f"{language}\t{groups[at][0]}\t-\t{text}\n" for at in sorted(held) for language, text in zip(LANGUAGES, groups[at][1])])
        for place, language in enumerate(LANGUAGES):
            added = defaultdict(list)
            for at, (label, texts) in enumerate(groups):
                if at not in held:
                    added[label].append(texts[place])
            extend_examples(language, added)
    else:
        groups = list(read_cases(path))
        held = quarter(groups, lambda label: "+" in label or "," in label)
        for at, (label, texts) in enumerate(groups):
            append("heldout.tsv" if at in held else "dev.tsv", case_rows(label, texts))
    print(f"{len(groups)} groups, {len(held)} held out")


if __name__ == "__main__":
    main()
