// SPDX-License-Identifier: LGPL-2.1-or-later
// The page: views, search, zoom, keys. Names only ever become text.
"use strict";

const VIEWS = [
  { id: "element", title: "By element", key: "element" },
  { id: "function", title: "By function", key: null },
  { id: "thread", title: "By thread", key: "thread" },
  { id: "callers", title: "Callers", key: null },
];
const ROW_HEIGHT = 20;
const MIN_WIDTH = 0.7; // pixels of the narrowest frame that is drawn
const MAX_DEPTH = 1000;
const MAX_ROWS = 300;
// Okabe and Ito's colours, which the colour-blind can tell apart, made lighter
// so that black text is read on them.
const COLORS = ["#f2c66d", "#8ecdf0", "#66c9a8", "#f5ee90", "#7fb2dc",
                "#f0a06a", "#dfa6c8", "#b8b8b8"];
// Labels that say most come first; the rest is in the order of the alphabet.
const FIRST_LABELS = ["element", "thread", "pipeline", "state"];
const HIDDEN_LABELS = ["__name__"];

const byId = (id) => document.getElementById(id);
const data = readData(byId("data").textContent);

const state = {
  profile: null, type: 0, view: VIEWS[0], from: 0, to: 0, regex: null,
  wanted: null, // function of the callers' view
  selection: null, root: null, focus: null, chosen: null,
};

function unit() {
  return state.profile.types[state.type].unit;
}

function label() {
  return state.view.key ? findLabel(state.profile, state.view.key) : null;
}

function hash(text) {
  let sum = 0;
  for (let i = 0; i < text.length; i++)
    sum = (sum * 31 + text.charCodeAt(i)) >>> 0;
  return sum;
}

// In the views by label the colour says which value it is, by its rank, else
// which name.
function colorOf(node) {
  if (state.regex && !state.regex.test(node.name))
    return "#d5d5d5";
  if (node.name.startsWith("[") || node.name === "all")
    return "#cccccc";
  if (!label() || !node.parent)
    return COLORS[hash(node.name) % COLORS.length];
  let top = node;
  while (top.parent.parent)
    top = top.parent;
  return COLORS[state.root.children().indexOf(top) % COLORS.length];
}

function shownLabels() {
  const rank = (one) => {
    const index = FIRST_LABELS.indexOf(one.key);
    return index < 0 ? FIRST_LABELS.length : index;
  };
  return state.profile.labels
    .filter((one) => !HIDDEN_LABELS.includes(one.key))
    .sort((a, b) => rank(a) - rank(b));
}

function describe(node) {
  return `${node.name}: ${quantity(node.value, unit())}, `
    + percent(node.value, state.selection.total);
}

// "element x264enc0 80 %, ..." of the rows in a node.
function describeLabels(node) {
  const rows = node.rows();
  const texts = [];
  for (const one of shownLabels()) {
    const sums = new Map();
    let all = 0;
    for (const row of rows) {
      const of = one.value[row];
      sums.set(of, (sums.get(of) ?? 0) + state.selection.value[row]);
      all += state.selection.value[row];
    }
    const sorted = [...sums].sort((a, b) => b[1] - a[1]);
    if (sorted.length === 0 || (sorted.length === 1
                                && one.values[sorted[0][0]] === NONE))
      continue;
    const shown = sorted.slice(0, 2).map(([i, sum]) => (
      sorted.length === 1 ? one.values[i]
        : `${one.values[i]} ${Math.round(100 * sum / all)} %`));
    texts.push(`${one.key}: ${shown.join(", ")}`
               + (sorted.length > 2 ? ", …" : ""));
  }
  return texts.join(" · ");
}

function showDetails(node) {
  const details = byId("details");
  details.textContent = "";
  if (!node) {
    details.textContent = "\u00a0";
    return;
  }
  const name = document.createElement("b");
  name.textContent = node.name;
  details.append(name, ` ${quantity(node.value, unit())} (`
    + `${percent(node.value, state.selection.total)})`
    + (node.self ? `, self ${quantity(node.self, unit())}` : ""));
  const labels = document.createElement("div");
  labels.textContent = describeLabels(node);
  details.append(labels);
}

// What the library draws: NODE's frames that are wide enough.
function toFrames(node, least, depth) {
  const frame = { n: node.name, v: node.value, node };
  if (depth < MAX_DEPTH)
    frame.c = node.children().filter((child) => child.value >= least)
      .map((child) => toFrames(child, least, depth + 1));
  return frame;
}

// Below its callers, each as wide as the focus is.
function focusFrames(focus, least) {
  let frame = toFrames(focus, least, 0);
  for (let at = focus.parent; at; at = at.parent)
    frame = { n: at.name, v: focus.value, node: at, c: [frame], fade: true };
  return frame;
}

function depthOf(frame) {
  let depth = 0;
  for (let level = [frame]; level.length > 0; depth++)
    level = level.flatMap((one) => one.c ?? []);
  return depth;
}

function drawInto(box, focus, inverted) {
  box.textContent = "";
  if (focus.value === 0) {
    const empty = document.createElement("p");
    empty.className = "empty";
    empty.textContent = "Nothing of this type in this range.";
    box.append(empty);
    return;
  }
  const width = Math.max(300, box.clientWidth || byId("chart").clientWidth);
  const least = Math.max(focus.value * MIN_WIDTH / width, Number.MIN_VALUE);
  const frames = focusFrames(focus, least);
  const chart = flamegraph.default();
  chart.width(width).height(depthOf(frames) * ROW_HEIGHT)
    .cellHeight(ROW_HEIGHT).inverted(inverted).transitionDuration(0)
    .setLabelHandler((d) => describe(d.data.node))
    .setColorMapper((d) => colorOf(d.data.node));
  d3.select(box).datum(frames).call(chart);
  // The library lets frames grow; here they are there at once.
  d3.select(box).selectAll("g.frame").each(function finish(d) {
    d3.select(this).select("rect").interrupt()
      .attr("width", Math.max(0, (d.x1 - d.x0) * width));
    d3.select(this).select("div").interrupt().text(d.data.n);
    this.setAttribute("role", "img");
    this.setAttribute("aria-label", describe(d.data.node));
  });
}

function nodeOf(event) {
  const g = event.target.closest ? event.target.closest("g.frame") : null;
  return g ? d3.select(g).datum().data.node : null;
}

function markChosen() {
  for (const g of byId("chart").querySelectorAll("g.frame"))
    g.classList.toggle("chosen",
                       d3.select(g).datum().data.node === state.chosen);
}

function drawChart() {
  drawInto(byId("chart"), state.focus, true);
  const above = byId("above");
  above.hidden = !(state.view.id === "callers" && state.wanted !== null);
  if (!above.hidden)
    drawInto(above, treeOfCallers(state.selection, state.wanted), false);
  markChosen();
}

function tableRows() {
  const of = label();
  return of ? sumByLabel(state.selection, of) : sumByFunction(state.selection);
}

function drawTable() {
  const rows = tableRows();
  const body = byId("rows");
  const shown = rows.slice(0, MAX_ROWS);
  body.textContent = "";
  byId("key-head").textContent = label() ? state.view.key : "function";
  for (const one of shown) {
    const tr = document.createElement("tr");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = one.name;
    button.title = one.name;
    button.addEventListener("click", () => chooseRow(one.name));
    tr.append(document.createElement("td"));
    tr.firstChild.append(button);
    for (const text of [quantity(one.self, unit()), quantity(one.value, unit()),
                        percent(one.value, state.selection.total)]) {
      const td = document.createElement("td");
      td.textContent = text;
      tr.append(td);
    }
    tr.classList.toggle("hit", Boolean(state.regex?.test(one.name)));
    tr.classList.toggle("chosen", one.name === state.wanted
                        || (label() && one.name === state.focus.name));
    body.append(tr);
  }
  byId("more").textContent = rows.length > shown.length
    ? `and ${rows.length - shown.length} more` : "";
}

function drawFound() {
  const found = byId("found");
  found.textContent = "";
  if (!state.regex)
    return;
  const sum = sumOfMatches(state.selection, label(), state.regex);
  found.textContent
    = `${quantity(sum, unit())}, ${percent(sum, state.selection.total)}`;
}

function drawAbout() {
  const { profile, selection } = state;
  const time = BigInt(profile.time) / 1000000n;
  const parts = [];
  if (time > 0n)
    parts.push(new Date(Number(time)).toLocaleString());
  if (profile.duration > 0)
    parts.push(quantity(profile.duration, "nanoseconds"));
  parts.push(`${profile.files} ${profile.files === 1 ? "file" : "files"}`);
  parts.push(`${profile.types[state.type].type}: `
             + quantity(selection.total, unit()));
  if (profile.duration > 0 && unit() === "nanoseconds"
      && state.from === 0 && state.to === profile.captures.length - 1)
    parts.push((100 * selection.total / profile.duration).toFixed(1)
               + " % of one core");
  byId("about").textContent = parts.join(" · ");
}

function makeRoot() {
  if (state.view.id === "callers" && state.wanted !== null)
    return treeOfCallees(state.selection, state.wanted);
  if (state.view.id === "callers")
    return treeOfCallers(state.selection, null);
  return treeFromRoots(state.selection, label());
}

// Everything anew, but the range and the search.
function show() {
  state.selection = selectRows(state.profile, state.type, state.from, state.to);
  state.root = makeRoot();
  state.focus = state.chosen = state.root;
  for (const button of byId("views").children)
    button.setAttribute("aria-pressed", button.dataset.view === state.view.id);
  drawAbout();
  drawChart();
  drawTable();
  drawFound();
  showDetails(state.root);
}

function zoom(node) {
  state.focus = state.chosen = node;
  drawChart();
  drawTable();
  showDetails(node);
}

function setView(view) {
  state.view = view;
  state.wanted = null;
  show();
}

function chooseRow(name) {
  if (label()) {
    const node = state.root.children().find((child) => child.name === name);
    if (node)
      zoom(node);
  } else if (state.view.id === "callers") {
    state.wanted = name;
    show();
  } else {
    const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    byId("search").value = `^${escaped}$`;
    setSearch(byId("search").value);
  }
}

function setSearch(text) {
  const input = byId("search");
  let regex = null;
  try {
    regex = text ? new RegExp(text, "i") : null;
    input.removeAttribute("aria-invalid");
  } catch (error) {
    input.setAttribute("aria-invalid", "true");
    byId("found").textContent = "not a regular expression";
    return;
  }
  state.regex = regex;
  drawChart();
  drawTable();
  drawFound();
}

function goBack() {
  if (state.focus !== state.root) {
    zoom(state.root);
  } else if (state.wanted !== null) {
    state.wanted = null;
    show();
  } else if (state.regex) {
    byId("search").value = "";
    setSearch("");
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function toggleTheme() {
  setTheme(document.documentElement.dataset.theme === "dark" ? "light"
           : "dark");
}

function toggleHelp() {
  byId("keys").hidden = !byId("keys").hidden;
  byId("help").setAttribute("aria-expanded", !byId("keys").hidden);
}

function choose(node) {
  if (!node)
    return;
  state.chosen = node;
  markChosen();
  showDetails(node);
}

function moveChosen(key) {
  const at = state.chosen;
  const siblings = at.parent ? at.parent.children() : [at];
  const index = siblings.indexOf(at);
  if (key === "ArrowUp")
    choose(at.parent);
  else if (key === "ArrowDown")
    choose(at.children()[0]);
  else if (key === "ArrowLeft")
    choose(siblings[index - 1]);
  else
    choose(siblings[index + 1]);
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey)
    return;
  const typing = event.target.matches("input, select");
  if (event.key === "Escape") {
    if (typing)
      event.target.blur();
    goBack();
  } else if (typing) {
    return;
  } else if (event.key >= "1" && event.key <= String(VIEWS.length)) {
    setView(VIEWS[event.key - 1]);
  } else if (event.key === "/") {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "t") {
    toggleTheme();
  } else if (event.key === "?") {
    toggleHelp();
  } else if (event.key.startsWith("Arrow") && event.target.id === "chart") {
    event.preventDefault();
    moveChosen(event.key);
  } else if (event.key === "Enter" && event.target.id === "chart") {
    zoom(state.chosen);
  }
}
