// SPDX-License-Identifier: MIT OR Apache-2.0
//! The picture of `bench`: what a call costs by the length of the chain, and what attaching costs.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use plotters::prelude::{
    BLACK, Cartesian2d, ChartBuilder, ChartContext, Circle, Color, IntoDrawingArea, IntoFont, IntoLogRange,
    LineSeries, Palette, Palette99, PathElement, Ranged, Rectangle, SVGBackend, SeriesLabelPosition, WHITE,
};

use crate::record::bench::{ATTACH, figures};
use crate::record::model::Run;
use seccomp_oracle::bench::IRQS_OFF;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (960, 1040);

/// Lengths of chains that are drawn.
const LENGTH_MAX: u64 = 8;

/// Points of one line: length of the chain, instructions.
type Line = Vec<(f64, f64)>;

/// The picture as SVG.
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(run: &Run) -> Result<String> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        let failed = |error: &dyn std::fmt::Display| anyhow!("drawing the picture: {error}");
        area.fill(&WHITE).map_err(|error| failed(&error))?;
        let (above, below) = area.split_vertically(480);
        calls(run, &above).map_err(|error| failed(&error))?;
        attaching(run, &below).map_err(|error| failed(&error))?;
        area.present().map_err(|error| failed(&error))?;
    }
    Ok(text)
}

type Area<'a> = plotters::drawing::DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

/// The lines of a cell: calls without filters, cached, and not.
fn lines(figures: &BTreeMap<&str, u64>) -> Vec<(&'static str, Line)> {
    let of_prefix = |prefix: &str| -> Line {
        let number = |name: &str| name.strip_prefix(prefix)?.parse::<u64>().ok();
        let mut points: Vec<(u64, u64)> =
            figures.iter().filter_map(|(name, figure)| Some((number(name)?, *figure))).collect();
        points.sort_unstable();
        points.retain(|(length, _)| *length <= LENGTH_MAX);
        points.into_iter().map(|(length, figure)| (length as f64, figure as f64)).collect()
    };
    let native =
        figures.get("native").map(|native| (0..=LENGTH_MAX).map(|at| (at as f64, *native as f64)).collect());
    let mut lines = vec![("cached", of_prefix("cached.")), ("uncached", of_prefix("uncached."))];
    lines.extend(native.map(|line| ("native", line)));
    lines.retain(|(_, line)| !line.is_empty());
    lines
}

fn calls(run: &Run, area: &Area<'_>) -> Drawn {
    let cells: Vec<_> = run.cells.iter().map(|cell| (cell.id.as_str(), lines(&figures(cell)))).collect();
    let heights =
        cells.iter().flat_map(|(_, lines)| lines).flat_map(|(_, line)| line).map(|(_, height)| *height);
    let top = heights.fold(100.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption(
            "getpid() under a chain of filters (thick: cached, thin: native)",
            ("sans-serif", 20).into_font(),
        )
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..LENGTH_MAX as f64, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("filters")
        .y_desc("guest instructions a call")
        .x_label_formatter(&|length| format!("{length:.0}"))
        .y_label_formatter(&|height| format!("{height:.0}"))
        .x_labels(9)
        .draw()?;
    for (at, (id, lines)) in cells.iter().enumerate() {
        let colour = Palette99::pick(at).to_rgba();
        for (kind, line) in lines {
            // Of each cell one line stands in the legend; the kinds tell themselves apart by their form.
            let width = match *kind {
                "cached" => 3,
                "uncached" => 2,
                _ => 1,
            };
            let series =
                chart.draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(width)))?;
            if *kind == "cached" || lines.len() < 3 && *kind == "uncached" {
                series.label((*id).to_owned()).legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(3))
                });
            }
            chart.draw_series(line.iter().map(|point| Circle::new(*point, 2, colour.filled())))?;
        }
    }
    legend(&mut chart)
}

/// Who is who, where no line and no bar stands.
fn legend<'a, X, Y>(chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>) -> Drawn
where
    X: Ranged,
    Y: Ranged,
{
    let labels = &mut chart.configure_series_labels();
    labels
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

/// A name that fits below its bars.
fn short(program: &str) -> &str {
    match program {
        "systemd-system-service" => "systemd",
        "one-on-docker" => "2nd one",
        other => other,
    }
}

fn attaching(run: &Run, area: &Area<'_>) -> Drawn {
    let cells: Vec<_> = run.cells.iter().map(|cell| (cell.id.as_str(), figures(cell))).collect();
    let mut programs: Vec<&str> = Vec::new();
    for (_, figures) in &cells {
        for name in figures.keys().filter(|name| name.starts_with(ATTACH) && !name.ends_with(IRQS_OFF)) {
            if !programs.contains(name) {
                programs.push(name);
            }
        }
    }
    if programs.is_empty() {
        return Ok(());
    }
    let (lowest, highest) = (
        5e3,
        cells.iter().flat_map(|(_, figures)| programs.iter().filter_map(|name| figures.get(*name))).max(),
    );
    let top = highest.map_or(1e5, |most| *most as f64 * 2.0).max(1e5);
    let count = programs.len();
    let mut chart = ChartBuilder::on(area)
        .caption("attaching a filter", ("sans-serif", 20).into_font())
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..count as f64, (lowest..top).log_scale())?;
    let name_at = |at: &f64| {
        let name = programs.get(*at as usize).filter(|_| (at.fract() - 0.5).abs() < 0.01);
        name.map_or_else(String::new, |name| short(&name[ATTACH.len()..]).to_owned())
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(count * 2 + 1)
        .x_label_formatter(&name_at)
        .y_label_formatter(&|height| format!("{height:.0}"))
        .y_desc("guest instructions")
        .draw()?;
    let width = 0.8 / cells.len().max(1) as f64;
    for (at, (id, figures)) in cells.iter().enumerate() {
        let colour = Palette99::pick(at).to_rgba();
        let bars = programs.iter().enumerate().filter_map(|(program, name)| {
            let left = program as f64 + 0.1 + width * at as f64;
            let height = *figures.get(*name)? as f64;
            Some(Rectangle::new([(left, lowest), (left + width * 0.9, height)], colour.filled()))
        });
        chart
            .draw_series(bars.collect::<Vec<_>>())?
            .label((*id).to_owned())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], colour.filled()));
    }
    legend(&mut chart)
}
