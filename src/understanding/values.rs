//! Sizes and order numbers as the shop writes them, from however they were typed.

/// A size as the catalog writes it.
pub(super) fn size_value(typed: &str) -> String {
    let value = typed.trim_end_matches("-и").trim_end_matches("-го").replace([' '], "").replace(['х', '*', 'x'], "×");
    if let Some(width) = metres(&value) {
        return width;
    }
    match value.as_str() {
        "small" | "小" | "с" => "S".to_string(),
        "medium" | "中" | "м" => "M".to_string(),
        "large" | "大" | "л" => "L".to_string(),
        "加大" | "×l" | "хл" => "XL".to_string(),
        "特大" | "××l" => "XXL".to_string(),
        "××s" => "XXS".to_string(),
        "×s" => "XS".to_string(),
        "×××l" => "XXXL".to_string(),
        "s/m" => "S/M".to_string(),
        "l/×l" => "L/XL".to_string(),
        digits if digits.ends_with("×l") => digits.replace('×', "X").to_uppercase(),
        other => other.to_uppercase(),
    }
}

/// The width of a bed as catalogs write it, in centimetres: `1米8`, `一米八`, `1.8`.
fn metres(typed: &str) -> Option<String> {
    let digit = |sign: char| match sign {
        '一' => Some(1),
        '两' | '二' => Some(2),
        other => "零一二三四五六七八九".chars().position(|han| han == other).map(|at| at as u32).or(other.to_digit(10)),
    };
    let (whole, part) = typed.split_once(['米', '.', ','])?;
    let (mut whole, mut part) = (whole.chars(), part.chars());
    let (metres, tenths) = (digit(whole.next()?)?, digit(part.next()?)?);
    let alone = whole.next().is_none() && part.next().is_none() && metres < 3;
    alone.then(|| (metres * 100 + tenths * 10).to_string())
}

/// `TT-10401` however it was typed; a bare number stays bare.
pub(super) fn order_value(typed: &str) -> String {
    let compact: String = typed.chars().filter(|c| c.is_alphanumeric()).collect();
    let split = compact.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let (letters, digits) = compact.split_at(split);
    if letters.is_empty() { digits.to_string() } else { format!("{}-{digits}", letters.to_uppercase()) }
}
