#!/usr/bin/env python3
"""Writes the public retail world (retail_tau2_*) as files of a shop: catalog/*.jsonl and orders/*.jsonl.

When: to try the order desk on a shop of a thousand orders. Changes: only the folder given as the second argument.
Usage: scripts/retail_world.py FOLDER_OF_THE_SETS OUT; then
  truetill index --catalog OUT/catalog/products.jsonl --catalog OUT/catalog/stock.jsonl
and OUT/orders in place of data/orders, tests/data/retail_returns.toml in place of data/rules/returns.toml.
"""
import csv
import json
import sys
from decimal import Decimal
from pathlib import Path

STATES = {"pending": "processing", "processed": "shipped", "delivered": "delivered", "cancelled": "cancelled"}
KINDS = {"credit_card": "card", "paypal": "wallet", "gift_card": "gift_card"}


def money(value):
    return {"minor": int((Decimal(str(value)) * 100).to_integral_value()), "currency": "USD"}


def amount(value):
    return str(Decimal(str(value)).quantize(Decimal("0.01")))


def address(raw):
    return {
        "line1": raw["address1"], "line2": raw["address2"], "city": raw["city"],
        "region": raw["state"], "country": raw["country"], "postcode": raw["zip"],
    }


def catalog(source):
    products, stock = {}, []
    with open(source / "retail_tau2_products.tsv", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            product = products.setdefault(
                row["product_id"],
                {"id": row["product_id"], "name": {"en": row["name"]}, "category": "retail", "variants": []},
            )
            variant = {"sku": row["item_id"], "prices": [{"currency": "USD", "amount": amount(row["price"])}]}
            options = json.loads(row["options"])
            for slot, key in (("size", "size"), ("colour", "color")):
                if key in options:
                    variant[slot] = options[key]
            product["variants"].append(variant)
            stock.append({"sku": row["item_id"], "place": "bratislava", "count": int(row["available"] == "True")})
    return list(products.values()), stock


def order(raw, email):
    return {
        "number": raw["order_id"], "customer": raw["user_id"], "name": raw["user_id"], "phone": "",
        "email": email[raw["user_id"]], "language": "en", "place": "bratislava", "placed": "2024-05-01",
        "state": STATES[raw["status"]], "currency": "USD", "shipping": "0",
        "total": amount(sum(Decimal(str(item[2])) for item in raw["items"])),
        "items": [{"sku": item[1], "quantity": 1, "price": amount(item[2])} for item in raw["items"]],
        "payments": [
            {"refund": paid["transaction_type"] == "refund", "amount": money(paid["amount"]),
             "method": paid["payment_method_id"]}
            for paid in raw["payment"]
        ],
        "address": address(raw["address"]),
    }


def customer(raw):
    methods = []
    for method in raw["payment_methods"].values():
        line = {"id": method["id"], "kind": KINDS[method["source"]]}
        if "balance" in method:
            line["balance"] = money(method["balance"])
        methods.append(line)
    return {"id": raw["user_id"], "address": address(raw["address"]), "methods": methods}


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{path}: {len(rows)} lines")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    users = read(source / "retail_tau2_users.jsonl")
    email = {user["user_id"]: user["email"] for user in users}
    products, stock = catalog(source)
    write(out / "catalog/products.jsonl", products)
    write(out / "catalog/stock.jsonl", stock)
    write(out / "orders/orders.jsonl", [order(raw, email) for raw in read(source / "retail_tau2_orders.jsonl")])
    write(out / "orders/customers.jsonl", [customer(user) for user in users])


if __name__ == "__main__":
    main()
