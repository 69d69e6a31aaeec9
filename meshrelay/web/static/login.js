// Log-in: fills the card from the link's fragment and asks for a second PIN at first use.
// Without this script the form works as it is.

import { Unreachable, ask, data, say } from "./net.js";

const form = document.getElementById("login");
const staff = document.getElementById("staff");
const card = document.getElementById("card");
const pin = document.getElementById("pin");
const again = document.getElementById("pin-again");
const problemBox = document.getElementById("problem");
const button = form.querySelector("button");

// The fragment is never sent to the server; it must not stay in the address bar either.
function fillFromFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.get("s")) staff.value = given.get("s");
  if (given.get("c")) card.value = given.get("c");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (staff.value && card.value) pin.focus();
  else if (staff.value) card.focus();
}
fillFromFragment();
window.addEventListener("hashchange", fillFromFragment);

function show(sentence, next) {
  problemBox.textContent = "";
  const box = document.createElement("div");
  box.className = "problem";
  box.setAttribute("role", "alert");
  const strong = document.createElement("strong");
  strong.textContent = "▲ " + sentence;
  const first = document.createElement("p");
  first.appendChild(strong);
  const second = document.createElement("p");
  second.textContent = next || "";
  box.append(first, second);
  problemBox.appendChild(box);
}

function choosePin(problem) {
  const first = document.getElementById("again").hidden;
  document.getElementById("again").hidden = false;
  document.getElementById("pin-new").hidden = false;
  again.required = true;
  if (problem.code !== "choose_pin" || !first) show(...sentences(problem));
  else problemBox.textContent = "";
  if (problem.code === "choose_pin") {
    again.focus();
  } else {
    pin.value = "";
    again.value = "";
    pin.focus();
  }
}

function sentences(problem) {
  return data.lang === "ja" ? [problem.ja, problem.next_ja] : [problem.en, problem.next_en];
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  const label = button.textContent;
  button.disabled = true;
  button.textContent = say("login_wait");
  const body = { staff: staff.value.trim(), card: card.value.trim(), pin: pin.value };
  if (again.required && again.value) body.pin_again = again.value;
  try {
    const { status, json } = await ask("POST", "/api/login", body);
    if (status === 200) {
      location.replace(form.elements.next.value);
      return;
    }
    if (["choose_pin", "pin_mismatch", "pin_too_short", "pin_too_simple"].indexOf(json.code) >= 0) {
      choosePin(json);
    } else {
      show(...sentences(json));
      pin.value = "";
      pin.focus();
    }
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    show(say("node_gone"), "");
  }
  button.disabled = false;
  button.textContent = label;
});
