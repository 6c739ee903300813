"use strict";
// The page of one run.

const run = DATA.run, zero = DATA.axis.fault ?? 0;

function hero() {
  const {words, tone, promise, expected} = DATA.verdict;
  const mark = {good: "✓", warn: "!", bad: "✕"}[tone] ?? "?";
  const system = [run.subject, run.scenario].filter(Boolean).join(", ");
  const about = [system, moment(run.started), seconds(run.duration), run.agent, run.mode && `${run.mode} mode`];
  return el("header", `card hero ${tone}`, el("div", `seal ${tone}`, mark), el("h1", "", words),
    el("p", "about", about.filter(Boolean).join(" · ")), el("p", "promise", promise),
    expected ? el("p", `expected ${expected[1]}`, expected[0]) : null);
}

function warnings() {
  const made = DATA.contradictions.map((text) => el("p", "warning", `The record is contradicted: ${text}`));
  if (run.stand_ins) made.push(el("p", "warning", "Stand-ins answered in the place of the real system."));
  return made;
}

function facts() {
  return el("div", "facts", DATA.facts.map((fact) => el("div", "fact", el("div", "name", fact.name),
    el("div", `value ${fact.tone ?? ""}`, fact.value), el("div", "text", fact.text))));
}

// -- the time axis -------------------------------------------------------------------------------------------------------

function timeline() {
  const axis = new TimeAxis(DATA.axis, DATA.story, DATA.compare?.axis, open);
  const views = [["Incident", () => axis.incident()], ["Whole run", () => axis.whole()]];
  const buttons = views.map(([name, view], n) => {
    const made = button(name, "button", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === made));
      axis.show(view());
    });
    made.setAttribute("aria-pressed", String(n === 0));
    return made;
  });
  const key = (looks, text) => el("span", "", el("i", `key ${looks}`), text);
  const legend = el("div", "legend", key("line", "operations a second, p99"), key("errors", "failed operations"),
    key("call", "command of the agent"), key("changes", "a command that changed something"), key("found", "finding"),
    key("fault", "the fault, as the engine saw it"), key("caused", "effect of a command"),
    key("unexplained", "effect that nothing explains"),
    DATA.compare ? key("line pale", `${DATA.compare.id}, ${DATA.compare.agent}: ${DATA.compare.words}`) : null);
  const made = section("What happened", null, buttons, axis.readout, axis.node, legend);
  requestAnimationFrame(() => axis.draw());
  return [made, axis];
}

// -- the oracle and the envelope -----------------------------------------------------------------------------------------

function check(name, seen) {
  const cell = el("td", "", seen === null ? el("span", "dim", "not asked") :
    [el("span", `pill ${seen.tone}`, `${seen.mark} ${seen.status}`), seen.saw ? el("span", "saw", seen.saw) : null]);
  cell.dataset.name = name;
  return cell;
}

function oracle() {
  const rows = DATA.oracle.checks.map((row) => el("tr", "", el("td", "name", row.name), check("before", row.before),
    check("after", row.after)));
  const about = "The oracle looks from outside, at the system and not at what the agent says. Before the repair it must fail.";
  return section("What the oracle saw", about, null, rows.length === 0 ? el("p", "soft", "It gave no verdict.") :
    table("checks", ["Check", "When the ticket opened", "At the end"], rows));
}

function pairs(rows) {
  return el("dl", "", rows.map(([name, text, tone]) => [el("dt", "", name), el("dd", tone ?? "", text)]));
}

function envelope() {
  const sealed = DATA.envelope;
  if (sealed === null) return section("The sealed cause", null, null, el("p", "soft", "Nothing was sealed in this run."));
  const tone = sealed.holds === null ? "warn" : sealed.holds ? "good" : "bad";
  const mark = {good: "✓ it holds", warn: "never opened", bad: "✕ it does not hold"}[tone];
  return section("The sealed cause", sealed.sentence, el("span", `pill ${tone}`, mark),
    pairs([...sealed.truth, ["sha256", el("code", "", sealed.sha256)],
      ...(sealed.nonce ? [["nonce", el("code", "", sealed.nonce)]] : [])]));
}

function score() {
  const inside = [];
  if (DATA.score.length) inside.push(pairs(DATA.score));
  else inside.push(el("p", "soft", "The run was cut off before it had a score."));
  return section("Score", null, null, inside);
}

function comparison() {
  const other = DATA.compare;
  if (!other) return null;
  const rows = other.rows.map(([name, mine, theirs]) => el("tr", mine === theirs ? "" : "differs",
    el("td", "name", name), el("td", "", mine), el("td", "", theirs)));
  const about = `${other.id}, ${other.agent}: ${other.words}. Both are counted from their fault.`;
  return section("Beside another run", about, null,
    rows.length ? table("", ["", run.id, other.id], rows) : el("p", "soft", "One of them has no score."));
}

// -- the story ---------------------------------------------------------------------------------------------------------

const shown = new Map(); // entry -> its element

function toned(lines) {
  return lines.map(([text, tone]) => el("div", `line ${tone}`, text));
}

function step(entry) {
  const why = entry.why || entry.thoughts.at(-1)?.split("\n")[0] || entry.command.split("\n")[0];
  const made = el("details", `step ${entry.changes ? "changes" : ""}`,
    el("summary", "", el("span", "why", why), el("span", `result ${entry.result[1]}`, entry.result[0]),
      el("span", "command mono", entry.command.split("\n")[0])),
    el("div", "inside", entry.thoughts.map((thought) => el("div", "thought", thought)),
      el("pre", "command", entry.command), entry.ran ? el("div", "ran", entry.ran) : null,
      entry.output ? el("pre", "output", entry.output) : null,
      entry.effects.length ? el("div", "caused", toned(entry.effects)) : null));
  const refused = entry.effects.find(([, tone]) => tone === "bad");
  const [text, tone] = refused ?? (entry.changes ? entry.effects.at(-1) : ["", ""]);
  if (text) made.querySelector("summary").append(el("span", `caused ${tone}`, text));
  return made;
}

function wordsOf(entry) {
  const parts = entry.kind === "step" ?
    [entry.why, entry.command, entry.output, entry.result[0], ...entry.thoughts, ...entry.effects.map(([text]) => text)] :
    entry.lines.map(([text]) => text);
  return [entry.speaker, ...parts].join("\n").toLowerCase();
}

function entryOf(entry, axis) {
  const body = entry.kind === "step" ? step(entry) : el("div", "", toned(entry.lines));
  const made = el("div", `entry ${entry.kind}`, el("div", "time", since(entry.at - zero)),
    el("div", "who", entry.kind === "chapter" ? "" : entry.speaker), el("div", "body", body));
  made.addEventListener("pointerenter", () => axis.moveTo(entry.at));
  return made;
}

function open(entry) {
  const made = shown.get(entry);
  made.classList.remove("hidden");
  const folded = made.querySelector("details");
  if (folded) folded.open = true;
  made.scrollIntoView({block: "center"});
}

const KINDS = {
  All: () => true,
  Steps: (entry) => entry.kind === "step" || entry.kind === "finding",
  Changes: (entry) => entry.changes || entry.kind === "fault",
  Refusals: (entry) => entry.kind === "refusal" || entry.refused,
};

function story(axis) {
  const list = el("div", "story"), nothing = el("p", "nothing hidden", "Nothing matches.");
  const words = new Map(DATA.story.map((entry) => [entry, wordsOf(entry)]));
  for (const entry of DATA.story) {
    shown.set(entry, entryOf(entry, axis));
    list.append(shown.get(entry));
  }
  const search = el("input", "");
  search.type = "search";
  search.placeholder = "Search thoughts, commands and output";
  search.setAttribute("aria-label", search.placeholder);
  let kind = "All";
  const choose = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let left = 0;
    for (const [entry, made] of shown) {
      const fits = KINDS[kind](entry) && asked.every((word) => words.get(entry).includes(word));
      made.classList.toggle("hidden", !fits);
      left += fits;
    }
    nothing.classList.toggle("hidden", left > 0);
  };
  search.addEventListener("input", choose);
  const buttons = Object.keys(KINDS).map((name) => {
    const made = button(name, "button", () => {
      kind = name;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === made));
      choose();
    });
    made.setAttribute("aria-pressed", String(name === kind));
    return made;
  });
  const fold = button("Unfold all", "button", () => {
    const unfold = fold.textContent === "Unfold all";
    for (const made of list.querySelectorAll("details")) made.open = unfold;
    fold.textContent = unfold ? "Fold all" : "Unfold all";
  });
  const made = section("Step by step", null, [search, buttons, fold], list, nothing);
  made.classList.add("long");
  return made;
}

// -- the record --------------------------------------------------------------------------------------------------------

function record() {
  const chain = DATA.chain, line = el("code", "", chain.verify);
  const copy = button("Copy", "button", async () => {
    try {
      await navigator.clipboard.writeText(chain.verify);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(line);
    }
  });
  const about = "Each entry of the record is chained to the one before it. Whoever has this head can find out whether "
    + "anything was altered later.";
  return section("The record", about, null, pairs([["run", el("code", "", run.id)], ["entries", chain.entries],
    ...(chain.head ? [["head", el("code", "", chain.head)]] : []),
    ...(chain.unchained ? [["outside the chain", `${chain.unchained} entries, which nothing proves`, "warn"]] : [])]),
  chain.verify ? el("div", "copy", line, copy) : null);
}

const [what, axis] = timeline();
document.getElementById("page").append(topBar(`Report of ${run.id}`), hero(), ...warnings(), facts(), what, oracle(),
  el("div", "two", envelope(), score()), comparison() ?? "", story(axis), record(),
  el("footer", "", `Made by operator-demo${run.version ? ` ${run.version}` : ""} from the recorded events of project `
    + `${run.project || "unknown"}. This file needs no network and sends nothing.`));
