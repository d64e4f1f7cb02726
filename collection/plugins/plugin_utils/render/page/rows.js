// SPDX-License-Identifier: GPL-3.0-or-later
// The table of a probe in three sights: rows by host, totals per host, the same keys over all hosts.

/** Where a measure's cells are in a row: its value, and its rate behind it where it has one. */
const measureColumns = (table, start) => {
  const columns = [];
  let place = start;
  for (const measure of table.columns.slice(table.keys)) {
    const at = place;
    columns.push({
      title: measure.title, note: measure.note, numeric: isNumeric(measure), path: measure.type === "path",
      value: (row) => row[at], show: (row) => figure(measure, row[at]),
    });
    place += 1;
    if (measure.rate) {
      const rate = place;
      columns.push({
        title: "per second", note: "Per second really sampled", numeric: true,
        value: (row) => row[rate], show: (row) => figure({ type: measure.type === "bytes" ? "bytes" : "float" }, row[rate], { per: "/s" }),
      });
      place += 1;
    }
  }
  return columns;
};

const keyColumns = (table, start) =>
  table.columns.slice(0, table.keys).map((column, place) => ({
    title: column.title, note: column.note, numeric: isNumeric(column), path: column.type === "path",
    value: (row) => row[start + place], show: (row) => figure(column, row[start + place], { key: true }),
  }));

const hostColumn = (probe) => ({
  title: "Host", value: (row) => hosts[row[0]].name, show: (row) => hosts[row[0]].name,
  cell: (row) => hostName(row[0], probe.sessions.mark[row[0]]),
});

const countColumn = (title, note, place) => ({
  title, note, numeric: true, value: (row) => row[place], show: (row) => amount(row[place]),
});

/** Position of the column that the table is sorted by, among columns that begin with `lead` others. */
const barOf = (table, lead) => {
  if (table.sort === null) return null;
  const measures = table.columns.slice(table.keys);
  if (!isNumeric(measures[table.sort])) return null;
  return lead + table.sort + measures.slice(0, table.sort).filter((measure) => measure.rate).length;
};

const marksOf = (probe, numbers) => {
  const touched = new Map();
  for (const number of numbers) {
    const mark = probe.sessions.mark[number];
    if (mark) touched.set(mark, [...(touched.get(mark) || []), hosts[number].name]);
  }
  return [...touched].map(([mark, names]) =>
    `* ${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}: ${mark}`);
};

const filesOf = (probe, table) => `all are in csv/${probe.file}.${table.name}.csv`;

/** What it means that the chosen host has no rows. */
const nothingSeen = ({ sessions }) => {
  if (focus.host === null) return "No rows.";
  const { name } = hosts[focus.host];
  if (!["sampled", "degraded"].includes(sessions.status[focus.host])) return `${name} did not sample it, so nothing is known.`;
  return sessions.mark[focus.host] ? `No rows; but ${name} has losses, see coverage.` : `No rows: nothing of the kind was seen on ${name}.`;
};

class RowsView {
  constructor(probe, table, figureNode) {
    Object.assign(this, { probe, table });
    this.proof = new Set();
    const keys = keyColumns(table, 1);
    this.lit = (row) => this.proof.has(JSON.stringify([row[0], row.slice(1, 1 + table.keys)]));
    const measures = measureColumns(table, 1 + table.keys);
    this.sights = [
      { name: "Rows by host", grid: () => new Grid({
        caption: `${probe.name}: ${table.title}, by host`, columns: [hostColumn(probe), ...keys, ...measures],
        bars: barOf(table, 1 + table.keys), lit: this.lit, none: () => nothingSeen(probe),
      }), fill: (grid) => this.fillRows(grid) },
    ];
    if (table.hosts.length > 1) this.sights.push({ name: "Totals per host", grid: () => new Grid({
      caption: `${probe.name}: ${table.title}, totals per host`,
      columns: [hostColumn(probe), countColumn("rows", "Rows of this host", 1), ...measureColumns(table, 3)],
      bars: barOf(table, 2), lit: (row) => row[0] === focus.host,
    }), fill: (grid) => this.fillHosts(grid) });
    if (table.fleet.some((row) => row[0] > 1)) this.sights.push({ name: "All hosts together", grid: () => new Grid({
      caption: `${probe.name}: ${table.title}, all hosts together`,
      columns: [...keyColumns(table, 1), countColumn("hosts", "Hosts that have it", 0), ...measures],
      bars: barOf(table, table.keys + 1),
    }), fill: (grid) => this.fillFleet(grid) });
    this.place = el("div");
    this.choices = this.sights.length > 1 ? choices("What a row is", this.sights.map((sight) => sight.name), (at) => this.show(at)) : null;
    figureNode.replaceChildren(this.place);
    this.current = null;
    follow(() => this.show(this.current || 0));
  }

  show(at) {
    const sight = this.sights[at];
    sight.made = sight.made || sight.grid();
    if (this.current !== at) {
      if (this.choices) sight.made.bar.prepend(this.choices);
      this.place.replaceChildren(sight.made.node);
    }
    this.current = at;
    sight.fill(sight.made);
  }

  /** The rows that a finding points at, or all of a host. */
  point(keys) {
    this.proof = new Set(keys.map((key) => JSON.stringify([focus.host, key])));
    if (this.choices) this.choices.firstChild.click();
    this.sights[0].made.filter("");
    this.show(0);
  }

  fillRows(grid) {
    const { table, probe } = this;
    const only = focus.host;
    let rows = only === null ? table.rows : table.rows.filter((row) => row[0] === only);
    if (this.proof.size) rows = [...rows.filter(this.lit), ...rows.filter((row) => !this.lit(row))];
    const total = table.hosts.find((row) => row[0] === only);
    const all = only === null ? table.allRows : total ? total[1] : 0;
    const whose = only === null ? "" : ` of ${hosts[only].name}`;
    grid.fill(rows, {
      foot: this.totals(only, total),
      remarks: [
        all > rows.length ? `${plural(rows.length, "row")} of ${all.toLocaleString("en-US")}${whose} are in this page, the top ones; ${filesOf(probe, table)}` : "",
        ...marksOf(probe, only === null ? table.hosts.map((row) => row[0]) : [only]),
      ],
    });
  }

  totals(only, total) {
    const { table } = this;
    const values = only === null ? table.total : total && total.slice(3);
    if (!values || (only === null && !table.hosts.length)) return [];
    const label = only === null && table.hosts.length > 1 ? `All ${plural(table.hosts.length, "host")}` : "All";
    const cells = measureColumns(table, 0).map((column) => el("td", { class: column.numeric ? "n" : null }, column.numeric ? column.show(values) : ""));
    return [el("tr", {}, el("td", { colspan: 1 + table.keys }, label), cells)];
  }

  fillHosts(grid) {
    const rows = [...this.table.hosts];
    if (focus.host !== null) rows.sort((a, b) => (b[0] === focus.host) - (a[0] === focus.host));
    grid.fill(rows, { remarks: marksOf(this.probe, rows.map((row) => row[0])) });
  }

  fillFleet(grid) {
    const { fleet, allKeys } = this.table;
    grid.fill(fleet, { remarks: [allKeys > fleet.length ? `the first ${fleet.length} of ${allKeys.toLocaleString("en-US")}; report.json has more` : ""] });
  }
}
