// Asks whether something urgent waits; what tells of it is loaded when there is something to tell.
// It imports nothing, so that it weighs little on a page's first load.

// A hidden tab has no stream; neither has one behind a proxy that swallows it.
const POLL_MS = 30000;
const TOLD_MS = 2000;

// Browsers let a page sound after a press on it; iOS only what began in that press.
export const audio = { context: null, wanted: false };
export function wake() {
  const Context = window.AudioContext || window.webkitAudioContext;
  if (!audio.context && Context) audio.context = new Context();
  return audio.context;
}
function press() {
  if (!audio.context && wake()) audio.context.resume().then(() => audio.wanted || audio.context.suspend());
}

let word = { count: 0 };
let alarm;
let stamp = "";
let timer = 0;

// Without the node the last word stands, and goes on sounding.
export async function look() {
  timer = 0;
  word = await fetch("/api/urgent", { cache: "no-store" })
    .then((answer) => (answer.ok ? answer.json() : answer.status < 500 ? { count: 0 } : word))
    .catch(() => word);
  if (word.count) alarm = alarm || (await import("./alarm.js").catch(() => alarm));
  if (alarm) alarm.tell(word);
  return true;
}

export function soon(ms) {
  timer = timer || setTimeout(look, ms);
}

// While something waits it may have been read on another page or device.
window.addEventListener("news", ({ detail }) => {
  if (detail !== stamp) look();
  else if (word.count) soon(TOLD_MS);
  stamp = detail;
});
setInterval(look, POLL_MS);
window.addEventListener("pointerup", press);
window.addEventListener("keydown", press);
if (!document.querySelector('[src$="page.js"],[src$="room.js"]')) {
  import("./live.js").then((live) => live.keepLive(look, () => {})).catch(() => {});
}
if (/\/login/.test(document.referrer)) import("./sound.js").then((sound) => sound.offer()).catch(() => {});
