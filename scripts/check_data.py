#!/usr/bin/env python3
"""Checks the demo shop under data/: every reference, sum, code, date and language, and prints counts or the faults.

Usage: python3 scripts/check_data.py [DATA_FOLDER]. Exit status 1 when a fault was found. Reads only, writes nothing.
"""

import json
import re
import sys
import tomllib
import unicodedata
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

LANGUAGES = {"en", "ru", "sk", "zh"}
TODAY = date(2026, 11, 21)
PRODUCT = {"id", "name", "description", "brand", "category", "codes", "attributes", "accessories", "returnable",
           "warranty_months", "url", "variants"}
VARIANT = {"sku", "size", "colour", "prices"}
PRICE = {"currency", "amount", "old", "until"}
STATES = {"awaiting_payment", "processing", "shipped", "ready_for_pickup", "delivered", "cancelled",
          "return_requested", "refunded"}
ORDER_NEEDS = {"number", "customer", "name", "phone", "email", "language", "place", "placed", "state", "currency",
               "items", "shipping", "total"}
ORDER_MAY = ORDER_NEEDS | {"promised", "delivered", "carrier", "tracking"}
CARRIED = {"shipped", "ready_for_pickup", "delivered", "return_requested", "refunded"}
ARRIVED = {"delivered", "return_requested", "refunded"}
PHONES = [r"\+421(2\d{8}|9\d{8})", r"\+420[67]\d{8}", r"\+79\d{9}", r"\+77\d{9}", r"\+861[3-9]\d{9}"]
PROMISES = re.compile(r"€|₽|¥|\$|%|скидк|бесплатн|акци|zľav|zdarma|zadarmo|discount|(?<!-)\bfree\b|折扣|打折|[\d一二三四五六七八九]折|优惠|免费|包邮", re.I)

faults = []


def fault(where, what):
    faults.append(f"{where}: {what}")


def rows(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield f"{path.name}:{number}", json.loads(line)
        except json.JSONDecodeError as error:
            fault(f"{path.name}:{number}", f"not JSON: {error}")


def toml(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


def fold(text):
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in bare if not unicodedata.combining(c))


def languages(where, texts):
    if set(texts) != LANGUAGES or not all(text.strip() == text and text for text in texts.values()):
        fault(where, f"wants one trimmed text in each of {sorted(LANGUAGES)}, has {sorted(texts)}")


def keys(where, row, needs, may):
    if needs - set(row) or set(row) - may:
        fault(where, f"missing {sorted(needs - set(row))}, unknown {sorted(set(row) - may)}")


def amount(where, text, currency):
    places = 0 if currency in ("JPY", "KRW") else 2
    if not isinstance(text, str) or not re.fullmatch(r"\d+(\.\d{1,%d})?" % max(places, 1), text):
        fault(where, f"`{text}` is not an amount of {currency}")
        return Decimal(0)
    return Decimal(text)


def day(where, text):
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        fault(where, f"`{text}` is not a date")
        return TODAY


def ean_is_valid(code):
    *body, last = map(int, code)
    return (10 - sum(d * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))) % 10 == last


def check_description(where, texts):
    for language, text in texts.items():
        if PROMISES.search(text):
            fault(where, f"description.{language} speaks of money or promises: {text}")
        count = len(re.findall(r"[\w’'.,–×°+-]*\w[\w’'.,–×°+-]*", text))
        if language != "zh" and not 8 <= count <= 20:
            fault(where, f"description.{language} has {count} words, wanted 8 to 20")
        if language == "zh" and not 12 <= len(text) <= 60:
            fault(where, f"description.zh has {len(text)} characters, wanted 12 to 60")


def check_price(where, price):
    keys(where, price, {"currency", "amount"}, PRICE)
    now = amount(where, price.get("amount"), price.get("currency"))
    if "old" in price and amount(where, price["old"], price["currency"]) <= now:
        fault(where, "`old` is not above `amount`")
    if "until" in price:
        day(where, price["until"])
        if "old" not in price:
            fault(where, "`until` without `old`")


def check_product(where, product, colours, categories):
    keys(where, product, {"id", "name", "description", "category", "variants"}, PRODUCT)
    languages(f"{where} name", product["name"])
    languages(f"{where} description", product["description"])
    check_description(where, product["description"])
    for name, texts in product.get("attributes", {}).items():
        languages(f"{where} attribute {name}", texts)
    if product["category"] not in categories:
        fault(where, f"category `{product['category']}` is not in categories.toml")
    for code in product.get("codes", []):
        if code.isdigit() and not (len(code) == 13 and ean_is_valid(code)):
            fault(where, f"`{code}` is not an EAN-13")
    if not 1 <= len(product["variants"]) <= 12:
        fault(where, f"{len(product['variants'])} variants, wanted 1 to 12")
    for variant in product["variants"]:
        here = f"{where} {variant.get('sku')}"
        keys(here, variant, {"sku", "prices"}, VARIANT)
        if variant.get("colour", "black") not in colours:
            fault(here, f"colour `{variant['colour']}` is not in colours.toml")
        if len({price["currency"] for price in variant["prices"]}) != len(variant["prices"]):
            fault(here, "a currency twice")
        for price in variant["prices"]:
            check_price(here, price)


def check_catalog(data, colours, categories):
    products, skus, names = {}, {}, Counter()
    for where, product in rows(data / "catalog/products.jsonl"):
        check_product(where, product, colours, categories)
        if product["id"] in products:
            fault(where, f"id `{product['id']}` twice")
        products[product["id"]] = product
        names.update((language, fold(text)) for language, text in product["name"].items())
        for variant in product["variants"]:
            if variant["sku"] in skus:
                fault(where, f"sku `{variant['sku']}` twice")
            skus[variant["sku"]] = (product, variant)
    for name, count in names.items():
        if count > 1:
            fault("products.jsonl", f"name {name} on {count} products")
    for product in products.values():
        for other in product.get("accessories", []):
            if other not in products or other == product["id"]:
                fault(product["id"], f"accessory `{other}` does not exist")
    codes = Counter(code for product in products.values() for code in product.get("codes", []))
    for code, count in codes.items():
        if count > 1:
            fault("products.jsonl", f"code `{code}` on {count} products")
    return products, skus


def check_stock(data, skus, places):
    total, seen = Counter(), set()
    for where, line in rows(data / "catalog/stock.jsonl"):
        keys(where, line, {"sku", "place", "count"}, {"sku", "place", "count"})
        if line["sku"] not in skus:
            fault(where, f"sku `{line['sku']}` is not in the catalog")
        if not places.get(line["place"], {}).get("store"):
            fault(where, f"`{line['place']}` is no store of places.toml")
        if (line["sku"], line["place"]) in seen or line["count"] < 0:
            fault(where, "a second row for the same sku and place, or a negative count")
        seen.add((line["sku"], line["place"]))
        total[line["sku"]] += line["count"]
    for sku, (product, _) in skus.items():
        if sku not in total and product["category"] != "gift_cards":
            fault(sku, "no stock row")
    return seen, total


def check_terms(path, terms):
    spoken = {}
    for term, row in terms.items():
        where = f"{path}[{term}]"
        languages(f"{where} name", row["name"])
        for word in {fold(word) for word in [*row["name"].values(), *row["also"]]}:
            if spoken.setdefault(word, term) != term:
                fault(where, f"`{word}` also means `{spoken[word]}`")
        repeated = [word for word, count in Counter(row["also"]).items() if count > 1]
        if repeated:
            fault(where, f"twice in `also`: {repeated}")


def check_delivery(delivery, places):
    for terms in delivery["delivery"]:
        where = f"delivery.toml {terms.get('place') or terms.get('country')}"
        if "place" in terms and terms["place"] not in places:
            fault(where, "is not in places.toml")
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", terms["cutoff"]) or not 0 <= terms["days"][0] <= terms["days"][1]:
            fault(where, "cutoff or days")
        for name in ("cost", "free_from"):
            for currency, text in terms.get(name, {}).items():
                amount(f"{where} {name}", text, currency)
    for text in delivery["holidays"]["dates"]:
        day("delivery.toml holidays", text)


def check_order_dates(where, order):
    placed, state = day(where, order["placed"]), order["state"]
    promised = day(where, order["promised"]) if "promised" in order else None
    if placed > TODAY or (promised and promised < placed):
        fault(where, "placed in the future, or promised before it was placed")
    if ("delivered" in order) != (state in ARRIVED):
        fault(where, f"`delivered` does not go with state {state}")
    if "delivered" in order and not placed <= day(where, order["delivered"]) <= TODAY:
        fault(where, "delivered before it was placed, or in the future")
    if ("tracking" in order) != (state in CARRIED) or ("carrier" in order) != (state in CARRIED):
        fault(where, f"carrier or tracking does not go with state {state}")
    if state in CARRIED | {"processing"} and promised is None:
        fault(where, f"state {state} without `promised`")


def check_order_money(where, order, skus):
    total = amount(where, order["shipping"], order["currency"])
    for item in order["items"]:
        product, variant = skus.get(item["sku"], (None, None))
        if product is None:
            fault(where, f"sku `{item['sku']}` is not in the catalog")
            continue
        offered = {p[k] for p in variant["prices"] if p["currency"] == order["currency"] for k in ("amount", "old") if k in p}
        if item["price"] not in offered:
            fault(where, f"{item['sku']} never cost {item['price']} {order['currency']}")
        if order["state"] in ("return_requested", "refunded") and not product.get("returnable", True):
            fault(where, f"{item['sku']} cannot be returned")
        total += item["quantity"] * Decimal(item["price"])
    if total != Decimal(order["total"]) or not order["items"]:
        fault(where, f"total is {order['total']}, the sum is {total}")


def check_orders(data, skus, places):
    states, numbers, customers = Counter(), set(), {}
    for where, order in rows(data / "orders/orders.jsonl"):
        keys(where, order, ORDER_NEEDS, ORDER_MAY)
        states[order["state"]] += 1
        if order["number"] in numbers or not re.fullmatch(r"TT-\d{5}", order["number"]):
            fault(where, f"number `{order['number']}` twice or malformed")
        numbers.add(order["number"])
        person = (order["name"], order["phone"], order["email"])
        if customers.setdefault(order["customer"], person) != person:
            fault(where, f"customer {order['customer']} is two persons")
        if not any(re.fullmatch(pattern, order["phone"]) for pattern in PHONES):
            fault(where, f"phone `{order['phone']}`")
        if not re.fullmatch(r"[a-z0-9.]+@example\.[a-z]+", order["email"]):
            fault(where, f"email `{order['email']}`")
        if order["language"] not in LANGUAGES or order["place"] not in places or order["state"] not in STATES:
            fault(where, "language, place or state")
        check_order_dates(where, order)
        check_order_money(where, order, skus)
    for state in STATES - set(states):
        fault("orders.jsonl", f"no order is in state {state}")
    if len({person[1] for person in customers.values()}) != len(customers):
        fault("orders.jsonl", "two customers share a phone")
    return states


def main():
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent / "data"
    rules = {name: toml(data / "rules" / f"{name}.toml") for name in ("places", "delivery", "colours", "categories", "shop")}
    for name in ("places", "colours", "categories"):
        check_terms(f"{name}.toml", rules[name])
    languages("shop.toml hours", rules["shop"]["hours"])
    check_delivery(rules["delivery"], rules["places"])
    products, skus = check_catalog(data, rules["colours"], rules["categories"])
    seen, total = check_stock(data, skus, rules["places"])
    states = check_orders(data, skus, rules["places"])
    reduced = {p["id"] for p, v in skus.values() for price in v["prices"] if "old" in price}
    print(f"products {len(products)}, variants {len(skus)}, with variants {sum(len(p['variants']) > 1 for p in products.values())}")
    print(f"accessories on {sum('accessories' in p for p in products.values())}, reduced {len(reduced)}, "
          f"not returnable {sum(not p.get('returnable', True) for p in products.values())}, "
          f"with codes {sum('codes' in p for p in products.values())}, no price {len({p['id'] for p, v in skus.values() if not v['prices']})}")
    gone = {sku for sku in total if total[sku] == 0}
    whole = [p["id"] for p in products.values() if all(v["sku"] in gone for v in p["variants"])]
    print(f"stock rows {len(seen)}, zero {sum(1 for _, l in rows(data / 'catalog/stock.jsonl') if l['count'] == 0)}, "
          f"variants sold out everywhere {len(gone)}, products {whole}")
    print(f"places {len(rules['places'])}, with delivery {len(rules['delivery']['delivery'])}, "
          f"colours {len(rules['colours'])}, categories {len(rules['categories'])}")
    print(f"orders {sum(states.values())}: {dict(sorted(states.items()))}")
    for line in faults:
        print("FAULT", line)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
