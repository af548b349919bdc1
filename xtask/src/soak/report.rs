//! The summary of a run, and its place in `docs/reliability.md`.

use std::path::Path;

use super::pair::{Extent, Samples};
use super::plot;
use super::process::Sample;
use super::verdict::Growth;
use crate::{Outcome, document};

/// A number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn last(samples: &[Sample]) -> Sample {
    samples.last().copied().unwrap_or_default()
}

fn table(growth: &[Growth]) -> String {
    let mut text = String::from(
        "| least of | first quarter | last quarter |\n\
         |---|---|---|\n",
    );
    for Growth {
        side,
        what,
        first,
        last,
    } in growth
    {
        let value = |number: f64| match *what {
            "memory" => format!("{:.1} MB", number / 1e6),
            _ => format!("{number}"),
        };
        text += &format!(
            "| {what} of the {side} | {} | {} |\n",
            value(*first),
            value(*last)
        );
    }
    text
}

pub fn summary(
    extent: &Extent,
    limit: u64,
    samples: &Samples,
    growth: &Result<Vec<Growth>, String>,
) -> String {
    let (server, client) = (last(&samples.server), last(&samples.client));
    let both = |of: fn(&Sample) -> u64| grouped(of(&server) + of(&client));
    let result = match growth {
        Ok(growth) => table(growth),
        Err(fault) => fault.clone(),
    };
    format!(
        "{} minutes, {} connections open at a time ({} descriptors allowed), seed {}. In all {} \
         connections, {} of them reset; {:.1} GB verified; {} timers, {} files, {} children, {} \
         watches and {} jobs. Nothing was lost, and in the end no descriptor and no memory of the \
         library was left.\n\n{result}",
        samples.client.len() / 60,
        grouped(extent.connections),
        grouped(limit),
        extent.seed,
        grouped(client.made),
        both(|sample| sample.resets),
        (server.bytes + client.bytes) as f64 / 1e9,
        both(|sample| sample.timers),
        both(|sample| sample.files),
        both(|sample| sample.children),
        both(|sample| sample.watches),
        both(|sample| sample.jobs),
    )
}

/// Puts summary and plot into the document: in the part of libuv if it ran on that.
pub fn write(root: &Path, is_upstream: bool, summary: &str, samples: &Samples) -> Outcome {
    let (section, plot) = match is_upstream {
        true => ("soak-libuv", "soak-libuv.svg"),
        false => ("soak", "soak.svg"),
    };
    let path = root.join("docs").join(plot);
    std::fs::write(&path, plot::draw(samples))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let text = format!("{summary}\n![Memory and descriptors over time]({plot})");
    document::write_section(root, "docs/reliability.md", section, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
