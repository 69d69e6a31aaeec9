// What is displayed here is read: the same rule as in a room, half of it on the screen.

import { Unreachable, askAsMe } from "./net.js";
import { soon } from "./tell.js";

const PAUSE_MS = 1000;
const shown = new Set();
const told = new Set();
let timer = 0;

async function send() {
  timer = 0;
  if (document.visibilityState === "hidden") return;
  const keys = Array.from(shown).filter((key) => !told.has(key));
  if (!keys.length) return;
  try {
    const { status } = await askAsMe("POST", "/api/read", { items: keys.map((key) => key.split("/")) });
    if (status < 500 && status !== 401) keys.forEach((key) => told.add(key));
    soon(PAUSE_MS);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    later();
  }
}

function later() {
  if (!timer) timer = setTimeout(send, PAUSE_MS);
}

const eye = new IntersectionObserver((entries) => {
  entries.forEach((entry) => {
    const seen = entry.isIntersecting && (entry.intersectionRatio >= 0.5 || entry.intersectionRect.height >= window.innerHeight * 0.4);
    if (seen) shown.add(entry.target.dataset.key);
    else shown.delete(entry.target.dataset.key);
  });
  later();
}, { threshold: [0, 0.25, 0.5, 0.75, 1] });

document.querySelectorAll(".order").forEach((order) => eye.observe(order));
document.addEventListener("visibilitychange", later);
