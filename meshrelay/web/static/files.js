// The files of a room: keeps the list live, and sends with progress and a small picture.

import { Unreachable, say } from "./net.js";
import { carry, itemOf, positionBox, prepare } from "./attach.js";
import { hide, sentences, show } from "./problem.js";
import { outbox, syncNow } from "./page.js";

const COMING_MS = 2000;

const form = document.getElementById("send");
const sent = document.getElementById("sent");
const sending = document.getElementById("sending");
const bar = sending.querySelector("progress");
const button = form.querySelector("button.main");
const input = form.elements.file;
const place = document.getElementById("position");
const memo = document.getElementById("memo");
const recorder = document.getElementById("recorder");
const record = document.getElementById("record");
// Browsers give the microphone to no page on plain http; there the phone's own recorder opens.
const CAN_RECORD = window.isSecureContext && navigator.mediaDevices && window.MediaRecorder;
// Not on the press: by then the node may be gone.
const voice = CAN_RECORD ? import("./voice.js").catch(() => null) : null;

let chosen = null;
let ready = null; // the promise of what attach.js made of the chosen file

// Where something is on its way here, news alone do not tell how far it is.
setInterval(() => {
  if (document.visibilityState !== "hidden" && document.querySelector(".file-coming")) syncNow();
}, COMING_MS);

// Makes it small, and asks about its position only if it has one.
function choose(file, keep) {
  place.textContent = "";
  memo.textContent = "";
  chosen = file;
  input.required = !file;
  ready = file && prepare(file, keep);
  if (!file) return;
  const mine = ready;
  mine.then((prepared) => {
    if (ready === mine && prepared && prepared.position) place.append(positionBox(keep, (ticked) => choose(file, ticked)));
  });
}

// What was said, to be heard before it is sent.
function listen(file) {
  input.value = "";
  choose(file, false);
  const sound = document.createElement("audio");
  sound.controls = true;
  sound.src = URL.createObjectURL(file);
  memo.append(sound);
}

let recording = false;

async function recordHere() {
  if (recording) return; // this press ends it
  recording = true;
  hide();
  try {
    const tools = await voice;
    const file = tools && (await tools.record(record));
    if (file) listen(file);
    else show(record.dataset.none, record.dataset.next);
  } finally {
    recording = false;
  }
}

async function send(event) {
  // What this page does not know, the plain form does.
  if (!chosen || !chosen.type) return;
  event.preventDefault();
  hide();
  sent.hidden = true;
  button.disabled = true;
  sending.hidden = false;
  try {
    const prepared = await ready;
    if (!prepared) {
      show(say("attach_large"));
      return;
    }
    const item = itemOf(prepared, form.dataset.room, form.elements.text.value);
    await carryOrKeep(item);
  } finally {
    button.disabled = false;
    sending.hidden = true;
    bar.value = 0;
  }
}

// Without contact it waits in the outbox; the banner says so.
async function carryOrKeep(item) {
  let waits = false;
  try {
    const answer = await carry(item, bar);
    if (answer.status !== 201) {
      show(...sentences(answer.json));
      return;
    }
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    outbox.add(item.room, item.text, item);
    waits = true;
  }
  form.reset();
  choose(null, false);
  sent.hidden = waits;
  syncNow();
}

choose(null, false);
input.addEventListener("change", () => choose(input.files[0] || null, false));
recorder.addEventListener("change", () => recorder.files.length && listen(recorder.files[0]));
record.addEventListener("click", () => (CAN_RECORD ? recordHere() : recorder.click()));
document.getElementById("voice").hidden = false;
form.addEventListener("submit", send);
