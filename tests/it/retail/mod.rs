//! The public retail world behind the API: its tasks with explicit commands, and random sequences against a second
//! reading of its policy. `RETAIL_SEQUENCES` sets how many; the sets are not part of the repository.

mod oracle;
mod world;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use truetill::app::App;
use truetill::domain::order::OrderState;
use truetill::engine::OrderDesk;

use crate::common::TestApp;
use oracle::{Order, World};
use world::{address, lines, open, write_shop};

/// The shop over the API, and the policy's own reading of the same world.
struct Pair {
    app: Arc<App>,
    api: TestApp,
    world: World,
}

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Done,
    Refused,
    WrongToken,
}

impl Pair {
    async fn open(shop: &Path, world: &World) -> Pair {
        let app = open(shop).await;
        Pair { api: TestApp::over(Arc::clone(&app)), app, world: world.clone() }
    }

    async fn propose(&self, user: &str, operation: &Value) -> Value {
        let body = json!({"customer": user, "operation": operation}).to_string();
        let reply = self.api.post("/api/v1/tasks", body, &[]).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        reply.json()
    }

    async fn confirm(&self, task: &Value, token: &str) -> Value {
        let body = json!({"token": token}).to_string();
        self.api.post(&format!("/api/v1/tasks/{}", task["id"].as_str().unwrap()), body, &[]).await.json()
    }

    async fn run(&self, user: &str, operation: &Value) -> (End, Value) {
        let task = self.propose(user, operation).await;
        if task["state"] == "refused" {
            return (End::Refused, task);
        }
        let ended = self.confirm(&task, task["token"].as_str().unwrap()).await;
        (if ended["state"] == "done" { End::Done } else { End::Refused }, ended)
    }

    /// The order as the shop's book holds it, in the raw world's terms.
    async fn held(&self, number: &str) -> Order {
        let order = OrderDesk::order(&self.app.state, number).await.unwrap().unwrap().value;
        let status = match order.state {
            OrderState::Processing if order.changes.items_changed => "pending (items modified)",
            OrderState::Processing => "pending",
            OrderState::Shipped => "processed",
            OrderState::Delivered => "delivered",
            OrderState::Cancelled => "cancelled",
            OrderState::ReturnRequested => "return requested",
            OrderState::ExchangeRequested => "exchange requested",
            other => panic!("{other:?}"),
        };
        let price = |price: &str| truetill::domain::Money::parse(price, order.currency).unwrap().minor;
        let word = |refund: bool| if refund { "refund" } else { "payment" }.to_string();
        let names = |skus: &[truetill::domain::Sku]| skus.iter().map(|sku| sku.0.clone()).collect::<Vec<_>>();
        Order {
            user: order.customer.clone(),
            status: status.to_string(),
            items: order.items.iter().map(|item| (item.sku.0.clone(), price(&item.price))).collect(),
            money: order.payments.iter().map(|p| (word(p.refund), p.amount.minor, p.method.clone())).collect(),
            address: whole(serde_json::to_value(&order.address).unwrap()),
            reason: order.changes.cancel_reason.clone(),
            back: names(&order.changes.returned),
            instead: names(&order.changes.wanted),
            method: order.changes.method.clone(),
        }
    }

    /// What differs between the two readings for this customer; empty when nothing does.
    async fn differences(&self, user: &str) -> Vec<String> {
        let mut found = Vec::new();
        let known = &self.world.users[user];
        for number in &known.orders {
            let held = self.held(number).await;
            if held != self.world.orders[number] {
                found.push(format!("{number}: {held:?} for {:?}", self.world.orders[number]));
            }
        }
        let customer = OrderDesk::customer(&self.app.state, user).await.unwrap().value;
        if whole(serde_json::to_value(&customer.address).unwrap()) != known.address {
            found.push(format!("{user}: another address"));
        }
        for method in &customer.methods {
            if method.balance.map(|balance| balance.minor) != known.methods[&method.id].1 {
                found.push(format!("{user}: {:?} for {:?}", method, known.methods[&method.id]));
            }
        }
        found
    }
}

/// An address with its empty parts written out.
fn whole(mut address: Value) -> Value {
    for part in ["line2", "region", "country"] {
        if address[part].is_null() {
            address[part] = json!("");
        }
    }
    address
}

/// One of the set's write actions as a command.
fn command(tool: &str, args: &Value) -> Option<Value> {
    let order = args["order_id"].clone();
    let (items, wanted, method) = (&args["item_ids"], &args["new_item_ids"], &args["payment_method_id"]);
    Some(match tool {
        "cancel_pending_order" => json!({"do": "cancel_order", "order": order, "reason": args["reason"]}),
        "return_delivered_order_items" => {
            json!({"do": "return_items", "order": order, "items": items, "method": method})
        }
        "exchange_delivered_order_items" => {
            json!({"do": "exchange_items", "order": order, "items": items, "wanted": wanted, "method": method})
        }
        "modify_pending_order_items" => {
            json!({"do": "change_items", "order": order, "items": items, "wanted": wanted, "method": method})
        }
        "modify_pending_order_address" => json!({"do": "change_address", "order": order, "address": address(args)}),
        "modify_pending_order_payment" => json!({"do": "change_payment", "order": order, "method": method}),
        "modify_user_address" => json!({"do": "change_profile", "address": address(args)}),
        _ => return None,
    })
}

/// The customer a task's actions are about.
fn customer(world: &World, commands: &[(String, Value)]) -> Option<String> {
    commands.iter().find_map(|(_, args)| {
        let order = args["order_id"].as_str().and_then(|number| world.orders.get(number));
        order.map(|order| order.user.clone()).or_else(|| args["user_id"].as_str().map(str::to_string))
    })
}

#[tokio::test]
async fn the_tasks_of_the_retail_world_end_as_expected() {
    if world::folder().is_none() {
        return eprintln!("skipped: shared/data/retail_tau2_* is not here");
    }
    let shop = tempfile::tempdir().unwrap();
    write_shop(shop.path());
    let raw = oracle::read();
    let (mut equal, mut writes, mut refused, mut illegal) = (0, 0, Vec::new(), 0);
    let tasks = lines("retail_tau2_tasks.jsonl");
    for task in &tasks {
        let actions: Vec<(String, Value)> = serde_json::from_value(task["actions"].clone()).unwrap();
        let mut pair = Pair::open(shop.path(), &raw).await;
        let Some(user) = customer(&raw, &actions) else {
            equal += 1; // nothing to be written for anybody
            continue;
        };
        for (tool, args) in &actions {
            let Some(operation) = command(tool, args) else { continue };
            writes += 1;
            let (end, answer) = pair.run(&user, &operation).await;
            let allowed = pair.world.act(&user, &operation);
            illegal += usize::from(end == End::Done && !allowed);
            if end != End::Done {
                refused.push(format!("{}: {operation} {}", task["id"], answer["refusal"]));
            }
        }
        let differences = pair.differences(&user).await;
        equal += usize::from(
            differences.is_empty() && refused.iter().all(|line| !line.starts_with(&format!("{}:", task["id"]))),
        );
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    eprintln!(
        "retail: {equal} of {} tasks end as expected, {writes} writes, {} refused, {illegal} illegal",
        tasks.len(),
        refused.len()
    );
    refused.iter().for_each(|line| eprintln!("refused: {line}"));
    assert_eq!(illegal, 0);
    assert!(equal * 10 >= tasks.len() * 9, "{}", refused.join("\n"));
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }
}

/// A command a customer, a clumsy client or an attacker could send.
fn random(dice: &mut Dice, world: &World, user: &str, all: &[String]) -> Value {
    let own = &world.users[user];
    let number = if dice.chance(90) { dice.pick(&own.orders) } else { dice.pick(all) };
    let order = &world.orders[&number];
    let mut items: Vec<String> = Vec::new();
    for (item, _) in &order.items {
        if dice.chance(50) {
            items.push(item.clone());
        }
    }
    if dice.chance(8) {
        items.push(dice.pick(&world.items.keys().cloned().collect::<Vec<_>>()));
    }
    let alike = |dice: &mut Dice, item: &String| {
        let product = &world.items[item].0;
        let same: Vec<String> = world.items.iter().filter(|(_, v)| v.0 == *product).map(|(id, _)| id.clone()).collect();
        if dice.chance(92) { dice.pick(&same) } else { dice.pick(&world.items.keys().cloned().collect::<Vec<_>>()) }
    };
    let mut wanted: Vec<String> = items.iter().map(|item| alike(dice, item)).collect();
    if dice.chance(4) {
        wanted.pop();
    }
    let methods: Vec<String> = own.methods.keys().cloned().collect();
    let method = match dice.below(20) {
        0 => json!("credit_card_0000000"),
        1 => Value::Null,
        _ => json!(dice.pick(&methods)),
    };
    let reason = dice.pick(&["no longer needed", "ordered by mistake", "no longer needed", "found it cheaper"]);
    let address = json!({"line1": "1 Elm St", "line2": "", "city": "Austin", "region": "TX", "country": "USA", "postcode": "78701"});
    match dice.below(7) {
        0 => json!({"do": "cancel_order", "order": number, "reason": reason}),
        1 => json!({"do": "return_items", "order": number, "items": items, "method": method}),
        2 => json!({"do": "exchange_items", "order": number, "items": items, "wanted": wanted, "method": method}),
        3 | 4 => json!({"do": "change_items", "order": number, "items": items, "wanted": wanted, "method": method}),
        5 => json!({"do": "change_payment", "order": number, "method": dice.pick(&methods)}),
        _ => json!({"do": "change_address", "order": number, "address": address}),
    }
}

/// Sends a command the way clients do: mostly right, sometimes twice, sometimes with a foreign token.
async fn send(pair: &Pair, dice: &mut Dice, user: &str, operation: &Value) -> End {
    let task = pair.propose(user, operation).await;
    if task["state"] == "refused" {
        return End::Refused;
    }
    let token = task["token"].as_str().unwrap();
    match dice.below(20) {
        0 => {
            let problem = pair.confirm(&task, "0123456789abcdef0123456789abcdef").await;
            assert_eq!(problem["code"], "invalid_field");
            End::WrongToken
        }
        1 => {
            let twice = (pair.confirm(&task, token).await, pair.confirm(&task, token).await);
            assert_eq!(twice.0, twice.1);
            if twice.0["state"] == "done" { End::Done } else { End::Refused }
        }
        _ => {
            let ended = pair.confirm(&task, token).await;
            if ended["state"] == "done" { End::Done } else { End::Refused }
        }
    }
}

#[tokio::test]
async fn no_sequence_of_commands_writes_what_the_policy_forbids() {
    if world::folder().is_none() {
        return eprintln!("skipped: shared/data/retail_tau2_* is not here");
    }
    let sequences: usize = std::env::var("RETAIL_SEQUENCES").ok().and_then(|count| count.parse().ok()).unwrap_or(300);
    let shop = tempfile::tempdir().unwrap();
    write_shop(shop.path());
    let raw = oracle::read();
    let users: Vec<String> = raw.users.iter().filter(|(_, u)| !u.orders.is_empty()).map(|(id, _)| id.clone()).collect();
    let mut all: Vec<String> = raw.orders.keys().cloned().collect();
    all.sort();
    let mut dice = Dice(0x5eed_cafe_f00d);
    let mut pair = Pair::open(shop.path(), &raw).await;
    let (mut commands, mut done, mut illegal, mut needless) = (0, 0, Vec::new(), 0);
    for sequence in 0..sequences {
        if sequence % 250 == 249 {
            pair = Pair::open(shop.path(), &raw).await; // a fresh world, or nothing would be left to allow
        }
        let user = dice.pick(&users);
        for _ in 0..=dice.below(4) {
            let operation = random(&mut dice, &pair.world, &user, &all);
            let end = send(&pair, &mut dice, &user, &operation).await;
            commands += 1;
            if end == End::Done {
                done += 1;
                if !pair.world.act(&user, &operation) {
                    illegal.push(operation.to_string());
                }
            } else if end == End::Refused {
                needless += usize::from(pair.world.allows(&user, &operation));
            }
        }
        let differences = pair.differences(&user).await;
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
    eprintln!(
        "retail: {sequences} sequences, {commands} commands, {done} written, {} illegal, {needless} refused though allowed",
        illegal.len()
    );
    assert!(illegal.is_empty(), "{}", illegal.join("\n"));
    assert_eq!(needless, 0, "the policy allows what was refused");
    assert!(done * 20 > commands, "too few writes to prove anything");
}
