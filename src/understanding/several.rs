//! Several wishes in one message: each place where it may be cut is tried, and it is cut where both sides are sure
//! of different commands. A message without such a place is one wish.

use std::ops::Range;

use super::examples::anonymous;
use super::slots::{Passage, relevant};
use super::{Input, Understander, clauses, rules};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Tier};
use crate::engine::{Embed, EmbedInput};

/// More places to cut than this is a letter, not a message.
const MOST_PIECES: usize = 6;

/// Commands of the two sides of a cut.
pub(super) struct Cut {
    pub(super) commands: Vec<Command>,
    pub(super) confidence: f32,
    pub(super) tier: Tier,
}

/// One side: its command, how sure, and by which tier.
struct Side {
    commands: Vec<Command>,
    confidence: f32,
    tier: Tier,
    /// Says that something is looked for.
    wishes: bool,
    /// Tells of something bought before.
    bought: bool,
}

impl Side {
    /// What the examples only guess is no wish of its own when it says nothing alone: "right", "what would you advise".
    /// A complaint is one only before what should be done about it.
    fn stands_beside(&self, other: &Side) -> bool {
        use CommandName as C;
        let mends =
            |command: &Command| matches!(command.name, C::Human | C::ReturnItem | C::OrderStatus | C::CancelOrder);
        self.tier == Tier::Rules
            || self.commands.iter().all(|command| match command.name {
                C::Menu | C::Confirm | C::Deny | C::Correct | C::OutOfScope | C::Spam | C::Unsafe => false,
                C::CartAdd | C::Checkout => !self.bought,
                C::Complaint => other.commands.iter().any(mends),
                // A bare name before a question is what the question is about: "the green scarf, how much?"
                C::FindProduct => self.wishes || !other.commands.iter().any(asks_of_a_product),
                _ => true,
            })
    }
}

fn asks_of_a_product(command: &Command) -> bool {
    use CommandName as C;
    matches!(
        command.name,
        C::Price | C::Stock | C::Compare | C::DeliveryInfo | C::Policy | C::CartAdd | C::RestockNotice
    )
}

impl Understander {
    /// The best cut, when both its sides are sure of different commands.
    pub(super) async fn cut(&self, input: Input<'_>, embed: Option<&dyn Embed>) -> Option<Cut> {
        let pieces = clauses::split(&input.message.text);
        if pieces.len() < 2 || pieces.len() > MOST_PIECES {
            return None;
        }
        let end = pieces[pieces.len() - 1].end;
        let halves: Vec<Range<usize>> =
            (1..pieces.len()).flat_map(|at| [pieces[0].start..pieces[at - 1].end, pieces[at].start..end]).collect();
        let mut sides = self.sides(input, &halves, embed).await.into_iter();
        let mut best: Option<Cut> = None;
        while let (Some(left), Some(right)) = (sides.next(), sides.next()) {
            let Some(cut) = left.zip(right).and_then(|(left, right)| self.joined(left, right)) else { continue };
            if best.as_ref().is_none_or(|best| cut.confidence > best.confidence) {
                best = Some(cut);
            }
        }
        best
    }

    fn joined(&self, left: Side, right: Side) -> Option<Cut> {
        let confidence = left.confidence.min(right.confidence);
        let ruled = left.tier == Tier::Rules || right.tier == Tier::Rules;
        let enough = if ruled { self.settings.clause_beside_rule } else { self.settings.clause_sure };
        let same = right.commands.iter().any(|command| left.commands.iter().any(|other| other.name == command.name));
        // An answer or a greeting before a wish is no wish of its own where the sides only seem to differ.
        if confidence < enough || same || !left.stands_beside(&right) || !right.stands_beside(&left) {
            return None;
        }
        let tier = if left.tier == Tier::Rules && right.tier == Tier::Rules { Tier::Rules } else { Tier::Examples };
        let commands = rules::tidy(left.commands.into_iter().chain(right.commands).collect());
        (commands.len() > 1).then_some(Cut { commands, confidence, tier })
    }

    async fn sides(&self, input: Input<'_>, halves: &[Range<usize>], embed: Option<&dyn Embed>) -> Vec<Option<Side>> {
        let mut sides: Vec<Option<Side>> = halves.iter().map(|range| self.side_by_rules(input, range)).collect();
        let open: Vec<usize> = (0..halves.len()).filter(|at| sides[*at].is_none()).collect();
        let (Some(embed), Some(examples)) = (embed, self.examples.as_ref()) else { return sides };
        let texts: Vec<String> =
            open.iter().map(|at| anonymous(input.message.text[halves[*at].clone()].trim())).collect();
        let Ok(vectors) = embed.embed(EmbedInput::Query, texts.clone()).await else { return sides };
        for ((at, vector), text) in open.into_iter().zip(vectors).zip(texts) {
            let vote = examples.vote(&text, &vector);
            let commands = vec![self.part(vote.name, input, &halves[at])];
            let half = &input.message.text[halves[at].clone()];
            let (wishes, bought) = (self.rules.wishes(half), self.rules.tells_of_buying(half));
            sides[at] = Some(Side { commands, confidence: vote.confidence, tier: Tier::Examples, wishes, bought });
        }
        sides
    }

    fn side_by_rules(&self, input: Input<'_>, range: &Range<usize>) -> Option<Side> {
        let text = input.message.text[range.clone()].trim().to_string();
        let part = Screened { text, injection: 0.0, spam: 0.0, ..input.message.clone() };
        let sure = self.rules.decide(Input { message: &part, session: &Session::default(), vector: None })?;
        Some(Side {
            commands: sure.commands,
            confidence: sure.confidence,
            tier: Tier::Rules,
            wishes: false,
            bought: false,
        })
    }

    fn part(&self, name: CommandName, input: Input<'_>, range: &Range<usize>) -> Command {
        let passage = Passage { message: input.message, text: &input.message.text[range.clone()], about: Some(name) };
        Command { name, slots: relevant(name, self.rules.fill(passage).slots) }
    }
}
