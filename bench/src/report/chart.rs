//! The chart for the README: throughput by place, sides and capacity, ours in colour.

use super::Report;
use super::stats::{apart, places};
use crate::cell::{Load, Place};
use crate::runner::Row;
use crate::subject::Role;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::path::Path;

const WIDTH: u32 = 1600;
const PANEL: u32 = 300;
const LEGEND: u32 = 84;
const OURS: [RGBColor; 4] = [
    RGBColor(16, 92, 196),
    RGBColor(0, 158, 115),
    RGBColor(132, 60, 196),
    RGBColor(214, 39, 100),
];
/// Muted, so that ours stand out; told apart by their order too.
const PEERS: [RGBColor; 12] = [
    RGBColor(245, 190, 120),
    RGBColor(170, 170, 170),
    RGBColor(230, 150, 140),
    RGBColor(200, 200, 130),
    RGBColor(150, 190, 200),
    RGBColor(205, 170, 205),
    RGBColor(120, 120, 120),
    RGBColor(190, 150, 110),
    RGBColor(175, 205, 160),
    RGBColor(225, 205, 185),
    RGBColor(140, 150, 180),
    RGBColor(90, 90, 90),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

impl Report {
    /// Draws the throughput of these places into an SVG file: with the cores near, if they ever were.
    pub fn chart(&self, file: &Path, place: impl Fn(Place) -> bool) -> Result<(), String> {
        let of = |far| {
            let mut rows = apart(&self.rows, far);
            rows.retain(|row| place(row.cell.place) && row.cell.load == Load::Stream);
            rows.retain(|row| row.series.iter().any(|series| series.median().is_some()));
            rows
        };
        let near = of(false);
        let crosses = near.iter().any(|row| row.cell.crosses_cores());
        let rows = if crosses {
            near
        } else {
            [of(true), near].concat()
        };
        draw(&rows, file).map_err(|error| format!("{}: {error}", file.display()))
    }
}

fn draw<'a>(all: &[Row], file: &'a Path) -> Result<(), Box<dyn std::error::Error + 'a>> {
    // The items that most people push, and no crowds.
    let rows: Vec<&Row> = (all.iter())
        .filter(|row| row.cell.place == Place::Processes || row.cell.size == 8)
        .filter(|row| row.cell.shape.producers.max(row.cell.shape.consumers) < 100)
        .collect();
    let places: Vec<Place> = places(all)
        .into_iter()
        .filter(|place| rows.iter().any(|row| row.cell.place == *place))
        .collect();
    let height = (PANEL + LEGEND) * places.len().max(1) as u32;
    let root = SVGBackend::new(file, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    for (place, area) in places
        .iter()
        .zip(root.split_evenly((places.len().max(1), 1)))
    {
        let rows: Vec<&Row> = rows
            .iter()
            .copied()
            .filter(|r| r.cell.place == *place)
            .collect();
        strip(&area, *place, &rows)?;
    }
    root.present()?;
    Ok(())
}

/// One place: a panel for each pairing of producers and consumers, and the legend.
fn strip(area: &Area<'_>, place: Place, rows: &[&Row]) -> Result<(), Box<dyn std::error::Error>> {
    let mut sides: Vec<(usize, usize)> = Vec::new();
    let mut subjects: Vec<(String, Role)> = Vec::new();
    for row in rows {
        let pair = (row.cell.shape.producers, row.cell.shape.consumers);
        if !sides.contains(&pair) {
            sides.push(pair);
        }
        for series in &row.series {
            if !subjects.iter().any(|(name, _)| *name == series.subject) {
                subjects.push((series.subject.clone(), series.role));
            }
        }
    }
    let medians = rows
        .iter()
        .flat_map(|row| &row.series)
        .filter_map(|series| series.median());
    let (least, most) = medians.fold((f64::MAX, 0.0_f64), |(l, m), v| (l.min(v), m.max(v)));
    let scale =
        10f64.powf(least.max(1e-4).log10().floor())..10f64.powf(most.max(1e-3).log10().ceil());
    let colours = colours(&subjects);
    let (panels, legend) = area.split_vertically(PANEL);
    for (pair, panel) in sides.iter().zip(panels.split_evenly((1, sides.len()))) {
        let rows: Vec<&Row> = rows
            .iter()
            .copied()
            .filter(|row| (row.cell.shape.producers, row.cell.shape.consumers) == *pair)
            .collect();
        let groups = if place == Place::Processes {
            "size"
        } else {
            "capacity"
        };
        let title = format!("{}, {} to {}, by {groups}", place.title(), pair.0, pair.1);
        bars(&panel, &title, &rows, &subjects, &colours, scale.clone())?;
    }
    let font = ("sans-serif", 14).into_font();
    for (index, ((name, _), colour)) in subjects.iter().zip(&colours).enumerate() {
        let (x, y) = (50 + 255 * (index as i32 % 6), 6 + 24 * (index as i32 / 6));
        legend.draw(&Rectangle::new([(x, y), (x + 14, y + 14)], colour.filled()))?;
        legend.draw(&Text::new(name.clone(), (x + 20, y), font.clone()))?;
    }
    Ok(())
}

fn colours(subjects: &[(String, Role)]) -> Vec<RGBColor> {
    let (mut ours, mut peers) = (OURS.iter().cycle(), PEERS.iter().cycle());
    subjects
        .iter()
        .map(|(_, role)| match role {
            Role::Ours => ours.next(),
            Role::Peer | Role::Yardstick => peers.next(),
        })
        .map(|colour| *colour.expect("a cycle"))
        .collect()
}

/// One panel: a group of bars for each capacity (or size of items).
fn bars(
    area: &Area<'_>,
    title: &str,
    rows: &[&Row],
    subjects: &[(String, Role)],
    colours: &[RGBColor],
    scale: std::ops::Range<f64>,
) -> Result<(), Box<dyn std::error::Error>> {
    let floor = scale.start;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 14))
        .margin(6)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..rows.len() as f64, scale.log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_label_formatter(&|value| format!("{value} M/s"))
        .light_line_style(RGBColor(240, 240, 240))
        .draw()?;
    let width = 0.86 / subjects.len() as f64;
    for (group, row) in rows.iter().enumerate() {
        for (index, (name, _)) in subjects.iter().enumerate() {
            let series = row.series.iter().find(|series| series.subject == *name);
            if let Some(median) = series.and_then(|series| series.median()) {
                let left = group as f64 + 0.07 + index as f64 * width;
                chart.draw_series([Rectangle::new(
                    [(left, floor), (left + width * 0.94, median)],
                    colours[index].filled(),
                )])?;
            }
        }
    }
    let plotting = chart.plotting_area();
    for (group, row) in rows.iter().enumerate() {
        let label = match row.cell.place {
            Place::Processes => format!("{} B", row.cell.size),
            _ => row.cell.shape.capacity_name(),
        };
        let (x, y) = plotting.map_coordinate(&(group as f64 + 0.36, floor));
        let (left, top) = area.get_base_pixel();
        area.draw(&Text::new(
            label,
            (x - left, y - top + 6),
            ("sans-serif", 13),
        ))?;
    }
    Ok(())
}
