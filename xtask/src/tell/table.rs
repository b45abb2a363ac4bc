// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables of plain text: columns as wide as they must be.

use console::{measure_text_width, pad_str};

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Lays out rows; the first row is the head. Cells may hold colour codes.
pub fn lay_out(rows: &[Vec<String>], align: &[Align]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| measure_text_width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let alignment = match align.get(column) {
                Some(Align::Right) => console::Alignment::Right,
                _ => console::Alignment::Left,
            };
            line.push_str("  ");
            line.push_str(&pad_str(cell, widths[column], alignment, None));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
