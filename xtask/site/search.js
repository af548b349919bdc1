// The search of all pages: searchIndex has [title, kind, address, text] for each thing that can be
// found. It works on pages that are opened as files.
"use strict";

const MOST_RESULTS = 20;
const input = document.getElementById("search");
const list = document.getElementById("results");
let results = [];
let chosen = 0;

// How well an entry fits a word, 0 if not at all.
function fit(entry, word) {
  const title = entry.title;
  if (title === word) return 1000;
  const at = title.indexOf(word);
  const isName = entry.kind === "function" || entry.kind === "type" || entry.kind === "callback";
  if (at >= 0) {
    const startsHere = at === 0 || !/[a-z0-9]/.test(title[at - 1]);
    return (startsHere ? 200 : 100) + (isName ? 50 : 0) - Math.min(title.length, 49);
  }
  return entry.text.includes(word) ? 1 : 0;
}

function find(query) {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word);
  if (!words.length) return [];
  const found = [];
  for (const entry of entries) {
    let sum = 0;
    for (const word of words) {
      const value = fit(entry, word);
      if (!value) { sum = 0; break; }
      sum += value;
    }
    if (sum) found.push([sum, entry]);
  }
  found.sort((a, b) => b[0] - a[0]);
  return found.slice(0, MOST_RESULTS).map((pair) => pair[1]);
}

const entries = searchIndex.map(([title, kind, address, text]) => ({
  label: title, title: title.toLowerCase(), kind, address, about: text, text: text.toLowerCase(),
}));

function show() {
  results = find(input.value);
  chosen = 0;
  list.replaceChildren(...results.map((entry) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    const about = document.createElement("small");
    link.href = entry.address;
    link.textContent = entry.label;
    about.textContent = entry.kind + (entry.about ? ": " + entry.about.slice(0, 110) : "");
    item.append(link, about);
    return item;
  }));
  if (input.value.trim() && !results.length) {
    const item = document.createElement("li");
    item.textContent = "Nothing is found.";
    list.append(item);
  }
  list.hidden = !list.children.length;
  mark();
}

function mark() {
  [...list.children].forEach((item, index) => item.classList.toggle("chosen", index === chosen));
}

function close() {
  list.hidden = true;
}

input.addEventListener("input", show);
input.addEventListener("focus", show);
input.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && results.length) {
    event.preventDefault();
    close();
    location.href = results[chosen].address;
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : results.length - 1;
    chosen = results.length ? (chosen + step) % results.length : 0;
    mark();
  } else if (event.key === "Escape") {
    close();
    input.blur();
  }
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search") || event.target.closest("#results a")) close();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
  }
});
