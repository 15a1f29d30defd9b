//! Every path of the packed product against the portable one, and that against plain floats.

use super::*;
use proptest::prelude::*;

fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed | 1;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn pieces(kind: Kind, floats: &[f32]) -> Vec<Piece> {
    let (high, zero) = match kind {
        Kind::Four => (15.0, 0.0),
        Kind::Six => (63.0, 32.0),
        Kind::Eight => (255.0, 0.0),
    };
    let piece = |x: &[f32]| {
        let numbers = std::array::from_fn(|k| ((x[k] + 1.0) / 2.0 * high).round() as u8);
        let scale = half(to_half(2.0 / high));
        let scales = if zero > 0.0 { [scale, half(to_half(scale * 0.7))] } else { [scale; 2] };
        Piece { numbers, scales, off: if zero > 0.0 { 0.0 } else { 1.0 } }
    };
    floats.chunks_exact(BLOCK).map(piece).collect()
}

fn packed(kind: Kind, (rows, columns): (usize, usize), pieces: &[Piece]) -> Packed {
    let mut packed = Packed::new(kind, (rows, columns)).unwrap();
    let blocks = columns / BLOCK;
    for (at, piece) in pieces.iter().enumerate() {
        let (row, block) = (at / blocks, at % blocks);
        let tile = (row / PANEL * blocks + block) * kind.lines();
        put(kind, &mut packed.lines[tile..tile + kind.lines()], row % PANEL, piece);
    }
    packed
}

proptest! {
    #[test]
    fn every_path_gives_what_the_portable_one_gives(
        seed in any::<u64>(), count in 1usize..20, rows in 1usize..40, blocks in 1usize..5, which in 0usize..3,
    ) {
        let kind = [Kind::Four, Kind::Six, Kind::Eight][which];
        let columns = blocks * BLOCK;
        let pieces = pieces(kind, &noise(seed, rows * columns));
        let packed = packed(kind, (rows, columns), &pieces);
        let x = noise(seed / 3, count * columns);
        let mut activations = vec![Block::EMPTY; count * blocks];
        quantise(&x, &mut activations);
        let mut weights = vec![0.0; columns];
        for panel in 0..packed.panels() {
            let mut want = vec![0.0; count * PANEL];
            packed.multiply(Level::PORTABLE, panel, &activations, &mut want);
            for level in Level::all() {
                let mut got = vec![f32::NAN; count * PANEL];
                packed.multiply(level, panel, &activations, &mut got);
                for (got, want) in got.iter().zip(&want) {
                    prop_assert!((got - want).abs() <= 2e-4, "{kind:?} {level:?}: {got}, not {want}");
                }
            }
            for row in panel * PANEL..rows.min((panel + 1) * PANEL) {
                packed.row(row, &mut weights);
                for (x, got) in x.chunks_exact(columns).zip(want.chunks_exact(PANEL)) {
                    let sum: f32 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
                    let room: f32 = weights.iter().map(|w| w.abs()).sum::<f32>() / 127.0;
                    prop_assert!((got[row % PANEL] - sum).abs() <= room + 1e-3, "{kind:?}: {got:?}, not {sum}");
                }
            }
        }
    }

    #[test]
    fn what_is_put_is_got(seed in any::<u64>(), which in 0usize..3) {
        let kind = [Kind::Four, Kind::Six, Kind::Eight][which];
        let pieces = pieces(kind, &noise(seed, 16 * BLOCK));
        let packed = packed(kind, (16, BLOCK), &pieces);
        for (row, piece) in pieces.iter().enumerate() {
            let got = get(kind, &packed.lines, row);
            prop_assert_eq!((got.numbers, got.scales, got.off), (piece.numbers, piece.scales, piece.off));
        }
    }
}

#[test]
fn extremes_do_not_overflow() {
    for (kind, top) in [(Kind::Four, 15u8), (Kind::Six, 63), (Kind::Eight, 255)] {
        for number in [0, top] {
            let piece = Piece { numbers: [number; BLOCK], scales: [1.0; 2], off: 0.0 };
            let packed = packed(kind, (1, BLOCK), &[piece]);
            for sign in [1.0f32, -1.0] {
                let mut blocks = vec![Block::EMPTY];
                quantise(&[127.0 * sign; BLOCK], &mut blocks);
                let want = (i32::from(number) - kind.zero()) as f32 * 127.0 * 32.0 * sign;
                for level in Level::all() {
                    let mut out = vec![0.0; PANEL];
                    packed.multiply(level, 0, &blocks, &mut out);
                    assert_eq!(out[..2], [want, 0.0], "{kind:?} {level:?}");
                }
            }
        }
    }
}
