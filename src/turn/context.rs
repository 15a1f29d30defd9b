//! What a message means in its conversation. In: what was understood of its words alone. Out: the same, where words that name no thing
//! leave the products spoken of standing ("is it waterproof?", «сколько за два таких выйдет»), and where a colour, a size or a thing the
//! shop sells was taken for chat, a complaint or worse. Only the index and the session know.

use crate::app::App;
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, ProductId, Screened, Slots, Tier, Understanding, Wish};
use crate::engine::{EmbedInput, Only, ProductQuery, SearchMode};
use crate::retrieval::EVERY_DETAIL;
use crate::understanding::{gist, rambles};

use super::shown;
use super::those::{another_wanted, of_one, wants_another, which_of_those};

/// Below it the examples only guess.
const GUESSED: f32 = 0.75;
/// A score of screening below which nothing speaks for an attempt to bend the assistant.
const SUSPICIOUS: f32 = 0.3;
/// The document of the rules on returns and exchanges.
const RETURNS: &str = "returns";
/// Letters of a word that its forms share at least.
const STEM: usize = 4;
/// From this chance on words name goods ...
pub(super) const NAMES: f32 = 0.6;
/// ... and below this they do not, though the shop knows some of them.
const NAMES_NOTHING: f32 = 0.15;
/// The same where a command asks of a thing.
const HARDLY_NAMES: f32 = 0.3;
/// More than this is no count of pieces but a code, a year, a size.
const MOST_PIECES: u32 = 99;

/// What was understood, as the conversation makes it.
pub(super) async fn in_context(
    app: &App,
    session: &Session,
    screened: &Screened,
    understood: Understanding,
) -> Understanding {
    let open = session.pending.is_some() || session.menu.is_some();
    if session.talk.is_some() || session.checkout.is_some() || open && !goes_to_the_till(&understood) {
        return understood;
    }
    let understood = about_swapping(app, screened, broken(app, screened, one_comparison(understood)));
    let understood = which_of_those(app, session, screened, understood).await;
    let mut understood = another_wanted(app, session, screened, understood);
    understood = recovered(app, session, screened, understood).await;
    understood = shown::or_asked(app, session, screened, understood).await;
    for command in &mut understood.commands {
        if let Some(things) = read_off(app, screened, command).await {
            understood.notes.push(format!("the model reads off it: {}", things.join(" | ")));
            command.slots.product = Some(things.join(" "));
            command.slots.names = if things.len() > 1 { things } else { Vec::new() };
        }
        if let Some(words) = spoken_of(app, session, screened, command).await {
            understood.notes.push(format!("names no thing: `{words}`"));
        }
        still_as_told(session, command);
        of_one(app, session, screened, command).await;
        if command.name == CommandName::Compare && compares_nothing(session, &command.slots) {
            // "Is it down or synthetic?" of the one thing shown.
            command.name = CommandName::FindProduct;
            command.slots.detail = command.slots.detail.take().or(Some(EVERY_DETAIL.to_string()));
        }
        if differs(app, screened, &command.slots)
            && matches!(command.name, CommandName::FindProduct | CommandName::Price)
        {
            // "How much cheaper is the V-300 than the V-500?" looks for nothing cheaper.
            command.name = CommandName::Compare;
            command.slots.wish = None;
        }
        if command.name == CommandName::Correct && command.slots.product.is_some() && session.focus.is_empty() {
            // "No, I meant running shoes" corrects a search that found nothing.
            command.name = CommandName::FindProduct;
        }
        let nothing = |slots: &Slots| slots.town.is_none() && slots.product.is_none() && slots.sku.is_none();
        let opened = session.login.opened(app.now()).is_some() && session.focus.is_empty();
        if command.name == CommandName::DeliveryInfo && nothing(&command.slots) && opened {
            // "And when does it come?" after an order was shown.
            *command = Command { name: CommandName::OrderStatus, slots: Slots::default() };
        }
    }
    understood
}

/// Whatever was asked: who wants to pay is not asked again for a colour.
fn goes_to_the_till(understood: &Understanding) -> bool {
    understood.commands.iter().any(|command| command.name == CommandName::Checkout)
}

/// What the examples only guessed to be no question about goods, and is one: its words are the shop's own, or it says no more than a
/// colour, a size, a place in the list or a count of what was shown.
async fn recovered(app: &App, session: &Session, screened: &Screened, understood: Understanding) -> Understanding {
    use CommandName as C;
    let [only] = understood.commands.as_slice() else { return understood };
    let answers = matches!(only.name, C::Confirm | C::Deny);
    let chat = matches!(only.name, C::OutOfScope | C::Smalltalk | C::Menu | C::Unsafe | C::Complaint | C::Spam);
    // What the model takes for chat was no more than guessed before.
    let by_model = understood.tier == Tier::Model && matches!(only.name, C::OutOfScope | C::Smalltalk | C::Menu);
    let guessed = by_model || understood.confidence < GUESSED;
    if understood.tier != Tier::Examples && !by_model || only.slots.topic.is_some() || !chat && !(answers && guessed) {
        return understood;
    }
    // "The black one came broken" holds a colour, too: a complaint that is no guess stays one.
    let beside = guessed || matches!(only.name, C::OutOfScope | C::Smalltalk | C::Menu);
    let said = app.understander.slots(screened);
    let narrows = said.size.is_some() || said.colour.is_some() || said.pick.is_some() || said.quantity.is_some();
    let words = said.product.clone();
    let command = match words {
        None if beside && narrows && !session.focus.is_empty() => Some(narrowed(session, &said)),
        Some(words) if guessed && known(app, screened, &words).await => Some(looked_for(said)),
        // Who is taken for an attacker on a guess is at worst somebody who asks for what the shop does not do.
        _ if guessed && only.name == C::Unsafe && screened.injection < SUSPICIOUS => {
            Some(Command { name: C::OutOfScope, slots: Slots::default() })
        }
        _ => None,
    };
    let Some(command) = command else { return understood };
    let mut notes = understood.notes;
    notes.push(format!("is no {}", only.name));
    Understanding { commands: vec![command], notes, ..understood }
}

/// True for a comparison that names nothing where one thing was shown.
fn compares_nothing(session: &Session, slots: &Slots) -> bool {
    let named = slots.product.is_some() || slots.sku.is_some() || slots.pick.is_some() || !slots.names.is_empty();
    !named && session.focus.len() == 1
}

/// What a long message looks for, where the shop does not know all of the words that are left of it and a model can be asked.
async fn read_off(app: &App, screened: &Screened, command: &Command) -> Option<Vec<String>> {
    use CommandName as C;
    let generate = app.generate_for_understanding()?;
    let words = command.slots.product.as_deref().filter(|words| rambles(words))?;
    let looks = matches!(command.name, C::FindProduct | C::Stock | C::Price) && command.slots.sku.is_none();
    if !looks || known(app, screened, words).await {
        return None;
    }
    match gist(&screened.text, generate).await {
        Ok(mut things) => {
            // "Not clothes", and the wool of "wool itches", are nothing that is looked for.
            let alone = |thing: &str| app.shop.wanted(thing, thing).is_some_and(|wanted| wanted.kind.is_empty());
            things.retain(|thing| !app.shop.turned_down(&screened.text, thing) && !alone(thing));
            Some(of_the_shop(app, screened, things).await).filter(|things| !things.is_empty())
        }
        Err(error) => {
            tracing::warn!(%error, "what a message looks for could not be read off it");
            None
        }
    }
}

/// Of several things read off a message those of which the shop knows a word, where it knows one of any: "a smooth fabric" beside the bed
/// linen that should have it is no thing of its own.
async fn of_the_shop(app: &App, screened: &Screened, things: Vec<String>) -> Vec<String> {
    let mut own = Vec::new();
    for thing in &things {
        if known_word(app, screened, thing).await {
            own.push(thing.clone());
        }
    }
    if own.is_empty() { things } else { own }
}

/// "What is the difference between the V-300 and the V-500" is one question, though it may be cut in two.
fn one_comparison(mut understood: Understanding) -> Understanding {
    use CommandName as C;
    let named = |slots: &Slots| slots.sku.clone().or_else(|| slots.product.clone()).filter(|_| slots.names.is_empty());
    // "I need a kettle, one that is quiet" is looked for, and not put into the cart before anybody has seen it.
    let looked_for = understood.commands.iter().find(|command| command.name == C::FindProduct).cloned();
    if let Some(looked_for) = looked_for.filter(|command| command.slots.product.is_some()) {
        let same = |command: &Command| command.name == C::CartAdd && command.slots.product == looked_for.slots.product;
        understood.commands.retain(|command| !same(command));
    }
    let of_goods = |name| matches!(name, C::FindProduct | C::Compare);
    let [first, second] = understood.commands.as_slice() else { return understood };
    let compares = [first, second].iter().any(|command| command.name == C::Compare);
    if let (true, Some(one), Some(other)) =
        (compares && of_goods(first.name) && of_goods(second.name), named(&first.slots), named(&second.slots))
    {
        let slots = Slots {
            product: Some(format!("{one} {other}")),
            names: vec![one, other],
            detail: first.slots.detail.clone().or_else(|| second.slots.detail.clone()),
            ..Slots::default()
        };
        understood.commands = vec![Command { name: C::Compare, slots }];
    }
    understood
}

/// "If she wants black after all, can we swap it in the shop?" asks for no black one, and "how long do we have to return it?" sends nothing
/// back: the rules answer both.
fn about_swapping(app: &App, screened: &Screened, mut understood: Understanding) -> Understanding {
    use CommandName as C;
    let [only] = understood.commands.as_mut_slice() else { return understood };
    let (text, Slots { sku, topic, order_number, .. }) = (&screened.text, &only.slots);
    let what_if = app.answers.what_if(text);
    let swaps = || app.answers.swaps(text) || what_if && app.answers.exchange(text);
    let rules = match only.name {
        C::Stock | C::FindProduct | C::Price | C::Policy | C::RestockNotice => {
            sku.is_none() && topic.is_none() && swaps()
        }
        C::ReturnItem | C::ChangeOrder => {
            let told = order_number.is_some() || !screened.pii.is_empty();
            what_if && !told && !app.answers.defective(text)
        }
        _ => false,
    };
    if rules {
        *only = Command { name: C::Policy, slots: Slots { topic: Some(RETURNS.to_string()), ..Slots::default() } };
    }
    understood
}

/// True when it is asked how much cheaper or dearer one of two things is.
fn differs(app: &App, screened: &Screened, slots: &Slots) -> bool {
    let two = slots.names.len() > 1 || slots.sku.is_some() && slots.product.is_some();
    let beside = matches!(slots.wish, Some(Wish::Cheaper | Wish::Dearer));
    two && app.cart_words.difference(&screened.text, beside)
}

/// "My order TT-10411 came damaged" is no question where it is: it is one of sending something back, and a complaint.
fn broken(app: &App, screened: &Screened, mut understood: Understanding) -> Understanding {
    use CommandName as C;
    let [only] = understood.commands.as_slice() else { return understood };
    let of_order = match only.name {
        C::OrderStatus | C::Complaint => true,
        C::CancelOrder | C::ChangeOrder => understood.tier == Tier::Examples,
        _ => false,
    };
    let number = only.slots.order_number.clone().or_else(|| app.understander.slots(screened).order_number);
    if of_order && number.is_some() && app.answers.defective(&screened.text) {
        let said = app.understander.slots(screened);
        let of_it = Slots { order_number: number, phone: said.phone, email: said.email, ..Slots::default() };
        understood.commands = vec![
            Command { name: C::Complaint, slots: Slots::default() },
            Command { name: C::ReturnItem, slots: of_it },
        ];
    }
    understood
}

/// The products shown, with what is said of them now beside what was said before.
fn narrowed(session: &Session, said: &Slots) -> Command {
    let before = session.last.as_ref().map(|last| last.slots.clone()).unwrap_or_default();
    let before = if said.pick.is_some() { Slots::default() } else { before };
    // "The black ones?" after a list: those shown are not all there are.
    let again = said.quantity.is_none() && session.focus.len() > 1;
    let slots = Slots {
        product: before.product.filter(|_| again),
        pick: said.pick,
        size: said.size.clone().or(before.size),
        colour: said.colour.clone().or(before.colour),
        quantity: said.quantity,
        ..Slots::default()
    };
    // "Two" of what was shown: what they cost together.
    let name = if slots.quantity.is_some() { CommandName::Price } else { CommandName::FindProduct };
    Command { name, slots }
}

fn looked_for(said: Slots) -> Command {
    let Slots { product, names, sku, size, colour, budget, quantity, .. } = said;
    let slots = Slots { product, names, sku, size, colour, budget, quantity, ..Slots::default() };
    Command { name: CommandName::FindProduct, slots }
}

/// "And in stock in Košice?", "brown?", "which of them is warmer?": in the size and colour that were looked for.
pub(super) fn still_as_told(session: &Session, command: &mut Command) {
    let slots = &mut command.slots;
    let anew = slots.town.is_some() || slots.colour.is_some();
    let spoken = slots.product.is_none() && slots.pick.is_none();
    // "How much is it?", "put it in the cart": what is bought is bought in the size that was asked for.
    let bought = matches!(command.name, CommandName::Price | CommandName::CartAdd) && spoken;
    let there = command.name == CommandName::Stock && anew && spoken || bought;
    let compares = command.name == CommandName::Compare;
    let Some(told) = session.last.as_ref().map(|last| &last.slots).filter(|_| there || compares) else { return };
    if slots.sku.is_none() && !session.focus.is_empty() {
        slots.size = slots.size.take().or_else(|| told.size.clone());
        slots.colour = slots.colour.take().or_else(|| told.colour.clone().filter(|_| there));
    }
}

/// Takes words out of a command that name no thing where products are spoken of, and gives them back.
async fn spoken_of(app: &App, session: &Session, screened: &Screened, command: &mut Command) -> Option<String> {
    use CommandName as C;
    let of_goods = matches!(
        command.name,
        C::FindProduct | C::Price | C::Stock | C::Compare | C::CartAdd | C::Correct | C::Checkout | C::RestockNotice
    );
    // "What is popular right now?", "pay now please": these need no product.
    let complete = command.name == C::Checkout || matches!(command.slots.wish, Some(Wish::Popular | Wish::OnSale));
    // "When does it come?" of a delivery: a place may stand there, of which only the rules can tell.
    let place = |words: &String| app.shop.kinds().place(&screened.text, words);
    let arrives = command.name == C::DeliveryInfo && command.slots.product.as_ref().is_some_and(|words| !place(words));
    let of_goods = of_goods || arrives;
    let spoken = !session.focus.is_empty() || complete;
    if !of_goods || !spoken || command.slots.sku.is_some() || app.shop.kinds().open(&screened.text) {
        return None;
    }
    let words = command.slots.product.clone()?;
    if wants_another(app, session, screened, command) || in_other_make(app, screened, command) {
        return None;
    }
    // "I like the cast iron one, is it big?" names what it asks about, though it points.
    let named = command.slots.detail.is_some() && screened.marks.naming(&words).is_some_and(|chance| chance >= NAMES);
    // A price or a stock is asked of a thing: what hardly names one is said beside it.
    let asks = !matches!(command.name, C::FindProduct | C::Compare);
    let hardly = asks && screened.marks.naming(&words).is_some_and(|chance| chance < HARDLY_NAMES);
    let beside = hardly && !known(app, screened, &words).await;
    if named || !beside && names_a_thing(app, screened, &words).await {
        return None;
    }
    let slots = &mut command.slots;
    (slots.product, slots.names) = (None, Vec::new());
    match a_size(app, session, screened, &words).await {
        true => slots.size = Some(words.clone()),
        false => {
            let count = words.parse().ok().filter(|count| (1..=MOST_PIECES).contains(count));
            slots.quantity = slots.quantity.or(count);
        }
    }
    let pieces = Slots { detail: None, ..slots.clone() };
    if command.name == C::FindProduct && slots.detail.is_none() && pieces == Slots::default() {
        // "Noise cancelling?": the one that is said to be so, else whatever is known of them.
        match described(app, session, screened, &words).await {
            Some(only) => slots.sku = Some(only.0),
            None => slots.detail = Some(EVERY_DETAIL.to_string()),
        }
    }
    Some(words)
}

/// True for "anything in cotton?": of the kind that was shown what has a property, whatever those shown are like.
fn in_other_make(app: &App, screened: &Screened, command: &Command) -> bool {
    let words = command.slots.product.as_deref().unwrap_or_default();
    let looks = command.name == CommandName::FindProduct && command.slots.detail.is_none();
    looks && app.shop.wanted(&screened.text, words).is_some_and(|wanted| wanted.kind.is_empty())
}

/// True when what is spoken of is to be had in a size of this name: of boots, "the price of 45" is of no 45 pairs.
async fn a_size(app: &App, session: &Session, screened: &Screened, words: &str) -> bool {
    let currency = app.config.shop.currency_of(screened.language);
    let offers = app.catalog.offers(&session.focus, currency).await.unwrap_or_default();
    offers.iter().any(|offer| offer.size.as_deref() == Some(words))
}

/// The one product spoken of whose description holds all of the words, be it in another form.
async fn described(app: &App, session: &Session, screened: &Screened, words: &str) -> Option<ProductId> {
    let products = app.catalog.products(&session.focus).await.ok()?;
    let mut fitting = products.iter().filter(|product| {
        let text = product.description.get(screened.language).to_lowercase();
        words.split_whitespace().map(str::to_lowercase).all(|word| {
            let stem: String = word.chars().take(word.chars().count().saturating_sub(2).max(STEM)).collect();
            text.contains(&stem)
        })
    });
    let only = fitting.next()?;
    fitting.next().is_none().then(|| only.id.clone())
}

/// True when words name a thing: the shop knows one of them, or they are such as name things.
pub(super) async fn names_a_thing(app: &App, screened: &Screened, words: &str) -> bool {
    if !words.chars().any(char::is_alphabetic) {
        return false;
    }
    match screened.marks.naming(words) {
        Some(chance) if chance < NAMES_NOTHING && !known(app, screened, words).await => return false,
        // "Can it go in the washing machine?" names a thing, too.
        Some(chance) if chance >= NAMES && !app.understander.points(screened) => return true,
        _ => {}
    }
    // An index that fails tells so where it is really asked.
    let Ok(known) = app.search.familiar(&query(screened, words)).await else { return true };
    // "A kettle that's quiet": what it is, is said before what it is like.
    if known.words > 0 && known.known >= known.words || self::known(app, screened, words).await {
        return true;
    }
    match app.embed.embed(EmbedInput::Query, vec![words.to_lowercase()]).await {
        Ok(vectors) => vectors.first().is_none_or(|vector| app.things.named(vector, known.known > 0)),
        Err(_) => true,
    }
}

/// True when the shop knows one of some words, and where its index cannot say.
pub(super) async fn known_word(app: &App, screened: &Screened, words: &str) -> bool {
    // An index that fails tells so where it is really asked.
    !app.search.familiar(&query(screened, words)).await.is_ok_and(|known| known.known == 0)
}

/// True when every word of what is named is the shop's own.
async fn known(app: &App, screened: &Screened, words: &str) -> bool {
    let kind = app.shop.kinds().named(&screened.text, words);
    let known = app.search.familiar(&query(screened, &kind)).await;
    known.is_ok_and(|known| known.words > 0 && known.known >= known.words)
}

fn query(screened: &Screened, words: &str) -> ProductQuery {
    ProductQuery {
        text: words.to_string(),
        vector: None,
        language: screened.language,
        mode: SearchMode::Lexical,
        only: Only::default(),
        limit: 1,
    }
}
