//! What is bought together, from orders to the reply: only what enough buyers chose and kept, small beside the thing itself, in stock,
//! and put forward once.

use std::sync::Arc;

use jiff::ToSpan;
use serde_json::{Value, json};
use tempfile::TempDir;
use truetill::app::App;
use truetill::domain::{Currency, ProductId};
use truetill::store::OrderBook;

use crate::cluster::state;
use crate::common::{TestApp, app_keeping, clock, quick_config, text};
use crate::fakes::ShopFront;

/// A wok whose feed names no accessories, at 59.90.
const WOK: &str = "CW-107";
const WISH: &str = "I am looking for the Drakon wok 32 cm";

/// An order as its customer, state and pieces.
type Bought<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Reads orders in, numbered from `first` on.
async fn take(app: &App, first: usize, orders: &[Bought<'_>]) {
    let folder = tempfile::tempdir().unwrap();
    let line = |(at, (customer, state, pieces)): (usize, &Bought<'_>)| {
        let items: Vec<Value> = pieces.iter().map(|sku| json!({"sku": sku, "quantity": 1, "price": "5.00"})).collect();
        let order = json!({"number": format!("BT-{}", first + at), "customer": customer, "name": "N", "phone": "",
            "email": format!("{customer}@example.sk"), "language": "sk", "place": "bratislava", "placed": "2026-10-01",
            "state": state, "currency": "EUR", "items": items, "shipping": "0", "total": "5.00"});
        order.to_string()
    };
    let lines: Vec<String> = orders.iter().enumerate().map(line).collect();
    std::fs::write(folder.path().join("orders.jsonl"), lines.join("\n")).unwrap();
    app.state.take_orders(&OrderBook::load(folder.path()).unwrap()).await.unwrap();
}

/// Orders of three customers that hold a thing beside the wok.
fn with_wok(sku: &str) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let both = vec!["CW-107".to_string(), sku.to_string()];
    ["B-1", "B-2", "B-3"].map(|customer| (customer, "delivered", both.clone())).into_iter().collect()
}

async fn shop(folder: &TempDir, front: impl FnOnce(ShopFront) -> ShopFront) -> (Arc<App>, TestApp) {
    let config = quick_config(folder.path());
    let front = front(ShopFront::load(&config.paths.data));
    let app = app_keeping(config, None, (front, state().await)).await;
    (Arc::clone(&app), TestApp::over(app))
}

async fn take_with_wok(app: &App, first: usize, sku: &str) {
    let orders = with_wok(sku);
    let pieces: Vec<Vec<&str>> = orders.iter().map(|order| order.2.iter().map(String::as_str).collect()).collect();
    let orders: Vec<Bought<'_>> =
        orders.iter().zip(&pieces).map(|(order, pieces)| (order.0, order.1, pieces.as_slice())).collect();
    take(app, first, &orders).await;
}

async fn counted(app: &App) -> bool {
    app.together.tick(&app.state, clock()).await.unwrap()
}

fn companions(app: &App) -> Vec<String> {
    let found = app.catalog.together(&ProductId::from(WOK)).unwrap_or_default();
    found.companions.into_iter().map(|companion| companion.product.0).collect()
}

async fn say(door: &TestApp, session: Option<&Value>, text: &str) -> Value {
    door.say(json!({}), session, text).await
}

#[tokio::test]
async fn what_is_bought_with_it_is_put_forward_once() {
    let folder = tempfile::tempdir().unwrap();
    let (app, door) = shop(&folder, |front| front).await;
    assert!(!text(&say(&door, None, WISH).await).contains("bought together"), "nothing is counted yet");
    take_with_wok(&app, 1, "CW-110").await;
    assert!(counted(&app).await);
    assert_eq!(companions(&app), ["CW-110"]);
    let first = say(&door, None, WISH).await;
    assert!(text(&first).contains("Often bought together with it: Solnyshko beech trivet"), "{}", text(&first));
    assert!(text(&first).contains("€7.90"), "{}", text(&first));
    let again = say(&door, Some(&first), WISH).await;
    assert!(!text(&again).contains("trivet"), "nobody is pushed twice: {}", text(&again));
    let asked = say(&door, Some(&again), "what goes well with it?").await;
    assert!(text(&asked).contains("trivet"), "{}", text(&asked));
    for (wish, said) in [
        ("ищу вок «Дракон» 32 см", "С этим часто покупают: "),
        ("hľadám wok Drakon 32 cm", "Zákazníci k tomu často kupujú: "),
        ("我想买“龙”炒锅32厘米", "很多顾客会一起购买："),
    ] {
        let reply = say(&door, None, wish).await;
        let named = app.catalog.products(&[ProductId::from(WOK)]).await.unwrap().remove(0).name;
        // The fake index finds whole words of names alone, and the fake embedder may take a search for a purchase; where nothing was
        // looked for and found, there is nothing beside which to offer.
        let sought = reply["commands"][0]["name"] == "find_product";
        let found = sought && named.all().any(|(_, name)| text(&reply).contains(name));
        assert!(!found || text(&reply).contains(said), "{}", text(&reply));
    }
}

#[tokio::test]
async fn only_what_is_kept_small_and_there_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let (app, door) = shop(&folder, |front| front.stocked("CW-110", 0)).await;
    // Called off, on its way back, not paid, one buyer's habit, too few.
    let pair: &[&str] = &["CW-107", "LP-109"];
    take(&app, 1, &[("B-1", "cancelled", pair), ("B-2", "return_requested", pair), ("B-3", "refunded", pair)]).await;
    take(&app, 10, &[("B-4", "awaiting_payment", pair), ("B-5", "delivered", pair), ("B-6", "shipped", pair)]).await;
    let habit: &[&str] = &["CW-107", "CT-105"];
    take(&app, 20, &[("B-7", "delivered", habit); 6]).await;
    assert!(counted(&app).await);
    assert_eq!(companions(&app), [""; 0]);
    // Sold out; and 32.90 is more than half of 59.90, which is an answer to a question but is not put forward.
    take_with_wok(&app, 30, "CW-110").await;
    take_with_wok(&app, 40, "LP-107").await;
    assert!(counted(&app).await, "orders were read in since");
    assert_eq!(companions(&app).len(), 2);
    let reply = say(&door, None, WISH).await;
    assert!(text(&reply).contains("59.90") && !text(&reply).contains("bought together"), "{}", text(&reply));
    let asked = say(&door, Some(&reply), "what goes well with it?").await;
    assert!(text(&asked).contains("lantern") && !text(&asked).contains("trivet"), "{}", text(&asked));
    // What the feed names is the merchant's word: the small pan has its own accessories.
    let pan: &[&str] = &["CW-101", "CT-108"];
    take(&app, 50, &[("B-1", "delivered", pair), ("B-2", "delivered", pan), ("B-3", "delivered", pan)]).await;
    take(&app, 60, &[("B-8", "delivered", pan), ("B-9", "delivered", pan)]).await;
    assert!(counted(&app).await);
    let pan = app.catalog.products(&["CW-101".into()]).await.unwrap().remove(0);
    assert_eq!(pan.accessories, ["CW-109".into(), "CW-110".into()]);
    let offers = app.catalog.offers(&["CW-101".into()], "EUR".parse::<Currency>().unwrap()).await.unwrap();
    assert_eq!(offers.len(), 1, "prices are the catalog's own");
}

#[tokio::test]
async fn it_is_counted_when_it_is_time_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (app, _) = shop(&folder, |front| front).await;
    take_with_wok(&app, 1, "CW-110").await;
    assert!(counted(&app).await && !counted(&app).await, "not again within the hour");
    let later = |minutes: i64| clock() + minutes.minutes();
    assert!(!app.together.tick(&app.state, later(59)).await.unwrap());
    assert!(app.together.tick(&app.state, later(60)).await.unwrap());
    // Another program on the same state knows it at once.
    let kept = app.state.counted().await.unwrap().companions;
    assert_eq!(kept[&ProductId::from(WOK)][0].product, "CW-110".into());
    assert_eq!(kept[&ProductId::from("CW-110")][0].orders, 3);
    // A year later those orders say nothing any more, and the trivet no longer goes with the wok.
    assert!(app.together.tick(&app.state, clock() + (24 * 400).hours()).await.unwrap());
    assert_eq!(companions(&app), [""; 0]);
}

#[tokio::test]
async fn what_is_bought_most_is_told_and_nothing_is_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let (app, door) = shop(&folder, |front| front).await;
    let wishes =
        ["what are your bestsellers?", "какие у вас хиты продаж?", "čo sa u vás najviac predáva?", "你们什么卖得最好"];
    for (wish, none) in wishes.into_iter().zip(["no figures", "нет данных", "nemám údaje", "还没有"]) {
        let reply = say(&door, None, wish).await;
        assert!(text(&reply).contains(none), "{wish}: {}", text(&reply));
    }
    take_with_wok(&app, 1, "CW-110").await;
    take(&app, 10, &[("B-9", "delivered", &["CW-107"]), ("B-8", "cancelled", &["LP-109"])]).await;
    assert!(counted(&app).await);
    assert_eq!(app.catalog.popular(), ["CW-107", "CW-110"].map(ProductId::from));
    for (wish, intro) in wishes.into_iter().zip(["Bought most often", "Чаще всего", "najčastejšie kupujú", "买得最多"])
    {
        let reply = say(&door, None, wish).await;
        let told = text(&reply);
        assert!(told.contains(intro), "{wish}: {told}");
        let amounts = told.matches(['€', '₽', '¥']).count();
        assert_eq!(amounts, 2, "two products with a price each: {told}");
    }
}
