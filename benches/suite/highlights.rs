//! The chart of the README: some ratios that a reader knows from programs, in one picture.

use std::fmt::Write;

use crate::options::Regime;
use crate::record::{Record, Recorded};
use crate::report;
use crate::svg::{self, BUSY, GREY, QUIET};

/// The rows of the chart: an activity of programs in words, and the benchmark that measures it.
/// Activities without a gain are there, too.
const ROWS: &[(&str, &str)] = &[
    (
        "a job on the thread pool, and its callback",
        "work::queue_work",
    ),
    ("a wake-up from another thread", "async::async1"),
    ("the status of a cached file", "fs::stat_1"),
    (
        "a small cached file opened, read and closed",
        "fs::readfile_1",
    ),
    ("a request and its answer over TCP", "ping_pong::tcp_1"),
    ("the same over a Unix socket", "ping_pong::pipe_1"),
    ("a datagram and its answer", "udp::ping_udp1"),
    ("a timer among a million", "timers::million_timers"),
    ("an iteration of the loop", "loop::loop_count"),
    (
        "an echo server with 1,000 busy connections",
        "echo::tcp_1000",
    ),
    ("bulk data over TCP", "pump::tcp_pump_1"),
    ("a process started and ended", "system::spawn"),
];

const WIDTH: f64 = 860.0;
const ROW: f64 = 30.0;
const TOP: f64 = 66.0;
/// Where the bars begin and end: at the ratio 0.5, and at the greatest power of ten needed.
const LEFT: f64 = 320.0;
const RIGHT: f64 = WIDTH - 70.0;
const LEAST: f64 = 0.5;

/// The chart; without rows if nothing of it is recorded.
pub fn chart(recorded: &Recorded) -> String {
    let find = |name: &str, regime| recorded.find(name, regime);
    let found = ROWS.iter().flat_map(|(_, name)| {
        let regimes = [Regime::Quiet, Regime::Busy].into_iter();
        regimes.filter_map(|regime| find(name, regime))
    });
    let most = found.map(|record| record.ratio.median).fold(2.0, f64::max);
    let bottom = TOP + ROW * ROWS.len() as f64;
    let mut svg = svg::head(WIDTH, bottom + 46.0);
    let is_busy = |record: &Record| record.regime == Regime::Busy;
    heading(&mut svg, recorded.records.iter().any(is_busy));
    axis(&mut svg, most, bottom);
    for (index, (text, name)) in ROWS.iter().enumerate() {
        let y = TOP + ROW * index as f64;
        svg::label(&mut svg, LEFT - 10.0, y + 18.0, "end", text);
        for (regime, colour, from, height) in [
            (Regime::Quiet, QUIET, 5.0, 12.0),
            (Regime::Busy, BUSY, 18.0, 6.0),
        ] {
            if let Some(record) = find(name, regime) {
                bar(&mut svg, record, most, colour, (y + from, height));
            }
        }
    }
    let machine = format!("Measured on {}.", recorded.machine);
    svg::label(&mut svg, WIDTH - 10.0, bottom + 38.0, "end", &machine);
    svg + "</svg>\n"
}

fn heading(svg: &mut String, has_busy: bool) {
    let text = "How many times faster than libuv 1.53: the median of runs in pairs";
    svg::label(svg, WIDTH / 2.0, 20.0, "middle", text);
    let quiet = (LEFT, QUIET, "on a quiet machine");
    let busy = (LEFT + 160.0, BUSY, "beside programs that never wait");
    let entries = [Some(quiet), has_busy.then_some(busy)];
    for (x, colour, text) in entries.into_iter().flatten() {
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"31\" width=\"10\" height=\"10\" fill=\"{colour}\"/>"
        );
        svg::label(svg, x + 15.0, 40.0, "start", text);
    }
}

/// The place of a ratio. The axis is logarithmic: half as fast is as far as twice as fast.
fn place(ratio: f64, most: f64) -> f64 {
    let part = (ratio.max(LEAST) / LEAST).ln() / (most / LEAST).ln();
    LEFT + part * (RIGHT - LEFT)
}

fn axis(svg: &mut String, most: f64, bottom: f64) {
    for tick in [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0] {
        if tick <= most {
            let x = place(tick, most);
            let weight = if tick == 1.0 { 1.5 } else { 0.4 };
            svg::line(svg, (x, TOP - 6.0), (x, bottom), GREY, weight);
            svg::label(svg, x, bottom + 14.0, "middle", &format!("{tick}×"));
        }
    }
}

/// From 1× to the ratio, and the ratio in words.
fn bar(svg: &mut String, record: &Record, most: f64, colour: &str, (y, height): (f64, f64)) {
    let ratio = record.ratio.median;
    let (one, at) = (place(1.0, most), place(ratio, most));
    let _ = writeln!(
        svg,
        "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"{colour}\">\
         <title>{}</title></rect>",
        one.min(at),
        (at - one).abs().max(1.0),
        svg::title(record)
    );
    if record.regime == Regime::Quiet {
        let text = report::ratio(ratio);
        svg::label(svg, one.max(at) + 6.0, y + 10.0, "start", &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_of_nothing_is_no_trouble() {
        let chart = chart(&Recorded::default());
        assert!(chart.ends_with("</svg>\n"));
        assert!(!chart.contains("NaN"));
    }

    #[test]
    fn half_and_twice_are_as_far_from_one() {
        let most = 50.0;
        let half = place(1.0, most) - place(0.5, most);
        let twice = place(2.0, most) - place(1.0, most);
        assert!((half - twice).abs() < 1e-9);
        assert!(place(0.1, most) >= LEFT && place(most, most) <= RIGHT + 1e-9);
    }
}
