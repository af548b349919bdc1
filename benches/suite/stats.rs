//! Medians, quartiles and means of what was measured.

/// The middle of several values, and how far the middle half of them is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    /// The first and third quartile.
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

impl Summary {
    /// None of no values, or of values that are not numbers.
    pub fn of(values: &[f64]) -> Option<Summary> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Summary {
            median: quantile(&sorted, 0.5),
            low: quantile(&sorted, 0.25),
            high: quantile(&sorted, 0.75),
            count: sorted.len(),
        })
    }
}

/// The value below which this part of the sorted values lies, between neighbours by distance.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let position = part * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let fraction = position - below as f64;
    sorted[below] + (sorted[above] - sorted[below]) * fraction
}

/// The middle of the values.
pub fn median(values: &[f64]) -> Option<f64> {
    Summary::of(values).map(|summary| summary.median)
}

/// The mean of ratios: twice as fast and half as fast cancel out.
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    if ratios.is_empty() || ratios.iter().any(|&ratio| ratio.is_nan() || ratio <= 0.0) {
        return None;
    }
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    Some((sum / ratios.len() as f64).exp())
}

/// Ratios of what was measured in pairs, `ours` above `theirs`.
pub fn ratios(ours: &[f64], theirs: &[f64]) -> Vec<f64> {
    ours.iter()
        .zip(theirs)
        .map(|(ours, theirs)| ours / theirs)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[f64]) -> Summary {
        Summary::of(values).unwrap()
    }

    #[test]
    fn odd_and_even_counts() {
        assert_eq!(summary(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(summary(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(summary(&[7.0]).median, 7.0);
    }

    #[test]
    fn quartiles_lie_between_neighbours() {
        let found = summary(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((found.low, found.high, found.count), (2.0, 4.0, 5));
        let found = summary(&[1.0, 2.0]);
        assert_eq!((found.low, found.high), (1.25, 1.75));
        let found = summary(&[5.0]);
        assert_eq!((found.low, found.high), (5.0, 5.0));
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert_eq!(summary(&[1.0, 1.0, 1.0, 1.0, 1e9]).median, 1.0);
        assert_eq!(summary(&[1.0, 1.0, 1.0, 1.0, 1e9]).high, 1.0);
    }

    #[test]
    fn nothing_and_no_numbers_have_no_summary() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[1.0, f64::NAN]), None);
        assert_eq!(Summary::of(&[f64::INFINITY]), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_geometric_mean_is_fair_to_both_sides() {
        let mean = geometric_mean(&[2.0, 0.5]).unwrap();
        assert!((mean - 1.0).abs() < 1e-12);
        let mean = geometric_mean(&[1.0, 8.0]).unwrap();
        assert!((mean - 8f64.sqrt()).abs() < 1e-12);
        assert_eq!(geometric_mean(&[]), None);
        assert_eq!(geometric_mean(&[1.0, 0.0]), None);
        assert_eq!(geometric_mean(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn ratios_go_pair_by_pair() {
        assert_eq!(ratios(&[2.0, 6.0], &[1.0, 2.0]), [2.0, 3.0]);
        assert_eq!(ratios(&[2.0, 6.0, 1.0], &[1.0, 2.0]), [2.0, 3.0]);
    }
}
