// SPDX-License-Identifier: GPL-3.0-or-later
// Heat maps as tables: what a colour says, the cell says too. One cell is reached by Tab, the others by arrows.

const SHADES = 6;

/** Arrow keys walk over the cells of a table; Enter and clicks act. */
const walkable = (table, act) => {
  const at = (row, column) => table.tBodies[0].rows[row]?.cells[column];
  const reach = (cell) => {
    for (const other of table.querySelectorAll('[tabindex="0"]')) other.setAttribute("tabindex", "-1");
    cell.setAttribute("tabindex", "0");
    cell.focus();
  };
  table.setAttribute("role", "grid");
  table.querySelector("tbody td")?.setAttribute("tabindex", "0");
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("tbody td, tbody th");
    if (!cell) return;
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      const next = at(cell.parentNode.sectionRowIndex + step[0], cell.cellIndex + step[1]);
      if (next?.tagName === "TD") reach(next);
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === " ") {
      act?.(cell);
      event.preventDefault();
    }
  });
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("tbody td");
    if (cell) act?.(cell);
  });
};

// --- buckets over time, or by host ---

const HEAT_HOSTS = 40;

/** The columns of a latency map: intervals of the fleet or of the chosen host, or one per host. */
const heatColumns = (view, sight, group) => {
  if (sight === "hosts") {
    const own = view.hosts.find((row) => row[0] === focus.host);
    const shown = view.hosts.slice(0, HEAT_HOSTS);
    if (own && !shown.includes(own)) shown.unshift(own);
    return shown.map((row) => ({ title: hosts[row[0]].name, host: row[0], counts: perBucket(view, row.slice(1), group) }));
  }
  const own = focus.host !== null && view.hostTimes.length;
  const rows = own ? view.hostTimes.filter((row) => row[0] === focus.host).map((row) => row.slice(1)) : view.times;
  const numbers = view.times.map((row) => row[0]);
  const found = new Map(rows.map((row) => [row[0], row.slice(1)]));
  const last = Math.max(...numbers), first = Math.min(...numbers);
  return Array.from({ length: last - first + 1 }, (_, place) => {
    const number = first + place;
    return { title: span(view, number), counts: perBucket(view, found.get(number) || [], group) };
  });
};

const heatmapChart = (view) => {
  const sights = [];
  if (view.times?.length) sights.push(["over time", "times"]);
  if (view.hosts.length > 1 || !sights.length) sights.push(["by host", "hosts"]);
  const state = { group: null, sight: sights[0][1] };
  const place = el("div", { class: "scroll heat", tabindex: "0", role: "region", "aria-label": `${view.probe}, heat map: ${view.column.title}` });
  const note = el("p", { class: "note" });
  const draw = () => {
    const columns = heatColumns(view, state.sight, state.group);
    const shares = columns.map(({ counts }) => {
      const sum = counts.reduce((a, b) => a + b, 0);
      return counts.map((count) => (sum ? count / sum : 0));
    });
    const most = Math.max(0, ...shares.flat());
    const buckets = view.bucket.bounds.map((_, at) => at).filter((at) => view.bucket.bounds.length <= 32 || columns.some(({ counts }) => counts[at])).reverse();
    const whose = state.sight === "hosts" ? "of each host" : focus.host !== null && view.hostTimes.length ? `of ${hosts[focus.host].name}` : "of all hosts";
    const table = el("table", { class: "heatmap" },
      el("caption", {}, `${view.column.title} ${whose}, by ${view.bucket.title}`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, view.bucket.title), columns.map(({ title, host }) => el("th", { scope: "col", class: host !== undefined && host === focus.host ? "lit" : null }, title)))),
      el("tbody", {}, buckets.map((at) => el("tr", {}, el("th", { scope: "row", class: "n" }, bucketLabel(view, at)),
        columns.map(({ counts, title }, number) => {
          const share = shares[number][at];
          const shade = share ? Math.max(1, Math.ceil(Math.sqrt(share / most) * SHADES - 1e-9)) : 0;
          const text = counts[at] ? figure(view.column, counts[at]) : "";
          return el("td", { class: `n q${shade}`, tabindex: "-1", title: `${title}, ${bucketLabel(view, at)}: ${figure(view.column, counts[at])}, ${amount(100 * share)} %` }, text);
        })))));
    walkable(table);
    place.replaceChildren(table);
    const remarks = ["The stronger the colour, the larger the share of its column."];
    if (state.sight === "hosts" && view.allHosts > columns.length) remarks.push(`The first ${columns.length} of ${view.allHosts} hosts; choose a host to see it here.`);
    if (state.sight === "times" && focus.host !== null && !view.hostTimes.length) remarks.push("Of so many hosts only the sum is kept over time.");
    if (state.sight === "times" && view.partial) remarks.push("Of some hosts only the top rows are counted over time.");
    note.textContent = remarks.join(" ");
  };
  const tools = [
    sights.length > 1 ? choices("Columns", sights.map(([name]) => name), (at) => { state.sight = sights[at][1]; draw(); }) : null,
    groupPicker(view, state, draw),
  ].filter(Boolean);
  follow(draw);
  return el("figure", { class: "chart" }, el("figcaption", {}, el("h4", {}, `Heat map: ${view.column.title}`), tools), place, note);
};

// --- hosts x measures ---

const FEW = 8;
const MAP_HOSTS = 20;

/** How strongly a figure differs from its peers', 0 to SHADES - 1, and which way. */
const shadeOf = (score) => {
  if (score === null || score === undefined) return null;
  const size = Math.abs(score);
  const shade = [1, 2, 3.5, 6, 12].filter((bound) => size >= bound).length;
  return { shade, way: score > 0 ? "above" : "below" };
};

const betterWay = (line, way) => (line.more === "better" ? way === "above" : line.more === "worse" ? way === "below" : false);

/** One line per measure: hosts of several sets of peers stand side by side, each compared with its own. */
const measuresOf = (lines) => {
  const found = new Map();
  for (const line of lines) {
    const name = JSON.stringify([line.probe, line.table, line.label, line.key]);
    if (!found.has(name)) found.set(name, { ...line, at: new Map(), out: new Set(), medians: [] });
    const all = found.get(name);
    for (const [host, value, score] of line.cells) all.at.set(host, { value, score, median: line.median });
    for (const host of line.found) all.out.add(host);
    all.medians.push([line.peers, line.median]);
  }
  return [...found.values()];
};

class HostMap {
  constructor(section, open) {
    this.lines = measuresOf(data.map.lines);
    this.open = open;
    this.most = MAP_HOSTS;
    this.numbers = [...new Set(this.lines.flatMap((line) => [...line.at.keys()]))];
    if (!this.lines.length || this.numbers.length < 2) {
      section.append(el("p", { class: "empty" }, this.numbers.length === 1 || hosts.length === 1
        ? "One host has no peers to be compared with." : "Nothing was compared between the hosts."));
      return;
    }
    this.worst = new Map(this.numbers.map((host) => [host, this.weight(host)]));
    this.numbers.sort((a, b) => this.worst.get(b) - this.worst.get(a) || a - b);
    this.place = el("div", { class: "scroll heat", tabindex: "0", role: "region", "aria-label": "Hosts by measures" });
    this.tools = el("div", { class: "tools" });
    section.append(this.legend(), this.place, this.tools);
    follow(() => this.draw());
  }

  weight(host) {
    return this.lines.reduce((sum, line) => sum + (line.out.has(host) ? 1000 : 0) + Math.min(99, Math.abs(line.at.get(host)?.score || 0)), 0);
  }

  legend() {
    const swatch = (kind, text) => el("span", { class: "key" }, el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }), text);
    return el("p", { class: "legend" },
      swatch("m0", "like its peers"), swatch("above m2", "above"), swatch("above m5", "far above"), swatch("below m2", "below"), swatch("below m5", "far below"),
      swatch("above m5 out", "a finding (framed, ▲ ▼)"),
      el("span", { class: "key" }, "Choose a cell to see its rows."));
  }

  cell(line, host) {
    const { value = null, score = null, median = null } = line.at.get(host) || {};
    const grade = shadeOf(score);
    const out = line.out.has(host);
    const text = figure(line, value);
    const kind = grade ? [grade.shade ? grade.way : "", `m${grade.shade}`, betterWay(line, grade.way) && grade.shade ? "fine" : ""] : ["m0"];
    if (out) kind.push("out");
    const others = median === null ? "" : `; median of its peers ${figure(line, median)}`;
    const sign = out ? (grade?.way === "below" ? "▼ " : "▲ ") : "";
    const node = el("td", {
      class: ["n", ...kind].filter(Boolean).join(" "), tabindex: "-1",
      title: `${hosts[host].name}, ${line.label}: ${text}${others}${out ? "; a finding" : ""}`,
    }, out ? [el("span", { "aria-hidden": "true" }, sign), text, el("span", { class: "aside" }, ", a finding")] : text);
    node.act = () => this.open(line, host);
    return node;
  }

  measure(line) {
    const probe = data.probes[line.probe];
    const key = line.table === null ? [line.key[0], ...line.key.slice(-1)] : line.key; // of a call: process and function
    return [el("span", { class: "soft" }, probe ? probe.name : ""), " ", line.label,
      key.length ? el("code", { class: "keyname", title: line.key.join(" > ") }, key.join(" > ")) : null];
  }

  draw() {
    const shown = this.numbers.slice(0, this.most);
    if (focus.host !== null && this.numbers.includes(focus.host)) {
      shown.splice(0, shown.length, focus.host, ...shown.filter((host) => host !== focus.host));
    }
    const few = shown.length <= FEW && this.numbers.length <= FEW;
    const table = few ? this.byMeasure(shown) : this.byHost(shown);
    walkable(table, (cell) => cell.act?.());
    this.place.replaceChildren(table);
    const left = this.numbers.length - this.most;
    this.tools.replaceChildren(...[
      left > 0 ? button(`Show ${Math.min(left, MORE_ROWS)} more of ${plural(this.numbers.length, "host")}`, () => { this.most += MORE_ROWS; this.draw(); }, { class: "more" }) : null,
      data.map.more ? el("span", {}, `${plural(data.map.more, "further comparison")} told less; they are in report.json.`) : null,
    ].filter(Boolean));
  }

  /** The median of the peers; of several sets each. */
  median(line) {
    const said = line.medians.map(([peers, median]) => (line.medians.length > 1 ? `${peers}: ` : "") + figure(line, median));
    return el("td", { class: "n soft", tabindex: "-1" }, said.join(", "));
  }

  /** A row per measure: reads best with few hosts. */
  byMeasure(shown) {
    return el("table", { class: "heatmap" }, el("caption", {}, "Measures of each host, coloured by how far they are from its peers'"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Measure"), el("th", { scope: "col", class: "n" }, "Median"),
        shown.map((host) => el("th", { scope: "col", class: `n${host === focus.host ? " lit" : ""}` }, hosts[host].name)))),
      el("tbody", {}, this.lines.map((line) => el("tr", {}, el("th", { scope: "row" }, this.measure(line)),
        this.median(line),
        shown.map((host) => this.cell(line, host))))));
  }

  /** A row per host, the worst first. */
  byHost(shown) {
    return el("table", { class: "heatmap wide" }, el("caption", {}, "Hosts by measures, coloured by how far they are from their peers'; the worst hosts first"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Host"), this.lines.map((line) => el("th", { scope: "col" }, this.measure(line))))),
      el("tbody", {}, el("tr", {}, el("th", { scope: "row", class: "soft" }, "Median"), this.lines.map((line) => this.median(line))),
        shown.map((host) => el("tr", { class: host === focus.host ? "lit" : null }, el("th", { scope: "row" }, hosts[host].name),
          this.lines.map((line) => this.cell(line, host))))));
  }
}
