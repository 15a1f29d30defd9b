#!/usr/bin/env python3
"""Scores `truetill check --cases FILE` against the file's own verdicts and reason codes.

  truetill check --cases FILE | scripts/guard_score.py FILE [--show]

FILE has the columns lang, facts, text, verdict, why and (optional) codes: the reason codes that are right, with commas.
Prints escapes, false rejects and right reasons per language; --show lists each row that is wrong."""
import collections
import json
import sys


def main():
    path, show = sys.argv[1], "--show" in sys.argv[2:]
    with open(path, encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    tally = collections.defaultdict(collections.Counter)
    for verdict in map(json.loads, sys.stdin):
        row = rows[verdict["line"] - 1]
        language, text, expected, why = row[0], row[2], row[3], row[4]
        codes = row[5].split(",") if len(row) > 5 and row[5] else []
        code = verdict.get("code")
        wrong = None
        for count in (tally[language], tally["all"]):
            count[expected] += 1
            if verdict["verdict"] != expected:
                wrong = "ESCAPE" if expected == "reject" else "FALSE REJECT"
                count[wrong] += 1
            elif expected == "reject" and codes:
                count["coded"] += 1
                if code in codes:
                    count["right code"] += 1
                else:
                    wrong = "CODE"
        if show and wrong:
            print(f"{wrong}\t{language}\t{code}\t{','.join(codes)}\t{text}\t{why}")
    for language, count in tally.items():
        coded = count["coded"]
        share = f"{100 * count['right code'] / coded:.1f} %" if coded else "-"
        print(
            f"{language}: {count['ESCAPE']} escapes of {count['reject']} attacks, "
            f"{count['FALSE REJECT']} false rejects of {count['accept']} honest, reasons right {share} of {coded}"
        )


if __name__ == "__main__":
    main()
