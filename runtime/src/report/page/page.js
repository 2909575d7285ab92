// Draws what the JSON of the page describes: curves with uPlot, tables of numbers as colours, images.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const element = (name, set, parent) => {
    const made = Object.assign(document.createElement(name), set);
    if (parent) parent.append(made);
    return made;
  };

  /** Four significant digits. */
  const short = (value) => {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    return value !== 0 && (size < 1e-3 || size >= 1e6)
      ? value.toExponential(3).replace(/\.?0+e/, "e")
      : String(Number(value.toPrecision(4)));
  };
  const shown = (plot) => (plot.percent ? (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(2) + " %") : short);

  const colours = ["training", "validation", "other"];
  const dashes = [[], [6, 3], [2, 3]];

  /** The range of an axis of shares: nothing is beyond all. */
  const share = (_, low, high) => {
    if (low === null) return [0, 1];
    const [from, to] = uPlot.rangeNum(low, high, 0.1, true);
    return [Math.max(from, 0), Math.min(to, 1 + 0.02 * (1 - Math.max(from, 0)))];
  };

  /** What is to be drawn once more when the light changes. */
  const redraw = [];

  // Curves ------------------------------------------------------------------------------------------

  /** Draws `plot` into `figure`, in place of what was there. */
  const curves = (figure, plot, log) => {
    figure.querySelector(".uplot")?.remove();
    const positive = (values) => (log ? values.map((value) => (value > 0 ? value : null)) : values);
    const values = plot.curves.map((curve) => positive(curve.values));
    const axis = { stroke: style("soft"), grid: { stroke: style("grid"), width: 1 }, ticks: { stroke: style("grid"), width: 1 }, font: "12px system-ui, sans-serif" };
    const said = shown(plot);
    const series = plot.curves.map((curve, index) => {
      const name = curve.colour === "faint" ? "training" : curve.colour;
      const stroke = name === "row" ? style(colours[index % 3]) : style(name);
      const faint = curve.colour === "faint";
      return {
        label: curve.name,
        stroke: faint ? stroke + "55" : stroke,
        dash: name === "row" ? dashes[Math.floor(index / 3) % 3] : [],
        width: faint ? 1 : 1.8,
        points: { size: 6, fill: stroke },
        // Away from the cursor, where it ended.
        value: (_, value, __, at) => said(typeof at === "number" ? value : values[index].findLast((one) => one !== null)),
      };
    });
    const width = () => Math.max(120, figure.clientWidth - 26);
    const single = plot.at.length < 2;
    const drawn = new uPlot({
      width: width(),
      height: 250,
      cursor: { drag: { x: true, y: false }, sync: { key: plot.over }, points: { size: 7 } },
      scales: {
        x: { time: false, ...(single && { range: () => [plot.at[0] - 1, plot.at[0] + 1] }) },
        y: { distr: log ? 3 : 1, ...(plot.percent && { range: share }) },
      },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")) },
        { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : plot.percent ? Number((100 * tick).toPrecision(6)) + " %" : short(tick))) },
      ],
      series: [{ label: plot.over, value: (_, value) => (value ?? plot.at.at(-1)).toLocaleString("en") }, ...series],
    }, [plot.at, ...values], figure);
    figure.dataset.points = values.flat().filter((value) => value !== null).length;
    figure.resize?.disconnect();
    figure.resize = new ResizeObserver(() => {
      if (drawn.width !== width()) drawn.setSize({ width: width(), height: 250 });
    });
    figure.resize.observe(figure);
  };

  for (const figure of document.querySelectorAll("[data-lines]")) {
    const plot = data.lines[figure.dataset.lines];
    let log = false;
    const draw = () => curves(figure, plot, log);
    if (!plot.percent && plot.curves.some((curve) => curve.values.some((value) => value > 0))) {
      const button = element("button", { type: "button", textContent: "log", title: "Logarithmic vertical axis" }, figure.querySelector("figcaption"));
      button.setAttribute("aria-pressed", log);
      button.onclick = () => {
        log = !log;
        button.setAttribute("aria-pressed", log);
        draw();
      };
    }
    draw();
    redraw.push(draw);
  }

  // Tables of numbers as colours --------------------------------------------------------------------

  const channels = (name) => style(name).split(" ").map(Number);

  /** Draws `heat` into `figure`; `onRow` is called with a row that is clicked. */
  const table = (figure, heat, onRow, chosen) => {
    const confusion = heat.kind === "confusion";
    const canvas = element("canvas", { className: "heat" }, element("div", { className: "scroll" }, figure));
    const readOut = element("output", { className: "read-out" }, figure);
    const [rows, columns] = [heat.rows.length, heat.columns.length];
    // Shares of a row, so that a rare class is as plain as a frequent one; orders of magnitude.
    const totals = heat.values.map((row) => row.reduce((sum, value) => sum + value, 0));
    const scaled = (value, row) => (confusion ? Math.sqrt(value / (totals[row] || 1)) : Math.log10(value));
    const known = heat.values.flatMap((row, index) => row.filter((value) => value !== null && (confusion || value > 0)).map((value) => scaled(value, index)));
    // Two orders of magnitude around the median: a gradient that is nothing but rounding has ratios of
    // 1e8, beside which all others would be of one colour.
    const median = [...known].sort((a, b) => a - b)[known.length >> 1];
    const low = confusion ? 0 : known.reduce((a, b) => Math.min(a, b), Infinity);
    const high = confusion ? 1 : known.reduce((a, b) => Math.max(a, b), -Infinity);
    const [pale, strong] = confusion ? [0, 1] : [Math.max(low, median - 2), Math.min(high, median + 2)];
    let place;

    const draw = () => {
      const context = canvas.getContext("2d");
      const ratio = devicePixelRatio || 1;
      const width = Math.max(120, canvas.parentElement.clientWidth);
      const font = "12px system-ui, sans-serif";
      context.font = font;
      const widest = heat.rows.reduce((most, name) => Math.max(most, context.measureText(name).width), 0);
      const left = Math.ceil(Math.min(1.1 * widest + 10, 0.38 * width));
      const top = confusion ? 0 : 4;
      const cell = (width - left) / columns;
      const tall = confusion ? Math.min(cell, 44) : 17;
      const wide = confusion ? tall : cell;
      const bottom = 24;
      const height = Math.ceil(top + rows * tall + bottom);
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.height = height + "px";
      context.scale(ratio, ratio);
      context.font = font;
      const [from, to] = [channels("heat-low"), channels("heat-high")];
      const fitted = (text, room) => {
        if (context.measureText(text).width <= room) return text;
        // A path says most at its end.
        const cut = (length) => (confusion ? text.slice(0, length) + "…" : "…" + text.slice(text.length - length));
        let length = text.length;
        while (length && context.measureText(cut(length)).width > room) length--;
        return cut(length);
      };
      const gap = wide > 9 && tall > 9 ? 1 : 0;
      heat.values.forEach((row, r) => {
        row.forEach((value, c) => {
          const part = value === null || (!confusion && value <= 0) ? null : strong > pale ? Math.min(Math.max((scaled(value, r) - pale) / (strong - pale), 0), 1) : 0.5;
          context.fillStyle = part === null ? style("missing") : `rgb(${from.map((one, i) => Math.round(one + (to[i] - one) * (confusion ? part : 0.08 + 0.92 * part))).join(" ")})`;
          // Whole pixels: cells that are not all alike wide would show a pattern of their own.
          const [x, y] = [Math.round(left + c * wide), Math.round(top + r * tall)];
          const [right, below] = [Math.round(left + (c + 1) * wide), Math.round(top + (r + 1) * tall)];
          context.fillRect(x, y, Math.max(right - x - gap, 1), Math.max(below - y - gap, 1));
          const text = String(value);
          if (confusion && value > 0 && tall >= 16 && context.measureText(text).width < wide - 4) {
            context.fillStyle = part > 0.55 ? style("card") : style("text");
            context.textAlign = "center";
            context.textBaseline = "middle";
            context.fillText(text, left + (c + 0.5) * wide, top + (r + 0.5) * tall);
          }
        });
      });
      context.textBaseline = "middle";
      context.textAlign = "right";
      const skip = Math.ceil(13 / tall);
      heat.rows.forEach((name, r) => {
        if (r % skip) return;
        context.fillStyle = chosen?.has(r) ? style("text") : style("soft");
        context.font = chosen?.has(r) ? "600 " + font : font;
        context.fillText(fitted(name, left - 8), left - 6, top + (r + 0.5) * tall);
      });
      context.font = font;
      context.fillStyle = style("soft");
      context.textAlign = "center";
      const room = heat.columns.reduce((most, name) => Math.max(most, context.measureText(name).width), 0) + 8;
      const every = confusion && room > wide && wide > 20 ? 1 : Math.max(1, Math.ceil(room / wide));
      heat.columns.forEach((name, c) => {
        if (c % every) return;
        const text = every === 1 && room > wide ? fitted(name, wide - 2) : name;
        const half = context.measureText(text).width / 2;
        context.fillText(text, Math.min(width - half, left + (c + 0.5) * wide), top + rows * tall + 12);
      });
      place = (event) => {
        const c = Math.floor((event.offsetX - left) / wide);
        const r = Math.floor((event.offsetY - top) / tall);
        return r >= 0 && r < rows ? [r, c >= 0 && c < columns ? c : null] : null;
      };
      figure.dataset.points = known.length;
    };

    const rest = confusion
      ? "Rows: what it is; columns: what it was taken for. The colour is the share of the row."
      : `From ${short(10 ** low)} to ${short(10 ** high)}; the colours, on a logarithmic scale, from ${short(10 ** pale)} (pale) to ${short(10 ** strong)}.`;
    readOut.textContent = rest;
    canvas.onpointermove = (event) => {
      const [r, c] = place(event) || [null, null];
      if (c === null) {
        readOut.textContent = r === null ? rest : heat.rows[r];
        return;
      }
      const value = heat.values[r][c];
      readOut.textContent = confusion
        ? `${heat.rows[r]}, taken for ${heat.columns[c]}: ${value} of ${totals[r]}` + (totals[r] ? ` (${((100 * value) / totals[r]).toFixed(1)} %)` : "")
        : `${heat.rows[r]}, epoch ${heat.columns[c]}: ${short(value)}`;
    };
    canvas.onpointerleave = () => (readOut.textContent = rest);
    if (onRow) canvas.onclick = (event) => {
      const found = place(event);
      if (found) onRow(found[0], draw);
    };
    draw();
    new ResizeObserver(draw).observe(figure);
    redraw.push(draw);
  };

  for (const figure of document.querySelectorAll("[data-heat]")) {
    const heat = data.heat[figure.dataset.heat];
    const rows = document.querySelector(`[data-rows-of="${figure.dataset.heat}"]`);
    if (!rows) {
      table(figure, heat);
      continue;
    }
    // At first the rows of the smallest, the middle and the largest ratio at the end.
    const ends = heat.values.map((row, index) => [row[row.length - 1], index]).filter(([ratio]) => ratio > 0);
    ends.sort(([a], [b]) => a - b);
    const first = [0, ends.length >> 1, ends.length - 1].map((at) => ends[at]?.[1]).filter((row) => row !== undefined);
    const chosen = new Set(first);
    const draw = () => {
      rows.replaceChildren();
      if (!chosen.size) return;
      element("figcaption", { textContent: "Trust ratio of the chosen rows, logarithmic" }, rows);
      curves(rows, {
        over: "epoch",
        at: heat.columns.map(Number),
        curves: [...chosen].sort((a, b) => a - b).map((row) => ({ name: heat.rows[row], colour: "row", values: heat.values[row] })),
      }, true);
    };
    table(figure, heat, (row, again) => {
      if (!chosen.delete(row)) chosen.add(row);
      again();
      draw();
    }, chosen);
    draw();
    redraw.push(draw);
  }

  // Images ------------------------------------------------------------------------------------------

  for (const canvas of document.querySelectorAll("[data-pixels]")) {
    const bytes = canvas.dataset.pixels.match(/../g) || [];
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const channels = bytes.length / (canvas.width * canvas.height);
    for (let pixel = 0; pixel < canvas.width * canvas.height; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[4 * pixel + channel] = parseInt(bytes[pixel * channels + (channels === 3 ? channel : 0)], 16);
      }
      image.data[4 * pixel + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw.forEach((draw) => draw()));
})();
