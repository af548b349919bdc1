//! Charts: all ratios on one page, and plots of cost against what grows. Their lines and labels are for
//! other charts of the project, too.

use std::fmt::Write;

use crate::options::Regime;
use crate::record::Record;
use crate::report;

pub(crate) const QUIET: &str = "#0b6fb8";
const AWAKE: &str = "#d9730d";
pub(crate) const BUSY: &str = "#7a3fb0";
pub(crate) const GREY: &str = "#888";

/// How a chart begins: text sizes, colours and the white ground, readable on light and dark pages.
pub fn head(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    )
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A text beside a point: its `start`, `middle` or `end`.
pub fn label(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = escape(text);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{text}</text>"
    );
}

/// A straight line.
pub fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
    let _ = writeln!(
        svg,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{width}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn colour(regime: Regime) -> &'static str {
    match regime {
        Regime::Quiet => QUIET,
        Regime::Awake => AWAKE,
        Regime::Busy => BUSY,
    }
}

/// A logarithmic axis.
#[derive(Clone, Copy)]
struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Scale {
    /// Whole powers of ten around the values.
    fn around(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Scale {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|&value| value > 0.0) {
            low = low.min(value.log10().floor());
            high = high.max(value.log10().ceil());
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            high += 1.0;
        }
        Scale {
            from: low,
            to: high,
            start,
            end,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.max(1e-30).log10() - self.from) / (self.to - self.from);
        self.start + part.clamp(0.0, 1.0) * (self.end - self.start)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10f64.powi(power))
    }
}

/// One row to a benchmark, one dot to a regime, a line over the middle half of the pairs.
pub fn ratios(records: &[Record]) -> String {
    const ROW: f64 = 15.0;
    const LEFT: f64 = 230.0;
    const WIDTH: f64 = 900.0;
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        if !names.contains(&record.facts.name.as_str()) {
            names.push(&record.facts.name);
        }
    }
    let height = 60.0 + ROW * names.len() as f64;
    let all = records
        .iter()
        .flat_map(|record| [record.ratio.low, record.ratio.high]);
    let scale = Scale::around(all.chain([0.5, 2.0]), LEFT, WIDTH - 20.0);
    let mut svg = head(WIDTH, height + 10.0);
    legend(&mut svg, LEFT);
    for tick in scale.ticks() {
        let x = scale.at(tick);
        let weight = if tick == 1.0 { 1.5 } else { 0.5 };
        line(&mut svg, (x, 40.0), (x, height), GREY, weight);
        label(&mut svg, x, 36.0, "middle", &format!("{tick}×"));
    }
    for (row, name) in names.iter().enumerate() {
        let y = 55.0 + ROW * row as f64;
        label(&mut svg, LEFT - 8.0, y + 4.0, "end", name);
        for record in records.iter().filter(|record| record.facts.name == *name) {
            dot(&mut svg, record, scale, y);
        }
    }
    svg + "</svg>\n"
}

/// The text that a browser shows at the mark of a record: its name, regime and ratios.
pub(crate) fn title(record: &Record) -> String {
    let ratios = report::spread(record.ratio);
    escape(&format!(
        "{}, {}: {ratios}",
        record.facts.name,
        record.regime.name()
    ))
}

fn dot(svg: &mut String, record: &Record, scale: Scale, y: f64) {
    let y = match record.regime {
        Regime::Quiet => y - 3.0,
        Regime::Awake => y,
        Regime::Busy => y + 3.0,
    };
    let colour = colour(record.regime);
    let (low, high) = (scale.at(record.ratio.low), scale.at(record.ratio.high));
    line(svg, (low, y), (high, y), colour, 1.5);
    let title = title(record);
    let _ = writeln!(
        svg,
        "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{title}</title></circle>",
        scale.at(record.ratio.median)
    );
}

fn legend(svg: &mut String, x: f64) {
    for (index, regime) in Regime::ALL.into_iter().enumerate() {
        let x = x + 90.0 * index as f64;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"14\" r=\"4\" fill=\"{}\"/>",
            colour(regime)
        );
        label(svg, x + 8.0, 18.0, "start", regime.name());
    }
    label(
        svg,
        x + 290.0,
        18.0,
        "start",
        "times better than libuv: median, and the middle half of the pairs",
    );
}

/// The figure of a side that a plot shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Nanoseconds to an operation.
    Cost,
    /// Processor nanoseconds to an operation.
    Cpu,
}

pub struct Plot {
    pub series: &'static str,
    pub title: &'static str,
    /// What grows.
    pub axis: &'static str,
    pub what: What,
}

struct Curve {
    colour: &'static str,
    dashes: &'static str,
    points: Vec<(f64, f64)>,
}

/// Plots side by side, two to a row: libuv dashed, ours solid, the bare work dotted.
pub fn plots(plots: &[Plot], records: &[Record]) -> String {
    const WIDTH: f64 = 450.0;
    const HEIGHT: f64 = 290.0;
    let drawn: Vec<(&Plot, Vec<Curve>)> = plots
        .iter()
        .map(|plot| (plot, curves(plot, records)))
        .filter(|(_, curves)| !curves.is_empty())
        .collect();
    let rows = drawn.len().div_ceil(2) as f64;
    let mut svg = head(2.0 * WIDTH, rows * HEIGHT + 40.0);
    plot_legend(&mut svg);
    for (index, (plot, curves)) in drawn.iter().enumerate() {
        let x = (index % 2) as f64 * WIDTH;
        let y = 30.0 + (index / 2) as f64 * HEIGHT;
        panel(&mut svg, plot, curves, (x, y), (WIDTH, HEIGHT));
    }
    svg + "</svg>\n"
}

fn plot_legend(svg: &mut String) {
    let entries = [
        ("libuv, quiet", QUIET, "5 3"),
        ("oxuv, quiet", QUIET, ""),
        ("libuv, awake", AWAKE, "5 3"),
        ("oxuv, awake", AWAKE, ""),
        ("bare system calls", GREY, "1 3"),
    ];
    for (index, (text, colour, dashes)) in entries.into_iter().enumerate() {
        let x = 20.0 + 150.0 * index as f64;
        path(svg, &[(x, 16.0), (x + 30.0, 16.0)], colour, dashes);
        label(svg, x + 36.0, 20.0, "start", text);
    }
}

/// A line through points, dashed as SVG has it.
pub fn path(svg: &mut String, points: &[(f64, f64)], colour: &str, dashes: &str) {
    let words: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\" \
         stroke-dasharray=\"{dashes}\" points=\"{}\"/>",
        words.join(" ")
    );
}

fn curves(plot: &Plot, records: &[Record]) -> Vec<Curve> {
    let mut found = Vec::new();
    for regime in [Regime::Quiet, Regime::Awake] {
        let mut rows: Vec<&Record> = records
            .iter()
            .filter(|record| {
                record.regime == regime && record.facts.series.as_deref() == Some(plot.series)
            })
            .collect();
        rows.sort_by_key(|record| record.facts.n);
        let mut add = |colour, dashes, side: fn(&Record) -> Option<crate::record::Side>| {
            let points: Vec<(f64, f64)> = rows
                .iter()
                .filter_map(|record| {
                    let value = plot.what.of(side(record)?, record)?;
                    Some((record.facts.n as f64, value))
                })
                .collect();
            if points.len() > 1 {
                found.push(Curve {
                    colour,
                    dashes,
                    points,
                });
            }
        };
        add(colour(regime), "5 3", |record| Some(record.upstream));
        add(colour(regime), "", |record| Some(record.ours));
        add(GREY, "1 3", |record| record.bare);
    }
    found
}

impl What {
    fn of(self, side: crate::record::Side, record: &Record) -> Option<f64> {
        match (self, record.facts.kind) {
            (What::Cpu, _) => side.cpu.map(|cpu| cpu * 1e9),
            (What::Cost, crate::record::Kind::Rate) => Some(1e9 / side.value),
            (What::Cost, _) => Some(side.value),
        }
    }
}

fn panel(svg: &mut String, plot: &Plot, curves: &[Curve], place: (f64, f64), size: (f64, f64)) {
    let (left, right) = (place.0 + 70.0, place.0 + size.0 - 15.0);
    let (top, bottom) = (place.1 + 30.0, place.1 + size.1 - 45.0);
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let x = Scale::around(points().map(|point| point.0), left, right);
    let y = Scale::around(points().map(|point| point.1), bottom, top);
    label(svg, left, place.1 + 20.0, "start", plot.title);
    for tick in x.ticks() {
        line(svg, (x.at(tick), top), (x.at(tick), bottom), "#ddd", 1.0);
        label(
            svg,
            x.at(tick),
            bottom + 15.0,
            "middle",
            &report::short(tick),
        );
    }
    label(
        svg,
        (left + right) / 2.0,
        bottom + 32.0,
        "middle",
        plot.axis,
    );
    for tick in y.ticks() {
        line(svg, (left, y.at(tick)), (right, y.at(tick)), "#ddd", 1.0);
        label(
            svg,
            left - 6.0,
            y.at(tick) + 4.0,
            "end",
            &report::duration(tick),
        );
    }
    for curve in curves {
        let points: Vec<(f64, f64)> = curve
            .points
            .iter()
            .map(|point| (x.at(point.0), y.at(point.1)))
            .collect();
        path(svg, &points, curve.colour, curve.dashes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_covers_its_values() {
        let scale = Scale::around([3.0, 4000.0].into_iter(), 0.0, 400.0);
        assert_eq!(
            scale.ticks().collect::<Vec<_>>(),
            [1.0, 10.0, 100.0, 1e3, 1e4]
        );
        assert_eq!(scale.at(1.0), 0.0);
        assert_eq!(scale.at(100.0), 200.0);
        assert_eq!(scale.at(1e9), 400.0);
    }

    #[test]
    fn a_scale_of_nothing_is_no_trouble() {
        let scale = Scale::around(std::iter::empty(), 0.0, 1.0);
        assert!(scale.at(5.0).is_finite());
        let scale = Scale::around([10.0].into_iter(), 0.0, 1.0);
        assert_eq!(scale.ticks().count(), 2);
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escape("a<b & c"), "a&lt;b &amp; c");
    }
}
