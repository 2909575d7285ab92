//! The page: what is text in it as HTML, what is drawn as JSON for the script beside it.
//!
//! Its plots are drawn by [uPlot](https://github.com/leeoniya/uPlot) 1.6.32 (MIT), which is in
//! `page/uplot` as its authors publish it.

mod predictions;

use super::Content;
use super::plots::{Group, HeatKind, Plots};
use super::text::{count, duration, grouped, marked, percent};
use crate::diagnose::Diagnosis;
use crate::svg::{escaped, short};

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");
const UPLOT_STYLE: &str = include_str!("page/uplot/uPlot.min.css");
const UPLOT: &str = include_str!("page/uplot/uPlot.iife.min.js");
const UPLOT_LICENCE: &str = include_str!("page/uplot/LICENSE");

/// What Cargo takes for this crate's Burn: any of this series.
const BURN: &str = "0.22";

pub(super) fn html(content: &Content) -> String {
    let plots = Plots::of(content);
    let sections = [
        ("Diagnosis", diagnosis(&content.diagnosis)),
        ("Training", training(content, &plots)),
        ("Flatness and metrics", measured(content, &plots)),
        ("Trust ratios", trust_ratios(&plots)),
        ("Predictions", predictions::html(content, &plots)),
        ("Network", network(content)),
        ("Settings", settings(content)),
    ];
    let shown = sections.iter().filter(|(_, body)| !body.is_empty());
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-");
    let links = shown
        .clone()
        .map(|(heading, _)| format!("<a href=\"#{}\">{heading}</a>", anchor(heading)));
    let links: String = links.collect();
    let sections = shown.map(|(heading, body)| {
        let id = anchor(heading);
        format!("<section id=\"{id}\">\n<h2>{heading}</h2>\n{body}</section>\n")
    });
    let sections: String = sections.collect();
    let (verdict, tone) = verdict(content);
    let name = escaped(&content.name);
    let verdict = marked(&verdict);
    let figures = figures(content);
    // In a script nothing ends it but `</script`, and nothing else begins with `<` that matters.
    let data = serde_json::to_string(&plots).unwrap_or_else(|_| "{}".to_owned());
    let data = data.replace('<', "\\u003c");
    // No policy but its own lets the page load or run anything from elsewhere.
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{name}</title>
<style>
{UPLOT_STYLE}
{STYLE}</style>
</head>
<body>
<header>
<h1>{name}</h1>
<p class="verdict {tone}">{verdict}</p>
{figures}</header>
<nav>{links}</nav>
<main>
<noscript><p class="note">The plots of this page need JavaScript.</p></noscript>
{sections}</main>
<script type="application/json" id="data">{data}</script>
<!-- uPlot:
{UPLOT_LICENCE}-->
<script>
{UPLOT}</script>
<script>
{SCRIPT}</script>
</body>
</html>
"#
    )
}

/// What the training came to in a sentence, and whether that is good.
fn verdict(content: &Content) -> (String, &'static str) {
    let epochs = count(content.history.len() as u64, "epoch");
    if let Some(error) = &content.failed {
        return (format!("Failed after {epochs}: {error}"), "bad");
    }
    let ended = match content.stopped {
        Some(reason) => format!("Ended early, after {epochs}: {reason}."),
        None => format!("Trained for {epochs}."),
    };
    let Some(last) = content.history.last() else {
        return ("No epoch was finished.".to_owned(), "bad");
    };
    let came_to = match last.validation {
        None => format!("The training loss came to {}.", short(last.loss)),
        Some(validation) => match validation.accuracy {
            Some(share) => format!("{} of the validation set is right.", percent(share)),
            None => format!("The validation loss came to {}.", short(validation.loss)),
        },
    };
    (format!("{ended} {came_to}"), "")
}

/// The figures of the head, each with what stands below it.
fn figures(content: &Content) -> String {
    let history = content.history;
    let mut figures = Vec::new();
    let mut figure = |name: &str, value: String, below: String| {
        figures.push(format!(
            "<div><dt>{name}</dt><dd>{}<small>{}</small></dd></div>\n",
            escaped(&value),
            escaped(&below)
        ));
    };
    if let Some(last) = history.last() {
        let evaluated = || {
            history
                .iter()
                .flat_map(|epoch| Some((epoch, epoch.validation?)))
        };
        if let Some(share) = last.validation.and_then(|validation| validation.accuracy) {
            let best =
                evaluated().filter_map(|(epoch, found)| Some((epoch.epoch, found.accuracy?)));
            let best = best.filter(|(_, share)| share.is_finite());
            // Of equal ones the first.
            let best = best.min_by(|(_, a), (_, b)| b.total_cmp(a));
            let below = best.map_or_else(String::new, |(epoch, share)| {
                format!("best {} after epoch {epoch}", percent(share))
            });
            figure("Validation accuracy", percent(share), below);
        }
        if let Some(validation) = last.validation {
            let best = evaluated().map(|(epoch, found)| (epoch.epoch, found.loss));
            let best = best.filter(|(_, loss)| loss.is_finite());
            let best = best.min_by(|(_, a), (_, b)| a.total_cmp(b));
            let below = best.map_or_else(String::new, |(epoch, loss)| {
                format!("best {} after epoch {epoch}", short(loss))
            });
            figure("Validation loss", short(validation.loss), below);
        }
        let below = format!("mean of epoch {}", last.epoch);
        figure("Training loss", short(last.loss), below);
    }
    let steps = count(content.steps, "step");
    figure("Training time", duration(content.seconds), steps);
    let summary = &content.summary;
    let below = summary.multiply_adds().map(|operations| {
        let operations = grouped(operations as u64);
        format!("{operations} multiply-adds for an example")
    });
    figure(
        "Parameters",
        grouped(summary.params() as u64),
        below.unwrap_or_default(),
    );
    format!("<dl class=\"figures\">\n{}</dl>\n", figures.concat())
}

fn diagnosis(diagnosis: &Diagnosis) -> String {
    let findings = diagnosis.findings.iter().map(|finding| {
        let evidence = finding.evidence.iter();
        let evidence = evidence.map(|one| format!("<li>{}</li>\n", marked(&one.to_string())));
        format!(
            "<article class=\"finding\"><h3>{} <small>{}</small></h3>\n<ul>\n{}</ul>\n\
             <p><b>Try first:</b> {}</p></article>\n",
            escaped(&finding.symptom.to_string()),
            escaped(&finding.confidence.to_string()),
            evidence.collect::<String>(),
            marked(&finding.remedy),
        )
    });
    let findings = match findings.collect::<String>() {
        findings if findings.is_empty() => "<p>No symptom was found.</p>\n".to_owned(),
        findings => format!("<div class=\"grid\">\n{findings}</div>\n"),
    };
    let unjudged = diagnosis.unjudged.iter().map(|one| {
        let (symptom, reason) = (one.symptom.to_string(), marked(&one.reason));
        format!("<li>{}: {reason}</li>\n", escaped(&symptom))
    });
    match unjudged.collect::<String>() {
        unjudged if unjudged.is_empty() => findings,
        unjudged => format!(
            "{findings}<details><summary>What could not be judged</summary>\n<ul>\n{unjudged}</ul></details>\n"
        ),
    }
}

fn training(content: &Content, plots: &Plots) -> String {
    let mut notes = Vec::new();
    if content.history.is_empty() {
        notes.push("No epoch was finished: there are no losses to plot.");
    } else if content
        .history
        .iter()
        .all(|epoch| epoch.validation.is_none())
    {
        notes.push(
            "There was no validation set, so nothing tells how well the network does on examples that \
             it has not seen (<code>Trainer::validate</code>).",
        );
    }
    if content.log.is_empty() {
        notes.push("No step was written down (<code>Trainer::log_every</code>).");
    }
    grid(plots, Group::Training) + &notes.into_iter().map(note).collect::<String>()
}

fn measured(content: &Content, plots: &Plots) -> String {
    let measurements = content.history.iter().flat_map(|epoch| &epoch.measurements);
    let failed = measurements.filter_map(|one| {
        let reason = one.result.as_ref().err()?;
        let (name, step) = (escaped(&one.name), grouped(one.step));
        Some(note(&format!(
            "No {name} at step {step}: {}",
            marked(reason)
        )))
    });
    let mut failed: Vec<String> = failed.collect();
    let more = failed.len().saturating_sub(MOST_FAILED);
    if more > 0 {
        failed.truncate(MOST_FAILED);
        failed.push(note(&format!("And {more} more.")));
    }
    grid(plots, Group::Measured) + &failed.concat()
}

/// How many measurements that failed are told.
const MOST_FAILED: usize = 5;

fn note(text: &str) -> String {
    format!("<p class=\"note\">{text}</p>\n")
}

fn grid(plots: &Plots, group: Group) -> String {
    let lines = plots.lines.iter().enumerate();
    let figures = lines.filter(|(_, plot)| plot.group == group).map(|(index, plot)| {
        let title = escaped(&plot.title);
        format!(
            "<figure class=\"plot\" data-lines=\"{index}\"><figcaption>{title}</figcaption></figure>\n"
        )
    });
    match figures.collect::<String>() {
        figures if figures.is_empty() => figures,
        figures => format!("<div class=\"grid\">\n{figures}</div>\n"),
    }
}

fn trust_ratios(plots: &Plots) -> String {
    plots.heat(HeatKind::TrustRatios).map_or_else(String::new, |index| {
        format!(
            "<p>The norm of each parameter over that of its gradient, in the last step of each epoch. \
             Where they differ by orders of magnitude, one learning rate does not suit all. A click on a \
             row adds its curve below, or takes it away.</p>\n\
             <figure class=\"plot\" data-heat=\"{index}\"></figure>\n\
             <figure class=\"plot\" data-rows-of=\"{index}\"></figure>\n"
        )
    })
}

fn network(content: &Content) -> String {
    let summary = &content.summary;
    let table = summary.table();
    let last = table.len().saturating_sub(1);
    let rows = table.into_iter().enumerate().map(|(index, cells)| {
        let cell = if index == 0 { "th" } else { "td" };
        let cells = cells.into_iter().enumerate().map(|(column, text)| {
            let number = if column > 2 { " class=\"number\"" } else { "" };
            format!("<{cell}{number}>{}</{cell}>", escaped(&text))
        });
        let row = format!("<tr>{}</tr>\n", cells.collect::<String>());
        match index {
            0 => format!("<thead>{row}</thead>\n<tbody>\n"),
            _ if index == last => format!("</tbody>\n<tfoot>{row}</tfoot>\n"),
            _ => row,
        }
    });
    format!(
        "<div class=\"beside\">\n<div class=\"graph\">\n{}</div>\n\
         <div class=\"wide\"><table>\n{}</table></div>\n</div>\n",
        summary.graph().to_svg(),
        rows.collect::<String>()
    )
}

fn settings(content: &Content) -> String {
    let setup = content.setup;
    let batch = match setup.micro_batches {
        1 => grouped(setup.batch as u64),
        pieces => format!("{}, in {pieces} micro-batches", grouped(setup.batch as u64)),
    };
    let validation = setup.validation.map_or_else(
        || "none".to_owned(),
        |examples| count(examples as u64, "example"),
    );
    let system = format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH);
    let rows = [
        ("Training set", count(setup.examples as u64, "example")),
        ("Validation set", validation),
        ("Epochs", grouped(setup.epochs as u64)),
        ("Steps of an epoch", grouped(setup.steps_per_epoch as u64)),
        ("Batch", batch),
        ("Seed", setup.seed.to_string()),
        ("Device", setup.device.clone()),
        ("Processes", grouped(setup.processes as u64)),
        (
            "Versions",
            format!("Kiln {}, Burn {BURN}", env!("CARGO_PKG_VERSION")),
        ),
        ("System", system),
    ];
    let rows =
        rows.map(|(name, value)| format!("<tr><th>{name}</th><td>{}</td></tr>\n", escaped(&value)));
    let texts = [
        ("Optimizer", &setup.optimizer),
        ("Schedule", &setup.schedule),
        ("Hyper-parameters of the network", &content.config),
    ];
    let texts = texts.map(|(name, text)| {
        let text = escaped(text);
        format!("<h3>{name}</h3>\n<pre>{text}</pre>\n")
    });
    format!(
        "<div class=\"beside\">\n<div class=\"wide\"><table>\n{}</table></div>\n\
         <div>\n{}</div>\n</div>\n",
        rows.concat(),
        texts.concat()
    )
}
