// Log-in: fills the card from the link's fragment, seals card and PIN, asks for a second PIN at
// first use. Without this script the form works as it is.

import { Unreachable, say } from "./net.js";
import { forgetCard, keepCard, keptCard } from "./card.js";
import { hide, sentences, show, showGone } from "./problem.js";
import { askSealed } from "./seal.js";
import { sweep } from "./store.js";

const form = document.getElementById("login");
const staff = document.getElementById("staff");
const card = document.getElementById("card");
const pin = document.getElementById("pin");
const again = document.getElementById("pin-again");
const forget = document.getElementById("forget");
const button = form.querySelector("button");
const device = form.elements.device;

function focusNext() {
  if (staff.value && card.value) pin.focus();
  else if (staff.value) card.focus();
}

// The fragment is never sent to the server; it must not stay in the address bar either.
function fillFromFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.get("s")) staff.value = given.get("s");
  if (given.get("c")) card.value = given.get("c");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
}

function fillFromDevice() {
  const kept = keptCard();
  if (window.matchMedia("(max-width: 600px)").matches || kept) device.value = "own";
  if (!kept || (staff.value && staff.value !== kept.staff)) return;
  staff.value = kept.staff;
  if (!card.value) card.value = kept.card;
  forget.hidden = false;
}

fillFromFragment();
fillFromDevice();
focusNext();
window.addEventListener("hashchange", () => {
  fillFromFragment();
  focusNext();
});
forget.querySelector("button").addEventListener("click", () => {
  forgetCard();
  forget.hidden = true;
  staff.value = "";
  card.value = "";
  device.value = "shared";
  staff.focus();
});

// After log-out: what was written here goes from the disk now, and the page says so.
sweep().then((clean) => {
  const swept = document.getElementById("swept");
  swept.hidden = !clean || document.referrer.indexOf(location.origin + "/") !== 0;
});

function choosePin(problem) {
  const first = document.getElementById("again").hidden;
  document.getElementById("again").hidden = false;
  document.getElementById("pin-new").hidden = false;
  document.getElementById("pin-help").hidden = true;
  again.required = true;
  if (problem.code !== "choose_pin" || !first) show(...sentences(problem));
  else hide();
  if (problem.code === "choose_pin") {
    again.focus();
  } else {
    pin.value = "";
    again.value = "";
    toPin();
  }
}

// The sentence says why; on a small screen it must not end up under the header.
function toPin() {
  pin.focus({ preventScroll: true });
  document.getElementById("problem").scrollIntoView({ block: "start" });
}

function entered() {
  if (device.value === "own") keepCard(staff.value.trim(), card.value.trim());
  else forgetCard();
  location.replace(form.elements.next.value);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  const label = button.textContent;
  button.disabled = true;
  button.textContent = say("login_wait");
  const fields = { staff: staff.value.trim(), card: card.value.trim(), pin: pin.value, device: device.value };
  if (again.required && again.value) fields.pin_again = again.value;
  try {
    const { status, json } = await askSealed("/api/login", fields);
    if (status === 200) {
      entered();
      return;
    }
    if (["choose_pin", "pin_mismatch", "pin_too_short", "pin_too_simple"].indexOf(json.code) >= 0) {
      choosePin(json);
    } else {
      show(...sentences(json));
      pin.value = "";
      toPin();
    }
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    showGone();
  }
  button.disabled = false;
  button.textContent = label;
});
