//! The wishes of a message by its words, as layers tuned for this tell them (`src/inference/embedder/wishes.rs`): where each begins, and what
//! it wants. In: a screened message. Out: its stretches; each is understood like a message of its own.

use std::ops::Range;

use super::{Input, Understander, clauses, examples, rules};
use crate::domain::session::Session;
use crate::domain::{CommandName, Screened, Understanding};
use crate::engine::{Embed, Generate, Stretch};

/// The label of a question about what something is like.
pub const ABOUT: &str = "about";

impl Understander {
    /// The wishes of a message, one after the other, each with the words that belong to it; courtesies beside a wish are left out unless they
    /// may answer something. None where nobody can tell.
    pub async fn stretches(&self, message: &Screened, may_answer: bool, embed: &dyn Embed) -> Vec<Stretch> {
        // Personal data that has been masked needs no other mask; what would still be anonymous is not parted.
        let text = examples::anonymous(&message.text);
        let read = embed.read(vec![text.clone()]).await.ok().and_then(|readings| readings.into_iter().next());
        let mut wishes = read.filter(|_| text == message.text).map(|read| read.wishes).unwrap_or_default();
        let courtesy = |stretch: &Stretch| stretch.wish == CommandName::Smalltalk.as_str() && !may_answer;
        if !wishes.iter().all(courtesy) {
            wishes.retain(|stretch| !courtesy(stretch));
        }
        wishes
    }

    /// The clauses of a message, where it may be cut into wishes.
    pub fn pieces(&self, message: &Screened) -> Vec<Range<usize>> {
        clauses::split(&message.text, message.language)
    }

    /// True when a message names what was asked for.
    pub fn answers(&self, message: &Screened, session: &Session) -> bool {
        self.rules.answer(Input { message, session }).is_some()
    }

    /// The same of one wish of a message, where the words of the whole message say what it is.
    pub async fn understand_as(
        &self,
        (input, stretch): (Input<'_>, &Stretch),
        embed: Option<&dyn Embed>,
        generate: Option<&dyn Generate>,
    ) -> Understanding {
        self.decide((input, Some(stretch)), embed, (generate, self.settings.hinting)).await
    }

    /// True when words say that something is looked for.
    pub fn looks_for(&self, text: &str) -> bool {
        self.rules.wishes(text)
    }

    /// The same of each wish by itself, where the message holds several.
    pub async fn understand_parted(
        &self,
        input: Input<'_>,
        embed: &dyn Embed,
        generate: Option<&dyn Generate>,
    ) -> Understanding {
        let wishes = self.stretches(input.message, false, embed).await;
        let ranges: Vec<Range<usize>> = wishes.iter().map(|stretch| stretch.range.clone()).collect();
        let parts = input.message.parts(&ranges).unwrap_or_default();
        let mut understood: Option<Understanding> = None;
        for (message, stretch) in parts.iter().zip(&wishes) {
            let part = Input { message, session: input.session };
            let next = self.understand_as((part, stretch), Some(embed), generate).await;
            understood = Some(match understood {
                None => next,
                Some(mut all) => {
                    all.commands.extend(next.commands);
                    all.notes.extend(next.notes);
                    Understanding { commands: rules::tidy(all.commands), ..all }
                }
            });
        }
        match understood {
            Some(understood) => understood,
            None => self.understand(input, Some(embed), generate).await,
        }
    }
}
