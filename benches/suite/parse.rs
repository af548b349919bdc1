//! Finds the rates in what libuv's benchmarks print.

use crate::stats::geometric_mean;

/// The one number that says how fast a benchmark was: more is better.
pub fn score(name: &str, text: &str) -> Option<f64> {
    // The runner puts its own remarks before the output, each after a mark.
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect();
    if name.contains("_pump") && !name.starts_with("udp") {
        let line = lines.iter().find(|line| line.contains("_client: "))?;
        return numbers_before(line, " gbit/s").first().copied();
    }
    if name == "tcp_write_batch" {
        let line = lines
            .iter()
            .find(|line| line.contains("write requests in"))?;
        return Some(1.0 / numbers_before(line, "s.").last()?);
    }
    if name == "million_timers" {
        let line = lines.iter().find(|line| line.contains("seconds total"))?;
        return Some(1.0 / numbers_before(line, " seconds total").first()?);
    }
    // Of several numbers, the others are parts of the first, or the peer's view of it.
    let first_only = name.starts_with("udp_") || name.starts_with("tcp_multi_accept");
    let mut rates: Vec<f64> = lines.iter().flat_map(|line| rates_in(line)).collect();
    if first_only {
        rates.truncate(1);
    }
    match rates[..] {
        [only] => Some(only),
        _ => geometric_mean(&rates),
    }
}

/// All numbers that are rates to a second: `12,345/s`, `1.5 req/sec`.
fn rates_in(line: &str) -> Vec<f64> {
    line.match_indices("/s")
        .filter_map(|(at, _)| {
            let before = line[..at].trim_end_matches(|letter: char| letter.is_alphabetic());
            number_at_end(before.trim_end())
        })
        .collect()
}

fn numbers_before(line: &str, unit: &str) -> Vec<f64> {
    line.match_indices(unit)
        .filter_map(|(at, _)| number_at_end(&line[..at]))
        .collect()
}

/// The number at the end of a text; commas group its digits.
fn number_at_end(text: &str) -> Option<f64> {
    let start = text
        .rfind(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != ',')
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    text[start..].replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let found = |line| rates_in(line);
        assert_eq!(
            found("loop_count: 2 ticks in 0.80s (2491234/s)"),
            [2491234.0]
        );
        assert_eq!(found("async1: 5.20 sec (192,307/sec)"), [192307.0]);
        assert_eq!(found("ping_pongs: 11000 roundtrips/s"), [11000.0]);
        assert_eq!(found("ping_pongs: 10 pingers, ~ 815 roundtrips/s"), [815.0]);
        assert_eq!(found("a 12/s received, 13/s sent."), [12.0, 13.0]);
        assert_eq!(found("nothing of that sort"), []);
    }

    #[test]
    fn one_number_to_a_benchmark() {
        assert_eq!(
            score("udp_pummel_1v1", "x: 12/s received, 13/s sent."),
            Some(12.0)
        );
        let text = "tcp_pump1_server: 9.0 gbit/s\n# tcp_pump1_client: 8.5 gbit/s\n";
        assert_eq!(score("tcp_pump1_client", text), Some(8.5));
        let text = "10.50 seconds total\n1.00 seconds init\n";
        assert_eq!(score("million_timers", text), Some(1.0 / 10.5));
        let text = "1000000 write requests in 0.50s.\n";
        assert_eq!(score("tcp_write_batch", text), Some(2.0));
        let text = "accept2: 100 accepts/sec (3 total)\n  thread #0: 7 accepts/sec (2 total)\n";
        assert_eq!(score("tcp_multi_accept2", text), Some(100.0));
        assert_eq!(score("spawn", "no rate"), None);
    }

    #[test]
    fn several_rates_give_their_mean() {
        let text = "1 stats (sync): 1s (4/s)\n1 stats (1 concurrent): 1s (16/s)\n";
        assert!((score("fs_stat", text).unwrap() - 8.0).abs() < 1e-9);
    }
}
