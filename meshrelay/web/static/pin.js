// Forms in which a PIN is typed: sealed and sent to the API; without this script they work as
// they are, and the page says what that means.

import { Unreachable, data, say } from "./net.js";
import { sentences, show, showGone } from "./problem.js";
import { askSealed } from "./seal.js";

const holder = document.getElementById("problem");

document.querySelectorAll("form[data-api]").forEach((form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button[type=submit]");
    if (button.disabled) return;
    button.disabled = true;
    const fields = {};
    Array.from(form.elements).forEach((field) => {
      if (field.name === "csrf") data.csrf = field.value;
      else if (field.name && field.name !== "next" && field.name !== "q") fields[field.name] = field.type === "password" ? field.value : field.value.trim();
    });
    try {
      const { status, json } = await askSealed(form.dataset.api, fields);
      if (status < 300) {
        location.replace(form.dataset.next);
        return;
      }
      if (json.code === "not_logged_in" || json.code === "seat_closed") location.replace("/login");
      form.prepend(holder); // where the person looks
      show(...sentences(json));
      form.querySelectorAll("input[type=password]").forEach((field) => {
        field.value = "";
      });
      form.querySelector("input[type=password]").focus({ preventScroll: true });
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      showGone();
    }
    button.disabled = false;
  });
});
