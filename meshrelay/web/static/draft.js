// Half-written forms: kept on this device until the node has them; files go up one by one.

import { Unreachable, askAsMe, data, setContact } from "./net.js";
import { loaded, outbox } from "./page.js";
import { sentences, show, showGone } from "./problem.js";

const form = document.querySelector("form[data-draft]");
let touched = false;
let busy = false;

// Everything but the token, which is another one after the next log-in.
function fields() {
  return Array.from(form.elements).filter((el) => el.name && el.name !== "csrf" && el.type !== "file" && el.type !== "submit" && (el.type !== "radio" || el.checked));
}

function valuesNow() {
  return JSON.stringify(fields().map((el) => [el.name, el.type === "checkbox" ? (el.checked ? el.value : "") : el.value]));
}

function keepDraft() {
  outbox.keepDraft(form.dataset.draft, valuesNow());
}

function mark(name, value, label) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.name = name;
  box.value = value;
  box.checked = true;
  const line = document.createElement("label");
  line.append(box, " " + label);
  const list = document.getElementById("kept");
  list.insertBefore(line, list.querySelector("p"));
  list.hidden = false;
}

function restore(values) {
  values.forEach(([name, value]) => {
    const el = form.elements.namedItem(name);
    if (!el && name.startsWith("keep-") && value) mark(name, value, value.slice(value.indexOf("|") + 1));
    else if (el && el.type === "checkbox") el.checked = Boolean(value);
    else if (el) el.value = value;
  });
}

async function upload(file) {
  const headers = { "Content-Type": file.type || "application/octet-stream", "X-CSRF-Token": data.csrf };
  const answer = await fetch("/api/blobs", { method: "POST", credentials: "same-origin", headers, body: file });
  return { status: answer.status, json: await answer.json() };
}

async function uploadAll(files) {
  for (const file of files) {
    let answer;
    try {
      answer = await upload(file);
    } catch (error) {
      setContact("gone");
      return false;
    }
    const { status, json } = answer;
    if (status !== 201) {
      show(...sentences(json));
      return false;
    }
    mark("keep-" + json.blob, json.type + "|" + file.name, file.name);
  }
  return true;
}

// Whether the node would take it now; if not, the draft and its words stay on the screen.
async function isHeard() {
  try {
    const { status, json } = await askAsMe("GET", "/api/me");
    const mine = status === 200 && json.person.staff_id === data.me;
    if (mine) form.elements.csrf.value = json.csrf;
    else if (status === 200) setContact("other");
    // Of these two the banner says why.
    else if (status !== 401 && status !== 423) show(...sentences(json));
    return mine;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    showGone();
    return false;
  }
}

// Several files go up at once; what this page cannot do, the plain form does with one.
async function submit(event) {
  event.preventDefault();
  if (busy) return;
  busy = true;
  const left = (await isHeard()) && (await sendFiles());
  if (left) {
    outbox.keepDraft(form.dataset.draft, valuesNow(), true);
    await new Promise((written) => setTimeout(written));
    form.submit();
  }
  busy = false;
}

async function sendFiles() {
  const input = form.elements.namedItem("file");
  const files = input ? Array.from(input.files) : [];
  if (files.length < 2) return true;
  document.getElementById("sending").hidden = false;
  const sent = await uploadAll(files);
  document.getElementById("sending").hidden = true;
  if (sent) input.value = "";
  return sent;
}

// Whether the node has what this draft became: its answer may have been lost on the way.
async function isStored(id) {
  try {
    const { status } = await askAsMe("GET", ["/api/messages", form.dataset.author || data.me, id, "who"].map((part, i) => (i ? encodeURIComponent(part) : part)).join("/"));
    return status === 200;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    return false;
  }
}

async function takeUp() {
  await loaded;
  const kept = outbox.draft(form.dataset.draft);
  // What the node refused is on the page already.
  if (kept && !("kept" in form.dataset) && !touched) {
    const blank = JSON.parse(valuesNow());
    const values = JSON.parse(kept);
    restore(values);
    const id = values.find(([name]) => name === "id");
    if (id && (await isStored(id[1]))) {
      restore(touched ? blank.filter(([name]) => name === "id") : blank);
      if (!touched) outbox.keepDraft(form.dataset.draft, "");
    }
  }
  form.dataset.ready = "1";
}

if (form) {
  takeUp();
  form.addEventListener("input", () => {
    touched = true;
    keepDraft();
  });
  form.addEventListener("submit", submit);
  const input = form.elements.namedItem("file");
  if (input) input.multiple = true;
}
