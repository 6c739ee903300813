"use strict";
// The page of a campaign: a table with intervals, and each run with a link to its own page.

function interval(row) {
  const made = el("div", "interval", el("i", ""), el("b", ""));
  const [range, point] = made.children;
  range.style.left = `${100 * row.low}%`;
  range.style.width = `${100 * (row.high - row.low)}%`;
  point.style.left = `${100 * row.rate}%`;
  return made;
}

function summary() {
  const rows = DATA.rows.map((row) => el("tr", "", row.cells.map((text, n) => {
    if (n === 3) return el("td", "", el("span", `pill ${row.tone}`, text));
    if (n === 4) return el("td", "", text, interval(row));
    return el("td", n < 3 ? "name" : "", text);
  })));
  const about = "How often the expected outcome was reached, with a 95 % interval (Wilson's); “added” is what the agent "
    + "adds to the runs without one. The other columns are medians.";
  return section("Results", about, null, table("", DATA.heads, rows));
}

function runOf(run) {
  const link = el("a", "", "Open the page of this run");
  if (run.page) link.href = `${encodeURIComponent(DATA.folder)}/${encodeURIComponent(run.page)}`;
  const score = el("dl", "", run.score.map(([name, text, tone]) => [el("dt", "", name), el("dd", tone, text)]));
  return el("details", "step", el("summary", "", el("span", "why", run.trial),
    el("span", "result", el("span", `pill ${run.tone}`, run.reached ? "as expected" : run.tone === "dim" ? "baseline" : "not as expected")),
    el("span", "command", `${run.words} · to the ticket ${run.ttd} · to the verified repair ${run.ttm}`)),
  el("div", "inside", run.page ? el("p", "", link) : el("p", "soft", "There is no record of this run."), score,
    run.output ? el("pre", "", run.output) : null));
}

function facts() {
  const judged = DATA.runs.filter((run) => run.tone !== "dim"), reached = judged.filter((run) => run.reached).length;
  const fact = (name, value, text) => el("div", "fact", el("div", "name", name), el("div", "value", value), el("div", "text", text));
  return el("div", "facts", fact("Runs", DATA.runs.length, `${DATA.runs.length - judged.length} of them without an agent`),
    fact("As expected", `${reached} of ${judged.length}`, "runs with an agent"),
    fact("Scenarios", new Set(DATA.rows.map((row) => row.cells.slice(0, 2).join("/"))).size, "each judged by the oracle, from outside"));
}

document.getElementById("page").append(topBar("Campaign"), el("header", "card hero accent", el("h1", "", DATA.title)), facts(),
  summary(), section("Runs", null, null, el("div", "story", DATA.runs.map(runOf))),
  el("footer", "", "Made by operator-demo from the recorded events. This file needs no network and sends nothing."));
