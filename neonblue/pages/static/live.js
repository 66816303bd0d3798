"use strict";

// What the stream of a page sends is put in place: text changes where it stands, and nothing else moves. What is
// opened, typed or focused stays as it is.

const LATE_SECONDS = 30;
const SHOWN_MILLISECONDS = 1200;
const OWN = new Set(["open"]);

function isTyped(form) {
  const fields = Array.from(form.elements);
  return fields.some((field) =>
    field === document.activeElement ||
    (field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked
      : field.options ? Array.from(field.options).some((one) => one.selected !== one.defaultSelected && one.defaultSelected)
      : field.defaultValue !== undefined && field.value !== field.defaultValue));
}

function show(element) {
  if (!element) return;
  element.classList.add("live");
  setTimeout(() => element.classList.remove("live"), SHOWN_MILLISECONDS);
}

function steady(old, next) {
  if (old.nodeType === Node.TEXT_NODE && next.nodeType === Node.TEXT_NODE) {
    if (old.data !== next.data) {
      old.data = next.data;
      show(old.parentElement);
    }
    return;
  }
  if (old.nodeName !== next.nodeName || old.id !== next.id) {
    old.replaceWith(next);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE || (old.nodeName === "FORM" && isTyped(old))) return;
  for (const { name, value } of Array.from(next.attributes)) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of Array.from(old.attributes)) {
    if (!OWN.has(name) && !next.hasAttribute(name)) old.removeAttribute(name);
  }
  within(old, next);
}

function within(old, next) {
  const ours = Array.from(old.childNodes), theirs = Array.from(next.childNodes);
  const alike = (one, at) => one.nodeName === theirs[at].nodeName && ownName(one) === ownName(theirs[at]);
  if (ours.length === theirs.length && ours.every(alike)) {
    ours.forEach((one, at) => steady(one, theirs[at]));
    return;
  }
  // Something came or went: what has a name of its own is found again by it, then what says the same, then its like.
  const found = theirs.map(() => null), free = new Set(ours);
  for (const nameOf of [ownName, wholeText, likeness]) {
    theirs.forEach((one, at) => {
      const name = nameOf(one);
      if (found[at] || !name) return;
      found[at] = Array.from(free).find((other) => nameOf(other) === name) || null;
      free.delete(found[at]);
    });
  }
  const kept = theirs.map((one, at) => found[at] || one);
  found.forEach((one, at) => one && steady(one, theirs[at]));
  const staying = new Set(kept);
  ours.filter((one) => !staying.has(one)).forEach((one) => one.remove());
  let place = old.firstChild;
  for (const one of kept) {
    if (one === place) place = place.nextSibling;
    else old.insertBefore(one, place);
  }
}

function ownName(node) {
  return node.id || (node.dataset && node.dataset.row) || "";
}

function wholeText(node) {
  return ownName(node) ? "" : `${node.nodeName} ${node.textContent}`;
}

function likeness(node) {
  return ownName(node) ? "" : `${node.nodeName} ${node.className || ""}`;
}

htmx.defineExtension("steady", {
  isInlineSwap: (style) => style === "steady",
  handleSwap(style, target, fragment) {
    if (style !== "steady") return false;
    const whole = fragment.firstElementChild;
    within(target, whole && target.id && whole.id === target.id ? whole : fragment);
    return [];
  },
});

let taken = 0, last = "", isLate = false;

function tell() {
  if (!taken) return;
  const age = Math.max(0, Math.round((performance.now() - taken) / 1000));
  const late = age > LATE_SECONDS;
  for (const place of document.querySelectorAll(".asof")) {
    const time = place.querySelector("time");
    if (!time) continue;
    time.dateTime = time.title = last;
    const text = age < 90 ? `${age} s ago` : `${Math.round(age / 60)} min ago`;
    place.classList.toggle("late", late);
    place.replaceChildren(late ? "late: as of " : "as of ", time);
    time.textContent = text;
  }
  if (late !== isLate) {
    isLate = late;
    document.getElementById("told").textContent = late ? "The numbers are late." : "The numbers are new again.";
  }
}

// What comes by the stream is swapped in without asking extensions: so it is put in place here.
document.addEventListener("htmx:sseBeforeMessage", (coming) => {
  coming.preventDefault();
  const { type, data } = coming.detail;
  if (type === "asof") {
    const sent = JSON.parse(data);
    taken = performance.now() - sent.age * 1000;
    last = sent.at;
  } else {
    const sent = document.createElement("template");
    sent.innerHTML = data;
    within(document.querySelector(coming.target.getAttribute("hx-target")), sent.content);
  }
  tell();
});
document.addEventListener("htmx:sseClose", (closed) => {
  if (closed.detail.type === "message") {
    document.getElementById("told").textContent = "This page does not change any more: load it again.";
  }
});
document.addEventListener("htmx:afterSwap", tell);
setInterval(tell, 1000);
