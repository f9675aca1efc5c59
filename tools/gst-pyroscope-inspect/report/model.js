// SPDX-License-Identifier: LGPL-2.1-or-later
// The data, and what is summed up from it. Knows nothing of the page.
"use strict";

const NONE = "(none)";

// A profile as report-data.h describes it, with numbers instead of deltas.
function readProfile(raw) {
  const n = raw.name.length + 1;
  const parent = new Int32Array(n);
  const name = new Int32Array(n).fill(-1);
  for (let i = 1; i < n; i++) {
    parent[i] = i - raw.parent[i - 1];
    name[i] = raw.name[i - 1];
  }
  return {
    ...raw, parent, name, n_rows: raw.leaf.length,
    leaf: Int32Array.from(raw.leaf), capture: Int32Array.from(raw.capture),
    values: raw.values.map((column) => Float64Array.from(column)),
  };
}

function readData(text) {
  const data = JSON.parse(text);
  data.profiles = data.profiles.map(readProfile);
  return data;
}

// Of a profile, one type and a range of captures: the rows that count.
function selectRows(profile, type, from, to) {
  const value = profile.values[type];
  const rows = [];
  let total = 0;
  for (let i = 0; i < profile.n_rows; i++) {
    if (value[i] === 0 || profile.capture[i] < from || profile.capture[i] > to)
      continue;
    rows.push(i);
    total += value[i];
  }
  return { profile, type, value, rows: Int32Array.from(rows), total };
}

function findLabel(profile, key) {
  return profile.labels.find((label) => label.key === key);
}

function bySize(a, b) {
  return b.value - a.value || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

// The rows, those with the same value of LABEL together.
function rowsByGroup(rows, label) {
  if (!label)
    return new Map([[0, rows]]);
  const groups = new Map();
  for (const row of rows) {
    const value = label.value[row];
    if (!groups.has(value))
      groups.set(value, []);
    groups.get(value).push(row);
  }
  return groups;
}

// Nodes as columns; a node's number is larger than its parent's.
function placeRows(selection, label) {
  const { profile, value, rows } = selection;
  const tree = { parent: [0], text: ["all"], self: [0], leaf: new Map() };
  // Of the group that is being placed: the tree's node for the profile's.
  const known = new Int32Array(profile.parent.length);
  const knownFor = new Int32Array(profile.parent.length);
  let stamp = 0;

  function add(parent, text) {
    tree.text.push(text);
    tree.self.push(0);
    return tree.parent.push(parent) - 1;
  }

  for (const [group, members] of rowsByGroup(rows, label)) {
    const top = label ? add(0, label.values[group]) : 0;
    stamp++;
    for (const row of members) {
      const path = [];
      let at = profile.leaf[row];
      while (at !== 0 && knownFor[at] !== stamp) {
        path.push(at);
        at = profile.parent[at];
      }
      let index = at === 0 ? top : known[at];
      while (path.length > 0) {
        at = path.pop();
        index = add(index, profile.names[profile.name[at]]);
        known[at] = index;
        knownFor[at] = stamp;
      }
      tree.self[index] += value[row];
      tree.leaf.set(row, index);
    }
  }
  return tree;
}

// From the roots on: functions, below the values of a label where one is given.
// Returns the root node; a node is { name, value, self, parent, children(),
// rows() }.
function treeFromRoots(selection, label) {
  const { parent, text, self, leaf } = placeRows(selection, label);
  const total = Float64Array.from(self);
  const first = new Int32Array(text.length);
  const next = new Int32Array(text.length);
  for (let i = text.length - 1; i > 0; i--) {
    total[parent[i]] += total[i];
    next[i] = first[parent[i]];
    first[parent[i]] = i;
  }

  function make(index, above) {
    let made = null;
    return {
      name: text[index], value: total[index], self: self[index],
      parent: above,
      children() {
        if (made === null) {
          made = [];
          for (let i = first[index]; i !== 0; i = next[i])
            made.push(make(i, this));
          made.sort(bySize);
        }
        return made;
      },
      rows() {
        const inside = new Uint8Array(text.length);
        inside[index] = 1;
        for (let i = index + 1; i < inside.length; i++)
          inside[i] = inside[parent[i]];
        inside[index] = 1;
        return selection.rows.filter((row) => inside[leaf.get(row)]);
      },
    };
  }
  return make(0, null);
}

// What is below or above each of PLACES (rows and nodes), as a node.
function lazyNode(selection, name, parent, places, next) {
  const { value } = selection;
  let total = 0, made = null;
  for (const row of places.rows)
    total += value[row];
  return {
    name, value: total, self: 0, parent,
    children() {
      made ??= next(this, places);
      return made;
    },
    rows() { return Int32Array.from(new Set(places.rows)); },
  };
}

// Groups PLACES by the names of their nodes; each goes on with STEP(place).
function groupByName(selection, parent, places, step) {
  const { profile } = selection;
  const groups = new Map();
  for (let i = 0; i < places.rows.length; i++) {
    const node = places.nodes[i];
    if (node === 0)
      continue;
    const name = profile.name[node];
    let group = groups.get(name);
    if (!group)
      groups.set(name, group = { rows: [], nodes: [], more: [] });
    group.rows.push(places.rows[i]);
    group.nodes.push(node);
  }
  const list = [];
  for (const [name, group] of groups)
    list.push(lazyNode(selection, profile.names[name], parent, group, step));
  return list.sort(bySize);
}

// From the leaves up: who called. FUNCTION: only its callers; null: of all.
function treeOfCallers(selection, wanted) {
  const { profile, rows } = selection;
  const places = { rows: [], nodes: [] };
  for (const row of rows) {
    let at = profile.leaf[row];
    while (wanted !== null && at !== 0
           && profile.names[profile.name[at]] !== wanted)
      at = profile.parent[at];
    if (at === 0)
      continue;
    places.rows.push(row);
    places.nodes.push(at);
  }
  const step = (parent, of) => groupByName(selection, parent, {
    rows: of.rows, nodes: of.nodes.map((node) => profile.parent[node]),
  }, step);
  if (wanted !== null)
    return lazyNode(selection, wanted, null, places, step);
  return lazyNode(selection, "all", null, places,
                  (parent, of) => groupByName(selection, parent, of, step));
}

// What FUNCTION called, from its innermost call on.
function treeOfCallees(selection, wanted) {
  const { profile, rows } = selection;
  const paths = new Map();
  const places = { rows: [], nodes: [] };
  for (const row of rows) {
    const path = [];
    let at = profile.leaf[row];
    while (at !== 0 && profile.names[profile.name[at]] !== wanted) {
      path.push(at);
      at = profile.parent[at];
    }
    if (at === 0)
      continue;
    paths.set(row, path);
    places.rows.push(row);
    places.nodes.push(path.length);
  }
  // Here a place's node is how many of its path are left.
  const step = (parent, of) => {
    const next = { rows: [], nodes: [], left: new Map() };
    for (let i = 0; i < of.rows.length; i++) {
      const left = of.left ? of.left.get(of.rows[i]) : of.nodes[i];
      if (left > 0) {
        next.rows.push(of.rows[i]);
        next.nodes.push(paths.get(of.rows[i])[left - 1]);
        next.left.set(of.rows[i], left - 1);
      }
    }
    return groupByName(selection, parent, next,
                       (p, group) => step(p, { ...group, left: next.left }));
  };
  return lazyNode(selection, wanted, null, places, step);
}

// [{ name, self, total }] by the values of a label.
function sumByLabel(selection, label) {
  const sums = new Float64Array(label.values.length);
  for (const row of selection.rows)
    sums[label.value[row]] += selection.value[row];
  return label.values.map((name, i) => (
    { name, self: sums[i], value: sums[i] })).filter((one) => one.value !== 0)
    .sort(bySize);
}

// The same by function, each once for a stack.
function sumByFunction(selection) {
  const { profile, value, rows } = selection;
  const self = new Float64Array(profile.names.length);
  const total = new Float64Array(profile.names.length);
  const seen = new Int32Array(profile.names.length).fill(-1);
  for (const row of rows) {
    let at = profile.leaf[row];
    self[profile.name[at]] += value[row];
    for (; at !== 0; at = profile.parent[at]) {
      const name = profile.name[at];
      if (seen[name] !== row) {
        seen[name] = row;
        total[name] += value[row];
      }
    }
  }
  return profile.names.map((name, i) => (
    { name, self: self[i], value: total[i] })).filter((one) => one.value !== 0)
    .sort((a, b) => b.self - a.self || bySize(a, b));
}

// What of the selection has a function, or a value of LABEL, that matches.
function sumOfMatches(selection, label, regex) {
  const { profile, value, rows } = selection;
  const matches = profile.names.map((name) => regex.test(name));
  const labels = label ? label.values.map((name) => regex.test(name)) : null;
  const has = new Uint8Array(profile.parent.length);
  for (let i = 1; i < has.length; i++)
    has[i] = has[profile.parent[i]] || matches[profile.name[i]] ? 1 : 0;
  let sum = 0;
  for (const row of rows)
    if (has[profile.leaf[row]] || (labels && labels[label.value[row]]))
      sum += value[row];
  return sum;
}

const UNITS = {
  nanoseconds: [[3600e9, "h"], [60e9, "min"], [1e9, "s"], [1e6, "ms"],
                [1e3, "µs"], [1, "ns"]],
  bytes: [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"],
          [2 ** 10, "KiB"], [1, "B"]],
};

function quantity(value, unit) {
  const steps = UNITS[unit];
  if (value === 0)
    return "0";
  if (!steps)
    return unit === "count" || unit === "" ? String(value) : `${value} ${unit}`;
  const [from, suffix] = steps.find((step) => (
    Math.abs(value) >= step[0] * 0.999995)) ?? steps[steps.length - 1];
  return (value / from).toFixed(2) + " " + suffix;
}

function percent(part, whole) {
  return whole === 0 ? "0 %" : (100 * part / whole).toFixed(2) + " %";
}
