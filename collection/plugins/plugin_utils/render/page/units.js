// SPDX-License-Identifier: GPL-3.0-or-later
// One value -> what a person reads. quantities.py does the same for what stands in the page; a test compares them.

const NOTHING = "-";
// SIZES, TIMES and PER_SECOND are quantities.for_page().

/** Whole numbers in full, others to three significant digits. */
const amount = (value) => {
  const size = Math.abs(value);
  if (Number.isInteger(value)) {
    if (size < 1e15) return value.toLocaleString("en-US");
    return value.toPrecision(3).replace(/(\.\d*?)0+e/, "$1e").replace(".e", "e");
  }
  const places = Math.min(9, Math.max(0, 2 - Math.floor(Math.log10(size))));
  const [whole, part = ""] = value.toFixed(places).split(".");
  const rest = part.replace(/0+$/, "");
  return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (rest ? `.${rest}` : "");
};

const size = (value) => {
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < SIZES.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${amount(value)} ${SIZES[unit]}`;
};

const time = (seconds) => {
  if (!seconds) return "0 s";
  const [step, unit] = TIMES.find(([least]) => Math.abs(seconds) >= least) || TIMES.at(-1);
  return `${amount(seconds / step)} ${unit}`;
};

const moment = (value, unit) => {
  const when = new Date((value / (PER_SECOND[unit || "s"] || 1)) * 1000);
  return Number.isNaN(when.getTime()) ? String(value) : `${when.toISOString().slice(0, 19).replace("T", " ")} UTC`;
};

/** A value of a column; `key` of one that names something: a process number is not an amount. */
const figure = (column, value, { key = false, per = "" } = {}) => {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (column.type === "bytes") return size(value) + per;
  if (column.type === "duration") return time(value) + per;
  if (column.type === "timestamp") return moment(value, column.unit);
  if (key) return String(value);
  return amount(value) + (column.unit ? ` ${column.unit}` : "") + per;
};

const isNumeric = (column) => !["string", "path", "bool"].includes(column.type);
