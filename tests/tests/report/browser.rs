//! Pages as Chromium sees them.

use std::error::Error;
use std::process::Command;

use kiln_tests::Folder;
use serde_json::Value;

/// What a browser made of a page.
pub struct Seen(pub Value);

impl Seen {
    pub fn list(&self, key: &str) -> &[Value] {
        self.0[key]
            .as_array()
            .unwrap_or_else(|| panic!("no {key} in {}", self.0))
    }

    pub fn text(&self) -> &str {
        self.0["text"].as_str().unwrap_or_default()
    }

    pub fn has(&self, section: &str) -> bool {
        self.list("sections").iter().any(|found| found == section)
    }

    /// Panics unless the page is without an error, fits its width, and every plot in it shows something.
    fn is_sound(&self) {
        let name = &self.0["name"];
        assert!(
            self.list("errors").is_empty(),
            "{name}: {:?}",
            self.list("errors")
        );
        let [width, scroll] = ["width", "scroll"].map(|key| self.0[key].as_u64());
        assert!(
            scroll <= width,
            "{name}: {scroll:?} wide in a window of {width:?}"
        );
        for plot in self.list("plots") {
            assert!(plot["points"].as_u64() > Some(0), "{name}: {plot}");
            assert!(plot["colours"].as_u64() > Some(2), "{name}: {plot}");
            assert!(plot["ink"] != 0, "{name}: {plot}");
        }
        for colours in self.list("images") {
            assert!(
                colours.as_u64() > Some(2),
                "{name}: an image of {colours} colours"
            );
        }
    }
}

/// What a browser makes of `page` in windows of 400 and of 1400 pixels.
pub fn seen(name: &str, page: &str) -> Result<[Seen; 2], Box<dyn Error>> {
    let folder = Folder::new(&format!("report-{name}"));
    let check = format!("<script>{}</script>\n</head>", include_str!("check.js"));
    let checked = page.replacen("</head>", &check, 1);
    let widths = [400, 1400];
    let frames = widths.map(|width| {
        format!("<iframe name=\"{name} at {width}\" src=\"page.html\" width=\"{width}\" height=\"900\" style=\"border:0\"></iframe>\n")
    });
    // A window is at least 500 pixels wide; a frame is as wide as it is told.
    let frames = format!(
        "<!doctype html>{}<pre id=\"seen\"></pre>\n<script>addEventListener(\"message\", (event) => {{\n\
         document.getElementById(\"seen\").append(encodeURIComponent(JSON.stringify(event.data)) + \"\\n\"); }});</script>",
        frames.concat()
    );
    for (file, text) in [("page.html", checked), ("frames.html", frames)] {
        std::fs::write(folder.file(file), text)?;
    }
    if let Ok(kept) = std::env::var("KILN_REPORTS") {
        std::fs::write(format!("{kept}/{name}.html"), page)?;
    }
    let (dom, log) = browse(&folder);
    let said: Vec<_> = log
        .lines()
        .filter(|line| line.contains(":CONSOLE"))
        .collect();
    assert!(said.is_empty(), "{name}: {said:#?}");
    let seen = between(&dom, "<pre id=\"seen\">", "</pre>");
    let seen = seen.lines().filter(|line| !line.is_empty()).map(decoded);
    let mut seen: Vec<Value> = seen.collect::<Result<_, _>>()?;
    seen.sort_by_key(|seen| seen["width"].as_u64());
    let found: Vec<_> = seen.iter().map(|seen| seen["width"].as_u64()).collect();
    assert_eq!(found, widths.map(Some), "{name}: {dom}\n{log}");
    let seen = [Seen(seen.remove(0)), Seen(seen.remove(0))];
    seen.iter().for_each(Seen::is_sound);
    Ok(seen)
}

/// The document that Chromium makes of the frames in `folder`, and what it says on standard error.
fn browse(folder: &Folder) -> (String, String) {
    let output = Command::new("chromium")
        // The sandbox asks for rights that a container does not have; the page is our own.
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.file("profile").display()
        ))
        .args([
            "--window-size=1500,1200",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("file://{}", folder.file("frames.html").display()))
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "cannot start `chromium`: {error}; install it (Debian: `apt-get install chromium`)"
            )
        });
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    (String::from_utf8_lossy(&output.stdout).into_owned(), log)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let found = text
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once(end));
    found
        .unwrap_or_else(|| panic!("no {start} .. {end} in {text}"))
        .0
}

/// The JSON in what `encodeURIComponent` wrote.
fn decoded(text: &str) -> Result<Value, Box<dyn Error>> {
    let mut pieces = text.trim().split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16)?);
        bytes.extend(rest.as_bytes());
    }
    Ok(serde_json::from_slice(&bytes)?)
}
