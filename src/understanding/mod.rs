//! Stand-in until the stage is merged.
use crate::domain::session::Session;
use crate::domain::{Command, CommandName, Language, Slots, Tier, Understanding};
use crate::engine::Generate;

/// What is to be understood.
pub struct Ask<'a> {
    /// Masked text.
    pub text: &'a str,
    /// Unmasked text.
    pub private: &'a str,
    /// Language.
    pub language: Language,
    /// Session.
    pub session: &'a Session,
    /// Embedding.
    pub vector: Option<&'a [f32]>,
}
/// The stage.
pub struct Understander;
impl Understander {
    /// Understands.
    pub async fn understand(&self, ask: &Ask<'_>, _: Option<&dyn Generate>) -> Understanding {
        let slots = Slots { product: Some(ask.text.to_string()), ..Slots::default() };
        Understanding { lang: ask.language, commands: vec![Command { name: CommandName::Price, slots }], confidence: 1.0, tier: Tier::Rules, notes: vec![] }
    }
}
