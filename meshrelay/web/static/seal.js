// Seals card and PIN to the node's key (NaCl crypto_box). Loaded only where a PIN is typed:
// crypto.getRandomValues works on plain http, crypto.subtle does not.

import "./vendor/nacl-fast.js";
import { ask } from "./net.js";

const { nacl } = self;
// A box tells its length: all log-ins look alike.
const PAD_BYTES = 512;

const toBase64 = (bytes) => btoa(String.fromCharCode.apply(null, bytes));
const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function padded(text) {
  const bytes = new TextEncoder().encode(text);
  const room = new Uint8Array(Math.ceil(bytes.length / PAD_BYTES) * PAD_BYTES).fill(0x20);
  room.set(bytes);
  return room;
}

// Like net.js's ask for POST, but a listener learns nothing of the fields and cannot repeat it.
export async function askSealed(path, fields) {
  const ticket = await ask("GET", "/api/seal");
  if (ticket.status !== 200) return ticket;
  const pair = nacl.box.keyPair();
  const nonce = nacl.randomBytes(nacl.box.nonceLength);
  const text = JSON.stringify({ challenge: ticket.json.challenge, fields });
  const box = nacl.box(padded(text), nonce, fromBase64(ticket.json.key), pair.secretKey);
  const sealed = { page_key: toBase64(pair.publicKey), nonce: toBase64(nonce), box: toBase64(box) };
  return ask("POST", path, { sealed });
}
