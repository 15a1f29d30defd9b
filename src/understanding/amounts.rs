//! Amounts and counts as shoppers write them: grouped digits, decimal commas, number words, Chinese numerals, thousands.

/// The whole number and how many of its last digits are decimals: `1 500,90` is (150090, 2).
fn digits(text: &str) -> Option<(u64, u32)> {
    let text = text.trim();
    let parts: Vec<&str> = text.split([' ', '.', ',']).collect();
    let grouped = parts.len() > 1 && parts[1..].iter().all(|part| part.len() == 3);
    let decimals = match parts.last() {
        Some(last) if parts.len() > 1 && !grouped => last.len() as u32,
        _ => 0,
    };
    Some((parts.concat().parse().ok()?, decimals))
}

/// A number times its scale, as digits with a point: `1,5` and 1000 make `1500`.
pub(super) fn amount(number: &str, scale: u64) -> Option<String> {
    let (value, decimals) = digits(number).or_else(|| chinese(number).map(|value| (value, 0)))?;
    let scaled = value.checked_mul(scale)?;
    let unit = 10_u64.checked_pow(decimals)?;
    let (whole, rest) = (scaled / unit, scaled % unit);
    Some(if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:0width$}", width = decimals as usize) })
}

/// A Chinese numeral: `三百`, `两千五`, `十二`.
pub(super) fn chinese(text: &str) -> Option<u64> {
    let (mut total, mut section, mut digit, mut last_unit) = (0_u64, 0_u64, 0_u64, 10_u64);
    for c in text.chars() {
        if let Some(value) = "零一二三四五六七八九".chars().position(|other| other == c) {
            digit = value as u64;
            last_unit = if value == 0 { 10 } else { last_unit };
        } else if c == '两' {
            digit = 2;
        } else if c == '万' {
            total = (total + section + digit).checked_mul(10_000)?;
            (section, digit, last_unit) = (0, 0, 10_000);
        } else {
            let unit = match c {
                '十' => 10,
                '百' => 100,
                '千' => 1000,
                _ => return None,
            };
            section += digit.max(1) * unit;
            (digit, last_unit) = (0, unit);
        }
    }
    // `两千五` leaves out the last unit: five hundred is meant.
    let tail = if last_unit > 10 { digit * last_unit / 10 } else { digit };
    Some(total + section + tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        let check = |text: &str, scale: u64, expected: &str| {
            assert_eq!(amount(text, scale).as_deref(), Some(expected), "{text}")
        };
        check("30", 1, "30");
        check("30 000", 1, "30000");
        check("30.000", 1, "30000");
        check("24,90", 1, "24.90");
        check("1,5", 1000, "1500");
        check("30", 1000, "30000");
        check("1 234 567", 1, "1234567");
        check("三百", 1, "300");
        check("三", 1000, "3000");
    }

    #[test]
    fn chinese_numerals_are_read() {
        let check = |text: &str, expected: u64| assert_eq!(chinese(text), Some(expected), "{text}");
        check("两", 2);
        check("十二", 12);
        check("三百", 300);
        check("两千五", 2500);
        check("一百零五", 105);
        check("一百二十", 120);
        check("三万", 30_000);
        check("三百五", 350);
    }
}
