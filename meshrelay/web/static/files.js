// The files of a room: keeps the list live, and sends with progress and a small picture.

import { askAsMe, data, uuid7, nowMs } from "./net.js";
import { syncNow } from "./page.js";

const COMING_MS = 2000;
const THUMBNAIL_PX = 144;
const THUMBNAIL_BYTES_MAX = 8192;
const QUALITIES = [0.7, 0.5, 0.3];

const form = document.getElementById("send");
const sending = document.getElementById("sending");
const bar = sending.querySelector("progress");
const button = form.querySelector("button.main");

// Where something is on its way here, news alone do not tell how far it is.
setInterval(() => {
  if (document.visibilityState !== "hidden" && document.querySelector(".file-coming")) syncNow();
}, COMING_MS);

// A JPEG of at most 8 KiB in base64, "" if the browser cannot draw the file.
async function thumbnailOf(file) {
  if (!/^image\//.test(file.type) || !window.createImageBitmap) return "";
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch (error) {
    return "";
  }
  const scale = Math.min(1, THUMBNAIL_PX / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  const made = QUALITIES.map((quality) => canvas.toDataURL("image/jpeg", quality).split(",")[1]);
  return made.find((text) => text && text.length * 0.75 <= THUMBNAIL_BYTES_MAX) || "";
}

// fetch() tells nothing of what went up; XMLHttpRequest does.
function upload(file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/blobs");
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", data.csrf);
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      bar.value = event.lengthComputable ? Math.floor((100 * event.loaded) / event.total) : 0;
    };
    request.onload = () => resolve({ status: request.status, json: request.response });
    request.onerror = request.onabort = () => reject(new Error("upload"));
    request.send(file);
  });
}

function refuse(problem) {
  const box = document.createElement("div");
  box.className = "problem";
  box.id = "problem";
  box.setAttribute("role", "alert");
  const lines = data.lang === "ja" ? [problem.ja, problem.next_ja] : [problem.en, problem.next_en];
  lines.forEach((line) => {
    const p = document.createElement("p");
    p.textContent = line;
    box.appendChild(p);
  });
  form.before(box);
  box.scrollIntoView({ block: "center" });
}

// What this page cannot do, the plain form does.
async function send(event) {
  const file = form.elements.file.files[0];
  if (!file || !file.type) return;
  event.preventDefault();
  const old = document.getElementById("problem");
  if (old) old.remove();
  button.disabled = true;
  sending.hidden = false;
  try {
    const thumbnail = await thumbnailOf(file);
    let answer = await upload(file);
    if (answer.status === 201) {
      const body = { blob: answer.json.blob, name: file.name, type: answer.json.type, text: form.elements.text.value, thumbnail };
      answer = await askAsMe("POST", "/api/messages", { id: uuid7(nowMs()), room: form.dataset.room, kind: "file", body });
    }
    if (answer.status === 201) {
      form.reset();
      syncNow();
    } else if (answer.json) {
      refuse(answer.json);
    }
  } catch (error) {
    form.submit();
    return;
  } finally {
    button.disabled = false;
    sending.hidden = true;
    bar.value = 0;
  }
}

document.getElementById("position").hidden = true;
form.addEventListener("submit", send);
