//! Memory and descriptors of both processes over time.

use bench_results::svg;

use super::pair::Samples;
use super::process::Sample;

const WIDTH: f64 = 800.0;
const PANEL_HEIGHT: f64 = 230.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = WIDTH - 20.0;
/// More would not be seen.
const MOST_POINTS: usize = 400;

const SIDES: [(&str, &str); 2] = [("server", "#0b6fb8"), ("client", "#d9730d")];

/// One kind of value over time.
struct Panel {
    title: &'static str,
    of: fn(&Sample) -> f64,
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "memory, MB",
        of: |sample| sample.memory as f64 / 1e6,
    },
    Panel {
        title: "descriptors",
        of: |sample| sample.descriptors as f64,
    },
];

/// A round number that is no less: the end of an axis that begins with 0.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|step| *step >= value)
        .unwrap_or(10.0 * power)
}

pub fn draw(samples: &Samples) -> String {
    let mut text = svg::head(WIDTH, PANELS.len() as f64 * PANEL_HEIGHT + 30.0);
    for (index, (name, colour)) in SIDES.into_iter().enumerate() {
        let x = LEFT + 100.0 * index as f64;
        svg::path(&mut text, &[(x, 14.0), (x + 24.0, 14.0)], colour, "");
        svg::label(&mut text, x + 30.0, 18.0, "start", name);
    }
    for (index, panel) in PANELS.iter().enumerate() {
        draw_panel(
            &mut text,
            panel,
            samples,
            30.0 + PANEL_HEIGHT * index as f64,
        );
    }
    text + "</svg>\n"
}

fn draw_panel(text: &mut String, panel: &Panel, samples: &Samples, top: f64) {
    let curves = [&samples.server, &samples.client];
    let seconds = curves
        .map(|curve| curve.len())
        .into_iter()
        .max()
        .unwrap_or(0);
    let highest = curves
        .into_iter()
        .flatten()
        .map(panel.of)
        .fold(0.0, f64::max);
    let (from, to) = (top + 25.0, top + PANEL_HEIGHT - 40.0);
    let (end_x, end_y) = (seconds.max(2) as f64 - 1.0, round_up(highest));
    let x = |second: f64| LEFT + second / end_x * (RIGHT - LEFT);
    let y = |value: f64| to - value / end_y * (to - from);
    svg::label(text, LEFT, top + 16.0, "start", panel.title);
    for part in 0..=4 {
        let (value, second) = (end_y * f64::from(part) / 4.0, end_x * f64::from(part) / 4.0);
        svg::line(text, (LEFT, y(value)), (RIGHT, y(value)), "#ddd", 1.0);
        svg::label(text, LEFT - 6.0, y(value) + 4.0, "end", &format!("{value}"));
        svg::label(text, x(second), to + 16.0, "middle", &time(second));
    }
    for (curve, (_, colour)) in curves.into_iter().zip(SIDES) {
        let step = curve.len().div_ceil(MOST_POINTS).max(1);
        let points: Vec<(f64, f64)> = (curve.iter().enumerate().step_by(step))
            .map(|(second, sample)| (x(second as f64), y((panel.of)(sample))))
            .collect();
        svg::path(text, &points, colour, "");
    }
}

fn time(seconds: f64) -> String {
    match seconds < 300.0 {
        true => format!("{seconds:.0} s"),
        false => format!("{:.0} min", seconds / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_with_round_numbers() {
        for (value, end) in [
            (0.0, 1.0),
            (3.0, 4.0),
            (10.0, 10.0),
            (41.0, 50.0),
            (9999.0, 10000.0),
        ] {
            assert_eq!(round_up(value), end);
        }
    }

    #[test]
    fn a_run_of_nothing_is_no_trouble() {
        let samples = Samples {
            server: Vec::new(),
            client: vec![Sample::default()],
        };
        let text = draw(&samples);
        assert!(text.ends_with("</svg>\n") && !text.contains("NaN"));
    }
}
