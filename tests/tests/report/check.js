// Stands in a report before its own scripts: uses the page, and tells the one around it what became of it.
"use strict";
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => errors.push("blocked: " + event.blockedURI));

/** The colours of a canvas, pixel for pixel. */
const pixels = (canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return [];
  // A copy: Chromium warns of a canvas that is read again and again.
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  return new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
};
/** How much of a plot is of the colour of a curve. */
const ink = (canvas) => {
  const curves = ["training", "validation", "other"].map((name) => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
    return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  });
  const near = (pixel) => curves.some((curve) => curve.every((part, at) => Math.abs(part - ((pixel >> (8 * at)) & 255)) < 40));
  return pixels(canvas).filter((pixel) => pixel >>> 24 > 200 && near(pixel)).length;
};
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));

/** What a drag across a plot, a double click and the button change of what is drawn. */
const used = async (figure) => {
  const drawn = () => pixels(figure.querySelector("canvas")).join();
  const over = figure.querySelector(".u-over");
  const box = over.getBoundingClientRect();
  const mouse = (type, part, target = over) => {
    const [clientX, clientY] = [box.left + part * box.width, box.top + 0.5 * box.height];
    target.dispatchEvent(new MouseEvent(type, { clientX, clientY, movementX: 1, bubbles: true, view: window }));
  };
  const before = drawn();
  mouse("mouseenter", 0.2);
  mouse("mousemove", 0.2);
  mouse("mousedown", 0.2);
  mouse("mousemove", 0.6);
  await pause();
  const read = figure.querySelector(".u-legend").textContent;
  mouse("mouseup", 0.6, document);
  await pause();
  const zoomed = drawn() !== before;
  mouse("dblclick", 0.6);
  await pause();
  const reset = drawn() === before;
  const button = figure.querySelector("button");
  button?.click();
  await pause();
  return { read, zoomed, reset, logarithmic: button ? drawn() !== before : null };
};

addEventListener("load", () => setTimeout(async () => {
  const plots = [];
  for (const figure of document.querySelectorAll(".plot")) {
    plots.push({
      name: figure.textContent.slice(0, 40),
      points: Number(figure.dataset.points),
      colours: new Set(pixels(figure.querySelector("canvas"))).size,
      ink: figure.dataset.heat ? null : ink(figure.querySelector("canvas")),
      used: figure.dataset.lines ? await used(figure) : null,
    });
  }
  parent.postMessage({
    name: window.name,
    errors,
    width: innerWidth,
    scroll: document.documentElement.scrollWidth,
    title: document.title,
    sections: [...document.querySelectorAll("section")].map((section) => section.id),
    text: document.body.innerText,
    plots,
    images: [...document.querySelectorAll(".sample canvas")].map((canvas) => new Set(pixels(canvas)).size),
  }, "*");
}, 300));
