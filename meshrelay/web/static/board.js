// One notice, event or document: tells the node what was really on the screen.

import { Unreachable, askAsMe } from "./net.js";
import { syncNow } from "./page.js";

const SEEN_RATIO = 0.5;
const paper = document.getElementById("paper");
const shown = new Set();
const told = new Set();
const watched = new WeakSet();

async function tell() {
  if (document.visibilityState === "hidden") return;
  const keys = Array.from(shown).filter((key) => !told.has(key));
  if (!keys.length) return;
  keys.forEach((key) => told.add(key));
  const items = keys.map((key) => [key.slice(0, key.lastIndexOf("/")), key.slice(key.lastIndexOf("/") + 1)]);
  try {
    const { status } = await askAsMe("POST", "/api/read", { items });
    if (status >= 400) keys.forEach((key) => told.delete(key));
    else syncNow();
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    keys.forEach((key) => told.delete(key)); // again when something changes or the page is shown
  }
}

// Half of it, or as much of it as nearly fills the screen.
const eye = new IntersectionObserver((entries) => {
  entries.forEach((entry) => {
    const height = entry.rootBounds ? entry.rootBounds.height : window.innerHeight;
    const seen = entry.intersectionRatio >= SEEN_RATIO || entry.intersectionRect.height >= height * 0.4;
    if (seen) shown.add(entry.target.dataset.read);
    else shown.delete(entry.target.dataset.read);
  });
  tell();
}, { threshold: [0, 0.25, SEEN_RATIO, 0.75, 1] });

function watch() {
  document.querySelectorAll("[data-read]").forEach((el) => {
    if (watched.has(el)) return;
    watched.add(el);
    eye.observe(el);
  });
}

new MutationObserver(watch).observe(paper.parentNode, { childList: true, subtree: true });
document.addEventListener("visibilitychange", tell);
watch();
