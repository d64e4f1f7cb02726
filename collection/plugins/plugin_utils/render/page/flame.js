// SPDX-License-Identifier: GPL-3.0-or-later
// Call trees as icicles: callers above, as wide as the time they took. With a host chosen its own tree is drawn,
// each function coloured and signed by how it compares with the median of the other hosts.

const SMALLEST = 0.0015;
const ALIKE = 1.25;
const MATTERS = 0.005; // share of the whole by which a figure must differ to be coloured

/** The median of all values but one, from the three around the middle of all. */
const othersMedian = ([many, low, middle, high], own) => {
  if (many < 2) return null;
  if (many % 2 === 0) return own <= low ? middle : low;
  if (own === middle) return (low + high) / 2;
  return own < middle ? (middle + high) / 2 : (low + middle) / 2;
};

const done = (node) => node.count - node.unfinished;

/** Of calls whose time is known. */
const perCall = (node, time) => (done(node) > 0 ? time / done(node) : null);

const against = (here, middle) => [here, here === null ? null : othersMedian(middle, here)];

/** What is compared; `weight` is by how many calls a difference counts. */
const COMPARED = [
  { name: "own time per call", weight: done, of: (tree, at, own) => against(perCall(own, own.self), tree.ownPace[at]) },
  { name: "time per call", weight: done, of: (tree, at, own) => against(perCall(own, own.total), tree.pace[at]) },
  { name: "total time", weight: () => 1, of: (tree, at, own) => against(own.total, tree.middle[at]) },
];

/** The same of stacks that were counted. */
const COUNTED = [{ name: "times on a stack", weight: () => 1, of: (tree, at, own) => against(own.total, tree.middle[at]) }];

/** The tree in the figures of one host, or (null) of all. */
const figuresOf = (tree, host) => {
  if (host === null) return tree.function.map((_, at) => ({ count: tree.count[at], total: tree.total[at], self: tree.self[at], unfinished: tree.unfinished[at] }));
  const flat = tree.hosts.find((row) => row[0] === host);
  const own = new Array(tree.function.length).fill(null);
  for (let place = 1; flat && place < flat.length; place += 5) {
    own[flat[place]] = { count: flat[place + 1], total: flat[place + 2], self: flat[place + 3], unfinished: flat[place + 4] };
  }
  return own;
};

const micro = (value) => (value === null ? NOTHING : time(value / 1e6));
const times = (value) => (value === null ? NOTHING : amount(value));

class Flame {
  constructor(probe, place) {
    this.probe = probe;
    this.tree = probe.calls[0];
    this.counted = this.tree.counted;
    this.compared = this.counted ? COUNTED : COMPARED;
    this.show = this.counted ? times : micro;
    this.mode = 0;
    this.root = -1;
    this.search = "";
    this.frames = el("div", { class: "flame", role: "tree", "aria-label": "Calls, callers above" });
    this.detail = el("p", { class: "detail", "aria-live": "polite" });
    this.hint = el("p", { class: "note" });
    this.back = button("Whole tree", () => this.zoom(-1), { hidden: true });
    const find = el("input", { type: "search", placeholder: "Find function", "aria-label": "Find function" });
    find.addEventListener("input", () => { this.search = find.value.trim().toLowerCase(); this.draw(); });
    const tools = [
      probe.calls.length > 1 ? select("Process", probe.calls.map((tree) => tree.process), (at) => { this.tree = probe.calls[at]; this.root = -1; this.draw(); }) : null,
      select("Host", ["all hosts", ...probe.calls[0] ? this.hosts().map((host) => hosts[host].name) : []], (at) => choose(at ? this.hosts()[at - 1] : null)),
      choices("Compare", this.compared.map((item) => item.name), (at) => { this.mode = at; this.draw(); }),
      find, this.back,
    ].filter(Boolean);
    this.picker = tools.find((tool) => tool.textContent.startsWith("Host")).querySelector("select");
    this.table = el("div");
    place.replaceChildren(el("div", { class: "tools" }, tools), this.legend(), this.frames, this.detail, this.hint, this.table);
    this.frames.addEventListener("keydown", (event) => this.key(event));
    follow(() => { this.root = -1; this.draw(); });
  }

  hosts() {
    return [...new Set(this.probe.calls.flatMap((tree) => tree.hosts.map((row) => row[0])))].sort((a, b) => a - b);
  }

  legend() {
    const swatch = (kind, text) => el("span", { class: "key" }, el("span", { class: `swatch frame ${kind}`, "aria-hidden": "true" }), text);
    this.keys = el("p", { class: "legend" }, swatch("slow3", this.counted ? "▲ more often than the other hosts' median" : "▲ slower than the other hosts' median"), swatch("alike", "alike"), swatch("fast3", this.counted ? "▼ less often" : "▼ faster"));
    return this.keys;
  }

  /** The functions on the way to a node. */
  path(at) {
    return at < 0 ? [] : [...this.path(this.tree.parent[at]), this.tree.functions[this.tree.function[at]]];
  }

  zoom(at) {
    this.root = at;
    this.draw();
    this.frames.querySelector('[tabindex="0"]')?.focus();
  }

  /** What is compared of a node: this host's figure and the others' median. */
  pair(own, at) {
    return this.compared[this.mode].of(this.tree, at, own[at]);
  }

  /** Colour and sign of a node on the chosen host, and the sentence that says it in words. */
  compare(at, own, whole) {
    const [here, there] = this.compared[this.mode].of(this.tree, at, own);
    if (here === null || there === null) return { kind: "alike", sign: "", words: "" };
    const words = `; the others' median ${this.show(there)}${there ? ` (× ${amount(here / there)})` : ""}`;
    const matters = Math.abs(here - there) * this.compared[this.mode].weight(own) >= MATTERS * whole;
    const ratio = there ? here / there : here ? 99 : 1;
    if (!matters || (ratio < ALIKE && ratio > 1 / ALIKE)) return { kind: "alike", sign: "", words };
    const strength = Math.min(3, 1 + Math.floor(Math.abs(Math.log2(ratio)) / 1.2));
    return ratio > 1 ? { kind: `slow${strength}`, sign: "▲ ", words } : { kind: `fast${strength}`, sign: "▼ ", words };
  }

  /** Frames to draw: left and width as shares of the whole, depth from the root. */
  layout(own) {
    const { tree } = this;
    const children = new Map();
    tree.parent.forEach((parent, at) => { if (own[at]) children.set(parent, [...(children.get(parent) || []), at]); });
    const tops = this.root >= 0 && own[this.root] ? [this.root] : children.get(-1) || [];
    const sumOf = (list) => list.reduce((sum, at) => sum + own[at].total, 0);
    const whole = sumOf(tops) || 1;
    const frames = [];
    const pending = [];
    const put = (list, left, depth) => {
      for (const at of list.sort((a, b) => own[b].total - own[a].total)) {
        const width = own[at].total / whole;
        if (width < SMALLEST) continue;
        frames.push({ at, left, width, depth });
        pending.push([children.get(at) || [], left, depth + 1]);
        left += width;
      }
    };
    put(tops, 0, 0);
    while (pending.length) put(...pending.shift());
    return { frames, whole };
  }

  draw() {
    const { tree } = this;
    const host = focus.host;
    const own = figuresOf(tree, host);
    const { frames, whole } = this.layout(own);
    this.picker.value = String(host === null ? 0 : this.hosts().indexOf(host) + 1);
    this.keys.hidden = host === null;
    this.back.hidden = this.root < 0;
    const deepest = frames.reduce((most, frame) => Math.max(most, frame.depth), 0);
    this.frames.style.height = `${(deepest + 1) * 24}px`;
    this.frames.replaceChildren(...frames.map((frame, place) => this.frame(frame, place, own, whole)));
    const tops = frames.filter((frame) => frame.depth === 0);
    const calls = tops.reduce((sum, { at }) => sum + own[at].count, 0);
    const where = host === null ? "on all hosts" : `on ${hosts[host].name}`;
    this.detail.textContent = frames.length ? `${[tree.process, ...this.path(this.root)].join(" > ")}: ${this.counted ? plural(calls, "stack") : `${plural(calls, "call")}, ${micro(whole)}`} ${where}`
      : host === null ? "No calls were seen in the window." : `${hosts[host].name}: no ${this.counted ? "stacks" : "calls"} of ${tree.process} were seen in the window.`;
    this.hint.textContent = [host === null && this.hosts().length > 1 ? "Choose a host to compare it with the others." : "", "Click a function, or press Enter on it, to look into it.",
      tree.more ? `${plural(tree.more, "call path")} that ${this.counted ? "were seen less often" : "took less time"} ${tree.more === 1 ? "is" : "are"} left out.` : ""].filter(Boolean).join(" ");
    this.tabulate(own, whole);
  }

  frame({ at, left, width, depth }, place, own, whole) {
    const { tree } = this;
    const name = tree.functions[tree.function[at]];
    const { kind, sign, words } = focus.host === null ? { kind: `plain${tree.function[at] % 4}`, sign: "", words: "" } : this.compare(at, own[at], whole);
    const text = this.counted
      ? `${name}: on ${plural(own[at].count, "stack")}, ${times(own[at].self)} as the innermost${words}`
      : `${name}: ${micro(own[at].total)} in ${plural(own[at].count, "call")}, ${micro(own[at].self)} of its own${words}`;
    const hit = this.search && name.toLowerCase().includes(this.search);
    const node = el("div", { class: `frame ${kind}${hit ? " hit" : ""}`, role: "treeitem", "aria-level": depth + 1, "aria-label": text, title: text, tabindex: place ? "-1" : "0" }, `${sign}${name}`);
    node.style.left = `${left * 100}%`;
    node.style.width = `${width * 100}%`;
    node.style.top = `${depth * 24}px`;
    node.dataset.at = at;
    node.addEventListener("click", () => this.zoom(at === this.root ? -1 : at));
    node.addEventListener("focus", () => { this.detail.textContent = text; });
    node.addEventListener("mouseenter", () => { this.detail.textContent = text; });
    return node;
  }

  key(event) {
    const node = event.target.closest(".frame");
    if (!node) return;
    const all = [...this.frames.children];
    const level = (item) => Number(item.getAttribute("aria-level"));
    const middle = (item) => parseFloat(item.style.left) + parseFloat(item.style.width) / 2;
    const near = (list) => list.sort((a, b) => Math.abs(middle(a) - middle(node)) - Math.abs(middle(b) - middle(node)))[0];
    const row = (depth) => all.filter((item) => level(item) === depth);
    const peers = row(level(node)).sort((a, b) => middle(a) - middle(b));
    const next = {
      ArrowDown: () => near(row(level(node) + 1)), ArrowUp: () => near(row(level(node) - 1)),
      ArrowRight: () => peers[peers.indexOf(node) + 1], ArrowLeft: () => peers[peers.indexOf(node) - 1],
    }[event.key];
    if (next) {
      const found = next();
      if (found) {
        node.setAttribute("tabindex", "-1");
        found.setAttribute("tabindex", "0");
        found.focus();
      }
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === " ") {
      this.zoom(Number(node.dataset.at));
      event.preventDefault();
    } else if (event.key === "Escape") this.zoom(-1);
  }

  /** The same as rows: function by function, the most time of its own first. */
  tabulate(own, whole) {
    const { tree } = this;
    const rows = tree.function.map((_, at) => at).filter((at) => own[at]);
    const host = focus.host;
    const number = (title, value, show, note) => ({ title, note, numeric: true, value, show });
    const columns = [
      { title: "function", path: true, value: (at) => tree.functions[tree.function[at]], show: (at) => this.path(at).join(" > ") },
      ...this.counted ? [
        number("on stack", (at) => own[at].count, (at) => amount(own[at].count), "How often it was on a stack that was counted"),
        number("innermost", (at) => own[at].self, (at) => amount(own[at].self), "How often it was the innermost function"),
      ] : [
        number("calls", (at) => own[at].count, (at) => amount(own[at].count)),
        number("total", (at) => own[at].total, (at) => micro(own[at].total)),
        number("self", (at) => own[at].self, (at) => micro(own[at].self), "Time of its own, without what it called"),
        number("per call", (at) => perCall(own[at], own[at].total), (at) => micro(perCall(own[at], own[at].total))),
      ],
    ];
    if (host === null) columns.push(number("hosts", (at) => tree.on[at], (at) => amount(tree.on[at])));
    else columns.push(
      number(this.compared[this.mode].name, (at) => this.pair(own, at)[0], (at) => this.show(this.pair(own, at)[0])),
      number("others' median", (at) => this.pair(own, at)[1], (at) => this.show(this.pair(own, at)[1])),
      { title: "compared", value: (at) => this.compare(at, own[at], whole).kind, show: (at) => ({ "▲ ": this.counted ? "▲ more" : "▲ slower", "▼ ": this.counted ? "▼ less" : "▼ faster" })[this.compare(at, own[at], whole).sign] || "alike" },
    );
    rows.sort((a, b) => own[b].self - own[a].self || a - b);
    this.grid = new Grid({ caption: `${this.counted ? "Stacks" : "Calls"} of ${tree.process}, ${host === null ? "all hosts" : hosts[host].name}`, columns, bars: this.counted ? 2 : 3, first: 10 });
    this.grid.fill(rows, { remarks: marksOf(this.probe, host === null ? this.hosts() : [host]) });
    this.table.replaceChildren(this.grid.node);
  }

  /** What a finding speaks of: its process and the way to its function. */
  point(path) {
    const [process, ...names] = path;
    const tree = this.probe.calls.find((item) => item.process === process);
    if (!tree) return;
    this.tree = tree;
    let at = -1;
    for (const name of names) {
      const next = tree.parent.findIndex((parent, child) => parent === at && tree.functions[tree.function[child]] === name);
      if (next < 0) break;
      at = next;
    }
    this.root = at;
    this.draw();
  }
}
