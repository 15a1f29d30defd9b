//! Understanding: a screened message in, commands of the closed set with their slots out, and which tier was sure.
//! Rules first, then the nearest labelled examples, then the language model under a grammar. It decides nothing else:
//! it looks up no product and writes no reply.
use crate::domain::message::Marks;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Screened, Slots, Tier, Understanding};
use crate::engine::{Embed, Generate, Reading, Stretch};

mod alarms;
mod amounts;
mod answers;
mod apart;
mod cart_words;
pub mod cases;
mod choices;
mod clauses;
mod code;
pub mod compare;
mod days;
mod definitions;
mod examples;
mod folded;
mod gist;
pub mod marked;
pub mod measure;
mod menus;
mod model;
mod of_goods;
mod orders;
mod rules;
mod slot_rules;
mod slots;
mod stop_words;
mod things;
mod values;
mod weighing;
mod wishes;

pub use alarms::Alarms;
pub use answers::{Answer, Answers};
pub use cart_words::{CartAsk, CartWords};
pub use choices::{Labelled, chosen};
pub use code::{CodeWords, TypedCode, typed_code};
pub use days::DayWords;
pub use definitions::{CommandRules, CommandSpec, RuleTexts, RulesError};
pub use examples::intents::{HEADER as INTENTS_HEADER, IntentReport, measure_intents};
pub use examples::{ExampleIndex, Judged, Shelves, Vote};
pub use folded::is_han;
pub use gist::{gist, rambles};
pub use menus::MenuWords;
use rules::Firm;
pub use slots::e164;
use slots::{Passage, relevant};
pub use stop_words::StopWords;
pub use things::Things;
use weighing::Evidence;
pub use weighing::{Signs, Weighing};
pub use wishes::ABOUT;

/// When a tier is sure enough.
#[derive(Clone, Debug)]
pub struct UnderstandingSettings {
    /// The likeliest command is taken from this chance on; below it the model is asked.
    pub examples_sure: f32,
    /// From this chance of another command on, words without a cue are no product's name.
    pub name_yields: f32,
    /// From this one on a place in a list, or what screening suspects, is overruled.
    pub suspicion_yields: f32,
    /// What the model is given beside the message.
    pub hinting: Hinting,
}

/// How much of what the examples know is given to the model.
#[derive(Clone, Copy, Debug)]
pub struct Hinting {
    /// Labelled examples like the message.
    pub shots: usize,
    /// Likeliest commands among which it chooses.
    pub candidates: usize,
}

impl std::str::FromStr for Hinting {
    type Err = String;

    /// Reads `8/3`: labelled messages shown, and commands to choose among.
    fn from_str(text: &str) -> Result<Hinting, String> {
        let read = |number: &str| number.trim().parse::<usize>().map_err(|e| format!("`{number}`: {e}"));
        let (shots, candidates) = text.split_once('/').ok_or("expected SHOTS/COMMANDS, such as 8/3")?;
        Ok(Hinting { shots: read(shots)?, candidates: read(candidates)?.max(1) })
    }
}

impl Default for UnderstandingSettings {
    fn default() -> Self {
        UnderstandingSettings {
            examples_sure: 0.5,
            name_yields: 0.75,
            suspicion_yields: 0.9,
            hinting: Hinting { shots: 4, candidates: 3 },
        }
    }
}

/// One message and what is known about it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The message, screened.
    pub message: &'a Screened,
    /// What the conversation remembers.
    pub session: &'a Session,
}

/// The stage.
pub struct Understander {
    rules: CommandRules,
    examples: Option<ExampleIndex>,
    settings: UnderstandingSettings,
}

impl Understander {
    /// A stage over its rules; without `examples` the second tier is left out.
    pub fn new(rules: CommandRules, examples: Option<ExampleIndex>, settings: UnderstandingSettings) -> Self {
        Understander { rules, examples, settings }
    }

    /// What the model is given beside the message.
    pub fn hinting(&self) -> Hinting {
        self.settings.hinting
    }

    /// A message with what its words are, where the embedder can tell; the same message where it fails.
    pub async fn marked(&self, message: Screened, embed: &dyn Embed) -> Screened {
        let text = examples::anonymous(&message.text);
        match embed.read(vec![text.clone()]).await {
            Ok(readings) => {
                let marks = readings.first().map(|read| Marks::new(text, &read.marks)).unwrap_or_default();
                Screened { marks, ..message }
            }
            Err(fault) => {
                tracing::warn!(fault = format!("{fault:#}"), "the words of a message could not be told apart");
                message
            }
        }
    }

    /// What the message wants. Whatever fails inside, something comes back: at worst a search for its words.
    pub async fn understand(
        &self,
        input: Input<'_>,
        embed: Option<&dyn Embed>,
        generate: Option<&dyn Generate>,
    ) -> Understanding {
        self.decide((input, None), embed, (generate, self.settings.hinting)).await
    }

    async fn decide(
        &self,
        (input, stretch): (Input<'_>, Option<&Stretch>),
        embed: Option<&dyn Embed>,
        (generate, hinting): (Option<&dyn Generate>, Hinting),
    ) -> Understanding {
        let sure = self.rules.decide(input);
        if let Some(sure) = sure.as_ref().filter(|sure| sure.firm == Firm::Final) {
            return self.ruled(input, sure);
        }
        let mut notes = Vec::new();
        let (vote, told) = self.by_examples(input, embed, &mut notes).await.unzip();
        let told = told.flatten();
        let weighed = vote.as_ref().map(|vote| {
            let signs = Evidence { vote, words: stretch.or(told.as_ref()), cue: sure.as_ref() }.signs();
            self.rules.weighing.likeliest(&signs)
        });
        notes.extend(weighed.map(|(name, chance)| format!("weighed: {name}, chance {chance:.2}")));
        if let Some(mut sure) = sure.filter(|sure| weighed.is_none_or(|weighed| self.stands(sure, weighed))) {
            sure.notes.append(&mut notes);
            return self.ruled(input, &sure);
        }
        // Far from every example only the words count; where they cannot be read the examples have to be sure by themselves.
        let read = stretch.is_some() || told.is_some();
        let heard =
            read || vote.as_ref().is_some_and(|vote| vote.near && vote.confidence >= self.settings.examples_sure);
        let sure_enough = |chance: f32| heard && chance >= self.settings.examples_sure;
        if let Some((name, confidence)) = weighed.filter(|(_, chance)| sure_enough(*chance)) {
            let commands = vec![self.command(name, input)];
            return self.finish(input, commands, Verdict { confidence, tier: Tier::Examples, notes });
        }
        if let Some(generate) = generate {
            match model::ask(&self.rules, self.hints(vote.as_ref(), hinting), input, generate).await {
                Ok(names) => {
                    notes.push(format!(
                        "model: {}",
                        names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",")
                    ));
                    let commands = names.into_iter().map(|name| self.command(name, input)).collect();
                    return self.finish(input, commands, Verdict { confidence: 0.7, tier: Tier::Model, notes });
                }
                Err(problem) => notes.push(format!("model: {problem}")),
            }
        }
        self.best_guess(input, (vote, weighed), notes)
    }

    /// A cue was weighed with everything else. What else a rule says stands unless something other is likely enough.
    fn stands(&self, sure: &rules::Sure, (name, chance): (CommandName, f32)) -> bool {
        if sure.commands.iter().any(|command| same_question(command, name)) {
            return true;
        }
        let UnderstandingSettings { name_yields, suspicion_yields, .. } = self.settings;
        match sure.firm {
            Firm::Final => true,
            Firm::Cued => false,
            Firm::Named => chance < name_yields || names_products(name),
            // "I'll take the first one" goes on with nothing that was asked before.
            Firm::Pointed => chance < suspicion_yields || name != CommandName::CartAdd,
            Firm::Suspected => chance < suspicion_yields || !harmless(sure, name),
        }
    }

    /// What speaks for each command in each part of a message, for fitting; none of what a rule decided alone.
    async fn signs(&self, input: Input<'_>, embed: &dyn Embed) -> Vec<Option<Signs>> {
        let wishes = self.stretches(input.message, false, embed).await;
        let ranges: Vec<_> = wishes.iter().map(|stretch| stretch.range.clone()).collect();
        let mut all = Vec::new();
        for (message, stretch) in input.message.parts(&ranges).unwrap_or_default().iter().zip(&wishes) {
            let part = Input { message, session: input.session };
            let sure = self.rules.decide(part);
            let weighed = sure.as_ref().is_none_or(|sure| sure.firm == Firm::Cued);
            let vote = self.by_examples(part, Some(embed), &mut Vec::new()).await.map(|(vote, _)| vote);
            let signs = vote.as_ref().map(|vote| Evidence { vote, words: Some(stretch), cue: sure.as_ref() }.signs());
            all.push(signs.filter(|_| weighed));
        }
        all
    }

    /// The first tier alone.
    pub fn by_rules(&self, input: Input<'_>) -> Option<Understanding> {
        self.rules.decide(input).map(|sure| self.ruled(input, &sure))
    }

    /// What a message speaks of, whichever command it is for.
    pub fn slots(&self, message: &Screened) -> Slots {
        self.rules.fill(Passage { message, text: &message.text, about: None }).slots
    }

    /// The numbers of orders that a message names in full, each once.
    pub fn order_numbers(&self, message: &Screened) -> Vec<String> {
        self.rules.order_numbers(message)
    }

    /// One thing in several variants: of each its size, its colour, and how many.
    pub fn variants(&self, message: &Screened) -> Vec<Slots> {
        self.rules.variants(message)
    }

    /// The things a message names, each with what is said of it alone.
    pub fn apart(&self, message: &Screened) -> Vec<Slots> {
        self.rules.apart(message)
    }

    fn ruled(&self, input: Input<'_>, sure: &rules::Sure) -> Understanding {
        let verdict = Verdict { confidence: sure.confidence, tier: Tier::Rules, notes: sure.notes.clone() };
        self.finish(input, sure.commands.clone(), verdict)
    }

    /// The second tier alone, over a message as the embedder read it.
    pub fn vote(&self, message: &Screened, read: &Reading) -> Option<Vote> {
        self.examples.as_ref().map(|examples| examples.vote(&examples::anonymous(&message.text), read))
    }

    /// True when a word points at what was shown: "it", «в них», "s ním".
    pub fn points(&self, message: &Screened) -> bool {
        self.rules.points(message)
    }

    /// How far a message lies on the side of those that ask about the products just shown; below 0 on the other. None where the examples
    /// are left out or the embedder fails: then nobody can tell.
    pub async fn of_shown(&self, message: &Screened, embed: &dyn Embed) -> Option<f32> {
        let text = examples::anonymous(&message.text);
        let readings = embed.read(vec![text.clone()]).await.ok()?;
        self.examples.as_ref()?.of_shown(&text, readings.first()?)
    }

    /// The nearest labelled examples of a message, whichever tier decides it: for explanations.
    ///
    /// # Errors
    /// The embedder fails.
    pub async fn nearest(&self, message: &Screened, embed: &dyn Embed) -> anyhow::Result<Vec<String>> {
        let readings = embed.read(vec![examples::anonymous(&message.text)]).await?;
        let Some((index, read)) = self.examples.as_ref().zip(readings.first()) else { return Ok(Vec::new()) };
        let vote = index.vote(&examples::anonymous(&message.text), read);
        let one = |(at, cosine): &(usize, f32)| {
            let (text, name) = index.labelled(*at);
            format!("{cosine:.3}  {:<16}{text}", name.as_str())
        };
        Ok(vote.neighbours.iter().take(8).map(one).collect())
    }

    /// What the examples think, and what the message wants as a whole by its words.
    async fn by_examples(
        &self,
        input: Input<'_>,
        embed: Option<&dyn Embed>,
        notes: &mut Vec<String>,
    ) -> Option<(Vote, Option<Stretch>)> {
        let examples = self.examples.as_ref()?;
        let text = examples::anonymous(&input.message.text);
        let read = match embed?.read(vec![text.clone()]).await {
            Ok(readings) => readings.into_iter().next()?,
            Err(problem) => {
                notes.push(format!("embedder: {problem:#}"));
                return None;
            }
        };
        let mut vote = examples.vote(&text, &read);
        let told = read.wishes.first().filter(|_| read.wishes.len() == 1).cloned();
        if vote.name == CommandName::Smalltalk
            && let Some(rest) = self.rules.behind_courtesy(input.message).map(examples::anonymous)
            && let Some(read) =
                embed?.read(vec![rest.clone()]).await.ok().and_then(|readings| readings.into_iter().next())
        {
            vote = examples.vote(&rest, &read);
            notes.push(format!("behind the courtesy `{rest}`"));
        }
        notes.push(vote.explain());
        notes.push(examples.explain_neighbours(&vote));
        notes.extend(told.as_ref().map(|told| format!("its words: {}, sure {:.2}", told.wish, told.sure)));
        Some((vote, told))
    }

    /// What the model is told of the vote; without one it chooses among all commands.
    fn hints(&self, vote: Option<&Vote>, hinting: Hinting) -> model::Hints {
        let Some((examples, vote)) = self.examples.as_ref().zip(vote) else {
            return model::Hints { shots: Vec::new(), candidates: CommandName::ALL.to_vec() };
        };
        let near = vote.neighbours.iter().take(hinting.shots).rev();
        model::Hints {
            shots: near.map(|(at, _)| examples.labelled(*at)).collect(),
            candidates: vote.order.iter().take(hinting.candidates).copied().collect(),
        }
    }

    /// No tier is sure: the nearest example's command, or a search for the message's words.
    fn best_guess(
        &self,
        input: Input<'_>,
        (vote, weighed): (Option<Vote>, Option<(CommandName, f32)>),
        notes: Vec<String>,
    ) -> Understanding {
        let near = vote.is_some_and(|vote| vote.near);
        let (name, confidence) = match weighed.filter(|_| near) {
            // Chat that is no courtesy known here is about something else.
            Some((CommandName::Smalltalk, chance)) if !self.courteous(input) => (CommandName::OutOfScope, chance),
            Some(weighed) => weighed,
            None => (CommandName::FindProduct, 0.2),
        };
        self.finish(input, vec![self.command(name, input)], Verdict { confidence, tier: Tier::Examples, notes })
    }

    fn courteous(&self, input: Input<'_>) -> bool {
        self.rules.courtesy(&input.message.text).is_some()
    }

    fn command(&self, name: CommandName, input: Input<'_>) -> Command {
        let mut slots =
            self.rules.fill(Passage { message: input.message, text: &input.message.text, about: Some(name) }).slots;
        if name == CommandName::Smalltalk {
            slots.topic = self.rules.courtesy(&input.message.text);
        }
        Command { name, slots: relevant(name, slots) }
    }

    fn finish(&self, input: Input<'_>, commands: Vec<Command>, verdict: Verdict) -> Understanding {
        let Verdict { confidence, tier, notes } = verdict;
        Understanding { lang: input.message.language, commands, confidence, tier, notes }
    }
}

/// A question about delivery that the rules answer is still one about delivery.
fn same_question(command: &Command, name: CommandName) -> bool {
    let of_delivery = command.slots.topic.as_deref().is_some_and(|topic| topic.starts_with("delivery"));
    command.name == name || (command.name == CommandName::Policy && of_delivery && name == CommandName::DeliveryInfo)
}

/// A product's name alone may be taken for any of these.
fn names_products(name: CommandName) -> bool {
    use CommandName as C;
    matches!(name, C::FindProduct | C::Stock | C::CartAdd | C::Correct)
}

/// Whoever may be bending the assistant is only taken at another word where that word gets no facts and no deeds.
fn harmless(sure: &rules::Sure, name: CommandName) -> bool {
    use CommandName as C;
    let bending = sure.commands.iter().any(|command| command.name == C::Unsafe);
    !bending || matches!(name, C::Smalltalk | C::OutOfScope | C::Complaint)
}

struct Verdict {
    confidence: f32,
    tier: Tier,
    notes: Vec<String>,
}

#[cfg(test)]
mod tests;
