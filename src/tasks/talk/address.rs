//! A postal address out of a line of text: street and house, town, post code. Nothing is guessed: what lacks one of the three is
//! no address.

use crate::domain::Localised;
use crate::domain::desk::Address;

/// An address with nothing in it, for an operation that the rules refuse anyway.
pub(super) fn empty() -> Address {
    let none = String::new;
    Address { line1: none(), line2: none(), city: none(), region: none(), country: none(), postcode: none() }
}

/// Reads an address; `town` holds the names of a town the message is known to name.
pub fn parse(text: &str, town: &Localised) -> Option<Address> {
    let text = after_label(text);
    let mut parts: Vec<String> =
        text.split([',', '，', ';', '；', '\n']).map(tidy).filter(|part| !part.is_empty()).collect();
    let at = parts.iter().position(|part| postcode(part).is_some())?;
    let (from, to, code) = postcode(&parts[at])?;
    let (before, after) = (tidy(&parts[at][..from]), tidy(&parts[at][to..]));
    if parts.len() == 1 {
        let city = if after.is_empty() { named(&before, town)? } else { after };
        return whole(before, city, code);
    }
    // The post code's own part may hold the town, or a word such as "PSČ".
    let rest = [before, after].into_iter().find(|part| !part.is_empty());
    parts.remove(at);
    if let Some(known) = parts.iter().position(|part| named(part, town).is_some()) {
        let city = named(&parts[known], town)?;
        if is_only(&parts[known], &city) && parts.len() > 1 {
            parts.remove(known);
        }
        return whole(parts.join(", "), city, code);
    }
    let city = match rest.filter(|rest| !has_digit(rest) && (named(rest, town).is_some() || parts.len() == 1)) {
        Some(rest) => rest,
        None if parts.len() > 1 => {
            let last = parts.iter().rposition(|part| !has_digit(part))?;
            parts.remove(last)
        }
        None => return None,
    };
    whole(parts.join(", "), city, code)
}

fn whole(line1: String, city: String, postcode: String) -> Option<Address> {
    let full = !line1.is_empty() && !city.is_empty() && has_digit(&line1);
    full.then(|| Address { line1, city, postcode, ..empty() })
}

/// What stands after "the new address is:".
fn after_label(text: &str) -> &str {
    match text.split_once([':', '：']) {
        Some((label, rest)) if !has_digit(label) => rest,
        _ => text,
    }
}

fn tidy(part: &str) -> String {
    part.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '。' | '-')).to_string()
}

fn has_digit(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
}

/// A town's name as it stands in the text, in any language.
fn named(part: &str, town: &Localised) -> Option<String> {
    let lower = part.to_lowercase();
    let found = town.all().filter(|(_, name)| !name.is_empty()).find(|(_, name)| lower.contains(&name.to_lowercase()));
    found.map(|(_, name)| name.to_string())
}

fn is_only(part: &str, name: &str) -> bool {
    part.to_lowercase() == name.to_lowercase()
}

/// Five or six digits that stand alone, one space allowed: where, and the code without it.
fn postcode(part: &str) -> Option<(usize, usize, String)> {
    let bytes = part.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let first = run(at);
        let spaced = first == 3 && bytes.get(at + 3) == Some(&b' ') && run(at + 4) == 2;
        let end = if spaced { at + 6 } else { at + first };
        if spaced || matches!(first, 5 | 6) {
            return Some((at, end, part[at..end].to_string()));
        }
        at = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    fn check(text: &str, town: &str, expected: Option<(&str, &str, &str)>) {
        let town = if town.is_empty() { Localised::default() } else { Localised::only(Language::En, town) };
        let found = parse(text, &town);
        let found = found.as_ref().map(|found| (found.line1.as_str(), found.city.as_str(), found.postcode.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_address_has_street_town_and_post_code() {
        check("Hlavná 5, Košice, 040 01", "", Some(("Hlavná 5", "Košice", "040 01")));
        check("Hlavná 5, 811 01 Bratislava", "", Some(("Hlavná 5", "Bratislava", "811 01")));
        check("Hlavná 5 81101 Bratislava", "", Some(("Hlavná 5", "Bratislava", "81101")));
        check("ул. Ленина 5, кв. 3, Москва, 101000", "Москва", Some(("ул. Ленина 5, кв. 3", "Москва", "101000")));
        check("Москва, ул. Ленина, д. 5, 101000", "Москва", Some(("ул. Ленина, д. 5", "Москва", "101000")));
        check(
            "新地址：上海市浦东新区世纪大道100号，200120",
            "上海",
            Some(("上海市浦东新区世纪大道100号", "上海", "200120")),
        );
        check("the new one is: 5 High Street, Brno, 602 00", "", Some(("5 High Street", "Brno", "602 00")));
    }

    #[test]
    fn what_lacks_a_part_is_none() {
        check("Hlavná 5, Košice", "", None);
        check("Košice, 040 01", "", None);
        check("040 01", "", None);
        check("to my mother's", "", None);
    }
}
