// SPDX-License-Identifier: GPL-3.0-or-later
// A table that sorts and filters. A column: { title, note, numeric, path, long, whole, value(row), show(row), cell(row) }.

const FIRST_ROWS = 25;
const MORE_ROWS = 200;
const FILTER_FROM = 6;
const SHORT = 12; // characters of a title that stay on one line

const order = (column, down) => (a, b) => {
  const x = column.value(a), y = column.value(b);
  const none = (value) => value === null || value === undefined;
  if (none(x) || none(y)) return none(x) - none(y); // what is not known stays at the end either way
  const way = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
  return down ? -way : way;
};

/** The text of a row in which the filter looks. */
const wording = (columns, row) => columns.map((column) => column.show(row)).join(" ").toLowerCase();

const bar = (share) => {
  const node = el("span", { class: "bar", "aria-hidden": "true" });
  node.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return node;
};

class Grid {
  /** bars: place of the column drawn as bars. lit(row): whether the row is to stand out. */
  constructor({ caption, columns, bars = null, lit = () => false, none = () => "No rows.", first = FIRST_ROWS }) {
    Object.assign(this, { columns, bars, lit, none, first });
    this.rows = [];
    this.words = [];
    this.texts = new Map();
    this.sorting = null;
    this.heads = columns.map((column, place) => this.head(column, place));
    this.body = el("tbody");
    this.foot = el("tfoot");
    this.caption = el("caption", {}, caption);
    const table = el("table", {}, this.caption, el("thead", {}, el("tr", {}, this.heads)), this.body, this.foot);
    this.status = el("span", { role: "status" });
    this.input = el("input", { type: "search", placeholder: "Filter rows", "aria-label": `Filter rows of: ${caption}` });
    this.input.addEventListener("input", () => this.filter(this.input.value));
    this.more = button("", () => this.draw(this.shown + MORE_ROWS), { class: "more" });
    this.bar = el("div", { class: "tools" }, this.input, this.status);
    this.remarks = el("ul", { class: "remarks" });
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
    this.node = el("div", { class: "sheet" }, this.bar, scroll, this.more, this.remarks);
  }

  head(column, place) {
    const act = button(column.title, () => this.sort(place));
    return el("th", { scope: "col", class: [column.numeric && "n", column.title.length <= SHORT && "short"].filter(Boolean).join(" ") || null, title: column.note || null }, act);
  }

  /** Other rows; what was sorted and filtered stays so. */
  fill(rows, { foot = [], remarks = [] } = {}) {
    this.rows = rows;
    this.texts = new Map();
    this.foot.replaceChildren(...foot);
    this.remarks.replaceChildren(...remarks.filter(Boolean).map((text) =>
      el("li", { class: text.startsWith("* ") ? "loss" : null }, text)));
    this.input.hidden = rows.length < FILTER_FROM && !this.words.length;
    this.draw(this.first);
  }

  sort(place) {
    const down = this.sorting?.place === place ? !this.sorting.down : Boolean(this.columns[place].numeric);
    this.sorting = { place, down };
    this.heads.forEach((head, at) => {
      if (at === place) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.draw(this.first);
  }

  filter(text) {
    if (this.input.value !== text) this.input.value = text;
    this.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.draw(this.first);
  }

  matches(row) {
    if (!this.words.length) return true;
    if (!this.texts.has(row)) this.texts.set(row, wording(this.columns, row));
    return this.words.every((word) => this.texts.get(row).includes(word));
  }

  draw(most) {
    const found = this.rows.filter((row) => this.matches(row));
    if (this.sorting) found.sort(order(this.columns[this.sorting.place], this.sorting.down));
    const drawn = found.slice(0, most);
    this.shown = drawn.length;
    const top = this.bars === null ? 0 : this.rows.reduce((most, row) => Math.max(most, this.columns[this.bars].value(row) || 0), 0);
    this.body.replaceChildren(...drawn.map((row) => this.line(row, top)));
    if (!this.rows.length) this.body.append(el("tr", {}, el("td", { colspan: this.columns.length, class: "none" }, this.none())));
    this.status.textContent = this.words.length ? `${found.length} of ${plural(this.rows.length, "row")}` : "";
    const left = found.length - drawn.length;
    this.more.hidden = left === 0;
    this.more.textContent = `Show ${Math.min(left, MORE_ROWS)} more${left > MORE_ROWS ? ` of ${left.toLocaleString("en-US")}` : ""}`;
  }

  line(row, top) {
    const cells = this.columns.map((column, place) => {
      const kind = [column.numeric ? "n" : column.path ? "path" : column.long ? "text" : column.whole ? "whole" : null];
      const content = column.cell ? column.cell(row) : [column.show(row)];
      if (place === this.bars && top > 0 && column.value(row) !== null) {
        kind.push("bars");
        content.unshift(bar(column.value(row) / top));
      }
      const attributes = { class: kind.filter(Boolean).join(" ") || null };
      return place === 0 ? el("th", { scope: "row", ...attributes }, content) : el("td", attributes, content);
    });
    return el("tr", { class: this.lit(row) ? "lit" : null }, cells);
  }
}
