// Stands in a report before its own scripts: tells the page around it what became of it.
"use strict";
const errors = [];
addEventListener("error", (event) => errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => errors.push("blocked: " + event.blockedURI));
addEventListener("load", () => setTimeout(() => {
  const painted = (canvas) => {
    const { width, height } = canvas;
    const bytes = width && height ? canvas.getContext("2d").getImageData(0, 0, width, height).data : [];
    return new Set(new Uint32Array(bytes.buffer || 0)).size;
  };
  const plots = [...document.querySelectorAll(".plot")].map((figure) => ({
    name: figure.textContent.slice(0, 40),
    points: Number(figure.dataset.points),
    colours: painted(figure.querySelector("canvas")),
  }));
  const images = [...document.querySelectorAll(".sample canvas")].map(painted);
  parent.postMessage({
    name: window.name,
    errors,
    width: innerWidth,
    scroll: document.documentElement.scrollWidth,
    title: document.title,
    sections: [...document.querySelectorAll("section")].map((section) => section.id),
    text: document.body.innerText,
    plots,
    images,
  }, "*");
}, 300));
