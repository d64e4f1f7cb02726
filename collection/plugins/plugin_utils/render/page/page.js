// SPDX-License-Identifier: GPL-3.0-or-later
// Puts it all together: the chosen host's card, coverage, each probe's views, and the ways from a finding or a
// cell of the map to the rows.

const byId = (id) => document.getElementById(id);
const rowsViews = new Map();
const flames = new Map();

// --- one host ---

const factList = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));

const signed = (value) => (value === null ? "" : `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(3)}`);

const clockOf = (host) => (host.offset === null ? NOTHING : `${signed(host.offset)}${host.error === null ? "" : ` ± ${host.error.toFixed(3)}`} s`);

const outputFile = (host, probe) => `${hosts[host].folder}/${probe.file}.out.gz`;

const fileLink = (host, probe) => {
  const path = outputFile(host, probe);
  // Of several runs the page lies in none: then the path says which.
  return hosts[host].run ? el("code", {}, `${hosts[host].run}: ${path}`) : el("a", { href: path }, path);
};

const sessionRows = (number) => data.probes.map((probe, place) => {
  const { status, rows, mark, error, cpu } = probe.sessions;
  return el("tr", {},
    el("th", { scope: "row" }, el("a", { href: `#p${place + 1}` }, el("code", {}, probe.name))),
    el("td", {}, status[number] ? chip(status[number]) : NOTHING),
    el("td", { class: "n" }, amount(rows[number])),
    el("td", { class: "n" }, cpu[number] === null ? NOTHING : time(cpu[number])),
    el("td", { class: "text" }, [mark[number], error[number]].filter(Boolean).join("; ")),
    el("td", {}, probe.lines.some((item) => item.host === number)
      ? el("a", { href: `#p${place + 1}lines`, "data-lines": String(place) }, "as printed") : NOTHING));
});

const hostCard = (section) => {
  const number = focus.host;
  section.hidden = number === null;
  if (number === null) return section.replaceChildren();
  const host = hosts[number];
  const found = [...document.querySelectorAll("a[data-finding]")].filter((link) => data.findings[Number(link.dataset.finding)].host === number);
  const sentences = found.map((link) => {
    const card = link.closest(".finding");
    return el("li", {}, card.querySelector(".sentence .chip").cloneNode(true), " ", el("a", { href: `#${card.id}` }, card.querySelector(".words").textContent));
  });
  section.replaceChildren(
    el("h2", {}, host.name, " ", chip(host.status)),
    factList([["Kernel", host.kernel], ["Distribution", host.distribution], ["staprun", host.staprun], ["Clock offset", clockOf(host)], ["Peers", host.peers], ["Reason", host.reason], ["What to do", host.remedy]]),
    found.length ? el("ul", { class: "own" }, sentences) : el("p", { class: "empty" }, "No finding speaks of this host."),
    el("div", { class: "scroll" }, el("table", {}, el("caption", {}, `Probes on ${host.name}`),
      el("thead", {}, el("tr", {}, ["Probe", "Status", "Records", "CPU", "Losses and errors", "Output"].map((title, at) => el("th", { scope: "col", class: at === 2 || at === 3 ? "n" : null }, title)))),
      el("tbody", {}, sessionRows(number)))),
    el("p", { class: "note" }, "Everything below shows this host. ", button("Look at all hosts again", () => choose(null))),
  );
  return section;
};

// --- coverage ---

const coverage = () => {
  const column = (title, value, more = {}) => ({ title, value, show: (host) => value(host) || NOTHING, ...more });
  const seconds = (title, name, note) => ({ title, note, numeric: true, value: (host) => host[name], show: (host) => (host[name] === null ? NOTHING : `${host[name].toFixed(1)} s`) });
  const grid = new Grid({
    caption: "Coverage: every host of the pattern",
    columns: [
      { ...column("Host", (host) => host.name), cell: (host) => [button(host.name, () => { choose(host.number); goTo(byId("host")); }, { class: "link" })] },
      { ...column("Status", (host) => host.status), cell: (host) => [chip(host.status)] },
      column("Kernel", (host) => host.kernel, { whole: true }),
      { title: "Clock offset", numeric: true, note: "Clock of the host against the controller's, and its error", value: (host) => host.offset, show: clockOf },
      seconds("Late", "late", "Seconds of the window missed at its start"),
      seconds("Early", "early", "Seconds of the window missed at its end"),
      column("Losses and reasons", (host) => host.reason, { long: true }),
      column("What to do", (host) => host.remedy, { long: true }),
    ],
    lit: (host) => host.number === focus.host,
  });
  const order = ["not probed", "failed", "unreachable", "refused", "degraded", "probed"];
  const rows = [...hosts].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status) || a.number - b.number);
  byId("coverage").querySelector("figure").replaceChildren(grid.node);
  follow(() => grid.fill(rows));
};

// --- probes ---

const VIEWS = { series: seriesChart, histogram: histogramChart, heatmap: heatmapChart };

const probeViews = (probe, number) => {
  probe.tables.forEach((table, at) => {
    const box = byId(`p${number}t${at + 1}`);
    if (!box || !table.rows.length) return; // what that means stands there already
    const shown = box.querySelector("figure.grid");
    for (const view of table.views) shown.before(VIEWS[view.kind]({ ...table.views[view.like], ...view, probe: probe.name }));
    if (table.shut && table.views.length) {
      const shut = el("details", {}, el("summary", {}, "The rows"));
      shown.replaceWith(shut);
      shut.append(shown);
    }
    rowsViews.set(box.id, new RowsView(probe, table, shown));
  });
  const box = byId(`p${number}calls`);
  if (box && probe.calls.length) flames.set(box.id, new Flame(probe, box.querySelector("figure.grid")));
};

/** The lines of all hosts, merged by time; those of hosts that tell none come last. */
const said = (probe, number) => {
  const box = byId(`p${number}text`);
  if (!box || !probe.lines.length) return;
  const timed = probe.lines.some((item) => item.times);
  const all = probe.lines.flatMap(({ host, lines, times }) => lines.map((line, place) => ({ host, line, place, at: times?.[place] ?? null })));
  all.sort((a, b) => (a.at === null) - (b.at === null) || a.at - b.at || a.host - b.host || a.place - b.place);
  const grid = new Grid({
    caption: `${probe.name}: what the hosts printed, by time`,
    columns: [
      { title: "Host", value: (row) => hosts[row.host].name, show: (row) => hosts[row.host].name, cell: (row) => hostName(row.host, probe.sessions.mark[row.host]) },
      ...timed ? [{ title: "At", note: "Since the window's start", numeric: true, value: (row) => row.at, show: (row) => (row.at === null ? NOTHING : `${(row.at / 1000).toFixed(3)} s`) }] : [],
      { title: "Line", path: true, value: (row) => row.line, show: (row) => row.line },
    ],
    none: () => nothingSeen(probe),
  });
  grid.node.classList.add("said");
  box.querySelector("figure").replaceChildren(grid.node);
  const total = probe.lines.reduce((sum, item) => sum + item.total, 0);
  follow(() => {
    const rows = focus.host === null ? all : all.filter((row) => row.host === focus.host);
    grid.fill(rows, { remarks: [
      total > all.length ? `The first lines of each host: ${all.length.toLocaleString("en-US")} of ${plural(total, "line")}; the whole is in the run directory` : "",
      ...marksOf(probe, [...new Set(rows.map((row) => row.host))]),
    ] });
  });
};

/** The output of one host as it was printed, its first lines, and the file that has all of it. */
const printed = (probe, number) => {
  const box = byId(`p${number}lines`);
  if (!box || !probe.lines.length) return;
  const known = new Map(probe.lines.map((item) => [item.host, item]));
  const sampled = [...known.keys()];
  const pick = el("select", {}, sampled.map((host) => el("option", { value: host }, hosts[host].name)));
  pick.addEventListener("change", () => choose(Number(pick.value)));
  const lines = el("pre", { tabindex: "0" });
  const rest = el("p", { class: "note" });
  box.append(el("div", { class: "tools" }, el("label", { class: "pick" }, "Host ", pick)), lines, rest);
  follow(() => {
    const host = focus.host === null ? sampled[0] : focus.host;
    const found = known.get(host);
    if (found) pick.value = String(host);
    else pick.selectedIndex = -1;
    lines.hidden = !found || !found.lines.length;
    lines.textContent = found ? found.lines.join("\n") : "";
    if (!found) return rest.replaceChildren(`Nothing came back from ${hosts[host].name}.`);
    const what = found.total === undefined ? `The first ${plural(found.lines.length, "line")}` : `${found.lines.length} of ${plural(found.total, "line")}`;
    return rest.replaceChildren(`${what}. The whole output, in the run directory: `, fileLink(host, probe));
  });
};

// --- from a finding or a cell to the rows ---

const openRows = ({ probe, table, host, keys = [], path = null }) => {
  choose(host === undefined ? null : host);
  const calls = flames.get(`p${probe + 1}calls`);
  const rows = rowsViews.get(`p${probe + 1}t${(table ?? -1) + 1}`);
  if (rows) {
    const box = byId(`p${probe + 1}t${table + 1}`);
    rows.point(keys);
    if (keys.length) for (const shut of box.querySelectorAll(":scope > details")) shut.open = true;
    goTo(box);
  } else if (calls) {
    if (path) calls.point(path);
    goTo(byId(`p${probe + 1}calls`));
  } else if (byId(`p${probe + 1}`)) goTo(byId(`p${probe + 1}`));
};

const start = () => {
  const openCell = (line, host) =>
    openRows({ ...line, host, keys: line.key.length ? [line.key] : [], path: line.table === null ? line.key : null });
  safely(() => document.querySelector("nav .bar-in").append(hostChooser()));
  safely(() => new HostMap(byId("map"), openCell));
  safely(coverage);
  data.probes.forEach((probe, at) => {
    for (const part of [probeViews, said, printed]) safely(() => part(probe, at + 1));
  });
  safely(() => follow(() => hostCard(byId("host"))));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-finding], a[data-lines]");
    if (!link) return;
    if (link.dataset.finding !== undefined) {
      event.preventDefault();
      openRows(data.findings[Number(link.dataset.finding)]);
    } else {
      const box = byId(`p${Number(link.dataset.lines) + 1}lines`);
      box.open = true;
    }
  });
  document.documentElement.dataset.ready = "";
};

start();
