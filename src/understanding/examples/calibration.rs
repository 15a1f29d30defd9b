//! How sure a vote is: the chance that it is right, learnt from examples judged by a fit without them.

/// The share of examples that lie farther from all others than a message may before it counts as like none.
const FAR_SHARE: f64 = 0.005;

/// Turns a vote's margin and nearness into a chance.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Calibration {
    bias: f64,
    margin: f64,
    nearness: f64,
    /// The cosine that counts as zero nearness, and the scale of it.
    centre: f64,
    scale: f64,
    /// Below this cosine nothing labelled is like the message.
    pub(super) far: f32,
}

impl Default for Calibration {
    fn default() -> Self {
        Calibration { bias: -1.0, margin: 4.0, nearness: 0.0, centre: 0.0, scale: 1.0, far: -1.0 }
    }
}

impl Calibration {
    /// The chance that a vote of this margin, with a neighbour this near, is right.
    pub(super) fn chance(&self, margin: f32, best: f32) -> f32 {
        self.probability(f64::from(margin), f64::from(best)) as f32
    }

    fn probability(&self, margin: f64, best: f64) -> f64 {
        let nearness = (best - self.centre) / self.scale;
        1.0 / (1.0 + (-(self.bias + self.margin * margin + self.nearness * nearness)).exp())
    }

    /// Logistic regression on margin and nearness by gradient descent.
    pub(super) fn fit(outcomes: &[(f64, f64, bool)]) -> Self {
        let count = outcomes.len().max(1) as f64;
        let mut nearest: Vec<f64> = outcomes.iter().map(|(_, best, _)| *best).collect();
        nearest.sort_by(f64::total_cmp);
        let centre = nearest.iter().sum::<f64>() / count;
        let spread = (nearest.iter().map(|best| (best - centre).powi(2)).sum::<f64>() / count).sqrt();
        let far = nearest.get((count * FAR_SHARE) as usize).map_or(-1.0, |best| *best as f32);
        let mut fit = Calibration { bias: 0.0, margin: 1.0, nearness: 0.5, centre, scale: spread.max(1e-3), far };
        for _ in 0..1500 {
            let (mut bias, mut margin_slope, mut nearness_slope) = (0.0, 0.0, 0.0);
            for (margin, best, right) in outcomes {
                let error = fit.probability(*margin, *best) - f64::from(u8::from(*right));
                bias += error;
                margin_slope += error * margin;
                nearness_slope += error * (best - centre) / fit.scale;
            }
            fit.bias -= 2.0 * bias / count;
            fit.margin -= 2.0 * margin_slope / count;
            fit.nearness -= 2.0 * nearness_slope / count;
        }
        // A nearer neighbour never makes a vote less sure.
        fit.nearness = fit.nearness.max(0.0);
        fit
    }
}
