// SPDX-License-Identifier: GPL-3.0-or-later
// The data, and how elements are made: texts are only ever set as texts, attributes by names written here.

const data = JSON.parse(document.getElementById("data").textContent);

/** An element; attributes that are undefined, null or false are left out, children are elements or texts. */
const el = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};

const button = (label, act, attributes = {}) => {
  const node = el("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", act);
  return node;
};

/** Texts that repeat are kept once: the text at each place. */
const unpack = (packed) => packed.of.map((place) => packed.words[place]);

const hosts = (() => {
  const all = data.hosts;
  const columns = Object.entries(all).map(([name, values]) => [name, values.of ? unpack(values) : values]);
  return all.name.map((_, place) => {
    const host = { number: place };
    for (const [name, values] of columns) host[name] = values[place];
    return host;
  });
})();

for (const probe of data.probes) {
  const { status, mark, error } = probe.sessions;
  Object.assign(probe.sessions, { status: unpack(status), mark: unpack(mark), error: unpack(error) });
}

const plural = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

const chip = (text, kind = text) => el("span", { class: `chip s-${kind.replaceAll(" ", "-")}` }, text);

/** The name of a host, marked where its figures lack something. */
const hostName = (number, mark = "") =>
  mark ? [hosts[number].name, " ", el("abbr", { class: "mark", title: mark }, "*")] : [hosts[number].name];

/** Choices of which one is pressed. */
const choices = (label, items, act) => {
  const group = el("div", { class: "choices", role: "group", "aria-label": label });
  const buttons = items.map((item, place) =>
    button(item, () => {
      buttons.forEach((other, at) => other.setAttribute("aria-pressed", String(at === place)));
      act(place);
    }, { "aria-pressed": String(place === 0) }));
  group.append(...buttons);
  return group;
};

const select = (label, options, act) => {
  const box = el("select", {}, options.map((text, place) => el("option", { value: place }, text)));
  box.addEventListener("change", () => act(Number(box.value)));
  return el("label", { class: "pick" }, label, " ", box);
};

/** Colours of the theme, for what is drawn on a canvas. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
