// SPDX-License-Identifier: LGPL-2.1-or-later
// Connects the page's controls, and shows it.
"use strict";

function fillTypes() {
  const select = byId("type");
  data.profiles.forEach((profile, p) => {
    profile.types.forEach((type, t) => {
      const option = document.createElement("option");
      option.value = `${p} ${t}`;
      option.textContent = type.type;
      select.append(option);
    });
  });
  select.value = `0 ${data.profiles[0].type}`;
  select.addEventListener("change", () => {
    const [p, t] = select.value.split(" ").map(Number);
    setProfile(data.profiles[p], t);
  });
}

function setProfile(profile, type) {
  const other = profile !== state.profile;
  state.profile = profile;
  state.type = type;
  if (other) {
    state.from = 0;
    state.to = profile.captures.length - 1;
  }
  state.wanted = null;
  prepareStrip();
  show();
}

function stripValues() {
  const sums = new Float64Array(state.profile.captures.length);
  const values = state.profile.values[state.type];
  state.profile.capture.forEach((capture, row) => {
    sums[capture] += values[row];
  });
  return sums;
}

function prepareStrip() {
  const n = state.profile.captures.length;
  byId("time").hidden = n < 2;
  for (const id of ["from", "to"])
    byId(id).max = n - 1;
  drawStrip();
}

function drawStrip() {
  const strip = byId("strip");
  const sums = stripValues();
  const largest = sums.reduce((a, b) => Math.max(a, b), 0);
  strip.textContent = "";
  strip.setAttribute("viewBox", `0 0 ${sums.length} 1`);
  strip.setAttribute("preserveAspectRatio", "none");
  sums.forEach((sum, i) => {
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = largest > 0 ? Math.max(sum / largest, 0.02) : 0.02;
    rect.setAttribute("x", i + 0.05);
    rect.setAttribute("y", 1 - height);
    rect.setAttribute("width", 0.9);
    rect.setAttribute("height", height);
    if (i >= state.from && i <= state.to)
      rect.setAttribute("class", "in");
    strip.append(rect);
  });
  byId("from").value = state.from;
  byId("to").value = state.to;
  const [begin] = state.profile.captures[state.from] ?? [0];
  const [last, length] = state.profile.captures[state.to] ?? [0, 0];
  const clock = (ms) => new Date(ms).toLocaleTimeString();
  byId("range").textContent = `${clock(begin)} – ${clock(last + length)}, `
    + `${state.to - state.from + 1} of ${state.profile.captures.length}`
    + " captures";
}

function setRange(from, to) {
  state.from = Math.min(from, to);
  state.to = Math.max(from, to);
  drawStrip();
  show();
}

function connectStrip() {
  const strip = byId("strip");
  let start = null;
  const at = (event) => {
    const box = strip.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    const n = state.profile.captures.length;
    return Math.min(n - 1, Math.max(0, Math.floor(part * n)));
  };
  strip.addEventListener("pointerdown", (event) => {
    start = at(event);
    strip.setPointerCapture(event.pointerId);
  });
  strip.addEventListener("pointerup", (event) => {
    if (start !== null)
      setRange(start, at(event));
    start = null;
  });
  strip.addEventListener("dblclick", () => (
    setRange(0, state.profile.captures.length - 1)));
  for (const id of ["from", "to"])
    byId(id).addEventListener("change", () => (
      setRange(Number(byId("from").value), Number(byId("to").value))));
}

function connectChart() {
  for (const id of ["chart", "above"]) {
    const box = byId(id);
    // The library's own zoom knows only what is drawn.
    box.addEventListener("click", (event) => {
      const node = nodeOf(event);
      event.stopPropagation();
      if (node && id === "chart")
        zoom(node);
      else if (node)
        chooseRow(node.name);
    }, true);
    box.addEventListener("mouseover", (event) => {
      const node = nodeOf(event);
      if (node)
        showDetails(node);
    });
    box.addEventListener("mouseleave", () => showDetails(state.chosen));
  }
  let resized = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resized);
    resized = requestAnimationFrame(drawChart);
  });
}

function start() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.title = byId("title").textContent = data.title;
  for (const [i, view] of VIEWS.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = view.title;
    button.title = `key ${i + 1}`;
    button.dataset.view = view.id;
    button.addEventListener("click", () => setView(view));
    byId("views").append(button);
  }
  setTheme(dark ? "dark" : "light");
  byId("theme").addEventListener("click", toggleTheme);
  byId("help").addEventListener("click", toggleHelp);
  byId("reset").addEventListener("click", () => zoom(state.root));
  byId("search").addEventListener("input",
                                  (event) => setSearch(event.target.value));
  document.addEventListener("keydown", onKey);
  fillTypes();
  connectStrip();
  connectChart();
  setProfile(data.profiles[0], data.profiles[0].type);
}

start();
