// The sound test: on the first page after log-in until it was heard on this device, and in settings.

import { data } from "./net.js";
import { chime, mayChime } from "./chime.js";
import { audio, wake } from "./tell.js";

const KEY = "mr-heard-" + data.network;
// Somebody turned the volume down since: ask again after a week.
const HEARD_MS_MAX = 7 * 24 * 3600 * 1000;

function wasHeard() {
  try {
    return Date.now() - Number(localStorage.getItem(KEY)) < HEARD_MS_MAX;
  } catch (error) {
    return false; // a private window: asked each time
  }
}

function noteHeard() {
  try {
    localStorage.setItem(KEY, String(Date.now()));
  } catch (error) {
    return; // as above
  }
}

function ready() {
  const said = document.getElementById("sound-said");
  const button = (name) => document.getElementById("sound-" + name);
  function answer(key, asking) {
    said.textContent = said.dataset[key];
    said.hidden = false;
    button("heard").hidden = !asking;
    button("unheard").hidden = !asking;
  }
  button("play").hidden = false;
  button("play").onclick = async () => {
    audio.wanted = true;
    if (await mayChime(wake())) await chime(audio.context);
    audio.wanted = false;
    if (audio.context) audio.context.suspend();
    answer("ask", true);
  };
  button("heard").onclick = () => {
    noteHeard();
    answer("done", false);
    button("close").focus();
  };
  button("unheard").onclick = () => {
    answer("volume", false);
    button("play").focus();
  };
  if (wasHeard()) answer("done", false);
}

export async function offer() {
  if (wasHeard() || document.getElementById("sound-test")) return;
  const answer = await fetch("/told", { cache: "no-store", headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("offer");
  if (!fresh) return; // logged out meanwhile
  const { style } = await import("./alarm.js");
  style();
  document.querySelector("header").after(document.importNode(fresh, true));
  const close = document.getElementById("sound-close");
  close.hidden = false;
  close.onclick = () => document.getElementById("offer").remove();
  ready();
}

if (document.getElementById("sound-test")) ready();
