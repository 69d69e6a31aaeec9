// A courier file goes up with a bar, and what was made for carrying away is said; without this
// script both forms send what they are.

import { data } from "./net.js";
import { hide, sentences, show, showGone } from "./problem.js";

const form = document.getElementById("bring");
const button = form.querySelector("button[type=submit]");
const sending = document.getElementById("sending");
const sent = document.getElementById("sent");

const take = document.getElementById("take");
const made = document.getElementById("made");
const MADE_LOOK_MS = 300;
let looking = 0;

// A page hears nothing of its downloads: the node leaves a cookie with each.
const lastMade = () => /(?:^|; )mr-made=(\d+)\.([^;]+)/.exec(document.cookie) || [""];

take.addEventListener("submit", () => {
  const [before] = lastMade();
  made.hidden = true;
  clearInterval(looking);
  looking = setInterval(() => {
    const [now, count, name] = lastMade();
    if (!now || now === before) return;
    clearInterval(looking);
    made.textContent = made.dataset.text.replace("{name}", name).replace("{n}", count);
    made.hidden = false;
  }, MADE_LOOK_MS);
});

function ended(request) {
  const told = request.response || {};
  if (request.status === 202) {
    location.assign("/courier/readings/" + told.id);
    return;
  }
  if (told.code === "not_logged_in" || told.code === "seat_closed") location.replace("/login");
  if (told.code) show(...sentences(told));
  else showGone();
  sending.hidden = true;
  button.disabled = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const file = document.getElementById("file").files[0];
  if (!file || button.disabled) return;
  hide();
  button.disabled = true;
  sending.hidden = false;
  sent.value = 0;
  const request = new XMLHttpRequest();
  request.responseType = "json";
  request.upload.onprogress = (step) => {
    if (step.lengthComputable) sent.value = step.loaded / step.total;
  };
  request.onloadend = () => ended(request);
  request.open("POST", "/api/courier/readings");
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("X-CSRF-Token", data.csrf);
  request.send(file);
});
