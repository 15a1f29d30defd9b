//! A turn's record as text for people: understanding, hits with scores, facts, plan, verdict, times.

use std::fmt::Write;

use serde_json::Value;

/// The record, one stage a paragraph.
pub(super) fn record(record: &Value) -> String {
    let mut out = String::new();
    let mut line = |label: &str, text: String| {
        // Infallible: writing to a String.
        let _ = writeln!(out, "{label:<14}{text}");
    };
    line("turn", format!("{} of session {}", text(&record["turn"]), text(&record["session"])));
    line("message", format!("{} [{}]", text(&record["message"]["text"]), text(&record["message"]["language"])));
    let understanding = &record["understanding"];
    for command in list(&understanding["commands"]) {
        line("command", format!("{} {}", text(&command["name"]), command["slots"]));
    }
    line("tier", format!("{} (confidence {})", text(&understanding["tier"]), number(&understanding["confidence"])));
    for note in list(&understanding["notes"]) {
        line("", text(note));
    }
    let outcome = &record["outcome"];
    for hit in list(&outcome["hits"]).iter().take(8) {
        let parts = ["score", "lexical", "vector", "name_in_query", "query_in_name"];
        let scores: Vec<String> = parts.iter().map(|part| format!("{part} {}", number(&hit[*part]))).collect();
        line("hit", format!("{}  {}", text(&hit["id"]), scores.join(", ")));
    }
    for generated in list(&outcome["generated"]) {
        let counts = format!("{} + {} tokens", generated["prompt_tokens"], generated["generated_tokens"]);
        line("model", format!("{:?} ({counts}, {} ms)", text(&generated["text"]), number(&generated["total_ms"])));
    }
    let used = used_facts(&record["reply"]);
    for fact in list(&outcome["facts"]).iter().filter(|fact| used.contains(&text(&fact["id"]))) {
        line("fact", format!("{} from {} as of {}", text(&fact["id"]), text(&fact["source"]), text(&fact["as_of"])));
    }
    for step in list(&outcome["moves"]) {
        line("move", step.to_string());
    }
    let check = &record["check"];
    let rejected = list(&check["rejected"]).iter().map(text).collect::<Vec<_>>().join(", ");
    let rejected = if rejected.is_empty() { String::new() } else { format!(" after {rejected}") };
    line("guard", format!("{}{rejected}", text(&check["status"])));
    for stage in list(&record["timings"]["stages"]) {
        line("time", format!("{:<14}{:>8} ms", text(&stage[0]), number(&stage[1])));
    }
    line("time", format!("{:<14}{:>8} ms", "total", number(&record["timings"]["total_ms"])));
    out
}

fn used_facts(reply: &Value) -> Vec<String> {
    list(&reply["segments"]).iter().flat_map(|segment| list(&segment["facts"])).map(text).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn number(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_string(), |number| format!("{number:.2}"))
}
