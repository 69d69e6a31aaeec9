// A voice memo, recorded in the page. Loaded only where browsers give the microphone: on https. On
// plain http the phone's own recorder is asked for instead.

const MEMO_MS_MAX = 60000;
// A minute of speech in 180 kB.
const BITS_PER_S = 24000;
const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const ENDINGS = { "audio/webm": "weba", "audio/mp4": "m4a", "audio/ogg": "ogg" };
const TICK_MS = 500;

const clock = (ms) => Math.floor(ms / 60000) + ":" + String(Math.floor(ms / 1000) % 60).padStart(2, "0");

function fileOf(parts, type, started) {
  const plain = type.split(";")[0];
  const at = new Date(started);
  const stamp = String(at.getHours()).padStart(2, "0") + String(at.getMinutes()).padStart(2, "0");
  return new File(parts, "voice-" + stamp + "." + (ENDINGS[plain] || "weba"), { type: plain });
}

// Records until the button is pressed again or a minute is over; the file, or null without a
// microphone. The button tells how long it has been running.
export async function record(button) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    return null; // refused, or none there
  }
  const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each)) || "";
  const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS_PER_S });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const label = Array.from(button.childNodes);
  const started = Date.now();
  const stop = () => {
    if (recorder.state !== "inactive") recorder.stop();
  };
  const tell = () => {
    const ms = Date.now() - started;
    button.textContent = "■ " + button.dataset.stop + " " + clock(ms);
    if (ms >= MEMO_MS_MAX) stop();
  };
  const ticking = setInterval(tell, TICK_MS);
  const ended = new Promise((resolve) => {
    recorder.onstop = resolve;
  });
  button.addEventListener("click", stop, { once: true });
  recorder.start();
  tell();
  await ended;
  clearInterval(ticking);
  button.removeEventListener("click", stop);
  button.textContent = "";
  button.append(...label);
  stream.getTracks().forEach((track) => track.stop());
  return fileOf(parts, recorder.mimeType || type, started);
}
