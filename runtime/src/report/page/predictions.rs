//! What the network made of examples: what it takes for what, and some of them.

use super::note;
use crate::report::Content;
use crate::report::plots::{HeatKind, MOST_CLASSES, Plots};
use crate::report::predictions::{Picture, Predictions, Sample};
use crate::report::text::{class, count, grouped, marked, percent};
use crate::svg::escaped;

/// How many pairs of classes are told.
const MOST_MISTAKES: usize = 10;

pub(super) fn html(content: &Content, plots: &Plots) -> String {
    let (classes, examples, counts, wrong, right) = match &content.predictions {
        None => {
            return note("No examples were shown to the network (<code>Report::examples</code>).");
        }
        Some(Predictions::Other(reason)) => {
            return note(&format!(
                "There are no classes to mistake for each other: {}.",
                marked(reason)
            ));
        }
        Some(Predictions::Classes {
            classes,
            examples,
            counts,
            wrong,
            right,
        }) => (*classes, *examples, counts, wrong, right),
    };
    let all: u64 = counts.values().sum();
    let hits = counts.iter().filter(|((class, found), _)| class == found);
    let hits: u64 = hits.map(|(_, count)| count).sum();
    let within = match examples as u64 {
        // A class at each of several places of an example.
        examples if examples != all => format!(" in {}", count(examples, "example")),
        _ => String::new(),
    };
    let mut body = format!(
        "<p>{} of {}{within} right: {}.</p>\n",
        grouped(hits),
        grouped(all),
        percent(hits as f64 / all as f64),
    );
    let matrix = match plots.heat(HeatKind::Confusion) {
        Some(index) => format!("<figure class=\"plot square\" data-heat=\"{index}\"></figure>\n"),
        None => note(&format!(
            "{classes} classes are more than fit a table ({MOST_CLASSES})."
        )),
    };
    let mut mistakes: Vec<_> = counts
        .iter()
        .filter(|((class, found), _)| class != found)
        .collect();
    mistakes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows = mistakes
        .into_iter()
        .take(MOST_MISTAKES)
        .map(|((is, found), count)| {
            format!(
                "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td></tr>\n",
                escaped(&class(content, *is)),
                escaped(&class(content, *found)),
                grouped(*count)
            )
        });
    let mistakes = match rows.collect::<String>() {
        rows if rows.is_empty() => note("Nothing was taken for anything else."),
        rows => format!(
            "<div class=\"wide\"><table>\n<thead><tr><th>is</th><th>taken for</th>\
             <th class=\"number\">times</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
        ),
    };
    body += &format!(
        "<div class=\"beside\">\n<div><h3>Confusion</h3>\n{matrix}</div>\n\
         <div><h3>Most frequent mistakes</h3>\n{mistakes}</div>\n</div>\n"
    );
    for (heading, samples) in [("Wrong, and surest of it", wrong), ("Right", right)] {
        let shown: String = samples.iter().map(|one| sample(content, one)).collect();
        if !shown.is_empty() {
            body += &format!("<h3>{heading}</h3>\n<div class=\"samples\">\n{shown}</div>\n");
        }
    }
    body
}

fn sample(content: &Content, sample: &Sample) -> String {
    let picture = sample.picture.as_ref().map(|picture| {
        let Picture {
            width,
            height,
            pixels,
        } = picture;
        format!("<canvas width=\"{width}\" height=\"{height}\" data-pixels=\"{pixels}\"></canvas>")
    });
    let bars = sample.likely.iter().map(|(found, probability)| {
        let share = 100.0 * f64::from(*probability);
        let tone = if *found == sample.class {
            "right"
        } else {
            "wrong"
        };
        let name = escaped(&class(content, *found));
        format!(
            "<li class=\"{tone}\"><i style=\"width:{share:.1}%\"></i><b title=\"{name}\">{name}</b>\
             <span>{share:.1} %</span></li>"
        )
    });
    let name = escaped(&class(content, sample.class));
    format!(
        "<figure class=\"sample\">{}<figcaption><span title=\"{name}\">is <b>{name}</b></span>\
         <small>example {}</small><ol>{}</ol></figcaption></figure>\n",
        picture.unwrap_or_default(),
        grouped(sample.index as u64),
        bars.collect::<String>(),
    )
}
