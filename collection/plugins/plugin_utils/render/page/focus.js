// SPDX-License-Identifier: GPL-3.0-or-later
// The one host that the reader looks at: every table, chart and tree of the page follows it.

const focus = { host: null };
const followers = [];

/** A fault in one part of the page is told on the console and leaves the other parts, and what stands there. */
const safely = (act) => {
  try {
    act();
  } catch (error) {
    reportError(error);
  }
};

/** Call `act` now and whenever another host is chosen. */
const follow = (act) => {
  followers.push(act);
  act();
};

const choose = (host) => {
  if (host === focus.host) return;
  focus.host = host;
  for (const act of followers) safely(act);
};

const FEW_HOSTS = 200;

const hostList = () => {
  const box = el("select", { id: "choose" }, el("option", { value: "" }, "all hosts"));
  box.append(...hosts.map((host) => el("option", { value: host.number }, host.name)));
  box.addEventListener("change", () => choose(box.value === "" ? null : Number(box.value)));
  follow(() => { box.value = focus.host === null ? "" : String(focus.host); });
  return [box];
};

/** Of many hosts: type a part of the name. */
const hostSearch = () => {
  const box = el("input", { id: "choose", type: "search", list: "hosts", placeholder: "all hosts", autocomplete: "off" });
  const names = new Map(hosts.map((host) => [host.name, host.number]));
  box.addEventListener("input", () => {
    const name = box.value.trim();
    if (!name) choose(null);
    else if (names.has(name)) choose(names.get(name));
  });
  box.addEventListener("change", () => {
    const part = box.value.trim().toLowerCase();
    const found = part && hosts.find((host) => host.name.toLowerCase().includes(part));
    if (found) choose(found.number);
  });
  follow(() => { box.value = focus.host === null ? "" : hosts[focus.host].name; });
  return [box, el("datalist", { id: "hosts" }, hosts.map((host) => el("option", { value: host.name })))];
};

const hostChooser = () => {
  const clear = button("×", () => choose(null), { class: "clear", "aria-label": "Look at all hosts again" });
  follow(() => { clear.hidden = focus.host === null; });
  const boxes = hosts.length <= FEW_HOSTS ? hostList() : hostSearch();
  return el("div", { class: "choose" }, el("label", { for: "choose" }, "Host"), boxes, clear);
};

/** Bring something into view and move the keyboard there. */
const goTo = (node) => {
  for (let outer = node.parentElement; outer; outer = outer.parentElement) if (outer.tagName === "DETAILS") outer.open = true;
  node.scrollIntoView({ block: "start" });
  if (!node.hasAttribute("tabindex")) node.setAttribute("tabindex", "-1");
  node.focus({ preventScroll: true });
};
