//! Whether memory and descriptors stay as they are: the first quarter of a run is compared with the
//! last one, once the run is warm.

use super::pair::Samples;
use super::process::Sample;

/// A run is warm after a quarter of its time, and after five minutes at the latest.
const LONGEST_WARM_UP: usize = 300;

/// What may grow by how much: a part of what it was, and an amount.
struct Allowance {
    what: &'static str,
    of: fn(&Sample) -> f64,
    part: f64,
    amount: f64,
}

const ALLOWANCES: [Allowance; 2] = [
    Allowance {
        what: "memory",
        of: |sample| sample.memory as f64,
        part: 0.05,
        amount: 1_048_576.0,
    },
    Allowance {
        what: "descriptors beside connections",
        of: |sample| sample.descriptors as f64 - sample.open as f64,
        part: 0.0,
        amount: 16.0,
    },
];

/// The least in the first and in the last quarter: what grows for good never comes back to it, and a
/// burst of messages does not count.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    pub side: &'static str,
    pub what: &'static str,
    pub first: f64,
    pub last: f64,
}

fn least(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    samples.iter().map(of).reduce(f64::min).unwrap_or(0.0)
}

/// What is compared of a process: its first and its last quarter.
fn quarters(samples: &[Sample]) -> (&[Sample], &[Sample]) {
    let warm = &samples[(samples.len() / 4).min(LONGEST_WARM_UP)..];
    let quarter = warm.len() / 4;
    (&warm[..quarter], &warm[warm.len() - quarter..])
}

fn judge_one(side: &'static str, samples: &[Sample]) -> Result<Vec<Growth>, String> {
    let (first, last) = quarters(samples);
    let mut found = Vec::new();
    for Allowance {
        what,
        of,
        part,
        amount,
    } in ALLOWANCES
    {
        let (first, last) = (least(first, of), least(last, of));
        if last > first + first * part + amount {
            return Err(format!(
                "not flat: {what} of the {side}, {first:.0} in the first quarter, {last:.0} in the last"
            ));
        }
        found.push(Growth {
            side,
            what,
            first,
            last,
        });
    }
    Ok(found)
}

/// The growth of all that is watched; an error if one is too large. What comes after `seconds` is the
/// end, in which processes close what they have.
pub fn judge(samples: &Samples, seconds: u64) -> Result<Vec<Growth>, String> {
    let running = |all: &[Sample]| all.len().min(seconds as usize);
    let mut all = judge_one("server", &samples.server[..running(&samples.server)])?;
    all.extend(judge_one(
        "client",
        &samples.client[..running(&samples.client)],
    )?);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(memory: impl Fn(u64) -> u64, descriptors: impl Fn(u64) -> u64) -> Vec<Sample> {
        let at = |second| Sample {
            memory: memory(second),
            descriptors: descriptors(second),
            ..Sample::default()
        };
        (0..400).map(at).collect()
    }

    #[test]
    fn what_stays_is_flat() {
        let wave = samples(|second| 50_000_000 + second % 7, |second| 900 + second % 50);
        let growth = judge_one("server", &wave).unwrap();
        assert_eq!(growth.len(), 2);
        assert_eq!((growth[0].first, growth[0].last), (50e6, 50e6));
    }

    #[test]
    fn the_beginning_does_not_count() {
        let ramp = samples(
            |second| 1_000_000 * second.min(90),
            |second| 10 * second.min(90),
        );
        assert!(judge_one("server", &ramp).is_ok());
    }

    #[test]
    fn growth_is_found() {
        let memory = samples(|second| 50_000_000 + 30_000 * second, |_| 9);
        assert!(judge_one("server", &memory).unwrap_err().contains("memory"));
        let descriptors = samples(|_| 9, |second| 900 + second / 2);
        let error = judge_one("client", &descriptors).unwrap_err();
        assert!(error.contains("connections of the client"), "{error}");
    }
}
