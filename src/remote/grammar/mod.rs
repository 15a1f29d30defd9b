//! The grammars of jobs, read without the grammar engine: an answer that comes from elsewhere is held to the same language as one that
//! is decoded here. In: the part of Lark that jobs are written in (rules, strings, regular expressions, repetitions). Out: a `Grammar`
//! that says whether a text follows it. Rules that refer to themselves are refused: no job has any.

mod gbnf;
mod reading;

use std::collections::BTreeSet;

/// A grammar that a whole text can be compared with.
#[derive(Clone, Debug)]
pub struct Grammar {
    /// Names of rules, in the order in which they stand.
    names: Vec<String>,
    rules: Vec<Node>,
    start: usize,
}

/// A piece of a grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// These characters.
    Text(Vec<char>),
    /// One character of these ranges, or of none of them.
    Class { ranges: Vec<(char, char)>, inverted: bool },
    /// What a rule says.
    Rule(usize),
    /// One after the other.
    Row(Vec<Node>),
    /// One of them.
    Any(Vec<Node>),
    /// So often at least, so often at most.
    Many(Box<Node>, u32, Option<u32>),
}

/// How a text stands to a grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// It is what the grammar says.
    Wholly,
    /// Something that the grammar says begins so.
    SoFar,
    /// It is not, and cannot become so.
    Not,
}

type Places = BTreeSet<usize>;

impl Grammar {
    /// Reads a grammar.
    ///
    /// # Errors
    /// What is not in the part of Lark that is read here, by its place.
    pub fn parse(lark: &str) -> Result<Grammar, String> {
        reading::grammar(lark)
    }

    /// How a text stands to it.
    pub fn follows(&self, text: &str) -> Follows {
        let text: Vec<char> = text.chars().collect();
        let mut walk = Walk { grammar: self, text: &text, could_go_on: false };
        let ends = walk.ends(&self.rules[self.start], &Places::from([0]));
        match (ends.contains(&text.len()), walk.could_go_on) {
            (true, _) => Follows::Wholly,
            (false, true) => Follows::SoFar,
            (false, false) => Follows::Not,
        }
    }
}

/// One comparison. Places are counted in characters.
struct Walk<'a> {
    grammar: &'a Grammar,
    text: &'a [char],
    /// Whether somewhere only the end of the text stood in the way.
    could_go_on: bool,
}

impl Walk<'_> {
    /// Where a piece can end that begins at one of these places: all of them at once, so that no text takes longer than its length
    /// times the grammar's.
    fn ends(&mut self, node: &Node, starts: &Places) -> Places {
        if starts.is_empty() {
            return Places::new();
        }
        match node {
            Node::Text(wanted) => starts.iter().filter_map(|at| self.text_at(wanted, *at)).collect(),
            Node::Class { ranges, inverted } => {
                let fits = |c: &char| ranges.iter().any(|(a, b)| (a..=b).contains(&c)) != *inverted;
                self.could_go_on |= starts.contains(&self.text.len());
                starts.iter().filter(|at| self.text.get(**at).is_some_and(fits)).map(|at| at + 1).collect()
            }
            Node::Rule(rule) => {
                let grammar = self.grammar;
                self.ends(&grammar.rules[*rule], starts)
            }
            Node::Row(row) => row.iter().fold(starts.clone(), |starts, node| self.ends(node, &starts)),
            Node::Any(any) => any.iter().flat_map(|node| self.ends(node, starts)).collect(),
            Node::Many(node, least, most) => self.often(node, (*least, *most), starts),
        }
    }

    fn text_at(&mut self, wanted: &[char], at: usize) -> Option<usize> {
        let rest = &self.text[at..];
        if rest.len() < wanted.len() {
            self.could_go_on |= wanted.starts_with(rest);
            return None;
        }
        rest.starts_with(wanted).then(|| at + wanted.len())
    }

    fn often(&mut self, node: &Node, (least, most): (u32, Option<u32>), starts: &Places) -> Places {
        let mut places = starts.clone();
        let mut ends = if least == 0 { starts.clone() } else { Places::new() };
        for times in 1..=most.unwrap_or(u32::MAX) {
            places = self.ends(node, &places);
            if places.is_empty() {
                break;
            }
            if times >= least {
                let before = ends.len();
                ends.extend(&places);
                // Nothing new: nothing new will come.
                if ends.len() == before {
                    break;
                }
            }
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lark: &str, text: &str, expected: Follows) {
        assert_eq!(Grammar::parse(lark).unwrap().follows(text), expected, "{text:?}");
    }

    #[test]
    fn answers_are_held_to_the_language_of_a_plan() {
        let plan = "start: offer | compare | \"none\" | \"ask\" | \"human\"\n\
                    offer: \"offer \" number (\",\" number){0,2}\n\
                    compare: \"compare \" number \",\" number (\",\" number)?\n\
                    number: \"1\" | \"2\" | \"3\"\n";
        for text in ["none", "offer 1", "offer 1,3", "offer 3,2,1", "compare 1,2", "compare 1,2,3"] {
            check(plan, text, Follows::Wholly);
        }
        for text in ["", "no", "offer", "offer ", "offer 1,", "compare 1", "compare 1,2,"] {
            check(plan, text, Follows::SoFar);
        }
        for text in ["None", "offer 4", "offer 1,2,3,1", "compare 1,2,3,1", "none.", " none", "offer  1", "нет"] {
            check(plan, text, Follows::Not);
        }
    }

    #[test]
    fn expressions_are_read_with_their_classes() {
        let lark =
            "start: LEAD? \"{name1}\" TAIL\nLEAD: /[\\u{61}-\\u{7a}ž]{1,3} /\nTAIL: /([ ,][a-z]{0,4}| !)?[.!]/\n";
        check(lark, "{name1}.", Follows::Wholly);
        check(lark, "žab {name1},word!", Follows::Wholly);
        check(lark, "žab {name1},words!", Follows::Not);
        check(lark, "abcd {name1}.", Follows::Not);
        check(lark, "{na", Follows::SoFar);
        check("start: /[^0-9]+/", "about", Follows::Wholly);
        check("start: /[^0-9]+/", "about 5", Follows::Not);
        check("start: /(a|bc){2}x{2,}/", "abcxxx", Follows::Wholly);
        check("start: /(a|bc){2}x{2,}/", "abcx", Follows::SoFar);
        check("start: /(a*)*b/", &"a".repeat(2000), Follows::SoFar);
    }

    #[test]
    fn what_is_not_read_is_refused() {
        for lark in [
            "",
            "other: \"a\"",
            "start: nobody",
            "start: \"a",
            "start: start \"a\"",
            "start: (\"a\"",
            "start: /[a/",
            "start: /\\w/",
        ] {
            assert!(Grammar::parse(lark).is_err(), "{lark}");
        }
        assert!(Grammar::parse("start: a\na: b\nb: a | \"x\"").is_err());
    }
}
