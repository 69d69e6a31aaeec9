// One room: takes over the server's first screen in place and keeps it live.

import { html, render } from "./vendor/preact-htm.js";
import { Unreachable, askAsMe, contactState, data, onContact, say, setNow } from "./net.js";
import { Outbox, lazily } from "./outbox.js";
import { keepBanner } from "./banner.js";
import { keepLive } from "./live.js";
import { keepLock } from "./lock.js";
import { bubblesOf, clean, dayWords, hourMinute, iso, keyOf } from "./draw.js";

const AT_BOTTOM_PX = 60;
const READ_PAUSE_MS = 1000;
const READ_ITEMS_MAX = 200;
const WARM_MS = 10000;
// A trembling finger taps twice.
const SURE_MS = 700;
const ROOM_PATH = "/api/rooms/" + encodeURIComponent(data.room) + "/messages";

const scroll = document.getElementById("main");
const log = document.getElementById("log");
const count = document.querySelector("h1 small");
const pill = document.getElementById("pill");
const form = document.getElementById("write");
const box = document.getElementById("text");
const sheet = document.getElementById("sheet");

const messages = new Map(data.messages.map((m) => [keyOf(m), m]));
const unread = data.messages.find((m) => !m.mine && !m.read_by_me);
const firstUnread = unread ? keyOf(unread) : null;
const pins = new Map(data.pinned.map((m) => [keyOf(m), m]));
let cursor = data.cursor;
let more = data.more;
let drawBanner = () => {};

const sorted = () => Array.from(messages.values()).sort((a, b) => (a.sort < b.sort ? -1 : a.sort > b.sort ? 1 : 0));
const atBottom = () => Math.abs(scroll.scrollTop) < AT_BOTTOM_PX;

// ---- drawing ----------------------------------------------------------------

function Marks(marks) {
  return marks.map((m) => html`<span class=${"mark mark-" + m.key}><i aria-hidden="true">${m.shape}</i> ${m.text}</span>`);
}

function Bubble(b) {
  const time = html`<time datetime=${b.iso}>${b.time}</time>`;
  return [
    b.day && html`<h2 class="day" key=${"day" + b.key}><span>${b.day}</span></h2>`,
    b.firstUnread && html`<p class="unread-line" key="unread-line"><span>${say("from_here_unread")}</span></p>`,
    html`<article class=${"msg " + (b.mine ? "mine" : "theirs") + (b.follows ? " follows" : "") + (b.ofRoom ? " of-room" : "")} data-key=${b.key} key=${b.key}>
      ${!b.mine && !b.follows && html`<p class="from"><b>${b.name}</b> <span>${b.ward}</span></p>`}
      <div class="row"><p class=${"bubble" + (b.known ? "" : " unknown") + (b.struck ? " struck" : "") + (b.expired ? " expired" : "")}>${b.quote && html`<a class="quoted" href=${b.quote.href}><b>${b.quote.name}</b> ${b.quote.text}</a>`}<span>${b.text}</span>${b.file && html`<a class="file" href=${b.file.href}>${b.file.thumbnail && html`<img src=${b.file.thumbnail} alt="" loading="lazy"/>`}${b.file.name}</a>`}</p>
      <p class="meta">${b.flags.map((f) => html`<span class="flag">${f}</span>`)}${b.mine ? time : html`<a href=${b.href} aria-label=${b.time + " " + say("details")}>${time} <span aria-hidden="true">⋯</span></a>`}</p></div>
      ${b.mine && html`<a class="marks" href=${b.href}>${Marks(b.marks)}</a>`}
    </article>`,
  ];
}

function Unsent(item, lastDay) {
  const key = data.me + "/" + item.id;
  const day = dayWords(item.created_ms);
  const p = item.problem;
  const ja = data.lang === "ja";
  return [
    day !== lastDay && html`<h2 class="day" key=${"day" + key}><span>${day}</span></h2>`,
    html`<article class=${"msg mine waiting" + (p ? " refused" : "")} data-unsent=${item.id} key=${key}>
      <div class="row"><p class="bubble">${clean(item.text, true)}${item.file && html`<span class="file">${item.file.thumbnail && html`<img src=${"data:image/jpeg;base64," + item.file.thumbnail} alt=""/>`}${clean(item.file.name)}</span>`}</p>
      <p class="meta"><time datetime=${iso(item.created_ms)}>${hourMinute(item.created_ms)}</time></p></div>
      <p class="marks">${Marks([{ key: p ? "trouble" : "unsent", shape: data.shapes[p ? "trouble" : "unsent"], text: say(p ? "trouble" : "unsent") }])}</p>
      ${p && html`<div class="problem"><p>${clean(ja ? p.ja : p.en)}</p><p>${clean(ja ? p.next_ja : p.next_en)}</p>
        <button type="button" onClick=${() => outbox.again(item.id)}>${say("again")}</button>
        <button type="button" onClick=${() => rewrite(item)}>${say("rewrite")}</button>
        <button type="button" onClick=${({ target }) => remove(target, item.id)}>${say("remove")}</button></div>`}
    </article>`,
  ];
}

function Room() {
  const bubbles = bubblesOf(sorted(), firstUnread);
  const items = outbox.mine().filter((item) => item.room === data.room && !messages.has(data.me + "/" + item.id));
  let lastDay = messages.size ? dayWords(sorted()[messages.size - 1].created_ms) : "";
  const waiting = items.map((item) => {
    const drawn = Unsent(item, lastDay);
    lastDay = dayWords(item.created_ms);
    return drawn;
  });
  const before = messages.size ? sorted()[0].sort : "";
  return html`${more && html`<p class="older" key="older"><a href=${"?before=" + encodeURIComponent(before)} onClick=${older}>${say("older")}</a></p>`}
    ${!bubbles.length && !waiting.length && html`<p class="empty" key="empty">${say("empty_room")}</p>`}
    ${bubbles.map(Bubble)}${waiting}`;
}

// Draws and keeps what the person is reading where it is.
function draw() {
  const stay = !atBottom();
  const anchor = stay ? anchorOf() : null;
  const topPx = anchor ? anchor.getBoundingClientRect().top : 0;
  render(Room(), log);
  drawPinned();
  if (anchor && anchor.isConnected) scroll.scrollTop += anchor.getBoundingClientRect().top - topPx;
  watchUnread();
  drawBanner();
}

// The message pinned last, above the room.
const pinLine = document.getElementById("pinned");
function drawPinned() {
  const newest = bubblesOf(Array.from(pins.values()).slice(-1), null)[0];
  pinLine.hidden = !newest;
  render(newest && html`<a href=${newest.href}><b>${say("pinned")}</b> ${newest.text}</a>`, pinLine);
}

function anchorOf() {
  const topPx = scroll.getBoundingClientRect().top;
  return Array.from(log.querySelectorAll(".msg")).find((el) => el.getBoundingClientRect().bottom > topPx) || null;
}

// ---- outbox -----------------------------------------------------------------

const outbox = new Outbox(draw, (item, posted) => {
  const key = posted.author + "/" + posted.message_id;
  if (messages.has(key)) return;
  // The node's receipt in words until the next sync brings the message itself.
  messages.set(key, {
    author: posted.author, author_name: "", author_ward: "", message_id: posted.message_id, kind: item.file ? "file" : "talk",
    room: posted.room, body: { text: item.text, file: item.file }, created_ms: item.created_ms, late: false,
    clock_uncertain: false, place: "node", wards_n: 0, read_n: null, members_n: null, mine: true,
    read_by_me: true, trouble: posted.trouble, expiry: "valid", sort: "\uffff" + posted.message_id,
  });
});

// The first tap asks, the second deletes.
function remove(button, id) {
  const pause = Date.now() - (button.value || Date.now());
  if (pause > SURE_MS) return outbox.remove(id);
  button.value = button.value || Date.now();
  button.textContent = say("remove_sure");
}

function rewrite(item) {
  box.value = item.text + (box.value ? "\n" + box.value : "");
  grow();
  keepDraft();
  box.focus();
  if (item.file) attach(new File([item.content], item.file.name, { type: item.file.type }));
  outbox.remove(item.id);
}

// ---- sync -------------------------------------------------------------------

async function sync() {
  try {
    for (;;) {
      const { status, json } = await askAsMe("GET", "/api/sync?after=" + encodeURIComponent(cursor));
      if (status !== 200) return status < 500 && status !== 401;
      setNow(json.now_ms);
      if (json.reset) return await afresh();
      if (json.messages.some((m) => !(m.author_ward in data.wards))) await meetNewcomers(json.messages);
      take(json.messages);
      cursor = json.cursor;
      if (!json.more) break;
    }
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
  flushRead();
  return true;
}

// Somebody of a ward that was enrolled after this page was opened.
async function meetNewcomers(changed) {
  const { status, json } = await askAsMe("GET", "/api/rooms");
  if (status !== 200) return;
  const { members_n: n } = json.rooms.find((r) => r.id === data.room) || {};
  if (n) count.textContent = count.textContent.replace(/\d+/, n);
  changed.forEach(({ author_ward: code }) => {
    const { name, name_en: en } = json.wards[code] || { name: code };
    data.wards[code] = (data.lang === "en" && en) || name;
  });
}

async function afresh() {
  const { status, json } = await askAsMe("GET", ROOM_PATH + "?limit=" + data.first_n);
  if (status !== 200) return false;
  messages.clear();
  json.messages.forEach((m) => messages.set(keyOf(m), m));
  more = json.messages.length === data.first_n;
  cursor = json.cursor;
  draw();
  return true;
}

function take(changed) {
  const oldest = messages.size ? sorted()[0].sort : "";
  let fresh = false;
  let touched = false;
  changed.forEach((m) => {
    const key = keyOf(m);
    if (m.room === data.room && (m.body.pinned ? pins.set(key, m) : pins.delete(key))) touched = true;
    if (m.room !== data.room || (more && m.sort < oldest && !messages.has(key))) return;
    fresh = fresh || (!m.mine && !messages.has(key));
    messages.set(key, m);
    touched = true;
  });
  if (!touched) return;
  const below = fresh && !atBottom();
  draw();
  if (below) pill.hidden = false;
}

async function older(event) {
  event.preventDefault();
  const before = sorted()[0].sort;
  try {
    const { status, json } = await askAsMe("GET", ROOM_PATH + "?limit=" + data.first_n + "&before=" + encodeURIComponent(before));
    if (status !== 200) return;
    json.messages.forEach((m) => messages.set(keyOf(m), m));
    more = json.messages.length === data.first_n;
  } catch (error) {
    // the banner says it
    return;
  }
  draw();
}

// ---- read marks: only what was really on a visible screen ---------------------

const shown = new Set();
const told = new Set();
const watched = new WeakSet();
let flushedMs = 0;
let flushTimer = 0;

const eye = new IntersectionObserver((entries) => {
  entries.forEach((entry) => {
    const height = entry.rootBounds ? entry.rootBounds.height : window.innerHeight;
    const seen = entry.isIntersecting && (entry.intersectionRatio >= 0.5 || entry.intersectionRect.height >= height * 0.4);
    if (seen) shown.add(entry.target.dataset.key);
    else shown.delete(entry.target.dataset.key);
  });
  flushRead();
}, { root: scroll, threshold: [0, 0.25, 0.5, 0.75, 1] });

function watchUnread() {
  log.querySelectorAll(".msg.theirs").forEach((el) => {
    if (watched.has(el)) return;
    watched.add(el);
    eye.observe(el);
  });
}

function unreadShown() {
  return Array.from(shown).filter((key) => {
    const message = messages.get(key);
    return message && !message.mine && !message.read_by_me && !told.has(key);
  });
}

function flushRead() {
  if (document.visibilityState === "hidden" || flushTimer || !unreadShown().length) return;
  flushTimer = setTimeout(sendRead, Math.max(0, flushedMs + READ_PAUSE_MS - Date.now()));
}

async function sendRead() {
  const keys = document.visibilityState === "hidden" ? [] : unreadShown().slice(0, READ_ITEMS_MAX);
  if (keys.length) {
    try {
      const items = keys.map((key) => [messages.get(key).author, messages.get(key).message_id]);
      const { status } = await askAsMe("POST", "/api/read", { items });
      if (status < 500 && status !== 401) keys.forEach((key) => told.add(key));
    } catch (error) {
      // they stay in `shown` and go with the next sync
    }
    flushedMs = Date.now();
  }
  flushTimer = 0;
  if (contactState() === "ok") flushRead();
}

document.addEventListener("visibilitychange", flushRead);

// ---- a photo beside the text --------------------------------------------------

const camera = document.getElementById("photo");
const hint = box.placeholder;
// {file, content}, or a promise that tells whether it is ready
let held = null;

function hold(next) {
  held = next;
  box.required = !next;
  if (next) return;
  box.placeholder = hint;
  document.querySelectorAll(".tray").forEach((tray) => tray.remove());
}

function attach(chosen) {
  hold(lazily().then((tools) => tools.offer(form, chosen, hold), () => {
    // What makes it small comes when the node is there again.
    const { name, type } = chosen;
    box.placeholder = name;
    hold({ file: { name, type }, content: chosen });
    return true;
  }));
}

camera.previousElementSibling.onclick = (event) => {
  event.preventDefault();
  camera.click();
};
camera.onchange = () => {
  if (camera.files.length) attach(camera.files[0]);
  camera.value = "";
};
// Later the node may be gone.
setTimeout(() => lazily().catch(() => {}), WARM_MS);

// ---- writing ----------------------------------------------------------------

const desktop = window.matchMedia("(hover: hover) and (pointer: fine)");

function grow() {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight + 2, 160) + "px";
}

// A half-written text outlives a reload and the way to the PIN; it ends with log-out.
function keepDraft() {
  outbox.keepDraft(data.room, box.value);
}

function send(event) {
  if (event) event.preventDefault();
  if (held && held.then) return held.then((ready) => ready && send());
  const text = box.value.replace(/\s+$/, "");
  if (!text.trim() && !held) return;
  box.value = "";
  grow();
  keepDraft();
  outbox.add(data.room, text, Object.assign(data.reply ? { reply_to: data.reply } : {}, held));
  hold(null);
  if (data.reply) {
    data.reply = null;
    document.getElementById("reply").remove();
    history.replaceState(null, "", location.pathname);
  }
  toBottom();
}

function phrase(event) {
  const button = event.target.closest("button");
  if (!button) return;
  event.preventDefault();
  box.value += button.value;
  grow();
  keepDraft();
  sheet.open = false;
  box.focus();
}

function toBottom() {
  // column-reverse: 0 is the newest
  scroll.scrollTop = 0;
  pill.hidden = true;
}

form.addEventListener("submit", send);
sheet.addEventListener("click", phrase);
box.addEventListener("input", () => {
  grow();
  keepDraft();
});
grow();
box.addEventListener("keydown", (event) => {
  // Enter while a Japanese word is being composed only chooses the word.
  const composing = event.isComposing || event.keyCode === 229;
  if (event.key === "Enter" && !event.shiftKey && !composing && desktop.matches) send(event);
});
pill.querySelector("button").addEventListener("click", toBottom);
scroll.addEventListener("scroll", () => {
  if (atBottom()) pill.hidden = true;
});

drawBanner = keepBanner(outbox, false);
onContact((state) => {
  if (state === "ok") outbox.kick();
});
draw();
// As LINE does: one begins to read where one stopped.
const line = log.querySelector(".unread-line");
if (line && line.getBoundingClientRect().top < scroll.getBoundingClientRect().top && !location.hash) {
  line.scrollIntoView();
  pill.hidden = false;
}
keepLock();
outbox.load().then(() => {
  if (!box.value) box.value = outbox.draft(data.room);
  grow();
});
keepLive(sync, () => outbox.kick());
