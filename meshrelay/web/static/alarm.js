// Something urgent waits: a bar, title and icon blink, and one of this browser's pages sounds, again
// each minute, until it was displayed to the person here or anywhere else.

import { data } from "./net.js";
import { chime, mayChime } from "./chime.js";
import { audio, look, soon, wake } from "./tell.js";

const AGAIN_MS = 60000;
// Timers are late, never early: a minute is over a little sooner.
const EARLY_MS = 1000;
const BLINK_MS = 1000;
// Pages in front first, no two at one moment, and each minute who sounded last; then long enough
// for the other pages to see who comes first.
const BEHIND_MS = 400;
const JITTER_MS = 300;
const OTHERS_MS = 1500;
const CLAIM_MS = 200;
const HEARD_MAX = 20;
const KEY = "mr-told-" + data.network;
const ME = String(Math.random());

const icon = document.querySelector("link[rel=icon]");
const folder = new URL(".", document.querySelector('script[src$="/tell.js"]').src).href;
const calm = icon ? icon.href : "";
let shown = "";
let bar = null;
let title = "";
let blinked = "";
let blinkTimer = 0;
let againTimer = 0;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- which page sounds --------------------------------------------------------

function heard() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || { at: 0, by: "", ids: [] };
  } catch (error) {
    return null; // no store: each page for itself, rather too much sound than none
  }
}

function note(kept) {
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch (error) {
    return; // as above
  }
}

function isDue(kept, id) {
  return kept.ids.indexOf(id) < 0 || Math.abs(Date.now() - kept.at) >= AGAIN_MS - EARLY_MS;
}

function turn(kept, id) {
  if (kept.by === ME) return 0;
  const behind = document.visibilityState === "hidden" ? BEHIND_MS : 0;
  return Math.random() * JITTER_MS + behind + (kept.ids.indexOf(id) < 0 ? 0 : OTHERS_MS);
}

// True for one page: it writes its name, waits, and still finds it there. The last one counts.
async function claim(id) {
  const before = heard();
  if (!before) return true;
  if (!isDue(before, id)) return false;
  await pause(turn(before, id));
  const kept = heard();
  if (!kept || !isDue(kept, id)) return !kept;
  const ids = kept.ids.filter((each) => each !== id).concat(id).slice(-HEARD_MAX);
  note({ at: Date.now(), by: ME, ids });
  await pause(CLAIM_MS);
  const now = heard();
  return !now || now.by === ME;
}

// Whether the browser lets this page sound; null before the first try.
let able = null;
async function sound(id) {
  const kept = heard();
  if (able && kept && !isDue(kept, id)) return;
  audio.wanted = true;
  able = await mayChime(wake());
  if (bar) bar.querySelector("#told-sound").hidden = able;
  if (able && (await claim(id))) await chime(audio.context);
  audio.wanted = false;
  if (audio.context) audio.context.suspend();
}

// One after the other; what came meanwhile sounds next.
let next = "";
let ringing = false;
async function ring(id) {
  next = id;
  if (ringing) return;
  ringing = true;
  while (next) {
    const now = next;
    next = "";
    await sound(now);
  }
  ringing = false;
}

// ---- bar, title and icon --------------------------------------------------------

function blink(on) {
  if (!icon) return;
  if (document.title !== blinked) title = document.title; // the page has a new one
  blinked = on ? "【" + bar.dataset.title + "】" + title : title;
  document.title = blinked;
  icon.href = on ? folder + "icon-urgent.svg" : calm;
}

// What was asked for before the last word came is not drawn any more.
let asked = 0;

async function draw(mine) {
  const text = await fetch("/told", { cache: "no-store", headers: { Accept: "text/html" } })
    .then((answer) => answer.text())
    .catch(() => "");
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("told");
  if (!fresh || mine !== asked) return false; // no contact, or logged out: what is shown stays
  const placed = document.importNode(fresh, true);
  if (bar && bar.isConnected) bar.replaceWith(placed);
  else document.querySelector("header").before(placed);
  bar = placed;
  const button = bar.querySelector("#told-sound");
  button.hidden = able !== false;
  button.onclick = () => {
    wake();
    ring(shown + "!"); // pressed: at once, not within the minute
  };
  return true;
}

export function style() {
  if (document.querySelector('link[href$="/told.css"]')) return;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = folder + "told.css";
  document.head.appendChild(link);
}

function stop() {
  clearInterval(blinkTimer);
  clearInterval(againTimer);
  blinkTimer = 0;
  if (!bar) return;
  blink(false);
  bar.remove();
  bar = null;
  shown = "";
  const kept = heard();
  if (kept) note(Object.assign(kept, { done: Date.now() })); // the other pages look, too
}

export async function tell(word) {
  asked += 1;
  const mine = asked;
  if (!word.count) {
    stop();
    return;
  }
  const id = word.newest ? word.newest.sort : "locked";
  ring(id);
  if (shown === id + word.count && bar && bar.isConnected) return;
  style();
  if (!(await draw(mine))) return;
  shown = id + word.count;
  if (blinkTimer) return;
  let on = true;
  blink(on);
  blinkTimer = setInterval(() => {
    on = !on;
    blink(on);
  }, BLINK_MS);
  againTimer = setInterval(look, AGAIN_MS);
}

window.addEventListener("storage", (event) => {
  if (event.key === KEY && bar) soon(BLINK_MS);
});
