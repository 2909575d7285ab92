//! Images as characters: shades where the picture is smooth, half blocks where it has an edge.

/// Five levels of ink.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// A character is about twice as high as it is wide, so one character shows two pixels, one
/// above the other. Wider images than this are reduced first.
const COLUMNS: usize = 56;

/// Up to this width, a pixel gets two columns and a line of its own.
const SMALL: usize = 16;

/// Draws one image of `shape` = `[channels, height, width]`; `scale` takes a pixel to 0..=1.
pub(super) fn draw(pixels: &[u8], [channels, height, width]: [usize; 3], scale: f64) -> String {
    let block = width.div_ceil(COLUMNS);
    let (rows, columns) = (height.div_ceil(block), width.div_ceil(block));

    // The ink of one block of pixels; what lies outside the image is dark.
    let ink = |row: usize, column: usize| {
        let ys = row * block..((row + 1) * block).min(height);
        let xs = column * block..((column + 1) * block).min(width);
        let (mut sum, mut count) = (0.0, 0usize);
        for y in (0..channels).flat_map(|c| ys.clone().map(move |y| c * height + y)) {
            for &pixel in &pixels[y * width..][xs.clone()] {
                sum += (f64::from(pixel) * scale).min(1.0);
                count += 1;
            }
        }
        sum / count.max(1) as f64
    };
    let shade = |ink: f64| SHADES[(ink * 4.0).round() as usize];

    let mut picture = String::new();
    if width <= SMALL {
        for row in 0..rows {
            let line = (0..columns).flat_map(|column| [shade(ink(row, column)); 2]);
            picture.extend(line.chain(['\n']));
        }
        return picture;
    }
    for row in (0..rows).step_by(2) {
        let line = (0..columns).map(|column| {
            let (upper, lower) = (ink(row, column), ink(row + 1, column));
            match upper - lower {
                edge if edge > 0.5 => '▀',
                edge if edge < -0.5 => '▄',
                _ => shade((upper + lower) / 2.0),
            }
        });
        picture.extend(line.chain(['\n']));
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_has_two_columns_per_pixel() {
        let picture = draw(&[0, 64, 128, 255], [1, 2, 2], 1.0 / 255.0);
        assert_eq!(picture, "  ░░\n▒▒██\n");
    }

    #[test]
    fn an_mnist_image_has_14_lines_of_28_columns() {
        let mut pixels = [0; 28 * 28];
        pixels[..28].fill(255);
        pixels[28 * 3..28 * 6].fill(255);
        let picture = draw(&pixels, [1, 28, 28], 1.0 / 255.0);
        let lines: Vec<_> = picture.lines().collect();
        assert_eq!(lines.len(), 14);
        assert!(lines.iter().all(|line| line.chars().count() == 28));
        assert_eq!(&lines[0][..3], "▀");
        assert_eq!(&lines[1][..3], "▄");
        assert_eq!(&lines[2][..3], "█");
    }

    #[test]
    fn any_shape_is_drawn_within_56_columns() {
        for [c, h, w] in [
            [1, 1, 1],
            [3, 32, 32],
            [3, 7, 57],
            [1, 225, 224],
            [2, 1, 1000],
        ] {
            let picture = draw(&vec![255; c * h * w], [c, h, w], 1.0);
            assert!(picture.lines().all(|line| line.chars().count() <= 56));
            assert!(picture.starts_with(['█', '▀']), "{c} {h} {w}:\n{picture}");
        }
    }
}
