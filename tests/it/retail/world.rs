//! The public retail world as files of a shop: its products, stock, orders and customers in our import formats.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use truetill::app::{App, Engines};
use truetill::domain::product::{Price, Quote, StockLine};
use truetill::domain::{Currency, Money, Offer, Product, ProductId, Sku};
use truetill::engine::{Catalog, PriceRange};
use truetill::store::OrderBook;

use crate::cluster;
use crate::common::{clock, quick_config};
use crate::fakes::{HashedLetters, ShopFront};

/// Where the public sets lie, if they do.
pub fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = root.ancestors().map(|folder| folder.join("shared/data")).find(|folder| folder.is_dir());
    found.filter(|folder| folder.join("retail_tau2_orders.jsonl").exists())
}

pub fn lines(file: &str) -> Vec<Value> {
    let path = folder().unwrap().join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Cents of a JSON number that holds whole cents.
pub fn cents(value: &Value) -> i64 {
    (value.as_f64().unwrap() * 100.0).round() as i64
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap().to_string()
}

fn usd() -> Currency {
    "USD".parse().unwrap()
}

fn amount(cents: i64) -> String {
    Money::new(cents, usd()).amount()
}

pub fn address(raw: &Value) -> Value {
    json!({
        "line1": raw["address1"], "line2": raw["address2"], "city": raw["city"], "region": raw["state"],
        "country": raw["country"], "postcode": raw["zip"],
    })
}

/// Writes `catalog/*.jsonl` and `orders/*.jsonl` as the import reads them.
pub fn write_shop(to: &Path) {
    for folder in ["catalog", "orders"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
    }
    let save = |name: &str, lines: Vec<Value>| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(to.join(name), text).unwrap();
    };
    let (products, stock) = catalog();
    save("catalog/products.jsonl", products);
    save("catalog/stock.jsonl", stock);
    let users = lines("retail_tau2_users.jsonl");
    let email: HashMap<String, Value> =
        users.iter().map(|user| (text(&user["user_id"]), user["email"].clone())).collect();
    let orders = lines("retail_tau2_orders.jsonl");
    save("orders/orders.jsonl", orders.iter().map(|order| order_line(order, &email)).collect());
    save("orders/customers.jsonl", users.iter().map(customer_line).collect());
}

fn catalog() -> (Vec<Value>, Vec<Value>) {
    let table = std::fs::read_to_string(folder().unwrap().join("retail_tau2_products.tsv")).unwrap();
    let mut products: BTreeMap<String, (String, Vec<Value>)> = BTreeMap::new();
    let mut stock = Vec::new();
    for line in table.lines().skip(1) {
        let [product, name, item, _options, available, price] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let price = amount((price.parse::<f64>().unwrap() * 100.0).round() as i64);
        let variant = json!({"sku": item, "prices": [{"currency": "USD", "amount": price}]});
        products.entry(product.to_string()).or_insert((name.to_string(), Vec::new())).1.push(variant);
        stock.push(json!({"sku": item, "place": "store", "count": u32::from(available == "True")}));
    }
    let line = |(id, (name, variants)): (String, (String, Vec<Value>))| json!({"id": id, "name": {"en": name}, "category": "retail", "variants": variants});
    (products.into_iter().map(line).collect(), stock)
}

fn order_line(raw: &Value, email: &HashMap<String, Value>) -> Value {
    let state = match raw["status"].as_str().unwrap() {
        "pending" => "processing",
        "processed" => "shipped",
        other => other,
    };
    let items = raw["items"].as_array().unwrap();
    let total: i64 = items.iter().map(|item| cents(&item[2])).sum();
    let payments = raw["payment"].as_array().unwrap().iter().map(|payment| {
        json!({
            "refund": payment["transaction_type"] == "refund",
            "amount": {"minor": cents(&payment["amount"]), "currency": "USD"},
            "method": payment["payment_method_id"],
        })
    });
    json!({
        "number": raw["order_id"], "customer": raw["user_id"], "name": raw["user_id"], "phone": "",
        "email": email[raw["user_id"].as_str().unwrap()], "language": "en", "place": "store",
        "placed": "2024-05-01", "state": state, "currency": "USD", "shipping": "0", "total": amount(total),
        "items": items.iter().map(|item| json!({"sku": item[1], "quantity": 1, "price": amount(cents(&item[2]))})).collect::<Vec<_>>(),
        "payments": payments.collect::<Vec<_>>(), "address": address(&raw["address"]),
    })
}

fn customer_line(raw: &Value) -> Value {
    let methods = raw["payment_methods"].as_object().unwrap().values().map(|method| {
        let mut line = json!({"id": method["id"], "kind": match method["source"].as_str().unwrap() {
            "credit_card" => "card",
            "paypal" => "wallet",
            other => other,
        }});
        if let Some(balance) = method.get("balance") {
            line["balance"] = json!({"minor": cents(balance), "currency": "USD"});
        }
        line
    });
    json!({"id": raw["user_id"], "address": address(&raw["address"]), "methods": methods.collect::<Vec<_>>()})
}

/// The catalog of that shop, by id and by code.
pub struct Shelf {
    products: HashMap<ProductId, Product>,
    codes: HashMap<String, ProductId>,
    stock: HashMap<Sku, StockLine>,
}

impl Shelf {
    pub fn load(shop: &Path) -> Shelf {
        let read = |file: &str| std::fs::read_to_string(shop.join("catalog").join(file)).unwrap();
        let products: Vec<Product> =
            read("products.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let stock: Vec<StockLine> =
            read("stock.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let codes = products
            .iter()
            .flat_map(|product| product.variants.iter().map(|variant| (variant.sku.0.clone(), product.id.clone())));
        Shelf {
            codes: codes.collect(),
            stock: stock.into_iter().map(|line| (line.sku.clone(), line)).collect(),
            products: products.into_iter().map(|product| (product.id.clone(), product)).collect(),
        }
    }
}

fn quote(price: &Price) -> Quote {
    Quote::Known { now: Money::parse(&price.amount, price.currency).unwrap(), old: None, until: None }
}

#[async_trait]
impl Catalog for Shelf {
    async fn products(&self, ids: &[ProductId]) -> anyhow::Result<Vec<Product>> {
        Ok(ids.iter().filter_map(|id| self.products.get(id).cloned()).collect())
    }

    async fn offers(&self, ids: &[ProductId], _: Currency) -> anyhow::Result<Vec<Offer>> {
        let mut offers = Vec::new();
        for product in ids.iter().filter_map(|id| self.products.get(id)) {
            offers.extend(product.variants.iter().map(|variant| Offer {
                product: product.id.clone(),
                sku: variant.sku.clone(),
                size: None,
                colour: None,
                price: quote(&variant.prices[0]),
                stock: self.stock.get(&variant.sku).cloned().into_iter().collect(),
                as_of: Timestamp::UNIX_EPOCH,
            }));
        }
        Ok(offers)
    }

    async fn reduced(&self, _: Currency, _: usize) -> anyhow::Result<Vec<ProductId>> {
        Ok(Vec::new())
    }

    async fn by_price(&self, _: PriceRange) -> anyhow::Result<Vec<ProductId>> {
        Ok(Vec::new())
    }

    async fn kinds(&self, _: usize) -> anyhow::Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn by_code(&self, code: &str) -> anyhow::Result<Option<(ProductId, Option<Sku>)>> {
        Ok(self.codes.get(code).map(|id| (id.clone(), Some(Sku(code.to_string())))))
    }
}

/// The assistant over that shop, with a fresh book.
pub async fn open(shop: &Path) -> Arc<App> {
    // What is commanded stands in the requests: nothing is understood here.
    let config = quick_config(shop);
    let state = cluster::state().await;
    state.take_orders(&OrderBook::load(&shop.join("orders")).unwrap()).await.unwrap();
    let engines = Engines {
        search: Arc::new(ShopFront::load(&config.paths.data)),
        catalog: Arc::new(Shelf::load(shop)),
        orders: Arc::new(state.clone()),
        embed: Arc::new(HashedLetters),
        generate: None,
        state,
    };
    let mut app = App::assemble(config, engines).await.unwrap();
    app.clock = clock;
    app.order_rules = toml::from_str(include_str!("../../data/retail_returns.toml")).unwrap();
    Arc::new(app)
}
