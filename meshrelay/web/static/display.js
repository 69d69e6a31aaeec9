// A screen on the wall: the server draws, this swaps in what changed, counts the age of it, and chimes.

import { chime, mayChime } from "./chime.js";

const WAITING_MS = 3000;
const PAIRED_MS = 20000;
const STALE_MS = 60000;
// A picture that never moves burns in: some pixels aside each minute, round and round.
const SHIFT_MS = 60000;
const SHIFTS = [[0, 0], [6, 0], [6, 6], [0, 6], [-6, 6], [-6, 0], [-6, -6], [0, -6], [6, -6]];
const DAY_MS = 24 * 3600 * 1000;
const JST_MS = 9 * 3600 * 1000;

const age = document.getElementById("age");
const button = document.getElementById("sound");
const Context = window.AudioContext || window.webkitAudioContext;
const context = Context ? new Context() : null;
const wall = () => document.getElementById("wall");

let answeredMs = Date.now();
let offsetMs = Number(wall().dataset.now) - answeredMs;
let source = null;
let stamp = "";
let timer = 0;

async function maySound() {
  const may = await mayChime(context);
  button.hidden = may || !context;
  document.body.classList.toggle("silent", !button.hidden);
  return may;
}

async function sound() {
  if (await maySound()) await chime(context);
}

async function refresh() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/display", { cache: "no-store", headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("wall");
    if (!answer.ok || !fresh) return false;
    const before = wall().dataset.urgent;
    const next = document.importNode(fresh, true);
    wall().replaceWith(next);
    answeredMs = Date.now();
    offsetMs = Number(next.dataset.now) - answeredMs;
    if (before !== undefined && next.dataset.urgent > before) sound(); // ids grow with time
    return true;
  } catch (error) {
    return false;
  } finally {
    again();
    draw();
  }
}

function again() {
  const paired = wall().dataset.paired !== undefined;
  timer = setTimeout(refresh, paired ? PAIRED_MS : WAITING_MS);
  if (paired) listen();
}

// Only says when to ask; without it the wall asks every 20 s.
function listen() {
  if (source && source.readyState !== EventSource.CLOSED) return;
  source = new EventSource("/api/display/events");
  source.addEventListener("new", (event) => {
    if (event.data !== stamp) refresh();
    stamp = event.data;
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) refresh(); // paired no more?
  };
}

function draw() {
  const s = Math.max(0, Math.floor((Date.now() - answeredMs) / 1000));
  const unit = s < 60 ? ["s", s] : s < 3600 ? ["min", Math.floor(s / 60)] : ["h", Math.floor(s / 3600)];
  age.textContent = age.dataset[unit[0]].replace("{n}", unit[1]);
  const stale = s * 1000 >= STALE_MS;
  document.body.classList.toggle("stale", stale);
  document.getElementById("gone").hidden = !stale;
  const now = (Date.now() + offsetMs + JST_MS) % DAY_MS;
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  document.getElementById("clock").textContent = two(now / 3600000) + ":" + two((now / 60000) % 60);
}

let shift = 0;
setInterval(() => {
  shift = (shift + 1) % SHIFTS.length;
  document.body.style.transform = "translate(" + SHIFTS[shift][0] + "px, " + SHIFTS[shift][1] + "px)";
}, SHIFT_MS);
setInterval(draw, 1000);
button.addEventListener("click", sound);
maySound();
again();
