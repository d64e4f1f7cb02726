// SPDX-License-Identifier: GPL-3.0-or-later
// Time series and histograms, drawn by uPlot (vendor/uplot); under each the same figures as a table.

const LINES = 8;
const charts = new Set();

/** Draw again, for instance in other colours. */
const redrawCharts = () => { for (const chart of charts) chart.draw(); };

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);
addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; redrawCharts(); });
addEventListener("afterprint", () => { delete document.documentElement.dataset.print; redrawCharts(); });

/** A figure with a title, a canvas and its table. draw(width) gives a uPlot, or null when there is nothing. */
class Chart {
  constructor({ title, tools = [], draw, table }) {
    this.make = draw;
    this.table = table;
    this.plot = null;
    this.canvas = el("div", { class: "canvas", role: "img" });
    this.figures = el("details", { class: "figures" }, el("summary", {}, "The figures"));
    this.figures.addEventListener("toggle", () => this.tabulate());
    this.note = el("p", { class: "note", hidden: true });
    this.title = el("figcaption", {}, el("h4", {}, title), tools);
    this.node = el("figure", { class: "chart" }, this.title, this.canvas, this.note, this.figures);
    charts.add(this);
    new ResizeObserver(() => this.fit()).observe(this.canvas);
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }

  fit() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    if (!this.plot) this.draw();
    else if (Math.abs(this.plot.width - width) > 1) this.plot.setSize({ width, height: this.plot.height });
  }

  draw() {
    const width = this.canvas.clientWidth;
    if (!width) return;
    this.plot?.destroy();
    const { options, series, label } = this.make(width);
    this.canvas.setAttribute("aria-label", label);
    this.plot = new uPlot(options, series, this.canvas);
    this.tabulate();
  }

  tabulate() {
    if (!this.figures.open) return;
    const { caption, columns, rows } = this.table();
    const grid = new Grid({ caption, columns, first: 100 });
    grid.fill(rows);
    this.figures.replaceChildren(this.figures.firstChild, grid.node);
  }
}

const axis = (more) => ({
  stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 },
  font: "12px system-ui, sans-serif", labelFont: "12px system-ui, sans-serif", labelSize: 18, ...more,
});

/** Room for the widest label of a vertical axis. */
const axisWidth = (plot, labels) => 18 + Math.max(24, ...(labels || []).map((label) => label.length * 7));

// --- time series ---

/** Distances between the ticks of an axis in bytes: powers of two. */
const BYTE_STEPS = [0, 1, 2, 3, 4, 5].flatMap((power) => [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map((step) => step * 1024 ** power));

const span = (view, number) => view.step
  ? `${+((number - 1) * view.step).toFixed(3)}-${+(number * view.step).toFixed(3)} s` : `#${number}`;

/** Which hosts have a line of their own: all of a few, of many the chosen one and those on top. */
const drawnLines = (view) => {
  if (!view.bands) return view.lines;
  const most = (line) => line.slice(1).reduce((sum, value) => sum + (value || 0), 0);
  const top = [...view.lines].sort((a, b) => most(b) - most(a)).slice(0, 3);
  const own = view.lines.find((line) => line[0] === focus.host);
  return own && !top.includes(own) ? [...top, own] : top;
};

const seriesChart = (view) => {
  const numbers = Array.from({ length: view.last - view.first + 1 }, (_, place) => view.first + place);
  const x = numbers.map((number) => (view.step ? (number - 0.5) * view.step : number)); // the middle of each
  const say = (value) => figure(view.column, value);
  const said = (plot, value) => (value === null ? "" : say(value));
  const draw = (width) => {
    const lines = drawnLines(view);
    const bands = view.bands || [];
    const dim = focus.host !== null && lines.some((line) => line[0] === focus.host);
    const colours = new Map(view.lines.slice(0, LINES).map((line, place) => [line[0], colour(`c${place + 1}`)]));
    const series = [{ label: "Interval", value: (plot, value, at, index) => (index === null ? "" : span(view, numbers[index])) }];
    const values = [x];
    for (const [place, label] of bands.length ? [[2, "9 of 10 hosts below"], [1, "median host"], [0, "1 of 10 hosts below"]] : []) {
      series.push({ label, stroke: colour("soft"), width: place === 1 ? 2 : 1, dash: place === 1 ? [6, 4] : [2, 4], points: { show: false }, value: said });
      values.push(bands[place]);
    }
    lines.forEach((line, place) => {
      const own = line[0] === focus.host;
      const stroke = own && view.bands ? colour("accent") : colours.get(line[0]) || colour(`c${(place % LINES) + 1}`);
      series.push({ label: hosts[line[0]].name, stroke, width: own ? 3 : 1.75, alpha: dim && !own ? 0.35 : 1, points: { show: x.length < 40, size: 5 }, value: said });
      values.push(line.slice(1));
    });
    const options = {
      width, height: 240, series, padding: [10, 12, 0, 0],
      bands: bands.length ? [{ series: [1, 3], fill: colour("band") }] : undefined,
      scales: { x: { time: false, range: () => (view.step ? [(view.first - 1) * view.step, view.last * view.step] : [view.first - 0.5, view.last + 0.5]) }, y: { range: (plot, least, most) => [Math.min(0, least || 0), most > 0 ? most * 1.08 : 1] } },
      axes: [
        axis({ label: view.step ? "seconds into the window" : "interval", incrs: view.step ? undefined : [1, 2, 5, 10, 20, 50, 100], size: 34 }),
        axis({ values: (plot, ticks) => ticks.map(say), size: axisWidth, incrs: view.column.type === "bytes" ? BYTE_STEPS : undefined }),
      ],
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
    };
    return { options, series: values, label: `${view.column.title} per interval of ${plural(view.allHosts, "host")}. The figures follow as a table.` };
  };
  const table = () => ({
    caption: `${view.column.title} per interval`,
    columns: [
      { title: "Host", value: (line) => hosts[line[0]].name, show: (line) => hosts[line[0]].name },
      ...numbers.map((number, place) => ({ title: span(view, number), numeric: true, value: (line) => line[place + 1], show: (line) => say(line[place + 1]) })),
    ],
    rows: focus.host === null ? view.lines : [...view.lines].sort((a, b) => (b[0] === focus.host) - (a[0] === focus.host)),
  });
  const chart = new Chart({ title: `${view.column.title} per interval`, draw, table });
  follow(() => {
    const missing = focus.host !== null && view.lines.length < view.allHosts && !view.lines.some((line) => line[0] === focus.host);
    chart.say(missing ? `Of so many hosts only ${view.lines.length} have a line in this page; ${hosts[focus.host].name} is not one of them.` : "");
    chart.draw();
  });
  return chart.node;
};

// --- histograms ---

/** Counts per bucket: of one group, or (null) of all of them. */
const perBucket = (view, flat, group) => {
  const size = view.bucket.bounds.length;
  const counts = new Array(size).fill(0);
  for (let place = 0; place < flat.length; place += 2) {
    if (group === null || Math.floor(flat[place] / size) === group) counts[flat[place] % size] += flat[place + 1];
  }
  return counts;
};

const bucketLabel = (view, place) => {
  const { bounds } = view.bucket;
  const say = (value) => figure(view.bucket, value);
  return place + 1 < bounds.length ? `${say(bounds[place])} - ${say(bounds[place + 1])}` : `${say(bounds[place])} and more`;
};

const groupPicker = (view, state, act) => {
  if (view.groups.length < 2) return null;
  return select("of", ["all", ...view.groups.map((group) => group || "-")], (place) => {
    state.group = place ? place - 1 : null;
    act();
  });
};

/** Bars of the fleet's share per bucket, and the chosen host's as a line: shapes compare, amounts need not. */
const histogramChart = (view) => {
  const state = { group: null };
  const count = (value) => figure(view.column, value);
  const shares = (counts) => {
    const sum = counts.reduce((a, b) => a + b, 0);
    return { counts, sum, shares: counts.map((value) => (sum ? (100 * value) / sum : 0)) };
  };
  const fleet = () => shares(perBucket(view, view.fleet, state.group));
  const own = () => {
    const row = view.hosts.find((item) => item[0] === focus.host);
    return focus.host === null ? null : shares(perBucket(view, row ? row.slice(1) : [], state.group));
  };
  const x = view.bucket.bounds.map((_, place) => place);
  const draw = (width) => {
    const all = fleet(), one = own();
    const percent = (plot, value) => (value === null ? "" : `${amount(value)} %`);
    const series = [
      { label: view.bucket.title, value: (plot, value) => (value === null ? "" : bucketLabel(view, value)) },
      { label: "all hosts", stroke: colour("c1"), fill: colour("bar"), width: 1, paths: uPlot.paths.bars({ size: [0.9, 80] }), points: { show: false }, value: percent },
    ];
    const values = [x, all.shares];
    if (one) {
      series.push({ label: hosts[focus.host].name, stroke: colour("c2"), width: 3, paths: uPlot.paths.stepped({ align: 0 }), points: { show: true, size: 7 }, value: percent });
      values.push(one.shares);
    }
    const options = {
      width, height: 240, series, padding: [10, 12, 0, 0],
      scales: { x: { time: false, range: () => [-0.6, x.length - 0.4] }, y: { range: (plot, least, most) => [0, most > 0 ? most * 1.08 : 1] } },
      axes: [
        axis({ label: view.bucket.title, size: 34, incrs: [1, 2, 4, 8, 16], space: 62, values: (plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) && x[tick] !== undefined ? figure(view.bucket, view.bucket.bounds[tick]) : "")) }),
        axis({ values: (plot, ticks) => ticks.map((tick) => `${tick} %`), size: axisWidth }),
      ],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    };
    return { options, series: values, label: `Share of ${view.column.title} per ${view.bucket.title}. The figures follow as a table.` };
  };
  const table = () => {
    const all = fleet(), one = own();
    const columns = [
      { title: view.bucket.title, numeric: true, value: (place) => place, show: (place) => bucketLabel(view, place) },
      { title: "all hosts", numeric: true, value: (place) => all.counts[place], show: (place) => count(all.counts[place]) },
      { title: "share", numeric: true, value: (place) => all.shares[place], show: (place) => `${amount(all.shares[place])} %` },
    ];
    if (one) columns.push(
      { title: hosts[focus.host].name, numeric: true, value: (place) => one.counts[place], show: (place) => count(one.counts[place]) },
      { title: "share", numeric: true, value: (place) => one.shares[place], show: (place) => `${amount(one.shares[place])} %` },
    );
    return { caption: `${view.column.title} per ${view.bucket.title}`, columns, rows: x };
  };
  const tools = groupPicker(view, state, () => chart.draw());
  const chart = new Chart({ title: `Histogram: ${view.column.title}`, tools: tools ? [tools] : [], draw, table });
  follow(() => {
    const missing = own() !== null && view.hosts.length < view.allHosts && !view.hosts.some((row) => row[0] === focus.host);
    chart.say(missing ? `Of so many hosts only ${view.hosts.length} are in this chart; ${hosts[focus.host].name} is not one of them.` : "");
    chart.draw();
  });
  return chart.node;
};
