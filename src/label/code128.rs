//! Code 128 (ISO/IEC 15417), set B: printable ASCII in, widths of bars and gaps out.

/// Widths of the three bars and three gaps of each value, in modules; 103 to 105 begin a code.
const WIDTHS: [&str; 106] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213", "221312",
    "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132", "221231", "213212",
    "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321", "232121",
    "111323", "131123", "131321", "112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331",
    "132131", "113123", "113321", "133121", "313121", "211331", "231131", "213113", "213311", "213131", "311123",
    "311321", "331121", "312113", "312311", "332111", "314111", "221411", "431111", "111224", "111422", "121124",
    "121421", "141122", "141221", "112214", "112412", "122114", "122411", "142112", "142211", "241211", "221114",
    "413111", "241112", "134111", "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112",
    "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311",
    "113141", "114131", "311141", "411131", "211412", "211214", "211232",
];
const START_B: usize = 104;
const STOP: &str = "2331112";

/// Widths of bars and gaps in turn, a bar first; none for a text with anything but printable ASCII.
pub(super) fn widths(text: &str) -> Option<Vec<u8>> {
    let printable = |byte: u8| (b' '..=b'~').contains(&byte);
    if text.is_empty() || !text.bytes().all(printable) {
        return None;
    }
    let values: Vec<usize> = text.bytes().map(|byte| usize::from(byte - b' ')).collect();
    let sum = values.iter().enumerate().fold(START_B, |sum, (at, value)| sum + (at + 1) * value);
    let symbols = std::iter::once(START_B).chain(values).chain([sum % 103]).map(|value| WIDTHS[value]).chain([STOP]);
    Some(symbols.flat_map(|widths| widths.bytes().map(|digit| digit - b'0')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a scanner reads: start, text, check value, stop.
    fn read(widths: &[u8]) -> Option<String> {
        let (symbols, stop) = widths.split_at(widths.len().checked_sub(7)?);
        let digits = |part: &[u8]| part.iter().map(|width| char::from(b'0' + width)).collect::<String>();
        let value = |part: &[u8]| WIDTHS.iter().position(|known| *known == digits(part));
        let values: Vec<usize> = symbols.chunks(6).map(value).collect::<Option<_>>()?;
        let (check, values) = values.split_last()?;
        let (start, values) = values.split_first()?;
        let sum = values.iter().enumerate().fold(*start, |sum, (at, value)| sum + (at + 1) * value);
        let whole = *start == START_B && digits(stop) == STOP && sum % 103 == *check;
        let text = values.iter().map(|value| char::from(b' ' + u8::try_from(*value).unwrap_or(0))).collect();
        whole.then_some(text)
    }

    #[test]
    fn a_scanner_reads_what_was_written() {
        for text in ["RMA-TT-10436", "A", " ~", "Wikipedia"] {
            assert_eq!(read(&widths(text).unwrap()).as_deref(), Some(text));
        }
        // The check value of this very text is published: 88, the letter x in set B.
        assert_eq!(widths("Wikipedia").unwrap()[6 * 10..6 * 11], [4, 2, 1, 2, 1, 1]);
        for text in ["", "č", "заказ", "a\n"] {
            assert_eq!(widths(text), None, "{text}");
        }
    }

    #[test]
    fn the_table_is_the_standards() {
        let mut seen = std::collections::BTreeSet::new();
        for widths in WIDTHS {
            let digits: Vec<u32> = widths.chars().filter_map(|c| c.to_digit(10)).collect();
            assert_eq!((digits.len(), digits.iter().sum::<u32>()), (6, 11), "{widths}");
            assert_eq!(digits.iter().step_by(2).sum::<u32>() % 2, 0, "{widths}");
            assert!(seen.insert(widths), "{widths} stands twice");
        }
    }
}
