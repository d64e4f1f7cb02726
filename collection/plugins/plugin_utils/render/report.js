// SPDX-License-Identifier: GPL-3.0-or-later
"use strict";
// Sorting and filtering. The page is complete without it. Text is only ever read and set as text.
(() => {
  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.sort === undefined ? null : Number(cell.dataset.sort);
  };
  const compare = (column, numeric) => (a, b) => {
    if (!numeric) return a.cells[column].textContent.localeCompare(b.cells[column].textContent);
    const x = key(a, column), y = key(b, column);
    return x === null || y === null ? (x === null) - (y === null) : x - y;
  };
  const sort = (table, head, column) => {
    const numeric = head.classList.contains("n");
    const now = head.getAttribute("aria-sort");
    const down = now === null ? numeric : now === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = compare(column, numeric);
    const rows = [...table.tBodies[0].rows];
    const known = (row) => !numeric || key(row, column) !== null;
    const first = rows.filter(known).sort(order);
    if (down) first.reverse();
    table.tBodies[0].append(...first, ...rows.filter((row) => !known(row)));
  };
  const sortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, column));
      head.append(button);
    });
  };
  const filterable = (figure, table) => {
    const rows = [...table.tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const box = document.createElement("div"), input = document.createElement("input");
    const label = document.createElement("label"), status = document.createElement("span");
    box.className = "filter";
    input.type = "search";
    input.placeholder = "Filter rows";
    input.setAttribute("aria-label", "Filter rows of: " + table.caption.textContent);
    status.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, place) => {
        row.hidden = !words.every((word) => texts[place].includes(word));
        shown += row.hidden ? 0 : 1;
      });
      status.textContent = words.length ? shown + " of " + rows.length + " rows" : "";
    });
    label.append(input);
    box.append(label, status);
    figure.prepend(box);
  };
  for (const figure of document.querySelectorAll("figure.grid:not(.tree)")) {
    const table = figure.querySelector("table");
    if (table.tBodies[0].rows.length > 1) sortable(table);
    if (table.tBodies[0].rows.length > 5) filterable(figure, table);
  }
})();
