//! Tables from codes to letters, as PDF files carry them (`ToUnicode`). Ranges stay ranges: a table costs what it says, not what it spans.

use std::collections::HashMap;

/// A table.
#[derive(Clone, Debug, Default)]
pub(super) struct CMap {
    /// Length in bytes, first and last code.
    spaces: Vec<(usize, u32, u32)>,
    singles: HashMap<u32, String>,
    /// First and last code, and the letters of the first.
    ranges: Vec<(u32, u32, Vec<u16>)>,
}

#[derive(Debug, PartialEq)]
enum Token<'a> {
    Hex(Vec<u8>),
    Open,
    Close,
    Word(&'a [u8]),
}

impl CMap {
    pub(super) fn parse(bytes: &[u8]) -> CMap {
        let mut map = CMap::default();
        let mut tokens = tokens(bytes).into_iter().peekable();
        while let Some(token) = tokens.next() {
            let Token::Word(word) = token else { continue };
            match word {
                b"begincodespacerange" => {
                    while let Some((Token::Hex(low), Token::Hex(high))) = pair(&mut tokens) {
                        map.spaces.push((low.len(), number(&low), number(&high)));
                    }
                }
                b"beginbfchar" => {
                    while let Some((Token::Hex(code), Token::Hex(letters))) = pair(&mut tokens) {
                        map.singles.insert(number(&code), text(&units(&letters)));
                    }
                }
                b"beginbfrange" => {
                    while let Some((Token::Hex(low), Token::Hex(high))) = pair(&mut tokens) {
                        map.range((number(&low), number(&high)), &mut tokens);
                    }
                }
                _ => {}
            }
        }
        map
    }

    fn range<'a>(&mut self, (low, high): (u32, u32), tokens: &mut impl Iterator<Item = Token<'a>>) {
        match tokens.next() {
            Some(Token::Hex(letters)) if low <= high => self.ranges.push((low, high, units(&letters))),
            Some(Token::Open) => {
                let mut code = low;
                for token in tokens.by_ref() {
                    let Token::Hex(letters) = token else { break };
                    self.singles.insert(code, text(&units(&letters)));
                    code = code.saturating_add(1);
                }
            }
            _ => {}
        }
    }

    /// How many bytes the next code has.
    pub(super) fn length(&self, bytes: &[u8], usual: usize) -> usize {
        let fits = |length: &usize| {
            let code = bytes.get(..*length).map(number);
            let within = |&(of, low, high): &(usize, u32, u32)| {
                of == *length && code.is_some_and(|code| (low..=high).contains(&code))
            };
            self.spaces.iter().any(within)
        };
        (1..=4).find(fits).unwrap_or(usual).clamp(1, bytes.len().max(1))
    }

    /// The letters of a code.
    pub(super) fn letters(&self, code: u32) -> Option<String> {
        if let Some(letters) = self.singles.get(&code) {
            return Some(letters.clone());
        }
        let (low, _, first) = self.ranges.iter().find(|(low, high, _)| (*low..=*high).contains(&code))?;
        let mut units = first.clone();
        let last = units.last_mut()?;
        *last = last.checked_add(u16::try_from(code - low).ok()?)?;
        Some(text(&units))
    }
}

fn pair<'a>(tokens: &mut std::iter::Peekable<impl Iterator<Item = Token<'a>>>) -> Option<(Token<'a>, Token<'a>)> {
    if !matches!(tokens.peek(), Some(Token::Hex(_))) {
        return None;
    }
    Some((tokens.next()?, tokens.next()?))
}

/// A code as a number; of more than four bytes the last four.
pub(super) fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

fn units(bytes: &[u8]) -> Vec<u16> {
    match bytes {
        [one] => vec![u16::from(*one)],
        bytes => bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect(),
    }
}

fn text(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

fn tokens(bytes: &[u8]) -> Vec<Token<'_>> {
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let until = |end: &dyn Fn(&u8) -> bool| rest.iter().skip(1).position(end).map_or(rest.len(), |at| at + 1);
        match byte {
            b'%' => at += until(&|byte| matches!(byte, b'\n' | b'\r')),
            b'<' if rest.get(1) != Some(&b'<') => {
                let length = until(&|byte| *byte == b'>');
                let digits: Vec<u8> = rest[1..length].iter().copied().filter(u8::is_ascii_hexdigit).collect();
                tokens.push(Token::Hex(hex::decode(&digits[..digits.len() / 2 * 2]).unwrap_or_default()));
                at += length + 1;
            }
            b'[' | b']' => {
                tokens.push(if byte == b'[' { Token::Open } else { Token::Close });
                at += 1;
            }
            byte if byte.is_ascii_alphanumeric() => {
                let length = until(&|byte| !byte.is_ascii_alphanumeric());
                tokens.push(Token::Word(&rest[..length]));
                at += length;
            }
            _ => at += 1,
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_ranges_and_lists_are_read() {
        let map = CMap::parse(
            b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n2 beginbfchar <0003> <0020> <0010> <00660069> endbfchar\n\
              2 beginbfrange <0020> <0022> <0410> <0030> <0031> [<010D> <D83DDE00>] endbfrange",
        );
        let told = |code| map.letters(code).unwrap_or_default();
        assert_eq!((told(3), told(16), told(0x22), told(0x30)), (" ".into(), "fi".into(), "В".into(), "č".into()));
        assert_eq!((told(0x31), told(0x32), map.length(&[0, 3, 0], 1)), ("😀".into(), String::new(), 2));
        assert!(CMap::parse(b"beginbfrange <00> <FFFFFFFF> <0041> endbfrange <").letters(9).is_some());
        let nothing = CMap::parse(b"beginbfchar <00");
        assert!(nothing.singles.is_empty() && nothing.ranges.is_empty());
    }
}
