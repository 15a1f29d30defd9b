//! Several wishes in one message: each place where it may be cut is tried, and weighed by what its two sides are and by what
//! the message is as a whole (`signs`). A message without such a place is one wish.

use std::ops::Range;

use super::examples::{Vote, anonymous};
use super::slots::{Passage, relevant};
use super::{Input, Understander, clauses, rules};
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Tier};
use crate::engine::Embed;

/// More places to cut than this is a letter, not a message.
const MOST_PIECES: usize = 6;

/// How many signs speak for or against a cut.
const SIGNS: usize = 12;
/// What each sign weighs, in the order of [`Whole::signs`]; the last is the constant. Fitted by `scripts/fit_cuts.py` over
/// messages that no example knew, with one wish and with two.
const WEIGHTS: [f32; SIGNS + 1] =
    [5.19, 16.29, -1.17, -0.39, 0.55, 2.51, -0.08, 1.52, 2.05, -0.18, -1.11, 0.88, -22.06];

/// A place where a message may be cut.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// The commands of both sides.
    pub(super) commands: Vec<Command>,
    /// How likely these are what is wanted, 0 to 1.
    pub(super) chance: f32,
    /// What speaks for it and against it.
    pub(super) signs: [f32; SIGNS],
    /// Rules when both sides are theirs.
    pub(super) tier: Tier,
}

/// What is known of the message as a whole.
pub(super) struct Whole<'a> {
    pub(super) vote: Option<&'a Vote>,
    /// What its cues name.
    pub(super) cued: Vec<CommandName>,
}

impl Whole<'_> {
    /// Each side's sureness; how far its command is behind the first over the whole message; whether cues agree; whether the
    /// sides stand alone.
    fn signs(&self, left: &Side, right: &Side, pieces: usize) -> [f32; SIGNS] {
        let sides = [left.name(), right.name()];
        let flag = |holds: bool| f32::from(u8::from(holds));
        let behind = sides.map(|name| self.vote.map_or(1.0, |vote| vote.behind(name)));
        let within = self.cued.iter().all(|name| sides.contains(name));
        [
            left.confidence.min(right.confidence),
            left.confidence.max(right.confidence),
            behind[0].max(behind[1]),
            behind[0].min(behind[1]),
            flag(self.vote.is_some_and(|vote| sides.contains(&vote.name))),
            self.vote.map_or(0.5, |vote| vote.confidence),
            pieces as f32 - 2.0,
            flag(left.stands_beside(right) && right.stands_beside(left)),
            flag(!self.cued.is_empty() && within),
            flag(!within),
            sides.iter().map(|name| flag(answers(*name))).sum(),
            flag(sides.contains(&CommandName::FindProduct)),
        ]
    }
}

fn chance(signs: &[f32; SIGNS]) -> f32 {
    let sum: f32 = signs.iter().zip(&WEIGHTS).map(|(sign, weight)| sign * weight).sum();
    1.0 / (1.0 + (-(sum + WEIGHTS[SIGNS])).exp())
}

/// Commands that are seldom one wish of two.
fn answers(name: CommandName) -> bool {
    use CommandName as C;
    matches!(name, C::Menu | C::Confirm | C::Deny | C::Correct | C::OutOfScope | C::Spam | C::Unsafe)
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
    fn name(&self) -> CommandName {
        self.commands.first().map_or(CommandName::FindProduct, |command| command.name)
    }

    /// What the examples only guess is no wish of its own when it says nothing alone: "right", "what would you advise".
    /// A complaint is one only before what should be done about it.
    fn stands_beside(&self, other: &Side) -> bool {
        use CommandName as C;
        let mends =
            |command: &Command| matches!(command.name, C::Human | C::ReturnItem | C::OrderStatus | C::CancelOrder);
        self.tier == Tier::Rules
            || self.commands.iter().all(|command| match command.name {
                name if answers(name) => false,
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
    /// The likeliest cut, when it is likely enough.
    pub(super) async fn cut(&self, input: Input<'_>, whole: &Whole<'_>, embed: Option<&dyn Embed>) -> Option<Cut> {
        let cuts = self.cuts(input, whole, embed).await.into_iter();
        cuts.filter(|cut| cut.chance >= self.settings.cut_sure).max_by(|one, other| one.chance.total_cmp(&other.chance))
    }

    /// All cuts into different commands.
    pub(super) async fn cuts(&self, input: Input<'_>, whole: &Whole<'_>, embed: Option<&dyn Embed>) -> Vec<Cut> {
        let pieces = clauses::split(&input.message.text, input.message.language);
        if pieces.len() < 2 || pieces.len() > MOST_PIECES {
            return Vec::new();
        }
        let end = pieces[pieces.len() - 1].end;
        let halves: Vec<Range<usize>> =
            (1..pieces.len()).flat_map(|at| [pieces[0].start..pieces[at - 1].end, pieces[at].start..end]).collect();
        let mut sides = self.sides(input, &halves, embed).await.into_iter();
        let mut cuts = Vec::new();
        while let (Some(left), Some(right)) = (sides.next(), sides.next()) {
            cuts.extend(left.zip(right).and_then(|(left, right)| joined(left, right, whole, pieces.len())));
        }
        cuts
    }

    async fn sides(&self, input: Input<'_>, halves: &[Range<usize>], embed: Option<&dyn Embed>) -> Vec<Option<Side>> {
        let mut sides: Vec<Option<Side>> = halves.iter().map(|range| self.side_by_rules(input, range)).collect();
        let open: Vec<usize> = (0..halves.len()).filter(|at| sides[*at].is_none()).collect();
        let (Some(embed), Some(examples)) = (embed, self.examples.as_ref()) else { return sides };
        let texts: Vec<String> =
            open.iter().map(|at| anonymous(input.message.text[halves[*at].clone()].trim())).collect();
        let Ok(readings) = embed.read(texts.clone()).await else { return sides };
        for ((at, read), text) in open.into_iter().zip(readings).zip(texts) {
            let vote = examples.vote(&text, &read);
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
        let sure = self.rules.decide(Input { message: &part, session: &Session::default() })?;
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

/// Both sides as one reading of the message; none where they want the same.
fn joined(left: Side, right: Side, whole: &Whole<'_>, pieces: usize) -> Option<Cut> {
    let names = |side: &Side| side.commands.iter().map(|command| command.name).collect::<Vec<_>>();
    let (one, other) = (names(&left), names(&right));
    if one.iter().any(|name| other.contains(name)) || is_proof(&one, &other) || is_proof(&other, &one) {
        return None;
    }
    // "If I don't like it, can I return it?" is sure to be one question; its first half only sounds like a no.
    if echoes(&left, &right, whole) || echoes(&right, &left, whole) {
        return None;
    }
    if compared(&left, &right) {
        return None;
    }
    let signs = whole.signs(&left, &right, pieces);
    let tier = if left.tier == Tier::Rules && right.tier == Tier::Rules { Tier::Rules } else { Tier::Examples };
    let commands = rules::tidy(left.commands.into_iter().chain(right.commands).collect());
    (commands.len() > 1).then(|| Cut { commands, chance: chance(&signs), signs, tier })
}

/// Examples are this sure of a whole message when a half of it that they take for an answer is none.
const ONE_QUESTION: f32 = 0.95;

fn echoes(answer: &Side, other: &Side, whole: &Whole<'_>) -> bool {
    let guessed = answer.tier == Tier::Examples && matches!(answer.name(), CommandName::Confirm | CommandName::Deny);
    guessed && whole.vote.is_some_and(|vote| vote.name == other.name() && vote.confidence >= ONE_QUESTION)
}

/// "Compare the Volna and the Briz": the second half is a name, whatever examples take it for.
fn compared(left: &Side, right: &Side) -> bool {
    use CommandName as C;
    let name = matches!(right.name(), C::FindProduct | C::CartAdd | C::Stock | C::Compare);
    left.name() == C::Compare && right.tier == Tier::Examples && name && !right.wishes
}

/// A contact beside a wish about an order, or to be told something, belongs to that wish: "where is TT-10401, anna@example.sk".
fn is_proof(contact: &[CommandName], wish: &[CommandName]) -> bool {
    use CommandName as C;
    let takes = |name: &C| {
        matches!(
            name,
            C::OrderStatus | C::CancelOrder | C::ChangeOrder | C::ReturnItem | C::Checkout | C::RestockNotice
        )
    };
    contact == [C::LeaveContact] && wish.iter().any(takes)
}
