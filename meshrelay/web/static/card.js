// On one's own phone the card code stays for 30 days, so that only the PIN is typed. Never the PIN.

import { data } from "./net.js";

const KEY = "mr-card-" + data.network;
const KEEP_MS = 30 * 24 * 3600 * 1000;

export function keptCard() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) || "null");
    if (kept && kept.until > Date.now()) return kept;
    localStorage.removeItem(KEY);
  } catch (error) {
    return null; // a private window
  }
  return null;
}

export function keepCard(staff, card) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ staff, card, until: Date.now() + KEEP_MS }));
  } catch (error) {
    return; // a convenience only
  }
}

export function forgetCard() {
  try {
    localStorage.removeItem(KEY);
  } catch (error) {
    return;
  }
}
