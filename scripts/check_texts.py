"""Checks that data/replies and data/policies say the same things in all four languages; prints what is wrong and exits 1.

Needs only Python 3.11. Run from anywhere: `python3 scripts/check_texts.py`.
"""

import datetime
import re
import sys
import tomllib
import unicodedata
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
LANGUAGES = ("en", "ru", "sk", "zh")
TOPICS = ("returns", "delivery", "warranty", "payment", "faq")
FRONT_MATTER = {"document", "title", "language", "version", "valid_from"}
PLURALS = {
    "en": {"one", "other"},
    "ru": {"one", "few", "many", "other"},
    "sk": {"one", "few", "many", "other"},
    "zh": {"other"},
}
NUMBER_WORDS = {
    "en": "zero one two three four five six seven eight nine ten dozen half twice hundred thousand million percent",
    "ru": "ноль нуль один одна одно одного одной два две двух три трёх четыре пять шесть семь восемь девять десять сто тысяча тысяч миллион пара пол половина вдвое процент процентов",
    "sk": "nula jeden jedna jedno jedného jednej dva dve dvoch tri štyri päť šesť sedem osem deväť desať sto tisíc milión pár pol polovica dvakrát percent percento",
    "zh": "零 〇 一 二 两 三 四 五 六 七 八 九 十 百 千 万 亿 半 折",
}
FREE_WORDS = {
    "en": r"\bfree\b|\bgratis\b|\bdiscount",
    "ru": r"бесплатн|даром|скидк|подарок",
    "sk": r"zadarmo|bezplatn|zdarma|zľav|gratis",
    "zh": r"免费|免运费|包邮|优惠|打折|赠",
}
PRICE_WORDS = {"en": r"\bprices?\b", "ru": r"\bцен", "sk": r"\bc(?:ena|eny|ene|enu|enou|ien|enám|enách|enami)\b", "zh": r"价格"}
FREE_ALLOWED = {"deliver_free_from"}

problems = []


def report(where, what):
    problems.append(f"{where}: {what}")


def slots(sentence):
    return set(re.findall(r"\{(\w+)\}", sentence))


def key_paths(table, prefix=""):
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from key_paths(value, path + ".")
        else:
            yield path


def check_same_keys(language, table, english):
    # Plural categories differ from language to language by design.
    def comparable(tables):
        return {path for path in key_paths(tables) if not path.startswith("plural.")}

    for path in sorted(comparable(english) - comparable(table)):
        report(f"replies/{language}.toml", f"{path} is missing")
    for path in sorted(comparable(table) - comparable(english)):
        report(f"replies/{language}.toml", f"{path} is not in en.toml")
    if table["plural"].keys() != english["plural"].keys():
        report(f"replies/{language}.toml", "[plural.*] has other counted nouns than en.toml")


def check_format(language, table):
    where = f"replies/{language}.toml"
    if len(table["format"]["months"]) != 12:
        report(where, "format.months must name 12 months")
    for code, pattern in table["format"]["currency"].items():
        if slots(pattern) != {"n"}:
            report(where, f"format.currency.{code} must contain {{n}} and no other slot")
    if slots(table["format"]["date"]) != {"day", "month"}:
        report(where, "format.date must contain {day} and {month}")
    for noun, forms in table["plural"].items():
        if set(forms) != PLURALS[language]:
            report(where, f"plural.{noun} must have exactly {sorted(PLURALS[language])}")
        for category, form in forms.items():
            if slots(form) != {"n"}:
                report(where, f"plural.{noun}.{category} must contain {{n}}")


def number_words(language, text):
    words = NUMBER_WORDS[language].split()
    if language == "zh":
        return [word for word in words if word in text]
    return sorted(set(words) & set(re.findall(r"\w+", text.lower())))


def check_sentence(language, key, sentence, english):
    where = f"replies/{language}.toml: say.{key}"
    prose = re.sub(r"\{\w+\}", " ", sentence)
    if not sentence.strip():
        report(where, "is empty")
    if extra := slots(sentence) - slots(english):
        report(where, f"uses slots that English does not: {sorted(extra)}")
    if lost := slots(english) - slots(sentence):
        report(where, f"leaves out slots that English has: {sorted(lost)}")
    for character in prose:
        if unicodedata.category(character) in ("Nd", "Nl", "No", "Sc") or character == "%":
            report(where, f"contains `{character}`: numbers and currency belong to facts")
    for word in number_words(language, prose):
        report(where, f"contains the number word `{word}`")
    if key not in FREE_ALLOWED and re.search(FREE_WORDS[language], prose, re.IGNORECASE):
        report(where, "promises something free or reduced")
    if re.search(PRICE_WORDS[language], prose, re.IGNORECASE) and not re.search(PRICE_WORDS["en"], english, re.IGNORECASE):
        report(where, "speaks of a price where English does not")


def check_replies():
    tables = {}
    for language in LANGUAGES:
        with open(DATA / "replies" / f"{language}.toml", "rb") as file:
            tables[language] = tomllib.load(file)
    english = tables["en"]
    for language, table in tables.items():
        check_same_keys(language, table, english)
        check_format(language, table)
        for key, sentence in table["say"].items():
            check_sentence(language, key, sentence, english["say"].get(key, ""))
    return len(english["say"])


def read_policy(path):
    """Front matter as a dict and sections as (heading, text) pairs."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if not re.match(r"---\n(?:\w+: .+\n)+---\n", text):
        report(f"policies/{path.name}", "must exist and open with `key: value` lines between two lines of ---")
        return {}, []
    _, head, body = text.split("---\n", 2)
    # The questions that stand with a section are no part of what is told.
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    parts = re.split(r"^## (.+)\n", body, flags=re.MULTILINE)
    return fields, list(zip(parts[1::2], (text.strip() for text in parts[2::2])))


def check_front_matter(where, fields, topic, language):
    if missing := FRONT_MATTER - fields.keys():
        report(where, f"front matter lacks {sorted(missing)}")
    if unknown := fields.keys() - FRONT_MATTER - {"valid_to"}:
        report(where, f"front matter has unknown {sorted(unknown)}")
    if (fields.get("document"), fields.get("language")) != (topic, language):
        report(where, "document and language must be those of the file name")
    for key in ("valid_from", "valid_to"):
        try:
            datetime.date.fromisoformat(fields.get(key, "2000-01-01"))
        except ValueError:
            report(where, f"{key} must be a date like 2026-09-01")


def sentence_count(text):
    return len(re.findall(r"[.!?。！？](?=\s|$|[^\s\d\W])", text))


def numbers(text):
    """The numbers of a text, in any order and without grouping: 4 000, 4,000 and 4000 are one."""
    ungrouped = re.sub(r"(?<=\d)[\u00a0,](?=\d{3}\b)", "", text, flags=re.ASCII)
    return sorted(re.findall(r"\d+(?:[.:]\d+)?", ungrouped.replace(",", ".")))


def check_sections(where, sections, english):
    if len(sections) != len(english):
        report(where, f"has {len(sections)} sections, English has {len(english)}")
    if len({heading for heading, _ in sections}) != len(sections):
        report(where, "repeats a heading")
    for (heading, text), (english_heading, english_text) in zip(sections, english):
        if not 1 <= sentence_count(text) <= 4 or "\n" in text:
            report(where, f"`{heading}` must be a single paragraph of 1 to 4 sentences")
        if numbers(text) != numbers(english_text):
            report(where, f"`{heading}` has {numbers(text)}, English `{english_heading}` has {numbers(english_text)}")


def check_policies():
    count = 0
    for topic in TOPICS:
        _, english = read_policy(DATA / "policies" / f"{topic}.en.md")
        for language in LANGUAGES:
            where = f"policies/{topic}.{language}.md"
            fields, sections = read_policy(DATA / where)
            check_front_matter(where, fields, topic, language)
            check_sections(where, sections, english)
            count += len(sections)
    return count


def main():
    sentences = check_replies()
    sections = check_policies()
    for problem in problems:
        print(problem)
    print(f"{sentences} sentences and {sections} policy sections in {len(LANGUAGES)} languages: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
