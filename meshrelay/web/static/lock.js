// A shared PC that nobody touches hides its screen: the page is emptied, the node told, and only
// the PIN opens it again. Each tab hears of input in the others.

import { ask, data, onContact, say } from "./net.js";
import "./manners.js";

const TOLD_MS = 20000;
const LOOK_MS = 5000;
const SEEN = "mr-input-" + data.network;

let inputMs = Date.now();
let toldMs = Date.now();
let hidden = false;

function shared() {
  try {
    return Number(localStorage.getItem(SEEN)) || 0;
  } catch (error) {
    return 0;
  }
}

function note() {
  const now = Date.now();
  if (hidden || now - Math.max(inputMs, shared()) > data.idle_ms) return;
  inputMs = now;
  if (now - toldMs < TOLD_MS) return;
  toldMs = now;
  try {
    localStorage.setItem(SEEN, String(now));
  } catch (error) {
    // other tabs ask the node instead
  }
  // the node hears of the next one
  ask("POST", "/api/input").catch(() => undefined);
}

// Nothing stays in the page; the outbox is in the browser's store.
function hide() {
  if (hidden) return;
  hidden = true;
  document.title = "";
  document.body.textContent = "";
  const p = document.createElement("p");
  p.className = "lock-note";
  p.textContent = say("lock_offline");
  document.body.appendChild(p);
  leave();
}

// To the page that asks for the PIN, as soon as the node answers.
async function leave() {
  try {
    await ask("POST", "/api/lock");
    location.replace("/lock?next=" + encodeURIComponent(location.pathname.split("/who/")[0]));
  } catch (error) {
    setTimeout(leave, LOOK_MS);
  }
}

function look() {
  if (Date.now() - Math.max(inputMs, shared()) > data.idle_ms) hide();
}

export function keepLock() {
  onContact((state) => {
    if (state === "locked") hide();
  });
  // A page from the browser's memory shows what was there before the lock.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  if (data.device !== "shared") return;
  ["pointerdown", "keydown", "wheel", "touchstart", "input"].forEach((name) =>
    window.addEventListener(name, note, { capture: true, passive: true })
  );
  document.addEventListener("visibilitychange", look);
  setInterval(look, LOOK_MS);
}
