// Sounds without a file: two tones in turn, three times. A drill has its own, lower and slower.

const WAKE_MS = 500;
const LIVE = { type: "square", gain: 0.2, tone_s: 0.16, hz: [988, 1319, 988, 1319, 988, 1319] };
const DRILL = { type: "sine", gain: 0.35, tone_s: 0.4, hz: [392, 330, 392, 330] };

// True when this page may sound now: a browser refuses until somebody has pressed something on it.
export async function mayChime(context) {
  if (!context) return false;
  if (context.state !== "running") {
    await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, WAKE_MS))]);
  }
  return context.state === "running";
}

// Plays once; call it after mayChime. Resolves when it is over.
export function chime(context) {
  const sound = document.body.classList.contains("drill") ? DRILL : LIVE;
  const volume = context.createGain();
  volume.gain.value = sound.gain;
  volume.connect(context.destination);
  sound.hz.forEach((hz, n) => {
    const tone = context.createOscillator();
    const at = context.currentTime + 0.05 + n * sound.tone_s;
    tone.type = sound.type;
    tone.frequency.value = hz;
    tone.connect(volume);
    tone.start(at);
    tone.stop(at + sound.tone_s * 0.9);
  });
  // Not by their `ended`: a context that the system stops never says so.
  return new Promise((resolve) => setTimeout(resolve, (sound.hz.length * sound.tone_s + 0.2) * 1000));
}
