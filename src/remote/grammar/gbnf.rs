//! A grammar as llama.cpp writes them, which xgrammar (the default of vLLM) reads too.

use std::fmt::Write;

use super::{Grammar, Node};

impl Grammar {
    /// The same language in GBNF.
    pub fn gbnf(&self) -> String {
        let mut text = String::new();
        for (at, rule) in self.rules.iter().enumerate() {
            // Infallible: writing to a String.
            let _ = write!(text, "{} ::= ", self.named(at));
            self.write(&mut text, rule);
            text.push('\n');
        }
        text
    }

    fn named(&self, rule: usize) -> String {
        match rule == self.start {
            true => "root".to_string(),
            // GBNF has no underscores; a prefix keeps other rules off the name `root`.
            false => format!("r-{}", self.names[rule].replace('_', "-")),
        }
    }

    fn write(&self, text: &mut String, node: &Node) {
        match node {
            Node::Text(letters) => {
                let quoted: String = letters.iter().map(|c| escaped(*c)).collect();
                let _ = write!(text, "\"{quoted}\"");
            }
            Node::Class { ranges, inverted } => {
                let ranges: String = ranges.iter().map(|(a, b)| format!("{}-{}", escaped(*a), escaped(*b))).collect();
                let _ = write!(text, "[{}{ranges}]", if *inverted { "^" } else { "" });
            }
            Node::Rule(rule) => text.push_str(&self.named(*rule)),
            Node::Row(nodes) => self.joined(text, nodes, " "),
            Node::Any(nodes) => self.joined(text, nodes, " | "),
            Node::Many(node, least, most) => {
                self.joined(text, std::slice::from_ref(node.as_ref()), "");
                let _ = match (least, most) {
                    (0, Some(1)) => write!(text, "?"),
                    (0, None) => write!(text, "*"),
                    (1, None) => write!(text, "+"),
                    (least, None) => write!(text, "{{{least},}}"),
                    (least, Some(most)) => write!(text, "{{{least},{most}}}"),
                };
            }
        }
    }

    fn joined(&self, text: &mut String, nodes: &[Node], between: &str) {
        text.push('(');
        for (at, node) in nodes.iter().enumerate() {
            text.push_str(if at > 0 { between } else { "" });
            self.write(text, node);
        }
        // An empty alternative.
        text.push_str(if nodes.is_empty() { "\"\")" } else { ")" });
    }
}

fn escaped(sign: char) -> String {
    match u32::from(sign) {
        _ if sign.is_ascii_alphanumeric() || sign == ' ' => sign.to_string(),
        code @ ..=0xFFFF => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_language_in_other_words() {
        let lark = "start: LEAD? a_b (\",\" a_b){0,2}\na_b: \"1\" | \"{x}\"\nLEAD: /[a-zž]+( |)/\n";
        let expected = "root ::= ((r-LEAD)? r-a-b ((\"\\u002c\" r-a-b)){0,2})\n\
                        r-a-b ::= (\"1\" | \"\\u007bx\\u007d\")\n\
                        r-LEAD ::= (([a-z\\u017e-\\u017e])+ (\" \" | (\"\")))\n";
        assert_eq!(Grammar::parse(lark).unwrap().gbnf(), expected);
    }
}
