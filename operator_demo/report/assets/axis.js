"use strict";
// One time axis: the clients' curves (uPlot), a lane for each member, the agent's commands, the engine's effects, and
// one cursor through all of them. Times are seconds since the run began, and shown as seconds since the fault.

function closed(column) {
  return [...column, column.at(-1)]; // the last second ends as well
}

class TimeAxis {
  constructor(axis, story, other, onPick) {
    this.axis = axis;
    this.other = other;
    this.steps = story.filter((entry) => entry.kind === "step");
    this.findings = story.filter((entry) => entry.kind === "finding");
    this.onPick = onPick;
    this.zero = axis.fault ?? 0;
    this.shift = other ? this.zero - (other.fault ?? 0) : 0; // of the other run's times
    this.at = null;
    this.view = this.incident();
    this.node = el("div", "axis");
    this.readout = el("div", "readout");
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Time axis; the arrow keys move the cursor");
    this.listen();
  }

  whole() {
    const first = Math.min(this.axis.load.at[0] ?? 0, ...this.axis.lanes.map((lane) => lane.spans[0].from));
    return [Math.max(0, Math.min(first, this.axis.end) - 1), Math.max(this.axis.end, first + 1)];
  }

  incident() {
    const marks = this.axis.milestones;
    if (marks.length === 0) return this.whole();
    const [first, last] = [marks[0].at, marks.at(-1).at];
    const room = Math.max(4, (last - first) * 0.25);
    const [from, to] = this.whole();
    const over = marks.at(-1).name === "verified"; // else it went on until the end
    return [Math.max(from, first - room), over ? Math.min(to, last + room) : to];
  }

  show(view) {
    this.view = view;
    this.draw();
  }

  // -- geometry --------------------------------------------------------------------------------------------------------

  x(at) {
    const [from, to] = this.view;
    return this.left + ((at - from) / (to - from)) * (this.width - this.left - this.right);
  }

  timeAt(x) {
    const [from, to] = this.view;
    return from + ((x - this.left) / (this.width - this.left - this.right)) * (to - from);
  }

  visible(from, to = from) {
    return to >= this.view[0] && from <= this.view[1];
  }

  // -- drawing ---------------------------------------------------------------------------------------------------------

  draw() {
    this.width = this.node.clientWidth;
    if (!this.width) return;
    this.left = this.width < 560 ? 62 : 104;
    this.right = 14;
    for (const chart of this.charts ?? []) chart.destroy();
    this.charts = [];
    this.node.replaceChildren();
    this.flags();
    this.curves();
    for (const lane of this.axis.lanes) this.lane(lane);
    this.marks();
    this.ticks();
    this.line = el("div", "cursor hidden");
    this.node.append(this.line);
    this.rules();
    this.moveTo(this.at);
  }

  row(looks, label) {
    const made = el("div", `row ${looks}`, el("div", "label", label));
    this.node.append(made);
    return made;
  }

  flags() {
    const row = this.row("", ""), ends = [];
    this.flagLevels = [];
    for (const mark of this.axis.milestones) {
      if (!this.visible(mark.at)) continue;
      const text = `${mark.name} ${mark.at === this.zero ? "" : since(mark.at - this.zero)}`.trim();
      const flag = el("div", `flag ${mark.tone}`, text);
      row.append(flag);
      const wide = flag.offsetWidth, from = Math.min(this.x(mark.at), this.width - wide);
      let level = ends.findIndex((end) => end + 6 <= from);
      if (level < 0) level = ends.push(0) - 1;
      ends[level] = from + wide;
      this.flagLevels.push([mark, level, flag]);
      flag.style.left = `${from}px`;
      flag.style.top = `${level * 22}px`;
    }
    row.style.height = `${Math.max(1, ends.length) * 22 + 6}px`;
  }

  rules() {
    for (const [mark, level] of this.flagLevels) {
      const rule = el("div", `rule ${mark.tone}`);
      rule.style.left = `${this.x(mark.at)}px`;
      rule.style.top = `${level * 22 + 18}px`;
      rule.style.bottom = "24px";
      this.node.append(rule);
    }
  }

  curves() {
    const load = this.axis.load;
    if (load.at.length === 0) return;
    const other = this.other?.load;
    const pale = (name) => closed(this.resampled(other, name, load.at));
    const times = [...load.at.map((at) => at - 1), load.at.at(-1)]; // a second is told when it is over
    this.chart("Operations a second", 132, [times, closed(load.ops), closed(load.errors), ...(other ? [pale("ops")] : [])],
      [this.area("--accent"), this.bars(), ...(other ? [this.pale()] : [])], (value) => String(value));
    this.chart("Latency, 99th percentile", 84, [times, closed(load.p99), ...(other ? [pale("p99")] : [])],
      [this.area("--agent"), ...(other ? [this.pale()] : [])], (value) => value < 1000 ? `${value} ms` : `${value / 1000} s`);
  }

  // The other run's values at this run's times, both counted from the fault.
  resampled(other, name, times) {
    const moved = other.at.map((at) => at + this.shift);
    return times.map((at) => {
      const next = moved.findIndex((value) => value >= at - 0.5);
      return next >= 0 && moved[next] <= at + 1 ? other[name][next] : null;
    });
  }

  color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  area(name) {
    const color = this.color(name);
    return {stroke: color, width: 1.75, fill: `${color}1f`, points: {show: false}, paths: uPlot.paths.stepped({align: 1})};
  }

  pale() {
    return {stroke: this.color("--pale"), width: 1.5, dash: [5, 4], points: {show: false},
      paths: uPlot.paths.stepped({align: 1})};
  }

  bars() {
    const color = this.color("--bad");
    return {stroke: color, fill: color, width: 0, points: {show: false}, paths: uPlot.paths.bars({size: [0.5, 12, 2], align: 1})};
  }

  chart(label, height, data, series, format) {
    const row = this.row("chart", label);
    row.querySelector(".label").style.left = `${this.left}px`;
    const soft = this.color("--soft"), grid = this.color("--line");
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    this.charts.push(new uPlot({
      width: this.width, height, padding: [8, this.right, 4, 0], legend: {show: false}, cursor: {show: false},
      scales: {x: {time: false, range: () => this.view}, y: {range: (chart, low, high) => [0, Math.max(high ?? 1, 1) * 1.08]}},
      series: [{}, ...series],
      axes: [{show: false}, {size: this.left, stroke: soft, font, gap: 6, space: 34, grid: {stroke: grid, width: 1},
        ticks: {show: false}, values: (chart, values) => values.map(format)}],
    }, data, row));
  }

  lane(lane) {
    const row = this.row("lane", lane.name), track = el("div", "track");
    track.style.left = `${this.left}px`;
    track.style.right = `${this.right}px`;
    row.append(track);
    for (const span of lane.spans) this.span(track, span, 0, "");
    const pale = this.other?.lanes.find((known) => known.name === lane.name);
    for (const span of pale?.spans ?? []) this.span(track, span, this.shift, "other");
  }

  span(track, span, shift, looks) {
    const from = Math.max(span.from + shift, this.view[0]), to = Math.min(span.to + shift, this.view[1]);
    if (to < from || !this.visible(from, to)) return;
    const wide = this.x(to) - this.x(from);
    const text = span.tone === "leader" ? "★ leader" : span.state;
    const made = el("div", `span ${span.tone} ${looks}`, looks || wide < 40 ? "" : text);
    if (wide < 14) made.style.padding = "0";
    made.style.left = `${this.x(from) - this.left}px`;
    made.style.width = `${Math.max(2, wide)}px`;
    track.append(made);
  }

  marks() {
    if (this.steps.length) {
      const row = this.row("lane", "agent");
      for (const step of this.steps) {
        const call = this.mark(row, `call ${step.changes ? "changes" : ""}`, step.at, step.to, step.command, () => this.onPick(step));
        if (call) call.style.width = `${Math.max(5, this.x(step.to) - this.x(step.at) - 1)}px`;
      }
      for (const found of this.findings) this.mark(row, "found", found.at, found.at, found.lines[0][0], () => this.onPick(found));
    }
    if (this.axis.effects.length) {
      const row = this.row("lane", "engine");
      for (const effect of this.axis.effects) {
        const step = this.steps.find((known) => known.call === effect.call);
        this.mark(row, `effect ${effect.tone}`, effect.at, effect.at, `${effect.text} (${effect.by})`,
          () => step && this.onPick(step));
      }
    }
  }

  mark(row, looks, from, to, text, pick) {
    if (!this.visible(from, to)) return null;
    const made = button("", `mark ${looks}`, pick);
    made.style.left = `${Math.max(this.x(from), this.left)}px`;
    made.title = text;
    made.setAttribute("aria-label", text);
    made.tabIndex = -1; // each is reached through the story below
    row.append(made);
    return made;
  }

  ticks() {
    const row = this.row("ticks", ""), [from, to] = this.view;
    row.style.marginLeft = `${this.left}px`;
    row.style.marginRight = `${this.right}px`;
    const wanted = (to - from) / Math.max(3, (this.width - this.left) / 90);
    const step = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((known) => known >= wanted) ?? 7200;
    for (let n = Math.ceil((from - this.zero) / step); this.zero + n * step <= to; n++) {
      const tick = el("div", "tick", n === 0 ? (this.axis.fault === null ? "0 s" : "fault") : since(n * step).replace(".0 s", " s"));
      const x = this.x(this.zero + n * step) - this.left;
      tick.style.left = `${x}px`;
      row.append(tick);
    }
  }

  // -- the cursor ------------------------------------------------------------------------------------------------------

  moveTo(at) {
    this.at = at;
    if (at === null || !this.visible(at)) {
      this.line.classList.add("hidden");
      this.readout.replaceChildren(el("span", "soft", "Point at the axis to read it at one moment. Drag to look closer, "
        + "click a mark to open its step."));
      return;
    }
    this.line.classList.remove("hidden");
    this.line.style.left = `${this.x(at)}px`;
    this.readout.replaceChildren(...this.saw(at));
  }

  saw(at) {
    const load = this.axis.load;
    const parts = [el("b", "", `${since(at - this.zero)}${this.axis.fault === null ? "" : " after the fault"}`)];
    let n = load.at.findIndex((second) => second >= at); // a second is told when it is over
    if (n < 0) n = load.at.length - 1;
    if (n >= 0 && Math.abs(load.at[n] - at) <= 2) {
      parts.push(el("span", "accent", `${Math.round(load.ops[n])} op/s`));
      if (load.p99[n] !== null) parts.push(el("span", "agent", `p99 ${Math.round(load.p99[n])} ms`));
      parts.push(el("span", load.errors[n] ? "bad strong" : "soft", `${load.errors[n]} errors`));
    }
    for (const lane of this.axis.lanes) {
      const span = lane.spans.find((known) => known.from <= at && at <= known.to);
      if (span) parts.push(el("span", span.tone === "leader" ? "good" : span.tone, `${lane.name} ${span.state}`));
    }
    const near = (this.view[1] - this.view[0]) / 90;
    const step = this.steps.find((known) => known.at - near / 2 <= at && at <= known.to + near / 2);
    if (step) parts.push(el("span", "mono", `▸ ${step.command.split("\n")[0].slice(0, 140)}`));
    for (const effect of this.axis.effects.filter((known) => Math.abs(known.at - at) < near).slice(0, 3)) {
      parts.push(el("span", effect.tone, `● ${effect.text} (${effect.by})`));
    }
    return parts;
  }

  listen() {
    let from = null, range = null;
    const where = (event) => event.clientX - this.node.getBoundingClientRect().left;
    const inside = (x) => Math.min(Math.max(x, this.left), this.width - this.right);
    this.node.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse" && !event.target.closest(".mark")) from = where(event);
    });
    this.node.addEventListener("pointermove", (event) => {
      const x = inside(where(event));
      this.moveTo(this.timeAt(x));
      if (from === null || Math.abs(x - from) < 8) return;
      if (range === null) this.node.append(range = el("div", "range"));
      range.style.left = `${Math.min(from, x)}px`;
      range.style.width = `${Math.abs(x - from)}px`;
    });
    addEventListener("pointerup", (event) => {
      if (from === null) return;
      const x = inside(where(event)), begun = inside(from);
      from = null;
      range = null;
      if (Math.abs(x - begun) >= 8) this.show([this.timeAt(Math.min(begun, x)), this.timeAt(Math.max(begun, x))]);
    });
    this.node.addEventListener("pointerleave", () => { if (from === null) this.moveTo(null); });
    this.node.addEventListener("dblclick", () => this.show(this.whole()));
    this.node.addEventListener("keydown", (event) => {
      const steps = {ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10}[event.key];
      if (steps === undefined) return;
      event.preventDefault();
      const [first, last] = this.view;
      this.moveTo(Math.min(Math.max((this.at ?? this.zero) + steps * (last - first) / 120, first), last));
    });
    new ResizeObserver(() => { if (this.node.clientWidth !== this.width) this.draw(); }).observe(this.node);
    repaint.push(() => this.draw());
  }
}
