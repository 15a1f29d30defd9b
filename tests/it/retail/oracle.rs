//! A second reading of the retail world's policy, written from its text over its raw data: it shares no code with
//! the desk. It says what is allowed and what the world looks like afterwards.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::world::{address, cents, lines, text};

/// An order in the raw world's terms.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Order {
    pub user: String,
    pub status: String,
    pub items: Vec<(String, i64)>,
    /// Kind, cents, method.
    pub money: Vec<(String, i64, String)>,
    pub address: Value,
    pub reason: Option<String>,
    pub back: Vec<String>,
    pub instead: Vec<String>,
    pub method: Option<String>,
}

#[derive(Clone)]
pub struct User {
    pub address: Value,
    /// Kind and cents left.
    pub methods: BTreeMap<String, (String, Option<i64>)>,
    pub orders: Vec<String>,
}

#[derive(Clone)]
pub struct World {
    pub orders: HashMap<String, Order>,
    pub users: BTreeMap<String, User>,
    /// Item to product, cents, available.
    pub items: BTreeMap<String, (String, i64, bool)>,
}

pub fn read() -> World {
    let mut world = World { orders: HashMap::new(), users: BTreeMap::new(), items: BTreeMap::new() };
    for raw in lines("retail_tau2_orders.jsonl") {
        let order = Order {
            user: text(&raw["user_id"]),
            status: text(&raw["status"]),
            items: raw["items"].as_array().unwrap().iter().map(|item| (text(&item[1]), cents(&item[2]))).collect(),
            money: raw["payment"].as_array().unwrap().iter().map(money).collect(),
            address: address(&raw["address"]),
            ..Order::default()
        };
        world.orders.insert(text(&raw["order_id"]), order);
    }
    for raw in lines("retail_tau2_users.jsonl") {
        let methods = raw["payment_methods"].as_object().unwrap().values();
        let methods =
            methods.map(|method| (text(&method["id"]), (text(&method["source"]), method.get("balance").map(cents))));
        let orders = raw["orders"].as_array().unwrap().iter().map(text).collect();
        let user = User { address: address(&raw["address"]), methods: methods.collect(), orders };
        world.users.insert(text(&raw["user_id"]), user);
    }
    let table = std::fs::read_to_string(super::world::folder().unwrap().join("retail_tau2_products.tsv")).unwrap();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cents = (cells[5].parse::<f64>().unwrap() * 100.0).round() as i64;
        world.items.insert(cells[2].to_string(), (cells[0].to_string(), cents, cells[4] == "True"));
    }
    world
}

fn money(raw: &Value) -> (String, i64, String) {
    (text(&raw["transaction_type"]), cents(&raw["amount"]), text(&raw["payment_method_id"]))
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

impl World {
    /// Does what the policy allows; false, and nothing done, when it forbids it.
    pub fn act(&mut self, user: &str, operation: &Value) -> bool {
        let kind = operation["do"].as_str().unwrap();
        if kind == "change_profile" {
            self.users.get_mut(user).unwrap().address = operation["address"].clone();
            return true;
        }
        let number = text(&operation["order"]);
        let Some(mut order) = self.orders.get(&number).filter(|order| order.user == user).cloned() else {
            return false;
        };
        let mut purse = self.users[user].clone();
        let done = match kind {
            "cancel_order" => cancel(&mut order, &mut purse, operation),
            "change_address" => {
                order.address = operation["address"].clone();
                order.status == "pending"
            }
            "change_payment" => pay_otherwise(&mut order, &mut purse, operation),
            "return_items" => give_back(&mut order, &purse, operation),
            "exchange_items" => self.swap(&mut order, &mut purse, (operation, "delivered")),
            "change_items" => self.swap(&mut order, &mut purse, (operation, "pending")),
            other => panic!("{other}"),
        };
        if done {
            self.orders.insert(number, order);
            self.users.insert(user.to_string(), purse);
        }
        done
    }

    /// Whether it would be done.
    pub fn allows(&mut self, user: &str, operation: &Value) -> bool {
        let number = operation["order"].as_str().unwrap_or_default();
        let before = (self.orders.get(number).cloned(), self.users[user].clone());
        let allowed = self.act(user, operation);
        if let Some(order) = before.0 {
            self.orders.insert(number.to_string(), order);
        }
        self.users.insert(user.to_string(), before.1);
        allowed
    }

    fn swap(&self, order: &mut Order, purse: &mut User, (operation, status): (&Value, &str)) -> bool {
        let (old, new) = (strings(&operation["items"]), strings(&operation["wanted"]));
        let named = operation["method"].as_str().map(str::to_string);
        let method = named.unwrap_or_else(|| order.money[0].2.clone());
        let pairs_fit = old.len() == new.len()
            && !old.is_empty()
            && old.iter().zip(&new).all(|(old, new)| {
                let (Some(a), Some(b)) = (self.items.get(old), self.items.get(new)) else { return false };
                a.0 == b.0 && old != new && b.2
            });
        if order.status != status || !pairs_fit || !holds(order, &old) || !purse.methods.contains_key(&method) {
            return false;
        }
        let mut left = order.items.clone();
        let mut difference = 0;
        for (old, new) in old.iter().zip(&new) {
            let at = left.iter().position(|(item, _)| item == old).unwrap();
            difference += self.items[new].1 - left.remove(at).1;
        }
        let (kind, balance) = purse.methods[&method].clone();
        if kind == "gift_card" && balance.unwrap() < difference {
            return false;
        }
        order.method = Some(method.clone());
        if status == "delivered" {
            order.status = "exchange requested".to_string();
            (order.back, order.instead) = (sorted(old), sorted(new));
            return true;
        }
        let mut touched = vec![false; order.items.len()];
        for (old, new) in old.iter().zip(&new) {
            let at = (0..order.items.len()).find(|at| !touched[*at] && order.items[*at].0 == *old).unwrap();
            (order.items[at], touched[at]) = ((new.clone(), self.items[new].1), true);
        }
        let word = if difference > 0 { "payment" } else { "refund" };
        order.money.push((word.to_string(), difference.abs(), method.clone()));
        gift(purse, &method, -difference);
        order.status = "pending (items modified)".to_string();
        order.method = None;
        true
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

fn holds(order: &Order, items: &[String]) -> bool {
    let count = |list: &[String], item: &String| list.iter().filter(|other| *other == item).count();
    let held: Vec<String> = order.items.iter().map(|(item, _)| item.clone()).collect();
    !items.is_empty() && items.iter().all(|item| count(items, item) <= count(&held, item))
}

fn gift(purse: &mut User, method: &str, cents: i64) {
    if let Some((kind, Some(balance))) = purse.methods.get_mut(method)
        && kind == "gift_card"
    {
        *balance += cents;
    }
}

fn cancel(order: &mut Order, purse: &mut User, operation: &Value) -> bool {
    let reason = text(&operation["reason"]);
    if order.status != "pending" || !["no longer needed", "ordered by mistake"].contains(&reason.as_str()) {
        return false;
    }
    // The total goes back the way it came; money that went back before does not go back twice.
    let mut due: BTreeMap<String, i64> = BTreeMap::new();
    for (kind, cents, method) in &order.money {
        *due.entry(method.clone()).or_default() += if kind == "payment" { *cents } else { -*cents };
    }
    for (method, cents) in due.into_iter().filter(|(_, cents)| *cents != 0) {
        gift(purse, &method, cents);
        order.money.push(("refund".to_string(), cents, method));
    }
    (order.status, order.reason) = ("cancelled".to_string(), Some(reason));
    true
}

fn pay_otherwise(order: &mut Order, purse: &mut User, operation: &Value) -> bool {
    let method = text(&operation["method"]);
    let Some((kind, balance)) = purse.methods.get(&method).cloned() else { return false };
    let [(_, cents, first)] = &order.money.clone()[..] else { return false };
    if order.status != "pending" || *first == method {
        return false;
    }
    if kind == "gift_card" && balance.unwrap() < *cents {
        return false;
    }
    order.money.push(("payment".to_string(), *cents, method.clone()));
    order.money.push(("refund".to_string(), *cents, first.clone()));
    gift(purse, &method, -*cents);
    gift(purse, first, *cents);
    true
}

fn give_back(order: &mut Order, purse: &User, operation: &Value) -> bool {
    let items = strings(&operation["items"]);
    let original = order.money[0].2.clone();
    let method = operation["method"].as_str().map_or(original.clone(), str::to_string);
    let kind = purse.methods.get(&method).map(|(kind, _)| kind.as_str());
    let allowed = method == original || kind == Some("gift_card");
    if order.status != "delivered" || !holds(order, &items) || !allowed || kind.is_none() {
        return false;
    }
    order.status = "return requested".to_string();
    (order.back, order.method) = (sorted(items), Some(method));
    true
}
