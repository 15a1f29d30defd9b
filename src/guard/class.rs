//! What a word can be. Each class is a table of `data/guard/*.toml` and one bit of what the lexicon knows of a word.

use crate::domain::Language;

macro_rules! classes {
    ($($variant:ident = $name:literal,)*) => {
        /// What a word can be. The names are the tables of `data/guard/*.toml`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Class { $($variant,)* }

        impl Class {
            pub(super) fn named(name: &str) -> Option<Class> {
                match name { $($name => Some(Class::$variant),)* _ => None }
            }

            /// Its bit in [`Term::bits`].
            pub const fn bit(self) -> u64 {
                1 << self as u64
            }
        }
    };
}

classes! {
    Number = "number", Short = "short", Currency = "major", Minor = "minor", Tenth = "tenth",
    Zero = "zero", Discount = "discount", Commit = "commit", Slang = "slang", Compare = "compare", Dearer = "dearer",
    Price = "price", Old = "old", Negation = "negation", Shipping = "shipping", Total = "total",
    Instalment = "instalment", Budget = "budget", Respectively = "respectively", From = "from", To = "to",
    Approx = "approx", Per = "per", Defer = "defer", Terms = "terms", NumberLike = "number_like", Percent = "percent",
    Unit = "unit", Time = "time", Counted = "counted", Material = "material", Identifier = "identifier", Size = "size",
    Phone = "phone", Clock = "clock", Month = "month", Rating = "rating", Benign = "benign", Neutral = "neutral", Payment = "payment",
    Same = "same", Superlative = "superlative", Denial = "denial", Asked = "asked", Stock = "stock", Promise = "promise",
    Less = "less", Scrip = "scrip", Yours = "yours", Tally = "tally", Kelvin = "kelvin", Known = "known", Gives = "gives", Changing = "changing", Having = "having", Left = "left",
    Vague = "vague", Ordinal = "ordinal", Adds = "adds", Haggle = "haggle",
}

/// What is known of a word or phrase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Term {
    /// Its classes; in the highest bits the languages in which it is an ordinary word, whatever else it is.
    pub bits: u64,
    /// Its value, for numbers.
    pub value: u64,
    /// The currencies it may stand for: bits by index in [`Lexicon::currencies`].
    pub currencies: u64,
}

/// The first of the bits by [`Language`]; classes stay below.
pub(super) const LOCAL: u32 = 60;

impl Term {
    /// True for any of `classes`.
    pub fn is(&self, class: Class) -> bool {
        self.bits & class.bit() != 0
    }

    /// Adds what another entry of the same words means.
    pub(super) fn merge(&mut self, other: &Term) {
        self.bits |= other.bits;
        self.currencies |= other.currencies;
        if other.bits & (Class::Number.bit() | Class::Short.bit()) != 0 {
            self.value = other.value;
        }
    }

    /// The term as it reads in `language`.
    pub fn localised(mut self, language: Language) -> Term {
        let foreign = Class::Number.bit() | Class::Currency.bit() | Class::Minor.bit();
        if self.bits >> LOCAL & (1 << language as u32) != 0 {
            self.bits = (self.bits & !foreign) | Class::Neutral.bit();
            self.currencies = 0;
        }
        self.bits &= (1 << LOCAL) - 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn classes_leave_room_for_the_languages() {
        // The highest bits say in which languages a word is an ordinary one.
        assert!(Class::Haggle.bit() < 1 << 60);
        assert_eq!(Class::named("having"), Some(Class::Having));
        assert_eq!(Class::named("nonsense"), None);
    }
}
