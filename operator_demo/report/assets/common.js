"use strict";
// What all pages share. Text reaches the page through `textContent` alone.

const DATA = JSON.parse(document.getElementById("data").textContent);

function el(tag, looks, ...inside) {
  const made = document.createElement(tag);
  if (looks) made.className = looks;
  for (const part of inside.flat(Infinity)) {
    if (part === null || part === undefined) continue;
    made.append(part instanceof Node ? part : document.createTextNode(String(part)));
  }
  return made;
}

function button(text, looks, press) {
  const made = el("button", looks, text);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
}

function seconds(value) {
  const sign = value < 0 ? "−" : "", all = Math.abs(value);
  if (all > 0 && all < 0.095) return `${sign}${Math.round(all * 1000)} ms`;
  if (all < 60) return `${sign}${all.toFixed(1)} s`;
  return `${sign}${Math.floor(all / 60)} min ${String(Math.floor(all % 60)).padStart(2, "0")} s`;
}

function since(value) {
  return value < 0 ? seconds(value) : `+${seconds(value)}`;
}

function moment(iso) {
  return new Date(iso).toLocaleString(undefined, {dateStyle: "long", timeStyle: "short"});
}

// -- dark and light: as the system has it, until somebody chooses ----------------------------------------------------

const DARK = matchMedia("(prefers-color-scheme: dark)");
const repaint = [];
let chosen = null;

function paint() {
  document.documentElement.dataset.theme = (chosen ?? (DARK.matches ? "dark" : "light"));
  for (const draw of repaint) draw();
}

DARK.addEventListener("change", paint);
document.documentElement.dataset.theme = DARK.matches ? "dark" : "light";

function topBar(what) {
  const theme = button("Dark / light", "button", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    paint();
  });
  return el("div", "bar", el("span", "name", "operator-demo"), el("span", "", what), el("span", "gap"), theme);
}

function section(title, about, controls, ...inside) {
  return el("section", "card", el("div", "head", el("h2", "", title), el("span", "gap"), controls),
    about ? el("p", "about", about) : null, inside);
}

function table(looks, columns, rows) {
  const head = el("tr", "", columns.map((name) => el("th", "", name)));
  return el("div", "scroll", el("table", looks, el("thead", "", head), el("tbody", "", rows)));
}

// -- print: all that is folded is shown --------------------------------------------------------------------------------

addEventListener("beforeprint", () => {
  document.documentElement.dataset.theme = "light";
  for (const draw of repaint) draw();
  for (const step of document.querySelectorAll("details")) {
    step.dataset.was = step.open ? "open" : "";
    step.open = true;
  }
});
addEventListener("afterprint", () => {
  paint();
  for (const step of document.querySelectorAll("details")) step.open = step.dataset.was === "open";
});
