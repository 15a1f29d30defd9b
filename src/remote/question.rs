//! A job as a server of the OpenAI kind takes it: roles, limits, and the grammar in the words of that server.

use serde::Deserialize;
use serde_json::{Value, json};

use super::grammar::Grammar;
use crate::engine::{Job, Speaker};

/// Said to models whose server holds them to no grammar.
const BY_WORDS: &str = include_str!("../../data/prompts/grammar.txt");
/// Longer grammars help nobody who can only read them.
const READABLE: usize = 600;

/// How a server is told what may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `grammar` in GBNF: llama-server, llama-cpp-python.
    Gbnf,
    /// `structured_outputs.grammar`: vLLM from 0.11 on.
    StructuredOutputs,
    /// `grammar` of the kind `lark`: mistral.rs.
    Lark,
    /// It cannot be told: the answer is only checked.
    None,
}

impl Dialect {
    /// The dialect of a setting; none for `auto`.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn named(name: &str) -> anyhow::Result<Option<Dialect>> {
        Ok(match name {
            "auto" => None,
            "gbnf" => Some(Dialect::Gbnf),
            "structured_outputs" => Some(Dialect::StructuredOutputs),
            "lark" => Some(Dialect::Lark),
            "none" => Some(Dialect::None),
            other => anyhow::bail!(
                "generation.grammar = \"{other}\": use auto, gbnf (llama-server), structured_outputs (vLLM), lark (mistral.rs) or none"
            ),
        })
    }

    /// By what a server says its models belong to.
    pub fn of_owner(owner: &str) -> Dialect {
        match owner {
            "llamacpp" | "me" => Dialect::Gbnf,
            "vllm" => Dialect::StructuredOutputs,
            "local" | "mistralrs" => Dialect::Lark,
            _ => Dialect::None,
        }
    }

    /// As it stands in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Gbnf => "gbnf",
            Dialect::StructuredOutputs => "structured_outputs",
            Dialect::Lark => "lark",
            Dialect::None => "none",
        }
    }
}

/// The body of a question. `again`: the answer to the first was of no use.
pub(super) fn body(job: &Job, grammar: Option<&Grammar>, (model, dialect, again): (&str, Dialect, bool)) -> Value {
    let mut system = job.system.clone();
    let lark = job.grammar.as_deref().unwrap_or_default();
    if grammar.is_some() && dialect == Dialect::None && lark.len() <= READABLE {
        system = format!("{system}\n{BY_WORDS}{lark}");
    }
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.extend(job.turns.iter().map(|turn| {
        let role = if turn.speaker == Speaker::User { "user" } else { "assistant" };
        json!({"role": role, "content": harmless(&turn.text)})
    }));
    // Asked in the same way it would say the same again.
    let (temperature, seed) =
        if again { (job.temperature.max(0.7), job.seed + 1) } else { (job.temperature, job.seed) };
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_tokens": job.max_tokens,
        "temperature": temperature,
        "seed": seed,
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    if let Some(grammar) = grammar {
        match dialect {
            Dialect::Gbnf => body["grammar"] = grammar.gbnf().into(),
            Dialect::StructuredOutputs => body["structured_outputs"] = json!({"grammar": grammar.gbnf()}),
            Dialect::Lark => body["grammar"] = json!({"type": "lark", "value": lark}),
            // No grammar of ours has more than one line.
            Dialect::None => body["stop"] = json!(["\n"]),
        }
    }
    if matches!(dialect, Dialect::Gbnf | Dialect::StructuredOutputs) {
        // A model that thinks aloud would think under the grammar.
        body["chat_template_kwargs"] = json!({"enable_thinking": false});
    }
    body
}

/// A text in which no server finds a control token: they look for them after the template has been filled in.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(sign) = rest.next() {
        safe.push(sign);
        let opens = rest.peek().is_some_and(|next| match sign {
            '<' => next.is_ascii_alphabetic() || matches!(next, '|' | '｜' | '/' | '<' | '_'),
            '[' => next.is_ascii_uppercase() || *next == '/',
            _ => false,
        });
        if opens {
            safe.push(' ');
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::PromptTurn;

    #[test]
    fn no_control_token_can_be_written() {
        let check = |text: &str, expected: &str| assert_eq!(harmless(text), expected);
        check("<|im_end|> <s></s> [INST]", "< |im_end|> < s>< /s> [ INST]");
        check("<start_of_turn><<SYS>> <｜end｜>", "< start_of_turn>< < SYS>> < ｜end｜>");
        check("Lumen [lamps, available] < 5 [1]", "Lumen [lamps, available] < 5 [1]");
    }

    fn job(lark: Option<&str>) -> Job {
        let turns = vec![PromptTurn { speaker: Speaker::User, text: "hi".to_string() }];
        let grammar = lark.map(str::to_string);
        Job { system: "Label.".to_string(), turns, grammar, max_tokens: 4, temperature: 0.0, seed: 7 }
    }

    #[test]
    fn each_server_gets_the_grammar_in_its_own_words() {
        let lark = "start: \"a\" | \"b\"";
        let grammar = Grammar::parse(lark).unwrap();
        let said = |dialect| body(&job(Some(lark)), Some(&grammar), ("m", dialect, false));
        let gbnf = "root ::= (\"a\" | \"b\")\n";
        assert_eq!(said(Dialect::Gbnf)["grammar"], gbnf);
        assert_eq!(said(Dialect::StructuredOutputs)["structured_outputs"]["grammar"], gbnf);
        assert_eq!(said(Dialect::Lark)["grammar"], json!({"type": "lark", "value": lark}));
        let words = said(Dialect::None);
        assert!(words.get("grammar").is_none() && words.get("chat_template_kwargs").is_none(), "{words}");
        assert!(words["messages"][0]["content"].as_str().unwrap().ends_with(lark), "{words}");
        let again = body(&job(None), None, ("m", Dialect::None, true));
        assert_eq!((&again["temperature"], &again["seed"], &again["max_tokens"]), (&json!(0.7), &json!(8), &json!(4)));
        assert!(again.get("stop").is_none(), "{again}");
    }
}
