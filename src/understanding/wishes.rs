//! The wishes of a message by its words, as layers tuned for this tell them (`src/inference/embedder/wishes.rs`): where each begins, and what
//! it wants. In: a screened message. Out: its stretches; each is understood like a message of its own.

use std::ops::Range;

use super::{Input, Understander, examples, rules};
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
        let ranges: Vec<Range<usize>> = wishes.into_iter().map(|stretch| stretch.range).collect();
        let parts = input.message.parts(&ranges).unwrap_or_default();
        let mut understood: Option<Understanding> = None;
        for message in &parts {
            let next = self.understand(Input { message, session: input.session }, Some(embed), generate).await;
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

/// The command behind a label; a question about what something is like is one about a product.
pub(super) fn command_of(wish: &str) -> Option<CommandName> {
    if wish == ABOUT { Some(CommandName::FindProduct) } else { wish.parse().ok() }
}

/// Of what is said in much the same words the examples know more kinds: asking for a call is leaving a contact, spam is out of
/// scope, "do you sell tyres" looks for some.
pub(super) fn of_like_kind(told: CommandName, voted: CommandName) -> CommandName {
    use CommandName as C;
    let same = matches!(
        (told, voted),
        (C::Human, C::LeaveContact) | (C::OutOfScope, C::Spam | C::Unsafe) | (C::Stock, C::FindProduct)
    );
    if same { voted } else { told }
}
