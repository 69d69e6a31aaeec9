// Page data, words and the one way to ask the node. Plain http is enough for everything here.

const block = document.getElementById("data");
export const data = block ? JSON.parse(block.textContent) : { words: {} };

const TIMEOUT_MS = 15000;

export class Unreachable extends Error {}

export function say(key, values) {
  return data.words[key].replace(/\{(\w+)\}/g, (_whole, name) => String(values[name]));
}

// The node's clock, not the phone's: a borrowed phone may be years off.
let offset = data.now_ms ? data.now_ms - Date.now() : 0;
export function nowMs() {
  return Date.now() + offset;
}
export function setNow(ms) {
  offset = ms - Date.now();
}

// UUIDv7, RFC 9562 section 5.7; crypto.randomUUID is missing on plain http.
export function uuid7(ms) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let rest = ms;
  for (let i = 5; i >= 0; i -= 1) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// `ok`, `gone` (no contact), `login` (card needed), `revoked` (a new card needed), `locked` (PIN
// needed) or `other` (somebody else is logged in).
let contact = "ok";
const listeners = [];
export function onContact(call) {
  listeners.push(call);
}
// The city's time of the last answer.
let heardMs;
export function heard() {
  heardMs = nowMs();
}
heard();
export function heardAt() {
  return new Date(heardMs + 9 * 3600000).toISOString().slice(11, 16);
}
export function contactState() {
  return contact;
}
export function setContact(state) {
  if (state === "ok") heard();
  if (state !== contact) {
    contact = state;
    listeners.forEach((call) => call(state));
  }
}

// Fetches and hands the response to `read`; rejects with Unreachable when nothing came in time.
export async function reach(path, options, read) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  const fixed = { credentials: "same-origin", cache: "no-store", signal: stop.signal };
  try {
    return await read(await fetch(path, Object.assign(fixed, options)));
  } catch (error) {
    throw error instanceof Unreachable ? error : new Unreachable(String(error));
  } finally {
    clearTimeout(timer);
  }
}

// Resolves with {status, json}; rejects with Unreachable when no node answered.
export function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = data.csrf || "";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  return reach(path, { method, headers, body: text }, async (response) => {
    if (response.status === 204) return { status: 204, json: null };
    const type = response.headers.get("Content-Type") || "";
    // A captive portal answers 200 with a page: that is not our node.
    if (type.indexOf("json") < 0) throw new Unreachable(type);
    return { status: response.status, json: await response.json() };
  });
}

// A logged-in request: learns from the answer who is logged in and whether there is contact.
export async function askAsMe(method, path, body) {
  let answer;
  try {
    answer = await ask(method, path, body);
    if (answer.status === 403 && answer.json.code === "bad_token") {
      const me = await ask("GET", "/api/me");
      if (me.status === 200 && me.json.person.staff_id === data.me) {
        data.csrf = me.json.csrf;
        answer = await ask(method, path, body);
      } else if (me.status === 200) {
        setContact("other");
        return { status: 401, json: { code: "other_person" } };
      } else {
        answer = me;
      }
    }
  } catch (error) {
    setContact("gone");
    throw error;
  }
  const out = answer.status === 401 && (answer.json.code === "card_revoked" ? "revoked" : "login");
  setContact(out || (answer.status === 423 ? "locked" : "ok"));
  return answer;
}
