//! Lark's text becomes a `Grammar`: lines of `name: pieces`, and regular expressions within them.

use std::iter::Peekable;
use std::str::Chars;

use super::{Grammar, Node};

/// Deeper nesting is refused: it would be read by recursion.
const DEEPEST: usize = 32;

/// Reads a whole grammar.
pub(super) fn grammar(lark: &str) -> Result<Grammar, String> {
    let lines: Vec<(&str, &str)> = lark
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(':').map(|(name, rule)| (name.trim(), rule)).ok_or(format!("`{line}` is no rule")))
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = lines.iter().map(|(name, _)| (*name).to_string()).collect();
    let start = names.iter().position(|name| name == "start").ok_or("there is no rule `start`")?;
    let mut rules = Vec::new();
    for (name, text) in lines {
        let mut reader = Reader { rest: text.chars().peekable(), names: &names, depth: 0 };
        let rule = reader.any(Within::Rule).and_then(|rule| reader.over().map(|()| rule));
        rules.push(rule.map_err(|fault| format!("in rule `{name}`: {fault}"))?);
    }
    let grammar = Grammar { names, rules, start };
    grammar.check_loops()?;
    Ok(grammar)
}

impl Grammar {
    /// A rule that comes back to itself could be followed for ever.
    fn check_loops(&self) -> Result<(), String> {
        // Rules that are known to end.
        let mut ends = vec![false; self.rules.len()];
        loop {
            let open: Vec<usize> = (0..self.rules.len()).filter(|rule| !ends[*rule]).collect();
            let more: Vec<usize> = open.iter().copied().filter(|rule| self.rules[*rule].ends_with(&ends)).collect();
            match (open.first(), more.is_empty()) {
                (None, _) => return Ok(()),
                (Some(rule), true) => return Err(format!("rule `{}` refers to itself", self.names[*rule])),
                _ => more.into_iter().for_each(|rule| ends[rule] = true),
            }
        }
    }
}

impl Node {
    fn ends_with(&self, known: &[bool]) -> bool {
        match self {
            Node::Text(_) | Node::Class { .. } => true,
            Node::Rule(rule) => known[*rule],
            Node::Row(nodes) | Node::Any(nodes) => nodes.iter().all(|node| node.ends_with(known)),
            Node::Many(node, ..) => node.ends_with(known),
        }
    }
}

/// Where a piece stands: blanks count only within an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Rule,
    Expression,
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    names: &'a [String],
    depth: usize,
}

impl Reader<'_> {
    fn over(&mut self) -> Result<(), String> {
        self.rest.next().map_or(Ok(()), |rest| Err(format!("`{rest}` is not expected here")))
    }

    fn blanks(&mut self, within: Within) {
        while within == Within::Rule && self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    /// `a | b | c`
    fn any(&mut self, within: Within) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_string());
        }
        let mut any = vec![self.row(within)?];
        while self.rest.next_if_eq(&'|').is_some() {
            any.push(self.row(within)?);
        }
        self.depth -= 1;
        Ok(if any.len() == 1 { any.remove(0) } else { Node::Any(any) })
    }

    /// `a b? (c d){1,2}`
    fn row(&mut self, within: Within) -> Result<Node, String> {
        let mut row = Vec::new();
        loop {
            self.blanks(within);
            match (self.rest.peek().copied(), within) {
                (None | Some('|' | ')'), _) | (Some('/'), Within::Expression) => break,
                _ => {}
            }
            let piece = match within {
                Within::Rule => self.piece()?,
                Within::Expression => self.sign()?,
            };
            row.push(self.often(piece)?);
        }
        Ok(if row.len() == 1 { row.remove(0) } else { Node::Row(row) })
    }

    /// A piece of a rule.
    fn piece(&mut self) -> Result<Node, String> {
        match self.rest.next() {
            Some('"') => self.text(),
            Some('/') => {
                let expression = self.any(Within::Expression)?;
                self.expect('/').map(|()| expression)
            }
            Some('(') => {
                let group = self.any(Within::Rule)?;
                self.expect(')').map(|()| group)
            }
            Some(first) if first.is_ascii_alphabetic() => {
                let mut name = String::from(first);
                while let Some(letter) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(letter);
                }
                let rule = self.names.iter().position(|known| *known == name);
                rule.map(Node::Rule).ok_or(format!("there is no rule `{name}`"))
            }
            other => Err(format!("{other:?} is not read here")),
        }
    }

    fn text(&mut self) -> Result<Node, String> {
        let mut text = Vec::new();
        loop {
            match self.rest.next() {
                None => return Err("a text is not closed".to_string()),
                Some('"') => return Ok(Node::Text(text)),
                Some('\\') => text.push(self.escaped()?),
                Some(letter) => text.push(letter),
            }
        }
    }

    /// A piece of an expression.
    fn sign(&mut self) -> Result<Node, String> {
        match self.rest.next() {
            Some('(') => {
                let group = self.any(Within::Expression)?;
                self.expect(')').map(|()| group)
            }
            Some('[') => self.class(),
            Some('\\') => self.escaped().map(|c| Node::Text(vec![c])),
            Some(sign @ ('.' | '^' | '$' | '*' | '+' | '?' | '{' | ']')) => Err(format!("`{sign}` is not read here")),
            Some(letter) => Ok(Node::Text(vec![letter])),
            None => Err("an expression is not closed".to_string()),
        }
    }

    /// `[a-z\u{410}]`, after its bracket.
    fn class(&mut self) -> Result<Node, String> {
        let inverted = self.rest.next_if_eq(&'^').is_some();
        let mut ranges: Vec<(char, char)> = Vec::new();
        loop {
            let first = match self.rest.next() {
                None => return Err("a class is not closed".to_string()),
                Some(']') => return Ok(Node::Class { ranges, inverted }),
                Some('\\') => self.escaped()?,
                Some(letter) => letter,
            };
            // A hyphen at the end stands for itself.
            let mut ahead = self.rest.clone();
            let last = match (ahead.next(), ahead.next()) {
                (Some('-'), Some(last)) if last != ']' => {
                    self.rest = ahead;
                    if last == '\\' { self.escaped()? } else { last }
                }
                _ => first,
            };
            ranges.push((first, last));
        }
    }

    /// What stands after a backslash.
    fn escaped(&mut self) -> Result<char, String> {
        match self.rest.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('u') if self.rest.next_if_eq(&'{').is_some() => {
                let mut hex = String::new();
                while let Some(digit) = self.rest.next_if(char::is_ascii_hexdigit) {
                    hex.push(digit);
                }
                self.expect('}')?;
                let read = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                read.ok_or(format!("`{hex}` is no character"))
            }
            Some(sign) if sign.is_ascii_punctuation() => Ok(sign),
            other => Err(format!("an escaped {other:?} is not read here")),
        }
    }

    /// `?`, `*`, `+`, `{2}`, `{0,2}` after a piece.
    fn often(&mut self, piece: Node) -> Result<Node, String> {
        let (least, most) = match self.rest.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.rest.next();
                let least = self.number()?;
                let most = match self.rest.next_if_eq(&',') {
                    None => Some(least),
                    Some(_) if self.rest.peek() == Some(&'}') => None,
                    Some(_) => Some(self.number()?),
                };
                (least, most)
            }
            _ => return Ok(piece),
        };
        // The sign itself, or the closing brace.
        self.rest.next();
        Ok(Node::Many(Box::new(piece), least, most))
    }

    fn number(&mut self) -> Result<u32, String> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        digits.parse().map_err(|_| format!("`{digits}` is no count"))
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        self.rest.next_if_eq(&sign).map(drop).ok_or(format!("`{sign}` is missing"))
    }
}
