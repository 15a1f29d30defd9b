//! The description of the API and the router say the same.

use axum::body::Body;
use axum::http::Request;
use serde_json::Value;

use crate::common::TestApp;

/// The page on which every route stands.
const ROUTER: &str = include_str!("../../src/http/mod.rs");
/// Pages for people, which no client calls.
const PAGES: [&str; 3] = ["/", "/assets/{name}", "/docs"];

fn routes() -> Vec<(&'static str, &'static str)> {
    let route = |line: &'static str| {
        let (path, rest) = line.trim().strip_prefix(".route(\"")?.split_once("\", ")?;
        Some((path, rest.split_once('(')?.0))
    };
    ROUTER.lines().filter_map(route).collect()
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let document = TestApp::new().await.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let mut described: Vec<(&str, &str)> = Vec::new();
    for (path, verbs) in paths {
        described.extend(verbs.as_object().unwrap().keys().map(|verb| (path.as_str(), verb.as_str())));
    }
    let mut routed = routes();
    assert!(routed.len() >= 10, "{routed:?}");
    routed.retain(|(path, _)| !PAGES.contains(path));
    routed.sort_unstable();
    described.sort_unstable();
    assert_eq!(routed, described);
}

#[tokio::test]
async fn every_reference_resolves() {
    fn walk<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let document = TestApp::new().await.get("/openapi.json").await.json();
    let mut references = Vec::new();
    walk(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn every_described_route_exists() {
    let app = TestApp::new().await;
    let document = app.get("/openapi.json").await.json();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for verb in verbs.as_object().unwrap().keys() {
            let path = path.replace("{id}", "truetill");
            let method = verb.to_uppercase();
            let request = Request::builder().method(method.as_str()).uri(&path).body(Body::empty()).unwrap();
            let status = app.send(request).await.status.as_u16();
            assert!(![404, 405, 500].contains(&status), "{verb} {path}: {status}");
        }
    }
}
