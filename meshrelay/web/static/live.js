// Keeps a page up to date: /api/sync is the truth, Server-Sent Events only say "now".
// One stream per visible tab (browsers allow six connections per host), never stops trying.

import { heard } from "./net.js";

const SILENCE_MS_MAX = 45000;
const BACKOFF_MS_MIN = 500;
const BACKOFF_MS_MAX = 10000;

// For tell.js; `detail`: the stamp of what is urgent, NaN (like no other) when it may have changed unheard.
const news = (detail) => window.dispatchEvent(new CustomEvent("news", { detail }));

// sync(): resolves true when the node answered; onOpen(): the stream is up.
export function keepLive(sync, onOpen) {
  let source = null;
  let heardMs = 0;
  let backoffMs = BACKOFF_MS_MIN;
  let timer = 0;
  let running = false;
  let again = false;

  async function syncOnce() {
    if (running) {
      again = true;
      return true;
    }
    running = true;
    let reached = true;
    try {
      do {
        again = false;
        reached = await sync();
      } while (again && reached);
    } finally {
      running = false;
    }
    return reached;
  }

  function close() {
    if (source) source.close();
    source = null;
  }

  function later() {
    close();
    clearTimeout(timer);
    timer = setTimeout(open, backoffMs * (0.75 + Math.random() * 0.25));
    backoffMs = Math.min(BACKOFF_MS_MAX, backoffMs * 2);
  }

  async function open() {
    clearTimeout(timer);
    if (document.visibilityState === "hidden" || source) return;
    if (!(await syncOnce())) {
      later();
      return;
    }
    if (document.visibilityState === "hidden" || source) return;
    heardMs = Date.now();
    source = new EventSource("/api/events");
    source.onopen = () => {
      heardMs = Date.now();
      backoffMs = BACKOFF_MS_MIN;
      onOpen();
      news(NaN);
      // what changed between the first sync and the open stream
      syncOnce();
    };
    source.addEventListener("new", (event) => {
      heardMs = Date.now();
      news(event.data);
      syncOnce();
    });
    source.addEventListener("hb", () => {
      heardMs = Date.now();
      heard();
    });
    source.onerror = later;
  }

  setInterval(() => {
    if (source && Date.now() - heardMs > SILENCE_MS_MAX) later();
  }, 5000);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") close();
    else restart();
  });
  function restart() {
    backoffMs = BACKOFF_MS_MIN;
    open();
  }
  window.addEventListener("online", restart);
  window.addEventListener("pageshow", restart);
  window.addEventListener("pagehide", close);
  open();
  return syncOnce;
}
