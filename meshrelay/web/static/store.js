// What this browser keeps until the node has it: unsent messages and half-written text.
// On one's own phone: IndexedDB and, as a mirror, localStorage; either one alone is enough. A photo
// is too large for the mirror: there stands its id alone, which tells other tabs when it is gone.
// On a shared PC: IndexedDB alone, the content as a Blob, because a Blob is a file that is gone
// when it is deleted, while LevelDB keeps what was deleted in its logs. Chromium removes such a
// file seconds after its last reader is gone: the log-in page, which reads none, does it at once.
// reader.js says why a worker reads them.

import { data } from "./net.js";

const PREFIX = "mr-out-" + data.network + "-";
const DB = "mr-" + data.network;
const STORE = "outbox";
const MIRRORED = data.device !== "shared";

function openDb() {
  return new Promise((resolve) => {
    let request;
    try {
      request = indexedDB.open(DB, 1);
    } catch (error) {
      // private windows of some browsers
      resolve(null);
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => {
      request.result.onversionchange = () => {
        request.result.close();
        // opened anew when it is needed
        opened = null;
      };
      resolve(request.result);
    };
    request.onerror = () => resolve(null);
    request.onblocked = () => resolve(null);
  });
}

let opened = null;

async function inDb(mode, work) {
  opened = opened || openDb();
  const db = await opened;
  if (!db) return null;
  return new Promise((resolve) => {
    try {
      const transaction = db.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result === undefined ? true : request.result);
      transaction.onerror = () => resolve(null);
      transaction.onabort = () => resolve(null);
    } catch (error) {
      resolve(null);
    }
  });
}

function mirror(id, item) {
  if (!MIRRORED && item) return false;
  try {
    if (item) localStorage.setItem(PREFIX + id, JSON.stringify(item));
    else localStorage.removeItem(PREFIX + id);
    return true;
  } catch (error) {
    return false;
  }
}

// What is in the mirror: at once, before IndexedDB has answered.
export function mirrored() {
  const found = [];
  try {
    for (let i = 0; i < localStorage.length; i += 1) {
      const key = localStorage.key(i);
      if (key.indexOf(PREFIX) === 0) found.push(JSON.parse(localStorage.getItem(key)));
    }
  } catch (error) {
    return found;
  }
  return found;
}

// Calls back with the id and the item (null: removed) when another tab changed the mirror.
export function followMirror(call) {
  window.addEventListener("storage", (event) => {
    if (!event.key) mirrored().forEach((item) => call(item.id, item));
    else if (event.key.indexOf(PREFIX) === 0) {
      call(event.key.slice(PREFIX.length), event.newValue === null ? null : JSON.parse(event.newValue));
    }
  });
}

// True when at least one store holds it.
export async function keep(item) {
  const { id, content } = item;
  const first = mirror(id, content ? { id } : item);
  const kept = MIRRORED ? item : { id, content, blob: new Blob([JSON.stringify(item)]) };
  const second = await inDb("readwrite", (store) => store.put(kept));
  return (first && !content) || Boolean(second);
}

export async function drop(id) {
  mirror(id, null);
  await inDb("readwrite", (store) => store.delete(id));
}

export async function everything() {
  if (MIRRORED) {
    const found = await inDb("readonly", (store) => store.getAll());
    if (!Array.isArray(found)) return [];
    // none from when it was a shared PC
    if (!found.some((item) => item.blob)) return found;
  }
  return (await readBlobs()).map(([text, content]) => {
    const item = JSON.parse(text);
    if (content) item.content = new Blob([content]);
    return item;
  });
}

async function readBlobs() {
  if (!(await inDb("readonly", (store) => store.count()))) return [];
  const reader = new Worker(new URL("reader.js", document.querySelector("script[type=module]").src));
  const found = await new Promise((resolve) => {
    reader.onmessage = (event) => resolve(event.data);
    reader.onerror = () => resolve([]);
    reader.postMessage({ db: DB, store: STORE });
  });
  reader.terminate();
  return found;
}

// True when nothing is left on this device: an empty database is deleted with all its files.
export async function sweep() {
  const left = await inDb("readonly", (store) => store.count());
  if (left !== 0) return false;
  (await opened).close();
  opened = null;
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(DB);
    request.onsuccess = () => resolve(true);
    request.onerror = () => resolve(false);
  });
}
