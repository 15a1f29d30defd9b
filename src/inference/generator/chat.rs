//! The chat template of the model file, rendered so that only the template can write control tokens.
//! In: system text and turns. Out: prompt ids. Message texts are put in as ids, after rendering.

use anyhow::{Context, anyhow, bail};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};

use super::vocabulary::Vocabulary;
use crate::engine::{Job, Speaker};

const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';
const NAME: &str = "chat";

/// A compiled chat template.
pub struct Chat {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

impl Chat {
    /// Compiles the template and tries it once.
    pub fn new(template: String, vocabulary: &Vocabulary) -> anyhow::Result<Chat> {
        let mut environment = Environment::new();
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        // As the models' makers render them.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        // A template is part of a downloaded file: it may not run for ever.
        environment.set_fuel(Some(1_000_000));
        environment.add_template_owned(NAME, template).context("the model's chat template")?;
        let (begin, end) = vocabulary.begin_and_end();
        let chat = Chat { environment, begin, end };
        chat.render(&[("system", 0), ("user", 1)]).context("the model's chat template")?;
        Ok(chat)
    }

    /// The ids of the whole prompt, ready for the answer, and how many of them stand before the first turn:
    /// those are the same for every job with this system text.
    pub fn prompt(&self, job: &Job, vocabulary: &Vocabulary) -> anyhow::Result<(Vec<u32>, usize)> {
        let mut texts = vec![job.system.as_str()];
        let mut roles = vec![("system", 0)];
        for turn in &job.turns {
            let role = match turn.speaker {
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            };
            roles.push((role, texts.len()));
            texts.push(&turn.text);
        }
        let rendered = self.render(&roles)?;
        let mut ids = Vec::new();
        let mut fixed = None;
        let mut parts = rendered.split(OPEN);
        ids.extend(vocabulary.encode_template(parts.next().unwrap_or_default())?);
        for part in parts {
            let (number, literal) = part.split_once(CLOSE).context("the template cut a message")?;
            let number = number.parse::<usize>().ok();
            if number != Some(0) {
                fixed.get_or_insert(ids.len());
            }
            let text = number.and_then(|n| texts.get(n));
            ids.extend(vocabulary.encode_text(text.context("the template changed a message")?)?);
            ids.extend(vocabulary.encode_template(literal)?);
        }
        let fixed = fixed.unwrap_or(ids.len());
        Ok((ids, fixed))
    }

    fn render(&self, roles: &[(&str, usize)]) -> anyhow::Result<String> {
        let message = |(role, n): &(&str, usize)| {
            context! { role => *role, content => format!("{OPEN}{n}{CLOSE}") }
        };
        let messages: Vec<Value> = roles.iter().map(message).collect();
        let rendered = self.environment.get_template(NAME)?.render(context! {
            messages,
            add_generation_prompt => true,
            enable_thinking => false,
            bos_token => self.begin.as_str(),
            eos_token => self.end.as_str(),
        });
        let rendered = rendered.map_err(|e| anyhow!("the model's chat template: {e:#}"))?;
        // A template that drops a turn would let the model answer something else.
        for (role, n) in roles {
            if rendered.matches(&format!("{OPEN}{n}{CLOSE}")).count() != 1 {
                bail!("the model's chat template does not take a {role} turn here");
            }
        }
        Ok(rendered)
    }
}
